#!/usr/bin/env -S mawk -W interactive -f
# Greets whoever sends a name: one line in, one line out.
#
#	wsgate --port=8080 ./greeter.awk
#
# mawk, the awk of Debian, would read 4 KiB before it looks at the first line, without -W interactive;
# for gawk and busybox it is `awk -f`.

{
	print "Hello, " $0 "!"
	fflush()
}
