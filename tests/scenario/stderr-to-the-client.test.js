'use strict';
/*
 * framing = tagged: what a program says, what it complains of and how it ends reach the client as JSON
 * objects that tell which is which.
 */

const assert = require('node:assert/strict');
const { scenario, until } = require('./lib/wsgate');
const { pause } = require('./lib/bounds');

const out = (data) => ({ stream: 'stdout', data });
const err = (data) => ({ stream: 'stderr', data });
const exit = (rest) => ({ stream: 'exit', ...rest });

/* Every message until the Close; each must be a text message of JSON. */
async function objects(c) {
	const got = [];
	for (let m; (m = await c.next(20000)) !== null;) {
		assert.equal(m.kind, 'text');
		got.push(JSON.parse(m.data.toString()));
	}
	return got;
}

/* The lines of one stream; one so long that another stream had to interrupt it is put together again. */
function lines(got, stream) {
	const all = [];
	let begun = '';
	for (const m of got.filter((one) => one.stream === stream)) {
		begun += m.data;
		if (m.more)
			continue;
		all.push(begun);
		begun = '';
	}
	assert.equal(begun, '');
	return all;
}

scenario('lines, complaints and the exit status, in the order in which they were said', async (s) => {
	const script = '#!/bin/sh\necho "ready \\\\ \\"now\\""\nwhile read -r word; do echo "no $word" >&2; read -r word; echo "yes $word"; done\nprintf "half a complaint" >&2\nexit 3\n';
	const g = await s.gate({ files: { 'p.sh': script }, args: ['--framing=tagged', './p.sh'] });
	const c = await g.open('/');
	const next = async () => JSON.parse(await c.nextText());
	assert.deepEqual(await next(), out('ready \\ "now"'));
	for (const word of ['a', 'b', '\u{1d11e}']) {
		await c.text(word);
		assert.deepEqual(await next(), err(`no ${word}`));
		await c.text(word);
		assert.deepEqual(await next(), out(`yes ${word}`));
	}
	await c.close(1000);
	assert.deepEqual(await objects(c), [err('half a complaint'), exit({ code: 3 })]);
	assert.equal(c.closed.code, 1000, 'the client closed first, and is told so');
	assert.doesNotMatch(g.log, /stderr .*text=/, 'what the client has is not in the log as well');
});

scenario('a program that ends by itself: the exit is the last object, then comes the Close', async (s) => {
	const g = await s.gate({
		ini: '[/]\nframing = tagged\nshell = echo a; exit 3\n[/killed]\nframing = tagged\nshell = echo b >&2; kill -TERM $$\n[/good]\nframing = tagged\nshell = exit 0\n',
	});
	for (const [path, messages, closed] of [
		['/', [out('a'), exit({ code: 3 })], { code: 1011, reason: 'exit 3' }],
		['/killed', [err('b'), exit({ signal: 'TERM' })], { code: 1011, reason: 'signal TERM' }],
		['/good', [exit({ code: 0 })], { code: 1000, reason: 'exit 0' }],
	]) {
		const c = await g.open(path);
		assert.deepEqual(await objects(c), messages, path);
		assert.deepEqual(c.closed, closed);
	}
});

scenario('20000 lines of each, and long ones, come whole and each in its order', async (s) => {
	const script = `#!/bin/sh
say() { seq 1 20000 | sed "s/^/$1 /"; head -c 300000 /dev/zero | tr '\\0' "$1"; echo; printf "$1 end"; }
say e >&2 &
say o
wait
`;
	const g = await s.gate({ files: { 'both.sh': script }, args: ['--framing=tagged', './both.sh'] });
	const got = await objects(await g.open('/'));
	assert.deepEqual(got.pop(), exit({ code: 0 }));
	for (const [stream, letter] of [['stdout', 'o'], ['stderr', 'e']]) {
		const data = lines(got, stream);
		assert.equal(data.length, 20002);
		assert.ok(data.slice(0, 20000).every((line, i) => line === `${letter} ${i + 1}`), stream);
		assert.equal(data[20000], letter.repeat(300000));
		assert.equal(data[20001], `${letter} end`);
	}
}, { seconds: 120 });

