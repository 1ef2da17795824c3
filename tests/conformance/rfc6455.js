'use strict';
/*
 * RFC 6455, sections 5 to 8: what binds a server once the connection is open. A backend behind it echoes every message
 * as it is, so what a client sends is what it hears; a Ping is heard as its Pong; `fails(code)` is "_Fail the WebSocket
 * Connection_": a Close frame with that code, then the end of TCP. The opening handshake (section 4) is in heads.js.
 */

const { text, binary, more, ping, pong, close, closing, opcode, bytes, fails, hex, fragments, letters, octets, OPEN, UNMASKED } = require('./lib/words');

const titles = {
	'5.1': 'Overview: masking', '5.2': 'Base Framing Protocol', '5.3': 'Client-to-Server Masking', '5.4': 'Fragmentation',
	'5.5': 'Control Frames', '5.5.1': 'Close', '5.5.2': 'Ping', '5.5.3': 'Pong', '5.6': 'Data Frames', '5.8': 'Extensibility',
	'6.1': 'Sending Data', '6.2': 'Receiving Data', '7.1.1': 'Close the WebSocket Connection', '7.1.5': 'The Close Code',
	'7.1.6': 'The Close Reason', '7.1.7': 'Fail the WebSocket Connection', '7.4.1': 'Defined Status Codes',
	'7.4.2': 'Reserved Status Code Ranges', '8.1': 'Handling of Errors in UTF-8', '10.4': 'Implementation-Specific Limits',
};

const cases = [];
const rule = (section, says, send, expect) => cases.push({ section, says, send, expect });

const MAX = 16 << 20; /* max_message as it comes */
const MASK = (text_) => ({ mask: hex(text_) });
const declares = (n) => ({ declared: n });
const six = { text, binary, more, ping, pong, close: (p, how) => closing(p, how) };

/* --- 5.1 ------------------------------------------------------------------------------------------ */

for (const [name, frame] of Object.entries(six))
	for (const payload of ['', 'Hello'])
		rule('5.1', `the server MUST close the connection upon a frame that is not masked: ${name} of ${payload.length}`,
			[frame(name === 'close' && payload ? hex('03e8') : payload, UNMASKED)], [fails(1002)]);
rule('5.1', 'also between good ones', [text('one'), text('two', UNMASKED), text('three')], [text('one'), fails(1002)]);
rule('5.1', 'also inside a fragmented message', [text('one', OPEN), more('two', UNMASKED)], [fails(1002)]);
rule('5.1', 'a server MUST NOT mask any frames that it sends', [text('Hello'), ping('Hello')], [text('Hello'), pong('Hello')]);

/* --- 5.2 ------------------------------------------------------------------------------------------ */

for (const rsv of [1, 2, 3, 4, 5, 6, 7])
	for (const [name, frame] of Object.entries(six))
		rule('5.2', `RSV1-3 MUST be 0 unless an extension is negotiated: ${rsv.toString(2).padStart(3, '0')} on ${name}`,
			name === 'more' ? [text('a', OPEN), more('b', { rsv })] : [frame(name === 'close' ? hex('03e8') : 'a', { rsv })], [fails(1002)]);
rule('5.2', 'RSV behind good messages, with a Ping behind it', [text('good'), text('bad', { rsv: 4 }), ping()], [text('good'), fails(1002)]);
for (const n of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
	rule('5.2', `an unknown opcode MUST fail the connection: ${n}, empty`, [opcode(n)], [fails(1002)]);
	rule('5.2', `an unknown opcode MUST fail the connection: ${n}, with a payload`, [opcode(n, 'reserved')], [fails(1002)]);
	rule('5.2', `an unknown opcode MUST fail the connection: ${n}, behind a message`, [text('good'), opcode(n), ping()], [text('good'), fails(1002)]);
	rule('5.2', `an unknown opcode MUST fail the connection: ${n}, inside a message`, [text('a', OPEN), opcode(n), more('b')], [fails(1002)]);
}
for (const size of [0, 1, 125, 126, 127, 128, 65535, 65536, 65537]) {
	rule('5.2', `payload length ${size}: text`, [text(letters(size))], [text(letters(size))]);
	rule('5.2', `payload length ${size}: binary`, [binary(octets(size))], [binary(octets(size))]);
}
for (const [size, form] of [[0, 16], [1, 16], [125, 16], [0, 64], [1, 64], [125, 64], [126, 64], [65535, 64]])
	for (const [name, frame] of [['text', text], ['binary', binary]])
		rule('5.2', `the minimal number of bytes MUST be used: ${name} of ${size} in ${form} bits`, [frame(letters(size), { lengthAs: form })], [fails(1002)]);
