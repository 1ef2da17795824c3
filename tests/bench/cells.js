'use strict';
/*
 * The cells of the benchmark: what the load generator does, over which kind of peer (see peers.js), and in what unit the
 * answer is. holds: memory while all holds still. headline: a row of the summary and the chart, and its words.
 */

const size = (n) => (n >= 1048576 ? `${n / 1048576} MiB` : n >= 4096 ? `${n / 1024} KiB` : `${n} B`);

function echo(w, kind, bytes, connections, { depth = 1, headline } = {}) {
	const what = kind === 'deflate' ? 'deflate echo of JSON' : `${kind} echo`;
	const name = `${what} ${size(bytes)} x ${connections} conn${depth > 1 ? `, depth ${depth}` : ''}`;
	const args = ['echo', `--size=${bytes}`, `--connections=${connections}`, `--depth=${depth}`];
	return { w, name, kind, connections, args, per: bytes >= 16384 ? 'GiB' : 'msg', headline };
}

const connect = (w, kind, headline) => ({ w, name: `${kind} connect, one message, close, 16 at a time`, kind, connections: 16,
	args: ['connect', '--connections=16'], per: 'conn', headline });
const idle = (kind, connections) => ({ w: 'W5', name: `${kind} idle ${connections} conn`, kind, connections,
	args: ['idle', `--connections=${connections}`], per: 'KiB/conn', holds: true });
const flood = (kind) => ({ w: 'W7', name: `${kind} flood, client does not read`, kind, connections: 1, flood: true,
	args: ['flood'], per: 'MiB', holds: true });

const CELLS = [
	echo('W1', 'stdio', 64, 1),
	echo('W1', 'stdio', 64, 100, { headline: 'Lines of a program, 64 B, 100 connections' }),
	echo('W1', 'stdio', 64, 1, { depth: 32, headline: 'Lines of a program, 64 B, 32 at once' }),
	echo('W2', 'tcp', 65536, 1, { depth: 4 }),
	echo('W2', 'tcp', 65536, 8, { depth: 4, headline: 'TCP service, 64 KiB messages' }),
	echo('W2', 'tcp', 16384, 8, { depth: 4 }),
	echo('W3', 'tcp', 64, 1),
	echo('W3', 'tcp', 64, 100, { headline: 'TCP service, 64 B, 100 connections' }),
	echo('W3', 'tcp', 64, 1000),
	...[1, 100, 1000].map((n) => echo('W3', 'tcp', 1024, n)),
	echo('W3', 'tcp', 64, 100, { depth: 32, headline: 'TCP service, 64 B, 100 x 32 at once' }),
	connect('W4', 'stdio', 'Program started, one line, closed'),
	connect('W4', 'tcp', 'TCP service connected, one message, closed'),
	idle('tcp', 1000), idle('tcp', 9800), idle('tls', 1000), idle('stdio', 500),
	echo('W6', 'tls', 65536, 1, { depth: 4 }),
	echo('W6', 'tls', 65536, 8, { depth: 4, headline: 'TLS, 64 KiB messages' }),
	echo('W6', 'tls', 64, 100, { headline: 'TLS, 64 B, 100 connections' }),
	echo('W6', 'tls', 1024, 100),
	connect('W6', 'tls', 'TLS handshake, one message, closed'),
	flood('tcp'), flood('stdio'),
	echo('W8', 'tcp', 16777216, 1), echo('W8', 'stdio', 16777216, 1),
	{ w: 'W9', name: 'stdio child prints 64 B lines', kind: 'stdio', connections: 1, flood: true, args: ['lines'], per: 'GiB',
		headline: 'A program prints lines, as fast as it can' },
	echo('W10', 'deflate', 1024, 100, { headline: 'Compressed JSON, 1 KiB, 100 connections' }),
	echo('W10', 'deflate', 1024, 1, { depth: 32 }),
];

module.exports = { CELLS };
