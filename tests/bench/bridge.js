'use strict';
/*
 * A peer of the benchmark: a WebSocket bridge as one writes it in an afternoon, on npm's ws.
 *
 *	node bridge.js [--tls=PEM] [--deflate] PORT tcp BACKEND-PORT
 *	node bridge.js PORT lines PROGRAM [ARG...]
 *
 * --deflate: level, window, memory and threshold are those that wsgate has by default.
 */

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const { createInterface } = require('node:readline');
const { WebSocketServer } = require('ws');

const switches = process.argv.slice(2).filter((arg) => arg.startsWith('--tls=') || arg === '--deflate');
const [port, kind, target, ...args] = process.argv.slice(2 + switches.length);
const pem = switches.find((arg) => arg.startsWith('--tls='))?.slice(6);
const perMessageDeflate = switches.includes('--deflate')
	&& { threshold: 128, serverMaxWindowBits: 12, clientMaxWindowBits: 12, zlibDeflateOptions: { level: 3, memLevel: 5 } };
const listener = pem ? https.createServer({ key: fs.readFileSync(pem), cert: fs.readFileSync(pem) }) : http.createServer();
const server = new WebSocketServer({ server: listener, perMessageDeflate });
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
listener.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });
