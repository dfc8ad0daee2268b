"""Candles over REST: of the last price, the mark, the index and the premium, newest first.

Source: docs/v5/market/kline and its neighbours, as of 2026-07-24.
"""

from __future__ import annotations

from typing import Any, Literal

from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.asked import Asked, is_linear, limit_of, optional_ms, spec_of
from perpwire.venues.bybit.sim.numbers import cut, fit
from perpwire.venues.bybit.sim.refusal import bad_param

Kind = Literal["last", "mark", "index", "premium"]

INTERVALS = {
    "1": "1m",
    "3": "3m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "120": "2h",
    "240": "4h",
    "360": "6h",
    "720": "12h",
    "D": "1d",
    "W": "1w",
    "M": "1M",
}
"""The venue's names -> the exchange's."""


class Klines:
    """The four calls."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def last(self, asked: Asked) -> Any:
        return self._listed("last", asked)

    def mark(self, asked: Asked) -> Any:
        return self._listed("mark", asked)

    def index(self, asked: Asked) -> Any:
        return self._listed("index", asked)

    def premium(self, asked: Asked) -> Any:
        return self._listed("premium", asked)

    def _listed(self, kind: Kind, asked: Asked) -> Any:
        """A start alone: from there on. Else the newest, up to the end where one is given."""
        if not is_linear(asked, "linear"):
            return {"symbol": str(asked.get("symbol") or ""), "category": asked["category"], "list": []}
        instrument = spec_of(self._exchange, asked, "linear").instrument
        interval = INTERVALS.get(str(asked.get("interval")))
        if interval is None:
            raise bad_param("interval invalid")
        start, end = optional_ms(asked, "start"), optional_ms(asked, "end")
        limit = limit_of(asked, 200, 1000)
        candles = self._exchange.candles(
            instrument.symbol,
            kind,
            interval,
            start_ms=start,
            end_ms=end,
            limit=limit,
            oldest=start is not None and end is None,
        )
        rows = []
        for one in reversed(candles):
            prices = (one.open, one.high, one.low, one.close)
            tick = instrument.tick_size
            row = [str(one.open_ms), *(cut(price) if kind == "premium" else fit(price, tick) for price in prices)]
            if kind == "last":
                row += [fit(one.volume, instrument.quantity_step), cut(one.turnover)]
            rows.append(row)
        return {"symbol": instrument.symbol, "category": "linear", "list": rows}
