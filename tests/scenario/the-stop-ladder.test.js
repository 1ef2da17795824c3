'use strict';
/* When the client is gone its program is stopped: EOF, INT, TERM, KILL, with its grandchildren. No orphan, ever. */

const assert = require('node:assert/strict');
const { scenario, until, isAlive, processOf, bound } = require('./lib/wsgate');

const stubborn = '#!/bin/sh\ntrap "" INT TERM HUP\nsleep 1000 &\n(trap "" INT TERM; sleep 1000) &\necho ready\nwhile :; do sleep 1000; done\n';

async function killedWithin(g, c, leave, ms) {
	assert.equal(await c.nextText(), 'ready');
	const family = g.family();
	assert.ok(family.length >= 3, 'the program and its children run');
	const started = Date.now();
	await leave();
	await until(ms, () => family.every((p) => !isAlive(p.pid)), () => `all ended: ${JSON.stringify(g.family())}`);
	await g.childless(2000);
	return Date.now() - started;
}

scenario('a program that ignores EOF, INT and TERM is killed within its time, grandchildren too', async (s) => {
	const g = await s.gate({ files: { 'stubborn.sh': stubborn }, ini: '[/]\nexec = ./stubborn.sh\n' });
	const c = await g.open('/');
	const took = await killedWithin(g, c, () => c.close(1000), 5000);
	s.say(`killed after ${took} ms (100 + 250 + 500 are its time)`);
	assert.ok(took >= 700 && took < bound(3000), `${took} ms`);
	assert.equal((await c.leave()).code, 1000);
});

scenario('the same if the client is cut off', async (s) => {
	const g = await s.gate({ files: { 'stubborn.sh': stubborn }, ini: '[/]\nexec = ./stubborn.sh\n' });
	const c = await g.open('/');
	await killedWithin(g, c, async () => c.reset(), 5000);
});

scenario('the same while it writes without end to a client that is gone', async (s) => {
	const g = await s.gate({ files: { 'flood.sh': '#!/bin/sh\ntrap "" INT TERM PIPE\nsleep 1000 & sleep 1000 &\necho ready\nwhile :; do echo spam 2>/dev/null || sleep 0.05; done\n' }, ini: '[/]\nexec = ./flood.sh\n' });
	const c = await g.open('/');
	await killedWithin(g, c, async () => c.reset(), 8000);
});

scenario('each step comes in its turn and at its time', async (s) => {
	const g = await s.gate({
		files: {
			'steps.js': `#!${process.execPath}
const fs = require("fs");
const t = [];
const note = (w) => fs.appendFileSync("steps", w + " " + Date.now() + "\\n");
process.on("SIGINT", () => note("INT"));
process.on("SIGTERM", () => note("TERM"));
process.stdin.on("end", () => note("EOF")).resume();
setInterval(() => {}, 1000);
console.log("ready");
`,
		},
		ini: '[/]\nexec = ./steps.js\nstop = eof 200ms, INT 300ms, TERM 400ms, KILL\n',
	});
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'ready');
	const pid = g.children()[0].pid;
	await c.close(1000);
	await until(10000, () => !isAlive(pid), 'it was killed');
	const killed = Date.now();
	const steps = g.read('steps').toString().trim().split('\n').map((l) => l.split(' '));
	assert.deepEqual(steps.map((x) => x[0]), ['EOF', 'INT', 'TERM']);
	const [eof, int, term] = steps.map((x) => Number(x[1]));
	s.say(`EOF, INT +${int - eof} ms, TERM +${term - int} ms, KILL +${killed - term} ms`);
	assert.ok(int - eof >= 150 && term - int >= 250 && killed - term >= 350, `${int - eof} ${term - int} ${killed - term}`);
});

scenario('a program that ends at EOF is not signalled', async (s) => {
	const g = await s.gate({ files: { 'good.sh': '#!/bin/sh\ntrap "echo INT >> seen" INT\ntrap "echo TERM >> seen" TERM\ncat > /dev/null\necho EOF >> seen\n' }, ini: '[/]\nexec = ./good.sh\n' });
	const c = await g.open('/');
	await c.bye(1000);
	await g.childless();
	assert.equal(g.read('seen').toString(), 'EOF\n');
});

scenario('a program leads a process group of its own', async (s) => {
	const g = await s.gate(['cat']);
	await g.open('/');
	const [child] = await until(5000, () => (g.children().length ? g.children() : null), 'the program runs');
	assert.equal(child.pgrp, child.pid);
	assert.notEqual(processOf(g.pid).pgrp, child.pid);
});

scenario('a grandchild that outlives its parent goes with the connection', async (s) => {
	const g = await s.gate(['sh', '-c', 'sleep 1000 >/dev/null 2>&1 </dev/null & echo ready; exit 0']);
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'ready');
	assert.equal((await c.leave()).code, 1000);
	await until(5000, () => g.family().length === 0, () => `nobody is left: ${JSON.stringify(g.family())}`);
});

/* It holds the program's output, and ignores all that can be ignored. */
const heir = '(trap "" INT TERM HUP; while :; do sleep 1000; done) &';

for (const [what, leader] of [
	['at SIGINT', 'exec sleep 1000'],
	['at its EOF', 'exec cat >/dev/null'],
	['long before', 'exit 0'],
])
	scenario(`a program that ends ${what} leaves its grandchild to the rest of the ladder`, async (s) => {
		const g = await s.gate({ files: { 'lead.sh': `#!/bin/sh\n${heir}\necho ready\n${leader}\n` }, ini: '[/]\nexec = ./lead.sh\ndrain_timeout = 1h\n' });
		const c = await g.open('/');
		assert.equal(await c.nextText(), 'ready');
		if (leader === 'exit 0')
			await until(5000, () => g.children().length === 0, 'the program has ended');
		assert.ok(g.family().length > 0);
		const started = Date.now();
		await c.close(1000);
		assert.equal((await c.leave()).code, 1000);
		await g.childless();
		s.say(`all gone after ${Date.now() - started} ms (850 are the ladder's)`);
	});

scenario('one that has left the group holds the output no longer than drain_timeout', async (s) => {
	const g = await s.gate({ files: { 'lead.sh': '#!/bin/sh\nsetsid sleep 1000 &\necho ready $!\nexec sleep 1000\n' }, ini: '[/]\nexec = ./lead.sh\ndrain_timeout = 2s\n' });
	const c = await g.open('/');
	const pid = Number((await c.nextText()).split(' ')[1]);
	await c.close(1000);
	assert.equal((await c.leave()).code, 1000);
	assert.ok(isAlive(pid), 'it is nobody\'s to stop');
	process.kill(pid, 'SIGKILL');
});

scenario('SIGKILL of wsgate takes the programs along', async (s) => {
	const g = await s.gate({ files: { 'stubborn.sh': '#!/bin/sh\ntrap "" INT TERM HUP PIPE\necho ready\nwhile :; do read -r x || sleep 0.2; done\n' }, ini: '[/]\nexec = ./stubborn.sh\n' });
	const clients = await Promise.all(Array.from({ length: 5 }, () => g.open('/')));
	for (const c of clients)
		assert.equal(await c.nextText(), 'ready');
	const leaders = g.children().map((p) => p.pid);
	assert.equal(leaders.length, 5);
	g.signal('SIGKILL');
	await g.exited;
	await until(5000, () => leaders.every((pid) => !isAlive(pid)), () => `all gone: ${JSON.stringify(g.family())}`);
	/* end() checks that no other process of this gate is left either */
});
