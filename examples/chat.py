#!/usr/bin/env python3
"""A chat over TCP, a line at a time: the first line is your name, each further one is said to everybody.

	./chat.py 7007 &
	wsgate --config=chat.ini            and open http://127.0.0.1:8080/chat.html in two windows

It knows nothing of WebSocket: nc 127.0.0.1 7007 joins the same room. What it sends is a line, too:

	* Ada is here. In the room: Ada, Grace
	Ada: good morning
"""

import asyncio
import signal
import sys

NAME_MAX = 24
LINE_MAX = 4096
BEHIND_MAX = 256 * 1024  # who has so much unread is cut off, so that nobody holds up the room

room = {}  # writer: name


def tell(line):
    for writer in list(room):
        if writer.transport.get_write_buffer_size() > BEHIND_MAX:
            writer.transport.abort()
        else:
            writer.write(line.encode() + b"\n")


async def read_line(reader):
    """The next line without its end, or None at the end of input."""
    line = await reader.readline()
    return line.decode("utf-8", "replace").strip() if line else None


def free_name(wish):
    name = wish.replace(":", "").strip()[:NAME_MAX] or "somebody"
    taken = set(room.values())
    return next(n for n in (name, *(f"{name} {i}" for i in range(2, len(taken) + 3))) if n not in taken)


async def guest(reader, writer):
    try:
        wish = await read_line(reader)
        if wish is None:
            return
        name = room[writer] = free_name(wish)
        tell(f"* {name} is here. In the room: {', '.join(room.values())}")
        while (line := await read_line(reader)) is not None:
            if line:
                tell(f"{name}: {line}")
    except (ConnectionError, ValueError):
        pass  # gone, or a line longer than LINE_MAX: out with them
    finally:
        if room.pop(writer, None):
            tell(f"* {name} has left. In the room: {', '.join(room.values()) or 'nobody'}")
        writer.close()


async def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 7007
    server = await asyncio.start_server(guest, "127.0.0.1", port, limit=LINE_MAX)
    print(f"chat on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


signal.signal(signal.SIGINT, signal.SIG_DFL)
asyncio.run(main())
