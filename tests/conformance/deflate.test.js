'use strict';
/*
 * RFC 7692, case by case: see rfc7692.js. Offers are judged by what must be in the answer to them; messages are played frame
 * by frame, byte by byte and in one write with the handshake and neighbours; and under every set of parameters a
 * conversation is held in which either side remembers as much as it may.
 */

const assert = require('node:assert/strict');
const { scenario, within } = require('../scenario/lib/wsgate');
const { frame, closePayload, upgradeHead, TEXT, CLOSE } = require('../scenario/lib/raw');
const { Tally, abreast } = require('./lib/tally');
const { bytewise } = require('./lib/ways');
const { Packer, Unpacker, parameters } = require('./lib/deflating');
const { text, encode, letters, octets } = require('./lib/words');
const rfc7692 = require('./rfc7692');

const ABREAST = 16;
const PATIENCE_MS = 30000;
const KINDS = { 1: 'text', 2: 'binary' };

const ROUTES = { '/': '', '/wide': 'compression_window = 15\ncompression_level = 9\n', '/narrow': 'compression_window = 9\n', '/forgets': 'compression_takeover = no\n' };
const INI = '[defaults]\nframing = message\nstop = eof 60s, KILL\ncompression = on\ncompression_threshold = 0\n'
	+ Object.entries(ROUTES).map(([path, more]) => `[${path}]\nexec = /bin/cat\n${more}`).join('');

const list = (side) => (typeof side === 'function' ? side() : side);

/* --- the handshake ------------------------------------------------------------------------------------ */

const isBits = (value) => value === undefined || (Number.isInteger(value) && value >= 8 && value <= 15);

/* What the server says must follow from what it was offered (7.1). */
function judgeAnswer(answer, offer) {
	assert.match(answer, /^permessage-deflate(;|$)/);
	assert.ok(!answer.includes(','), 'one answer');
	const [theirs, ours] = [parameters(answer), parameters(offer)];
	assert.notEqual(theirs, null, 'a parameter comes twice');
	const known = ['server_no_context_takeover', 'client_no_context_takeover', 'server_max_window_bits', 'client_max_window_bits'];
	assert.deepEqual(Object.keys(theirs).filter((name) => !known.includes(name)), []);
	for (const name of known.slice(0, 2))
		assert.ok([undefined, true].includes(theirs[name]), `${name} has no value`);
	for (const name of known.slice(2))
		assert.ok(isBits(theirs[name]), `${name} is ${theirs[name]}`);
	if (ours.server_no_context_takeover)
		assert.equal(theirs.server_no_context_takeover, true, 'what was asked for is promised');
	if (ours.server_max_window_bits)
		assert.ok(theirs.server_max_window_bits <= ours.server_max_window_bits, 'what was asked for is promised');
	if (theirs.client_max_window_bits !== undefined)
		assert.ok(ours.client_max_window_bits === true || theirs.client_max_window_bits <= ours.client_max_window_bits, 'a client is asked for what it named, and no less than it promised');
	return theirs;
}

async function negotiate(g, path, c) {
	const fields = c.accepted === 'none' ? {} : { 'Sec-WebSocket-Extensions': c.offer };
	const answer = await g.http(upgradeHead(path, fields));
	assert.equal(answer.status, c.accepted === 400 ? 400 : 101, answer.body);
	const extensions = answer.headers['sec-websocket-extensions'];
	if (typeof c.accepted !== 'number' || c.accepted === 0 || c.accepted === 400)
		assert.equal(extensions, undefined);
	else
		judgeAnswer(extensions ?? '', [c.offer].flat().join(',').split(',')[c.accepted - 1]);
}

/* --- messages ----------------------------------------------------------------------------------------- */

const headers = (offer) => (offer === undefined ? {} : { 'Sec-WebSocket-Extensions': offer });

/* Reads and unpacks messages into MESSAGES until ENOUGH() or a Close. */
async function hear(c, unpacker, messages, enough) {
	let parts = [];
	while (!enough()) {
		const p = await c.piece();
		if (p === null || p.kind === 'close')
			return;
		if (p.control)
			continue;
		parts.push(p.data);
		if (p.last) {
			const payload = Buffer.concat(parts);
			messages.push({ kind: p.kind, data: p.packed ? await unpacker.unpack(payload) : payload, size: payload.length });
			parts = [];
		}
	}
}

