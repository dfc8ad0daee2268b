"""Conditional orders as the connector tells them: one order with one id, from the call that places it to its end."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.venues.binance_futures.two_traders import Traders, play

from perpwire.errors import NotOffered, UnknownOrder
from perpwire.model.order import Order, OrderStatus, OrderType, Side


async def stop(traders: Traders) -> Order:
    """A stop-limit order to sell 0.010 at 60000 once 61000 is traded."""
    return await traders.me.place_order(
        "BTCUSDT", "SELL", "0.010", "STOP", price="60000", trigger_price="61000", client_order_id="sl-1"
    )


def test_a_conditional_order_waits_in_the_algo_store_and_is_never_sent_to_the_ordinary_one() -> None:
    async def scenario(traders: Traders) -> None:
        placed = await stop(traders)
        assert placed.order_id.startswith("algo-")
        assert (placed.client_order_id, placed.type, placed.status) == (
            "sl-1",
            OrderType.STOP,
            OrderStatus.UNTRIGGERED,
        )
        assert (placed.trigger_price, placed.price, placed.quantity) == (
            Decimal(61000),
            Decimal(60000),
            Decimal("0.010"),
        )
        assert "POST /fapi/v1/order" not in traders.paths

    play(scenario)


def test_by_its_id_by_its_client_id_and_in_the_list_it_is_the_same_order_before_and_after_the_trigger() -> None:
    async def scenario(traders: Traders) -> None:
        placed = await stop(traders)
        for triggered in (False, True):
            if triggered:
                await traders.trade_at("61000")
                await traders.wait()
            by_id = await traders.me.get_order("BTCUSDT", placed.order_id)
            by_client_id = await traders.me.get_order("BTCUSDT", client_order_id="sl-1")
            (listed,) = await traders.me.get_open_orders("BTCUSDT")
            for one in (by_id, by_client_id, listed):
                assert (one.order_id, one.client_order_id, one.type) == (placed.order_id, "sl-1", OrderType.STOP)
                assert one.status is (OrderStatus.NEW if triggered else OrderStatus.UNTRIGGERED)
                assert (one.child_order_id is not None) is triggered

    play(scenario)


def test_what_the_trigger_made_counts_once_and_its_fills_and_price_are_the_orders_own() -> None:
    async def scenario(traders: Traders) -> None:
        placed = await stop(traders)
        await traders.trade_at("61000")
        await traders.wait()
        await traders.rest("BUY", "60500", "0.004")
        await traders.wait()
        order = await traders.me.get_order("BTCUSDT", placed.order_id)
        # It rests at 60000, so it is filled there.
        assert (order.status, order.quantity, order.filled_quantity, order.average_price) == (
            OrderStatus.PARTIALLY_FILLED,
            Decimal("0.010"),
            Decimal("0.004"),
            Decimal(60000),
        )
        (fill,) = await traders.me.get_fills("BTCUSDT", order_id=placed.order_id).all()
        assert (fill.order_id, fill.client_order_id, fill.quantity) == (placed.order_id, "sl-1", Decimal("0.004"))
        (past,) = await traders.me.get_order_history("BTCUSDT").all()
        assert (past.order_id, past.filled_quantity) == (placed.order_id, Decimal("0.004"))

    play(scenario)


def test_cancelling_it_by_any_id_ends_it_before_and_after_the_trigger() -> None:
    async def scenario(traders: Traders) -> None:
        for triggered in (False, True):
            for by_client_id in (False, True):
                placed = await stop(traders)
                if triggered:
                    await traders.trade_at("61000")
                    await traders.wait()
                gone = (
                    await traders.me.cancel_order("BTCUSDT", client_order_id="sl-1")
                    if by_client_id
                    else await traders.me.cancel_order("BTCUSDT", placed.order_id)
                )
                assert (gone.order_id, gone.status) == (placed.order_id, OrderStatus.CANCELED)
                assert await traders.me.get_open_orders() == ()
                after = await traders.me.get_order("BTCUSDT", placed.order_id)
                assert (after.order_id, after.status) == (placed.order_id, OrderStatus.CANCELED)
                again = await traders.me.cancel_order("BTCUSDT", placed.order_id)
                assert (again.order_id, again.status) == (placed.order_id, OrderStatus.CANCELED)
                await traders.trade_at("62000")

    play(scenario)


def test_cancel_all_reaches_those_that_wait_those_that_have_triggered_and_ordinary_ones() -> None:
    async def scenario(traders: Traders) -> None:
        await stop(traders)
        await traders.trade_at("61000")
        await traders.wait()
        await traders.me.place_order("BTCUSDT", "SELL", "0.010", "TAKE_PROFIT_MARKET", trigger_price="70000")
        await traders.me.place_order("BTCUSDT", "BUY", "0.010", "LIMIT", price="50000")
        assert len(await traders.me.get_open_orders()) == 3
        assert len(await traders.me.cancel_all("BTCUSDT")) == 3
        assert await traders.me.get_open_orders() == ()

    play(scenario)


def test_an_order_is_unknown_only_after_both_stores_were_asked() -> None:
    async def scenario(traders: Traders) -> None:
        for ask in (traders.me.get_order, traders.me.cancel_order):
            traders.sent.clear()
            with pytest.raises(UnknownOrder):
                await ask("BTCUSDT", client_order_id="nobody")
            assert {path.split(" ")[1] for path in traders.paths} >= {"/fapi/v1/order", "/fapi/v1/algoOrder"}

    play(scenario)


def test_a_waiting_order_cannot_be_amended_and_nothing_is_sent_for_it() -> None:
    async def scenario(traders: Traders) -> None:
        placed = await stop(traders)
        with pytest.raises(NotOffered, match="cancel it and place it anew"):
            await traders.me.amend_order("BTCUSDT", placed.order_id, price="59000")
        assert "PUT /fapi/v1/order" not in traders.paths
        await traders.trade_at("61000")
        await traders.wait()
        amended = await traders.me.amend_order("BTCUSDT", placed.order_id, price="61500")
        assert (amended.order_id, amended.price) == (placed.order_id, Decimal(61500))

    play(scenario)


def test_a_market_stop_tells_how_it_was_filled() -> None:
    async def scenario(traders: Traders) -> None:
        await traders.rest("BUY", "60900", "1")
        placed = await traders.me.place_order(
            "BTCUSDT", "SELL", "0.010", "STOP_MARKET", trigger_price="61000", reduce_only=False
        )
        await traders.trade_at("61000")
        await traders.wait()
        order = await traders.me.get_order("BTCUSDT", placed.order_id)
        assert (order.order_id, order.type, order.side) == (placed.order_id, OrderType.STOP_MARKET, Side.SELL)
        assert (order.status, order.filled_quantity, order.average_price) == (
            OrderStatus.FILLED,
            Decimal("0.010"),
            Decimal(60900),
        )

    play(scenario)
