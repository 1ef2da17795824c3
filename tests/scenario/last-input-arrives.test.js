'use strict';
/* All that a client sent before its Close frame reaches the backend, and then its EOF. */

const assert = require('node:assert/strict');
const { scenario, until, within } = require('./lib/wsgate');
const { service, sink, slowProgram } = require('./lib/services');
const { frame, TEXT, BINARY, CLOSE } = require('./lib/raw');
const bytes = require('./lib/bytes');

const SIZE = 50 * bytes.MiB;
const PIECE = 256 * 1024;

/* Sends DATA as messages of at most PIECE bytes and a Close right behind, without waiting for anything. */
function sendAndClose(c, data, kind) {
	for (let at = 0; at < data.length; at += PIECE)
		c.send(frame(kind, data.subarray(at, at + PIECE))).catch(() => {});
	return c.close(1000, 'that was all');
}

scenario(`${SIZE / bytes.MiB} MiB and a Close at once: every byte reaches the program, then EOF`, async (s) => {
	const g = await s.gate({ files: { 'sum.sh': '#!/bin/sh\nsha1sum > sum.new\nmv sum.new sum\n' }, ini: '[/]\nexec = ./sum.sh\nframing = raw\nstop = eof 60s, KILL\n' });
	const data = bytes.raw(SIZE, 3);
	const c = await g.open('/');
	await sendAndClose(c, data, BINARY);
	assert.equal((await c.leave({ ms: 60000 })).code, 1000);
	await until(20000, () => g.exists('sum'), 'the program saw its EOF');
	assert.equal(g.read('sum').toString().slice(0, 40), bytes.sha1(data));
});

scenario('the same with lines: each message has its LF', async (s) => {
	const g = await s.gate({ files: { 'sum.sh': '#!/bin/sh\nsha1sum > sum.new\nmv sum.new sum\n' }, ini: '[/]\nexec = ./sum.sh\nstop = eof 60s, KILL\n' });
	const data = bytes.lines(4 * bytes.MiB, 4);
	const c = await g.open('/');
	const rows = data.toString().split('\n').slice(0, -1);
	let batch = [];
	for (const row of rows) {
		batch.push(frame(TEXT, row));
		if (batch.length === 2000)
			c.send(Buffer.concat(batch.splice(0))).catch(() => {});
	}
	c.send(Buffer.concat(batch)).catch(() => {});
	await c.close(1000);
	assert.equal((await c.leave({ ms: 30000 })).code, 1000);
	await until(20000, () => g.exists('sum'), 'the program saw its EOF');
	assert.equal(g.read('sum').toString().slice(0, 40), bytes.sha1(data));
});

scenario(`${SIZE / bytes.MiB} MiB and a Close at once to a TCP service`, async (s) => {
	const svc = await sink(s);
	const g = await s.gate([`--tcp=127.0.0.1:${svc.port}`]);
	const data = bytes.raw(SIZE, 5);
	const c = await g.open('/');
	await sendAndClose(c, data, BINARY);
	assert.equal((await c.leave({ ms: 60000 })).code, 1000);
	assert.deepEqual(await svc.done, { bytes: SIZE, sha1: bytes.sha1(data) });
});

scenario('a word and a Close in one packet: the word reaches the program, and the service', async (s) => {
	const words = [];
	const svc = await service(s, (socket) => {
		socket.on('data', (d) => words.push(String(d)));
		socket.on('end', () => socket.end());
	});
	const g = await s.gate({
		files: { 'keep.sh': '#!/bin/sh\nexec cat > got\n' },
		ini: `[/program]\nexec = ./keep.sh\n[/service]\ntcp = 127.0.0.1:${svc.port}\n`,
	});
	for (let i = 0; i < 10; i++) {
		const packet = Buffer.concat([frame(TEXT, `word ${i}`), frame(CLOSE, Buffer.from([3, 232]))]);
		const p = await g.open('/program', i % 2 ? {} : { behind: packet });
		if (i % 2)
			await p.send(packet);
		p.sentClose = true;
		assert.equal((await p.leave()).code, 1000);
		await g.childless();
		assert.equal(g.read('got').toString(), `word ${i}\n`);
		const t = await g.open('/service', i % 2 ? {} : { behind: packet });
		if (i % 2)
			await t.send(packet);
		t.sentClose = true;
		assert.equal((await t.leave()).code, 1000);
	}
	assert.equal(words.join(''), Array.from({ length: 10 }, (_, i) => `word ${i}`).join(''));
});

scenario('a client that sends and cuts TCP without a Close: what arrived still reaches the program', async (s) => {
	const g = await s.gate({ files: { 'sum.sh': '#!/bin/sh\ncat > got.new\nmv got.new got\n' }, ini: '[/]\nexec = ./sum.sh\nstop = eof 20s, KILL\n' });
	const c = await g.open('/');
	await c.text('last words');
	c.wire.finish();
	await until(10000, () => g.exists('got'), 'the program saw its EOF');
	assert.equal(g.read('got').toString(), 'last words\n');
});

