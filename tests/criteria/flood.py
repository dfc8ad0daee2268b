"""A peer in a thread of its own that speaks Binance's streams, and floods who has subscribed, whatever these do."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import picows

from perpwire.clock import SystemClock

SYMBOLS = [f"C{number}USDT" for number in range(50)]
TICKERS, TRADES = 50_000, 5_000


class Flood:
    """
    Attributes:
        url: Base address, for WebSocketManager(urls=).
        pinged_ns, ponged_ns: When a ping left, and when its answer was here; the machine's monotonic clock.
        closed: Connections that ended.
    """

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._transports: dict[picows.WSTransport, list[str]] = {}
        self._started = threading.Event()
        self.sent = threading.Event()
        self.url = ""
        self.pinged_ns: list[int] = []
        self.ponged_ns: list[int] = []
        self.closed = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        self._started.wait(10)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await picows.ws_create_server(lambda _request: _Peer(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        await self._stopping.wait()
        server.close()
        for transport in list(self._transports):
            transport.disconnect()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def begin(self) -> None:
        """Send it all, with a ping in the middle; from any thread."""
        self._loop.call_soon_threadsafe(self._send)

    def _send(self) -> None:
        for transport, streams in self._transports.items():
            for stream in streams:
                if stream.endswith("@bookTicker"):
                    symbol = stream.partition("@")[0].upper()
                    for number in range(1, TICKERS // len(SYMBOLS) + 1):
                        self._say(transport, stream, ticker(symbol, number))
                else:
                    for number in range(1, TRADES + 1):
                        self._say(transport, stream, trade(stream.partition("@")[0].upper(), number))
            self.pinged_ns.append(self._clock.monotonic_ns())
            transport.send_ping(b"are you there")
        self.sent.set()

    def _say(self, transport: picows.WSTransport, stream: str, data: dict[str, object]) -> None:
        transport.send(picows.WSMsgType.TEXT, json.dumps({"stream": stream, "data": data}).encode())


class _Peer(picows.WSListener):
    def __init__(self, flood: Flood) -> None:
        self._flood = flood

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._flood._transports[transport] = []

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._flood._transports.pop(transport, None)
        self._flood.closed += 1

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        match frame.msg_type:
            case picows.WSMsgType.PONG:
                self._flood.ponged_ns.append(self._flood._clock.monotonic_ns())
            case picows.WSMsgType.PING:
                transport.send_pong(frame.get_payload_as_bytes())
            case picows.WSMsgType.CLOSE:
                transport.disconnect()
            case picows.WSMsgType.TEXT:
                asked = json.loads(frame.get_payload_as_bytes())
                if asked["method"] == "SUBSCRIBE":
                    self._flood._transports[transport] += asked["params"]
                transport.send(picows.WSMsgType.TEXT, json.dumps({"result": None, "id": asked["id"]}).encode())


def ticker(symbol: str, number: int) -> dict[str, object]:
    prices = {"b": f"{number}.10", "B": "1.000", "a": f"{number}.20", "A": "2.000"}
    return {"e": "bookTicker", "u": number, "s": symbol, "ps": symbol, **prices, "T": number, "E": number}


def trade(symbol: str, number: int) -> dict[str, object]:
    ids = {"a": number, "f": number, "l": number}
    return {"e": "aggTrade", "E": 1, "s": symbol, **ids, "p": "1.5", "q": "0.001", "T": 1, "m": False}


@contextmanager
def flood() -> Iterator[Flood]:
    made = Flood()
    try:
        yield made
    finally:
        made.stop()
