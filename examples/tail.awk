#!/usr/bin/env -S mawk -W interactive -f
# The last ten lines of a file, and each new one as soon as it is written.  tail.awk FILE
#
#	wsgate --port=8080 ./tail.awk /var/log/syslog
#
# The place to change lines on their way: here the errors are marked.

BEGIN {
	file = ARGV[1]
	gsub(/'/, "'\\''", file)
	follow = "tail -n 10 -F -- '" file "'"
	while ((follow | getline) > 0) {
		print (/error|fail/ ? "! " : "") $0
		fflush()
	}
}
