"""Orders and fills between the venue's words and the model's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.errors import BadInput, NotOffered
from perpwire.model.order import OrderRequest, OrderStatus, OrderType, PositionSide, Side, TimeInForce, TriggerBy
from perpwire.venues.bybit import translate_orders, wire

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
        ("Triggered", OrderStatus.TRIGGERED),
        ("Deactivated", OrderStatus.CANCELED),
    ],
)
def test_each_status_has_its_meaning(word: str, status: OrderStatus) -> None:
    assert translate_orders.order(row(orderStatus=word)).status is status


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
    assert translate_orders.order(row(**fields)).type is kind


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
    assert translate_orders.order(row(**fields)).reason == reason


def test_a_market_orders_protective_price_is_not_its_limit_price() -> None:
    assert translate_orders.order(row(orderType="Market", price="72.5")).price is None
    assert str(translate_orders.order(row(price="72.50")).price) == "72.50"
    assert translate_orders.order(row(price="0")).price is None


def test_absent_null_and_empty_are_all_not_stated() -> None:
    for nothing in (None, ""):
        order = translate_orders.order(
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
        translate_orders.order(row(**fields))


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
    assert translate_orders.order_params(request()) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "qty": "0.010",
        "price": "60000.0",
        "timeInForce": "GTC",
        "orderLinkId": "c-1",
        "positionIdx": 0,
    }


def test_a_market_order_is_immediate_or_cancel_and_has_no_price() -> None:
    params = translate_orders.order_params(
        request(type=OrderType.MARKET, price=None, time_in_force=None, side=Side.SELL)
    )
    assert (params["orderType"], params["timeInForce"], params["side"]) == ("Market", "IOC", "Sell")
    assert "price" not in params


def test_hedge_legs_and_reduce_only() -> None:
    params = translate_orders.order_params(request(position_side=PositionSide.SHORT, reduce_only=True))
    assert (params["positionIdx"], params["reduceOnly"]) == (2, True)
    assert translate_orders.order_params(request(position_side=PositionSide.LONG))["positionIdx"] == 1


@pytest.mark.parametrize(
    ("kind", "side", "rises", "words", "direction"),
    [
        (OrderType.STOP, Side.BUY, True, "Limit", 1),
        (OrderType.STOP_MARKET, Side.SELL, False, "Market", 2),
        (OrderType.TAKE_PROFIT, Side.BUY, False, "Limit", 2),
        (OrderType.TAKE_PROFIT_MARKET, Side.SELL, True, "Market", 1),
    ],
)
def test_conditional_orders_say_which_way_the_price_must_go_and_are_read_back_as_what_they_were(
    kind: OrderType, side: Side, rises: bool, words: str, direction: int
) -> None:
    asked = request(
        type=kind, side=side, trigger_rises=rises, trigger_price=D(61000), trigger_by=TriggerBy.MARK,
        price=D(60500) if words == "Limit" else None,
    )  # fmt: skip
    params = translate_orders.order_params(asked)
    assert (params["orderType"], params["triggerDirection"], params["triggerPrice"]) == (words, direction, D(61000))
    assert params["triggerBy"] == "MarkPrice"
    expected = translate_orders.order_to_be(params, asked)
    assert (expected.type, expected.trigger_price, expected.trigger_by) == (kind, D(61000), TriggerBy.MARK)
    waits = {"side": params["side"], "orderType": words, "triggerDirection": direction, "triggerPrice": "61000.0"}
    for words_of_kind in ("Stop", "", "UNKNOWN", None):
        for status in ("Untriggered", "Triggered", "New", "Filled"):
            back = translate_orders.order(
                row(**waits, orderStatus=status, stopOrderType=words_of_kind, triggerBy="MarkPrice")
            )
            assert (back.type, back.trigger_price, back.trigger_by) == (kind, D(61000), TriggerBy.MARK)


def test_a_conditional_order_without_trigger_or_direction_is_not_sent() -> None:
    with pytest.raises(BadInput, match="trigger_price"):
        translate_orders.order_params(request(type=OrderType.STOP, trigger_rises=True))
    with pytest.raises(BadInput, match="which way"):
        translate_orders.order_params(request(type=OrderType.STOP, trigger_price=D(61000)))


def test_an_order_without_a_trigger_is_not_conditional_whatever_zeros_the_venue_fills_in() -> None:
    order = translate_orders.order(row(triggerPrice="0.00", triggerDirection=0, triggerBy=""))
    assert (order.type, order.trigger_price, order.trigger_by) == (OrderType.LIMIT, None, None)


def test_closing_the_whole_position_is_said_by_quantity_zero() -> None:
    asked = request(
        type=OrderType.STOP_MARKET, side=Side.SELL, quantity=D(0), price=None, close_position=True,
        trigger_price=D(50000), trigger_rises=False,
    )  # fmt: skip
    params = translate_orders.order_params(asked)
    assert (params["qty"], params["reduceOnly"], params["closeOnTrigger"]) == ("0", True, True)
    assert translate_orders.order_to_be(params, asked).close_position
    stop = {"stopOrderType": "Stop", "triggerPrice": "5", "reduceOnly": True}
    assert translate_orders.order(row(**stop, closeOnTrigger=True)).close_position
    assert not translate_orders.order(row(**stop)).close_position
    part = {**stop, "stopOrderType": "PartialStopLoss", "closeOnTrigger": True}
    assert not translate_orders.order(row(**part)).close_position


def test_exits_are_attached_for_the_whole_position_at_the_market() -> None:
    params = translate_orders.order_params(request(take_profit=D(70000), stop_loss=D(50000), trigger_by=TriggerBy.MARK))
    assert {name: params[name] for name in ("takeProfit", "stopLoss", "tpTriggerBy", "slTriggerBy", "tpslMode")} == {
        "takeProfit": D(70000),
        "stopLoss": D(50000),
        "tpTriggerBy": "MarkPrice",
        "slTriggerBy": "MarkPrice",
        "tpslMode": "Full",
    }
    assert "stopLoss" not in translate_orders.order_params(request(take_profit=D(70000)))
    with pytest.raises(BadInput, match="only closes"):
        translate_orders.order_params(request(take_profit=D(70000), reduce_only=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"type": OrderType.TRAILING_STOP_MARKET},
        {"time_in_force": TimeInForce.GTD},
        {"expires_time_ms": 1_790_000_000_000},
    ],
)
def test_what_this_venue_has_not_is_said_before_sending(changes: dict[str, Any]) -> None:
    with pytest.raises(NotOffered) as caught:
        translate_orders.order_params(request(**changes))
    assert caught.value.code == "NOT_OFFERED"


@pytest.mark.parametrize("changes", [{"type": OrderType.LIQUIDATION}, {"time_in_force": TimeInForce.UNKNOWN}])
def test_orders_that_exist_nowhere_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        translate_orders.order_params(request(**changes))


def test_the_callers_own_parameters_win_and_the_order_to_be_follows_them() -> None:
    asked = request(venue_params={"qty": "0.02", "timeInForce": "FOK", "positionIdx": 1, "takeProfit": "70000"})
    params = translate_orders.order_params(asked)
    assert (params["qty"], params["timeInForce"], params["takeProfit"]) == ("0.02", "FOK", "70000")
    order = translate_orders.acknowledged(translate_orders.order_to_be(params, asked), wire.OrderIds("id-1", "c-1"))
    assert (order.order_id, order.client_order_id, order.status) == ("id-1", "c-1", OrderStatus.PENDING_NEW)
    assert (order.quantity, order.time_in_force, order.position_side) == (D("0.02"), "FOK", PositionSide.LONG)
    assert (order.price, order.filled_quantity, order.average_price) == (D("60000.0"), D(0), None)


@pytest.mark.parametrize("params", [{"positionIdx": "x"}, {"positionIdx": 9}, {"side": "buy"}, {"qty": "much"}])
def test_own_parameters_that_can_not_be_read_are_refused_before_sending(params: dict[str, Any]) -> None:
    asked = request(venue_params=params)
    with pytest.raises(BadInput):
        translate_orders.order_to_be(translate_orders.order_params(asked), asked)
