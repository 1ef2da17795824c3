'use strict';
/*
 * Runs the benchmark: for each cell, rounds of A B C A B C over the peers, and prints a table of
 * medians in Markdown. See README.md for the method.
 *
 *	node run.js [--only W3,W9] [--peers wsgate,ceiling] [--rounds 3] [--time 800] [--warmup 300]
 *	            [--unpinned] [--json] [--out FILE]
 *
 * Environment: WSGATE (the binary), BENCH_TOOLS (the directory of load, echo, lines, ceiling).
 */

const { spawn } = require('node:child_process');
const { parseArgs } = require('node:util');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { values: opt } = parseArgs({
	options: {
		only: { type: 'string' },
		peers: { type: 'string' },
		rounds: { type: 'string', default: '3' },
		time: { type: 'string', default: '800' },
		warmup: { type: 'string', default: '300' },
		unpinned: { type: 'boolean', default: false },
		json: { type: 'boolean', default: false },
		out: { type: 'string' },
	},
});

const WSGATE = path.resolve(process.env.WSGATE || path.join(__dirname, '../../wsgate'));
const TOOLS = path.resolve(process.env.BENCH_TOOLS || path.join(__dirname, '../../build/bench'));
const tool = (name) => path.join(TOOLS, name);
const SCRATCH = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-bench-'));
const PIN = opt.unpinned ? [] : ['taskset', '-c', '0'];
const CGROUPS = '/sys/fs/cgroup/cpuacct';
const ROUNDS = Number(opt.rounds);
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

/* --- peers ------------------------------------------------------------------------------------ */

function scratchFile(name, text) {
	const file = path.join(SCRATCH, name);
	fs.writeFileSync(file, text);
	return file;
}

const haproxyFile = (port, backend) => scratchFile('haproxy.cfg', `global
	nbthread 1
	maxconn 4500
defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen relay
	bind 127.0.0.1:${port}
	server echo 127.0.0.1:${backend}
`);

const lighttpdFile = (port, backend) => scratchFile('lighttpd.conf', `server.document-root = "${SCRATCH}"
server.bind = "127.0.0.1"
server.port = ${port}
server.max-fds = 20000
server.max-connections = 10000
server.modules = ("mod_wstunnel")
wstunnel.server = ("" => (("host" => "127.0.0.1", "port" => ${backend})))
wstunnel.frame-type = "binary"
`);

const WSGATE_OPTIONS = ['--workers=1', '--max-message=32m', '--target=/dev/null'];

/* tcp, stdio: the command line for a port and a backend. plain: it relays TCP, not WebSocket. most: connections. */
const PEERS = {
	wsgate: {
		program: WSGATE,
		tcp: (port, backend) => [WSGATE, ...WSGATE_OPTIONS, `--port=${port}`, `--tcp=127.0.0.1:${backend}`],
		stdio: (port, child) => [WSGATE, ...WSGATE_OPTIONS, `--port=${port}`, ...child],
	},
	ceiling: {
		program: tool('ceiling'),
		tcp: (port, backend) => [tool('ceiling'), port, 'tcp', backend],
		stdio: (port, child) => [tool('ceiling'), port, 'lines', ...child],
	},
	websocketd: {
		program: 'websocketd',
		stdio: (port, child) => ['websocketd', `--port=${port}`, '--address=127.0.0.1', '--loglevel=error', ...child],
	},
	websockify: {
		program: 'websockify',
		most: 500, /* select(2) */
		tcp: (port, backend) => ['websockify', `127.0.0.1:${port}`, `127.0.0.1:${backend}`],
	},
	haproxy: {
		program: 'haproxy',
		plain: true,
		most: 4500,
		tcp: (port, backend) => ['haproxy', '-db', '-f', haproxyFile(port, backend)],
	},
	socat: {
		program: 'socat',
		plain: true,
		most: 1000, /* a process each */
		tcp: (port, backend) => ['socat', `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096`,
			`TCP:127.0.0.1:${backend},nodelay`],
	},
	lighttpd: {
		program: 'lighttpd',
		tcp: (port, backend) => ['lighttpd', '-D', '-f', lighttpdFile(port, backend)],
	},
	node: {
		program: 'node',
		tcp: (port, backend) => ['node', path.join(__dirname, 'bridge.js'), port, 'tcp', backend],
		stdio: (port, child) => ['node', path.join(__dirname, 'bridge.js'), port, 'lines', ...child],
	},
};

function isInstalled(program) {
	const places = program.includes('/') ? [program] : [...process.env.PATH.split(':'), '/usr/sbin'].map((d) => path.join(d, program));
	return places.some((p) => fs.existsSync(p));
}

/* --- cells ------------------------------------------------------------------------------------ */

const size = (n) => (n >= 1048576 ? `${n / 1048576} MiB` : n >= 4096 ? `${n / 1024} KiB` : `${n} B`);

function echo(w, backend, bytes, connections, depth = 1) {
	const name = `${backend} echo ${size(bytes)} x ${connections} conn${depth > 1 ? `, depth ${depth}` : ''}`;
	const args = ['echo', `--size=${bytes}`, `--connections=${connections}`, `--depth=${depth}`];
	return { w, name, backend, connections, args, per: bytes >= 16384 ? 'GiB' : 'msg' };
}

