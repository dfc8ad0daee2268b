"""Positions and fills: what adds up, and what can't be said."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from perpwire.data_processor.position_check import STILL_S, Mismatch, PositionCheck
from perpwire.model.account import Position
from perpwire.model.order import Fill, PositionSide, Side


def check_of(*steps: tuple[float, int]) -> PositionCheck:
    """By a venue's clock that shows ours, and was put ahead by so many ms at so many seconds; known at once."""

    def stamps(at_s: float) -> tuple[int, int]:
        ahead_ms = sum(ms for step_s, ms in steps if step_s <= at_s)
        later = [ahead_ms]
        for step_s, ms in steps:
            if step_s > at_s:
                later.append(later[-1] + ms)
        return round(at_s * 1000) + min(later), round(at_s * 1000) + max(later)

    return PositionCheck(stamps)


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
    check = check_of()
    assert check.compare([held("1")], 10) == []
    check.on_fill(fill(Side.BUY, "0.5", 16_000), 16)
    check.on_fill(fill(Side.SELL, "0.2", 17_000), 17)
    assert check.compare([held("1.3")], 30) == []
    (found,) = check.compare([held("1.2")], 60)
    assert found == Mismatch("BTCUSDT", Decimal("1.3"), Decimal("1.2"))
    (stands,) = check.compare([held("1.2")], 90)  # until somebody accepts it
    assert stands == replace(found, stood_s=30)
    check.accept(found, 90)
    assert check.compare([held("1.2")], 120) == []


def test_a_position_that_is_gone_counts_as_flat() -> None:
    check = check_of()
    check.compare([held("1")], 10)
    assert check.compare([], 30) == [Mismatch("BTCUSDT", Decimal(1), Decimal(0))]
    check.on_fill(fill(Side.SELL, "1", 20_000), 31)
    assert check.compare([], 60) == []


def test_a_moment_in_which_something_was_just_filled_says_nothing() -> None:
    check = check_of()
    check.compare([held("1")], 10)
    check.on_fill(fill(Side.BUY, "1", 29_900), 29.9)
    assert check.compare([held("1")], 30) == []
    assert check.compare([held("2")], 29.9 + STILL_S) == []
    assert check.compare([held("1")], 60) != []


def test_a_fill_that_is_read_back_late_is_part_of_a_reading_that_was_later_than_it() -> None:
    check = check_of()
    check.compare([held("1")], 10)
    check.on_fill(fill(Side.BUY, "0.5", 9_000), 11)
    assert check.compare([held("1")], 30) == []


def test_both_sides_of_a_hedged_position_are_taken_net() -> None:
    check = check_of()
    both = [held("1", side=PositionSide.LONG), held("-0.4", side=PositionSide.SHORT)]
    check.compare(both, 10)
    check.on_fill(fill(Side.SELL, "0.1", 16_000), 16)
    both[1] = held("-0.5", side=PositionSide.SHORT)
    assert check.compare(both, 30) == []
    both[1] = held("-0.6", side=PositionSide.SHORT)
    assert check.compare(both, 60) == [Mismatch("BTCUSDT", Decimal("0.5"), Decimal("0.4"))]


@pytest.mark.parametrize("happened_ms", [9_980, 10_020, 10_060])
@pytest.mark.parametrize("was_seen", [True, False])
def test_a_fill_that_happened_about_when_a_reading_was_taken_and_is_told_after_it_is_no_mismatch(
    happened_ms: int, was_seen: bool
) -> None:
    """The reading may have seen it or not, whichever of the two was earlier by clocks that differ a little."""
    check = check_of()
    check.compare([held("2" if was_seen else "1")], 10)
    check.on_fill(fill(Side.BUY, "1", happened_ms), 10.2)
    assert check.compare([held("2")], 40) == []
    assert check.compare([held("3")], 70) == [Mismatch("BTCUSDT", Decimal(2), Decimal(3))]


