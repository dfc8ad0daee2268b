"""Several sockets say the same: each event once, in order. Pure.

Used while more than one socket carries the same topics: a successor beside the one that it replaces, or copies that the
user asked for. The events of one topic, kind and symbol are one sequence, and every socket says that sequence, one a
little later than the other. What was delivered of it is kept as a log; each socket has its place in it. What a socket
says next is either what stands at its place, and then it was delivered, or it is new.

A socket that has just come must find its place first: the one before it may still be behind. Until they meet, or the
other is gone, what it says waits.

A position or a balance is whole in each message: one that a later one has overtaken on another socket would set it
back, and is let go of. What is older the venue's time says, which is believed for that alone: of two sockets, within
seconds of our own, and never of what a socket says that is not behind. So a step of the venue's clock stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any

from perpwire.model.account import Balance, Position
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, Trade
from perpwire.venues.base import Session

TAIL = 32
"""Events of one sequence that are remembered although every socket has said them."""

LOG = 4096
"""And of those that one has not said yet; twice as many at most."""


OVERTAKEN_S = 5.0
"""By so much a socket may be behind another one, and its venue's time be believed."""


class Source:
    """One socket.

    Attributes:
        has_joined: What it says need not wait for any other.
    """

    def __init__(self, *, has_joined: bool) -> None:
        self.has_joined = has_joined


class _State:
    """What was delivered of a position or balance, and who has said it or what came after it."""

    __slots__ = ("event", "key", "said_by")

    def __init__(self, event: Event, key: Any, source: Source) -> None:
        self.event = event
        self.key = key
        self.said_by = {source}

    def is_past(self, received_ns: int) -> bool:
        return not 0 <= received_ns - self.event.received_ns <= 1_000_000_000 * OVERTAKEN_S

    def has_overtaken(self, event: Event) -> bool:
        """By the venue's clock, which may have been put back: so both must have come and been made at about one
        time."""
        older_ms = self.event.venue_time_ms - event.venue_time_ms
        return bool(event.venue_time_ms) and 0 < older_ms <= 2000 * OVERTAKEN_S and not self.is_past(event.received_ns)


class _Sequence:
    """Events of one topic, kind and symbol."""

    __slots__ = ("_sources", "held", "key", "log", "newest", "places", "states", "subject")

    def __init__(
        self,
        key: Callable[[Any], Any],
        places: dict[Source, int],
        sources: Collection[Source],
        subject: Callable[[Any], Any] | None,
    ) -> None:
        self._sources = sources
        self.subject = subject
        self.states: dict[Any, list[_State]] = {}
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
            else:
                self._has_said(source, event)

    def _place(self, source: Source, place: int, event: Event, out: list[Event]) -> None:
        """Of a socket that has its place."""
        key, log = self.key(event), self.log
        at = place
        while at < len(log):
            if log[at] == key:
                self.places[source] = at + 1
                self._has_said(source, event)
                return
            at += 1
        if self.subject is not None and self._is_overtaken(source, event, key):
            return
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

    def _is_overtaken(self, source: Source, event: Event, key: Any) -> bool:
        """Of a position or balance: what was delivered is newer. If not, `event` is the newest from now on."""
        assert self.subject is not None
        subject = self.subject(event)
        states = self.states.get(subject, [])
        if any(
            state.has_overtaken(event) and (source not in state.said_by or key in self.log) for state in states[-TAIL:]
        ):
            return True
        late = [state for state in states[-TAIL:] if not state.is_past(event.received_ns)]
        for state in late:
            state.said_by.add(source)
        self.states[subject] = [*late, _State(event, key, source)]
        return False

    def _has_said(self, source: Source, event: Event) -> None:
        """It said what had been delivered."""
        if self.subject is None:
            return
        key, states = self.key(event), self.states.get(self.subject(event), ())
        at = next((n for n, state in enumerate(states) if state.key == key), -1)
        for state in states[: at + 1]:
            state.said_by.add(source)

    def meet(self, source: Source, out: list[Event]) -> None:
        """Find the place of one that waits, if what it has said was delivered meanwhile."""
        held = self.held[source]
        for index in range(len(held) - 1, -1, -1):
            place = self._after_last(self.key(held[index]))
            if place is not None:
                self._has_said(source, held[index])
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
            kind, key, subject = _KINDS.get(type(event)) or _learn(type(event))
            sequence = self._sequences.get((topic, kind, event.symbol))
            if sequence is None:
                # Those that were here before were alone: what they say is new.
                places = {one: 0 for one in self._sources if one.has_joined}
                sequence = _Sequence(key, places, self._sources, subject)
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

_Key = Callable[[Any], Any]

_KINDS: dict[type[Event], tuple[Any, _Key, _Key | None]] = {}
"""Class of event -> which sequence it is part of, the key by which it is known, and of what it is the whole state, if
it is one."""


def _book_key(event: BookDelta | BookSnapshot) -> Any:
    return event.update_id if isinstance(event, BookDelta) else ("snapshot", event.update_id)


def _learn(kind: type[Event]) -> tuple[Any, _Key, _Key | None]:
    found: tuple[Any, _Key, _Key | None]
    if issubclass(kind, BookDelta | BookSnapshot):
        found = ("book", _book_key, None)
    elif issubclass(kind, Trade):
        found = (kind, attrgetter("trade_id"), None)
    elif issubclass(kind, BookTicker):
        found = (kind, attrgetter("update_id"), None)
    else:
        # All that it says; when it arrived is not part of that.
        key = attrgetter(*(name for name in kind.__struct_fields__ if name != "received_ns"))
        subject = "position_side" if issubclass(kind, Position) else "asset" if issubclass(kind, Balance) else ""
        found = (kind, key, attrgetter(subject) if subject else None)
    _KINDS[kind] = found
    return found
