'use strict';
/* All that a program wrote before it ended arrives: whatever the size, however slow the reader. */

const assert = require('node:assert/strict');
const { scenario, FULL, isAlive, until } = require('./lib/wsgate');
const { pause } = require('./lib/bounds');
const bytes = require('./lib/bytes');

const ROUNDS = FULL ? 100 : 4;
const SIZE = (FULL ? 200 : 20) * bytes.MiB;

/* The checksum of all messages; with LINES each is given its LF back. */
async function checksum(c, { lines = false, slow = null, ms = 120000 } = {}) {
	const hash = bytes.createHash('sha1');
	const lf = Buffer.from('\n');
	let size = 0;
	let batch = [];
	const flush = () => {
		hash.update(Buffer.concat(batch));
		batch = [];
	};
	const see = (p) => {
		batch.push(p.data);
		size += p.data.length;
		if (lines && p.last) {
			batch.push(lf);
			size++;
		}
		if (batch.length > 1000)
			flush();
	};
	if (slow) {
		/* Takes a little, rests, takes a little: the program is long gone by the end. */
		for (let n = 0; n < slow && !c.closed; n++) {
			await pause(10);
			if (!await c.wire.fill())
				break;
			let p;
			while ((p = c.pieceNow()) !== null && p.kind !== 'close') {
				if (!p.control)
					see(p);
			}
		}
	}
	if (!c.closed)
		await c.readToClose({ see, ms });
	flush();
	return { sha1: hash.digest('hex'), size };
}

for (const framing of ['lines', 'raw']) {
	const lines = framing === 'lines';
	scenario(`${ROUNDS} x ${SIZE / bytes.MiB} MiB (${framing}), then exit: every byte arrives`, async (s) => {
		const g = await s.gate({ ini: `[/]\nexec = /bin/cat ./big\nframing = ${framing}\n` });
		const block = lines ? bytes.lines(bytes.MiB, 7) : bytes.raw(bytes.MiB, 7);
		const sha1 = bytes.writeBig(g.path('big'), block, SIZE);
		for (let round = 0; round < ROUNDS; round++) {
			const c = await g.open('/');
			assert.deepEqual(await checksum(c, { lines }), { sha1, size: SIZE }, `round ${round}`);
			assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
		}
	}, { seconds: FULL ? 3600 : 60 });

	scenario(`a slow reader gets it all too (${framing})`, async (s) => {
		const size = 3 * bytes.MiB;
		const g = await s.gate({ ini: `[/]\nexec = /bin/cat ./big\nframing = ${framing}\n` });
		const sha1 = bytes.writeBig(g.path('big'), lines ? bytes.lines(size, 8) : bytes.raw(size, 8), size);
		const c = await g.open('/');
		assert.deepEqual(await checksum(c, { lines, slow: 60 }), { sha1, size });
		assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
	});
}

scenario('the program is long gone when the reader begins', async (s) => {
	const g = await s.gate({ files: { 'say.sh': '#!/bin/sh\necho $$ > pid\nexec cat big\n' }, ini: '[/]\nexec = ./say.sh\n' });
	const size = 100000;
	const sha1 = bytes.writeBig(g.path('big'), bytes.lines(size, 9), size);
	const c = await g.open('/');
	const pid = await until(5000, () => g.exists('pid') && Number(g.read('pid')), 'the program started');
	await until(5000, () => !isAlive(pid), 'the program ended by itself');
	await pause(500);
	assert.deepEqual(await checksum(c, { lines: true }), { sha1, size });
	assert.deepEqual(await c.leave(), { code: 1000, reason: 'exit 0' });
});

scenario('a last line without a newline is a message too', async (s) => {
	const g = await s.gate({
		ini: '[/some]\nshell = printf "one\\ntwo"\n[/only]\nshell = printf alone\n[/cr]\nshell = printf "dos\\r\\nlast\\r"\n[/none]\nexec = /bin/true\n',
	});
	const some = await g.open('/some');
	assert.equal(await some.nextText(), 'one');
	assert.equal(await some.nextText(), 'two');
	assert.equal((await some.leave()).code, 1000);
	const only = await g.open('/only');
	assert.equal(await only.nextText(), 'alone');
	assert.equal((await only.leave()).code, 1000);
	const cr = await g.open('/cr');
	assert.equal(await cr.nextText(), 'dos');
	assert.match(await cr.nextText(), /^last\r?$/);
	const none = await g.open('/none');
	assert.equal(await none.next(), null);
	assert.deepEqual(await none.leave(), { code: 1000, reason: 'exit 0' });
});

scenario('200 programs that say one word and end: no word is lost', async (s) => {
	const g = await s.gate(['sh', '-c', 'printf "the last word"; exit 7']);
	for (let batch = 0; batch < 10; batch++) {
		await Promise.all(Array.from({ length: 20 }, async () => {
			const c = await g.open('/');
			assert.equal(await c.nextText(), 'the last word');
			assert.deepEqual(await c.leave(), { code: 1011, reason: 'exit 7' });
		}));
	}
});

scenario('a grandchild that still holds the pipe is heard until it ends, or drain_timeout', async (s) => {
	const g = await s.gate({
		files: {
			'soon.sh': '#!/bin/sh\n(sleep 0.3; echo from the grandchild) &\necho from the child\n',
			'never.sh': '#!/bin/sh\nsleep 1000 &\necho from the child\n',
		},
		ini: '[/soon]\nexec = ./soon.sh\n[/never]\nexec = ./never.sh\ndrain_timeout = 500ms\n',
	});
	const soon = await g.open('/soon');
	assert.equal(await soon.nextText(), 'from the child');
	assert.equal(await soon.nextText(), 'from the grandchild');
	assert.deepEqual(await soon.leave(), { code: 1000, reason: 'exit 0' });
	const never = await g.open('/never');
	assert.equal(await never.nextText(), 'from the child');
	assert.deepEqual(await never.leave({ ms: 5000 }), { code: 1000, reason: 'exit 0' });
	await g.childless();
});

scenario('a program that closes its stdout and lives on is waited for', async (s) => {
	const g = await s.gate(['sh', '-c', 'echo bye; exec >&-; read -r x; exit 5']);
	const c = await g.open('/');
	assert.equal(await c.nextText(), 'bye');
	await c.text('go');
	assert.deepEqual(await c.leave(), { code: 1011, reason: 'exit 5' });
});
