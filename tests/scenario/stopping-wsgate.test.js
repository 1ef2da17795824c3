'use strict';
/* SIGTERM: nobody new, 1001 to everybody, programs stopped, exit 0. A second one: at once. */

const assert = require('node:assert/strict');
const { scenario, within, until } = require('./lib/wsgate');
const { echo } = require('./lib/services');
const { Wire } = require('./lib/raw');

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
	scenario(`${signal}: 1001 to every client, exit 0`, async (s) => {
		const svc = await echo(s);
		const g = await s.gate({ ini: `[/cat]\nexec = /bin/cat\n[/tcp]\ntcp = 127.0.0.1:${svc.port}\n` });
		const clients = [...await Promise.all(Array.from({ length: 10 }, () => g.open('/cat'))), ...await Promise.all(Array.from({ length: 10 }, () => g.open('/tcp')))];
		g.signal(signal);
		await Promise.all(clients.map(async (c) => {
			const end = await c.leave();
			assert.equal(end.code, 1001);
			assert.ok(end.reason.length > 0, 'a reason');
		}));
		assert.deepEqual(await within(10000, g.exited, 'exit'), { code: 0, signal: null });
	});
}

scenario('what programs still had to say is sent before the 1001', async (s) => {
	const g = await s.gate({
		files: { 'polite.sh': '#!/bin/sh\ntrap "echo goodbye; exit 0" TERM INT\necho ready\nwhile read -r x; do echo "$x"; done\necho "end of input"\n' },
		ini: '[/]\nexec = ./polite.sh\n',
	});
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'ready');
	g.signal('SIGTERM');
	const rest = [];
	for (let m; (m = await c.next()) !== null;)
		rest.push(m.data.toString());
	s.say(`after SIGTERM the client still got: ${JSON.stringify(rest)}`);
	assert.equal((await c.leave()).code, 1001);
	await within(10000, g.exited, 'exit');
});

scenario('no new client while it stops, and a client that says nothing is not waited for longer than drain_timeout', async (s) => {
	const g = await s.gate({ ini: '[server]\ndrain_timeout = 1s\n[/]\nexec = /bin/cat\n' });
	const c = await g.open('/');
	const half = g.wire();
	await half.connected;
	await half.write('GET / HTTP/1.1\r\n');
	const started = Date.now();
	g.signal('SIGTERM');
	await c.readToClose();
	const late = new Wire(g.port);
	await assert.rejects(late.connected, /ECONNREFUSED/);
	/* C never answers the Close frame. */
	assert.deepEqual(await within(10000, g.exited, 'exit'), { code: 0, signal: null });
	s.say(`gone after ${Date.now() - started} ms`);
});

scenario('an impatient hand does no harm: SIGTERM again and again, and still exit 0', async (s) => {
	for (let i = 0; i < 20; i++) {
		const g = await s.gate(['--workers=2', 'cat']);
		let over = false;
		const exited = g.exited.finally(() => { over = true; });
		for (let n = 0; !over && n < 100000; n++) {
			try { g.signal('SIGTERM'); } catch { break; } /* gone */
			await new Promise(setImmediate);
		}
		assert.deepEqual(await within(10000, exited, 'exit'), { code: 0, signal: null });
	}
});

scenario('a stubborn program does not hold it up beyond its ladder', async (s) => {
	const g = await s.gate({ files: { 'stubborn.sh': '#!/bin/sh\ntrap "" INT TERM\necho ready\nwhile :; do sleep 1000; done\n' }, ini: '[/]\nexec = ./stubborn.sh\n' });
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'ready');
	const started = Date.now();
	g.signal('SIGTERM');
	assert.equal((await c.leave()).code, 1001);
	await within(8000, g.exited, 'exit');
	s.say(`gone after ${Date.now() - started} ms`);
	assert.equal(g.exit.code, 0);
});

scenario('a second SIGTERM ends it at once', async (s) => {
	const g = await s.gate({
		files: { 'stubborn.sh': '#!/bin/sh\ntrap "" INT TERM\necho ready\nwhile :; do sleep 1000; done\n' },
		ini: '[server]\ndrain_timeout = 60s\n[/]\nexec = ./stubborn.sh\nstop = eof 30s, KILL\n',
	});
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'ready');
	g.signal('SIGTERM');
	await until(5000, async () => {
		const late = new Wire(g.port);
		return late.connected.then(() => { late.destroy(); return false; }, () => true);
	}, 'it is stopping');
	assert.equal(g.exit, null, 'it waits for the program');
	g.signal('SIGTERM');
	await within(3000, g.exited, 'exit');
	await until(3000, () => g.family().length === 0, 'the program went along');
	await g.line(/close=1001 by=server .*signal=KILL/);
});

scenario('SIGTERM while nobody is there', async (s) => {
	const g = await s.gate(['cat']);
	const started = Date.now();
	await g.stop();
	assert.ok(Date.now() - started < 5000);
});

scenario('SIGPIPE does not end it', async (s) => {
	const g = await s.gate({ ini: '[/]\nexec = /bin/cat\n' });
	const c = await g.open('/');
	g.signal('SIGPIPE');
	await c.text('here');
	assert.equal(await c.nextText(), 'here');
});
