#!/usr/bin/env -S mawk -W interactive -f
# Counts: one number a line, one line a second.  counter.awk [UP-TO [SECONDS-BETWEEN]]
#
#	wsgate --port=8080 ./counter.awk 10

BEGIN {
	last = ARGC > 1 ? ARGV[1] : 10
	pause = ARGC > 2 ? ARGV[2] + 0 : 1
	for (n = 1; n <= last; n++) {
		if (n > 1)
			system("sleep " pause)
		print n
		fflush()
	}
}
