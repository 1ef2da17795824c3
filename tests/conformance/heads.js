'use strict';
/*
 * What binds a server that is sent a request head: the opening handshake of RFC 6455, and HTTP/1.1 as RFC 9110, 9112
 * and their like have it. `send` is the request, `expect` its status, and what must be in the answer's fields or body.
 *
 * `late` says that no more is sent. /chat is a WebSocket for any subprotocol, /list for chat and superchat, /none for none, /must for chat or nothing;
 * /page/ is a file, /cgi/echo a program that answers with its method, a space, and the content.
 */

const { upgradeHead } = require('../scenario/lib/raw');

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='; /* of RFC 6455 1.3, and its answer */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const upgrade = (fields = {}, target = '/chat', line = {}) => upgradeHead(target, { 'Sec-WebSocket-Key': KEY, ...fields }, line);
const get = (...lines) => ['GET /page/ HTTP/1.1', 'Host: example.com', ...lines, '', ''].join('\r\n');
const request = (line, ...lines) => [line, 'Host: example.com', ...lines, '', ''].join('\r\n');
const head = (...lines) => [...lines, '', ''].join('\r\n');
const post = (content, ...lines) => request('POST /cgi/echo HTTP/1.1', ...lines) + content;
const chunked = (content, ...lines) => post(content, 'Transfer-Encoding: chunked', ...lines);

const cases = { 'RFC 6455': [], 'RFC 9112': [], 'RFC 9110': [], 'RFC 3986': [], 'RFC 6585': [] };
const rule = (rfc) => (section, says, send, status, has = {}, more = {}) => cases[rfc].push({ section, says, send, status, has, ...more });

/* --- RFC 6455 --------------------------------------------------------------------------------------- */

const ws = rule('RFC 6455');
const OPEN = { 'sec-websocket-accept': ACCEPT, upgrade: /^websocket$/i, connection: /^upgrade$/i, 'sec-websocket-extensions': undefined };

ws('4.2.1', 'the handshake of 1.2, complete', upgrade({ Host: 'server.example.com', Origin: 'http://server.example.com', 'Sec-WebSocket-Protocol': 'chat, superchat' }, '/list'), 101, { ...OPEN, 'sec-websocket-protocol': 'chat' });
ws('4.2.1', '1. an HTTP/1.1 or higher request: 1.1', upgrade(), 101, OPEN);
ws('4.2.1', '1. an HTTP/1.1 or higher request: 1.2', upgrade({}, '/chat', { version: 'HTTP/1.2' }), 101, OPEN);
ws('4.2.1', '1. an HTTP/1.1 or higher request: not 1.0', upgrade({}, '/chat', { version: 'HTTP/1.0' }), 426);
for (const method of ['POST', 'HEAD', 'PUT', 'OPTIONS'])
	ws('4.2.1', `1. a GET request: not ${method}`, upgrade({}, '/chat', { method }), 405, { allow: /\bGET\b/ });
