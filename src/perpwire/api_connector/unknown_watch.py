"""What venues say that this version does not know: told once for each word."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.api_connector.frame_path import FramePath
from perpwire.clock import Clock
from perpwire.model.incident import Incident, UnknownSeen
from perpwire.model.market import Unknown
from perpwire.model.order import Fill, Order

MOST = 1000
"""So many words are told."""


class UnknownWatch:
    """One for all streams of a manager."""

    def __init__(self, frames: FramePath, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._clock = clock
        self._on_incident = on_incident
        self._told: set[tuple[str, str, str]] = set()
        frames.on(Unknown, self._see_message)
        for kind in (Order, Fill):
            frames.on(kind, self.see_words)

    def _see_message(self, unknown: Unknown) -> None:
        if unknown.name:  # else it could not be read, and is told as such
            self._tell(unknown.venue, "stream event", unknown.name)

    def see_words(self, event: Order | Fill) -> None:
        """One that is delivered, or that was told before without these words and is not."""
        for words in event.unknown_words:
            where, _, word = words.partition(" ")
            self._tell(event.venue, f"{type(event).__name__}.{where}", word)

    def _tell(self, venue: str, where: str, word: str) -> None:
        key = (venue, where, word)
        if key in self._told or len(self._told) >= MOST:
            return
        self._told.add(key)
        self._on_incident(
            UnknownSeen(
                venue=venue,
                time_ns=self._clock.time_ns(),
                where=where,
                word=word,
            )
        )
