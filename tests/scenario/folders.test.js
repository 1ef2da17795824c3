'use strict';
/* dir = DIRECTORY: each executable file in it is a program at its own name, and no path leads out of it. */

const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { scenario, NOT_WRAPPED, until } = require('./lib/wsgate');
const { Raw } = require('./lib/raw');

const dump = '#!/bin/sh\npwd; echo "$0"; echo "$#"; env -0 | tr "\\n\\0" "\\1\\n"\n';

async function textOf(c) {
	const out = [];
	for (let m; (m = await c.next()) !== null;)
		out.push(m.data.toString());
	return out;
}

function variables(lines) {
	return Object.fromEntries(lines.map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]));
}

scenario('each program at its own name, in folders too; the rest of the path is PATH_INFO', async (s) => {
	const g = await s.gate({
		files: { 'bin/count': dump, 'bin/sub/deep/prog.sh': dump, 'bin/with space': dump },
		ini: '[/tools]\ndir = ./bin\n[/]\ndir = ./bin\n',
	});
	const ask = async (target) => {
		const [cwd, name, args, ...env] = await textOf(await g.open(target));
		return { cwd, name, args, ...variables(env) };
	};
	const e = await ask('/tools/count/x/y%20z?q=1');
	assert.deepEqual([e.SCRIPT_NAME, e.PATH_INFO, e.QUERY_STRING, e.REQUEST_URI], ['/tools/count', '/x/y z', 'q=1', '/tools/count/x/y%20z?q=1']);
	assert.equal(e.PATH_TRANSLATED, `${g.path('bin')}/x/y z`);
	assert.equal(e.name, g.path('bin/count'));
	assert.equal(e.args, '0', 'no argument comes from a request');
	assert.equal(fs.realpathSync(e.cwd), fs.realpathSync(g.dir), 'it starts where wsgate was started');
	assert.equal(e.WSGATE_ROUTE, '/tools');
	const bare = await ask('/tools/count');
	assert.deepEqual([bare.SCRIPT_NAME, bare.PATH_INFO, bare.PATH_TRANSLATED], ['/tools/count', '', '']);
	const deep = await ask('/sub/deep/prog.sh/');
	assert.deepEqual([deep.SCRIPT_NAME, deep.PATH_INFO, deep.WSGATE_ROUTE], ['/sub/deep/prog.sh', '/', '/']);
	assert.equal((await ask('/with%20space')).SCRIPT_NAME, '/with space');
}, { skip: NOT_WRAPPED });

scenario('what is no program: 404, and nothing is started', async (s) => {
	const g = await s.gate({ files: { 'bin/count': dump, 'bin/sub/prog': dump, 'bin/plain.txt': 'text', 'bin/.hidden': dump, 'bin/.git/hook': dump }, ini: '[/tools]\ndir = ./bin\n[/x]\nexec = cat\n' });
	execFileSync('mkfifo', ['-m', '777', g.path('bin/fifo')]);
	fs.symlinkSync('nowhere', g.path('bin/dangling'));
	const server = net.createServer().listen(g.path('bin/socket'));
	s.after(() => server.close());
	await until(2000, () => g.exists('bin/socket'), 'a socket');
	for (const p of ['/tools', '/tools/', '/tools/missing', '/tools/sub', '/tools/sub/', '/tools/plain.txt', '/tools/plain.txt/x',
		'/tools/.hidden', '/tools/.git/hook', '/tools/fifo', '/tools/socket', '/tools/dangling', '/tools//count', '/tools/sub//prog', '/tools/Count'])
		assert.equal((await g.refusal(p)).status, 404, p);
	assert.match((await g.refusal('/tools/missing')).body, /no such program/);
	assert.equal((await g.get('/tools/count')).status, 426, 'an ordinary request is told what this path speaks');
	assert.equal(g.lines.filter((l) => / pid=/.test(l)).length, 0);
}, { skip: NOT_WRAPPED });

