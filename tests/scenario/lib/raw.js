'use strict';
/*
 * A WebSocket client whose frames are built by hand.
 *
 * It can send what no library would (wrong masks, lengths, fragments), it reads only when asked (so
 * a stalled client is one that is simply not asked), and it accuses the server of every breach of
 * RFC 6455 and RFC 7692: reserved bits, masks, lengths that are too long for what they say, fragments in the wrong
 * order, control frames cut or too big, close codes that may not be sent, text that is not UTF-8, and
 * anything at all behind a Close frame.
 */

const net = require('node:net');
const tls = require('node:tls');
const { isUtf8 } = require('node:buffer');
const zlib = require('node:zlib');
const { createHash, randomBytes } = require('node:crypto');
const { within } = require('./bounds');

const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, CONTINUATION = 0;
const KINDS = { [TEXT]: 'text', [BINARY]: 'binary', [CLOSE]: 'close', [PING]: 'ping', [PONG]: 'pong' };
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const PATIENCE_MS = 20000;

class Breach extends Error {
	constructor(what) {
		super(`the server broke the protocol: ${what}`);
		this.name = 'Breach';
	}
}

const closeCodeMayBeSent = (code) =>
	(code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);

/* One frame of a client. LENGTH_AS forces the 7, 16 or 64 bit form; DECLARED lies about the length. */
function frame(opcode, payload = Buffer.alloc(0), { fin = true, rsv = 0, mask = true, lengthAs, declared } = {}) {
	const data = Buffer.from(payload);
	const length = BigInt(declared ?? data.length);
	const form = lengthAs ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
	const extra = { 7: 0, 16: 2, 64: 8 }[form];
	const head = Buffer.alloc(2 + extra + (mask ? 4 : 0));
	head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
	head[1] = mask ? 0x80 : 0;
	if (form === 7)
		head[1] |= Number(length);
	else if (form === 16) {
		head[1] |= 126;
		head.writeUInt16BE(Number(length), 2);
	} else {
		head[1] |= 127;
		head.writeBigUInt64BE(length, 2);
	}
	if (!mask)
		return Buffer.concat([head, data]);
	const key = Buffer.isBuffer(mask) ? mask : randomBytes(4);
	key.copy(head, 2 + extra);
	maskBytes(data, key);
	return Buffer.concat([head, data]);
}

function maskBytes(data, key) {
	const whole = data.length & ~3;
	const [a, b, c, d] = key;
	for (let i = 0; i < whole; i += 4) {
		data[i] ^= a;
		data[i + 1] ^= b;
		data[i + 2] ^= c;
		data[i + 3] ^= d;
	}
	for (let i = whole; i < data.length; i++)
		data[i] ^= key[i & 3];
}

function closePayload(code, reason = '') {
	if (code === undefined)
		return Buffer.alloc(0);
	const text = Buffer.from(reason);
	const out = Buffer.alloc(2 + text.length);
	out.writeUInt16BE(code);
	text.copy(out, 2);
	return out;
}

/* A TCP connection that is read only on demand, with a byte queue of what was read. */
class Wire {
	/* With TLS (options of tls.connect) it speaks that. */
	constructor(port, { host = '127.0.0.1', localAddress, tls: secure } = {}) {
		this.chunks = [];
		this.have = 0;
		this.ended = false;  /* the server's FIN was read */
		this.error = null;   /* ECONNRESET and the like */
		this.tcp = net.connect({ port, host, localAddress, allowHalfOpen: true, noDelay: true });
		this.socket = secure ? tls.connect({ socket: this.tcp, allowHalfOpen: true, ...secure }) : this.tcp;
		if (secure)
			this.tcp.on('error', () => {}); /* the TLS socket tells it, too */
		this.connected = new Promise((resolve, reject) => {
			this.socket.once(secure ? 'secureConnect' : 'connect', resolve);
			this.socket.once('error', reject);
		});
		this.connected.catch(() => {});
		this.gone = new Promise((resolve) => { this.socket.once('close', resolve); });
		this.waiters = [];
		const wake = () => { for (const w of this.waiters.splice(0)) w(); };
		this.socket.on('readable', wake);
		this.socket.on('end', () => { this.ended = true; wake(); });
		this.socket.on('close', () => { this.ended = true; wake(); });
		this.socket.on('error', (e) => { this.error = e; wake(); });
	}

