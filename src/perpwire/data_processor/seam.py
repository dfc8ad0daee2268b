"""Several sockets say the same: each event once, in order. Pure.

Used while more than one socket carries the same topics: a successor beside the one that it replaces, or copies that the
user asked for. The events of one topic, kind and symbol are one sequence, and every socket says that sequence, one a
little later than the other. What was delivered of it is kept as a log; each socket has its place in it. What a socket
says next is what stands at its place or behind it, and then it was delivered; or else, where it is at the end, new. No
number is ever compared with another, so that a venue may count anew, or miscount.

A socket that says what nobody knows, and is not at the end, has missed something, or is ahead of the others: one that
has just come, one that was mute, one that was told nonsense. What it says is held until they meet. It is let go unmet
when there is nobody left to meet, or nobody says anything any more; then the topic is torn: what lies between is not
known. What a socket holds that ends meanwhile is held on.

One that has its place may have been mute all the same: it is found out when it goes past what it never said, or says
what another has held with more before it. What is held is filled in then; where nobody knows what lies before that, the
topic is torn, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from perpwire.model.account import Balance, Position
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, Trade
from perpwire.venues.base import Session

TAIL = 32
"""Events of one sequence that are remembered although every socket has said them."""

LOG = 4096
"""And of those that one has not said yet; twice as many at most."""

HOLD_S = 5.0
"""What a socket says waits at most so long for others that are mute."""

LATE_S = 15.0
"""And so long for others that speak, and are behind."""

OVERTAKEN_S = 60.0
"""One that others were let go ahead of may be behind them for so long."""

IN_TIME_S = 1.0
"""What has waited for less may have come just now on all of them."""


class Source:
    """One socket.

    Attributes:
        has_joined: All that is said from now on it says too, and what was said before the others have brought.
        has_spoken: Of anything, since it was looked at.
        spoke_s: When it was found to have.
    """

    def __init__(self, *, has_joined: bool = False) -> None:
        self.has_joined = has_joined
        self.has_spoken = False
        self.spoke_s = float("-inf")


class Rest(NamedTuple):
    """What has waited, of one topic on one socket, and is let go.

    Attributes:
        is_torn: Something before it may be missing.
        since_ns: Arrival of the last that was delivered before it, Unix nanoseconds; 0: nothing was.
        has_ended: It is the last of its socket: something behind it may be missing, too.
    """

    topic: str
    events: list[Event]
    is_torn: bool
    since_ns: int
    has_ended: bool


class _Held:
    """What waits of one socket.

    Attributes:
        since_s: When it was first seen to wait; None: it has not been looked at.
    """

    __slots__ = ("events", "since_s")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.since_s: float | None = None


class _Sequence:
    """Events of one topic, kind and symbol.

    Args:
        is_numbered: Each event has an id. Of others nobody is found out to have been mute: one socket may say the same
            in other words than another.
        tear: Told, before what comes next is added to what goes on, that something before it may be missing: with the
            arrival of the last that went on.
    """

    __slots__ = (
        "held", "is_ahead", "is_numbered", "is_state", "key", "last_ms", "last_ns", "log", "places", "sources", "tear"
    )  # fmt: skip

    def __init__(
        self,
        key: Callable[[Any], Any],
        is_state: bool,
        is_numbered: bool,
        sources: Collection[Source],
        tear: Callable[[int], None],
    ) -> None:
        self.is_numbered = is_numbered
        self.tear = tear
        self.key = key
        self.is_state = is_state
        self.sources = sources
        self.log: list[Any] = []
        # Who has joined has said nothing of it yet, and was there.
        self.places = {source: 0 for source in sources if source.has_joined}
        self.held: dict[Source, _Held] = {}
        self.is_ahead = False
        self.last_ms = 0
        self.last_ns = 0

    def take(self, source: Source, event: Event, out: list[Event]) -> None:
        """Add what is new to `out`, what waits elsewhere and may now go included."""
        key, log = self.key(event), self.log
        place = self.places.get(source)
        if place is not None:
            end = len(log)
            for at in range(place, end):
                if log[at] == key:
                    self.places[source] = at + 1
                    return
            if place < end and not self._has_only_repeats(place):
                if self._waits(source):
                    del self.places[source]
                    self._hold(source, event)
                    return
                if self.is_ahead and self._is_overtaken(event):
                    return
                if self.is_numbered and event.venue_time_ms > self.last_ms:
                    self.tear(self.last_ns)  # it was mute while others spoke, who have ended
        else:
            met = self._after_last(key)
            if met is not None:
                self.held.pop(source, None)
                self.places[source] = met
                return
            if source in self.held or self._waits(source):
                self._hold(source, event)
                return
        self._say(source, key, event, out)

    def _say(self, source: Source, key: Any, event: Event, out: list[Event]) -> None:
        log = self.log
        if self.is_state and key in log and log[-1] != key:
            self.places[source] = len(log)
            return  # an older state that was told again sets nothing back
        if self.held:
            self._fill_in(key, event, out)
        log.append(key)
        self.places[source] = len(log)
        self.is_ahead = False
        self.last_ms = event.venue_time_ms
        self.last_ns = event.received_ns
        out.append(event)
        if len(log) > 2 * TAIL:
            self._shorten()
        for other in tuple(self.held):
            self._meet(other, key, out)

    def _fill_in(self, key: Any, event: Event, out: list[Event]) -> None:
        """What another socket holds from before `event`, and nobody has said: this one was mute then."""
        for held in tuple(self.held.values()):
            at = self._last_of(held, key)
            if at is None and not self.log:
                continue  # what a new socket begins with, this one may have said before anybody took notice
            # Of what was made in the same millisecond it is not known which came first.
            until_ms = event.venue_time_ms + (at is not None)
            missed = [
                one
                for one in held.events[:at]
                if self.last_ms < one.venue_time_ms < until_ms and not isinstance(one, BookSnapshot)
            ]
            if missed and self.is_numbered and self.log and not self._continues(held.events[0]):
                self.tear(self.last_ns)  # what was said before the other one came, while this one was mute
            for one in missed:
                self.log.append(self.key(one))
            out += missed
            if at is not None or missed:
                return

    def _continues(self, first: Event) -> bool:
        """Whether what begins with it is known to leave out nothing of what follows the last that was delivered."""
        return first.venue_time_ms < self.last_ms or self.key(first) in self.log

    def _meet(self, source: Source, key: Any, out: list[Event]) -> None:
        """What was just delivered, one that waits may have said: then it has found its place."""
        held = self.held.get(source)
        if held is None or (at := self._last_of(held, key)) is None:
            return
        self._go_on(source, held.events[at + 1 :], out)

    def release(self, source: Source, out: list[Event]) -> None:
        """It need wait no longer."""
        events = self.held[source].events
        if self.is_ahead:
            events = [event for event in events if not self._is_overtaken(event)]
        self._go_on(source, events, out)
        if events:
            self.is_ahead = True
        elif source in self.places:
            self.places[source] = 0

    def _is_overtaken(self, event: Event) -> bool:
        """By what was let go before it, and told to be torn."""
        return event.venue_time_ms <= self.last_ms and event.received_ns - self.last_ns < 1_000_000_000 * OVERTAKEN_S

    def _go_on(self, source: Source, events: list[Event], out: list[Event]) -> None:
        del self.held[source]
        self.places[source] = len(self.log)
        for event in events:
            self.take(source, event, out)
        if source not in self.sources:
            self.places.pop(source, None)

    def leave(self, source: Source) -> None:
        self.places.pop(source, None)

    def next_to_go(self) -> Source | None:
        """One that waits for nobody."""
        return next((source for source in self.held if not self._waits(source)), None)

    def look(self, now_s: float) -> None:
        """Who waits, and whether the others have gone past it."""
        for source, held in tuple(self.held.items()):
            if held.since_s is None:
                held.since_s = now_s
            if now_s - held.since_s >= HOLD_S and held.events[0].venue_time_ms <= self.last_ms:
                # The others have gone past it without a word of it. What is newer may still be met.
                held.events = [event for event in held.events if event.venue_time_ms > self.last_ms]
                held.since_s = now_s
                if not held.events:
                    del self.held[source]

    def next_overdue(self, now_s: float) -> Source | None:
        """The first to go, if one that is still there waits in vain. What one holds that has ended, the others may yet
        bring themselves."""
        there = next((source for source in self.held if source in self.sources), None)
        since_s = None if there is None else self.held[there].since_s
        if since_s is None:
            return None
        they_speak = any(
            other is not there and other not in self.held and now_s - other.spoke_s < HOLD_S for other in self.sources
        )
        return next(iter(self.held)) if now_s - since_s >= (LATE_S if they_speak else HOLD_S) else None

    def is_behind(self, source: Source, now_s: float) -> bool:
        """Whether others are behind what it holds: by more than what comes at about the same time on all."""
        held = self.held.get(source)
        return held is not None and held.since_s is not None and now_s - held.since_s >= IN_TIME_S

    def _hold(self, source: Source, event: Event) -> None:
        self.held.setdefault(source, _Held()).events.append(event)

    def _waits(self, source: Source) -> bool:
        """Whether there is another one that it may meet: that says this sequence, or would if there were any of it."""
        return any(
            other is not source and other not in self.held and (other.has_joined or other in self.places)
            for other in self.sources
        )

    def _has_only_repeats(self, place: int) -> bool:
        """After its place there is only, once more, what it has said last."""
        return place > 0 and all(key == self.log[place - 1] for key in self.log[place:])

    def _last_of(self, held: _Held, key: Any) -> int | None:
        events = held.events
        return next((at for at in range(len(events) - 1, -1, -1) if self.key(events[at]) == key), None)

    def _after_last(self, key: Any) -> int | None:
        log = self.log
        return next((at + 1 for at in range(len(log) - 1, -1, -1) if log[at] == key), None)

    def _shorten(self) -> None:
        """Forget what all have said; a socket that has said nothing of this yet has to look for its place in it."""
        all_have_a_place = len(self.places) == len(self.sources)
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
    """See module docstring.

    Args:
        on_torn: Told of a topic, from within `fresh`, before what it gives: something between that and the last that
            was delivered may be missing, and nobody is going to bring it. With the arrival of that last one.
    """

    def __init__(self, on_torn: Callable[[str, int], None]) -> None:
        self._on_torn = on_torn
        self._sequences: dict[tuple[str, Any, Any], _Sequence] = {}
        self._sources: dict[Source, None] = {}

    def enter(self, source: Source) -> None:
        self._sources[source] = None

    def fresh(self, source: Source, topic: str, events: Iterable[Event]) -> list[Event]:
        """Of what a socket has just said, what nobody has said before; and what may go on by it."""
        out: list[Event] = []
        source.has_spoken = True
        for event in events:
            kind, key, part = _KINDS.get(type(event)) or _learn(type(event))
            of = event.symbol if part is None else (event.symbol, part(event))
            sequence = self._sequences.get((topic, kind, of))
            if sequence is None:
                sequence = self._sequences[topic, kind, of] = _Sequence(
                    key, part is not None, isinstance(event, _NUMBERED), self._sources, partial(self._on_torn, topic)
                )
            sequence.take(source, event, out)
        return out

    def leave(self, source: Source) -> list[Rest]:
        """It says nothing any more. Gives what waited for it alone."""
        self._sources.pop(source, None)
        for sequence in self._sequences.values():
            sequence.leave(source)
        gone_on = self._let_go(_Sequence.next_to_go)
        if not any(one.has_joined for one in self._sources):
            # Whoever says what comes next may count from 1.
            self._sequences = {name: sequence for name, sequence in self._sequences.items() if sequence.places}
        return gone_on

    def release(self, source: Source, now_s: float) -> list[Rest]:
        """From now on it waits for nobody; gives what has waited."""
        source.has_joined = True
        return self._let_go(
            lambda one: source if source in one.held else None, lambda one, source: one.is_behind(source, now_s)
        )

    def overdue(self, now_s: float) -> list[Rest]:
        """What has waited in vain. To be asked about once a second."""
        for source in self._sources:
            if source.has_spoken:
                source.has_spoken, source.spoke_s = False, now_s
        for sequence in self._sequences.values():
            if sequence.held:
                sequence.look(now_s)
        return self._let_go(lambda one: one.next_overdue(now_s))

    def waits(self, source: Source, beside: Collection[str] = ()) -> bool:
        """Whether anything that it said waits, of other topics than these."""
        return any(
            source in sequence.held and topic not in beside for (topic, _, _), sequence in self._sequences.items()
        )

    def holds(self, source: Source, topic: str) -> bool:
        """Whether anything of this topic that it said waits."""
        return any(source in sequence.held for (name, _, _), sequence in self._sequences.items() if name == topic)

    def forget(self, topic: str) -> None:
        """It is no longer subscribed: what it says later begins anew."""
        self._sequences = {name: sequence for name, sequence in self._sequences.items() if name[0] != topic}

    def _let_go(
        self,
        which: Callable[[_Sequence], Source | None],
        is_torn: Callable[[_Sequence, Source], bool] = lambda sequence, source: True,
    ) -> list[Rest]:
        rests: list[Rest] = []
        for (topic, _, _), sequence in self._sequences.items():
            while sequence.held and (source := which(sequence)) is not None:
                torn, since_ns, events = is_torn(sequence, source), sequence.last_ns, list[Event]()
                sequence.release(source, events)
                if events:
                    rests.append(Rest(topic, events, torn, since_ns, source not in self._sources))
        return rests


class Sieve:
    """Decodes for one socket in its session's place, and lets through what is new.

    Args:
        told_ns: Where it notes, by topic, the arrival of the last that it let through.
    """

    def __init__(self, session: Session, seam: Seam, source: Source, told_ns: dict[str, int]) -> None:
        self.source = source
        self._session = session
        self._seam = seam
        self._told_ns = told_ns

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        events = self._session.on_frame(frame, received_ns)
        if not events:
            return events
        topic = self._session.topic_of(frame)
        fresh = self._seam.fresh(self.source, topic, events)
        if fresh:
            self._told_ns[topic] = fresh[-1].received_ns
        return fresh


# --- what makes two events the same ---------------------------------------------------------------------------------

_Key = Callable[[Any], Any]

_NUMBERED = (BookDelta, BookSnapshot, BookTicker, Trade)
"""Their events have ids."""

_KINDS: dict[type[Event], tuple[Any, _Key, _Key | None]] = {}
"""Class of event -> which sequence it is part of, the key by which it is known, and of what part of the account it is
the whole state, if it is one: each part is a sequence of its own."""


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
        part = "position_side" if issubclass(kind, Position) else "asset" if issubclass(kind, Balance) else ""
        found = (kind, key, attrgetter(part) if part else None)
    _KINDS[kind] = found
    return found
