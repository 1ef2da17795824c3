'use strict';
/* Whoever breaks the protocol is told so with the right code; the client beside it notices nothing. */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');
const { frame, closePayload, TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION } = require('./lib/raw');

const b = (...parts) => Buffer.concat(parts.map((p) => Buffer.from(p)));

/* name, bytes, close code */
const breaches = [
	['a frame without a mask', frame(TEXT, 'hi', { mask: false }), 1002],
	['RSV1', frame(TEXT, 'hi', { rsv: 4 }), 1002],
	['RSV2', frame(TEXT, 'hi', { rsv: 2 }), 1002],
	['RSV3', frame(BINARY, 'hi', { rsv: 1 }), 1002],
	['RSV1 on a control frame', frame(PING, 'hi', { rsv: 4 }), 1002],
	...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((n) => [`opcode ${n}`, frame(n, 'hi'), 1002]),
	['a continuation of nothing', frame(CONTINUATION, 'hi'), 1002],
	['a text message inside another', b(frame(TEXT, 'a', { fin: false }), frame(TEXT, 'b')), 1002],
	['a binary message inside a text message', b(frame(TEXT, 'a', { fin: false }), frame(BINARY, 'b')), 1002],
	['a ping in fragments', frame(PING, 'hi', { fin: false }), 1002],
	['a ping of 126 bytes', frame(PING, 'x'.repeat(126)), 1002],
	['a close of 126 bytes', frame(CLOSE, closePayload(1000, 'x'.repeat(124))), 1002],
	['a length of 5 in 16 bits', frame(TEXT, 'hello', { lengthAs: 16 }), 1002],
	['a length of 5 in 64 bits', frame(TEXT, 'hello', { lengthAs: 64 }), 1002],
	['a length of 300 in 64 bits', frame(TEXT, 'x'.repeat(300), { lengthAs: 64 }), 1002],
	['a length with its highest bit set', frame(BINARY, '', { lengthAs: 64, declared: (1n << 63n) | 5n }), 1002],
	['a close of one byte', frame(CLOSE, 'x'), 1002],
	...[0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535].map((n) => [`close code ${n}`, frame(CLOSE, closePayload(n)), 1002]),
	['a close reason that is not UTF-8', frame(CLOSE, b([3, 232, 0xff, 0xfe])), 1007],
	['text that is not UTF-8', frame(TEXT, b([0x61, 0xff])), 1007],
	['an overlong form', frame(TEXT, b([0xc0, 0xaf])), 1007],
	['a surrogate', frame(TEXT, b([0xed, 0xa0, 0x80])), 1007],
	['above U+10FFFF', frame(TEXT, b([0xf4, 0x90, 0x80, 0x80])), 1007],
	['a code point cut by the end of the message', frame(TEXT, b([0x61, 0xe2, 0x82])), 1007],
	['bad text in a second fragment', b(frame(TEXT, 'good ', { fin: false }), frame(CONTINUATION, b([0xff]))), 1007],
	['bad text in a fragment that is not the last: told at once', frame(TEXT, b([0xff]), { fin: false }), 1007],
	['a message above max_message', frame(BINARY, 'x'.repeat(5000)), 1009],
	['a declared length above max_message: told before it comes', frame(BINARY, '', { declared: 5000 }), 1009],
	['a declared length of 2^62', frame(BINARY, '', { declared: 1n << 62n }), 1009],
	['fragments that add up above max_message', b(frame(BINARY, 'x'.repeat(3000), { fin: false }), frame(CONTINUATION, 'x'.repeat(3000))), 1009],
];

for (const [how, deliver] of [['in one piece', (c, bytes) => c.send(bytes)],
	['byte by byte', async (c, bytes) => { for (const byte of bytes.subarray(0, 40)) await c.send(Buffer.from([byte])); await c.send(bytes.subarray(40)); }]]) {
	scenario(`each breach has its close code (${how})`, async (s) => {
		const g = await s.gate(['--max-message=4096', 'cat']);
		const neighbour = await g.open('/');
		for (const [name, bytes, code] of breaches) {
			const c = await g.open('/');
			await deliver(c, bytes).catch(() => {});
			const end = await c.leave().catch((e) => { throw new Error(`${name}: ${e.message}`); });
			assert.equal(end.code, code, `${name}: ${JSON.stringify(end)}`);
			assert.ok(end.reason.length > 0, `${name}: a reason`);
			await neighbour.text(name);
			assert.equal(await neighbour.nextText(), name);
		}
	});
}

