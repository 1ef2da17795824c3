'use strict';
/*
 * websocketd, as Debian has it, and wsgate side by side: the same programs, the same flags, the same client.
 * What differs is written down here, and in examples/from-websocketd.md with its reason; nothing else may.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { spawnSync } = require('node:child_process');
const { scenario, until, within, isAlive } = require('./lib/wsgate');
const { bound, pause } = require('./lib/bounds');
const { skip, both, story, refused } = require('./lib/websocketd');

/* --- the programs that websocketd's README begins with, in our words ------------------------------ */

const COUNTER = '#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9 10; do echo $n; sleep 0.02; done\n';
const GREETER = '#!/bin/sh\nwhile read -r name; do echo "Hello $name!"; done\n';
const DUMP = '#!/bin/sh\nexec env -0 | tr "\\n\\0" "\\1\\n"\n';

scenario('the counter: the same numbers; and the end is told', async (s) => {
	const [theirs, ours] = await both(s, ['./counter.sh'], { files: { 'counter.sh': COUNTER } });
	const [a, b] = [await story(theirs), await story(ours)];
	assert.deepEqual(b.messages, ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);
	assert.deepEqual(a.messages, b.messages);
	assert.deepEqual(b.end, { code: 1000, reason: 'exit 0' });
	s.say(`the end of the program: websocketd ${a.end === null ? 'drops the connection (1006)' : JSON.stringify(a.end)}, wsgate 1000 "exit 0"`);
}, { skip });

scenario('the greeter: the same greetings', async (s) => {
	const pair = await both(s, ['./greeter.sh'], { files: { 'greeter.sh': GREETER } });
	const say = ['Ada', 'Grace Hopper', 'Жанна 𝄞', '', 'two\nlines'];
	for (const peer of pair) {
		const { messages } = await story(peer, { say, messages: 6 });
		assert.deepEqual(messages, ['Hello Ada!', 'Hello Grace Hopper!', 'Hello Жанна 𝄞!', 'Hello !', 'Hello two!', 'Hello lines!'], peer.name);
	}
}, { skip });

/* --- the environment, variable by variable ------------------------------------------------------------ */

const SAME = 'the same';
const form = (pattern) => ([theirs, ours]) => pattern.test(theirs) && pattern.test(ours);
const only = { ours: ([theirs]) => theirs === undefined, theirs: ([, ours]) => ours === undefined };

/* Every variable that is not the same, and why. */
const CHOSEN = {
	/* Another value by nature, of the same form. */
	SERVER_PORT: form(/^\d+$/), REMOTE_PORT: form(/^\d+$/), UNIQUE_ID: form(/^[0-9a-f]+$/), HTTP_SEC_WEBSOCKET_KEY: form(/^[A-Za-z0-9+/]{22}==$/),
	SERVER_SOFTWARE: ([theirs, ours]) => /^websocketd\//.test(theirs) && /^wsgate\//.test(ours),
	/* RFC 3875 has this value. */
	GATEWAY_INTERFACE: ([theirs, ours]) => theirs === 'websocketd-CGI/0.1' && ours === 'CGI/1.1',
	/* websocketd repeats the path; RFC 3875 means a file name, and there is none without a folder. */
	PATH_TRANSLATED: ([, ours]) => ours === undefined,
	/* Go takes Host away from the header fields. */
	HTTP_HOST: ([theirs, ours]) => theirs === undefined && /^127\.0\.0\.1:\d+$/.test(ours),
	/* A client must not name a proxy for the program (httpoxy), nor should a program's children see passwords. */
	HTTP_PROXY: only.theirs, HTTP_AUTHORIZATION: only.theirs, HTTP_PROXY_AUTHORIZATION: only.theirs,
	/* An upgrade has no content, and what describes content is CGI's CONTENT_TYPE (RFC 3875 4.1.18). */
	HTTP_CONTENT_TYPE: only.theirs,
	/* X_Forged and X-Forged would be the same variable: the one with the underscore is dropped. */
	HTTP_X_FORGED: ([, ours]) => ours === 'hyphen',
	/* Control bytes are spaces. */
	HTTP_X_TAB: ([theirs, ours]) => theirs === 'a\tb' && ours === 'a b',
	/* wsgate passes more of its own environment on, and says more. */
	LANG: only.ours, HOME: only.ours, USER: only.ours, TZ: only.ours, LC_ALL: only.ours, WSGATE_ROUTE: only.ours, WSGATE_SUBPROTOCOL: only.ours,
	/* Lines are not held back in a buffer. */
	PYTHONUNBUFFERED: only.ours, LD_PRELOAD: only.ours,
};

