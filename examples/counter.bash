#!/bin/bash
# Counts: one number a line, one line a second.  counter.bash [UP-TO [SECONDS-BETWEEN]]
#
#	wsgate --port=8080 ./counter.bash 10

for ((n = 1; n <= ${1:-10}; n++)); do
	((n > 1)) && sleep "${2:-1}"
	echo "$n"
done
