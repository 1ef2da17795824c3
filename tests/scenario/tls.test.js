'use strict';
/* wss:// and https://: the same as without TLS, and nobody gets in who should not. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');
const { spawn, spawnSync } = require('node:child_process');
const WebSocket = require('ws');
const { client: OtherClient } = require('websocket');
const { scenario, FULL, NOT_WRAPPED, within, until } = require('./lib/wsgate');
const { makeAll } = require('./lib/certificates');
const { frame, http, upgradeHead, BINARY } = require('./lib/raw');
const { echo } = require('./lib/services');
const bytes = require('./lib/bytes');

const pki = makeAll([
	{ name: 'ca' },
	{ name: 'other-ca' },
	{ name: 'one', subject: '/O=Test/CN=one.test', names: 'DNS:one.test,DNS:localhost,IP:127.0.0.1', issuer: 'ca' },
	{ name: 'two', subject: '/O=Test/CN=two.test', names: 'DNS:two.test', issuer: 'ca', rsa: true },
	{ name: 'old', names: 'DNS:old.test', issuer: 'ca', days: -1 },
	{ name: 'alice', subject: '/O=Test, Inc./CN=Alice Liddell', issuer: 'ca' },
	{ name: 'mallory', issuer: 'other-ca' },
]);

const files = {
	'ca.pem': pki.ca.cert,
	'one.pem': pki.one.cert, 'one.key': pki.one.key,
	'two.pem': pki.two.cert, 'two.key': pki.two.key,
	'old.pem': pki.old.cert, 'old.key': pki.old.key,
};
const LISTEN = '127.0.0.1:0 tls';
const CLIENT = { ca: pki.ca.cert, servername: 'one.test' };
const ONE = ['--sslcert=one.pem', '--sslkey=one.key'];

/* A gate for one.test; its clients speak TLS. */
const secure = (s, args, more = {}) => s.gate({ listen: LISTEN, files, tls: CLIENT, args: [...ONE, ...args], ...more });

/* The error of a handshake, or of what follows it; null if bytes came back. */
function handshakeError(port, options) {
	return within(10000, new Promise((resolve) => {
		const c = tls.connect({ port, host: '127.0.0.1', ...CLIENT, ...options });
		c.on('secureConnect', () => c.write('GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n'));
		c.on('data', () => { resolve(null); c.destroy(); });
		c.on('error', (e) => resolve(e.code || e.message));
		c.on('end', () => resolve('ended'));
	}), 'end of the handshake');
}

/* --- it works ----------------------------------------------------------------------------------- */

scenario('an echo over wss, with three clients', async (s) => {
	const g = await secure(s, ['cat']);
	assert.match(g.startLine, /^wsgate: listening on https:\/\/127\.0\.0\.1:\d+\/ \(this machine only; --address=0\.0\.0\.0 opens it\)$/);
	const c = await g.open('/');
	await c.text('hello, raw');
	assert.equal(await c.nextText(), 'hello, raw');
	assert.equal((await c.bye(1000)).code, 1000);

	const w = new WebSocket(g.url(), CLIENT);
	const story = await within(10000, new Promise((resolve, reject) => {
		w.on('error', reject);
		w.on('open', () => w.send('hello, ws'));
		w.on('message', (data) => { w.heard = String(data); w.close(1000, 'thanks'); });
		w.on('close', (code) => resolve([w.heard, code]));
	}), 'a ws client');
	assert.deepEqual(story, ['hello, ws', 1000]);

	const o = new OtherClient({ tlsOptions: CLIENT });
	const other = await within(10000, new Promise((resolve, reject) => {
		o.on('connectFailed', reject);
		o.on('connect', (connection) => {
			connection.on('message', (m) => { connection.heard = m.utf8Data; connection.close(1000); });
			connection.on('close', (code) => resolve([connection.heard, code]));
			connection.sendUTF('hello, websocket');
		});
		o.connect(g.url());
	}), 'a websocket client');
	assert.deepEqual(other, ['hello, websocket', 1000]);

	const plain = await g.get('/');
	assert.equal(plain.status, 426);
	assert.match(plain.body, / wss:\/\/ /, 'who opens it with ws:// would not get in');
});

