'use strict';
/* Services that are not ours: started for one test, on loopback, with all their files in a directory of their own. */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { until, within } = require('../../scenario/lib/wsgate');

/* Where COMMAND is, also in the directories that only root's PATH has; or null. */
function find(command) {
	const dirs = `${process.env.PATH}:/usr/sbin:/sbin`.split(':');
	return dirs.map((d) => path.join(d, command)).find((f) => fs.existsSync(f)) ?? null;
}

/* The reason to skip: which Debian packages are missing. WANTED is { command or file: package }. */
function missing(wanted) {
	const names = Object.entries(wanted).filter(([what]) => !(what.startsWith('/') ? fs.existsSync(what) : find(what))).map(([, name]) => name);
	return names.length > 0 && `not installed: ${[...new Set(names)].join(' ')} (Debian packages)`;
}

/* The reason to skip: npm's NAME is not there. */
function without(name) {
	try {
		require.resolve(name);
		return false;
	} catch {
		return `${name} is not installed: npm ci in tests/clients`;
	}
}

/* A directory that goes with the test. */
function directory(s, name) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), `wsgate-${name}-`));
	s.after(() => fs.rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
	return dir;
}

/* Starts a service that stays in the foreground; ready when READY() is true. Gives what it says, too. */
async function serve(s, command, args, { ready, env, cwd, detached = false } = {}) {
	let said = '';
	let over = null;
	const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd, detached });
	child.stdout.on('data', (d) => { said += d; });
	child.stderr.on('data', (d) => { said += d; });
	const gone = new Promise((resolve) => { child.once('close', (...how) => { over = how; resolve(); }); });
	s.after(async () => {
		if (over === null)
			process.kill(detached ? -child.pid : child.pid, 'SIGTERM');
		await within(10000, gone, `end of ${command}`);
	});
	await until(30000, () => {
		if (over)
			throw new Error(`${command} ended (${over}): ${said}`);
		return ready(said);
	}, () => `${command} is ready, but: ${said}`);
	return { child, said: () => said };
}

/* Does somebody listen on PORT? */
const listens = (port) => fs.readFileSync('/proc/net/tcp', 'latin1').includes(`0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`);

module.exports = { find, missing, without, directory, serve, listens };
