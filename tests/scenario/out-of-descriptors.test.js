'use strict';
/* When descriptors are out, live connections go on, and accepting resumes when there is room. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { scenario, SLOW, NOT_WRAPPED } = require('./lib/wsgate');
const { pause } = require('./lib/bounds');
const { echo } = require('./lib/services');

const cpuTicks = (pid) => {
	const f = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
	return Number(f[11]) + Number(f[12]);
};

/* valgrind has a limit of its own, and closes what is accepted above it. */
scenario('40 descriptors, and more clients than that', async (s) => {
	const svc = await echo(s);
	const g = await s.gate({ wrap: ['prlimit', '--nofile=40:40'], args: [`--tcp=127.0.0.1:${svc.port}`] });
	const live = await g.open('/');
	const speaks = async (word) => {
		await live.binary(word);
		assert.equal((await live.next()).data.toString(), word);
	};
	await speaks('one');

	/* One after the other, until there is no descriptor for the service (503), or for the client (it waits). */
	const served = [];
	const refused = await (async () => {
		for (;;)
			served.push(await g.open('/', { ms: 2000 }));
	})().catch((e) => e.answer?.status ?? e.message);
	assert.match(String(refused), /^503$|^no answer/);
	assert.ok(served.length >= 8, `${served.length} served`);
	await speaks('two');

	/* Others who only knock take what is left: accepting pauses, and says so. */
	const idle = Array.from({ length: 30 }, () => g.wire());
	await g.line(/out of descriptors/);
	const before = cpuTicks(g.pid);
	for (let i = 0; i < 20; i++) {
		await speaks(`still ${i}`);
		await pause(25);
	}
	const ticks = cpuTicks(g.pid) - before;
	assert.ok(ticks < 25 * SLOW, `it spins: ${ticks} ticks of processor time in half a second`);
	assert.ok(g.lines.filter((l) => /out of descriptors/.test(l)).length < 10, 'the log is not flooded');

	for (const w of [...idle, ...served])
		w.destroy();
	await g.line(/accepting again/, { ms: 10000 });
	const c = await g.open('/');
	await c.binary('room again');
	assert.equal((await c.next()).data.toString(), 'room again');
	await speaks('last');
	assert.equal((await live.bye()).code, 1000);
}, { skip: NOT_WRAPPED });

scenario('no descriptors for another program: 503, and the running ones go on', async (s) => {
	const g = await s.gate({ wrap: ['prlimit', '--nofile=40:40'], args: ['cat'] });
	const served = [];
	const refused = [];
	for (let i = 0; i < 12; i++) {
		try {
			served.push(await g.open('/', { ms: 3000 }));
		} catch (e) {
			refused.push(e.answer?.status ?? e.message);
			break;
		}
	}
	assert.ok(served.length >= 2, `${served.length} served`);
	for (const status of refused)
		assert.ok(status === 503 || status === 500 || /no answer|connection/.test(status), `${status}`);
	for (const c of served) {
		await c.text('well');
		assert.equal(await c.nextText(), 'well');
	}
	const first = served.shift();
	await first.bye();
	for (const c of served) {
		await c.text('still');
		assert.equal(await c.nextText(), 'still');
	}
});
