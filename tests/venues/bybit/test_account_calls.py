"""The calls about the account against the embedded exchange, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, NotOffered
from perpwire.model.account import MarginMode, PositionMode
from perpwire.model.order import PositionSide
from perpwire.testing import World, offline
from perpwire.venues.bybit import translate_account, wire
from perpwire.venues.bybit.venue import VENUE

D = Decimal


def in_a_world(story: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    async def told(clock: ManualClock) -> None:
        async with offline(clock=clock, venues=("bybit",)) as world:
            await story(world, world.bybit)

    clock = ManualClock()
    clock.run(told(clock))


def test_settings_are_changed_once_and_read_back() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        assert (await connector.set_leverage("BTCUSDT", "7")).changed
        assert not (await connector.set_leverage("BTCUSDT", "7")).changed
        settings = await connector.get_symbol_settings("BTCUSDT")
        assert (settings.leverage, settings.margin_mode) == (D(7), MarginMode.CROSS)
        assert not (await connector.set_margin_mode("CROSS")).changed
        assert (await connector.set_margin_mode("ISOLATED")).changed
        assert (await connector.get_symbol_settings("BTCUSDT")).margin_mode is MarginMode.ISOLATED
        with pytest.raises(NotOffered, match="whole account"):
            await connector.set_margin_mode("CROSS", "BTCUSDT")

    in_a_world(story)


def test_the_position_mode_is_one_of_each_symbol() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        assert await connector.get_position_mode("BTCUSDT") is PositionMode.ONE_WAY
        assert (await connector.set_position_mode("HEDGE", "BTCUSDT")).changed
        assert not (await connector.set_position_mode("HEDGE", "BTCUSDT")).changed
        assert await connector.get_position_mode("BTCUSDT") is PositionMode.HEDGE
        assert await connector.get_position_mode("ETHUSDT") is PositionMode.ONE_WAY
        with pytest.raises(BadInput, match="give one"):
            await connector.get_position_mode()

    in_a_world(story)


def test_margin_is_added_to_an_isolated_position() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        await connector.set_margin_mode("ISOLATED")
        await connector.place_order("BTCUSDT", "BUY", "0.002")
        await world.clock.sleep(1.0)
        assert (await connector.adjust_margin("BTCUSDT", "5")).value == D(5)
        assert (await connector.adjust_margin("BTCUSDT", "-2.5")).value == D("-2.5")
        for amount in ("0", "0.00001"):
            with pytest.raises(BadInput, match="decimals"):
                await connector.adjust_margin("BTCUSDT", amount)

    in_a_world(story)
    assert not VENUE.adjust_margin("BTCUSDT", D(1), PositionSide.BOTH).endpoint.repeatable


def test_fees_and_tiers() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        fees = await connector.get_fee_rates("BTCUSDT")
        assert (fees.maker, fees.taker) == (D("0.0002"), D("0.00055"))
        tiers = await connector.get_brackets("BTCUSDT")
        assert [tier.tier for tier in tiers] == list(range(1, len(tiers) + 1))
        assert (tiers[0].notional_floor, tiers[0].maintenance_deduction) == (D(0), D(0))
        assert all(one.notional_cap == two.notional_floor for one, two in pairwise(tiers))

    in_a_world(story)


def test_bookings_add_up_to_what_the_wallet_lost() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        before = (await connector.get_account_info()).balance("USDT")
        start_ms = await connector.get_server_time()
        for side in ("BUY", "SELL", "SELL", "BUY"):
            await connector.place_order("BTCUSDT", side, "0.01")
            await world.clock.sleep(1.0)
        rows = await connector.get_income(start_ms=start_ms).all()
        after = (await connector.get_account_info()).balance("USDT")
        assert before is not None
        assert after is not None
        assert sum(row.amount for row in rows) == after.wallet - before.wallet
        assert {row.kind for row in rows} == {"COMMISSION", "REALIZED_PNL"}
        assert [row.time_ms for row in rows] == sorted(row.time_ms for row in rows)
        fees = await connector.get_income("BTCUSDT", kind="COMMISSION", start_ms=start_ms).all()
        assert fees == tuple(row for row in rows if row.kind == "COMMISSION")
        assert await connector.get_income("ETHUSDT", start_ms=start_ms).all() == ()

    in_a_world(story)


def booking(**fields: str) -> wire.TransactionRow:
    return wire.TransactionRow(**{"id": "1", "transactionTime": "5", "type": "TRADE", "currency": "USDT", **fields})


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        (
            booking(cashFlow="10", fee="0.5", change="9.5"),
            {"REALIZED_PNL": D(10), "COMMISSION": D("-0.5")},
        ),
        (booking(type="SETTLEMENT", funding="-0.0036", fee="0.0000", change="-0.0036"), {"FUNDING": D("-0.0036")}),
        (booking(type="TRANSFER_OUT", cashFlow="-7", change="-7"), {"TRANSFER": D(-7)}),
        (booking(type="INTEREST", change="-1"), {"OTHER": D(-1)}),
        (
            booking(cashFlow="10", fee="0.5", change="9.4"),
            {"REALIZED_PNL": D(10), "COMMISSION": D("-0.5"), "OTHER": D("-0.1")},
        ),
        (booking(type="LIQUIDATION", cashFlow="-3", fee="1", change="-4"), {"LIQUIDATION": D(-3), "COMMISSION": D(-1)}),
    ],
)  # fmt: skip
def test_the_parts_of_a_booking_are_its_change(row: wire.TransactionRow, parts: dict[str, Decimal]) -> None:
    found = translate_account.income(row)
    assert {one.kind: one.amount for one in found} == parts
    assert sum(one.amount for one in found) == D(row.change)
