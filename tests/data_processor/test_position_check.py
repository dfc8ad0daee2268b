"""Positions and fills: what adds up, and what can't be said."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from perpwire.data_processor.position_check import STILL_S, Mismatch, PositionCheck
from perpwire.model.account import Position
from perpwire.model.order import Fill, PositionSide, Side


def held(quantity: str, symbol: str = "BTCUSDT", side: PositionSide = PositionSide.BOTH) -> Position:
    return Position(
        venue="sim", symbol=symbol, position_side=side, quantity=Decimal(quantity), entry_price=Decimal(100)
    )


def fill(side: Side, quantity: str, time_ms: int) -> Fill:
    return Fill(
        venue="sim", symbol="BTCUSDT", venue_time_ms=time_ms, trade_id=str(time_ms), order_id="1", client_order_id="",
        side=side, price=Decimal(100), quantity=Decimal(quantity), fee=None, fee_asset="USDT", realized_pnl=None,
        is_maker=False,
    )  # fmt: skip


def test_what_adds_up_is_silent_and_what_does_not_is_told_with_both_numbers() -> None:
    check = PositionCheck()
    assert check.compare([held("1")], asked_s=10, asked_ms=10_000) == []
    check.on_fill(fill(Side.BUY, "0.5", 16_000), 16)
    check.on_fill(fill(Side.SELL, "0.2", 17_000), 17)
    assert check.compare([held("1.3")], asked_s=30, asked_ms=30_000) == []
    (found,) = check.compare([held("1.2")], asked_s=60, asked_ms=60_000)
    assert found == Mismatch("BTCUSDT", Decimal("1.3"), Decimal("1.2"))
    assert check.compare([held("1.2")], asked_s=90, asked_ms=90_000) == [found]  # until somebody accepts it
    check.accept(found, 90_000)
    assert check.compare([held("1.2")], asked_s=120, asked_ms=120_000) == []


def test_a_position_that_is_gone_counts_as_flat() -> None:
    check = PositionCheck()
    check.compare([held("1")], asked_s=10, asked_ms=10_000)
    assert check.compare([], asked_s=30, asked_ms=30_000) == [Mismatch("BTCUSDT", Decimal(1), Decimal(0))]
    check.on_fill(fill(Side.SELL, "1", 20_000), 31)
    assert check.compare([], asked_s=60, asked_ms=60_000) == []


def test_a_moment_in_which_something_was_just_filled_says_nothing() -> None:
    check = PositionCheck()
    check.compare([held("1")], asked_s=10, asked_ms=10_000)
    check.on_fill(fill(Side.BUY, "1", 29_900), 29.9)
    assert check.compare([held("1")], asked_s=30, asked_ms=30_000) == []
    assert check.compare([held("2")], asked_s=29.9 + STILL_S, asked_ms=34_900) == []
    assert check.compare([held("1")], asked_s=60, asked_ms=60_000) != []


def test_a_fill_that_is_read_back_late_is_part_of_a_reading_that_was_later_than_it() -> None:
    check = PositionCheck()
    check.compare([held("1")], asked_s=10, asked_ms=10_000)
    check.on_fill(fill(Side.BUY, "0.5", 9_000), 11)
    assert check.compare([held("1")], asked_s=30, asked_ms=30_000) == []


def test_both_sides_of_a_hedged_position_are_taken_net() -> None:
    check = PositionCheck()
    both = [held("1", side=PositionSide.LONG), held("-0.4", side=PositionSide.SHORT)]
    check.compare(both, asked_s=10, asked_ms=10_000)
    check.on_fill(fill(Side.SELL, "0.1", 16_000), 16)
    both[1] = held("-0.5", side=PositionSide.SHORT)
    assert check.compare(both, asked_s=30, asked_ms=30_000) == []
    both[1] = held("-0.6", side=PositionSide.SHORT)
    assert check.compare(both, asked_s=60, asked_ms=60_000) == [Mismatch("BTCUSDT", Decimal("0.5"), Decimal("0.4"))]


@pytest.mark.parametrize("happened_ms", [9_980, 10_020, 10_060])
@pytest.mark.parametrize("was_seen", [True, False])
def test_a_fill_that_happened_about_when_a_reading_was_taken_and_is_told_after_it_is_no_mismatch(
    happened_ms: int, was_seen: bool
) -> None:
    """The reading may have seen it or not, whichever of the two was earlier by clocks that differ a little."""
    check = PositionCheck()
    check.compare([held("2" if was_seen else "1")], asked_s=10, asked_ms=10_000)
    check.on_fill(fill(Side.BUY, "1", happened_ms), 10.2)
    assert check.compare([held("2")], asked_s=40, asked_ms=40_000) == []
    assert check.compare([held("3")], asked_s=70, asked_ms=70_000) == [Mismatch("BTCUSDT", Decimal(2), Decimal(3))]


def test_a_fill_about_a_later_reading_does_not_take_what_is_counted_from() -> None:
    check = PositionCheck()
    check.compare([held("1")], asked_s=10, asked_ms=10_000)
    assert check.compare([held("2")], asked_s=40, asked_ms=40_000) != []  # the reading saw it, we have not yet
    check.on_fill(fill(Side.BUY, "1", 40_020), 40.2)
    assert check.compare([held("2")], asked_s=70, asked_ms=70_000) == []
    assert check.compare([held("3")], asked_s=100, asked_ms=100_000) == [Mismatch("BTCUSDT", Decimal(2), Decimal(3))]


@pytest.mark.parametrize("seed", range(50))
def test_whatever_is_traded_it_adds_up_and_one_missing_fill_does_not(seed: int) -> None:
    random, check = Random(seed), PositionCheck()
    quantity, now_s = Decimal(0), 0.0
    check.compare([], asked_s=0, asked_ms=0)
    for n in range(200):
        now_s += random.choice((0.001, 0.5, 4.0, 30.0))
        amount, side = Decimal(random.randint(1, 50)) / 1000, random.choice((Side.BUY, Side.SELL))
        quantity += amount if side is Side.BUY else -amount
        check.on_fill(fill(side, str(amount), round(now_s * 1000) + n), now_s)
        if random.random() < 0.3:
            now_s += random.choice((0.1, 10.0))
            positions = [held(str(quantity))] if quantity else []
            assert check.compare(positions, asked_s=now_s, asked_ms=round(now_s * 1000) + n) == []
    now_s += 10
    assert check.compare([held(str(quantity))], asked_s=now_s, asked_ms=round(now_s * 1000) + 500) == []
    now_s += 10
    quantity += Decimal("0.007")
    (found,) = check.compare([held(str(quantity))], asked_s=now_s, asked_ms=round(now_s * 1000) + 1000)
    assert found.by_venue - found.by_fills == Decimal("0.007")