scenario('a slow program is given the time to read all that the client left behind', async (s) => {
	/* 1 MiB at 64 KiB each 20 ms: longer than the default time of the stop ladder, but never idle for long. */
	const slow = '#!/bin/sh\ntrap "" INT TERM\n: > got\nwhile :; do\n\tdd bs=65536 count=1 2>/dev/null > part\n\t[ -s part ] || break\n\tcat part >> got\n\tsleep 0.05\ndone\n: > done\n';
	const g = await s.gate({ files: { 'slow.sh': slow }, ini: '[/]\nexec = ./slow.sh\nframing = raw\n' });
	const data = bytes.raw(bytes.MiB, 6);
	const c = await g.open('/');
	await sendAndClose(c, data, BINARY);
	await c.leave({ ms: 20000 });
	await until(20000, () => g.exists('done') || g.children().length === 0, 'the program ended');
	assert.equal(bytes.sha1(g.read('got')), bytes.sha1(data));
});

scenario('the same if the client ends TCP right behind its Close, while it may not be read', async (s) => {
	/* From the mark of the buffer down to its half it takes longer than drain_timeout, but something all the time. */
	const g = await s.gate({ files: { slow: slowProgram(80) }, ini: '[/]\nexec = ./slow\nframing = raw\ndrain_timeout = 1s\nstop = eof 60s, KILL\n' });
	const data = bytes.raw(540 * 1024, 8);
	const c = await g.open('/');
	await sendAndClose(c, data, BINARY);
	c.wire.finish();
	await until(40000, () => g.exists('done') || g.children().length === 0, 'the program ended');
	assert.equal(g.read('got').length, data.length);
	assert.equal(bytes.sha1(g.read('got')), bytes.sha1(data));
});

scenario('what the program still answers after the client said it would send no more is not an error', async (s) => {
	const g = await s.gate({ ini: '[/]\nexec = /usr/bin/wc -c\nframing = lines\n' });
	const c = await g.open('/');
	await c.text('12345');
	await c.close(1000);
	assert.equal((await c.leave()).code, 1000);
	await g.childless();
});

scenario('the service ends its direction first: what the client had sent still arrives', async (s) => {
	const got = [];
	let ended;
	const whole = new Promise((resolve) => { ended = resolve; });
	const svc = await service(s, (socket) => {
		socket.end('I have said all');
		socket.on('data', (d) => got.push(d));
		socket.on('end', ended);
	});
	const g = await s.gate([`--tcp=127.0.0.1:${svc.port}`]);
	const c = await g.open('/', { behind: frame(BINARY, 'early words') });
	assert.equal((await c.next()).data.toString(), 'I have said all');
	assert.equal((await c.leave()).code, 1000);
	await whole;
	assert.equal(Buffer.concat(got).toString(), 'early words');
});

/* Says goodbye at once and listens on. */
async function halfClosed(s) {
	const hash = bytes.createHash('sha1');
	const got = { bytes: 0 };
	let ended;
	got.whole = new Promise((resolve) => { ended = resolve; });
	const svc = await service(s, (socket) => {
		socket.end('I have said all');
		socket.on('data', (d) => { hash.update(d); got.bytes += d.length; });
		socket.on('end', () => { got.sha1 = hash.digest('hex'); ended(); });
	});
	return { ...svc, got };
}

scenario('the service ends its direction first: what the client sends before its own Close still arrives', async (s) => {
	const { port, got } = await halfClosed(s);
	const g = await s.gate([`--tcp=127.0.0.1:${port}`]);
	const data = bytes.raw(8 * bytes.MiB, 7);
	const c = await g.open('/');
	assert.equal((await c.next()).data.toString(), 'I have said all');
	assert.equal(await c.next(), null);
	assert.deepEqual(c.closed, { code: 1000, reason: 'backend closed' });
	await sendAndClose(c, data, BINARY);
	assert.equal((await c.leave({ ms: 60000 })).code, 1000);
	await got.whole;
	assert.deepEqual([got.bytes, got.sha1], [data.length, bytes.sha1(data)]);
	await g.line(/close=1000 by=backend reason="backend closed" .*in_bytes=8388608 /);
});

scenario('the same with a client that never says goodbye: its time is up in the end', async (s) => {
	const { port, got } = await halfClosed(s);
	const g = await s.gate([`--tcp=127.0.0.1:${port}`, '--ping-interval=1s']);
	const c = await g.open('/');
	assert.equal((await c.next()).data.toString(), 'I have said all');
	assert.equal(await c.next(), null);
	await c.binary('early');
	await c.binary(' and late');
	await within(20000, got.whole, 'end at the service');
	assert.equal(got.sha1, bytes.sha1('early and late'));
	await within(20000, (async () => { while (await c.wire.fill()); })(), 'end of the connection');
	assert.equal(c.wire.have, 0, 'not even a ping comes behind the Close');
});

scenario('a service that has closed altogether spoils no goodbye, whatever the client still sends', async (s) => {
	const { port } = await service(s, (socket) => socket.end('bye', () => socket.destroy()));
	const g = await s.gate([`--tcp=127.0.0.1:${port}`]);
	const base = g.fds();
	for (let i = 0; i < 5; i++) {
		const c = await g.open('/');
		assert.equal((await c.next()).data.toString(), 'bye');
		assert.equal(await c.next(), null);
		for (let n = 0; n < 10; n++)
			await c.binary(bytes.raw(10000 * i, n));
		assert.deepEqual(await c.leave(), { code: 1000, reason: 'backend closed' });
		assert.equal(c.wire.error, null);
	}
	await g.settled(base);
	assert.ok(!/close=1011/.test(g.log));
});
