#!/bin/bash
# The last ten lines of a file, and each new one as soon as it is written.  tail.bash FILE
#
#	wsgate --port=8080 ./tail.bash /var/log/syslog

exec {log}<"$1" || exit
mapfile -u "$log" seen
printf '%s' "${seen[@]: ${#seen[@]} > 10 ? -10 : 0}"

# At the end of the file `read` fails, with what there is of a line. It may go out: wsgate waits for the rest.
while :; do
	while IFS= read -r -u "$log" line; do
		printf '%s\n' "$line"
	done
	printf '%s' "$line"
	sleep 0.2
done
