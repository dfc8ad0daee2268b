"""What streams can't be asked for is refused before anything is sent; where one is named, a list may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.playing import play

from perpwire.api_connector.websocket_manager import StreamSettings, WebSocketManager
from perpwire.errors import BadInput
from perpwire.model.market import BookDelta, Event, Gap, Kline, Trade
from perpwire.testing import World
from perpwire.venues import load

VENUES = ("binance", "bybit")


@pytest.mark.parametrize(
    "made",
    [
        *(lambda one=one: StreamSettings(copies=one) for one in (0, -3, "2", 1.5, True)),
        *(lambda one=one: StreamSettings(topics_per_connection=one) for one in (0, -1, "5")),
        *(lambda one=one: StreamSettings(socket_life_s=one) for one in (0, -5, float("nan"), "60")),
        lambda: WebSocketManager(heartbeat_s=0),
        lambda: WebSocketManager(routes={"binnance": {"*": "market"}}),
        lambda: load("bybit").stream_url(load("bybit").environments["live"], "nowhere", None),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_they_are_made(made: Callable[[], Any]) -> None:
    with pytest.raises(BadInput):
        made()


@pytest.mark.parametrize("venue", VENUES)
def test_what_a_stream_cant_be_asked_for_is_refused_and_nothing_is_sent(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector: Any = world.connectors[venue]
        await connector.get_instruments()
        calls = connector.metrics.get_stats()["total_requests"]
        odd: list[Callable[[], Any]] = [
            *(lambda one=one: connector.watch(Trade, "BTCUSDT", limit=one) for one in (0, -1, None, "3", 2.5, True)),
            *(lambda one=one: connector.streams.watch(Trade, limit=one, overflow="latest") for one in (0, "3")),
            lambda: connector.watch(Trade, "BTCUSDT", overflow="newest"),
            lambda: connector.watch(Trade, "BTCUSDT", overflow="latest", gaps=True),
            lambda: connector.streams.watch(Trade, gaps="no"),
            lambda: connector.watch(Trade, []),
            lambda: connector.watch(Trade, 5),
            lambda: connector.watch("Trade", "BTCUSDT"),
            lambda: connector.streams.watch("Trade"),
            lambda: connector.subscribe("Trade", "BTCUSDT"),
            lambda: connector.subscribe([Trade, int], "BTCUSDT"),
            lambda: connector.subscribe(5, "BTCUSDT"),
            lambda: connector.subscribe(Trade, 5),
            lambda: connector.subscribe(Trade, ["BTCUSDT", None]),
            lambda: connector.subscribe(Kline, "BTCUSDT", interval=["1m"]),
            lambda: connector.open_book("BTCUSDT", levels="50"),
            lambda: connector.open_book("BTCUSDT", speed_ms=True),
            lambda: connector.open_books(5),
            lambda: connector.on("trade", print),
            lambda: connector.on(Trade, None),
            lambda: connector.streams.on(Trade, print, 5),
            lambda: connector.streams.connect(venue, ["btcusdt@aggTrade", 5]),
            lambda: connector.streams.connect(venue, None),
            lambda: connector.streams.connect(venue, [NATIVE[venue]], wait="forever"),
        ]
        for at, call in enumerate(odd):
            try:
                made = call()
                made = await made if hasattr(made, "__await__") else made
            except BadInput:
                continue
            raise AssertionError(f"{at} came to {made!r}")
        assert connector.metrics.get_stats()["total_requests"] == calls
        assert not connector.streams.topics
        assert not connector.streams.queues

    play(venue, scenario)


NATIVE = {"binance": "btcusdt@aggTrade", "bybit": "publicTrade.BTCUSDT"}


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_one_native_name_is_as_good_as_a_list_of_one(venue: str) -> None:
    async def scenario(world: World) -> None:
        streams = world.connectors[venue].streams
        await streams.connect(venue, NATIVE[venue], wait="live")
        assert list(streams.topics) == [(venue, NATIVE[venue])]
        await streams.disconnect(venue, NATIVE[venue])
        assert not streams.topics

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_one_iterator_over_several_symbols_gives_what_one_of_each_gives_and_no_other(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        books = await connector.watch(BookDelta, ["BTCUSDT", "ETHUSDT"])
        single = {name: await connector.watch_trades(name) for name in ("BTCUSDT", "ETHUSDT", "SOLUSDT")}
        both = await connector.watch_trades(["ETHUSDT", "BTC/USDT:USDT", "ETHUSDT"])
        await world.clock.sleep(10)
        topics = len(connector.streams.topics)
        for queue in (both, *single.values()):
            queue.close()
        books.close()
        told: dict[str, list[Event]] = {name: [] for name in single}
        async for event in both:
            told[event.symbol].append(event)
        assert all(told[name] for name in ("BTCUSDT", "ETHUSDT"))
        for name in ("BTCUSDT", "ETHUSDT"):
            assert told[name] == [event async for event in single[name]][-len(told[name]) :]
        assert not told["SOLUSDT"]
        assert {event.symbol async for event in books} == {"BTCUSDT", "ETHUSDT"}
        assert topics == 5
        await world.clock.sleep(5)  # some messages, four a second
        assert not connector.streams.topics  # each was given back

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_holes_of_each_of_its_symbols_stand_in_an_iterator_over_several(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        both = await connector.watch_klines(["ETHUSDT", "BTCUSDT"], "1m")
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", ""):
            for interval in ("1m", "5m"):
                gap = Gap(venue=venue, symbol=symbol, kind="Kline", interval=interval, since_ns=0, until_ns=1)
                connector.streams.frames.deliver(gap)
        both.close()
        gaps = [event async for event in both if isinstance(event, Gap)]
        assert [(gap.symbol, gap.interval) for gap in gaps] == [("BTCUSDT", "1m"), ("ETHUSDT", "1m"), ("", "1m")]

    play(venue, scenario)


@pytest.mark.parametrize(
    ("overflow", "gaps", "told"), [("raise", None, 0), ("raise", True, 1), ("drop_oldest", False, 0)]
)
def test_an_iterator_says_what_is_missing_where_it_is_asked_to(overflow: Any, gaps: bool | None, told: int) -> None:
    async def scenario(world: World) -> None:
        connector = world.bybit
        queue = await connector.watch(Trade, "BTCUSDT", overflow=overflow, gaps=gaps)
        gap = Gap(venue="bybit", symbol="BTCUSDT", kind="Trade", since_ns=0, until_ns=1)
        connector.streams.frames.deliver(gap)
        queue.close()
        assert [event async for event in queue if isinstance(event, Gap)] == [gap] * told

    play("bybit", scenario)


def test_an_accounts_stream_by_name_is_refused_while_none_is_open_and_then_is_not() -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors["bybit"]
        with pytest.raises(BadInput, match="open_account_stream"):
            await connector.streams.connect("bybit", "dcp.future")
        assert connector.streams.states == {}
        await connector.open_account_stream()
        await connector.streams.connect("bybit", "dcp.future")
        assert ("bybit", "dcp.future") in connector.streams.topics

    play("bybit", scenario)