def test_a_fill_about_a_later_reading_does_not_take_what_is_counted_from() -> None:
    check = check_of()
    check.compare([held("1")], 10)
    assert check.compare([held("2")], 40) != []  # the reading saw it, we have not yet
    check.on_fill(fill(Side.BUY, "1", 40_020), 40.2)
    assert check.compare([held("2")], 70) == []
    assert check.compare([held("3")], 100) == [Mismatch("BTCUSDT", Decimal(2), Decimal(3))]


def test_what_no_list_of_the_first_reading_had_was_flat_then() -> None:
    check = check_of()
    check.compare([held("1", symbol="ETHUSDT")], 10)
    assert check.compare([held("1", symbol="ETHUSDT"), held("0.05")], 60) == [
        Mismatch("BTCUSDT", Decimal(0), Decimal("0.05"))
    ]
    check.on_fill(fill(Side.BUY, "0.05", 40_000), 61)
    assert check.compare([held("1", symbol="ETHUSDT"), held("0.05")], 90) == []


def test_a_difference_that_a_late_fill_explains_is_not_the_next_one_of_the_same_size() -> None:
    check = check_of()
    check.compare([], 10)
    assert check.compare([held("0.01")], 60) == [Mismatch("BTCUSDT", Decimal(0), Decimal("0.01"))]
    check.on_fill(fill(Side.BUY, "0.01", 50_000), 63)
    assert check.compare([held("0.02")], 90) == [Mismatch("BTCUSDT", Decimal("0.01"), Decimal("0.02"))]
    (stands,) = check.compare([held("0.02")], 101)
    assert stands.stood_s == 11


def test_fills_that_come_meanwhile_do_not_hide_what_is_missing() -> None:
    check = check_of()
    check.compare([], 10)
    check.compare([held("0.01")], 60)
    check.on_fill(fill(Side.BUY, "0.5", 70_000), 70)
    (stands,) = check.compare([held("0.51")], 80)
    assert stands == Mismatch("BTCUSDT", Decimal("0.5"), Decimal("0.51"), stood_s=20)


@pytest.mark.parametrize("step_ms", [-25_000, 25_000])
def test_a_step_of_the_venues_clock_is_no_mismatch_and_hides_none(step_ms: int) -> None:
    """Fills are stamped with a time before the reading that is counted from, or with one after it."""
    check = check_of((100, step_ms))
    check.compare([held("1")], 90)
    check.on_fill(fill(Side.BUY, "1", 101_000 + step_ms), 101)
    assert check.compare([held("2")], 130) == []
    check.on_fill(fill(Side.BUY, "1", 190_000 + step_ms), 190)
    assert check.compare([held("3")], 200) == []
    assert check.compare([held("4")], 230) == [Mismatch("BTCUSDT", Decimal(3), Decimal(4))]


@pytest.mark.parametrize("seed", range(50))
def test_whatever_is_traded_it_adds_up_and_one_missing_fill_does_not(seed: int) -> None:
    random, check = Random(seed), check_of()
    quantity, now_s = Decimal(0), 0.0
    check.compare([], 0)
    for n in range(200):
        now_s += random.choice((0.001, 0.5, 4.0, 30.0))
        amount, side = Decimal(random.randint(1, 50)) / 1000, random.choice((Side.BUY, Side.SELL))
        quantity += amount if side is Side.BUY else -amount
        check.on_fill(fill(side, str(amount), round(now_s * 1000) + n), now_s)
        if random.random() < 0.3:
            now_s += random.choice((0.1, 10.0))
            positions = [held(str(quantity))] if quantity else []
            assert check.compare(positions, now_s) == []
    now_s += 10
    assert check.compare([held(str(quantity))], now_s) == []
    now_s += 10
    quantity += Decimal("0.007")
    (found,) = check.compare([held(str(quantity))], now_s)
    assert found.by_venue - found.by_fills == Decimal("0.007")
