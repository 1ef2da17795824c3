#!/bin/sh
# Counts: one number a line, one line a second.  counter.sh [UP-TO [SECONDS-BETWEEN]]
#
#	wsgate --port=8080 ./counter.sh 10

last=${1:-10}
pause=${2:-1}

n=1
while [ "$n" -le "$last" ]; do
	[ "$n" -gt 1 ] && sleep "$pause"
	echo "$n"
	n=$((n + 1))
done