scenario('what came before the breach is still delivered', async (s) => {
	const g = await s.gate({ files: { 'keep.sh': '#!/bin/sh\ncat > got.new; mv got.new got\n' }, ini: '[/]\nexec = ./keep.sh\nstop = eof 10s, KILL\n' });
	const c = await g.open('/');
	await c.send(Buffer.concat([frame(TEXT, 'good'), frame(TEXT, 'news'), frame(3, 'bad')]));
	assert.equal((await c.leave()).code, 1002);
	const { until } = require('./lib/wsgate');
	await until(5000, () => g.exists('got'), 'the program saw its EOF');
	assert.equal(g.read('got').toString(), 'good\nnews\n');
});

scenario('what is allowed is not punished', async (s) => {
	const g = await s.gate(['--framing=raw', '--max-message=100000', 'cat']);
	const c = await g.open('/');
	const echoed = async (sent, expected) => {
		await c.send(sent);
		let got = Buffer.alloc(0);
		while (got.length < expected.length)
			got = Buffer.concat([got, (await c.next()).data]);
		assert.deepEqual(got, expected);
	};
	await echoed(frame(TEXT, 'masked with zeros', { mask: Buffer.alloc(4) }), Buffer.from('masked with zeros'));
	await echoed(b(frame(TEXT, '', { fin: false }), frame(CONTINUATION, '', { fin: false }), frame(CONTINUATION, 'x')), Buffer.from('x'));
	/* A code point cut between fragments, a ping and a pong in the middle. */
	await echoed(b(frame(TEXT, b([0xe2]), { fin: false }), frame(PING, 'in between'), frame(CONTINUATION, b([0x82]), { fin: false }),
		frame(PONG, 'unasked'), frame(CONTINUATION, b([0xac]))), Buffer.from('€'));
	assert.deepEqual(c.pongs.map(String), ['in between']);
	for (const size of [1, 125, 126, 127, 65535, 65536, 100000])
		await echoed(frame(BINARY, Buffer.alloc(size, size % 251)), Buffer.alloc(size, size % 251));
	await c.ping('x'.repeat(125));
	await c.ping('');
	while (c.pongs.length < 3)
		assert.ok(await c.piece());
	assert.deepEqual(c.pongs.slice(1).map((p) => p.length), [125, 0]);
	assert.equal((await c.bye()).code, 1000);
});

scenario('thousands of tiny and empty fragments make one message', async (s) => {
	const g = await s.gate(['cat']);
	const c = await g.open('/');
	const parts = [frame(TEXT, '', { fin: false })];
	for (let i = 0; i < 20000; i++)
		parts.push(frame(CONTINUATION, i % 2 ? '' : 'x', { fin: false }));
	parts.push(frame(CONTINUATION, ''));
	await c.send(Buffer.concat(parts));
	assert.equal(await c.nextText(), 'x'.repeat(10000));
	assert.equal((await c.bye()).code, 1000);
});

scenario('accept = text or binary makes it strict', async (s) => {
	const g = await s.gate({ ini: '[/t]\nexec = /bin/cat\naccept = text\n[/b]\nexec = /bin/cat\naccept = binary\n[/any]\nexec = /bin/cat\n' });
	const t = await g.open('/t');
	await t.text('yes');
	assert.equal(await t.nextText(), 'yes');
	await t.send(Buffer.concat([frame(BINARY, 'n', { fin: false }), frame(CONTINUATION, 'o'), frame(TEXT, 'too late')]));
	assert.deepEqual(await t.leave(), { code: 1003, reason: 'only text messages are accepted here' });
	const b = await g.open('/b');
	await b.binary('yes\n');
	assert.equal(await b.nextText(), 'yes');
	await b.text('');
	assert.deepEqual(await b.leave(), { code: 1003, reason: 'only binary messages are accepted here' });
	const any = await g.open('/any');
	await any.text('one');
	await any.binary('two');
	assert.deepEqual([await any.nextText(), await any.nextText()], ['one', 'two']);
	await any.bye();
	await g.line(/close=1003 by=client reason="only text/);
});