scenario('a program is told of TLS', async (s) => {
	const g = await secure(s, ['sh', '-c', 'env | grep -E "^(HTTPS|SSL_|SERVER_PORT|REMOTE_USER|AUTH_TYPE)" | sort | tr "\\n" " "']);
	const told = async (options) => (await g.open('/', options)).nextText();
	assert.equal(await told({ headers: { Host: 'one.test' } }),
		`AUTH_TYPE= HTTPS=on REMOTE_USER= SERVER_PORT=${g.port} SSL_CIPHER=TLS_AES_128_GCM_SHA256 SSL_CLIENT_VERIFY=NONE SSL_PROTOCOL=TLSv1.3 `);
	assert.match(await told({ headers: { Host: 'one.test:443' }, tls: { ...CLIENT, maxVersion: 'TLSv1.2' } }),
		/SERVER_PORT=443 SSL_CIPHER=ECDHE-ECDSA-AES128-GCM-SHA256 SSL_CLIENT_VERIFY=NONE SSL_PROTOCOL=TLSv1.2 $/);
});

scenario('pages of https:// may connect, those of http:// may not', async (s) => {
	const g = await secure(s, ['cat']);
	const host = `127.0.0.1:${g.port}`;
	const c = await g.open('/', { headers: { Origin: `https://${host}` } });
	assert.equal((await c.bye(1000)).code, 1000);
	assert.equal((await g.refusal('/', { headers: { Origin: `http://${host}` } })).status, 403);
	const d = await g.open('/', { headers: { Host: 'one.test', Origin: 'https://one.test' } });
	assert.equal((await d.bye(1000)).code, 1000);
});

scenario('files, big ones too, and the next request on the same connection', async (s) => {
	const g = await s.gate({ listen: LISTEN, files, tls: CLIENT, args: [...ONE, '--static=.'] });
	const data = bytes.raw(5 * bytes.MiB, 3);
	fs.writeFileSync(g.path('big.bin'), data);
	fs.writeFileSync(g.path('small.txt'), 'small\n');
	const w = g.wire();
	const get = (name) => `GET /${name} HTTP/1.1\r\nHost: one.test\r\n\r\n`;
	const big = await http(g.port, get('big.bin'), { wire: w, keep: true });
	assert.equal(bytes.sha1(Buffer.from(big.body, 'latin1')), bytes.sha1(data));
	const small = await http(g.port, get('small.txt'), { wire: w });
	assert.deepEqual([small.status, small.body], [200, 'small\n']);
});

/* --- certificates ------------------------------------------------------------------------------- */

scenario('each of two names gets its certificate, strangers the first', async (s) => {
	const g = await s.gate({
		listen: LISTEN, files, tls: CLIENT,
		ini: '[tls]\ncertificate = one.pem\nkey = one.key\ncertificate = two.pem\nkey = two.key\n[/]\nexec = /bin/cat\n',
	});
	const shown = async (servername, options) => {
		const w = g.wire({ tls: { ca: pki.ca.cert, servername, checkServerIdentity: () => undefined, ...options } });
		await within(5000, w.connected, 'a connection');
		const { subject } = w.socket.getPeerCertificate();
		w.destroy();
		return subject.CN;
	};
	for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
		assert.equal(await shown('one.test', { maxVersion }), 'one.test');
		assert.equal(await shown('two.test', { maxVersion }), 'two.test');
		assert.equal(await shown('three.test', { maxVersion }), 'one.test');
		assert.equal(await shown('', { maxVersion }), 'one.test');
	}
	const c = await g.open('/', { tls: { ca: pki.ca.cert, servername: 'two.test' } });
	await c.text('for two');
	assert.equal(await c.nextText(), 'for two');
});

scenario('client certificates are demanded, and their subject is the user', async (s) => {
	const g = await secure(s, ['--sslca=ca.pem', '--level=debug', 'sh', '-c', 'echo "$REMOTE_USER|$AUTH_TYPE|$SSL_CLIENT_VERIFY|$SSL_CLIENT_S_DN"']);
	for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
		const c = await g.open('/', { tls: { ...CLIENT, ...pki.alice, maxVersion } });
		assert.equal(await c.nextText(), 'Alice Liddell|ClientCert|SUCCESS|CN=Alice Liddell,O=Test\\, Inc.');
		assert.match(await handshakeError(g.port, { maxVersion }), /ALERT/);
		assert.match(await handshakeError(g.port, { ...pki.mallory, maxVersion }), /UNKNOWN_CA/);
	}
	await g.line(/debug 127\.0\.0\.1:\d+: no TLS: peer did not return a certificate/);
	await g.line(/debug 127\.0\.0\.1:\d+: no TLS: certificate verify failed/);
	await until(5000, () => g.lines.filter((l) => l.includes('no TLS')).length === 4, () => g.log);
});

