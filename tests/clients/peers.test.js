'use strict';
/*
 * WebSocket clients of others, unmodified, each of which tells the same story: a subprotocol is agreed on; text, an empty
 * message, bytes and a mebibyte, twice, come back; a ping is answered; it closes with a code and a reason; and a program's
 * last line, exit status and all, arrives. What a client's interface cannot tell is null.
 *
 * It is told without compression, with it, and with nothing remembered between messages (RFC 7692 7.1.1), as the route
 * or as the client wants it. What was agreed on, and whether it was done, is read off the wire, not from the client.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFile, spawnSync } = require('node:child_process');
const { scenario, bound, within } = require('../scenario/lib/wsgate');
const { missing, without, directory } = require('./lib/real');
const { tap } = require('./lib/tap');

const PYTHON = '/usr/bin/python3'; /* Debian's, which its packages are for */
const BIG = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, i) => i * 7));
const SAID = ['naïve €', '', Buffer.from([0, 255, 128]), BIG, BIG]; /* the second may refer to the first */
const OFFERS = ['first', 'second'];
const [CODE, REASON] = [3456, 'enough, €'];

const TALE = { protocol: 'second', heard: ['naïve €', '', '00ff80', true, true], pong: true, code: CODE, reason: REASON, end: { heard: ['last'], code: 1011, reason: 'exit 3' } };

const tell = (data) => (typeof data === 'string' ? data : data.length > 100 ? Buffer.from(data).equals(BIG) : Buffer.from(data).toString('hex'));

/* --- npm -------------------------------------------------------------------------------------------- */

const talk = (start) => within(30000, new Promise(start), 'end of the conversation');

async function ws(url, forget) {
	const WebSocket = require('ws');
	const perMessageDeflate = { threshold: 0, ...(forget && { serverNoContextTakeover: true, clientNoContextTakeover: true }) };
	const story = await talk((resolve, reject) => {
		const c = new WebSocket(`${url}/cat`, OFFERS, { perMessageDeflate });
		const heard = [];
		let pong = false;
		c.on('error', reject);
		c.on('open', () => SAID.forEach((m) => c.send(m)));
		c.on('message', (data, isBinary) => {
			heard.push(tell(isBinary ? data : String(data)));
			if (heard.length === SAID.length)
				c.ping('there?');
		});
		c.on('pong', (data) => { pong = String(data) === 'there?'; c.close(CODE, REASON); });
		c.on('close', (code, reason) => resolve({ protocol: c.protocol, heard, pong, code, reason: String(reason) }));
	});
	const end = await talk((resolve, reject) => {
		const c = new WebSocket(`${url}/three`);
		const heard = [];
		c.on('error', reject);
		c.on('message', (data) => heard.push(String(data)));
		c.on('close', (code, reason) => resolve({ heard, code, reason: String(reason) }));
	});
	return { ...story, end };
}

async function websocket(url) {
	const { client: Client } = require('websocket');
	const connect = (path_, offers, each) => talk((resolve, reject) => {
		const c = new Client({ maxReceivedFrameSize: 4 << 20, maxReceivedMessageSize: 4 << 20 });
		const heard = [];
		c.on('connectFailed', reject);
		c.on('connect', (connection) => {
			connection.on('message', (m) => { heard.push(tell(m.utf8Data ?? m.binaryData)); each?.(connection, heard); });
			connection.on('pong', (data) => { connection.heardPong = String(data) === 'there?'; connection.drop(CODE, REASON); });
			connection.on('close', (code, reason) => resolve({ protocol: connection.protocol, heard, pong: Boolean(connection.heardPong), code, reason }));
			if (offers)
				SAID.forEach((m) => (typeof m === 'string' ? connection.sendUTF(m) : connection.sendBytes(m)));
		});
		c.connect(`${url}${path_}`, offers);
	});
	const story = await connect('/cat', OFFERS, (connection, heard) => { if (heard.length === SAID.length) connection.ping('there?'); });
	const { heard, code, reason } = await connect('/three');
	return { ...story, end: { heard, code, reason } };
}

/* Whatever has the interface of a browser: it cannot ping, unless PING says how; OPTIONS are a third argument. */
function like(WebSocket, { ping, options } = {}) {
	const connect = (url, offers) => talk((resolve, reject) => {
		const c = options ? new WebSocket(url, offers, options) : new WebSocket(url, offers);
		const heard = [];
		let pong = null;
		const leave = () => c.close(CODE, REASON);
		c.binaryType = 'arraybuffer';
		c.onerror = (e) => reject(new Error(e.message || 'error'));
		c.onopen = () => { if (offers.length) SAID.forEach((m) => c.send(m)); };
		c.onmessage = ({ data }) => {
			heard.push(tell(typeof data === 'string' ? data : new Uint8Array(data)));
			if (heard.length === SAID.length)
				ping ? ping(c, () => { pong = true; leave(); }) : leave();
		};
		c.onclose = ({ code, reason }) => resolve({ protocol: c.protocol, heard, pong, code, reason });
	});
	return async (url) => {
		const story = await connect(`${url}/cat`, OFFERS);
		const { heard, code, reason } = await connect(`${url}/three`, []);
		return { ...story, end: { heard, code, reason } };
	};
}