scenario('no way out: dots, encodings, links', async (s) => {
	const g = await s.gate({ files: { 'secret': '#!/bin/sh\necho SECRET\n', 'bin/count': '#!/bin/sh\necho inside\n', 'bin/sub/x': '#!/bin/sh\necho inside\n' }, ini: '[/tools]\ndir = ./bin\n' });
	fs.symlinkSync('../secret', g.path('bin/out'));
	fs.symlinkSync(g.path('secret'), g.path('bin/absolute'));
	fs.symlinkSync('/bin', g.path('bin/outdir'));
	fs.symlinkSync('/proc/self/root/bin/sh', g.path('bin/magic'));
	fs.symlinkSync('count', g.path('bin/alias'));
	fs.symlinkSync('../count', g.path('bin/sub/alias'));
	for (const p of ['/tools/../secret', '/tools/%2e%2e/secret', '/tools/..%2fsecret', '/tools/sub/../../secret', '/tools/%2e%2e%2fsecret',
		'/tools/out', '/tools/out/x', '/tools/absolute', '/tools/outdir/sh', '/tools/outdir/true', '/tools/magic', '/tools/count%00',
		'/tools/%252e%252e/secret', '/tools/..\\secret', '/tools//bin/true', '/tools/sub/..%5c..%5csecret']) {
		const answer = await g.refusal(p);
		assert.ok([400, 404].includes(answer.status), `${p}: ${answer.status}`);
		assert.doesNotMatch(answer.body, /SECRET/);
	}
	for (const p of ['/tools/alias', '/tools/sub/alias', '/tools/sub/../count', '/tools/%63ount'])
		assert.deepEqual(await textOf(await g.open(p)), ['inside'], p);
}, { skip: NOT_WRAPPED });

scenario('the folder is looked at for each request: new programs are there, removed ones are not', async (s) => {
	const g = await s.gate({ files: { 'bin/a': '#!/bin/sh\necho a\n' }, ini: '[/]\ndir = ./bin\n' });
	assert.equal((await g.refusal('/b')).status, 404);
	g.write('bin/b', '#!/bin/sh\necho b\n');
	assert.deepEqual(await textOf(await g.open('/b')), ['b']);
	fs.rmSync(g.path('bin/b'));
	assert.equal((await g.refusal('/b')).status, 404);
	fs.chmodSync(g.path('bin/a'), 0o644);
	assert.equal((await g.refusal('/a')).status, 404);
	fs.renameSync(g.path('bin'), g.path('gone'));
	assert.equal((await g.refusal('/a')).status, 500);
	await g.line(/bin cannot be looked at: No such file/);
}, { skip: NOT_WRAPPED });

