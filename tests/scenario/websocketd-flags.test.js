'use strict';
/*
 * The flags of websocketd, one by one and against each other: in its spellings, with its meanings, and where
 * two contradict each other with a line that says so. Where Debian's websocketd has the flag, it is asked too.
 */

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { scenario, until } = require('./lib/wsgate');
const { skip, both, story, refused } = require('./lib/websocketd');

const FOREIGN = { headers: { Origin: 'http://evil.example' } };

scenario('--header=Server: takes the place of ours, on pages, refusals, scripts and handshakes', async (s) => {
	const files = {
		'www/page.html': '<p>page</p>\n',
		'cgi/x.sh': '#!/bin/sh\nprintf "Content-Type: text/plain\\nServer: script\\n\\nx"\n',
	};
	const g = await s.gate({ files, args: ['--header=Server: mine/1', '--staticdir=www', '--cgidir=cgi', 'cat'] });
	for (const path of ['/page.html', '/none', '/x.sh'])
		assert.match(rawHead(await g.get(path)), /^Server: mine\/1$/m, path);
	assert.equal((await story(g, { say: ['x'], messages: 1 })).head.server, 'mine/1');
	const plain = await s.gate({ files, args: ['--staticdir=www', 'cat'] });
	assert.equal((await plain.get('/page.html')).headers.server, 'wsgate');
});

/* One line for each field, also where a name is there twice. */
function rawHead(answer) {
	const names = Object.entries(answer.headers).filter(([name]) => name === 'server');
	assert.equal(names.length, 1);
	assert.ok(!names[0][1].includes(','), `Server is there once: ${names[0][1]}`);
	return `Server: ${names[0][1]}`;
}

scenario('--header-http and --header-ws name the server as websocketd does', async (s) => {
	const pair = await both(s, ['--header-http=Server: pages', '--header-ws=Server: sockets', '--staticdir=www', 'cat'], { files: { 'www/page.html': 'x' } });
	for (const peer of pair) {
		assert.equal((await peer.get('/page.html')).headers.server, 'pages', peer.name);
		assert.equal((await peer.get('/none')).headers.server, 'pages', peer.name);
		assert.equal((await story(peer, { say: ['x'], messages: 1 })).head.server, 'sockets', peer.name);
	}
}, { skip });

scenario('--passenv= passes nothing on', async (s) => {
	const script = '#!/bin/sh\n/usr/bin/env | /usr/bin/grep -E "^(PATH|LANG|HOME|USER|TZ|LC_ALL|LD_LIBRARY_PATH|SERVER_PROTOCOL)="\n';
	for (const flags of [['--passenv='], ['--passenv', '']]) {
		const pair = await both(s, [...flags, './dump.sh'], { files: { 'dump.sh': script }, env: { LANG: 'C.UTF-8', TZ: 'UTC', LD_LIBRARY_PATH: '/nowhere' } });
		for (const peer of pair)
			assert.deepEqual((await story(peer)).messages, ['SERVER_PROTOCOL=HTTP/1.1'], `${peer.name} ${JSON.stringify(flags)}`);
	}
}, { skip });

scenario('--maxforks=0 and less is no ceiling', async (s) => {
	for (const flags of [['--maxforks=0'], ['--maxforks=-1'], ['-maxforks', '-7']]) {
		for (const peer of await both(s, [...flags, 'cat'])) {
			const all = await Promise.all(Array.from({ length: 5 }, () => story(peer, { say: ['x'], messages: 1 })));
			assert.deepEqual(all.map((one) => one.messages), Array(5).fill(['x']), `${peer.name} ${flags}`);
		}
	}
}, { skip });

scenario('--loglevel takes the same names, and what a program complains of is an error', async (s) => {
	/* It stays: websocketd may lose what a program that ends at once has complained of. */
	const files = { 'p.sh': '#!/bin/sh\necho oops >&2\necho out\nexec cat\n' };
	for (const level of ['debug', 'trace', 'access', 'info', 'error', 'fatal', 'none']) {
		const pair = await both(s, [`--loglevel=${level}`, './p.sh'], { files });
		for (const peer of pair)
			assert.deepEqual((await story(peer, { messages: 1 })).messages, ['out'], `${peer.name} ${level}`);
		const isSilent = ['fatal', 'none'].includes(level);
		if (!isSilent)
			await until(5000, () => pair.every((peer) => /oops/.test(peer.log)), () => `oops in both logs at ${level}: ${pair.map((peer) => peer.log)}`);
		await pair[1].stop();
		if (isSilent) {
			assert.doesNotMatch(pair[0].log, /oops/);
			assert.deepEqual(pair[1].lines.filter((l) => !/listening/.test(l)), []);
		}
	}
	for (const level of ['unknown', 'loud', '']) {
		assert.notEqual(spawnSync('websocketd', [`--loglevel=${level}`, 'cat'], { timeout: 5000 }).status, 0, level);
		const r = await s.run([`--loglevel=${level}`, 'cat']);
		assert.deepEqual([r.code, r.lines.length], [64, 1], r.err);
	}
}, { skip });

