#!/usr/bin/env python3
"""Greets whoever sends a name: one line in, one line out.

	wsgate --port=8080 ./greeter.py
"""

import sys

for line in sys.stdin:
    print(f"Hello, {line.rstrip()}!")