ws('4.2.1', '1. a Request-URI that is a path with a query', upgrade({}, '/chat/room?name=x&y'), 101, OPEN);
ws('4.2.1', '1. a Request-URI that is an absolute http URI', upgrade({}, 'http://example.com/chat'), 101, OPEN);
ws('4.2.1', '1. a Request-URI that is an absolute ws URI', upgrade({}, 'ws://example.com:80/chat?x'), 101, OPEN);
ws('4.2.1', '2. a Host with the authority', upgrade({ Host: 'example.com:8080' }), 101, OPEN);
ws('4.2.1', '2. a Host: missing', upgrade({ Host: undefined }), 400);
ws('4.2.1', '2. a Host: two', upgrade({ Host: ['a', 'b'] }), 400);
ws('4.2.1', '3. Upgrade holds websocket, in any case', upgrade({ Upgrade: 'WebSOCKET' }), 101, OPEN);
ws('4.2.1', '3. Upgrade holds websocket: among others', upgrade({ Upgrade: 'h2c, websocket' }), 101, OPEN);
ws('4.2.1', '3. Upgrade holds websocket: missing', upgrade({ Upgrade: undefined }), 400);
ws('4.2.1', '3. Upgrade holds websocket: something else', upgrade({ Upgrade: 'h2c' }), 400);
ws('4.2.1', '3. Upgrade holds websocket: a longer word', upgrade({ Upgrade: 'websockets' }), 400);
ws('4.2.1', '4. Connection holds Upgrade, in any case', upgrade({ Connection: 'upgrade' }), 101, OPEN);
ws('4.2.1', '4. Connection holds Upgrade: among others', upgrade({ Connection: 'keep-alive,Upgrade' }), 101, OPEN);
ws('4.2.1', '4. Connection holds Upgrade: in the second of two fields', upgrade({ Connection: ['keep-alive', 'Upgrade'] }), 101, OPEN);
ws('4.2.1', '4. Connection holds Upgrade: missing', upgrade({ Connection: undefined }), 400);
ws('4.2.1', '4. Connection holds Upgrade: something else', upgrade({ Connection: 'keep-alive' }), 400);
ws('4.2.1', '5. a key that decodes to 16 bytes', upgrade({ 'Sec-WebSocket-Key': 'AQIDBAUGBwgJCgsMDQ4PEA==' }), 101, { 'sec-websocket-accept': 'C/0nmHhBztSRGR1CwL6Tf4ZjwpY=' });
ws('4.2.1', '5. a key that decodes to 16 bytes: not as 4.1 had it before erratum 3150', upgrade({ 'Sec-WebSocket-Key': 'AQIDBAUGBwgJCgsMDQ4PEC==' }), 400);
for (const [what, key] of [['missing', undefined], ['empty', ''], ['of 15 bytes', Buffer.alloc(15).toString('base64')], ['of 17 bytes', Buffer.alloc(17).toString('base64')],
	['of 16 letters', 'aaaaaaaaaaaaaaaa'], ['without its padding', KEY.slice(0, -2)], ['with other letters', '!!!!!!!!!!!!!!!!!!!!!!=='], ['with a space in it', `${KEY.slice(0, 10)} ${KEY.slice(11)}`],
	['in the URL alphabet', '-_-_-_-_-_-_-_-_-_-_-A=='], ['twice', [KEY, KEY]]])
	ws('4.2.1', `5. a key that decodes to 16 bytes: ${what}`, upgrade({ 'Sec-WebSocket-Key': key }), 400);
ws('4.2.1', '6. version 13: missing', upgrade({ 'Sec-WebSocket-Version': undefined }), 400);
ws('4.2.1', '6. version 13: twice', upgrade({ 'Sec-WebSocket-Version': ['13', '13'] }), 400);
ws('4.2.1', '7. an Origin is optional', upgrade({ Origin: undefined }), 101, OPEN);
ws('4.2.1', '8. Sec-WebSocket-Protocol: none was offered, none is answered', upgrade(), 101, { 'sec-websocket-protocol': undefined });
ws('4.2.1', '10. unknown fields are ignored', upgrade({ 'X-Unknown': 'x', Cookie: 'a=b; c=d', 'Sec-WebSocket-Other': '1' }), 101, OPEN);
ws('4.2.2', '4. an unavailable service has an error such as 404', upgrade({}, '/nowhere'), 404);
ws('4.2.2', '4. an unacceptable origin MUST be answered with an error such as 403', upgrade({ Origin: 'http://evil.example' }), 403);
ws('4.2.2', '4. the origin is compared whole', upgrade({ Host: 'example.com', Origin: 'http://example.com.evil.example' }), 403);
ws('4.2.2', '4. a subprotocol is one of those that were offered', upgrade({ 'Sec-WebSocket-Protocol': 'x, superchat, y' }, '/list'), 101, { 'sec-websocket-protocol': 'superchat' });
ws('4.2.2', '4. a subprotocol: the server prefers', upgrade({ 'Sec-WebSocket-Protocol': 'superchat, chat' }, '/list'), 101, { 'sec-websocket-protocol': 'chat' });
ws('4.2.2', '4. a subprotocol: over two fields', upgrade({ 'Sec-WebSocket-Protocol': ['x', 'superchat'] }, '/list'), 101, { 'sec-websocket-protocol': 'superchat' });
ws('4.2.2', '4. a subprotocol: no match MUST NOT be answered with one', upgrade({ 'Sec-WebSocket-Protocol': 'x, y' }, '/list'), 101, { 'sec-websocket-protocol': undefined });
ws('4.2.2', '4. a subprotocol: compared with case', upgrade({ 'Sec-WebSocket-Protocol': 'CHAT' }, '/list'), 101, { 'sec-websocket-protocol': undefined });
ws('4.2.2', '4. a subprotocol: the server speaks none', upgrade({ 'Sec-WebSocket-Protocol': 'chat' }, '/none'), 101, { 'sec-websocket-protocol': undefined });
ws('4.2.2', '4. a subprotocol: the service cannot do without', upgrade({ 'Sec-WebSocket-Protocol': 'x' }, '/must'), 400);
for (const [what, list] of [['empty', ''], ['no token', 'a b'], ['with a separator', 'chat;x'], ['quoted', '"chat"'], ['the same twice', 'chat, chat'], ['the same in two fields', ['chat', 'chat']]])
	ws('4.3', `Sec-WebSocket-Protocol-Client = 1#token, all different: ${what}`, upgrade({ 'Sec-WebSocket-Protocol': list }), 400);
