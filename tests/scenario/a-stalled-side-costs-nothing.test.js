'use strict';
/* Who does not read is waited for: the other side is paused, memory stays, and nothing is lost after. */

const assert = require('node:assert/strict');
const { scenario, until, processOf } = require('./lib/wsgate');
const { pause } = require('./lib/bounds');
const { frame, BINARY } = require('./lib/raw');
const bytes = require('./lib/bytes');

const SIZE = 40 * bytes.MiB;
const ALLOWED = bytes.MiB;

/* Memory that a first connection takes once and for all does not count. */
async function warmed(g, path) {
	for (let i = 0; i < 8; i++) {
		const c = await g.open(path);
		await c.text('warm');
		await c.bye();
	}
	await g.childless();
	return g.rss();
}

/* Waits until NUMBER() has not moved for a while, and returns it. */
async function standsStill(number, what) {
	let last = NaN;
	let since = 0;
	await until(20000, async () => {
		const now = number();
		if (now !== last) {
			last = now;
			since = Date.now();
		}
		await pause(20);
		return Date.now() - since > 400;
	}, what);
	return last;
}

for (const framing of ['lines', 'raw']) {
	scenario(`a client that never reads, a program that floods (${framing})`, async (s) => {
		const g = await s.gate({
			files: { 'flood.sh': '#!/bin/sh\nread -r go; [ "$go" = go ] && exec cat big\n' },
			ini: `[/]\nexec = ./flood.sh\nframing = ${framing}\n`,
		});
		const lines = framing === 'lines';
		const sha1 = bytes.writeBig(g.path('big'), lines ? bytes.lines(bytes.MiB, 21) : bytes.raw(bytes.MiB, 21), SIZE);
		const before = await warmed(g, '/');
		const c = await g.open('/');
		await c.text('go\n');
		const pid = (await until(5000, () => g.children()[0], 'the program runs')).pid;
		const taken = () => Number(/^wchar: (\d+)/m.exec(require('node:fs').readFileSync(`/proc/${pid}/io`, 'latin1'))[1]);
		const stuck = await standsStill(taken, 'the flood stands still');
		assert.ok(stuck < SIZE / 2, `the program was not held: it wrote ${stuck} bytes`);
		assert.equal(processOf(pid).state, 'S', 'it sleeps in write');
		const grown = g.rss() - before;
		s.say(`${framing}: held after ${(stuck / bytes.MiB).toFixed(1)} MiB, memory grew by ${(grown / 1024).toFixed(0)} KiB`);
		if (g.memoryIsItsOwn)
			assert.ok(grown < ALLOWED, `memory grew by ${grown} bytes`);
		const hash = bytes.createHash('sha1');
		let size = 0;
		await c.readToClose({ ms: 60000, see: (p) => {
			hash.update(p.data);
			size += p.data.length;
			if (lines && p.last) {
				hash.update('\n');
				size++;
			}
		} });
		assert.deepEqual({ size, sha1: hash.digest('hex') }, { size: SIZE, sha1 });
		assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
	});
}

scenario('a program that never reads, a client that floods', async (s) => {
	const g = await s.gate({
		files: { 'deaf.sh': '#!/bin/sh\nwhile [ ! -e go ]; do sleep 0.05; done\nsha1sum > sum.new\nmv sum.new sum\n', 'warm.sh': '#!/bin/sh\nexec cat\n' },
		ini: '[/]\nexec = ./deaf.sh\nframing = raw\nstop = eof 30s, KILL\n[/warm]\nexec = ./warm.sh\n',
	});
	const before = await warmed(g, '/warm');
	const data = bytes.raw(SIZE, 22);
	const c = await g.open('/');
	for (let at = 0; at < SIZE; at += 65536)
		c.send(frame(BINARY, data.subarray(at, at + 65536))).catch(() => {});
	const waiting = await standsStill(() => c.wire.socket.writableLength, 'the client is held');
	assert.ok(waiting > SIZE / 2, `the client was not held: ${waiting} bytes wait`);
	const grown = g.rss() - before;
	s.say(`the client is held with ${((SIZE - waiting) / bytes.MiB).toFixed(1)} MiB under way, memory grew by ${(grown / 1024).toFixed(0)} KiB`);
	if (g.memoryIsItsOwn)
		assert.ok(grown < ALLOWED, `memory grew by ${grown} bytes`);
	g.write('go', '');
	await c.close(1000);
	assert.equal((await c.leave({ ms: 60000 })).code, 1000);
	await until(20000, () => g.exists('sum'), 'the program read to the end');
	assert.equal(g.read('sum').toString().slice(0, 40), bytes.sha1(data));
});

scenario('while one client stalls, others are served at once', async (s) => {
	const g = await s.gate({ ini: '[/flood]\nshell = yes\n[/echo]\nexec = /bin/cat\n' });
	const stalled = await Promise.all(Array.from({ length: 10 }, () => g.open('/flood')));
	const c = await g.open('/echo');
	const times = [];
	for (let i = 0; i < 50; i++) {
		const t = process.hrtime.bigint();
		await c.text(`n${i}`);
		assert.equal(await c.nextText(), `n${i}`);
		times.push(Number(process.hrtime.bigint() - t) / 1e6);
	}
	times.sort((a, b) => a - b);
	s.say(`echo beside 10 stalled floods: median ${times[25].toFixed(1)} ms, worst ${times[49].toFixed(1)} ms`);
	assert.ok(times[25] < 50, `median ${times[25]} ms`);
	assert.equal(stalled.length, 10);
});

scenario('a flood of pings to a client that does not read the pongs', async (s) => {
	const g = await s.gate(['cat']);
	const before = await warmed(g, '/');
	const { PING } = require('./lib/raw');
	const c = await g.open('/');
	const batch = Buffer.concat(Array.from({ length: 1000 }, () => frame(PING, 'x'.repeat(100))));
	for (let i = 0; i < 200; i++)
		c.send(batch).catch(() => {});
	await standsStill(() => c.wire.socket.writableLength, 'the flood ended or is held');
	const grown = g.rss() - before;
	s.say(`memory grew by ${(grown / 1024).toFixed(0)} KiB under 200,000 pings`);
	if (g.memoryIsItsOwn)
		assert.ok(grown < ALLOWED, `memory grew by ${grown} bytes`);
	c.text('after').catch(() => {});
	assert.equal(await c.nextText(30000), 'after');
});
