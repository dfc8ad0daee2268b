"""What REST tells of a liquidation and of a position closed against its owner's will, with the venue's marks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.model.order import Side

from .desk import Desk, at_desk, moment

D = Decimal


async def isolated_long(desk: Desk) -> str:
    """One coin at 64010, fifty times, with an order and a stop beside it; the liquidation price."""
    desk.quotes()
    desk.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
    desk.post("/v5/position/set-leverage", category="linear", symbol="BTCUSDT", buyLeverage="50", sellLeverage="50")
    desk.create(orderType="Market", qty="1.000", takeProfit="70000", orderLinkId="in")
    await moment()
    desk.create(side="Sell", price="64600", qty="0.100", reduceOnly=True, orderLinkId="resting")
    await moment()
    (row,) = desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    price: str = row["liqPrice"]
    return price


@at_desk
async def test_a_position_is_taken_over_at_its_bankruptcy_price(desk: Desk) -> None:
    price = D(await isolated_long(desk))
    desk.exchange.force_mark("BTCUSDT", price + 1)
    await moment()
    assert desk.get("/v5/position/list", category="linear", settleCoin="USDT")["result"]["list"] != []
    desk.exchange.force_mark("BTCUSDT", price - 1)
    await moment()
    assert desk.get("/v5/position/list", category="linear", settleCoin="USDT")["result"]["list"] == []
    (fill,) = desk.get("/v5/execution/list", category="linear", execType="BustTrade")["result"]["list"]
    assert (fill["createType"], fill["side"], fill["execQty"]) == ("CreateByTakeOver_PassThrough", "Sell", "1")
    # All that was set aside is lost, not more: what is left of the wallet never stood behind the position.
    margin = D(64010) / 50 + D(64010) * D("0.98") * D("0.00055")
    lost = D(64010) - D(fill["execPrice"]) + D(fill["execFee"])
    assert abs(lost - margin) <= D("0.10")
    assert abs(desk.exchange.wallet("main")["USDT"] - (100000 - D(64010) * D("0.00055") - margin)) <= D("0.10")
    rows = {row["orderLinkId"]: row for row in history(desk)}
    assert (rows["resting"]["orderStatus"], rows["resting"]["cancelType"]) == ("Cancelled", "CancelAllBeforeLiq")
    (stop,) = (row for row in history(desk) if row["stopOrderType"] == "TakeProfit")
    assert stop["orderStatus"] == "Deactivated"
    (order,) = (row for row in history(desk) if row["orderId"] == fill["orderId"])
    assert (order["createType"], order["orderStatus"]) == ("CreateByTakeOver_PassThrough", "Filled")
    (closed,) = desk.get("/v5/position/closed-pnl", category="linear")["result"]["list"]
    assert (closed["execType"], closed["closedSize"]) == ("BustTrade", "1")
    log = desk.get("/v5/account/transaction-log", type="LIQUIDATION")["result"]["list"]
    assert {row["type"] for row in log} == {"LIQUIDATION"}
    (public,) = desk.exchange.liquidations("BTCUSDT")
    assert public.side is Side.SELL


def history(desk: Desk) -> list[Any]:
    rows: list[Any] = desk.get("/v5/order/history", category="linear", limit=50)["result"]["list"]
    return rows


@pytest.mark.parametrize("side", ["Buy", "Sell"])
def test_an_isolated_position_is_liquidated_at_the_very_price_that_it_shows(side: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        desk.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
        desk.create(side=side, orderType="Market", qty="1.000")
        await moment()
        symbol = {"category": "linear", "symbol": "BTCUSDT"}
        assert desk.post("/v5/position/add-margin", **symbol, margin="20000")["retCode"] == 0
        (row,) = desk.get("/v5/position/list", **symbol)["result"]["list"]
        price = D(row["liqPrice"])
        before, after = (D("0.01"), D("-0.01")) if side == "Buy" else (D("-0.01"), D("0.01"))
        desk.exchange.force_mark("BTCUSDT", price + before)
        await moment()
        assert desk.get("/v5/position/list", **symbol)["result"]["list"][0]["size"] == "1"
        desk.exchange.force_mark("BTCUSDT", price + after)
        await moment()
        assert desk.get("/v5/position/list", **symbol)["result"]["list"][0]["size"] == "0"

    at_desk(trial)()
