'use strict';
/*
 * WebSocket clients of others, unmodified, each of which tells the same story: a subprotocol is agreed on; text, an empty
 * message, bytes and a mebibyte come back; a ping is answered; it closes with a code and a reason; and a program's last
 * line, exit status and all, arrives. What a client's interface cannot tell is null.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFile, spawnSync } = require('node:child_process');
const { scenario, bound, within } = require('../scenario/lib/wsgate');
const { missing, without, directory } = require('./lib/real');

const PYTHON = '/usr/bin/python3'; /* Debian's, which its packages are for */
const BIG = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, i) => i * 7));
const SAID = ['naïve €', '', Buffer.from([0, 255, 128]), BIG];
const OFFERS = ['first', 'second'];
const [CODE, REASON] = [3456, 'enough, €'];

const TALE = { protocol: 'second', heard: ['naïve €', '', '00ff80', true], pong: true, code: CODE, reason: REASON, end: { heard: ['last'], code: 1011, reason: 'exit 3' } };

const tell = (data) => (typeof data === 'string' ? data : data.length > 100 ? Buffer.from(data).equals(BIG) : Buffer.from(data).toString('hex'));

/* --- npm -------------------------------------------------------------------------------------------- */

const talk = (start) => within(30000, new Promise(start), 'end of the conversation');

async function ws(url) {
	const WebSocket = require('ws');
	const story = await talk((resolve, reject) => {
		const c = new WebSocket(`${url}/cat`, OFFERS);
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

/* Whatever has the interface of a browser: it cannot ping, unless PING says how. */
function like(WebSocket, ping) {
	const connect = (url, offers) => talk((resolve, reject) => {
		const c = new WebSocket(url, offers);
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

const program = (command, ...args) => (url) => new Promise((resolve, reject) => {
	execFile(command, [...args, url], { timeout: bound(60000) }, (error, out, err) => (error ? reject(new Error(`${error.message}\n${err}`)) : resolve(JSON.parse(out))));
});

const python = (name) => program(PYTHON, path.join(__dirname, 'peers', `${name}_client.py`));
const pythonHas = (module, debian) => (fs.existsSync(PYTHON) && spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0 ? false : `not installed: ${debian} (Debian packages)`);

async function libwebsockets(url, s) {
	const built = path.join(directory(s, 'lws'), 'lws_client');
	const { status, stderr } = spawnSync('cc', ['-o', built, path.join(__dirname, 'peers/lws_client.c'), '-lwebsockets'], { encoding: 'utf8' });
	assert.equal(status, 0, stderr);
	return program(built)(new URL(url).port);
}

const fayePing = (c, done) => c.ping('there?', done);

const clients = {
	'ws (npm)': { tell: ws },
	'websocket (npm)': { tell: websocket },
	'faye-websocket (npm)': { skip: without('faye-websocket'), tell: (url) => like(require('faye-websocket').Client, fayePing)(url) },
	'undici (npm)': { skip: without('undici'), tell: (url) => like(require('undici').WebSocket)(url), differs: { pong: null } },
	'WebSocket of Node': { skip: !globalThis.WebSocket && `Node ${process.version} has none (22 does)`, tell: (url) => like(globalThis.WebSocket)(url), differs: { pong: null } },
	'websockets (Python)': { skip: pythonHas('websockets', 'python3-websockets'), tell: python('websockets') },
	'aiohttp (Python)': { skip: pythonHas('aiohttp', 'python3-aiohttp'), tell: python('aiohttp'), differs: { reason: null, end: { heard: ['last'], code: 1011, reason: null } } },
	'Autobahn (Python)': { skip: pythonHas('autobahn.asyncio.websocket', 'python3-autobahn'), tell: python('autobahn') },
	'libwebsockets (C)': { skip: missing({ '/usr/include/libwebsockets.h': 'libwebsockets-dev' }), tell: libwebsockets, differs: { code: null, reason: null } },
};

for (const [name, { tell: story, skip = false, differs = {} }] of Object.entries(clients))
	scenario(name, async (s) => {
		const g = await s.gate({
			files: { 'three.sh': '#!/bin/sh\necho last\nexit 3\n' },
			ini: '[/cat]\nexec = /bin/cat\nframing = message\nsubprotocols = second, first\n[/three]\nexec = ./three.sh\n',
		});
		assert.deepEqual(await story(g.url(''), s), { ...TALE, ...differs });
		await g.line(/route=\/cat .*close=3456 by=client reason="enough, €"/);
	}, { skip });
