'use strict';
/* What is agreed on in the handshake, and frames that are sent right behind it. */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');
const { echo } = require('./lib/services');
const { Wire, Raw, frame, upgradeHead, readHead, TEXT, BINARY } = require('./lib/raw');
const bytes = require('./lib/bytes');

scenario('subprotocols: any, a list in our order of preference, none', async (s) => {
	const g = await s.gate({
		files: { 'tell.sh': '#!/bin/sh\necho "<$WSGATE_SUBPROTOCOL>"\nexec cat\n' },
		ini: '[/any]\nexec = ./tell.sh\n[/list]\nexec = ./tell.sh\nsubprotocols = mqtt, chat\n[/none]\nexec = ./tell.sh\nsubprotocols = none\n',
	});
	const chosen = async (path, protocols) => {
		const c = await g.open(path, { protocols });
		const told = await c.nextText();
		assert.equal(told, `<${c.protocol}>`);
		return c.protocol;
	};
	assert.equal(await chosen('/any', ['first', 'second']), 'first');
	assert.equal(await chosen('/any'), '');
	assert.equal(await chosen('/list', ['chat', 'mqtt']), 'mqtt');
	assert.equal(await chosen('/list', ['x', 'chat']), 'chat');
	assert.equal(await chosen('/list', ['x', 'y']), '', 'the upgrade goes on without one');
	assert.equal(await chosen('/list'), '');
	assert.equal(await chosen('/none', ['chat']), '');
	const split = await g.open('/list', { headers: { 'Sec-WebSocket-Protocol': ['x', 'chat'] }, protocols: ['x', 'chat'] });
	assert.equal(split.protocol, 'chat', 'offered in two header lines');
});

scenario('subprotocols_required refuses who offers none of them', async (s) => {
	const g = await s.gate({ ini: '[/]\nexec = /bin/cat\nsubprotocols = mqtt\nsubprotocols_required = yes\n' });
	assert.equal((await g.refusal('/', { protocols: ['chat'] })).status, 400);
	assert.equal((await g.refusal('/')).status, 400);
	assert.equal((await g.open('/', { protocols: ['mqtt'] })).protocol, 'mqtt');
});

scenario('a client that offers compression is answered without it while it is off', async (s) => {
	const g = await s.gate(['cat']);
	const c = await g.open('/', { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-unknown' } });
	await c.text('plain');
	assert.equal(await c.nextText(), 'plain');
});

scenario('frames right behind the handshake are kept, also while the service is still being connected', async (s) => {
	const svc = await echo(s);
	const g = await s.gate({ ini: `[/cat]\nexec = /bin/cat\n[/tcp]\ntcp = localhost:${svc.port}\n` });
	for (let i = 0; i < 20; i++) {
		const c = await g.open('/cat', { behind: Buffer.concat([frame(TEXT, 'early'), frame(TEXT, 'bird')]) });
		assert.equal(await c.nextText(), 'early');
		assert.equal(await c.nextText(), 'bird');
		c.destroy();
	}
	const big = bytes.raw(60000, 31);
	const t = await g.open('/tcp', { behind: frame(BINARY, big) });
	let got = Buffer.alloc(0);
	while (got.length < big.length)
		got = Buffer.concat([got, (await t.next()).data]);
	assert.deepEqual(got, big);
	const whole = await g.open('/cat', { behind: Buffer.concat([frame(TEXT, 'all'), frame(8, Buffer.from([3, 232]))]) });
	whole.sentClose = true;
	assert.equal((await whole.leave()).code, 1000);
});

scenario('a handshake that comes byte by byte, with half a frame behind it', async (s) => {
	const g = await s.gate(['cat']);
	const wire = new Wire(g.port);
	s.after(() => wire.destroy());
	await wire.connected;
	const whole = Buffer.concat([Buffer.from(upgradeHead('/')), frame(TEXT, 'slowly but surely')]);
	for (const byte of whole)
		await wire.write(Buffer.from([byte]));
	assert.equal((await readHead(wire)).status, 101);
	const c = new Raw(wire);
	assert.equal(await c.nextText(), 'slowly but surely');
	assert.equal((await c.bye()).code, 1000);
});

scenario('tokens are compared without case, lists are lists, an empty line in front is skipped', async (s) => {
	const g = await s.gate(['cat']);
	for (const headers of [{ Upgrade: 'WebSocket' }, { Connection: 'keep-alive, Upgrade' }, { Connection: ['keep-alive', 'upgrade'] }, { Upgrade: 'foo, websocket' }]) {
		const c = await g.open('/', { headers });
		await c.text('in');
		assert.equal(await c.nextText(), 'in');
	}
	const answer = await g.http(`\r\n${upgradeHead('/')}`);
	assert.equal(answer.status, 101);
});

scenario('extra headers, for the upgrade and for pages', async (s) => {
	const g = await s.gate({ args: ['--header=X-All: 1', '--header-ws=X-Ws: 2', '--header-http=X-Http: 3', 'cat'] });
	const c = await g.open('/');
	assert.equal(c.answer.headers['x-all'], '1');
	assert.equal(c.answer.headers['x-ws'], '2');
	assert.equal(c.answer.headers['x-http'], undefined);
	const refused = await g.http(upgradeHead('/', { Origin: 'http://evil.example' }));
	assert.equal(refused.headers['x-all'], '1');
	assert.equal(refused.headers['x-ws'], undefined);
	assert.equal(refused.headers['x-http'], '3');
});
