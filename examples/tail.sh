#!/bin/sh
# The last ten lines of a file, and each new one as soon as it is written.  tail.sh FILE
#
#	wsgate --port=8080 ./tail.sh /var/log/syslog
#
# It never ends by itself. When its client has gone, wsgate closes its input, which nobody reads here,
# and sends SIGINT a moment later: that is its end.

exec tail -n 10 -F -- "$1"
