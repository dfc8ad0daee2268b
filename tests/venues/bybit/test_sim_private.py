"""The simulator's private streams: who may listen, what is told, in which order, in the venue's own forms."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from perpwire.credentials import Credentials
from perpwire.model.order import Side
from perpwire.venues.bybit.signing import sign_login

from .desk import KEYS, Desk, Stream, at_desk, moment

D = Decimal
ALL = ("order", "execution", "position", "wallet")


# --- control ----------------------------------------------------------------------------------------------------------


@at_desk
async def test_nothing_can_be_subscribed_before_the_login(desk: Desk) -> None:
    stream = Stream(desk, "/v5/private")
    assert stream.say(op="subscribe", args=["order"])["success"] is False
    expires = desk.exchange.now_ms() + 1000
    answer = stream.say(op="auth", req_id="a", args=[KEYS.api_key, expires, sign_login(KEYS, expires)])
    assert answer.pop("conn_id")
    assert answer == {"req_id": "a", "success": True, "ret_msg": "", "op": "auth"}
    answer = stream.say(op="subscribe", args=["order"])
    assert answer.pop("conn_id")
    assert answer == {"success": True, "ret_msg": "", "op": "subscribe"}  # no req_id where none was sent
    pong = stream.say(op="ping", req_id=6)
    assert (pong["op"], pong["args"], pong["req_id"]) == ("pong", [str(desk.exchange.now_ms())], 6)


@pytest.mark.parametrize(
    ("key", "ahead_ms", "secret"),
    [
        ("nobody", 1000, "sim-secret"),
        ("sim-key", 0, "sim-secret"),
        ("sim-key", -1, "sim-secret"),
        ("sim-key", 1000, "x"),
    ],
    ids=["unknown key", "expired now", "expired", "wrong secret"],
)
def test_a_login_that_is_not_right_is_refused(key: str, ahead_ms: int, secret: str) -> None:
    async def trial(desk: Desk) -> None:
        expires = desk.exchange.now_ms() + ahead_ms
        answer = Stream(desk, "/v5/private").say(
            op="auth", args=[key, expires, sign_login(Credentials(key, secret), expires)]
        )
        assert answer["success"] is False
        assert answer["ret_msg"]

    at_desk(trial)()


@at_desk
async def test_an_expiry_may_be_a_text(desk: Desk) -> None:
    expires = str(desk.exchange.now_ms() + 1000)
    answer = Stream(desk, "/v5/private").say(op="auth", args=[KEYS.api_key, expires, sign_login(KEYS, expires)])
    assert answer["success"] is True
    for args in ([], [KEYS.api_key], "x", None):
        assert Stream(desk, "/v5/private").say(op="auth", args=args)["success"] is False


@at_desk
async def test_a_second_login_is_refused_and_the_first_stays_as_it_was(desk: Desk) -> None:
    stream = desk.private("order")
    expires = desk.exchange.now_ms() + 1000
    for key, secret in (("k2", "s2"), (KEYS.api_key, "sim-secret")):
        answer = stream.say(op="auth", req_id="b", args=[key, expires, sign_login(Credentials(key, secret), expires)])
        assert (answer["op"], answer["req_id"], answer["success"]) == ("auth", "b", False)
        assert "already authenticated" in answer["ret_msg"]
    stream.subscribe("wallet", "execution")
    desk.quotes()  # orders of the second account's
    await moment()
    assert stream.peer.read("order") == []
    order_id = desk.create(orderType="Market", qty="0.010")["result"]["orderId"]
    await moment()
    (order,) = stream.peer.read("order")
    assert [row["orderId"] for row in order["data"]] == [order_id]
    (execution,) = stream.peer.read("execution")
    assert [row["orderId"] for row in execution["data"]] == [order_id]
    assert stream.peer.accounts == {"", "main"}  # "" has the control frames
    again = stream.say(op="subscribe", args=["order"])
    assert again["ret_msg"] == "error:already subscribed,topic:order"
    assert stream.say(op="unsubscribe", args=["order"])["success"]
    before = len(stream.peer.read("order"))
    desk.create()
    await moment()
    assert len(stream.peer.read("order")) == before


@at_desk
async def test_a_login_may_be_tried_again_after_one_that_failed(desk: Desk) -> None:
    stream = Stream(desk, "/v5/private")
    expires = desk.exchange.now_ms() + 1000
    assert not stream.say(op="auth", args=["nobody", expires, "x"])["success"]
    assert stream.say(op="auth", args=[KEYS.api_key, expires, sign_login(KEYS, expires)])["success"]


@at_desk
async def test_plain_and_categorised_topics_do_not_go_into_one_request(desk: Desk) -> None:
    stream = desk.private()
    assert stream.say(op="subscribe", args=["order", "order.linear"])["success"] is False
    assert stream.say(op="subscribe", args=["order", "position.linear", "wallet"])["success"] is True
    assert stream.say(op="subscribe", args=["order.linear"])["success"] is True  # but into two they do
    answer = stream.say(op="subscribe", args=["publicTrade.BTCUSDT"])
    assert answer["ret_msg"] == "error:handler not found,topic:publicTrade.BTCUSDT"


@at_desk
async def test_there_is_no_snapshot_on_any_private_topic(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.5")
    await moment()
    stream = desk.private(*ALL)
    await moment()
    assert [frame for topic, frame in stream.peer.frames if topic] == []


@at_desk
async def test_max_active_time_shortens_the_patience(desk: Desk) -> None:
    stream = Stream(desk, "/v5/private", "max_active_time=30s")
    others = [
        Stream(desk, "/v5/private", f"max_active_time={text}")
        for text in ("5s", "٣٠s", f"{'9' * 5000}s", "s", "")  # out of range or no number: ten minutes
    ]
    await asyncio.sleep(61)
    assert stream.peer.closed is not None
    assert [other.peer.closed for other in others] == [None] * len(others)


# --- pushes -----------------------------------------------------------------------------------------------------------


def topics(stream: Stream) -> list[str]:
    return [topic for topic, _ in stream.peer.frames if topic]


@at_desk
async def test_a_resting_order_is_told_with_its_position_at_each_change(desk: Desk) -> None:
    stream = desk.private(*ALL)
    order_id = desk.create(orderLinkId="mine")["result"]["orderId"]
    await moment()
    assert topics(stream) == ["order", "position"]
    (frame,) = stream.peer.read("order")
    assert frame["id"].split("_")[1] == "BTCUSDT"
    assert (frame["topic"], frame["creationTime"]) == ("order", frame["creationTime"])
    (row,) = frame["data"]
    assert (row["orderId"], row["orderLinkId"], row["orderStatus"]) == (order_id, "mine", "New")
    assert (row["category"], row["avgPrice"], row["stopOrderType"], row["tpslMode"]) == ("linear", "", "", "UNKNOWN")
    assert row["createdTime"] == row["updatedTime"]
    (position,) = stream.peer.read("position")
    assert position["id"].split("_")[1] == "position"
    assert (position["data"][0]["entryPrice"], position["data"][0]["liqPrice"]) == ("0", "0")
    desk.post("/v5/order/amend", category="linear", symbol="BTCUSDT", orderId=order_id, price="62000")
    await moment()
    desk.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    await moment()
    assert topics(stream) == ["order", "position"] * 3
    assert [frame["data"][0]["orderStatus"] for frame in stream.peer.read("order")] == ["New", "New", "Cancelled"]
    assert [frame["data"][0]["price"] for frame in stream.peer.read("order")] == ["63000", "62000", "62000"]
    ended = stream.peer.read("order")[-1]["data"][0]
    assert (ended["cancelType"], ended["leavesQty"]) == ("CancelByUser", "0")


@at_desk
async def test_a_market_order_is_told_once_it_is_filled(desk: Desk) -> None:
    desk.quote(Side.SELL, "64010", "0.300")
    desk.quote(Side.SELL, "64011", "0.300")
    stream = desk.private("execution.fast", *ALL)
    desk.create(orderType="Market", qty="0.500")
    await moment()
    assert topics(stream) == ["execution.fast", "execution", "order", "position", "wallet"]
    (order,) = stream.peer.read("order")
    assert [row["orderStatus"] for row in order["data"]] == ["Filled"]  # no New, no PartiallyFilled before it
    (executions,) = stream.peer.read("execution")
    assert [(row["execPrice"], row["execQty"], row["leavesQty"]) for row in executions["data"]] == [
        ("64010", "0.3", "0.2"),
        ("64011", "0.2", "0"),
    ]
    (fast,) = stream.peer.read("execution.fast")
    assert "id" not in fast
    assert [row["execId"] for row in fast["data"]] == [row["execId"] for row in executions["data"]]
    assert "execFee" not in fast["data"][0]
    (wallet,) = stream.peer.read("wallet")
    fee = sum(D(row["execFee"]) for row in executions["data"])
    assert D(wallet["data"][0]["coin"][0]["walletBalance"]) == 100000 - fee
    (position,) = stream.peer.read("position")
    assert (position["data"][0]["size"], position["data"][0]["side"]) == ("0.5", "Buy")
    assert stream.peer.accounts == {"", "main"}


@at_desk
async def test_what_the_client_reads_is_what_the_exchange_did(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("order.linear", "execution.linear", "position.linear", "wallet")
    desk.create(orderType="Market", qty="0.500", orderLinkId="a")
    await moment()
    desk.create(side="Sell", price="63990", qty="0.800", orderLinkId="b")
    await moment()
    fills = stream.events("execution.linear")
    known = desk.exchange.fills("main", None)
    assert [(fill.price, fill.quantity, fill.fee, fill.realized_pnl) for fill in fills] == [
        (fill.price, fill.quantity, fill.fee, fill.realized_pnl) for _, fill in known
    ]
    assert [fill.side for fill in fills] == [Side.BUY, Side.SELL]
    assert (
        stream.events("position.linear")[-1].quantity == desk.exchange.position("main", "BTCUSDT").quantity == D("-0.3")
    )
    assert stream.events("wallet")[-1].wallet == desk.exchange.wallet("main")["USDT"]
    assert [order.client_order_id for order in stream.events("order.linear")] == ["a", "b"]


@at_desk
async def test_closing_tells_profit_before_and_after_fees(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("order", "execution", "position")
    desk.create(orderType="Market", qty="1")
    await moment()
    desk.create(side="Sell", orderType="Market", qty="0.400")
    await moment()
    execution = stream.peer.read("execution")[-1]["data"][0]
    assert (execution["execPnl"], execution["closedSize"]) == ("-8", "0.4")
    opening_fee, closing_fee = D("64010") * D("0.00055"), D(63990) * D("0.4") * D("0.00055")
    order = stream.peer.read("order")[-1]["data"][0]
    assert D(order["closedPnl"]) == -8 - closing_fee - opening_fee * D("0.4")
    position = stream.peer.read("position")[-1]["data"][0]
    assert D(position["curRealisedPnl"]) == -8 - closing_fee - opening_fee
    assert (position["size"], position["entryPrice"]) == ("0.6", "64010")


@at_desk
async def test_a_makers_fill_is_told_when_somebody_takes_it(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("execution.fast", *ALL)
    desk.create(price="64000", qty="0.500", orderLinkId="rest")
    await moment()
    desk.quote(Side.SELL, "64000", "0.200")
    await moment()
    (execution,) = stream.peer.read("execution")
    assert [(row["isMaker"], row["execQty"], row["feeRate"]) for row in execution["data"]] == [(True, "0.2", "0.0002")]
    assert stream.peer.read("execution.fast")[0]["data"][0]["orderLinkId"] == ""
    assert [frame["data"][0]["orderStatus"] for frame in stream.peer.read("order")] == ["New", "PartiallyFilled"]


@at_desk
async def test_a_cancel_that_comes_too_late_is_told_as_a_second_filled_event(desk: Desk) -> None:
    stream = desk.private("order")
    order_id = desk.create(qty="0.100")["result"]["orderId"]
    await moment()
    answer = desk.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    assert answer["retCode"] == 0
    desk.quote(Side.SELL, "63000", "0.100")  # fills it before the cancel reaches the engine
    await moment()
    rows = [frame["data"][0] for frame in stream.peer.read("order")]
    assert [row["orderStatus"] for row in rows] == ["New", "Filled", "Filled"]
    assert (rows[1]["rejectReason"], rows[1]["cancelType"]) == ("EC_NoError", "UNKNOWN")
    assert (rows[2]["rejectReason"], rows[2]["cancelType"]) == ("EC_OrigClOrdIDDoesNotExist", "CancelByUser")


@at_desk
async def test_a_resting_reduce_only_order_falls_with_its_position(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500")
    await moment()
    stream = desk.private("order")
    desk.create(side="Sell", price="65000", qty="0.500", reduceOnly=True, orderLinkId="exit")
    await moment()
    desk.create(side="Sell", orderType="Market", qty="0.500")
    await moment()
    last: dict[str, Any] = {}
    for frame in stream.peer.read("order"):
        last |= {row["orderLinkId"]: row for row in frame["data"]}
    assert (last["exit"]["orderStatus"], last["exit"]["cancelType"]) == ("Cancelled", "CancelByReduceOnly")


@at_desk
async def test_an_order_rejected_by_the_engine_is_told(desk: Desk) -> None:
    stream = desk.private("order")
    for _ in range(2):
        desk.create(qty="10")
    await moment()
    statuses = [row["orderStatus"] for frame in stream.peer.read("order") for row in frame["data"]]
    assert sorted(statuses) == ["New", "Rejected"]


@at_desk
async def test_an_account_hears_only_of_itself(desk: Desk) -> None:
    stream = desk.private(*ALL)
    desk.quote(Side.SELL, "64010", "1")
    desk.quote(Side.BUY, "63990", "1")
    await moment()
    assert topics(stream) == []


# --- order and time of pushes -----------------------------------------------------------------------------------------


@at_desk
async def test_pushes_of_a_fill_come_in_their_order_a_few_milliseconds_apart(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("execution.fast", *ALL)
    desk.create(orderType="Market", qty="0.500")
    await moment()
    filled_ms = int(stream.peer.read("execution")[0]["data"][0]["execTime"])
    times = {topic: stream.peer.read(topic)[0]["creationTime"] - filled_ms for topic in topics(stream)}
    assert list(times) == ["execution.fast", "execution", "order", "position", "wallet"]
    assert list(times.values()) == sorted(times.values())
    assert times["execution.fast"] == 1
    assert 3 <= times["execution"] <= times["order"] <= 5
    assert 4 <= times["position"] <= times["wallet"] <= 8


@at_desk
async def test_envelopes_are_in_the_venues_order_and_name_what_they_are_of(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("execution.fast", *ALL, "order.linear")
    desk.create(orderType="Market", qty="0.500")
    await moment()
    assert list(stream.peer.read("execution.fast")[0]) == ["topic", "creationTime", "data"]
    assert list(stream.peer.read("execution")[0]) == ["topic", "id", "creationTime", "data"]
    for topic in ("order", "order.linear", "position", "wallet"):
        (frame,) = stream.peer.read(topic)
        assert list(frame) == ["id", "topic", "creationTime", "data"]
        assert frame["topic"] == topic
    user = stream.peer.read("order")[0]["id"].split("_")[0]
    assert stream.peer.read("execution")[0]["id"] == f"{user}_BTCUSDT_{desk.seq('BTCUSDT')}"
    assert stream.peer.read("position")[0]["id"].startswith(f"{user}_position_17")
    assert stream.peer.read("wallet")[0]["id"].startswith(f"{user}_wallet_17")


@at_desk
async def test_an_order_made_and_cancelled_in_one_moment_is_told_of_twice(desk: Desk) -> None:
    stream = desk.private("order")
    desk.create(orderLinkId="brief")
    await asyncio.sleep(0.0019)
    order_id = desk.exchange.new_order_id() - 1
    await asyncio.sleep(0.0001)
    desk.exchange.cancel("main", "BTCUSDT", order_id=order_id, client_order_id=None)
    await moment()
    frames = stream.peer.read("order")
    assert [[row["orderStatus"] for row in frame["data"]] for frame in frames] == [["New"], ["Cancelled"]]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"timeInForce": "PostOnly", "price": "64010"}, "EC_PostOnlyWillTakeLiquidity"),
        ({"timeInForce": "IOC", "price": "63000"}, "EC_NoImmediateQtyToFill"),
        ({"timeInForce": "FOK", "price": "64010", "qty": "11"}, "EC_CancelForNoFullFill"),
    ],
)
def test_an_order_that_ends_at_once_is_told_of_once(fields: dict[str, str], reason: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        stream = desk.private("order")
        assert desk.create(**{"qty": "0.010", **fields})["retCode"] == 0
        await moment()
        (frame,) = stream.peer.read("order")
        assert [(row["orderStatus"], row["rejectReason"]) for row in frame["data"]] == [("Cancelled", reason)]

    at_desk(trial)()


@at_desk
async def test_what_only_others_listen_to_is_not_made(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("wallet", "greeks", "order.spot", "position.option", "execution.inverse")
    desk.create(orderType="Market", qty="0.500")
    await moment()
    assert topics(stream) == ["wallet"]


@at_desk
async def test_a_fast_execution_does_not_name_an_order_that_was_amended_into_a_taker(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("execution.fast", "execution")
    desk.create(orderLinkId="mine")
    await moment()
    desk.post("/v5/order/amend", category="linear", symbol="BTCUSDT", orderLinkId="mine", price="64010")
    await moment()
    (fast,) = stream.peer.read("execution.fast")
    (whole,) = stream.peer.read("execution")
    assert (fast["data"][0]["isMaker"], fast["data"][0]["orderLinkId"]) == (False, "")
    assert whole["data"][0]["orderLinkId"] == "mine"
