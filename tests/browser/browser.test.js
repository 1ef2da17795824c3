'use strict';
/*
 * What a person sees: headless Chromium against the real binary.
 *
 * WSGATE_NO_BROWSER=1 skips it all; CHROMIUM names the browser (default /usr/bin/chromium);
 * SCREENSHOTS names a directory that screenshots of the demo page are saved to.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { before, after } = require('node:test');
const { scenario, EXAMPLES, SLOW, bound, until } = require('../scenario/lib/wsgate');
const { echo } = require('../scenario/lib/services');

const skip = process.env.WSGATE_NO_BROWSER ? 'WSGATE_NO_BROWSER is set: nothing was tried in a browser' : false;
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
	'--disable-component-update', '--disable-sync', '--disable-default-apps', '--disable-extensions', '--mute-audio'];

let browser;
let profile;

before(async () => {
	if (skip)
		return;
	const { chromium } = require('playwright-core');
	profile = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-chromium-'));
	browser = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: FLAGS, headless: true, timeout: bound(60000) });
	browser.setDefaultTimeout(bound(20000));
});

after(async () => {
	await browser?.close();
	if (profile)
		fs.rmSync(profile, { recursive: true, force: true });
});

/* A page of the gate's own origin; whatever goes wrong on it fails the test. */
async function open(s, g, file = '/', options = {}) {
	const page = await browser.newPage();
	const faults = [];
	page.on('pageerror', (e) => faults.push(String(e)));
	page.on('console', (m) => { if (m.type() === 'error') faults.push(m.text()); });
	page.on('request', (r) => { if (!r.url().startsWith(`http://127.0.0.1:${g.port}/`) && !r.url().startsWith('data:')) faults.push(`asks for ${r.url()}`); });
	g.clients.push({ destroy: () => page.close().catch(() => {}) });
	if (options.size)
		await page.setViewportSize(options.size);
	if (options.dark)
		await page.emulateMedia({ colorScheme: 'dark' });
	await page.goto(`http://127.0.0.1:${g.port}${file}`);
	return { page, faults };
}

const blank = { 'www/index.html': '<!DOCTYPE html><title>t</title><link rel="icon" href="data:,">' };

scenario('lines arrive within 50 ms of being written', async (s) => {
	const stamp = `#!${process.execPath}
let n = 0;
const t = setInterval(() => { process.stdout.write(Date.now() + "\\n"); if (++n === 100) clearInterval(t); }, 20);
`;
	const g = await s.gate({ files: { ...blank, 'stamp.js': stamp }, ini: '[/stamp]\nexec = ./stamp.js\n[/]\nstatic = ./www\n' });
	const { page } = await open(s, g);
	const late = await page.evaluate(() => new Promise((resolve) => {
		const got = [];
		const c = new WebSocket(`ws://${location.host}/stamp`);
		c.onmessage = (e) => got.push(performance.timeOrigin + performance.now() - Number(e.data));
		c.onclose = () => resolve(got);
	}));
	assert.equal(late.length, 100);
	late.sort((a, b) => a - b);
	const median = late[50];
	s.say(`from the program's clock to the browser's: median ${median.toFixed(1)} ms, 95th ${late[94].toFixed(1)} ms, worst ${late[99].toFixed(1)} ms`);
	assert.ok(median < 50 * SLOW, `median ${median} ms`);
	assert.ok(late[94] < 250 * SLOW, `95th ${late[94]} ms`);
}, { skip });

