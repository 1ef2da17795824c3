'use strict';
/* Bytes that can be told apart: content that is the same in every run, and its checksum. */

const { createHash } = require('node:crypto');
const fs = require('node:fs');

/* A small generator of numbers (xorshift32), the same in every run. */
function numbers(seed = 1) {
	let x = (seed * 2654435761) >>> 0 || 1;
	return () => {
		x ^= x << 13;
		x >>>= 0;
		x ^= x >>> 17;
		x ^= x << 5;
		x >>>= 0;
		return x;
	};
}

/* LEN bytes of every value. */
function raw(len, seed = 1) {
	const next = numbers(seed);
	const out = Buffer.allocUnsafe((len + 3) & ~3);
	for (let i = 0; i < len; i += 4)
		out.writeUInt32LE(next(), i);
	return out.subarray(0, len);
}

/* Text of LEN bytes: numbered lines of different lengths, some of them empty, some with code points of 2 to 4 bytes. */
function lines(len, seed = 1) {
	const next = numbers(seed);
	const fill = 'the quick brown fox — jumps über 𝄞 the lazy dog; '.repeat(40);
	const parts = [];
	let have = 0;
	for (let n = 0; have < len; n++) {
		const size = next() % 11 === 0 ? 0 : next() % (next() % 7 === 0 ? 1500 : 90);
		const line = Buffer.from(size === 0 ? '\n' : `${n} ${fill.slice(0, size)}\n`);
		parts.push(line);
		have += line.length;
	}
	const whole = Buffer.concat(parts);
	/* Cut at a line's end, then fill up with a last line of plain letters. */
	let end = whole.lastIndexOf(10, len - 2) + 1;
	if (end <= 0)
		end = 0;
	const tail = Buffer.alloc(len - end, 'z');
	if (tail.length > 0)
		tail[tail.length - 1] = 10;
	return Buffer.concat([whole.subarray(0, end), tail]);
}

const sha1 = (data) => createHash('sha1').update(data).digest('hex');

function sha1OfFile(path) {
	const hash = createHash('sha1');
	const fd = fs.openSync(path, 'r');
	const chunk = Buffer.allocUnsafe(1 << 20);
	for (let n; (n = fs.readSync(fd, chunk)) > 0;)
		hash.update(chunk.subarray(0, n));
	fs.closeSync(fd);
	return hash.digest('hex');
}

/* Writes BLOCK to PATH until the file has SIZE bytes, and returns its checksum. */
function writeBig(path, block, size) {
	const hash = createHash('sha1');
	const fd = fs.openSync(path, 'w');
	for (let left = size; left > 0; left -= block.length) {
		const part = left < block.length ? block.subarray(0, left) : block;
		fs.writeSync(fd, part);
		hash.update(part);
	}
	fs.closeSync(fd);
	return hash.digest('hex');
}

const MiB = 1 << 20;

module.exports = { raw, lines, numbers, sha1, sha1OfFile, writeBig, createHash, MiB };
