"""The background market: alike for a seed, alive, and never empty."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from statistics import mean, pstdev

import pytest
from tests.simulator.making import SYMBOL, Heard, exchange, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, Side
from perpwire.simulator.events import BookChanged, OrderChanged, SimEvent, Traded
from perpwire.simulator.exchange import AccountSpec, Exchange


def run(seed: int, seconds: float, orders: bool = False) -> list[SimEvent]:
    clock = ManualClock()

    async def main() -> list[SimEvent]:
        venue = exchange(clock, seed=seed, rate=30, symbols=[spec(), spec("SOLUSDT", "150")])
        heard = Heard(venue)
        venue.start()
        await clock.sleep(seconds / 2)
        if orders:
            venue.place("a", intent(Side.BUY, "1"))
        await clock.sleep(seconds / 2)
        venue.close()
        return heard.events

    return clock.run(main())


def test_the_same_seed_gives_the_same_events_and_another_seed_others() -> None:
    assert run(3, 10, orders=True) == run(3, 10, orders=True)
    assert run(3, 2) != run(4, 2)


@pytest.fixture(scope="module")
def minute() -> tuple[Exchange, list[float], Counter[int], Heard]:
    """A minute of one symbol: times of arrivals, spreads in ticks after each, and all events."""
    clock = ManualClock()

    async def main() -> tuple[Exchange, list[float], Counter[int], Heard]:
        venue = exchange(clock, seed=5, rate=30)
        heard = Heard(venue)
        times: list[float] = []
        spreads: Counter[int] = Counter()

        def look(event: SimEvent) -> None:
            if isinstance(event, BookChanged):
                bids, asks, _, _ = venue.book(SYMBOL, 1)
                spreads[int((asks[0][0] - bids[0][0]) / Decimal("0.1"))] += 1
                times.append(clock.monotonic_ns() / 1e9)

        venue.subscribe(look)
        venue.start()
        await clock.sleep(60)
        venue.close()
        return venue, times, spreads, heard

    return clock.run(main())


Minute = tuple[Exchange, list[float], "Counter[int]", Heard]


def test_arrivals_come_at_the_rate_asked_for_and_in_clusters(minute: Minute) -> None:
    _, times, _, _ = minute
    gaps = [after - before for before, after in pairwise(times)]
    assert 20 < len(times) / 60 < 40
    assert pstdev(gaps) / mean(gaps) > 1.1  # 1 would be no clusters at all


def test_the_spread_is_mostly_one_to_three_ticks_and_never_crossed(minute: Minute) -> None:
    _, _, spreads, _ = minute
    assert min(spreads) >= 1
    assert sum(spreads[ticks] for ticks in (1, 2, 3)) > 0.85 * spreads.total()


def test_the_book_is_deep_and_stays_near_its_price(minute: Minute) -> None:
    venue, _, _, _ = minute
    bids, asks, _, _ = venue.book(SYMBOL, 1000)
    assert 25 <= len(bids) <= 80
    assert 25 <= len(asks) <= 80
    assert abs(bids[0][0] - 64000) < 20
    assert asks[-1][0] - asks[0][0] < 20


def test_there_are_trades_on_both_sides_and_sometimes_through_several_levels(minute: Minute) -> None:
    _, _, _, heard = minute
    trades = heard.of(Traded)
    assert len(trades) > 100
    assert 0.25 < mean(trade.buyer_is_maker for trade in trades) < 0.75
    prices_at = Counter[int]()
    for time_ms in {trade.time_ms for trade in trades}:
        prices_at[time_ms] = len({trade.price for trade in trades if trade.time_ms == time_ms})
    assert max(prices_at.values()) >= 4


def test_whoever_buys_up_the_whole_book_finds_it_laid_anew_by_the_next_arrivals(clock: ManualClock) -> None:
    async def main() -> None:
        venue = exchange(clock, rate=30, accounts=[AccountSpec(name="a", cash=Decimal(10) ** 9)])
        venue.start()
        for side in (Side.BUY, Side.SELL, Side.BUY):
            assert venue.place("a", intent(side, "500")).reason == "market"  # there was not so much
            heard = Heard(venue)
            while len(heard.of(BookChanged)) < 3:
                await clock.sleep(0.001)
            bids, asks, _, _ = venue.book(SYMBOL, 1000)
            assert len(asks if side is Side.BUY else bids) >= 10
            heard.stop()
            await clock.sleep(10)
        venue.close()

    clock.run(main())


def test_the_background_trades_with_a_users_resting_order_at_its_price(clock: ManualClock) -> None:
    async def main() -> None:
        venue = exchange(clock, rate=30)
        bids, _, _, _ = venue.book(SYMBOL, 1)
        order = venue.place("a", intent(Side.BUY, "0.5", str(bids[0][0])))
        heard = Heard(venue)
        venue.start()
        await clock.sleep(120)
        venue.close()
        fills = [event.fill for event in heard.of(OrderChanged) if event.fill is not None]
        assert venue.find_order("a", None, order_id=order.order_id, client_order_id=None).status is OrderStatus.FILLED
        assert {fill.price for fill in fills} == {bids[0][0]}
        assert all(fill.is_maker for fill in fills)
        assert sum(fill.quantity for fill in fills) == Decimal("0.5")

    clock.run(main())


def test_after_close_nothing_moves(clock: ManualClock) -> None:
    async def main() -> None:
        venue = exchange(clock, rate=30)
        venue.start()
        await clock.sleep(1)
        venue.close()
        heard = Heard(venue)
        await clock.sleep(10)
        assert heard.events == []

    clock.run(main())


def test_a_market_that_is_behind_catches_up_in_small_steps(clock: ManualClock) -> None:
    async def main() -> None:
        venue = exchange(clock, rate=10_000)
        heard = Heard(venue)
        venue.start()
        clock.advance(0.5)  # thousands of arrivals are due
        turns: list[int] = []
        for _ in range(6):
            heard.clear()
            await clock.sleep(0)
            turns.append(len(heard.of(BookChanged)))
        venue.close()
        assert 0 < max(turns) <= 50
        assert sum(turns) > 50

    clock.run(main())
