'use strict';
/*
 * The chart: for each headline the CPU of every peer, wsgate being 1, as bars on one linear scale. What is longer than the
 * scale is broken off, and its figure says how long it would be.
 */

const { headlines, ratio, wsgateTakes, conditions } = require('./table.js');

const WIDTH = 880, MARGIN = 24, GAP = 32, COLUMNS = 2;
const PANEL = (WIDTH - 2 * MARGIN - GAP) / COLUMNS;
const NAME = 82, VALUE = 54, BAR = 11, LINE = 16, TITLE = 24, FOOT = 18;
const SCALE_MAX = 6;
const UNIT = (PANEL - NAME - VALUE) / SCALE_MAX;
const TOP = 84;
const NAMES = { ceiling: 'bare relay' };

const STYLE = `
	.page { fill: #ffffff; stroke: #d0d7de }
	text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #57606a }
	.head { font-size: 18px; font-weight: 600; fill: #1f2328 }
	.title { font-weight: 600; fill: #1f2328 }
	.name { text-anchor: end }
	.ours { font-weight: 600; fill: #0a6e5c }
	.bar { fill: #b4bcc6 }
	.bar.ours { fill: #12a085 }
	.bar.bare { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 }
	.one { stroke: #12a085; stroke-dasharray: 2 3 }
	.break { stroke: #ffffff; stroke-width: 3 }
	.small { font-size: 11px }
	@media (prefers-color-scheme: dark) {
		.page { fill: #0d1117; stroke: #30363d }
		text { fill: #9198a1 }
		.head, .title { fill: #f0f6fc }
		.ours { fill: #3ddbb8 }
		.bar { fill: #4d5560 }
		.bar.ours { fill: #25b896 }
		.bar.bare { stroke: #7d8590 }
		.break { stroke: #0d1117 }
	}`;

const escape = (text) => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;');
const put = (x, y, css, text) => `<text x="${x}" y="${y}" class="${css}">${escape(text)}</text>`;

/* Two strokes across a bar that goes on. */
const broken = (x, y) => [0, 6].map((d) => `<path class="break" d="M${x + d - 3} ${y + BAR + 2}l6 -${BAR + 4}"/>`).join('');

function bar(name, r, value, y) {
	const css = name === 'wsgate' ? ' ours' : name === 'ceiling' ? ' bare' : '';
	const label = put(NAME - 8, y + BAR - 1, `name${css}`, NAMES[name] || name);
	if (Number.isNaN(r)) return label + put(NAME + 4, y + BAR - 1, '', 'fails');
	const length = Math.min(r, SCALE_MAX) * UNIT;
	return label + `<rect class="bar${css}" x="${NAME}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" rx="1.5"/>`
		+ (r > SCALE_MAX ? broken(NAME + length - 26, y) : '')
		+ put((NAME + Math.max(length, UNIT) + 6).toFixed(1), y + BAR - 1, css, value);
}

/* wsgate first, the bare relay next, then by what they cost. */
function order(cell) {
	const rank = (name) => (name === 'wsgate' ? -2 : name === 'ceiling' ? -1 : ratio(cell, name) || Infinity);
	return Object.keys(cell.results).sort((a, b) => rank(a) - rank(b));
}

const heightOf = (cell) => TITLE + Object.keys(cell.results).length * LINE + FOOT;

const said = (r) => r.toFixed(r < 1.995 ? 2 : r < 9.95 ? 1 : 0);

function panel(cell, x, y) {
	const names = order(cell), end = TITLE + names.length * LINE;
	const value = (name) => (name === 'wsgate' ? `1 = ${wsgateTakes(cell).replace(/^(\S+) us/, '$1 \u00b5s')}` : said(ratio(cell, name)));
	return `<g transform="translate(${x} ${y})">`
		+ put(0, 12, 'title', cell.headline)
		+ `<path class="one" d="M${NAME + UNIT} ${TITLE - 4}V${end - 1}"/>`
		+ names.map((name, i) => bar(name, ratio(cell, name), value(name), TITLE + i * LINE)).join('') + '</g>';
}

/* Each panel goes where there is most room, in the order of the cells. */
function chart(found) {
	const bottoms = Array(COLUMNS).fill(TOP);
	const panels = headlines(found).map((cell) => {
		const column = bottoms.indexOf(Math.min(...bottoms)), y = bottoms[column];
		bottoms[column] += heightOf(cell);
		return panel(cell, MARGIN + column * (PANEL + GAP), y);
	});
	const height = Math.max(...bottoms) + 40;
	const { how } = found;
	return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>Processor time of WebSocket gateways for the same work</title>
<style>${STYLE}
</style>
<rect class="page" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="6"/>
${put(MARGIN, 36, 'head', 'Processor time for the same work: shorter is better')}
${put(MARGIN, 58, '', 'CPU of the gateway and the programs it starts, for each message, connection or GiB echoed; wsgate = 1. One core, loopback.')}
${panels.join('\n')}
${put(MARGIN, height - 34, 'small', 'bare relay: moves and unmasks the bytes, checks nothing. haproxy, hitch and socat relay plain TCP: the same payload, no WebSocket.')}
${put(MARGIN, height - 18, 'small', conditions(found))}
</svg>
`;
}

module.exports = { chart };
