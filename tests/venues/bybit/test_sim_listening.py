"""Nothing is followed, timed or made for nobody, however listeners come and go."""

from __future__ import annotations

import asyncio
import json
from random import Random

import pytest

from perpwire.clock import ManualClock
from perpwire.venues.bybit.sim.dialect import BybitDialect

from .desk import Desk, FakePeer, Stream, at_desk, moment

FAMILIES = (
    *("orderbook.1", "orderbook.50", "orderbook.200", "orderbook.1000", "orderbook.rpi", "publicTrade", "tickers"),
    *("kline.1", "kline.60", "priceLimit", "allLiquidation"),
)
TOPICS = (
    *(f"{family}.{symbol}" for symbol in ("BTCUSDT", "ETHUSDT") for family in FAMILIES),
    *("adlAlert.USDT", "insurance.USDT", "adlAlert.USDC"),
)


def check_at_rest(dialect: BybitDialect) -> None:
    streams = dialect._public
    assert streams.hub.is_empty
    assert not any(feed.is_awake for feed in streams._feeds.values())
    assert not any(ladder.is_followed for ladder in streams._ladders.values())
    assert dialect._private._bursts == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_when_the_last_listener_is_gone_everything_is_at_rest(seed: int) -> None:
    clock, rng = ManualClock(), Random(seed)

    async def main() -> None:
        desk = Desk(clock, rate=20)
        assert isinstance(desk.dialect, BybitDialect)
        desk.exchange.start()
        open_sockets: list[Stream] = []
        for _ in range(150):
            draw = rng.random()
            if draw < 0.2 or not open_sockets:
                open_sockets.append(Stream(desk, "/v5/public/linear"))
            elif draw < 0.3:
                open_sockets.pop(rng.randrange(len(open_sockets))).server.on_closed()
            else:
                stream, op = rng.choice(open_sockets), rng.choice(("subscribe", "subscribe", "unsubscribe"))
                command = {"op": op, "args": rng.sample(TOPICS, k=rng.randrange(1, 4))}
                stream.server.on_text(json.dumps(command).encode())
            if rng.random() < 0.3:
                await asyncio.sleep(rng.choice((0.005, 0.05, 0.4)))
        for stream in open_sockets:
            stream.server.on_closed()
        check_at_rest(desk.dialect)
        sent = [len(stream.peer.frames) for stream in open_sockets]
        await asyncio.sleep(70)  # what was still timed runs out
        assert [len(stream.peer.frames) for stream in open_sockets] == sent
        assert desk.dialect._timers._waiting == set()
        check_at_rest(desk.dialect)
        desk.dialect.close()
        desk.exchange.close()

    clock.run(main())


@at_desk
async def test_of_an_account_that_nobody_listens_to_nothing_is_gathered(desk: Desk) -> None:
    assert isinstance(desk.dialect, BybitDialect)
    desk.quotes()
    assert desk.dialect._private._bursts == {}
    stream = desk.private("order")
    desk.create(orderType="Market", qty="0.500")
    await moment()
    assert len(stream.peer.read("order")) == 1
    stream.server.on_closed()
    desk.create(orderType="Market", qty="0.500")
    await moment(0.0021)
    assert desk.dialect._private._bursts == {}
    assert stream.peer.accounts == {"", "main"}


@at_desk
async def test_a_socket_that_never_subscribed_hears_nothing(desk: Desk) -> None:
    desk.quotes()
    peer = FakePeer()
    socket = desk.dialect.open_socket("/v5/private", "", peer)
    desk.create(orderType="Market", qty="0.500")
    await moment()
    assert peer.frames == []
    socket.on_closed()
