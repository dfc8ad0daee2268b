"""The table of calls: one row each, by topic in endpoints_market.py, endpoints_account.py and endpoints_orders.py."""

from __future__ import annotations

from perpwire.venues.base import Endpoint
from perpwire.venues.binance_futures import endpoints_account, endpoints_market, endpoints_orders

ROWS = tuple(
    row
    for table in (endpoints_market, endpoints_account, endpoints_orders)
    for row in vars(table).values()
    if isinstance(row, Endpoint)
)
