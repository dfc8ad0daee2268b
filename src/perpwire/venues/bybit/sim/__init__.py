"""Server shell: Bybit's side of the wire on top of a simulated exchange.

It serves every REST call of the linear category, the streams, and order entry over WebSocket. What the venue has for
other categories (inverse, spot, option) is answered with empty lists.
"""

from __future__ import annotations

from perpwire.simulator.dialect import Dialect, DialectOptions
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.dialect import BybitDialect
from perpwire.venues.bybit.sim.margin import MARGIN
from perpwire.venues.bybit.sim.rules import default_specs

__all__ = ["MARGIN", "default_specs", "make_dialect"]


def make_dialect(exchange: Exchange, options: DialectOptions) -> Dialect:
    """Bybit's wire protocol for this exchange. Times are of the exchange's clock."""
    return BybitDialect(exchange, options)
