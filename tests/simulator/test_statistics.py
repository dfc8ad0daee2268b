"""What is published of the crowd: the same for a seed, within sense, and changing."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from tests.simulator.making import spec

from perpwire.clock import ManualClock
from perpwire.simulator.candles import Candles
from perpwire.simulator.intervals import DAY_MS, HOUR_MS
from perpwire.simulator.statistics import Crowd, Statistics, insurance_fund


def made(clock: ManualClock, seed: int = 7) -> tuple[Statistics, Candles]:
    def now_ms() -> int:
        return clock.time_ns() // 1_000_000

    candles = Candles(spec(), seed, now_ms)
    return Statistics(spec(), seed, candles, now_ms), candles


def test_open_interest_moves_a_little_all_the_time_and_is_what_its_history_says_later(clock: ManualClock) -> None:
    statistics, _ = made(clock)
    first = statistics.background_interest()
    clock.advance(300)
    second = statistics.background_interest()
    assert first != second
    assert abs(second / first - 1) < Decimal("0.02")
    assert not first % Decimal("0.001")
    rows = statistics.open_interest("5m", limit=30)
    assert len(rows) == 30
    assert rows[-1].quantity == statistics.background_interest(rows[-1].time_ms)
    clock.advance(3600)
    assert statistics.open_interest("5m", end_ms=rows[-1].time_ms, limit=30) == rows
    assert made(clock, seed=8)[0].open_interest("5m", end_ms=rows[-1].time_ms, limit=30) != rows
    assert all(Decimal("1e9") < row.value < Decimal("2e10") for row in statistics.open_interest("1d", limit=30))


@pytest.mark.parametrize("crowd", ["accounts", "top_accounts", "top_positions"])
def test_longs_and_shorts_add_up(clock: ManualClock, crowd: Crowd) -> None:
    rows = made(clock)[0].long_short(crowd, "1h", limit=500)
    assert len(rows) == 500
    assert all(row.long + row.short == 1 and Decimal("0.3") < row.long < Decimal("0.8") for row in rows)
    assert len({row.long for row in rows}) > 50
    assert rows[0].ratio == rows[0].long / rows[0].short


def test_taker_volumes_are_those_of_the_candles(clock: ManualClock) -> None:
    statistics, candles = made(clock)
    rows = statistics.taker_volume("1h", limit=5)
    hours = candles.range("last", "1h", limit=6)[:-1]
    assert [(row.time_ms, row.buys, row.sells) for row in rows] == [
        (one.close_ms + 1, one.taker_buy_volume, one.volume - one.taker_buy_volume) for one in hours
    ]


def test_basis_is_last_less_index(clock: ManualClock) -> None:
    statistics, _ = made(clock)
    rows = statistics.basis("1h", limit=48)
    assert all(row.basis == row.last_price - row.index_price for row in rows)
    assert all(abs(row.rate) < Decimal("0.002") for row in rows)
    assert any(row.basis for row in rows)


def test_rows_stand_at_multiples_of_the_period_within_the_bounds(clock: ManualClock) -> None:
    statistics, _ = made(clock)
    end_ms = clock.time_ns() // 1_000_000
    rows = statistics.long_short("accounts", "1h", start_ms=end_ms - 6 * HOUR_MS, end_ms=end_ms, limit=3, oldest=True)
    assert len(rows) == 3
    assert all(not row.time_ms % HOUR_MS and row.time_ms > end_ms - 6 * HOUR_MS for row in rows)
    assert all(after.time_ms - before.time_ms == HOUR_MS for before, after in pairwise(rows))
    assert rows[0].time_ms < end_ms - 5 * HOUR_MS


def test_the_fund_changes_by_the_day(clock: ManualClock) -> None:
    now_ms = clock.time_ns() // 1_000_000 // DAY_MS * DAY_MS
    assert insurance_fund(7, now_ms) == insurance_fund(7, now_ms + DAY_MS - 1)
    assert insurance_fund(7, now_ms) != insurance_fund(7, now_ms + DAY_MS)
    assert abs(insurance_fund(7, now_ms) / Decimal(1_100_000_000) - 1) < Decimal("0.11")
