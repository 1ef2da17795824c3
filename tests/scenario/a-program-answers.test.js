'use strict';
/* The first thing anybody tries: a program's lines come out, and go in, with whichever client. */

const assert = require('node:assert/strict');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const WebSocket = require('ws');
const { client: OtherClient } = require('websocket');
const { scenario, EXAMPLES, within } = require('./lib/wsgate');

const counter = path.join(EXAMPLES, 'counter.sh');
const greeter = path.join(EXAMPLES, 'greeter.sh');

/* Everything that happens on a `ws` client until it closes. */
function wsStory(url, { say = [] } = {}) {
	return within(15000, new Promise((resolve, reject) => {
		const c = new WebSocket(url);
		const got = [];
		c.on('open', () => { for (const word of say) c.send(word); });
		c.on('message', (data, binary) => {
			got.push(binary ? data : data.toString());
			if (say.length > 0 && got.length === say.length)
				c.close(1000, 'thanks');
		});
		c.on('error', reject);
		c.on('close', (code, reason) => resolve({ got, code, reason: reason.toString() }));
	}), 'end of the connection');
}

/* The same with a `websocket` client. */
function otherStory(url, { say = [] } = {}) {
	return within(15000, new Promise((resolve, reject) => {
		const c = new OtherClient();
		c.on('connectFailed', reject);
		c.on('connect', (connection) => {
			const got = [];
			connection.on('message', (m) => {
				got.push(m.type === 'utf8' ? m.utf8Data : m.binaryData);
				if (say.length > 0 && got.length === say.length)
					connection.close(1000, 'thanks');
			});
			connection.on('error', reject);
			connection.on('close', (code, reason) => resolve({ got, code, reason }));
			for (const word of say)
				connection.sendUTF(word);
		});
		c.connect(url);
	}), 'end of the connection');
}

const counted = { got: ['1', '2', '3', '4', '5'], code: 1000, reason: 'exit 0' };

scenario('counter.sh counts to a ws client, and its end is seen', async (s) => {
	const g = await s.gate([counter, '5', '0.01']);
	assert.deepEqual(await wsStory(g.url()), counted);
});

scenario('counter.sh counts to a websocket client', async (s) => {
	const g = await s.gate([counter, '5', '0.01']);
	assert.deepEqual(await otherStory(g.url()), counted);
});

scenario('counter.sh counts to a client that checks every bit', async (s) => {
	const g = await s.gate(['--', counter, '5', '0.01']);
	const c = await g.open('/any/path?at=all');
	for (const n of counted.got)
		assert.equal(await c.nextText(), n);
	assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
});

scenario('each number arrives when it is written, not at the end', async (s) => {
	const g = await s.gate([counter, '100', '5']);
	const c = await g.open();
	assert.equal(await c.nextText(3000), '1');
});

const greeted = ['Hello, Ada!', 'Hello, Grace Hopper!', 'Hello, Жанна 𝄞!', 'Hello, !'];
const names = ['Ada', 'Grace Hopper', 'Жанна 𝄞', ''];

for (const [name, story] of [['ws', wsStory], ['websocket', otherStory]]) {
	scenario(`greeter.sh greets a ${name} client, whose close code comes back`, async (s) => {
		const g = await s.gate([greeter]);
		const { got, code } = await story(g.url(), { say: names });
		assert.deepEqual(got, greeted);
		assert.equal(code, 1000);
	});
}

scenario('greeter.sh greets a client byte by byte', async (s) => {
	const g = await s.gate([greeter]);
	const c = await g.open();
	const { frame, TEXT } = require('./lib/raw');
	for (const name of names) {
		for (const byte of frame(TEXT, name))
			await c.send(Buffer.from([byte]));
	}
	for (const line of greeted)
		assert.equal(await c.nextText(), line);
	assert.equal((await c.bye(1000)).code, 1000);
});

scenario('greeter.py answers at once', async (s) => {
	const g = await s.gate([path.join(EXAMPLES, 'greeter.py')]);
	const c = await g.open();
	await c.text('Guido');
	assert.equal(await c.nextText(10000), 'Hello, Guido!');
	await c.text('Barbara');
	assert.equal(await c.nextText(10000), 'Hello, Barbara!');
	assert.equal((await c.bye(1000)).code, 1000);
}, { skip: spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is not installed' });

scenario('every connection has a program of its own', async (s) => {
	const g = await s.gate([greeter]);
	const clients = await Promise.all(Array.from({ length: 10 }, () => g.open()));
	assert.equal(g.children().length, 10);
	await Promise.all(clients.map(async (c, i) => {
		await c.text(`number ${i}`);
		assert.equal(await c.nextText(), `Hello, number ${i}!`);
	}));
	await clients[3].bye();
	await clients[4].text('still here');
	assert.equal(await clients[4].nextText(), 'Hello, still here!');
});
