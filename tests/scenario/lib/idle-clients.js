'use strict';
/* A process of its own that holds COUNT idle WebSockets: node idle-clients.js PORT COUNT. Says "open N", then "closed N" on a line of input. */

const { Raw } = require('./raw');

async function main(port, count) {
	const clients = [];
	let next = 0;
	await Promise.all(Array.from({ length: 50 }, async () => {
		while (next++ < count)
			clients.push(await Raw.open(port, { ms: 60000 }));
	}));
	process.stdout.write(`open ${clients.length}\n`);
	await new Promise((resolve) => { process.stdin.once('data', resolve); });
	let alive = 0;
	for (const c of clients) {
		if (!c.wire.ended && !c.wire.error)
			alive++;
		c.reset();
	}
	process.stdout.write(`closed ${alive}\n`);
	process.exit(0);
}

main(Number(process.argv[2]), Number(process.argv[3])).catch((e) => {
	process.stderr.write(`${e.stack}\n`);
	process.exit(1);
});
