'use strict';
/*
 * RFC 7692, permessage-deflate: what binds a server. In `offers` a case of the handshake tells what the client offers and
 * whether that is to be accepted: the offer that is (counted from 1), 0 for none, 400 for what is no offer at all. What
 * must then be in the answer follows from the offer. In `messages` RSV1 and compressed bytes are written out; every
 * message that comes back must inflate under what was agreed upon.
 */

const zlib = require('node:zlib');
const { text, binary, more, ping, pong, close, fails, hex, fragments, letters, octets, OPEN } = require('./lib/words');

const titles = {
	'5': 'Extension Negotiation', '5.1': 'General Negotiation Flow', '6': 'Framing', '6.1': 'Compression', '6.2': 'Decompression', '7.1': 'Method Parameters',
	'7.1.1.1': 'server_no_context_takeover', '7.1.1.2': 'client_no_context_takeover', '7.1.2.1': 'server_max_window_bits', '7.1.2.2': 'client_max_window_bits',
	'7.2.1': 'DEFLATE, sending', '7.2.2': 'DEFLATE, receiving', '7.2.3.1': 'One Compressed Block', '7.2.3.2': 'Sharing the Window', '7.2.3.3': 'A Block with No Compression',
	'7.2.3.4': 'A Block with BFINAL Set', '7.2.3.5': 'Two Blocks in One Message', '7.2.3.6': 'An Empty Fragment', '8': 'Security: What It Becomes',
};

/* --- the handshake ------------------------------------------------------------------------------------ */

const offers = [];
const offer = (section, says, value, accepted) => offers.push({ section, says, offer: value, accepted });
const D = 'permessage-deflate';

offer('5', 'an offer without parameters', D, 1);
offer('5', 'an offer behind an extension that is not known', `x-other; a=b, ${D}`, 2);
offer('5', 'offers in two fields are one list', ['x-other', D], 2);
offer('5', 'white space around everything', ` ${D} ; server_max_window_bits = 10 `, 1);
offer('5', 'the name is another: longer', `${D}x`, 0);
offer('5', 'the name is another: that of old drafts', 'x-webkit-deflate-frame', 0);
offer('5', 'nothing is offered', '', 'none');
offer('5.1', 'offers are in order of preference: the first', `${D}; server_max_window_bits=9, ${D}`, 1);
offer('5.1', 'offers are in order of preference: the second, if the first is bad', `${D}; server_max_window_bits=99, ${D}; server_max_window_bits=11`, 2);
offer('5.1', 'offers are in order of preference: the last of ten', [...Array.from({ length: 9 }, (_, i) => `${D}; unknown${i}`), `${D}; client_no_context_takeover`].join(', '), 10);
offer('5.1', 'all offers are bad: none is accepted', `${D}; unknown, ${D}; server_max_window_bits=1`, 0);
offer('5.1', 'an offer that is no offer', `${D};`, 400);
offer('5.1', 'an offer that is no offer: no name of a parameter', `${D}; =10`, 400);
offer('5.1', 'an offer that is no offer: no value behind its =', `${D}; server_max_window_bits=`, 400);
offer('5.1', 'an offer that is no offer, behind a good one', `${D}, ${D}; a b`, 400);
offer('7.1', 'an unknown parameter declines', `${D}; server_window=10`, 0);
offer('7.1', 'an unknown parameter declines: with other capitals', `${D}; Server_Max_Window_Bits=10`, 0);
for (const name of ['server_no_context_takeover', 'client_no_context_takeover', 'server_max_window_bits=10', 'client_max_window_bits', 'client_max_window_bits=10'])
	offer('7.1', `a parameter that comes twice declines: ${name}`, `${D}; ${name}; ${name}`, 0);