scenario('a session that is resumed is the same client', async (s) => {
	const g = await secure(s, ['--sslca=ca.pem', 'sh', '-c', 'echo "$REMOTE_USER"']);
	for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
		const options = { ...CLIENT, ...pki.alice, maxVersion };
		const first = await g.open('/', { tls: options });
		const kept = { session: first.wire.socket.getSession() };
		first.wire.socket.on('session', (ticket) => { kept.session = ticket; });
		assert.equal(await first.nextText(), 'Alice Liddell');
		const second = await g.open('/', { tls: { ...options, session: kept.session } });
		assert.equal(second.wire.socket.isSessionReused(), true);
		assert.equal(await second.nextText(), 'Alice Liddell');
	}
});

scenario('--selfsigned: a certificate for this machine, whose fingerprint is told', async (s) => {
	const g = await s.gate({ listen: null, tls: { rejectUnauthorized: false }, args: ['--ssl', '--selfsigned', '--port=0', 'cat'] });
	const [, fingerprint] = await g.line(/^wsgate: the certificate is self-signed; its SHA-256 fingerprint: ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})$/);
	const c = await g.open('/');
	const shown = c.wire.socket.getPeerCertificate();
	assert.equal(shown.fingerprint256, fingerprint);
	assert.match(shown.subjectaltname, /DNS:localhost, IP Address:127\.0\.0\.1/);
	const pem = `-----BEGIN CERTIFICATE-----\n${shown.raw.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
	const d = await g.open('/', { tls: { ca: pem, servername: 'localhost' } }); /* whoever trusts it, verifies it */
	await d.text('trusted');
	assert.equal(await d.nextText(), 'trusted');
});

scenario('what is wrong with certificates is told with its line; what is doubtful is a warning', async (s) => {
	const locked = spawnSync('openssl', ['pkey', '-aes128', '-passout', 'pass:secret'], { input: pki.one.key, encoding: 'utf8' }).stdout;
	const more = { ...files, 'locked.key': locked };
	const ini = (section) => `[server]\nlisten = 127.0.0.1:0 tls\n[/]\nexec = /bin/cat\n[tls]\n${section}`;
	const check = (section) => s.run(['--check', '--config=wsgate.ini'], { files: { ...more, 'wsgate.ini': ini(section) } });
	for (const [section, line, what] of [
		['certificate = one.pem\nkey = two.key\n', 7, /key: .*two\.key is not the key of .*one\.pem$/],
		['certificate = one.pem\nkey = locked.key\n', 7, /key: .*locked\.key has a passphrase: `openssl pkey -in /],
		['certificate = none.pem\nkey = one.key\n', 6, /certificate: .*none\.pem: No such file or directory$/],
		['min_version = 1.1\nselfsigned = yes\n', 6, /min_version: "1\.1" is unknown/],
		['redirect = no\n', 2, /listen: TLS needs a certificate/],
	]) {
		const r = await check(section);
		assert.equal(r.code, 78);
		assert.match(r.err, new RegExp(`^wsgate\\.ini:${line}: `));
		assert.match(r.err, what);
		assert.equal(r.lines.length, 1);
	}
	const good = await check('certificate = old.pem\nkey = old.key\n');
	assert.equal(good.code, 0);
	assert.match(good.err, /^wsgate\.ini:6: warning: certificate: .*old\.pem has expired: clients will refuse it$/);
	const g = await s.gate({ listen: null, files, ini: ini('certificate = old.pem\nkey = old.key\n'), tls: { rejectUnauthorized: false } });
	assert.match(g.lines[0], /warning: .*old\.pem has expired/);
	const c = await g.open('/');
	assert.equal((await c.bye(1000)).code, 1000);
});

/* --- the wrong way in ------------------------------------------------------------------------------ */

scenario('plain HTTP on the port of TLS is sent to https', async (s) => {
	const g = await secure(s, ['cat']);
	const plain = (text) => http(g.port, text, { waitEnd: true });
	const moved = await plain('GET /a%20b?c=d HTTP/1.1\r\nHost: one.test:8443\r\n\r\n');
	assert.equal(moved.status, 308);
	assert.equal(moved.headers.location, 'https://one.test:8443/a%20b?c=d');
	assert.match(moved.body, /wss:\/\//);
	const posted = await plain('POST / HTTP/1.1\r\nHost: one.test\r\nContent-Length: 0\r\n\r\n');
	assert.deepEqual([posted.status, posted.headers.location], [308, 'https://one.test/']);
	const absolute = await plain('GET http://two.test/x HTTP/1.1\r\nHost: one.test\r\n\r\n');
	assert.equal(absolute.headers.location, 'https://two.test/x');
	const ws = await plain(upgradeHead('/chat', { Host: 'one.test' }));
	assert.deepEqual([ws.status, ws.headers.location], [308, 'https://one.test/chat']);
	assert.equal((await plain('GET / HTTP/1.0\r\n\r\n')).status, 400); /* to which name? */
	assert.equal((await plain('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')).status, 400);
	assert.equal((await plain('nonsense\r\n\r\n')).status, 400);
	const strict = await secure(s, ['--redirect=no', 'cat']);
	assert.equal((await http(strict.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status, 400);
});

scenario('redirect_port does nothing but send clients to https', async (s) => {
	const g = await secure(s, ['--redirport=0', 'cat']);
	const [, port, target] = await g.line(/^wsgate: redirecting http:\/\/127\.0\.0\.1:(\d+)\/ to https, port (\d+)$/);
	assert.equal(Number(target), g.port);
	for (const host of ['one.test', 'one.test:80', '[::1]', '[::1]:80']) {
		const name = host.replace(/:80$/, '');
		const moved = await http(port, `GET /x?y HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { waitEnd: true });
		assert.deepEqual([moved.status, moved.headers.location], [308, `https://${name}:${g.port}/x?y`]);
	}
	const ws = await http(port, upgradeHead('/', { Host: 'one.test' }));
	assert.equal(ws.status, 308);
	const c = await g.open('/');
	assert.equal((await c.bye(1000)).code, 1000);
});

scenario('redirect_port is one port for each host, whatever else has TLS there', async (s) => {
	const g = await secure(s, ['--redirport=0', 'cat'], { listen: '127.0.0.1:0 tls, 127.0.0.1:0 tls, unix:./front tls, [::1]:0 tls' });
	await g.line(/^wsgate: redirecting http:\/\/\[::1\]:/);
	const [first, second, , other] = g.lines.map((l) => /listening on (.*?)\/? \(/.exec(l)?.[1]).filter(Boolean);
	const port = (url) => url.split(':').at(-1);
	assert.notEqual(port(first), port(second));
	assert.deepEqual(g.lines.map((l) => /redirecting (.*):\d+\/ to https, port (\d+)$/.exec(l)?.slice(1)).filter(Boolean),
		[['http://127.0.0.1', port(first)], ['http://[::1]', port(other)]]);
});

scenario('old versions, other protocols and noise are refused, each with a line for debugging alone', async (s) => {
	const g = await secure(s, ['--level=debug', 'cat']);
	const old = { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' };
	assert.match(await handshakeError(g.port, { ...old, maxVersion: 'TLSv1.1' }), /PROTOCOL_VERSION/);
	assert.match(await handshakeError(g.port, { ...old, maxVersion: 'TLSv1' }), /PROTOCOL_VERSION/);
	assert.match(await handshakeError(g.port, { ALPNProtocols: ['h2'] }), /NO_APPLICATION_PROTOCOL/);
	assert.match(await handshakeError(g.port, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }), /HANDSHAKE_FAILURE/);
	assert.equal(await handshakeError(g.port, { ALPNProtocols: ['h2', 'http/1.1'] }), null);
	const noise = net.connect({ port: g.port, host: '127.0.0.1' });
	noise.on('error', () => {});
	noise.end(Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0]), bytes.raw(40000)]));
	await within(5000, new Promise((resolve) => { noise.on('close', resolve); noise.resume(); }), 'end of the noise');
	const gone = net.connect({ port: g.port, host: '127.0.0.1' });
	gone.end(Buffer.from([0x16, 3, 1]));
	gone.resume();
	await g.line(/no TLS: the client has gone/);
	await until(5000, () => g.lines.filter((l) => l.includes('no TLS')).length === 6, () => g.log);
	assert.deepEqual(g.lines.filter((l) => /(warn|error|fatal) /.test(l)), []);
	const c = await g.open('/');
	assert.equal((await c.bye(1000)).code, 1000);
});

scenario('min_version = 1.3 is kept', async (s) => {
	const g = await secure(s, ['--min-version=1.3', 'cat']);
	assert.match(await handshakeError(g.port, { maxVersion: 'TLSv1.2' }), /PROTOCOL_VERSION/);
	assert.equal(await handshakeError(g.port, {}), null);
});

scenario('a handshake that does not come in time is ended by handshake_timeout', async (s) => {
	const g = await secure(s, ['--handshake-timeout=300ms', '--level=debug', 'cat']);
	const base = g.fds();
	const silent = [Buffer.alloc(0), Buffer.from([0x16, 3, 1, 2, 0, 1])].map((first) => {
		const c = net.connect({ port: g.port, host: '127.0.0.1' });
		c.on('error', () => {});
		c.write(first);
		c.resume();
		return new Promise((resolve) => { c.on('close', resolve); });
	});
	await within(5000, Promise.all(silent), 'end of silent clients');
	const late = g.wire(); /* shakes hands, and then says nothing more */
	await late.connected;
	await within(5000, late.gone.then(() => true), 'end of a client that asks for nothing').catch(async () => assert.ok(late.ended));
	assert.equal(g.lines.filter((l) => l.includes('no TLS: not within handshake_timeout')).length, 2);
	await g.settled(base);
});

/* --- much ----------------------------------------------------------------------------------------- */

for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
	scenario(`20 MiB both ways at once (${maxVersion})`, async (s) => {
		const size = 20 * bytes.MiB;
		const g = await secure(s, ['--binary', 'cat']);
		const data = bytes.raw(size, 5);
		const c = await g.open('/', { tls: { ...CLIENT, maxVersion } });
		const sent = (async () => {
			for (let at = 0; at < size; at += 100000)
				await c.send(frame(BINARY, data.subarray(at, at + 100000)));
		})();
		const hash = bytes.createHash('sha1');
		for (let got = 0; got < size;) {
			const p = await c.piece();
			assert.equal(p.kind, 'binary');
			hash.update(p.data);
			got += p.data.length;
		}
		await sent;
		assert.equal(hash.digest('hex'), bytes.sha1(data));
		assert.equal((await c.bye(1000)).code, 1000);
	});
}

