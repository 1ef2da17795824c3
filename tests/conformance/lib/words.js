'use strict';
/*
 * The words that the tables are written in. A frame is { opcode, payload, how }: the same words say what a client
 * sends and what it expects to hear.
 */

const { frame, closePayload, TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION } = require('../../scenario/lib/raw');

const hex = (text) => Buffer.from(text.replace(/ /g, ''), 'hex');
const say = (opcode) => (payload = '', how = {}) => ({ opcode, payload: Buffer.from(payload), how });

const text = say(TEXT), binary = say(BINARY), more = say(CONTINUATION), ping = say(PING), pong = say(PONG);
const closing = say(CLOSE); /* a Close frame with any payload */
const close = (code, reason = '') => closing(closePayload(code, Buffer.from(reason)));
const opcode = (n, payload, how) => say(n)(payload, how);
/* Bytes that are no whole frame. */
const bytes = (data) => ({ wire: Buffer.from(data) });

/* The client is told CODE and no more. */
const fails = (code) => ({ fails: code });

/* How a frame is built, see frame() in raw.js. */
const OPEN = { fin: false }; /* more fragments follow */
const UNMASKED = { mask: false };

const encode = (f) => f.wire ?? frame(f.opcode, f.payload, f.how);

/* PAYLOAD in fragments of SIZE: [first(...), more(...), ...]; with BETWEEN(n) put behind the nth. */
function fragments(first, payload, size, between = () => []) {
	const data = Buffer.from(payload);
	const out = [];
	for (let at = 0, n = 0; at === 0 || at < data.length; at += size, n++) {
		const how = at + size < data.length ? OPEN : {};
		out.push((at === 0 ? first : more)(data.subarray(at, at + size), how));
		if (how === OPEN)
			out.push(...between(n));
	}
	return out;
}

/* LEN bytes: text with code points of every length, or every byte value. The same in every run. */
const PATTERN = Buffer.from('a*ü€𝄞\n');
const letters = (len) => (len < PATTERN.length ? Buffer.alloc(len, '*')
	: Buffer.alloc(len, '.').fill(PATTERN, 0, len - len % PATTERN.length));
const NOISE = Buffer.from(Array.from({ length: 1021 }, (_, i) => (i * 167 + (i >> 8)) & 255));
const octets = (len) => Buffer.alloc(len, NOISE);

module.exports = {
	text, binary, more, ping, pong, close, closing, opcode, bytes, fails, hex, encode, fragments, letters, octets, OPEN, UNMASKED,
};
