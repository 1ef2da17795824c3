'use strict';
/*
 * What arrives when, of programs that do not flush: the table of examples/buffering.md.
 *
 *	node bench/buffering.js          (in tests/, after `make`; WSGATE as in README.md)
 *
 * Each program answers each line that it reads, as it stands, with no flush anywhere. It is started behind
 * wsgate with each setting of `buffering` and is sent lines, one at a time, the next when the answer is
 * here. The figure is the median from the line's sending to its answer; a dash: none came in a second,
 * but they all came when the program's input had ended; (!): the dynamic linker complained of the library.
 * What is not installed is left out. Behind the table, what it costs: a million lines of 54 bytes.
 */

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const WebSocket = require('ws');
const { Gate } = require('../scenario/lib/wsgate');

const ROUNDS = 20;
const PATIENCE_MS = 1000;
const SETTINGS = ['none', 'line', 'pty'];

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-bench-'));
const source = path.join(__dirname, '../scenario/helpers/never_flushes.c');

function file(name, text) {
	fs.writeFileSync(path.join(dir, name), text);
	return path.join(dir, name);
}

/* The program that COMMAND makes, or null. */
function built(name, command, args) {
	const out = path.join(dir, name);
	const r = spawnSync(command, [...(command === 'go' ? ['build'] : []), '-o', out, ...args], { stdio: 'ignore', env: { ...process.env, HOME: dir, GOCACHE: path.join(dir, 'go'), GO111MODULE: 'off' } });
	return r.status === 0 ? out : null;
}

const cxx = (first) => `#include <iostream>
#include <string>
int main() { ${first} std::string s; while (std::getline(std::cin, s)) std::cout << s << '\\n'; }\n`;

const go = (open, print) => `package main
import ("bufio"; "fmt"; "os")
var _ = fmt.Sprint
func main() { ${open}; in := bufio.NewScanner(os.Stdin); for in.Scan() { ${print} } }\n`;

const programs = [
	['C, `printf`', () => built('c', 'cc', [source])],
	['C, linked statically', () => built('static', 'cc', ['-static', source])],
	['C, 32 bits on a 64-bit system', () => built('c32', 'cc', ['-m32', source])],
	['C, musl', () => built('musl', 'musl-gcc', [source])],
	['C++, `std::cout`', () => built('cxx', 'c++', [file('a.cc', cxx('std::cin.tie(nullptr);'))])],
	['C++, `sync_with_stdio(false)`', () => built('cxx2', 'c++', [file('b.cc', cxx('std::ios::sync_with_stdio(false); std::cin.tie(nullptr);'))])],
	['Go, `fmt.Println`', () => built('go1', 'go', [file('x.go', go('', 'fmt.Println(in.Text())'))])],
	['Go, `bufio.NewWriter`', () => built('go2', 'go', [file('y.go', go('out := bufio.NewWriter(os.Stdout); defer out.Flush()', 'out.WriteString(in.Text() + "\\n")'))])],
	['Python 3, `print`', 'python3', file('a.py', 'import sys\nfor line in sys.stdin:\n    print(line.strip())\n')],
	['Perl, `print`', 'perl', '-ne', 'print'],
	['Perl, with `env = PERLIO=stdio`', 'env', 'PERLIO=stdio', 'perl', '-ne', 'print'],
	['Ruby, `puts`', 'ruby', '-e', 'while s = gets; puts s; end'],
	['Lua, `print`', 'lua5.4', '-e', 'for s in io.lines() do print(s) end'],
	['Lua, `io.write`', 'lua5.4', '-e', 'for s in io.lines() do io.write(s, "\\n") end'],
	['PHP, `echo`', 'php', '-r', 'while (($s = fgets(STDIN)) !== false) echo $s;'],
	['Tcl, `puts`', 'tclsh', file('a.tcl', 'while {[gets stdin s] >= 0} { puts $s }\n')],
	['Node, `console.log`', 'node', '-e', 'require("readline").createInterface({ input: process.stdin }).on("line", (s) => console.log(s))'],
	['sh and bash, `echo`', 'bash', '-c', 'while read -r s; do echo "$s"; done'],
	['`grep`', 'grep', '.'],
	['`sed`', 'sed', 's/a/b/'],
	['`cut`', 'cut', '-c1-'],
	['`tr`', 'tr', 'a', 'b'],
	['`uniq`', 'uniq'],
	['`jq`', 'jq', '.'],
	['`gawk`', 'gawk', '{ print }'],
	['`mawk`', 'mawk', '{ print }'],
	['`mawk`, lines of 4096 bytes', 'mawk', '{ print }'],
	['`mawk -W interactive`', 'mawk', '-W', 'interactive', '{ print }'],
	['`busybox awk`, static', 'busybox', 'awk', '{ print }'],
	['`grep . \\| sed s/a/b/`', 'sh', '-c', 'grep . | sed s/a/b/'],
	['`sed s/a/b/ \\| gawk "{ print }" \\| cut -c1-`', 'sh', '-c', 'sed s/a/b/ | gawk "{ print }" | cut -c1-'],
	['`perl -ne print \\| grep .`', 'sh', '-c', 'perl -ne print | grep .'],
	['`stdbuf -oL grep .`', 'stdbuf', '-oL', 'grep', '.'],
];

