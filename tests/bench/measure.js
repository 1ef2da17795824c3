'use strict';
/*
 * One run of a cell: starts backend and gateway, sets the load generator on them, ends them, and says what it cost.
 */

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { tool } = require('./peers.js');

const CGROUPS = '/sys/fs/cgroup/cpuacct';
const PATIENCE_MS = 30000;
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

/* --- processes -------------------------------------------------------------------------------- */

let nextPort = 21000 + (process.pid * 40) % 8000;

async function freePort() {
	for (;;) {
		nextPort = nextPort < 31000 ? nextPort + 1 : 21000;
		const port = nextPort;
		const free = await new Promise((done) => {
			const probe = net.createServer().once('error', () => done(false));
			probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
		});
		if (free) return port;
	}
}

async function untilListening(port, child) {
	for (let tries = 0; tries < 500; tries++) {
		if (child.exitCode !== null) throw new Error(`it ended at once, exit ${child.exitCode}`);
		const up = await new Promise((done) => {
			const s = net.connect(port, '127.0.0.1', () => { s.destroy(); done(true); }).once('error', () => done(false));
		});
		if (up) return;
		await sleep(20);
	}
	throw new Error('it does not listen');
}

/* A control group of its own counts the CPU of a gateway with all its children to the nanosecond, also of those that have ended. */
function makeGroup() {
	try {
		return fs.mkdtempSync(path.join(CGROUPS, 'wsgate-bench-'));
	} catch {
		return null;
	}
}

const pidsIn = (group) => fs.readFileSync(path.join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);

/* Whoever is interrupted leaves nobody behind. */
const running = new Set();
process.on('exit', () => running.forEach((pid) => signal(-pid, 'SIGKILL')));
['SIGINT', 'SIGTERM'].forEach((name) => process.once(name, () => process.exit(1)));

/* PIN: the words that go before a command, to keep it on a core. */
function start(argv, group, pin) {
	const join = group === null ? [] : ['sh', '-c', 'echo $$ >"$0"/cgroup.procs && exec "$@"', group];
	const [program, ...args] = [...join, ...pin, ...argv].map(String);
	const child = spawn(program, args, { stdio: 'ignore', detached: true, env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
	child.ended = new Promise((done) => { child.once('exit', done).once('error', done); });
	if (child.pid !== undefined) running.add(child.pid);
	return child;
}

function signal(pid, name) {
	try {
		process.kill(pid, name);
	} catch { /* it has ended */ }
}

/* Only what was started here: a process, its process group, and what is in its control group. */
async function stop(child, group) {
	signal(child.pid, 'SIGTERM');
	const patience = setTimeout(() => signal(-child.pid, 'SIGKILL'), 500);
	await child.ended;
	clearTimeout(patience);
	signal(-child.pid, 'SIGKILL');
	running.delete(child.pid);
	for (let tries = 0; group !== null && tries < 200; tries++) {
		const left = pidsIn(group);
		if (left.length === 0) break;
		left.forEach((pid) => signal(pid, 'SIGKILL'));
		await sleep(10);
	}
	if (group !== null) fs.rmdirSync(group);
}

/* Proportional memory of the gateway's processes, its child programs left out. In KiB. */
function memoryOf(pid, group) {
	let total = 0;
	for (const p of group === null ? [pid] : pidsIn(group)) {
		try {
			if (fs.readFileSync(`/proc/${p}/comm`, 'utf8') === 'lines\n') continue;
			total += Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${p}/smaps_rollup`, 'utf8'))[1]);
		} catch { /* it has ended */ }
	}
	return total;
}

/* --- the load generator ------------------------------------------------------------------------ */

/* Answers with its report. Calls held() when it holds still, and lets it go on when that has answered. */
function load(args, pin, held) {
	return new Promise((done, fail) => {
		const [program, ...rest] = [...pin, tool('load'), ...args].map(String);
		const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
		let out = '', err = '';
		const losePatience = () => setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
		let patience = losePatience();
		child.stdout.on('data', (data) => { out += data; });
		child.stderr.on('data', (data) => {
			err += data;
			if (!String(data).includes('ready')) return;
			err = '';
			clearTimeout(patience);
			Promise.resolve().then(held).then(() => {
				patience = losePatience();
				child.stdin.write('\n');
			}).catch((error) => { child.kill(); fail(error); });
		});
		child.once('close', (code) => {
			clearTimeout(patience);
			if (code === 0) done(JSON.parse(out));
			else fail(new Error(err.trim().replace(/\s+/g, ' ') || `no end within ${PATIENCE_MS / 1000} s`));
		});
	});
}

/* --- one run ---------------------------------------------------------------------------------- */

/* What a run says, in the cell's unit. CPU in us per message or connection, or s per GiB. */
function figures(cell, peer, report, memory) {
	if (cell.holds) return { memory: cell.per === 'MiB' ? memory / 1024 : memory / cell.connections };
	const count = { msg: report.messages, conn: report.connections, GiB: report.bytes / 2 ** 30 }[cell.per];
	if (!(count > 0)) throw new Error('nothing came in the window');
	const unit = cell.per === 'GiB' ? 1e9 : 1e3;
	return {
		rate: count / report.seconds,
		all: report.cpu_all_ns > 0 ? report.cpu_all_ns / count / unit : NaN,
		main: peer.forks ? NaN : report.cpu_main_ns / count / unit,
		p50: report.p50_us,
		p99: report.p99_us,
		...(cell.kind === 'deflate' ? { wireIn: report.sent / report.messages, wireOut: report.received / report.messages } : {}),
	};
}

/* What a gateway needs once, such as pages of code and buffers that all share, is no connection's memory. */
async function useOnce(cell, common, pin) {
	await load([...(cell.flood ? ['lines'] : ['echo', '--size=65536']), ...common, '--warmup=0', '--time=50'], pin);
	await sleep(300);
}

const SWITCHES = { stdio: ['--lines'], tls: ['--tls'], deflate: ['--deflate'], tcp: [] };

/* OPT: time, warmup (ms), pin. */
async function runOnce(cell, peer, opt) {
	const port = await freePort(), backendPort = await freePort(), group = makeGroup();
	const start_ = (argv, to) => start(argv, to, opt.pin);
	const child = [tool('lines'), ...(cell.flood ? ['--print', '0'] : [])];
	const backend = cell.kind === 'stdio' ? null : start_([tool('echo'), backendPort, ...(cell.flood ? ['--flood'] : [])], null);
	const gateway = start_(peer[cell.kind](port, backend === null ? child : backendPort), group);
	try {
		if (backend !== null) await untilListening(backendPort, backend);
		await untilListening(port, gateway);
		await sleep(50);
		const common = [`--port=${port}`, ...(peer.plain ? ['--plain'] : []), ...SWITCHES[cell.kind]];
		if (cell.holds) await useOnce(cell, common, opt.pin);
		const before = memoryOf(gateway.pid, group);
		let memory = NaN;
		const report = await load([...cell.args, ...common, `--time=${opt.time}`, `--warmup=${opt.warmup}`,
			`--cpu-pid=${gateway.pid}`, ...(group === null ? [] : [`--cpu-file=${group}/cpuacct.usage`])], opt.pin,
		() => { memory = memoryOf(gateway.pid, group) - before; });
		if (peer.forks && group === null) memory = NaN;
		return figures(cell, peer, report, memory);
	} finally {
		await stop(gateway, group);
		if (backend !== null) await stop(backend, null);
	}
}

module.exports = { runOnce, load, start, stop, freePort, untilListening, makeGroup, memoryOf, sleep };
