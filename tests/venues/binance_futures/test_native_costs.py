"""Calls without a name of ours cost what the venue's pages say."""

from __future__ import annotations

from typing import Any

import pytest

from perpwire.venues import load

VENUE = load("binance")


@pytest.mark.parametrize(
    ("http", "params", "costs"),
    [
        ("GET /fapi/v1/historicalTrades", {"symbol": "BTCUSDT"}, {"weight_1m": 200}),
        ("GET /fapi/v1/continuousKlines", {"limit": "1500"}, {"weight_1m": 10}),
        ("GET /fapi/v1/continuousKlines", {"limit": 50}, {"weight_1m": 1}),
        ("GET /fapi/v1/fundingInfo", {}, {"funding_5m": 1}),
        ("GET /fapi/v2/ticker/price", {}, {"weight_1m": 2}),
        ("GET /fapi/v2/ticker/price", {"symbol": "BTCUSDT"}, {"weight_1m": 1}),
        ("GET /fapi/v1/forceOrders", {}, {"weight_1m": 50}),
        ("GET /fapi/v1/feeBurn", {}, {"weight_1m": 30}),
        ("POST /fapi/v1/feeBurn", {"feeBurn": "true"}, {"weight_1m": 1}),
        ("PUT /fapi/v1/batchOrders", {"batchOrders": "[]"}, {"weight_1m": 5, "orders_10s": 5, "orders_1m": 1}),
        ("GET /futures/data/basis", {"pair": "BTCUSDT"}, {"statistics_5m": 1}),
        ("GET /fapi/v1/something/new", {}, {"weight_1m": 1}),
    ],
)
def test_a_call_in_the_venues_words_is_paid_for_beforehand(
    http: str, params: dict[str, Any], costs: dict[str, int]
) -> None:
    method, path = http.split()
    assert VENUE.native_endpoint(method, path, Any, None, None).costs_of(params) == costs
