'use strict';
/*
 * RFC 6455 once a connection is open, case by case: see rfc6455.js for what is asked. Each case is played before a
 * program and before a TCP service that echo (framing = message: kinds and boundaries survive), plain and over TLS, and
 * each time frame by frame, byte by byte, and in one write with the handshake and neighbours; and once cut in two, at
 * each of up to 120 places.
 */

const assert = require('node:assert/strict');
const { scenario, within } = require('../scenario/lib/wsgate');
const { makeAll } = require('../scenario/lib/certificates');
const { echo } = require('../scenario/lib/services');
const { closePayload } = require('../scenario/lib/raw');
const { Tally, abreast } = require('./lib/tally');
const { bytewise, halves } = require('./lib/ways');
const { text, encode } = require('./lib/words');
const rfc6455 = require('./rfc6455');

const ABREAST = 24;
const PATIENCE_MS = 30000;
const KINDS = { 1: 'text', 2: 'binary' };

const pki = makeAll([{ name: 'ca' }, { name: 'one', names: 'DNS:one.test', issuer: 'ca' }]);
const TLS = {
	listen: '127.0.0.1:0 tls', files: { 'one.pem': pki.one.cert, 'one.key': pki.one.key }, tls: { ca: pki.ca.cert, servername: 'one.test' },
	args: ['--sslcert=one.pem', '--sslkey=one.key'],
};

/* --- what is sent, and what is to be heard ---------------------------------------------------------- */

const list = (side) => (typeof side === 'function' ? side() : side);

function wanted(expect) {
	const closes = expect.find((e) => e.fails || e.opcode === 8);
	return {
		messages: expect.filter((e) => KINDS[e.opcode]).map((e) => ({ kind: KINDS[e.opcode], data: e.payload })),
		pongs: expect.filter((e) => e.opcode === 10).map((e) => e.payload),
		/* A code of the client's own, or that of its fault. */
		code: closes && (closes.fails ?? (closes.payload.length ? closes.payload.readUInt16BE(0) : 1005)),
		fails: Boolean(closes?.fails),
	};
}

const times = (want, n) => ({ ...want, messages: Array(n).fill(want.messages).flat(), pongs: Array(n).fill(want.pongs).flat() });

const show = (data) => (data.length > 40 ? `${data.length} bytes` : JSON.stringify(data.toString('latin1')));

function sameList(what, heard, want, samePrefix) {
	const least = samePrefix ? heard.length : want.length;
	assert.ok(samePrefix ? heard.length <= want.length : heard.length === want.length, `${heard.length} ${what}s for ${want.length}`);
	for (let i = 0; i < least; i++) {
		assert.equal(heard[i].kind, want[i].kind, `kind of ${what} ${i}`);
		assert.ok(heard[i].data.equals(want[i].data), `${what} ${i} is ${show(heard[i].data)}, not ${show(want[i].data)}`);
	}
}

const bare = (data) => ({ data });

/* Whoever broke the protocol may not hear all the answers to what came before. */
function judge(c, messages, want) {
	sameList('message', messages, want.messages, want.fails);
	sameList('pong', c.pongs.map(bare), want.pongs.map(bare), want.fails);
	assert.equal(c.closed.code, want.code ?? 1000, `close code, with the reason "${c.closed.reason}"`);
}

/* --- a connection ------------------------------------------------------------------------------------ */

async function send(c, parts) {
	for (const part of parts) {
		await c.send(part);
		await new Promise(setImmediate);
	}
}

/* Reads messages into MESSAGES until ENOUGH() or a Close. */
async function hear(c, messages, enough) {
	let parts = [];
	while (!enough()) {
		const p = await c.piece();
		if (p === null || p.kind === 'close')
			return;
		if (p.control)
			continue;
		parts.push(p.data);
		if (p.last) {
			messages.push({ kind: p.kind, data: parts.length === 1 ? p.data : Buffer.concat(parts) });
			parts = [];
		}
	}
}

/* Sends PARTS (the first of them with the handshake, if EARLY), hears what is wanted, and leaves. */
async function converse(g, path, parts, want, early) {
	const c = await g.open(path, early ? { behind: parts[0] } : {});
	const messages = [];
	try {
		const sent = send(c, early ? parts.slice(1) : parts).catch(() => {});
		await within(PATIENCE_MS, hear(c, messages, () =>
			want.code === undefined && messages.length >= want.messages.length && c.pongs.length >= want.pongs.length),
		() => `answer: ${messages.length} messages and ${c.pongs.length} pongs came, close ${JSON.stringify(c.closed)}`);
		if (want.code === undefined) {
			await sent;
			await c.close(1000, 'done');
		} else if (!want.fails) {
			c.sentClose = true; /* it was among the frames */
		}
		await within(PATIENCE_MS, hear(c, messages, () => c.closed !== null), 'Close frame');
		await c.leave();
		judge(c, messages, want);
	} finally {
		c.destroy();
		g.clients.splice(g.clients.indexOf(c), 1);
	}
	return 1;
}

/* --- the ways ---------------------------------------------------------------------------------------- */

const ways = {
	'frame by frame': (g, path, parts, want) => converse(g, path, parts, want),
	'byte by byte': (g, path, parts, want) => converse(g, path, bytewise(parts), want),
	'with neighbours': (g, path, parts, want) => {
		const [before, behind] = ['in front', 'behind'];
		const around = [{ kind: 'text', data: Buffer.from(before) }, ...want.messages, ...want.code ? [] : [{ kind: 'text', data: Buffer.from(behind) }]];
		return converse(g, path, [Buffer.concat([encode(text(before)), ...parts, encode(text(behind))])], { ...want, messages: around }, true);
	},
	/* Those that end well, all in one connection. */
	'cut in two': async (g, path, parts, want) => {
		const all = halves(parts);
		if (want.code === undefined)
			await converse(g, path, all.flat(), times(want, all.length));
		else
			for (const two of all)
				await converse(g, path, two, want);
		return all.length;
	},
};

const sides = [
	['a program, plain', '/cat', {}], ['a program, TLS', '/cat', TLS], ['a TCP service, plain', '/tcp', {}], ['a TCP service, TLS', '/tcp', TLS],
];
/* Thousands of connections: once is enough. */
const plan = sides.flatMap((side) => Object.keys(ways).filter((way) => way !== 'cut in two' || side === sides[2]).map((way) => [side, way]));

const tally = new Tally([rfc6455], () => plan.length);

for (const [[side, path, options], way] of plan)
	scenario(`${side}: ${way}`, async (s) => {
		const svc = await echo(s);
		/* However busy the machine is, what a backend answers behind a Close is waited for. */
		const g = await s.gate({
			ini: '[defaults]\nframing = message\nstop = eof 60s, KILL\n' + `[/cat]\nexec = /bin/cat\n[/tcp]\ntcp = 127.0.0.1:${svc.port}\n`, ...options,
		});
		const faults = [];
		await abreast(ABREAST, rfc6455.cases, async (c) => {
			faults.push(await tally.play(c, `${side}, ${way}`, () => ways[way](g, path, list(c.send).map(encode), wanted(list(c.expect)))));
		});
		assert.deepEqual(faults.filter(Boolean), []);
	}, { seconds: 120 });
