"""Order parameters beyond price and quantity: tolerance, the book's own prices, counts, and what is asked too late."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from perpwire.model.order import Side

from .desk import Desk, at_desk, moment

D = Decimal


@pytest.mark.parametrize(
    ("kind", "tolerance", "bound"),
    [("TickSize", "100", "64020"), ("Percent", "0.05", "64042"), ("TickSize", "1", "64010.1")],
)
def test_a_market_order_goes_no_further_than_its_tolerance(kind: str, tolerance: str, bound: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quote(Side.SELL, "64010", "0.1")
        desk.quote(Side.SELL, "64100", "10")
        order_id = desk.create(orderType="Market", qty="0.3", slippageToleranceType=kind, slippageTolerance=tolerance)[
            "result"
        ]["orderId"]
        await moment()
        row = desk.order(order_id)
        assert (row["orderStatus"], row["cumExecQty"], row["price"]) == ("Cancelled", "0.1", bound)
        assert (row["slippageToleranceType"], row["slippageTolerance"]) == (kind, tolerance)

    at_desk(trial)()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"slippageToleranceType": "TickSize", "slippageTolerance": "0"}, 110108),
        ({"slippageToleranceType": "TickSize", "slippageTolerance": "10001"}, 110108),
        ({"slippageToleranceType": "TickSize", "slippageTolerance": "1.5"}, 110108),
        ({"slippageToleranceType": "Percent", "slippageTolerance": "10.01"}, 110109),
        ({"slippageToleranceType": "Percent", "slippageTolerance": "0.001"}, 110109),
        ({"slippageToleranceType": "Miles", "slippageTolerance": "1"}, 10001),
        ({"slippageTolerance": "1"}, 10001),
        ({"orderType": "Limit", "slippageToleranceType": "Percent", "slippageTolerance": "1"}, 10001),
    ],
)
def test_a_tolerance_has_its_bounds(changes: dict[str, Any], code: int) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        assert desk.create(**{"orderType": "Market", **changes})["retCode"] == code

    at_desk(trial)()


@pytest.mark.parametrize(
    ("side", "side_type", "level", "price"),
    [
        ("Buy", "Queue", "1", "63990"),
        ("Buy", "Queue", "2", "63980"),
        ("Buy", "Counterparty", "1", "64010"),
        ("Sell", "Queue", "1", "64010"),
        ("Sell", "Counterparty", "2", "63980"),
    ],
)
def test_the_exchange_takes_the_price_from_the_book(side: str, side_type: str, level: str, price: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        desk.quote(Side.BUY, "63980")
        asked = {"side": side, "price": None, "bboSideType": side_type, "bboLevel": level}
        order_id = desk.create(**asked)["result"]["orderId"]
        await moment()
        row = desk.order(order_id)
        assert (row["price"], row["createType"]) == (price, "CreateByBboOrder")
        assert desk.create(**{**asked, "bboLevel": "5"})["retCode"] == 110118
        assert desk.create(**{**asked, "bboLevel": "6"})["retCode"] == 10001
        assert desk.create(**{**asked, "bboSideType": "Other"})["retCode"] == 10001

    at_desk(trial)()


@at_desk
async def test_a_limit_price_must_be_reached_before_liquidation(desk: Desk) -> None:
    desk.quotes()
    desk.post("/v5/position/set-leverage", category="linear", symbol="BTCUSDT", buyLeverage="50", sellLeverage="50")
    desk.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
    desk.create(orderType="Market", qty="1.000")
    await moment()
    (row,) = desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    below = str(int(D(row["liqPrice"])) - 100)
    assert desk.create(price=below)["retCode"] == 110040
    assert desk.create(price=str(int(D(row["liqPrice"])) + 100))["retCode"] == 0


@at_desk
async def test_a_reduce_only_order_beyond_the_greatest_size_is_cut_to_it(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500")
    await moment()
    order_id = desk.create(side="Sell", qty="5000", price="65000", reduceOnly=True)["result"]["orderId"]
    await moment()
    row = desk.order(order_id)
    assert (row["orderStatus"], row["qty"], row["reduceOnly"]) == ("New", "0.5", True)


@pytest.mark.slow
def test_there_are_five_hundred_active_orders_of_a_symbol_at_most() -> None:
    async def trial(desk: Desk) -> None:
        uid = desk.get("/v5/user/query-api")["result"]["userID"]
        desk.post("/v5/apilimit/set", list=[{"uids": str(uid), "bizType": "DERIVATIVES", "rate": 1000}])
        item = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001", "price": "60000"}
        for _ in range(25):
            answer = desk.post("/v5/order/create-batch", category="linear", request=[item] * 20)
            assert {one["code"] for one in answer["retExtInfo"]["list"]} == {0}
        assert desk.create()["retCode"] == 110020  # none is matched yet, and all count
        await moment()
        assert desk.create()["retCode"] == 110020
        assert desk.create(symbol="ETHUSDT", price="2900", qty="0.1")["retCode"] == 0
        answer = desk.post("/v5/order/cancel-all", category="linear", symbol="BTCUSDT")
        assert len(answer["result"]["list"]) == 500
        await moment()
        assert desk.create()["retCode"] == 0

    at_desk(trial)()


@at_desk
async def test_a_cancel_of_what_was_just_filled_is_told_once_more(desk: Desk) -> None:
    stream = desk.private("order")
    order_id = desk.create(side="Sell", price="64050")["result"]["orderId"]
    await moment()
    desk.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    desk.quote(Side.BUY, "64050")  # before the cancel arrives
    await moment()
    told = [row for frame in stream.peer.read("order") for row in frame["data"]]
    assert [(row["orderStatus"], row["cancelType"], row["rejectReason"]) for row in told] == [
        ("New", "UNKNOWN", "EC_NoError"),
        ("Filled", "UNKNOWN", "EC_NoError"),
        ("Filled", "CancelByUser", "EC_OrigClOrdIDDoesNotExist"),
    ]


@at_desk
async def test_positions_in_any_order_of_parameters_and_texts(desk: Desk) -> None:
    """positionIdx and flags come as numbers or texts, as clients send them."""
    desk.quotes()
    assert desk.create(positionIdx="0")["retCode"] == 0
    assert desk.create(positionIdx="")["retCode"] == 0
    assert desk.create(positionIdx=True)["retCode"] == 10001
    body = '{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Market","qty":"0.010","isLeverage":0}'
    assert json.loads(desk.send("POST", "/v5/order/create", body).body)["retCode"] == 0


@at_desk
async def test_words_that_do_not_apply_to_an_order_are_empty(desk: Desk) -> None:
    desk.create(side="Buy", price="60000")
    desk.create(side="Sell", price="64050", orderType="Market")
    await moment()
    for path in ("/v5/order/realtime", "/v5/order/history"):
        for row in desk.get(path, category="linear", symbol="BTCUSDT")["result"]["list"]:
            words = ("stopOrderType", "triggerBy", "tpTriggerBy", "slTriggerBy", "tpslMode", "triggerPrice")
            assert {name: row[name] for name in words} == dict.fromkeys(words, "")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": "4000"}, 110094),  # 0.001 of it is worth less than 5
        ({"qty": "25"}, 110007),
        ({"qty": "700"}, 110090),
    ],
)
def test_what_is_wrong_with_an_amendment_is_said_at_once(changes: dict[str, str], code: int) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        order_id = desk.create(price="63500", qty="0.001")["result"]["orderId"]
        await moment()
        before = desk.order(order_id)
        body = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id, **changes}
        assert desk.post("/v5/order/amend", **body)["retCode"] == code
        await moment()
        assert desk.order(order_id) == before

    at_desk(trial)()


@at_desk
async def test_a_reduce_only_order_is_not_amended_beyond_its_position(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.100")
    await moment()
    order_id = desk.create(side="Sell", price="65000", qty="0.050", reduceOnly=True)["result"]["orderId"]
    await moment()
    body = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id, "qty": "0.200"}
    assert desk.post("/v5/order/amend", **body)["retCode"] == 110017


@at_desk
async def test_private_numbers_have_no_trailing_zeros_and_public_ones_have_all(desk: Desk) -> None:
    stream = desk.private("order", "execution", "position")
    desk.quotes()
    desk.create(orderType="Market", qty="0.500")
    desk.create(qty="0.010", price="63000.00")
    await moment(0.3)
    rows = [
        row
        for topic in ("order", "execution", "position")
        for frame in stream.peer.read(topic)
        for row in frame["data"]
    ]
    for path in ("order/realtime", "order/history", "execution/list", "position/list"):
        rows += desk.get(f"/v5/{path}", category="linear", symbol="BTCUSDT")["result"]["list"]
    texts = [
        text for row in rows for text in row.values() if isinstance(text, str) and re.fullmatch(r"-?\d+\.\d+", text)
    ]
    assert len(rows) >= 8
    assert [text for text in texts if text.endswith("0")] == []
    (ticker,) = desk.get("/v5/market/tickers", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert (ticker["lastPrice"], ticker["ask1Size"]) == ("64010.00", "9.500")
