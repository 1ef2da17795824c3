#!/usr/bin/env python3
"""The last ten lines of a file, and each new one as soon as it is written.  tail.py FILE

	wsgate --port=8080 ./tail.py /var/log/syslog
"""

import collections
import signal
import sys
import time

# When its client has gone, wsgate sends SIGINT: end quietly, without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

out = sys.stdout.buffer
with open(sys.argv[1], "rb") as log:
    out.writelines(collections.deque(log, maxlen=10))
    while True:
        # Half a line may go out as it is: wsgate waits for its end.
        out.write(log.read())
        out.flush()
        time.sleep(0.2)
