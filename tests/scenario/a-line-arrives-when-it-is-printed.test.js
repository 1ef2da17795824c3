'use strict';
/*
 * A line is a message when it is printed, though the program never flushes, as most programs in the
 * world do not: `buffering = line` (the default) and `pty` see to it, `none` leaves it as it is.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { scenario, bound, until, NOT_WRAPPED, BINARY, EXAMPLES } = require('./lib/wsgate');
const { pause } = require('./lib/bounds');

const ROUNDS = 15;
const SOON_MS = 50;

const never = path.join(path.resolve(process.env.WSGATE_HELPERS || path.join(__dirname, '../../build/helpers')), 'never_flushes');

const isThere = (name) => spawnSync('sh', ['-c', 'command -v "$1" >/dev/null', 'sh', name]).status === 0;
const unless = (name) => (isThere(name) ? false : `${name} is not installed`);

/*
 * Each message is the time of its sending, and the answer has it in it (or, from never_flushes, a later
 * one in front): how long a line is under way is known from the line alone. The next one is sent when
 * the answer is here, so an answer that waits for company waits for ever.
 */
async function delays(c, { pad = (text) => text } = {}) {
	const list = [];
	for (let i = 0; i < ROUNDS; i++) {
		await c.text(pad(String(Date.now())));
		const line = await c.nextText(5000);
		list.push(Date.now() - Number(/^\D*(\d{13})/.exec(line)[1]));
	}
	return list.sort((a, b) => a - b);
}

/* The machine may be busy with something else for one of them, not for most. */
async function arrivesAtOnce(s, c, options) {
	const list = await delays(c, options);
	s.say(`on the way: ${list[0]} to ${list.at(-1)} ms, median ${list[ROUNDS >> 1]} ms`);
	assert.ok(list[ROUNDS >> 1] <= bound(SOON_MS), `half of the lines within ${bound(SOON_MS)} ms, but: ${list}`);
	assert.equal((await c.bye()).code, 1000);
}

const programs = [
	['a C program', never, [never]],
	['sed', 'sed', ['sed', 's/^/x/']],
	['grep', 'grep', ['grep', '.']],
	['gawk', 'gawk', ['gawk', '{ print }']],
	/* mawk reads 4096 bytes before it looks at them. That is its input: its output is what is tested. */
	['mawk', 'mawk', ['mawk', '{ print $1 }'], { pad: (text) => text.padEnd(4095) }],
	['python3', 'python3', ['python3', '-c', 'import sys\nfor line in sys.stdin: print(line.strip())']],
];

for (const buffering of ['line', 'pty']) {
	for (const [name, needed, argv, options] of programs) {
		scenario(`${name}, buffering = ${buffering}`, async (s) => {
			const g = await s.gate([`--buffering=${buffering}`, '--', ...argv]);
			await arrivesAtOnce(s, await g.open(), options);
		}, { skip: unless(needed) });
	}
}

scenario('perl has buffers of its own: it needs the terminal', async (s) => {
	const g = await s.gate({ ini: '[/]\nexec = perl -ne print\nbuffering = pty\n' });
	await arrivesAtOnce(s, await g.open());
}, { skip: unless('perl') });

scenario('a whole pipeline runs by the line, without a word of configuration', async (s) => {
	const g = await s.gate({ ini: `[/]\nshell = '${never}' | grep . | sed 's/^/x/' | cut -c1-100\n` });
	await arrivesAtOnce(s, await g.open());
});

scenario('greeter.py has no flush in it', async (s) => {
	const file = path.join(EXAMPLES, 'greeter.py');
	assert.doesNotMatch(fs.readFileSync(file, 'utf8'), /flush/);
	const g = await s.gate([file]);
	const c = await g.open();
	for (const name of ['Guido', 'Barbara']) {
		await c.text(name);
		assert.equal(await c.nextText(10000), `Hello, ${name}!`);
	}
	assert.equal((await c.bye()).code, 1000);
}, { skip: unless('python3') });

scenario('what is printed without help comes at the end: buffering = none, and framing = raw', async (s) => {
	const g = await s.gate({ ini: `[/none]\nexec = ${never}\nbuffering = none\n[/raw]\nexec = ${never}\nframing = raw\n[/asked]\nexec = ${never}\nframing = raw\nbuffering = line\n` });
	const c = await g.open('/none');
	await c.text('patience');
	const early = await Promise.race([c.next().then(() => true), pause(500).then(() => false)]);
	assert.equal(early, false, 'nothing came while the program was running');
	const raw = await g.open('/raw');
	await raw.send(require('./lib/raw').frame(require('./lib/raw').TEXT, 'patience\n'));
	assert.equal(await Promise.race([raw.next().then(() => true), pause(500).then(() => false)]), false);
	const asked = await g.open('/asked');
	await asked.text('at once\n');
	assert.match(String((await asked.next()).data), /^\d{13} at once\n$/);
});

