'use strict';
/* wsgate on a unix socket: who may connect, whose it is, and what is in its place before and after. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { scenario } = require('./lib/wsgate');

const IS_ROOT = process.getuid() === 0;

const status = (socketPath) => new Promise((resolve, reject) => {
	http.get({ socketPath, path: '/' }, (answer) => {
		answer.resume();
		resolve(answer.statusCode);
	}).on('error', reject);
});

const modeOf = (path) => (fs.statSync(path).mode & 0o777).toString(8);

scenario('its mode is unix_mode, whatever the umask; it goes at the end', async (s) => {
	for (const [umask, mode] of [['000', '0660'], ['077', '0666'], ['027', '0600']]) {
		const g = await s.gate({ listen: null, args: [`--unix-mode=${mode}`], ini: '[server]\nlisten = unix:./front\n[/]\nexec = /bin/cat\n', wrap: ['sh', '-c', `umask ${umask}; exec "$0" "$@"`] });
		assert.equal(modeOf(g.path('front')), mode.slice(1));
		assert.equal(await status(g.path('front')), 426);
		await g.stop();
		assert.ok(!g.exists('front'));
	}
});

scenario('its owner is unix_owner, or its group alone', async (s) => {
	for (const [owner, uid, gid] of [['nobody', 65534, 0], ['nobody:nogroup', 65534, 65534], [':nogroup', 0, 65534]]) {
		const g = await s.gate({ listen: null, ini: `[server]\nlisten = unix:./front\nunix_mode = 0660\nunix_owner = ${owner}\n[/]\nexec = /bin/cat\n` });
		const st = fs.statSync(g.path('front'));
		assert.deepEqual([st.uid, st.gid, modeOf(g.path('front'))], [uid, gid, '660']);
		await g.stop();
		assert.ok(!g.exists('front'));
	}
}, { skip: !IS_ROOT && 'only root can give a file away' });

scenario('one that wsgate left when it was killed is replaced', async (s) => {
	const path = `/tmp/wsgate-front-${process.pid}.sock`;
	s.after(() => fs.rmSync(path, { force: true }));
	const first = await s.gate({ listen: `unix:${path}`, args: ['cat'] });
	first.signal('SIGKILL');
	await first.exited;
	assert.ok(fs.existsSync(path));
	const second = await s.gate({ listen: `unix:${path}`, args: ['cat'] });
	assert.equal(await status(path), 426);
	await second.stop();
	assert.ok(!fs.existsSync(path));
});

scenario('what is not ours to take is said with what to do, and stays', async (s) => {
	const path = `/tmp/wsgate-front-${process.pid}.sock`;
	const live = net.createServer();
	await new Promise((resolve) => { live.listen(path, resolve); });
	s.after(() => live.close());
	const busy = await s.run(['cat'], { listen: `unix:${path}` });
	assert.equal(busy.code, 73);
	assert.match(busy.err, /cannot listen on unix:\S+: Address already in use; a server answers there, or it is no socket: stop that, remove the file, or take another path/);
	assert.ok(fs.existsSync(path));
	const plain = await s.run(['cat'], { listen: 'unix:./file', files: { file: 'precious' } });
	assert.equal(plain.code, 73);
	assert.equal(fs.readFileSync(`${plain.dir}/file`, 'utf8'), 'precious');
	const missing = await s.run(['cat'], { listen: 'unix:./no/such/front' });
	assert.equal(missing.code, 73);
	assert.match(missing.err, /No such file or directory; its directory is missing: make it/);
});
