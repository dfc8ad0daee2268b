"""What an account can read of its past: executions with funding, closed profits, movements of cash; and pre-checks."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from perpwire.model.order import Side

from .desk import Desk, at_desk, moment

D = Decimal
HOUR_S = 3600


def log(desk: Desk, **asked: Any) -> list[Any]:
    rows: list[Any] = desk.get("/v5/account/transaction-log", **asked)["result"]["list"]
    return rows


async def round_trip(desk: Desk) -> tuple[str, str]:
    """Buy 0.5 at 64010, sell 0.5 of it at 64990 in two fills; the ids of the orders."""
    desk.quotes()
    opened: str = desk.create(orderType="Market", qty="0.500", orderLinkId="in")["result"]["orderId"]
    await moment()
    desk.exchange.cancel_all("maker", None)
    desk.quote(Side.BUY, "64500", "0.200")
    desk.quote(Side.BUY, "64400", "0.300")
    closed: str = desk.create(side="Sell", orderType="Market", qty="0.500", orderLinkId="out")["result"]["orderId"]
    await moment()
    return opened, closed


@at_desk
async def test_cash_moves_by_profit_less_fees_and_the_newest_comes_first(desk: Desk) -> None:
    opened, closed = await round_trip(desk)
    rows = log(desk, accountType="UNIFIED", category="linear", currency="USDT")
    assert [row["orderLinkId"] for row in rows] == ["out", "out", "in"]
    last, _, first = rows
    assert (first["type"], first["side"], first["qty"], first["size"]) == ("TRADE", "Buy", "0.5", "0.5")
    assert (first["fee"], first["cashFlow"], first["change"]) == ("17.60275", "0", "-17.60275")
    assert (first["tradePrice"], first["feeRate"], first["funding"]) == ("64010", "0.00055", "")
    assert (first["orderId"], first["currency"], first["symbol"]) == (opened, "USDT", "BTCUSDT")
    assert (last["orderId"], last["size"], last["side"]) == (closed, "0", "Sell")
    assert D(last["cashFlow"]) == D("0.3") * (64400 - 64010)
    for row in rows:
        assert D(row["change"]) == D(row["cashFlow"]) - D(row["fee"])
    assert D(last["cashBalance"]) == desk.exchange.wallet("main")["USDT"]
    (fill,) = desk.get("/v5/execution/list", category="linear", orderId=opened)["result"]["list"]
    assert first["tradeId"] == fill["execId"]


@at_desk
async def test_the_log_is_filtered_and_paged(desk: Desk) -> None:
    await round_trip(desk)
    page = desk.get("/v5/account/transaction-log", limit=2)["result"]
    rest = desk.get("/v5/account/transaction-log", limit=2, cursor=page["nextPageCursor"])["result"]
    assert [row["orderLinkId"] for row in page["list"] + rest["list"]] == ["out", "out", "in"]
    assert rest["nextPageCursor"] == ""
    for none in (
        {"type": "SETTLEMENT"},
        {"baseCoin": "ETH"},
        {"currency": "USDC"},
        {"category": "spot"},
        {"transSubType": "movePosition"},
    ):
        assert log(desk, **none) == []
    assert len(log(desk, type="TRADE", baseCoin="BTC")) == 3
    await moment(25 * HOUR_S)
    assert log(desk) == []  # the last day, where no time is given
    assert len(log(desk, startTime=desk.exchange.now_ms() - 26 * HOUR_S * 1000)) == 3
    week_ms = 7 * 24 * HOUR_S * 1000
    too_long = desk.get("/v5/account/transaction-log", startTime=1, endTime=2 + week_ms)
    assert too_long["retCode"] == 10001
    assert desk.get("/v5/account/transaction-log", accountType="SPOT")["retCode"] == 10001


@at_desk
async def test_money_paid_in_is_a_transfer(desk: Desk) -> None:
    desk.exchange.deposit("main", "USDT", D(50))
    (row,) = log(desk)
    assert (row["type"], row["change"], row["cashFlow"], row["symbol"], row["side"]) == (
        "TRANSFER_IN",
        "50",
        "50",
        "",
        "None",
    )


@at_desk
async def test_a_closing_order_shows_what_it_earned_after_both_fees(desk: Desk) -> None:
    _, closed = await round_trip(desk)
    (row,) = desk.get("/v5/position/closed-pnl", category="linear")["result"]["list"]
    entry, exit_ = D("0.5") * 64010, D("0.2") * 64500 + D("0.3") * 64400
    fees = (entry * D("0.00055"), exit_ * D("0.00055"))
    assert (row["orderId"], row["side"], row["closedSize"], row["fillCount"]) == (closed, "Sell", "0.5", "2")
    assert (D(row["cumEntryValue"]), D(row["cumExitValue"])) == (entry, exit_)
    assert (D(row["avgEntryPrice"]), D(row["avgExitPrice"])) == (D(64010), exit_ / D("0.5"))
    assert (D(row["openFee"]), D(row["closeFee"])) == fees
    assert D(row["closedPnl"]) == exit_ - entry - sum(fees)
    assert (row["orderType"], row["execType"], row["leverage"]) == ("Market", "Trade", "10")
    assert desk.get("/v5/position/closed-pnl", category="linear", symbol="ETHUSDT")["result"]["list"] == []
    assert desk.get("/v5/position/closed-pnl", category="inverse")["result"]["list"] == []


@pytest.mark.slow
@at_desk
async def test_funding_is_an_execution_and_a_settlement(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500")
    await moment()
    desk.exchange.start()
    _, next_ms = desk.exchange.funding("BTCUSDT")
    await asyncio.sleep((next_ms - desk.exchange.now_ms()) / 1000 + 1.5)
    (row,) = log(desk, type="SETTLEMENT")
    (fill,) = desk.get("/v5/execution/list", category="linear", execType="Funding")["result"]["list"]
    history = desk.get("/v5/market/funding/history", category="linear", symbol="BTCUSDT", limit=2)["result"]["list"]
    assert (row["qty"], row["size"], row["side"]) == ("0.5", "0.5", "Buy")
    assert row["change"] == row["funding"] != "0"
    assert (D(fill["execFee"]), fill["orderType"], fill["execId"]) == (-D(row["funding"]), "UNKNOWN", row["tradeId"])
    assert D(fill["feeRate"]) == D(history[0]["fundingRate"]) == D(row["feeRate"])
    assert D(row["funding"]) == (-D("0.5") * D(row["tradePrice"]) * D(row["feeRate"])).quantize(D("1E-8"))
    assert (history[0]["fundingRateTimestamp"], history[0]["symbol"]) == (str(next_ms), "BTCUSDT")
    assert int(history[0]["fundingRateTimestamp"]) - int(history[1]["fundingRateTimestamp"]) == 8 * HOUR_S * 1000
    kinds = [one["execType"] for one in desk.get("/v5/execution/list", category="linear")["result"]["list"]]
    assert kinds == ["Funding", "Trade"]


@at_desk
async def test_a_pre_check_says_what_an_order_would_do_and_does_nothing(desk: Desk) -> None:
    desk.quotes()
    answer = desk.post(
        "/v5/order/pre-check",
        category="linear",
        symbol="BTCUSDT",
        side="Buy",
        orderType="Limit",
        qty="1",
        price="64000",
        orderLinkId="maybe",
    )
    result = answer["result"]
    assert list(result) == ["orderId", "orderLinkId", "preImrE4", "preMmrE4", "postImrE4", "postMmrE4"]
    # 6400 and 1.9 fees of 35.2 of an equity of 100000; 64000 x 0.33 %.
    assert [result[name] for name in list(result)[2:]] == [0, 0, 646, 21]
    await moment()
    assert desk.exchange.orders("main", None) == []
    desk.create(qty="1", price="64000")
    await moment()
    placed = desk.get("/v5/account/wallet-balance", accountType="UNIFIED")["result"]["list"][0]
    assert placed["accountIMRate"] == "0.0646"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"qty": "x"}, 10001),
        ({"triggerPrice": "65000"}, 10001),
        ({"qty": "100"}, 110007),
        ({"reduceOnly": True}, 110017),
    ],
)
def test_a_pre_check_refuses_what_create_would(changes: dict[str, Any], code: int) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        asked = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "1"}
        answer = desk.post("/v5/order/pre-check", **{**asked, "price": "64000", **changes})
        assert (answer["retCode"], answer["result"]) == (code, {})
        if code == 110007:
            assert int(answer["retExtInfo"]["post_imr_e4"]) > 10_000
            assert set(answer["retExtInfo"]) == {"post_imr_e4", "post_mmr_e4"}
        desk.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")
        assert desk.post("/v5/order/pre-check", **{**asked, "price": "64000"})["retCode"] == 110077

    at_desk(trial)()


@at_desk
async def test_a_movement_names_its_execution(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.100")
    desk.create(side="Sell", qty="0.100", price="64005")
    await moment()
    desk.quote(Side.BUY, "64005", "0.100")
    executions = desk.get("/v5/execution/list", category="linear")["result"]["list"]
    assert [row["isMaker"] for row in executions] == [True, False]
    assert [row["tradeId"] for row in log(desk)] == [row["execId"] for row in executions]


@at_desk
async def test_a_closing_order_keeps_the_leverage_that_it_had(desk: Desk) -> None:
    await round_trip(desk)
    (before,) = desk.get("/v5/position/closed-pnl", category="linear")["result"]["list"]
    body = {"category": "linear", "symbol": "BTCUSDT", "buyLeverage": "25", "sellLeverage": "25"}
    assert desk.post("/v5/position/set-leverage", **body)["retCode"] == 0
    assert desk.get("/v5/position/closed-pnl", category="linear")["result"]["list"] == [before]
    assert before["leverage"] == "10"
