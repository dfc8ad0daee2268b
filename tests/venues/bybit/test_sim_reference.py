"""The simulator's reference data and the account's own calls, over REST."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from perpwire.venues.bybit.sim.dialect import BybitDialect

from .desk import Desk, at_desk, moment

D = Decimal


@at_desk
async def test_risk_tiers_are_listed_lowest_first_with_fractions_as_text(desk: Desk) -> None:
    rows = desk.get("/v5/market/risk-limit", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert rows[0] == {
        "id": 1,
        "symbol": "BTCUSDT",
        "riskLimitValue": "300000",
        "maintenanceMargin": "0.0033",
        "initialMargin": "0.01",
        "isLowestRisk": 1,
        "maxLeverage": "100.00",
        "mmDeduction": "",
    }
    assert [(row["riskLimitValue"], row["maintenanceMargin"], row["mmDeduction"]) for row in rows[1:3]] == [
        ("2000000", "0.005", "510"),
        ("2600000", "0.0056", "1710"),
    ]
    assert [row["isLowestRisk"] for row in rows[1:]] == [0] * (len(rows) - 1)
    page = desk.get("/v5/market/risk-limit", category="linear")["result"]
    assert {row["symbol"] for row in page["list"]} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert page["nextPageCursor"] == ""
    assert desk.get("/v5/market/risk-limit", category="inverse")["result"]["list"] == []


@at_desk
async def test_clients_load_steps_find_what_they_ask_for(desk: Desk) -> None:
    for category in ("inverse", "spot", "option"):
        for more in ({}, {"status": "PreLaunch"}, {"baseCoin": "BTC"}):
            answer = desk.get("/v5/market/instruments-info", category=category, limit=1000, **more)
            assert (answer["retCode"], answer["result"]["list"], answer["result"]["category"]) == (0, [], category)
    for found in ({"baseCoin": "ETH"}, {"symbol": "ETHUSDT"}, {"status": "Trading", "baseCoin": "ETH"}):
        rows = desk.get("/v5/market/instruments-info", category="linear", **found)["result"]["list"]
        assert [row["symbol"] for row in rows] == ["ETHUSDT"]
    coins = desk.get("/v5/asset/coin/query-info")["result"]["rows"]
    assert [row["coin"] for row in coins] == ["USDT", "BTC", "ETH", "SOL"]
    assert desk.get("/v5/position/list", category="inverse", limit=200)["result"]["list"] == []
    assert desk.get("/v5/system/status")["result"] == {"list": []}
    assert desk.get("/v5/announcements/index", locale="en-US")["result"] == {"total": 0, "list": []}


@at_desk
async def test_an_accounts_instruments_are_the_markets_with_what_it_may_do(desk: Desk) -> None:
    (own,) = desk.get("/v5/account/instruments-info", category="linear", symbol="BTCUSDT")["result"]["list"]
    (all_,) = desk.get("/v5/market/instruments-info", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert own == {**all_, "myRpiPermission": False}
    page = desk.get("/v5/account/instruments-info", category="linear", limit=1)["result"]
    rest = desk.get("/v5/account/instruments-info", category="linear", cursor=page["nextPageCursor"])["result"]
    assert [row["symbol"] for row in page["list"] + rest["list"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


@at_desk
async def test_the_book_with_price_improvement_has_three_columns(desk: Desk) -> None:
    desk.quotes()
    book = desk.get("/v5/market/rpi_orderbook", category="linear", symbol="BTCUSDT", limit=5)["result"]
    assert (book["b"], book["a"]) == ([["63990.00", "10.000", "0"]], [["64010.00", "10.000", "0"]])
    plain = desk.get("/v5/market/orderbook", category="linear", symbol="BTCUSDT")["result"]
    assert (book["u"], book["seq"], book["cts"]) == (plain["u"], plain["seq"], plain["cts"])
    assert desk.get("/v5/market/rpi_orderbook", symbol="BTCUSDT", limit=51)["retCode"] == 0  # counts as 50
    assert desk.get("/v5/market/rpi_orderbook", symbol="BTCUSDT")["retCode"] == 10001


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("market/full_orderbook", {"category": "linear", "symbol": "BTCUSDT"}),
        ("market/risk-limit", {"category": "nothing"}),
        ("market/fee-group-info", {}),
        ("market/fee-group-info", {"productType": "contract", "groupId": "99"}),
        ("announcements/index", {"locale": "xx"}),
        ("announcements/index", {"locale": "en-US", "page": "0"}),
        ("system/status", {"state": "broken"}),
        ("market/instruments-info", {"category": "linear", "status": "Odd"}),
        ("account/withdrawal", {}),
        ("account/withdrawal", {"coinName": ",".join(["USDT"] * 21)}),
        ("asset/settlement-record", {"category": "spot"}),
        ("market/recent-trade", {"category": "linear", "symbol": "BTCUSDT", "limit": "0"}),
        ("market/recent-trade", {"category": "linear", "symbol": "BTCUSDT", "limit": "-1"}),
        ("apilimit/query", {}),
    ],
)
def test_a_wrong_parameter_of_a_reading_call_is_named(path: str, asked: dict[str, str]) -> None:
    async def trial(desk: Desk) -> None:
        answer = desk.get(f"/v5/{path}", **asked)
        assert (answer["retCode"], answer["result"]) == (10001, {})

    at_desk(trial)()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("account/set-limit-px-action", {"category": "linear"}),
        ("account/set-limit-px-action", {"category": "linear", "modifyEnable": "true"}),
        ("account/set-limit-px-action", {"modifyEnable": True}),
        ("account/set-delta-mode", {"deltaEnable": 1}),
        ("user/agreement", {"agree": False, "categoryV2": 1}),
        ("user/agreement", {"agree": True, "categoryV2": 3}),
        ("order/disconnected-cancel-all", {"product": "DERIVATIVES", "timeWindow": 2}),
        ("order/disconnected-cancel-all", {"product": "DERIVATIVES", "timeWindow": 301}),
        ("order/disconnected-cancel-all", {"product": "FUTURES", "timeWindow": 10}),
        ("order/disconnected-cancel-all", {"product": "DERIVATIVES"}),
        ("apilimit/set", {"list": []}),
    ],
)
def test_a_wrong_parameter_of_a_changing_call_is_named(path: str, body: dict[str, Any]) -> None:
    async def trial(desk: Desk) -> None:
        answer = desk.post(f"/v5/{path}", **body)
        assert (answer["retCode"], answer["result"]) == (10001, {})

    at_desk(trial)()


@at_desk
async def test_what_an_account_has_chosen_is_read_back(desk: Desk) -> None:
    def chosen() -> dict[str, Any]:
        settings: dict[str, Any] = desk.get("/v5/account/user-setting-config")["result"]
        return settings

    assert chosen() == {"lpaSpot": False, "lpaPerp": False, "deltaEnable": False, "smsef": False, "fmsef": False}
    answer = desk.post("/v5/account/set-limit-px-action", category="linear", modifyEnable=False)
    assert (answer["retMsg"], answer["result"]) == ("success", {})
    desk.post("/v5/account/set-delta-mode", deltaEnable="1")
    assert (chosen()["lpaPerp"], chosen()["deltaEnable"]) == (True, True)
    assert desk.get("/v5/account/query-dcp-info")["result"] == {"dcpInfos": []}
    desk.post("/v5/order/disconnected-cancel-all", product="DERIVATIVES", timeWindow=40)
    assert desk.get("/v5/account/query-dcp-info")["result"]["dcpInfos"] == [
        {"product": "DERIVATIVES", "dcpStatus": "ON", "timeWindow": "40"}
    ]
    desk.post("/v5/order/disconnected-cancel-all", timeWindow=10)  # options, where nothing is said
    assert desk.get("/v5/account/query-dcp-info")["result"]["dcpInfos"][0]["timeWindow"] == "40"
    assert desk.get("/v5/account/smp-group")["result"] == {"smpGroup": 0}
    assert desk.post("/v5/user/agreement", agree=True, categoryV2=1)["retCode"] == 0


@at_desk
async def test_a_price_beyond_the_limit_is_refused_where_the_account_wants_it_so(desk: Desk) -> None:
    desk.quotes()
    desk.post("/v5/account/set-limit-px-action", category="linear", modifyEnable=False)
    assert desk.create(price="65000")["retCode"] == 110121
    assert desk.create(side="Sell", price="63000")["retCode"] == 110120
    assert desk.create(price="64640")["retCode"] == 0
    desk.post("/v5/account/set-limit-px-action", category="linear", modifyEnable=True)
    assert desk.create(price="65000")["retCode"] == 0


@at_desk
async def test_what_can_be_withdrawn_is_what_nothing_holds(desk: Desk) -> None:
    desk.quotes()
    desk.create(qty="0.100")
    await moment()
    answer = desk.get("/v5/account/withdrawal", coinName="USDT,BTC")["result"]
    free = desk.exchange.view("main").available
    assert D(answer["availableWithdrawal"]) == free < 100000
    assert answer["availableWithdrawalMap"] == {"USDT": answer["availableWithdrawal"], "BTC": "0"}
    (row,) = desk.get("/v5/account/collateral-info", currency="USDT")["result"]["list"]
    assert (row["currency"], row["marginCollateral"], row["collateralSwitch"]) == ("USDT", True, True)


@at_desk
async def test_an_account_with_a_higher_rate_may_place_more(desk: Desk) -> None:
    uid = str(desk.get("/v5/user/query-api")["result"]["userID"])
    wanted = [{"uids": f"{uid},1", "bizType": "DERIVATIVES", "rate": 30}, {"uids": uid, "bizType": "X", "rate": 1}]
    own, stranger, odd = desk.post("/v5/apilimit/set", list=wanted)["result"]["list"]
    assert own == {
        "uids": uid,
        "bizType": "DERIVATIVES",
        "rate": 30,
        "success": True,
        "msg": "API limit updated successfully",
    }
    assert (stranger["success"], odd["success"]) == (False, False)
    for path in ("query", "query-all"):
        rows = desk.get(f"/v5/apilimit/{path}", uids=uid)["result"]["list"]
        assert {row["bizType"]: row["rate"] for row in rows} == {"SPOT": 10, "DERIVATIVES": 30, "OPTIONS": 10}
    caps = desk.get("/v5/apilimit/query-cap")["result"]["list"]
    assert caps[1] == {"bizType": "DERIVATIVES", "totalRate": "30", "ebCap": "60000", "uidCap": "1200"}
    replies = [desk.send("POST", "/v5/order/create", "{}") for _ in range(31)]
    assert [json.loads(reply.body)["retCode"] for reply in replies].count(10006) == 1
    assert replies[0].headers["x-bapi-limit"] == "30"


SERVED = {
    "GET": (
        *("market/time", "market/kline", "market/mark-price-kline", "market/index-price-kline"),
        *("market/premium-index-price-kline", "market/instruments-info", "market/orderbook", "market/rpi_orderbook"),
        *("market/full_orderbook", "market/tickers", "market/funding/history", "market/recent-trade"),
        *("market/open-interest", "market/risk-limit", "market/insurance", "market/account-ratio"),
        *("market/price-limit", "market/adlAlert", "market/index-price-components", "market/fee-group-info"),
        *("announcements/index", "system/status", "order/realtime", "order/history", "execution/list"),
        *("position/list", "position/symbol-info", "position/closed-pnl", "position/move-history"),
        *("account/wallet-balance", "account/withdrawal", "account/info", "account/fee-rate"),
        *("account/transaction-log", "account/collateral-info", "account/user-setting-config", "account/smp-group"),
        *("account/instruments-info", "account/query-dcp-info", "user/query-api", "asset/settlement-record"),
        *("asset/coin/query-info", "apilimit/query", "apilimit/query-all", "apilimit/query-cap"),
    ),
    "POST": (
        *("order/create", "order/amend", "order/cancel", "order/cancel-all", "order/create-batch"),
        *("order/amend-batch", "order/cancel-batch", "order/pre-check", "order/disconnected-cancel-all"),
        *("position/set-leverage", "position/switch-mode", "position/trading-stop", "position/set-auto-add-margin"),
        *("position/add-margin", "position/move-positions", "position/confirm-pending-mmr"),
        *("position/switch-isolated", "position/set-risk-limit", "position/set-tpsl-mode"),
        *("account/set-margin-mode", "account/set-limit-px-action", "account/set-delta-mode"),
        *("account/demo-apply-money", "user/agreement", "apilimit/set"),
    ),
}
"""Every call of the reference's section 4, what clients ask at start-up, and the account's quota."""


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, paths in SERVED.items() for path in paths])
def test_every_call_of_the_reference_is_served_by_its_method(method: str, path: str) -> None:
    async def trial(desk: Desk) -> None:
        other = "GET" if method == "POST" else "POST"
        assert desk.send(method, f"/v5/{path}", "" if method == "GET" else "{}").status == 200
        assert desk.send(other, f"/v5/{path}", "" if other == "GET" else "{}").status == 400

    at_desk(trial)()


@at_desk
async def test_nothing_else_is_served(desk: Desk) -> None:
    dialect = desk.dialect
    assert isinstance(dialect, BybitDialect)
    served = {f"/v5/{path}" for paths in SERVED.values() for path in paths}
    assert {*dialect._rest.public, *dialect._rest.private, *dialect._rest._batches} == served
