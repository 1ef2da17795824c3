'use strict';
/* Lines become messages: whatever ends them, however long they are, whatever bytes are in them. */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');
const bytes = require('./lib/bytes');

/* All messages until the close, as [kind, text]. */
async function story(g, path) {
	const c = await g.open(path);
	const got = [];
	for (let m; (m = await c.next()) !== null;)
		got.push([m.kind, m.data]);
	return { got, end: await c.leave() };
}

const printer = (printf) => `#!/bin/sh\nprintf '${printf}'\n`;

scenario('LF, CRLF, empty lines, a CR inside', async (s) => {
	const g = await s.gate({ files: { 'p.sh': printer('a\\n\\nb\\r\\n\\r\\nc\\rd\\n e \\n') }, ini: '[/]\nexec = ./p.sh\n' });
	const { got } = await story(g, '/');
	assert.deepEqual(got.map(([k, d]) => [k, d.toString()]),
		[['text', 'a'], ['text', ''], ['text', 'b'], ['text', ''], ['text', 'c\rd'], ['text', ' e ']]);
});

scenario('a line that comes in pieces, and many that come at once', async (s) => {
	const g = await s.gate(['sh', '-c', 'printf "in "; sleep 0.05; printf "three "; sleep 0.05; echo pieces; printf "x\\ny\\nz\\n"']);
	const { got } = await story(g, '/');
	assert.deepEqual(got.map(([, d]) => d.toString()), ['in three pieces', 'x', 'y', 'z']);
});

scenario('a CRLF that is cut in the middle', async (s) => {
	const g = await s.gate(['sh', '-c', 'printf "cut\\r"; sleep 0.1; printf "\\nnext\\r"; sleep 0.1; printf "not an end\\n"']);
	const { got } = await story(g, '/');
	assert.deepEqual(got.map(([, d]) => d.toString()), ['cut', 'next\rnot an end']);
});

scenario('10 MB without a newline are one message, in fragments, in constant memory', async (s) => {
	const g = await s.gate({ ini: '[/]\nexec = /bin/cat ./big\n[/warm]\nexec = /bin/cat ./small\n' });
	const line = Buffer.from('fünf €, 𝄞! '.repeat(10 * bytes.MiB / 16));
	const sha1 = bytes.writeBig(g.path('big'), line, line.length);
	g.write('small', 'x\n');
	for (let i = 0; i < 8; i++)
		await story(g, '/warm');
	const before = g.rss();
	let worst = 0;
	const c = await g.open('/');
	const hash = bytes.createHash('sha1');
	let messages = 0;
	let fragments = 0;
	await c.readToClose({ see: (p) => {
		hash.update(p.data);
		if (p.last) {
			messages++;
			fragments = p.fragments;
		}
		worst = Math.max(worst, g.rss() - before);
	} });
	assert.equal(messages, 1);
	assert.ok(fragments > 1, `${fragments} fragments`);
	assert.equal(hash.digest('hex'), sha1);
	s.say(`${fragments} fragments, memory grew by ${(worst / 1024).toFixed(0)} KiB`);
	if (g.memoryIsItsOwn)
		assert.ok(worst < bytes.MiB, `memory grew by ${worst}`);
	assert.equal((await c.leave()).code, 1000);
});

scenario('lines without end do not hold up a ping', async (s) => {
	const g = await s.gate(['sh', '-c', 'exec cat /dev/zero']);
	const c = await g.open('/');
	await c.ping('hello');
	let seen = 0;
	while (c.pongs.length === 0) {
		const p = await c.piece();
		assert.ok(p && p.kind !== 'close');
		seen += p.data.length;
		assert.ok(seen < 64 * bytes.MiB, 'no pong within 64 MiB');
	}
	c.reset();
});

scenario('utf8 = replace: what is not UTF-8 becomes U+FFFD, wherever the reads cut', async (s) => {
	const g = await s.gate({
		files: {
			'p.sh': printer('ok\\n\\377\\376\\na\\300\\257b\\n\\355\\240\\200\\ncut \\342\\202\\n'),
			'slow.sh': '#!/bin/sh\nprintf "\\342"; sleep 0.1; printf "\\202"; sleep 0.1; printf "\\254 then \\342\\202"; sleep 0.1; printf " no\\n"\n',
		},
		ini: '[/]\nexec = ./p.sh\n[/slow]\nexec = ./slow.sh\n',
	});
	const texts = (x) => x.got.map(([k, d]) => [k, d.toString()]);
	assert.deepEqual(texts(await story(g, '/')), [['text', 'ok'], ['text', '\ufffd\ufffd'], ['text', 'a\ufffd\ufffdb'],
		['text', '\ufffd\ufffd\ufffd'], ['text', 'cut \ufffd']]);
	assert.deepEqual(texts(await story(g, '/slow')), [['text', '€ then \ufffd no']]);
});

scenario('utf8 = binary and utf8 = close', async (s) => {
	const g = await s.gate({
		files: { 'p.sh': printer('ok\\nbad \\377\\nfine\\n') },
		ini: '[/binary]\nexec = ./p.sh\nutf8 = binary\n[/close]\nexec = ./p.sh\nutf8 = close\n',
	});
	const b = await story(g, '/binary');
	assert.deepEqual(b.got.map(([k, d]) => [k, d.toString('latin1')]), [['text', 'ok'], ['binary', 'bad \xff'], ['text', 'fine']]);
	assert.equal(b.end.code, 1000);
	const c = await story(g, '/close');
	assert.deepEqual(c.got.map(([k, d]) => [k, d.toString('latin1')]).slice(0, 1), [['text', 'ok']]);
	assert.equal(c.end.code, 1011);
	assert.match(c.end.reason, /UTF-8/i);
	await g.childless();
});

scenario('message_type = binary sends lines as binary, raw as text', async (s) => {
	const g = await s.gate({
		files: { 'p.sh': printer('a\\n\\377\\n') },
		ini: '[/b]\nexec = ./p.sh\nmessage_type = binary\n[/t]\nshell = printf word\nframing = raw\nmessage_type = text\n',
	});
	assert.deepEqual((await story(g, '/b')).got, [['binary', Buffer.from('a')], ['binary', Buffer.from([0xff])]]);
	assert.deepEqual((await story(g, '/t')).got, [['text', Buffer.from('word')]]);
});

scenario('a client\'s message gets one LF; an LF inside is passed on; text and binary are both taken', async (s) => {
	const g = await s.gate(['--message-type=binary', 'cat']);
	const c = await g.open('/');
	await c.text('one');
	await c.text('two\nthree');
	await c.binary(Buffer.from([0xff, 0x00, 0x7f]));
	await c.text('');
	for (const expected of [Buffer.from('one'), Buffer.from('two'), Buffer.from('three'), Buffer.from([0xff, 0x00, 0x7f]), Buffer.alloc(0)])
		assert.deepEqual((await c.next()).data, expected);
	assert.equal((await c.bye()).code, 1000);
});

scenario('every byte there is goes through raw and back', async (s) => {
	const g = await s.gate(['--framing=raw', 'cat']);
	const c = await g.open('/');
	const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
	await c.binary(all);
	const m = await c.next();
	assert.deepEqual(m, { kind: 'binary', data: all, fragments: 1 });
});
