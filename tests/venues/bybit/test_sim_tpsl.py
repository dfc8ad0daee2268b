"""A position's take-profit, stop-loss and trailing stop: attached to orders, set by hand, ended together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.model.order import Side

from .desk import Desk, at_desk, moment


def stops(desk: Desk) -> dict[str, Any]:
    """The open ones, by their stopOrderType."""
    rows = desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", orderFilter="StopOrder")["result"]
    return {row["stopOrderType"]: row for row in rows["list"]}


def position(desk: Desk) -> Any:
    (row,) = desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    return row


def set_stop(desk: Desk, **asked: Any) -> int:
    answer = desk.post(
        "/v5/position/trading-stop",
        **{"category": "linear", "symbol": "BTCUSDT", "tpslMode": "Full", "positionIdx": 0, **asked},
    )
    assert answer["result"] == {}
    code: int = answer["retCode"]
    return code


async def go_long(desk: Desk, quantity: str = "0.300", **more: Any) -> str:
    desk.quotes()
    order_id: str = desk.create(orderType="Market", qty=quantity, **more)["result"]["orderId"]
    await moment()
    return order_id


@at_desk
async def test_what_an_order_brings_along_is_the_positions_once_it_is_filled(desk: Desk) -> None:
    desk.quote(Side.SELL, "64010", "0.100")
    order_id = desk.create(
        qty="0.300",
        price="64010",
        orderLinkId="parent",
        takeProfit="65000",
        stopLoss="63000",
        slTriggerBy="MarkPrice",
    )["result"]["orderId"]
    await moment()
    row = desk.order(order_id)
    assert (row["takeProfit"], row["stopLoss"], row["tpslMode"]) == ("65000", "63000", "Full")
    assert (row["tpTriggerBy"], row["slTriggerBy"]) == ("LastPrice", "MarkPrice")
    made = stops(desk)
    profit, loss = made["TakeProfit"], made["StopLoss"]
    assert (profit["triggerPrice"], profit["triggerDirection"], profit["side"]) == ("65000", 1, "Sell")
    assert (loss["triggerPrice"], loss["triggerDirection"], loss["triggerBy"]) == ("63000", 2, "MarkPrice")
    for child in (profit, loss):
        assert (child["orderLinkId"], child["parentOrderLinkId"], child["orderStatus"]) == ("", "parent", "Untriggered")
        assert (child["reduceOnly"], child["closeOnTrigger"], child["orderType"]) == (True, True, "Market")
        assert (child["qty"], child["orderId"] != order_id) == ("0.1", True)
    assert (position(desk)["takeProfit"], position(desk)["stopLoss"]) == ("65000", "63000")
    desk.quote(Side.SELL, "64010", "0.100")  # more of the order is filled
    await moment()
    assert stops(desk)["TakeProfit"]["qty"] == "0.2"
    assert len(stops(desk)) == 2


@at_desk
async def test_when_one_has_closed_the_position_the_others_are_cleared(desk: Desk) -> None:
    await go_long(desk, takeProfit="64500", stopLoss="63000")
    profit, loss = stops(desk)["TakeProfit"]["orderId"], stops(desk)["StopLoss"]["orderId"]
    desk.quote(Side.BUY, "64495", "1")
    desk.exchange.cancel_all("maker", None)
    desk.quote(Side.BUY, "64495", "1")
    desk.trade_at("64500")
    await moment()
    assert position(desk)["size"] == "0"
    row = desk.order(profit)
    assert (row["orderStatus"], row["stopOrderType"], row["createType"]) == (
        "Filled",
        "TakeProfit",
        "CreateByTakeProfit",
    )
    row = desk.order(loss)
    assert (row["orderStatus"], row["cancelType"]) == ("Deactivated", "CancelByTpSlTsClear")
    assert (row["qty"], row["leavesQty"]) == ("0.3", "0")
    assert stops(desk) == {}
    assert (position(desk)["takeProfit"], position(desk)["stopLoss"]) == ("", "")


@at_desk
async def test_partial_pairs_grow_with_the_fills_and_one_ends_the_other(desk: Desk) -> None:
    desk.quote(Side.SELL, "64010", "0.100")
    desk.create(
        qty="0.300",
        price="64010",
        tpslMode="Partial",
        takeProfit="64500",
        tpOrderType="Limit",
        tpLimitPrice="64490",
        stopLoss="63900",
    )
    await moment()
    assert {kind: row["qty"] for kind, row in stops(desk).items()} == {
        "PartialTakeProfit": "0.1",
        "PartialStopLoss": "0.1",
    }
    desk.quote(Side.SELL, "64010", "0.050")
    await moment()
    made = stops(desk)
    profit, loss = made["PartialTakeProfit"], made["PartialStopLoss"]
    assert (profit["qty"], profit["orderType"], profit["price"]) == ("0.15", "Limit", "64490")
    assert (loss["qty"], loss["orderType"], loss["tpslMode"]) == ("0.15", "Market", "Partial")
    assert position(desk)["takeProfit"] == ""  # it is of no part of it alone
    desk.trade_at("64500", "0.500")  # fills the rest of the order too
    await moment()
    assert desk.order(loss["orderId"])["cancelType"] == "CancelByOCOSlCanceledByTpTriggered"
    row = desk.order(profit["orderId"])
    assert (row["orderStatus"] in ("New", "Filled"), row["createType"]) == (True, "CreateByPartialTakeProfit")


@at_desk
async def test_a_pair_is_for_all_fills_of_one_moment(desk: Desk) -> None:
    desk.quote(Side.SELL, "64010", "0.100")
    desk.quote(Side.SELL, "64020", "0.200")
    desk.create(orderType="Market", qty="0.300", tpslMode="Partial", takeProfit="65000", stopLoss="63900")
    await moment()
    assert {kind: row["qty"] for kind, row in stops(desk).items()} == {
        "PartialTakeProfit": "0.3",
        "PartialStopLoss": "0.3",
    }
    desk.exchange.cancel_all("maker", None)
    desk.quote(Side.BUY, "63890", "5")
    desk.trade_at("63900")
    await moment()
    assert position(desk)["size"] == "0"
    assert stops(desk) == {}


@at_desk
async def test_a_flip_brings_stops_for_what_it_opens_only(desk: Desk) -> None:
    await go_long(desk, "0.100")
    desk.create(
        side="Sell", orderType="Market", qty="0.400", tpslMode="Partial", takeProfit="63000", orderLinkId="flip"
    )
    await moment()
    assert (position(desk)["side"], position(desk)["size"]) == ("Sell", "0.3")
    (row,) = stops(desk).values()
    assert (row["stopOrderType"], row["side"], row["qty"]) == ("PartialTakeProfit", "Buy", "0.3")
    desk.create(side="Buy", orderType="Market", qty="0.100", takeProfit="66000")  # it only closes: nothing to protect
    await moment()
    assert set(stops(desk)) == {"PartialTakeProfit"}


@at_desk
async def test_full_mode_moves_the_one_that_is_there(desk: Desk) -> None:
    await go_long(desk)
    assert set_stop(desk, takeProfit="65000") == 0
    first = stops(desk)["TakeProfit"]["orderId"]
    assert set_stop(desk, takeProfit="65000") == 34040
    assert set_stop(desk, takeProfit="65500", stopLoss="63000") == 0
    made = stops(desk)
    assert (made["TakeProfit"]["orderId"], made["TakeProfit"]["triggerPrice"]) == (first, "65500")
    assert made["StopLoss"]["triggerPrice"] == "63000"
    assert set_stop(desk, takeProfit="0") == 0
    assert set(stops(desk)) == {"StopLoss"}
    assert set_stop(desk, takeProfit="0") == 34040
    assert set_stop(desk, stopLoss="63000", slTriggerBy="MarkPrice") == 0
    assert stops(desk)["StopLoss"]["triggerBy"] == "MarkPrice"
    assert set_stop(desk) == 34040


@at_desk
async def test_a_stop_is_amended_as_an_order_too(desk: Desk) -> None:
    await go_long(desk, takeProfit="65000")
    assert set_stop(desk, trailingStop="300") == 0
    made = stops(desk)
    profit = {"symbol": "BTCUSDT", "orderId": made["TakeProfit"]["orderId"]}
    trailing = {"symbol": "BTCUSDT", "orderId": made["TrailingStop"]["orderId"]}
    assert desk.post("/v5/order/amend", category="linear", **profit, triggerPrice="66000")["retCode"] == 0
    await moment()
    assert position(desk)["takeProfit"] == "66000"
    assert desk.post("/v5/order/amend", category="linear", **profit, qty="0.1")["retCode"] == 10001
    assert desk.post("/v5/order/amend", category="linear", **trailing, triggerPrice="63000")["retCode"] == 10001
    assert desk.post("/v5/order/cancel", category="linear", **trailing)["retCode"] == 0
    await moment()
    assert set(stops(desk)) == {"TakeProfit"}


@at_desk
async def test_partial_mode_only_adds_up_to_twenty(desk: Desk) -> None:
    await go_long(desk)
    part = {"tpslMode": "Partial", "takeProfit": "65000", "tpSize": "0.100"}
    assert set_stop(desk, **part) == 0
    assert set_stop(desk, **{**part, "stopLoss": "63000", "slSize": "0.200"}) == 10001
    assert set_stop(desk, **{**part, "stopLoss": "63000", "slSize": "0.100"}) == 0
    assert set_stop(desk, **{**part, "tpSize": "0.400"}) == 110058
    assert set_stop(desk, **{**part, "tpSize": None}) == 10001
    await moment(1.1)
    for number in range(18):
        assert set_stop(desk, **{**part, "takeProfit": str(66000 + number)}) == 0
        await moment(0.11)
    assert set_stop(desk, **part) == 110061
    assert position(desk)["takeProfit"] == ""


@at_desk
async def test_a_trailing_stop_follows_the_price_and_closes(desk: Desk) -> None:
    await go_long(desk)
    assert set_stop(desk, trailingStop="300", activePrice="64300") == 0
    (row,) = stops(desk).values()
    assert (row["stopOrderType"], row["triggerPrice"], row["side"]) == ("TrailingStop", "", "Sell")
    assert position(desk)["trailingStop"] == "300"
    assert set_stop(desk, trailingStop="300", activePrice="64300") == 34040
    desk.exchange.cancel_all("maker", None)
    desk.trade_at("64300")
    assert stops(desk)["TrailingStop"]["triggerPrice"] == "64000"
    desk.trade_at("64600")
    assert stops(desk)["TrailingStop"]["triggerPrice"] == "64300"
    desk.trade_at("64400")
    assert stops(desk)["TrailingStop"]["triggerPrice"] == "64300"
    desk.quote(Side.BUY, "64250", "1")
    desk.trade_at("64300")
    await moment()
    assert position(desk)["size"] == "0"
    assert desk.order(row["orderId"])["createType"] == "CreateByTrailingStop"


@at_desk
async def test_a_trailing_stop_is_moved_and_taken_away(desk: Desk) -> None:
    await go_long(desk)
    assert set_stop(desk, trailingStop="300") == 0
    assert set_stop(desk, trailingStop="400") == 0
    assert position(desk)["trailingStop"] == "400"
    assert len(stops(desk)) == 1
    assert set_stop(desk, trailingStop="0") == 0
    assert (position(desk)["trailingStop"], stops(desk)) == ("0", {})
    assert set_stop(desk, trailingStop="0") == 34040


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"takeProfit": "63900"}, 10001),  # a long's profit lies above
        ({"stopLoss": "64100"}, 10001),
        ({"takeProfit": "65000.05"}, 10001),
        ({"takeProfit": "65000", "tpOrderType": "Limit", "tpLimitPrice": "65000"}, 10001),
        ({"takeProfit": "65000", "tpTriggerBy": "Other"}, 10001),
        ({"takeProfit": "65000", "positionIdx": 1}, 10001),
        ({"takeProfit": "65000", "tpslMode": "Half"}, 10001),
        ({"trailingStop": "300", "activePrice": "63000"}, 10001),
        ({"trailingStop": "0.05"}, 10001),
        ({"takeProfit": "65000", "symbol": "ETHUSDT"}, 10001),  # no position there
    ],
)
def test_what_is_wrong_with_a_stop_is_said(asked: dict[str, Any], code: int) -> None:
    async def trial(desk: Desk) -> None:
        await go_long(desk)
        assert set_stop(desk, **asked) == code
        assert stops(desk) == {}

    at_desk(trial)()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"takeProfit": "63000"}, "TakeProfit:630000000 set for Buy position should be higher than base_price:"),
        ({"stopLoss": "64500"}, "StopLoss:645000000 set for Buy position should be lower than base_price:"),
        ({"takeProfit": "65000", "tpslMode": "Full", "tpOrderType": "Limit", "tpLimitPrice": "65000"}, "tpOrderType"),
        ({"takeProfit": "65000", "tpslMode": "Partial", "tpOrderType": "Limit"}, "tpLimitPrice"),
        ({"takeProfit": "1e5"}, "takeProfit invalid"),
        ({"takeProfit": "65000", "reduceOnly": True, "side": "Sell"}, "reduceOnly"),
    ],
)
def test_what_is_wrong_with_an_orders_stops_is_said(changes: dict[str, Any], words: str) -> None:
    async def trial(desk: Desk) -> None:
        answer = desk.create(**changes)
        assert (answer["retCode"], words in answer["retMsg"]) == (10001, True), answer

    at_desk(trial)()


@at_desk
async def test_an_orders_stops_are_amended_before_it_fills(desk: Desk) -> None:
    order_id = desk.create(takeProfit="65000")["result"]["orderId"]
    await moment()
    named = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id}
    assert desk.post("/v5/order/amend", **named, takeProfit="66000", stopLoss="62000")["retCode"] == 0
    await moment()
    row = desk.order(order_id)
    assert (row["takeProfit"], row["stopLoss"], row["price"]) == ("66000", "62000", "63000")
    assert desk.post("/v5/order/amend", **named, takeProfit="66000")["retCode"] == 10001  # as it is
    assert desk.post("/v5/order/amend", **named, takeProfit="0", stopLoss="0")["retCode"] == 0
    await moment()
    assert (desk.order(order_id)["takeProfit"], desk.order(order_id)["stopLoss"]) == ("", "")
    desk.exchange.force_fill("main", quantity=desk.exchange.open_orders("main", None)[0].quantity / 2)
    assert desk.post("/v5/order/amend", **named, takeProfit="66000")["retCode"] == 110059
    assert stops(desk) == {}


@at_desk
async def test_a_conditional_order_brings_its_stops_along_too(desk: Desk) -> None:
    desk.quote(Side.SELL, "64600")
    desk.create(
        orderType="Market", price=None, triggerPrice="64500", triggerDirection=1, takeProfit="66000", orderLinkId="c"
    )
    await moment()
    assert set(stops(desk)) == {"Stop"}
    assert stops(desk)["Stop"]["takeProfit"] == "66000"
    desk.trade_at("64500")
    await moment()
    made = stops(desk)
    assert {kind: row["triggerPrice"] for kind, row in made.items()} == {"TakeProfit": "66000"}
    assert made["TakeProfit"]["parentOrderLinkId"] == "c"


@at_desk
async def test_in_hedge_mode_each_leg_has_its_own(desk: Desk) -> None:
    desk.quotes()
    desk.post("/v5/position/switch-mode", category="linear", symbol="BTCUSDT", mode=3)
    desk.create(orderType="Market", qty="0.300", positionIdx=1, takeProfit="65000")
    desk.create(orderType="Market", side="Sell", qty="0.200", positionIdx=2, takeProfit="63000")
    await moment()
    rows = desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert [(row["positionIdx"], row["side"], row["size"], row["takeProfit"]) for row in rows] == [
        (1, "Buy", "0.3", "65000"),
        (2, "Sell", "0.2", "63000"),
    ]
    assert set_stop(desk, positionIdx=2, takeProfit="62000") == 0
    assert set_stop(desk, takeProfit="62000") == 10001
    made = desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", orderFilter="tpslOrder")["result"]
    assert sorted((row["positionIdx"], row["triggerPrice"], row["side"]) for row in made["list"]) == [
        (1, "65000", "Sell"),
        (2, "62000", "Buy"),
    ]


@at_desk
async def test_one_whose_price_the_market_has_passed_at_the_fill_closes_at_once(desk: Desk) -> None:
    desk.quotes()
    desk.create(qty="0.100", price="63900", takeProfit="65000", stopLoss="63850")
    await moment()
    desk.exchange.cancel_all("maker", None)
    desk.quote(Side.BUY, "63800")
    desk.quote(Side.SELL, "63800", "1")  # through the order and on to below its stop-loss
    await moment()
    rows = desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", openOnly=1)["result"]["list"]
    ended = {row["stopOrderType"]: (row["orderStatus"], row["cancelType"], row["triggerPrice"]) for row in rows}
    assert ended["StopLoss"] == ("Filled", "UNKNOWN", "63850")
    assert ended["TakeProfit"] == ("Deactivated", "CancelByTpSlTsClear", "65000")
    assert (position(desk)["size"], stops(desk)) == ("0", {})


@at_desk
async def test_a_stop_that_is_moved_past_the_market_by_a_fill_closes_at_once(desk: Desk) -> None:
    await go_long(desk, "0.100", takeProfit="65000", stopLoss="63000")
    desk.create(qty="0.100", price="63900", stopLoss="63850")
    await moment()
    desk.exchange.cancel_all("maker", None)
    desk.quote(Side.BUY, "63800")
    desk.quote(Side.SELL, "63800", "1")
    await moment()
    assert (position(desk)["size"], stops(desk)) == ("0", {})


@at_desk
async def test_one_of_a_pair_that_closes_at_once_ends_the_other(desk: Desk) -> None:
    desk.quotes()
    desk.trade_at("64000")
    # By the mark price the profit is there already when the order, cheaper than the market, is filled.
    desk.create(
        qty="0.100", price="63900", tpslMode="Partial", takeProfit="63950", tpTriggerBy="MarkPrice", stopLoss="63000"
    )
    await moment()
    desk.exchange.cancel_all("maker", None)
    desk.quote(Side.BUY, "63890")
    desk.quote(Side.SELL, "63900", "0.100")
    await moment()
    assert (position(desk)["size"], stops(desk)) == ("0", {})


@at_desk
async def test_a_stop_keeps_its_time_and_shows_where_it_triggered_when_it_is_an_order(desk: Desk) -> None:
    await go_long(desk, takeProfit="65000")
    assert set_stop(desk, takeProfit="64500", trailingStop="100") == 0
    made = stops(desk)
    desk.exchange.cancel_all("maker", None)
    desk.quote(Side.BUY, "64450", "0.100")
    desk.trade_at("64500")  # takes the profit of a part
    await moment()
    profit = desk.order(made["TakeProfit"]["orderId"])
    assert (profit["triggerPrice"], profit["cumExecQty"]) == ("64500", "0.1")
    assert (profit["createdTime"], profit["updatedTime"] > profit["createdTime"]) == (
        made["TakeProfit"]["createdTime"],
        True,
    )
    desk.quote(Side.BUY, "64350")
    desk.trade_at("64400")
    await moment()
    trailing = desk.order(made["TrailingStop"]["orderId"])
    assert (trailing["triggerPrice"], trailing["orderStatus"]) == ("64400", "Filled")
    assert trailing["createdTime"] == made["TrailingStop"]["createdTime"]
    asked = {"category": "linear", "startTime": trailing["createdTime"], "endTime": trailing["createdTime"]}
    found = desk.get("/v5/order/history", **asked)["result"]["list"]
    assert trailing["orderId"] in [row["orderId"] for row in found]


@at_desk
async def test_an_attached_pair_beyond_the_twenty_is_not_made_by_half(desk: Desk) -> None:
    await go_long(desk)
    for _ in range(20):
        await moment(0.2)
        assert set_stop(desk, tpslMode="Partial", takeProfit="65000", tpSize="0.001") == 0
    desk.create(orderType="Market", qty="0.010", tpslMode="Partial", takeProfit="66000", stopLoss="63000")
    await moment()
    assert list(stops(desk)) == ["PartialTakeProfit"]


@pytest.mark.parametrize("mode", ["Full", "Partial"])
def test_a_position_larger_than_one_order_may_be_is_closed_as_far_as_that_goes(mode: str) -> None:
    async def trial(desk: Desk) -> None:
        symbol = {"category": "linear", "symbol": "SOLUSDT"}
        desk.quote(Side.SELL, "150", "14000", symbol="SOLUSDT")
        desk.exchange.deposit("main", "USDT", Decimal(10**7))
        desk.create(symbol="SOLUSDT", price="150", qty="14000", stopLoss="149", tpslMode=mode)
        await moment()
        desk.quote(Side.BUY, "149", "20000", symbol="SOLUSDT")
        desk.quote(Side.SELL, "149", "1", symbol="SOLUSDT")
        await moment()
        (row,) = desk.get("/v5/position/list", **symbol)["result"]["list"]
        assert row["size"] == "1000"  # a market order has 13000.0 at most

    at_desk(trial)()


@pytest.mark.parametrize("trailing", [{"trailingStop": "100", "activePrice": "63000"}, {"trailingStop": "70000"}])
@pytest.mark.parametrize("mode", [{"tpslMode": "Full"}, {"tpslMode": "Partial", "tpSize": "0.100"}])
def test_what_is_refused_in_part_is_not_done_at_all(mode: dict[str, str], trailing: dict[str, str]) -> None:
    async def trial(desk: Desk) -> None:
        await go_long(desk)
        assert set_stop(desk, **mode, takeProfit="65000", **trailing) == 10001
        assert stops(desk) == {}

    at_desk(trial)()
