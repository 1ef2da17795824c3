'use strict';
/*
 * Counts what the gateway does for a message or a connection: instructions of its own (callgrind) and system
 * calls (strace, those of its child programs included). Unlike time, these hold still on a busy machine.
 *
 *	node instr.js [--keep] [W3 W9 ...]
 *
 * Each workload runs twice, with few and with many messages; the difference is what the messages cost, and not
 * the start. The figures are compared with those in instr.json: more than 5 % above is a failure, more than 5 %
 * below a reason to write them down anew, which --keep does.
 *
 * Instructions belong to one compiler with its flags, to the libraries, and to what the processor has for their fast
 * paths. All that is kept beside them: where it is another, they are shown, and only the system calls are judged.
 *
 * Environment: WSGATE (the binary), BENCH_TOOLS (the directory of lines).
 */

const { spawn, execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const WSGATE = path.resolve(process.env.WSGATE || path.join(__dirname, '../../wsgate'));
const LINES = path.resolve(process.env.BENCH_TOOLS || path.join(__dirname, '../../build/bench'), 'lines');
const KEPT = path.join(__dirname, 'instr.json');
const SCRATCH = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-instr-'));
const TOLERATED = 1.05;
const PATIENCE_MS = 60000;
const PAYLOAD = 64;
const OPTIONS = ['--workers=1', '--target=/dev/null', '--port=0'];

/* --- a client that knows no more than it must --------------------------------------------------- */

const HANDSHAKE = 'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
	+ 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

/* A masked text frame of 64 letters. */
function frame() {
	const key = Buffer.from([1, 2, 3, 4]), payload = Buffer.alloc(PAYLOAD, 'wsgate');
	return Buffer.concat([Buffer.from([0x81, 0x80 | PAYLOAD]), key, payload.map((byte, i) => byte ^ key[i % 4])]);
}

/* How many bytes of payload there are in BYTES, which end where a frame does; -1 if they do not. */
function payloadIn(bytes) {
	let at = 0, total = 0;
	while (at < bytes.length) {
		if (at + 4 > bytes.length) return -1;
		const short = bytes[at + 1], len = short < 126 ? short : bytes.readUInt16BE(at + 2);
		at += (short < 126 ? 2 : 4) + len;
		total += len;
	}
	return at === bytes.length ? total : -1;
}

/* Waits until what has come since the last call satisfies IS_ENOUGH. */
function reader(socket) {
	let got = Buffer.alloc(0), wake = () => {};
	socket.on('data', (data) => { got = Buffer.concat([got, data]); wake(); });
	socket.on('close', () => wake());
	return async (isEnough) => {
		while (!isEnough(got)) {
			if (socket.closed) throw new Error('the gateway has closed the connection');
			await new Promise((done) => { wake = done; });
		}
		got = Buffer.alloc(0);
	};
}

async function open(port) {
	const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
	await once(socket, 'connect');
	const read = reader(socket);
	socket.write(HANDSHAKE);
	await read((bytes) => bytes.includes('\r\n\r\n'));
	return { socket, read };
}

/* COUNT messages, DEPTH of them in one write, then their echo. */
async function exchange({ socket, read }, count, depth) {
	const frames = Buffer.concat(Array(depth).fill(frame()));
	for (let sent = 0; sent < count; sent += depth) {
		socket.write(frames);
		await read((bytes) => payloadIn(bytes) === depth * PAYLOAD);
	}
}

const CLOSE = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 1000 >> 8, 1000 & 0xff]);

async function close({ socket }) {
	socket.write(CLOSE);
	await once(socket, 'close');
}

/* --- workloads ---------------------------------------------------------------------------------- */

const messages = (depth) => async (port, count) => {
	const client = await open(port);
	await exchange(client, count, depth);
	await close(client);
};

async function connections(port, count) {
	for (let i = 0; i < count; i++) await messages(1)(port, 1);
}

