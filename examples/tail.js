#!/usr/bin/env node
// The last ten lines of a file, and each new one as soon as it is written.  tail.js FILE
//
//	wsgate --port=8080 ./tail.js /var/log/syslog

const fs = require('node:fs/promises');
const { setTimeout: sleep } = require('node:timers/promises');

(async () => {
	const log = await fs.open(process.argv[2]);
	const seen = await log.readFile();
	// From behind the eleventh newline, counted from the end.
	let start = seen.length;
	for (let newlines = 0; start > 0 && (newlines += seen[start - 1] === 10) <= 10; start--);
	process.stdout.write(seen.subarray(start));

	for (;;) {
		// Half a line may go out as it is: wsgate waits for its end.
		process.stdout.write(await log.readFile());
		await sleep(200);
	}
})();
