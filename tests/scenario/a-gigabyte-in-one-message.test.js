'use strict';
/* One message of any size passes through in constant memory. */

const assert = require('node:assert/strict');
const { scenario, FULL } = require('./lib/wsgate');
const { sink } = require('./lib/services');
const { frame, maskBytes, TEXT, BINARY, CONTINUATION } = require('./lib/raw');
const bytes = require('./lib/bytes');

const SIZE = (FULL ? 1024 : 128) * bytes.MiB;

scenario(`${SIZE / bytes.MiB} MiB in one frame to a TCP service`, async (s) => {
	const svc = await sink(s);
	const g = await s.gate(['--max-message=2g', '--send-timeout=0', `--tcp=127.0.0.1:${svc.port}`]);
	const c = await g.open('/');
	const before = g.rss();
	const key = Buffer.from([1, 2, 3, 4]);
	const block = bytes.raw(bytes.MiB, 41);
	const masked = Buffer.from(block);
	maskBytes(masked, key);
	const hash = bytes.createHash('sha1');
	const head = frame(BINARY, '', { declared: SIZE, mask: key });
	await c.send(head);
	let worst = 0;
	for (let at = 0; at < SIZE; at += block.length) {
		await c.send(masked);
		hash.update(block);
		worst = Math.max(worst, g.rss() - before);
	}
	assert.equal((await c.bye(1000, '', { ms: 60000 })).code, 1000);
	assert.deepEqual(await svc.done, { bytes: SIZE, sha1: hash.digest('hex') });
	s.say(`memory grew by ${(worst / 1024).toFixed(0)} KiB`);
	if (g.memoryIsItsOwn)
		assert.ok(worst < 1.5 * bytes.MiB, `memory grew by ${worst}`);
}, { seconds: 300 });

scenario('64 MiB of text in fragments, without any limit', async (s) => {
	const svc = await sink(s);
	const g = await s.gate(['--max-message=0', `--tcp=127.0.0.1:${svc.port}`]);
	const c = await g.open('/');
	const before = g.rss();
	const hash = bytes.createHash('sha1');
	const round = Buffer.from('größer als 16 MiB 𝄞 '.repeat(3000));
	let first = true;
	let worst = 0;
	const size = 64 * bytes.MiB;
	let sent = 0;
	while (sent < size) {
		/* Two fragments, cut inside a code point. */
		for (const part of [round.subarray(0, 33322), round.subarray(33322)]) {
			await c.send(frame(first ? TEXT : CONTINUATION, part, { fin: false }));
			hash.update(part);
			sent += part.length;
			first = false;
		}
		worst = Math.max(worst, g.rss() - before);
	}
	await c.send(frame(CONTINUATION, '.'));
	hash.update('.');
	assert.equal((await c.bye(1000, '', { ms: 60000 })).code, 1000);
	assert.deepEqual(await svc.done, { bytes: sent + 1, sha1: hash.digest('hex') });
	if (g.memoryIsItsOwn)
		assert.ok(worst < 1.5 * bytes.MiB, `memory grew by ${worst}`);
}, { seconds: 120 });
