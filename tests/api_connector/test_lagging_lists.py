"""Lists of the past lag behind streams: what one does not reach is asked for again, or said to be missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest
from tests.criteria.test_gaps import VENUES, Ears

from perpwire.api_connector.strands import HOLD_S
from perpwire.clock import ManualClock
from perpwire.model.market import Gap, Kline, Trade
from perpwire.simulator.faults import Cut, LoseAnswer, Refuse, StaleAnswer
from perpwire.simulator.host import Host
from perpwire.testing import World, offline
from perpwire.venues.bybit.sim.numbers import TAKER_EXECUTION, number_of

TRADES = {"binance": "/fapi/v1/aggTrades", "bybit": "/v5/market/recent-trade"}
ALL_TRADES = "category=linear&limit=1000&symbol=BTCUSDT"
CANDLES = {"binance": "/fapi/v1/klines", "bybit": "/v5/market/kline"}


def play(venue: str, scenario: Callable[[World, Ears, Host], Awaitable[None]], rate: float) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=rate, seed=3) as world:
            ears = Ears(world, venue)
            async with ears.connector:
                await scenario(world, ears, world.simulation.hosts[venue])

    clock.run(main())


def matched(host: Host, since: int) -> Iterator[int]:
    """Numbers of the trades of the exchange, from this one on."""
    return (one.trade_id for one in host.exchange.recent_trades("BTCUSDT", 10_000) if one.trade_id >= since)


@pytest.mark.slow
@pytest.mark.parametrize(("stale", "is_whole"), [(1, True), (2, True), (9, False)])
def test_trades_that_a_list_does_not_have_yet_are_asked_for_again_or_lie_in_a_gap_that_says_so(
    stale: int, is_whole: bool
) -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        await ears.connector.subscribe([Trade], "BTCUSDT")
        bars = await ears.connector.watch_candles("BTCUSDT", "5s")
        await world.clock.sleep(20)
        host.faults.add(Refuse(seconds=6.0))
        host.faults.add(Cut())
        # As of two seconds before the stream is there again.
        host.faults.add(StaleAnswer(path=TRADES["bybit"], query=ALL_TRADES, after_s=4.0, count=stale))
        await world.clock.sleep(40)
        had = [number_of(TAKER_EXECUTION, str(one.trade_id)) for one in ears.trades("BTCUSDT")]
        (gap,) = ears.gaps("BTCUSDT")
        assert gap.repaired is is_whole
        assert (had == list(matched(host, had[0] or 0))) is is_whole
        assert len(set(had)) == len(had)
        bars.close()
        _first, *closed = [one async for one in bars if isinstance(one, Kline)]
        assert all(one.is_complete for one in closed) is is_whole

    play("bybit", scenario, rate=2.0)


@pytest.mark.slow
def test_a_list_that_does_not_have_the_last_trade_yet_tells_none_again() -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        await ears.connector.subscribe([Trade], "BTCUSDT")
        await world.clock.sleep(30)
        host.faults.add(StaleAnswer(path=TRADES["bybit"], query=ALL_TRADES))
        await world.clock.sleep(2)
        host.faults.add(Cut())
        await world.clock.sleep(20)
        had = [number_of(TAKER_EXECUTION, str(one.trade_id)) for one in ears.trades("BTCUSDT")]
        assert len(had) > 600
        assert had == list(matched(host, had[0] or 0))

    play("bybit", scenario, rate=40.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(("stale", "is_whole"), [(2, True), (9, False)])
def test_a_candle_is_closed_where_another_one_is_behind_it_whatever_the_clock_says(
    stale: int, is_whole: bool, venue: str
) -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        await ears.connector.subscribe([Kline], "BTCUSDT", interval="1m")
        await world.clock.sleep(120 - world.clock.time_ns() / 1e9 % 60 - 6)
        host.faults.add(Refuse(seconds=6.0))
        host.faults.add(Cut())
        start = world.clock.time_ns() // 10**6 // 60_000 * 60_000
        query = {
            "binance": f"symbol=BTCUSDT&interval=1m&startTime={start}&limit=1500",
            "bybit": f"category=linear&symbol=BTCUSDT&interval=1&start={start}&limit=1000",
        }
        # As of a second before the candle closes.
        host.faults.add(StaleAnswer(path=CANDLES[venue], query=query[venue], after_s=5.0, count=stale))
        await world.clock.sleep(150)
        heard = ears.heard["Kline BTCUSDT"]
        told = {one.open_time_ms: one for one in heard if isinstance(one, Kline) and one.is_closed}
        (gap,) = [one for one in heard if isinstance(one, Gap)]
        assert gap.repaired is is_whole
        assert (start in told) is is_whole
        host.faults.clear()
        rows = await ears.connector.get_klines("BTCUSDT", "1m", min(told)).all()
        for row in rows[:-1]:
            if row.open_time_ms in told:
                one = told[row.open_time_ms]
                assert (one.close, one.volume, one.trades) == (row.close, row.volume, row.trades)
                assert one.recovered is (one.open_time_ms == start)

    play(venue, scenario, rate=5.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_slow_2_what_a_stream_says_waits_for_what_it_missed_no_longer_than_it_may_however_often_it_is_lost(
    venue: str,
) -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        ages: list[float] = []
        ears.connector.on(Trade, lambda one: ages.append((world.clock.time_ns() - one.received_ns) / 1e9))
        await ears.connector.subscribe([Trade], "BTCUSDT")
        await world.clock.sleep(10)
        host.faults.add(LoseAnswer(path=TRADES[venue], how="silence", count=None))
        for _ in range(10):
            host.faults.add(Cut())
            await world.clock.sleep(6)
        await world.clock.sleep(30)
        assert len(ears.trades("BTCUSDT")) > 50
        assert HOLD_S - 1 < max(ages) < HOLD_S + 1
        assert not any(gap.repaired for gap in ears.gaps("BTCUSDT"))

    play(venue, scenario, rate=5.0)
