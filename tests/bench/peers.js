'use strict';
/*
 * The peers of the benchmark: for each kind of cell that it can do, the command line for a port and a backend.
 *
 *	tcp      WebSocket to a TCP service         tls       the same by TLS
 *	stdio    WebSocket to a child's lines       deflate   tcp with permessage-deflate
 *
 * plain: no WebSocket, it relays TCP. most: so many connections at most. forks: the started process does not do the
 * work, its children do.
 */

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const WSGATE = path.resolve(process.env.WSGATE || path.join(__dirname, '../../wsgate'));
const TOOLS = path.resolve(process.env.BENCH_TOOLS || path.join(__dirname, '../../build/bench'));
const SCRATCH = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-bench-'));
const tool = (name) => path.join(TOOLS, name);
process.on('exit', () => fs.rmSync(SCRATCH, { recursive: true, force: true }));

function scratchFile(name, text) {
	const file = path.join(SCRATCH, name);
	fs.writeFileSync(file, text);
	return file;
}

/* Key and certificate (P-256) in one file, the same for all; made when first asked for. */
function certificate() {
	const [file, key, cert] = ['both.pem', 'key.pem', 'cert.pem'].map((name) => path.join(SCRATCH, name));
	if (fs.existsSync(file)) return file;
	const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
		'-days', '30', '-subj', '/CN=localhost', '-keyout', key, '-out', cert]);
	if (made.status !== 0) throw new Error(`openssl makes no certificate: ${made.error || made.stderr}`);
	fs.writeFileSync(file, fs.readFileSync(key) + fs.readFileSync(cert));
	return file;
}

const haproxyFile = (port, backend, tls = '') => scratchFile('haproxy.cfg', `global
	nbthread 1
	maxconn 4500
defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen relay
	bind 127.0.0.1:${port}${tls}
	server echo 127.0.0.1:${backend}
`);

const lighttpdFile = (port, backend, tls = '') => scratchFile('lighttpd.conf', `server.document-root = "${SCRATCH}"
server.bind = "127.0.0.1"
server.port = ${port}
server.max-fds = 20000
server.max-connections = 10000
server.modules = ("mod_wstunnel")
wstunnel.server = ("" => (("host" => "127.0.0.1", "port" => ${backend})))
wstunnel.frame-type = "binary"
${tls}`);

const wsgate = (port, ...more) => [WSGATE, '--workers=1', '--max-message=32m', '--target=/dev/null', `--port=${port}`, ...more];
const bridge = (...args) => ['node', path.join(__dirname, 'bridge.js'), ...args];
const hostPort = (port) => `127.0.0.1:${port}`;

const PEERS = {
	wsgate: {
		program: WSGATE,
		tcp: (port, backend) => wsgate(port, `--tcp=${hostPort(backend)}`),
		tls: (port, backend) => wsgate(port, '--ssl', `--sslcert=${certificate()}`, `--tcp=${hostPort(backend)}`),
		deflate: (port, backend) => wsgate(port, '--compression=on', `--tcp=${hostPort(backend)}`),
		stdio: (port, child) => wsgate(port, ...child),
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
		forks: true,
		most: 500, /* select(2) */
		tcp: (port, backend) => ['websockify', hostPort(port), hostPort(backend)],
	},
	haproxy: {
		program: 'haproxy',
		plain: true,
		most: 4500,
		tcp: (port, backend) => ['haproxy', '-db', '-f', haproxyFile(port, backend)],
		tls: (port, backend) => ['haproxy', '-db', '-f', haproxyFile(port, backend, ` ssl crt ${certificate()}`)],
	},
	hitch: {
		program: 'hitch',
		plain: true,
		forks: true,
		tls: (port, backend) => ['hitch', '--workers=1', '--backlog=4096', '--quiet', `--frontend=[127.0.0.1]:${port}`,
			`--backend=[127.0.0.1]:${backend}`, ...(process.getuid() === 0 ? ['--user=nobody'] : []), certificate()],
	},
	socat: {
		program: 'socat',
		plain: true,
		forks: true,
		most: 1000, /* a process each */
		tcp: (port, backend) => ['socat', `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096`,
			`TCP:${hostPort(backend)},nodelay`],
	},
	lighttpd: {
		program: 'lighttpd',
		most: 9000, /* it keeps some of its descriptors back */
		tcp: (port, backend) => ['lighttpd', '-D', '-f', lighttpdFile(port, backend)],
		tls: (port, backend) => ['lighttpd', '-D', '-f', lighttpdFile(port, backend,
			`server.modules += ("mod_openssl")\nssl.engine = "enable"\nssl.pemfile = "${certificate()}"\n`)],
	},
	node: {
		program: 'node',
		tcp: (port, backend) => bridge(port, 'tcp', backend),
		tls: (port, backend) => bridge(`--tls=${certificate()}`, port, 'tcp', backend),
		deflate: (port, backend) => bridge('--deflate', port, 'tcp', backend),
		stdio: (port, child) => bridge(port, 'lines', ...child),
	},
};

function isInstalled(program) {
	const places = program.includes('/') ? [program] : [...process.env.PATH.split(':'), '/usr/sbin'].map((d) => path.join(d, program));
	return places.some((p) => fs.existsSync(p));
}

module.exports = { PEERS, WSGATE, SCRATCH, tool, isInstalled, certificate };
