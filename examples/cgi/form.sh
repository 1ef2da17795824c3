#!/bin/sh
# A CGI script (RFC 3875): shows what a form has sent. See ../form.ini and ../www/form.html.
#
# What comes from outside is never run and never written as it is: names and values are decoded by awk, and
# every character that means something in HTML is escaped.

case $REQUEST_METHOD in
POST) fields=$(head -c "${CONTENT_LENGTH:-0}") ;;
GET | HEAD) fields=$QUERY_STRING ;;
*)
	printf 'Status: 405 Method Not Allowed\r\nAllow: GET, HEAD, POST\r\nContent-Type: text/plain\r\n\r\nGET or POST, please.\n'
	exit
	;;
esac

printf 'Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\r\n'
cat <<'PAGE'
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What the form sent</title>
<link rel="icon" href="../icon.svg">
<link rel="stylesheet" href="../style.css">
<style>dl { margin: 0; } dt { font-size: .85rem; color: var(--soft); } dd { margin: 0 0 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }</style>
</head>
<body>
<div class="page">
<header><a class="home" href="../form.html">The form</a><h1>What the form sent</h1></header>
<main><section><dl>
PAGE

# name=Ada+Lovelace&words=%3Cb%3E: a pair a line, decoded byte by byte.
printf '%s' "$fields" | tr '&' '\n' | LC_ALL=C awk '
BEGIN {
	for (i = 1; i < 256; i++)
		byte[sprintf("%02X", i)] = sprintf("%c", i)
}
function decode(text,    out) {
	gsub(/\+/, " ", text)
	while (match(text, /%[0-9A-Fa-f][0-9A-Fa-f]/)) {
		out = out substr(text, 1, RSTART - 1) byte[toupper(substr(text, RSTART + 1, 2))]
		text = substr(text, RSTART + 3)
	}
	return out text
}
function escape(text) {
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	gsub(/"/, "\\&quot;", text)
	return text
}
{
	at = index($0, "=")
	if (at > 1)
		printf "<dt>%s</dt><dd>%s</dd>\n", escape(decode(substr($0, 1, at - 1))), escape(decode(substr($0, at + 1)))
}'

cat <<'PAGE'
</dl></section></main>
</div>
</body>
</html>
PAGE
