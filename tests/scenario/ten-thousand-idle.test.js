'use strict';
/* Ten thousand connections that say nothing cost next to nothing. */

const assert = require('node:assert/strict');
const path = require('node:path');
const readline = require('node:readline');
const { spawn } = require('node:child_process');
const { scenario, within, descriptorLimit } = require('./lib/wsgate');

const ALLOWED = 2048; /* bytes of memory a connection */

/* Starts a script of lib/ and gives a function that reads its next line. */
function helper(s, script, ...args) {
	const child = spawn(process.execPath, [path.join(__dirname, 'lib', script), ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] });
	s.after(() => child.kill('SIGKILL'));
	const rows = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	return { child, line: async (what) => (await within(60000, rows.next(), what)).value };
}

scenario('10,000 idle connections to a TCP service', async (s) => {
	const count = Math.min(10000, Math.floor((descriptorLimit() - 200) / 2), 27000);
	const service = helper(s, 'idle-service.js');
	const port = await service.line('port of the service');
	const g = await s.gate(['--max-connections=20000', `--tcp=127.0.0.1:${port}`]);
	const warm = helper(s, 'idle-clients.js', g.port, 200);
	await warm.line('200 connections');
	const base = g.rss();
	const crowd = helper(s, 'idle-clients.js', g.port, count - 200);
	const opened = await crowd.line(`${count} connections`);
	assert.equal(opened, `open ${count - 200}`, g.log.slice(-2000));
	const each = (g.rss() - base) / (count - 200);
	s.say(`${count} idle connections: ${Math.round(each)} bytes each`);
	if (g.memoryIsItsOwn)
		assert.ok(each < ALLOWED, `${each} bytes a connection`);
	/* One more is served at once among them. */
	const c = await g.open('/');
	await c.ping('there');
	while (c.pongs.length === 0)
		assert.ok(await c.piece());
	c.destroy();
	crowd.child.stdin.write('\n');
	assert.equal(await crowd.line('the crowd leaves'), `closed ${count - 200}`);
	warm.child.stdin.write('\n');
	await g.settled(60, 20000);
}, { seconds: 100 });