	/* Takes what the kernel has; waits for it if there is nothing. False at the end. */
	async fill() {
		for (;;) {
			const chunk = this.socket.read();
			if (chunk !== null) {
				this.chunks.push(chunk);
				this.have += chunk.length;
				return true;
			}
			if (this.ended || this.error)
				return false;
			await new Promise((resolve) => { this.waiters.push(resolve); });
		}
	}

	/* The first chunk has at least LEN bytes then (LEN <= this.have). */
	gather(len) {
		if (this.chunks.length > 0 && this.chunks[0].length >= len)
			return this.chunks[0];
		const parts = [];
		let size = 0;
		while (size < len) {
			const part = this.chunks.shift();
			parts.push(part);
			size += part.length;
		}
		const whole = Buffer.concat(parts);
		this.chunks.unshift(whole);
		return whole;
	}

	take(len) {
		if (len === 0)
			return Buffer.alloc(0);
		const first = this.gather(len);
		if (first.length === len)
			this.chunks.shift();
		else
			this.chunks[0] = first.subarray(len);
		this.have -= len;
		return first.subarray(0, len);
	}

	/* Resolves when the kernel has taken it, as far as node can tell. */
	write(data) {
		return new Promise((resolve, reject) => {
			this.socket.write(data, (e) => (e ? reject(e) : resolve()));
		});
	}

	finish() {
		this.socket.end();
	}

	/* Ends the connection with a RST, as a crash or a cut cable would. */
	reset() {
		this.tcp.resetAndDestroy();
	}

	destroy() {
		this.socket.destroy();
	}
}

/* Reads one HTTP response head from WIRE: { status, phrase, headers (lower case; a list joined by ', '), head }. */
async function readHead(wire) {
	let bytes = Buffer.alloc(0);
	let end;
	while ((end = bytes.indexOf('\r\n\r\n')) < 0) {
		if (wire.have > 0) {
			bytes = Buffer.concat([bytes, wire.take(wire.have)]);
			continue;
		}
		if (!await wire.fill())
			throw Object.assign(new Error(`the connection ended within the response head: ${JSON.stringify(bytes.toString())}`
				+ (wire.error ? ` (${wire.error.code})` : '')), { ended: true });
	}
	const rest = bytes.subarray(end + 4);
	if (rest.length > 0) {
		wire.chunks.unshift(rest);
		wire.have += rest.length;
	}
	const head = bytes.subarray(0, end).toString('latin1');
	const [start, ...fields] = head.split('\r\n');
	const m = /^HTTP\/1\.1 (\d{3}) ([\x20-\x7e]*)$/.exec(start);
	if (!m)
		throw new Breach(`status line ${JSON.stringify(start)}`);
	const headers = {};
	for (const line of fields) {
		const f = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t\x80-\xff]*?)[ \t]*$/.exec(line);
		if (!f)
			throw new Breach(`header line ${JSON.stringify(line)}`);
		const name = f[1].toLowerCase();
		headers[name] = headers[name] === undefined ? f[2] : `${headers[name]}, ${f[2]}`;
	}
	return { status: Number(m[1]), phrase: m[2], headers, head };
}

async function readLine(wire) {
	let line = '';
	while (!line.endsWith('\r\n')) {
		if (wire.have === 0 && !await wire.fill())
			throw new Breach('the chunked body ended before its last chunk');
		line += wire.take(1).toString('latin1');
	}
	return line.slice(0, -2);
}