scenario('text and binary, both ways, whole', async (s) => {
	const svc = await echo(s);
	const g = await s.gate({ files: blank, ini: `[/tcp]\ntcp = 127.0.0.1:${svc.port}\n[/cat]\nexec = /bin/cat\n[/]\nstatic = ./www\n` });
	const { page } = await open(s, g);
	const [text, sum] = await page.evaluate(async () => {
		const text = await new Promise((resolve) => {
			const c = new WebSocket(`ws://${location.host}/cat`);
			c.onopen = () => c.send('Größe, 𝄞 & ünï');
			c.onmessage = (e) => { resolve(e.data); c.close(); };
		});
		const sent = new Uint8Array(3 << 20).map((_, i) => (i * 7 + (i >> 8)) & 255);
		const got = await new Promise((resolve) => {
			const c = new WebSocket(`ws://${location.host}/tcp`);
			c.binaryType = 'arraybuffer';
			const parts = [];
			let size = 0;
			c.onopen = () => { for (let at = 0; at < sent.length; at += 100000) c.send(sent.subarray(at, at + 100000)); };
			c.onmessage = (e) => {
				parts.push(new Uint8Array(e.data));
				size += e.data.byteLength;
				if (size >= sent.length) {
					c.close();
					resolve(parts);
				}
			};
		});
		let at = 0;
		let wrong = 0;
		for (const part of got) {
			for (const b of part)
				wrong += b !== sent[at++];
		}
		return [text, { at, wrong }];
	});
	assert.equal(text, 'Größe, 𝄞 & ünï');
	assert.deepEqual(sum, { at: 3 << 20, wrong: 0 });
}, { skip });

scenario('messages are compressed, both ways: text, bytes, and a mebibyte of each', async (s) => {
	const g = await s.gate({ files: blank, ini: '[/cat]\nexec = /bin/cat\nframing = message\ncompression = on\n[/]\nstatic = ./www\n' });
	const { page } = await open(s, g);
	const story = await page.evaluate(() => new Promise((resolve) => {
		const texts = [200, 200, 1, 0, 1 << 20, 128].map((size, i) => `naïve words ${i} `.repeat(size).slice(0, size));
		const said = [...texts, ...texts.map((t) => new TextEncoder().encode(t))];
		let wrong = 0;
		let at = 0;
		const c = new WebSocket(`ws://${location.host}/cat`);
		c.binaryType = 'arraybuffer';
		c.onopen = () => said.forEach((m) => c.send(m));
		c.onmessage = ({ data }) => {
			const m = said[at++];
			const same = typeof m === 'string' ? data === m : data.byteLength === m.length && new Uint8Array(data).every((b, i) => b === m[i]);
			wrong += !same;
			if (at === said.length)
				c.close(1000);
		};
		c.onclose = ({ code, reason }) => resolve({ extensions: c.extensions, at, wrong, code, reason });
	}));
	assert.deepEqual(story, { extensions: 'permessage-deflate; client_max_window_bits=12', at: 12, wrong: 0, code: 1000, reason: '' });
}, { skip });

scenario('the program\'s end is a clean close with its exit status', async (s) => {
	const g = await s.gate({
		files: blank,
		ini: '[/zero]\nshell = exit 0\n[/three]\nshell = echo last; exit 3\n[/kill]\nshell = kill -KILL $$\n[/cat]\nexec = /bin/cat\n[/]\nstatic = ./www\n',
	});
	const { page } = await open(s, g);
	const end = (to, mine) => page.evaluate(([to, mine]) => new Promise((resolve) => {
		const got = [];
		const c = new WebSocket(`ws://${location.host}${to}`);
		c.onmessage = (e) => got.push(e.data);
		c.onopen = () => { if (mine) c.close(mine, 'from the page'); };
		c.onclose = (e) => resolve({ got, code: e.code, reason: e.reason, wasClean: e.wasClean });
	}), [to, mine]);
	assert.deepEqual(await end('/zero'), { got: [], code: 1000, reason: 'exit 0', wasClean: true });
	assert.deepEqual(await end('/three'), { got: ['last'], code: 1011, reason: 'exit 3', wasClean: true });
	assert.deepEqual(await end('/kill'), { got: [], code: 1011, reason: 'signal KILL', wasClean: true });
	const mine = await end('/cat', 4321);
	assert.deepEqual([mine.code, mine.wasClean], [4321, true]);
	const c = end('/cat');
	await until(5000, () => g.children().length > 0, 'connected');
	g.signal('SIGTERM');
	const going = await c;
	assert.deepEqual([going.code, going.wasClean], [1001, true]);
}, { skip });