rule('5.2', 'the minimal number of bytes MUST be used: a continuation', [text('a', OPEN), more('b', { lengthAs: 16 })], [fails(1002)]);
for (const length of [1n << 63n, (1n << 63n) | 5n, (1n << 64n) - 1n])
	rule('5.2', `the most significant bit of a 64-bit length MUST be 0: ${length.toString(16)}`,
		[binary('', { lengthAs: 64, declared: length })], [fails(1002)]);
rule('5.2', 'FIN: the first fragment may also be the final one', [text('one'), text('two')], [text('one'), text('two')]);

/* --- 5.3 ------------------------------------------------------------------------------------------ */

for (const key of ['00000000', 'ffffffff', '37fa213d', '00ff00ff', '01020304']) {
	for (let size = 0; size <= 17; size++)
		rule('5.3', `unmasked with the key ${key}: ${size} bytes`, [binary(octets(size), MASK(key))], [binary(octets(size))]);
	rule('5.3', `unmasked with the key ${key}: 1000 bytes, cut into fragments of 7`,
		fragments(binary, octets(1000), 7).map((f) => ({ ...f, how: { ...f.how, ...MASK(key) } })), [binary(octets(1000))]);
}
rule('5.3', 'each frame has a key of its own', [text('abc', MASK('01020304')), text('abc', MASK('a1b2c3d4'))], [text('abc'), text('abc')]);
rule('5.3', 'a Ping is unmasked, too', [ping('payload', MASK('a1b2c3d4'))], [pong('payload')]);

/* --- 5.4 ------------------------------------------------------------------------------------------ */

for (const [name, first, data] of [['text', text, letters(300)], ['binary', binary, octets(300)]]) {
	for (const size of [1, 2, 3, 5, 64, 125, 126, 127, 299])
		rule('5.4', `a message in fragments of ${size} is one message: ${name}`, fragments(first, data, size), [first(data)]);
	rule('5.4', `control frames MAY be injected between fragments: a Ping, ${name}`,
		fragments(first, data, 100, (n) => [ping(`${n}`)]), [first(data), pong('0'), pong('1')]);
	rule('5.4', `control frames MAY be injected between fragments: a Pong, ${name}`,
		fragments(first, data, 100, () => [pong('unasked')]), [first(data)]);
	rule('5.4', `two fragmented messages, one behind the other: ${name}`,
		[...fragments(first, data, 50), ...fragments(first, 'next', 2)], [first(data), first('next')]);
	for (const [other, second] of [['text', text], ['binary', binary]]) {
		rule('5.4', `fragments of two messages MUST NOT be interleaved: ${other} inside ${name}`,
			[first('one', OPEN), second('two'), more('three')], [fails(1002)]);
		rule('5.4', `fragments of two messages MUST NOT be interleaved: an open ${other} inside ${name}`,
			[first('one', OPEN), second('two', OPEN), more('three'), more('four')], [fails(1002)]);
	}
}
rule('5.4', 'empty fragments are fragments: all three', [text('', OPEN), more('', OPEN), more('')], [text('')]);
rule('5.4', 'empty fragments are fragments: but the middle one', [text('', OPEN), more('middle', OPEN), more('')], [text('middle')]);
rule('5.4', 'empty fragments are fragments: a thousand of them', [binary('', OPEN), ...Array(1000).fill(more('', OPEN)), more('end')], [binary('end')]);
rule('5.4', 'five fragments, a Ping behind each: the Pong does not wait for the end',
	fragments(text, 'one two three four five', 5, (n) => [ping(`ping ${n}`)]),
	[pong('ping 0'), pong('ping 1'), pong('ping 2'), pong('ping 3'), text('one two three four five')]);
for (const [name, how] of [['the last', {}], ['not the last', OPEN]]) {
	rule('5.4', `a continuation of nothing: ${name}`, [more('lost', how), text('Hello')], [fails(1002)]);
	rule('5.4', `a continuation of nothing: ${name}, empty`, [more('', how)], [fails(1002)]);
	rule('5.4', `a continuation behind a whole message: ${name}`, [text('whole'), more('lost', how), text('Hello')], [text('whole'), fails(1002)]);
	rule('5.4', `a continuation behind a fragmented message: ${name}`,
		[text('frag', OPEN), more('ment'), more('lost', how), text('Hello')], [text('fragment'), fails(1002)]);
}
rule('5.4', 'a fragmented message, again and again something lost behind it',
	[more('non-continuation', OPEN), text('Hello'), more('non-continuation', OPEN), text('Hello')], [fails(1002)]);
rule('5.4', 'an open message takes nothing from the one before it', [text('a', OPEN), more('b'), binary('c', OPEN), more('d')], [text('ab'), binary('cd')]);

/* --- 5.5 ------------------------------------------------------------------------------------------ */

for (const [name, frame, head] of [['Close', closing, hex('03e8')], ['Ping', ping, hex('')], ['Pong', pong, hex('')]]) {
	const payload = (n) => Buffer.concat([head, Buffer.alloc(n - head.length, 'x')]);
	for (const n of [126, 127, 1000, 65536])
		rule('5.5', `a control frame MUST have 125 bytes or less: ${name} of ${n}`, [frame(payload(n))], [fails(1002)]);
	rule('5.5', `a control frame MUST have 125 bytes or less: ${name} that only declares 126`, [frame('', declares(126))], [fails(1002)]);
	rule('5.5', `a control frame's length in its shortest form: ${name} in 16 bits`, [frame(payload(20), { lengthAs: 16 })], [fails(1002)]);
	rule('5.5', `a control frame's length in its shortest form: ${name} in 64 bits`, [frame(payload(20), { lengthAs: 64 })], [fails(1002)]);
	rule('5.5', `a control frame MUST NOT be fragmented: ${name}`, [frame(payload(10), OPEN), more('rest')], [fails(1002)]);
	rule('5.5', `a control frame MUST NOT be fragmented: ${name}, inside a message`, [text('a', OPEN), frame(payload(10), OPEN), more('rest')], [fails(1002)]);
}

/* --- 5.5.1, 7.1.1, 7.1.5, 7.1.6 -------------------------------------------------------------------- */

rule('5.5.1', 'a Close is answered with a Close; the status code is echoed', [close(1000)], [close(1000)]);
rule('5.5.1', 'a Close behind messages: they are all answered first', [text('one'), binary('two'), close(1000)], [text('one'), binary('two'), close(1000)]);
rule('5.5.1', 'a Close MAY have no body', [closing()], [closing()]);
rule('5.5.1', 'the first two bytes MUST be a code: one byte is not', [closing(hex('03'))], [fails(1002)]);
rule('5.5.1', 'the reason may fill the frame: 123 bytes', [close(1000, letters(120) + 'end')], [close(1000)]);
rule('5.5.1', 'a reason with one byte too many', [close(1000, 'x'.repeat(124))], [fails(1002)]);
rule('5.5.1', 'no data frame after a Close is heard', [close(1000), text('too late'), binary('too late')], [close(1000)]);
rule('5.5.1', 'nor a Ping', [close(1000), ping('too late')], [close(1000)]);
rule('5.5.1', 'nor a second Close, whatever its code', [close(1000), close(1001)], [close(1000)]);
rule('5.5.1', 'nor what is no frame at all', [close(1000), bytes(hex('ffffffffffffff'))], [close(1000)]);
rule('5.5.1', 'a Ping right before is answered', [ping('now'), close(1000)], [pong('now'), close(1000)]);
rule('5.5.1', 'a Close inside a fragmented message ends it', [text('half', OPEN), close(1000)], [close(1000)]);
rule('5.5.1', 'a Close inside a fragmented message: the rest is ignored', [text('half', OPEN), close(1000), more('other half')], [close(1000)]);
rule('7.1.1', 'the server closes TCP first, and cleanly', [close(1001, 'leaving')], [close(1001)]);
rule('7.1.1', 'also when it has failed the connection', [text('', { rsv: 7 })], [fails(1002)]);
rule('7.1.5', 'no status code is 1005, which is never sent', [text('so long'), closing()], [text('so long'), closing()]);
rule('7.1.5', 'the code is that of the first Close frame', [close(3001), close(3002)], [close(3001)]);
rule('7.1.6', 'a reason of UTF-8 in every length', [close(1000, 'ü€𝄞')], [close(1000)]);

/* --- 5.5.2, 5.5.3 ---------------------------------------------------------------------------------- */