/* --- programs ---------------------------------------------------------------------------------------- */

const program = (command, ...args) => (url, forget) => new Promise((resolve, reject) => {
	execFile(command, [...args, url, ...(forget ? ['forget'] : [])], { timeout: bound(60000) },
		(error, out, err) => (error ? reject(new Error(`${error.message}\n${err}`)) : resolve(JSON.parse(out))));
});

const python = (name) => program(PYTHON, path.join(__dirname, 'peers', `${name}_client.py`));
const pythonHas = (module, debian) => (fs.existsSync(PYTHON) && spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0 ? false : `not installed: ${debian} (Debian packages)`);

async function libwebsockets(url, forget, s) {
	const built = path.join(directory(s, 'lws'), 'lws_client');
	const { status, stderr } = spawnSync('cc', ['-o', built, path.join(__dirname, 'peers/lws_client.c'), '-lwebsockets'], { encoding: 'utf8' });
	assert.equal(status, 0, stderr);
	return program(built)(new URL(url).port, forget);
}

function faye(url, forget) {
	const deflate = require('permessage-deflate').configure({ noContextTakeover: forget, requestNoContextTakeover: forget });
	return like(require('faye-websocket').Client, { ping: (c, done) => c.ping('there?', done), options: { extensions: [deflate] } })(url);
}

/*
 * FORGETS: it can ask that nothing is remembered between messages. PACKS: what it sends when it has agreed on compression
 * is compressed. A client without either offers none.
 */
const clients = {
	'ws (npm)': { tell: ws, deflates: true, packs: true, forgets: true },
	'websocket (npm)': { tell: websocket },
	'faye-websocket (npm)': { skip: without('faye-websocket') || without('permessage-deflate'), tell: faye, deflates: true, packs: true, forgets: true },
	'undici (npm)': { skip: without('undici'), tell: (url) => like(require('undici').WebSocket)(url), deflates: true, differs: { pong: null } },
	'WebSocket of Node': { skip: !globalThis.WebSocket && `Node ${process.version} has none (22 does)`, tell: (url) => like(globalThis.WebSocket)(url), deflates: true, differs: { pong: null } },
	'websockets (Python)': { skip: pythonHas('websockets', 'python3-websockets'), tell: python('websockets'), deflates: true, packs: true, forgets: true },
	'aiohttp (Python)': { skip: pythonHas('aiohttp', 'python3-aiohttp'), tell: python('aiohttp'), deflates: true, packs: true, differs: { reason: null, end: { heard: ['last'], code: 1011, reason: null } } },
	'Autobahn (Python)': { skip: pythonHas('autobahn.asyncio.websocket', 'python3-autobahn'), tell: python('autobahn'), deflates: true, packs: true, forgets: true },
	'libwebsockets (C)': { skip: missing({ '/usr/include/libwebsockets.h': 'libwebsockets-dev' }), tell: libwebsockets, deflates: true, packs: true, forgets: true, differs: { code: null, reason: null } },
};

const REMEMBERS = /^permessage-deflate(?!.*server_no_context_takeover)/; /* some have no memory themselves, and say so */
const FORGETS = /^permessage-deflate; server_no_context_takeover; client_no_context_takeover/;

const ways = {
	'without compression': { ini: 'compression = off', answer: /^$/ },
	'with compression': { ini: 'compression = on', answer: REMEMBERS },
	'where the route remembers nothing': { ini: 'compression = on\ncompression_takeover = no', answer: FORGETS },
	'asking that nothing is remembered': { ini: 'compression = on', answer: FORGETS, forget: true },
};

for (const [name, { tell: story, skip = false, differs = {}, deflates = false, packs = false, forgets = false }] of Object.entries(clients))
	for (const [way, { ini, answer, forget = false }] of Object.entries(ways)) {
		if (forget && !forgets)
			continue;
		scenario(`${name} ${way}`, async (s) => {
			const g = await s.gate({
				files: { 'three.sh': '#!/bin/sh\necho last\nexit 3\n' },
				ini: `[defaults]\n${ini}\ncompression_threshold = 0\n[/cat]\nexec = /bin/cat\nframing = message\nsubprotocols = second, first\n[/three]\nexec = ./three.sh\n`,
			});
			const wire = await tap(s, g.port);
			assert.deepEqual(await story(`ws://127.0.0.1:${wire.port}`, forget, s), { ...TALE, ...differs });
			await g.line(/route=\/cat .*close=3456 by=client reason="enough, €"/);
			const { offer, answered, up, down } = wire.first();
			s.say(`${offer || 'nothing'} -> ${answered || 'nothing'}; ${up} bytes up, ${down} down`);
			assert.equal(offer.startsWith('permessage-deflate'), deflates);
			assert.match(answered, deflates ? answer : /^$/);
			assert.equal(up < BIG.length, answered !== '' && packs, `${up} bytes went`);
			assert.equal(down < BIG.length, answered !== '', `${down} bytes came`);
		}, { skip });
	}
