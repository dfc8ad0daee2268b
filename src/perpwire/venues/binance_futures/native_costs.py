"""What the calls cost that have no name of ours, so that call() pays for them before the venue's headers tell.

Source: the pages of usds-margined-futures, as of 2026-10-23.
"""

from __future__ import annotations

from collections.abc import Callable

from perpwire.venues.base import Costs, Params
from perpwire.venues.binance_futures import endpoints_market, limits, pages
from perpwire.venues.binance_futures.limits import weight

_COSTS: dict[str, Costs | Callable[[Params], Costs]] = {
    "GET /fapi/v1/rpiDepth": weight(20),
    "GET /fapi/v1/historicalTrades": weight(200),
    "GET /fapi/v1/continuousKlines": endpoints_market.KLINES.costs,
    "GET /fapi/v1/fundingInfo": limits.A_FUNDING_QUESTION,
    "GET /fapi/v1/ticker/price": pages.by_symbol(1, 2),
    "GET /fapi/v2/ticker/price": pages.by_symbol(1, 2),
    "GET /fapi/v1/assetIndex": pages.by_symbol(1, 10),
    "GET /fapi/v1/constituents": weight(2),
    "GET /fapi/v1/tradingSchedule": weight(5),
    "PUT /fapi/v1/batchOrders": limits.A_BATCH,
    "GET /fapi/v1/forceOrders": pages.by_symbol(20, 50),
    "GET /fapi/v2/account": weight(5),
    "GET /fapi/v2/balance": weight(5),
    "GET /fapi/v3/balance": weight(5),
    "GET /fapi/v2/positionRisk": weight(5),
    "GET /fapi/v1/accountConfig": weight(5),
    "GET /fapi/v1/multiAssetsMargin": weight(30),
    "GET /fapi/v1/adlQuantile": weight(5),
    "GET /fapi/v1/feeBurn": weight(30),
    "GET /fapi/v1/apiTradingStatus": pages.by_symbol(1, 10),
    "POST /fapi/v1/stock/contract": weight(50),
    "GET /fapi/v1/order/asyn": weight(1000),
    "GET /fapi/v1/trade/asyn": weight(1000),
    "GET /fapi/v1/income/asyn": weight(1000),
    "GET /fapi/v1/order/asyn/id": weight(10),
    "GET /fapi/v1/trade/asyn/id": weight(10),
    "GET /fapi/v1/income/asyn/id": weight(10),
}


def native_costs(http: str) -> Costs | Callable[[Params], Costs]:
    """Of a call such as "GET /fapi/v1/forceOrders"; one that is not known here costs the least."""
    path = http.split(" ", 1)[1]
    if path.startswith("/sapi/"):
        return limits.A_WALLET_CALL
    if path.startswith("/futures/data/"):
        return limits.A_STATISTICS_QUESTION
    return _COSTS.get(http, weight(1))