offer('7.1', 'a parameter that comes twice declines: with different values', `${D}; server_max_window_bits=10; server_max_window_bits=11`, 0);
offer('7.1', 'a parameter that comes twice declines: with and without', `${D}; client_max_window_bits; client_max_window_bits=11`, 0);
offer('7.1.1.1', 'it MUST be in the answer if the offer is accepted', `${D}; server_no_context_takeover`, 1);
offer('7.1.1.1', 'it has no value', `${D}; server_no_context_takeover=1`, 0);
offer('7.1.1.1', 'it has no value, not even true', `${D}; server_no_context_takeover=true`, 0);
offer('7.1.1.2', 'a client that promises it', `${D}; client_no_context_takeover`, 1);
offer('7.1.1.2', 'it has no value', `${D}; client_no_context_takeover=1`, 0);
for (const [section, name] of [['7.1.2.1', 'server_max_window_bits'], ['7.1.2.2', 'client_max_window_bits']]) {
	for (let bits = 8; bits <= 15; bits++)
		offer(section, `a value from 8 to 15: ${bits}`, `${D}; ${name}=${bits}`, 1);
	offer(section, 'a value may be quoted', `${D}; ${name}="10"`, 1);
	offer(section, 'a value may be quoted, and escaped', `${D}; ${name}="1\\0"`, 1);
	for (const bad of ['0', '7', '16', '100', '08', '010', '-9', '1e1', 'x', '0x9', '9.0', '18446744073709551626'])
		offer(section, `a value that is not from 8 to 15, without leading zeros, declines: ${bad}`, `${D}; ${name}=${bad}`, 0);
}
offer('7.1.2.1', 'it needs a value', `${D}; server_max_window_bits`, 0);
offer('7.1.2.2', 'it needs no value', `${D}; client_max_window_bits`, 1);
offer('7.1.2.2', 'a client that does not name it MUST NOT be asked for it', `${D}; server_max_window_bits=9`, 1);

/* --- the messages ------------------------------------------------------------------------------------- */

const messages = [];
const PLAIN_OFFER = D;
const rule = (section, says, send, expect, more_ = {}) => messages.push({ section, says, send, expect, offer: PLAIN_OFFER, ...more_ });

const PACKED = { rsv: 4 };
const FIRST = { rsv: 4, fin: false };
const HELLO = hex('f248cdc9c90700');
const pack = (data, options = {}) => zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options }).subarray(0, -4);
/* PAYLOAD in fragments of SIZE, of which the first is marked. */
const packed = (first, payload, size = payload.length) => fragments(first, payload, size).map((f, i) => (i === 0 ? { ...f, how: { ...f.how, ...PACKED } } : f));

for (const rsv of [1, 2, 3, 5, 6, 7])
	rule('6', `RSV2 and RSV3 stay 0: ${rsv.toString(2).padStart(3, '0')}`, [text(HELLO, { rsv })], [fails(1002)]);
rule('6', 'RSV1 MUST NOT be set on a fragment that is not the first', [text(HELLO.subarray(0, 3), FIRST), more(HELLO.subarray(3), PACKED)], [fails(1002)]);
rule('6', 'RSV1 MUST NOT be set on a fragment that is not the first, of a message that is not compressed', [text('Hel', OPEN), more('lo', PACKED)], [fails(1002)]);
rule('6', 'RSV1 MUST NOT be set on a control frame: Ping', [ping('x', PACKED)], [fails(1002)]);
rule('6', 'RSV1 MUST NOT be set on a control frame: Pong', [pong('x', PACKED)], [fails(1002)]);
rule('6', 'RSV1 MUST NOT be set on a control frame: Close', [{ ...close(1000), how: PACKED }], [fails(1002)]);
rule('6', 'RSV1 MUST NOT be set on a control frame, inside a compressed message', [text(HELLO.subarray(0, 3), FIRST), ping('', PACKED), more(HELLO.subarray(3))], [fails(1002)]);
rule('6', 'RSV1 says nothing before it is agreed upon', [text(HELLO, PACKED)], [fails(1002)], { offer: undefined });
rule('6', 'RSV1 says nothing if all offers were declined', [text(HELLO, PACKED)], [fails(1002)], { offer: `${D}; unknown` });
rule('6.1', 'control frames are not compressed, and may stand between the fragments',
	[text(HELLO.subarray(0, 2), FIRST), ping('between'), more(HELLO.subarray(2, 4), OPEN), pong('unasked'), more(HELLO.subarray(4))], [text('Hello'), pong('between')]);
