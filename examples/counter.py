#!/usr/bin/env python3
"""Counts: one number a line, one line a second.  counter.py [UP-TO [SECONDS-BETWEEN]]

	wsgate --port=8080 ./counter.py 10
"""

import signal
import sys
import time

# A client that leaves early is no error: end quietly, without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

last = int(sys.argv[1]) if len(sys.argv) > 1 else 10
pause = float(sys.argv[2]) if len(sys.argv) > 2 else 1

for n in range(1, last + 1):
    if n > 1:
        time.sleep(pause)
    print(n)
