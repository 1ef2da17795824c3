'use strict';
/* Firefox: its own WebSocket against the real binary, and the developer console as a person would use it. */

const assert = require('node:assert/strict');
const { scenario } = require('../scenario/lib/wsgate');
const { echo } = require('../scenario/lib/services');
const { firefox, skip, ENTER } = require('./lib/firefox');

const browser = firefox();
if (skip)
	console.log(`SKIPPED: ${skip}`);

const GREETER = '#!/bin/sh\nwhile IFS= read -r name; do echo "Hello, $name!"; done\n';
const THREE = '#!/bin/sh\necho last\nexit 3\n';

async function gate(s) {
	const svc = await echo(s);
	return s.gate({
		args: ['--devconsole'],
		files: { 'greeter.sh': GREETER, 'three.sh': THREE },
		ini: '[/greeter]\nexec = ./greeter.sh\n[/three]\nexec = ./three.sh\n[/cat]\nexec = /bin/cat\nframing = message\nsubprotocols = second, first\n'
			+ '[/packed]\nexec = /bin/cat\nframing = message\nsubprotocols = second, first\ncompression = on\ncompression_threshold = 0\n'
			+ `[/tcp]\ntcp = 127.0.0.1:${svc.port}\n`,
	});
}

/* A window with the page at PATH_ of the gate. */
async function open(s, g, path_) {
	const fox = browser();
	s.say(`Firefox ${fox.version}`);
	await fox.window();
	g.clients.push({ destroy: () => fox.leave().catch(() => {}) });
	await fox.goto(`http://127.0.0.1:${g.port}${path_}`);
	return fox;
}

/* All that the page asked for is ours, and it complained of nothing. */
function isContent(fox, g) {
	assert.deepEqual(fox.faults, []);
	assert.deepEqual(fox.asked.filter((url) => !/^(data|blob|about):/.test(url) && !/^(http|ws):\/\/127\.0\.0\.1:/.test(url)), []);
	assert.ok(fox.asked.some((url) => url.startsWith(`http://127.0.0.1:${g.port}/`)), 'the page came from the gate');
}

scenario('the console: connect, speak, be answered, close, and connect again, by keyboard alone', async (s) => {
	const g = await gate(s);
	const fox = await open(s, g, '/greeter');
	assert.equal(await fox.evaluate('document.activeElement.id'), 'connect');
	assert.equal(g.children().length, 0, 'to look is not to start');
	await fox.type(ENTER);
	await fox.sees('#state', /^connected/);
	assert.equal(await fox.evaluate('document.activeElement.id'), 'message');
	await fox.type(`Ada <b>L</b>, naïve €${ENTER}`);
	await fox.sees('.row.in', /Hello, Ada <b>L<\/b>, naïve €!/);
	await fox.sees('.row.out', /Ada <b>L<\/b>/);
	await fox.click('#close');
	await fox.sees('#end', /1000.*normal.*clean/);
	assert.equal(await fox.text('#connect'), 'Connect again');
	await fox.type(ENTER);
	await fox.sees('#state', /^connected/);
	await fox.type(`again${ENTER}`);
	await fox.sees('.row.in', /Hello, again!/);
	isContent(fox, g);
	await g.line(/route=\/greeter .*close=1000 by=client/);
}, { skip, seconds: 120 });

scenario('the console: hex to a TCP service, a program\'s last words, and its exit status', async (s) => {
	const g = await gate(s);
	const fox = await open(s, g, '/tcp');
	await fox.type(ENTER);
	await fox.sees('#state', /^connected/);
	await fox.evaluate('document.querySelector("[name=mode][value=hex]").click(); document.querySelector("#message").focus()');
	await fox.type(`de ad be ef 00${ENTER}`);
	await fox.sees('.row.in', /de ad be ef 00/);
	await fox.goto(`http://127.0.0.1:${g.port}/three`);
	await fox.type(ENTER);
	await fox.sees('#end', /1011 exit 3.*clean/);
	await fox.sees('.row.in', /last/);
	isContent(fox, g);
}, { skip, seconds: 120 });

for (const [route, extensions] of [['/cat', ''], ['/packed', 'permessage-deflate']])
	scenario(`its WebSocket at ${route}: both kinds, a mebibyte of each, a subprotocol, close code and reason, both ways`, async (s) => {
		const g = await gate(s);
		const fox = await open(s, g, route);
		const story = await fox.json(`new Promise((resolve, reject) => {
			const socket = new WebSocket('ws://127.0.0.1:${g.port}${route}', ['first', 'second']);
			const megabyte = new Uint8Array(1 << 20).map((_, i) => i * 7);
			const words = 'naïve words, '.repeat(1 << 17);
			const heard = [];
			socket.binaryType = 'arraybuffer';
			socket.onerror = () => reject(new Error('error'));
			socket.onopen = () => {
				for (const message of ['naïve €', '', new Uint8Array([0, 255, 128]), megabyte, words, megabyte])
					socket.send(message);
			};
			socket.onmessage = ({ data }) => {
				heard.push(typeof data === 'string' ? data === words || data : data.byteLength < 100 ? [...new Uint8Array(data)]
					: data.byteLength === megabyte.length && new Uint8Array(data).every((b, i) => b === megabyte[i]));
				if (heard.length === 6)
					socket.close(3456, 'enough, €');
			};
			socket.onclose = ({ code, reason, wasClean }) => resolve({ protocol: socket.protocol, extensions: socket.extensions, heard, code, reason, wasClean });
		})`);
		assert.deepEqual(story, { protocol: 'second', extensions, heard: ['naïve €', '', [0, 255, 128], true, true, true], code: 3456, reason: 'enough, €', wasClean: true });
		await g.line(new RegExp(`route=${route} .*close=3456 by=client reason="enough, €"`));
		isContent(fox, g);
	}, { skip, seconds: 120 });

scenario('its WebSocket: a page from elsewhere is refused', async (s) => {
	const g = await gate(s);
	const other = await s.gate({ files: { 'www/index.html': '<!DOCTYPE html><title>other</title><link rel="icon" href="data:,">' }, args: ['--staticdir=www'] });
	const fox = await open(s, other, '/');
	assert.equal(await fox.evaluate(`new Promise((resolve) => {
		const socket = new WebSocket('ws://127.0.0.1:${g.port}/cat');
		socket.onopen = () => resolve('open');
		socket.onclose = ({ code }) => resolve('closed ' + code);
	})`), 'closed 1006');
	await g.line(/status=403/);
}, { skip, seconds: 120 });
