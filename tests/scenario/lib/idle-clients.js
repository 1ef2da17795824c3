'use strict';
/*
 * A process of its own that holds COUNT idle WebSockets: node idle-clients.js PORT COUNT [SIZE]. Says "open N", then "closed N" on a
 * line of input. With SIZE each offers compression, and has sent and got back a message of so many bytes before it falls silent.
 */

const { Raw } = require('./raw');

async function open(port, text) {
	if (text === null)
		return Raw.open(port, { ms: 60000 });
	const c = await Raw.open(port, { ms: 60000, headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } });
	await (c.deflate ? c.packedText(text) : c.text(text));
	for (let got = 0; got < text.length;)
		got += (await c.next(60000)).data.length;
	return c;
}

async function main(port, count, size) {
	const text = size > 0 ? 'some words that come again and again, '.repeat(size).slice(0, size) : null;
	const clients = [];
	let next = 0;
	await Promise.all(Array.from({ length: 50 }, async () => {
		while (next++ < count)
			clients.push(await open(port, text));
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

main(Number(process.argv[2]), Number(process.argv[3]), Number(process.argv[4] ?? 0)).catch((e) => {
	process.stderr.write(`${e.stack}\n`);
	process.exit(1);
});
