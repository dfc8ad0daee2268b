"""Conditional orders: they wait, trigger by the price chosen, and stay one order under one id."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.model.order import OrderRequest, OrderStatus, OrderType, Side
from perpwire.venues.bybit.venue import VENUE

from .desk import Desk, at_desk, moment

D = Decimal
RISING: dict[str, Any] = {"orderType": "Market", "price": None, "triggerPrice": "64500", "triggerDirection": 1}


def open_rows(desk: Desk, **asked: Any) -> list[Any]:
    rows: list[Any] = desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", **asked)["result"]["list"]
    return rows


@at_desk
async def test_it_waits_and_becomes_an_order_of_the_same_id(desk: Desk) -> None:
    desk.quote(Side.SELL, "64600")
    order_id = desk.create(**RISING, orderLinkId="stop-1")["result"]["orderId"]
    await moment()
    row = desk.order(order_id)
    assert (row["orderStatus"], row["stopOrderType"], row["triggerPrice"]) == ("Untriggered", "Stop", "64500")
    assert (row["triggerDirection"], row["triggerBy"], row["orderType"]) == (1, "LastPrice", "Market")
    assert (row["leavesQty"], row["avgPrice"], row["price"]) == ("0.01", "", "0")
    assert desk.exchange.view("main").order_margin == 0
    desk.trade_at("64500")
    await moment()
    row = desk.order(order_id)
    assert (row["orderStatus"], row["orderLinkId"], row["cumExecQty"]) == ("Filled", "stop-1", "0.01")
    assert (row["stopOrderType"], row["triggerPrice"], row["avgPrice"]) == ("Stop", "64500", "64600")
    (execution,) = desk.get("/v5/execution/list", category="linear", orderId=order_id)["result"]["list"]
    assert (execution["stopOrderType"], execution["orderId"]) == ("Stop", order_id)
    assert desk.get("/v5/order/history", category="linear")["result"]["list"] == [row]


@pytest.mark.parametrize(("by", "prices"), [("MarkPrice", "mark"), ("LastPrice", "last")])
def test_the_price_that_was_chosen_triggers_it(by: str, prices: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quote(Side.SELL, "64600")
        order_id = desk.create(**RISING, triggerBy=by)["result"]["orderId"]
        await moment()
        if prices == "mark":
            desk.trade_at("64500")
        else:
            desk.exchange.force_mark("BTCUSDT", D(64500))
        await moment()
        assert desk.order(order_id)["orderStatus"] == "Untriggered"
        if prices == "mark":
            desk.exchange.force_mark("BTCUSDT", D(64500))
        else:
            desk.trade_at("64500")
        await moment()
        assert desk.order(order_id)["orderStatus"] == "Filled"

    at_desk(trial)()


@at_desk
async def test_a_limit_order_rests_once_triggered(desk: Desk) -> None:
    order_id = desk.create(side="Sell", price="63400", triggerPrice="63500", triggerDirection=2)["result"]["orderId"]
    await moment()
    assert desk.order(order_id)["price"] == "63400"
    desk.trade_at("63500")
    await moment()
    row = desk.order(order_id)
    assert (row["orderStatus"], row["price"], row["triggerDirection"]) == ("New", "63400", 2)
    desk.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    await moment()
    assert desk.order(order_id)["orderStatus"] == "Cancelled"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"triggerPrice": "63900"}, 110092),
        ({"triggerPrice": "64000"}, 110092),
        ({"triggerDirection": 2}, 110093),
        ({"triggerDirection": 3}, 10001),
        ({"triggerDirection": None}, 10001),
        ({"triggerBy": "LastTrade"}, 10001),
        ({"triggerPrice": "64500.05"}, 10001),
        ({"triggerPrice": 64500}, 10001),
        ({"slippageToleranceType": "TickSize", "slippageTolerance": "5"}, 10001),
        ({"qty": "0.0105"}, 10001),
    ],
)
def test_what_is_wrong_with_it_is_said_at_once(changes: dict[str, Any], code: int) -> None:
    async def trial(desk: Desk) -> None:
        assert desk.create(**{**RISING, **changes})["retCode"] == code
        await moment()
        assert desk.exchange.triggers("main", None) == []

    at_desk(trial)()


@at_desk
async def test_there_are_ten_of_a_symbol_at_most(desk: Desk) -> None:
    for number in range(10):
        assert desk.create(**{**RISING, "triggerPrice": str(64500 + number)})["retCode"] == 0
    await moment(1.1)
    assert desk.create(**RISING)["retCode"] == 110009
    assert desk.create(symbol="ETHUSDT", qty="0.1", **{**RISING, "triggerPrice": "3100"})["retCode"] == 0
    assert desk.create()["retCode"] == 0  # an order that does not wait


@at_desk
async def test_a_client_id_is_one_for_orders_of_both_kinds(desk: Desk) -> None:
    desk.create(**RISING, orderLinkId="x")
    assert desk.create(orderLinkId="x")["retCode"] == 110072  # not even placed yet
    await moment()
    assert desk.create(**RISING, orderLinkId="x")["retCode"] == 110072
    desk.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderLinkId="x")
    await moment()
    assert desk.create(orderLinkId="x")["retCode"] == 110072


@at_desk
async def test_it_is_amended_and_cancelled_like_an_order(desk: Desk) -> None:
    order_id = desk.create(**RISING)["result"]["orderId"]
    await moment()
    named = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id}
    assert desk.post("/v5/order/amend", **named, triggerPrice="65000", qty="0.020")["retCode"] == 0
    await moment()
    row = desk.order(order_id)
    assert (row["triggerPrice"], row["qty"], row["orderStatus"]) == ("65000", "0.02", "Untriggered")
    assert desk.post("/v5/order/amend", **named, triggerPrice="65000")["retCode"] == 10001
    assert desk.post("/v5/order/amend", **named, triggerPrice="63000")["retCode"] == 110092
    assert desk.post("/v5/order/cancel", **named)["result"]["orderId"] == order_id
    await moment()
    row = desk.order(order_id)
    assert (row["orderStatus"], row["cancelType"], row["leavesQty"]) == ("Deactivated", "CancelByUser", "0")
    assert desk.post("/v5/order/cancel", **named)["retCode"] == 110001
    past = desk.get("/v5/order/history", category="linear", orderStatus="Deactivated")["result"]["list"]
    assert [one["orderId"] for one in past] == [order_id]
    assert open_rows(desk) == []


@at_desk
async def test_filters_tell_those_that_wait_from_those_in_the_book(desk: Desk) -> None:
    stop = desk.create(**RISING)["result"]["orderId"]
    plain = desk.create()["result"]["orderId"]
    await moment()

    def ids(**asked: Any) -> list[str]:
        return [row["orderId"] for row in open_rows(desk, **asked)]

    assert ids() == [plain, stop]
    assert ids(orderFilter="Order") == [plain]
    assert ids(orderFilter="StopOrder") == [stop]
    assert ids(openOnly=0, orderFilter="OpenOrder") == [plain]
    assert ids(openOnly=1) == []
    gone = desk.post("/v5/order/cancel-all", category="linear", symbol="BTCUSDT", orderFilter="StopOrder")
    assert [one["orderId"] for one in gone["result"]["list"]] == [stop]
    await moment()
    assert ids() == [plain]
    assert ids(openOnly=1) == [stop]
    desk.create(**RISING)
    await moment()
    everything = desk.post("/v5/order/cancel-all", category="linear", settleCoin="USDT")["result"]
    assert len(everything["list"]) == 2
    await moment()
    assert ids() == []


@at_desk
async def test_margin_that_is_missing_when_it_triggers_ends_it(desk: Desk) -> None:
    desk.quote(Side.SELL, "64600", "300")
    order_id = desk.create(**{**RISING, "qty": "100"})["result"]["orderId"]
    await moment()
    desk.trade_at("64500")
    await moment()
    row = desk.order(order_id)
    assert (row["orderStatus"], row["cumExecQty"]) == ("Cancelled", "0")
    assert desk.exchange.positions("main") == []


@at_desk
async def test_closing_on_trigger_takes_the_whole_position(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.300")
    await moment()
    desk.create(
        side="Sell",
        orderType="Market",
        price=None,
        qty="0",
        reduceOnly=True,
        closeOnTrigger=True,
        triggerPrice="63990",
        triggerDirection=2,
    )
    await moment()
    (row,) = open_rows(desk)
    assert (row["qty"], row["closeOnTrigger"], row["reduceOnly"]) == ("0.3", True, True)
    desk.trade_at("63990")
    await moment()
    assert desk.exchange.positions("main") == []


@at_desk
async def test_a_cancel_that_comes_as_it_triggers_ends_the_order(desk: Desk) -> None:
    order_id = desk.create(side="Sell", price="64700", triggerPrice="64500", triggerDirection=1)["result"]["orderId"]
    await moment()
    desk.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    desk.trade_at("64500")  # before the cancel is carried out
    assert desk.order(order_id)["orderStatus"] == "New"
    await moment()
    assert desk.order(order_id)["orderStatus"] == "Cancelled"


@at_desk
async def test_the_clients_own_stop_order_is_understood(desk: Desk) -> None:
    request = OrderRequest(
        symbol="BTCUSDT",
        side=Side.SELL,
        type=OrderType.STOP_MARKET,
        quantity=D("0.01"),
        client_order_id="stop",
        trigger_price=D(63000),
        trigger_rises=False,
    )
    placed = desk.call(VENUE.place_order(request))
    await moment()
    order = desk.call(VENUE.get_order("BTCUSDT", placed.order_id, None))
    assert (order.status, order.type, order.side) == (OrderStatus.UNTRIGGERED, OrderType.STOP_MARKET, Side.SELL)
    assert desk.call(VENUE.open_orders("BTCUSDT")) == (order,)
    desk.call(VENUE.cancel_order("BTCUSDT", None, "stop"))
    await moment()
    assert desk.call(VENUE.get_order("BTCUSDT", None, "stop")).status is OrderStatus.CANCELED


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_limit_price_is_held_against_the_price_limits_when_it_triggers(is_refused: bool) -> None:
    async def trial(desk: Desk) -> None:
        desk.post("/v5/account/set-limit-px-action", category="linear", modifyEnable=not is_refused)
        order_id = desk.create(price="69000", triggerPrice="64500", triggerDirection=1)["result"]["orderId"]
        await moment()
        assert D(desk.order(order_id)["price"]) == 69000
        desk.trade_at("64500")
        await moment()
        row = desk.order(order_id)
        if is_refused:
            assert (row["orderStatus"], D(row["cumExecQty"])) == ("Cancelled", D(0))
        else:
            limit = desk.get("/v5/market/price-limit", symbol="BTCUSDT")["result"]["buyLmt"]
            assert (row["orderStatus"], D(row["price"])) == ("New", D(limit))

    at_desk(trial)()


@at_desk
async def test_the_price_that_it_waits_for_may_be_another_kind(desk: Desk) -> None:
    desk.quote(Side.SELL, "64700")
    order_id = desk.create(**RISING)["result"]["orderId"]
    await moment()
    body = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id}
    assert desk.post("/v5/order/amend", **body, triggerBy="LastPrice")["retCode"] == 10001  # no change
    assert desk.post("/v5/order/amend", **body, triggerBy="MarkPrice")["retCode"] == 0
    await moment()
    assert desk.order(order_id)["triggerBy"] == "MarkPrice"
    desk.trade_at("64500")
    await moment()
    assert desk.order(order_id)["orderStatus"] == "Untriggered"
    assert desk.post("/v5/order/amend", **body, triggerBy="LastPrice")["retCode"] == 110092  # it is there already
    desk.exchange.force_mark("BTCUSDT", D(64500))
    await moment()
    row = desk.order(order_id)
    assert (row["orderStatus"], row["triggerBy"]) == ("Filled", "MarkPrice")
