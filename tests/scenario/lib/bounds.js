'use strict';
/*
 * Time bounds. Nothing here sleeps in order to be in step with something: a test waits for what it
 * expects, and a bound turns "never" into a failure. SLOW=10 multiplies every bound, for slow machines
 * and for running the program under valgrind.
 */

const SLOW = Math.max(1, Number(process.env.SLOW) || 1);

const bound = (ms) => ms * SLOW;

/* Settles as PROMISE does, or fails after MS with "no WHAT within ...". */
async function within(ms, promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => {
			const detail = typeof what === 'function' ? what() : what;
			reject(new Error(`no ${detail} within ${bound(ms)} ms`));
		}, bound(ms));
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/* Waits until CONDITION() gives something true, and returns that. */
async function until(ms, condition, what) {
	const deadline = Date.now() + bound(ms);
	for (;;) {
		const value = await condition();
		if (value)
			return value;
		if (Date.now() > deadline)
			throw new Error(`not so within ${bound(ms)} ms: ${typeof what === 'function' ? what() : what}`);
		await pause(10);
	}
}

/* Lets time pass where time itself is what is tested ("nothing happens for 300 ms"). */
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

module.exports = { SLOW, bound, within, until, pause };
