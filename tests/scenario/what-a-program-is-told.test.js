'use strict';
/* The environment of a program: what CGI names, what the client said, and nothing else of the server's. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { scenario } = require('./lib/wsgate');

const dump = '#!/bin/sh\nenv -0 | tr "\\n\\0" "\\1\\n"\n';

async function environment(g, path, options) {
	const c = await g.open(path, options);
	const env = {};
	for (let m; (m = await c.next()) !== null;) {
		const [name, ...rest] = m.data.toString().split('=');
		env[name] = rest.join('=');
	}
	return env;
}

scenario('as CGI and websocketd give it', async (s) => {
	const g = await s.gate({ files: { 'dump.sh': dump }, ini: '[/in/here]\nexec = ./dump.sh\n' });
	const e = await environment(g, '/in/here/rest%20of/it?a=1&b=%20x', {
		protocols: ['chat', 'superchat'],
		headers: { Origin: `http://127.0.0.1:${g.port}`, 'User-Agent': 'test/1', 'X-Two-Words': 'a  b', Cookie: 'c=d' },
	});
	assert.equal(e.GATEWAY_INTERFACE, 'CGI/1.1');
	assert.equal(e.REQUEST_METHOD, 'GET');
	assert.equal(e.REQUEST_URI, '/in/here/rest%20of/it?a=1&b=%20x');
	assert.equal(e.SCRIPT_NAME, '/in/here');
	assert.equal(e.PATH_INFO, '/rest of/it');
	assert.equal(e.QUERY_STRING, 'a=1&b=%20x');
	assert.equal(e.SERVER_NAME, '127.0.0.1');
	assert.equal(e.SERVER_PORT, String(g.port));
	assert.equal(e.SERVER_PROTOCOL, 'HTTP/1.1');
	assert.match(e.SERVER_SOFTWARE, /wsgate/);
	assert.equal(e.REMOTE_ADDR, '127.0.0.1');
	assert.equal(e.REMOTE_HOST, '127.0.0.1');
	assert.match(e.REMOTE_PORT, /^\d+$/);
	assert.match(e.UNIQUE_ID, /./);
	for (const empty of ['REMOTE_USER', 'AUTH_TYPE', 'REMOTE_IDENT', 'CONTENT_LENGTH', 'CONTENT_TYPE'])
		assert.equal(e[empty] ?? '', '', empty);
	assert.equal(e.HTTPS, undefined);
	assert.equal(e.HTTP_ORIGIN, `http://127.0.0.1:${g.port}`);
	assert.equal(e.HTTP_USER_AGENT, 'test/1');
	assert.equal(e.HTTP_X_TWO_WORDS, 'a  b');
	assert.equal(e.HTTP_COOKIE, 'c=d');
	assert.equal(e.HTTP_HOST, `127.0.0.1:${g.port}`);
	assert.equal(e.WSGATE_ROUTE, '/in/here');
	assert.equal(e.WSGATE_SUBPROTOCOL, 'chat');
	const other = await environment(g, '/in/here');
	assert.notEqual(other.UNIQUE_ID, e.UNIQUE_ID);
});

scenario('what must not get in does not', async (s) => {
	const g = await s.gate({ files: { 'dump.sh': dump }, env: { SECRET: 'of the server', LD_PRELOAD_X: '1', TZ: 'UTC', USER: 'tester' }, ini: '[/]\nexec = ./dump.sh\n' });
	const e = await environment(g, '/', {
		headers: {
			Proxy: 'http://evil.example',
			Authorization: 'Basic c2VjcmV0OnBhc3N3b3Jk',
			'Proxy-Authorization': 'Basic eA==',
			'X_Under_Score': 'forged',
			'X-Under-Score': 'true',
			'X-Tab': 'a\tb',
		},
	});
	assert.equal(e.HTTP_PROXY, undefined, 'httpoxy');
	assert.equal(e.HTTP_AUTHORIZATION, undefined);
	assert.equal(e.HTTP_PROXY_AUTHORIZATION, undefined);
	assert.equal(e.HTTP_X_UNDER_SCORE, 'true');
	assert.equal(e.HTTP_X_TAB, 'a b');
	assert.equal(e.SECRET, undefined);
	assert.equal(e.LD_PRELOAD_X, undefined);
	/* Of the server's own environment only these are passed on by default. */
	assert.equal(e.TZ, 'UTC');
	assert.equal(e.USER, 'tester');
	assert.equal(e.HOME, g.dir);
	assert.equal(e.PATH, process.env.PATH);
	const cgi = /^(HTTP_\w+|WSGATE_\w+|SERVER_\w+|REQUEST_\w+|REMOTE_\w+|GATEWAY_INTERFACE|SCRIPT_NAME|PATH_INFO|PATH_TRANSLATED|QUERY_STRING|AUTH_TYPE|CONTENT_\w+|UNIQUE_ID)$/;
	const own = /^(PATH|LANG|LC_ALL|LD_LIBRARY_PATH|TZ|HOME|USER|PYTHONUNBUFFERED|LD_PRELOAD|PWD|OLDPWD|SHLVL|_)$/; /* PWD and below: the shell's */
	assert.deepEqual(Object.keys(e).filter((n) => !cgi.test(n) && !own.test(n)), []);
});

scenario('env and passenv', async (s) => {
	const g = await s.gate({
		files: { 'dump.sh': dump },
		env: { WANTED: 'yes', UNWANTED: 'no' },
		ini: '[/]\nexec = ./dump.sh\nenv = COLOUR=blue\npassenv = PATH WANTED HOME\n',
	});
	const e = await environment(g, '/');
	assert.equal(e.COLOUR, 'blue');
	assert.equal(e.WANTED, 'yes');
	assert.equal(e.UNWANTED, undefined);
	assert.equal(e.LANG, undefined);
});

scenario('a program gets stdin, stdout and stderr, and no other descriptor', async (s) => {
	const g = await s.gate({ args: ['ls', '-l', '/proc/self/fd'] });
	await g.open('/').then((c) => c.leave());
	const c = await g.open('/');
	const fds = [];
	for (let m; (m = await c.next()) !== null;) {
		const f = / (\d+) -> (.*)$/.exec(m.data.toString());
		if (f && !/^\/proc\/\d+\/fd$/.test(f[2]))
			fds.push(Number(f[1]));
	}
	assert.deepEqual(fds.sort(), [0, 1, 2]);
});

scenario('signals are as after a login: nothing ignored, nothing blocked', async (s) => {
	const g = await s.gate(['grep', '-E', '^Sig(Blk|Ign):', '/proc/self/status']);
	const c = await g.open('/');
	const rows = [];
	for (let m; (m = await c.next()) !== null;)
		rows.push(m.data.toString());
	assert.equal(rows.length, 2);
	for (const row of rows)
		assert.match(row, /:\s+0+$/, row);
});

scenario('chdir, umask, nice', async (s) => {
	const g = await s.gate({
		files: { 'sub/x': '', 'tell.sh': '#!/bin/sh\npwd\numask\nnice\n' },
		ini: '[/]\nexec = ./tell.sh\nchdir = ./sub\numask = 027\nnice = 5\n',
	});
	const c = await g.open('/');
	assert.equal(fs.realpathSync(await c.nextText()), fs.realpathSync(g.path('sub')));
	assert.match(await c.nextText(), /^0?027$/);
	assert.equal(await c.nextText(), '5');
});
