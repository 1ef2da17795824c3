'use strict';
/* A TCP service in a process of its own that accepts and says nothing, or, with "echo", what it hears; its first line is its port. */

const server = require('node:net').createServer((socket) => {
	socket.on('error', () => {});
	if (process.argv[2] === 'echo')
		socket.pipe(socket);
	else
		socket.resume();
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => process.stdout.write(`${server.address().port}\n`));
process.stdin.on('end', () => process.exit(0)).resume();
