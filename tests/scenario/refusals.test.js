'use strict';
/* What cannot be served is refused before the upgrade, with an HTTP status and one line that says why. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { scenario, until, NOT_WRAPPED } = require('./lib/wsgate');
const { service, closedPort, deafPort } = require('./lib/services');
const { upgradeHead } = require('./lib/raw');

/* One line of plain text, and a length that is right. */
function isHonest(answer, status, body) {
	assert.equal(answer.status, status, `${answer.status} ${answer.body}`);
	assert.match(answer.body, /^[^\n]+\n?$/, `one line: ${JSON.stringify(answer.body)}`);
	assert.match(answer.headers['content-type'] ?? '', /^text\/plain/);
	if (body)
		assert.match(answer.body, body);
}

scenario('no route: 404', async (s) => {
	const g = await s.gate({ ini: '[/here]\nexec = /bin/cat\n' });
	isHonest(await g.refusal('/there'), 404);
	isHonest(await g.get('/there'), 404);
});

scenario('a path that is no WebSocket\'s business: 426 for a plain GET, 405 for another method', async (s) => {
	const g = await s.gate(['cat']);
	const plain = await g.get('/');
	assert.ok([400, 404, 426].includes(plain.status), `${plain.status}`);
	if (plain.status === 426)
		assert.match(plain.headers.upgrade, /websocket/i);
	assert.match(plain.body, / ws:\/\/ /);
	const post = await g.http(upgradeHead('/', {}, { method: 'POST' }));
	isHonest(post, 405);
	assert.match(post.headers.allow, /GET/);
	for (const line of ['BREW / HTTP/1.1', 'get / HTTP/1.1', 'CONNECT x:80 HTTP/1.1'])
		isHonest(await g.http(`${line}\r\nHost: x\r\n\r\n`), 501);
	const options = await g.http('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n');
	isHonest(options, 405);
	assert.equal(options.headers.allow, 'GET, HEAD');
});

scenario('another version of the protocol: 426, and which one it is', async (s) => {
	const g = await s.gate(['cat']);
	for (const version of ['8', '12', '14', '0', '13, 8', 'x']) {
		const answer = await g.http(upgradeHead('/', { 'Sec-WebSocket-Version': version }));
		assert.ok([426, 400].includes(answer.status), `${version}: ${answer.status}`);
		if (/^\d+$/.test(version))
			assert.equal(answer.status, 426, version);
		if (answer.status === 426)
			assert.equal(answer.headers['sec-websocket-version'], '13');
	}
});

