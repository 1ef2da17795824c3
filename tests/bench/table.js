'use strict';
/* What was found, as Markdown: every cell with all figures, and a summary in ratios to wsgate. */

const show = (n, unit = '') => {
	if (n === undefined || n === null || Number.isNaN(n)) return '-';
	const text = Math.abs(n) >= 100 ? n.toFixed(0) : Math.abs(n) >= 10 ? n.toFixed(1) : n.toFixed(2);
	return unit === '' ? text : `${text} ${unit}`;
};

const HEAD = `| W | cell | peer | rate | CPU, all | main | p50 us | p99 us | all / ceiling | main / ceiling | spread |
|---|---|---|---|---|---|---|---|---|---|---|`;

function row(cell, name) {
	const result = cell.results[name], { ceiling } = cell.results;
	const start = `| ${cell.w} | ${cell.name} | ${name} | `;
	if (result.failed) return `${start}failed: ${result.failed} | - | - | - | - | - | - | - |`;
	const m = result.median;
	if (cell.holds) return `${start}${m.memory >= 0 ? '+' : ''}${show(m.memory, cell.per)} | - | - | - | - | - | - | - |`;
	const rate = cell.per === 'GiB' ? show(m.rate * 1.073741824 * 1000, 'MB/s') : show(m.rate, `${cell.per}/s`);
	const wire = m.wireIn > 0 ? `, ${m.wireIn.toFixed(0)} B in, ${m.wireOut.toFixed(0)} B out` : '';
	const fault = result.fault ? `, but one run failed: ${result.fault}` : '';
	const unit = cell.per === 'GiB' ? 's/GiB' : `us/${cell.per}`;
	const ratio = (key) => show(m[key] > 0 && ceiling?.median ? m[key] / ceiling.median[key] : NaN);
	const latency = m.p50 > 0 ? `${show(m.p50)} | ${show(m.p99)}` : '- | -';
	const spread = Number.isFinite(result.spread) ? `${result.spread.toFixed(0)} %` : '-';
	return `${start}${rate}${wire}${fault} | ${show(m.all, unit)} | ${show(m.main)} | ${latency} | ${ratio('all')} | ${ratio('main')} | ${spread} |`;
}

const rows = (cell) => Object.keys(cell.results).map((name) => row(cell, name));

/* CPU of NAME in a cell, wsgate being 1; undefined if it was not there, NaN if it or wsgate failed. */
function ratio(cell, name) {
	const it = cell.results[name], { wsgate } = cell.results;
	if (it === undefined) return undefined;
	const key = wsgate?.median?.all > 0 ? 'all' : 'main';
	return it.failed || !wsgate || wsgate.failed ? NaN : it.median[key] / wsgate.median[key];
}

/* What wsgate itself takes there, with its unit. */
function wsgateTakes(cell) {
	const m = cell.results.wsgate.median, cpu = m.all > 0 ? m.all : m.main;
	if (cell.per === 'GiB') return show(cpu, 's/GiB');
	return show(cpu, `us per ${cell.per === 'msg' ? 'message' : 'connection'}`);
}

/* The cells of the summary and the chart: those with a headline that wsgate has done. */
const headlines = (found) => found.cells.filter((cell) => cell.headline && cell.results.wsgate?.median);

function peersIn(cells) {
	return [...new Set(cells.flatMap((cell) => Object.keys(cell.results)))].filter((name) => name !== 'wsgate');
}

function summary(found) {
	const cells = headlines(found), names = peersIn(cells);
	const said = (r) => (r === undefined ? '' : Number.isNaN(r) ? 'fails' : show(r));
	return [
		`| CPU, wsgate = 1 | wsgate takes | ${names.join(' | ')} |`,
		`|---|---|${names.map(() => '---|').join('')}`,
		...cells.map((cell) => `| ${cell.headline} | ${wsgateTakes(cell)} | ${names.map((n) => said(ratio(cell, n))).join(' | ')} |`),
	].join('\n');
}

/* How and where it was found. */
function conditions({ how }) {
	const { rounds, time, cores, cpu, kernel, pinned, loads, date } = how;
	return `${date}: ${rounds > 1 ? `medians of ${rounds} rounds` : 'one round'} of ${time} ms; ${cores} cores (${cpu}), Linux ${kernel}, `
		+ `${pinned ? 'all on core 0' : 'not pinned'}; load average ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}.`;
}

module.exports = { HEAD, rows, summary, conditions, headlines, ratio, wsgateTakes, show };
