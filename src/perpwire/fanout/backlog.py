"""What waits to be written: bounded, numbered when it is taken, and with a Gap where something had to be dropped."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping

from perpwire.fanout.link import Entry
from perpwire.model.hole import Hole
from perpwire.model.market import Event, Gap, Recovered, Stale
from perpwire.model.written import Told, written

log = logging.getLogger("perpwire.fanout")

NO_SYMBOL = "-"


class Stream:
    """One stream of Redis, as far as we have written it."""

    __slots__ = ("key", "kind", "number")

    def __init__(self, key: str, kind: str) -> None:
        self.key = key
        self.kind = kind
        self.number = 0

    def next(self, text: bytes) -> Entry:
        self.number += 1
        return Entry(self.key, self.number, text)


class Source:
    """One kind of event of one connector: a stream for each symbol.

    Args:
        start: Of its keys: the prefix and the connector's name.

    Attributes:
        names: Kinds by which a Gap may call it.
    """

    def __init__(self, start: str, kind: type[Told]) -> None:
        self._start = f"{start}:{kind.__name__}"
        self.kind = kind
        self.names = frozenset({kind.__name__, *(one.__name__ for one in kind.__subclasses__())})
        self._streams: dict[str, Stream] = {}
        self._of_all: Gap | None = None
        """The last hole in every symbol: also in those that have not spoken yet."""

    def streams_of(self, told: Told) -> list[Stream]:
        """Where it belongs: what is said of every symbol, into each stream that there is."""
        symbol = getattr(told, "symbol", "")
        if symbol or not isinstance(told, Gap | Stale | Recovered):
            return [self._streams.get(symbol) or self._begun(symbol)]
        return list(self._streams.values())

    def entries(self, told: Told) -> list[Entry]:
        made: list[Entry] = []
        text = written(told)
        for stream in self.streams_of(told):
            if not stream.number and self._of_all is not None and told is not self._of_all:
                made.append(stream.next(written(self._of_all)))
            made.append(stream.next(text))
        if isinstance(told, Gap) and not told.symbol:
            self._of_all = told
        return made

    def _begun(self, symbol: str) -> Stream:
        stream = self._streams[symbol] = Stream(f"{self._start}:{symbol or NO_SYMBOL}", self.kind.__name__)
        return stream


class Lane:
    """What waits, oldest first; where there is no more room the oldest is dropped, as it is worth least."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.waiting: deque[tuple[Source, Told]] = deque()
        self.holes: dict[Stream, Hole] = {}
        """What was dropped and not told of yet: it is older than all that waits of its stream."""
        self.dropped = 0

    def drop(self) -> None:
        self.lost(*self.waiting.popleft())

    def lost(self, source: Source, told: Told) -> None:
        """Note that this will not be written."""
        self.dropped += 1
        event = told if isinstance(told, Event) else Event(venue=told.venue, received_ns=told.time_ns)
        for stream in source.streams_of(told):
            hole = self.holes.get(stream)
            if hole is None:
                self.holes[stream] = Hole(event, stream.kind)
            else:
                hole.add(event)


class Backlog:
    """Lanes, each with room of its own; the first one's events overtake those of the others.

    Args:
        rooms: Lane -> most events that wait in it.
    """

    def __init__(self, rooms: Mapping[str, int]) -> None:
        self.lanes = {name: Lane(room) for name, room in rooms.items()}
        self._has_some = asyncio.Event()

    @property
    def waiting(self) -> int:
        return sum(len(lane.waiting) for lane in self.lanes.values())

    @property
    def is_half_full(self) -> bool:
        return any(2 * len(lane.waiting) >= lane.limit for lane in self.lanes.values())

    @property
    def dropped(self) -> int:
        return sum(lane.dropped for lane in self.lanes.values())

    def putter(self, name: str, source: Source) -> Callable[[Told], None]:
        """What to call with each event of a lane: THE HOT PATH, in the read callback. It never waits."""
        lane = self.lanes[name]
        waiting, limit, wake = lane.waiting, lane.limit, self._has_some.set

        def put(told: Told) -> None:
            if len(waiting) >= limit:
                lane.drop()
            waiting.append((source, told))
            wake()

        return put

    async def wait(self) -> None:
        """Until there is something to write, or `wake` is called."""
        await self._has_some.wait()

    def wake(self) -> None:
        self._has_some.set()

    def take(self, most: int) -> list[Entry]:
        """The next entries, about so many; [] where nothing waits."""
        made: list[Entry] = []
        for lane in self.lanes.values():
            holes, lane.holes = lane.holes, {}
            for stream, hole in holes.items():
                why = f"{hole.count} events were dropped here, as Redis did not take them in time"
                made.append(stream.next(written(hole.as_gap(why))))
            waiting = lane.waiting
            while waiting and len(made) < most:
                source, told = waiting.popleft()
                try:
                    made += source.entries(told)
                except Exception:  # what can't be written is told as lost, and must not hold up the rest
                    log.exception("%s can't be written", type(told).__name__)
                    lane.lost(source, told)
        if not self.waiting:
            self._has_some.clear()
        return made
