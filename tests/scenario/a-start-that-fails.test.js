'use strict';
/* What wsgate cannot have at its start: it is named, with how to mend it, and whoever has it keeps it. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { scenario } = require('./lib/wsgate');

scenario('an address that cannot be listened on', async (s) => {
	const g = await s.gate(['cat']);
	const taken = await s.run(['cat'], { listen: `127.0.0.1:${g.port}` });
	assert.equal(taken.code, 73);
	assert.match(taken.err, /cannot listen on 127\.0\.0\.1:\d+: Address already in use; is another server there\? --port=N takes another port/);
	const foreign = await s.run(['cat'], { listen: '192.0.2.1:0' }); /* an address for documentation (RFC 5737) */
	assert.equal(foreign.code, 73);
	assert.match(foreign.err, /cannot listen on 192\.0\.2\.1:0: Cannot assign requested address; this machine has no such address/);
	assert.equal(await (await g.open('/')).bye().then((c) => c.code), 1000);
});

scenario('a pid file: there while wsgate runs, gone with it, and safe from one that cannot start', async (s) => {
	const g = await s.gate(['--pid-file=./pid', 'cat']);
	const path = g.path('pid');
	assert.equal(fs.readFileSync(path, 'utf8'), `${g.pid}\n`);
	const second = await s.run([`--pid-file=${path}`, 'cat'], { listen: `127.0.0.1:${g.port}` });
	assert.equal(second.code, 73);
	assert.equal(fs.readFileSync(path, 'utf8'), `${g.pid}\n`);
	await g.stop();
	assert.ok(!fs.existsSync(path));
	const nowhere = await s.run(['--pid-file=./no/such/pid', 'cat']);
	assert.equal(nowhere.code, 73);
	assert.match(nowhere.err, /cannot write pid_file \S*\/no\/such\/pid: No such file or directory/);
	assert.doesNotMatch(nowhere.err, /listening/);
});

scenario('a log that cannot be opened', async (s) => {
	const r = await s.run(['--target=./no/such/log', 'cat']);
	assert.equal(r.code, 73);
	assert.match(r.err, /cannot open the log \S*\/no\/such\/log: No such file or directory/);
	assert.doesNotMatch(r.err, /listening/);
});

scenario('more workers than there are descriptors for', async (s) => {
	const r = await s.run(['--workers=64', 'cat'], { wrap: ['sh', '-c', 'ulimit -n 100; exec "$0" "$@"'] });
	assert.equal(r.code, 71);
	assert.match(r.err, /cannot start worker \d+ of 64: Too many open files; set workers lower/);
	assert.doesNotMatch(r.err, /listening/);
});
