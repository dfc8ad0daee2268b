"""The whole market and one symbol of it, subscribed beside each other, tell a handler nothing twice.

Both streams are the venue's, and say the same facts at paces of their own. While a kind is asked for in ways that
overlap, its events pass a gate that lets each fact through the first time that either stream tells it, and nothing that
is older than what the other has told a moment ago. Otherwise there is no gate, and it costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from perpwire.api_connector.frame_path import FramePath
from perpwire.model.market import (
    AssetIndex,
    BookTicker,
    Event,
    Liquidation,
    MarkPrice,
    MiniTicker,
    Ticker,
)

TOLD: tuple[type[Event], ...] = (BookTicker, MarkPrice, Ticker, MiniTicker, Liquidation, AssetIndex)
"""Kinds that come of one symbol, and of the whole market, on different streams."""

REMEMBERED = 64
"""Facts of one symbol: a stream is not so many behind the other."""

OVERTAKEN_NS = 2_000_000_000
"""What is older than an event that came so lately was overtaken by it. Later it is believed, since a venue's clock
and its counters may be put back."""


class Overlaps:
    """One for a connector's public streams."""

    def __init__(self, frames: FramePath) -> None:
        self._frames = frames
        self._asked: dict[type[Event], dict[str, set[str]]] = {}
        """Kind -> topic -> symbols that it is asked for; "" is every symbol."""
        self._gates: dict[type[Event], Callable[[], None]] = {}

    def follow(self, kind: type[Event], symbol: str, topic: str) -> None:
        """Somebody uses the topic for this."""
        if kind in TOLD:
            self._asked.setdefault(kind, {}).setdefault(topic, set()).add(symbol)
            self._see_to(kind)

    def forget(self, topic: str) -> None:
        """Nobody uses it any more."""
        for kind, topics in self._asked.items():
            if topics.pop(topic, None) is not None:
                self._see_to(kind)

    def _see_to(self, kind: type[Event]) -> None:
        symbols = [symbol for asked in self._asked[kind].values() for symbol in asked]
        overlap = len(self._asked[kind]) > 1 and ("" in symbols or len(symbols) > len(set(symbols)))
        if overlap and kind not in self._gates:
            self._gates[kind] = self._frames.gate(kind, ToldOnce(kind).passes)
        elif not overlap and kind in self._gates:
            self._gates.pop(kind)()


class ToldOnce:
    """Which events of one kind are news. Pure."""

    def __init__(self, kind: type[Event]) -> None:
        names = [name for name in kind.__struct_fields__ if name not in ("received_ns", "recovered")]
        self._fact: Callable[[Any], Any] = attrgetter(*names)
        # The newer of two liquidations does not take the older one's place.
        self._age: Callable[[Any], int] | None = attrgetter("update_id" if kind is BookTicker else "venue_time_ms")
        if kind is Liquidation:
            self._age = None
        self._told: dict[str, deque[Any]] = {}
        self._newest: dict[str, Event] = {}

    def passes(self, event: Event) -> bool:
        told = self._told.get(event.symbol)
        if told is None:
            told = self._told[event.symbol] = deque(maxlen=REMEMBERED)
        fact = self._fact(event)
        if fact in told:
            return False
        newest = self._newest.get(event.symbol)
        is_older = self._age is not None and newest is not None and self._age(event) < self._age(newest)
        if is_older and newest is not None and event.received_ns - newest.received_ns < OVERTAKEN_NS:
            return False
        self._newest[event.symbol] = event
        told.append(fact)
        return True
