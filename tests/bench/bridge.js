'use strict';
/*
 * A peer of the benchmark: a WebSocket bridge as one writes it in an afternoon, on npm's ws.
 *
 *	node bridge.js PORT tcp BACKEND-PORT
 *	node bridge.js PORT lines PROGRAM [ARG...]
 */

const { spawn } = require('node:child_process');
const net = require('node:net');
const { createInterface } = require('node:readline');
const { WebSocketServer } = require('ws');

const [port, kind, target, ...args] = process.argv.slice(2);
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), perMessageDeflate: false });
const HIGH = 256 * 1024;

function stopReadingWhileFull(source, client) {
	if (client.bufferedAmount < HIGH) return;
	source.pause();
	const timer = setInterval(() => {
		if (client.bufferedAmount >= HIGH) return;
		clearInterval(timer);
		source.resume();
	}, 5);
}

function bridgeTcp(client) {
	const socket = net.connect({ host: '127.0.0.1', port: Number(target), noDelay: true });
	socket.on('data', (data) => { client.send(data); stopReadingWhileFull(socket, client); });
	socket.on('end', () => client.close());
	socket.on('error', () => client.close(1011));
	client.on('message', (data) => { if (!socket.write(data)) client.pause(); });
	socket.on('drain', () => client.resume());
	client.on('close', () => socket.destroy());
}

function bridgeLines(client) {
	const child = spawn(target, args, { stdio: ['pipe', 'pipe', 'inherit'] });
	const lines = createInterface({ input: child.stdout });
	lines.on('line', (line) => { client.send(line); stopReadingWhileFull(lines, client); });
	lines.on('close', () => client.close());
	client.on('message', (data) => { child.stdin.write(data); child.stdin.write('\n'); });
	client.on('close', () => child.stdin.end());
	child.stdin.on('error', () => {});
}

server.on('connection', kind === 'tcp' ? bridgeTcp : bridgeLines);
