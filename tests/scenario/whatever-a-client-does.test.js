'use strict';
/*
 * Clients that do anything, in any order: a state fuzzer with a model beside it. Each client is made of one
 * number; what it may expect is known beforehand, and a failure names the number: SEED=it runs that one alone.
 */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');
const { echo } = require('./lib/services');
const { frame, closePayload, TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION } = require('./lib/raw');
const bytes = require('./lib/bytes');
const { within } = require('./lib/bounds');

const CLIENTS = process.env.FULL ? 8000 : 200;
const MAX_MESSAGE = 100000;
const SIZES = [0, 1, 2, 7, 124, 125, 126, 127, 1000, 4095, 65535, 65536, 65537, 99999];
const LETTERS = ['a', '\n', '\0', 'ß', '€', '𝄞', '"'];

/* What breaks the protocol, and the code that answers it. INSIDE: only within a fragmented message. */
const BREACHES = [
	[() => frame(TEXT, 'hi', { mask: false }), 1002],
	[(die) => frame(BINARY, 'hi', { rsv: 1 + die(7) }), 1002],
	[(die) => frame(3 + die(5), 'hi'), 1002],
	[(die) => frame(11 + die(5), 'hi'), 1002],
	[() => frame(PING, 'hi', { fin: false }), 1002],
	[() => frame(PONG, 'x'.repeat(126)), 1002],
	[() => frame(CLOSE, 'x'), 1002],
	[(die) => frame(CLOSE, closePayload([0, 999, 1004, 1005, 1006, 1015, 2999, 5000][die(8)])), 1002],
	[() => frame(CLOSE, Buffer.from([3, 232, 0xff])), 1007],
	[() => frame(CONTINUATION, 'hi'), 1002, 'outside'],
	[() => frame(TEXT, Buffer.from([0x61, 0xff])), 1007, 'outside'],
	[() => frame(TEXT, Buffer.from([0xe2, 0x82])), 1007, 'outside'],
	[() => frame(BINARY, '', { declared: MAX_MESSAGE + 1 }), 1009, 'outside'],
	[() => frame(BINARY, '', { lengthAs: 64, declared: (1n << 63n) | 5n }), 1002, 'outside'],
	[() => frame(TEXT, 'hi', { lengthAs: 16 }), 1002, 'outside'],
	[() => frame(TEXT, 'hi'), 1002, 'inside'],
	[() => frame(BINARY, 'hi', { fin: false }), 1002, 'inside'],
	[() => frame(CONTINUATION, '', { declared: MAX_MESSAGE + 1 }), 1009, 'inside'],
];

function textOf(die) {
	let text = '';
	for (let left = SIZES[die(10)]; left > 0; left--)
		text += LETTERS[die(LETTERS.length)];
	return Buffer.from(text);
}

function messageOf(die) {
	return die(2) ? { kind: 'text', opcode: TEXT, data: textOf(die) } : { kind: 'binary', opcode: BINARY, data: bytes.raw(SIZES[die(SIZES.length)], 1 + die(1e6)) };
}

/* A client's life: the bytes it sends, what comes back if all goes well, and how it ends. */
function lifeOf(die) {
	const life = { wire: [], messages: [], pongs: [], end: null };
	const masks = { mask: die(4) ? true : Buffer.alloc(4) };
	const say = (opcode, data, more = {}) => life.wire.push(frame(opcode, data, { ...masks, ...more }));
	const ping = () => {
		const data = bytes.raw(die(126), 1 + die(1e6));
		if (die(3) === 0)
			return say(PONG, data);
		life.pongs.push(data);
		return say(PING, data);
	};
	const breach = (where) => {
		const fit = BREACHES.filter(([, , only]) => only === undefined || only === where);
		const [make, code] = fit[die(fit.length)];
		life.wire.push(make(die));
		life.end = { how: 'breach', code };
	};
	/* False if the client fell silent or broke the rules in its middle. */
	const message = () => {
		const m = messageOf(die), parts = 1 + (die(3) ? 0 : die(4));
		for (let i = 0, from = 0; i < parts; i++) {
			const to = i === parts - 1 ? m.data.length : from + die(m.data.length - from + 1);
			if (i > 0 && die(30) === 0)
				return breach('inside');
			if (i > 0 && die(2))
				ping();
			say(i === 0 ? m.opcode : CONTINUATION, m.data.subarray(from, to), { fin: i === parts - 1 });
			from = to;
		}
		life.messages.push(m);
	};

	for (let acts = die(12); acts > 0 && !life.end; acts--)
		[message, message, ping, () => { if (die(4) === 0) breach('outside'); }][die(4)]();
	if (!life.end) {
		const codes = [undefined, 1000, 1001, 1003, 1011, 3000, 4999];
		const code = codes[die(codes.length)];
		life.end = { how: ['close', 'close', 'close', 'half-close', 'reset', 'noise'][die(6)], code };
		if (life.end.how === 'close')
			say(CLOSE, closePayload(code, code ? 'over' : ''));
		if (life.end.how === 'noise')
			life.wire.push(bytes.raw(1 + die(5000), 1 + die(1e6)));
	}
	return life;
}

