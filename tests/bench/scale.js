'use strict';
/*
 * How wsgate's costs grow with the number of connections, from one to as many as this machine has descriptors for, and
 * what that makes of a million: the tables of SCALE.md, printed, or with --write put into it in place of the old.
 *
 *	node scale.js [--quick] [--gateways 20] [--write]
 *
 * Environment: WSGATE (the binary), BENCH_TOOLS (the directory of load, echo, lines, ceiling).
 */

const { parseArgs } = require('node:util');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { load, start, stop, freePort, untilListening, makeGroup, memoryOf, sleep } = require('./measure.js');
const { WSGATE, SCRATCH, tool, certificate } = require('./peers.js');

const { values: opt } = parseArgs({
	options: {
		quick: { type: 'boolean', default: false },
		gateways: { type: 'string', default: '20' },
		write: { type: 'boolean', default: false },
	},
});

const PAGE = path.join(__dirname, 'SCALE.md');
const ONE_CORE = ['taskset', '-c', '0'], ANY_CORE = [];
const ROUNDS = opt.quick ? 1 : 3;
const MOST = 9800; /* two descriptors each, of the 20,000 of a process */
const KIB = 1024, GIB = KIB ** 3;

/* --- a gateway and its backend ------------------------------------------------------------------ */

let sockets = 0;

const BACKENDS = {
	tcp: async () => { const port = await freePort(); return { at: port, route: [`--tcp=127.0.0.1:${port}`] }; },
	unix: async () => { const file = `${SCRATCH}/echo-${sockets++}`; return { at: file, route: [`--unix=${file}`] }; },
};

async function untilThere(at, child) {
	if (typeof at === 'number') return untilListening(at, child);
	for (let tries = 0; tries < 500 && !fs.existsSync(at); tries++) await sleep(10);
}

/* kind: tcp, unix, tls (to tcp), stdio, ceiling (the bare relay instead, to tcp). */
async function startGateway(kind, { workers = 1, pin = ONE_CORE, options = [] } = {}) {
	const port = await freePort(), group = makeGroup();
	const service = kind === 'stdio' ? null : await BACKENDS[kind === 'unix' ? 'unix' : 'tcp']();
	const backend = service === null ? null : start([tool('echo'), service.at], null, pin);
	if (backend !== null) await untilThere(service.at, backend);
	const tls = kind === 'tls' ? ['--ssl', `--sslcert=${certificate()}`] : [];
	const wsgate = [WSGATE, `--workers=${workers}`, '--target=/dev/null', '--max-connections=0', '--max-children=0', `--port=${port}`,
		...tls, ...options, ...(service === null ? [tool('lines')] : service.route)];
	const argv = kind === 'ceiling' ? [tool('ceiling'), port, 'tcp', service.at] : wsgate;
	const gateway = start(argv, group, pin);
	await untilListening(port, gateway);
	const switches = [`--port=${port}`, `--cpu-pid=${gateway.pid}`, ...({ tls: ['--tls'], stdio: ['--lines'] }[kind] ?? []),
		...(group === null ? [] : [`--cpu-file=${group}/cpuacct.usage`])];
	const end = async () => { await stop(gateway, group); if (backend !== null) await stop(backend, null); };
	return { pid: gateway.pid, pin, switches, end, memory: () => memoryOf(gateway.pid, group) * KIB };
}

async function withGateway(kind, how, work) {
	const gateway = await startGateway(kind, how);
	try {
		return await work(gateway);
	} finally {
		await gateway.end();
	}
}

const cpuOf = (report) => report.cpu_all_ns || report.cpu_main_ns;

function median(list) {
	const sorted = [...list].sort((a, b) => a - b);
	return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

async function medianOf(measure) {
	const found = [];
	for (let round = 0; round < ROUNDS; round++) found.push(await measure());
	return median(found);
}

/* --- what is measured --------------------------------------------------------------------------- */

/* us of CPU for an echoed message of 64 bytes, one under way on each connection. */
const messageCost = (connections, how, kind = 'tcp') => medianOf(() => withGateway(kind, how, async (g) => {
	const report = await load(['echo', ...g.switches, `--connections=${connections}`, '--size=64', '--warmup=300', '--time=800'], g.pin);
	return cpuOf(report) / report.messages / 1e3;
}));

/* The same for 100 connections, while others hold still. */
const costBeside = (idle) => medianOf(() => withGateway('tcp', {}, async (g) => {
	const busy = () => load(['echo', ...g.switches, '--connections=100', '--size=64', '--warmup=300', '--time=800'], g.pin);
	let report;
	if (idle === 0) report = await busy();
	else await load(['idle', ...g.switches, `--connections=${idle}`], g.pin, async () => { report = await busy(); });
	return cpuOf(report) / report.messages / 1e3;
}));

/* ns that the main thread of PID has run, which accepts and hands the connections to the workers. */
const mainThread = (pid) => Number(fs.readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]);

