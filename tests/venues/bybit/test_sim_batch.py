"""Batches: each order fares by itself, in the order asked for, and costs a unit of its own."""

from __future__ import annotations

import json
from typing import Any

from .desk import Desk, at_desk, moment

LIMIT = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "63000"}


def batch(desk: Desk, what: str, *items: Any) -> tuple[list[Any], list[tuple[int, str]]]:
    answer = desk.post(f"/v5/order/{what}-batch", category="linear", request=list(items))
    assert answer["retCode"] == 0, answer
    return answer["result"]["list"], [(one["code"], one["msg"]) for one in answer["retExtInfo"]["list"]]


@at_desk
async def test_what_is_wrong_with_one_order_does_not_touch_the_others(desk: Desk) -> None:
    rows, codes = batch(
        desk,
        "create",
        {**LIMIT, "orderLinkId": "a"},
        {**LIMIT, "qty": "x", "orderLinkId": "b"},
        {**LIMIT, "price": "1"},
    )
    assert [code for code, _ in codes] == [0, 10001, 110094]
    assert codes[0] == (0, "OK")
    assert [(row["orderId"] != "", row["orderLinkId"], row["createAt"] != "") for row in rows] == [
        (True, "a", True),
        (False, "b", False),
        (False, "", False),
    ]
    assert list(rows[0]) == ["category", "symbol", "orderId", "orderLinkId", "createAt"]
    await moment()
    assert [order.client_order_id for order in desk.exchange.open_orders("main", None)] == ["a"]


@at_desk
async def test_orders_are_amended_and_cancelled_together(desk: Desk) -> None:
    rows, _ = batch(desk, "create", *({**LIMIT, "orderLinkId": name} for name in "ab"))
    await moment()
    changed, codes = batch(
        desk,
        "amend",
        {"symbol": "BTCUSDT", "orderId": rows[0]["orderId"], "price": "62000"},
        {"symbol": "BTCUSDT", "orderLinkId": "b", "qty": "0.020"},
        {"symbol": "BTCUSDT", "orderLinkId": "none", "qty": "0.020"},
        {"symbol": "BTCUSDT", "orderLinkId": "b", "triggerPrice": "70000"},
    )
    assert [code for code, _ in codes] == [0, 0, 110001, 10001]
    assert changed[2] == {"category": "linear", "symbol": "BTCUSDT", "orderId": "", "orderLinkId": "none"}
    await moment()
    first, second = desk.exchange.open_orders("main", None)
    assert (str(first.price), str(second.quantity)) == ("62000.00", "0.020")
    gone, codes = batch(
        desk,
        "cancel",
        {"symbol": "BTCUSDT", "orderId": rows[0]["orderId"]},
        {"symbol": "BTCUSDT", "orderId": "nonsense"},
        "no object",
    )
    assert [code for code, _ in codes] == [0, 110001, 10001]
    assert gone[0]["orderLinkId"] == "a"
    await moment()
    assert [order.client_order_id for order in desk.exchange.open_orders("main", None)] == ["b"]


@at_desk
async def test_conditional_orders_are_placed_and_cancelled_but_not_amended_in_a_batch(desk: Desk) -> None:
    stop = {**LIMIT, "orderType": "Market", "triggerPrice": "65000", "triggerDirection": 1, "orderLinkId": "stop"}
    _, codes = batch(desk, "create", stop)
    assert codes == [(0, "OK")]
    await moment()
    named = {"symbol": "BTCUSDT", "orderLinkId": "stop"}
    _, codes = batch(desk, "amend", {**named, "qty": "0.020"})
    assert codes[0][0] == 10001
    _, codes = batch(desk, "cancel", named)
    assert codes == [(0, "OK")]
    await moment()
    assert desk.exchange.open_triggers("main", None) == []


@at_desk
async def test_a_batch_costs_a_unit_for_each_order_and_what_is_over_fails_by_itself(desk: Desk) -> None:
    body = {"category": "linear", "request": [{**LIMIT, "orderLinkId": f"n{number}"} for number in range(7)]}
    first = desk.send("POST", "/v5/order/create-batch", json.dumps(body))
    assert (first.headers["x-bapi-limit"], first.headers["x-bapi-limit-status"]) == ("10", "3")
    for item in body["request"]:
        item["orderLinkId"] += "x"  # type: ignore[index]
    second = desk.send("POST", "/v5/order/create-batch", json.dumps(body))
    codes = [one["code"] for one in json.loads(second.body)["retExtInfo"]["list"]]
    assert codes == [0, 0, 0, 10006, 10006, 10006, 10006]
    assert second.headers["x-bapi-limit-status"] == "0"
    third = desk.send("POST", "/v5/order/create-batch", json.dumps(body))
    assert json.loads(third.body)["retCode"] == 10006
    assert desk.create()["retCode"] == 0  # single orders have units of their own
    await moment(1.1)
    fourth = desk.send("POST", "/v5/order/create-batch", json.dumps({**body, "request": body["request"][3:]}))
    assert [one["code"] for one in json.loads(fourth.body)["retExtInfo"]["list"]] == [0] * 4


@at_desk
async def test_a_batch_as_a_whole_is_refused_for_its_form(desk: Desk) -> None:
    odd: tuple[dict[str, Any], ...] = (
        {"request": []},
        {"request": None},
        {"request": [LIMIT] * 21},
        {"category": "spot"},
        {"request": {}},
    )
    for changes in odd:
        answer = desk.post("/v5/order/create-batch", **{"category": "linear", "request": [LIMIT], **changes})
        assert (answer["retCode"], answer["result"]) == (10001, {})
