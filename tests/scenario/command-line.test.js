'use strict';
/* What the operator sees in the terminal: the start line, help, version, and refusals with an exit code. */

const assert = require('node:assert/strict');
const path = require('node:path');
const { scenario, EXAMPLES } = require('./lib/wsgate');
const { closedPort } = require('./lib/services');

scenario('the start line names the address, and that it is for this machine only', async (s) => {
	const g = await s.gate(['cat']);
	assert.match(g.startLine, /wsgate: listening on http:\/\/127\.0\.0\.1:\d+\/ .*--address=0\.0\.0\.0/);
	assert.ok(g.port > 0);
	const c = await g.open();
	await c.text('there');
	assert.equal(await c.nextText(), 'there');
});

scenario('--port and --address as websocketd has them, with one dash or two', async (s) => {
	for (const dash of ['-', '--']) {
		const port = await closedPort();
		const g = await s.gate({ listen: null, args: [`${dash}port`, String(port), `${dash}address=127.0.0.1`, 'cat'] });
		assert.equal(g.port, port);
		const c = await g.open();
		await c.text('there');
		assert.equal(await c.nextText(), 'there');
	}
});

scenario('two listeners, a line for each', async (s) => {
	const g = await s.gate({ listen: '127.0.0.1:0, [::1]:0', args: ['cat'] });
	const m = await g.line(/listening on http:\/\/\[::1\]:(\d+)\//);
	const { Raw } = require('./lib/raw');
	const c = await Raw.open(Number(m[1]), { host: '::1', headers: { Host: `[::1]:${m[1]}` } });
	g.clients.push(c);
	await c.text('six');
	assert.equal(await c.nextText(), 'six');
	const d = await g.open();
	await d.text('four');
	assert.equal(await d.nextText(), 'four');
});

scenario('--version says which, --help fits one screen and leads with examples', async (s) => {
	const version = await s.run(['--version']);
	assert.equal(version.code, 0);
	assert.match(version.out, /^wsgate \d+\.\d+\.\d+/);
	const help = await s.run(['--help']);
	assert.equal(help.code, 0);
	const lines = help.out.trimEnd().split('\n');
	assert.ok(lines.length <= 50, `${lines.length} lines`);
	assert.ok(lines.every((l) => l.length <= 80), `wider than a screen: ${lines.filter((l) => l.length > 80)}`);
	const examples = lines.filter((l) => /^\s+(\$ )?wsgate /.test(l));
	assert.ok(examples.length >= 3, help.out);
});

scenario('a mistake on the command line is one line that says what and how, and exit 64', async (s) => {
	const mistakes = [
		[['--no-such-option', 'cat'], /no-such-option/],
		[['--prot=8080', 'cat'], /prot/],
		[['--port=70000', 'cat'], /port/],
		[['--port=eighty', 'cat'], /port/],
		[['--ping-interval=soon', 'cat'], /ping-interval/],
		[['--framing=morse', 'cat'], /framing/],
		[[], /PROGRAM|--tcp|--help/],
	];
	for (const [args, names] of mistakes) {
		const r = await s.run(args);
		assert.equal(r.code, 64, `${args.join(' ')}: exit ${r.code}: ${r.err}`);
		assert.match(r.err, names);
		assert.equal(r.lines.length, 1, `${args.join(' ')}: ${r.err}`);
		assert.match(r.err, /^wsgate: /);
		assert.equal(r.out, '');
	}
});

scenario('a program that is not there is told before anything listens', async (s) => {
	for (const program of ['./no-such-program', 'no-such-program-in-path', '/dev/null']) {
		const r = await s.run(['--listen=127.0.0.1:0', program]);
		assert.ok([64, 78].includes(r.code), `${program}: exit ${r.code}: ${r.err}`);
		assert.match(r.err, new RegExp(program.replace(/[./]/g, '\\$&')));
		assert.doesNotMatch(r.err, /listening/);
	}
});

scenario('a port that is taken, a port that is forbidden', async (s) => {
	const g = await s.gate(['cat']);
	const taken = await s.run([`--listen=127.0.0.1:${g.port}`, 'cat']);
	assert.ok([71, 73, 77].includes(taken.code), `exit ${taken.code}: ${taken.err}`);
	assert.match(taken.err, new RegExp(`${g.port}`));
	assert.match(taken.err, /in use/i);
});

scenario('--check: 0 for a good file, 78 and FILE:LINE for each fault of a bad one', async (s) => {
	const good = await s.run(['--check', `--config=${path.join(EXAMPLES, 'demo.ini')}`]);
	assert.equal(good.code, 0, good.err);
	const ini = [
		'[server]',
		'listen = 127.0.0.1:99999',   /* 2 */
		'[/a]',
		'exec = /bin/cat',
		'pign_interval = 3s',         /* 5 */
		'max_message = lots',         /* 6 */
		'[/b]',                       /* 7: no backend */
		'ping_interval = 1s',
		'[/c]',
		'exec = ./missing',           /* 10 */
		'[/a]',                       /* 11: twice */
		'exec = /bin/cat',
		'[/d]',
		'exec = /bin/cat',
		'exec = /bin/cat',            /* 15: twice */
		'[/e]',
		'exec = /bin/cat',
		'tcp = 127.0.0.1:1',          /* two backends */
		'[sever]',                    /* 19 */
		'x = y',
		'',
	].join('\n');
	const bad = await s.run(['--check'], { ini });
	assert.equal(bad.code, 78, bad.err);
	for (const line of [2, 5, 6, 10, 11, 15, 19])
		assert.match(bad.err, new RegExp(`wsgate\\.ini:${line}: `), `nothing about line ${line}`);
	assert.match(bad.err, /ping_interval/, 'what was meant');
	assert.match(bad.err, /wsgate\.ini:(7|8): /, 'a route without a backend');
	assert.match(bad.err, /wsgate\.ini:(16|18): /, 'a route with two backends');
	const start = await s.run(['--listen=127.0.0.1:0'], { ini });
	assert.equal(start.code, 78);
	assert.doesNotMatch(start.err, /listening/);
});

scenario('no line, name or value is ever cut silently', async (s) => {
	const long = 'x'.repeat(3000);
	const section = `/${'long-name-'.repeat(12)}end`;
	const g = await s.gate({
		files: { 'arg.sh': '#!/bin/sh\necho "$1"\n' },
		ini: [
			'[/line]',
			`exec = ./arg.sh ${long}`,
			`[${section}]`,
			'exec = ./arg.sh section',
			'[/semicolon]',
			'shell = echo one ; echo two',
			'',
		].join('\n'),
	}).catch((e) => e);
	if (g instanceof Error) {
		/* Refusing is honest too, if it says where. */
		assert.match(s.gates[0].log, /wsgate\.ini:\d+: /);
		return;
	}
	assert.equal(await (await g.open('/line')).nextText(), long);
	assert.equal(await (await g.open(section)).nextText(), 'section');
	const c = await g.open('/semicolon');
	assert.equal(await c.nextText(), 'one');
	assert.equal(await c.nextText(), 'two');
});

scenario('a config file that is not there', async (s) => {
	const r = await s.run(['--config=/nowhere/wsgate.ini']);
	assert.ok([66, 78].includes(r.code), `exit ${r.code}`);
	assert.match(r.err, /\/nowhere\/wsgate\.ini/);
});
