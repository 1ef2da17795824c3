'use strict';
/* reverse_lookup: REMOTE_HOST is the name of the client's host, if it leads back to the address; asked of a DNS server of our own. */

const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { scenario, until, within } = require('./lib/wsgate');
const { upgradeHead, readHead, readBody, frame, TEXT } = require('./lib/raw');

/* A mount namespace, in which resolv.conf and the hosts file are ours; and an address whose port 53 is free. */
const UNSHARE = process.getuid() === 0 ? ['unshare', '-m'] : ['unshare', '-rm'];
const HIDE = 'mount --bind "$0/resolv.conf" /etc/resolv.conf && mount --bind "$0/hosts" /etc/hosts && exec "$@"';
const ADDRESS = `127.53.${(process.pid >> 8) & 255}.${process.pid & 255}`;
const MAY_LISTEN = `const s = require("dgram").createSocket("udp4"); s.bind(53, "${ADDRESS}", () => s.close())`;
const skip = (spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'sh', '-c', 'mount --bind /dev/null /etc/hosts && mount --bind /dev/null /etc/resolv.conf'])
	.status !== 0 && 'no mount namespace is to be had here')
	|| (spawnSync(process.execPath, ['-e', MAY_LISTEN]).status !== 0 && 'nobody may listen on port 53 here');

const PTR = 12, A = 1;

/* RFC 1035 4.1.2: the labels of the one question, and its end. */
function questionOf(message) {
	const labels = [];
	let at = 12;
	for (; message[at] > 0; at += message[at] + 1)
		labels.push(message.toString('latin1', at + 1, at + 1 + message[at]));
	return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

const nameBytes = (name) => Buffer.concat([...name.split('.').map((l) => Buffer.concat([Buffer.from([l.length]), Buffer.from(l, 'latin1')])), Buffer.from([0])]);
const dataOf = (type, text) => (type === PTR ? nameBytes(text) : Buffer.from(text.split('.').map(Number)));

/* ZONE: { 'TYPE name': [data, ...] }; what is not in it does not exist, null is never answered. */
async function nameServer(s, zone) {
	const socket = dgram.createSocket('udp4');
	const server = { asked: [] };
	socket.on('message', (query, from) => {
		const { name, type, end } = questionOf(query);
		const key = `${type === PTR ? 'PTR' : type === A ? 'A' : type} ${name}`;
		server.asked.push(key);
		if (zone[key] === null)
			return;
		const found = zone[key] ?? [];
		const head = Buffer.from(query.subarray(0, 12));
		head.writeUInt16BE(found.length > 0 ? 0x8180 : 0x8183, 2);
		head.writeUInt16BE(found.length, 6);
		head.fill(0, 8);
		const answers = found.map((text) => {
			const data = dataOf(type, text);
			return Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]), data]);
		});
		socket.send(Buffer.concat([head, query.subarray(12, end), ...answers]), from.port, from.address);
	});
	await new Promise((resolve) => { socket.bind(53, ADDRESS, resolve); });
	s.after(() => socket.close());
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wsgate-names-'));
	s.after(() => fs.rmSync(dir, { recursive: true }));
	fs.writeFileSync(path.join(dir, 'resolv.conf'), `nameserver ${ADDRESS}\n`);
	fs.writeFileSync(path.join(dir, 'hosts'), '127.0.0.1 home.example\n127.0.0.2 stranger.example\n');
	server.wrap = [...UNSHARE, 'sh', '-c', HIDE, dir];
	return server;
}

const ptr = (host) => `PTR ${host.split('.').reverse().join('.')}.in-addr.arpa`;
const tell = '#!/bin/sh\necho "$REMOTE_HOST $REMOTE_ADDR"\n';
const tellPage = '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n%s" "$REMOTE_HOST"\n';
const files = { 'tell.sh': tell, 'cgi/who': tellPage };
const ini = '[/]\nexec = ./tell.sh\n[/cgi]\ncgi = ./cgi\n';

async function toldTo(g, localAddress) {
	const c = await g.open('/', { localAddress });
	const line = await c.nextText();
	await c.leave();
	const [name, address] = line.split(' ');
	assert.equal(address, localAddress);
	return name;
}