/* RFC 9112 7.1, to the letter. EACH is given the data as it comes. */
async function readChunks(wire, each) {
	for (;;) {
		const line = await readLine(wire);
		if (!/^[0-9a-f]+$/i.test(line))
			throw new Breach(`chunk size ${JSON.stringify(line)}`);
		let left = parseInt(line, 16);
		if (left === 0) {
			if (await readLine(wire) !== '')
				throw new Breach('a trailer behind the last chunk');
			return;
		}
		while (left > 0) {
			if (wire.have === 0 && !await wire.fill())
				throw new Breach(`the chunked body ended within a chunk, ${left} bytes before its end`);
			const part = wire.take(Math.min(left, wire.have));
			left -= part.length;
			each(part);
		}
		if (await readLine(wire) !== '')
			throw new Breach('a chunk is longer than its size');
	}
}

async function readBody(wire, response, method) {
	if (method === 'HEAD' || [101, 204, 304].includes(response.status))
		return Buffer.alloc(0);
	if (response.headers['transfer-encoding'] === 'chunked') {
		const parts = [];
		await readChunks(wire, (part) => parts.push(part));
		return Buffer.concat(parts);
	}
	const length = response.headers['content-length'];
	if (length !== undefined) {
		while (wire.have < Number(length)) {
			if (!await wire.fill())
				throw new Breach(`the body ended after ${wire.have} of ${length} bytes`);
		}
		return wire.take(Number(length));
	}
	while (await wire.fill())
		;
	return wire.take(wire.have);
}

/*
 * Sends TEXT (a whole request, or what a test wants to be taken for one) and returns the response with
 * its body as `body`; `ended` tells whether the server then ended the connection.
 */
async function http(port, text, { ms = PATIENCE_MS, tls: secure, wire = new Wire(port, { tls: secure }), keep = false, waitEnd = false } = {}) {
	try {
		await wire.connected;
		wire.write(text).catch(() => {});
		const answer = await within(ms, readHead(wire), 'response');
		answer.body = (await within(ms, readBody(wire, answer, String(text).split(' ')[0]), 'response body')).toString('latin1');
		if (waitEnd) {
			await within(ms, (async () => { while (await wire.fill()); })(), 'end of the connection after the response');
			answer.ended = true;
		}
		return answer;
	} finally {
		if (!keep)
			wire.destroy();
	}
}

/* The request head of an upgrade; FIELDS replace the usual ones, or take them out (undefined). */
function upgradeHead(path = '/', fields = {}, { method = 'GET', version = 'HTTP/1.1' } = {}) {
	const all = {
		Host: '127.0.0.1',
		Upgrade: 'websocket',
		Connection: 'Upgrade',
		'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
		'Sec-WebSocket-Version': '13',
		...fields,
	};
	const rows = Object.entries(all).flatMap(([name, value]) =>
		value === undefined ? [] : [value].flat().map((v) => `${name}: ${v}\r\n`));
	return `${method} ${path} ${version}\r\n${rows.join('')}\r\n`;
}

/* permessage-deflate by hand: what a client remembers of what it sends and reads. */
class Deflate {
	/* TAKEOVER: of the server's messages. */
	constructor({ windowBits = 15, takeover = true } = {}) {
		this.windowBits = windowBits;
		this.takeover = takeover;
		this.window = Buffer.alloc(0);
	}

