"""What all stream producers share: hearing events, publishing payloads, and waking at a steady pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from perpwire.clock import Timer
from perpwire.simulator.exchange import Exchange

Publish = Callable[[bytes], None]

Hearing = Mapping[type[Any], Callable[[Any], None]]
"""Kind of event -> what is called with each of them."""


class Producer:
    """Makes the payloads of one stream. It lives while somebody is subscribed to the stream's name.

    Attributes:
        hears: The events that it is told of, those of its symbol, or of every symbol for a stream of the whole market.
    """

    hears: Hearing

    def __init__(self, exchange: Exchange, publish: Publish) -> None:
        self._exchange = exchange
        self._publish = publish
        self._timer: Timer | None = None
        self._encode = msgspec.json.Encoder().encode
        self.hears = {}

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, event: Any) -> None:
        self._publish(self._encode(event))

    def _wake_at_next(self, period_ms: int) -> None:
        """Call `_tick` at the next multiple of `period_ms` of the venue's clock, unless that is on its way."""
        if self._timer is None:
            wait_ms = period_ms - self._exchange.now_ms() % period_ms
            self._timer = self._exchange.clock.call_later(wait_ms / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._tick()

    def _tick(self) -> None: ...


class PacedProducer(Producer):
    """Wakes at every multiple of its period, from its first moment to its last."""

    def __init__(self, exchange: Exchange, publish: Publish, period_ms: int) -> None:
        super().__init__(exchange, publish)
        self._period_ms = period_ms
        self._wake_at_next(period_ms)

    def _on_timer(self) -> None:
        self._timer = None
        self._wake_at_next(self._period_ms)
        self._tick()
