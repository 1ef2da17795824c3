'use strict';
/*
 * Headless Chromium: pages by playwright, and a bare tab for what playwright would disturb.
 *
 * WSGATE_NO_BROWSER=1 skips it all; CHROMIUM names the browser (default /usr/bin/chromium);
 * SCREENSHOTS names a directory that screenshots are saved to.
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { before, after } = require('node:test');
const WebSocket = require('ws');
const { bound, within } = require('../../scenario/lib/bounds');

const skip = process.env.WSGATE_NO_BROWSER ? 'WSGATE_NO_BROWSER is set: nothing was tried in a browser' : false;
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
	'--disable-component-update', '--disable-sync', '--disable-default-apps', '--disable-extensions', '--mute-audio'];

const profileDir = () => fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-chromium-'));

/* One browser for all tests of a file; call it at the top. Gives the function that gives the browser. */
function chromium() {
	let browser;
	before(async () => {
		if (!skip)
			browser = await require('playwright-core').chromium.launch({ executablePath: CHROMIUM, args: FLAGS, headless: true, timeout: bound(60000) });
	});
	after(async () => { await browser?.close(); });
	return () => browser;
}

/*
 * A tab without playwright, which asks the browser to report every frame of every WebSocket and so
 * costs more than the page itself when there are many.
 */
class Tab {
	/* At PATH_ of the gate G; it goes when the gate's clients go. */
	static async open(s, g, path_, { width = 1280, height = 800 } = {}) {
		const tab = new Tab();
		const profile = profileDir();
		const browser = spawn(CHROMIUM, [...FLAGS, '--remote-debugging-port=0', `--user-data-dir=${profile}`,
			`--window-size=${width},${height}`, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
		const gone = new Promise((resolve) => { browser.once('close', resolve); });
		g.clients.push({ destroy: () => browser.kill() });
		s.after(async () => {
			await gone;
			fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
		});
		const address = await within(60000, new Promise((resolve) => {
			let text = '';
			browser.stderr.on('data', (d) => {
				text += d;
				const m = /listening on (ws:\S+)/.exec(text);
				if (m)
					resolve(new URL(m[1]));
			});
		}), 'the address of the browser');
		const targets = await (await fetch(`http://${address.host}/json`)).json();
		tab.socket = new WebSocket(targets.find((t) => t.type === 'page').webSocketDebuggerUrl);
		tab.waiting = new Map();
		tab.socket.on('message', (data) => {
			const { id, ...answer } = JSON.parse(data);
			tab.waiting.get(id)?.(answer);
			tab.waiting.delete(id);
		});
		await new Promise((resolve) => { tab.socket.once('open', resolve); });
		await tab.ask('Page.navigate', { url: `http://127.0.0.1:${g.port}${path_}` });
		await tab.evaluate('new Promise((resolve) => { (function look() { document.readyState === "complete" && location.protocol !== "about:" ? resolve() : setTimeout(look, 20); })(); })');
		return tab;
	}

	ask(method, params = {}) {
		const id = this.asked = (this.asked ?? 0) + 1;
		return new Promise((resolve) => {
			this.waiting.set(id, resolve);
			this.socket.send(JSON.stringify({ id, method, params }));
		});
	}

	async evaluate(expression) {
		const { result, error } = await this.ask('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
		if (error || result.exceptionDetails)
			throw new Error(JSON.stringify(error ?? result.exceptionDetails));
		return result.result.value;
	}

	async press(key) {
		const one = key === 'Enter' ? { key, code: key, windowsVirtualKeyCode: 13, text: '\r' } : { key, text: key };
		await this.ask('Input.dispatchKeyEvent', { type: 'keyDown', ...one });
		await this.ask('Input.dispatchKeyEvent', { type: 'keyUp', ...one });
	}
}

module.exports = { skip, CHROMIUM, FLAGS, chromium, Tab };
