"""Between the venue's words and the model's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.errors import BadInput
from perpwire.model.order import OrderRequest, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.venues.bybit import translate, translate_account, wire

D = Decimal


def row(**changes: Any) -> wire.OrderRow:
    fields: dict[str, Any] = {
        "orderId": "o",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "orderStatus": "New",
        "qty": "1",
    }
    return wire.OrderRow(**{**fields, **changes})


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("New", OrderStatus.NEW),
        ("PartiallyFilled", OrderStatus.PARTIALLY_FILLED),
        ("Filled", OrderStatus.FILLED),
        ("Cancelled", OrderStatus.CANCELED),
        ("PartiallyFilledCanceled", OrderStatus.CANCELED),
        ("Rejected", OrderStatus.REJECTED),
        ("Untriggered", OrderStatus.UNTRIGGERED),
        ("Triggered", OrderStatus.PENDING_NEW),
        ("Deactivated", OrderStatus.CANCELED),
    ],
)
def test_each_status_has_its_meaning(word: str, status: OrderStatus) -> None:
    assert translate.order(row(orderStatus=word)).status is status


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, OrderType.LIMIT),
        ({"orderType": "Market"}, OrderType.MARKET),
        ({"orderType": "UNKNOWN"}, OrderType.UNKNOWN),
        ({"orderType": None}, OrderType.UNKNOWN),
        ({"stopOrderType": "Stop", "triggerDirection": 1}, OrderType.STOP),
        ({"stopOrderType": "Stop", "triggerDirection": 2}, OrderType.TAKE_PROFIT),
        ({"stopOrderType": "Stop", "triggerDirection": 2, "side": "Sell"}, OrderType.STOP),
        ({"stopOrderType": "Stop", "triggerDirection": 0}, OrderType.STOP),
        ({"stopOrderType": "StopLoss", "orderType": "Market"}, OrderType.STOP_MARKET),
        ({"stopOrderType": "PartialStopLoss"}, OrderType.STOP),
        ({"stopOrderType": "TakeProfit", "orderType": "Market"}, OrderType.TAKE_PROFIT_MARKET),
        ({"stopOrderType": "PartialTakeProfit"}, OrderType.TAKE_PROFIT),
        ({"stopOrderType": "TrailingStop", "orderType": "Market"}, OrderType.TRAILING_STOP_MARKET),
        ({"stopOrderType": "UNKNOWN"}, OrderType.LIMIT),
        ({"createType": "CreateByLiq", "orderType": "Market"}, OrderType.LIQUIDATION),
        ({"createType": "CreateByTakeOver_PassThrough"}, OrderType.LIQUIDATION),
    ],
)
def test_the_order_type_is_read_from_several_fields(fields: dict[str, Any], kind: OrderType) -> None:
    assert translate.order(row(**fields)).type is kind


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"orderStatus": "Cancelled", "rejectReason": "EC_PostOnlyWillTakeLiquidity"}, "EC_PostOnlyWillTakeLiquidity"),
        ({"orderStatus": "Cancelled", "rejectReason": "EC_NoError", "cancelType": "CancelByUser"}, "CancelByUser"),
        ({"orderStatus": "Cancelled", "rejectReason": None, "cancelType": "UNKNOWN"}, ""),
        # A cancel that came too late: the order is filled, and was not ended by it.
        ({"orderStatus": "Filled", "cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}, ""),
    ],
)
def test_why_an_order_ended(fields: dict[str, Any], reason: str) -> None:
    assert translate.order(row(**fields)).reason == reason


def test_a_market_orders_protective_price_is_not_its_limit_price() -> None:
    assert translate.order(row(orderType="Market", price="72.5")).price is None
    assert str(translate.order(row(price="72.50")).price) == "72.50"
    assert translate.order(row(price="0")).price is None


def test_absent_null_and_empty_are_all_not_stated() -> None:
    for nothing in (None, ""):
        order = translate.order(
            row(
                orderLinkId=nothing,
                price=nothing,
                avgPrice=nothing,
                cumExecQty=nothing,
                timeInForce=nothing,
                createdTime=nothing,
                updatedTime=nothing,
                positionIdx=None,
                reduceOnly=None,
            )
        )
        assert (order.client_order_id, order.price, order.average_price) == ("", None, None)
        assert order.filled_quantity == 0
        assert (order.time_in_force, order.created_time_ms, order.updated_time_ms) == ("UNKNOWN", None, None)
        assert order.position_side is PositionSide.BOTH


@pytest.mark.parametrize("fields", [{"side": "Both"}, {"positionIdx": 7}, {"qty": "NaN"}, {"qty": "many"}])
def test_what_can_not_be_known_is_loud(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not"):
        translate.order(row(**fields))


def request(**changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": D("0.010"),
        "client_order_id": "c-1",
        "price": D("60000.0"),
        "time_in_force": TimeInForce.GTC,
    }
    return OrderRequest(**{**fields, **changes})


def test_a_limit_orders_parameters() -> None:
    assert translate.order_params(request()) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "qty": D("0.010"),
        "price": D("60000.0"),
        "timeInForce": "GTC",
        "orderLinkId": "c-1",
    }


def test_a_market_order_is_immediate_or_cancel_and_has_no_price() -> None:
    params = translate.order_params(request(type=OrderType.MARKET, price=None, time_in_force=None, side=Side.SELL))
    assert (params["orderType"], params["timeInForce"], params["side"]) == ("Market", "IOC", "Sell")
    assert "price" not in params


def test_hedge_legs_and_reduce_only() -> None:
    params = translate.order_params(request(position_side=PositionSide.SHORT, reduce_only=True))
    assert (params["positionIdx"], params["reduceOnly"]) == (2, True)
    assert translate.order_params(request(position_side=PositionSide.LONG))["positionIdx"] == 1


@pytest.mark.parametrize(
    ("kind", "side", "words", "direction"),
    [
        (OrderType.STOP, Side.BUY, "Limit", 1),
        (OrderType.STOP_MARKET, Side.SELL, "Market", 2),
        (OrderType.TAKE_PROFIT, Side.BUY, "Limit", 2),
        (OrderType.TAKE_PROFIT_MARKET, Side.SELL, "Market", 1),
    ],
)
def test_conditional_orders_know_which_way_the_price_must_go(
    kind: OrderType, side: Side, words: str, direction: int
) -> None:
    asked = request(type=kind, side=side, venue_params={"triggerPrice": D(61000)})
    params = translate.order_params(asked)
    assert (params["orderType"], params["triggerDirection"], params["triggerPrice"]) == (words, direction, D(61000))
    # What comes back is read as the same kind.
    back = row(
        side=params["side"], orderType=words, stopOrderType="Stop", triggerDirection=direction, orderStatus="New"
    )
    assert translate.order(back).type is kind
    with pytest.raises(BadInput, match="triggerPrice"):
        translate.order_params(request(type=kind, side=side))


@pytest.mark.parametrize(
    "changes",
    [
        {"type": OrderType.TRAILING_STOP_MARKET},
        {"type": OrderType.LIQUIDATION},
        {"time_in_force": TimeInForce.GTD},
        {"time_in_force": TimeInForce.UNKNOWN},
    ],
)
def test_orders_that_do_not_exist_here_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        translate.order_params(request(**changes))


def test_the_callers_own_parameters_win_and_the_order_to_be_follows_them() -> None:
    asked = request(venue_params={"qty": "0.02", "timeInForce": "FOK", "positionIdx": 1, "takeProfit": "70000"})
    params = translate.order_params(asked)
    assert (params["qty"], params["timeInForce"], params["takeProfit"]) == ("0.02", "FOK", "70000")
    order = translate.acknowledged(translate.order_to_be(params, asked), wire.OrderIds("id-1", "c-1"))
    assert (order.order_id, order.client_order_id, order.status) == ("id-1", "c-1", OrderStatus.PENDING_NEW)
    assert (order.quantity, order.time_in_force, order.position_side) == (D("0.02"), "FOK", PositionSide.LONG)
    assert (order.price, order.filled_quantity, order.average_price) == (D("60000.0"), D(0), None)


@pytest.mark.parametrize("params", [{"positionIdx": "x"}, {"positionIdx": 9}, {"side": "buy"}, {"qty": "much"}])
def test_own_parameters_that_can_not_be_read_are_refused_before_sending(params: dict[str, Any]) -> None:
    asked = request(venue_params=params)
    with pytest.raises(BadInput):
        translate.order_to_be(translate.order_params(asked), asked)


def coin(**fields: Any) -> wire.CoinRow:
    return wire.CoinRow(**{"coin": "USDT", "walletBalance": "100", **fields})


def test_the_account_is_what_the_venue_states_in_usd() -> None:
    wallet = wire.Wallet(
        coin=[coin()],
        totalEquity="105.5",
        totalWalletBalance="100.0",
        totalPerpUPL="5.5",
        totalAvailableBalance="80",
        totalInitialMargin="20",
        totalMaintenanceMargin="2",
    )
    account = translate_account.account(wire.Wallets([wallet]))
    assert (account.wallet_balance, account.unrealized_pnl, account.equity) == (D(100), D("5.5"), D("105.5"))
    assert (account.available_balance, account.initial_margin, account.maintenance_margin) == (D(80), D(20), D(2))
    balance = account.balance("USDT")
    assert balance is not None
    assert balance.wallet == 100


def test_in_isolated_mode_the_sums_are_made_from_the_coins() -> None:
    wallet = wire.Wallet(
        coin=[
            coin(equity="200", usdValue="100", walletBalance="200", totalPositionIM="20", totalOrderIM="10", bonus="2"),
            coin(coin="BTC", equity="1", usdValue="50", walletBalance="1", locked="0.5", totalPositionMM="0.1"),
            coin(coin="DUST", equity="0", usdValue="0", walletBalance="0"),
        ],
        totalEquity="150",
        totalWalletBalance="150",
        totalPerpUPL="0",
    )
    account = translate_account.account(wire.Wallets([wallet]))
    assert account.available_balance == D(168) / 2 + D("0.5") * 50
    assert account.initial_margin == 15
    assert account.maintenance_margin == 5


def test_an_account_that_is_not_there_and_a_balance_without_an_amount_are_loud() -> None:
    with pytest.raises(ValueError, match="no unified account"):
        translate_account.account(wire.Wallets([]))
    with pytest.raises(ValueError, match="not a number"):
        translate_account.balance(coin(walletBalance=""))


def test_sizes_with_more_digits_than_decimals_context_stay_exact() -> None:
    digits = "0.1234567890123456789012345678901"
    position = translate.position(wire.PositionRow(symbol="X", side="Sell", size=digits, avgPrice="1"))
    assert str(position.quantity) == f"-{digits}"


def test_dated_futures_are_no_perpetuals() -> None:
    def instrument(**fields: Any) -> wire.InstrumentRow:
        prices, lots = wire.PriceFilter(tickSize="0.10"), wire.LotSizeFilter(minOrderQty="0.001", qtyStep="0.001")
        return wire.InstrumentRow(symbol="BTCUSDT", priceFilter=prices, lotSizeFilter=lots, **fields)

    rows = [instrument(), instrument(contractType="LinearFutures"), instrument(status="PreLaunch")]
    kept = translate.instruments(wire.Page(rows))
    assert [one.is_trading for one in kept] == [True, False]
    assert (str(kept[0].tick_size), kept[0].funding_interval_s) == ("0.10", 28800)
    assert (kept[0].max_price, kept[0].min_notional) == (None, None)
    assert translate.instruments(wire.Page(None)) == ()