ws('4.3', 'Sec-WebSocket-Protocol-Client = 1#token: empty elements are no elements', upgrade({ 'Sec-WebSocket-Protocol': ', chat ,' }), 101, { 'sec-websocket-protocol': 'chat' });
for (const version of ['0', '7', '8', '12', '14', '25', '255'])
	ws('4.4', `version ${version} is answered with an error and the versions that are understood`, upgrade({ 'Sec-WebSocket-Version': version }), 426, { 'sec-websocket-version': '13', upgrade: 'websocket' });
for (const version of ['', 'x', '13, 8', '13.0', '-13', '0x0d', '1 3'])
	ws('4.4', `a version that is no number: ${JSON.stringify(version)}`, upgrade({ 'Sec-WebSocket-Version': version }), 400);
for (const extension of ['x-unknown', 'a, b;c;d=e, f; g="h"', 'a;b = "c\\d"', ', x-unknown,'])
	ws('9.1', `extensions that the server does not know are not answered: ${extension}`, upgrade({ 'Sec-WebSocket-Extensions': extension }), 101, { 'sec-websocket-extensions': undefined });
for (const extension of ['a b', 'a;', 'a;=b', 'a;b=', 'a;b="c', 'a;b="c"d', ';a', 'a/b', '"a"', 'a;b=c=d', 'a;b="c d"', 'a;b="c,d"', 'a;b=""', 'a;b="c\\"'])
	ws('9.1', `extensions that do not conform to the ABNF MUST fail: ${extension}`, upgrade({ 'Sec-WebSocket-Extensions': extension }), 400);

/* --- RFC 9112 --------------------------------------------------------------------------------------- */

const http = rule('RFC 9112');
const OK = 200;

http('2.2', 'a request as it should be', get(), OK, { body: 'page\n' });
http('2.2', 'an empty line before the request line SHOULD be ignored', `\r\n${get()}`, OK);
http('2.2', 'an empty line of LF alone is none', `\n${get()}`, 400);
http('2.2', 'LF alone ends no line: the request line', get().replace('\r\n', '\n'), 400);
http('2.2', 'LF alone ends no line: a field', get('X-A: b').replace('b\r\n', 'b\n'), 400);
http('2.2', 'LF alone ends no line: all of them', get().replace(/\r\n/g, '\n'), 400);
http('2.2', 'LF alone ends no head', `${get().slice(0, -2)}\n`, 400);
http('2.2', 'a bare CR is invalid: in a value', get('X-A: b\rc'), 400);
http('2.2', 'a bare CR is invalid: at the end of a value', get('X-A: b\r'), 400);
http('2.2', 'a bare CR is invalid: before the request line', `\r${get()}`, 400);
http('2.2', 'a bare CR is invalid: in the request line', get().replace(' HTTP', '\rHTTP'), 400);
http('2.2', 'white space before the first field MUST be rejected', head('GET /page/ HTTP/1.1', ' Host: example.com'), 400);
http('2.2', 'white space before the first field MUST be rejected: a tab, and more lines', head('GET /page/ HTTP/1.1', '\tX: y', 'Host: example.com'), 400);
http('2.2', 'what is no request line is 400', 'hello\r\n\r\n', 400);
http('2.2', 'what is no request line is 400: a TLS greeting', '\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03\r\n\r\n', 400);
http('2.2', 'octets, not characters: a request line in UTF-16', Buffer.from(get(), 'utf16le').toString('latin1'), 400);
for (const version of ['http/1.1', 'HTTP/1', 'HTTP/1.', 'HTTP/1.10', 'HTTP/01.1', 'HTTP/1,1', 'HTTP 1.1', 'HTTPS/1.1', 'HTTP/1.1x', 'HTTP/a.b', ''])
	http('2.3', `HTTP-version = HTTP/ DIGIT . DIGIT, with case: ${JSON.stringify(version)}`, request(`GET /page/ ${version}`), 400);
