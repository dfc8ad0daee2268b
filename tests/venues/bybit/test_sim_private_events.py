"""Private streams beyond plain orders: conditional orders, hedge mode, settings, funding, liquidation, deleveraging."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from perpwire.model.order import Side
from perpwire.simulator.exchange import Exchange

from .desk import MAKER, Desk, Stream, at_desk, moment

D = Decimal
ALL = ("execution.fast", "order", "execution", "position", "wallet")


def rows(stream: Stream, topic: str) -> list[dict[str, Any]]:
    """Every row of a topic so far, in order."""
    return [row for frame in stream.peer.read(topic) for row in frame["data"]]


def statuses(stream: Stream, **wanted: Any) -> list[str]:
    """What the order topic said of the orders with these values, without repetitions of a partial fill."""
    return [row["orderStatus"] for row in rows(stream, "order") if wanted.items() <= row.items()]


def push_price(exchange: Exchange, price: str) -> None:
    """Both mark and last price go there."""
    exchange.force_mark("BTCUSDT", D(price))


def conditional(desk: Desk, **changes: Any) -> str:
    fields = {
        "side": "Buy",
        "orderType": "Market",
        "qty": "0.100",
        "triggerPrice": "64500",
        "triggerDirection": 1,
        "triggerBy": "MarkPrice",
        **changes,
    }
    answer = desk.create(**fields)
    assert answer["retCode"] == 0, answer
    order_id: str = answer["result"]["orderId"]
    return order_id


# --- conditional orders -----------------------------------------------------------------------------------------------


@at_desk
async def test_a_conditional_order_goes_from_untriggered_to_filled_by_one_id(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private(*ALL)
    order_id = conditional(desk, orderLinkId="stop")
    await moment()
    (row,) = rows(stream, "order")
    assert (row["orderId"], row["orderStatus"], row["stopOrderType"]) == (order_id, "Untriggered", "Stop")
    assert (row["triggerPrice"], row["triggerBy"], row["triggerDirection"]) == ("64500", "MarkPrice", 1)
    assert (row["avgPrice"], row["cumExecQty"]) == ("", "0")
    assert len(stream.peer.read("position")) == 1
    push_price(desk.exchange, "64500")
    await moment()
    assert statuses(stream, orderId=order_id) == ["Untriggered", "Triggered", "Filled"]
    assert {row["orderLinkId"] for row in rows(stream, "order")} == {"stop"}
    assert [row["orderId"] for row in rows(stream, "execution")] == [order_id]
    kinds = [topic for topic, _ in stream.peer.frames if topic][2:]
    assert kinds == ["execution.fast", "execution", "order", "order", "position", "wallet"]


@at_desk
async def test_a_conditional_limit_order_rests_after_its_trigger(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("order")
    conditional(desk, orderType="Limit", price="63500")
    await moment()
    push_price(desk.exchange, "64500")
    await moment()
    assert statuses(stream) == ["Untriggered", "Triggered", "New"]


@at_desk
async def test_a_conditional_order_cancelled_before_its_trigger_is_deactivated(desk: Desk) -> None:
    stream = desk.private("order", "position")
    order_id = conditional(desk)
    await moment()
    answer = desk.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderId=order_id)
    assert answer["retCode"] == 0
    await moment()
    assert statuses(stream, orderId=order_id) == ["Untriggered", "Deactivated"]
    assert rows(stream, "order")[-1]["cancelType"] == "CancelByUser"
    assert len(stream.peer.read("position")) == 2


@at_desk
async def test_an_amended_conditional_order_is_told_of_again(desk: Desk) -> None:
    stream = desk.private("order")
    order_id = conditional(desk)
    await moment()
    desk.post("/v5/order/amend", category="linear", symbol="BTCUSDT", orderId=order_id, triggerPrice="64600")
    await moment()
    assert [row["triggerPrice"] for row in rows(stream, "order")] == ["64500", "64600"]


@at_desk
async def test_take_profit_and_stop_loss_live_and_end_with_the_position(desk: Desk) -> None:
    desk.quotes()
    stream = desk.private("order", "position")
    desk.create(orderType="Market", qty="0.500", takeProfit="66000", stopLoss="62000", orderLinkId="parent")
    await moment()
    children = [row for row in rows(stream, "order") if row["stopOrderType"] in ("TakeProfit", "StopLoss")]
    assert {(row["stopOrderType"], row["orderStatus"]) for row in children} == {
        ("TakeProfit", "Untriggered"),
        ("StopLoss", "Untriggered"),
    }
    assert {(row["side"], row["reduceOnly"], row["closeOnTrigger"], row["orderLinkId"]) for row in children} == {
        ("Sell", True, True, "")
    }
    assert {row["parentOrderLinkId"] for row in children} == {"parent"}
    position = rows(stream, "position")[-1]
    assert (D(position["takeProfit"]), D(position["stopLoss"])) == (D(66000), D(62000))
    desk.create(side="Sell", orderType="Market", qty="0.500", reduceOnly=True)
    await moment()
    ended = {
        row["orderId"]: row for row in rows(stream, "order") if row["orderId"] in [one["orderId"] for one in children]
    }
    assert {(row["orderStatus"], row["cancelType"]) for row in ended.values()} == {
        ("Deactivated", "CancelByTpSlTsClear")
    }


@at_desk
async def test_an_order_that_the_engine_refuses_is_told_as_rejected(desk: Desk) -> None:
    stream = desk.private("order")
    answers = [desk.create(qty="10") for _ in range(2)]
    assert [answer["retCode"] for answer in answers] == [0, 0]
    await moment()
    assert sorted(statuses(stream)) == ["New", "Rejected"]
    (rejected,) = [row for row in rows(stream, "order") if row["orderStatus"] == "Rejected"]
    assert rejected["rejectReason"].startswith("EC_")
    assert rejected["leavesQty"] == "0"


# --- positions --------------------------------------------------------------------------------------------------------


@at_desk
async def test_in_hedge_mode_a_position_frame_has_both_legs(desk: Desk) -> None:
    desk.quotes()
    assert desk.post("/v5/position/switch-mode", category="linear", symbol="BTCUSDT", mode=3)["retCode"] == 0
    stream = desk.private("position", "order")
    desk.create(orderType="Market", qty="0.500", positionIdx=1)
    await moment()
    long, short = stream.peer.read("position")[-1]["data"]
    assert (long["positionIdx"], long["side"], long["size"], long["entryPrice"]) == (1, "Buy", "0.5", "64010")
    assert (short["positionIdx"], short["side"], short["size"]) == (2, "", "0")
    assert (short["entryPrice"], short["liqPrice"], short["positionIM"], short["positionMM"]) == ("0", "0", "", "")
    assert (short["positionIMByMp"], short["positionMMByMp"]) == ("", "")
    desk.create(side="Sell", positionIdx=2, price="65000")
    await moment()
    assert [row["positionIdx"] for row in stream.peer.read("position")[-1]["data"]] == [1, 2]


@at_desk
async def test_a_new_leverage_is_told_with_the_position(desk: Desk) -> None:
    stream = desk.private("position")
    desk.post("/v5/position/set-leverage", category="linear", symbol="BTCUSDT", buyLeverage="7", sellLeverage="7")
    await moment()
    (row,) = rows(stream, "position")
    assert (row["symbol"], row["leverage"], row["size"]) == ("BTCUSDT", "7", "0")


# --- without the account's doing --------------------------------------------------------------------------------------


def test_funding_is_an_execution_of_no_order() -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        desk.create(orderType="Market", qty="0.500")
        desk.exchange.start()
        await moment()
        stream = desk.private(*ALL)
        await asyncio.sleep(7)
        (row,) = rows(stream, "execution")
        (paid,) = [booking for booking in desk.exchange.bookings("main") if booking.kind == "funding"]
        assert (row["execType"], row["orderType"], row["isMaker"]) == ("Funding", "UNKNOWN", False)
        assert D(row["execFee"]) == -paid.funding
        assert (D(row["execQty"]), row["symbol"], row["category"]) == (D("0.5"), "BTCUSDT", "linear")
        assert stream.peer.read("execution.fast") == []
        (wallet,) = rows(stream, "wallet")
        assert D(wallet["coin"][0]["walletBalance"]) == desk.exchange.wallet("main")["USDT"]
        (position,) = rows(stream, "position")
        assert D(position["curRealisedPnl"]) == desk.exchange.position("main", "BTCUSDT").current_realized

    funding_s = 1_790_006_400
    at_desk(trial, start_s=funding_s - 5)()


@at_desk
async def test_a_liquidation_is_told_with_its_own_words(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500", orderLinkId="mine")
    desk.create(price="50000", qty="0.010", orderLinkId="resting")
    await moment()
    desk.exchange.cancel_all(MAKER, "BTCUSDT")
    stream = desk.private(*ALL)
    desk.exchange.deposit("main", "USDT", -D(96000))
    push_price(desk.exchange, "56000")
    await moment()
    assert desk.exchange.position("main", "BTCUSDT").quantity == 0
    (ended,) = [row for row in rows(stream, "order") if row["orderLinkId"] == "resting"]
    assert (ended["orderStatus"], ended["cancelType"]) == ("Cancelled", "CancelAllBeforeLiq")
    executions = rows(stream, "execution")
    assert {row["execType"] for row in executions} == {"BustTrade"}
    assert {row["createType"] for row in executions} <= {"CreateByTakeOver_PassThrough", "CreateByLiq"}
    assert sum(D(row["execQty"]) for row in executions) == D("0.5")
    assert stream.peer.read("execution.fast") == []
    assert rows(stream, "position")[-1]["size"] == "0"
    assert stream.peer.read("wallet")


@at_desk
async def test_deleveraging_is_told_with_its_own_words(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500")
    desk.create(price="50000", qty="0.010", orderLinkId="resting")
    await moment()
    stream = desk.private(*ALL)
    desk.exchange.force_adl("main", "BTCUSDT")
    await moment()
    (ended,) = [row for row in rows(stream, "order") if row["orderLinkId"] == "resting"]
    assert (ended["orderStatus"], ended["cancelType"]) == ("Cancelled", "CancelAllBeforeAdl")
    (row,) = rows(stream, "execution")
    assert (row["execType"], row["createType"], row["side"]) == ("AdlTrade", "CreateByAdl_PassThrough", "Sell")
    assert rows(stream, "position")[-1]["size"] == "0"


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_fill_while_nobody_asked_is_told(side: Side) -> None:
    async def trial(desk: Desk) -> None:
        stream = desk.private(*ALL)
        price = "63000" if side is Side.BUY else "65000"
        desk.create(side=side.value.title(), price=price, qty="0.100")
        await moment()
        desk.exchange.force_fill("main", quantity=D("0.040"))
        await moment()
        desk.exchange.force_fill("main")
        await moment()
        assert statuses(stream) == ["New", "PartiallyFilled", "Filled"]
        assert [(row["execQty"], row["leavesQty"]) for row in rows(stream, "execution")] == [
            ("0.04", "0.06"),
            ("0.06", "0"),
        ]

    at_desk(trial)()