scenario('switches are given as Go takes them, and the last one counts', async (s) => {
	const spellings = { '--binary': 'binary', '-binary': 'binary', '--binary=true': 'binary', '--binary=T': 'binary', '--binary=1': 'binary', '--binary=FALSE': 'text', '-binary=0': 'text', '-binary=f': 'text' };
	const cases = [...Object.entries(spellings).map(([flag, kind]) => [[flag], kind]), [['--binary', '--binary=false'], 'text'], [['--binary=false', '-binary'], 'binary']];
	for (const [flags, kind] of cases) {
		for (const peer of await both(s, [...flags, 'cat'])) {
			const { messages: [first] } = await story(peer, { say: ['x'], messages: 1 });
			assert.equal(typeof first === 'string' ? 'text' : 'binary', kind, `${peer.name} ${flags}`);
		}
	}
}, { skip });

scenario('--sameorigin=false lets every page in, unless --origin names some', async (s) => {
	for (const flags of [['--sameorigin=false'], ['-sameorigin=0'], ['--sameorigin', '--sameorigin=false']]) {
		for (const peer of await both(s, [...flags, 'cat']))
			assert.equal(await refused(peer, '/', FOREIGN), 101, `${peer.name} ${flags}`);
	}
	for (const flags of [['--sameorigin=false', '--origin=a.example'], ['--origin=a.example', '--sameorigin=false']]) {
		for (const peer of await both(s, [...flags, 'cat'])) {
			assert.equal(await refused(peer, '/', FOREIGN), 403, `${peer.name} ${flags}`);
			assert.equal(await refused(peer, '/', { headers: { Origin: 'http://a.example' } }), 101, `${peer.name} ${flags}`);
		}
	}
}, { skip });

scenario('--passstderr: both outputs as tagged objects', async (s) => {
	const g = await s.gate({ files: { 'p.sh': '#!/bin/sh\necho "a \\"b\\""\nread -r go\necho oops >&2\nread -r go\n' }, args: ['--passstderr', './p.sh'] });
	const c = await g.open('/');
	assert.deepEqual(await c.nextText(), '{"stream":"stdout","data":"a \\"b\\""}');
	await c.text('go');
	assert.deepEqual(await c.nextText(), '{"stream":"stderr","data":"oops"}');
	await c.text('go');
	assert.deepEqual(await c.nextText(), '{"stream":"exit","code":0}');
	assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
	const off = await s.gate(['--passstderr=false', 'cat']);
	assert.deepEqual((await story(off, { say: ['x'], messages: 1 })).messages, ['x']);
});

scenario('flags that contradict each other are a mistake, and both are named', async (s) => {
	for (const [args, names] of [
		[['--binary', '--passstderr'], /--binary and --passstderr/],
		[['--binary', '--framing=lines'], /--framing and --binary/],
		[['--passstderr', '--stderr=discard'], /--stderr and --passstderr/],
		[['--sameorigin', '--origin=a.example'], /--origin and --sameorigin/],
		[['--maxforks=3', '--max-children=4'], /--maxforks and --max-children/],
		[['--loglevel=error', '--level=debug'], /--loglevel and --level/],
		[['--pingms=1000', '--ping-interval=2s'], /--pingms and --ping-interval/],
		[['--header=Server: a', '--header=Server: b'], /Server/],
		[['--header=Server: a', '--header-http=Server: b'], /Server/],
		[['--dir=.'], /--dir and PROGRAM/],
		[['--tcp=127.0.0.1:1'], /--tcp and PROGRAM/],
		[['--sslcert=a'], /--sslcert/],
	]) {
		const r = await s.run([...args, 'cat']);
		assert.equal(r.code, 64, `${args}: ${r.err}`);
		assert.match(r.err, names);
		assert.match(r.err, /leave|give|tls|--ssl/, 'and how to mend it');
		assert.equal(r.lines.length, 1, r.err);
	}
});
