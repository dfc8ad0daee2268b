"""priceLimit.{symbol}: highest buying and lowest selling price.

Source: docs/v5/websocket/public/order-price-limit, as of 2026-07-24.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.feeds import BeatingFeed, FeedParts, encode
from perpwire.venues.bybit.sim.numbers import fit

LIMIT_INTERVAL_S = 0.300


class LimitFeed(BeatingFeed):
    """`limits` gives the two prices of a symbol as they are now."""

    def __init__(self, symbol: str, limits: Callable[[str], tuple[Decimal, Decimal]], parts: FeedParts) -> None:
        super().__init__(f"priceLimit.{symbol}", LIMIT_INTERVAL_S, parts)
        self._symbol = symbol
        self._limits_of = limits
        self._tick = self._exchange.spec(symbol).instrument.tick_size

    def frame(self) -> bytes:
        highest, lowest = self._limits_of(self._symbol)
        data = wire_streams.LimitData(self._symbol, fit(highest, self._tick), fit(lowest, self._tick))
        return encode(wire_streams.LimitFrame(self.topic, data, self._exchange.now_ms()))
