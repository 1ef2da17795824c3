'use strict';
/* Static files: served right, conditionally, in ranges, and never from outside their directory. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { scenario, NOT_WRAPPED } = require('./lib/wsgate');
const { readHead, readBody } = require('./lib/raw');
const bytes = require('./lib/bytes');

const ini = '[/]\nstatic = ./www\n[/ws]\nexec = /bin/cat\n';

scenario('GET and HEAD, types, index.html, 404, 405', async (s) => {
	const g = await s.gate({
		files: { 'www/index.html': '<p>index\n', 'www/a.css': 'a{}\n', 'www/a.js': '1\n', 'www/a.svg': '<svg/>', 'www/sub/index.html': 'sub\n', 'www/empty.txt': '', 'www/with space.txt': 's' },
		ini,
	});
	const index = await g.get('/');
	assert.deepEqual([index.status, index.body], [200, '<p>index\n']);
	assert.match(index.headers['content-type'], /^text\/html/);
	assert.ok(index.headers.etag && index.headers['last-modified'] && index.headers.date);
	const head = await g.get('/', {}, { method: 'HEAD' });
	assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '9', '']);
	assert.match((await g.get('/a.css')).headers['content-type'], /^text\/css/);
	assert.match((await g.get('/a.js')).headers['content-type'], /^(text|application)\/javascript/);
	assert.match((await g.get('/a.svg')).headers['content-type'], /^image\/svg\+xml/);
	assert.deepEqual([(await g.get('/empty.txt')).status, (await g.get('/empty.txt')).body], [200, '']);
	assert.equal((await g.get('/with%20space.txt')).body, 's');
	assert.equal((await g.get('/sub/')).body, 'sub\n');
	const bare = await g.get('/sub');
	assert.ok([301, 302, 307, 308].includes(bare.status) && bare.headers.location.endsWith('/sub/') || bare.body === 'sub\n', `${bare.status}`);
	assert.equal((await g.get('/none')).status, 404);
	const post = await g.get('/', {}, { method: 'POST' });
	assert.equal(post.status, 405);
	assert.match(post.headers.allow, /GET.*HEAD|HEAD.*GET/);
}, { skip: NOT_WRAPPED });

scenario('conditionals and ranges', async (s) => {
	const g = await s.gate({ files: { 'www/ten.txt': '0123456789' }, ini });
	const { headers } = await g.get('/ten.txt');
	assert.equal((await g.get('/ten.txt', { 'If-None-Match': headers.etag })).status, 304);
	assert.equal((await g.get('/ten.txt', { 'If-None-Match': '"other"' })).status, 200);
	assert.equal((await g.get('/ten.txt', { 'If-Modified-Since': headers['last-modified'] })).status, 304);
	const part = await g.get('/ten.txt', { Range: 'bytes=2-4' });
	assert.deepEqual([part.status, part.body, part.headers['content-range']], [206, '234', 'bytes 2-4/10']);
	assert.equal((await g.get('/ten.txt', { Range: 'bytes=-3' })).body, '789');
	assert.equal((await g.get('/ten.txt', { Range: 'bytes=7-' })).body, '789');
	const beyond = await g.get('/ten.txt', { Range: 'bytes=10-' });
	assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, 'bytes */10']);
	assert.equal((await g.get('/ten.txt', { Range: 'bytes=2-4', 'If-Range': '"other"' })).status, 200);
}, { skip: NOT_WRAPPED });

scenario('no way out of the directory, and no listing', async (s) => {
	const g = await s.gate({ files: { 'secret.txt': 'SECRET', 'www/a.txt': 'a', 'www/sub/b.txt': 'b', 'www/.hidden': 'h' }, ini });
	fs.symlinkSync('../secret.txt', g.path('www/link.txt'));
	fs.symlinkSync('/etc', g.path('www/etc'));
	for (const path of ['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/sub/../../secret.txt', '/link.txt', '/etc/passwd', '/a.txt%00.html', '//etc/passwd', '/./../secret.txt', '/..\\secret.txt']) {
		const answer = await g.get(path);
		assert.ok([400, 403, 404].includes(answer.status), `${path}: ${answer.status}`);
		assert.doesNotMatch(answer.body, /SECRET|root:/);
	}
	const listing = await g.get('/sub/');
	assert.ok([403, 404].includes(listing.status));
	assert.doesNotMatch(listing.body, /b\.txt/);
}, { skip: NOT_WRAPPED });

