'use strict';
/* Framings that keep a message as it is, whatever bytes are in it; and what a backend can say with them. */

const assert = require('node:assert/strict');
const { scenario } = require('./lib/wsgate');
const { frame, CONTINUATION } = require('./lib/raw');
const bytes = require('./lib/bytes');

const echo = (framing) => ({ ini: `[/]\nexec = /bin/cat\nframing = ${framing}\n` });

/* In three fragments, with a ping between them. */
async function fragments(c, opcode, data) {
	const third = Math.ceil(data.length / 3);
	await c.send(frame(opcode, data.subarray(0, third), { fin: false }));
	await c.send(frame(CONTINUATION, data.subarray(third, 2 * third), { fin: false }));
	await c.ping('still there?');
	await c.send(frame(CONTINUATION, data.subarray(2 * third)));
}

for (const framing of ['message', 'netstring', 'lsp', 'lines0'])
	scenario(`${framing}: text with line breaks, short, empty, long and in fragments, comes back as it went`, async (s) => {
		const g = await s.gate(echo(framing));
		const c = await g.open('/');
		const long = Buffer.from('fünf\n€, 𝄞!\r\n'.repeat(20000));
		await c.text('one\ntwo\r\n');
		await c.text('');
		await c.text(long);
		await fragments(c, 1, long);
		await fragments(c, 1, Buffer.from('small'));
		for (const want of ['one\ntwo\r\n', '', long.toString(), long.toString(), 'small'])
			assert.equal(await c.nextText(), want);
		assert.equal((await c.bye(1000)).code, 1000);
	});

scenario('message: the types survive too', async (s) => {
	const g = await s.gate(echo('message'));
	const c = await g.open('/');
	const noise = bytes.createHash('sha1').update('noise').digest();
	await c.binary(noise);
	await c.text('text');
	await fragments(c, 2, noise);
	for (const [kind, data] of [['binary', noise], ['text', Buffer.from('text')], ['binary', noise]]) {
		const m = await c.next();
		assert.equal(m.kind, kind);
		assert.deepEqual(m.data, data);
	}
	await c.bye();
});

scenario('message: the backend chooses the close code, behind all that it has said', async (s) => {
	const g = await s.gate({
		files: { 'p.sh': '#!/bin/sh\nhead -c 300000 /dev/zero | tr "\\0" x >big\nprintf "t\\0\\0\\0\\3bye"\nprintf "b\\0\\004\\223\\340"; cat big\n' +
			'printf "c\\0\\0\\0\\011\\017\\240see you"\nprintf "t\\0\\0\\0\\4more"\nexec cat >/dev/null\n' },
		ini: '[/]\nexec = ./p.sh\nframing = message\n',
	});
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'bye');
	assert.equal((await c.next()).data.length, 300000);
	assert.deepEqual(await c.leave(), { code: 4000, reason: 'see you' });
	await g.line(/close=4000 by=backend reason="see you"/);
});

scenario('message: a backend may send a pong of its own', async (s) => {
	const g = await s.gate({
		files: { 'p.sh': '#!/bin/sh\nprintf "p\\0\\0\\0\\2hit\\0\\0\\0\\2ok"\n' },
		ini: '[/]\nexec = ./p.sh\nframing = message\n',
	});
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'ok');
	assert.deepEqual(c.pongs.map(String), ['hi']);
	assert.equal((await c.leave()).code, 1000);
});

for (const [framing, output, why] of [['message', 'hello', /type/], ['netstring', '4:hello,', /comma/], ['lsp', 'X: y\\r\\n\\r\\n', /Content-Length/],
	['message', 't\\0\\0\\0\\5hell', /ended inside a message/]])
	scenario(`${framing}: output that is none ends with 1011 and says why (${output})`, async (s) => {
		const g = await s.gate({ files: { 'p.sh': `#!/bin/sh\nprintf '${output}'\n` }, ini: `[/]\nexec = ./p.sh\nframing = ${framing}\n` });
		const end = await (await g.open('/')).leave();
		assert.equal(end.code, 1011);
		assert.match(end.reason, why);
	});

scenario('jsonl: one JSON value on one line, or 1007; what came before has reached the program', async (s) => {
	const g = await s.gate({ files: { 'p.sh': '#!/bin/sh\ncat >all\nmv all got\n' }, ini: '[/]\nexec = ./p.sh\nframing = jsonl\n' });
	const c = await g.open('/');
	await c.send(Buffer.concat([frame(1, '{"id": 1}'), frame(1, '["a",', { fin: false }), frame(0, '"b"]'), frame(1, '{\n"id": 2}'),
		frame(1, '"too late"')]));
	const end = await c.leave();
	assert.equal(end.code, 1007);
	assert.match(end.reason, /line break/);
	await g.childless();
	assert.equal(g.read('got').toString(), '{"id": 1}\n["a","b"]\n');
});

scenario('tagged: each line of stdout is a JSON object', async (s) => {
	const g = await s.gate({ files: { 'p.sh': '#!/bin/sh\nprintf \'say "hi"\\r\\n\\033[1m\\377\\n\'; cat\n' }, ini: '[/]\nexec = ./p.sh\nframing = tagged\n' });
	const c = await g.open('/');
	const long = '"\\\t€'.repeat(50000);
	await c.text(long);
	for (const data of ['say "hi"', '\u001b[1m\ufffd', long])
		assert.deepEqual(JSON.parse(await c.nextText()), { stream: 'stdout', data });
	await c.bye();
});
