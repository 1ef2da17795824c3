'use strict';
/* 16 MiB out and back while both directions are full: nothing locks up, nothing is lost. */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');
const { echo } = require('./lib/services');
const { frame, TEXT, BINARY } = require('./lib/raw');
const bytes = require('./lib/bytes');

const SIZE = 16 * bytes.MiB;

/* Writes all frames before it reads anything, then reads: a gateway that reads only when it can write locks up here. */
async function fillThenRead(c, frames, { lines }) {
	const sent = Promise.all(frames.map((f) => c.send(f)));
	sent.catch(() => {});
	const hash = bytes.createHash('sha1');
	let size = 0;
	while (size < SIZE) {
		let p;
		const batch = [];
		while ((p = c.pieceNow()) !== null) {
			assert.notEqual(p.kind, 'close', `closed after ${size} bytes: ${JSON.stringify(c.closed)}`);
			if (p.control)
				continue;
			batch.push(p.data);
			size += p.data.length;
			if (lines && p.last) {
				batch.push(Buffer.from('\n'));
				size++;
			}
		}
		hash.update(Buffer.concat(batch));
		if (size < SIZE)
			assert.ok(await c.wire.fill(), `the end after ${size} bytes`);
	}
	await sent;
	return hash.digest('hex');
}

function rawFrames(data) {
	const frames = [];
	for (let at = 0; at < data.length; at += 100000)
		frames.push(frame(BINARY, data.subarray(at, at + 100000)));
	return frames;
}

scenario('through cat, in lines', async (s) => {
	const g = await s.gate(['cat']);
	const data = bytes.lines(SIZE, 11);
	const c = await g.open('/');
	const frames = [];
	let batch = [];
	for (const row of data.toString().split('\n').slice(0, -1)) {
		batch.push(frame(TEXT, row));
		if (batch.length === 1000)
			frames.push(Buffer.concat(batch.splice(0)));
	}
	frames.push(Buffer.concat(batch));
	assert.equal(await fillThenRead(c, frames, { lines: true }), bytes.sha1(data));
	assert.equal((await c.bye()).code, 1000);
});

scenario('through cat, raw', async (s) => {
	const g = await s.gate(['--framing=raw', 'cat']);
	const data = bytes.raw(SIZE, 12);
	const c = await g.open('/');
	assert.equal(await fillThenRead(c, rawFrames(data), {}), bytes.sha1(data));
	assert.equal((await c.bye()).code, 1000);
});

scenario('through a TCP echo', async (s) => {
	const svc = await echo(s);
	const g = await s.gate([`--tcp=127.0.0.1:${svc.port}`]);
	const data = bytes.raw(SIZE, 13);
	const c = await g.open('/');
	assert.equal(await fillThenRead(c, rawFrames(data), {}), bytes.sha1(data));
	assert.equal((await c.bye()).code, 1000);
});

scenario('a message of 16 MiB in one frame comes back whole as a line', async (s) => {
	const g = await s.gate(['--max-message=17m', 'cat']);
	const text = Buffer.from('abcdefgh€'.repeat(SIZE / 16));
	const c = await g.open('/');
	c.text(text).catch(() => {});
	const m = await c.next(30000);
	assert.equal(m.kind, 'text');
	assert.equal(bytes.sha1(m.data), bytes.sha1(text));
	assert.equal((await c.bye()).code, 1000);
});
