'use strict';
/* websocketd, as Debian has it, beside a gate: the same programs, the same flags, the same client. */

const assert = require('node:assert/strict');
const net = require('node:net');
const { spawn, spawnSync } = require('node:child_process');
const { until } = require('./wsgate');
const { Raw, http } = require('./raw');
const { closedPort } = require('./services');

const skip = spawnSync('websocketd', ['--version']).status === 0 ? false : 'websocketd is not installed (Debian package websocketd)';

const reaches = (port) => new Promise((resolve) => {
	const c = net.connect(port, '127.0.0.1', () => { c.destroy(); resolve(true); });
	c.on('error', () => resolve(false));
});

/* websocketd with ARGS; whatever it leaves running goes with the test. */
async function websocketd(s, args, { env = {}, cwd } = {}) {
	const port = await closedPort();
	const child = spawn('websocketd', [`--port=${port}`, '--address=127.0.0.1', ...args], {
		stdio: ['ignore', 'pipe', 'pipe'], detached: true, cwd, env: { PATH: process.env.PATH, ...env },
	});
	const it = { name: 'websocketd', port, child, log: '', clients: [] };
	for (const stream of [child.stdout, child.stderr])
		stream.on('data', (d) => { it.log += d; });
	s.after(() => {
		for (const c of it.clients)
			c.destroy();
		try {
			process.kill(-child.pid, 'SIGKILL');
		} catch { /* all gone */ }
	});
	await until(10000, () => reaches(port), () => `websocketd listens: ${it.log}`);
	it.open = async (path, options) => {
		const c = await Raw.open(port, { path, ...options });
		it.clients.push(c);
		return c;
	};
	it.get = (path, fields = {}) => http(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${Object.entries(fields).map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`);
	return it;
}

/* Both, with the same ARGS, FILES and ENV: [websocketd, wsgate]. */
async function both(s, args, { files = {}, env = {} } = {}) {
	const g = await s.gate({ args, files, env });
	g.name = 'wsgate';
	return [await websocketd(s, args, { env, cwd: g.dir }), g];
}

/* Everything that a program says after SAY: { messages, end }, end being null where there was no Close frame. */
async function story(peer, { path = '/', say = [], messages = Infinity, ...options } = {}) {
	const c = await peer.open(path, options);
	for (const one of say)
		await (Buffer.isBuffer(one) ? c.binary(one) : c.text(one));
	const got = [];
	for (let m; got.length < messages && (m = await c.next()) !== null;)
		got.push(m.kind === 'text' ? m.data.toString() : m.data);
	return { messages: got, end: c.closed, protocol: c.protocol, head: c.answer.headers, client: c };
}

const refused = async (peer, path, options) => {
	try {
		(await peer.open(path, options)).destroy();
		return 101;
	} catch (e) {
		assert.ok(e.answer, e.message);
		return e.answer.status;
	}
};

module.exports = { skip, websocketd, both, story, refused };
