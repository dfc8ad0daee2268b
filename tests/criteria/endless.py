"""MEM-1: a day of frames in virtual time, on a client of two hundred symbols; prints what it held at each hour.

A program of its own (`python -m tests.criteria.endless HOURS FRAMES`), so that the memory of the process is the
client's. Its peer speaks Binance's streams at the socket, from the same loop, and keeps nothing.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from contextlib import suppress
from random import Random

import msgspec

from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import ManualClock
from perpwire.data_processor.candles import CandleMaker
from perpwire.model.incident import ConnectionRecovered, Incident
from perpwire.model.market import BookTicker, Trade
from perpwire.transport.base import Socket, SocketListener

SYMBOLS = [f"LONG{number}USDT" for number in range(200)]
RECONNECTS = 50
CHANGES = 1000
"""Subscribed and given up again."""

CANARIES = ("btcusdt@depth5@500ms", "btcusdt@markPrice@1s")
LOOPS = ("Task", "Future", "TimerHandle", "Handle")
HOUR_S = 3600


class Held(msgspec.Struct):
    """What there was at one moment.

    Attributes:
        hour: Of virtual time.
        rss_mb: Memory of the process that is in RAM.
        waiting: Tasks, futures and handles of asyncio.
        objects: All that the collector knows of.
    """

    hour: int
    rss_mb: float
    waiting: int
    objects: int


class Report(msgspec.Struct):
    frames: int
    events: int
    candles: int
    reconnects: int
    changes: int
    hours: list[Held]


class Peer:
    """One socket's other end."""

    def __init__(self, clock: ManualClock, listener: SocketListener, peers: list[Peer]) -> None:
        self._clock = clock
        self._listener = listener
        self._peers = peers
        self._loop = asyncio.get_running_loop()
        self.names: dict[str, None] = {}
        self.spoken: list[str] = []
        """Those of its streams that are prices and trades."""
        peers.append(self)

    def say(self, frame: bytes) -> None:
        self._listener.on_frames([frame], self._clock.time_ns())

    def end(self, reason: str) -> None:
        if self in self._peers:
            self._peers.remove(self)
            self._loop.call_soon(self._listener.on_closed, reason)

    # --- the client's hand on it ---

    def send(self, text: bytes) -> bool:
        if self not in self._peers:
            return False
        asked = msgspec.json.decode(text)
        if asked["method"] == "SUBSCRIBE":
            self.names.update(dict.fromkeys(asked["params"]))
        else:
            for name in asked["params"]:
                self.names.pop(name, None)
        self.spoken = [name for name in self.names if name.endswith(("@bookTicker", "@aggTrade"))]
        self._loop.call_soon(self.say, b'{"result":null,"id":%d}' % asked["id"])
        return True

    def ping(self) -> None:
        self._loop.call_soon(self._listener.on_pong)

    def close(self) -> None:
        self.end("closed by us")

    def abort(self) -> None:
        self.end("closed by us")


