"""How the venue's documentation names its pages, and costs that many rows share."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.venues.base import Costs, Params
from perpwire.venues.binance_futures.limits import weight

_PAGES = "usds-margined-futures/{}/rest-api/{}, as of 2026-10-23"


def market(page: str) -> str:
    return _PAGES.format("market-data", page)


def trade(page: str) -> str:
    return _PAGES.format("trade", page)


def account(page: str) -> str:
    return _PAGES.format("account", page)


def streams(page: str) -> str:
    return _PAGES.format("user-data-streams", page)


def by_symbol(with_symbol: int, without: int) -> Callable[[Params], Costs]:
    """Of calls that cost more where all symbols are asked for."""
    return lambda params: weight(with_symbol if params.get("symbol") else without)
