"""Candles made of the trades of a stream: the venue's own, to the digit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from tests.sizes import size

from perpwire.clock import ManualClock
from perpwire.errors import BadInput
from perpwire.model.market import Kline, Trade
from perpwire.simulator.faults import Answer, Cut, Refuse
from perpwire.testing import World, offline

VENUES = ["binance", "bybit"]
PATHS = {"binance": "/fapi/v1/aggTrades", "bybit": "/v5/market/recent-trade"}


def play(venue: str, scenario: Callable[[World], Awaitable[None]], rate: float) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=rate) as world:
            await scenario(world)

    clock.run(main())


async def made(world: World, venue: str, interval: str, seconds: float) -> list[Kline]:
    """The candles of so long a time."""
    watch = await world.connectors[venue].watch_candles("BTCUSDT", interval)

    async def read() -> list[Kline]:
        return [candle async for candle in watch]

    reading = asyncio.create_task(read())
    await world.clock.sleep(seconds)
    watch.close()
    return await reading


async def venues_own(world: World, venue: str, interval: str, ours: list[Kline]) -> list[Kline]:
    klines = world.connectors[venue].get_klines("BTCUSDT", interval, ours[0].open_time_ms, ours[-1].open_time_ms)
    return [kline async for kline in klines]


def content(candle: Kline) -> tuple[object, ...]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    return (candle.open_time_ms, candle.close_time_ms, *prices, candle.volume, candle.quote_volume)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(("interval", "rate"), [("1m", 0.3), ("1m", 0.02), ("15m", 0.12)])
def test_over_hours_candles_made_of_trades_are_the_venues_own_to_the_digit(
    venue: str, interval: str, rate: float
) -> None:
    """At the lowest rate most minutes are without a trade."""

    async def scenario(world: World) -> None:
        _, *ours = await made(world, venue, interval, size(3, 1) * 3600)
        theirs = await venues_own(world, venue, interval, ours)
        assert len(ours) > (size(10, 2) if interval == "15m" else 45)
        assert list(map(content, ours)) == list(map(content, theirs))
        assert all(candle.is_complete and candle.is_closed for candle in ours)
        assert any(candle.volume for candle in ours)
        if venue == "binance":
            assert [candle.trades for candle in ours] == [candle.trades for candle in theirs]
        if rate < 0.1:
            assert any(not candle.volume for candle in ours)

    play(venue, scenario, rate)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_candles_of_five_seconds_add_up_to_the_venues_minutes(venue: str) -> None:
    async def scenario(world: World) -> None:
        ours = await made(world, venue, "5s", 1200)
        whole = [candle for candle in ours if candle.open_time_ms >= (ours[0].open_time_ms // 60_000 + 1) * 60_000]
        theirs = await venues_own(world, venue, "1m", whole)
        minutes = [whole[at : at + 12] for at in range(0, len(whole) - 11, 12)]
        assert len(minutes) >= 15
        for parts, minute in zip(minutes, theirs, strict=False):
            assert (parts[0].open_time_ms, parts[-1].close_time_ms) == (minute.open_time_ms, minute.close_time_ms)
            assert (parts[0].open, parts[-1].close) == (minute.open, minute.close)
            assert max(part.high for part in parts) == minute.high
            assert min(part.low for part in parts) == minute.low
            assert sum((part.volume or Decimal(0) for part in parts), Decimal(0)) == minute.volume

    play(venue, scenario, 2.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("is_readable", [True, False])
def test_over_an_outage_candles_are_whole_where_trades_were_read_back_and_not_complete_where_not(
    is_readable: bool, venue: str
) -> None:
    async def scenario(world: World) -> None:
        async def hurt() -> None:
            await world.clock.sleep(290)
            faults = world.simulation.faults[venue]
            if not is_readable:
                faults.add(Answer(method="GET", path=PATHS[venue], status=503, count=None, for_s=300.0))
            for number in list(world.simulation.hosts[venue].connections):
                faults.add(Cut(connection=number))
            faults.add(Refuse(seconds=100.0))

        hurting = asyncio.create_task(hurt())
        _, *ours = await made(world, venue, "1m", 1200)
        await hurting
        theirs = await venues_own(world, venue, "1m", ours)
        wrong = [a.open_time_ms for a, b in zip(ours, theirs, strict=True) if content(a) != content(b)]
        incomplete = [candle.open_time_ms for candle in ours if not candle.is_complete]
        if is_readable:
            assert (wrong, incomplete) == ([], [])
        else:
            assert wrong
            assert set(wrong) <= set(incomplete)
            assert 2 <= len(incomplete) <= 4

    play(venue, scenario, 2.0)


def test_an_interval_that_is_none_is_refused_before_anything_is_subscribed() -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(BadInput, match="interval"):
            await world.binance.watch_candles("BTCUSDT", "5x")
        assert world.binance.streams.topics == {}

    play("binance", scenario, 0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_the_end_of_a_watch_takes_its_subscription_back(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        topic = connector.venue.topic(Trade, "BTCUSDT").name
        async with await connector.watch_candles("BTCUSDT", "1s") as watch:
            assert watch.current is None
            candle = await anext(watch)
            assert candle.symbol == "BTCUSDT"
            assert watch.current is not None
            assert watch.current.open_time_ms > candle.open_time_ms
            assert (venue, topic) in connector.streams.topics
        await world.clock.sleep(1)
        assert (venue, topic) not in connector.streams.topics

    play(venue, scenario, 5.0)
