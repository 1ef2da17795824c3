'use strict';
/*
 * MQTT.js as npm has it, asking for subprotocol mqtt as every MQTT client does, through examples/mqtt.ini to a
 * Mosquitto that knows TCP alone.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { scenario, EXAMPLES, FULL, within } = require('../scenario/lib/wsgate');
const { closedPort } = require('../scenario/lib/services');
const { open, chromium, skip: noBrowser } = require('../browser/lib/page');
const { find, missing, without, directory, serve, listens } = require('./lib/real');

const skip = missing({ mosquitto: 'mosquitto' }) || without('mqtt');
const mqtt = skip ? null : require('mqtt');
const browser = chromium();
const COUNT = FULL ? 100000 : 10000;

async function broker(s) {
	const port = await closedPort();
	const dir = directory(s, 'mosquitto');
	/* Nothing is dropped on its side, however far a client is behind. */
	fs.writeFileSync(path.join(dir, 'conf'), `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nmax_inflight_messages 1000\n`);
	await serve(s, find('mosquitto'), ['-c', path.join(dir, 'conf')], { ready: () => listens(port) });
	return port;
}

async function gate(s) {
	const ini = fs.readFileSync(path.join(EXAMPLES, 'mqtt.ini'), 'utf8')
		.replace('./node_modules/mqtt/dist', path.join(__dirname, 'node_modules/mqtt/dist'))
		.replace('./www', path.join(EXAMPLES, 'www')).replace('127.0.0.1:1883', `127.0.0.1:${await broker(s)}`);
	return s.gate({ ini });
}

async function connect(s, g, options = {}) {
	const client = mqtt.connect(g.url('/mqtt'), { reconnectPeriod: 0, ...options });
	s.after(() => client.endAsync(true).catch(() => {}));
	await within(10000, new Promise((resolve, reject) => {
		client.once('connect', resolve);
		client.once('error', reject);
		client.once('close', () => reject(new Error('closed before it was connected')));
	}), 'MQTT connection');
	return client;
}

for (const protocolVersion of [4, 5]) {
	scenario(`${COUNT} messages of QoS 1, none lost, in order, MQTT ${protocolVersion === 4 ? '3.1.1' : '5'}`, async (s) => {
		const g = await gate(s);
		const options = { protocolVersion, ...(protocolVersion === 5 ? { properties: { receiveMaximum: 1000 } } : {}) };
		const [publisher, subscriber] = [await connect(s, g, options), await connect(s, g, options)];
		const seen = [];
		const all = new Promise((resolve) => {
			subscriber.on('message', (topic, payload) => {
				seen.push(Number(payload));
				if (seen.length === COUNT)
					resolve();
			});
		});
		await subscriber.subscribeAsync('load/+', { qos: 1 });
		const began = Date.now();
		const confirmed = [];
		for (let i = 0; i < COUNT; i++) {
			confirmed.push(publisher.publishAsync('load/test', String(i), { qos: 1 }));
			/* As an application would: not all of them at once. */
			if (confirmed.length % 500 === 0)
				await Promise.all(confirmed.splice(0));
		}
		await within(120000, Promise.all([...confirmed, all]), () => `${COUNT} messages (${seen.length} came)`);
		const seconds = (Date.now() - began) / 1000;
		assert.deepEqual(seen, Array.from({ length: COUNT }, (_, i) => i));
		s.say(`${COUNT} messages published, confirmed and received in ${seconds.toFixed(1)} s (${Math.round(COUNT / seconds)} a second); 0 lost, 0 twice`);
		await publisher.endAsync();
		await subscriber.endAsync();
		await g.line(/route=\/mqtt .*close=1\d{3}/);
	}, { skip, seconds: 180 });
}

scenario('a message of 5 MiB, with its bytes as they were', async (s) => {
	const g = await gate(s);
	const client = await connect(s, g);
	const payload = require('node:crypto').randomBytes(5 * 1024 * 1024);
	const came = new Promise((resolve) => { client.once('message', (_, data) => resolve(data)); });
	await client.subscribeAsync('big', { qos: 1 });
	await client.publishAsync('big', payload, { qos: 1 });
	assert.ok((await within(20000, came, 'the big message')).equals(payload));
	await client.endAsync();
}, { skip });

scenario('a client that offers another subprotocol is told so before the upgrade', async (s) => {
	const g = await gate(s);
	assert.equal((await g.refusal('/mqtt', { protocols: ['amqp'] })).status, 400);
	const c = await g.open('/mqtt', { protocols: ['mqttv3.1', 'mqtt'] });
	assert.equal(c.protocol, 'mqtt', 'the first of the route\'s list');
	c.reset();
}, { skip });

scenario('a page with MQTT.js publishes, and hears it', async (s) => {
	const g = await gate(s);
	const { page, faults } = await open(g, browser(), '/mqtt.html');
	await page.locator('#state[data-state=open]').waitFor();
	await page.locator('#payload').fill('Grüße & <b>more</b>');
	await page.locator('form button').click();
	await page.locator('#end', { hasText: 'Published and confirmed.' }).waitFor();
	await page.locator('#inbox li', { hasText: 'Grüße & <b>more</b>' }).waitFor();
	if (process.env.SCREENSHOTS)
		await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'mqtt.png'), fullPage: true });
	assert.deepEqual(faults, []);
}, { skip: skip || noBrowser });
