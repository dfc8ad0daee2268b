"""A hole in a public stream is told of: in place of the events that are missing, and as an incident."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.api_connector.frame_path import FramePath
from perpwire.clock import Clock
from perpwire.model.incident import Incident, StreamGap
from perpwire.model.market import (
    AssetIndex,
    BookSnapshot,
    BookTicker,
    CompositeIndex,
    Event,
    Gap,
    MarkPrice,
    MiniTicker,
    OpenInterest,
    PriceLimits,
    Ticker,
)

STATES: frozenset[type[Event]] = frozenset(
    {BookTicker, BookSnapshot, MarkPrice, Ticker, MiniTicker, OpenInterest, PriceLimits, AssetIndex, CompositeIndex}
)
"""Kinds of which each event is the whole state: a hole in them is marked, but is no trouble."""


class GapTeller:
    """One for a connector's public streams."""

    def __init__(self, venue: str, frames: FramePath, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._venue = venue
        self._frames = frames
        self._clock = clock
        self._on_incident = on_incident

    def tell(
        self,
        kind: type[Event],
        symbol: str,
        since_ns: int,
        why: str,
        *,
        is_repaired: bool,
        interval: str = "",
        ids: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._frames.deliver(
            Gap(
                venue=self._venue,
                symbol=symbol,
                kind=kind.__name__,
                interval=interval,
                since_ns=since_ns,
                until_ns=max(since_ns, self._clock.time_ns()),  # the machine's clock may have been set back
                first_missing=ids[0],
                last_missing=ids[1],
                repaired=is_repaired,
                why=why,
            )
        )
        if kind in STATES:
            return  # the next event of it tells all there is to know
        self._on_incident(
            StreamGap(
                venue=self._venue,
                time_ns=self._clock.time_ns(),
                why=why,
                kind=kind.__name__,
                symbol=symbol,
                repaired=is_repaired,
                interval=interval,
            )
        )