	/* A message of a client that remembers nothing, which is always its right. */
	pack(data) {
		return zlib.deflateRawSync(data, { windowBits: Math.max(9, this.windowBits), finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
	}

	unpack(data) {
		const whole = Buffer.concat([data, Buffer.from([0, 0, 0xff, 0xff])]);
		const out = zlib.inflateRawSync(whole, { dictionary: this.window.length > 0 ? this.window : undefined, finishFlush: zlib.constants.Z_SYNC_FLUSH });
		if (this.takeover)
			this.window = Buffer.concat([this.window, out]).subarray(-32768);
		return out;
	}
}

class Raw {
	constructor(wire) {
		this.wire = wire;
		this.left = 0;           /* of the payload of the frame under way */
		this.current = null;     /* { opcode, fin } of it */
		this.message = null;     /* kind of the data message under way */
		this.carry = Buffer.alloc(0); /* of a code point that is not all there */
		this.fragments = 0;      /* frames of the message under way */
		this.deflate = null;     /* a Deflate, if permessage-deflate was agreed upon */
		this.packed = false;     /* the message under way is compressed */
		this.first = false;
		this.closed = null;      /* { code, reason } once the server's Close came */
		this.autopong = true;
		this.pings = 0;
		this.pongs = [];
		this.sentClose = false;
		this.received = 0;       /* payload bytes of data messages */
	}

	/*
	 * Connects and upgrades. Options: path, headers, protocols (list), behind (bytes in the same write as
	 * the handshake). Throws with .answer if the server said anything but 101.
	 */
	static async open(port, { path = '/', headers = {}, protocols, behind, ms = PATIENCE_MS, host, localAddress, tls: secure } = {}) {
		const wire = new Wire(port, { host, localAddress, tls: secure });
		const key = randomBytes(16).toString('base64');
		const head = upgradeHead(path, {
			Host: `${host ?? '127.0.0.1'}:${port}`,
			'Sec-WebSocket-Key': key,
			...(protocols ? { 'Sec-WebSocket-Protocol': protocols.join(', ') } : {}),
			...headers,
		});
		try {
			await within(ms, wire.connected, 'connection');
			const whole = behind ? Buffer.concat([Buffer.from(head), behind]) : head;
			wire.write(whole).catch(() => {});
			const answer = await within(ms, readHead(wire), 'answer to the upgrade');
			if (answer.status !== 101) {
				answer.body = (await within(ms, readBody(wire, answer), 'body')).toString();
				throw Object.assign(new Error(`refused: ${answer.status} ${answer.body.trim()}`), { answer });
			}
			const c = new Raw(wire);
			c.answer = answer;
			c.protocol = answer.headers['sec-websocket-protocol'] ?? '';
			checkUpgrade(answer, key, protocols, headers['Sec-WebSocket-Extensions']);
			c.extensions = answer.headers['sec-websocket-extensions'] ?? '';
			if (c.extensions !== '')
				c.deflate = new Deflate({ takeover: !c.extensions.includes('server_no_context_takeover') });
			return c;
		} catch (e) {
			wire.destroy();
			throw e;
		}
	}

	send(bytes) {
		return this.wire.write(bytes);
	}

	text(s, options) {
		return this.send(frame(TEXT, s, options));
	}

	binary(b, options) {
		return this.send(frame(BINARY, b, options));
	}

	/* A whole message, compressed. */
	packedText(s) {
		return this.send(frame(TEXT, this.deflate.pack(s), { rsv: 4 }));
	}

	ping(b) {
		return this.send(frame(PING, b));
	}

	close(code, reason) {
		this.sentClose = true;
		return this.send(frame(CLOSE, closePayload(code, reason)));
	}

	/* The next piece without waiting; null if more bytes are needed; undefined if nothing can come any more. */
	pieceNow() {
		if (this.current === null && !this.beginFrame())
			return null;
		const { opcode, fin } = this.current;
		if (opcode >= 8) {
			if (this.wire.have < this.left)
				return null;
			const data = this.wire.take(this.left);
			this.current = null;
			return this.control(opcode, data);
		}
		if (this.left > 0 && this.wire.have === 0)
			return null;
		const size = Math.min(this.left, this.wire.have, this.wire.chunks.length > 0 ? this.wire.chunks[0].length : 0);
		const data = this.wire.take(size);
		this.left -= size;
		this.received += size;
		const frameEnds = this.left === 0;
		const last = frameEnds && fin;
		const piece = { kind: KINDS[this.message], data, first: this.first, last, fragments: this.fragments, packed: this.packed };
		this.first = false;
		if (this.message === TEXT && !this.packed)
			this.checkText(data, last);
		if (frameEnds)
			this.current = null;
		if (last)
			this.message = null;
		return piece;
	}

	beginFrame() {
		const w = this.wire;
		if (w.have < 2)
			return false;
		let head = w.gather(2);
		const short = head[1] & 0x7f;
		const size = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
		if (w.have < size)
			return false;
		head = w.take(size);
		if (this.closed)
			throw new Breach('a frame behind its Close frame');
		const opcode = head[0] & 15;
		const fin = (head[0] & 0x80) !== 0;
		const packed = (head[0] & 0x70) === 0x40 && this.deflate !== null && (opcode === TEXT || opcode === BINARY);
		if ((head[0] & 0x70) && !packed)
			throw new Breach(`reserved bits are set: ${head[0].toString(16)}`);
		if (head[1] & 0x80)
			throw new Breach('a masked frame');
		let length = short;
		if (short === 126) {
			length = head.readUInt16BE(2);
			if (length < 126)
				throw new Breach(`length ${length} in 16 bits`);
		} else if (short === 127) {
			const big = head.readBigUInt64BE(2);
			if (big < 65536n || big >= 1n << 63n)
				throw new Breach(`length ${big} in 64 bits`);
			length = Number(big);
		}
		if (![0, 1, 2, 8, 9, 10].includes(opcode))
			throw new Breach(`opcode ${opcode}`);
		if (opcode >= 8) {
			if (!fin)
				throw new Breach('a control frame in fragments');
			if (length > 125)
				throw new Breach(`a control frame of ${length} bytes`);
		} else if (opcode === CONTINUATION) {
			if (this.message === null)
				throw new Breach('a continuation of nothing');
			this.fragments++;
		} else {
			if (this.message !== null)
				throw new Breach('a new message inside another');
			this.message = opcode;
			this.packed = packed;
			this.first = true;
			this.fragments = 1;
		}
		this.current = { opcode, fin };
		this.left = length;
		return true;
	}

	control(opcode, data) {
		if (opcode === PING) {
			this.pings++;
			if (this.autopong && !this.closed)
				this.send(frame(PONG, data)).catch(() => {});
		} else if (opcode === PONG) {
			this.pongs.push(data);
		} else {
			if (data.length === 1)
				throw new Breach('a Close frame with one byte');
			const code = data.length ? data.readUInt16BE(0) : 1005;
			if (data.length && !closeCodeMayBeSent(code))
				throw new Breach(`close code ${code}`);
			if (!isUtf8(data.subarray(2)))
				throw new Breach('a close reason that is not UTF-8');
			if (this.message !== null && this.strictEnd)
				throw new Breach('a Close frame inside a message');
			this.closed = { code, reason: data.subarray(2).toString() };
		}
		return { kind: KINDS[opcode], data, first: true, last: true, control: true };
	}

	checkText(data, last) {
		const text = this.carry.length ? Buffer.concat([this.carry, data]) : data;
		let cut = text.length;
		if (!last) {
			/* Leave a code point that is not complete for the next piece. */
			for (let back = 1; back <= Math.min(3, text.length); back++) {
				const byte = text[text.length - back];
				if ((byte & 0xc0) === 0x80)
					continue;
				const need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
				if (need > back)
					cut = text.length - back;
				break;
			}
		}
		if (!isUtf8(text.subarray(0, cut)))
			throw new Breach('a text message that is not UTF-8');
		this.carry = Buffer.from(text.subarray(cut));
	}

	/* The next piece of data or control frame; null if the connection ended. */
	async piece() {
		for (;;) {
			const p = this.pieceNow();
			if (p !== null)
				return p;
			if (!await this.wire.fill())
				return null;
		}
	}

	/* The next whole data message { kind, data, fragments }, or null when a Close frame or the end comes. */
	async next(ms = PATIENCE_MS) {
		return within(ms, this.collect(), () => `message (closed: ${JSON.stringify(this.closed)}, received: ${this.received})`);
	}

	async collect() {
		const parts = [];
		for (;;) {
			const p = await this.piece();
			if (p === null || p.kind === 'close')
				return null;
			if (p.control)
				continue;
			parts.push(p.data);
			if (p.last)
				return { kind: p.kind, data: this.unpack(p, Buffer.concat(parts)), fragments: p.fragments, ...(p.packed && { packed: true }) };
		}
	}

	unpack({ kind, packed }, payload) {
		const data = packed ? this.deflate.unpack(payload) : payload;
		if (packed && kind === 'text' && !isUtf8(data))
			throw new Breach('a text message that is not UTF-8');
		return data;
	}

	async nextText(ms) {
		const m = await this.next(ms);
		if (m === null)
			throw new Error(`no message, but ${this.closed ? `close ${this.closed.code} "${this.closed.reason}"` : 'the end'}`);
		if (m.kind !== 'text')
			throw new Error(`a ${m.kind} message where text was expected`);
		return m.data.toString();
	}

	/* Hands every piece to SEE until the server closes; returns { code, reason }. Then answers the Close. */
	async readToClose({ see = () => {}, ms = PATIENCE_MS } = {}) {
		await within(ms, (async () => {
			for (;;) {
				let p;
				while ((p = this.pieceNow()) !== null) {
					if (p.kind === 'close')
						return;
					if (!p.control)
						see(p);
				}
				if (!await this.wire.fill())
					return;
			}
		})(), () => `Close frame (received ${this.received} bytes)`);
		if (!this.closed)
			throw new Error(`the connection ended without a Close frame, as 1006${this.wire.error ? ` (${this.wire.error.code})` : ''}, after ${this.received} bytes`);
		return this.closed;
	}

	/* What a well-behaved client does at the end: reads on, answers the Close, and waits for the server to end TCP first. STAY: its own end stays open. */
	async leave({ ms = PATIENCE_MS, code = this.closed?.code, see, stay = false } = {}) {
		if (!this.closed)
			await this.readToClose({ ms, see });
		if (!this.sentClose)
			await this.close(code === 1005 ? undefined : code).catch(() => {});
		await within(ms, (async () => {
			while (await this.wire.fill())
				;
		})(), 'end of TCP after both Close frames');
		if (this.wire.have > 0)
			throw new Breach(`${this.wire.have} bytes behind its Close frame`);
		if (this.wire.error)
			throw new Error(`the connection ended with ${this.wire.error.code}`);
		if (!stay)
			this.wire.finish();
		return this.closed;
	}

	/* Sends a Close and does the above. */
	async bye(code = 1000, reason = '', options) {
		await this.close(code, reason);
		return this.leave(options);
	}

	reset() {
		this.wire.reset();
	}

	destroy() {
		this.wire.destroy();
	}
}

function checkUpgrade(answer, key, offered = [], extensions = '') {
	const h = answer.headers;
	const accept = createHash('sha1').update(key + GUID).digest('base64');
	if (h['sec-websocket-accept'] !== accept)
		throw new Breach(`Sec-WebSocket-Accept is ${h['sec-websocket-accept']}`);
	if ((h.upgrade ?? '').toLowerCase() !== 'websocket')
		throw new Breach(`Upgrade is ${h.upgrade}`);
	if ((h.connection ?? '').toLowerCase() !== 'upgrade')
		throw new Breach(`Connection is ${h.connection}`);
	if (h['sec-websocket-extensions'] !== undefined && !(extensions.includes('permessage-deflate') && /^permessage-deflate(;|$)/.test(h['sec-websocket-extensions'])))
		throw new Breach(`an extension nobody offered: ${h['sec-websocket-extensions']}`);
	const protocol = h['sec-websocket-protocol'];
	if (protocol !== undefined && !offered.includes(protocol))
		throw new Breach(`a subprotocol nobody offered: ${protocol}`);
	if (h['content-length'] !== undefined || h['transfer-encoding'] !== undefined)
		throw new Breach('a body in a 101 response');
}

module.exports = { Raw, Wire, Deflate, Breach, frame, maskBytes, closePayload, upgradeHead, http, readHead, readBody, readChunks, TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION };
