#!/usr/bin/env python3
"""A small language server (LSP) for prose, over stdio, without dependencies.

	wsgate --port=8080 --framing=lsp ./lsp_server.py

It finds doubled words, blanks at the end of a line, long lines and what is still TO DO; it completes words that the
text has already, tells on hover how often a word occurs, and lists the headings.

A language server puts a head with the length before each message ("Content-Length: 52", an empty line, JSON). With
framing = lsp, wsgate takes it off and puts it on: the page sends and gets plain JSON.
"""

import json
import re
import signal
import sys

LINE_MAX = 100
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
DOUBLED = re.compile(r"\b([^\W\d_]+)\s+\1\b", re.IGNORECASE)
HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*$")

ERROR, WARNING, INFORMATION, HINT = 1, 2, 3, 4
METHOD_NOT_FOUND = -32601
COMPLETION_TEXT, SYMBOL_STRING = 1, 15


def units(text):
    """Length as LSP counts: in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def index(line, character):
    """The reverse: the index into LINE that so many UTF-16 code units make."""
    return len(line.encode("utf-16-le")[:character * 2].decode("utf-16-le", "ignore"))


def span(row, line, start, end):
    return {"start": {"line": row, "character": units(line[:start])},
            "end": {"line": row, "character": units(line[:end])}}


def diagnose(text):
    """Every fault of a text, as LSP diagnostics."""
    found = []

    def add(row, line, start, end, severity, words):
        found.append({"range": span(row, line, start, end), "severity": severity, "source": "prose", "message": words})

    for row, line in enumerate(text.split("\n")):
        for m in DOUBLED.finditer(line):
            add(row, line, *m.span(), WARNING, f"“{m[1]}” stands here twice")
        for m in re.finditer(r"\b(?:TODO|FIXME)\b", line):
            add(row, line, *m.span(), INFORMATION, "still to be done")
        bare = line.rstrip()
        if len(bare) < len(line):
            add(row, line, len(bare), len(line), HINT, "blanks at the end of the line")
        if len(bare) > LINE_MAX:
            add(row, line, LINE_MAX, len(bare), HINT, f"a line of {len(bare)} characters")
    return found


class Server:
    def __init__(self, out):
        self.out = out
        self.texts = {}
        self.asked_to_shut_down = False

    # --- messages ---

    def send(self, **message):
        body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode()
        self.out.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.out.flush()

    def take(self, message):
        method = getattr(self, "on_" + message.get("method", "").replace("/", "_"), None)
        if "id" not in message:
            if method is not None:
                method(message.get("params") or {})
        elif method is None:
            self.send(id=message["id"], error={"code": METHOD_NOT_FOUND, "message": f"no method {message.get('method')!r}"})
        else:
            self.send(id=message["id"], result=method(message.get("params") or {}))

    # --- life ---

    def on_initialize(self, _params):
        return {
            "capabilities": {
                "textDocumentSync": 1,  # the whole text at each change
                "hoverProvider": True,
                "completionProvider": {},
                "documentSymbolProvider": True,
            },
            "serverInfo": {"name": "prose", "version": "1.0"},
        }

    def on_shutdown(self, _params):
        self.asked_to_shut_down = True

    def on_exit(self, _params):
        sys.exit(0 if self.asked_to_shut_down else 1)

    # --- a text ---

    def on_textDocument_didOpen(self, params):
        self.look(params["textDocument"]["uri"], params["textDocument"]["text"])

    def on_textDocument_didChange(self, params):
        self.look(params["textDocument"]["uri"], params["contentChanges"][-1]["text"])

    def on_textDocument_didClose(self, params):
        self.texts.pop(params["textDocument"]["uri"], None)

    def look(self, uri, text):
        self.texts[uri] = text
        self.send(method="textDocument/publishDiagnostics", params={"uri": uri, "diagnostics": diagnose(text)})

    def place(self, params):
        """The text of a request, the line that it points at, and the index into it."""
        text = self.texts.get(params["textDocument"]["uri"], "")
        lines = text.split("\n")
        row = min(params["position"]["line"], len(lines) - 1)
        return text, row, lines[row], index(lines[row], params["position"]["character"])

    def on_textDocument_hover(self, params):
        text, row, line, at = self.place(params)
        for m in WORD.finditer(line):
            if m.start() <= at <= m.end():
                count = sum(w.lower() == m[0].lower() for w in WORD.findall(text))
                return {"contents": {"kind": "plaintext", "value": f"“{m[0]}”: {count} time{'s' * (count != 1)} in this text"},
                        "range": span(row, line, *m.span())}
        return None

    def on_textDocument_completion(self, params):
        text, _row, line, at = self.place(params)
        begun = re.search(r"[^\W\d_]*$", line[:at])[0]
        words = {w for w in WORD.findall(text) if len(w) > 3 and w != begun and w.lower().startswith(begun.lower())}
        return [{"label": w, "kind": COMPLETION_TEXT} for w in sorted(words, key=str.lower)] if begun else []

    def on_textDocument_documentSymbol(self, params):
        symbols = []
        for row, line in enumerate(self.texts.get(params["textDocument"]["uri"], "").split("\n")):
            if m := HEADING.match(line):
                whole = span(row, line, 0, len(line))
                symbols.append({"name": m[2], "kind": SYMBOL_STRING, "range": whole, "selectionRange": whole})
        return symbols


def read_message(stream):
    """The next message, or None at the end of input."""
    length = None
    for line in iter(stream.readline, b""):
        if line in (b"\r\n", b"\n"):
            return json.loads(stream.read(length))
        name, _colon, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    return None


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server = Server(sys.stdout.buffer)
    while (message := read_message(sys.stdin.buffer)) is not None:
        server.take(message)


main()
