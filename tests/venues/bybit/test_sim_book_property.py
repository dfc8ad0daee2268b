"""A client that follows the venue's rule for books has the exchange's book after every single frame, at every depth."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.model.order import Side
from perpwire.venues.bybit.sim.dialect import BybitDialect

from .desk import MAKER, Desk

D = Decimal
DEPTHS = {"1": 1, "50": 50, "200": 200, "1000": 1000, "rpi": 50}
SYMBOL = "BTCUSDT"


class BookClient:
    """A socket whose client keeps one local book as docs/v5 say, and compares it with the exchange's at each frame."""

    address = "127.0.0.1"

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._depth = DEPTHS[name]
        self.topic = f"orderbook.{name}.{SYMBOL}"
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.last: Any = None
        self.kinds: list[str] = []
        self._socket = desk.dialect.open_socket("/v5/public/linear", "", self)
        self.subscribe()

    def subscribe(self, op: str = "subscribe") -> None:
        self._is_new = True
        self._socket.on_text(json.dumps({"op": op, "args": [self.topic]}).encode())

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(reason)

    def send(self, text: bytes, topic: str = "", account: str = "") -> None:
        frame = json.loads(text)
        if not topic:
            assert frame["success"]
            return
        assert (frame["topic"], frame["data"]["s"]) == (self.topic, SYMBOL)
        data, before = frame["data"], self.last
        if frame["type"] == "snapshot":
            self.bids, self.asks = ({D(row[0]): D(row[1]) for row in data[side]} for side in "ba")
            assert data["b"] == sorted(data["b"], key=lambda row: -D(row[0]))
            assert data["a"] == sorted(data["a"], key=lambda row: D(row[0]))
        else:
            assert data["u"] == before["data"]["u"] + 1  # none is missing
            for side, rows in ((self.bids, data["b"]), (self.asks, data["a"])):
                for price, size, *_ in rows:
                    if D(size):
                        side[D(price)] = D(size)
                    else:
                        del side[D(price)]  # it was there
        bids, asks, _, changed_ms = self._desk.exchange.book(SYMBOL, self._depth)
        if not self._is_new:  # a newcomer begins with what was published last, and follows from there
            assert (self.bids, self.asks) == (dict(bids), dict(asks))
            assert frame["cts"] == changed_ms
        self._is_new = False
        if before is not None:
            assert data["seq"] >= before["data"]["seq"]
            assert frame["ts"] >= before["ts"]
        assert frame["cts"] <= frame["ts"] == self._desk.exchange.now_ms()
        if self.bids and self.asks:
            assert max(self.bids) < min(self.asks)
        self.last = frame
        self.kinds.append(frame["type"])


def trade_wildly(desk: Desk, rng: Random) -> None:
    """Orders far and near, many at once, swept away, cancelled."""
    for _ in range(rng.randrange(1, 40)):
        side = rng.choice((Side.BUY, Side.SELL))
        distance = rng.choice((rng.randrange(1, 60), rng.randrange(1, 1500)))
        price = 63990 - distance if side is Side.BUY else 64010 + distance
        desk.quote(side, str(price), str(rng.randrange(1, 4) / D(1000)))
    draw = rng.random()
    if draw < 0.1:
        desk.exchange.cancel_all(MAKER, SYMBOL)
    elif draw < 0.3:
        for order in rng.sample(orders := desk.exchange.open_orders(MAKER, SYMBOL), k=len(orders) // 3):
            desk.exchange.cancel(MAKER, SYMBOL, order_id=order.order_id, client_order_id=None)
    elif draw < 0.5:
        side = rng.choice((Side.BUY, Side.SELL))
        far = 64010 + rng.randrange(400) if side is Side.BUY else 63990 - rng.randrange(400)
        desk.quote(side, str(far), "0.300")  # sweeps the other side, and its rest stands there


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_deltas_keep_a_book_that_is_the_exchanges_own(seed: int) -> None:
    clock, rng = ManualClock(), Random(seed)

    async def main() -> None:
        desk = Desk(clock)
        assert isinstance(desk.dialect, BybitDialect)
        desk.quote(Side.BUY, "63990", "1")
        desk.quote(Side.SELL, "64010", "1")
        clients = [BookClient(desk, name) for name in DEPTHS]
        for number in range(120):
            trade_wildly(desk, rng)
            await asyncio.sleep(rng.choice((0, 0.001, 0.015, 0.09, 0.25)))
            if number % 30 == 29:
                desk.dialect.restart_service()
            if number % 40 == 39:
                clients[-1].subscribe("unsubscribe")
                trade_wildly(desk, rng)
                await asyncio.sleep(0.5)
                clients[-1].subscribe()
            if number % 25 == 24:
                clients.append(BookClient(desk, rng.choice(tuple(DEPTHS))))
        await asyncio.sleep(4)
        for client in clients:
            assert len(client.kinds) > 5
        for client in clients[1:4]:
            assert client.kinds.count("delta") > 15
        desk.dialect.close()
        desk.exchange.close()

    clock.run(main())


@pytest.mark.slow
def test_a_living_market_is_followed_frame_by_frame() -> None:
    clock = ManualClock()

    async def main() -> None:
        desk = Desk(clock, rate=200)
        clients = [BookClient(desk, name) for name in DEPTHS]
        desk.exchange.start()
        await asyncio.sleep(10)
        desk.exchange.close()
        for client, least in zip(clients, (200, 200, 80, 40, 80), strict=True):
            assert len(client.kinds) > least, client.topic
        desk.dialect.close()

    clock.run(main())
