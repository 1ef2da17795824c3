'use strict';
/* Who is alive is kept, who is not is let go: pings, idle_timeout, max_session, send_timeout. */

const assert = require('node:assert/strict');
const { scenario, until, within, bound } = require('./lib/wsgate');
const { pause } = require('./lib/bounds');
const { frame, TEXT } = require('./lib/raw');
const { slowProgram } = require('./lib/services');
const bytes = require('./lib/bytes');

const pingsComeAt200ms = (timeout) => async (s) => {
	const g = await s.gate(['--ping-interval=200ms', `--ping-timeout=${timeout}`, 'cat']);
	const c = await g.open('/');
	const started = Date.now();
	while (c.pings < 5) {
		assert.ok(await within(5000, c.piece(), 'ping'));
		assert.equal(c.closed, null, 'it answers, and yet is closed');
	}
	const took = Date.now() - started;
	s.say(`5 pings in ${took} ms at an interval of 200 ms`);
	assert.ok(took >= 700, `5 pings in ${took} ms already`);
	await c.text('alive');
	assert.equal(await c.nextText(), 'alive');
	assert.equal((await c.bye()).code, 1000);
};

scenario('pings come at ping_interval, and answering them keeps the connection', pingsComeAt200ms('400ms'));
scenario('they come at ping_interval also if a client would have far longer to answer', pingsComeAt200ms('60s'));
scenario('they come at ping_interval also if nobody waits for the answer', pingsComeAt200ms('0'));

scenario('a client that answers late is asked again, if nobody waits for the answer', async (s) => {
	const g = await s.gate(['--ping-interval=200ms', '--ping-timeout=0', 'cat']);
	const c = await g.open('/');
	c.autopong = false;
	await within(5000, c.piece(), 'ping');
	await pause(700);
	assert.equal(c.pings, 1, 'one that is not answered is enough');
	await c.text('late');
	assert.equal(await c.nextText(), 'late');
	assert.ok(await within(5000, c.piece(), 'the next ping'));
	assert.equal(c.pings, 2);
	assert.equal((await c.bye()).code, 1000);
});

scenario('a client that stops answering is closed, and its program stopped', async (s) => {
	const g = await s.gate(['--ping-interval=200ms', '--ping-timeout=300ms', 'cat']);
	const started = Date.now();
	const c = await g.open('/');
	c.autopong = false;
	const end = await c.readToClose();
	assert.ok(Date.now() - started >= 400, 'not before its time');
	assert.notEqual(end.code, 1000);
	assert.match(end.reason, /ping|pong|answer|timeout|timed/i);
	await g.childless();
});

scenario('a client that sends but never pongs is alive', async (s) => {
	const g = await s.gate(['--ping-interval=150ms', '--ping-timeout=300ms', 'cat']);
	const c = await g.open('/');
	c.autopong = false;
	for (let i = 0; i < 15; i++) {
		await c.text(`n${i}`);
		assert.equal(await c.nextText(), `n${i}`);
		await pause(100);
	}
	assert.equal((await c.bye()).code, 1000);
});

scenario('a client that takes much, slowly, is alive', async (s) => {
	const g = await s.gate({ files: { 'big.sh': '#!/bin/sh\nhead -c 40000000 /dev/zero\nexec cat >/dev/null\n' }, ini: '[/]\nexec = ./big.sh\nframing = raw\nping_interval = 200ms\nping_timeout = 1500ms\n' });
	const c = await g.open('/');
	let size = 0;
	const started = Date.now();
	while (size < 40000000) {
		let p;
		while ((p = c.pieceNow()) !== null) {
			assert.notEqual(p.kind, 'close', `closed after ${size} bytes: ${JSON.stringify(c.closed)}`);
			if (!p.control)
				size += p.data.length;
		}
		await pause(5);
		if (size < 40000000)
			assert.ok(await within(5000, c.wire.fill(), 'more'));
	}
	s.say(`40 MB in ${Date.now() - started} ms with ${c.pings} pings on the way`);
	assert.equal((await c.bye()).code, 1000);
});

scenario('idle_timeout: silence both ways ends it with 1001, a word keeps it', async (s) => {
	const g = await s.gate(['--idle-timeout=600ms', '--ping-interval=100ms', 'cat']);
	const c = await g.open('/');
	for (let i = 0; i < 5; i++) {
		await pause(250);
		await c.text('still here');
		assert.equal(await c.nextText(), 'still here');
	}
	const started = Date.now();
	const end = await c.leave();
	const took = Date.now() - started;
	assert.equal(end.code, 1001);
	assert.match(end.reason, /idle/i);
	assert.ok(took >= 500 && took < bound(3000), `${took} ms`);
});

scenario('max_session: 1001 however busy it is', async (s) => {
	const g = await s.gate(['--max-session=500ms', 'cat']);
	const started = Date.now();
	const c = await g.open('/');
	const talk = setInterval(() => c.text('busy').catch(() => {}), 20);
	try {
		const end = await c.readToClose();
		assert.equal(end.code, 1001);
		assert.ok(end.reason.length > 0);
		assert.ok(Date.now() - started >= 400);
	} finally {
		clearInterval(talk);
	}
	await c.leave();
});

scenario('send_timeout: a client that takes nothing is let go, and its program stopped', async (s) => {
	const g = await s.gate(['--send-timeout=700ms', '--ping-interval=0', 'yes']);
	const c = await g.open('/');
	const started = Date.now();
	await until(10000, () => g.children().length === 0, 'the program was stopped');
	assert.ok(Date.now() - started >= 500, 'not before its time');
	c.destroy();
});

scenario('idle_timeout: messages that are on their way, however slowly, are no idleness', async (s) => {
	/* About 50 KB/s and 5 MB/s: from the mark of the buffer down to its half it takes longer than idle_timeout. */
	const g = await s.gate({
		files: { takes: slowProgram(80), 'gives.sh': '#!/bin/sh\nexec cat big\n' },
		ini: '[defaults]\nframing = raw\nidle_timeout = 1s\nstop = eof 60s, KILL\n[/takes]\nexec = ./takes\n'
			+ '[/gives]\nexec = ./gives.sh\nbuffer = 16m\n',
	});
	const data = bytes.raw(400 * 1024, 31);
	const up = await g.open('/takes');
	up.binary(data).catch(() => {});
	up.close(1000).catch(() => {});
	const size = 30 * bytes.MiB;
	bytes.writeBig(g.path('big'), bytes.raw(bytes.MiB, 32), size);
	const down = await g.open('/gives');
	let got = 0;
	for (let p; (p = await down.piece()) !== null && p.kind !== 'close'; await pause(10))
		got += p.data.length;
	assert.deepEqual([got, down.closed.code], [size, 1000]);
	await until(60000, () => g.exists('done'), 'the program saw its EOF');
	assert.equal(g.read('got').length, data.length);
	assert.equal((await up.leave()).code, 1000);
	await down.leave();
});

scenario('none of them is on by default', async (s) => {
	const g = await s.gate(['cat']);
	const c = await g.open('/');
	await pause(1500);
	assert.equal(c.pings, 0);
	await c.text('quiet, not gone');
	assert.equal(await c.nextText(), 'quiet, not gone');
});

scenario('a handshake that is complete is not held to handshake_timeout', async (s) => {
	const g = await s.gate(['--handshake-timeout=300ms', 'cat']);
	const c = await g.open('/');
	await pause(600);
	await c.send(frame(TEXT, 'late'));
	assert.equal(await c.nextText(), 'late');
});