scenario('a name that leads back to the address is told, and no other', async (s) => {
	const dns = await nameServer(s, {
		[ptr('127.0.0.3')]: ['Three.example'],
		'A three.example': ['127.0.0.9', '127.0.0.3'],
		[ptr('127.0.0.4')]: ['bank.example'],
		'A bank.example': ['127.0.0.9'],
		[ptr('127.0.0.5')]: ['nowhere.example'],
		[ptr('127.0.0.7')]: ['$(id) x.example'],
		'A $(id) x.example': ['127.0.0.7'],
		[ptr('127.0.0.8')]: ['127.0.0.1'],
	});
	const g = await s.gate({ files, wrap: dns.wrap, args: ['--reverselookup'], ini });
	assert.equal(await toldTo(g, '127.0.0.1'), 'home.example', 'from the hosts file');
	assert.equal(await toldTo(g, '127.0.0.3'), 'Three.example');
	assert.equal(await toldTo(g, '127.0.0.4'), '127.0.0.4', 'the name is another host\'s');
	assert.equal(await toldTo(g, '127.0.0.5'), '127.0.0.5', 'the name has no address');
	assert.equal(await toldTo(g, '127.0.0.6'), '127.0.0.6', 'there is no name');
	assert.equal(await toldTo(g, '127.0.0.7'), '127.0.0.7', 'that is no name');
	assert.equal(await toldTo(g, '127.0.0.8'), '127.0.0.8', 'the name is an address');
	assert.ok(dns.asked.includes('A bank.example'));
}, { skip });

scenario('programs that answer are told too, once for each connection, with or without a body', async (s) => {
	const dns = await nameServer(s, { [ptr('127.0.0.3')]: ['three.example'], 'A three.example': ['127.0.0.3'] });
	const g = await s.gate({ files, wrap: dns.wrap, ini: `[defaults]\nreverse_lookup = yes\n${ini}` });
	const w = g.wire({ localAddress: '127.0.0.3' });
	await w.connected;
	await w.write('POST /cgi/who HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n'
		+ 'POST /cgi/who HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nabGET /cgi/who HTTP/1.1\r\nHost: x\r\n\r\n');
	for (let i = 0; i < 3; i++) {
		const answer = await within(20000, readHead(w), 'response');
		assert.equal((await readBody(w, answer)).toString(), 'three.example');
	}
	assert.equal(dns.asked.filter((q) => q.startsWith('PTR')).length, 1);
}, { skip });

scenario('without it nobody is asked, and neither for what starts no program', async (s) => {
	const dns = await nameServer(s, {});
	const g = await s.gate({
		files,
		wrap: dns.wrap,
		ini: `${ini}[/asks]\nexec = ./tell.sh\nreverse_lookup = yes\n`,
	});
	assert.equal(await toldTo(g, '127.0.0.3'), '127.0.0.3');
	assert.equal((await g.refusal('/asks', { localAddress: '127.0.0.3', headers: { Origin: 'http://evil.example' } })).status, 403);
	assert.deepEqual(dns.asked, []);
}, { skip });

scenario('a name server that is silent delays the program, and no longer than a fifth of handshake_timeout', async (s) => {
	const dns = await nameServer(s, {
		[ptr('127.0.0.3')]: null,
		[ptr('127.0.0.4')]: ['four.example'],
		'A four.example': null,
	});
	const g = await s.gate({ files, wrap: dns.wrap, args: ['--reverselookup', '--handshake-timeout=2s'], ini });
	const began = Date.now();
	assert.equal(await toldTo(g, '127.0.0.3'), '127.0.0.3');
	assert.equal(await toldTo(g, '127.0.0.4'), '127.0.0.4');
	s.say(`both were told after ${Date.now() - began} ms (400 each)`);
	const other = await toldTo(g, '127.0.0.1');
	assert.equal(other, 'home.example');
}, { skip });

scenario('a client that leaves while its name is looked up leaves nothing behind; what it sent early is kept', async (s) => {
	const dns = await nameServer(s, { [ptr('127.0.0.3')]: null });
	const g = await s.gate({ files: { 'cat.sh': '#!/bin/sh\necho started >> started\nexec cat\n' }, wrap: dns.wrap, args: ['--workers=1', '--reverselookup', '--handshake-timeout=30s'], ini: '[/]\nexec = ./cat.sh\n' });
	await toldNothing(g);
	const base = g.fds();
	for (let i = 0; i < 10; i++) {
		const w = g.wire({ localAddress: '127.0.0.3' });
		await w.connected;
		await w.write(upgradeHead('/'));
		await until(10000, () => dns.asked.length > i, 'its name is being looked up');
		if (i % 2)
			w.reset();
		else
			w.destroy();
	}
	await g.settled(base, 10000);
	assert.equal(g.read('started').toString(), 'started\n', 'of the first one');
	const c = await g.open('/', { localAddress: '127.0.0.4', behind: frame(TEXT, 'early') });
	assert.equal(await c.nextText(), 'early');
	const late = g.wire({ localAddress: '127.0.0.3' });
	await late.connected;
	const asked = dns.asked.length;
	await late.write(upgradeHead('/'));
	await until(10000, () => dns.asked.length > asked, 'its name is being looked up');
	c.destroy();
	g.signal('SIGTERM');
	assert.equal((await within(10000, readHead(late), 'answer')).status, 503);
	late.destroy();
	assert.deepEqual(await within(10000, g.exited, 'end'), { code: 0, signal: null });
}, { skip });

/* A first one, after which the resolver is there. */
async function toldNothing(g) {
	const c = await g.open('/', { localAddress: '127.0.0.4' });
	await c.bye(1000);
	await g.childless();
}
