'use strict';
/*
 * noVNC as Debian packages it, in Chromium, through examples/vnc.ini to TigerVNC: the desktop is seen, and what is
 * typed on the page arrives in a program on it. SCREENSHOTS=DIR keeps the picture.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { scenario, EXAMPLES, until } = require('../scenario/lib/wsgate');
const { closedPort } = require('../scenario/lib/services');
const { open, chromium, skip: noBrowser } = require('../browser/lib/page');
const { find, missing, directory, serve, listens } = require('./lib/real');

const skip = noBrowser || missing({
	Xtigervnc: 'tigervnc-standalone-server', '/usr/share/novnc/vnc.html': 'novnc', xterm: 'xterm', xsetroot: 'x11-xserver-utils',
});
const browser = chromium();
const [WIDTH, HEIGHT] = [800, 600];
const TEAL = [42, 111, 107];

/* A desktop with a colour of its own and a terminal that runs a shell: { port, dir }. */
async function desktop(s) {
	const port = await closedPort();
	const dir = directory(s, 'vnc');
	let display = 40;
	while (fs.existsSync(`/tmp/.X${display}-lock`) || fs.existsSync(`/tmp/.X11-unix/X${display}`))
		display++;
	await serve(s, find('Xtigervnc'), [`:${display}`, '-rfbport', String(port), '-localhost', '-SecurityTypes', 'None', '-ac',
		'-geometry', `${WIDTH}x${HEIGHT}`, '-depth', '24', '-AlwaysShared'], { ready: () => listens(port) });
	const env = { DISPLAY: `:${display}`, HOME: dir, PS1: '$ ', LANG: 'C.UTF-8' };
	spawnSync('xsetroot', ['-solid', `rgb:${TEAL.map((n) => n.toString(16)).join('/')}`], { env: { ...process.env, ...env } });
	await serve(s, find('xterm'), ['-geometry', '78x26+60+40', '-fa', 'DejaVu Sans Mono', '-fs', '11', '-bg', '#fffefb', '-fg', '#23282b',
		'-e', 'sh', '-c', 'echo up >up; echo "A desktop, through wsgate."; exec sh'], { env, cwd: dir, ready: () => fs.existsSync(path.join(dir, 'up')) });
	return { port, dir };
}

scenario('the desktop of TigerVNC is seen in noVNC, and hears the keyboard', async (s) => {
	const { port, dir } = await desktop(s);
	const g = await s.gate({ ini: fs.readFileSync(path.join(EXAMPLES, 'vnc.ini'), 'utf8').replace('127.0.0.1:5901', `127.0.0.1:${port}`) });
	const { page, faults } = await open(g, browser(), '/vnc.html?autoconnect=1&resize=off', { width: 900, height: 680 });
	/* The colour of the screen at X, Y, as the page has painted it. */
	const colour = (x, y) => page.evaluate(([at, up]) => {
		const canvas = document.querySelector('#noVNC_container canvas');
		return canvas && canvas.width >= 800 ? [...canvas.getContext('2d').getImageData(at, up, 1, 1).data.slice(0, 3)] : null;
	}, [x, y]);
	/* About so: it may have come as JPEG. */
	const seen = async (x, y, wanted) => (await colour(x, y))?.every((n, i) => Math.abs(n - wanted[i]) <= 8);
	await until(30000, () => seen(5, 5, TEAL), 'the colour of the desktop is seen');
	await until(20000, () => seen(WIDTH - 5, HEIGHT - 5, TEAL), 'in its far corner, too');
	await until(20000, () => seen(600, 200, [255, 254, 251]), 'the terminal is seen'); /* beside the middle, where the pointer is */

	await page.locator('#noVNC_container canvas').click({ position: { x: 400, y: 300 } });
	await page.keyboard.type('echo "typed in a browser" | tee typed\n', { delay: 15 });
	await until(20000, () => fs.existsSync(path.join(dir, 'typed')) && fs.readFileSync(path.join(dir, 'typed'), 'utf8') === 'typed in a browser\n',
		'what was typed arrives in the shell');
	if (process.env.SCREENSHOTS)
		await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'novnc.png') });
	assert.deepEqual(faults.filter((f) => !/favicon|defaults.json|mandatory.json|404/.test(f)), []);
	await page.close();
	await g.line(/route=\/websockify .*status=101/);
	const m = g.lines.map((l) => /route=\/websockify .*out_bytes=(\d+)/.exec(l)).find(Boolean);
	s.say(`one session of noVNC: ${m[1]} bytes of screen`);
}, { skip, seconds: 120 });