scenario('a handshake that is wrong: 400', async (s) => {
	const g = await s.gate(['cat']);
	const good = Buffer.alloc(16, 7).toString('base64');
	const wrong = {
		'no key': { 'Sec-WebSocket-Key': undefined },
		'an empty key': { 'Sec-WebSocket-Key': '' },
		'a key of 15 bytes': { 'Sec-WebSocket-Key': Buffer.alloc(15, 7).toString('base64') },
		'a key of 17 bytes': { 'Sec-WebSocket-Key': Buffer.alloc(17, 7).toString('base64') },
		'a key that is not base64': { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' },
		'two keys': { 'Sec-WebSocket-Key': [good, good] },
		'no Host': { Host: undefined },
		'two Hosts': { Host: ['a', 'b'] },
		'no Connection: Upgrade': { Connection: 'keep-alive' },
		'a body': { 'Content-Length': '5' },
		'a chunked body': { 'Transfer-Encoding': 'chunked' },
	};
	for (const [what, fields] of Object.entries(wrong)) {
		const answer = await g.http(upgradeHead('/', fields));
		assert.equal(answer.status, 400, `${what}: ${answer.status} ${answer.body}`);
	}
	const old = await g.http(upgradeHead('/', {}, { version: 'HTTP/1.0' }));
	assert.equal(old.status, 426, 'HTTP/1.0');
	assert.equal(g.children().length, 0, 'no program was started for any of them');
});

scenario('a head that is malformed or ambiguous: 400, and the connection ends', async (s) => {
	const g = await s.gate(['cat']);
	const host = 'Host: x\r\n';
	const heads = {
		'bare LF': `GET / HTTP/1.1\n${host}\r\n\r\n`,
		'bare CR in a value': `GET / HTTP/1.1\r\n${host}A: b\rc\r\n\r\n`,
		'folded line': `GET / HTTP/1.1\r\n${host}A: b\r\n c\r\n\r\n`,
		'space before the colon': `GET / HTTP/1.1\r\n${host}A : b\r\n\r\n`,
		'no colon': `GET / HTTP/1.1\r\n${host}nonsense\r\n\r\n`,
		'empty name': `GET / HTTP/1.1\r\n${host}: b\r\n\r\n`,
		'NUL in a value': `GET / HTTP/1.1\r\n${host}A: b\0c\r\n\r\n`,
		'two lengths': `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`,
		'a length with a sign': `POST / HTTP/1.1\r\n${host}Content-Length: +5\r\n\r\n`,
		'both a length and chunks': `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
		'two spaces in the request line': `GET  / HTTP/1.1\r\n${host}\r\n`,
		'no version': `GET /\r\n${host}\r\n`,
		'a method that is no token': `G(T / HTTP/1.1\r\n${host}\r\n`,
		'a space in the target': `GET /a b HTTP/1.1\r\n${host}\r\n`,
		'a TLS hello': Buffer.from('16030100c4010000c00303', 'hex').toString('latin1') + 'x'.repeat(50) + '\r\n\r\n',
	};
	for (const [what, head] of Object.entries(heads)) {
		const answer = await g.http(Buffer.from(head, 'latin1'), { waitEnd: true })
			.catch((e) => { throw new Error(`${what}: ${e.message}`); });
		assert.equal(answer.status, 400, `${what}: ${answer.status} ${answer.body}`);
	}
	const c = await g.open('/');
	await c.text('well');
	assert.equal(await c.nextText(), 'well');
});

scenario('a head that is too big: 431, a target that is too long: 414', async (s) => {
	const g = await s.gate(['cat']);
	const big = await g.http(upgradeHead('/', { 'X-Big': 'x'.repeat(20000) }));
	isHonest(big, 431);
	const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`X-${i}`, 'x']));
	isHonest(await g.http(upgradeHead('/', many)), 431);
	isHonest(await g.http(upgradeHead(`/${'x'.repeat(12000)}`)), 414);
	const fits = await g.open('/', { headers: { 'X-Big': 'x'.repeat(6000) } });
	await fits.text('fits');
	assert.equal(await fits.nextText(), 'fits');
});

scenario('a head that takes too long: 408, also if it trickles', async (s) => {
	const g = await s.gate(['--handshake-timeout=700ms', 'cat']);
	const started = Date.now();
	const w = g.wire();
	await w.connected;
	const trickle = setInterval(() => w.write('x').catch(() => {}), 50);
	try {
		isHonest(await g.http('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ', { wire: w, waitEnd: true }), 408);
	} finally {
		clearInterval(trickle);
	}
	const took = Date.now() - started;
	assert.ok(took >= 600, `after ${took} ms already`);
	/* So is the next one on the same connection, from its first byte on. */
	const kept = await s.gate({ args: ['--handshake-timeout=700ms', '--staticdir=www'], files: { 'www/index.html': 'page' } });
	const next = kept.wire();
	assert.equal((await kept.http('GET / HTTP/1.1\r\nHost: x\r\n\r\n', { wire: next, keep: true })).status, 200);
	isHonest(await kept.http('GE', { wire: next, waitEnd: true }), 408);
	/* Nobody is left waiting who never said a word. */
	const silent = g.wire();
	await silent.connected;
	const { within } = require('./lib/wsgate');
	await within(5000, (async () => { while (await silent.fill()); })(), 'end of a silent connection');
});

scenario('origin: the same is welcome, another is refused and told which option would allow it', async (s) => {
	const g = await s.gate(['cat']);
	const from = (origin, host = `127.0.0.1:${g.port}`) => ({ headers: { Origin: origin, Host: host } });
	for (const origin of [undefined, `http://127.0.0.1:${g.port}`]) {
		const c = await g.open('/', { headers: { Host: `127.0.0.1:${g.port}`, Origin: origin } });
		await c.text('in');
		assert.equal(await c.nextText(), 'in');
	}
	for (const origin of ['http://evil.example', `http://127.0.0.1:${g.port + 1}`, 'null', `http://127.0.0.1:${g.port}.evil.example`, '', 'file://']) {
		const answer = await g.refusal('/', from(origin));
		isHonest(answer, 403, /origin/);
		assert.match(answer.body, /--origin|origin\s*=/, 'the body names the option');
	}
	await g.line(/evil\.example.*origin|origin.*evil\.example/);
	const any = await s.gate(['--origin=any', 'cat']);
	await any.open('/', { headers: { Origin: 'http://evil.example' } });
	const list = await s.gate(['--origin=good.example, *.fine.example, https://strict.example', 'cat']);
	for (const origin of ['http://good.example', 'https://good.example', 'http://a.fine.example', 'https://strict.example'])
		await list.open('/', { headers: { Origin: origin } });
	for (const origin of ['http://evil.example', 'http://good.example.evil.example', 'http://strict.example', 'http://notfine.example'])
		assert.equal((await list.refusal('/', { headers: { Origin: origin } })).status, 403, origin);
});

scenario('a program that vanished after the start: 500, and the log says why', async (s) => {
	const g = await s.gate({ files: { 'prog.sh': '#!/bin/sh\nexec cat\n', 'bad.sh': '#!/no/such/interpreter\n' }, ini: '[/]\nexec = ./prog.sh\n[/bad]\nexec = ./bad.sh\n' });
	await (await g.open('/')).bye();
	fs.unlinkSync(g.path('prog.sh'));
	isHonest(await g.refusal('/'), 500);
	await g.line(/prog\.sh.*No such file/);
	isHonest(await g.refusal('/bad'), 500);
	await g.childless();
}, { skip: NOT_WRAPPED });

scenario('a service that refuses: 502, one that never answers: 504, within connect_timeout', async (s) => {
	const g = await s.gate({
		ini: `[/refused]\ntcp = 127.0.0.1:${await closedPort()}\n[/deaf]\ntcp = 127.0.0.1:${await deafPort(s)}\nconnect_timeout = 500ms\n`
			+ '[/nofile]\nunix = /nowhere/socket\n',
	});
	isHonest(await g.refusal('/refused'), 502);
	isHonest(await g.refusal('/nofile'), 502);
	const started = Date.now();
	isHonest(await g.refusal('/deaf'), 504);
	assert.ok(Date.now() - started >= 400);
});

scenario('max_children: 503 with Retry-After, and room again when one has gone', async (s) => {
	const g = await s.gate(['--max-children=2', 'cat']);
	const [a] = [await g.open('/'), await g.open('/')];
	const answer = await g.refusal('/');
	isHonest(answer, 503);
	assert.match(answer.headers['retry-after'], /^\d+$/);
	assert.equal(g.children().length, 2);
	await a.bye();
	await until(5000, async () => {
		try {
			const c = await g.open('/');
			await c.text('room');
			return await c.nextText() === 'room';
		} catch (e) {
			if (e.answer?.status === 503)
				return false;
			throw e;
		}
	}, 'there is room again');
});

scenario('max_children: a program that has ended makes room before its client is told, whatever that does then', async (s) => {
	const g = await s.gate(['--max-children=1', 'true']);
	for (let i = 0; i < 20; i++)
		assert.equal((await (await g.open('/')).readToClose()).code, 1000); /* and never answers */
});

scenario('spawn_rate: 429 with Retry-After', async (s) => {
	const g = await s.gate(['--spawn-rate=2', 'cat']);
	const answers = await Promise.all(Array.from({ length: 20 }, () => g.http(upgradeHead('/'))));
	const statuses = answers.map((a) => a.status);
	assert.ok(statuses.includes(101), `${statuses}`);
	const refused = answers.filter((a) => a.status !== 101);
	assert.ok(refused.length >= 10, `${statuses}`);
	for (const answer of refused) {
		isHonest(answer, 429);
		assert.match(answer.headers['retry-after'], /^\d+$/);
	}
});

scenario('max_connections and max_per_ip: 503 with Retry-After', async (s) => {
	for (const option of ['--max-connections=3', '--max-per-ip=3']) {
		const g = await s.gate([option, 'cat']);
		const held = [await g.open('/'), await g.open('/'), await g.open('/')];
		const answer = await g.refusal('/');
		isHonest(answer, 503);
		assert.match(answer.headers['retry-after'], /^\d+$/, option);
		await held[1].text('not disturbed');
		assert.equal(await held[1].nextText(), 'not disturbed');
		await held[0].bye();
		await until(5000, async () => (await g.http(upgradeHead('/'))).status === 101, `${option}: there is room again`);
		if (option.includes('per-ip')) {
			const other = await g.open('/', { localAddress: '127.0.0.2' });
			await other.text('from elsewhere');
			assert.equal(await other.nextText(), 'from elsewhere');
		}
	}
});

scenario('keep-alive for plain HTTP: three requests on one connection', async (s) => {
	const g = await s.gate({ files: { 'www/a.txt': 'a\n' }, ini: '[/]\nstatic = ./www\n' });
	const w = g.wire();
	const one = await g.http('GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n', { wire: w, keep: true });
	assert.deepEqual([one.status, one.body], [200, 'a\n']);
	const two = await g.http('HEAD /a.txt HTTP/1.1\r\nHost: x\r\n\r\n', { wire: w, keep: true });
	assert.deepEqual([two.status, two.body], [200, '']);
	const three = await g.http('GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', { wire: w, waitEnd: true });
	assert.equal(three.status, 404);
}, { skip: NOT_WRAPPED });