http('2.3', 'HTTP/1.0 is spoken', request('GET /page/ HTTP/1.0'), OK, { close: true });
for (const [what, line] of [['two spaces behind the method', 'GET  /page/ HTTP/1.1'], ['two spaces behind the target', 'GET /page/  HTTP/1.1'], ['tabs', 'GET\t/page/\tHTTP/1.1'],
	['a space in front', ' GET /page/ HTTP/1.1'], ['a space at the end', 'GET /page/ HTTP/1.1 '], ['no version', 'GET /page/'], ['no target', 'GET HTTP/1.1'], ['nothing but a method', 'GET'],
	['a word too many', 'GET /page/ x HTTP/1.1'], ['a vertical tab', 'GET\v/page/ HTTP/1.1']])
	http('3', `method SP request-target SP HTTP-version: ${what}`, request(line), 400);
http('3', 'a method longer than any that is known SHOULD be 501', request(`${'A'.repeat(100)} /page/ HTTP/1.1`), 501);
http('3', 'a target longer than is parsed MUST be 414', request(`GET /page/${'x'.repeat(9000)} HTTP/1.1`), 414);
http('3', 'request lines of 8000 octets SHOULD be supported', request(`GET /page/?${'x'.repeat(7970)} HTTP/1.1`), OK);
for (const method of ['G(T', 'GE\0T', 'G\xc9T', '"GET"', 'GET,', 'G/T'])
	http('3.1', `method = token: ${JSON.stringify(method)}`, request(`${method} /page/ HTTP/1.1`), 400);
http('3.1', 'the method is compared with case', request('get /page/ HTTP/1.1'), 501);
http('3.2', 'no white space in the target', request('GET /page/ a HTTP/1.1'), 400);
http('3.2', 'a fragment is no part of it', request('GET /page/#top HTTP/1.1'), 400);
for (const target of ['page/', '\\page\\', '/pa\x01ge', '/p\x7fge', '/p\xe4ge', '/pa<ge', '/pa"ge'])
	http('3.2', `request-target: ${JSON.stringify(target)}`, request(`GET ${target} HTTP/1.1`), 400);
http('3.2', 'a request without Host MUST be 400', head('GET /page/ HTTP/1.1'), 400);
http('3.2', 'a request without Host MUST be 400, but for HTTP/1.0', head('GET /page/ HTTP/1.0'), OK, { close: true });
http('3.2', 'a request with more than one Host MUST be 400', get('Host: example.com'), 400);
http('3.2', 'a request with more than one Host MUST be 400, also in HTTP/1.0', head('GET /page/ HTTP/1.0', 'Host: a', 'Host: a'), 400);
http('3.2', 'a request with more than one Host MUST be 400: in other capitals', get('HOST: example.com'), 400);
for (const host of ['a b', 'a, b', 'a/b', 'user@a', 'a:b', 'a:', '::1', '[::1', '[1]', '[::1]x', 'a:65536', 'a:80:80', 'http://a', 'a?b', 'a#b', 'a\\b', 'a%2', 'a%zz', '\x80'])
	(host === 'a:' ? () => http('3.2', 'a Host with an empty port is valid', head('GET /page/ HTTP/1.1', `Host: ${host}`), OK)
		: () => http('3.2', `a Host with an invalid value MUST be 400: ${JSON.stringify(host)}`, head('GET /page/ HTTP/1.1', `Host: ${host}`), 400))();
for (const host of ['a', 'A.example:80', '127.0.0.1', '[::1]', '[::1]:80', '[::ffff:1.2.3.4]', '[v1.a:b]', 'a_b', 'a%20b', "!$&'()*+,;="])
	http('3.2', `a Host that is valid: ${host}`, head('GET /page/ HTTP/1.1', `Host: ${host}`), OK);
