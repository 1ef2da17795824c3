'use strict';
/*
 * Where wsgate and llhttp, the parser of Node, disagree about a request, and why we chose so. `how` has our verdict first (or a list
 * of such); `when` is what all such requests have in common, `llhttp` the versions that see it so.
 */

const { isIPv6 } = require('node:net');

const LINE = '^(?:\\r\\n)?[!-~]+ '; /* up to the target */
const HEAD = '^(?:[^\\r]|\\r(?!\\n\\r\\n))*'; /* somewhere in the head */
const re = (...parts) => new RegExp(parts.map((p) => p.source ?? p).join(''), 'i');

/* A Host field whose value is not host[:port]. */
const badHost = {
	test(text) {
		const [, value] = /\r\nHost:[ \t]*([^\r]*?)[ \t]*\r\n/i.exec(text) ?? [];
		const [, host, port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(value ?? '') ?? [];
		const literal = /^\[(.*)\]$/.exec(host ?? '')?.[1];
		const isHost = literal === undefined ? /^(?:[-.~!$&'()*+,;=\w]|%[0-9a-f]{2})+$/i.test(host ?? '')
			: (isIPv6(literal) && !literal.includes('%')) || /^v[0-9a-f]+\.[-.~!$&'()*+,;=:\w]+$/i.test(literal);
		return value !== undefined && !(isHost && port <= 65535);
	},
};

/* A method that we know as little as llhttp, or that it knows and we do not. */
const METHOD = /^(?:\r\n)?(?!(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|TRACE|PATCH) )[!-~]+ /;

module.exports = [
	/* --- stricter -------------------------------------------------------------------------------- */
	{ how: 'refused/taken', when: /^(?:\n|\r(?!\n)|\r\n[\r\n])/, why: 'one empty line, of CR LF, may come before the request line; llhttp skips any number of CR and LF (9112 2.2)' },
	{ how: 'refused/taken', when: re(/^(?:\r\n)?[!-~]+(?: {2,}| [^ ]+ {2,})/), why: 'the words of a request line have one space between them (9112 3)' },
	{ how: 'refused/taken', when: re(/^(?:\r\n)?[!-~]+ [^ \r\n]+ ?\r?\n/), why: 'a request line without a version is HTTP/0.9, which is no longer spoken (9112 2.3)' },
	{ how: 'refused/taken', when: re(LINE, /[^ \r\n]* HTTP\/(?:0\.9|2\.0)/), why: 'another major version is 505 (9110 15.6.6)' },
	{ how: 'refused/taken', when: re(LINE, /[^ ]*[^!$-;=?-Z[\]_a-z{|}\\^`~ ]/), why: 'the target holds a character that must be percent-encoded, or a fragment (9112 3.2, 3986 2)' },
	{ how: 'refused/taken', when: re(LINE, /[^ ?]*[[\]{|}\\^`]/), why: 'the path holds a character that must be percent-encoded (3986 3.3)' },
	{ how: 'refused/taken', when: re(LINE, /[^ ]*%(?![0-9a-f]{2})/), why: 'an escape in the target is none (3986 2.1)' },
	{ how: 'refused/taken', when: re(LINE, /[^ ?]*%(?:00|2f)/), why: 'an encoded NUL or slash in the path is no name of anything' },
	{ how: 'refused/taken', when: re(LINE, /[^ ?]*(?:\.|%2e){2}/), why: 'the path climbs above its root' },
	{ how: 'refused/taken', when: re(/^(?:\r\n)?(?!OPTIONS \* )[!-~]+ (?!\/|(?:http|ws)s?:\/\/)/), why: 'the target is neither a path nor a URL, nor the * of OPTIONS (9112 3.2)' },
	{ how: 'refused/taken', when: re(LINE, /[a-z]+:\/\/(?![-.\w[\]]+(?::\d*)?[/? ])/), why: 'a URL as target without a host, or with a user in front of it (9110 4.2)' },
	{ how: 'refused/taken', when: re(LINE, /\/[^ ]{8192}/), why: 'a target above 8 KiB is 414; llhttp counts the whole head' },
	{ how: 'refused/taken', when: re(HEAD, /\r\nHost:(?:[^\r]|\r(?!\n\r\n))*\r\nHost:/), why: 'two Hosts MUST be 400 (9112 3.2)' },
	{ how: 'refused/taken', when: badHost, why: 'a Host that is not host[:port] MUST be 400 (9112 3.2)' },
	{ how: 'refused/taken', when: re(HEAD, /\r\nTransfer-Encoding:(?![ \t]*chunked[ \t]*\r\n)/), why: 'chunked is the only coding known here, and comes last and once (9112 6.1)' },
	{ how: 'refused/taken', when: re(/^(?:\r\n)?[^\r]* HTTP\/1\.0/, HEAD.slice(1), /\r\nTransfer-Encoding:/), why: 'HTTP/1.0 has no Transfer-Encoding: faulty framing (9112 6.1)' },
	{ how: 'refused/taken', when: METHOD, why: 'methods of others that llhttp knows: 501 (9110 9.1)' },
	{ how: 'refused/taken', when: re(/^(?:[^\n]*\n){101}/), why: 'at most a hundred fields: 431' },

	/* --- stricter than the parser of Node 18 -------------------------------------------------------- */
	{ how: ['refused/taken', 'waits/taken'], llhttp: /^6/, when: /(?:^|[^\r])\n|\r(?!\n)/, why: 'LF alone ends no line, nor does CR (9112 2.2)' },
	{ how: 'refused/taken', llhttp: /^6/, when: /\r\n(?:[^\r:]*[ \t][^\r:]*)?:/, why: 'white space in the name of a field, or no name (9112 5.1)' },
	{ how: 'refused/taken', llhttp: /^6/, when: /^(?:[^\r]|\r(?!\n(?:\r\n|Host:)))*\r\n\r\n/i, why: 'a request without Host MUST be 400 (9112 3.2); Node 18 does not ask for it' },

	/* --- more generous, by the letter -------------------------------------------------------------- */
	{ how: ['taken/refused', 'waits/refused'], when: re(LINE, /[^ ]* HTTP\/1\.[2-9]/), why: 'a later minor version is taken as 1.1 (9110 2.5)' },
	{ how: ['taken/refused', 'waits/refused'], when: METHOD, why: 'the target is looked at before the method: it may be a program, which may know it, or nothing, 404 (9110 9.1)' },
	{ how: 'taken/refused', when: re(HEAD, /\r\nContent-Length:[^\r]*\t[ \t]*\r\n/), llhttp: /^(?!9\.[4-9])/, why: 'white space around a length may be a tab (9112 5)' },
	{ how: 'taken/refused', when: /\r\n[\da-f]+[ \t]*;[^\r]*\r\n/, why: 'there may be white space in the extension of a chunk (9112 7.1.1)' },
	{ how: 'taken/refused', when: re(HEAD, /\r\nTransfer-Encoding:(?=[^\r]*chunked)[\t ,]*(?:chunked)?[\t ,]*\r\n/), why: 'empty elements of a list are no elements (9110 5.6.1)' },

	/* --- later, or sooner ---------------------------------------------------------------------------- */
	{ how: 'waits/refused', when: /^(?:[^\r]|\r(?!\n\r\n))*$/, why: 'a field line is judged when it ends, and this one does not' },
	{ how: 'refused/waits', when: /^/, why: 'a fault in the request line is told at once; Node waits for the head' },
	{ how: 'waits/refused', when: re(HEAD, /[^]*[\da-f][ \t]*;[^\r]* [^\r]*\r\n/), llhttp: /^(?!6)/, why: 'what an extension of a chunk says is not read, and so not judged (9112 7.1.1)' },
	{ how: 'taken/waits', when: /\/cgi\/echo/, why: 'a program may answer before its content is whole' },
	{ how: 'taken/waits', when: /^PRI /, why: 'PRI is for llhttp how HTTP/2 begins; for us it is a method like another' },

	/* --- what comes of it ----------------------------------------------------------------------------- */
	{ how: 'next', when: re(HEAD, /\r\nConnection:\s*close\s*\r\n/), llhttp: /^(?!9\.[4-9])/, why: 'close is close, with any white space around it' },
	{ how: 'next', when: re(/^(?:GET|HEAD) /, HEAD.slice(1), /\r\n(?:Content-Length: *0*[1-9]|Transfer-Encoding:)/), why: 'content that a page has no use for is not waited for: the connection ends (9112 9.3)' },
	{ how: 'next', when: /\r\n\r\n[^]*(?:\r|\n)$/, why: 'a CR or LF alone behind a request is not the empty line that may come before the next (9112 2.2)' },
	{ how: 'next', when: re(/ HTTP\/1\.0\r\n/, HEAD.slice(1), /Connection: keep-alive/), why: 'HTTP/1.0 may ask to be kept; Node, without a length to announce, closes' },
];
