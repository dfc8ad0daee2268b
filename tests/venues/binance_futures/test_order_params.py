"""Orders as they are put into the venue's words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.errors import BadInput, NotOffered
from perpwire.model.order import CONDITIONAL, OrderRequest, OrderType, PositionSide, Side, TimeInForce, TriggerBy
from perpwire.venues.base import Lane
from perpwire.venues.binance_futures.venue import VENUE

DEFAULTS: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": Side.SELL,
    "type": OrderType.STOP_MARKET,
    "quantity": Decimal("0.010"),
    "client_order_id": "sl-1",
    "trigger_price": Decimal(60000),
}


def request(**changes: Any) -> OrderRequest:
    return OrderRequest(**(DEFAULTS | changes))


def sent(**changes: Any) -> dict[str, Any]:
    """What is sent of the parameters: None is left out."""
    call = VENUE.place_order(request(**changes))
    return {name: value for name, value in call.params.items() if value is not None}


def test_conditional_types_go_to_the_algo_service_in_its_own_words_and_nothing_else_does() -> None:
    assert VENUE.place_order(request()).endpoint.http == "POST /fapi/v1/algoOrder"
    assert sent() == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.010",
        "clientAlgoId": "sl-1",
        "algoType": "CONDITIONAL",
        "workingType": "CONTRACT_PRICE",
        "triggerPrice": Decimal(60000),
    }
    for kind in OrderType:
        if kind in (OrderType.LIQUIDATION, OrderType.UNKNOWN):
            continue
        changes: dict[str, Any] = {"type": kind, "callback_rate": Decimal(1)}
        if kind in (OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT):
            changes["price"] = Decimal(59000)
        path = VENUE.place_order(request(**changes)).endpoint.path
        assert path == ("/fapi/v1/algoOrder" if kind in CONDITIONAL else "/fapi/v1/order")


def test_a_stop_limit_has_a_price_and_a_trailing_stop_its_own_two_numbers() -> None:
    limit = sent(type=OrderType.STOP, price=Decimal(59000), trigger_by=TriggerBy.MARK)
    assert (limit["price"], limit["timeInForce"], limit["workingType"]) == ("59000", "GTC", "MARK_PRICE")
    trailing = sent(
        type=OrderType.TRAILING_STOP_MARKET,
        trigger_price=None,
        callback_rate=Decimal("0.5"),
        activation_price=Decimal(65000),
    )
    assert (trailing["callbackRate"], trailing["activatePrice"]) == (Decimal("0.5"), Decimal(65000))
    assert not {"triggerPrice", "price", "timeInForce", "activationPrice"} & set(trailing)


def test_closing_the_position_goes_without_quantity_and_reduce_only_in_either_mode() -> None:
    for side in (PositionSide.BOTH, PositionSide.LONG):
        params = sent(quantity=Decimal(0), close_position=True, reduce_only=True, position_side=side)
        assert params["closePosition"] == "true"
        assert not {"quantity", "reduceOnly"} & set(params)
        assert params.get("positionSide", "BOTH") == side


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.STOP_MARKET])
def test_in_hedge_mode_the_side_says_it_and_reduce_only_is_never_sent(kind: OrderType) -> None:
    trigger = {"trigger_price": None} if kind is OrderType.MARKET else {}
    one_way = sent(type=kind, reduce_only=True, **trigger)
    assert one_way["reduceOnly"] == "true"
    assert "positionSide" not in one_way
    hedge = sent(type=kind, reduce_only=True, position_side=PositionSide.LONG, **trigger)
    assert hedge["positionSide"] == "LONG"
    assert "reduceOnly" not in hedge
    with pytest.raises(BadInput, match="can't reduce"):
        sent(type=kind, reduce_only=True, position_side=PositionSide.SHORT, **trigger)


def test_what_can_only_reduce_is_more_urgent_and_a_batch_as_its_least_urgent_order() -> None:
    def lane(**changes: Any) -> Lane:
        call = VENUE.place_order(request(**changes))
        return call.endpoint.lane_of(call.params)

    assert lane() is Lane.ORDER
    assert lane(reduce_only=True) is lane(position_side=PositionSide.LONG) is Lane.REDUCE
    assert lane(close_position=True, quantity=Decimal(0)) is Lane.REDUCE
    closing, opening = (
        request(type=OrderType.MARKET, trigger_price=None, reduce_only=reduces) for reduces in (True, False)
    )
    for requests, expected in (([closing] * 2, Lane.REDUCE), ([closing, opening], Lane.ORDER)):
        batch = VENUE.place_orders(requests)
        assert batch.endpoint.lane_of(batch.params) is expected


def test_good_till_date_is_sent_with_its_date() -> None:
    params = sent(
        type=OrderType.LIMIT,
        trigger_price=None,
        price=Decimal(60000),
        time_in_force=TimeInForce.GTD,
        expires_time_ms=1_800_000_000_000,
    )
    assert (params["timeInForce"], params["goodTillDate"]) == ("GTD", 1_800_000_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"trigger_by": TriggerBy.INDEX},
        {"take_profit": Decimal(70000)},
        {"type": OrderType.MARKET, "trigger_price": None, "stop_loss": Decimal(50000)},
    ],
)
def test_what_the_venue_lacks_is_said_before_anything_is_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(NotOffered):
        VENUE.place_order(request(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"trigger_price": None},
        {"type": OrderType.STOP, "price": None},
        {"client_order_id": "a b"},
        {"venue_params": {"clientAlgoId": "another"}},
        {"type": OrderType.STOP, "price": Decimal(1), "expires_time_ms": 1},
    ],
)
def test_what_cannot_be_sent_is_bad_input(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        VENUE.place_order(request(**changes))


def test_batches_are_of_ordinary_orders_of_one_symbol_and_not_too_large() -> None:
    limit = request(type=OrderType.LIMIT, trigger_price=None, price=Decimal(60000))
    for requests in ([], [limit] * 6, [limit, request()]):
        with pytest.raises(BadInput):
            VENUE.place_orders(requests)
    orders: list[list[tuple[str, str]]] = [
        [],
        [("BTCUSDT", "1")] * 6,
        [("BTCUSDT", "1"), ("ETHUSDT", "2")],
        [("BTCUSDT", "algo-1")],
    ]
    for one in orders:
        with pytest.raises(BadInput):
            VENUE.cancel_orders(one)


def test_an_id_that_is_none_of_the_venues_is_bad_input() -> None:
    for order_id in ("abc", "algo-", "algo-x", "7.0", "-7", "٧"):
        with pytest.raises(BadInput):
            VENUE.get_order("BTCUSDT", order_id, None)
        with pytest.raises(BadInput):
            VENUE.cancel_order("BTCUSDT", order_id, None)


def test_calls_that_need_a_symbol_say_so() -> None:
    for ask in (
        lambda: VENUE.cancel_all(None),
        lambda: VENUE.arm_countdown(None, 10),
        lambda: VENUE.fills(None, None, None),
    ):
        with pytest.raises(BadInput, match="symbol by symbol"):
            ask()
