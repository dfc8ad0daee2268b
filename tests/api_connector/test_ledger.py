from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from perpwire.api_connector.ledger import ROUND_TRIP_SPREAD_S, Moment, RateLedger
from perpwire.venues.base import Lane, Limit

MINUTE = Limit(name="weight", limit=2400, period_s=60, fixed=True, source="test", scope="ip")
SECOND = Limit(name="orders", limit=10, period_s=1, fixed=False, source="test")


def at(seconds: float) -> Moment:
    return Moment(seconds, seconds)


def test_reads_leave_a_reserve_that_cancels_may_use() -> None:
    ledger = RateLedger([MINUTE])
    ledger.spend({"weight": 2040}, at(0.0))
    assert ledger.wait_s({"weight": 1}, Lane.MARKET, at(0.0)) == 60.0
    assert ledger.wait_s({"weight": 1}, Lane.ORDER, at(0.0)) == 0.0
    ledger.spend({"weight": 240}, at(1.0))
    assert ledger.wait_s({"weight": 1}, Lane.ORDER, at(1.0)) == 59.0
    assert ledger.wait_s({"weight": 1}, Lane.CANCEL, at(1.0)) == 0.0


def test_a_fixed_window_turns_with_the_venues_minute() -> None:
    ledger = RateLedger([MINUTE])
    ledger.spend({"weight": 2400}, at(59.0))
    assert ledger.wait_s({"weight": 1}, Lane.CANCEL, at(59.5)) == 0.5
    assert ledger.wait_s({"weight": 1}, Lane.CANCEL, at(60.0)) == 0.0


def test_the_eleventh_order_in_a_second_waits_for_the_first_to_leave_the_window() -> None:
    ledger = RateLedger([SECOND])
    for number in range(10):
        assert ledger.wait_s({"orders": 1}, Lane.ORDER, at(number * 0.05)) == 0.0
        ledger.spend({"orders": 1}, at(number * 0.05))
    assert ledger.wait_s({"orders": 1}, Lane.ORDER, at(0.5)) == pytest.approx(0.5 + ROUND_TRIP_SPREAD_S)


def test_the_venues_own_count_is_believed_upward_only() -> None:
    ledger = RateLedger([MINUTE, SECOND])
    ledger.spend({"weight": 100, "orders": 1}, at(0.0))
    ledger.reported({"weight": 2000, "orders": 9}, at(0.0), at(0.1))
    assert (ledger.used("weight", at(0.1)), ledger.used("orders", at(0.1))) == (2000, 9)
    ledger.reported({"weight": 50, "orders": 2}, at(0.1), at(0.2))
    assert (ledger.used("weight", at(0.2)), ledger.used("orders", at(0.2))) == (2000, 9)


def test_a_stop_holds_back_everything_until_it_is_over() -> None:
    ledger = RateLedger([MINUTE])
    ledger.stop(120, at(10.0))
    ledger.stop(1, at(11.0))
    assert ledger.wait_s({}, Lane.CANCEL, at(100.0)) == 30.0
    assert ledger.wait_s({}, Lane.CANCEL, at(130.0)) == 0.0


def test_a_count_from_the_minute_before_says_nothing_of_this_one() -> None:
    ledger = RateLedger([MINUTE])
    ledger.reported({"weight": 2400}, at(59.9), at(60.1))
    assert ledger.wait_s({"weight": 1}, Lane.MARKET, at(60.1)) == 0.0


def test_an_order_limit_stops_orders_and_nothing_else() -> None:
    ledger = RateLedger([MINUTE, SECOND])
    ledger.stop_like({"orders": 1, "weight": 1}, 40, at(0.0))
    assert ledger.wait_s({"orders": 1}, Lane.ORDER, at(10.0)) == 30.0
    assert ledger.wait_s({"weight": 1}, Lane.CANCEL, at(10.0)) == 0.0


def test_a_step_of_the_venues_clock_does_not_stall_rolling_windows_or_stops() -> None:
    ledger = RateLedger([SECOND])
    ledger.spend({"orders": 10}, Moment(3600.0, 0.0))
    ledger.stop(1, Moment(3600.0, 0.0))
    assert ledger.wait_s({"orders": 1}, Lane.ORDER, Moment(0.0, 2.0)) == 0.0


@given(st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 4)), max_size=80))
def test_a_rolling_window_never_lets_more_through_than_the_limit(steps: list[tuple[float, int]]) -> None:
    ledger, now, sent = RateLedger([SECOND]), 0.0, list[tuple[float, int]]()
    for gap, cost in steps:
        now += gap
        while wait := ledger.wait_s({"orders": cost}, Lane.ORDER, at(now)):
            now += wait + 1e-9
        ledger.spend({"orders": cost}, at(now))
        sent.append((now, cost))
        assert sum(units for sent_s, units in sent if sent_s > now - 1) <= 10
