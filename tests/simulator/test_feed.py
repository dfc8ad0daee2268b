"""The background market: alike for a seed, alive, and never empty."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from statistics import correlation, mean, pvariance, quantiles

import pytest
from tests.simulator.making import SYMBOL, Heard, exchange, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, Side
from perpwire.simulator.events import BookChanged, MarkTick, OrderChanged, SimEvent, Traded
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


class Watched:
    """An hour of one symbol. After each event: its time, the spread in ticks, the middle, and the depth in steps."""

    def __init__(self, seed: int, rate: float, seconds: int) -> None:
        self.clock = ManualClock()
        self.seconds = seconds
        self.times: list[float] = []
        self.spreads: list[int] = []
        self.middles: list[float] = []
        self.depths: list[float] = []
        self.levels: list[int] = []
        self.imbalances: list[float] = []
        self.trades: list[Traded] = []
        self.clock.run(self._watch(exchange(self.clock, seed=seed, rate=rate)))

    async def _watch(self, venue: Exchange) -> None:
        def look(event: SimEvent) -> None:
            if isinstance(event, Traded):
                self.trades.append(event)
            elif isinstance(event, BookChanged):
                bids, asks, _, _ = venue.book(SYMBOL, 10)
                self.times.append(self.clock.monotonic_ns() / 1e9)
                self.spreads.append(int((asks[0][0] - bids[0][0]) / Decimal("0.1")))
                self.middles.append(float(asks[0][0] + bids[0][0]) / 2)
                self.depths.append(float(sum(quantity for _, quantity in bids + asks)))
                self.levels.append(min(len(bids), len(asks)))
                bid, ask = (float(sum(quantity for _, quantity in side[:5])) for side in (bids, asks))
                self.imbalances.append((bid - ask) / (bid + ask))

        venue.subscribe(look)
        venue.start()
        await self.clock.sleep(self.seconds)
        venue.close()

    def sizes(self, each_s: float) -> list[float]:
        """How far the middle moved in each span, whatever the direction."""
        ends: dict[int, float] = {}
        for time, middle in zip(self.times, self.middles, strict=True):
            ends[int(time / each_s)] = middle
        return [abs(after - before) for before, after in pairwise(ends.values())]


@pytest.fixture(scope="module")
def hour() -> Watched:
    return Watched(seed=5, rate=6, seconds=3600)


@pytest.mark.slow
def test_arrivals_come_at_the_rate_asked_for_and_in_clusters(hour: Watched) -> None:
    assert 0.8 < len(hour.times) / 3600 / 6 < 1.25
    counts = Counter(int(time) for time in hour.times)
    each = [counts[second] for second in range(3600)]
    assert pvariance(each) / mean(each) > 2  # 1 would be no clusters at all


@pytest.mark.slow
def test_the_book_is_never_crossed_nor_empty_nor_thin_for_long(hour: Watched) -> None:
    assert min(hour.spreads) >= 1
    assert min(hour.levels) >= 4
    assert mean(hour.levels) > 9.5  # of the ten that were looked at


@pytest.mark.slow
def test_the_spread_is_mostly_narrow_and_at_times_wide(hour: Watched) -> None:
    assert sum(spread <= 3 for spread in hour.spreads) > 0.4 * len(hour.spreads)
    assert 0.01 < sum(spread > 40 for spread in hour.spreads) / len(hour.spreads) < 0.4


@pytest.mark.slow
def test_depth_comes_and_goes(hour: Watched) -> None:
    tenths = quantiles(hour.depths, n=10)
    assert tenths[-1] > 2 * tenths[0] > 0


@pytest.mark.slow
def test_the_price_moves_both_ways_and_stays_a_price(hour: Watched) -> None:
    moves = [after - before for before, after in pairwise(hour.middles) if after != before]
    assert 0.4 < mean(move > 0 for move in moves) < 0.6
    assert 100 < max(hour.middles) - min(hour.middles) < 64000 * 0.05


@pytest.mark.slow
def test_large_moves_follow_large_moves_and_are_larger_than_a_coin_would_make_them(hour: Watched) -> None:
    sizes = hour.sizes(10)
    middle = mean(sizes)
    spread = pvariance(sizes)
    for lag in (1, 2, 3):
        pairs = zip(sizes, sizes[lag:], strict=False)
        assert mean((one - middle) * (later - middle) for one, later in pairs) / spread > 0.05
    assert max(sizes) > 4 * middle


@pytest.mark.slow
def test_there_are_trades_on_both_sides_of_very_different_sizes(hour: Watched) -> None:
    assert len(hour.trades) > 3000
    assert 0.4 < mean(trade.buyer_is_maker for trade in hour.trades) < 0.6
    sizes = sorted(float(trade.quantity) for trade in hour.trades)
    assert sizes[-len(sizes) // 1000] > 12 * sizes[len(sizes) // 2]


@pytest.mark.slow
def test_some_takers_sweep_through_several_levels(hour: Watched) -> None:
    prices: dict[int, set[Decimal]] = {}
    for trade in hour.trades:
        prices.setdefault(trade.time_ms, set()).add(trade.price)
    assert 10 < sum(len(one) >= 4 for one in prices.values()) < 0.2 * len(prices)


@pytest.mark.slow
def test_the_price_goes_where_the_book_is_thinner(hour: Watched) -> None:
    """What makes the imbalance worth watching."""
    moves = [after - before for before, after in zip(hour.middles, hour.middles[10:], strict=False)]
    assert 0.05 < correlation(hour.imbalances[:-10], moves) < 0.5


@pytest.mark.parametrize(("rate", "seconds"), [(1, 120), (20_000, 0.05)])
def test_slow_or_fast_the_book_stays_whole(clock: ManualClock, rate: float, seconds: float) -> None:
    async def main() -> int:
        venue = exchange(clock, rate=rate)
        heard = Heard(venue)
        venue.start()
        await clock.sleep(seconds)
        venue.close()
        bids, asks, _, _ = venue.book(SYMBOL, 100)
        assert len(bids) > 10 < len(asks)
        assert bids[0][0] < asks[0][0]
        return len(heard.of(BookChanged))

    assert 0.4 < clock.run(main()) / rate / seconds < 2


def test_the_index_wanders_about_what_the_background_holds_to_be_fair(clock: ManualClock) -> None:
    async def main() -> list[MarkTick]:
        venue = exchange(clock, rate=10)
        heard = Heard(venue)
        venue.start()
        await clock.sleep(60)
        venue.close()
        return heard.of(MarkTick)

    ticks = clock.run(main())
    assert len({tick.index_price for tick in ticks}) > 30
    assert all(abs(tick.mark_price / tick.index_price - 1) < Decimal("0.003") for tick in ticks)


def test_a_market_that_is_moved_is_laid_anew_at_its_new_price(clock: ManualClock) -> None:
    async def main() -> None:
        venue = exchange(clock, rate=30)
        venue.start()
        await clock.sleep(1)
        venue.shock_price(SYMBOL, share=Decimal("-0.2"))
        bids, asks, _, _ = venue.book(SYMBOL, 1000)
        assert len(bids) > 20 < len(asks)
        assert 50900 < bids[-1][0] < bids[0][0] < asks[0][0] < asks[-1][0] < 51500
        await clock.sleep(20)
        assert 50900 < venue.index_price(SYMBOL) < 51500
        assert 50900 < venue.last_price(SYMBOL) < 51500
        venue.close()

    clock.run(main())


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
        for _ in range(60):
            await clock.sleep(60)
            if heard.of(OrderChanged):
                break
        await clock.sleep(60)
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
        assert sum(turns) > 30

    clock.run(main())


def test_a_listener_that_fails_does_not_end_the_market(clock: ManualClock) -> None:
    heard: list[SimEvent] = []

    def fail_at_first(event: SimEvent) -> None:
        heard.append(event)
        if len(heard) == 1:
            raise ValueError("once")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        venue = exchange(clock, rate=30)
        venue.subscribe(fail_at_first)
        venue.start()
        await clock.sleep(5)
        venue.close()

    clock.run(main())
    assert len(heard) > 50


def test_a_listener_may_close_the_exchange(clock: ManualClock) -> None:
    async def main() -> None:
        venue = exchange(clock, rate=30)
        stop = venue.subscribe(lambda event: venue.close() if isinstance(event, BookChanged) else None)
        venue.start()
        await clock.sleep(5)
        stop()
        heard = Heard(venue)
        await clock.sleep(5)
        assert heard.of(BookChanged) == []

    clock.run(main())


def test_at_a_rate_of_one_event_in_days_nothing_moves_before_it(clock: ManualClock) -> None:
    async def main() -> set[Decimal]:
        venue = exchange(clock, rate=1e-6)
        heard = Heard(venue)
        venue.start()
        await clock.sleep(60)
        venue.close()
        assert heard.of(BookChanged) == []
        return {tick.index_price for tick in heard.of(MarkTick)}

    indexes = clock.run(main())
    assert all(abs(index / 64000 - 1) < Decimal("0.0005") for index in indexes)
