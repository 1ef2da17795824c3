# The story of ../peers.test.js, told with Autobahn on asyncio.
import asyncio
import json
import sys
from urllib.parse import urlparse

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateResponseAccept

BIG = bytes(i * 7 & 255 for i in range(1 << 20))


class Story(WebSocketClientProtocol):
    def onConnect(self, response):
        self.tale = {"protocol": response.protocol, "heard": [], "pong": False}

    def onOpen(self):
        self.sendMessage("naïve €".encode())
        self.sendMessage(b"")
        self.sendMessage(b"\x00\xff\x80", isBinary=True)
        self.sendMessage(BIG, isBinary=True)
        self.sendMessage(BIG, isBinary=True)

    def onMessage(self, payload, isBinary):
        self.tale["heard"].append(payload.decode() if not isBinary else payload == BIG if len(payload) > 100 else payload.hex())
        if len(self.tale["heard"]) == 5:
            self.sendPing(b"there?")

    def onPong(self, payload):
        self.tale["pong"] = payload == b"there?"
        self.sendClose(3456, "enough, €")

    def onClose(self, wasClean, code, reason):
        self.factory.done.set_result({**self.tale, "code": code if wasClean else None, "reason": reason})


class Ending(WebSocketClientProtocol):
    def onOpen(self):
        self.heard = []

    def onMessage(self, payload, isBinary):
        self.heard.append(payload.decode())

    def onClose(self, wasClean, code, reason):
        self.factory.done.set_result({"heard": self.heard, "code": code if wasClean else None, "reason": reason})


async def tell(url, protocol, offers, forget):
    factory = WebSocketClientFactory(url, protocols=offers)
    deflate = PerMessageDeflateOffer(request_no_context_takeover=forget)
    factory.setProtocolOptions(perMessageCompressionOffers=[deflate],
                               perMessageCompressionAccept=lambda answer: PerMessageDeflateResponseAccept(answer, no_context_takeover=forget or None))
    factory.protocol = protocol
    factory.done = asyncio.get_running_loop().create_future()
    await asyncio.get_running_loop().create_connection(factory, "127.0.0.1", urlparse(url).port)
    return await factory.done


async def main(url, forget=None):
    story = await tell(url + "/cat", Story, ["first", "second"], forget is not None)
    print(json.dumps({**story, "end": await tell(url + "/three", Ending, None, False)}))


asyncio.run(main(*sys.argv[1:]))
