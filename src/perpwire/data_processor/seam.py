"""Several sockets say the same: each event once, in order. Pure.

Used while more than one socket carries the same topics: a successor beside the one that it replaces, or copies that the
user asked for. The events of one topic, kind and symbol are one sequence, and every socket says that sequence, one a
little later than the other. What was delivered of it is kept as a log; each socket has its place in it. What a socket
says next is either what stands at its place, and then it was delivered, or it is new.

A socket that has just come must find its place first: the one before it may still be behind. Until they meet, or the
other is gone, what it says waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any

from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, Trade
from perpwire.venues.base import Session

TAIL = 32
"""Events of one sequence that are remembered although every socket has said them."""

LOG = 4096
"""And of those that one has not said yet; twice as many at most."""


class Source:
    """One socket.

    Attributes:
        has_joined: What it says need not wait for any other.
    """

    def __init__(self, *, has_joined: bool) -> None:
        self.has_joined = has_joined


class _Sequence:
    """Events of one topic, kind and symbol."""

    __slots__ = ("_sources", "held", "key", "log", "newest", "places")

    def __init__(self, key: Callable[[Any], Any], places: dict[Source, int], sources: Collection[Source]) -> None:
        self._sources = sources
        self.key = key
        self.log: list[Any] = []
        self.newest: int | None = None
        self.places = places
        self.held: dict[Source, list[Event]] = {}

    def take(self, source: Source, event: Event, waits: bool, out: list[Event]) -> None:
        """Add what is new to `out`, what waits elsewhere and may now go included."""
        place = self.places.get(source)
        if place is not None:
            self._place(source, place, event, out)
        elif waits:
            self.held.setdefault(source, []).append(event)
            self.meet(source, out)
        else:
            said = self._after_last(self.key(event))
            self.places[source] = len(self.log) if said is None else said
            if said is None:
                self._place(source, len(self.log), event, out)

    def _place(self, source: Source, place: int, event: Event, out: list[Event]) -> None:
        """Of a socket that has its place."""
        key, log = self.key(event), self.log
        at = place
        while at < len(log):
            if log[at] == key:
                self.places[source] = at + 1
                return
            at += 1
        if type(key) is int:
            if self.newest is not None and key < self.newest and key != 1:
                return  # overtaken by what came after it
            self.newest = key
        elif isinstance(event, BookSnapshot):
            self.newest = event.update_id
        log.append(key)
        self.places[source] = len(log)
        out.append(event)
        if len(log) > 2 * TAIL:
            self._shorten()
        for other in tuple(self.held):
            self.meet(other, out)

    def meet(self, source: Source, out: list[Event]) -> None:
        """Find the place of one that waits, if what it has said was delivered meanwhile."""
        held = self.held[source]
        for index in range(len(held) - 1, -1, -1):
            place = self._after_last(self.key(held[index]))
            if place is not None:
                del self.held[source]
                self.places[source] = place
                for event in held[index + 1 :]:
                    self.take(source, event, False, out)
                return

    def release(self, source: Source, out: list[Event]) -> None:
        """It need wait no longer."""
        held = self.held.pop(source, None)
        if held is None:
            return
        self.places[source] = len(self.log)
        for event in held:
            self.take(source, event, False, out)

    def leave(self, source: Source) -> None:
        self.places.pop(source, None)
        self.held.pop(source, None)

    def _after_last(self, key: Any) -> int | None:
        for at in range(len(self.log) - 1, -1, -1):
            if self.log[at] == key:
                return at + 1
        return None

    def _shorten(self) -> None:
        """Forget what all have said; a socket that has said nothing of this yet has to look for its place in it."""
        all_have_a_place = len(self.places) == len(self._sources)
        said_by_all = min(self.places.values()) if all_have_a_place else 0
        gone = min(said_by_all, len(self.log) - TAIL)
        if len(self.log) > 2 * LOG:
            gone = max(gone, LOG)
        if gone < TAIL:
            return  # not worth it yet
        del self.log[:gone]
        for source, place in self.places.items():
            self.places[source] = max(0, place - gone)


class Seam:
    """See module docstring."""

    def __init__(self) -> None:
        self._sequences: dict[tuple[str, Any, str], _Sequence] = {}
        self._sources: dict[Source, None] = {}

    def enter(self, source: Source) -> None:
        self._sources[source] = None

    def leave(self, source: Source) -> None:
        self._sources.pop(source, None)
        for sequence in self._sequences.values():
            sequence.leave(source)

    def fresh(self, source: Source, topic: str, events: Iterable[Event]) -> list[Event]:
        """Of what a socket has just said, what nobody has said before; and what may go on by it."""
        out: list[Event] = []
        waits = not source.has_joined
        for event in events:
            kind, key = _KINDS.get(type(event)) or _learn(type(event))
            sequence = self._sequences.get((topic, kind, event.symbol))
            if sequence is None:
                # Those that were here before were alone: what they say is new.
                places = {one: 0 for one in self._sources if one.has_joined}
                sequence = _Sequence(key, places, self._sources)
                self._sequences[topic, kind, event.symbol] = sequence
            sequence.take(source, event, waits, out)
        return out

    def release(self, source: Source) -> list[Event]:
        """From now on it waits for nobody; gives what has waited."""
        source.has_joined = True
        out: list[Event] = []
        for sequence in self._sequences.values():
            sequence.release(source, out)
        return out

    def waits(self, source: Source, beside: Collection[str] = ()) -> bool:
        """Whether anything that it said waits, of other topics than these."""
        return any(
            source in sequence.held and topic not in beside for (topic, _, _), sequence in self._sequences.items()
        )

    def renew(self, source: Source, topic: str) -> None:
        """A topic is subscribed anew on one of several sockets: it has to find its place again."""
        source.has_joined = False
        for (name, _, _), sequence in self._sequences.items():
            if name == topic:
                sequence.leave(source)
            elif source not in sequence.held:
                sequence.places.setdefault(source, len(sequence.log))


class Sieve:
    """Decodes for one socket in its session's place, and lets through what is new."""

    def __init__(self, session: Session, seam: Seam, source: Source) -> None:
        self.source = source
        self._session = session
        self._seam = seam

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        events = self._session.on_frame(frame, received_ns)
        if not events:
            return events
        return self._seam.fresh(self.source, self._session.topic_of(frame), events)


# --- what makes two events the same ---------------------------------------------------------------------------------

_KINDS: dict[type[Event], tuple[Any, Callable[[Any], Any]]] = {}
"""Class of event -> which sequence it is part of, and the key by which it is known."""


def _book_key(event: BookDelta | BookSnapshot) -> Any:
    return event.update_id if isinstance(event, BookDelta) else ("snapshot", event.update_id)


def _learn(kind: type[Event]) -> tuple[Any, Callable[[Any], Any]]:
    found: tuple[Any, Callable[[Any], Any]]
    if issubclass(kind, BookDelta | BookSnapshot):
        found = ("book", _book_key)
    elif issubclass(kind, Trade):
        found = (kind, attrgetter("trade_id"))
    elif issubclass(kind, BookTicker):
        found = (kind, attrgetter("update_id"))
    else:
        # All that it says; when it arrived is not part of that.
        found = (kind, attrgetter(*(name for name in kind.__struct_fields__ if name != "received_ns")))
    _KINDS[kind] = found
    return found
