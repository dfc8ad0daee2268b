"""What is counted against an address and an account, and what becomes of who does not heed it."""

from __future__ import annotations

import pytest

from perpwire.venues.binance_futures.sim.counting import (
    A_BATCH,
    AN_ORDER,
    IGNORED_418S,
    IGNORED_429S,
    AddressLimits,
    OrderCounts,
)
from perpwire.venues.binance_futures.sim.words import Refusal

MINUTE_MS = 60_000
DAY_S = 86_400


def refused(limits: AddressLimits, now_ms: int, pool: str = "rest", units: int = 1) -> Refusal:
    with pytest.raises(Refusal) as caught:
        limits.admit("1.2.3.4", pool, units, now_ms)  # type: ignore[arg-type]
    return caught.value


def provoke_ban(limits: AddressLimits, now_ms: int) -> Refusal:
    """Fill the minute, and go on as if nothing were."""
    limits.admit("1.2.3.4", "rest", 2400, now_ms)
    for _ in range(IGNORED_429S):
        assert refused(limits, now_ms).status == 429
    return refused(limits, now_ms)


def test_a_minute_takes_so_much_weight_and_begins_anew_on_the_clock() -> None:
    limits = AddressLimits()
    now_ms = 10 * MINUTE_MS + 45_500
    limits.admit("1.2.3.4", "rest", 2399, now_ms)
    assert refused(limits, now_ms, units=2).retry_after_s == 15
    limits.admit("1.2.3.4", "rest", 1, now_ms)
    limits.admit("5.6.7.8", "rest", 2400, now_ms)
    limits.admit("1.2.3.4", "rest", 2400, 11 * MINUTE_MS)
    assert limits.used("1.2.3.4", "rest", 11 * MINUTE_MS) == 2400


def test_the_pools_of_an_address_are_filled_one_by_one_and_its_ban_holds_for_all() -> None:
    limits = AddressLimits()
    ban = provoke_ban(limits, 0)
    assert (ban.status, ban.code, ban.retry_after_s) == (418, -1003, 120)
    assert "banned until 120000" in ban.message
    for pool in ("socket", "funding", "statistics"):
        assert refused(limits, 119_999, pool).status == 418
        limits.admit("1.2.3.4", pool, 1, 120_000)
    limits.admit("5.6.7.8", "rest", 1, 1)


def test_who_goes_on_through_a_ban_meets_the_firewall_until_it_ends() -> None:
    limits = AddressLimits()
    provoke_ban(limits, 0)
    assert {refused(limits, 1).status for _ in range(IGNORED_418S)} == {418}
    forbidden = refused(limits, 2)
    assert (forbidden.status, forbidden.retry_after_s) == (403, None)
    assert forbidden.page is not None
    assert b"403 Forbidden" in forbidden.page
    limits.admit("1.2.3.4", "rest", 1, 120_000)


def test_bans_double_up_to_three_days() -> None:
    limits = AddressLimits()
    now_ms, lengths = 0, []
    for _ in range(14):
        ban = provoke_ban(limits, now_ms)
        assert ban.retry_after_s is not None
        lengths.append(ban.retry_after_s)
        now_ms += ban.retry_after_s * 1000 + MINUTE_MS
    assert lengths[:4] == [120, 240, 480, 960]
    assert lengths[-2:] == [3 * DAY_S, 3 * DAY_S]


def test_who_heeds_a_429_is_not_banned() -> None:
    limits = AddressLimits()
    for minute in range(30):
        limits.admit("1.2.3.4", "rest", 2400, minute * MINUTE_MS)
        assert refused(limits, minute * MINUTE_MS).status == 429


def test_orders_count_in_two_windows_and_a_refused_one_in_none() -> None:
    counts = OrderCounts()
    for _ in range(59):
        counts.count("main", A_BATCH, 0)
    for _ in range(5):
        counts.count("main", AN_ORDER, 0)
    assert counts.used("main", 0) == (300, 64)
    with pytest.raises(Refusal) as caught:
        counts.count("main", AN_ORDER, 9_000)
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (429, -1015, 1)
    assert counts.used("main", 9_000) == (300, 64)
    counts.count("other", AN_ORDER, 9_000)
    counts.count("main", AN_ORDER, 10_000)
    assert counts.used("main", 10_000) == (1, 65)
    for index in range(1135):
        counts.count("main", AN_ORDER, 20_000 + index * 34)
    with pytest.raises(Refusal, match="1200 orders per 1 MINUTE"):
        counts.count("main", AN_ORDER, 59_900)
    assert counts.headers("main", 60_000) == {"x-mbx-order-count-10s": "0", "x-mbx-order-count-1m": "0"}
