'use strict';
/* permessage-deflate (RFC 7692): what is agreed upon, what travels, and what it may cost. */

const assert = require('node:assert/strict');
const path = require('node:path');
const readline = require('node:readline');
const zlib = require('node:zlib');
const { spawn } = require('node:child_process');
const { WebSocket } = require('ws');
const { scenario, within, until, descriptorLimit, FULL, SLOW } = require('./lib/wsgate');
const { echo, service } = require('./lib/services');
const { frame, TEXT, BINARY, PING, CONTINUATION } = require('./lib/raw');
const bytes = require('./lib/bytes');

const OFFER = 'permessage-deflate; client_max_window_bits';
const offering = (offer = OFFER) => ({ headers: { 'Sec-WebSocket-Extensions': offer } });

/* A library's client, that compresses everything. */
async function library(s, url, options = {}) {
	const c = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...options }, maxPayload: 512 * bytes.MiB });
	s.after(() => c.terminate());
	c.inbox = [];
	c.waiting = [];
	c.on('message', (data, isBinary) => {
		c.inbox.push(isBinary ? data : data.toString());
		for (const w of c.waiting.splice(0))
			w();
	});
	await within(10000, new Promise((resolve, reject) => { c.on('open', resolve).on('error', reject); }), 'the upgrade');
	c.next = () => within(30000, (async () => {
		while (c.inbox.length === 0)
			await new Promise((resolve) => { c.waiting.push(resolve); });
		return c.inbox.shift();
	})(), 'message');
	return c;
}

scenario('a library\'s client and every framing agree on every message', async (s) => {
	const svc = await echo(s);
	const g = await s.gate({
		ini: `[defaults]\ncompression = on\n[/lines]\nexec = /bin/cat\n[/raw]\ntcp = 127.0.0.1:${svc.port}\n`
			+ '[/message]\nexec = /bin/cat\nframing = message\n[/tight]\nexec = /bin/cat\nframing = message\n'
			+ 'compression_takeover = no\ncompression_window = 9\ncompression_level = 9\ncompression_threshold = 0\n',
	});
	const line = (n, seed) => Array.from({ length: n }, (_, i) => ['naïve ', 'words ', 'ж ', `${seed * i} `][(i * i + seed) % 4]).join('').slice(0, n);
	for (const where of ['/lines', '/message', '/tight']) {
		const c = await library(s, g.url(where));
		assert.match(c.extensions, /permessage-deflate/);
		for (const [i, size] of [0, 600, 127, 128, 129, 1000, 1000, 70000, 3 * bytes.MiB, 5, 0].entries()) {
			const text = line(size, i);
			c.send(text);
			assert.equal(await c.next(), text, `${size} bytes to ${where}`);
		}
		if (where !== '/lines')
			for (const size of [0, 1000, 70000, bytes.MiB]) {
				const data = bytes.raw(size, size + 1);
				c.send(data);
				assert.deepEqual(await c.next(), data, `${size} bytes to ${where}`);
			}
		c.close();
	}
	const c = await library(s, g.url('/raw'));
	const data = Buffer.from(line(bytes.MiB, 3));
	c.send(data);
	let got = Buffer.alloc(0);
	while (got.length < data.length)
		got = Buffer.concat([got, await c.next()]);
	assert.deepEqual(got, data);
	assert.ok(c._socket.bytesRead < data.length / 2, `${c._socket.bytesRead} bytes came for ${data.length}`);
	assert.ok(c._socket.bytesWritten < data.length / 2, `${c._socket.bytesWritten} bytes went for ${data.length}`);
});