scenario('no half line is sent on the way, and none is lost at the end', async (s) => {
	for (const buffering of ['line', 'pty', 'none']) {
		const g = await s.gate([`--buffering=${buffering}`, '--', 'gawk', 'BEGIN { for (i = 0; i < 20000; i++) { printf "%d", i; printf " and the rest\\n" } printf "the end" }']);
		const c = await g.open();
		for (let i = 0; i < 20000; i++)
			assert.equal(await c.nextText(), `${i} and the rest`);
		assert.equal(await c.nextText(), 'the end');
		assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
	}
}, { skip: unless('gawk') });

scenario('a file that a program writes is nobody\'s message, and is not written by the line', async (s) => {
	const g = await s.gate({ ini: '[/]\nshell = tee /dev/stderr | grep . >file\nstderr = merge\n' });
	const c = await g.open();
	for (const line of ['one', 'two', 'three']) {
		await c.text(line);
		assert.equal(await c.nextText(), line);
	}
	const written = () => { try { return g.read('file'); } catch { return null; } };
	await until(5000, () => written() !== null, 'the shell has opened the file'); /* beside tee, not before it */
	assert.equal(written().length, 0);
	assert.equal((await c.bye()).code, 1000);
	assert.equal(written().toString(), 'one\ntwo\nthree\n');
});

scenario('the program\'s own LD_PRELOAD stays, and comes first', async (s) => {
	const g = await s.gate({ ini: '[/]\nshell = echo $LD_PRELOAD\nenv = LD_PRELOAD=/nowhere/mine.so\nstderr = discard\n' });
	const c = await g.open();
	assert.match(await c.nextText(), /^\/nowhere\/mine\.so:\/.*libwsgate-line\.so$/);
	assert.equal((await c.leave()).code, 1000);
});

scenario('wsgate finds the library where it is installed, and runs without it', async (s) => {
	const built = path.dirname(BINARY);
	const library = [built, path.join(built, 'build')].map((d) => path.join(d, 'libwsgate-line.so')).find(fs.existsSync);
	assert.ok(library, 'it was built');
	const dir = fs.mkdtempSync('/tmp/wsgate-installed-');
	s.after(() => fs.rmSync(dir, { recursive: true, force: true }));
	const place = (from, to) => {
		fs.mkdirSync(path.dirname(path.join(dir, to)), { recursive: true });
		fs.copyFileSync(from, path.join(dir, to));
	};
	place(BINARY, 'bin/wsgate');
	place(library, 'lib/wsgate/libwsgate-line.so');
	place(BINARY, 'bare/bin/wsgate');
	/* The harness starts BINARY; this starts the copy in its place. */
	const start = (where) => s.gate({ args: [never], wrap: ['sh', '-c', `shift; exec ${dir}/${where}/wsgate "$@"`, 'sh'] });

	const installed = await start('bin');
	await arrivesAtOnce(s, await installed.open());
	assert.doesNotMatch(installed.log, /libwsgate-line/);
	if (fs.existsSync('/usr/local/lib/wsgate/libwsgate-line.so'))
		return;
	const bare = await start('bare/bin');
	assert.match(bare.log, /route \/: no libwsgate-line\.so/);
	const c = await bare.open();
	await c.text('at the end');
	await c.close(1000);
	assert.match(await c.nextText(), /at the end$/);
	assert.equal((await c.leave()).code, 1000);
}, { skip: NOT_WRAPPED });

scenario('20 MB through a pseudo-terminal, then exit: every byte arrives', async (s) => {
	const bytes = require('./lib/bytes');
	const g = await s.gate({ ini: '[/]\nexec = /bin/cat ./big\nframing = raw\nbuffering = pty\n' });
	const size = 20 * bytes.MiB;
	const sha1 = bytes.writeBig(g.path('big'), bytes.raw(bytes.MiB, 3), size);
	for (let round = 0; round < (process.env.FULL ? 20 : 2); round++) {
		const c = await g.open();
		const hash = bytes.createHash('sha1');
		await c.readToClose({ see: (p) => hash.update(p.data), ms: 60000 });
		assert.equal(hash.digest('hex'), sha1, `round ${round}`);
		assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
	}
}, { seconds: 120 });