http('3.2.1', 'origin-form, with a query', request('GET /page/?a=b&c HTTP/1.1'), OK);
http('3.2.1', 'origin-form, with a query of nothing', request('GET /page/? HTTP/1.1'), OK);
http('3.2.2', 'absolute-form MUST be accepted', request('GET http://example.com/page/ HTTP/1.1'), OK);
http('3.2.2', 'absolute-form: its host is meant, not that of Host', upgrade({ Host: 'other.example', Origin: 'http://example.com' }, 'http://example.com/chat'), 101);
http('3.2.2', 'absolute-form: its host is meant, not that of Host, also by Origin', upgrade({ Host: 'example.com', Origin: 'http://example.com' }, 'http://other.example/chat'), 403);
http('3.2.2', 'absolute-form: the scheme has no case', request('GET HTTP://example.com/page/ HTTP/1.1'), OK);
http('3.2.2', 'absolute-form needs a Host all the same', head('GET http://example.com/page/ HTTP/1.1'), 400);
for (const target of ['http:///page/', 'http://', 'http:/page/', 'ftp://example.com/page/', 'http://user@example.com/page/', 'http://example.com:x/page/', '//example.com page/', 'http://exa mple/page/'])
	http('3.2.2', `absolute-form that is none: ${target}`, request(`GET ${target} HTTP/1.1`), 400);
http('3.2.3', 'authority-form is for CONNECT, which is not implemented', request('CONNECT example.com:80 HTTP/1.1'), 501);
http('3.2.3', 'authority-form is for CONNECT alone', request('GET example.com:80 HTTP/1.1'), 400);
for (const target of ['example.com', '/page/', 'http://example.com:80', 'example.com:', ':80', '*'])
	http('3.2.3', `authority-form is host:port: ${target}`, request(`CONNECT ${target} HTTP/1.1`), 400);
http('3.2.4', 'asterisk-form is for OPTIONS, and tells what is allowed', request('OPTIONS * HTTP/1.1'), 405, { allow: 'GET, HEAD' });
http('3.2.4', 'asterisk-form is for OPTIONS alone', request('GET * HTTP/1.1'), 400);
http('3.2.4', 'asterisk-form is the asterisk alone', request('OPTIONS *x HTTP/1.1'), 400);
for (const line of ['X-A', ': b', 'X A: b', 'X(A): b', 'X-\xc4: b', 'X-\0: b', '"X": b', 'X-A\x01: b', '@: b', 'X-A;: b'])
	http('5', `field-name ":" OWS field-value OWS: ${JSON.stringify(line)}`, get(line), 400);
http('5', 'white space around a value is not of it', get('Connection:\t close \t '), OK, { close: true });
http('5', 'no white space is needed', get('Connection:close'), OK, { close: true });
http('5', 'a value may be empty', get('X-A:', 'X-B:  '), OK);
for (const line of ['X-A : b', 'X-A\t: b', 'Host : example.com', 'Transfer-Encoding : chunked', 'Content-Length : 0'])
	http('5.1', `white space before the colon MUST be 400: ${JSON.stringify(line)}`, get(line), 400);
for (const [what, lines] of [['a space', ['X-A: b', ' c']], ['a tab', ['X-A: b', '\tc']], ['an empty one', ['X-A: b', ' ']], ['behind Host', [' .evil.example']], ['of the last field, with a colon', ['X-A: b', ' Y: c']]])
	http('5.2', `a folded line MUST be 400: ${what}`, get(...lines), 400);
