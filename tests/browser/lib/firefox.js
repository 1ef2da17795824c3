'use strict';
/*
 * Headless Firefox, driven over WebDriver BiDi: JSON over a WebSocket, https://w3c.github.io/webdriver-bidi/.
 *
 * WSGATE_NO_BROWSER=1 skips it; FIREFOX names the browser (default /usr/bin/firefox-esr).
 */

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { before, after } = require('node:test');
const WebSocket = require('ws');
const { bound, within, until } = require('../../scenario/lib/bounds');

const FIREFOX = process.env.FIREFOX || '/usr/bin/firefox-esr';
const skip = process.env.WSGATE_NO_BROWSER ? 'WSGATE_NO_BROWSER is set: nothing was tried in Firefox'
	: !fs.existsSync(FIREFOX) && `${FIREFOX} is not there: nothing was tried in Firefox (Debian: firefox-esr)`;

/* Whatever it wants of the world goes to a proxy that is not there; this machine it reaches itself. */
const PREFERENCES = {
	'network.proxy.type': 1, 'network.proxy.http': '127.0.0.1', 'network.proxy.http_port': 9, 'network.proxy.ssl': '127.0.0.1', 'network.proxy.ssl_port': 9,
	'network.captive-portal-service.enabled': false, 'network.connectivity-service.enabled': false, 'network.trr.mode': 5, 'network.dns.disablePrefetch': true,
	'app.update.enabled': false, 'app.normandy.enabled': false, 'browser.safebrowsing.malware.enabled': false, 'browser.safebrowsing.phishing.enabled': false,
	'datareporting.policy.dataSubmissionEnabled': false, 'dom.push.connection.enabled': false, 'extensions.update.enabled': false,
	'browser.shell.checkDefaultBrowser': false, 'browser.startup.page': 0, 'browser.aboutwelcome.enabled': false,
};

const ENTER = '\uE007';

/* One browser for all tests of a file; call it at the top. Gives the function that gives the browser. */
function firefox() {
	let fox;
	before(async () => { fox = skip ? null : await Firefox.open(); });
	after(async () => { await fox?.close(); });
	return () => fox;
}

class Firefox {
	static async open() {
		const fox = new Firefox();
		fox.profile = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-firefox-'));
		fs.writeFileSync(path.join(fox.profile, 'user.js'), Object.entries(PREFERENCES).map(([n, v]) => `user_pref(${JSON.stringify(n)}, ${JSON.stringify(v)});\n`).join(''));
		fox.process = spawn(FIREFOX, ['--headless', '--no-remote', '--profile', fox.profile, '--remote-debugging-port=0', 'about:blank'],
			{ env: { ...process.env, HOME: fox.profile, MOZ_CRASHREPORTER_DISABLE: '1' }, stdio: ['ignore', 'ignore', 'pipe'] });
		fox.gone = new Promise((resolve) => { fox.process.once('close', resolve); });
		const address = await within(60000, new Promise((resolve, reject) => {
			let said = '';
			fox.process.once('error', reject);
			fox.process.once('close', () => reject(new Error(`Firefox ended: ${said}`)));
			fox.process.stderr.on('data', (d) => {
				said += d;
				const m = /WebDriver BiDi listening on (ws:\S+)/.exec(said);
				if (m)
					resolve(m[1]);
			});
		}), 'the address of Firefox');
		await fox.connect(`${address}/session`);
		return fox;
	}

	async close() {
		const timer = setTimeout(() => this.process.kill('SIGKILL'), bound(10000));
		await this.ask('browser.close').catch(() => {});
		await this.gone;
		clearTimeout(timer);
		fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
	}

	constructor() {
		this.waiting = new Map();
		this.faults = []; /* what the page in the window complained of */
		this.asked = [];  /* URLs that it asked for */
		this.count = 0;
	}

	async connect(url) {
		this.socket = new WebSocket(url);
		this.socket.on('message', (data) => this.hear(JSON.parse(data)));
		await within(20000, new Promise((resolve, reject) => {
			this.socket.once('open', resolve);
			this.socket.once('error', reject);
		}), 'a BiDi connection');
		const { capabilities } = await this.ask('session.new', { capabilities: {} });
		this.version = capabilities.browserVersion;
		await this.ask('session.subscribe', { events: ['log.entryAdded', 'network.beforeRequestSent'] });
	}

	hear({ id, method, params, type, result, error, message }) {
		if (method === 'log.entryAdded')
			this.faults.push(params.text);
		else if (method === 'network.beforeRequestSent')
			this.asked.push(params.request.url);
		else if (id !== undefined) {
			const { resolve, reject } = this.waiting.get(id);
			this.waiting.delete(id);
			if (type === 'success')
				resolve(result);
			else
				reject(new Error(`${error}: ${message}`));
		}
	}

	ask(method, params = {}) {
		const id = ++this.count;
		return within(30000, new Promise((resolve, reject) => {
			this.waiting.set(id, { resolve, reject });
			this.socket.send(JSON.stringify({ id, method, params }));
		}), `answer to ${method}`);
	}

	/* A new window. The one that it came with has no focus. */
	async window() {
		this.context = (await this.ask('browsingContext.create', { type: 'window' })).context;
		this.faults = [];
		this.asked = [];
	}

	async leave() {
		await this.ask('browsingContext.close', { context: this.context });
	}

	/* The page at URL, loaded, and in front of whoever types. */
	async goto(url) {
		await this.ask('browsingContext.navigate', { context: this.context, url, wait: 'complete' });
		await this.ask('browsingContext.activate', { context: this.context });
	}

	/* The value of EXPRESSION in the page, awaited: a string, a number, a boolean, or null. */
	async evaluate(expression) {
		const { type, result, exceptionDetails } = await this.ask('script.evaluate', { expression, target: { context: this.context }, awaitPromise: true });
		if (type !== 'success')
			throw new Error(exceptionDetails.text);
		return result.value ?? null;
	}

	/* The same as JSON. */
	async json(expression) {
		return JSON.parse(await this.evaluate(`(async () => JSON.stringify(await (${expression})))()`));
	}

	text(selector) {
		return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? null`);
	}

	/* Waits until an element of SELECTOR is seen with PATTERN in its text. */
	sees(selector, pattern, ms = 20000) {
		return until(ms, () => this.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].some((e) => e.checkVisibility() && ${pattern}.test(e.innerText.replace(/\\s+/g, " ")))`),
			() => `${selector} shows ${pattern}`);
	}

	type(keys) {
		const actions = [...keys].flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]);
		return this.ask('input.performActions', { context: this.context, actions: [{ type: 'key', id: 'keyboard', actions }] });
	}

	async click(selector) {
		const { nodes: [element] } = await this.ask('browsingContext.locateNodes', { context: this.context, locator: { type: 'css', value: selector } });
		const origin = { type: 'element', element: { sharedId: element.sharedId } };
		await this.ask('input.performActions', { context: this.context, actions: [{ type: 'pointer', id: 'mouse', parameters: { pointerType: 'mouse' },
			actions: [{ type: 'pointerMove', x: 0, y: 0, origin }, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }] }] });
	}
}

module.exports = { firefox, skip, ENTER };
