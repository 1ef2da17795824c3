'use strict';
/* One line per connection, at its end, with all that an operator asks for. */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');
const { echo } = require('./lib/services');
const { readHead, readBody } = require('./lib/raw');

/* name=value and name="some words" of a line */
function fields(line) {
	const out = {};
	for (const m of line.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|\S*)/g))
		out[m[1]] = m[2].startsWith('"') ? JSON.parse(m[2]) : m[2];
	return out;
}

/* What is told of FIELDS, as text or as JSON numbers. */
function isTold(f, expected, where) {
	for (const [name, value] of Object.entries(expected))
		assert.equal(String(f[name]), String(value), `${name} in ${where}`);
	assert.ok(Number(f.ms) >= 0 && Number(f.ms) < 60000, `ms in ${where}`);
}

scenario('text: client, route, close, counts both ways, time, pid and exit status', async (s) => {
	const g = await s.gate({ files: { 'say.sh': '#!/bin/sh\nread -r a; read -r b; printf "12345\\n678\\n"; exit 3\n' }, ini: '[/say]\nexec = ./say.sh\n[log]\nlevel = info\n' });
	const c = await g.open('/say?x=y');
	const client = `127.0.0.1:${c.wire.socket.localPort}`;
	const pid = g.children()[0].pid;
	await c.text('abc');
	await c.text('defg');
	await c.leave();
	const [line] = await g.line(/^.*\/say.*exit 3.*$/);
	s.say(line);
	isTold(fields(line), {
		client, target: '/say?x=y', route: '/say', status: 101, close: 1011, reason: 'exit 3', pid, exit: 3,
		in_messages: 2, in_bytes: 7, out_messages: 2, out_bytes: 8,
	}, line);
	assert.equal(g.lines.filter((l) => /\/say.*exit 3/.test(l)).length, 1, 'once');
});

scenario('json: every line is an object, the access line has the same fields', async (s) => {
	const g = await s.gate({ files: { 'say.sh': '#!/bin/sh\nread -r a; echo "complaint \\"quoted\\" \\\\" >&2; echo 12345; kill -TERM $$\n' }, ini: '[/say]\nexec = ./say.sh\n[log]\nlevel = info\nformat = json\n' });
	const c = await g.open('/say');
	await c.text('abc');
	await c.leave();
	await g.line(/signal TERM/);
	await g.line(/complaint/);
	const objects = g.lines.filter((l) => !/listening on/.test(l)).map((l) => {
		try {
			return JSON.parse(l);
		} catch {
			throw new Error(`not JSON: ${l}`);
		}
	});
	const access = objects.find((o) => o.reason === 'signal TERM');
	assert.ok(access, 'an access line');
	isTold(access, { route: '/say', status: 101, close: 1011, signal: 'TERM', in_messages: 1, in_bytes: 3, out_messages: 1, out_bytes: 5 }, JSON.stringify(access));
	assert.equal(typeof access.in_bytes, 'number');
	assert.ok(objects.some((o) => Object.values(o).some((v) => String(v).includes('complaint "quoted"'))), 'the complaint, unescaped again');
});

scenario('a refusal is a line too: status, and why', async (s) => {
	const g = await s.gate({ ini: '[/here]\nexec = /bin/cat\n[log]\nlevel = info\n' });
	await g.refusal('/there');
	const [line] = await g.line(/^.*status=404.*$/);
	assert.match(line, /127\.0\.0\.1/);
	assert.match(line, /\/there/);
});

scenario('what follows a request and is none has an answer and a line of its own', async (s) => {
	const g = await s.gate({ files: { 'www/x': 'x' }, ini: '[/]\nstatic = ./www\n' });
	const w = g.wire();
	await w.connected;
	await w.write('HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n');
	assert.equal((await readHead(w)).status, 200);
	await w.write('\0\0\0\0');
	const answer = await readHead(w);
	assert.equal(answer.status, 400);
	assert.notEqual((await readBody(w, answer)).length, 0, 'it is no HEAD');
	const [line] = await g.line(/^.*status=400.*$/);
	assert.doesNotMatch(line, /HEAD|target=\/x/);
});

scenario('a TCP connection says its close and its counts', async (s) => {
	const svc = await echo(s);
	const g = await s.gate({ ini: `[/t]\ntcp = 127.0.0.1:${svc.port}\n` });
	const c = await g.open('/t');
	await c.binary('seven b');
	await c.next();
	await c.bye(1000, 'my reason');
	const [line] = await g.line(/^.*\/t\b.*1000.*$/);
	isTold(fields(line), { close: 1000, in_bytes: 7, out_bytes: 7, in_messages: 1 }, line);
	assert.equal(fields(line).pid, undefined, 'no program, no pid');
});

scenario('a log line cannot be forged by a client', async (s) => {
	const g = await s.gate({ ini: '[/here]\nexec = /bin/cat\n' });
	await g.http('GET /x%0aforged=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: a"b\r\n\r\n');
	await g.line(/404/);
	const c = await g.open('/here');
	await c.bye(1000, 'a "reason"\nwsgate: all is well');
	await g.line(/\/here\b.*1000/);
	assert.ok(!g.lines.some((l) => /^wsgate: all is well/.test(l)));
});

scenario('a log file instead of stderr', async (s) => {
	const { until } = require('./lib/wsgate');
	const g = await s.gate({ ini: '[log]\ntarget = ./wsgate.log\n[/]\nexec = /bin/cat\n' });
	await (await g.open('/')).bye(1000);
	await until(5000, () => g.exists('wsgate.log') && /1000/.test(g.read('wsgate.log').toString()), 'the access line is in the file');
});