scenario('a program that cannot be run: 500, and the log says why', async (s) => {
	const g = await s.gate({ files: { 'bin/lost': '#!/no/such/interpreter\n', 'bin/bare': 'echo x\n' }, ini: '[/]\ndir = ./bin\n' });
	fs.chmodSync(g.path('bin/bare'), 0o755);
	assert.equal((await g.refusal('/lost')).status, 500);
	await g.line(/cannot run \S*lost: the interpreter in its #! line is missing/);
	assert.equal((await g.refusal('/bare')).status, 500);
	await g.line(/cannot run \S*bare: no program, and no #! line/);
}, { skip: NOT_WRAPPED });

scenario('the options of a program are those of the route', async (s) => {
	const g = await s.gate({
		files: { 'bin/tell': '#!/bin/sh\npwd; nice; echo "$COLOUR"; exec cat >/dev/null\n', 'bin/fail': '#!/bin/sh\nexit 3\n', 'sub/x': '' },
		ini: '[/]\ndir = ./bin\nchdir = ./sub\nnice = 5\nenv = COLOUR=blue\nmax_children = 1\nexit_close = 4001\n',
	});
	const c = await g.open('/tell');
	assert.equal(fs.realpathSync(await c.nextText()), fs.realpathSync(g.path('sub')));
	assert.equal(await c.nextText(), '5');
	assert.equal(await c.nextText(), 'blue');
	const full = await g.refusal('/fail');
	assert.deepEqual([full.status, full.headers['retry-after']], [503, '1']);
	await c.bye();
	await g.childless();
	const f = await g.open('/fail');
	await textOf(f);
	assert.deepEqual([f.closed.code, f.closed.reason], [4001, 'exit 3']);
}, { skip: NOT_WRAPPED });

scenario('on the command line as websocketd has it: --dir, --staticdir, --cgidir', async (s) => {
	const g = await s.gate({
		args: ['--dir=bin', '--staticdir', 'www', '-cgidir=cgi'],
		files: { 'bin/count': '#!/bin/sh\necho 1\n', 'www/page.html': 'page', 'cgi/ask': '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\ncgi"\n' },
	});
	assert.deepEqual(await textOf(await g.open('/count')), ['1']);
	assert.equal((await g.get('/page.html')).body, 'page');
	assert.equal((await g.get('/ask')).body, 'cgi');
	const both = await s.run(['--dir=/', 'cat']);
	assert.equal(both.code, 64);
	assert.match(both.err, /--dir and PROGRAM/);
}, { skip: NOT_WRAPPED });

/* --- beside websocketd ----------------------------------------------------------------------------- */

function isInstalled(name) {
	try {
		execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
		return true;
	} catch {
		return false;
	}
}

const freePort = () => new Promise((resolve) => {
	const server = net.createServer().listen(0, '127.0.0.1', () => {
		const { port } = server.address();
		server.close(() => resolve(port));
	});
});

async function websocketd(s, dir) {
	const port = await freePort();
	const child = spawn('websocketd', ['--address=127.0.0.1', `--port=${port}`, '--dir=bin'], {
		cwd: dir, stdio: 'ignore', env: { PATH: process.env.PATH, HOME: os.tmpdir(), LANG: 'C.UTF-8' },
	});
	s.after(() => child.kill('SIGKILL'));
	await until(5000, () => new Promise((resolve) => {
		const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
		socket.on('error', () => resolve(false));
	}), 'websocketd listens');
	return port;
}

/*
 * Variable by variable, what a program of a folder is told by websocketd and by wsgate. What differs is
 * listed here, with the reason; anything else that differs is a failure. Values that cannot be equal
 * (ports, ids, keys, where the gate's files lie) are replaced by what they are.
 */
const CHOSEN = {
	SERVER_SOFTWARE: 'each says its own name',
	GATEWAY_INTERFACE: 'CGI/1.1, as RFC 3875 4.1.4 has it; websocketd says websocketd-CGI/0.1',
	PATH_TRANSLATED: 'the file that PATH_INFO would be under the folder (RFC 3875 4.1.6); websocketd repeats the path of the URL',
	HTTP_HOST: 'is a header as any other; websocketd drops it',
	WSGATE_ROUTE: 'ours', WSGATE_SUBPROTOCOL: 'ours',
	PYTHONUNBUFFERED: 'a line is a message when it is printed', LD_PRELOAD: 'the same, for C programs',
	HOME: 'passenv names it by default', LANG: 'passenv names it by default',
};

scenario('the environment is websocketd\'s, variable by variable, but for what we chose', async (s) => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'websocketd-test-'));
	s.after(() => fs.rmSync(dir, { recursive: true, force: true }));
	fs.mkdirSync(path.join(dir, 'bin/sub'), { recursive: true });
	fs.writeFileSync(path.join(dir, 'bin/sub/prog'), dump, { mode: 0o755 });
	const g = await s.gate({ args: ['--dir=bin', '--origin=any'], files: { 'bin/sub/prog': dump } });
	const target = '/sub/prog/a%20b/c?x=1&y=%20z', fixed = 'dGhlIHNhbXBsZSBub25jZQ==';
	const ask = async (port, home) => {
		const c = await Raw.open(port, { path: target, headers: { Origin: `http://127.0.0.1:${port}`, 'User-Agent': 'test/1', 'X-Two-Words': 'a  b', Cookie: 'c=d' } });
		g.clients.push(c);
		const [cwd, name, args, ...env] = await textOf(c);
		const known = [[home, 'DIR'], [String(port), 'PORT']];
		const e = { cwd, name, args, ...variables(env) };
		assert.match(e.REMOTE_PORT, /^\d+$/);
		assert.ok(e.UNIQUE_ID.length > 0);
		Object.assign(e, { REMOTE_PORT: 'N', UNIQUE_ID: 'ID', HTTP_SEC_WEBSOCKET_KEY: fixed });
		for (const [n, v] of Object.entries(e))
			e[n] = known.reduce((text, [from, to]) => text.replaceAll(from, to), v);
		return e;
	};
	const theirs = await ask(await websocketd(s, dir), fs.realpathSync(dir));
	const ours = await ask(g.port, fs.realpathSync(g.dir));
	for (const name of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
		if (name in CHOSEN)
			assert.notEqual(ours[name], theirs[name], `${name} is listed as different, and is not`);
		else
			assert.equal(ours[name], theirs[name], name);
	}
	assert.equal(theirs.SCRIPT_NAME, '/sub/prog', 'the comparison is of what it is meant to be');
}, { skip: NOT_WRAPPED || (!isInstalled('websocketd') && 'websocketd is not installed: apt-get install websocketd') });
