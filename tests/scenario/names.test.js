'use strict';
/* A service is named as people name it. */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');
const { echo } = require('./lib/services');

scenario('localhost, an IPv4 and an IPv6 address', async (s) => {
	const four = await echo(s);
	const six = await echo(s, { host: '::1' });
	const g = await s.gate({ ini: `[/name]\ntcp = localhost:${four.port}\n[/four]\ntcp = 127.0.0.1:${four.port}\n[/six]\ntcp = [::1]:${six.port}\n` });
	for (const path of ['/name', '/four', '/six']) {
		const c = await g.open(path);
		await c.binary(path);
		assert.equal((await c.next()).data.toString(), path);
	}
});

scenario('a name that does not exist: 502', async (s) => {
	/* A .onion name is never asked for in the DNS (RFC 7686), so this needs no network. */
	const g = await s.gate(['--connect-timeout=5s', '--tcp=no-such-service.onion:80']);
	const answer = await g.refusal('/');
	assert.equal(answer.status, 502);
	await g.line(/service\.onion:80/);
});

scenario('a client that goes while its service is being looked up or connected', async (s) => {
	const { upgradeHead } = require('./lib/raw');
	const { deafPort } = require('./lib/services');
	const g = await s.gate(['--connect-timeout=30s', `--tcp=127.0.0.1:${await deafPort(s)}`]);
	const base = g.fds();
	for (let i = 0; i < 10; i++) {
		const w = g.wire();
		await w.connected;
		await w.write(upgradeHead('/'));
		if (i % 2)
			w.reset();
		else
			w.destroy();
	}
	await g.settled(base + 2, 10000);
});
