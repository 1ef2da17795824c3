'use strict';
/*
 * Request heads, case by case: see heads.js for what is asked. Each is sent whole, byte by byte, and in one write between
 * two other requests, plain and over TLS. What is upgraded must echo then; what is refused must end the connection.
 */

const assert = require('node:assert/strict');
const { scenario, within } = require('../scenario/lib/wsgate');
const { makeAll } = require('../scenario/lib/certificates');
const { Raw, readHead, readBody } = require('../scenario/lib/raw');
const { Tally, abreast } = require('./lib/tally');
const { bytewise } = require('./lib/ways');
const { text, encode } = require('./lib/words');
const tables = require('./heads');

const ABREAST = 16;
const PATIENCE_MS = 30000;
const PAGE = Buffer.from('GET /page/ HTTP/1.1\r\nHost: example.com\r\n\r\n');

const pki = makeAll([{ name: 'ca' }, { name: 'one', names: 'DNS:one.test', issuer: 'ca' }]);
const TLS = { listen: '127.0.0.1:0 tls', tls: { ca: pki.ca.cert, servername: 'one.test' }, args: ['--sslcert=one.pem', '--sslkey=one.key'] };
const FILES = {
	'one.pem': pki.one.cert, 'one.key': pki.one.key, 'www/index.html': 'page\n',
	'cgi/echo': '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n%s " "$REQUEST_METHOD"\nexec cat\n',
};
const INI = ['[defaults]', 'framing = message', 'max_children = 4096', 'origin = same', '[/chat]', 'exec = /bin/cat', '[/list]', 'exec = /bin/cat', 'subprotocols = chat, superchat',
	'[/none]', 'exec = /bin/cat', 'subprotocols = none', '[/must]', 'exec = /bin/cat', 'subprotocols = chat', 'subprotocols_required = yes',
	'[/page]', 'static = ./www', '[/cgi]', 'cgi = ./cgi', ''].join('\n');

async function answer(wire, method) {
	const a = await within(PATIENCE_MS, readHead(wire), 'response');
	a.body = (await within(PATIENCE_MS, readBody(wire, a, method), 'content')).toString('latin1');
	return a;
}

async function echoes(wire, early) {
	const c = new Raw(wire);
	if (!early)
		await c.send(encode(text('Hello')));
	assert.equal(await c.nextText(), 'Hello');
	assert.equal((await c.bye()).code, 1000);
}

async function isOver(wire) {
	await within(PATIENCE_MS, (async () => { while (await wire.fill()); })(), 'end of the connection');
	assert.equal(wire.take(wire.have).toString('latin1'), '', 'bytes behind the last answer');
	assert.equal(wire.error, null);
}

/* What must be in the answer, whatever the case. */
function judge(a, c) {
	assert.equal(a.status, c.status, `${a.status} ${a.body.trim()}`);
	for (const [name, value] of Object.entries(c.has)) {
		const got = name === 'body' ? a.body : name === 'close' ? /\bclose\b/i.test(a.headers.connection ?? '') : a.headers[name];
		if (value instanceof RegExp)
			assert.match(got ?? '', value, name);
		else
			assert.equal(got, value, name);
	}
}

const goesOn = (a) => a.status === 200 && !/\bclose\b/i.test(a.headers.connection ?? '');

/* Sends PARTS, the request between neighbours if TOGETHER, and hears what becomes of it. */
async function converse(g, c, parts, together) {
	const wire = g.wire();
	try {
		await wire.connected;
		const sent = (async () => {
			for (const part of parts) {
				await wire.write(part);
				await new Promise(setImmediate);
			}
		})().catch(() => {});
		if (together)
			assert.equal((await answer(wire, 'GET')).status, 200, 'the request in front');
		const a = await answer(wire, c.send.split(' ', 1)[0]);
		judge(a, c);
		await sent;
		if (a.status === 101)
			return await echoes(wire, together);
		if (goesOn(a)) {
			if (!together)
				await wire.write(PAGE);
			assert.equal((await answer(wire, 'GET')).body, 'page\n', 'the request behind');
			wire.finish();
		}
		await isOver(wire);
	} finally {
		wire.destroy();
		g.clients.splice(g.clients.indexOf(wire), 1);
	}
	return 1;
}

const bytes = (c) => Buffer.from(c.send, 'latin1');
const behind = (c) => (c.late ? Buffer.alloc(0) : c.status === 101 ? encode(text('Hello')) : PAGE);

const ways = {
	'whole': (g, c) => converse(g, c, [bytes(c)]),
	'byte by byte': (g, c) => converse(g, c, bytewise([bytes(c)])),
	'with neighbours': (g, c) => converse(g, c, [Buffer.concat([PAGE, bytes(c), behind(c)])], true),
};
const sides = { plain: {}, TLS };

const tally = new Tally(tables, () => Object.keys(ways).length * Object.keys(sides).length);

for (const [side, options] of Object.entries(sides))
	for (const [way, play] of Object.entries(ways))
		scenario(`${side}: ${way}`, async (s) => {
			const g = await s.gate({ files: FILES, ini: INI, ...options });
			const impatient = await s.gate({ files: FILES, ini: `[server]\nhandshake_timeout = 1s\n${INI}`, ...options });
			const faults = [];
			await abreast(ABREAST, tables.flatMap((t) => t.cases), async (c) => {
				const send = options.tls ? c.send.replace('\nOrigin: http:', '\nOrigin: https:') : c.send;
				faults.push(await tally.play(c, `${side}, ${way}`, () => play(c.late ? impatient : g, { ...c, send })));
			});
			assert.deepEqual(faults.filter(Boolean), []);
		}, { seconds: 120 });
