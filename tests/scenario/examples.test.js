'use strict';
/*
 * Every example is run, and does what examples/README.md says. What a language or a service needs may not
 * be installed: such a test is skipped, and says what is missing.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const tls = require('node:tls');
const { randomBytes } = require('node:crypto');
const { spawn, spawnSync, execFileSync } = require('node:child_process');
const { scenario, EXAMPLES, until, within } = require('./lib/wsgate');
const { echo, closedPort } = require('./lib/services');

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
const needs = (...commands) => {
	const missing = commands.filter((c) => !has(c));
	return missing.length > 0 && `${missing.join(' and ')} is not installed`;
};

/* The text of an example's INI file, with its paths made absolute, and with what a test has to change. */
function ini(name, changes = {}) {
	let text = fs.readFileSync(path.join(EXAMPLES, name), 'utf8').replaceAll('./', `${EXAMPLES}/`);
	for (const [from, to] of Object.entries(changes)) {
		assert.ok(text.includes(from), `${name} has ${from}`);
		text = text.replaceAll(from, to);
	}
	return text;
}

/* A process that is no child of wsgate; it ends with the test. Resolves when it has written WORD. */
async function start(s, command, args, { word, options = {} } = {}) {
	const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
	let said = '';
	const gone = new Promise((resolve) => { child.once('close', resolve); });
	s.after(async () => {
		child.kill('SIGTERM');
		await within(10000, gone, `end of ${command}`);
	});
	for (const stream of [child.stdout, child.stderr])
		stream.on('data', (d) => { said += d; });
	if (word)
		await until(20000, () => said.match(word), () => `${command} says ${word}, but: ${said}`);
	return { child, said: () => said };
}

/* --- counter, greeter and tail, in each language --------------------------------------------- */

const LANGUAGES = [
	['sh', 'sh'], ['bash', 'bash'], ['awk', 'mawk'], ['py', 'python3'], ['pl', 'perl'], ['rb', 'ruby'], ['js', 'node'], ['lua', 'lua'], ['c', 'cc'],
];

/* A script as it is; C compiled by the line that its comment has. */
function program(s, name, ending) {
	const source = path.join(EXAMPLES, `${name}.${ending}`);
	if (ending !== 'c')
		return source;
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-example-'));
	s.after(() => fs.rmSync(dir, { recursive: true }));
	const line = /^ \*\t(cc .*?) &&/m.exec(fs.readFileSync(source, 'utf8'))[1];
	execFileSync('sh', ['-c', `cp ${source} ${dir} && cd ${dir} && ${line} -Wall -Wextra -Werror`], { stdio: 'inherit' });
	return path.join(dir, name);
}