const isThere = (name) => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name]).status === 0;

function argvOf([, first, ...rest]) {
	if (typeof first === 'function') {
		const program = first();
		return program && [program];
	}
	const named = first === 'sh' ? rest[1].match(/perl|gawk/) : null;
	return isThere(named ? named[0] : first === 'env' ? rest[1] : first) ? [first, ...rest] : null;
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

/* { ms } or { late: how many answers the end has brought }. */
async function measure(argv, setting, size) {
	const g = await new Gate({ args: [`--buffering=${setting}`, '--stop=eof 2s', '--', ...argv] }).start();
	const c = new WebSocket(g.url());
	const times = [];
	let got = 0, answered = () => {};
	c.on('message', () => { got++; answered(true); });
	await new Promise((resolve, reject) => { c.on('open', resolve); c.on('error', reject); });
	for (let i = 0; i <= ROUNDS; i++) {
		const text = String(1000 + i).padEnd(size, ' ');
		const sent = process.hrtime.bigint();
		c.send(text);
		const came = await new Promise((resolve) => {
			answered = resolve;
			setTimeout(resolve, PATIENCE_MS, false);
		});
		if (!came)
			break;
		if (i > 0) /* the first one waits for the program's start */
			times.push(Number(process.hrtime.bigint() - sent) / 1e6);
	}
	const early = got;
	c.close();
	await new Promise((resolve) => { c.on('close', resolve); });
	const words = g.lines.filter((l) => /preload/i.test(l)).length;
	await g.end();
	return times.length === ROUNDS ? { ms: median(times), words } : { late: got - early, words };
}

/* Seconds for grep to print a million lines to a client; the best of three. */
async function cost(setting) {
	const text = file('text', Array.from({ length: 1e6 }, (_, i) => `line ${String(i).padStart(9, '0')} of a text of fifty bytes, more or less\n`).join(''));
	const g = await new Gate({ args: [`--buffering=${setting}`, '--', 'grep', '.', text] }).start();
	let best = Infinity;
	for (let round = 0; round < 3; round++) {
		const begun = Date.now();
		let lines = 0;
		const c = new WebSocket(g.url());
		c.on('message', () => { lines++; });
		await new Promise((resolve) => { c.on('close', resolve); });
		if (lines !== 1e6)
			throw new Error(`${lines} lines`);
		best = Math.min(best, Date.now() - begun);
	}
	await g.end();
	return best / 1000;
}

async function main() {
	const rows = [];
	for (const p of programs) {
		const argv = argvOf(p);
		if (argv === null) {
			console.error(`left out: ${p[0]}`);
			continue;
		}
		const cells = [];
		for (const setting of SETTINGS) {
			const r = await measure(argv, setting, /4096/.test(p[0]) ? 4095 : 4);
			cells.push((r.ms !== undefined ? `${r.ms.toFixed(1)} ms` : r.late > 0 ? '-' : 'LOST') + (r.words ? ' (!)' : ''));
		}
		rows.push(`| ${p[0]} | ${cells.join(' | ')} |`);
		console.error(rows.at(-1));
	}
	console.log(`| program | ${SETTINGS.map((s) => `\`${s}\``).join(' | ')} |\n|---|---|---|---|\n${rows.join('\n')}`);
	for (const setting of SETTINGS)
		console.log(`${setting}: a million lines in ${(await cost(setting)).toFixed(1)} s`);
}

main().finally(() => fs.rmSync(dir, { recursive: true, force: true }));
