from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from perpwire.api_connector.ledger import RateLedger
from perpwire.venues.base import Lane, Limit

MINUTE = Limit(name="weight", limit=2400, period_s=60, fixed=True, source="test")
SECOND = Limit(name="orders", limit=10, period_s=1, fixed=False, source="test")


def test_reads_leave_a_reserve_that_cancels_may_use() -> None:
    ledger = RateLedger([MINUTE])
    ledger.spend({"weight": 2040}, 0.0)
    assert ledger.wait_s({"weight": 1}, Lane.READ, 0.0) == 60.0
    assert ledger.wait_s({"weight": 1}, Lane.ORDER, 0.0) == 0.0
    ledger.spend({"weight": 240}, 1.0)
    assert ledger.wait_s({"weight": 1}, Lane.ORDER, 1.0) == 59.0
    assert ledger.wait_s({"weight": 1}, Lane.CANCEL, 1.0) == 0.0


def test_a_fixed_window_turns_with_the_venues_minute() -> None:
    ledger = RateLedger([MINUTE])
    ledger.spend({"weight": 2400}, 59.0)
    assert ledger.wait_s({"weight": 1}, Lane.CANCEL, 59.5) == 0.5
    assert ledger.wait_s({"weight": 1}, Lane.CANCEL, 60.0) == 0.0


def test_the_eleventh_order_in_a_second_waits_for_the_first_to_leave_the_window() -> None:
    ledger = RateLedger([SECOND])
    for number in range(10):
        assert ledger.wait_s({"orders": 1}, Lane.ORDER, number * 0.05) == 0.0
        ledger.spend({"orders": 1}, number * 0.05)
    assert ledger.wait_s({"orders": 1}, Lane.ORDER, 0.5) == pytest.approx(0.5)


def test_the_venues_own_count_is_believed_upward_only() -> None:
    ledger = RateLedger([MINUTE, SECOND])
    ledger.spend({"weight": 100, "orders": 1}, 0.0)
    ledger.reported({"weight": 2000, "orders": 9}, 0.1)
    assert (ledger.used("weight", 0.1), ledger.used("orders", 0.1)) == (2000, 9)
    ledger.reported({"weight": 50, "orders": 2}, 0.2)
    assert (ledger.used("weight", 0.2), ledger.used("orders", 0.2)) == (2000, 9)


def test_a_stop_holds_back_everything_until_it_is_over() -> None:
    ledger = RateLedger([MINUTE])
    ledger.stop(120, 10.0)
    ledger.stop(1, 11.0)
    assert ledger.wait_s({}, Lane.CANCEL, 100.0) == 30.0
    assert ledger.wait_s({}, Lane.CANCEL, 130.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 4)), max_size=80))
def test_a_rolling_window_never_lets_more_through_than_the_limit(steps: list[tuple[float, int]]) -> None:
    ledger, now, sent = RateLedger([SECOND]), 0.0, list[tuple[float, int]]()
    for gap, cost in steps:
        now += gap
        while wait := ledger.wait_s({"orders": cost}, Lane.ORDER, now):
            now += wait + 1e-9
        ledger.spend({"orders": cost}, now)
        sent.append((now, cost))
        assert sum(units for at, units in sent if at > now - 1) <= 10
