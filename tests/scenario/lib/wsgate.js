'use strict';
/*
 * The program under test, and what is true of it before and after.
 *
 * scenario(name, fn) is one test. In it s.gate() starts the real binary on a port that the kernel
 * chooses, with options or with an INI text. When the test is over, every gate must have no child
 * and no zombie left, must exit 0 on SIGTERM, and must leave no process behind: the processes of one
 * gate are known by the HOME directory that they inherit, which is the gate's own temporary one.
 *
 * Environment: WSGATE (the binary), WRAP (a command to run it under, such as valgrind), SLOW.
 */

const { spawn, execFileSync } = require('node:child_process');
const { test } = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { SLOW, bound, within, until } = require('./bounds');
const { Raw, http, Wire } = require('./raw');

const BINARY = path.resolve(process.env.WSGATE || path.join(__dirname, '../../../wsgate'));
const WRAP = (process.env.WRAP || '').split(' ').filter(Boolean);
/* Why a test is skipped under valgrind: it does not know openat2(2), and its vfork shares no memory, so a failed exec goes untold. */
const NOT_WRAPPED = WRAP.length > 0 && 'valgrind cannot run what is tested here';
/* What sanitizers are to be told; nothing else of our environment reaches the program. */
const SANITIZERS = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^[ALTU]SAN_OPTIONS$|^UBSAN_OPTIONS$/.test(name)));
const FULL = Boolean(process.env.FULL);
const EXAMPLES = path.resolve(__dirname, '../../../examples');

/* --- processes, as /proc shows them --------------------------------------------------------- */

function readProc(pid, name) {
	try {
		return fs.readFileSync(`/proc/${pid}/${name}`, 'latin1');
	} catch {
		return '';
	}
}

/* { pid, comm, state, ppid, pgrp, session } or null */
function processOf(pid) {
	const m = /^\d+ \((.*)\) (\S) (\d+) (\d+) (\d+)/s.exec(readProc(pid, 'stat'));
	return m && { pid: Number(pid), comm: m[1], state: m[2], ppid: Number(m[3]), pgrp: Number(m[4]), session: Number(m[5]) };
}

const processes = () => fs.readdirSync('/proc').filter((n) => /^\d+$/.test(n)).map(processOf).filter(Boolean);

const isAlive = (pid) => {
	const p = processOf(pid);
	return p !== null && p.state !== 'Z' && p.state !== 'X';
};

function statusOf(pid, name) {
	const m = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readProc(pid, 'status'));
	return m ? Number(m[1]) * 1024 : 0;
}

/* --- the program ------------------------------------------------------------------------------ */

class Gate {
	/*
	 * Options: args (list), ini (text), files ({ name: text }: executable if it begins with #!), env,
	 * listen (default 127.0.0.1:0; null for what args or ini say), tls (options of tls.connect for its
	 * clients), wrap (list, around everything).
	 */
	constructor({ args = [], tls, ini, files = {}, env = {}, listen = '127.0.0.1:0', wrap = [], stdin = 'ignore' } = {}) {
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-test-'));
		this.tls = tls;
		this.lines = [];
		this.output = '';
		this.clients = [];
		this.watchers = [];
		this.exit = null;
		for (const [name, text] of Object.entries(files))
			this.write(name, text);
		const argv = [];
		if (listen !== null)
			argv.push(`--listen=${listen}`);
		if (ini !== undefined) {
			this.write('wsgate.ini', ini);
			argv.push(`--config=${this.path('wsgate.ini')}`);
		}
		argv.push(...args);
		const command = [...wrap, ...WRAP, BINARY, ...argv];
		this.process = spawn(command[0], command.slice(1), {
			cwd: this.dir,
			env: { PATH: process.env.PATH, HOME: this.dir, LANG: 'C.UTF-8', ...SANITIZERS, ...env },
			stdio: [stdin, 'pipe', 'pipe'],
		});
		this.pid = this.process.pid;
		this.process.stdout.on('data', (d) => { this.output += d; });
		this.listenTo(this.process.stderr);
		this.exited = new Promise((resolve, reject) => {
			this.process.on('error', reject);
			this.process.on('close', (code, signal) => {
				this.exit = { code, signal };
				for (const w of this.watchers)
					w();
				resolve(this.exit);
			});
		});
		this.exited.catch(() => {});
	}