http('6.1', 'Transfer-Encoding: chunked', chunked('5\r\nHello\r\n0\r\n\r\n'), OK, { body: 'POST Hello' });
http('6.1', 'Transfer-Encoding has no case', post('5\r\nHello\r\n0\r\n\r\n', 'Transfer-Encoding: ChUnKeD'), OK, { body: 'POST Hello' });
http('6.1', 'chunked MUST NOT be applied twice', post('0\r\n\r\n', 'Transfer-Encoding: chunked, chunked'), 400);
http('6.1', 'chunked MUST NOT be applied twice: in two fields', post('0\r\n\r\n', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 400);
http('6.1', 'a coding that is not understood SHOULD be 501', post('0\r\n\r\n', 'Transfer-Encoding: gzip, chunked'), 501);
http('6.1', 'Transfer-Encoding in HTTP/1.0 is faulty', head('POST /cgi/echo HTTP/1.0', 'Transfer-Encoding: chunked') + '0\r\n\r\n', 400);
for (const coding of ['', 'chunked;x=y', '"chunked"', 'chun ked', 'chunked\x0b', 'identity', 'x chunked'])
	http('6.1', `Transfer-Encoding = #transfer-coding, with chunked at its end: ${JSON.stringify(coding)}`, post('0\r\n\r\n', `Transfer-Encoding: ${coding}`), 400);
http('6.2', 'Content-Length', post('Hello', 'Content-Length: 5'), OK, { body: 'POST Hello' });
http('6.2', 'Content-Length: nothing', post('', 'Content-Length: 0'), OK, { body: 'POST ' });
http('6.2', 'Content-Length: leading zeros are digits', post('Hello', 'Content-Length: 0005'), OK, { body: 'POST Hello' });
for (const length of ['', '+5', '-5', '5x', '0x5', '5.0', '5 5', '5,5', '5, 6', '"5"', '18446744073709551616', '99999999999999999999999', '\u0665'])
	http('6.2', `Content-Length = 1*DIGIT: ${JSON.stringify(length)}`, post('Hello', `Content-Length: ${length}`), 400);
http('6.3', 'Transfer-Encoding with Content-Length ought to be an error', post('0\r\n\r\n', 'Transfer-Encoding: chunked', 'Content-Length: 5'), 400);
http('6.3', 'Transfer-Encoding with Content-Length ought to be an error, in this order', post('0\r\n\r\n', 'Content-Length: 5', 'Transfer-Encoding: chunked'), 400);
http('6.3', 'without chunked at the end the length is unknown: MUST be 400', post('', 'Transfer-Encoding: gzip'), 400);
http('6.3', 'without chunked at the end the length is unknown: MUST be 400, though it is there', post('', 'Transfer-Encoding: chunked, gzip'), 400);
http('6.3', 'two lengths that differ', post('Hello', 'Content-Length: 5', 'Content-Length: 6'), 400);
http('6.3', 'two lengths that are the same', post('Hello', 'Content-Length: 5', 'Content-Length: 5'), 400);
http('6.3', 'neither of the two: no content', post(''), OK, { body: 'POST ' });
http('6.3', 'a handshake has no content: a length', upgrade({ 'Content-Length': '5' }) + 'Hello', 400);
http('6.3', 'a handshake has no content: chunks', upgrade({ 'Transfer-Encoding': 'chunked' }) + '5\r\nHello\r\n0\r\n\r\n', 400);
http('6.3', 'a handshake has no content, and may say so', upgrade({ 'Content-Length': '0' }), 101);
http('7.1', 'chunks are put together', chunked('2\r\nHe\r\n3\r\nllo\r\n0\r\n\r\n'), OK, { body: 'POST Hello' });
http('7.1', 'chunk-size = 1*HEXDIG, in any case, with zeros', chunked(`0000a\r\n${'x'.repeat(10)}\r\nA\r\n${'y'.repeat(10)}\r\n000\r\n\r\n`), OK, { body: `POST ${'x'.repeat(10)}${'y'.repeat(10)}` });
for (const [what, content] of [['no size', '\r\nHello\r\n0\r\n\r\n'], ['a sign', '+5\r\nHello\r\n0\r\n\r\n'], ['0x', '0x5\r\nHello\r\n0\r\n\r\n'], ['no hexadecimal', 'g\r\nHello\r\n0\r\n\r\n'], ['a space in front', ' 5\r\nHello\r\n0\r\n\r\n'],
	['LF alone behind the size', '5\nHello\r\n0\r\n\r\n'], ['LF alone behind the data', '5\r\nHello\n0\r\n\r\n'], ['data that is longer', '4\r\nHello\r\n0\r\n\r\n'], ['data that is shorter', '6\r\nHello\r\n0\r\n\r\n'],
	['a size above 64 bits', '10000000000000005\r\nHello\r\n0\r\n\r\n'], ['a CR alone', '5\rHello\r\n0\r\n\r\n']])
	http('7.1', `chunks that are none: ${what}`, chunked(content), 400);
for (const extension of [';a', ';a=b', ';a="b c"', ' ; a = b'])
	http('7.1.1', `unrecognized chunk extensions MUST be ignored: ${extension}`, chunked(`5${extension}\r\nHello\r\n0${extension}\r\n\r\n`), OK, { body: 'POST Hello' });
http('7.1.2', 'trailer fields may be discarded', chunked('5\r\nHello\r\n0\r\nX-Checksum: 1\r\nX-Other: 2\r\n\r\n'), OK, { body: 'POST Hello' });
http('7.1.2', 'trailer fields that are none', chunked('5\r\nHello\r\n0\r\nno colon\r\n\r\n'), 400);
http('7.1.2', 'trailer fields that are folded', chunked('5\r\nHello\r\n0\r\nX: y\r\n z\r\n\r\n'), 400);
http('9.3', 'HTTP/1.1 persists', get(), OK, { close: false });
http('9.3', 'HTTP/1.1 persists, unless it says close', get('Connection: close'), OK, { close: true });
http('9.3', 'HTTP/1.1 persists, unless it says close: among others', get('Connection: x', 'Connection: keep-alive, CLOSE'), OK, { close: true });
http('9.3', 'HTTP/1.0 does not persist', request('GET /page/ HTTP/1.0'), OK, { close: true });
http('9.3', 'HTTP/1.0 does not persist, unless it asks for it', request('GET /page/ HTTP/1.0', 'Connection: keep-alive'), OK, { close: false, connection: /keep-alive/i });
http('9.6', 'a server that closes says so', head('GET /page/ HTTP/1.1'), 400, { connection: /close/ });

/* --- RFC 9110, 3986, 6585 ------------------------------------------------------------------------------ */

const semantics = rule('RFC 9110');
semantics('2.5', 'a higher minor version SHOULD be taken as ours', request('GET /page/ HTTP/1.9'), OK, { close: false });
for (const version of ['HTTP/2.0', 'HTTP/3.0', 'HTTP/0.9'])
	semantics('15.6.6', `another major version is 505: ${version}`, request(`GET /page/ ${version}`), 505);
for (const [what, value] of [['NUL', 'a\0b'], ['NUL at the end', 'a\0'], ['BEL', '\x07'], ['VT', 'a\vb'], ['DEL', 'a\x7f'], ['ESC', '\x1b[m']])
	semantics('5.5', `a field value holds no control character: ${what}`, get(`X-A: ${value}`), 400);
semantics('5.5', 'a field value may hold tabs and obs-text', get('X-A: a\tb', 'X-B: \x80\xff', 'X-C: ü'), OK);
semantics('5.6.2', 'every tchar may be in a field name', get("!#$%&'*+-.^_`|~09azAZ: x"), OK);
semantics('7.8', 'an Upgrade to what is not spoken here is ignored', get('Connection: Upgrade', 'Upgrade: h2c'), OK);
semantics('7.8', 'an Upgrade in HTTP/1.0 MUST be ignored: nothing is upgraded', upgrade({}, '/page/', { version: 'HTTP/1.0' }), 426);
semantics('9.1', 'an unrecognized method SHOULD be 501', request('BREW /page/ HTTP/1.1'), 501);
semantics('9.1', 'a program may know any method', request('BREW /cgi/echo HTTP/1.1'), OK, { body: 'BREW ' });
for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])
	semantics('15.5.6', `a method that the target does not allow is 405, with Allow: ${method}`, request(`${method} /page/ HTTP/1.1`), 405, { allow: 'GET, HEAD' });