scenario('a big file to a slow reader, and beside it a WebSocket', async (s) => {
	const g = await s.gate({ files: { 'www/x': 'x' }, ini });
	const sha1 = bytes.writeBig(g.path('www/big.bin'), bytes.raw(bytes.MiB, 51), 20 * bytes.MiB);
	for (let i = 0; i < 4; i++) {
		assert.equal((await g.get('/x')).body, 'x');
		await (await g.open('/ws')).bye();
	}
	const before = g.rss();
	const w = g.wire();
	await w.connected;
	await w.write('GET /big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
	const c = await g.open('/ws');
	await c.text('meanwhile');
	assert.equal(await c.nextText(), 'meanwhile');
	if (g.memoryIsItsOwn)
		assert.ok(g.rss() - before < bytes.MiB, `memory grew by ${g.rss() - before}`);
	const answer = await readHead(w);
	assert.equal(answer.headers['content-length'], String(20 * bytes.MiB));
	const hash = bytes.createHash('sha1');
	do {
		hash.update(w.take(w.have));
	} while (await w.fill());
	assert.equal(hash.digest('hex'), sha1);
}, { skip: NOT_WRAPPED });

scenario('a page and a program at one path: GET is for the page, the upgrade for the program', async (s) => {
	const g = await s.gate({ files: { 'www/page.html': 'page\n' }, ini: '[/both]\nstatic = ./www\nindex = page.html\nexec = /bin/cat\n' });
	assert.equal((await g.get('/both/')).body, 'page\n');
	const c = await g.open('/both');
	await c.text('program');
	assert.equal(await c.nextText(), 'program');
}, { skip: NOT_WRAPPED });

scenario('requests behind each other in one packet: each has its answer, of the console, too', async (s) => {
	const g = await s.gate({ args: ['--devconsole'], files: { 'www/x': 'x' }, ini: '[/ws]\nexec = /bin/cat\n[/www]\nstatic = ./www\n' });
	const w = g.wire();
	await w.connected;
	await w.write(['/', '/ws', '/www/x', '/ws', '/', '/www/x'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
	for (const page of ['console', 'console', 'x', 'console', 'console', 'x']) {
		const body = await readBody(w, await readHead(w));
		assert.match(body.toString(), page === 'x' ? /^x$/ : /<!doctype html>/i);
		await g.line(new RegExp(`access request .*status=200 out_bytes=${body.length} `));
	}
}, { skip: NOT_WRAPPED });

scenario('a client that asks on and takes no answer is kept one answer, not many; then it is cut, and the log says so', async (s) => {
	const g = await s.gate({ args: ['--devconsole'], files: { 'www/x': 'x' }, ini: '[defaults]\nsend_timeout = 500ms\n[/ws]\nexec = /bin/cat\n[/www]\nstatic = ./www\n' });
	bytes.writeBig(g.path('www/big'), bytes.raw(bytes.MiB, 52), 20 * bytes.MiB);
	assert.equal((await g.get('/ws')).status, 200);
	const before = g.rss();
	for (const [path, most] of [['/ws', 500], ['/www/big', 1]]) {
		const w = g.wire();
		await w.connected;
		await w.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(1000));
		await g.line(new RegExp(`target=${path} .*note="the client took nothing for send_timeout"`), { ms: 20000 });
		assert.ok(g.lines.filter((line) => line.includes(`target=${path} `)).length <= most);
		w.reset();
	}
	if (g.memoryIsItsOwn)
		assert.ok(g.rss() - before < 2 * bytes.MiB, `memory grew by ${g.rss() - before}`);
}, { skip: NOT_WRAPPED });