const SHELL = /^(PWD|OLDPWD|SHLVL|_)$/;

async function environment(peer, path, options) {
	const { messages } = await story(peer, { path, ...options });
	return Object.fromEntries(messages.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
}

for (const [what, args, path] of [['a program at every path', ['./dump.sh'], '/some%20path/x?q=1&r=%20'], ['a program with arguments', ['--', './dump.sh', 'x'], '/']]) {
	scenario(`the environment, variable by variable: ${what}`, async (s) => {
		const env = { LANG: 'C.UTF-8', TZ: 'UTC', USER: 'tester', SECRET: 'of the server', LD_LIBRARY_PATH: '/nowhere' };
		const pair = await both(s, args, { files: { 'dump.sh': DUMP }, env });
		const headers = {
			Host: '127.0.0.1:1', 'User-Agent': 'tester/1', Cookie: 'a=b; c=d', 'Accept-Language': 'de', 'X-Two-Words': 'a  b', 'X-Tab': 'a\tb', 'Content-Type': 'text/x',
			Proxy: 'http://evil.example', Authorization: 'Basic eDp5', 'Proxy-Authorization': 'Basic eDp5', 'X_Forged': 'underscore', 'X-Forged': 'hyphen',
			Origin: 'http://127.0.0.1:1', 'X-Forwarded-For': '192.0.2.1',
		};
		const [theirs, ours] = [await environment(pair[0], path, { headers, protocols: ['chat', 'more'] }), await environment(pair[1], path, { headers, protocols: ['chat', 'more'] })];
		const rows = [];
		for (const name of [...new Set([...Object.keys(theirs), ...Object.keys(ours)])].filter((n) => !SHELL.test(n)).sort()) {
			const values = [theirs[name], ours[name]];
			if (values[0] === values[1])
				rows.push([name, SAME]);
			else {
				assert.ok(CHOSEN[name], `${name} differs and nobody chose so: websocketd ${JSON.stringify(values[0])}, wsgate ${JSON.stringify(values[1])}`);
				assert.ok(CHOSEN[name](values), `${name}: websocketd ${JSON.stringify(values[0])}, wsgate ${JSON.stringify(values[1])}`);
				rows.push([name, 'differs, as chosen']);
			}
		}
		const same = rows.filter(([, verdict]) => verdict === SAME).map(([name]) => name);
		for (const name of ['REMOTE_ADDR', 'REMOTE_HOST', 'SERVER_NAME', 'SERVER_PROTOCOL', 'REQUEST_METHOD', 'REQUEST_URI', 'SCRIPT_NAME', 'PATH_INFO',
			'QUERY_STRING', 'AUTH_TYPE', 'CONTENT_LENGTH', 'CONTENT_TYPE', 'REMOTE_IDENT', 'REMOTE_USER', 'HTTP_COOKIE', 'HTTP_ORIGIN', 'HTTP_USER_AGENT', 'PATH', 'LD_LIBRARY_PATH'])
			assert.ok(same.includes(name), `${name} is the same`);
		assert.equal(theirs.SECRET, undefined);
		assert.equal(ours.SECRET, undefined);
		s.say(`the same: ${same.join(' ')}`);
		s.say(`chosen: ${rows.filter(([, verdict]) => verdict !== SAME).map(([name]) => name).join(' ')}`);
	}, { skip });
}

scenario('--passenv replaces the list', async (s) => {
	for (const flags of [['--passenv=WANTED,ALSO'], ['--passenv', 'WANTED,ALSO'], ['-passenv=WANTED,ALSO']]) {
		const pair = await both(s, [...flags, './dump.sh'], { files: { 'dump.sh': '#!/bin/sh\n/usr/bin/env | /usr/bin/grep -E "^(WANTED|UNWANTED|ALSO|LANG)="\n' }, env: { WANTED: 'yes', ALSO: 'so', UNWANTED: 'no', LANG: 'C.UTF-8' } });
		for (const peer of pair)
			assert.deepEqual((await story(peer)).messages.sort(), ['ALSO=so', 'WANTED=yes'], `${peer.name} ${flags}`);
	}
}, { skip });

/* --- messages ------------------------------------------------------------------------------------------- */

scenario('lines: CR LF, blank ones, blanks, 3 MB of one', async (s) => {
	const lines = '#!/bin/sh\nprintf "a\\r\\nb\\n\\n c \\n"\nhead -c 3000000 /dev/zero | tr "\\0" x\necho\necho end\n';
	const pair = await both(s, ['./lines.sh'], { files: { 'lines.sh': lines } });
	for (const peer of pair) {
		const { messages } = await story(peer);
		assert.deepEqual(messages.map((m) => (m.length > 9 ? m.length : m)), ['a', 'b', '', ' c ', 3000000, 'end'], peer.name);
	}
}, { skip });

scenario('a last line without its end, and bytes that are not UTF-8: nothing is lost or broken any more', async (s) => {
	const pair = await both(s, ['./ragged.sh'], { files: { 'ragged.sh': '#!/bin/sh\nprintf "whole\\nragged"\n' } });
	const [a, b] = [await story(pair[0]), await story(pair[1])];
	assert.deepEqual(b.messages, ['whole', 'ragged']);
	s.say(`an unterminated last line: websocketd ${a.messages.length === 1 ? 'loses it' : 'sends it'}, wsgate sends it`);
	const odd = await both(s, ['./odd.sh'], { files: { 'odd.sh': '#!/bin/sh\nprintf "a\\377b\\n"\n' } });
	assert.deepEqual((await story(odd[1])).messages, ['a\ufffdb']);
	const broken = await story(odd[0]).then(() => 'sends valid text', (e) => e.message);
	s.say(`a byte that is not UTF-8: websocketd: ${broken}; wsgate sends U+FFFD`);
}, { skip });

scenario('--binary: bytes as they are, to and fro', async (s) => {
	const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
	for (const flag of ['--binary', '-binary', '--binary=true']) {
		for (const peer of await both(s, [flag, 'cat'])) {
			const { messages } = await story(peer, { say: [bytes], messages: 1 });
			assert.deepEqual(messages, [bytes], `${peer.name} ${flag}`);
		}
	}
	/* A text message: websocketd adds an LF even here. */
	const pair = await both(s, ['--binary', 'cat']);
	const [a, b] = [await story(pair[0], { say: ['text'], messages: 1 }), await story(pair[1], { say: ['text'], messages: 1 })];
	assert.equal(b.messages[0].toString(), 'text');
	s.say(`a text message under --binary: websocketd gives the program ${JSON.stringify(a.messages[0].toString())}, wsgate "text"`);
}, { skip });

scenario('one message of 1 MiB through cat comes back', async (s) => {
	const bytes = Buffer.alloc(1 << 20, 'x');
	const [theirs, ours] = await both(s, ['--binary', 'cat']);
	const back = [];
	for (const [peer, ms] of [[theirs, 2000], [ours, 20000]]) {
		const c = await peer.open('/');
		c.binary(bytes).catch(() => {});
		let count = 0;
		await within(ms, (async () => {
			for (let m; count < bytes.length && (m = await c.next()) !== null;)
				count += m.data.length;
		})(), 'all of it').catch(() => {});
		c.reset();
		back.push(count);
	}
	assert.equal(back[1], bytes.length);
	s.say(`of 1 MiB in one message, bytes that came back: websocketd ${back[0]}, wsgate ${back[1]}`);
}, { skip });

scenario('what was sent before the close arrives', async (s) => {
	const [theirs, ours] = await both(s, ['./count.sh'], { files: { 'count.sh': '#!/bin/sh\nwc -c >counted.$PPID\n' } });
	const counted = [];
	for (const peer of [theirs, ours]) {
		const c = await peer.open('/');
		await c.text('x'.repeat(500000));
		await c.close(1000).then(() => c.leave()).catch(() => {});
		const file = `counted.${peer.child?.pid ?? peer.pid}`;
		await until(10000, () => ours.exists(file) && ours.read(file).length > 0, `${peer.name}'s program has counted`).catch(() => {});
		counted.push(ours.exists(file) ? Number(ours.read(file)) : 0);
	}
	assert.equal(counted[1], 500001);
	s.say(`of 500001 bytes sent just before the close, the program read: under websocketd ${counted[0]}, under wsgate ${counted[1]}`);
}, { skip });

scenario('a subprotocol is answered', async (s) => {
	const pair = await both(s, ['cat']);
	const [a, b] = [await story(pair[0], { say: ['x'], messages: 1, protocols: ['chat'] }), await story(pair[1], { say: ['x'], messages: 1, protocols: ['chat'] })];
	assert.equal(b.protocol, 'chat');
	s.say(`subprotocol chat offered: websocketd answers ${JSON.stringify(a.protocol)}, wsgate "chat"`);
}, { skip });

/* --- who may come in --------------------------------------------------------------------------------------- */

scenario('--origin: the same pages of a list get in', async (s) => {
	const lists = {
		'a.example': { 'http://a.example': 101, 'https://a.example': 101, 'http://a.example:81': 101, 'http://b.example': 403, 'http://sub.a.example': 403, null: 403 },
		'https://a.example,b.example:81': { 'https://a.example': 101, 'http://a.example': 403, 'http://b.example:81': 101, 'http://b.example:82': 403 },
	};
	for (const [list, origins] of Object.entries(lists)) {
		const pair = await both(s, [`--origin=${list}`, 'cat']);
		for (const [origin, status] of Object.entries(origins)) {
			for (const peer of pair)
				assert.equal(await refused(peer, '/', { headers: { Origin: origin } }), status, `${peer.name} --origin=${list}, ${origin}`);
		}
	}
}, { skip });

scenario('--sameorigin refuses foreign pages; here it is what one gets without asking', async (s) => {
	const foreign = { headers: { Origin: 'http://evil.example' } };
	for (const peer of await both(s, ['--sameorigin', 'cat'])) {
		assert.equal(await refused(peer, '/', foreign), 403, peer.name);
		assert.equal(await refused(peer, '/', { headers: { Origin: `http://127.0.0.1:${peer.port}` } }), 101, peer.name);
	}
	const [theirs, ours] = await both(s, ['cat']);
	assert.equal(await refused(theirs, '/', foreign), 101);
	assert.equal(await refused(ours, '/', foreign), 403);
	const open = await s.gate(['--origin=any', 'cat']);
	assert.equal(await refused(open, '/', foreign), 101);
	/* Who sends no Origin is no browser. */
	const [wants, does_not] = await both(s, ['--sameorigin', 'cat']);
	assert.equal(await refused(wants, '/'), 403);
	assert.equal(await refused(does_not, '/'), 101);
}, { skip });

scenario('--maxforks: one too many is told 429 by websocketd, 503 with Retry-After by wsgate', async (s) => {
	const [theirs, ours] = await both(s, ['--maxforks=1', 'cat']);
	for (const [peer, status] of [[theirs, 429], [ours, 503]]) {
		const held = await story(peer, { say: ['x'], messages: 1 });
		assert.equal(await refused(peer, '/'), status, peer.name);
		held.client.reset();
		await until(10000, async () => (await refused(peer, '/')) === 101, () => `${peer.name} takes the next one`);
	}
}, { skip });

/* --- responses ---------------------------------------------------------------------------------------------- */

scenario('--header, --header-ws, --header-http, --staticdir', async (s) => {
	const args = ['--header=X-All: 1', '--header-ws=X-Ws: 2', '--header-http=X-Http: 3', '--staticdir=www', 'cat'];
	const pair = await both(s, args, { files: { 'www/page.html': '<p>page</p>\n', 'www/index.html': '<p>index</p>\n' } });
	for (const peer of pair) {
		const { head, messages } = await story(peer, { say: ['x'], messages: 1 });
		assert.deepEqual(messages, ['x']);
		assert.deepEqual([head['x-all'], head['x-ws'], head['x-http']], ['1', '2', undefined], peer.name);
		for (const [path, body] of [['/page.html', '<p>page</p>\n'], ['/', '<p>index</p>\n']]) {
			const page = await peer.get(path);
			assert.deepEqual([page.status, page.body, page.headers['content-type']], [200, body, 'text/html; charset=utf-8'], peer.name);
			assert.deepEqual([page.headers['x-ws'], page.headers['x-http']], [undefined, '3'], peer.name);
		}
		assert.equal((await peer.get('/none')).status, 404);
	}
	const [a, b] = await Promise.all(pair.map((p) => p.get('/page.html')));
	assert.equal(b.headers['x-all'], '1');
	s.say(`--header on a file: websocketd ${a.headers['x-all'] ? 'sends it' : 'leaves it out'}, wsgate sends it`);
}, { skip });

scenario('a directory without an index: websocketd lists it, wsgate does not', async (s) => {
	const [theirs, ours] = await both(s, ['--staticdir=www'], { files: { 'www/secret.txt': 'x' } });
	assert.match((await theirs.get('/')).body, /secret\.txt/);
	const answer = await ours.get('/');
	assert.equal(answer.status, 404);
	assert.ok(!answer.body.includes('secret'));
}, { skip });

/* --- directories of programs ----------------------------------------------------------------------------- */

const TELL = '#!/bin/sh\necho "$SCRIPT_NAME $PATH_INFO $QUERY_STRING"\n';

scenario('--dir: a program at its own name; what is no program is not there', async (s) => {
	const pair = await both(s, ['--dir=programs'], { files: { 'programs/a.sh': TELL, 'programs/sub/b.sh': TELL, 'programs/plain.txt': 'text\n' } });
	for (const peer of pair) {
		for (const [path, line] of [['/a.sh', '/a.sh  '], ['/a.sh/more/x?q=1', '/a.sh /more/x q=1'], ['/sub/b.sh/r', '/sub/b.sh /r ']])
			assert.deepEqual((await story(peer, { path })).messages, [line], `${peer.name} ${path}`);
		for (const path of ['/', '/sub', '/none', '/a'])
			assert.equal(await refused(peer, path), 404, `${peer.name} ${path}`);
	}
	assert.equal(await refused(pair[1], '/plain.txt'), 404);
	s.say(`a file that cannot be executed: websocketd ${await refused(pair[0], '/plain.txt')}, wsgate 404`);
}, { skip });

scenario('--cgidir: a script answers an ordinary request', async (s) => {
	const script = '#!/bin/sh\nprintf "Content-Type: text/plain\\nX-Of-Script: yes\\n\\n$REQUEST_METHOD $QUERY_STRING"\n';
	for (const peer of await both(s, ['--cgidir=cgi', 'cat'], { files: { 'cgi/x.sh': script } })) {
		const page = await peer.get('/x.sh?q=1');
		assert.deepEqual([page.status, page.body, page.headers['x-of-script']], [200, 'GET q=1', 'yes'], peer.name);
		assert.deepEqual((await story(peer, { say: ['x'], messages: 1 })).messages, ['x'], peer.name);
	}
}, { skip });

/* --- the end of a program ------------------------------------------------------------------------------------- */

const STUBBORN = '#!/bin/bash\ntrap "echo -n i >>$0.log" INT; trap "echo -n t >>$0.log" TERM\necho $$\nwhile :; do sleep 0.02; done\n';

scenario('--closems: the same signals, as late', async (s) => {
	for (const ms of [0, 400]) {
		const pair = await both(s, [`--closems=${ms}`, './stubborn.sh'], { files: { 'stubborn.sh': STUBBORN } });
		const times = [];
		for (const peer of pair) {
			fs.rmSync(pair[1].path('stubborn.sh.log'), { force: true });
			const { client, messages: [pid] } = await story(peer, { messages: 1 });
			const log = () => (pair[1].exists('stubborn.sh.log') ? pair[1].read('stubborn.sh.log').toString() : '');
			await pause(100);
			client.reset();
			const began = Date.now();
			const at = {};
			await until(20000, () => log().includes('i'), 'SIGINT');
			at.INT = Date.now() - began;
			await until(20000, () => log().includes('t'), 'SIGTERM');
			at.TERM = Date.now() - began;
			await until(20000, () => !isAlive(Number(pid)), 'SIGKILL');
			at.KILL = Date.now() - began;
			times.push(at);
		}
		for (const step of ['INT', 'TERM', 'KILL'])
			assert.ok(Math.abs(times[0][step] - times[1][step]) < bound(1000), `${step}: ${JSON.stringify(times)}`);
		assert.ok(times[1].INT >= 100 + ms - 20 && times[1].KILL >= 850 + 3 * ms - 60, JSON.stringify(times));
		s.say(`--closems=${ms}, milliseconds after the client went: websocketd ${JSON.stringify(times[0])}, wsgate ${JSON.stringify(times[1])}`);
	}
}, { skip });

scenario('what a program has started ends with it', async (s) => {
	const pair = await both(s, ['./parent.sh'], { files: { 'parent.sh': '#!/bin/sh\nsleep 1000 &\necho $!\nwait\n' } });
	const left = [];
	for (const peer of pair) {
		const { client, messages: [pid] } = await story(peer, { messages: 1 });
		client.reset();
		if (peer.name === 'wsgate')
			await until(15000, () => !isAlive(Number(pid)), 'the grandchild is gone');
		else
			await pause(1500);
		left.push(isAlive(Number(pid)));
	}
	s.say(`a grandchild when the client has gone: websocketd ${left[0] ? 'leaves it running' : 'ends it'}, wsgate ends it`);
}, { skip });

scenario('SIGTERM to the server: clients are told, programs end', async (s) => {
	const pair = await both(s, ['./stubborn.sh'], { files: { 'stubborn.sh': STUBBORN } });
	const told = [];
	for (const peer of pair) {
		const { client, messages: [pid] } = await story(peer, { messages: 1 });
		process.kill(peer.child?.pid ?? peer.pid, 'SIGTERM');
		const end = await client.readToClose({ ms: 10000 }).catch(() => null);
		if (peer.name === 'wsgate') {
			assert.equal(end.code, 1001);
			client.destroy();
			await until(15000, () => !isAlive(Number(pid)), 'the program is gone');
		} else
			await pause(1000);
		told.push(`${peer.name}: ${end ? `close ${end.code}` : 'no Close frame'}, program ${isAlive(Number(pid)) ? 'left running' : 'ended'}`);
	}
	s.say(told.join('; '));
}, { skip });

/* --- the command line -------------------------------------------------------------------------------------------- */

scenario('mistakes: both refuse to start, wsgate with one line and the exit status of sysexits', async (s) => {
	for (const args of [['no-such-program-here'], [], ['--nonsense', 'cat'], ['--port=x', 'cat']]) {
		const theirs = spawnSync('websocketd', args, { encoding: 'utf8', timeout: 5000 });
		assert.ok(theirs.status > 0, `websocketd ${args}`);
		const ours = await s.run(args);
		assert.equal(ours.code, 64, `wsgate ${args}`);
		assert.equal(ours.lines.length, 1, ours.err);
	}
}, { skip });

scenario('Go\'s spellings of flags are understood', async (s) => {
	for (const [flag, ...rest] of [['-loglevel=error'], ['--loglevel', 'error'], ['-loglevel', 'error'], ['--sameorigin=true'], ['-maxforks', '5'], ['--closems=100'], ['-binary=false']]) {
		for (const peer of await both(s, [flag, ...rest, 'cat'])) {
			const { messages } = await within(10000, story(peer, { say: ['x'], messages: 1, headers: { Origin: `http://127.0.0.1:${peer.port}` } }), 'echo');
			assert.deepEqual(messages.map(String), ['x'], `${peer.name} ${flag} ${rest}`);
		}
	}
}, { skip });
