'use strict';
/* A thousand come and go, half of them rudely: no zombie, no orphan, not one descriptor more. */

const assert = require('node:assert/strict');
const { scenario, FULL } = require('./lib/wsgate');
const { echo } = require('./lib/services');

const ROUNDS = FULL ? 10000 : 1000;
const AT_ONCE = 20;

/* How one client leaves: in turn by a Close, by RST, by FIN alone, and by RST before it has heard a word. */
async function visit(g, n, speak) {
	const c = await g.open('/');
	if (n % 4 !== 3) {
		await speak(c, n);
	}
	if (n % 4 === 0)
		await c.bye(1000);
	else if (n % 4 === 2) {
		c.wire.finish();
		await c.readToClose().catch(() => {});
		c.destroy();
	} else
		c.reset();
	g.clients.splice(g.clients.indexOf(c), 1);
}

async function crowd(g, count, speak) {
	let next = 0;
	await Promise.all(Array.from({ length: AT_ONCE }, async () => {
		while (next < count)
			await visit(g, next++, speak);
	}));
}

scenario(`${ROUNDS} clients of a program`, async (s) => {
	const g = await s.gate(['cat']);
	const speak = async (c, n) => {
		await c.text(`hello ${n}`);
		assert.equal(await c.nextText(), `hello ${n}`);
	};
	await crowd(g, 40, speak);
	await g.childless();
	const base = g.fds();
	await crowd(g, ROUNDS, speak);
	await g.childless();
	await g.settled(base);
}, { seconds: FULL ? 900 : 90 });

scenario(`${ROUNDS} clients of a TCP service`, async (s) => {
	const svc = await echo(s);
	const g = await s.gate([`--tcp=127.0.0.1:${svc.port}`]);
	const speak = async (c, n) => {
		await c.binary(`hello ${n}`);
		assert.equal((await c.next()).data.toString(), `hello ${n}`);
	};
	const quiet = g.fds();
	await crowd(g, 40, speak);
	/* A loop may have opened something of its own at its first connection (a resolver, say). */
	await g.settled(quiet + 4);
	const base = g.fds();
	await crowd(g, ROUNDS, speak);
	await g.settled(base);
	assert.equal(svc.accepted, ROUNDS + 40);
}, { seconds: FULL ? 900 : 90 });

scenario('clients that come, say nothing or half a head, and go', async (s) => {
	const g = await s.gate(['cat']);
	const knock = async (text, rude) => {
		const w = g.wire();
		await w.connected;
		if (text)
			await w.write(text);
		if (rude)
			w.reset();
		else
			w.destroy();
		await w.gone;
	};
	const c = await g.open('/');
	const base = g.fds();
	for (let i = 0; i < 200; i++)
		await knock(i % 2 ? 'GET / HTTP/1.1\r\nHost: x' : '', i % 3 === 0);
	await g.settled(base);
	await c.text('still here');
	assert.equal(await c.nextText(), 'still here');
});

scenario('a client that goes while its program is still starting', async (s) => {
	const { upgradeHead } = require('./lib/raw');
	const g = await s.gate(['sh', '-c', 'sleep 0.02; exec cat']);
	await (await g.open('/')).bye();
	await g.childless();
	const base = g.fds();
	for (let i = 0; i < 100; i++) {
		const w = g.wire();
		await w.connected;
		await w.write(upgradeHead('/'));
		w.reset();
		await w.gone;
	}
	await g.childless();
	await g.settled(base);
});
