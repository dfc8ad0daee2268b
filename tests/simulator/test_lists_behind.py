"""Lists that come from a copy which is behind: what they were, so long ago."""

from __future__ import annotations

import pytest

from perpwire.clock import ManualClock
from perpwire.simulator.faults import LagLists
from perpwire.testing import offline

INTERVALS = ("1m", "5m", "1h")


def test_lists_behind_are_what_they_were_then() -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=["binance"], rate=5.0, seed=3) as world:
            exchange = world.simulation.hosts["binance"].exchange

            def lists() -> list[object]:
                candles = [exchange.candles("BTCUSDT", "last", one, limit=3) for one in INTERVALS]
                return [*candles, exchange.recent_trades("BTCUSDT", 20)]

            await clock.sleep(5)
            moved = 0
            for _ in range(70):
                then = lists()
                await clock.sleep(2.5)
                with exchange.lists_behind(2500):
                    assert lists() == then
                moved += lists() != then
            assert moved > 50

    clock.run(main())


def test_lists_lag_for_their_time_and_by_no_more_than_they_may() -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=["bybit"], rate=20.0, seed=3) as world:
            connector, host = world.connectors["bybit"], world.simulation.hosts["bybit"]
            await clock.sleep(10)

            async def behind_ms() -> int:
                await clock.sleep(0.5)
                newest = host.exchange.recent_trades("BTCUSDT", 1)[0].time_ms
                rows = await connector.get_recent_trades("BTCUSDT", 10)
                return newest - rows[-1].venue_time_ms

            host.faults.add(LagLists(seconds=60, behind_s=2.0))
            found = [await behind_ms() for _ in range(40)]
            assert 1000 < max(found) < 2500
            await clock.sleep(60)
            assert await behind_ms() <= 0

    clock.run(main())


def test_so_far_behind_nobody_knows_what_lists_were() -> None:
    with pytest.raises(ValueError, match="31"):
        LagLists(seconds=1, behind_s=31)
