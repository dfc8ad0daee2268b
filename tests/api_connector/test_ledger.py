from __future__ import annotations

import random

import pytest
from hypothesis import given, strategies as st

from perpwire.api_connector.ledger import LONGEST_FLIGHT_NS, NEVER_NS, RateLedger, Receipt
from perpwire.venues.base import Costs, Lane, Limit

MINUTE = Limit(name="weight", limit=2400, period_s=60, fixed=True, source="test", scope="ip")
SECOND = Limit(name="orders", limit=10, period_s=1, fixed=False, source="test")
S = 1_000_000_000


def took(ledger: RateLedger, costs: Costs, lane: Lane, now_ns: int) -> Receipt:
    receipt = ledger.take(costs, lane, now_ns)
    assert receipt is not None
    return receipt


def spend(ledger: RateLedger, costs: Costs, now_ns: int) -> None:
    """A call that is answered at once."""
    ledger.settle(took(ledger, costs, Lane.CANCEL, now_ns), now_ns)


def wait_s(ledger: RateLedger, costs: Costs, lane: Lane, now_ns: int) -> float:
    return ledger.wait(costs, lane, now_ns)[0] / S


def test_a_tenth_of_an_addresss_budget_is_never_used_and_a_tenth_each_is_kept_for_the_more_urgent() -> None:
    ledger = RateLedger([MINUTE])
    for lane, in_all in (
        (Lane.HISTORY, 1200),
        (Lane.MARKET, 1680),
        (Lane.ACCOUNT, 1920),
        (Lane.ORDER, 1920),
        (Lane.REDUCE, 2160),
    ):
        if in_all > ledger.used("weight", 0):
            spend(ledger, {"weight": in_all - ledger.used("weight", 0)}, 0)
        assert ledger.take({"weight": 1}, lane, 0) is None
        assert wait_s(ledger, {"weight": 1}, lane, 0) == pytest.approx(60)
    assert ledger.take({"weight": 1}, Lane.CANCEL, 0) is None


def test_of_an_accounts_budget_a_tenth_is_kept_for_orders_that_reduce() -> None:
    ledger = RateLedger([SECOND])
    for _ in range(9):
        took(ledger, {"orders": 1}, Lane.ORDER, 0)
    assert ledger.take({"orders": 1}, Lane.ORDER, 0) is None
    took(ledger, {"orders": 1}, Lane.REDUCE, 0)
    assert ledger.take({"orders": 1}, Lane.REDUCE, 0) is None