for (const [ending, interpreter] of LANGUAGES) {
	scenario(`counter.${ending} counts, a line at a time, and ends with exit 0`, async (s) => {
		const counter = program(s, 'counter', ending);
		const g = await s.gate(['--', counter, '3', '0.01']);
		const c = await g.open();
		for (const n of ['1', '2', '3'])
			assert.equal(await c.nextText(), n);
		assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
		/* Not at the end: the second number would come after a minute. And who leaves early leaves nothing behind. */
		const slow = await s.gate(['--', counter, '3', '60']);
		const d = await slow.open();
		assert.equal(await d.nextText(10000), '1');
		assert.equal((await d.bye(1000)).code, 1000);
		await slow.childless();
		assert.ok(!/Traceback|Interrupt \(|Error/.test(slow.log), slow.log);
	}, { skip: needs(interpreter) });

	scenario(`greeter.${ending} greets`, async (s) => {
		const g = await s.gate(['--', program(s, 'greeter', ending)]);
		const c = await g.open();
		for (const name of ['Ada', 'Grace Hopper', 'Жанна 𝄞', '', '$(id) "%s" \\n']) {
			await c.text(name);
			assert.equal(await c.nextText(10000), `Hello, ${name}!`);
		}
		assert.equal((await c.bye(1000)).code, 1000);
		await g.line(/exit=0|signal=INT/);
	}, { skip: needs(interpreter) });

	scenario(`tail.${ending} shows the last ten lines, then what is written`, async (s) => {
		const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-example-'));
		s.after(() => fs.rmSync(dir, { recursive: true }));
		const log = path.join(dir, "a log's name");
		fs.writeFileSync(log, Array.from({ length: 25 }, (_, i) => `line ${i + 1}\n`).join(''));
		const g = await s.gate(['--', program(s, 'tail', ending), log]);
		const c = await g.open();
		for (let i = 16; i <= 25; i++)
			assert.equal(await c.nextText(10000), `line ${i}`);
		fs.appendFileSync(log, 'first half, ');
		fs.appendFileSync(log, 'second half\nand ünïcode\n');
		assert.equal(await c.nextText(10000), 'first half, second half');
		assert.equal(await c.nextText(10000), 'and ünïcode');
		assert.equal((await c.bye(1000)).code, 1000);
		await g.childless();
		assert.ok(!/Traceback|Interrupt|Error/.test(g.log), g.log);
	}, { skip: needs(interpreter, 'tail') });
}

/* --- configurations ----------------------------------------------------------------------------- */

scenario('every INI file of the examples is good, or names what has to be installed', async (s) => {
	for (const name of fs.readdirSync(EXAMPLES).filter((n) => n.endsWith('.ini'))) {
		const r = await s.run(['--check', `--config=${path.join(EXAMPLES, name)}`]);
		const missing = r.lines.filter((l) => !/no such (?:file|program)|not found|is not there/i.test(l)).join('\n');
		if (r.code === 0)
			continue;
		assert.equal(r.code, 78, name);
		assert.equal(missing, '', name);
		s.say(`${name}: ${r.err}`);
	}
});

/* --- the demo's programs ------------------------------------------------------------------------ */

const demo = (s) => s.gate({ ini: ini('demo.ini') });

scenario('vmstat gives a sample a second, as the chart page reads it', async (s) => {
	const g = await demo(s);
	const c = await g.open('/vmstat');
	await c.nextText();
	const columns = (await c.nextText()).trim().split(/\s+/);
	for (const name of ['us', 'sy', 'wa', 'free', 'cache', 'swpd', 'bi', 'bo', 'cs', 'in'])
		assert.ok(columns.includes(name), `${name} in ${columns}`);
	for (let i = 0; i < 2; i++) {
		const sample = (await c.nextText(5000)).trim().split(/\s+/).map(Number);
		assert.equal(sample.length, columns.length);
		assert.ok(sample.every(Number.isFinite), sample.join());
	}
	await c.bye(1000);
}, { skip: needs('vmstat') });

scenario('top gives a table with the columns of the process page', async (s) => {
	const g = await demo(s);
	const c = await g.open('/top');
	const lines = [];
	const header = await until(10000, async () => {
		lines.push(await c.nextText());
		return lines.at(-1).trim().startsWith('PID') && lines.at(-1).trim().split(/\s+/);
	}, () => lines.join('\n'));
	assert.match(lines[0], /^top - /);
	for (const name of ['PID', 'USER', 'RES', '%CPU', '%MEM', 'TIME+', 'COMMAND'])
		assert.ok(header.includes(name), name);
	assert.match((await c.nextText()).trim(), /^\d+ /);
	c.reset();
}, { skip: needs('top') });

scenario('a page whose program is missing is told so', async (s) => {
	const g = await s.gate({ ini: ini('demo.ini', { 'exec vmstat': 'exec no-such-program' }) });
	const c = await g.open('/vmstat');
	assert.deepEqual(await c.leave(), { code: 1011, reason: 'exit 127' });
});

/* --- JSON-RPC: MCP and LSP ------------------------------------------------------------------------ */

/* Requests over a raw client, each with its answer; what else comes is kept as events. */
class Rpc {
	constructor(client) {
		this.client = client;
		this.events = [];
		this.id = 0;
	}

	async ask(method, params) {
		const id = ++this.id;
		await this.client.text(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
		for (;;) {
			const message = JSON.parse(await this.client.nextText(10000));
			assert.equal(message.jsonrpc, '2.0');
			if (message.id === id)
				return message;
			this.events.push(message);
		}
	}

	tell(method, params) {
		return this.client.text(JSON.stringify({ jsonrpc: '2.0', method, params }));
	}
}

scenario('the MCP server is initialised, lists its tools, and is called', async (s) => {
	const g = await demo(s);
	const c = await g.open('/mcp');
	const rpc = new Rpc(c);
	const { result } = await rpc.ask('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } });
	assert.equal(result.protocolVersion, '2025-06-18');
	assert.equal(result.serverInfo.name, 'wsgate-example');
	await rpc.tell('notifications/initialized');
	const { tools } = (await rpc.ask('tools/list')).result;
	assert.deepEqual(tools.map((t) => t.name), ['roll', 'measure', 'days_until']);
	for (const tool of tools)
		assert.equal(tool.inputSchema.type, 'object');
	const call = async (name, args) => (await rpc.ask('tools/call', { name, arguments: args })).result;
	const rolled = await call('roll', { dice: 3, sides: 6 });
	const [, ...dice] = /^(\d) \+ (\d) \+ (\d) = (\d+)$/.exec(rolled.content[0].text);
	assert.equal(Number(dice[0]) + Number(dice[1]) + Number(dice[2]), Number(dice[3]));
	assert.equal((await call('measure', { text: 'zwei Wörter\nund mehr 𝄞' })).content[0].text, '2 lines, 5 words, 22 characters, 26 bytes');
	assert.equal((await call('roll', { dice: 0 })).isError, true);
	assert.equal((await rpc.ask('tools/call', { name: 'none' })).error.code, -32602);
	assert.equal((await rpc.ask('nothing/here')).error.code, -32601);
	assert.deepEqual(rpc.events, []);
	assert.equal((await c.bye(1000)).code, 1000);
	await g.line(/exit=0/);
}, { skip: needs('python3') });

scenario('what is no JSON never gets to the MCP server', async (s) => {
	const g = await demo(s);
	for (const bad of ['{"jsonrpc":', '{}\n{}', 'hello']) {
		const c = await g.open('/mcp');
		await c.text(bad);
		assert.equal((await c.leave()).code, 1007, bad);
	}
}, { skip: needs('python3') });

scenario('the language server finds, completes, explains and shuts down', async (s) => {
	const g = await demo(s);
	const c = await g.open('/lsp');
	const rpc = new Rpc(c);
	const uri = 'file:///a.txt';
	const { capabilities } = (await rpc.ask('initialize', { capabilities: {} })).result;
	assert.equal(capabilities.hoverProvider, true);
	await rpc.tell('initialized', {});
	await rpc.tell('textDocument/didOpen', { textDocument: { uri, languageId: 'prose', version: 1, text: '# Überschrift\n𝄞 the the end \nTODO thesaurus' } });
	const symbols = (await rpc.ask('textDocument/documentSymbol', { textDocument: { uri } })).result;
	assert.deepEqual(symbols.map((x) => x.name), ['Überschrift']);
	const [published] = rpc.events;
	assert.equal(published.method, 'textDocument/publishDiagnostics');
	assert.deepEqual(published.params.diagnostics.map((d) => [d.range.start.line, d.range.start.character, d.range.end.character, d.message]), [
		[1, 3, 10, '“the” stands here twice'], [1, 14, 15, 'blanks at the end of the line'], [2, 0, 4, 'still to be done'],
	]);
	const at = (line, character) => ({ textDocument: { uri }, position: { line, character } });
	assert.match((await rpc.ask('textDocument/hover', at(1, 4))).result.contents.value, /“the”: 2 times/);
	assert.deepEqual((await rpc.ask('textDocument/completion', at(1, 6))).result.map((i) => i.label), ['thesaurus']);
	await rpc.tell('textDocument/didChange', { textDocument: { uri, version: 2 }, contentChanges: [{ text: 'all is well' }] });
	assert.equal((await rpc.ask('shutdown')).result, null);
	assert.deepEqual(rpc.events.at(-1).params.diagnostics, []);
	await rpc.tell('exit');
	assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
}, { skip: needs('python3') });

/* --- services ------------------------------------------------------------------------------------- */

scenario('the chat: pages and nc are in one room', async (s) => {
	const chat = await start(s, path.join(EXAMPLES, 'chat.py'), ['0'], { word: /chat on 127\.0\.0\.1:\d+/ });
	const port = /:(\d+)/.exec(chat.said())[1];
	const g = await s.gate({ ini: ini('chat.ini', { '127.0.0.1:7007': `127.0.0.1:${port}` }) });
	const ada = await g.open('/chat');
	await ada.text('Ada');
	assert.equal(await ada.nextText(), '* Ada is here. In the room: Ada');
	const other = await g.open('/chat');
	await other.text('Ada');
	for (const c of [ada, other])
		assert.equal(await c.nextText(), '* Ada 2 is here. In the room: Ada, Ada 2');
	const plain = net.connect(Number(port), '127.0.0.1');
	s.after(() => plain.destroy());
	plain.write('Grace\nhello from nc\n');
	for (const c of [ada, other]) {
		assert.equal(await c.nextText(), '* Grace is here. In the room: Ada, Ada 2, Grace');
		assert.equal(await c.nextText(), 'Grace: hello from nc');
	}
	await other.text('grüße 𝄞');
	assert.equal(await ada.nextText(), 'Ada 2: grüße 𝄞');
	await other.bye(1000);
	assert.equal(await ada.nextText(), '* Ada 2 has left. In the room: Ada, Grace');
	const long = await g.open('/chat');
	await long.text('x'.repeat(5000));
	assert.equal((await long.leave()).code, 1009, 'max_message of the route');
	await ada.bye(1000);
}, { skip: needs('python3') });

scenario('the chat without its service: 502, before the upgrade', async (s) => {
	const g = await s.gate({ ini: ini('chat.ini', { '127.0.0.1:7007': `127.0.0.1:${await closedPort()}` }) });
	assert.equal((await g.refusal('/chat')).status, 502);
	assert.equal((await g.get('/chat.html')).status, 200);
});

scenario('redis-cli: every client its own, one Redis', async (s) => {
	const port = await closedPort();
	await start(s, 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { word: /Ready to accept/ });
	const g = await s.gate({ ini: ini('redis.ini', { 'redis-cli -h 127.0.0.1 -p 6379': `redis-cli -h 127.0.0.1 -p ${port}` }) });
	const [a, b] = [await g.open('/redis'), await g.open('/redis')];
	await a.text('SET greeting "grüße"');
	assert.equal(await a.nextText(10000), 'OK');
	await b.text('GET greeting');
	assert.equal(await b.nextText(10000), '"gr\\xc3\\xbc\\xc3\\x9fe"');
	await b.text('NONSENSE');
	assert.match(await b.nextText(), /^\(error\) ERR unknown command/);
	await b.bye(1000);
	await a.text('INCR visits');
	assert.equal(await a.nextText(), '(integer) 1');
	assert.equal((await a.bye(1000)).code, 1000);
	await g.line(/exit=0/);
}, { skip: needs('redis-server', 'redis-cli') });

const initdb = fs.existsSync('/usr/lib/postgresql')
	? fs.readdirSync('/usr/lib/postgresql').map((v) => `/usr/lib/postgresql/${v}/bin`).find((d) => fs.existsSync(`${d}/initdb`)) : null;

scenario('psql: a session of one\'s own, with its transaction', async (s) => {
	/* PostgreSQL does not run as root. */
	const asUser = process.getuid() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : ['env'];
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-psql-'));
	s.after(() => fs.rmSync(dir, { recursive: true, force: true }));
	if (process.getuid() === 0)
		execFileSync('chown', ['postgres', dir]);
	execFileSync(asUser[0], [...asUser.slice(1), `${initdb}/initdb`, '-D', `${dir}/db`, '-A', 'trust', '-U', 'tester', '-N', '--no-locale', '-E', 'UTF8'], { cwd: dir, stdio: 'ignore' });
	await start(s, asUser[0], [...asUser.slice(1), `${initdb}/postgres`, '-D', `${dir}/db`, '-k', dir, '-F', '-c', 'listen_addresses='],
		{ word: /ready to accept connections/, options: { cwd: dir } });
	const g = await s.gate({ ini: ini('psql.ini'), env: { PGHOST: dir, PGUSER: 'tester', PGDATABASE: 'postgres' } });
	const [a, b] = [await g.open('/psql'), await g.open('/psql')];
	const ask = async (c, sql, lines) => {
		await c.text(sql);
		const got = [];
		while (got.length < lines)
			got.push(await c.nextText(10000));
		return got;
	};
	assert.deepEqual(await ask(a, 'CREATE TABLE t (word text);', 1), ['CREATE TABLE']);
	assert.deepEqual(await ask(a, 'BEGIN; INSERT INTO t VALUES (\'grüße\');', 2), ['BEGIN', 'INSERT 0 1']);
	assert.deepEqual((await ask(b, 'SELECT count(*) FROM t;', 4)).map((l) => l.trim()), ['count', '-------', '0', '']);
	assert.deepEqual(await ask(a, 'COMMIT;', 1), ['COMMIT']);
	assert.deepEqual((await ask(b, 'SELECT word FROM t;', 4)).map((l) => l.trim()), ['word', '-------', 'grüße', '']);
	assert.match((await ask(b, 'SELECT 1/0;', 1))[0], /division by zero/);
	for (const c of [a, b])
		assert.equal((await c.bye(1000)).code, 1000);
	await g.line(/exit=0/);
}, { skip: needs('psql') || (!initdb && 'the PostgreSQL server is not installed') || (process.getuid() === 0 && needs('setpriv')) });

/* --- ssh's end of a pipe ---------------------------------------------------------------------------- */

/* Runs wsgate-proxy at URL with INPUT (null: it stays open, and silent): { status, out, err }. */
function proxy(url, input, { ms = 60000, env = {} } = {}) {
	const child = spawn(path.join(EXAMPLES, 'ssh/wsgate-proxy'), [url], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
	const out = [];
	let err = '';
	child.stdout.on('data', (d) => out.push(d));
	child.stderr.on('data', (d) => { err += d; });
	child.stdin.on('error', () => {});
	if (input !== null)
		child.stdin.end(input);
	return within(ms, new Promise((resolve) => {
		child.once('close', (status) => resolve({ status, out: Buffer.concat(out), err }));
	}), `end of wsgate-proxy ${url}`);
}

scenario('wsgate-proxy carries 20 MB there and back, whole', async (s) => {
	const svc = await echo(s);
	const g = await s.gate({ args: [`--tcp=127.0.0.1:${svc.port}`] });
	const data = randomBytes(20 * 1024 * 1024);
	const { status, out, err } = await proxy(g.url('/ssh'), data);
	assert.equal(err, '');
	assert.equal(status, 0);
	assert.ok(out.equals(data), `${out.length} of ${data.length} bytes`);
}, { skip: needs('python3') });

scenario('wsgate-proxy over TLS checks the certificate', async (s) => {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-example-'));
	s.after(() => fs.rmSync(dir, { recursive: true }));
	const [key, cert] = [path.join(dir, 'key'), path.join(dir, 'cert')];
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
		'-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' });
	const g = await s.gate(['--framing=raw', 'cat']);
	const front = tls.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, (c) => {
		const inner = net.connect(g.port, '127.0.0.1');
		c.on('error', () => inner.destroy());
		inner.on('error', () => c.destroy());
		c.pipe(inner).pipe(c);
	});
	await new Promise((resolve) => { front.listen(0, '127.0.0.1', resolve); });
	s.after(() => front.close());
	const url = `wss://localhost:${front.address().port}/`;
	const data = randomBytes(3 * 1024 * 1024);
	const { status, out, err } = await proxy(url, data, { env: { SSL_CERT_FILE: cert } });
	assert.equal(err, '');
	assert.equal(status, 0);
	assert.ok(out.equals(data), `${out.length} of ${data.length} bytes`);
	const stranger = await proxy(url, null);
	assert.equal(stranger.status, 1);
	assert.match(stranger.err, /certificate verify failed/i);
}, { skip: needs('python3', 'openssl') });

scenario('wsgate-proxy says on stderr what went wrong', async (s) => {
	const g = await s.gate({ ini: `[/gone]\ntcp = 127.0.0.1:${await closedPort()}\n[/fails]\nshell = exit 3\n` });
	const gone = await proxy(g.url('/gone'), null);
	assert.equal(gone.status, 1);
	assert.match(gone.err, /^wsgate-proxy: the server answered 502/);
	const fails = await proxy(g.url('/fails'), null);
	assert.equal(fails.status, 1);
	assert.match(fails.err, /1011 exit 3/);
	assert.match((await proxy('ws://127.0.0.1:1/', null)).err, /refused/);
}, { skip: needs('python3') });

/* --- a form ------------------------------------------------------------------------------------------ */

scenario('the CGI form shows what it was sent, and runs none of it', async (s) => {
	const g = await s.gate({ ini: ini('form.ini') });
	assert.match((await g.get('/form.html')).body, /action="cgi\/form.sh"/);
	const body = 'name=Ada+L%C3%B6velace&words=%3Cscript%3Ealert(1)%3C%2Fscript%3E+%24(id)%0Atwo';
	const head = `Host: 127.0.0.1:${g.port}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
	const sent = await g.http(`POST /cgi/form.sh HTTP/1.1\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`);
	assert.equal(sent.status, 200);
	const page = Buffer.from(sent.body, 'latin1').toString();
	assert.ok(page.includes('<dt>name</dt><dd>Ada Lövelace</dd>'), page);
	assert.ok(page.includes('<dd>&lt;script&gt;alert(1)&lt;/script&gt; $(id)\ntwo</dd>'), page);
	assert.match((await g.get('/cgi/form.sh?a=b%26')).body, /<dt>a<\/dt><dd>b&amp;<\/dd>/);
	assert.equal((await g.http(`DELETE /cgi/form.sh HTTP/1.1\r\n${head}\r\n`)).status, 405);
});
