"""Series of the market over REST: candles of every price, funding, open interest, shares, pools."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from .desk import Desk, at_desk, moment

D = Decimal
MINUTE_MS = 60_000


def kline(desk: Desk, name: str = "kline", **asked: Any) -> list[list[str]]:
    answer = desk.get(f"/v5/market/{name}", **{"category": "linear", "symbol": "BTCUSDT", "interval": "1", **asked})
    assert (answer["retCode"], answer["result"]["symbol"], answer["result"]["category"]) == (0, "BTCUSDT", "linear")
    rows: list[list[str]] = answer["result"]["list"]
    return rows


@at_desk
async def test_candles_come_newest_first_with_the_one_that_is_open(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500")
    await moment()
    rows = kline(desk)
    now_ms = desk.exchange.now_ms()
    assert len(rows) == 200
    assert int(rows[0][0]) == now_ms // MINUTE_MS * MINUTE_MS
    assert [int(row[0]) for row in rows] == [int(rows[0][0]) - number * MINUTE_MS for number in range(200)]
    start, opened, high, low, close, volume, turnover = rows[0]
    assert (close, high) == ("64010.00", "64010.00")
    assert (volume, turnover) == ("0.500", "32005")
    assert D(low) <= D(opened) <= D(high)
    one = desk.exchange.candles("BTCUSDT", "last", "1m", limit=1)[0]
    assert start == str(one.open_ms)


@at_desk
async def test_a_start_alone_goes_on_from_there_and_an_end_goes_back(desk: Desk) -> None:
    now_ms = desk.exchange.now_ms() // MINUTE_MS * MINUTE_MS
    start = now_ms - 100 * MINUTE_MS
    rows = kline(desk, start=start, limit=3)
    assert [int(row[0]) for row in rows] == [start + number * MINUTE_MS for number in (2, 1, 0)]
    rows = kline(desk, end=start, limit=3)
    assert [int(row[0]) for row in rows] == [start - number * MINUTE_MS for number in range(3)]
    rows = kline(desk, start=start, end=start + 5 * MINUTE_MS)
    assert len(rows) == 6
    assert len(kline(desk, limit=1000)) == len(kline(desk, limit=5000)) == 1000


@pytest.mark.parametrize(
    ("interval", "minutes"), [("3", 3), ("5", 5), ("15", 15), ("30", 30), ("60", 60), ("120", 120), ("240", 240)]
)
def test_longer_candles_are_made_of_shorter_ones(interval: str, minutes: int) -> None:
    async def trial(desk: Desk) -> None:
        whole = kline(desk, interval=interval, limit=2)[1]
        parts = kline(desk, start=whole[0], end=int(whole[0]) + minutes * MINUTE_MS - 1, limit=1000)
        assert len(parts) == minutes
        assert (whole[1], whole[4]) == (parts[-1][1], parts[0][4])
        assert D(whole[2]) == max(D(one[2]) for one in parts)
        assert D(whole[3]) == min(D(one[3]) for one in parts)
        assert D(whole[5]) == sum(D(one[5]) for one in parts)

    at_desk(trial)()


@pytest.mark.parametrize("interval", ["360", "720", "D", "W", "M"])
def test_the_longest_candles_stand_on_their_own_boundaries(interval: str) -> None:
    async def trial(desk: Desk) -> None:
        rows = kline(desk, interval=interval, limit=3)
        assert len(rows) == 3
        hours = {int(row[0]) // 3_600_000 % 24 for row in rows}
        assert hours <= ({0} if interval in "DWM" else {0, 6, 12, 18})

    at_desk(trial)()


@pytest.mark.parametrize("name", ["mark-price-kline", "index-price-kline", "premium-index-price-kline"])
def test_candles_of_other_prices_have_no_volume(name: str) -> None:
    async def trial(desk: Desk) -> None:
        rows = kline(desk, name, limit=5)
        assert [len(row) for row in rows] == [5] * 5
        if name.startswith("premium"):
            assert all(abs(D(price)) < D("0.05") for row in rows for price in row[1:])
        else:
            assert all(price[-3] == "." for row in rows for price in row[1:])

    at_desk(trial)()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("kline", {"symbol": "BTCUSDT", "interval": "2"}),
        ("kline", {"symbol": "BTCUSDT", "interval": "1m"}),
        ("kline", {"symbol": "BTCUSDT"}),
        ("kline", {"symbol": "NOPE", "interval": "1"}),
        ("kline", {"symbol": "BTCUSDT", "interval": "1", "start": "soon"}),
        ("funding/history", {"category": "linear", "symbol": "BTCUSDT", "startTime": "1"}),
        ("funding/history", {"category": "linear", "symbol": "BTCUSDT", "startTime": "2", "endTime": "1"}),
        ("open-interest", {"category": "linear", "symbol": "BTCUSDT", "intervalTime": "1min"}),
        ("account-ratio", {"category": "linear", "symbol": "BTCUSDT", "period": "5m"}),
        ("adlAlert", {"symbol": "NOPE"}),
        ("index-price-components", {"indexName": "NOPE"}),
    ],
)
def test_a_series_that_can_not_be_is_refused(path: str, asked: dict[str, str]) -> None:
    async def trial(desk: Desk) -> None:
        answer = desk.get(f"/v5/market/{path}", **asked)
        assert (answer["retCode"], answer["result"]) == (10001, {})

    at_desk(trial)()


@pytest.mark.slow
@at_desk
async def test_past_fundings_are_listed_at_the_contracts_interval(desk: Desk) -> None:
    def history(**asked: Any) -> list[Any]:
        answer = desk.get("/v5/market/funding/history", category="linear", symbol="BTCUSDT", **asked)
        rows: list[Any] = answer["result"]["list"]
        return rows

    rows = history()
    assert len(rows) == 200
    times = [int(row["fundingRateTimestamp"]) for row in rows]
    assert {before - after for before, after in pairwise(times)} == {8 * 3_600_000}
    assert times[0] <= desk.exchange.now_ms()
    assert all(abs(D(row["fundingRate"])) <= D("0.00375") for row in rows)
    assert history(limit=3) == rows[:3]
    assert history(endTime=times[5], limit=2) == rows[5:7]
    assert history(startTime=times[5], endTime=times[3]) == rows[3:6]


@at_desk
async def test_open_interest_counts_both_sides_and_pages_back(desk: Desk) -> None:
    def interest(**asked: Any) -> Any:
        answer = desk.get(
            "/v5/market/open-interest", category="linear", symbol="BTCUSDT", **{"intervalTime": "1h", **asked}
        )
        return answer["result"]

    first = interest(limit=3)
    assert (first["symbol"], first["category"]) == ("BTCUSDT", "linear")
    second = interest(limit=3, cursor=first["nextPageCursor"])
    times = [int(row["timestamp"]) for row in first["list"] + second["list"]]
    assert [before - after for before, after in pairwise(times)] == [3_600_000] * 5
    assert times[0] == desk.exchange.now_ms() // 3_600_000 * 3_600_000
    for row in first["list"]:
        assert D(row["openInterest"]) == 2 * D(row["singleOpenInterest"]) > 0
    assert interest(limit=3) == first
    assert len(interest()["list"]) == 50


@at_desk
async def test_shares_of_longs_and_shorts_add_up_to_one(desk: Desk) -> None:
    answer = desk.get("/v5/market/account-ratio", category="linear", symbol="BTCUSDT", period="4h", limit=10)
    rows = answer["result"]["list"]
    assert len(rows) == 10
    for row in rows:
        assert D(row["buyRatio"]) + D(row["sellRatio"]) == 1
        assert (len(row["buyRatio"]), row["symbol"]) == (6, "BTCUSDT")


@at_desk
async def test_the_pool_its_alerts_and_the_parts_of_an_index(desk: Desk) -> None:
    (pool,) = desk.get("/v5/market/insurance", coin="USDT")["result"]["list"]
    assert (D(pool["balance"]), pool["coin"], pool["symbols"]) == (desk.exchange.insurance_fund(), "USDT", "")
    assert desk.get("/v5/market/insurance", coin="BTC")["result"]["list"] == []
    alerts = desk.get("/v5/market/adlAlert")["result"]["list"]
    assert [one["symbol"] for one in alerts] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    (alert,) = desk.get("/v5/market/adlAlert", symbol="ETHUSDT")["result"]["list"]
    assert (alert["balance"], alert["maxBalance"], alert["adlStopRatio"]) == (pool["balance"], "", "-0.25")
    assert (alert["insurancePnlRatio"], alert["pnlRatio"], alert["adlTriggerThreshold"]) == ("-0.3", "0", "10000")
    index = desk.get("/v5/market/index-price-components", indexName="BTCUSDT")["result"]
    assert sum(D(one["weight"]) for one in index["components"]) == 1
    assert sum(D(one["weight"]) * D(one["price"]) for one in index["components"]) == D(index["lastPrice"])
    groups = desk.get("/v5/market/fee-group-info", productType="contract")["result"]["list"]
    assert [group["groupId"] for group in groups] == [1, 2, 3, 6]
