'use strict';
/* Several routes in one INI file: the longest path that matches wins, and the rest is PATH_INFO. */

const assert = require('node:assert/strict');
const { scenario, NOT_WRAPPED } = require('./lib/wsgate');
const { echo } = require('./lib/services');

const tell = '#!/bin/sh\necho "route $WSGATE_ROUTE script $SCRIPT_NAME info $PATH_INFO query $QUERY_STRING"\n';

scenario('longest match, on segment boundaries', async (s) => {
	const g = await s.gate({
		files: { 'tell.sh': tell },
		ini: '[/a]\nexec = ./tell.sh\n[/a/b/c]\nexec = ./tell.sh\n[/deep/er]\nexec = ./tell.sh\n',
	});
	const said = async (path) => (await g.open(path)).nextText();
	assert.equal(await said('/a'), 'route /a script /a info  query ');
	assert.equal(await said('/a/b'), 'route /a script /a info /b query ');
	assert.equal(await said('/a/'), 'route /a script /a info / query ');
	assert.equal(await said('/a/b/c'), 'route /a/b/c script /a/b/c info  query ');
	assert.equal(await said('/a/b/c/d%20e?x=%20y'), 'route /a/b/c script /a/b/c info /d e query x=%20y');
	assert.equal(await said('/a/b/cd'), 'route /a script /a info /b/cd query ');
	for (const path of ['/ab', '/', '/deep', '/deeper', '/A'])
		assert.equal((await g.refusal(path)).status, 404, path);
});

scenario('programs, a TCP service and a page live side by side', async (s) => {
	const service = await echo(s);
	const g = await s.gate({
		files: { 'www/index.html': '<h1>hello</h1>\n', 'up.sh': '#!/bin/sh\nwhile read -r x; do echo "$x" | tr a-z A-Z; done\n' },
		ini: `[/up]\nexec = ./up.sh\n[/tcp]\ntcp = 127.0.0.1:${service.port}\n[/]\nstatic = ./www\n`,
	});
	const up = await g.open('/up');
	await up.text('shout');
	assert.equal(await up.nextText(), 'SHOUT');
	const tcp = await g.open('/tcp');
	await tcp.binary('bytes');
	assert.deepEqual(await tcp.next(), { kind: 'binary', data: Buffer.from('bytes'), fragments: 1 });
	const page = await g.get('/');
	assert.equal(page.status, 200);
	assert.equal(page.body, '<h1>hello</h1>\n');
	assert.match(page.headers['content-type'], /^text\/html/);
}, { skip: NOT_WRAPPED });

scenario('[defaults] hold for every route, a route may differ', async (s) => {
	const g = await s.gate({
		ini: '[defaults]\nmax_message = 10\n[/small]\nexec = /bin/cat\n[/big]\nexec = /bin/cat\nmax_message = 100\n',
	});
	const small = await g.open('/small');
	await small.text('eleven bytes');
	assert.equal((await small.leave()).code, 1009);
	const big = await g.open('/big');
	await big.text('eleven bytes');
	assert.equal(await big.nextText(), 'eleven bytes');
});

scenario('an option on the command line wins over the file', async (s) => {
	const g = await s.gate({ ini: '[server]\nlisten = 127.0.0.1:1\n[/]\nexec = /bin/cat\nmax_message = 10\n', args: ['--max-message=20'] });
	const c = await g.open('/');
	await c.text('eleven bytes');
	assert.equal(await c.nextText(), 'eleven bytes');
});

scenario('words of exec are quoted as in a shell, and no shell sees them', async (s) => {
	const g = await s.gate({
		files: { 'args.sh': '#!/bin/sh\nfor a; do echo "<$a>"; done\n' },
		ini: '[/]\nexec = ./args.sh one "two words" \'$HOME\' *\n',
	});
	const c = await g.open('/');
	for (const word of ['<one>', '<two words>', '<$HOME>', '<*>'])
		assert.equal(await c.nextText(), word);
	assert.equal((await c.leave()).code, 1000);
});

scenario('shell = is given to a shell', async (s) => {
	const g = await s.gate({ ini: '[/]\nshell = echo $((6 * 7)) | tr 2 3\n' });
	const c = await g.open('/');
	assert.equal(await c.nextText(), '43');
	assert.equal((await c.leave()).code, 1000);
});

scenario('a unix socket behind, and a unix socket in front', async (s) => {
	const fs = require('node:fs');
	const net = require('node:net');
	const path = `/tmp/wsgate-unix-${process.pid}.sock`;
	const front = `/tmp/wsgate-front-${process.pid}.sock`;
	await echo(s, { path });
	s.after(() => fs.rmSync(path, { force: true }));
	const g = await s.gate({ listen: `127.0.0.1:0, unix:${front}`, ini: `[/]\nunix = ${path}\n` });
	const c = await g.open('/');
	await c.binary('over a file');
	assert.equal((await c.next()).data.toString(), 'over a file');
	await g.line(/listening on unix:/);
	const socket = net.connect(front);
	const { upgradeHead } = require('./lib/raw');
	const answer = await new Promise((resolve, reject) => {
		socket.on('error', reject);
		socket.once('data', (d) => resolve(d.toString()));
		socket.write(upgradeHead('/'));
	});
	socket.destroy();
	assert.match(answer, /^HTTP\/1\.1 101 /);
	c.destroy();
	await g.stop();
	assert.ok(!fs.existsSync(front), 'the socket file is taken away at the end');
});
