"""A connector that is closed while something is wrong: what we end ourselves is no incident."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from perpwire.clock import ManualClock
from perpwire.config.streams import KINDS
from perpwire.errors import APIError, NotSent
from perpwire.model.incident import ConnectionLost, ConnectionRecovered, Incident, OrderResolved
from perpwire.model.market import Kline
from perpwire.simulator.faults import Answer, Cut, Delay, LoseAnswer, Refuse, Silence
from perpwire.simulator.host import Host
from perpwire.testing import offline

pytestmark = pytest.mark.slow

Trouble = Callable[[Host], None]


def refused(host: Host) -> None:
    host.faults.add(Cut())
    host.faults.add(Refuse(seconds=3600))


def ill(host: Host) -> None:
    host.faults.add(Cut())
    host.faults.add(Answer(status=500, body="sorry", count=None))


def slow(host: Host) -> None:
    """Who connects anew waits for an answer when the end comes."""
    host.faults.add(Cut())
    host.faults.add(Delay(seconds=5, count=None))


def silent(host: Host) -> None:
    host.faults.add(Silence(seconds=3600, also_next=100))


@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize("trouble", [refused, ill, slow, silent])
@pytest.mark.parametrize("after_s", [0.0, 0.3, 7.0])
def test_closing_tells_of_nothing_and_warns_of_nothing(
    venue: str, trouble: Trouble, after_s: float, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with offline(clock=clock, venues=(venue,), rate=5.0) as world:
            told: list[Incident] = []
            connector = world.connector(venue, road="websocket")
            connector.on_incident(told.append)
            await connector.start()
            await connector.open_account_stream()
            await connector.subscribe([kind for kind in KINDS.values() if kind is not Kline], ["BTCUSDT"])
            await connector.subscribe([Kline], ["BTCUSDT"], interval="1m")
            await connector.open_book("BTCUSDT")
            await clock.sleep(3)
            trouble(world.simulation.hosts[venue])
            await clock.sleep(after_s)
            told.clear()
            caplog.clear()
            await connector.close()
            await clock.sleep(60)
            assert told == []
            assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []

    clock.run(scene())


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_an_order_whose_outcome_is_not_known_is_told_all_the_same(venue: str, clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, venues=(venue,), rate=5.0) as world:
            told: list[Incident] = []
            connector = world.connector(venue, timeout_s=1.0, settle_patience_s=1.0)
            connector.on_incident(told.append)
            await connector.start()
            world.simulation.hosts[venue].faults.add(LoseAnswer(count=None))
            with pytest.raises(APIError):
                await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="50000")
            assert len(connector.unresolved_orders) == 1
            told.clear()
            await connector.close()
            (resolved,) = told
            assert isinstance(resolved, OrderResolved)
            assert resolved.outcome == "UNRESOLVED"

    clock.run(scene())


def test_a_connector_that_is_started_again_tells_again(clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, venues=("bybit",), rate=5.0) as world:
            told: list[Incident] = []
            connector = world.connector("bybit")
            connector.on_incident(told.append)
            await connector.start()
            await connector.close()
            await connector.start()
            await connector.open_account_stream()
            world.simulation.hosts["bybit"].faults.add(Cut())
            await clock.sleep(5)
            assert [type(one) for one in told] == [ConnectionLost, ConnectionRecovered]
            await connector.close()

    clock.run(scene())


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_who_waits_for_the_accounts_stream_is_told_that_it_was_closed(venue: str, clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            connector = world.connector(venue)
            await connector.start()
            world.simulation.faults[venue].add(Delay(seconds=300, method="GET", count=None))
            opening = asyncio.get_running_loop().create_task(connector.open_account_stream())
            await clock.sleep(3)
            await connector.close()
            with pytest.raises(NotSent, match="closed"):
                await opening

    clock.run(scene())


def test_a_reading_of_the_account_that_is_cancelled_ends_although_its_call_says_something_else(
    clock: ManualClock,
) -> None:
    """A call that waits while the connector is closed ends in NotSent, which must not be tried again for ever."""

    async def answers_a_cancellation_by_an_error() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            raise NotSent("the connector was closed", code="CLOSED") from None

    async def scene() -> None:
        async with offline(clock=clock, venues=("binance",), rate=1.0) as world:
            connector = world.binance
            await connector.open_account_stream()
            watch = connector._running.private._watch
            reading = asyncio.get_running_loop().create_task(watch._at_last(answers_a_cancellation_by_an_error))
            await clock.sleep(1)
            reading.cancel()
            await clock.sleep(100)
            assert reading.cancelled()

    clock.run(scene())
