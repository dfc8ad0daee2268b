"""Holes in streams: while a topic is away, with its connection or alone, nobody knows what it would have said.

Each connection knows of its own topics (TopicHoles). The manager (StreamHoles) tells whoever reads a venue's holes back
(public_gaps.py), and marks by a Gap what nobody reads: of streams that the user has named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.gap_telling import GapTeller
from perpwire.api_connector.topic_uses import BY_NAME, TopicUses
from perpwire.clock import Clock
from perpwire.model.incident import Incident
from perpwire.model.market import Event
from perpwire.venues.base import Topic, Venue

LOST = "the connection was lost"
MUTE = "the topic was mute"
GARBLED = "a frame could not be read"
TORN = "one socket went on where the other had not come to"
ANEW = "the topic was subscribed anew"


class Mender(Protocol):
    """Reads back what the streams of a venue have missed. Of each topic it hears in turns that it is away, and back;
    of one that nobody wants any more, nothing."""

    def away(self, topic: str) -> None:
        """What comes of it from now on is not the next."""
        ...

    def back(self, topic: str, since_ns: int, why: str) -> Collection[type[Event]]:
        """It is there again, and has said nothing yet, or speaks again. Gives the kinds of events that are seen to.

        Args:
            since_ns: Arrival of the last that it said, or, where it had said nothing, its acknowledgement.
        """
        ...


class _Away(NamedTuple):
    since_ns: int
    why: str
    told_ns: int


class TopicHoles:
    """Of the topics of one connection: which are away, and since when. It ends with the connection.

    Args:
        told_ns: Topic -> arrival of the last that was delivered of it, by a socket that is still known; 0: nothing.
    """

    def __init__(
        self,
        clock: Clock,
        told_ns: Callable[[str], int],
        on_away: Callable[[str], None],
        on_back: Callable[[str, int, str], None],
    ) -> None:
        self._clock = clock
        self._told_ns = told_ns
        self._on_away = on_away
        self._on_back = on_back
        self._away: dict[str, _Away] = {}
        self._there_ns: dict[str, int] = {}
        """Topic -> when it was acknowledged last."""
        self._spoke: set[str] = set()
        """Have said something before they were away."""

    def acknowledged(self, topic: str) -> None:
        self._there_ns[topic] = self._clock.time_ns()

    def was_there(self, topic: str) -> bool:
        """It was acknowledged once."""
        return topic in self._there_ns

    def has_spoken(self, topic: str) -> bool:
        """At any time, on any socket."""
        return topic in self._spoke or self._told_ns(topic) > 0

    def away(self, topic: str, why: str, since_ns: int = 0) -> None:
        """What was never there can't be away.

        Args:
            since_ns: Arrival of the last before it, where it is another than the last that was delivered.
        """
        if not self.was_there(topic):
            return
        told_ns = self._told_ns(topic)
        known = self._away.get(topic)
        if known is not None:
            if told_ns in (0, known.told_ns):
                return
            self.back(topic)  # it has spoken since, and nobody has seen that yet: this is another hole
        if told_ns:
            self._spoke.add(topic)
        self._away[topic] = _Away(since_ns or max(told_ns, self._there_ns[topic]), why, told_ns)
        self._on_away(topic)

    def torn(self, topic: str, why: str) -> None:
        """Something is missing of it here, and it goes on; where it is away, that is in the same hole."""
        away = self._away.get(topic)
        if away is None or self._told_ns(topic) not in (0, away.told_ns):
            self.away(topic, why)
            self.back(topic)

    def back(self, topic: str) -> None:
        away = self._away.pop(topic, None)
        if away is not None:
            self._on_back(topic, away.since_ns, away.why)

    @property
    def topics(self) -> tuple[str, ...]:
        """Those that are away."""
        return tuple(self._away)

    def forget(self, topic: str) -> None:
        """The connection carries it no more: if it is still wanted, another one does."""
        self.back(topic)
        self._there_ns.pop(topic, None)
        self._spoke.discard(topic)


class StreamHoles:
    """Of all connections of a manager; see module docstring."""

    def __init__(self, frames: FramePath, uses: TopicUses, clock: Clock, tell: Callable[[Incident], None]) -> None:
        self._frames = frames
        self._uses = uses
        self._clock = clock
        self._tell = tell
        self._menders: dict[str, Mender] = {}
        """Venue name -> who reads its holes back."""
        self._away: Counter[tuple[str, str]] = Counter()
        """Venue name and topic -> on how many connections it is away: while it is tried on another route, there are
        two."""

    def mended_by(self, venue_name: str, mender: Mender) -> Callable[[], None]:
        """Have a venue's holes read back. Returns a function that ends it."""
        self._menders[venue_name] = mender

        def off() -> None:
            if self._menders.get(venue_name) is mender:
                del self._menders[venue_name]

        return off

    def clear(self) -> None:
        """All connections have ended."""
        self._away.clear()

    def of_connection(self, venue: Venue, route: str, told_ns: Callable[[str], int]) -> TopicHoles:
        """The memory of a new connection."""

        def away(name: str) -> None:
            self._away[venue.name, name] += 1
            mender = self._menders.get(venue.name)
            if mender is not None and self._away[venue.name, name] == 1:
                mender.away(name)

        def back(name: str, since_ns: int, why: str) -> None:
            topic = Topic(route, name)
            self._away[venue.name, name] -= 1
            if self._away[venue.name, name]:
                return
            del self._away[venue.name, name]
            if not self._uses.is_held(venue.name, topic):
                return  # nobody wants to know any more
            mender = self._menders.get(venue.name)
            seen_to = () if mender is None else mender.back(name, since_ns, why)
            if self._uses.is_held_by(venue.name, topic, BY_NAME):
                self._mark(venue, topic, since_ns, why, seen_to)

        return TopicHoles(self._clock, told_ns, away, back)

    def _mark(self, venue: Venue, topic: Topic, since_ns: int, why: str, seen_to: Collection[type[Event]]) -> None:
        teller = GapTeller(venue.name, self._frames, self._clock, self._tell)
        for said in venue.carries(topic):
            if not any(issubclass(said.kind, kind) or issubclass(kind, said.kind) for kind in seen_to):
                teller.tell(said.kind, said.symbol, since_ns, why, is_repaired=False, interval=said.interval)