	listenTo(stream) {
		let rest = '';
		stream.setEncoding('utf8');
		stream.on('data', (d) => {
			const parts = (rest + d).split('\n');
			rest = parts.pop();
			this.lines.push(...parts);
			for (const w of this.watchers)
				w();
		});
		stream.on('end', () => {
			if (rest)
				this.lines.push(rest);
		});
	}

	path(name) {
		return path.join(this.dir, name);
	}

	write(name, text) {
		const file = this.path(name);
		fs.mkdirSync(path.dirname(file), { recursive: true });
		fs.writeFileSync(file, text);
		if (String(text).startsWith('#!'))
			fs.chmodSync(file, 0o755);
		return file;
	}

	read(name) {
		return fs.readFileSync(this.path(name));
	}

	exists(name) {
		return fs.existsSync(this.path(name));
	}

	get log() {
		return this.lines.join('\n');
	}

	/* Waits for a line of the log that matches, and returns the match. */
	async line(pattern, { ms = 5000, from = 0 } = {}) {
		return within(ms, new Promise((resolve, reject) => {
			const look = () => {
				for (let i = from; i < this.lines.length; i++) {
					const m = pattern.exec(this.lines[i]);
					if (m) {
						this.watchers.splice(this.watchers.indexOf(look), 1);
						return resolve(m);
					}
				}
				if (this.exit)
					reject(new Error(`wsgate ended (${JSON.stringify(this.exit)}) without a log line ${pattern}`));
			};
			this.watchers.push(look);
			look();
		}), `log line ${pattern}`);
	}

	async start() {
		const m = await this.line(/^.*listening on (?:https?:\/\/(.+?):(\d+)\/|(unix:\S+)).*$/, { ms: 10000 });
		this.host = m[1];
		this.port = Number(m[2]);
		this.startLine = m[0];
		return this;
	}

	/* A raw client at PATH; it is cut off when the test ends. */
	async open(path_ = '/', options = {}) {
		const c = await Raw.open(this.port, { path: path_, tls: this.tls, ...options });
		this.clients.push(c);
		return c;
	}

	/* A bare TCP connection. */
	wire(options) {
		const w = new Wire(this.port, { tls: this.tls, ...options });
		this.clients.push(w);
		return w;
	}

	url(path_ = '/') {
		return `${this.tls ? 'wss' : 'ws'}://127.0.0.1:${this.port}${path_}`;
	}

	/* Sends a request line and head as they are; see http() in raw.js. */
	http(text, options) {
		return http(this.port, text, { tls: this.tls, ...options });
	}

	get(path_ = '/', fields = {}, { method = 'GET', ...options } = {}) {
		const all = { Host: `127.0.0.1:${this.port}`, ...fields };
		const rows = Object.entries(all).map(([n, v]) => `${n}: ${v}\r\n`).join('');
		return http(this.port, `${method} ${path_} HTTP/1.1\r\n${rows}\r\n`, { tls: this.tls, ...options });
	}

	/* What is refused before the upgrade: { status, headers, body }. */
	async refusal(path_ = '/', options = {}) {
		try {
			const c = await this.open(path_, options);
			c.destroy();
		} catch (e) {
			if (e.answer)
				return e.answer;
			throw e;
		}
		throw new Error(`${path_} was upgraded, not refused`);
	}

	children() {
		return processes().filter((p) => p.ppid === this.pid);
	}

	/* Every process that came from this gate, wherever it is in the tree, without the gate itself. */
	family() {
		return processes().filter((p) => p.pid !== this.pid && p.state !== 'Z'
			&& readProc(p.pid, 'environ').split('\0').includes(`HOME=${this.dir}`));
	}

	fds() {
		return fs.readdirSync(`/proc/${this.pid}/fd`).length;
	}

	rss() {
		return statusOf(this.pid, 'VmRSS');
	}

	/* False under valgrind or a sanitizer, whose memory is not the program's. */
	get memoryIsItsOwn() {
		return WRAP.length === 0 && statusOf(this.pid, 'VmSize') < 2 ** 40;
	}

	signal(name) {
		process.kill(this.pid, name);
	}

	/* No child and no zombie is left while the gate runs on. */
	async childless(ms = 10000) {
		const left = () => [...this.children(), ...this.family()];
		await until(ms, () => left().length === 0,
			() => `no child or zombie is left, but: ${JSON.stringify(left())}`);
	}