const LAST = (FULL ? 200 : 20) * bytes.MiB;

scenario(`${LAST / bytes.MiB} MiB of last output, then exit: every byte and the Close arrive`, async (s) => {
	const g = await s.gate({ listen: LISTEN, files, tls: CLIENT, args: ONE, ini: '[/]\nexec = /bin/cat ./big\nframing = raw\n' });
	const sha1 = bytes.writeBig(g.path('big'), bytes.raw(bytes.MiB, 7), LAST);
	for (let round = 0; round < 2; round++) {
		const c = await g.open('/');
		const hash = bytes.createHash('sha1');
		let size = 0;
		await c.readToClose({ see: (p) => { hash.update(p.data); size += p.data.length; }, ms: 120000 });
		assert.deepEqual([size, hash.digest('hex')], [LAST, sha1]);
		assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
		assert.equal(c.wire.error, null); /* close_notify, not a cut */
	}
}, { seconds: FULL ? 600 : 60 });

scenario('a client that does not read costs no more than its buffer', async (s) => {
	const g = await secure(s, ['--binary', 'cat', '/dev/zero']);
	const base = g.rss();
	const c = await g.open('/');
	await until(5000, () => g.children().length === 1, 'the program runs');
	await new Promise((resolve) => { setTimeout(resolve, 500); });
	if (g.memoryIsItsOwn)
		assert.ok(g.rss() - base < 4 * bytes.MiB, `${g.rss() - base} bytes`);
	c.destroy();
});

const VISITS = FULL ? 10000 : 1000;