/* Reads until the program has printed all and is gone. */
async function listen(port) {
	const { socket } = await open(port);
	socket.removeAllListeners('data').resume();
	await once(socket, 'close');
}

const tcp = (port) => [`--tcp=127.0.0.1:${port}`];
const stdio = () => [LINES];
const printer = (port, count) => [LINES, '--print', String(count * PAYLOAD)];

const WORKLOADS = [
	{ name: 'W1 stdio, a message', backend: stdio, run: messages(1), few: 200, many: 1200 },
	{ name: 'W1 stdio, one of 32 at once', backend: stdio, run: messages(32), few: 32 * 20, many: 32 * 220 },
	{ name: 'W3 tcp, a message', backend: tcp, run: messages(1), few: 200, many: 1200 },
	{ name: 'W3 tcp, one of 32 at once', backend: tcp, run: messages(32), few: 32 * 20, many: 32 * 220 },
	{ name: 'W4 stdio, a connection', backend: stdio, run: connections, few: 10, many: 30 },
	{ name: 'W4 tcp, a connection', backend: tcp, run: connections, few: 20, many: 120 },
	{ name: 'W9 stdio, a printed line', backend: printer, run: listen, few: 10000, many: 60000 },
];

/* --- the gateway, watched ----------------------------------------------------------------------- */

const TOOLS = {
	instructions: {
		argv: (file) => ['valgrind', '-q', '--tool=callgrind', `--callgrind-out-file=${file}`],
		read: (text) => Number(/^(?:totals|summary): (\d+)/m.exec(text)[1]),
	},
	syscalls: {
		argv: (file) => ['strace', '-f', '-qq', '-c', '-U', 'calls,name', '-o', file],
		read: (text) => Number(/^ *(\d+) total$/m.exec(text)[1]),
	},
};

