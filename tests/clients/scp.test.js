'use strict';
/*
 * ssh and scp through examples/ssh.ini and its wsgate-proxy, to an sshd of the test's own: keys, configuration
 * and port are its own, and it listens on loopback.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn, execFileSync } = require('node:child_process');
const { createHash, randomBytes } = require('node:crypto');
const { scenario, EXAMPLES, within } = require('../scenario/lib/wsgate');
const { closedPort } = require('../scenario/lib/services');
const { find, missing, directory, serve, listens } = require('./lib/real');

const skip = missing({ sshd: 'openssh-server', scp: 'openssh-client', python3: 'python3' });
const MB = 1000 * 1000;

function sha256(file) {
	const hash = createHash('sha256');
	const fd = fs.openSync(file, 'r');
	const part = Buffer.alloc(1 << 20);
	for (let n; (n = fs.readSync(fd, part)) > 0;)
		hash.update(part.subarray(0, n));
	fs.closeSync(fd);
	return hash.digest('hex');
}

function fill(file, size) {
	const fd = fs.openSync(file, 'w');
	for (let left = size; left > 0; left -= MB)
		fs.writeSync(fd, randomBytes(Math.min(left, MB)));
	fs.closeSync(fd);
	return sha256(file);
}

/* Everything but wsgate: sshd, and a client configuration whose host "behind" goes through URL. */
async function secureShell(s) {
	const dir = directory(s, 'ssh');
	const at = (name) => path.join(dir, name);
	const port = await closedPort();
	for (const key of ['host', 'me'])
		execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)]);
	/* sshd wants this directory if it is root, and Debian makes it at boot. */
	if (process.getuid() === 0)
		fs.mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
	fs.writeFileSync(at('sshd_config'), [
		`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${at('host')}`, `AuthorizedKeysFile ${at('me.pub')}`, 'PidFile none', 'StrictModes no',
		'UsePAM no', 'PasswordAuthentication no', 'PermitRootLogin prohibit-password', 'MaxStartups 100', 'Subsystem sftp internal-sftp', '',
	].join('\n'));
	await serve(s, find('sshd'), ['-D', '-e', '-f', at('sshd_config')], { ready: () => listens(port) });
	fs.writeFileSync(at('known_hosts'), `behind ${fs.readFileSync(at('host.pub'), 'utf8')}`);
	const g = await s.gate({ ini: fs.readFileSync(path.join(EXAMPLES, 'ssh.ini'), 'utf8').replace('127.0.0.1:22', `127.0.0.1:${port}`) });
	fs.writeFileSync(at('config'), [
		'Host behind', `ProxyCommand ${path.join(EXAMPLES, 'ssh/wsgate-proxy')} ${g.url('/ssh')}`, `User ${os.userInfo().username}`, `IdentityFile ${at('me')}`,
		'IdentitiesOnly yes', `UserKnownHostsFile ${at('known_hosts')}`, 'StrictHostKeyChecking yes', 'BatchMode yes', '',
	].join('\n'));
	const run = (command, args, ms = 120000) => within(ms, new Promise((resolve) => {
		const child = spawn(command, ['-F', at('config'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
		let out = '';
		let err = '';
		child.stdout.on('data', (d) => { out += d; });
		child.stderr.on('data', (d) => { err += d; });
		child.once('close', (status) => resolve({ status, out, err }));
	}), `end of ${command} ${args.join(' ')}`);
	return { g, at, ssh: (...args) => run('ssh', args), scp: (...args) => run('scp', args) };
}

scenario('ssh runs a command, and its exit status comes back', async (s) => {
	const { g, ssh } = await secureShell(s);
	assert.deepEqual(await ssh('behind', 'echo through; echo aside >&2; exit 7'), { status: 7, out: 'through\n', err: 'aside\n' });
	await g.line(/route=\/ssh .*close=1000/);
}, { skip });

scenario('200 MB by scp there and back: the same bytes', async (s) => {
	const { at, scp } = await secureShell(s);
	const sum = fill(at('file'), 200 * MB);
	for (const [way, from, to] of [['there', at('file'), `behind:${at('there')}`], ['back', `behind:${at('there')}`, at('back')]]) {
		const began = Date.now();
		assert.deepEqual(await scp(from, to), { status: 0, out: '', err: '' });
		assert.equal(sha256(at(way)), sum);
		const seconds = (Date.now() - began) / 1000;
		s.say(`200 MB ${way} in ${seconds.toFixed(1)} s (${Math.round(200 / seconds)} MB/s), sha256 equal`);
	}
}, { skip, seconds: 300 });

scenario('ten sessions at once, 20 MB each, there and back', async (s) => {
	const { g, at, scp } = await secureShell(s);
	const sums = Array.from({ length: 10 }, (_, i) => fill(at(`file${i}`), 20 * MB));
	const began = Date.now();
	const results = await Promise.all(sums.map(async (sum, i) => {
		const there = await scp(at(`file${i}`), `behind:${at(`there${i}`)}`);
		const back = await scp(`behind:${at(`there${i}`)}`, at(`back${i}`));
		return [there, back];
	}));
	const seconds = (Date.now() - began) / 1000;
	assert.deepEqual(results.flat().filter((r) => r.status !== 0), []);
	for (const [i, sum] of sums.entries()) {
		assert.equal(sha256(at(`there${i}`)), sum);
		assert.equal(sha256(at(`back${i}`)), sum);
	}
	s.say(`10 x 20 MB there and back in ${seconds.toFixed(1)} s (${Math.round(400 / seconds)} MB/s together), 20 of 20 checksums equal`);
	assert.equal(g.lines.filter((l) => /route=\/ssh .*close=1000/.test(l)).length, 20);
}, { skip, seconds: 300 });
