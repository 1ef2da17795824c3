'use strict';
/* permessage-deflate for a client that is strict: it packs within what was agreed upon, and what it cannot unpack within that is wrong. */

const zlib = require('node:zlib');

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);

/* Feeds DATA to STREAM and gives what comes of it. */
function through(stream, data) {
	return new Promise((resolve, reject) => {
		const parts = [];
		const take = (d) => parts.push(d);
		stream.on('data', take);
		stream.once('error', reject);
		stream.write(data);
		stream.flush(zlib.constants.Z_SYNC_FLUSH, () => {
			stream.off('data', take);
			stream.off('error', reject);
			resolve(Buffer.concat(parts));
		});
	});
}

/* The parameters of one offer or answer: { name: value or true }; null if one comes twice. */
function parameters(text) {
	const all = {};
	for (const part of text.split(';').slice(1)) {
		const [name, value = true] = part.split('=').map((s) => s.trim());
		if (name in all)
			return null;
		all[name] = value === true ? true : Number(value.replace(/["\\]/g, ''));
	}
	return all;
}

class Packer {
	constructor({ client_max_window_bits: bits = 15, client_no_context_takeover: forgets }) {
		this.forgets = forgets;
		/* zlib cannot do 8: then there are no matches at all. */
		this.options = { windowBits: Math.max(9, bits), strategy: bits === 8 ? zlib.constants.Z_HUFFMAN_ONLY : zlib.constants.Z_DEFAULT_STRATEGY };
	}

	async pack(data) {
		if (!this.stream || this.forgets)
			this.stream = zlib.createDeflateRaw(this.options);
		return (await through(this.stream, data)).subarray(0, -4);
	}
}

class Unpacker {
	/* STRICT: with little room for what comes out, zlib has its window alone to look back into. It takes its time. */
	constructor({ server_max_window_bits: bits = 15, server_no_context_takeover: forgets }, strict = false) {
		this.forgets = forgets;
		this.options = { windowBits: bits, chunkSize: strict ? 64 : 65536 };
	}

	async unpack(data) {
		if (!this.stream || this.forgets)
			this.stream = zlib.createInflateRaw(this.options);
		return through(this.stream, Buffer.concat([data, TAIL]));
	}
}

module.exports = { Packer, Unpacker, parameters };