for (const [name, first, data] of [['text', text, letters(5000)], ['binary', binary, octets(5000)]])
	for (const size of [1, 2, 3, 7, 125, 126, 1000])
		rule('6.1', `compressed, then cut into fragments of ${size}: ${name}`, packed(first, pack(data), size), [first(data)]);
rule('6.1', 'with empty fragments in between', [text('', FIRST), more(HELLO.subarray(0, 4), OPEN), more('', OPEN), more(HELLO.subarray(4), OPEN), more('')], [text('Hello')]);
rule('6.2', 'a message without RSV1 is not compressed', [text('Hello'), text(HELLO, PACKED), text('Hello')], [text('Hello'), text('Hello'), text('Hello')]);
rule('6.2', 'a message without RSV1 is not compressed, whatever its bytes', [binary(HELLO)], [binary(HELLO)]);
rule('6.2', 'both kinds, compressed and not, empty and not',
	[text(hex('00'), PACKED), text(''), binary(hex('00'), PACKED), binary(''), binary(HELLO, PACKED)], [text(''), text(''), binary(''), binary(''), binary('Hello')]);
for (const level of [0, 1, 6, 9])
	for (const [how, strategy] of Object.entries({ default: 0, filtered: 1, huffman: 2, rle: 3, fixed: 4 }))
		rule('7.2.1', `level ${level}, ${how}`, () => packed(text, pack(letters(20000), { level, strategy })), () => [text(letters(20000))]);
for (const windowBits of [9, 10, 11, 12, 13, 14, 15])
	rule('7.2.1', `a window of ${windowBits} bits`, () => packed(binary, pack(octets(70000), { windowBits })), () => [binary(octets(70000))]);
for (const size of [0, 1, 125, 126, 127, 1000, 65535, 65536, 1 << 20])
	rule('7.2.1', `a message that becomes ${size}`, () => packed(text, pack(letters(size))), () => [text(letters(size))]);
rule('7.2.1', 'an empty message is one byte', [text(hex('00'), PACKED)], [text('')]);
rule('7.2.1', 'an empty message may also be a block of no bytes', [text(hex('0200'), PACKED)], [text('')]);
rule('7.2.2', 'not DEFLATE: a block of the reserved type', [text(hex('07'), PACKED)], [fails(1007)]);
rule('7.2.2', 'not DEFLATE: noise', [binary(hex('ffffffffffff'), PACKED)], [fails(1007)]);
rule('7.2.2', 'not DEFLATE: a stored block whose length contradicts itself', [text(hex('00050000000048656c6c6f00'), PACKED)], [fails(1007)]);
rule('7.2.2', 'not DEFLATE: it refers to before its beginning', [text(hex('f200110000'), PACKED)], [fails(1007)]);
rule('7.2.2', 'not DEFLATE: codes that are too many', [binary(hex('fcffffffffffffffff'), PACKED)], [fails(1007)]);
rule('7.2.2', 'not DEFLATE: behind a good message', [text(HELLO, PACKED), text(hex('07'), PACKED)], [text('Hello'), fails(1007)]);
rule('7.2.2', 'not DEFLATE: in the second fragment', [text(HELLO.subarray(0, 5), FIRST), more(hex('ffffff'))], [fails(1007)]);
rule('7.2.2', 'it ends within a block', [text(HELLO.subarray(0, 3), PACKED)], [fails(1007)]);
rule('7.2.2', 'it ends within a stored block', [text(hex('000500faff4865'), PACKED)], [fails(1007)]);
rule('7.2.2', 'a client that promised to forget does not remember', [text(HELLO, PACKED), text(hex('f200110000'), PACKED)], [text('Hello'), fails(1007)], { offer: `${D}; client_no_context_takeover` });
rule('7.2.3.1', 'Hello', [text(HELLO, PACKED)], [text('Hello')]);
rule('7.2.3.1', 'Hello in two fragments', [text(hex('f248cd'), FIRST), more(hex('c9c90700'))], [text('Hello')]);
rule('7.2.3.2', 'Hello twice, each by itself', [text(HELLO, PACKED), text(HELLO, PACKED)], [text('Hello'), text('Hello')]);
rule('7.2.3.2', 'Hello, and the same again', [text(HELLO, PACKED), text(hex('f200110000'), PACKED)], [text('Hello'), text('Hello')]);
rule('7.2.3.2', 'Hello, and the same again, with others in between', [text(HELLO, PACKED), binary('uncompressed'), ping('p'), text(hex('f200110000'), PACKED)], [text('Hello'), binary('uncompressed'), text('Hello'), pong('p')]);
rule('7.2.3.3', 'Hello, stored', [text(hex('000500faff48656c6c6f00'), PACKED)], [text('Hello')]);
rule('7.2.3.3', 'Hello, stored, in fragments of a byte', packed(text, hex('000500faff48656c6c6f00'), 1), [text('Hello')]);
rule('7.2.3.4', 'Hello with BFINAL', [text(hex('f348cdc9c9070000'), PACKED)], [text('Hello')]);
rule('7.2.3.4', 'Hello with BFINAL, twice', [text(hex('f348cdc9c9070000'), PACKED), text(hex('f348cdc9c9070000'), PACKED)], [text('Hello'), text('Hello')]);
rule('7.2.3.4', 'Hello with BFINAL, then without', [text(hex('f348cdc9c9070000'), PACKED), text(HELLO, PACKED)], [text('Hello'), text('Hello')]);
rule('7.2.3.5', 'Hello in two blocks', [text(hex('f248050000 00ffff cac9c90700'), PACKED)], [text('Hello')]);
rule('7.2.3.5', 'Hello in two blocks, each byte a fragment', packed(text, hex('f248050000 00ffff cac9c90700'), 1), [text('Hello')]);
rule('7.2.3.6', 'Hello, and an empty fragment behind it', [text(HELLO, FIRST), more(hex(''))], [text('Hello')]);
rule('7.2.3.6', 'an empty fragment is 0x00, too', [text(hex('f248cdc9c907000000ffff'), FIRST), more(hex('00'))], [text('Hello')]);
rule('8', 'text is UTF-8 when it is inflated', [text(pack(hex('ceba c3 28')), PACKED)], [fails(1007)]);
rule('8', 'text is UTF-8 when it is inflated: a surrogate', [text(pack(hex('eda080')), PACKED)], [fails(1007)]);
rule('8', 'text is UTF-8 when it is inflated: cut at its end', [text(pack(hex('e282')), PACKED)], [fails(1007)]);
rule('8', 'binary is any bytes when it is inflated', [binary(pack(hex('ff00fe')), PACKED)], [binary(hex('ff00fe'))]);
rule('8', 'max_message counts what it becomes', () => packed(binary, pack(Buffer.alloc((16 << 20) + 1))), [fails(1009)]);
rule('8', 'max_message counts what it becomes: just so', () => packed(binary, pack(Buffer.alloc(16 << 20))), () => [binary(Buffer.alloc(16 << 20))]);
rule('8', 'max_message counts what it becomes: in fragments', () => packed(binary, pack(Buffer.alloc(64 << 20)), 1000), [fails(1009)]);

/* --- every set of parameters --------------------------------------------------------------------------- */

/* All of them on one route, which keeps a window of 15 bits; and some, that share nothing else, on others. */
const sets = [];
const values = [8, 9, 10, 11, 12, 13, 14, 15];
for (const server of [undefined, ...values])
	for (const client of [undefined, '', ...values])
		for (const forget of [0, 1, 2, 3])
			sets.push({
				section: '7.1', everywhere: sets.length % 7 === 0,
				says: `every set of parameters: server ${server ?? '-'}, client ${client === '' ? 'named' : client ?? '-'}, ${['', 'server forgets', 'client forgets', 'both forget'][forget]}`,
				offer: [D, server && `server_max_window_bits=${server}`, client !== undefined && `client_max_window_bits${client && `=${client}`}`,
					forget & 1 && 'server_no_context_takeover', forget & 2 && 'client_no_context_takeover'].filter(Boolean).join('; '),
			});

module.exports = { rfc: 'RFC 7692', titles, offers, messages, sets, cases: [...offers, ...messages, ...sets] };
