'use strict';
/*
 * Runs the benchmark: for each cell, rounds of A B C A B C over the peers, and prints a table of medians in Markdown.
 * See README.md for the method.
 *
 *	node run.js [--only W3,W9] [--peers wsgate,ceiling] [--rounds 3] [--time 800] [--warmup 400] [--unpinned]
 *	            [--summary] [--json FILE] [--out FILE] [--chart FILE.svg]
 *	node run.js --from FILE ...        shows again what --json has kept
 *
 * --summary: one row for each headline, one column for each peer, in ratios to wsgate. Progress goes to stderr.
 * Environment: WSGATE (the binary), BENCH_TOOLS (the directory of load, echo, lines, ceiling).
 */

const { parseArgs } = require('node:util');
const fs = require('node:fs');
const os = require('node:os');
const { CELLS } = require('./cells.js');
const { chart } = require('./chart.js');
const { runOnce } = require('./measure.js');
const { PEERS, isInstalled } = require('./peers.js');
const { HEAD, rows, summary, conditions } = require('./table.js');

const { values: opt } = parseArgs({
	options: {
		only: { type: 'string' },
		peers: { type: 'string' },
		rounds: { type: 'string', default: '3' },
		time: { type: 'string', default: '800' },
		warmup: { type: 'string', default: '400' },
		unpinned: { type: 'boolean', default: false },
		summary: { type: 'boolean', default: false },
		json: { type: 'string' },
		out: { type: 'string' },
		chart: { type: 'string' },
		from: { type: 'string' },
	},
});

function median(list) {
	const sorted = list.filter((n) => !Number.isNaN(n)).sort((a, b) => a - b);
	return sorted.length === 0 ? NaN : (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/* Widest distance of a round from the median, in percent. */
function spread(list) {
	const m = median(list);
	return Math.max(...list.map((n) => Math.abs(n / m - 1))) * 100;
}

function inMiddle(runs) {
	const keys = Object.keys(runs[0]), key = Number.isNaN(runs[0].all) ? 'main' : 'all';
	return { median: Object.fromEntries(keys.map((k) => [k, median(runs.map((r) => r[k]))])), spread: spread(runs.map((r) => r[key])) };
}

/* A run that fails is told in the table; a peer that fails twice is not tried again in this cell. */
async function runCell(cell, names) {
	const how = { time: opt.time, warmup: opt.warmup, pin: opt.unpinned ? [] : ['taskset', '-c', '0'] };
	const tries = Object.fromEntries(names.map((n) => [n, { runs: [], faults: [], took: 0 }]));
	for (let round = 0; round < (cell.holds ? 1 : Number(opt.rounds)); round++) {
		for (const name of names.filter((n) => tries[n].faults.length < 2)) {
			const { runs, faults } = tries[name], began = Date.now();
			await runOnce(cell, PEERS[name], how).then((found) => runs.push(found), (error) => faults.push(error.message));
			tries[name].took += (Date.now() - began) / 1000;
		}
	}
	console.error(names.map((n) => `${n}${tries[n].faults.length > 0 ? ' failed,' : ''} ${tries[n].took.toFixed(0)} s`).join(', '));
	return Object.fromEntries(names.map((name) => {
		const { runs, faults } = tries[name], [fault] = faults;
		return [name, faults.length > 1 || runs.length === 0 ? { failed: fault } : { ...inMiddle(runs), fault }];
	}));
}

/* The peers that were asked for and are there. */
function peers() {
	const wanted = opt.peers ? opt.peers.split(',') : Object.keys(PEERS);
	const strange = wanted.filter((name) => !PEERS[name]);
	if (strange.length > 0) throw new Error(`no such peer: ${strange}; there are ${Object.keys(PEERS)}`);
	const missing = wanted.filter((name) => !isInstalled(PEERS[name].program));
	if (missing.length > 0) console.error(`Not installed, left out: ${missing.join(', ')}.`);
	return wanted.filter((name) => !missing.includes(name));
}

async function measureAll() {
	const names = peers(), found = { how: null, cells: [] }, loads = [];
	const cells = CELLS.filter((c) => !opt.only || opt.only.split(',').some((o) => c.w === o || c.name.includes(o)));
	for (const [i, cell] of cells.entries()) {
		process.stderr.write(`${i + 1}/${cells.length} ${cell.w} ${cell.name}: `);
		const able = names.filter((n) => PEERS[n][cell.kind] && !(cell.connections > PEERS[n].most));
		found.cells.push({ ...cell, results: await runCell(cell, able) });
		loads.push(os.loadavg()[0]);
	}
	found.how = { date: new Date().toISOString().slice(0, 10), rounds: opt.rounds, time: opt.time, cores: os.cpus().length,
		cpu: os.cpus()[0].model, kernel: os.release().replace(/^(\d+\.\d+).*/, '$1'), pinned: !opt.unpinned, loads };
	return found;
}

async function main() {
	const found = opt.from ? JSON.parse(fs.readFileSync(opt.from, 'utf8')) : await measureAll();
	const table = opt.summary ? summary(found) : [HEAD, ...found.cells.flatMap(rows)].join('\n');
	const text = `${table}\n\n${conditions(found)}\n`;
	process.stdout.write(text);
	if (opt.json) fs.writeFileSync(opt.json, `${JSON.stringify(found)}\n`);
	if (opt.out) fs.writeFileSync(opt.out, text);
	if (opt.chart) fs.writeFileSync(opt.chart, chart(found));
}

main().catch((error) => { console.error(`bench: ${error.message}`); process.exitCode = 1; });