def test_the_eleventh_order_in_a_second_waits_for_the_first_to_leave_the_window() -> None:
    ledger = RateLedger([SECOND])
    for number in range(10):
        spend(ledger, {"orders": 1}, number * S // 20)
    assert wait_s(ledger, {"orders": 1}, Lane.REDUCE, S // 2) == pytest.approx(0.5)
    assert ledger.take({"orders": 1}, Lane.REDUCE, S + 2) is not None


def test_a_call_counts_until_one_period_after_its_answer_however_late_that_comes() -> None:
    ledger = RateLedger([SECOND])
    receipts = [took(ledger, {"orders": 1}, Lane.REDUCE, 0) for _ in range(10)]
    assert ledger.take({"orders": 1}, Lane.REDUCE, 3 * S) is None
    ledger.settle(receipts[0], 3 * S)
    assert ledger.take({"orders": 1}, Lane.REDUCE, 4 * S) is None
    assert ledger.take({"orders": 1}, Lane.REDUCE, 4 * S + 1) is not None


def test_a_call_that_is_never_answered_does_not_count_for_ever() -> None:
    ledger = RateLedger([SECOND])
    for _ in range(10):
        took(ledger, {"orders": 1}, Lane.REDUCE, 0)
    assert ledger.take({"orders": 1}, Lane.REDUCE, LONGEST_FLIGHT_NS) is None
    assert ledger.take({"orders": 1}, Lane.REDUCE, LONGEST_FLIGHT_NS + S + 1) is not None


def test_what_was_not_sent_after_all_is_given_back_once() -> None:
    ledger = RateLedger([SECOND])
    receipt = took(ledger, {"orders": 5}, Lane.ORDER, 0)
    ledger.refund(receipt)
    ledger.refund(receipt)
    ledger.settle(receipt, 0)
    assert ledger.used("orders", 0) == 0


def test_a_call_larger_than_its_lanes_share_goes_when_it_is_alone_and_one_larger_than_the_limit_never() -> None:
    ledger = RateLedger([SECOND])
    spend(ledger, {"orders": 1}, 0)
    assert ledger.take({"orders": 10}, Lane.ORDER, 0) is None
    assert wait_s(ledger, {"orders": 10}, Lane.ORDER, 0) == pytest.approx(1)
    assert ledger.take({"orders": 11}, Lane.CANCEL, 2 * S) is None
    assert ledger.wait({"orders": 11}, Lane.CANCEL, 2 * S)[0] == NEVER_NS
    assert ledger.take({"orders": 10}, Lane.ORDER, S + 1) is not None


def test_what_is_given_up_after_a_later_one_was_answered_is_free_in_its_own_time() -> None:
    ledger = RateLedger([SECOND])
    lost = took(ledger, {"orders": 5}, Lane.CANCEL, 0)
    later = took(ledger, {"orders": 5}, Lane.CANCEL, S)
    ledger.settle(later, 7 * S)
    for now_ns in (7 * S + 1, 7 * S + S // 2, 8 * S):  # the lost one counted until 6 s
        assert ledger.take({"orders": 6}, Lane.CANCEL, now_ns) is None
        wait_ns, _ = ledger.wait({"orders": 6}, Lane.CANCEL, now_ns)
        assert now_ns + wait_ns == 8 * S + 1
        assert ledger.used("orders", now_ns) == 5
    assert ledger.take({"orders": 5}, Lane.CANCEL, 7 * S + 2) is not None
    ledger.settle(lost, 8 * S)


def test_either_there_is_room_in_every_window_or_nothing_is_spent() -> None:
    ledger = RateLedger([MINUTE, SECOND])
    spend(ledger, {"orders": 10}, 0)
    assert ledger.take({"weight": 5, "orders": 1}, Lane.CANCEL, 0) is None
    assert ledger.used("weight", 0) == 0
    assert list(ledger.wait({"weight": 5, "orders": 1}, Lane.CANCEL, 0)[1]) == ["orders"]


# --- what the venue says ----------------------------------------------------------------------------------------------


def test_the_venues_count_is_taken_where_it_is_the_larger() -> None:
    ledger = RateLedger([MINUTE])
    receipt = took(ledger, {"weight": 100}, Lane.MARKET, 0)
    ledger.reported({"weight": 500}, receipt, S)
    assert ledger.used("weight", S) == 500
    ledger.reported({"weight": 50}, receipt, S)
    assert ledger.used("weight", S) == 500


def test_our_own_calls_under_way_are_not_taken_for_somebody_elses() -> None:
    ledger = RateLedger([SECOND])
    first = took(ledger, {"orders": 1}, Lane.ORDER, 0)
    for _ in range(4):
        took(ledger, {"orders": 1}, Lane.ORDER, 1)
    ledger.reported({"orders": 5}, first, 2)  # the others overtook it
    assert ledger.used("orders", 2) == 5


def test_our_own_calls_that_have_left_our_window_meanwhile_are_not_taken_for_somebody_elses() -> None:
    ledger = RateLedger([SECOND])
    for _ in range(5):
        spend(ledger, {"orders": 1}, 0)
    late = took(ledger, {"orders": 1}, Lane.ORDER, 9 * S // 10)
    # It reached the venue at 0.95 s, where all six were in the window; its answer takes until 1.5 s.
    ledger.reported({"orders": 6}, late, 3 * S // 2)
    assert ledger.used("orders", 3 * S // 2) == 1


def test_a_reply_without_cost_in_a_window_corrects_it_too() -> None:
    ledger = RateLedger([MINUTE, SECOND])
    receipt = took(ledger, {"orders": 1, "weight": 0}, Lane.ORDER, 0)
    ledger.reported({"weight": 1900}, receipt, 0)
    assert ledger.used("weight", 0) == 1900


def test_what_others_spent_leaves_after_one_period() -> None:
    ledger = RateLedger([MINUTE])
    receipt = took(ledger, {"weight": 1}, Lane.MARKET, 0)
    ledger.reported({"weight": 2400}, receipt, 0)
    assert wait_s(ledger, {"weight": 1}, Lane.CANCEL, 10 * S) == pytest.approx(50)


def test_a_window_that_others_have_filled_is_another_one_when_a_stop_is_over() -> None:
    ledger = RateLedger([MINUTE])
    receipt = took(ledger, {"weight": 1}, Lane.MARKET, 0)
    ledger.reported({"weight": 2400}, receipt, 0)
    ledger.settle(receipt, 0)
    ledger.stop("all", 7 * S, 0)
    assert ledger.take({"weight": 1}, Lane.MARKET, 7 * S - 1) is None
    assert ledger.take({"weight": 1}, Lane.MARKET, 7 * S) is not None


def test_what_others_spent_of_a_window_that_was_not_full_stays_when_a_stop_is_over() -> None:
    ledger = RateLedger([MINUTE])
    receipt = took(ledger, {"weight": 1}, Lane.MARKET, 0)
    ledger.reported({"weight": 400}, receipt, 0)
    ledger.stop("all", 7 * S, 0)
    assert ledger.used("weight", 8 * S) == 400


def test_the_cap_that_the_account_really_has_is_used() -> None:
    ledger = RateLedger([SECOND])
    ledger.reported_limits({"orders": 20})
    assert ledger.limit("orders") == 20
    took(ledger, {"orders": 18}, Lane.ORDER, 0)
    assert ledger.take({"orders": 1}, Lane.ORDER, 0) is None
    took(ledger, {"orders": 2}, Lane.REDUCE, 0)
    ledger.reported_limits({"orders": 5})
    assert ledger.limit("orders") == 5


# --- stops ------------------------------------------------------------------------------------------------------------


def test_a_stop_holds_back_everything_until_it_is_over() -> None:
    ledger = RateLedger([MINUTE])
    assert ledger.stop("all", 130 * S, 10 * S, venue_until_ms=1_790_000_000_000)
    assert not ledger.stop("all", 12 * S, 11 * S)  # told by another call: no news, and no shorter
    assert wait_s(ledger, {}, Lane.CANCEL, 100 * S) == 30
    assert ledger.banned_until_ms(100 * S) == 1_790_000_000_000
    assert ledger.take({}, Lane.CANCEL, 130 * S) is not None
    assert ledger.banned_until_ms(130 * S) is None


def test_a_stop_that_grows_much_longer_is_news() -> None:
    ledger = RateLedger([MINUTE])
    assert ledger.stop("all", 7 * S, 0)
    assert not ledger.stop("all", 8 * S, S)
    assert ledger.stop("all", 120 * S, S)
    assert not ledger.stop("all", 121 * S, 2 * S)
    assert ledger.stop("all", 300 * S, 200 * S)


def test_an_order_limit_stops_orders_and_nothing_else() -> None:
    ledger = RateLedger([MINUTE, SECOND])
    assert ledger.stop("account", 40 * S, 0, costs={"orders": 1, "weight": 1})
    assert wait_s(ledger, {"orders": 1}, Lane.REDUCE, 10 * S) == 30
    assert ledger.take({"weight": 1}, Lane.CANCEL, 10 * S) is not None
    assert ledger.banned_until_ms(10 * S) is None


def test_an_address_limit_stops_what_draws_on_it_and_nothing_else() -> None:
    ledger = RateLedger([MINUTE, SECOND])
    assert ledger.stop("address", 600 * S, 0, venue_until_ms=5)
    assert wait_s(ledger, {"weight": 1}, Lane.CANCEL, 0) == 600
    assert ledger.take({"orders": 1}, Lane.ORDER, 0) is not None  # on the trading socket
    assert ledger.banned_until_ms(0) == 5


# --- whatever happens -------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 4), st.floats(0, 2), st.floats(0, 1)), max_size=80))
def test_the_venue_never_sees_more_than_the_limit_however_unevenly_calls_travel(
    steps: list[tuple[float, int, float, float]],
) -> None:
    """Each call takes its own time to get there (a share of its round trip), and is answered in its own time."""
    ledger, now_ns = RateLedger([SECOND]), 0
    under_way: list[tuple[int, Receipt]] = []
    arrived: list[tuple[int, int]] = []
    for gap, cost, round_trip, share in steps:
        now_ns += round(gap * S)
        while True:
            for answered_ns, receipt in sorted(under_way, key=lambda one: one[0]):
                if answered_ns <= now_ns:
                    ledger.settle(receipt, answered_ns)
            under_way = [one for one in under_way if one[0] > now_ns]
            taken = ledger.take({"orders": cost}, Lane.REDUCE, now_ns)
            if taken is not None:
                break
            now_ns += min(ledger.wait({"orders": cost}, Lane.REDUCE, now_ns)[0], S // 20)
        under_way.append((now_ns + round(round_trip * S), taken))
        arrived.append((now_ns + round(round_trip * share * S), cost))
    for end_ns, _ in arrived:
        assert sum(units for at_ns, units in arrived if end_ns - S < at_ns <= end_ns) <= 10


def test_a_thousand_random_calls_never_exceed_nine_tenths_of_an_addresss_budget_in_any_minute() -> None:
    rng = random.Random(5)
    ledger, now_ns = RateLedger([MINUTE]), 0
    sent: list[tuple[int, int]] = []
    for _ in range(1000):
        cost, lane = rng.choice((1, 2, 5, 10, 20, 40, 200)), rng.choice(list(Lane))
        while (receipt := ledger.take({"weight": cost}, lane, now_ns)) is None:
            now_ns += ledger.wait({"weight": cost}, lane, now_ns)[0]
        sent.append((now_ns, cost))
        now_ns += rng.randrange(S // 10)
        ledger.settle(receipt, now_ns)
    for number, (end_ns, _) in enumerate(sent):
        assert sum(units for at_ns, units in sent[: number + 1] if at_ns > end_ns - 60 * S) <= 2160