	/* No connection is open any more: the descriptors are back at BASE. */
	async settled(base, ms = 10000) {
		await until(ms, () => this.fds() <= base,
			() => `${base} descriptors, but ${this.fds()}: ${this.describeFds()}`);
	}

	describeFds() {
		return fs.readdirSync(`/proc/${this.pid}/fd`).map((fd) => {
			try {
				return `${fd}=${fs.readlinkSync(`/proc/${this.pid}/fd/${fd}`)}`;
			} catch {
				return fd;
			}
		}).join(' ');
	}

	/* SIGTERM must end it with 0. */
	async stop(ms = 10000) {
		if (!this.exit)
			this.signal('SIGTERM');
		const exit = await within(ms, this.exited, 'exit after SIGTERM');
		assert.deepEqual(exit, { code: 0, signal: null }, `exit status after SIGTERM\n${this.log}`);
	}

	/* What scenario() does at the end of a good test. */
	async end() {
		for (const c of this.clients)
			c.destroy();
		if (!this.exit) {
			await this.childless();
			await this.stop();
		}
		await until(5000, () => this.family().length === 0,
			() => `no process is left behind, but: ${JSON.stringify(this.family())}`);
		assert.ok(!/AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:/.test(this.log), this.log);
		fs.rmSync(this.dir, { recursive: true, force: true });
	}

	/* After a failure: nothing stays, whatever happened. */
	kill() {
		for (const c of this.clients)
			c.destroy();
		if (!this.exit)
			this.process.kill('SIGKILL');
		for (const p of this.family()) {
			try {
				process.kill(p.pid, 'SIGKILL');
			} catch { /* it went by itself */ }
		}
		fs.rmSync(this.dir, { recursive: true, force: true });
	}
}

/* --- a scenario --------------------------------------------------------------------------------- */

class Scenario {
	constructor(t) {
		this.t = t;
		this.gates = [];
		this.cleanups = [];
	}

	/* Starts wsgate; a list is short for { args }. */
	async gate(options = {}) {
		const g = new Gate(Array.isArray(options) ? { args: options } : options);
		this.gates.push(g);
		return g.start();
	}

	/* Starts it and waits for its end: { code, signal, out, err }. For --help, bad usage and the like. */
	async run(args, { files, ini, env, wrap, listen = null, ms = 10000 } = {}) {
		const g = new Gate({ args, files, ini, env, wrap, listen });
		this.gates.push(g);
		const exit = await within(ms, g.exited, `end of wsgate ${args.join(' ')}`);
		return { ...exit, out: g.output, err: g.lines.join('\n'), lines: g.lines, dir: g.dir };
	}

	/* FN runs when the test is over, however it went. */
	after(fn) {
		this.cleanups.unshift(fn);
	}

	/* A figure for whoever reads the report. */
	say(text) {
		this.t.diagnostic(text);
	}
}

function scenario(name, fn, { seconds = 60, skip = false } = {}) {
	const file = path.basename(require.main.filename, '.test.js');
	test(`${file}: ${name}`, { timeout: bound(seconds * 1000), skip }, async (t) => {
		const s = new Scenario(t);
		try {
			assert.ok(fs.existsSync(BINARY), `${BINARY} is not there: build it first (make), or set WSGATE`);
			await fn(s);
			for (const g of s.gates)
				await g.end();
		} catch (e) {
			for (const g of s.gates) {
				const tail = g.lines.slice(-25).map((l) => (l.length > 300 ? `${l.slice(0, 300)}...` : l));
				if (tail.length > 0)
					e.message += `\n--- log of wsgate (${JSON.stringify(g.exit) ?? 'running'}) ---\n${tail.join('\n')}`;
				g.kill();
			}
			/* The runner prints the stack, which was made before the log was added. */
			if (e.stack)
				e.stack = `${e.name}: ${e.message}\n${e.stack.split('\n').filter((l) => /^\s+at /.test(l)).join('\n')}`;
			throw e;
		} finally {
			for (const fn of s.cleanups)
				await fn();
		}
	});
}

/* The most descriptors that a process of this machine may have. */
const descriptorLimit = () => Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim().replace('unlimited', '1048576'));

module.exports = { scenario, Gate, BINARY, EXAMPLES, FULL, NOT_WRAPPED, SLOW, bound, within, until, processes, processOf, isAlive, statusOf, descriptorLimit };
