"""Published limits, and which reply headers report them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perpwire.http_message import whole_number
from perpwire.venues.base import Costs, Limit

WEIGHT = "weight_1m"
ORDERS_10S = "orders_10s"
ORDERS_1M = "orders_1m"

_PAGE = "usds-margined-futures/general-info#limits and exchangeInfo.rateLimits, as of 2026-10-23"

FUNDING_5M = "funding_5m"
STATISTICS_5M = "statistics_5m"
WALLET_1M = "wallet_1m"

LIMITS = (
    # Of the IP address; one pool for fapi and dapi. Starts anew with each UTC minute.
    Limit(name=WEIGHT, limit=2400, period_s=60.0, fixed=True, source=_PAGE, scope="ip"),
    # Of the account.
    Limit(name=ORDERS_10S, limit=300, period_s=10.0, fixed=True, source=_PAGE),
    Limit(name=ORDERS_1M, limit=1200, period_s=60.0, fixed=True, source=_PAGE),
    # Pools of their own, of the IP address; nothing is said of their windows, and no header tells what is used.
    Limit(
        name=FUNDING_5M,
        limit=500,
        period_s=300.0,
        fixed=False,
        source="usds-margined-futures/market-data/rest-api/Get-Funding-Rate-History, as of 2026-10-23",
        scope="ip",
    ),
    Limit(
        name=STATISTICS_5M,
        limit=1000,
        period_s=300.0,
        fixed=False,
        source="usds-margined-futures/market-data/rest-api/Open-Interest-Statistics, as of 2026-10-23",
        scope="ip",
    ),
    # Of /sapi, another service at another host. It is not of scope "ip": what is stopped there is not stopped here.
    Limit(name=WALLET_1M, limit=12_000, period_s=60.0, fixed=False, source="wallet/general-info, as of 2026-10"),
)

HEADERS = {
    WEIGHT: "x-mbx-used-weight-1m",
    ORDERS_10S: "x-mbx-order-count-10s",
    ORDERS_1M: "x-mbx-order-count-1m",
}
"""Limit name -> the reply header that says how much of its window is used."""

AN_ORDER: Costs = {ORDERS_10S: 1, ORDERS_1M: 1, WEIGHT: 0}
"""Placing or changing one order; no weight, but its reply tells what is used of it. Cancels cost weight only."""

A_BATCH: Costs = {WEIGHT: 5, ORDERS_10S: 5, ORDERS_1M: 1}
"""Placing several at once: flat, however many."""

A_FUNDING_QUESTION: Costs = {FUNDING_5M: 1}

A_STATISTICS_QUESTION: Costs = {STATISTICS_5M: 1}
"""Of /futures/data."""

A_WALLET_CALL: Costs = {WALLET_1M: 1}
"""Of /sapi."""


_STATED: Mapping[tuple[Any, Any, Any], str] = {
    ("REQUEST_WEIGHT", "MINUTE", 1): WEIGHT,
    ("ORDERS", "SECOND", 10): ORDERS_10S,
    ("ORDERS", "MINUTE", 1): ORDERS_1M,
}


def stated_limits(rate_limits: Any) -> Costs:
    """What exchangeInfo.rateLimits says; rows that are no such limit say nothing."""
    stated: dict[str, int] = {}
    for row in rate_limits if isinstance(rate_limits, list) else ():
        if isinstance(row, dict) and isinstance(limit := row.get("limit"), int) and limit > 0:
            name = _STATED.get((row.get("rateLimitType"), row.get("interval"), row.get("intervalNum")))
            if name is not None:
                stated[name] = limit
    return stated


def weight(units: int) -> Costs:
    return {WEIGHT: units}


def weighed(costs: Costs, units: int) -> Costs:
    """The same with another weight; orders and questions are counted as before."""
    return {name: units if name in (WEIGHT, WALLET_1M) else used for name, used in costs.items()}


_HEADERS = tuple(HEADERS.items())


def reported_usage(headers: Mapping[str, str]) -> Costs:
    """What the headers tell; a header that is absent or no number tells nothing."""
    return {name: used for name, header in _HEADERS if (used := whole_number(headers, header)) is not None}
