"""The simulated venue's public calls beyond books and trades: candles, tickers, funding, statistics, references."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.venues.binance_futures.simulated import MAIN, Answer, SimulatedVenue

from perpwire.clock import ManualClock
from perpwire.simulator.listing import Listing, listed
from perpwire.venues.binance_futures.sim import default_specs

DAY_MS = 86_400_000


@pytest.fixture
def venue(clock: ManualClock) -> Iterator[SimulatedVenue]:
    venue = SimulatedVenue(clock)
    yield venue
    venue.close()


def weight(answer: Answer) -> int:
    return int(answer.headers["x-mbx-used-weight-1m"])


# --- candles ----------------------------------------------------------------------------------------------------------


def test_candles_have_twelve_slots_and_follow_each_other(venue: SimulatedVenue) -> None:
    rows = venue.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=5).json
    assert [len(row) for row in rows] == [12] * 5
    assert [later[0] - row[6] for row, later in itertools.pairwise(rows)] == [1] * 4
    assert rows[-1][0] <= venue.exchange.now_ms() <= rows[-1][6]
    for row in rows:
        low, high = Decimal(row[3]), Decimal(row[2])
        assert low <= Decimal(row[1]) <= high
        assert low <= Decimal(row[4]) <= high
        assert Decimal(row[9]) <= Decimal(row[5])
        assert row[11] == "0"


def test_a_trade_is_in_its_candle(venue: SimulatedVenue) -> None:
    venue.quote()

    def current() -> Any:
        return venue.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=1).json[0]

    before = current()
    venue.market(quantity="0.5")
    after = current()
    assert Decimal(after[5]) - Decimal(before[5]) == Decimal("0.5")
    assert Decimal(after[9]) - Decimal(before[9]) == Decimal("0.5")
    assert Decimal(after[7]) - Decimal(before[7]) == Decimal("32000.05")
    assert (after[8] - before[8], after[4]) == (1, "64000.10")


def test_candles_from_a_start_are_the_oldest_and_else_the_newest(venue: SimulatedVenue) -> None:
    now_ms = venue.exchange.now_ms()

    def opens(**params: Any) -> list[int]:
        return [row[0] for row in venue.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1h", **params).json]

    hour_ms = 3_600_000
    start = now_ms - now_ms % hour_ms - 100 * hour_ms
    assert opens(startTime=start, limit=3) == [start, start + hour_ms, start + 2 * hour_ms]
    assert opens(endTime=start, limit=3) == [start - 2 * hour_ms, start - hour_ms, start]
    assert opens(startTime=start, endTime=start + hour_ms) == [start, start + hour_ms]
    assert len(opens()) == 500
    assert opens(startTime=now_ms + DAY_MS) == []
    answer = venue.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1h", startTime=2, endTime=1)
    assert answer.code == -1023


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"interval": "1m"}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "1s"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("klines", {"symbol": "NOPE", "interval": "1m"}, -1121),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "1501"}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "x"}, -1100),
        ("continuousKlines", {"pair": "NOPE", "contractType": "PERPETUAL", "interval": "1m"}, -4144),
        ("continuousKlines", {"pair": "BTCUSDT", "contractType": "ETERNAL", "interval": "1m"}, -4104),
        ("continuousKlines", {"pair": "BTCUSDT", "interval": "1m"}, -1102),
        ("indexPriceKlines", {"symbol": "BTCUSDT", "interval": "1m"}, -1102),
        ("markPriceKlines", {"pair": "BTCUSDT", "interval": "1m"}, -1102),
    ],
)
def test_candles_are_refused(venue: SimulatedVenue, path: str, params: dict[str, str], code: int) -> None:
    assert venue.public(f"/fapi/v1/{path}", **params).code == code


@pytest.mark.parametrize(
    ("limit", "cost"), [(1, 1), (99, 1), (100, 2), (499, 2), (500, 5), (1000, 5), (1001, 10), (2000, 10), (None, 5)]
)
def test_candles_weigh_by_their_number_refused_ones_too(venue: SimulatedVenue, limit: int | None, cost: int) -> None:
    params = {} if limit is None else {"limit": limit}
    answer = venue.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1d", **params)
    assert (weight(answer), answer.status) == (cost, 400 if limit == 2000 else 200)


def test_every_price_has_candles(venue: SimulatedVenue) -> None:
    mark = venue.public("/fapi/v1/markPriceKlines", symbol="BTCUSDT", interval="5m", limit=2).json
    index = venue.public("/fapi/v1/indexPriceKlines", pair="BTCUSDT", interval="5m", limit=2).json
    premium = venue.public("/fapi/v1/premiumIndexKlines", symbol="BTCUSDT", interval="5m", limit=2).json
    for row in (*mark, *index, *premium):
        assert (row[5], row[7], row[9:]) == ("0", "0", ["0", "0", "0"])
        assert len(row[4].split(".")[1]) == 8
    assert mark[0][8] == 300
    assert abs(Decimal(mark[-1][4]) / Decimal(index[-1][4]) - 1) < Decimal("0.01")
    assert abs(Decimal(premium[0][4])) < Decimal("0.01")
    perpetual = {"pair": "BTCUSDT", "interval": "1h"}
    rows = venue.public("/fapi/v1/continuousKlines", contractType="PERPETUAL", **perpetual).json
    assert rows == venue.public("/fapi/v1/klines", symbol="BTCUSDT", interval="1h").json
    assert venue.public("/fapi/v1/continuousKlines", contractType="CURRENT_QUARTER", **perpetual).json == []


# --- tickers ----------------------------------------------------------------------------------------------------------


def test_the_last_day_in_figures(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market(quantity="0.5")
    day = venue.public("/fapi/v1/ticker/24hr", symbol="BTCUSDT").json
    assert (day["lastPrice"], day["lastQty"]) == ("64000.10", "0.500")
    assert Decimal(day["priceChange"]) == Decimal(day["lastPrice"]) - Decimal(day["openPrice"])
    share = Decimal(day["priceChange"]) / Decimal(day["openPrice"]) * 100
    assert abs(Decimal(day["priceChangePercent"]) - share) <= Decimal("0.0005")
    assert Decimal(day["lowPrice"]) <= Decimal(day["weightedAvgPrice"]) <= Decimal(day["highPrice"])
    assert day["closeTime"] - day["openTime"] <= DAY_MS
    assert day["lastId"] == venue.exchange.recent_trades("BTCUSDT", 1)[0].trade_id
    every = venue.public("/fapi/v1/ticker/24hr")
    assert [one["symbol"] for one in every.json] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert weight(every) == 41


def test_what_is_not_traded_is_left_out_of_the_list_of_days(venue: SimulatedVenue) -> None:
    venue.exchange.set_trading("ETHUSDT", False)
    assert len(venue.public("/fapi/v1/ticker/price").json) == 3
    assert venue.public("/fapi/v1/exchangeInfo").json["symbols"][1]["status"] == "SETTLING"
    assert [one["symbol"] for one in venue.public("/fapi/v1/ticker/24hr").json] == ["BTCUSDT", "SOLUSDT"]
    assert venue.place(symbol="ETHUSDT", price="3000", quantity="1").code == -4141


def test_orders_of_a_contract_that_is_not_traded_can_only_be_cancelled(venue: SimulatedVenue) -> None:
    order_id = venue.place(price="60000").json["orderId"]
    venue.exchange.set_trading("BTCUSDT", False)
    change = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order_id, "quantity": "0.010", "price": "60001"}
    assert venue.signed("PUT", "/fapi/v1/order", **change).code == -5024
    assert venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order_id).json["status"] == "CANCELED"


def test_open_interest_counts_the_accounts_positions(venue: SimulatedVenue) -> None:
    def interest() -> Decimal:
        return Decimal(venue.public("/fapi/v1/openInterest", symbol="BTCUSDT").json["openInterest"])

    venue.quote()
    before = interest()
    venue.market(quantity="0.5")
    assert interest() - before == Decimal("0.5")


def test_older_trades_need_a_key_and_start_at_an_id(venue: SimulatedVenue) -> None:
    venue.quote()
    for _ in range(4):
        venue.market()
    assert venue.public("/fapi/v1/historicalTrades", symbol="BTCUSDT").code == -2014
    ids = [one["id"] for one in venue.public("/fapi/v1/trades", symbol="BTCUSDT").json]
    assert len(ids) == 4

    def older(query: str) -> Answer:
        return venue.raw("GET", "/fapi/v1/historicalTrades", f"symbol=BTCUSDT{query}", key=MAIN.api_key, peer="9.9.9.9")

    assert [one["id"] for one in older("").json] == ids
    assert [one["id"] for one in older("&limit=2").json] == ids[2:]
    answer = older(f"&limit=2&fromId={ids[1]}")
    assert [one["id"] for one in answer.json] == ids[1:3]
    assert weight(answer) == 600
    assert older("&limit=501").code == -1130


def test_aggregated_trades_go_back_two_days(venue: SimulatedVenue) -> None:
    now_ms = venue.exchange.now_ms()
    for name in ("startTime", "endTime"):
        params = {"symbol": "BTCUSDT", name: now_ms - 2 * DAY_MS - 1}
        assert venue.public("/fapi/v1/aggTrades", **params).code == -4166
    assert venue.public("/fapi/v1/aggTrades", symbol="BTCUSDT", startTime=now_ms - 2 * DAY_MS).json == []


def test_the_book_with_its_rpi_orders_comes_whole_or_not_at_all(venue: SimulatedVenue) -> None:
    venue.quote()
    answer = venue.public("/fapi/v1/rpiDepth", symbol="BTCUSDT", limit=1000)
    assert weight(answer) == 20
    assert answer.json["bids"] == [["63999.90", "1.000"]]
    assert venue.public("/fapi/v1/rpiDepth", symbol="BTCUSDT", limit=500).code == -4021


# --- funding ----------------------------------------------------------------------------------------------------------


def test_fundings_of_the_past(venue: SimulatedVenue) -> None:
    rows = venue.public("/fapi/v1/fundingRate", symbol="BTCUSDT").json
    assert len(rows) == 200
    hours = {later["fundingTime"] - row["fundingTime"] for row, later in itertools.pairwise(rows)}
    assert hours == {8 * 3_600_000}
    assert rows[-1]["fundingTime"] <= venue.exchange.now_ms()
    assert rows[0]["rateType"] == "Regular"
    assert all(abs(Decimal(row["fundingRate"])) <= Decimal("0.003") for row in rows)
    start = rows[10]["fundingTime"]
    assert venue.public("/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=start, limit=3).json == rows[10:13]
    assert venue.public("/fapi/v1/fundingRate", symbol="BTCUSDT", endTime=start, limit=3).json == rows[8:11]
    assert len(venue.public("/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=start).json) == 100
    assert len(venue.public("/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=1, limit=7).json) == 7
    every = venue.public("/fapi/v1/fundingRate", limit=6).json
    assert [row["symbol"] for row in every] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"] * 2
    assert venue.public("/fapi/v1/fundingRate", limit=1001).code == -1130


def test_bounds_of_fundings_of_both_families(venue: SimulatedVenue) -> None:
    rows = {row["symbol"]: row for row in venue.public("/fapi/v1/fundingInfo").json}
    assert rows.keys() == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "BTCUSD_PERP", "ETHUSD_PERP"}
    assert rows["BTCUSDT"] == {
        "symbol": "BTCUSDT",
        "adjustedFundingRateCap": "0.00300000",
        "adjustedFundingRateFloor": "-0.00300000",
        "fundingIntervalHours": 8,
        "disclaimer": False,
        "updateTime": None,
    }


def test_fundings_have_a_pool_of_requests_of_their_own(venue: SimulatedVenue) -> None:
    for _ in range(250):
        assert "x-mbx-used-weight-1m" not in venue.public("/fapi/v1/fundingInfo").headers
        assert venue.public("/fapi/v1/fundingRate", symbol="NOPE").code == -1121
    full = venue.public("/fapi/v1/fundingInfo")
    assert (full.status, full.code) == (429, -1003)
    assert 0 < int(full.headers["retry-after"]) <= 300
    assert weight(venue.public("/fapi/v1/ping")) == 1
    venue.clock.advance(int(full.headers["retry-after"]))
    assert venue.public("/fapi/v1/fundingInfo").status == 200


# --- statistics -------------------------------------------------------------------------------------------------------

STATISTICS = ("globalLongShortAccountRatio", "openInterestHist", "takerlongshortRatio")
OF_THE_TOP = ("topLongShortPositionRatio", "topLongShortAccountRatio")


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_stand_at_multiples_of_their_period(venue: SimulatedVenue, name: str) -> None:
    path = f"/futures/data/{name}"
    rows = venue.public(path, symbol="BTCUSDT", period="1h").json
    assert len(rows) == 30
    assert {row["timestamp"] % 3_600_000 for row in rows} == {0}
    assert [row["timestamp"] for row in rows] == sorted({row["timestamp"] for row in rows})
    assert rows[-1]["timestamp"] <= venue.exchange.now_ms()
    start = rows[5]["timestamp"]
    assert venue.public(path, symbol="BTCUSDT", period="1h", startTime=start, limit=2).json == rows[5:7]
    now_ms = venue.exchange.now_ms()
    for params, code in (
        ({"period": "1w"}, -1130),
        ({}, -1102),
        ({"period": "1h", "limit": 501}, -1130),
        ({"period": "1h", "startTime": now_ms - 31 * DAY_MS}, -1130),
        ({"period": "1h", "symbol": "NOPE"}, -1121),
    ):
        assert venue.public(path, **({"symbol": "BTCUSDT"} | params)).code == code


def test_statistics_of_the_top_need_a_key(venue: SimulatedVenue) -> None:
    for name in OF_THE_TOP:
        assert venue.public(f"/futures/data/{name}", symbol="BTCUSDT", period="5m").code == -2014
        query = "symbol=BTCUSDT&period=5m&limit=1"
        (row,) = venue.raw("GET", f"/futures/data/{name}", query, key=MAIN.api_key).json
        assert Decimal(row["longAccount"]) + Decimal(row["shortAccount"]) == 1


def test_what_takers_bought_is_what_the_candle_says(venue: SimulatedVenue) -> None:
    (row,) = venue.public("/futures/data/takerlongshortRatio", symbol="BTCUSDT", period="1h", limit=1).json
    end_ms = row["timestamp"]
    (candle,) = venue.public(
        "/fapi/v1/klines", symbol="BTCUSDT", interval="1h", startTime=end_ms - 3_600_000, limit=1
    ).json
    assert candle[6] == end_ms - 1
    assert Decimal(row["buyVol"]) == Decimal(candle[9])
    assert Decimal(row["buyVol"]) + Decimal(row["sellVol"]) == Decimal(candle[5])


def test_the_basis_is_the_contracts_price_less_the_index(venue: SimulatedVenue) -> None:
    asked = {"pair": "BTCUSDT", "period": "1h", "limit": 3}
    for row in venue.public("/futures/data/basis", contractType="PERPETUAL", **asked).json:
        assert Decimal(row["basis"]) == Decimal(row["futuresPrice"]) - Decimal(row["indexPrice"])
    assert venue.public("/futures/data/basis", contractType="NEXT_QUARTER", **asked).json == []
    assert venue.public("/futures/data/basis", contractType="X", **asked).code == -4104
    assert venue.public("/futures/data/delivery-price", pair="NOPE").code == -4144


def test_contracts_were_delivered_on_the_last_fridays_of_quarters(venue: SimulatedVenue) -> None:
    rows = venue.public("/futures/data/delivery-price", pair="BTCUSDT").json
    # 2026-06-26, 2026-03-27, 2025-12-26, 2025-09-26, at 08:00.
    assert [row["deliveryTime"] for row in rows] == [
        1782460800000, 1774598400000, 1766736000000, 1758873600000,
    ]  # fmt: skip
    assert all(isinstance(row["deliveryPrice"], float) for row in rows)


def test_statistics_have_a_pool_of_requests_of_their_own(venue: SimulatedVenue) -> None:
    for _ in range(1000):
        assert venue.public("/futures/data/takerlongshortRatio").code == -1102
    full = venue.public("/futures/data/openInterestHist", symbol="BTCUSDT", period="5m")
    assert (full.status, full.code) == (429, -1003)
    assert weight(venue.public("/fapi/v1/ping")) == 1


def test_contracts_of_any_price_have_figures(clock: ManualClock) -> None:
    listings = [
        Listing(symbol="测试USDT", start_price=Decimal("0.0000123")),
        Listing(symbol="BIGUSDT", start_price=Decimal(9_000_000)),
    ]
    venue = SimulatedVenue(clock, symbols=listed(default_specs(), listings, "binance"))
    for symbol in ("测试USDT", "BIGUSDT"):
        for path, params in (
            ("/fapi/v1/klines", {"symbol": symbol, "interval": "1h", "limit": 1}),
            ("/fapi/v1/ticker/24hr", {"symbol": symbol}),
            ("/futures/data/basis", {"pair": symbol, "contractType": "PERPETUAL", "period": "1h"}),
            ("/futures/data/delivery-price", {"pair": symbol}),
            ("/fapi/v1/openInterest", {"symbol": symbol}),
        ):
            answer = venue.public(path, **params)
            assert answer.status == 200
            assert b'"-0.0000"' not in answer.raw
            assert b'"-0.00000000"' not in answer.raw
        assert all(row["deliveryPrice"] > 0 for row in venue.public("/futures/data/delivery-price", pair=symbol).json)
    venue.close()


# --- references -------------------------------------------------------------------------------------------------------


def test_the_index_is_the_weighted_mean_of_its_constituents(venue: SimulatedVenue) -> None:
    told = venue.public("/fapi/v1/constituents", symbol="BTCUSDT").json
    rows = told["constituents"]
    assert sum(Decimal(row["weight"]) for row in rows) == 1
    mean = sum(Decimal(row["weight"]) * Decimal(row["price"]) for row in rows)
    assert abs(mean / venue.exchange.index_price("BTCUSDT") - 1) < Decimal("0.0001")
    assert {row["symbol"] for row in rows} == {"BTCUSDT", "BTC-USDT", "BTC_USDT"}


def test_the_insurance_fund_is_one_for_all_symbols(venue: SimulatedVenue) -> None:
    one = venue.public("/fapi/v1/insuranceBalance", symbol="BTCUSDT").json
    assert venue.public("/fapi/v1/insuranceBalance").json == [one]
    assert one["symbols"] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert Decimal(one["assets"][0]["marginBalance"]) == venue.exchange.insurance_fund().quantize(Decimal("1E-8"))


def test_the_risk_of_deleveraging_is_told_by_the_half_hour(venue: SimulatedVenue) -> None:
    one = venue.public("/fapi/v1/symbolAdlRisk", symbol="BTCUSDT").json
    assert one["adlRisk"] in ("low", "medium", "high")
    assert one["updateTime"] % 1_800_000 == 0
    assert len(venue.public("/fapi/v1/symbolAdlRisk").json) == 3


def test_asset_indices_with_their_buffers(venue: SimulatedVenue) -> None:
    dollar = venue.public("/fapi/v1/assetIndex", symbol="USDTUSD").json
    assert (dollar["index"], dollar["bidRate"]) == ("1.00000000", "0.99990000")
    every = venue.public("/fapi/v1/assetIndex")
    assert [one["symbol"] for one in every.json] == ["USDTUSD", "BTCUSD", "ETHUSD", "SOLUSD"]
    assert weight(every) == 11
    assert venue.public("/fapi/v1/assetIndex", symbol="NOPEUSD").code == -1121
    assert venue.public("/fapi/v1/indexInfo").json == []


def test_sessions_of_stock_markets_a_week_back_and_ahead(venue: SimulatedVenue) -> None:
    told = venue.public("/fapi/v1/tradingSchedule").json
    assert told["marketSchedules"].keys() == {"EQUITY", "COMMODITY", "KR_EQUITY", "HK_EQUITY", "CN_EQUITY"}
    sessions = told["marketSchedules"]["EQUITY"]["sessions"]
    assert [one["endTime"] for one in sessions[:-1]] == [one["startTime"] for one in sessions[1:]]
    assert sessions[0]["startTime"] <= told["updateTime"] - 6 * DAY_MS
    assert sessions[-1]["endTime"] >= told["updateTime"] + 7 * DAY_MS
    assert "REGULAR" in {one["type"] for one in sessions}
