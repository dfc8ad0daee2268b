"""The calls about the account, against the embedded exchange."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from tests.venues.binance_futures.two_traders import Traders, play

from perpwire.errors import BadInput, NotOffered
from perpwire.model.account import MarginMode, PositionMode
from perpwire.model.order import PositionSide


def test_setters_say_whether_anything_changed() -> None:
    async def scenario(traders: Traders) -> None:
        me = traders.me
        for value in (7, 7, 9):
            before = (await me.get_symbol_settings("BTCUSDT")).leverage
            setting = await me.set_leverage("BTCUSDT", value)
            assert (setting.changed, setting.value) == (before != value, Decimal(value))
        for mode, changed in ((MarginMode.ISOLATED, True), (MarginMode.ISOLATED, False), (MarginMode.CROSS, True)):
            assert (await me.set_margin_mode(mode, "BTCUSDT")).changed is changed
            assert (await me.get_symbol_settings("BTCUSDT")).margin_mode is mode
        for side, changed in ((PositionMode.HEDGE, True), (PositionMode.HEDGE, False), (PositionMode.ONE_WAY, True)):
            assert (await me.set_position_mode(side)).changed is changed
            assert await me.get_position_mode() is side

    play(scenario)


def test_margin_of_an_isolated_position_goes_in_and_out() -> None:
    async def scenario(traders: Traders) -> None:
        me = traders.me
        await me.set_margin_mode("ISOLATED", "BTCUSDT")
        await traders.rest("SELL", "64000", "0.010")
        await me.place_order("BTCUSDT", "BUY", "0.010")
        assert (await me.adjust_margin("BTCUSDT", "10.5")).value == Decimal("10.5")
        assert (await me.adjust_margin("BTCUSDT", "-10.5", PositionSide.BOTH)).value == Decimal("-10.5")
        assert [one.partition("amount=")[2][:13] for one in traders.sent if "positionMargin" in one] == [
            "10.5&type=1&r",
            "10.5&type=2&r",
        ]

    play(scenario)


def test_fees_and_brackets_are_exact() -> None:
    async def scenario(traders: Traders) -> None:
        fees = await traders.me.get_fee_rates("BTCUSDT")
        assert (fees.maker, fees.taker) == (Decimal("0.0002"), Decimal("0.0005"))
        brackets = await traders.me.get_brackets("BTCUSDT")
        assert [one.tier for one in brackets] == list(range(1, len(brackets) + 1))
        for one, following in pairwise(brackets):
            assert one.notional_cap == following.notional_floor
            step = following.notional_floor * (following.maintenance_rate - one.maintenance_rate)
            assert following.maintenance_deduction == one.maintenance_deduction + step

    play(scenario)


@pytest.mark.slow
def test_income_comes_whole_oldest_first_and_by_kind_in_our_words() -> None:
    async def scenario(traders: Traders) -> None:
        me = traders.me
        await traders.rest("SELL", "64000", "0.100")
        await me.place_order("BTCUSDT", "BUY", "0.100")
        await traders.wait(2 * 3600.0)  # over a funding
        await traders.rest("BUY", "63900", "0.100")
        await me.place_order("BTCUSDT", "SELL", "0.100", reduce_only=True)
        await traders.wait()
        rows = await me.get_income().all()
        assert [one.time_ms for one in rows] == sorted(one.time_ms for one in rows)
        kinds = [one.kind for one in rows]
        assert kinds.count("COMMISSION") == 2
        assert kinds.count("REALIZED_PNL") == 1
        fundings = await me.get_funding_payments("BTCUSDT").all()
        assert len(fundings) == kinds.count("FUNDING") >= 1
        (profit,) = await me.get_income(kind="REALIZED_PNL").all()
        assert (profit.venue_kind, profit.amount, profit.asset) == ("REALIZED_PNL", Decimal(-10), "USDT")
        assert profit.trade_id

    play(scenario)


def test_what_the_venue_lacks_or_cannot_take_is_said_before_anything_is_sent() -> None:
    async def scenario(traders: Traders) -> None:
        me = traders.me
        traders.sent.clear()
        for leverage in ("0", "126", "2.5"):
            with pytest.raises(BadInput):
                await me.set_leverage("BTCUSDT", leverage)
        with pytest.raises(NotOffered):
            await me.set_margin_mode("PORTFOLIO", "BTCUSDT")
        with pytest.raises(BadInput):
            await me.set_margin_mode("CROSS")
        with pytest.raises(BadInput):
            await me.adjust_margin("BTCUSDT", 0)
        with pytest.raises(BadInput):
            me.get_income(kind="GIFTS")
        assert traders.sent == []

    play(scenario)