function same(messages, want, prefix) {
	assert.ok(prefix ? messages.length <= want.length : messages.length === want.length, `${messages.length} messages for ${want.length}`);
	messages.forEach((m, i) => {
		assert.equal(m.kind, KINDS[want[i].opcode], `kind of message ${i}`);
		assert.ok(m.data.equals(want[i].payload), `message ${i}`);
	});
}

async function converse(g, c, parts, expect, early) {
	const client = await g.open('/', { headers: headers(c.offer), ...early && { behind: parts[0] } });
	const unpacker = new Unpacker(parameters(client.answer.headers['sec-websocket-extensions'] ?? '') ?? {});
	const failure = expect.find((e) => e.fails)?.fails;
	const want = expect.filter((e) => KINDS[e.opcode]);
	const pongs = expect.filter((e) => e.opcode === 10).map((e) => String(e.payload));
	const messages = [];
	try {
		const sent = (async () => {
			for (const part of early ? parts.slice(1) : parts) {
				await client.send(part);
				await new Promise(setImmediate);
			}
		})().catch(() => {});
		await within(PATIENCE_MS, hear(client, unpacker, messages, () => !failure && messages.length >= want.length && client.pongs.length >= pongs.length),
			() => `answer: ${messages.length} messages came, close ${JSON.stringify(client.closed)}`);
		if (!failure) {
			await sent;
			client.sentClose = true;
			await client.send(frame(CLOSE, closePayload(1000)));
		}
		await within(PATIENCE_MS, hear(client, unpacker, messages, () => client.closed !== null), 'Close frame');
		await client.leave();
		same(messages, want, failure);
		if (!failure)
			assert.deepEqual(client.pongs.map(String), pongs);
		assert.equal(client.closed.code, failure ?? 1000, client.closed.reason);
	} finally {
		client.destroy();
		g.clients.splice(g.clients.indexOf(client), 1);
	}
}

const ways = {
	'frame by frame': (g, c, parts, expect) => converse(g, c, parts, expect),
	'byte by byte': (g, c, parts, expect) => converse(g, c, bytewise(parts), expect),
	'with neighbours': (g, c, parts, expect) => {
		const [front, behind] = [text('in front'), text('behind')];
		return converse(g, c, [Buffer.concat([encode(front), ...parts, encode(behind)])], [front, ...expect, ...expect.some((e) => e.fails) ? [] : [behind]], true);
	},
};

/* --- a long conversation -------------------------------------------------------------------------------- */

/* The same words in many messages, near and far: whoever remembers too much, or too little, is found out. */
const TALK = [letters(300), letters(300), octets(700), Buffer.concat([octets(5000), letters(2000)]), letters(300), Buffer.alloc(0), octets(700), Buffer.concat([octets(1021), letters(40000), octets(1021)]),
	letters(300), Buffer.from('!')];

async function remember(g, path, c) {
	const client = await g.open(path, { headers: headers(c.offer) });
	try {
		const terms = judgeAnswer(client.answer.headers['sec-websocket-extensions'] ?? '', c.offer);
		const [packer, unpacker] = [new Packer(terms), new Unpacker(terms, true)];
		for (const data of TALK) {
			const messages = [];
			await client.send(frame(2, await packer.pack(data), { rsv: 4 }));
			await within(PATIENCE_MS, hear(client, unpacker, messages, () => messages.length === 1), 'echo');
			assert.ok(messages[0]?.data.equals(data), `${data.length} bytes come back`);
		}
		await client.bye();
	} finally {
		client.destroy();
		g.clients.splice(g.clients.indexOf(client), 1);
	}
}

/* --- all of it ------------------------------------------------------------------------------------------ */

const run = (name, cases, play) => scenario(name, async (s) => {
	const g = await s.gate({ ini: INI });
	const faults = [];
	await abreast(ABREAST, cases, async (c) => { faults.push(await tally.play(c, name, () => play(g, c))); });
	assert.deepEqual(faults.filter(Boolean), []);
}, { seconds: 120 });

const tally = new Tally([rfc7692], (c) => (rfc7692.messages.includes(c) ? Object.keys(ways).length : c.everywhere === false ? 1 : Object.keys(ROUTES).length));

for (const path of Object.keys(ROUTES)) {
	run(`offers to ${path}`, rfc7692.offers, (g, c) => negotiate(g, path, c));
	run(`every set of parameters at ${path}`, rfc7692.sets.filter((c) => path === '/wide' || c.everywhere), (g, c) => remember(g, path, c));
}
for (const [way, play] of Object.entries(ways))
	run(`messages ${way}`, rfc7692.messages, (g, c) => play(g, c, list(c.send).map(encode), list(c.expect)));