const connect = (backend) => ({ w: 'W4', name: `${backend} connect, one message, close, 16 at a time`, backend, connections: 16,
	args: ['connect', '--connections=16'], per: 'conn' });
const idle = (backend, connections) => ({ w: 'W5', name: `${backend} idle ${connections} conn`, backend, connections,
	args: ['idle', `--connections=${connections}`], per: 'KiB/conn', holds: true });
const flood = (backend) => ({ w: 'W7', name: `${backend} flood, client does not read`, backend, connections: 1, flood: true,
	args: ['flood'], per: 'MiB', holds: true });

const CELLS = [
	echo('W1', 'stdio', 64, 1), echo('W1', 'stdio', 64, 100), echo('W1', 'stdio', 64, 1, 32),
	echo('W2', 'tcp', 65536, 1, 4), echo('W2', 'tcp', 65536, 8, 4), echo('W2', 'tcp', 16384, 8, 4),
	...[64, 1024].flatMap((bytes) => [1, 100, 1000].map((n) => echo('W3', 'tcp', bytes, n))), echo('W3', 'tcp', 64, 100, 32),
	connect('stdio'), connect('tcp'),
	idle('tcp', 1000), idle('tcp', 9800), idle('stdio', 500),
	flood('tcp'), flood('stdio'),
	echo('W8', 'tcp', 16777216, 1), echo('W8', 'stdio', 16777216, 1),
	{ w: 'W9', name: 'stdio child prints 64 B lines', backend: 'stdio', connections: 1, flood: true, args: ['lines'], per: 'GiB' },
];

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

function start(argv, group) {
	const join = group === null ? [] : ['sh', '-c', 'echo $$ >"$0"/cgroup.procs && exec "$@"', group];
	const [program, ...args] = [...join, ...PIN, ...argv].map(String);
	const child = spawn(program, args, { stdio: 'ignore', detached: true, env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
	child.ended = new Promise((done) => { child.once('exit', done).once('error', done); });
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
	const patience = setTimeout(() => signal(-child.pid, 'SIGKILL'), 2000);
	await child.ended;
	clearTimeout(patience);
	signal(-child.pid, 'SIGKILL');
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

/* --- one run ---------------------------------------------------------------------------------- */

/* Runs the load generator; calls held() when it holds still. Returns its report. */
function load(args, held) {
	return new Promise((done, fail) => {
		const [program, ...rest] = [...PIN, tool('load'), ...args];
		const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
		let out = '', err = '';
		const patience = setTimeout(() => child.kill('SIGKILL'), 60000);
		child.stdout.on('data', (data) => { out += data; });
		child.stderr.on('data', (data) => {
			err += data;
			if (!String(data).includes('ready')) return;
			err = '';
			held();
			child.stdin.write('\n');
		});
		child.once('close', (code) => {
			clearTimeout(patience);
			if (code === 0) done(JSON.parse(out));
			else fail(new Error(err.trim() || 'no end within a minute'));
		});
	});
}

/* What one run says, in the cell's unit. CPU in us per message or connection, or s per GiB. */
function figures(cell, report, memory) {
	if (cell.holds) return { memory: cell.per === 'MiB' ? memory / 1024 : memory / cell.connections };
	const count = { msg: report.messages, conn: report.connections, GiB: report.bytes / 2 ** 30 }[cell.per];
	if (!(count > 0)) throw new Error('nothing came in the window');
	const unit = cell.per === 'GiB' ? 1e9 : 1e3;
	return {
		rate: count / report.seconds,
		all: report.cpu_all_ns > 0 ? report.cpu_all_ns / count / unit : NaN,
		main: report.cpu_main_ns / count / unit,
		p50: report.p50_us,
		p99: report.p99_us,
	};
}

/* What a gateway needs once, such as pages of code and buffers that all share, is no connection's memory. */
async function useOnce(cell, common) {
	await load([...(cell.flood ? ['lines'] : ['echo', '--size=65536']), ...common, '--warmup=0', '--time=50']);
	await sleep(300);
}

async function runOnce(cell, peer) {
	const port = await freePort(), backendPort = await freePort(), group = makeGroup();
	const backend = cell.backend === 'tcp' ? start([tool('echo'), backendPort, ...(cell.flood ? ['--flood'] : [])], null) : null;
	if (backend !== null) await untilListening(backendPort, backend);
	const child = [tool('lines'), ...(cell.flood ? ['--print', '0'] : [])];
	const gateway = start(cell.backend === 'tcp' ? peer.tcp(port, backendPort) : peer.stdio(port, child), group);
	try {
		await untilListening(port, gateway);
		await sleep(100);
		const common = [`--port=${port}`, ...(peer.plain ? ['--plain'] : []), ...(cell.backend === 'stdio' ? ['--lines'] : [])];
		if (cell.holds) await useOnce(cell, common);
		const before = memoryOf(gateway.pid, group);
		let memory = NaN;
		const report = await load([...cell.args, ...common, `--time=${opt.time}`, `--warmup=${opt.warmup}`,
			`--cpu-pid=${gateway.pid}`, ...(group === null ? [] : [`--cpu-file=${group}/cpuacct.usage`])],
		() => { memory = memoryOf(gateway.pid, group) - before; });
		return figures(cell, report, memory);
	} finally {
		await stop(gateway, group);
		if (backend !== null) await stop(backend, null);
	}
}

/* --- the table -------------------------------------------------------------------------------- */

function median(list) {
	const sorted = list.filter((n) => !Number.isNaN(n)).sort((a, b) => a - b);
	return sorted.length === 0 ? NaN : (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/* Widest distance of a round from the median, in percent. */
function spread(list) {
	const m = median(list);
	return Math.max(...list.map((n) => Math.abs(n / m - 1))) * 100;
}

function show(n, unit = '') {
	if (n === undefined || Number.isNaN(n)) return '-';
	const text = Math.abs(n) >= 100 ? n.toFixed(0) : Math.abs(n) >= 10 ? n.toFixed(1) : n.toFixed(2);
	return unit === '' ? text : `${text} ${unit}`;
}

function row(cell, name, result, ceiling) {
	const start = `| ${cell.w} | ${cell.name} | ${name} | `;
	if (result.failed) return `${start}failed: ${result.failed} | - | - | - | - | - | - | - |`;
	const m = result.median;
	if (cell.holds) return `${start}${m.memory >= 0 ? '+' : ''}${show(m.memory, cell.per)} | - | - | - | - | - | - | - |`;
	const rate = cell.per === 'GiB' ? show(m.rate * 1.073741824 * 1000, 'MB/s') : show(m.rate, `${cell.per}/s`);
	const unit = cell.per === 'GiB' ? 's/GiB' : `us/${cell.per}`;
	const ratio = (key) => show(ceiling && !ceiling.failed ? m[key] / ceiling.median[key] : NaN);
	const latency = m.p50 > 0 ? `${show(m.p50)} | ${show(m.p99)}` : '- | -';
	return `${start}${rate} | ${show(m.all, unit)} | ${show(m.main)} | ${latency} | ${ratio('all')} | ${ratio('main')} | ${result.spread.toFixed(0)} % |`;
}

const HEAD = `| W | cell | peer | rate | CPU, all | main | p50 us | p99 us | all / ceiling | main / ceiling | spread |
|---|---|---|---|---|---|---|---|---|---|---|`;

async function runCell(cell, names) {
	const runs = Object.fromEntries(names.map((n) => [n, []]));
	const failed = {};
	for (let round = 0; round < (cell.holds ? 1 : ROUNDS); round++) {
		for (const name of names) {
			if (failed[name]) continue;
			try {
				runs[name].push(await runOnce(cell, PEERS[name]));
			} catch (error) {
				failed[name] = error.message;
			}
		}
	}
	return Object.fromEntries(names.map((name) => {
		if (failed[name]) return [name, { failed: failed[name] }];
		const keys = Object.keys(runs[name][0]);
		const key = Number.isNaN(runs[name][0].all) ? 'main' : 'all';
		return [name, {
			median: Object.fromEntries(keys.map((k) => [k, median(runs[name].map((r) => r[k]))])),
			spread: spread(runs[name].map((r) => r[key])),
		}];
	}));
}

async function main() {
	const wanted = opt.peers ? opt.peers.split(',') : Object.keys(PEERS);
	const strange = wanted.filter((name) => !PEERS[name]);
	if (strange.length > 0) throw new Error(`no such peer: ${strange}; there are ${Object.keys(PEERS)}`);
	const missing = wanted.filter((name) => !isInstalled(PEERS[name].program));
	const names = wanted.filter((name) => !missing.includes(name));
	const cells = CELLS.filter((c) => !opt.only || opt.only.split(',').some((o) => c.w === o || c.name.includes(o)));
	const lines = [], loads = [];
	const say = (text) => { lines.push(text); if (!opt.json) console.log(text); };
	if (missing.length > 0) say(`Not installed, left out: ${missing.join(', ')}.\n`);
	say(HEAD);
	const results = {};
	for (const cell of cells) {
		const able = names.filter((n) => PEERS[n][cell.backend] && !(cell.connections > PEERS[n].most));
		const result = await runCell(cell, able);
		loads.push(os.loadavg()[0]);
		results[cell.name] = result;
		able.forEach((name) => say(row(cell, name, result[name], result.ceiling)));
	}
	say(`\n${ROUNDS} rounds of ${opt.time} ms; ${os.cpus().length} cores (${os.cpus()[0].model}), Linux ${os.release()}, `
		+ `${opt.unpinned ? 'not pinned' : 'all on core 0'}; load average ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}.`);
	if (opt.json) console.log(JSON.stringify(results));
	if (opt.out) fs.writeFileSync(opt.out, `${lines.join('\n')}\n`);
}

main().catch((error) => { console.error(`bench: ${error.message}`); process.exitCode = 1; })
	.finally(() => fs.rmSync(SCRATCH, { recursive: true, force: true }));