rule('5.5.2', 'a Ping MUST be answered with a Pong: empty', [ping()], [pong()]);
rule('5.5.2', 'a Ping MUST be answered with a Pong: text', [ping('Hello, world!')], [pong('Hello, world!')]);
rule('5.5.2', 'a Ping MUST be answered with a Pong: octets', [ping(hex('00fffefdfcfb00ff'))], [pong(hex('00fffefdfcfb00ff'))]);
rule('5.5.2', 'a Ping MUST be answered with a Pong: 125 octets', [ping(octets(125))], [pong(octets(125))]);
rule('5.5.2', 'ten Pings, ten Pongs in order', Array.from({ length: 10 }, (_, i) => ping(`payload ${i}`)), Array.from({ length: 10 }, (_, i) => pong(`payload ${i}`)));
rule('5.5.2', 'a Ping between messages', [text('a'), ping('1'), text('b'), ping('2')], [text('a'), pong('1'), text('b'), pong('2')]);
rule('5.5.3', 'the Pong has the very application data', [ping(hex('0d0a00')), ping('')], [pong(hex('0d0a00')), pong('')]);
rule('5.5.3', 'a Pong that nobody asked for is not answered: empty', [pong()], []);
rule('5.5.3', 'a Pong that nobody asked for is not answered: with data', [pong('unsolicited'), text('Hello')], [text('Hello')]);
rule('5.5.3', 'a Pong that nobody asked for, then a Ping', [pong('unsolicited'), ping('asked')], [pong('asked')]);
rule('5.5.3', 'a Pong of 125 octets is taken', [pong(octets(125)), ping()], [pong()]);

/* --- 5.6, 5.8, 6.1, 6.2 ----------------------------------------------------------------------------- */

rule('5.6', 'text is UTF-8, and stays text', [text('κόσμε')], [text('κόσμε')]);
rule('5.6', 'text with NUL and line breaks', [text('a\0b\r\nc\n')], [text('a\0b\r\nc\n')]);
rule('5.6', 'a BOM is a code point like another', [text('\ufeffHello')], [text('\ufeffHello')]);
rule('5.6', 'binary is any bytes, and stays binary', [binary(hex('fffe00c0af80'))], [binary(hex('fffe00c0af80'))]);
rule('5.6', 'binary that looks like text', [binary('Hello')], [binary('Hello')]);
rule('5.6', 'both kinds in turn', [text('t'), binary('b'), text(''), binary('')], [text('t'), binary('b'), text(''), binary('')]);
rule('5.8', 'no extension was agreed on: what only an extension allows fails', [text('deflated?', { rsv: 4 }), more('')], [fails(1002)]);
rule('6.1', 'a message comes in order and whole: a hundred in one breath',
	Array.from({ length: 100 }, (_, i) => text(`${i}`)), Array.from({ length: 100 }, (_, i) => text(`${i}`)));
rule('6.1', 'sizes at every border of the framing, one behind the other',
	[124, 125, 126, 127, 128, 254, 255, 256, 257].map((n) => binary(octets(n))), [124, 125, 126, 127, 128, 254, 255, 256, 257].map((n) => binary(octets(n))));
rule('6.2', 'the data of a message is the concatenation of its fragments', fragments(binary, octets(1000), 1), [binary(octets(1000))]);
rule('6.2', 'an incoming frame may come before the whole handshake was read', [text('early')], [text('early')]);

/* --- 7.1.7 ----------------------------------------------------------------------------------------- */

rule('7.1.7', 'after it has failed the connection, the server processes nothing more: messages',
	[opcode(3), text('x'), binary('y'), ping('z')], [fails(1002)]);
rule('7.1.7', 'after it has failed the connection, the server processes nothing more: a Close', [opcode(3), close(1000)], [fails(1002)]);
rule('7.1.7', 'the first fault is the one that is told', [text(hex('ff')), opcode(3)], [fails(1007)]);
rule('7.1.7', 'two bytes of a frame are enough to refuse it', [bytes(hex('8300'))], [fails(1002)]);
rule('7.1.7', 'a length is refused before the payload comes', [binary('', declares(MAX + 1))], [fails(1009)]);

/* --- 7.4 ------------------------------------------------------------------------------------------- */

for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014])
	for (const reason of ['', 'for a reason'])
		rule('7.4.1', `${code} may be sent in a Close${reason && ', with a reason'}`, [close(code, reason)], [close(code)]);
for (const code of [1004, 1005, 1006, 1015])
	for (const reason of ['', 'for a reason'])
		rule('7.4.1', `${code} is reserved and MUST NOT be set in a Close${reason && ', with a reason'}`, [close(code, reason)], [fails(1002)]);