/* us of CPU for a connection with one message, and what of it is the main thread's; of two workers, since one would live there. */
async function connectCost(kind) {
	const main = [];
	const all = await medianOf(() => withGateway(kind, { workers: 2 }, async (g) => {
		const before = mainThread(g.pid);
		const report = await load(['connect', ...g.switches, '--connections=16', '--warmup=0', '--time=1000'], g.pin);
		main.push((mainThread(g.pid) - before) / report.connections / 1e3);
		return cpuOf(report) / report.connections / 1e3;
	}));
	return { all, main: median(main) };
}

/* us of CPU for a ping and its pong, and all that an idle connection does besides. */
const pingCost = () => withGateway('tcp', { options: ['--ping-interval=2s', '--ping-timeout=2s'] }, async (g) => {
	const report = await load(['rest', ...g.switches, `--connections=${MOST}`, '--time=6000'], g.pin);
	return cpuOf(report) / report.pings / 1e3;
});

/* Bytes of the gateway's memory for an idle connection that has carried a message. */
const memoryCost = (kind, connections, how) => withGateway(kind, how, async (g) => {
	await load(['echo', ...g.switches, '--size=65536', '--warmup=0', '--time=50'], g.pin);
	await sleep(300);
	const before = g.memory();
	let during;
	await load(['idle', ...g.switches, `--connections=${connections}`], g.pin, async () => { await sleep(300); during = g.memory(); });
	return (during - before) / connections;
});

/* What a connection has in the kernel. */
const CACHES = ['TCP', 'UNIX-STREAM', 'sock_inode_cache', 'lsm_inode_cache', 'dentry', 'filp', 'eventpoll_epi', 'eventpoll_pwq'];

/* Bytes in use of each of these slabs, with those that the kernel has put together with it. */
function kernel() {
	const about = (cache, what) => parseInt(fs.readFileSync(`/sys/kernel/slab/${cache}/${what}`, 'utf8'), 10);
	return Object.fromEntries(CACHES.map((cache) => [cache, about(cache, 'objects') * about(cache, 'slab_size')]));
}

/* MANY gateways with as many connections as each can have, all open at once; no pings, since the clients hold still too. */
async function manyGateways(kind, many) {
	const gateways = [];
	try {
		for (let i = 0; i < many; i++) gateways.push(await startGateway(kind, { pin: ANY_CORE, options: ['--ping-interval=0'] }));
		const sum = () => gateways.reduce((total, g) => total + g.memory(), 0);
		const look = () => ({ memory: sum(), kernel: kernel() });
		const before = look();
		const hold = (i) => (i === many ? look() : new Promise((done, fail) => {
			load(['idle', ...gateways[i].switches, `--connections=${MOST}`], gateways[i].pin, async () => done(await hold(i + 1))).catch(fail);
		}));
		const during = await hold(0), connections = many * MOST;
		const caches = Object.entries(during.kernel).map(([name, bytes]) => [name, (bytes - before.kernel[name]) / connections])
			.filter(([, bytes]) => bytes > 10).sort((a, b) => b[1] - a[1]);
		return { connections, memory: (during.memory - before.memory) / connections, caches,
			kernel: caches.reduce((total, [, bytes]) => total + bytes, 0) };
	} finally {
		for (const g of gateways) await g.end();
	}
}

/* --- the page ----------------------------------------------------------------------------------- */

const number = (n) => n.toLocaleString('en');
const us = (n) => `${n.toFixed(n < 10 ? 2 : n < 100 ? 1 : 0)} us`;
const size = (n) => (n >= GIB / 2 ? `${(n / GIB).toFixed(1)} GiB` : n >= 10 * KIB ? `${(n / KIB).toFixed(1)} KiB` : `${n.toFixed(0)} B`);
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

async function told(what, measure) {
	process.stderr.write(`${what} `);
	const found = await measure();
	process.stderr.write(`${JSON.stringify(found)}\n`);
	return found;
}

async function messages() {
	const rows = [], head = ['connections, all busy', '1 worker', '2 workers, one core', '2 workers, both cores', 'bare relay'];
	let atMost;
	for (const n of opt.quick ? [1, MOST] : [1, 10, 100, 1000, MOST]) {
		atMost = await told(`${n} connections, 1 worker`, () => messageCost(n, {}));
		const more = [await told(`${n} connections, 2 workers`, () => messageCost(n, { workers: 2 })),
			await told(`${n} connections, 2 workers, any core`, () => messageCost(n, { workers: 2, pin: ANY_CORE })),
			await told(`${n} connections, bare relay`, () => messageCost(n, {}, 'ceiling'))];
		rows.push([number(n), ...[atMost, ...more].map(us)]);
	}
	return { text: table(head, rows), atMost };
}

async function beside() {
	const rows = [];
	for (const n of [0, 1000, MOST - 100]) rows.push([number(n), us(await told(`100 beside ${n}`, () => costBeside(n)))]);
	return table(['idle connections beside 100 busy ones', 'CPU of a message'], rows);
}

