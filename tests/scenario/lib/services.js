'use strict';
/* TCP services to stand behind wsgate. Each takes the scenario, which ends it, and gives its port. */

const net = require('node:net');
const { spawn } = require('node:child_process');
const { createHash } = require('node:crypto');
const { until, within } = require('./bounds');

/* A service whose every connection is given to FN(socket). */
async function service(s, fn, options = {}) {
	const sockets = new Set();
	const server = net.createServer({ allowHalfOpen: true, noDelay: true, ...options }, (socket) => {
		sockets.add(socket);
		socket.on('close', () => sockets.delete(socket));
		socket.on('error', () => {});
		server.accepted = (server.accepted ?? 0) + 1;
		fn(socket);
	});
	await new Promise((resolve, reject) => {
		server.once('error', reject);
		server.listen(options.path ? { path: options.path } : { port: 0, host: options.host ?? '127.0.0.1' }, resolve);
	});
	s.after(() => {
		for (const socket of sockets)
			socket.destroy();
		server.close();
	});
	return { port: server.address().port, sockets, get accepted() { return server.accepted ?? 0; } };
}

/* Sends back what comes. */
const echo = (s, options) => service(s, (socket) => socket.pipe(socket), options);

/* Counts and checksums what comes. .done resolves with { bytes, sha1 } at the first connection's end of input. */
async function sink(s) {
	let finish;
	const done = new Promise((resolve) => { finish = resolve; });
	const tally = { bytes: 0 };
	const svc = await service(s, (socket) => {
		const hash = createHash('sha1');
		socket.on('data', (d) => { hash.update(d); tally.bytes += d.length; });
		socket.on('end', () => {
			finish({ bytes: tally.bytes, sha1: hash.digest('hex') });
			socket.end();
		});
	});
	return { ...svc, done, tally };
}

/* A port where nobody listens. */
async function closedPort() {
	const server = net.createServer();
	await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
	const { port } = server.address();
	await new Promise((resolve) => { server.close(resolve); });
	return port;
}

/*
 * A port that never answers a connect: its process is stopped and its short queue is full, so the
 * kernel drops further SYNs.
 */
async function deafPort(s) {
	const script = 'const s = require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, '
		+ '() => console.log(s.address().port))';
	const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
	s.after(() => child.kill('SIGKILL'));
	const port = Number(await within(10000, new Promise((resolve) => {
		child.stdout.once('data', (d) => resolve(String(d).trim()));
	}), 'port of the deaf service'));
	child.kill('SIGSTOP');
	const fillers = [];
	s.after(() => { for (const f of fillers) f.destroy(); });
	/* Full as soon as one connect hangs. */
	await until(10000, () => new Promise((resolve) => {
		const c = net.connect(port, '127.0.0.1');
		fillers.push(c);
		c.on('error', () => {});
		const timer = setTimeout(() => resolve(true), 200);
		c.once('connect', () => {
			clearTimeout(timer);
			resolve(false);
		});
	}), 'the queue of the deaf service is full');
	return port;
}

/* A program that takes 4 KiB of its input every MS into the file got, and at its end makes the file done. */
const slowProgram = (ms) => `#!/usr/bin/env node
const fs = require('node:fs');
const clock = new Int32Array(new SharedArrayBuffer(4)), part = Buffer.alloc(4096);
for (let n; (n = fs.readSync(0, part)) > 0; Atomics.wait(clock, 0, 0, ${ms}))
	fs.appendFileSync('got', part.subarray(0, n));
fs.writeFileSync('done', '');
`;

module.exports = { slowProgram, service, echo, sink, closedPort, deafPort };
