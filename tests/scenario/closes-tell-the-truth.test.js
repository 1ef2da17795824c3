'use strict';
/* Every ending has a Close frame with the right code and a reason that says why. Never 1006. */

const assert = require('node:assert/strict');
const WebSocket = require('ws');
const { scenario, within } = require('./lib/wsgate');
const { service } = require('./lib/services');

scenario('the exit status is the close code and the reason', async (s) => {
	const g = await s.gate({
		ini: ['[/zero]', 'shell = exit 0', '[/three]', 'shell = exit 3', '[/kill]', 'shell = kill -KILL $$', '[/segv]', 'shell = kill -SEGV $$',
			'[/own]', 'shell = exit 3', 'exit_close = 4001', ''].join('\n'),
	});
	const end = async (path) => (await g.open(path)).leave();
	assert.deepEqual(await end('/zero'), { code: 1000, reason: 'exit 0' });
	assert.deepEqual(await end('/three'), { code: 1011, reason: 'exit 3' });
	assert.deepEqual(await end('/kill'), { code: 1011, reason: 'signal KILL' });
	assert.deepEqual(await end('/segv'), { code: 1011, reason: 'signal SEGV' });
	assert.deepEqual(await end('/own'), { code: 4001, reason: 'exit 3' });
});

scenario('a client\'s code comes back to it, and TCP ends after it', async (s) => {
	const g = await s.gate(['cat']);
	for (const code of [1000, 1001, 1003, 1007, 1011, 3000, 4999, undefined]) {
		const c = await g.open('/');
		const { code: got } = await c.bye(code, code ? 'my reason' : '');
		if (code === undefined)
			assert.ok(got === 1005 || got === 1000, `${got}`); /* it said nothing: neither is a lie */
		else
			assert.equal(got, code);
	}
});

scenario('a TCP service that ends is a normal close, one that breaks off is not', async (s) => {
	const g = await s.gate({ ini: `[/end]\ntcp = 127.0.0.1:${(await service(s, (k) => k.end('bye'))).port}\n`
		+ `[/break]\ntcp = 127.0.0.1:${(await service(s, (k) => { k.once('data', () => k.resetAndDestroy()); })).port}\n` });
	const c = await g.open('/end');
	assert.equal((await c.next()).data.toString(), 'bye');
	assert.equal((await c.leave()).code, 1000);
	const d = await g.open('/break');
	await d.binary('break now');
	const end = await d.leave();
	assert.notEqual(end.code, 1000);
	assert.ok(end.reason.length > 0, 'a reason');
});

scenario('ws sees a clean close in every one of 100 endings at once', async (s) => {
	const g = await s.gate(['sh', '-c', 'read -r n; echo got $n; exit $n']);
	await Promise.all(Array.from({ length: 100 }, (_, i) => within(20000, new Promise((resolve, reject) => {
		const n = i % 5;
		const c = new WebSocket(g.url());
		const got = [];
		c.on('open', () => c.send(String(n)));
		c.on('message', (m) => got.push(m.toString()));
		c.on('error', reject);
		c.on('close', (code, reason) => {
			try {
				assert.deepEqual([got, code, reason.toString()], [[`got ${n}`], n === 0 ? 1000 : 1011, `exit ${n}`]);
				resolve();
			} catch (e) {
				reject(e);
			}
		});
	}), 'end')));
});

scenario('both close at the same moment', async (s) => {
	const g = await s.gate(['sh', '-c', 'read -r x; exit 0']);
	for (let i = 0; i < 50; i++) {
		const c = await g.open('/');
		c.text('end').catch(() => {});
		await c.close(1000, 'me too');
		const { code } = await c.leave();
		assert.equal(code, 1000);
	}
});

scenario('a client that never answers the Close is not waited for for ever', async (s) => {
	const g = await s.gate(['true']);
	const c = await g.open('/');
	assert.equal((await c.readToClose()).code, 1000);
	await within(15000, (async () => { while (await c.wire.fill()); })(), 'end of TCP though the client never answers');
	await g.childless();
});

scenario('data that a client sends while it is being told goodbye does no harm', async (s) => {
	const g = await s.gate(['sh', '-c', 'echo bye']);
	const c = await g.open('/');
	const { frame, TEXT } = require('./lib/raw');
	const noise = Buffer.concat(Array.from({ length: 100 }, () => frame(TEXT, 'x'.repeat(10000))));
	c.send(noise).catch(() => {});
	assert.equal(await c.nextText(), 'bye');
	assert.deepEqual(await c.readToClose(), { code: 1000, reason: 'exit 0' });
	c.send(noise).catch(() => {});
	assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
});

scenario('what a client says behind both Closes is discarded, and the end stays clean', async (s) => {
	const g = await s.gate(['cat']);
	const c = await g.open('/');
	assert.deepEqual(await c.bye(1000, 'that was all', { stay: true }), { code: 1000, reason: 'that was all' });
	await c.send(Buffer.alloc(1 << 20, 'and another thing '));
	c.wire.finish();
	await within(10000, c.wire.gone, 'end of the connection');
	assert.equal(c.wire.error, null);
});
