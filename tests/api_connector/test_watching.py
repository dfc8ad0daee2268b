"""Streams as iterators, by name: on both venues, side by side, until they end."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import msgspec
import pytest
from tests.playing import play

from perpwire.api_connector.event_queue import EventQueue
from perpwire.errors import NotOffered
from perpwire.model.market import AggTrade, BookTicker, Event, Gap, Kline, Trade
from perpwire.testing import World
from perpwire.venues.base import StreamOptions

VENUES = ["binance", "bybit"]
BOTH: dict[str, tuple[tuple[Any, ...], str]] = {
    "watch_trades": (("BTCUSDT",), "Trade"),
    "watch_book_ticker": (("BTCUSDT",), "BookTicker"),
    "watch_klines": (("BTCUSDT", "1m"), "Kline"),
    "watch_mark_prices": (("BTCUSDT",), "MarkPrice"),
    "watch_tickers": (("BTCUSDT",), "Ticker"),
    "watch_orders": ((), "Order"),
    "watch_fills": ((), "Fill"),
    "watch_fast_fills": ((), "FastFill"),
    "watch_positions": ((), "Position"),
    "watch_balances": ((), "Balance"),
}
"""Name -> arguments, and what it gives."""

ONE: dict[str, dict[str, tuple[tuple[Any, ...], str]]] = {
    "binance": {
        "watch_continuous_klines": (("BTCUSDT", "1m"), "ContinuousKline"),
        "watch_agg_trades": (("BTCUSDT",), "AggTrade"),
        "watch_depth": (("BTCUSDT",), "BookSnapshot"),
        "watch_mini_tickers": ((None,), "MiniTicker"),
        "watch_book_ticker": ((None,), "BookTicker"),
    },
    "bybit": {"watch_open_interest": (("BTCUSDT",), "OpenInterest")},
}
LACKING: dict[str, dict[str, tuple[str, ...]]] = {
    "binance": {"watch_open_interest": ("BTCUSDT",)},
    "bybit": {
        "watch_agg_trades": ("BTCUSDT",),
        "watch_depth": ("BTCUSDT",),
        "watch_continuous_klines": ("BTCUSDT", "1m"),
        "watch_mini_tickers": (),
        "watch_liquidations": (),
    },
}


def kind_of(event: Event) -> str:
    return next(kind.__name__ for kind in type(event).__mro__ if not kind.__name__.startswith("_"))


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_each_name_gives_its_kind_and_all_can_be_read_side_by_side(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        queues: list[tuple[str, EventQueue[Any]]] = []
        for name, (arguments, kind) in [*BOTH.items(), *ONE[venue].items()]:
            queues.append((kind, await getattr(connector, name)(*arguments)))
        await connector.place_order("BTCUSDT", "BUY", "0.1")
        await world.clock.sleep(5)
        for kind, queue in queues:
            async with asyncio.timeout(5):
                found = await anext(queue)
            assert kind_of(found) in (kind, "Agg" + kind)
            assert found.venue == venue
        for _, queue in queues:
            queue.close()
        await world.clock.sleep(2)
        wanted = {topic for _, topic in connector.streams.topics}
        assert wanted == {topic.name for topic in connector.venue.private_topics()}

    play(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_what_a_venue_lacks_is_refused_before_anything_is_sent(venue: str) -> None:
    async def scenario(world: World) -> None:
        for name, arguments in LACKING[venue].items():
            with pytest.raises(NotOffered):
                await getattr(world.connectors[venue], name)(*arguments)
        assert world.connectors[venue].streams.states == {}

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_two_intervals_of_one_symbol_do_not_mix_and_one_ends_without_the_other(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        minutes, fives = await connector.watch_klines("BTCUSDT", "1m"), await connector.watch_klines("BTCUSDT", "5m")
        again = await connector.watch_klines("BTCUSDT", "1m")
        await world.clock.sleep(5)
        for queue, interval in ((minutes, "1m"), (fives, "5m"), (again, "1m")):
            assert queue.waiting > 2
            assert {getattr(await anext(queue), "interval", "") for _ in range(queue.waiting)} == {interval}
        minutes.close()
        fives.close()
        await world.clock.sleep(2)
        names = {topic for _, topic in connector.streams.topics}
        assert len(names) == 1
        before = again.waiting
        await world.clock.sleep(3)
        assert again.waiting > before
        with pytest.raises(StopAsyncIteration):
            await anext(fives)

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_one_unsubscribe_takes_back_what_was_subscribed_by_option_however_often(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        for _ in range(2):
            await connector.subscribe([Kline], ["BTCUSDT"], interval="1m")
        await connector.subscribe([Kline], ["BTCUSDT"], interval="5m")
        await connector.subscribe(Trade, ["BTCUSDT", "ETHUSDT"])
        await connector.unsubscribe([Kline], "BTCUSDT", interval="1m")
        await connector.unsubscribe([Trade], ["ETHUSDT"])
        await world.clock.sleep(1)
        assert len(connector.streams.topics) == 2
        await connector.unsubscribe(Kline, "BTCUSDT", interval="5m")
        await world.clock.sleep(1)
        assert len(connector.streams.topics) == 1

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_consumer_that_falls_behind_gets_a_gap_and_the_account_anew(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        told: list[str] = []
        connector.on_incident(lambda incident: told.append(type(incident).__name__))
        queue = await connector.watch_orders()
        queue._limit = 5
        for _ in range(6):
            await connector.place_order("BTCUSDT", "BUY", "0.01")
        await world.clock.sleep(1)
        requests = len(world.simulation.journal[venue].entries(kind="request"))
        await world.clock.sleep(1)
        assert isinstance(await anext(queue), Gap)
        assert told.count("ConsumerBehind") == 1
        await world.clock.sleep(1)
        assert requests > 6  # it was read back within a second

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_was_traded_while_nobody_watched_is_no_gap_for_who_watches_again(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        gaps: list[Gap] = []
        trades: list[Trade] = []
        connector.on(Gap, gaps.append)
        connector.on(Trade, trades.append)
        first = await connector.watch_trades("BTCUSDT")
        await world.clock.sleep(5)
        first.close()
        await world.clock.sleep(20)
        heard = len(trades)
        again = await connector.watch_trades("BTCUSDT")
        await world.clock.sleep(5)
        assert again.waiting == len(trades) - heard > 0
        assert gaps == []
        assert not any(trade.recovered for trade in trades)

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_stream_asked_for_just_as_the_last_one_ends_speaks(venue: str) -> None:
    """Whichever step of the ending it falls into, for another stream of the same socket and for the same one."""

    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        for symbol in ("ETHUSDT", "BTCUSDT"):
            for steps in range(8):
                last = await connector.watch_trades("BTCUSDT")
                await world.clock.sleep(1)
                last.close()
                for _ in range(steps):
                    await asyncio.sleep(0)
                fresh = await connector.watch_trades(symbol)
                await world.clock.sleep(4)
                assert fresh.waiting > 0, (symbol, steps)
                fresh.close()
                await world.clock.sleep(2)
                assert connector.streams.topics == {}

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_watch_that_is_given_up_before_it_stands_leaves_no_subscription(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.get_instrument("BTCUSDT")
        given_up = 0
        for kept in (False, True):
            queue = await connector.watch_trades("ETHUSDT") if kept else None
            for steps in range(1, 25):
                watching = asyncio.ensure_future(connector.watch_trades("BTCUSDT"))
                for _ in range(steps):
                    await asyncio.sleep(0)
                watching.cancel()
                try:
                    (await watching).close()
                except asyncio.CancelledError:
                    given_up += 1
                await world.clock.sleep(2)
                assert len(connector.streams.topics) == (1 if kept else 0), steps
            if queue is not None:
                assert queue.waiting > 0
        assert given_up > 10

    play(venue, scenario)


@pytest.mark.slow
def test_single_and_aggregated_trades_of_one_symbol_do_not_mix() -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors["binance"]
        usual = await connector.watch_trades("BTCUSDT")
        single = await connector.watch(Trade, "BTCUSDT", aggregated=False)
        await world.clock.sleep(5)
        for queue, is_aggregated in ((usual, True), (single, False)):
            found = {isinstance(await anext(queue), AggTrade) for _ in range(queue.waiting)}
            assert found == {is_aggregated}

    play("binance", scenario)


def test_candles_of_two_contracts_of_one_pair_do_not_mix() -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors["binance"]
        queue = await connector.watch_continuous_klines("BTCUSDT", "1m")
        await world.clock.sleep(3)
        ours = await anext(queue)
        before = queue.waiting
        connector.streams.frames.deliver(msgspec.structs.replace(ours, contract="NEXT_QUARTER"))
        assert queue.waiting == before
        connector.streams.frames.deliver(ours)
        assert queue.waiting == before + 1

    play("binance", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_giving_back_another_stream_of_a_symbol_loses_no_trade_that_waits_for_a_repair(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        trades: list[Trade] = []
        connector.on(Trade, trades.append)
        await connector.subscribe([Trade, BookTicker], ["BTCUSDT"])
        await world.clock.sleep(5)
        topic = connector.venue.topic(Trade, "BTCUSDT", StreamOptions())
        carrier = connector.streams.carrying(connector.venue, topic)
        assert carrier is not None
        carrier.restart("test")
        for _ in range(40):
            await world.clock.sleep(0.05)
            await connector.unsubscribe([BookTicker], ["BTCUSDT"])
            await connector.subscribe([BookTicker], ["BTCUSDT"])
        await world.clock.sleep(15)
        ids = [trade.trade_id for trade in trades]
        assert len(ids) == len(set(ids))
        assert any(trade.recovered for trade in trades)
        if venue == "binance":
            assert ids == list(range(int(ids[0]), int(ids[0]) + len(ids)))

    play(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_loop_that_is_left_has_ended_its_iterator(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        for _ in range(3):
            async for _ in await connector.watch_trades("BTCUSDT"):
                break
            async for _ in await connector.watch_book("BTCUSDT"):
                break
        kept = await connector.watch_book_ticker("BTCUSDT")
        await world.clock.sleep(3)
        assert connector.streams.queues == [kept]
        assert len(connector.streams.topics) == 1
        await anext(kept)

    play(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_task_that_nobody_holds_goes_on_reading(venue: str) -> None:
    heard = Counter[str]()

    async def scenario(world: World) -> None:
        connector = world.connectors[venue]

        async def read(name: str, *arguments: Any) -> None:
            async for _ in await getattr(connector, name)(*arguments):
                heard[name] += 1

        loop = asyncio.get_running_loop()
        for name, arguments in (
            ("watch_trades", ("BTCUSDT",)), ("watch_book", ("BTCUSDT",)), ("watch_fills", ()),
            ("watch_candles", ("BTCUSDT", "1s")),
        ):  # fmt: skip
            loop.create_task(read(name, *arguments))  # noqa: RUF006 - that is the point
        await world.clock.sleep(5)
        gc.collect()
        heard.clear()
        await connector.place_order("BTCUSDT", "BUY", "0.1")
        await world.clock.sleep(5)

    play(venue, scenario)
    assert heard["watch_fills"] == 1
    assert min(heard[name] for name in ("watch_trades", "watch_book", "watch_candles")) > 2
