# The story of ../peers.test.js, told with websockets.
import asyncio
import json
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory


async def ending(url):
    async with websockets.connect(url) as ws:
        heard = []
        try:
            async for message in ws:
                heard.append(message)
        except websockets.ConnectionClosedError:
            pass  # it ended with an error, which is what is told
        return {"heard": heard, "code": ws.close_code, "reason": ws.close_reason}


async def story(url, forget):
    deflate = ClientPerMessageDeflateFactory(server_no_context_takeover=forget, client_no_context_takeover=forget, client_max_window_bits=True)
    async with websockets.connect(url + "/cat", subprotocols=["first", "second"], max_size=None, extensions=[deflate], compression=None) as ws:
        big = bytes(i * 7 & 255 for i in range(1 << 20))
        for message in ["naïve €", "", b"\x00\xff\x80", big, big]:
            await ws.send(message)
        heard = [await ws.recv(), await ws.recv(), (await ws.recv()).hex(), await ws.recv() == big, await ws.recv() == big]
        pong = await ws.ping(b"there?")
        await pong
        await ws.close(3456, "enough, €")
        return {"protocol": ws.subprotocol, "heard": heard, "pong": True, "code": ws.close_code, "reason": ws.close_reason}


async def main(url, forget=None):
    print(json.dumps({**await story(url, forget is not None), "end": await ending(url + "/three")}))


asyncio.run(main(*sys.argv[1:]))
