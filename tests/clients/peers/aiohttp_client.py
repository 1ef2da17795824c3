# The story of ../peers.test.js, told with aiohttp.
import asyncio
import json
import sys

import aiohttp


async def ending(session, url):
    async with session.ws_connect(url) as ws:
        heard = [m.data async for m in ws]
        return {"heard": heard, "code": ws.close_code, "reason": None}


async def story(session, url):
    async with session.ws_connect(url, protocols=["first", "second"], autoping=False, compress=15) as ws:
        big = bytes(i * 7 & 255 for i in range(1 << 20))
        await ws.send_str("naïve €")
        await ws.send_str("")
        await ws.send_bytes(b"\x00\xff\x80")
        await ws.send_bytes(big)
        await ws.send_bytes(big)
        heard = [await ws.receive_str(), await ws.receive_str(), (await ws.receive_bytes()).hex(), await ws.receive_bytes() == big, await ws.receive_bytes() == big]
        await ws.ping(b"there?")
        pong = await ws.receive()
        await ws.close(code=3456, message="enough, €".encode())
        return {"protocol": ws.protocol, "heard": heard, "pong": pong.type == aiohttp.WSMsgType.PONG and pong.data == b"there?", "code": ws.close_code, "reason": None}


async def main(url):
    async with aiohttp.ClientSession() as session:
        print(json.dumps({**await story(session, url + "/cat"), "end": await ending(session, url + "/three")}))


asyncio.run(main(sys.argv[1]))