scenario('a client that does not read holds the program up, and costs no memory', async (s) => {
	const script = '#!/bin/sh\ni=0\nwhile [ $i -lt 64 ]; do head -c 1048576 /dev/zero | tr "\\0" e | fold -w 1000; i=$((i + 1)); echo $i >progress; done >&2\n';
	const g = await s.gate({ files: { 'flood.sh': script }, args: ['--framing=tagged', '--buffer=64k', './flood.sh'] });
	const before = g.rss();
	const c = await g.open('/');
	c.wire.socket.pause();
	const progress = () => (g.exists('progress') ? Number(g.read('progress')) : 0);
	let last = -1;
	await until(20000, async () => {
		const seen = last;
		last = progress();
		await pause(500);
		return seen === last && last > 0;
	}, 'the program stands still');
	assert.ok(last < 32, `it has written ${last} of 64 MiB that nobody has taken`);
	if (g.memoryIsItsOwn)
		assert.ok(g.rss() - before < 8 * 1024 * 1024, `${g.rss() - before} bytes more`);
	s.say(`of 64 MiB on stderr the program could write ${last} to a client that does not read; wsgate took ${(g.rss() - before) >> 10} KiB`);
	c.wire.socket.resume();
	const got = await objects(c);
	assert.equal(got.reduce((sum, m) => sum + (m.data?.length ?? 0), 0), 64 * 1048576);
}, { seconds: 180 });

scenario('a grandchild that keeps stderr open is waited for as long as drain_timeout', async (s) => {
	const g = await s.gate({ ini: '[/]\nframing = tagged\ndrain_timeout = 500ms\nshell = echo out; sleep 1000 >/dev/null & printf err >&2\n' });
	const got = await objects(await g.open('/'));
	assert.deepEqual(got.filter((m) => m.stream !== 'stdout'), [err('err'), exit({ code: 0 })]);
	assert.ok(got.some((m) => m.stream === 'stdout'));
});

scenario('stderr = log under tagged: the complaints go to the log, the rest to the client', async (s) => {
	const g = await s.gate({ ini: '[/]\nframing = tagged\nstderr = log\nshell = echo oops >&2; echo out\n' });
	assert.deepEqual(await objects(await g.open('/')), [out('out'), exit({ code: 0 })]);
	await g.line(/stderr .*text=oops/);
});

scenario('CGI programs of a tagged route complain in the log', async (s) => {
	const g = await s.gate({
		files: { 'cgi/x.sh': '#!/bin/sh\necho oops >&2\nprintf "Content-Type: text/plain\\n\\nfine\\n"\n' },
		ini: '[defaults]\nframing = tagged\n[/]\ncgi = cgi\nshell = echo told >&2\n[/cgi-alone]\ncgi = cgi\n',
	});
	for (const path of ['/x.sh', '/cgi-alone/x.sh']) {
		const from = g.lines.length;
		assert.equal((await g.get(path)).body, 'fine\n', path);
		await g.line(/stderr .*text=oops/, { from });
	}
	assert.deepEqual(await objects(await g.open('/')), [err('told'), exit({ code: 0 })]);
});

scenario('stderr = client without tagged is refused, with the way to mend it', async (s) => {
	for (const args of [['--stderr=client', 'cat'], ['--stderr=client', '--binary', 'cat']]) {
		const r = await s.run(args);
		assert.equal(r.code, 64, r.err);
		assert.match(r.err, /^wsgate: stderr = client needs framing = tagged/);
		assert.equal(r.lines.length, 1);
	}
	const r = await s.run(['--check'], { ini: '[/]\nexec = /bin/cat\nstderr = client\n' });
	assert.equal(r.code, 78);
	assert.match(r.err, /wsgate\.ini:3: stderr = client needs framing = tagged/);
});