scenario('a page of another origin is refused', async (s) => {
	const g = await s.gate({ files: blank, ini: '[/cat]\nexec = /bin/cat\n[/]\nstatic = ./www\n' });
	const other = await s.gate({ files: blank, ini: '[/]\nstatic = ./www\n' });
	const { page } = await open(s, other);
	const code = await page.evaluate((url) => new Promise((resolve) => {
		const c = new WebSocket(url);
		c.onopen = () => resolve('open');
		c.onclose = (e) => resolve(e.code);
	}), `ws://127.0.0.1:${g.port}/cat`);
	assert.equal(code, 1006, 'never opened');
	await g.line(/403/);
	assert.equal(g.children().length, 0);
}, { skip });

async function demo(s) {
	const ini = fs.readFileSync(path.join(EXAMPLES, 'demo.ini'), 'utf8').replaceAll('./', `${EXAMPLES}/`).replace('counter.sh 10', 'counter.sh 5 0.4');
	return s.gate({ ini });
}

scenario('the demo page counts before your eyes, greets you, and says how it ended', async (s) => {
	const g = await demo(s);
	const { page, faults } = await open(s, g);
	assert.equal(await page.title(), 'wsgate demo');
	const number = page.locator('#counter .number');
	const seen = new Set();
	await until(20000, async () => {
		seen.add((await number.textContent()).trim());
		return seen.has('5');
	}, () => `it counts: ${[...seen]}`);
	for (const n of ['2', '3', '4'])
		assert.ok(seen.has(n), `${n} was seen among ${[...seen]}`);
	await page.locator('#counter .end', { hasText: '1000 exit 0' }).waitFor();
	assert.equal(await page.locator('#counter .state').textContent(), 'closed');

	await page.locator('#name').fill('Ada <b>Lovelace</b>');
	await page.locator('#name').press('Enter');
	await page.locator('#greeter .theirs', { hasText: 'Hello, Ada <b>Lovelace</b>!' }).waitFor();
	assert.equal(await page.locator('#greeter .state').textContent(), 'connected');
	await page.locator('#greeter .stop').click();
	await page.locator('#greeter .end', { hasText: '1000' }).waitFor();
	await page.locator('#greeter .start').click();
	await page.locator('#greeter .state[data-state=open]').waitFor();
	await page.locator('#counter .start').click();
	await page.locator('#counter .state[data-state=open]').waitFor();
	assert.deepEqual(faults, []);
}, { skip });

for (const [name, options] of [['light', {}], ['dark', { dark: true }], ['phone', { size: { width: 360, height: 740 } }]]) {
	scenario(`the demo page fits (${name})`, async (s) => {
		const g = await demo(s);
		const { page, faults } = await open(s, g, '/', { size: { width: 1100, height: 720 }, ...options });
		await page.locator('#counter .state[data-state=open]').waitFor();
		await page.locator('#greeter .state[data-state=open]').waitFor();
		for (const who of ['Ada', 'Grace']) {
			await page.locator('#name').fill(who);
			await page.locator('#name').press('Enter');
			await page.locator('#greeter .theirs', { hasText: who }).waitFor();
		}
		await page.locator('#counter .number', { hasText: /[2-5]/ }).waitFor();
		const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
		assert.equal(wide, 0, 'nothing sticks out sideways');
		/* The page tells when wsgate itself goes. */
		if (process.env.SCREENSHOTS)
			await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `demo-${name}.png`), fullPage: true });
		g.signal('SIGTERM');
		await page.locator('#greeter .end', { hasText: '1001' }).waitFor();
		assert.deepEqual(faults, []);
	}, { skip });
}
