"""A harmless question over the account's stream: whether the venue's service hears what is said there."""

from __future__ import annotations

import pytest

from perpwire.clock import ManualClock
from perpwire.simulator.faults import Cut, Refuse, Silence
from perpwire.testing import offline

by_venue = pytest.mark.parametrize("venue", ["binance", "bybit"])


@by_venue
def test_it_is_answered_while_the_stream_is_live_and_changes_nothing(venue: str, clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, venues=(venue,), rate=1.0) as world:
            connector = world.connectors[venue]
            assert await connector.ask_over_account_stream() is None  # there is none yet
            await connector.open_account_stream()
            for _ in range(3):
                answered_s = await connector.ask_over_account_stream()
                assert answered_s is not None
                assert 0 < answered_s < 2  # Bybit takes few commands a second
            await clock.sleep(30)  # heartbeats are answered as ever
            assert connector.is_account_stream_live

    clock.run(scene())


@by_venue
def test_one_that_is_silent_or_lost_does_not_answer(venue: str, clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, venues=(venue,), rate=1.0) as world:
            connector, faults = world.connectors[venue], world.simulation.faults[venue]
            await connector.open_account_stream()
            faults.add(Silence(route="private", seconds=3600))
            began_ns = clock.monotonic_ns()
            assert await connector.ask_over_account_stream(2.0) is None
            assert clock.monotonic_ns() - began_ns >= 2e9
            faults.add(Refuse(seconds=3600))
            faults.add(Cut(route="private"))
            await clock.sleep(1)
            assert await connector.ask_over_account_stream(2.0) is None

    clock.run(scene())