class Endless:
    """The venue's sockets."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.peers: list[Peer] = []
        self._number = 0

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        return Peer(self._clock, listener, self.peers)

    async def close(self) -> None:
        for peer in tuple(self.peers):
            peer.end("closed by us")

    def second(self, random: Random, frames: int) -> int:
        """One second of the market, on all sockets together; gives how many frames that were."""
        said = 0
        now_ms = self._clock.time_ns() // 1_000_000
        for peer in tuple(self.peers):
            for name in CANARIES:
                if name in peer.names:
                    said += 1
                    peer.say(_canary(name, now_ms))
            for name in random.choices(peer.spoken, k=frames) if peer.spoken else ():
                self._number += 1
                said += 1
                peer.say(_frame(name, self._number, now_ms))
        return said


def _frame(stream: str, number: int, now_ms: int) -> bytes:
    symbol = stream.partition("@")[0].upper()
    price = f"{100 + number % 977 / 10:.1f}"
    if stream.endswith("Ticker"):
        data = (
            f'"e":"bookTicker","u":{number},"s":"{symbol}","ps":"{symbol}","b":"{price}","B":"1.{number}",'
            f'"a":"{price}5","A":"2.{number}","T":{now_ms},"E":{now_ms}'
        )
    else:
        data = (
            f'"e":"aggTrade","E":{now_ms},"s":"{symbol}","a":{number},"f":{number},"l":{number},"p":"{price}",'
            f'"q":"0.{number}","T":{now_ms},"m":false'
        )
    return f'{{"stream":"{stream}","data":{{{data}}}}}'.encode()


def _canary(name: str, now_ms: int) -> bytes:
    if "markPrice" in name:
        data = (
            f'"e":"markPriceUpdate","E":{now_ms},"s":"BTCUSDT","p":"1.1","i":"1.2","P":"1.3","r":"0.0001","T":{now_ms}'
        )
    else:
        data = (
            f'"e":"depthUpdate","E":{now_ms},"T":{now_ms},"s":"BTCUSDT","ps":"BTCUSDT","U":1,"u":2,"pu":0,'
            '"b":[["1.0","1"]],"a":[["1.1","1"]]'
        )
    return f'{{"stream":"{name}","data":{{{data}}}}}'.encode()


def _held(hour: int) -> Held:
    gc.collect()
    every = gc.get_objects()
    kinds = Counter(
        kind.__name__ for kind in map(type, every) if str(kind.__module__).startswith(("asyncio", "_asyncio"))
    )
    with open("/proc/self/statm") as file:
        rss_mb = int(file.read().split()[1]) * 4096 / 1e6
    return Held(hour, rss_mb, sum(kinds[name] for name in LOOPS), len(every))


async def day(clock: ManualClock, hours: int, frames: int) -> Report:
    random, network = Random(1), Endless(clock)
    report = Report(0, 0, 0, 0, 0, [])
    incidents: Counter[str] = Counter()
    manager = WebSocketManager(clock=clock, rng=Random(2), sockets=network)
    makers = {symbol: CandleMaker(symbol, "1m") for symbol in SYMBOLS}

    def on_incident(incident: Incident) -> None:
        incidents[type(incident).__name__] += 1

    def on_event(event: Trade | BookTicker) -> None:
        report.events += 1
        if isinstance(event, Trade):
            report.candles += len(makers[event.symbol].on_trade(event))

    manager.on(Trade, on_event)
    manager.on(BookTicker, on_event)
    manager.on_incident(on_incident)
    async with manager:
        latest = manager.watch(BookTicker, overflow="latest")
        asleep = manager.watch(Trade, limit=500, overflow="drop_oldest")  # nobody reads it
        reader = asyncio.create_task(_read(latest))
        names = [f"{symbol.lower()}@{kind}" for symbol in SYMBOLS for kind in ("bookTicker", "aggTrade")]
        await manager.connect_binance_stream(names)
        seconds = hours * HOUR_S
        a_second = max(1, round(frames / seconds / 2))
        next_cut, next_change = seconds / RECONNECTS / 2, 0.0
        wanted: list[str] = []
        for second in range(seconds):
            await clock.sleep(1)
            report.frames += network.second(random, a_second)
            if second >= next_cut:
                next_cut += seconds / RECONNECTS
                random.choice(network.peers).end("cut")
            if second >= next_change:
                next_change += seconds / CHANGES
                report.changes += 1
                await manager.disconnect("binance", wanted)
                wanted = [f"{random.choice(SYMBOLS).lower()}@kline_{random.choice(('1m', '5m', '1h'))}"]
                await manager.connect_binance_stream(wanted)
            if (second + 1) % HOUR_S == 0:
                report.hours.append(_held((second + 1) // HOUR_S))
        report.reconnects = incidents[ConnectionRecovered.__name__]
        assert asleep.waiting <= 501
        assert {topic for (_, topic) in manager.topics} == {*names, *wanted}
        latest.close()
        with suppress(StopAsyncIteration):
            await reader
    return report


async def _read(prices: object) -> None:
    async for _ in prices:  # type: ignore[attr-defined]
        pass


def main() -> None:
    clock = ManualClock()
    hours, frames = int(sys.argv[1]), int(sys.argv[2])
    sys.stdout.write(msgspec.json.encode(clock.run(day(clock, hours, frames))).decode())


if __name__ == "__main__":
    main()