for (const code of [0, 1, 100, 256, 500, 998, 999])
	rule('7.4.2', `0-999 are not used: ${code}`, [close(code)], [fails(1002)]);
for (const code of [1016, 1017, 1100, 1999, 2000, 2500, 2998, 2999])
	rule('7.4.2', `1000-2999 are reserved for definition: ${code} is not defined`, [close(code)], [fails(1002)]);
for (const code of [3000, 3001, 3999, 4000, 4001, 4998, 4999])
	for (const reason of ['', 'mine'])
		rule('7.4.2', `3000-4999 are for libraries and applications: ${code}${reason && ', with a reason'}`, [close(code, reason)], [close(code)]);
for (const code of [5000, 5001, 10000, 32768, 65534, 65535])
	rule('7.4.2', `above 4999 is nothing: ${code}`, [close(code)], [fails(1002)]);

/* --- 8.1: valid UTF-8 ------------------------------------------------------------------------------- */

const GOOD = {
	'Greek': 'cebae1bdb9cf83cebcceb5', 'U+0000': '00', 'U+007F': '7f', 'U+0080': 'c280', 'U+07FF': 'dfbf', 'U+0800': 'e0a080', 'U+FFFF': 'efbfbf',
	'U+10000': 'f0908080', 'U+10FFFF': 'f48fbfbf', 'U+D7FF, below the surrogates': 'ed9fbf', 'U+E000, above them': 'ee8080', 'U+FFFD': 'efbfbd',
	'U+FFFE': 'efbfbe', 'U+FDD0': 'efb790', 'U+FDEF': 'efb7af',
	...Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`U+${(i + 1).toString(16).toUpperCase()}FFFF, a non-character`, Buffer.from(String.fromCodePoint(((i + 1) << 16) | 0xffff)).toString('hex')])),
};
for (const [name, code] of Object.entries(GOOD)) {
	rule('8.1', `valid: ${name}`, [text(hex(code))], [text(hex(code))]);
	rule('8.1', `valid: ${name}, with a fragment for each byte`, fragments(text, hex(code), 1, (n) => (n === 0 ? [ping('between')] : [])),
		[text(hex(code)), ...(code.length > 2 ? [pong('between')] : [])]);
}
rule('8.1', 'valid: an empty fragment within a code point', [text(hex('f09d'), OPEN), more('', OPEN), more(hex('849e'))], [text('𝄞')]);
rule('8.1', 'a code point that is cut by a fragment is not carried into the next message',
	[text(hex('c3'), OPEN), more(hex('bc')), text('next')], [text('ü'), text('next')]);
rule('8.1', 'binary is not checked, nor does it stand in the way of text', [binary(hex('ff')), text('ü')], [binary(hex('ff')), text('ü')]);

/* --- 8.1: invalid UTF-8 ----------------------------------------------------------------------------- */

