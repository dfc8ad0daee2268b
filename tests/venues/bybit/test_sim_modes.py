"""How positions are held: hedge mode, leverage of each leg, isolated margin and what is added to it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from .desk import Desk, at_desk, moment

D = Decimal


def post(desk: Desk, path: str, **asked: Any) -> int:
    answer = desk.post(f"/v5/{path}", **{"category": "linear", "symbol": "BTCUSDT", **asked})
    code: int = answer["retCode"]
    return code


def rows(desk: Desk, **asked: Any) -> list[Any]:
    found: list[Any] = desk.get("/v5/position/list", category="linear", **asked)["result"]["list"]
    return found


def isolate(desk: Desk, mode: str = "ISOLATED_MARGIN") -> Any:
    return desk.post("/v5/account/set-margin-mode", setMarginMode=mode)


# --- hedge mode -------------------------------------------------------------------------------------------------------


@at_desk
async def test_hedge_mode_has_two_rows_and_orders_name_their_leg(desk: Desk) -> None:
    desk.quotes()
    assert post(desk, "position/switch-mode", mode=3) == 0
    assert [(row["positionIdx"], row["side"], row["size"]) for row in rows(desk, symbol="BTCUSDT")] == [
        (1, "", "0"),
        (2, "", "0"),
    ]
    assert desk.create()["retMsg"] == "position idx not match position mode"
    assert desk.create(positionIdx=3)["retCode"] == 10001
    assert desk.create(symbol="ETHUSDT", price="2900", qty="1", positionIdx=1)["retCode"] == 10001  # one-way still
    for side, index in (("Buy", 1), ("Sell", 2)):
        assert desk.create(orderType="Market", side=side, qty="0.300", positionIdx=index)["retCode"] == 0
    await moment()
    assert [(row["positionIdx"], row["side"], row["size"]) for row in rows(desk, settleCoin="USDT")] == [
        (1, "Buy", "0.3"),
        (2, "Sell", "0.3"),
    ]
    code = desk.create(orderType="Market", side="Buy", qty="0.100", positionIdx=1, reduceOnly=True)
    assert (code["retCode"], code["retMsg"]) == (110017, "reduce-only order has same side with current position")
    order_id = desk.create(orderType="Market", side="Sell", qty="0.300", positionIdx=1, reduceOnly=True)["result"]
    await moment()
    assert desk.order(order_id["orderId"])["positionIdx"] == 1
    assert [(row["positionIdx"], row["size"]) for row in rows(desk, settleCoin="USDT")] == [(2, "0.3")]


@at_desk
async def test_the_mode_is_switched_only_with_nothing_open(desk: Desk) -> None:
    desk.quotes()
    assert post(desk, "position/switch-mode", mode=0) == 110025
    assert post(desk, "position/switch-mode", mode=1) == 10001
    assert post(desk, "position/switch-mode", symbol=None, mode=3) == 10001
    desk.create()
    await moment()
    assert post(desk, "position/switch-mode", mode=3) == 110028
    assert post(desk, "position/switch-mode", symbol=None, coin="USDT", mode=3) == 110028
    desk.post("/v5/order/cancel-all", category="linear", symbol="BTCUSDT")
    desk.create(orderType="Market", qty="0.100")
    await moment()
    assert post(desk, "position/switch-mode", mode=3) == 110024
    assert post(desk, "position/switch-mode", symbol="ETHUSDT", mode=3) == 0
    assert len(rows(desk, symbol="ETHUSDT")) == 2
    desk.create(orderType="Market", side="Sell", qty="0.100", reduceOnly=True)
    await moment()
    assert post(desk, "position/switch-mode", symbol=None, coin="USDT", mode=3) == 0
    assert len(rows(desk, symbol="SOLUSDT")) == 2


@at_desk
async def test_legs_may_have_leverages_of_their_own_only_when_isolated(desk: Desk) -> None:
    post(desk, "position/switch-mode", mode=3)
    assert post(desk, "position/set-leverage", buyLeverage="20", sellLeverage="5") == 10001
    isolate(desk)
    assert post(desk, "position/set-leverage", buyLeverage="20", sellLeverage="5") == 0
    assert [row["leverage"] for row in rows(desk, symbol="BTCUSDT")] == ["20", "5"]
    assert post(desk, "position/set-leverage", buyLeverage="20", sellLeverage="5") == 110043
    info = desk.get("/v5/position/symbol-info", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert info == [
        {"symbol": "BTCUSDT", "leverage": "20", "side": "", "positionIdx": 1},
        {"symbol": "BTCUSDT", "leverage": "5", "side": "", "positionIdx": 2},
    ]


@at_desk
async def test_leverage_is_bound_by_the_tier(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="9.000")
    await moment()
    assert post(desk, "position/set-leverage", buyLeverage="100", sellLeverage="100") == 0
    assert post(desk, "position/set-leverage", buyLeverage="100.5", sellLeverage="100.5") == 110013
    # At 100x a position may be worth 2,000,000 at most; at 10x the tier allows more, but the margin does not.
    assert desk.create(price="63990", qty="30.000")["retCode"] == 110090
    (row,) = rows(desk, symbol="BTCUSDT")
    assert (row["riskId"], row["riskLimitValue"]) == (2, "2000000")
    desk.exchange.deposit("main", "USDT", D(10**9))
    assert post(desk, "position/set-leverage", buyLeverage="1", sellLeverage="1") == 0
    assert desk.create(price="63990", qty="1190")["retCode"] == 0  # 76 million, of the 200 that the last tier has
    await moment()
    desk.exchange.force_mark("BTCUSDT", D(200_000))
    assert desk.create(price="63990", qty="1000")["retCode"] == 3400139


@at_desk
async def test_leverage_is_not_lowered_below_what_can_be_afforded(desk: Desk) -> None:
    desk.quotes()
    assert post(desk, "position/set-leverage", buyLeverage="50", sellLeverage="50") == 0
    desk.create(orderType="Market", qty="9.000")
    await moment()
    assert post(desk, "position/set-leverage", buyLeverage="2", sellLeverage="2") == 110044
    assert rows(desk, symbol="BTCUSDT")[0]["leverage"] == "50"


# --- isolated margin --------------------------------------------------------------------------------------------------


@at_desk
async def test_the_margin_mode_is_the_accounts(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.300")
    await moment()
    assert desk.get("/v5/account/info")["result"]["marginMode"] == "REGULAR_MARGIN"
    answer = isolate(desk)
    assert (answer["retCode"], answer["result"]) == (0, {"reasons": []})
    info = desk.get("/v5/account/info")["result"]
    assert (info["marginMode"], info["updatedTime"]) == ("ISOLATED_MARGIN", str(desk.exchange.now_ms()))
    assert isolate(desk)["retCode"] == 0  # as it is already
    (wallet,) = desk.get("/v5/account/wallet-balance", accountType="UNIFIED")["result"]["list"]
    assert (wallet["totalAvailableBalance"], wallet["accountIMRate"], wallet["totalInitialMargin"]) == ("", "", "")
    (coin,) = wallet["coin"]
    (row,) = rows(desk, symbol="BTCUSDT")
    assert coin["totalPositionIM"] == row["positionIM"]
    isolate(desk, "REGULAR_MARGIN")
    assert desk.get("/v5/account/info")["result"]["marginMode"] == "REGULAR_MARGIN"


@at_desk
async def test_a_margin_mode_that_can_not_be_is_refused_with_reasons(desk: Desk) -> None:
    answer = isolate(desk, "PORTFOLIO_MARGIN")
    assert (answer["retCode"], answer["retMsg"]) == (3400045, "Set margin mode failed")
    assert [list(reason) for reason in answer["result"]["reasons"]] == [["reasonCode", "reasonMsg"]]
    assert isolate(desk, "")["retCode"] == 10001
    assert isolate(desk, "CROSS")["retCode"] == 10001


@at_desk
async def test_margin_is_added_and_taken_and_moves_the_liquidation_price(desk: Desk) -> None:
    desk.quotes()
    isolate(desk)
    assert post(desk, "position/add-margin", margin="10") == 110033
    desk.create(orderType="Market", qty="1.000")
    await moment()
    (before,) = rows(desk, symbol="BTCUSDT")
    # [Q E (1 - 1/L) - X / (1 - t) - D] / [Q (1 - MMR)], nothing added yet
    expected = D(64010) * D("0.9") / (1 - D("0.0033"))
    assert abs(D(before["liqPrice"]) - expected) < D("1E-7")
    answer = desk.post("/v5/position/add-margin", category="linear", symbol="BTCUSDT", margin="100.5", positionIdx=0)
    row = answer["result"]
    assert (answer["retCode"], row["category"], row["symbol"], row["size"]) == (0, "linear", "BTCUSDT", "1")
    added = D("100.5") / (1 - D("0.00055"))
    assert abs(D(row["liqPrice"]) - (D(64010) * D("0.9") - added) / (1 - D("0.0033"))) < D("1E-7")
    assert D(row["bustPrice"]) < D(row["liqPrice"])
    assert D(row["positionIM"]) == D(before["positionIM"]) + D("100.5")
    assert post(desk, "position/add-margin", margin="-100.5") == 110078  # ten of it make up for the loss so far
    assert post(desk, "position/add-margin", margin="-90.5") == 0
    assert D(before["liqPrice"]) > D(rows(desk, symbol="BTCUSDT")[0]["liqPrice"]) > D(row["liqPrice"])
    assert post(desk, "position/add-margin", margin="-5000") == 110078
    assert post(desk, "position/add-margin", margin="1000000") == 110014
    await moment(1.1)
    for odd in ("", "x", 5, "0.00001", "1e3"):
        assert post(desk, "position/add-margin", margin=odd) == 10001
    assert post(desk, "position/add-margin", margin="0") == 110027
    isolate(desk, "REGULAR_MARGIN")
    assert post(desk, "position/add-margin", margin="10") == 110015


@at_desk
async def test_margin_may_be_added_by_itself(desk: Desk) -> None:
    assert post(desk, "position/set-auto-add-margin", autoAddMargin=1) == 110076
    isolate(desk)
    assert post(desk, "position/set-auto-add-margin", autoAddMargin=1, positionIdx=0) == 0
    assert rows(desk, symbol="BTCUSDT")[0]["autoAddMargin"] == 1
    answer = desk.post("/v5/position/set-auto-add-margin", category="linear", symbol="BTCUSDT", autoAddMargin=1)
    assert (answer["retCode"], "not modified" in answer["retMsg"]) == (10001, True)
    assert post(desk, "position/set-auto-add-margin", autoAddMargin=2) == 10001


# --- what has no effect, or is not for this account -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "asked", "code", "result"),
    [
        ("position/switch-isolated", {"tradeMode": 1, "buyLeverage": "10", "sellLeverage": "10"}, 100028, {}),
        ("position/set-tpsl-mode", {"tpSlMode": "Full"}, 0, {"tpSlMode": "Full"}),
        ("position/set-tpsl-mode", {"tpSlMode": "Some"}, 10001, {}),
        (
            "position/set-risk-limit",
            {"riskId": 2},
            0,
            {"riskId": 2, "riskLimitValue": "2000000", "category": "linear"},
        ),
        ("position/set-risk-limit", {"riskId": 99}, 110031, {}),
        ("position/confirm-pending-mmr", {}, 0, {}),
        ("position/move-positions", {"fromUid": "1", "toUid": "2", "list": []}, 10005, {}),
    ],
)
def test_calls_of_other_times_and_accounts(path: str, asked: dict[str, Any], code: int, result: Any) -> None:
    async def trial(desk: Desk) -> None:
        answer = desk.post(f"/v5/{path}", category="linear", symbol="BTCUSDT", **asked)
        assert (answer["retCode"], answer["result"]) == (code, result)

    at_desk(trial)()


@at_desk
async def test_demonstration_money_comes_once_a_minute(desk: Desk) -> None:
    def apply(amount: str, coin: str = "USDT", **more: Any) -> int:
        answer = desk.post(
            "/v5/account/demo-apply-money", utaDemoApplyMoney=[{"coin": coin, "amountStr": amount}], **more
        )
        code: int = answer["retCode"]
        return code

    assert apply("5000", adjustType=0) == 0
    assert desk.exchange.wallet("main")["USDT"] == 105000
    assert apply("5000") == 10006
    await moment(60)
    assert apply("5000", adjustType=1) == 0
    assert desk.exchange.wallet("main")["USDT"] == 100000
    assert [apply("100001"), apply("0"), apply("1", "XRP"), apply("1", "BTC")] == [10001] * 4
    usual = desk.send("POST", "/v5/account/demo-apply-money", "{}")
    assert json.loads(usual.body)["retCode"] == 10006
    await moment(60)
    usual = desk.send("POST", "/v5/account/demo-apply-money", "{}")
    assert json.loads(usual.body)["retCode"] == 0
    assert desk.exchange.wallet("main")["USDT"] == 150000


@pytest.mark.parametrize("free", ["1000", "10", "0"])
def test_funding_is_of_free_money_first_and_of_an_isolated_positions_margin_then(free: str) -> None:
    async def trial(desk: Desk) -> None:
        isolate(desk)
        desk.quotes()
        desk.create(orderType="Market", qty="2.500")
        await moment()
        desk.exchange.deposit("main", "USDT", D(free) - desk.exchange.view("main").available)
        (before,) = rows(desk, symbol="BTCUSDT")
        desk.exchange.start()
        await moment(7)
        (paid,) = desk.get("/v5/execution/list", category="linear", execType="Funding")["result"]["list"]
        short = max(D(0), D(paid["execFee"]) - D(free))
        assert (D(paid["execFee"]) > 10, bool(short)) == (True, free != "1000")
        (after,) = rows(desk, symbol="BTCUSDT")
        assert D(before["positionBalance"]) - D(after["positionBalance"]) == short
        nearer = short / (1 - D("0.00055")) / (D("2.5") * (1 - D("0.0033")))
        assert abs(D(after["liqPrice"]) - D(before["liqPrice"]) - nearer) <= D("1E-8")

    at_desk(trial, start_s=1_790_006_395)()


@at_desk
async def test_the_smaller_leg_is_lost_nowhere_and_is_added_to_and_closed_at_any_price(desk: Desk) -> None:
    desk.quotes()
    assert post(desk, "position/switch-mode", mode=3) == 0
    desk.create(side="Sell", orderType="Market", qty="0.900", positionIdx=2)
    await moment()
    desk.create(orderType="Market", qty="0.200", positionIdx=1)
    await moment()
    long, short = rows(desk, symbol="BTCUSDT")
    (wallet,) = desk.get("/v5/account/wallet-balance", accountType="UNIFIED")["result"]["list"]
    room = (D(wallet["totalMarginBalance"]) - D(wallet["totalMaintenanceMargin"])) / D("0.7")
    assert (long["liqPrice"], abs(D(short["liqPrice"]) - 64000 - room) < D("1E-7")) == ("", True)
    assert desk.create(price="63000", positionIdx=1)["retCode"] == 0
    assert desk.create(side="Sell", price="64500", positionIdx=1, reduceOnly=True)["retCode"] == 0


@at_desk
async def test_the_tier_shown_is_that_of_the_position_with_its_open_orders(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="1.000")
    await moment()

    def risk() -> tuple[int, str]:
        (row,) = rows(desk, symbol="BTCUSDT")
        return row["riskId"], row["riskLimitValue"]

    assert risk() == (1, "300000")
    desk.create(qty="3.700")  # 300800 with the position
    await moment()
    assert risk() == (2, "2000000")
    desk.post("/v5/order/cancel-all", category="linear", symbol="BTCUSDT")
    desk.create(side="Sell", price="64500", qty="5.600")  # 294400 the other way
    await moment()
    assert risk() == (1, "300000")
