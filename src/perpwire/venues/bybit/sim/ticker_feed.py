"""tickers.{symbol}: a snapshot, then the fields that changed. Price and size at the top of a side come together.

Source: docs/v5/websocket/public/ticker, as of 2026-07-24.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.feeds import FeedParts, SteppedFeed, encode
from perpwire.venues.bybit.sim.hub import Subscriber

TICKER_INTERVAL_S = 0.100

PAIRS = (("bid1Price", "bid1Size"), ("ask1Price", "ask1Size"))


class TickerFeed(SteppedFeed):
    """`fields` gives a symbol's ticker as it is now, without the symbol."""

    def __init__(self, symbol: str, fields: Callable[[str], dict[str, str]], parts: FeedParts) -> None:
        super().__init__(f"tickers.{symbol}", TICKER_INTERVAL_S, parts)
        self._symbol = symbol
        self._fields_of = fields
        self._published: dict[str, str] = {}

    def wake(self) -> None:
        self._published = self._fields_of(self._symbol)

    def publish(self) -> None:
        before, now = self._published, self._fields_of(self._symbol)
        changed = {name: value for name, value in now.items() if before.get(name) != value}
        for pair in PAIRS:
            if any(name in changed for name in pair):
                changed |= {name: now[name] for name in pair}
        self._published = now
        if changed:
            self._hub.publish(self.topic, lambda: self._frame("delta", changed))

    def welcome(self, subscriber: Subscriber) -> None:
        subscriber.push(self._frame("snapshot", self._published), self.topic)

    def _frame(self, kind: Any, fields: dict[str, str]) -> bytes:
        return encode(
            wire_streams.TickerFrame(
                topic=self.topic,
                type=kind,
                data=wire_streams.SentTicker(symbol=self._symbol, **fields),
                ts=self._exchange.now_ms(),
                cs=self._exchange.seq(self._symbol),
            )
        )