semantics('9.3.2', 'HEAD has the fields of GET and no content', request('HEAD /page/ HTTP/1.1'), OK, { 'content-length': '5', body: '' });
semantics('9.3.2', 'HEAD of what is not there', request('HEAD /nowhere HTTP/1.1'), 404, { body: '' });
semantics('15.5.22', '426 MUST say to which protocol', request('GET /chat HTTP/1.1'), 426, { upgrade: 'websocket', connection: /upgrade/ });
for (const [what, part] of [['in the method', 'GE'], ['in the target', 'GET /pa'], ['in the version', 'GET /page/ HT'], ['behind the request line', 'GET /page/ HTTP/1.1\r\n'], ['in a field', 'GET /page/ HTTP/1.1\r\nHost: exa'],
	['before the empty line', get().slice(0, -2)], ['in the empty line', get().slice(0, -1)]])
	semantics('15.5.9', `a head that does not come in time is 408, and the connection closes: it stops ${what}`, part, 408, { close: true }, { late: true });
semantics('15.5.5', 'what is not there is 404', request('GET /page/nothing HTTP/1.1'), 404);
const uri = rule('RFC 3986');
for (const path of ['/%70age/', '/p%61ge/', '/page/%2e/', '/page/./', '/page/x/../', '/x/%2E%2e/page/'])
	uri('6.2.2', `paths that are the same: ${path}`, request(`GET ${path} HTTP/1.1`), OK, { body: 'page\n' });
