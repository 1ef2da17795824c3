'use strict';
/* A page of the gate, whose every fault is kept. */

const { skip, chromium } = require('./chromium');
const { bound } = require('../../scenario/lib/bounds');

/* PATH_ of the gate G in a new page of BROWSER; faults: errors, and requests that leave the gate. */
async function open(g, browser, path_, { width = 1100, height = 760, dark = false } = {}) {
	const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? 'dark' : 'light' });
	g.clients.push({ destroy: () => context.close().catch(() => {}) });
	context.setDefaultTimeout(bound(20000));
	const page = await context.newPage();
	const faults = [];
	page.on('pageerror', (e) => faults.push(String(e)));
	page.on('console', (m) => { if (m.type() === 'error') faults.push(m.text()); });
	page.on('request', (r) => { if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).host !== `127.0.0.1:${g.port}`) faults.push(`asks for ${r.url()}`); });
	await page.goto(`http://127.0.0.1:${g.port}${path_}`);
	return { page, faults };
}

module.exports = { skip, chromium, open };
