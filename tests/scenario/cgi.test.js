'use strict';
/* cgi = DIRECTORY: ordinary requests are answered by programs (RFC 3875), whatever their size and speed. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { scenario, isAlive, within, until, NOT_WRAPPED } = require('./lib/wsgate');
const { readHead, readBody, readChunks } = require('./lib/raw');
const { slowProgram } = require('./lib/services');
const { pause } = require('./lib/bounds');
const bytes = require('./lib/bytes');

const say = (head, body = '') => `#!/bin/sh\nprintf '${head}'\n${body}\n`;
const TEXT = 'Content-Type: text/plain\\n\\n';
const echo = say('Content-Type: application/octet-stream\\n\\n', 'exec cat');
const MB = 1000 * 1000;

const gateOf = (s, files, more = '', options = {}) =>
	s.gate({ files: Object.fromEntries(Object.entries(files).map(([n, t]) => [`cgi/${n}`, t])), ini: `[/]\ncgi = ./cgi\n${more}`, ...options });

/* A request with BODY on a wire of its own: the response and the wire. */
async function post(g, target, body, fields = {}, method = 'POST') {
	const rows = Object.entries({ Host: 'x', 'Content-Length': body.length, ...fields }).filter(([, v]) => v !== undefined).map(([n, v]) => `${n}: ${v}\r\n`).join('');
	const w = g.wire();
	await w.connected;
	w.write(Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${rows}\r\n`), Buffer.from(body)])).catch(() => {});
	const answer = await within(20000, readHead(w), 'response');
	answer.body = (await within(20000, readBody(w, answer, method), 'body')).toString('latin1');
	answer.wire = w;
	return answer;
}

/* All that comes until the connection's end. */
async function rest(w) {
	while (await within(20000, w.fill(), 'more, or the end'))
		;
	return w.take(w.have).toString('latin1');
}

/* --- what a program is told, and what it answers ----------------------------------------------------- */

scenario('a program is told of the request as RFC 3875 has it, and starts in its own directory', async (s) => {
	const g = await s.gate({
		files: { 'cgi/sub/env': say(TEXT, 'pwd; echo "$0 $#"; env -0 | tr "\\n\\0" "\\1\\n"') },
		ini: '[/in/here]\ncgi = ./cgi\n',
	});
	const ask = async (...args) => {
		const answer = await post(g, ...args);
		assert.equal(answer.status, 200);
		const [cwd, args_, ...env] = answer.body.split('\n').slice(0, -1);
		return { cwd, args: args_, ...Object.fromEntries(env.map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)])) };
	};
	const e = await ask('/in/here/sub/env/a%20b/c?x=1+y', 'hello', { 'Content-Type': 'text/x; a=b', 'X-Own': '1', Authorization: 'Basic eDp5', Proxy: 'http://evil' }, 'PUT');
	assert.deepEqual([e.REQUEST_METHOD, e.CONTENT_LENGTH, e.CONTENT_TYPE], ['PUT', '5', 'text/x; a=b']);
	assert.deepEqual([e.SCRIPT_NAME, e.PATH_INFO, e.QUERY_STRING], ['/in/here/sub/env', '/a b/c', 'x=1+y']);
	assert.equal(e.PATH_TRANSLATED, `${g.path('cgi')}/a b/c`);
	assert.equal(e.SCRIPT_FILENAME, g.path('cgi/sub/env'));
	assert.equal(e.args, `${g.path('cgi/sub/env')} 0`, 'no words of the query become arguments');
	assert.equal(fs.realpathSync(e.cwd), fs.realpathSync(g.path('cgi/sub')));
	assert.deepEqual([e.GATEWAY_INTERFACE, e.SERVER_PROTOCOL, e.HTTP_X_OWN], ['CGI/1.1', 'HTTP/1.1', '1']);
	for (const name of ['HTTP_CONTENT_LENGTH', 'HTTP_CONTENT_TYPE', 'HTTP_AUTHORIZATION', 'HTTP_PROXY', 'PYTHONUNBUFFERED'])
		assert.equal(e[name], undefined, name);
	const get = await ask('/in/here/sub/env', '', { 'Content-Length': undefined }, 'GET');
	assert.deepEqual([get.REQUEST_METHOD, get.CONTENT_LENGTH, get.CONTENT_TYPE, get.PATH_INFO], ['GET', undefined, undefined, '']);
	assert.equal((await ask('/in/here/sub/env', '', { 'Content-Length': 0 })).CONTENT_LENGTH, '0');
	const odd = await ask('/in/here/sub/env', 'x', {}, 'PROPFIND');
	assert.equal(odd.REQUEST_METHOD, 'PROPFIND', 'any method is for the program to know');
}, { skip: NOT_WRAPPED });

scenario('statuses, redirects, fields, lengths', async (s) => {
	const g = await gateOf(s, {
		plain: say(TEXT, 'echo hello'),
		crlf: say('Content-Type: text/html\\r\\nX-A:  b \\r\\n\\r\\n', 'echo "<p>"'),
		teapot: say('Status: 418 I am one\\nContent-Type: text/plain\\n\\n', 'echo tea'),
		away: say('Location: https://example.org/x?y\\n\\n'),
		local: say('Location: /plain?z\\n\\n'),
		other: say('Status: 303 See Other\\nLocation: /plain\\n\\n'),
		length: say('Content-Type: text/plain\\nContent-Length: 5\\n\\n12345'),
		cookies: say('Set-Cookie: a=1\\nSet-Cookie: b=2\\nContent-Type: text/plain\\nServer: mine\\nDate: never\\nConnection: upgrade\\nKeep-Alive: 5\\n\\n'),
		none: say('Status: 204\\n\\n', 'echo dropped'),
		same: say('Status: 304\\nETag: "x"\\nContent-Length: 7\\n\\n', 'echo dropped'),
		reset: say('Status: 205\\n\\n', 'echo dropped'),
		empty: say(TEXT),
		slow: say('Content-Ty', 'sleep 0.1; printf "pe: text/plain\\n"; sleep 0.1; printf "\\n1"; sleep 0.1; printf 2'),
	});
	const plain = await g.get('/plain');
	assert.deepEqual([plain.status, plain.body, plain.headers['transfer-encoding'], plain.headers['content-type']], [200, 'hello\n', 'chunked', 'text/plain']);
	const crlf = await g.get('/crlf');
	assert.deepEqual([crlf.headers['x-a'], crlf.headers['content-type'], crlf.body], ['b', 'text/html', '<p>\n']);
	const teapot = await g.get('/teapot');
	assert.deepEqual([teapot.status, teapot.body], [418, 'tea\n']);
	const away = await g.get('/away');
	assert.deepEqual([away.status, away.headers.location], [302, 'https://example.org/x?y']);
	const local = await g.get('/local');
	assert.deepEqual([local.status, local.headers.location], [302, '/plain?z']);
	assert.equal((await g.get('/other')).status, 303);
	const length = await g.get('/length');
	assert.deepEqual([length.headers['content-length'], length.headers['transfer-encoding'], length.body], ['5', undefined, '12345']);
	const cookies = await g.get('/cookies');
	assert.deepEqual([cookies.headers['set-cookie'], cookies.headers.server, cookies.headers.connection, cookies.headers['keep-alive']], ['a=1, b=2', 'wsgate', 'keep-alive', undefined]);
	assert.match(cookies.headers.date, /GMT$/);
	const none = await g.get('/none');
	assert.deepEqual([none.status, none.headers['content-length'], none.headers['transfer-encoding']], [204, undefined, undefined]);
	const same = await g.get('/same');
	assert.deepEqual([same.status, same.headers.etag, same.headers['content-length']], [304, '"x"', '7']);
	assert.deepEqual([(await g.get('/reset')).status, (await g.get('/reset')).headers['content-length']], [205, '0']);
	assert.deepEqual([(await g.get('/empty')).status, (await g.get('/empty')).body], [200, '']);
	assert.equal((await g.get('/slow')).body, '12');
}, { skip: NOT_WRAPPED });

scenario('HEAD has the head of GET and no body; HTTP/1.0 ends with the connection', async (s) => {
	const g = await gateOf(s, { length: say('Content-Type: text/plain\\nContent-Length: 5\\n\\n12345'), plain: say(TEXT, 'echo hello; echo "$SERVER_PROTOCOL"') });
	const w = g.wire();
	await w.connected;
	await w.write('HEAD /length HTTP/1.1\r\nHost: x\r\n\r\nHEAD /plain HTTP/1.1\r\nHost: x\r\n\r\nGET /length HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
	const head = await readHead(w);
	assert.deepEqual([head.status, head.headers['content-length']], [200, '5']);
	assert.equal((await readHead(w)).headers['content-type'], 'text/plain');
	const get = await readHead(w);
	assert.equal((await readBody(w, get)).toString(), '12345');
	assert.equal(await rest(w), '');
	const old = await g.http('GET /plain HTTP/1.0\r\n\r\n', { waitEnd: true });
	assert.deepEqual([old.headers['transfer-encoding'], old.headers.connection, old.body], [undefined, 'close', 'hello\nHTTP/1.0\n']);
	const kept = await g.http('GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
	assert.deepEqual([kept.headers.connection, kept.body], ['keep-alive', '12345']);
}, { skip: NOT_WRAPPED });

scenario('the connection goes on after an answer, also when all requests came at once', async (s) => {
	const g = await gateOf(s, { echo, plain: say(TEXT, 'echo hello') });
	const w = g.wire();
	await w.connected;
	await w.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirstGET /plain HTTP/1.1\r\nHost: x\r\n\r\n'
		+ 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nthi\r\n2;x\r\nrd\r\n0\r\n\r\n');
	for (const expected of ['first', 'hello\n', 'third']) {
		const answer = await within(20000, readHead(w), 'response');
		assert.equal(answer.headers.connection, 'keep-alive');
		assert.equal((await readBody(w, answer)).toString(), expected);
	}
	await w.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nfou');
	await w.write('rthGET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
	assert.equal((await readBody(w, await readHead(w))).toString(), 'fourth');
	assert.equal((await readBody(w, await readHead(w))).toString(), 'hello\n');
	assert.equal(await rest(w), '');
}, { skip: NOT_WRAPPED });

/* --- much, and slowly ---------------------------------------------------------------------------------- */

scenario('50 MB up and down again, byte for byte, in little memory', async (s) => {
	const g = await gateOf(s, { echo, sum: say(TEXT, 'sha1sum') });
	assert.equal((await post(g, '/echo', 'warm up')).body, 'warm up');
	const before = g.rss();
	const data = bytes.raw(50 * MB, 7);
	const summed = await post(g, '/sum', data);
	assert.equal(summed.body.slice(0, 40), bytes.sha1(data));
	const w = g.wire();
	await w.connected;
	w.write(`POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${data.length}\r\n\r\n`);
	w.write(data).catch(() => {});
	await within(20000, readHead(w), 'response');
	const hash = bytes.createHash('sha1');
	let most = 0;
	await within(60000, readChunks(w, (part) => {
		hash.update(part);
		most = Math.max(most, g.rss());
	}), 'whole body');
	assert.equal(hash.digest('hex'), bytes.sha1(data));
	s.say(`memory grew by ${most - before}`);
	if (g.memoryIsItsOwn)
		assert.ok(most - before < 4 * MB, `memory grew by ${most - before}`);
}, { skip: NOT_WRAPPED, seconds: 120 });

scenario('a client that reads slowly holds its program, not the server\'s memory', async (s) => {
	const g = await gateOf(s, { zeros: say(TEXT, 'head -c 50000000 /dev/zero'), plain: say(TEXT, 'echo hello') });
	assert.equal((await g.get('/plain')).body, 'hello\n');
	const before = g.rss();
	const w = g.wire();
	await w.connected;
	await w.write('GET /zeros HTTP/1.1\r\nHost: x\r\n\r\n');
	await until(5000, () => g.children().length > 0, 'the program runs');
	await pause(300);
	assert.equal(g.family().filter((p) => p.comm === 'head').length, 1, 'head is still writing');
	if (g.memoryIsItsOwn)
		assert.ok(g.rss() - before < 2 * MB, `memory grew by ${g.rss() - before}`);
	assert.equal((await g.get('/plain')).body, 'hello\n', 'others are served meanwhile');
	await readHead(w);
	let have = 0;
	await within(30000, readChunks(w, (part) => { have += part.length; }), 'whole body');
	assert.equal(have, 50 * MB);
}, { skip: NOT_WRAPPED });

scenario('a program that does not read holds its client, not the server\'s memory', async (s) => {
	const g = await gateOf(s, { deaf: say('', 'read -r go </proc/self/fd/0 2>/dev/null; while [ ! -e go ]; do sleep 0.05; done; wc -c >n; printf "Content-Type: a/b\\n\\n"; cat n') });
	const before = g.rss();
	const data = Buffer.alloc(20 * MB, 'x');
	data[0] = 10;
	const answer = post(g, '/deaf', data);
	await until(5000, () => g.children().length > 0, 'the program runs');
	await pause(300);
	if (g.memoryIsItsOwn)
		assert.ok(g.rss() - before < 2 * MB, `memory grew by ${g.rss() - before}`);
	g.write('cgi/go', '');
	assert.equal(Number((await answer).body.trim()), 20 * MB - 1);
}, { skip: NOT_WRAPPED });

scenario('a program may close its input early, and think for longer than the stop ladder', async (s) => {
	const g = await gateOf(s, { early: say(TEXT, 'exec <&-; echo done'), thinker: say('', 'cat >/dev/null; sleep 1.5; printf "Content-Type: a/b\\n\\nthought"') });
	const early = await post(g, '/early', Buffer.alloc(2 * MB));
	assert.deepEqual([early.status, early.body], [200, 'done\n']);
	assert.equal((await post(g, '/thinker', 'question')).body, 'thought');
}, { skip: NOT_WRAPPED });

scenario('output comes as it is written, not when it is complete', async (s) => {
	const g = await gateOf(s, { ticks: say(TEXT, 'echo one; while [ ! -e go ]; do sleep 0.02; done; echo two') });
	const w = g.wire();
	await w.connected;
	await w.write('GET /ticks HTTP/1.1\r\nHost: x\r\n\r\n');
	await readHead(w);
	let text = '';
	const body = readChunks(w, (part) => { text += part; });
	await until(5000, () => text === 'one\n', 'the first line');
	g.write('cgi/go', '');
	await within(5000, body, 'the end');
	assert.equal(text, 'one\ntwo\n');
}, { skip: NOT_WRAPPED });

/* --- content in chunks, and Expect ----------------------------------------------------------------------- */

scenario('content in chunks: up to 64 KiB with its length told, more is 411, malformed is 400', async (s) => {
	const g = await gateOf(s, { echo: say('Content-Type: a/b\\n\\n', 'echo "$CONTENT_LENGTH $HTTP_TRANSFER_ENCODING"; exec cat') });
	const chunks = (...parts) => Buffer.concat([...parts.flatMap((p) => [Buffer.from(`${p.length.toString(16)}\r\n`), p, Buffer.from('\r\n')]), Buffer.from('0\r\nX-T: 1\r\n\r\n')]);
	const fields = { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' };
	assert.equal((await post(g, '/echo', chunks(Buffer.from('hello'), Buffer.from(', world')), fields)).body, '12 \nhello, world');
	assert.equal((await post(g, '/echo', '0\r\n\r\n', fields)).body, '0 \n');
	const most = bytes.raw(65536, 3);
	const answer = await post(g, '/echo', chunks(most.subarray(0, 1), most.subarray(1, 40000), most.subarray(40000)), fields);
	assert.equal(answer.body, `65536 \n${most.toString('latin1')}`);
	const tooLong = await post(g, '/echo', chunks(most, Buffer.from('x')), fields);
	assert.equal(tooLong.status, 411);
	assert.equal(tooLong.headers.connection, 'close');
	for (const bad of ['5\nhello\n0\n\n', 'x\r\n', '5\r\nhelloX', '0x5\r\nhello\r\n', '-1\r\n', ' 5\r\nhello\r\n', '0\r\nbad trailer\r\n\r\n'])
		assert.equal((await post(g, '/echo', bad, fields)).status, 400, JSON.stringify(bad));
	assert.equal((await post(g, '/missing', chunks(most), fields)).status, 404);
	await g.childless();
}, { skip: NOT_WRAPPED });

scenario('Expect: 100-continue is answered when the content is wanted, and only then', async (s) => {
	const g = await gateOf(s, { echo });
	for (const [fields, body] of [['Content-Length: 5', 'hello'], ['Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n']]) {
		const w = g.wire();
		await w.connected;
		await w.write(`POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${fields}\r\n\r\n`);
		assert.equal((await within(5000, readHead(w), 'an invitation')).status, 100);
		await w.write(body);
		const answer = await readHead(w);
		assert.equal(answer.status, 200);
		assert.equal((await readBody(w, answer)).toString(), 'hello');
	}
	const refused = await g.http('POST /missing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
	assert.equal(refused.status, 404);
	const uninvited = await g.http('GET /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n');
	assert.equal(uninvited.status, 200, 'there is no content to invite');
	const old = await g.http('POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi');
	assert.deepEqual([old.status, old.body], [200, 'hi']);
}, { skip: NOT_WRAPPED });

/* --- what goes wrong --------------------------------------------------------------------------------------- */

scenario('what is no CGI answer: 502, and one line in the log with its first bytes', async (s) => {
	const cases = {
		hello: [say('Hello, world\\n', 'exec sleep 1000'), /no colon; it begins with .*Hello, world/],
		nothing: ['#!/bin/sh\n', /ended before its head did/],
		failed: ['#!/bin/sh\necho oops >&2; exit 3\n', /ended before its head did/],
		killed: ['#!/bin/sh\nkill -SEGV $$\n', /ended before its head did/],
		half: [say('Content-Type: text/plain\\n'), /ended before its head did; it begins with .*Content-Type/],
		typeless: [say('X-A: b\\n\\n', 'echo x'), /neither Content-Type, Location nor Status/],
		nph: [say('HTTP/1.1 200 OK\\r\\n\\r\\n'), /no colon/],
		twice: [say('Status: 200\\nStatus: 404\\n\\n'), /two Status fields/],
		informal: [say('Status: 100\\n\\n'), /no code from 200 to 599/],
		chunky: [say('Content-Type: a/b\\nTransfer-Encoding: chunked\\n\\n'), /Transfer-Encoding/],
		split: [say('Content-Type: a/b\\nX: a\\rSet-Cookie: evil\\n\\n'), /control byte/],
		folded: [say('Content-Type: a/b\\n folded\\n\\n'), /no colon/],
		binary: ['#!/bin/sh\nprintf "\\000\\001\\377: x\\n"\n', /does not begin with the name of a field/],
		endless: ['#!/bin/sh\nwhile :; do echo "X-Field: and so on"; done\n', /longer than 16k/],
		line: ['#!/bin/sh\nexec tr "\\0" x </dev/zero\n', /longer than 16k/],
	};
	const g = await gateOf(s, Object.fromEntries(Object.entries(cases).map(([n, [text]]) => [n, text])));
	for (const [name, [, pattern]] of Object.entries(cases)) {
		const answer = await g.get(`/${name}`);
		assert.deepEqual([answer.status, answer.headers.connection], [502, 'close'], name);
		await g.line(new RegExp(`cgi/${name}: the answer of pid \\d+ is no CGI answer.*${pattern.source}`));
		assert.equal(g.lines.filter((l) => l.includes(`cgi/${name}: the answer`)).length, 1, `${name}: one line`);
		const [line] = await g.line(new RegExp(`^.*target=/${name} .*status=502.*$`));
		assert.match(line, / pid=\d+ /);
	}
	assert.match(g.lines.find((l) => /target=\/failed /.test(l)), / exit=3 /);
	assert.match(g.lines.find((l) => /target=\/killed /.test(l)), / signal=SEGV /);
	await g.line(/oops/);
	await g.childless();
}, { skip: NOT_WRAPPED });

scenario('an answer that is not whole is seen to be so', async (s) => {
	const g = await gateOf(s, {
		dies: say(TEXT, 'echo part; kill -KILL $$'),
		fails: say(TEXT, 'echo all; exit 3'),
		short: say('Content-Type: a/b\\nContent-Length: 10\\n\\n12345'),
		long: say('Content-Type: a/b\\nContent-Length: 3\\n\\n12345'),
	});
	const ask = async (target) => {
		const w = g.wire();
		await w.connected;
		await w.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
		return w;
	};
	const dies = await ask('/dies');
	assert.equal((await readHead(dies)).status, 200);
	assert.equal(await rest(dies), '5\r\npart\n\r\n', 'no last chunk');
	await g.line(/target=\/dies .*note="the program died before its answer was whole".* signal=KILL/);
	const fails = await g.get('/fails');
	assert.deepEqual([fails.status, fails.body, fails.headers.connection], [200, 'all\n', 'keep-alive']);
	await g.line(/target=\/fails .*status=200 .*exit=3/);
	const short = await ask('/short');
	await readHead(short);
	assert.equal(await rest(short), '12345');
	await g.line(/target=\/short .*note="the program sent less than its Content-Length"/);
	const long = await ask('/long');
	assert.equal((await readBody(long, await readHead(long))).toString(), '123');
	await long.write('GET /fails HTTP/1.1\r\nHost: x\r\n\r\n');
	assert.equal((await readBody(long, await readHead(long))).toString(), 'all\n', 'the surplus is nobody\'s answer');
	await g.line(/cgi\/long: pid \d+ sent 2 bytes beyond its Content-Length/);
}, { skip: NOT_WRAPPED });

scenario('a client that leaves has its program stopped: while it thinks, writes, or still reads', async (s) => {
	const g = await gateOf(s, {
		thinks: say('', 'echo $$ >&2; cat >/dev/null; exec sleep 1000'),
		writes: say(TEXT, 'echo $$ >&2; exec cat /dev/zero'),
		stubborn: say('', 'echo $$ >&2; trap "" INT TERM; while :; do sleep 0.1; done'),
	}, 'drain_timeout = 300ms\nbuffer = 4k\n');
	const base = g.fds();
	const requests = {
		thinks: 'GET /thinks HTTP/1.1\r\nHost: x\r\n\r\n',
		'thinks?mid-body': 'POST /thinks?mid-body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nonly this',
		'stubborn?deaf': `POST /stubborn?deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n${'x'.repeat(80000)}`,
		writes: 'GET /writes HTTP/1.1\r\nHost: x\r\n\r\n',
		stubborn: 'GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n',
	};
	for (const [name, request] of Object.entries(requests)) {
		for (const way of ['destroy', 'reset']) {
			const from = g.lines.length;
			const w = g.wire();
			await w.connected;
			w.write(request).catch(() => {});
			const [, pid] = await g.line(/stderr .*text=(\d+)$/, { from });
			assert.ok(isAlive(Number(pid)));
			w[way]();
			await until(15000, () => !isAlive(Number(pid)), `${name}: the program ended after ${way}`);
			const [line] = await g.line(/^.*access request .* (?:signal|exit)=.*$/, { from });
			assert.match(line, /note="the client (left|took nothing)/, line);
		}
	}
	await g.childless();
	await g.settled(base);
}, { skip: NOT_WRAPPED, seconds: 120 });

scenario('what a client that leaves has sent is still given to a program that takes it slowly', async (s) => {
	/* While the buffer empties from its mark to half of it, the client is not read for longer than it is looked for. */
	const g = await gateOf(s, { slow: slowProgram(80) }, 'stop = eof 60s, KILL\n');
	const body = bytes.raw(400 * 1024, 21);
	const w = g.wire();
	await w.connected;
	w.write(Buffer.concat([Buffer.from(`POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`), body])).catch(() => {});
	w.finish();
	await until(60000, () => g.exists('cgi/done') || (g.exists('cgi/got') && g.children().length === 0), 'the program ended');
	assert.equal(g.read('cgi/got').length, body.length);
	assert.equal(bytes.sha1(g.read('cgi/got')), bytes.sha1(body));
	await g.line(/target=\/slow .*note="the client left before the answer was complete"/);
}, { skip: NOT_WRAPPED });

scenario('send_timeout: content that does not come is 408, an answer that is not taken is cut', async (s) => {
	const g = await gateOf(s, { echo, zeros: say(TEXT, 'exec cat /dev/zero'), reads: say('', 'cat >/dev/null; printf "Content-Type: a/b\\n\\n"') }, 'send_timeout = 300ms\n');
	const late = await g.http('POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345', { waitEnd: false });
	assert.equal(late.status, 408);
	assert.match(late.body, /send_timeout/);
	const chunk = await g.http('POST /reads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123');
	assert.equal(chunk.status, 408);
	/* Its head has gone out already: all that is left is to cut it. */
	const w = g.wire();
	await w.connected;
	await w.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345');
	assert.equal((await readHead(w)).status, 200);
	await rest(w);
	await g.line(/target=\/echo .*note="the content did not come in time/);
	const stalled = g.wire();
	await stalled.connected;
	await stalled.write('GET /zeros HTTP/1.1\r\nHost: x\r\n\r\n');
	await g.line(/target=\/zeros .*note="the client took nothing for send_timeout"/, { ms: 15000 });
	await g.childless();
}, { skip: NOT_WRAPPED });

scenario('cgi_timeout: a program that does not answer is 504, one that falls silent is cut', async (s) => {
	const g = await gateOf(s, {
		mute: '#!/bin/sh\nexec sleep 1000\n',
		stubborn: '#!/bin/sh\ntrap "" INT TERM\nwhile :; do sleep 1000; done\n',
		deaf: '#!/bin/sh\nexec sleep 1000\n',
		begun: say('Content-Ty', 'sleep 1000'),
		half: say(TEXT, 'echo half; sleep 1000'),
	}, 'cgi_timeout = 1s\ndrain_timeout = 500ms\nbuffer = 4k\n');
	const base = g.fds();
	const deaf = post(g, '/deaf', bytes.raw(MB));
	await Promise.all(['mute', 'stubborn', 'begun'].map(async (name) => {
		const answer = await g.get(`/${name}`);
		assert.deepEqual([answer.status, answer.body], [504, 'the program did not answer in time (cgi_timeout)\n'], name);
		await g.line(new RegExp(`/${name}: pid \\d+ has been silent for 1s and is stopped \\(cgi_timeout\\)`));
	}));
	assert.equal((await deaf).status, 504);
	const w = g.wire();
	await w.connected;
	await w.write('GET /half HTTP/1.1\r\nHost: x\r\n\r\n');
	assert.equal((await readHead(w)).status, 200);
	assert.equal(await rest(w), '5\r\nhalf\n\r\n', 'no last chunk: so the client sees that it is not whole');
	await g.line(/target=\/half .*note="the program fell silent \(cgi_timeout\)"/);
	await g.childless();
	await g.settled(base);
}, { skip: NOT_WRAPPED });

scenario('cgi_timeout: neither work that shows nor the time of the client counts', async (s) => {
	const g = await gateOf(s, {
		echo,
		steady: say(TEXT, 'for i in 1 2 3 4 5 6; do sleep 0.5; echo $i; done'),
		zeros: say('Content-Type: text/plain\\nContent-Length: 50000000\\n\\n', 'exec head -c 50000000 /dev/zero'),
	}, 'cgi_timeout = 2s\n');
	const slow = g.wire();
	await slow.connected;
	await slow.write('GET /zeros HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
	const up = g.wire();
	await up.connected;
	await up.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n');
	const steady = g.get('/steady');
	for (const c of 'hello') {
		await pause(500);
		await up.write(c);
	}
	const answer = await readHead(up);
	assert.deepEqual([answer.status, (await readBody(up, answer)).toString()], [200, 'hello']);
	assert.equal((await steady).body, '1\n2\n3\n4\n5\n6\n');
	const zeros = await readHead(slow);
	assert.equal((await within(20000, readBody(slow, zeros), 'the whole body')).length, 50000000);
	assert.ok(!/cgi_timeout/.test(g.log));
}, { skip: NOT_WRAPPED });

scenario('no program: 404; a folder or file that is none, or lies outside: 404, too', async (s) => {
	const g = await gateOf(s, { 'sub/x': echo, plain: 'text', '.hidden': echo });
	g.write('secret', say(TEXT, 'echo SECRET'));
	fs.symlinkSync('../secret', g.path('cgi/out'));
	fs.symlinkSync('/bin', g.path('cgi/outdir'));
	for (const p of ['/', '/missing', '/sub', '/sub/', '/plain', '/.hidden', '/out', '/outdir/true', '/%2e%2e/secret', '/..%2fsecret', '/../secret', '//sub/x', '/sub/x%00']) {
		const answer = await g.get(p);
		assert.ok([400, 404].includes(answer.status), `${p}: ${answer.status}`);
		assert.doesNotMatch(answer.body, /SECRET/);
	}
	assert.equal((await g.get('/missing', { 'Content-Length': '0' }, { method: 'POST' })).status, 404);
	assert.equal((await g.refusal('/sub/x')).status, 404, 'no WebSocket here');
}, { skip: NOT_WRAPPED });

/* --- beside others, and limits -------------------------------------------------------------------------------- */

scenario('beside a backend and files at one path: the program first, then the file, the upgrade for the backend', async (s) => {
	const g = await s.gate({
		files: { 'cgi/both': say(TEXT, 'echo program'), 'www/both': 'file', 'www/only.txt': 'file', 'cgi/only.txt': 'not executable' },
		ini: '[/]\nexec = /bin/cat\ncgi = ./cgi\nstatic = ./www\n[/bare]\nexec = /bin/cat\ncgi = ./cgi\n',
	});
	assert.equal((await g.get('/both')).body, 'program\n');
	assert.equal((await g.get('/only.txt')).body, 'file');
	assert.equal((await g.get('/both', { 'Content-Length': '0' }, { method: 'POST' })).body, 'program\n');
	assert.equal((await g.get('/only.txt', { 'Content-Length': '0' }, { method: 'POST' })).status, 405);
	const c = await g.open('/both');
	await c.text('socket');
	assert.equal(await c.nextText(), 'socket');
	assert.equal((await g.get('/bare/missing')).status, 426);
	assert.equal((await g.get('/bare/both')).body, 'program\n');
}, { skip: NOT_WRAPPED });

scenario('max_children and spawn_rate hold for them; the operator\'s header fields win', async (s) => {
	const g = await gateOf(s, { wait: say(TEXT, 'while [ ! -e go ]; do sleep 0.02; done'), plain: say('Content-Type: text/plain\\nX-A: theirs\\nX-B: theirs\\n\\n', 'echo x') },
		'max_children = 1\nheader = X-A: ours\nheader_http = X-C: ours\n[/rate]\ncgi = ./cgi\nspawn_rate = 1\n');
	const wait = g.get('/wait');
	await until(5000, () => g.children().length > 0, 'the program runs');
	const full = await g.get('/plain');
	assert.deepEqual([full.status, full.headers['retry-after']], [503, '1']);
	g.write('cgi/go', '');
	assert.equal((await wait).status, 200);
	const plain = await until(5000, async () => {
		const answer = await g.get('/plain');
		return answer.status === 200 && answer;
	}, 'a place is free again');
	assert.deepEqual([plain.headers['x-a'], plain.headers['x-b'], plain.headers['x-c']], ['ours', 'theirs', 'ours']);
	const answers = await Promise.all([1, 2, 3].map(() => g.get('/rate/plain')));
	assert.ok(answers.some((a) => a.status === 200) && answers.some((a) => a.status === 429 && a.headers['retry-after'] === '1'), answers.map((a) => a.status).join());
}, { skip: NOT_WRAPPED });

scenario('SIGTERM: an answer under way is completed, then the connection ends', async (s) => {
	const g = await gateOf(s, { wait: say(TEXT, 'echo one; while [ ! -e go ]; do sleep 0.02; done; echo two') });
	const w = g.wire();
	await w.connected;
	await w.write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n');
	const head = await readHead(w);
	g.signal('SIGTERM');
	await pause(200);
	g.write('cgi/go', '');
	assert.equal((await readBody(w, head)).toString(), 'one\ntwo\n');
	assert.equal(await rest(w), '');
	await g.stop();
}, { skip: NOT_WRAPPED });
