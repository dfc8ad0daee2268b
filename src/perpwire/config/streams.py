"""The words by which settings and the command line call kinds of market data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from perpwire.model.market import BookTicker, Event, Kline, Liquidation, MarkPrice, Ticker, Trade

KINDS: Mapping[str, type[Event]] = MappingProxyType(
    {
        "trades": Trade,
        "quotes": BookTicker,
        "mark_price": MarkPrice,
        "klines": Kline,
        "ticker": Ticker,
        "liquidations": Liquidation,
    }
)
"""VenueSettings.streams -> what it is."""

CANDLES = "1m"
"""Candles are followed by the minute: longer ones are made of these."""