async function echoServer() {
	const server = net.createServer({ noDelay: true }, (socket) => {
		socket.on('data', (data) => socket.write(data)).on('error', () => socket.destroy());
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	return server;
}

function demandTools() {
	const missing = Object.values(TOOLS).map((tool) => tool.argv('')[0]).filter((name) => !process.env.PATH.split(':').some((d) => fs.existsSync(path.join(d, name))));
	if (missing.length > 0) throw new Error(`it takes ${missing.join(' and ')}: apt-get install ${missing.join(' ')}`);
}

/* A container may forbid to trace. */
function worksHere([what, tool]) {
	const [name, ...args] = tool.argv('/dev/null');
	try {
		execFileSync(name, [...args, 'true'], { stdio: 'ignore' });
		return true;
	} catch (error) {
		console.log(`- ${what}: left out, for ${name} does not work here (${error.message})`);
		return false;
	}
}

/* Starts ARGV; answers with the port that it says it listens on. */
async function startGateway(argv) {
	const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
	child.ended = once(child, 'exit');
	let said = '';
	for await (const data of child.stderr) {
		said += data;
		const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(said);
		if (found) return { child, port: Number(found[1]) };
	}
	throw new Error(`the gateway does not start: ${said}`);
}

async function countOnce(tool, workload, count) {
	const file = path.join(SCRATCH, 'count');
	const server = await echoServer();
	const backend = workload.backend(server.address().port, count);
	const pidFile = path.join(SCRATCH, 'pid'); /* not that of strace, which would leave at a signal of ours */
	const { child, port } = await startGateway([...tool.argv(file), WSGATE, ...OPTIONS, `--pid-file=${pidFile}`, ...backend]);
	const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
	await workload.run(port, count);
	process.kill(Number(fs.readFileSync(pidFile, 'utf8')), 'SIGTERM');
	await child.ended;
	clearTimeout(patience);
	server.close();
	return tool.read(fs.readFileSync(file, 'utf8'));
}

async function measure(tool, workload) {
	const few = await countOnce(tool, workload, workload.few), many = await countOnce(tool, workload, workload.many);
	return (many - few) / (workload.many - workload.few);
}

/* --- what the instructions belong to -------------------------------------------------------------- */

/* What the compiler says of itself in the program: its flags if there are debugging symbols, else its name. */
function compiler() {
	const text = fs.readFileSync(WSGATE, 'latin1');
	return (/GNU GIMPLE [ -~]+/.exec(text) ?? /GNU C1[17] [ -~]+/.exec(text) ?? /clang version [ -~]+/.exec(text) ?? /GCC: [ -~]+/.exec(text) ?? ['unknown'])[0];
}

/* A sum over the shared libraries that the program is linked to: their bytes, not their names. */
function libraries() {
	const files = execFileSync('ldd', [WSGATE], { encoding: 'utf8' }).match(/\/\S+(?= \()/g).sort();
	const sum = createHash('sha256');
	files.forEach((file) => sum.update(fs.readFileSync(file)));
	return sum.digest('hex').slice(0, 16);
}

/* What valgrind lets programs see of it. */
function processor() {
	const flags = /^flags\s*:(.*)$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' ') ?? [];
	return [process.arch, ...['sse4_2', 'avx', 'avx2', 'bmi2', 'rdrand', 'fma'].filter((flag) => flags.includes(flag))].join(' ');
}

const BUILT = { compiler: compiler(), libraries: libraries(), processor: processor() };

/* --- the comparison ----------------------------------------------------------------------------- */

const round = (n) => Number(n.toPrecision(4));

function judge(now, before, comparable) {
	if (before === undefined) return 'not kept yet';
	if (!comparable) return 'not judged';
	if (now > before * TOLERATED) return 'GREW';
	return now < before / TOLERATED ? 'less: --keep it' : '';
}

/* A busy machine adds a wait here and there, and takes none away: what has grown is measured again, and the least counts. */
async function least(tool, workload, limit) {
	let found = round(await measure(tool, workload));
	for (let again = 0; again < 2 && found > limit; again++) found = Math.min(found, round(await measure(tool, workload)));
	return found;
}

/* What of BUILT is not as it was when the figures were kept. */
const differences = (kept) => Object.keys(BUILT).filter((key) => kept.built?.[key] !== BUILT[key]);

const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('-'));
const isWanted = ({ name }) => wanted.length === 0 || wanted.some((w) => name.startsWith(w));

async function main() {
	demandTools();
	const kept = fs.existsSync(KEPT) ? JSON.parse(fs.readFileSync(KEPT, 'utf8')) : {};
	const found = {}, other = differences(kept), tools = Object.entries(TOOLS).filter(worksHere);
	if (other.length > 0) console.log('Instructions are not judged: instr.json was kept where another build ran.\n');
	other.forEach((key) => console.log(`- ${key}: there ${kept.built?.[key] ?? 'unknown'}; here ${BUILT[key]}`));
	console.log(`${other.length > 0 ? '\n' : ''}| workload | what | now | kept | |\n|---|---|---|---|---|`);
	for (const workload of WORKLOADS.filter(isWanted)) {
		found[workload.name] = {};
		for (const [what, tool] of tools) {
			const before = kept[workload.name]?.[what], comparable = what === 'syscalls' || other.length === 0;
			const now = await least(tool, workload, before !== undefined && comparable ? before * TOLERATED : Infinity);
			const verdict = judge(now, before, comparable);
			found[workload.name][what] = now;
			if (verdict === 'GREW') process.exitCode = 1;
			console.log(`| ${workload.name} | ${what} | ${now} | ${before ?? '-'} | ${verdict} |`);
		}
	}
	const still = other.length > 0 ? {} : kept; /* figures of another build do not stand beside those of this one */
	if (process.argv.includes('--keep')) fs.writeFileSync(KEPT, `${JSON.stringify({ ...still, ...found, built: BUILT }, null, '\t')}\n`);
}

main().catch((error) => { console.error(`bench-instr: ${error.message}`); process.exitCode = 1; })
	.finally(() => fs.rmSync(SCRATCH, { recursive: true, force: true }));
