#!/usr/bin/env node
// Counts: one number a line, one line a second.  counter.js [UP-TO [SECONDS-BETWEEN]]
//
//	wsgate --port=8080 ./counter.js 10

const { setTimeout: sleep } = require('node:timers/promises');

const [last = 10, pause = 1] = process.argv.slice(2).map(Number);

(async () => {
	for (let n = 1; n <= last; n++) {
		if (n > 1)
			await sleep(pause * 1000);
		console.log(n);
	}
})();
