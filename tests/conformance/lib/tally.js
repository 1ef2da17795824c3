'use strict';
/* What became of the cases, section by section. */

const { after } = require('node:test');

class Tally {
	/* TABLES: [{ rfc, titles, cases }]. WAYS(case) is in how many each must be played. The table is printed when all tests are over. */
	constructor(tables, ways) {
		this.tables = tables;
		this.ways = ways;
		this.plays = 0;
		this.faults = new Map(); /* case -> [what went wrong] */
		this.seen = new Map();   /* case -> ways that it was played in */
		after(() => console.log(this.table()));
	}

	async play(c, way, fn) {
		this.seen.set(c, (this.seen.get(c) ?? new Set()).add(way));
		try {
			const played = await fn() ?? 1;
			this.plays += played;
		} catch (e) {
			this.plays++;
			const text = `${c.section} ${c.says} [${way}]: ${e.message}`;
			this.faults.set(c, [...this.faults.get(c) ?? [], text]);
			return text;
		}
		return null;
	}

	table() {
		const rows = [['section', '', 'cases', 'passed', 'failed']];
		const total = [0, 0, 0];
		for (const { rfc, titles, cases } of this.tables) {
			for (const [section, title] of Object.entries(titles).sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))) {
				const mine = cases.filter((c) => c.section === section);
				const failed = mine.filter((c) => this.faults.has(c)).length;
				const passed = mine.filter((c) => !this.faults.has(c) && this.seen.get(c)?.size === this.ways(c)).length;
				[mine.length, passed, failed].forEach((n, i) => { total[i] += n; });
				rows.push([`${rfc} ${section}`, title, mine.length, passed, failed]);
			}
		}
		rows.push(['all', `played ${this.plays} times`, ...total]);
		const width = rows[0].map((_, i) => Math.max(...rows.map((r) => String(r[i]).length)));
		return rows.map((r) => r.map((v, i) => (i < 2 ? String(v).padEnd(width[i]) : String(v).padStart(width[i]))).join('  ')).join('\n');
	}
}

/* Runs FN of every item, WIDTH of them at a time. */
async function abreast(width, items, fn) {
	const queue = items.values();
	await Promise.all(Array.from({ length: width }, async () => {
		for (const item of queue)
			await fn(item);
	}));
}

module.exports = { Tally, abreast };
