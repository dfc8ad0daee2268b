"""Published limits, and which reply headers report them."""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.venues.base import Costs, Limit

WEIGHT = "weight_1m"
ORDERS_10S = "orders_10s"
ORDERS_1M = "orders_1m"

_PAGE = "usds-margined-futures/general-info#limits and exchangeInfo.rateLimits, as of 2026-10-23"

LIMITS = (
    # Of the IP address; one pool for fapi and dapi. Starts anew with each UTC minute.
    Limit(name=WEIGHT, limit=2400, period_s=60.0, fixed=True, source=_PAGE, scope="ip"),
    # Of the account.
    Limit(name=ORDERS_10S, limit=300, period_s=10.0, fixed=True, source=_PAGE),
    Limit(name=ORDERS_1M, limit=1200, period_s=60.0, fixed=True, source=_PAGE),
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


def weight(units: int) -> Costs:
    return {WEIGHT: units}


def reported_usage(headers: Mapping[str, str]) -> Costs:
    """What the headers tell; a header that is absent or no number tells nothing."""
    texts = {name: headers.get(header, "") for name, header in HEADERS.items()}
    return {name: int(text) for name, text in texts.items() if text.isascii() and text.isdigit()}
