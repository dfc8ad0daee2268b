"""A recording as events again, through the same decoders that read them live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from perpwire.data_processor.recording_format import BOOK, Frame
from perpwire.model.market import BookSnapshot, Event, Gap, Unknown
from perpwire.venues.base import Session, Venue

_LOST = ("ConnectionLost", "StreamStale", "frames_dropped")
"""Facts after which a connection begins anew, or events are missing."""


class Replay:
    """Makes events of frames: each connection has a session of its own, and a new one after it was lost.

        for event in Replay(Recording("perpwire-20261126T000000Z.txt.zst"), load):
            ...

    Where the recording says that something is missing, a Gap stands before what comes next: of the connection that was
    lost, or of all where frames were dropped while recording.

    Attributes:
        frames: Frames of venues that were read.
        controls: Those that were no data: acknowledgements, pongs.
        garbled: Those that could not be read; they come as Unknown, too.
    """

    def __init__(self, frames: Iterable[Frame], load: Callable[[str], Venue]) -> None:
        """
        Args:
            load: Gives a venue's tables by name: perpwire.venues.load.
        """
        self._frames = frames
        self._load = load
        self._sessions: dict[str, Session] = {}
        self._last_ns: dict[str, int] = {}
        self._gaps: dict[str, str] = {}
        """Connections before whose next frame a Gap stands, and why."""
        self.frames = self.controls = self.garbled = 0

    def __iter__(self) -> Iterator[Event]:
        for _, events in self.by_frame():
            yield from events

    def by_frame(self) -> Iterator[tuple[Frame, list[Event]]]:
        """Each frame of a venue with its events: none for one that is no data; and each book that was noted."""
        for frame in self._frames:
            fact = frame.fact()
            if fact is not None:
                if fact.get("event") == BOOK:
                    yield frame, [_book(fact, frame.received_ns)]
                self._take(fact)
                continue
            self.frames += 1
            yield frame, [*self._gap(frame), *self._events(frame)]
            self._last_ns[frame.connection] = frame.received_ns

    def _events(self, frame: Frame) -> list[Event]:
        session = self._sessions.get(frame.connection)
        if session is None:
            session = self._sessions[frame.connection] = self._load(frame.venue).session(frame.route)
        try:
            events = session.on_frame(frame.data, frame.received_ns)
        except (msgspec.DecodeError, ValueError, KeyError, ArithmeticError, RecursionError):
            self.garbled += 1
            text = frame.data.decode(errors="replace")
            return [Unknown(venue=frame.venue, received_ns=frame.received_ns, name="", raw=text)]
        if events is None:
            self.controls += 1
            return []
        return list(events)

    def _take(self, fact: dict[str, Any]) -> None:
        kind = fact.get("event")
        if kind not in _LOST:
            return
        connection = fact.get("connection")
        lost = [str(connection)] if connection else list(self._sessions)
        for name in lost:
            self._sessions.pop(name, None)
            self._gaps[name] = "frames were dropped while recording" if kind == "frames_dropped" else str(kind)

    def _gap(self, frame: Frame) -> list[Event]:
        why = self._gaps.pop(frame.connection, None)
        if why is None:
            return []
        return [
            Gap(
                venue=frame.venue, received_ns=frame.received_ns, kind="Event", why=why,
                since_ns=self._last_ns.get(frame.connection, 0), until_ns=frame.received_ns,
            )
        ]  # fmt: skip


def _book(fact: dict[str, Any], received_ns: int) -> BookSnapshot:
    return BookSnapshot(
        venue=fact["venue"],
        symbol=fact["symbol"],
        venue_time_ms=fact["venue_time_ms"],
        received_ns=received_ns,
        update_id=fact["update_id"],
        sequence=fact["sequence"],
        bid_text=tuple((price, quantity) for price, quantity in fact["bids"]),
        ask_text=tuple((price, quantity) for price, quantity in fact["asks"]),
    )
