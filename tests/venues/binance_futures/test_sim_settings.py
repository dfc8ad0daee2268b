"""How an account of the simulated venue trades: position mode, margin, leverage, and its own switches."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.venues.binance_futures.simulated import OTHER, Answer, SimulatedVenue

from perpwire.clock import ManualClock

SUCCESS = {"code": 200, "msg": "success"}


@pytest.fixture
def venue(clock: ManualClock) -> Iterator[SimulatedVenue]:
    venue = SimulatedVenue(clock)
    yield venue
    venue.close()


def switch(venue: SimulatedVenue, name: str, **params: Any) -> Answer:
    return venue.signed("POST", f"/fapi/v1/{name}", **params)


def hedge(venue: SimulatedVenue) -> None:
    assert switch(venue, "positionSide/dual", dualSidePosition="true").json == SUCCESS


def isolate(venue: SimulatedVenue) -> None:
    assert switch(venue, "marginType", symbol="BTCUSDT", marginType="ISOLATED").json == SUCCESS


def risks(venue: SimulatedVenue, version: str = "v3") -> dict[str, Any]:
    rows = venue.signed("GET", f"/fapi/{version}/positionRisk", symbol="BTCUSDT").json
    return {row["positionSide"]: row for row in rows}


# --- position mode ----------------------------------------------------------------------------------------------------


def test_the_position_mode_is_of_the_whole_account(venue: SimulatedVenue) -> None:
    path = "positionSide/dual"
    assert switch(venue, path, dualSidePosition="false").code == -4059
    assert switch(venue, path).code == -1102
    assert switch(venue, path, dualSidePosition="perhaps").code == -1102
    order = venue.place(price="60000").json
    assert switch(venue, path, dualSidePosition="true").code == -4067
    venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])
    hedge(venue)
    assert venue.signed("GET", f"/fapi/v1/{path}").json == {"dualSidePosition": True}
    assert venue.signed("GET", "/fapi/v1/accountConfig").json["dualSidePosition"] is True
    venue.quote()
    venue.market(positionSide="LONG")
    assert switch(venue, path, dualSidePosition="false").code == -4068


def test_each_mode_has_its_position_sides(venue: SimulatedVenue) -> None:
    assert venue.place(positionSide="LONG").code == -4061
    hedge(venue)
    assert venue.place().code == -4061
    assert venue.place(positionSide="BOTH").code == -4061
    assert venue.place(positionSide="LONG", reduceOnly="true").code == -1106
    assert venue.place(positionSide="LONG", price="60000").json["positionSide"] == "LONG"


def test_a_long_and_a_short_stand_side_by_side(venue: SimulatedVenue) -> None:
    hedge(venue)
    venue.quote()
    assert venue.market(positionSide="LONG", quantity="0.030").status == 200
    assert venue.market(positionSide="SHORT", side="SELL", quantity="0.010").status == 200
    rows = risks(venue)
    assert {side: row["positionAmt"] for side, row in rows.items()} == {"LONG": "0.030", "SHORT": "-0.010"}
    # The side tells that it closes; more than there is is refused.
    assert venue.market(positionSide="SHORT", quantity="0.011").code == -2022
    assert venue.market(positionSide="SHORT", quantity="0.010").status == 200
    assert risks(venue)["SHORT"]["positionAmt"] == "0.000"
    assert [row["positionSide"] for row in venue.signed("GET", "/fapi/v3/account").json["positions"]] == [
        "LONG",
        "SHORT",
    ]
    assert len(venue.signed("GET", "/fapi/v2/account").json["positions"]) == 6
    (quantiles,) = venue.signed("GET", "/fapi/v1/adlQuantile").json
    assert quantiles["adlQuantile"].keys() == {"LONG", "SHORT", "HEDGE"}


def test_open_orders_margin_is_told_by_the_side_that_they_open(venue: SimulatedVenue) -> None:
    hedge(venue)
    venue.place(positionSide="LONG", price="60000", quantity="0.100")
    venue.place(positionSide="SHORT", side="SELL", price="66000", quantity="0.100")
    rows = risks(venue)
    margins = {side: Decimal(row["openOrderInitialMargin"]) for side, row in rows.items()}
    assert (rows["LONG"]["bidNotional"], rows["SHORT"]["askNotional"]) == ("6000", "6600")
    assert margins["LONG"] < margins["SHORT"]
    assert sum(margins.values()) == venue.exchange.order_margin("main", "BTCUSDT")


def test_closing_the_whole_position_does_not_open_one_in_hedge_mode(venue: SimulatedVenue) -> None:
    hedge(venue)
    params = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "type": "STOP_MARKET", "closePosition": "true"}
    sides = {"positionSide": "LONG", "side": "BUY", "triggerPrice": "66000"}
    assert switch(venue, "algoOrder", **params, **sides).code == -4061
    sides = {"positionSide": "LONG", "side": "SELL", "triggerPrice": "60000"}
    assert switch(venue, "algoOrder", **params, **sides).status == 200


# --- margin -----------------------------------------------------------------------------------------------------------


def test_the_margin_type_is_of_a_symbol(venue: SimulatedVenue) -> None:
    btc: dict[str, Any] = {"symbol": "BTCUSDT"}
    assert switch(venue, "marginType", **btc, marginType="CROSSED").code == -4046
    assert switch(venue, "marginType", **btc, marginType="cross").code == -1130
    assert switch(venue, "marginType", **btc).code == -1102
    order = venue.place(price="60000").json
    assert switch(venue, "marginType", **btc, marginType="ISOLATED").code == -4047
    venue.signed("DELETE", "/fapi/v1/order", **btc, orderId=order["orderId"])
    isolate(venue)
    configs = {row["symbol"]: row["marginType"] for row in venue.signed("GET", "/fapi/v1/symbolConfig").json}
    assert configs == {"BTCUSDT": "ISOLATED", "ETHUSDT": "CROSSED", "SOLUSDT": "CROSSED"}
    venue.quote()
    venue.market()
    assert switch(venue, "marginType", **btc, marginType="CROSSED").code == -4048
    assert risks(venue, "v2")["BOTH"]["marginType"] == "isolated"


def test_margin_is_added_to_an_isolated_position_and_taken_out(venue: SimulatedVenue) -> None:
    def change(amount: str, kind: int) -> Answer:
        return switch(venue, "positionMargin", symbol="BTCUSDT", amount=amount, type=kind)

    venue.quote()
    assert change("10", 1).code == -4049
    isolate(venue)
    assert change("10", 1).code == -4054
    venue.market(quantity="0.100")
    row = risks(venue)["BOTH"]
    wallet = Decimal(row["isolatedWallet"])
    assert Decimal(row["isolatedMargin"]) == wallet + Decimal(row["unRealizedProfit"])
    assert change("100", 1).json == {
        "amount": 100.0,
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": 1,
    }
    assert Decimal(risks(venue)["BOTH"]["isolatedWallet"]) == wallet + 100
    assert change("1.5", 2).json["amount"] == 1.5
    assert change("1000", 2).code == -4051
    assert change("1000000", 1).code == -4050
    for amount in ("0", "-1"):
        assert change(amount, 1).code == -4055
    assert change("x", 1).code == -1100
    assert change("0.000000001", 1).code == -1111
    assert change("1", 3).code == -1130
    assert switch(venue, "positionMargin", symbol="BTCUSDT", amount="1", type=1, positionSide="LONG").code == -4061
    history = "/fapi/v1/positionMargin/history"
    rows = venue.signed("GET", history, symbol="BTCUSDT").json
    assert [(row["type"], row["amount"], row["deltaType"]) for row in rows] == [
        (1, "100", "USER_ADJUST"),
        (2, "1.5", "USER_ADJUST"),
    ]
    assert venue.signed("GET", history, symbol="BTCUSDT", type=2).json == rows[1:]
    assert venue.signed("GET", history, symbol="BTCUSDT", limit=1).json == rows[1:]
    assert venue.signed("GET", history, symbol="ETHUSDT").json == []
    assert venue.signed("GET", history).code == -1102


def test_isolated_margin_leaves_the_cross_wallet(venue: SimulatedVenue) -> None:
    isolate(venue)
    venue.quote()
    venue.market(quantity="0.100")
    account = venue.signed("GET", "/fapi/v3/account").json
    aside = Decimal(account["positions"][0]["isolatedWallet"])
    assert aside > 300
    assert Decimal(account["totalWalletBalance"]) - Decimal(account["totalCrossWalletBalance"]) == aside
    assert account["totalCrossUnPnl"] == "0.00000000"


# --- leverage ---------------------------------------------------------------------------------------------------------


def test_a_leverage_allows_a_position_of_so_much(venue: SimulatedVenue) -> None:
    assert switch(venue, "leverage", symbol="BTCUSDT", leverage=125).json["maxNotionalValue"] == "300000"
    venue.quote(quantity="10")
    assert venue.market(quantity="5").code == -2027
    assert venue.market(quantity="4").status == 200
    assert switch(venue, "leverage", symbol="BTCUSDT", leverage=100).status == 200
    assert venue.market(quantity="4").status == 200
    assert switch(venue, "leverage", symbol="BTCUSDT", leverage=125).code == -2027
    brackets = venue.signed("GET", "/fapi/v1/leverageBracket", symbol="BTCUSDT").json[0]["brackets"]
    assert brackets[:2] == [
        {
            "bracket": 1,
            "initialLeverage": 125,
            "notionalCap": 300000,
            "notionalFloor": 0,
            "maintMarginRatio": 0.004,
            "cum": 0.0,
        },
        {
            "bracket": 2,
            "initialLeverage": 100,
            "notionalCap": 800000,
            "notionalFloor": 300000,
            "maintMarginRatio": 0.005,
            "cum": 300.0,
        },
    ]


def test_the_leverage_of_an_isolated_position_is_not_lowered(venue: SimulatedVenue) -> None:
    isolate(venue)
    venue.quote()
    venue.market()
    assert switch(venue, "leverage", symbol="BTCUSDT", leverage=10).code == -4161
    assert switch(venue, "leverage", symbol="BTCUSDT", leverage=20).status == 200
    assert switch(venue, "leverage", symbol="BTCUSDT", leverage=50).json["leverage"] == 50
    assert risks(venue, "v2")["BOTH"]["leverage"] == "50"


# --- multi-assets and other switches ----------------------------------------------------------------------------------


def test_several_assets_may_be_margin_together(venue: SimulatedVenue) -> None:
    path = "multiAssetsMargin"
    assert switch(venue, path, multiAssetsMargin="false").code == -4171
    isolate(venue)
    assert switch(venue, path, multiAssetsMargin="true").code == -4167
    switch(venue, "marginType", symbol="BTCUSDT", marginType="CROSSED")
    order = venue.place(price="60000").json
    assert switch(venue, path, multiAssetsMargin="true").code == -4170
    venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])
    assert switch(venue, path, multiAssetsMargin="true").json == SUCCESS
    assert venue.signed("GET", f"/fapi/v1/{path}").json == {"multiAssetsMargin": True}
    assert venue.signed("GET", "/fapi/v1/accountConfig").json["multiAssetsMargin"] is True
    assert venue.signed("GET", "/fapi/v2/account").json["multiAssetsMargin"] is True
    assert switch(venue, "marginType", symbol="BTCUSDT", marginType="ISOLATED").code == -4168


def test_paying_fees_in_bnb_is_switched(venue: SimulatedVenue) -> None:
    assert venue.signed("GET", "/fapi/v1/feeBurn").json == {"feeBurn": True}
    assert switch(venue, "feeBurn", feeBurn="false").json == SUCCESS
    assert venue.signed("GET", "/fapi/v1/feeBurn").json == {"feeBurn": False}
    assert switch(venue, "feeBurn").code == -1102
    assert switch(venue, "stock/contract").json == SUCCESS


def test_services_beside_the_exchange_have_nothing_to_offer(venue: SimulatedVenue) -> None:
    assert venue.public("/fapi/v1/convert/exchangeInfo").json == []
    assert switch(venue, "convert/getQuote", fromAsset="USDT", toAsset="BNB", fromAmount="5").code == -1126
    assert switch(venue, "convert/getQuote", toAsset="BNB").code == -1102
    assert switch(venue, "convert/acceptQuote", quoteId="1").code == -2013
    assert venue.signed("GET", "/fapi/v1/convert/orderStatus", orderId="1").code == -2013
    assert venue.signed("GET", "/fapi/v1/pmAccountInfo", asset="USDT").json == {
        "maxWithdrawAmountUSD": "100000.00000000",
        "asset": "USDT",
        "maxWithdrawAmount": "100000.00000000",
    }


def test_settings_of_one_account_are_not_anothers(venue: SimulatedVenue) -> None:
    hedge(venue)
    isolate(venue)
    assert venue.signed("GET", "/fapi/v1/positionSide/dual", account=OTHER).json == {"dualSidePosition": False}
    rows = venue.signed("GET", "/fapi/v1/symbolConfig", account=OTHER, symbol="BTCUSDT").json
    assert rows[0]["marginType"] == "CROSSED"


# --- limits of an account ---------------------------------------------------------------------------------------------


def test_the_limits_of_orders_are_told(venue: SimulatedVenue) -> None:
    assert venue.signed("GET", "/fapi/v1/rateLimit/order").json == [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    ]


def test_indicators_of_a_days_trading(venue: SimulatedVenue) -> None:
    assert venue.signed("GET", "/fapi/v1/apiTradingStatus").json["indicators"] == {}
    venue.quote()
    venue.market()
    order = venue.place(price="60000").json
    venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order["orderId"])
    told = venue.signed("GET", "/fapi/v1/apiTradingStatus", symbol="BTCUSDT").json["indicators"]["BTCUSDT"]
    values = {row["indicator"]: row["value"] for row in told}
    assert values == {"UFR": 0.5, "IFER": 0.0, "GCR": 0.5, "DR": 0.0}
    assert not any(row["isLocked"] for row in told)


def test_who_is_deleveraged_first(venue: SimulatedVenue) -> None:
    assert venue.signed("GET", "/fapi/v1/adlQuantile").json == []
    venue.quote()
    venue.market()
    (row,) = venue.signed("GET", "/fapi/v1/adlQuantile").json
    assert row["adlQuantile"].keys() == {"LONG", "SHORT", "BOTH"}
    assert 0 <= row["adlQuantile"]["BOTH"] <= 4
    assert risks(venue)["BOTH"]["adl"] == row["adlQuantile"]["BOTH"]