for (const path of ['/page/%', '/page/%2', '/page/%zz', '/page/%2g', '/page/%-1', '/page/%00', '/page/a%00.txt', '/%2fpage/', '/page/..%2f..%2fetc', '/..', '/../page/', '/page/../../x', '/%2e%2e/x', '/page/[x]', '/page/{x}', '/page/a^b', '/page/a|b'])
	uri('2.1', `paths that are none, or lead out: ${path}`, request(`GET ${path} HTTP/1.1`), 400);
for (const query of ['%', '%2', '%zz', '"', '<', '\x80'])
	uri('3.4', `queries that are none: ${JSON.stringify(query)}`, request(`GET /page/?${query} HTTP/1.1`), 400);
const limits = rule('RFC 6585');
const lines = (n) => Array.from({ length: n }, (_, i) => `X-${i}: x`);
limits('5', 'a hundred fields', get(...lines(99)), OK);
limits('5', 'one field too many: 431', get(...lines(100)), 431);
limits('5', 'far too many fields: 431', get(...lines(1000)), 431);
limits('5', 'a field of 15 kB', get(`X-A: ${'x'.repeat(15000)}`), OK);
limits('5', 'a field that is too large: 431', get(`X-A: ${'x'.repeat(17000)}`), 431);
limits('5', 'a field name that is too large: 431', get(`${'x'.repeat(17000)}: a`), 431);
limits('5', 'all fields together are too large: 431', get(...lines(90).map((l) => l + 'x'.repeat(200))), 431);

const titles = {
	'RFC 6455': { '4.2.1': 'Reading the Client\'s Opening Handshake', '4.2.2': 'Sending the Server\'s Opening Handshake', '4.3': 'Collected ABNF for New Header Fields',
		'4.4': 'Supporting Multiple Versions', '9.1': 'Negotiating Extensions' },
	'RFC 9112': { '2.2': 'Message Parsing', '2.3': 'HTTP Version', '3': 'Request Line', '3.1': 'Method', '3.2': 'Request Target, Host', '3.2.1': 'origin-form', '3.2.2': 'absolute-form',
		'3.2.3': 'authority-form', '3.2.4': 'asterisk-form', '5': 'Field Syntax', '5.1': 'Field Line Parsing', '5.2': 'Obsolete Line Folding', '6.1': 'Transfer-Encoding', '6.2': 'Content-Length',
		'6.3': 'Message Body Length', '7.1': 'Chunked Transfer Coding', '7.1.1': 'Chunk Extensions', '7.1.2': 'Chunked Trailer Section', '9.3': 'Persistence', '9.6': 'Tear-down' },
	'RFC 9110': { '2.5': 'Protocol Version', '5.5': 'Field Values', '5.6.2': 'Tokens', '7.8': 'Upgrade', '9.1': 'Methods', '9.3.2': 'HEAD', '15.5.5': '404 Not Found', '15.5.6': '405 Method Not Allowed', '15.5.9': '408 Request Timeout',
		'15.5.22': '426 Upgrade Required', '15.6.6': '505 HTTP Version Not Supported' },
	'RFC 3986': { '2.1': 'Percent-Encoding', '3.4': 'Query', '6.2.2': 'Syntax-Based Normalization' },
	'RFC 6585': { 5: '431 Request Header Fields Too Large' },
};

module.exports = Object.keys(cases).map((rfc) => ({ rfc, titles: titles[rfc], cases: cases[rfc] }));