const BAD = {
	'a first continuation byte': '80', 'a last continuation byte': 'bf', 'two continuation bytes': '80bf', 'six continuation bytes': '80bf80bf80bf',
	'all continuation bytes': Array.from({ length: 64 }, (_, i) => (0x80 + i).toString(16)).join(''),
	'lonely starts of 2': 'c220df20', 'lonely starts of 3': 'e020ef20', 'lonely starts of 4': 'f020f420', 'a start of 5': 'f888808080', 'a start of 6': 'fc8480808080',
	'a start of 2, its last byte missing': 'c3', 'a start of 3, its last byte missing': 'e282', 'a start of 4, its last byte missing': 'f09d84',
	'a cut code point, then another': 'e282c3bc', 'FE': 'fe', 'FF': 'ff', 'FE FE FF FF': 'fefeffff',
	'/ in 2': 'c0af', '/ in 3': 'e080af', '/ in 4': 'f08080af', '/ in 5': 'f8808080af', '/ in 6': 'fc80808080af',
	'NUL in 2': 'c080', 'NUL in 3': 'e08080', 'NUL in 4': 'f0808080', 'U+007F in 2': 'c1bf', 'U+07FF in 3': 'e09fbf', 'U+FFFF in 4': 'f08fbfbf',
	'the surrogate D800': 'eda080', 'the surrogate DB7F': 'edadbf', 'the surrogate DB80': 'edae80', 'the surrogate DBFF': 'edafbf',
	'the surrogate DC00': 'edb080', 'the surrogate DF80': 'edbe80', 'the surrogate DFFF': 'edbfbf', 'a pair of surrogates': 'eda080edb080',
	'U+110000': 'f4908080', 'U+13FFFF': 'f4bfbfbf', 'U+140000': 'f5808080', 'U+1FFFFF': 'f7bfbfbf',
};
for (const [name, code] of Object.entries(BAD)) {
	const data = Buffer.concat([Buffer.from('κόσμε'), hex(code), Buffer.from('edited')]);
	const bare = hex(code);
	rule('8.1', `invalid, fails with 1007: ${name}`, [text(bare)], [fails(1007)]);
	rule('8.1', `invalid, fails with 1007: ${name}, inside good text`, [text(data)], [fails(1007)]);
	rule('8.1', `invalid, fails with 1007: ${name}, a fragment for each byte`, fragments(text, data, 1), [fails(1007)]);
	rule('8.1', `invalid, fails with 1007: ${name}, in a close reason`, [close(1000, bare)], [fails(1007)]);
}
rule('8.1', 'invalid in the second message alone', [text('good'), text(hex('ff'))], [text('good'), fails(1007)]);
/* The end of the message need not come. */
rule('8.1', 'invalid is told at once: the message is still open', [text(hex('ceba ed a080'), OPEN)], [fails(1007)]);
rule('8.1', 'invalid is told at once: in the second fragment', [text('good', OPEN), more(hex('f4908080'), OPEN)], [fails(1007)]);
rule('8.1', 'invalid is told at once: the frame is not whole', [text(hex('ceba f490'), declares(100))], [fails(1007)]);
rule('8.1', 'invalid is told at once: at the byte that cannot follow', [text(hex('f4'), OPEN), more(hex('90'), OPEN)], [fails(1007)]);
rule('8.1', 'invalid is told at once: an overlong form by its second byte', [text(hex('e080'), declares(9))], [fails(1007)]);
rule('8.1', 'invalid is told at once: a surrogate by its second byte', [text(hex('eda0'), declares(9))], [fails(1007)]);
rule('8.1', 'a code point is not whole at the end of the last fragment', [text(hex('e2'), OPEN), more(hex('82'))], [fails(1007)]);
rule('8.1', 'a code point is not whole, and an empty fragment ends it', [text(hex('e282'), OPEN), more('')], [fails(1007)]);

/* --- 10.4: limits, up to what max_message allows ------------------------------------------------------ */

for (const [name, size] of [['64 KiB', 64 << 10], ['256 KiB', 256 << 10], ['1 MiB', 1 << 20], ['4 MiB', 4 << 20], ['8 MiB', 8 << 20], ['16 MiB', MAX]]) {
	rule('10.4', `a message of ${name}: text`, () => [text(letters(size))], () => [text(letters(size))]);
	rule('10.4', `a message of ${name}: binary`, () => [binary(octets(size))], () => [binary(octets(size))]);
}
for (const size of [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20])
	rule('10.4', `1 MiB in fragments of ${size}`, () => fragments(binary, octets(1 << 20), size), () => [binary(octets(1 << 20))]);
rule('10.4', '4 MiB of text in fragments of 1000', () => fragments(text, letters(4 << 20), 1000), () => [text(letters(4 << 20))]);
for (const size of [0, 16, 64, 256, 1024, 4096, 16384, 65536])
	rule('10.4', `messages of ${size} in one breath, at most a thousand`,
		() => Array(Math.min(1000, (1 << 20) / (size || 1))).fill(binary(octets(size))), () => Array(Math.min(1000, (1 << 20) / (size || 1))).fill(binary(octets(size))));
rule('10.4', '64 KiB of text in fragments of 1300', () => fragments(text, letters(65536), 1300), () => [text(letters(65536))]);
rule('10.4', 'one byte too many: 1009', () => [binary(octets(MAX + 1))], [fails(1009)]);
rule('10.4', 'one byte too many in the last of three fragments', () => [text(letters(MAX / 2), OPEN), more(letters(MAX / 2), OPEN), more('!')], [fails(1009)]);
rule('10.4', 'fragments that add up to the limit are within it',
	() => [binary(octets(MAX - 10), OPEN), more('', OPEN), more('0123456789')], () => [binary(Buffer.concat([octets(MAX - 10), Buffer.from('0123456789')]))]);

module.exports = { rfc: 'RFC 6455', titles, cases };