/* Sends it in portions that have nothing to do with frames. */
async function deliver(c, whole, die) {
	const most = [1, 3, 200, 5000, 1e9][die(5)];
	for (let at = 0, writes = 0; at < whole.length; writes++) {
		const to = writes > 300 ? whole.length : Math.min(whole.length, at + 1 + die(most));
		c.send(whole.subarray(at, to)).catch(() => {});
		if (die(2))
			await new Promise(setImmediate);
		at = to;
	}
}

/* All that comes until the Close frame or the end. */
async function hear(c) {
	const heard = [];
	for (let m; (m = await c.next()) !== null;)
		heard.push(m);
	return heard;
}

const isPrefix = (part, whole, same) => part.length <= whole.length && part.every((m, i) => same(m, whole[i]));

async function live(g, path, seed) {
	const next = bytes.numbers(seed);
	const die = (sides) => next() % sides;
	const life = lifeOf(die);
	const c = await g.open(path);
	const hearing = hear(c);
	hearing.catch(() => {});
	await deliver(c, Buffer.concat(life.wire), die);
	if (life.end.how === 'reset')
		return c.reset();
	if (life.end.how === 'half-close' || life.end.how === 'noise') /* noise may begin a frame that never ends */
		c.wire.finish();
	const heard = await hearing;
	if (life.end.how === 'noise') /* may by chance have been a message */
		return c.destroy();
	assert.ok(isPrefix(heard, life.messages, (a, b) => a.kind === b.kind && a.data.equals(b.data)), 'what comes back is what went, in order');
	assert.ok(isPrefix(c.pongs, life.pongs, (a, b) => a.equals(b)), 'each pong is that of its ping');
	if (life.end.how === 'close') {
		assert.equal(heard.length, life.messages.length, 'all that was sent before the Close comes back');
		assert.equal(c.closed?.code, life.end.code ?? 1005);
	}
	if (life.end.how === 'breach')
		assert.equal(c.closed?.code, life.end.code);
	c.destroy();
}

const backends = {
	'a program': () => '[/]\nexec = /bin/cat\nframing = message\n',
	'a TCP service': async (s) => `[/]\ntcp = 127.0.0.1:${(await echo(s)).port}\nframing = message\n`,
};

for (const [name, ini] of Object.entries(backends)) {
	scenario(`${CLIENTS} clients that do anything, in front of ${name}: each hears what it should, none is felt by the others`, async (s) => {
		const g = await s.gate({ ini: `[defaults]\nmax_message = ${MAX_MESSAGE}\nstop = eof 20s, KILL\n${await ini(s)}` });
		const neighbour = await g.open('/');
		const seeds = process.env.SEED ? [Number(process.env.SEED)] : Array.from({ length: CLIENTS }, (_, i) => 1 + i);
		while (seeds.length > 0) {
			const seed = seeds[0];
			await Promise.all(seeds.splice(0, 8).map((one) =>
				live(g, '/', one).catch((e) => { throw new Error(`SEED=${one}: ${e.message}`, { cause: e }); })));
			await neighbour.text(`still here after ${seed}`);
			assert.equal(await within(5000, neighbour.nextText(), 'answer to the neighbour'), `still here after ${seed}`);
		}
		await neighbour.bye();
	});
}
