'use strict';
/* The pages of examples/, in headless Chromium: each does what it is for, in light, dark and on a phone. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const { scenario, EXAMPLES, until, within } = require('../scenario/lib/wsgate');
const { closedPort } = require('../scenario/lib/services');
const { open, chromium, skip: noBrowser } = require('./lib/page');

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
const needs = (...commands) => noBrowser || (commands.some((c) => !has(c)) && `${commands.filter((c) => !has(c)).join(' and ')} is not installed`);
const browser = chromium();

const LOOKS = { light: {}, dark: { dark: true }, phone: { width: 360, height: 740 } };

const demo = (s) => s.gate({ ini: fs.readFileSync(path.join(EXAMPLES, 'demo.ini'), 'utf8').replaceAll('./', `${EXAMPLES}/`) });

/* Opens PATH in each look, lets DO(page) use it, and sees that nothing sticks out and nothing went wrong. */
async function inEachLook(g, path_, use) {
	for (const [name, look] of Object.entries(LOOKS)) {
		const { page, faults } = await open(g, browser(), path_, look);
		await use(page, name);
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, `${path_} fits (${name})`);
		if (process.env.SCREENSHOTS)
			await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${path_.slice(1).replace(/\W.*/, '')}-${name}.png`), fullPage: true });
		assert.deepEqual(faults, [], `${path_} (${name})`);
		await page.close();
	}
}

scenario('charts move with vmstat, and a moment can be read', async (s) => {
	const g = await demo(s);
	await inEachLook(g, '/chart.html', async (page) => {
		const curve = page.locator('svg .line').first();
		await until(20000, async () => ((await curve.getAttribute('d')) ?? '').split('L').length >= 3, 'three samples are drawn');
		assert.match(await page.locator('section:has(h2:text("Processor")) li').first().textContent(), /^programs \d+ %$/);
		assert.match(await page.locator('section:has(h2:text("Memory")) li').first().textContent(), /^free [\d.]+ [GM]iB$/);
		const place = await page.locator('svg').first().boundingBox();
		await page.mouse.move(place.x + place.width * 0.98, place.y + 20);
		await page.locator('.hair[visibility=visible]').first().waitFor({ state: 'attached' });
		await page.locator('.stop').click();
		await page.locator('.end', { hasText: '1000' }).waitFor();
	});
}, { skip: needs('vmstat') });

scenario('the process table shows this very gate, sorts and filters', async (s) => {
	const g = await demo(s);
	await inEachLook(g, '/processes.html', async (page) => {
		await page.locator('tbody tr:not(.none)').nth(3).waitFor();
		await page.locator('#filter').fill(String(g.pid));
		await page.locator('tbody tr', { hasText: 'wsgate' }).first().waitFor();
		await page.locator('#filter').fill('no such program anywhere');
		await page.locator('tbody .none', { hasText: 'No process' }).waitFor();
		await page.locator('#filter').fill('');
		await page.locator('th button', { hasText: 'PID' }).click();
		await page.locator('th[aria-sort=descending]', { hasText: 'PID' }).waitFor();
		await page.locator('th button', { hasText: 'PID' }).click();
		await until(10000, async () => {
			const pids = (await page.locator('tbody tr td:nth-child(2)').allTextContents()).map(Number);
			return pids.length > 3 && pids.every((n, i) => i === 0 || pids[i - 1] < n);
		}, 'sorted by number');
		await page.locator('th button', { hasText: 'CPU %' }).click();
	});
}, { skip: needs('top') });

scenario('a page calls the tools of an MCP server', async (s) => {
	const g = await demo(s);
	await inEachLook(g, '/mcp.html', async (page) => {
		await page.locator('#tool-roll button').click();
		await page.locator('#tool-roll output', { hasText: /^\d \+ \d = \d+$/ }).waitFor();
		await page.locator('#roll-sides').fill('6');
		await page.locator('#measure-text').fill('zwei Wörter <b>');
		await page.locator('#measure-text').press('Enter');
		await page.locator('#tool-measure output', { hasText: '1 line, 3 words' }).waitFor();
		await page.locator('#days_until-date').fill('2000-01-01');
		await page.locator('#tool-days_until button').click();
		await page.locator('#tool-days_until output', { hasText: /^\d+ days ago$/ }).waitFor();
	});
}, { skip: needs('python3') });

scenario('an editor on a page: a language server marks, lists, completes', async (s) => {
	const g = await demo(s);
	await inEachLook(g, '/lsp.html', async (page) => {
		await page.locator('#problems button', { hasText: '“and” stands here twice' }).waitFor();
		assert.deepEqual(await page.locator('#headings button').allTextContents(), ['1:1On gateways', '7:1What is missing']);
		assert.deepEqual(await page.locator('mark').allTextContents(), ['and and', 'TODO', 'are are', '   ']);
		await page.locator('#text').fill('# One\n\nA gateway 𝄞 gate gate.\nga');
		await page.locator('#problems button', { hasText: '“gate” stands here twice' }).waitFor();
		assert.deepEqual(await page.locator('mark').allTextContents(), ['gate gate']);
		await page.locator('#text').press('Control+End');
		await page.locator('#hint .chip', { hasText: 'gateway' }).click();
		assert.equal(await page.locator('#text').inputValue(), '# One\n\nA gateway 𝄞 gate gate.\ngateway');
		await page.locator('#hint', { hasText: '“gateway”: 2 times' }).waitFor();
		await page.locator('#problems button').first().click();
		assert.equal(await page.evaluate(() => getSelection().toString()), 'gate gate');
	});
}, { skip: needs('python3') });

scenario('two pages chat', async (s) => {
	const chat = spawn(path.join(EXAMPLES, 'chat.py'), ['0'], { stdio: ['ignore', 'pipe', 'inherit'] });
	s.after(() => chat.kill());
	const port = await within(10000, new Promise((resolve) => { chat.stdout.once('data', (d) => resolve(/:(\d+)/.exec(d)[1])); }), 'port of the chat');
	const ini = fs.readFileSync(path.join(EXAMPLES, 'chat.ini'), 'utf8').replaceAll('./www', `${EXAMPLES}/www`).replace('127.0.0.1:7007', `127.0.0.1:${port}`);
	const g = await s.gate({ ini });
	const first = await open(g, browser(), '/chat.html');
	const enter = async (page, name) => {
		await page.locator('#name').fill(name);
		await page.locator('#join button').click();
		await page.locator('#people li', { hasText: name }).waitFor();
	};
	await enter(first.page, 'Grace');
	await inEachLook(g, '/chat.html', async (page, name) => {
		await enter(page, `Ada-${name}`);
		await page.locator('#words').fill(`good morning, <b>${name}</b>`);
		await page.locator('#words').press('Enter');
		await first.page.locator('#room li', { hasText: `Ada-${name}good morning, <b>${name}</b>` }).waitFor();
		await first.page.locator('#words').fill('and to you');
		await first.page.locator('#words').press('Enter');
		await page.locator('#room li', { hasText: 'and to you' }).last().waitFor();
	});
	await first.page.locator('#room li', { hasText: 'Ada-phone has left' }).waitFor();
	assert.deepEqual(first.faults, []);
}, { skip: needs('python3') });

scenario('redis-cli on a page: a line in, its answer out', async (s) => {
	const port = await closedPort();
	const redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: ['ignore', 'pipe', 'inherit'] });
	s.after(() => redis.kill());
	await within(10000, new Promise((resolve) => { redis.stdout.on('data', (d) => /Ready to accept/.test(d) && resolve()); }), 'Redis');
	const ini = fs.readFileSync(path.join(EXAMPLES, 'redis.ini'), 'utf8').replaceAll('./www', `${EXAMPLES}/www`).replace('-p 6379 --no-raw', `-p ${port} --no-raw`);
	const g = await s.gate({ ini });
	await inEachLook(g, '/lines.html#redis', async (page) => {
		await page.locator('#tries button', { hasText: 'PING' }).click();
		await page.locator('#screen .theirs', { hasText: 'PONG' }).waitFor();
		await page.locator('#line').fill('SET a "<i>"');
		await page.locator('#line').press('Enter');
		await page.locator('#screen .theirs', { hasText: 'OK' }).waitFor();
		await page.locator('#line').fill('GET a');
		await page.locator('#line').press('Enter');
		await page.locator('#screen .theirs', { hasText: '"<i>"' }).waitFor();
		await page.locator('#line').press('ArrowUp');
		assert.equal(await page.locator('#line').inputValue(), 'GET a');
	});
}, { skip: needs('redis-server', 'redis-cli') });

scenario('a page whose program or service is not there says so', async (s) => {
	const text = fs.readFileSync(path.join(EXAMPLES, 'demo.ini'), 'utf8').replaceAll('./', `${EXAMPLES}/`).replace('exec vmstat', 'exec no-such-program');
	const g = await s.gate({ ini: text });
	const { page, faults } = await open(g, browser(), '/chart.html');
	await page.locator('.end', { hasText: 'Closed with 1011 exit 127 (not found on the server; it needs vmstat, of the package procps)' }).waitFor();
	assert.deepEqual(faults, []);
}, { skip: noBrowser });

scenario('the form is a form', async (s) => {
	const g = await demo(s);
	await inEachLook(g, '/form.html', async (page) => {
		await page.locator('#name').fill('Ada');
		assert.equal(await page.locator('form').getAttribute('action'), 'cgi/form.sh');
	});
}, { skip: noBrowser });
