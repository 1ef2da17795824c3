'use strict';
/* A place in the middle of a wire, to look at what travels. */

const net = require('node:net');
const { service } = require('../../scenario/lib/services');

const HEAD_END = '\r\n\r\n';

/* What one side sends: how many bytes, and its head. */
function side(socket) {
	const told = { bytes: 0, head: '' };
	socket.on('data', (d) => {
		told.bytes += d.length;
		if (!told.head.includes(HEAD_END))
			told.head += d.toString('latin1');
	});
	return told;
}

const extensions = ({ head }) => /^sec-websocket-extensions: *(.*)\r$/im.exec(head.split(HEAD_END)[0] + '\r\n')?.[1] ?? '';

/*
 * A port that leads to PORT. Its first() tells of the first connection: the extensions that were offered and answered,
 * and the bytes up, from the client, and down.
 */
async function tap(s, port) {
	const seen = [];
	const svc = await service(s, (client) => {
		const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
		client.on('close', () => server.destroy());
		server.on('error', () => client.destroy());
		seen.push([side(client), side(server)]);
		client.pipe(server).pipe(client);
	});
	const first = () => {
		const [up, down] = seen[0];
		return { offer: extensions(up), answered: extensions(down), up: up.bytes, down: down.bytes };
	};
	return { port: svc.port, first };
}

module.exports = { tap };