async function memories() {
	const rows = [], kinds = { tcp: 'TCP service', unix: 'unix socket service', tls: 'TLS to TCP service' }, found = {};
	for (const [kind, name] of Object.entries(kinds)) {
		const [one, two] = [await told(`memory, ${kind}`, () => memoryCost(kind, MOST, {})),
			await told(`memory, ${kind}, 2 workers`, () => memoryCost(kind, MOST, { workers: 2 }))];
		rows.push([name, size(one), size(two)]);
		found[kind] = one;
	}
	return { text: table(['backend', number(MOST), `${number(MOST)}, 2 workers`], rows), found };
}

async function gateways() {
	const rows = [], found = {}, most = Number(opt.gateways);
	const head = ['to the service by', 'gateways', 'connections', 'wsgate, each', 'kernel, each', 'a socket', 'of which, for its four sockets, in bytes'];
	for (const [kind, many] of [['tcp', 1], ['tcp', most], ['unix', most]]) {
		const it = await told(`${many} gateways, ${kind}`, () => manyGateways(kind, many));
		found[kind] = it;
		rows.push([kind, many, number(it.connections), size(it.memory), size(it.kernel), size(it.kernel / 4),
			it.caches.map(([n, bytes]) => `${n} ${bytes.toFixed(0)}`).join(', ')]);
	}
	return { text: table(head, rows), found };
}

/* A million, by the figures of this run. No figure in it is measured at that size. */
function million({ memory, kernelEach, ping, message, tcp, tls }) {
	const N = 1e6, CORES = 64, INTERVAL_S = 30, socket = kernelEach / 4;
	const cores = (perSecond, cost) => `${(perSecond * cost / 1e6).toFixed(2)} cores of ${CORES}`;
	const seconds = (cost) => `${(N * cost / 1e6).toFixed(1)} s`;
	return table(['a million idle connections', 'arithmetic', 'comes to'], [
		['memory of wsgate', `${number(Math.round(memory.tcp))} B x 1e6`, size(memory.tcp * N)],
		['the same with TLS', `${number(Math.round(memory.tls))} B x 1e6`, size(memory.tls * N)],
		['kernel, the two sockets of the gateway', `2 x ${number(Math.round(socket))} B x 1e6`, size(2 * socket * N)],
		['kernel, the service on the same machine too', `3 x ${number(Math.round(socket))} B x 1e6`, size(3 * socket * N)],
		[`pings, one in ${INTERVAL_S} s`, `1e6 / ${INTERVAL_S} s x ${us(ping)}`, cores(N / INTERVAL_S, ping)],
		['a message in 10 s on each, there and back', `1e6 / 10 s x ${us(message)}`, cores(N / 10, message)],
		['all come at once: the thread that accepts', `1e6 x ${us(tcp.main)}`, seconds(tcp.main)],
		...[['', tcp], [', by TLS', tls]].map(([how, cost]) => [`all come at once: the workers${how}`,
			`1e6 x ${us(cost.all - cost.main)} / ${CORES}`, seconds((cost.all - cost.main) / CORES)]),
	]);
}

function where() {
	return `Measured ${new Date().toISOString().slice(0, 10)}: ${os.cpus().length} cores (${os.cpus()[0].model}), Linux ${os.release().replace(/^(\d+\.\d+).*/, '$1')}, `
		+ `medians of ${ROUNDS}; load average ${os.loadavg()[1].toFixed(1)}.`;
}

/* Puts TEXT between the marks of NAME. */
function replace(page, name, text) {
	const begin = `<!-- ${name} -->\n`, end = `<!-- /${name} -->`;
	const from = page.indexOf(begin), to = page.indexOf(end);
	if (from === -1 || to === -1) throw new Error(`SCALE.md has no mark ${name}`);
	return `${page.slice(0, from)}${begin}${text}\n${page.slice(to)}`;
}

async function main() {
	kernel(); /* fails at once for who is not root, and not in five minutes */
	const busy = await messages(), idle = await beside(), memory = await memories(), many = await gateways();
	const ping = await told('ping', pingCost);
	const tcp = await told('connect', () => connectCost('tcp')), tls = await told('TLS connect', () => connectCost('tls'));
	const arithmetic = million({ memory: memory.found, kernelEach: many.found.tcp.kernel, message: busy.atMost, ping, tcp, tls });
	const parts = { where: where(), messages: busy.text, beside: idle, memory: memory.text, gateways: many.text, million: arithmetic };
	const page = () => Object.entries(parts).reduce((text, [name, part]) => replace(text, name, part), fs.readFileSync(PAGE, 'utf8'));
	if (opt.write) fs.writeFileSync(PAGE, page());
	else console.log(Object.values(parts).join('\n\n'));
}

main().catch((error) => { console.error(`scale: ${error.message}`); process.exitCode = 1; });