scenario('what is agreed upon is what is done', async (s) => {
	const g = await s.gate({
		ini: '[defaults]\ncompression = on\ncompression_threshold = 0\nframing = message\n[/]\nexec = /bin/cat\n'
			+ '[/none]\nexec = /bin/cat\ncompression_takeover = no\n[/off]\nexec = /bin/cat\ncompression = off\n',
	});
	const table = [
		['/', 'permessage-deflate', 'permessage-deflate'],
		['/', OFFER, 'permessage-deflate; client_max_window_bits=12'],
		['/', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
		['/', 'permessage-deflate; server_max_window_bits=8', 'permessage-deflate; server_max_window_bits=8'],
		['/', 'permessage-deflate; server_max_window_bits="9"; client_max_window_bits=9', 'permessage-deflate; server_max_window_bits=9; client_max_window_bits=9'],
		['/', 'permessage-deflate; server_max_window_bits=7', ''],
		['/', 'permessage-deflate; what=ever, permessage-deflate; client_max_window_bits=15', 'permessage-deflate; client_max_window_bits=12'],
		['/none', OFFER, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=12'],
		['/off', OFFER, ''],
	];
	for (const [where, offer, answer] of table) {
		const c = await g.open(where, offering(offer));
		assert.equal(c.extensions, answer, offer);
		const sizes = [];
		for (let i = 0; i < 3; i++) {
			const text = 'the same words each time, of which no two are alike: 0123456789 abcdefghijkl';
			await (c.deflate ? c.packedText(text) : c.text(text));
			const before = c.received;
			const m = await c.next();
			assert.equal(m.data.toString(), text);
			assert.equal(m.packed === true, answer !== '');
			sizes.push(c.received - before);
		}
		const remembers = answer !== '' && !/server_no_context|bits=8/.test(answer);
		assert.equal(sizes[1] < sizes[0] / 2, remembers, `${offer}: ${sizes}`);
	}
	assert.equal((await g.refusal('/', offering('permessage-deflate; ='))).status, 400);
});

scenario('RSV1 is for the first frame of a compressed message, and corrupt data is refused', async (s) => {
	const g = await s.gate(['--compression', 'cat']);
	const packed = zlib.deflateRawSync('Hello', { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
	const wrong = [
		['RSV1 on a continuation', 1002, [frame(TEXT, packed.subarray(0, 3), { rsv: 4, fin: false }), frame(CONTINUATION, packed.subarray(3), { rsv: 4 })]],
		['RSV1 on a ping', 1002, [frame(PING, '', { rsv: 4 })]],
		['RSV1 and RSV2', 1002, [frame(TEXT, packed, { rsv: 6 })]],
		['RSV3', 1002, [frame(TEXT, 'x', { rsv: 1 })]],
		['noise', 1007, [frame(BINARY, Buffer.from([0xff, 0xff, 0xff]), { rsv: 4 })]],
		['a message that breaks off', 1007, [frame(TEXT, packed.subarray(0, 3), { rsv: 4 })]],
		['text that is not UTF-8', 1007, [frame(TEXT, zlib.deflateRawSync(Buffer.from([0xc3, 0x28]), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4), { rsv: 4 })]],
	];
	for (const [what, code, frames] of wrong) {
		const c = await g.open('/', offering());
		await c.send(Buffer.concat(frames));
		assert.equal((await c.readToClose()).code, code, what);
		c.destroy();
	}
	const nobodyAsked = await g.open('/');
	await nobodyAsked.send(frame(TEXT, packed, { rsv: 4 }));
	assert.equal((await nobodyAsked.readToClose()).code, 1002);
	/* And a right one, in fragments of a byte, with a ping in the middle. */
	const c = await g.open('/', offering());
	for (let i = 0; i < packed.length; i++) {
		await c.send(frame(i === 0 ? TEXT : CONTINUATION, packed.subarray(i, i + 1), { rsv: i === 0 ? 4 : 0, fin: i === packed.length - 1 }));
		if (i === 2)
			await c.ping('now');
	}
	assert.equal(await c.nextText(), 'Hello');
	assert.equal(String(c.pongs[0]), 'now');
});

/* 1 GiB of zeros in one frame of 1 MiB: a block that stands alone, again and again. */
function bomb(size) {
	const block = zlib.deflateRawSync(Buffer.alloc(bytes.MiB), { level: 9, finishFlush: zlib.constants.Z_FULL_FLUSH });
	return Buffer.concat([...Array(size / bytes.MiB).fill(block), Buffer.from([0])]);
}

/* Median and worst round trip of a client that sends a line again and again until DONE. */
async function roundTrips(c, done) {
	const times = [];
	while (!done.is || times.length < 10) {
		const t = process.hrtime.bigint();
		await c.text('still here');
		assert.equal(await c.nextText(), 'still here');
		times.push(Number(process.hrtime.bigint() - t) / 1e6);
	}
	times.sort((a, b) => a - b);
	return { median: times[times.length >> 1], worst: times.at(-1), count: times.length };
}

scenario('a bomb is defused: refused at the limit, in little memory, and nobody else notices', async (s) => {
	const packed = bomb(1024 * bytes.MiB);
	assert.ok(packed.length < 1.1 * bytes.MiB);
	const g = await s.gate({ ini: '[server]\nworkers = 1\n[/]\nshell = exec cat >/dev/null\ncompression = on\nmax_message = 512m\n[/cat]\nexec = /bin/cat\n' });
	const other = await g.open('/cat');
	const done = { is: false };
	const trips = roundTrips(other, done);
	const c = await g.open('/', offering());
	let worst = 0;
	const watch = setInterval(() => { worst = Math.max(worst, g.rss()); }, 5);
	const t = Date.now();
	try {
		c.send(frame(BINARY, packed, { rsv: 4 })).catch(() => {});
		assert.deepEqual(await c.readToClose({ ms: 60000 }), { code: 1009, reason: 'message is too big' });
	} finally {
		clearInterval(watch);
		done.is = true;
	}
	const { median, worst: late, count } = await trips;
	s.say(`512 MiB of it in ${Date.now() - t} ms; resident ${(worst / bytes.MiB).toFixed(0)} MiB at the most; `
		+ `another client: median ${median.toFixed(2)} ms, worst ${late.toFixed(1)} ms of ${count} round trips`);
	if (g.memoryIsItsOwn)
		assert.ok(worst < 64 * bytes.MiB, `${worst} bytes resident`);
	assert.ok(median < 10 * SLOW, `median ${median} ms`);
	c.destroy();
	other.destroy();
}, { seconds: 120 });

scenario('what a bomb becomes waits until the backend takes it, and all of it arrives', async (s) => {
	const size = 64 * bytes.MiB;
	let taker;
	let taken = 0;
	const svc = await service(s, (socket) => {
		taker = socket;
		socket.on('end', () => socket.end());
	});
	const g = await s.gate(['--compression', '--max-message=0', `--tcp=127.0.0.1:${svc.port}`]);
	const c = await g.open('/', offering());
	const before = g.rss();
	await c.send(Buffer.concat([frame(BINARY, bomb(size), { rsv: 4 }), frame(PING, 'behind it')]));
	await until(5000, () => taker, 'the backend is connected');
	/* Nothing is taken yet: what is not inflated cannot have been answered. */
	const quiet = await Promise.race([c.piece().then(() => 'a pong'), new Promise((resolve) => { setTimeout(resolve, 300, 'silence'); })]);
	assert.equal(quiet, 'silence');
	const grown = g.rss() - before;
	taker.on('data', (d) => { taken += d.length; });
	await until(60000, () => taken === size, () => `${taken} of ${size} bytes`);
	await until(5000, () => c.pongs.length === 1 || (c.pieceNow(), false), 'the pong');
	s.say(`memory grew by ${(grown / 1024).toFixed(0)} KiB while it waited`);
	if (g.memoryIsItsOwn)
		assert.ok(grown < 2 * bytes.MiB, `memory grew by ${grown}`);
	assert.equal((await c.bye()).code, 1000);
}, { seconds: 120 });

scenario('a message that never ends is compressed as it comes, in constant memory', async (s) => {
	const size = (FULL ? 1024 : 64) * bytes.MiB;
	const g = await s.gate({ ini: `[/]\nshell = yes 'so it goes on' | tr '\\n' ' ' | head -c ${size}\ncompression = on\n` });
	const before = g.rss();
	let worst = 0;
	const c = await g.open('/', offering());
	const inflate = zlib.createInflateRaw();
	let got = 0;
	inflate.on('data', (d) => { got += d.length; });
	let wire = 0;
	let frames = 0;
	const closed = await c.readToClose({
		ms: 120000,
		see: (p) => {
			assert.ok(p.packed);
			wire += p.data.length;
			frames = p.fragments;
			inflate.write(p.data);
			worst = Math.max(worst, g.rss() - before);
		},
	});
	assert.equal(closed.code, 1000);
	await within(60000, new Promise((resolve) => { inflate.end(Buffer.from([0, 0, 0xff, 0xff]), resolve); inflate.on('error', resolve); }), 'the last of it');
	await until(60000, () => got === size, () => `${got} of ${size} bytes`);
	s.say(`${size / bytes.MiB} MiB in ${frames} frames of ${(wire / frames).toFixed(0)} bytes; memory grew by ${(worst / 1024).toFixed(0)} KiB`);
	if (g.memoryIsItsOwn)
		assert.ok(worst < 4 * bytes.MiB, `memory grew by ${worst}`);
}, { seconds: 200 });

/* --- what an idle connection keeps --- */

const MESSAGE = 40000; /* bytes that each has sent and got: more than any window */

function helper(s, script, ...args) {
	const child = spawn(process.execPath, [path.join(__dirname, 'lib', script), ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] });
	s.after(() => child.kill('SIGKILL'));
	const rows = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	return { child, line: async (what) => (await within(120000, rows.next(), what)).value };
}

async function idleBytes(s, count, ...options) {
	const svc = helper(s, 'idle-service.js', 'echo');
	const port = await svc.line('port of the service');
	const g = await s.gate(['--max-connections=30000', ...options, `--tcp=127.0.0.1:${port}`]);
	const warm = helper(s, 'idle-clients.js', g.port, 200, MESSAGE);
	assert.equal(await warm.line('200 connections'), 'open 200');
	const base = g.rss();
	const crowd = helper(s, 'idle-clients.js', g.port, count, MESSAGE);
	assert.equal(await crowd.line(`${count} connections`), `open ${count}`, g.log.slice(-2000));
	const each = Math.round((g.rss() - base) / count);
	const own = g.memoryIsItsOwn;
	for (const { child } of [crowd, warm])
		child.stdin.write('\n');
	await g.settled(60, 30000);
	return { each, own };
}

scenario('an idle connection keeps no more than a plain one without takeover, and its window with it', async (s) => {
	const count = Math.min(FULL ? 10000 : 2000, Math.floor((descriptorLimit() - 1000) / 2));
	const plain = await idleBytes(s, count);
	const without = await idleBytes(s, count, '--compression', '--compression-takeover=no');
	const kept = await idleBytes(s, count, '--compression');
	const big = await idleBytes(s, count, '--compression', '--compression-window=15');
	s.say(`${count} idle connections that have exchanged ${MESSAGE} bytes: ${plain.each} bytes each without compression, `
		+ `${without.each} with it but no takeover, ${kept.each} with takeover (window 12), ${big.each} (window 15)`);
	if (!plain.own)
		return;
	assert.ok(without.each < plain.each + 1024, `${without.each} bytes instead of ${plain.each}`);
	assert.ok(kept.each < 64 * 1024, `${kept.each} bytes`);
}, { seconds: 300 });