scenario(`${VISITS} clients come and go, half of them rudely: nothing stays`, async (s) => {
	const g = await secure(s, ['cat']);
	let next = 0, failed = 0;
	const visit = async (n) => {
		if (n % 5 === 4) { /* not even through the handshake */
			const c = net.connect({ port: g.port, host: '127.0.0.1' });
			c.on('error', () => {});
			await new Promise((resolve) => { c.on('connect', resolve); });
			c.write(Buffer.from([0x16, 3, 1, 1, 0]));
			c.resetAndDestroy();
			return;
		}
		const c = await g.open('/', n % 2 ? { tls: { ...CLIENT, maxVersion: 'TLSv1.2' } } : {});
		await c.text(`hello ${n}`);
		if (await c.nextText() !== `hello ${n}`)
			failed++;
		if (n % 3 === 0)
			await c.bye(1000);
		else if (n % 3 === 1)
			c.destroy();
		else
			c.reset();
		g.clients.splice(g.clients.indexOf(c), 1);
	};
	const crowd = (until_) => Promise.all(Array.from({ length: 20 }, async () => {
		while (next < until_)
			await visit(next++);
	}));
	await crowd(VISITS / 4);
	await g.childless();
	const fds = g.fds(), rss = g.rss();
	await crowd(VISITS);
	await g.childless();
	await g.settled(fds);
	assert.equal(failed, 0);
	s.say(`memory grew by ${Math.round((g.rss() - rss) / 1024)} KiB`);
	if (g.memoryIsItsOwn)
		assert.ok(g.rss() - rss < 2 * bytes.MiB, `${g.rss() - rss} bytes more after ${VISITS} clients`);
}, { seconds: FULL ? 900 : 120 });

scenario('an idle connection costs some kilobytes', async (s) => {
	const COUNT = 500;
	const silent = await echo(s);
	const g = await secure(s, ['--workers=1', `--tcp=127.0.0.1:${silent.port}`]);
	const pss = () => Number(/^Pss:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${g.pid}/smaps_rollup`, 'latin1'))[1]) * 1024;
	for (let i = 0; i < 50; i++)
		await g.open('/');
	const base = pss();
	for (let i = 0; i < COUNT; i++)
		await g.open('/');
	const each = (pss() - base) / COUNT;
	s.say(`${Math.round(each)} bytes for each idle connection`);
	if (g.memoryIsItsOwn)
		assert.ok(each < 20 * 1024, `${each} bytes`);
}, { skip: NOT_WRAPPED });

scenario('SIGTERM says 1001 and close_notify', async (s) => {
	const g = await secure(s, ['cat']);
	const c = await g.open('/');
	await c.text('there');
	assert.equal(await c.nextText(), 'there');
	g.signal('SIGTERM');
	await c.readToClose();
	assert.equal((await c.leave()).code, 1001);
	assert.equal(c.wire.error, null);
	await within(5000, g.exited, 'exit');
});

/* --- the judge -------------------------------------------------------------------------------------- */

scenario('testssl.sh finds nothing above LOW', async (s) => {
	const g = await secure(s, ['--max-per-ip=0', 'cat']);
	const report = g.path('report.json');
	const judge = spawn('testssl', ['--quiet', '--warnings', 'off', '--color', '0', '--nodns', 'min', '--severity', 'LOW', '--jsonfile', report,
		'--add-ca', g.path('ca.pem'), '--ip', '127.0.0.1', `one.test:${g.port}`], { stdio: ['ignore', 'ignore', 'inherit'] });
	await within(600000, new Promise((resolve) => { judge.on('close', resolve); }), 'end of testssl.sh');
	const found = JSON.parse(fs.readFileSync(report, 'utf8'));
	for (const f of found)
		s.say(`${f.severity} ${f.id}: ${f.finding}`);
	/* The certificates of this test are of a CA that nobody knows, without a place to ask for revocation. */
	assert.ok(found.some((f) => f.id === 'HSTS'), 'it has looked');
	const ofTheCertificate = /^cert_|^DNS_CAArecord|^overall_grade|^grade_cap/;
	assert.deepEqual(found.filter((f) => ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'].includes(f.severity) && !ofTheCertificate.test(f.id)), []);
}, { seconds: 900, skip: (!FULL || spawnSync('testssl', ['--version']).error !== undefined) && 'FULL=1 and testssl.sh' });
