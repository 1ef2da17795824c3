'use strict';
/* A program may write to stderr what it likes: it is always read, and each line is in the log. */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');

scenario('1 MB on stderr with a line of 100 KB, while it echoes', async (s) => {
	const script = `#!/bin/sh
echo "first complaint" >&2
head -c 100000 /dev/zero | tr '\\0' L >&2
echo >&2
i=0
while [ $i -lt 9000 ]; do echo "complaint $i: this is what a program says when it is unhappy, about a hundred bytes of it at a time" >&2; i=$((i + 1)); done
echo "last complaint" >&2
echo ready
exec cat
`;
	const g = await s.gate({ files: { 'loud.sh': script }, ini: '[/loud]\nexec = ./loud.sh\n' });
	const c = await g.open('/loud');
	await c.text('hello');
	assert.equal(await c.nextText(20000), 'ready');
	assert.equal(await c.nextText(), 'hello');
	const pid = g.children()[0].pid;
	const first = (await g.line(/first complaint/))[0] && g.lines.find((l) => l.includes('first complaint'));
	assert.match(first, /\/loud/, 'names the route');
	assert.match(first, new RegExp(String(pid)), 'names the pid');
	await g.line(/last complaint/, { ms: 10000 });
	const long = g.lines.filter((l) => l.includes('LLLLLLLLLL'));
	assert.ok(long.length >= 1, 'the long line is there');
	assert.ok(long.every((l) => l.length < 20000), `cut: ${long.map((l) => l.length)}`);
	assert.match(long.at(-1) + long[0], /\.\.\.|…|cut|truncated|more bytes/i, 'and marked');
	assert.equal(g.lines.filter((l) => /complaint \d+:/.test(l)).length, 9000);
	assert.equal((await c.bye()).code, 1000);
});

scenario('nobody can forge a log line', async (s) => {
	const g = await s.gate(['sh', '-c', 'printf "evil \\033[31mred\\rwsgate: all is well\\377\\n" >&2; echo done']);
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'done');
	await g.line(/evil/);
	const line = g.lines.find((l) => l.includes('evil'));
	assert.doesNotMatch(line, /[\x00-\x08\x0b-\x1f\x7f\ufffd]/);
});

scenario('a last complaint without a newline is logged too', async (s) => {
	const g = await s.gate(['sh', '-c', 'printf "no newline here" >&2; exit 1']);
	const c = await g.open('/');
	assert.equal((await c.leave()).reason, 'exit 1');
	await g.line(/no newline here/);
});

scenario('stderr = merge sends it to the client, discard to nobody', async (s) => {
	const g = await s.gate({
		files: { 'both.sh': '#!/bin/sh\necho out\necho err >&2\necho end\n' },
		ini: '[/merge]\nexec = ./both.sh\nstderr = merge\n[/discard]\nexec = ./both.sh\nstderr = discard\n',
	});
	const m = await g.open('/merge');
	assert.deepEqual([await m.nextText(), await m.nextText(), await m.nextText()], ['out', 'err', 'end']);
	const d = await g.open('/discard');
	assert.deepEqual([await d.nextText(), await d.nextText()], ['out', 'end']);
	await d.leave();
	await m.leave();
	assert.doesNotMatch(g.log, /\berr$/m);
});
