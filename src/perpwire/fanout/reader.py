"""Reads what a fan-out writes: the same events, of the same types, with a Gap wherever one is missing.

async for event in read("redis://127.0.0.1:6379", venue="bybit", kinds=[Trade], symbols=["BTCUSDT"]):
    print(event)
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Literal, NamedTuple, Self

from perpwire.api_connector.retry import is_told, reconnect_pause_s
from perpwire.clock import Clock, SystemClock
from perpwire.entropy import system_random
from perpwire.errors import BadInput
from perpwire.fanout.backlog import NO_SYMBOL
from perpwire.fanout.link import Link, RedisFailed, Stored
from perpwire.model.incident import Incident
from perpwire.model.market import Event, Gap, Recovered, Stale, Unknown
from perpwire.model.written import KINDS, Told, read as read_event

log = logging.getLogger("perpwire.fanout")

Since = Literal["now", "oldest"] | int | Mapping[str, str]

AT_ONCE = 500
"""Entries that are asked for in one go, of all streams together: reading them holds the loop for some milliseconds."""
WAIT_S = 1.0
LOOK_S = 1.0
"""A stream that begins later is found so soon, and read from its beginning."""
MOST_PAUSE_S = 5.0
PRODUCERS = 8
"""Of each stream, that are remembered."""

_ALWAYS = (Gap, Stale, Recovered, Unknown)
"""Delivered whatever kinds are asked for: they say what is not known of these."""


class Key(NamedTuple):
    """What a stream's key says. `symbol` is "" where its events belong to none."""

    name: str
    kind: str
    symbol: str


class _Place:
    """How far one stream has been read.

    Attributes:
        id: Of the last entry; "0-0" before the first.
        seen: Producer -> number of its last entry; the last one stands last.
        may_lack: What was asked for began before what the stream still has.
        rewound: Redis has lost what had been read, and is read from its beginning.
        event_ns: Arrival of the last event at its producer, Unix nanoseconds; 0 where it has none.
    """

    __slots__ = ("event_ns", "id", "key", "may_lack", "rewound", "seen")

    def __init__(self, key: Key, entry_id: str = "0-0", *, may_lack: bool = False) -> None:
        self.key = key
        self.id = entry_id
        self.seen: dict[str, int] = {}
        self.may_lack = may_lack
        self.rewound = False
        self.event_ns = 0

    def has_seen(self, producer: str, number: int) -> None:
        self.seen.pop(producer, None)
        self.seen[producer] = number
        if len(self.seen) > PRODUCERS:
            del self.seen[next(iter(self.seen))]

    def missing(self, entry: Stored) -> str | None:
        """What is missing before this entry, in words: "" for nothing; None: it was read before."""
        last = self.seen.get(entry.producer)
        if last is not None:
            lost = entry.number - last - 1
            if lost < 0:
                return None
            return f"{lost} entries are missing in Redis: trimmed, or lost by it" if lost else ""
        if self.seen:
            if self.rewound and _began(entry.producer) < _began(next(reversed(self.seen))):
                return None
            return "another producer goes on here: what came between the two is not known"
        return "entries of that time are in Redis no more" if self.may_lack and entry.number > 1 else ""

    def as_text(self) -> str:
        producer = next(reversed(self.seen), "-")
        return f"{self.id} {producer} {self.seen.get(producer, 0)} {self.event_ns}"

    @staticmethod
    def from_text(key: Key, text: str) -> _Place:
        """
        Raises:
            ValueError: It is none of ours.
        """
        entry_id, producer, number, event_ns = text.split(" ")
        _order(entry_id)
        place = _Place(key, entry_id, may_lack=True)
        place.event_ns = int(event_ns)
        if producer != "-":
            place.has_seen(producer, int(number))
        return place


class FanoutReader:
    """What `read` gives: an async iterator that has no end. Redis may go and come back meanwhile.

    Attributes:
        gaps: Holes that the reader found by itself, beside those that the producer tells of.
    """

    def __init__(
        self,
        link: Link,
        *,
        venue: str | None,
        kinds: tuple[type[Told], ...],
        symbols: frozenset[str] | None,
        since: Since,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._link = link
        self._venue = venue
        self._kinds = kinds
        self._symbols = symbols
        self._since = since
        self._clock = clock
        self._rng = rng
        self._places: dict[str, _Place] = {}
        self._ready: deque[tuple[Told, str, str]] = deque()
        """Events that wait, with their streams and the positions after them."""
        self._positions: dict[str, str] = {} if isinstance(since, str | int) else dict(since)
        self._asking: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._looked_ns: int | None = None
        self._is_first = True
        self._failures = 0
        self.gaps = 0

    def __repr__(self) -> str:
        return f"<FanoutReader of {self._link.address}, {len(self._places)} streams>"

    @property
    def position(self) -> dict[str, str]:
        """How far has been read, event by event: keep it, and give it as `since` to go on from there. Texts, such as
        JSON can keep."""
        return dict(self._positions)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Told:
        while not self._ready:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._asking is None:
                self._asking = asyncio.get_running_loop().create_task(self._fill(), name="perpwire fanout reader")
                self._asking.add_done_callback(self._has_asked)
            await asyncio.wait((self._asking,))  # not ended with who waits: a caller's lost patience costs no answer
        told, stream, position = self._ready.popleft()
        self._positions[stream] = position
        return told

    def _has_asked(self, asking: asyncio.Task[None]) -> None:
        self._asking = None
        self._error = None if asking.cancelled() else asking.exception()

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))
        await self._link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # --- asking -----------------------------------------------------------------------------------------------------

    async def _fill(self) -> None:
        """Ask once, and again after a pause where Redis failed."""
        try:
            now_ns = self._clock.monotonic_ns()
            if self._looked_ns is None or now_ns - self._looked_ns >= LOOK_S * 1e9:
                await self._look()
                self._looked_ns = now_ns
            if not self._places:
                await self._clock.sleep(LOOK_S / 4)
                self._looked_ns = None
                return
            places = {name: one.id for name, one in self._places.items()}
            found = await self._link.after(places, max(1, AT_ONCE // len(places)), WAIT_S)
        except RedisFailed as failure:
            if failure.is_refusal:
                raise
            if is_told(self._failures + 1):
                log.warning("%s; it is tried again (tries: %d)", failure, self._failures + 1)
            self._looked_ns = None  # what it has may be another thing when it is back
            await self._clock.sleep(min(MOST_PAUSE_S, reconnect_pause_s(self._failures, self._rng)))
            self._failures += 1
            return
        self._failures = 0
        for name, entries in found:
            place = self._places[name]
            for entry in entries:
                self._take(name, place, entry)

    async def _look(self) -> None:
        """Find streams that are new, and see whether those that are known are still what they were."""
        names = {name: key for name in await self._link.streams() if (key := self._key(name)) is not None}
        names |= {name: one.key for name, one in self._places.items()}
        for name, (oldest, newest) in (await self._link.ends(names)).items():
            place = self._places.get(name)
            if place is None:
                place = self._places[name] = self._begun(name, names[name], oldest, newest)
                self._positions[name] = place.as_text()
            if place.seen and (newest is None or _order(newest.id) < _order(place.id)):
                place.rewound = True
                place.id = "0-0"
        self._is_first = False

    def _key(self, name: str) -> Key | None:
        """What a stream is, where it is wanted."""
        parts = name.removeprefix(f"{self._link.prefix}:").split(":", 2)
        if len(parts) != 3:
            return None
        key = Key(parts[0], parts[1], "" if parts[2] == NO_SYMBOL else parts[2])
        kind = KINDS.get(key.kind)
        is_wanted = (
            self._venue in (None, key.name)
            and (self._symbols is None or not key.symbol or key.symbol in self._symbols)
            and kind is not None
            and any(issubclass(kind, one) or issubclass(one, kind) for one in self._kinds)
        )
        return key if is_wanted else None

    def _begun(self, name: str, key: Key, oldest: Stored | None, newest: Stored | None) -> _Place:
        since = self._since
        if isinstance(since, Mapping):
            return _Place.from_text(key, since[name]) if name in since else _Place(key, may_lack=True)
        if not self._is_first:
            return _Place(key, may_lack=True)  # it has begun since then
        if since == "oldest":
            return _Place(key)
        if isinstance(since, int):
            return _Place(
                key, f"{since - 1}-{2**64 - 1}", may_lack=oldest is not None and _order(oldest.id)[0] >= since
            )
        place = _Place(key)
        if newest is not None:
            place.id = newest.id
            if newest.producer:
                place.has_seen(newest.producer, newest.number)
        return place

    # --- telling ----------------------------------------------------------------------------------------------------

    def _take(self, name: str, place: _Place, entry: Stored) -> None:
        before, missing = place.as_text(), place.missing(entry) if entry.producer else None
        place.id = entry.id
        if missing is None:
            if not entry.producer:
                log.warning("an entry of %s is not of perpwire, and is passed over", name)
            return
        try:
            told = read_event(entry.text)
        except ValueError as error:
            log.warning("an entry of %s can't be read: %s", name, error)
            raw = entry.text.decode(errors="replace")
            told = Unknown(venue=place.key.name, symbol=place.key.symbol, name=place.key.kind, raw=raw)
        arrived_ns = told.received_ns if isinstance(told, Event) else told.time_ns
        if missing:
            self.gaps += 1
            gap = Gap(
                venue=told.venue, symbol=place.key.symbol, kind=place.key.kind, since_ns=place.event_ns,
                until_ns=arrived_ns, why=missing,
            )  # fmt: skip
            self._ready.append((gap, name, before))
        place.has_seen(entry.producer, entry.number)
        place.event_ns = arrived_ns or place.event_ns
        after = place.as_text()
        if isinstance(told, (*self._kinds, *_ALWAYS)):
            self._ready.append((told, name, after))
        elif not self._ready:
            self._positions[name] = after


def read(
    url: str,
    *,
    venue: str | None = None,
    kinds: Iterable[type[Told]] | type[Told] | None = None,
    symbols: Iterable[str] | str | None = None,
    since: Since = "now",
    prefix: str = "perpwire",
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> FanoutReader:
    """Read a fan-out's events: `async for event in read(...)`, which has no end.

    A Gap stands where events are missing: as the producer found it, or as the numbers of its entries show it. Stale and
    Recovered say that a stream is silent for now. An entry of a kind that this version does not know is Unknown.

    Args:
        url: redis://, rediss:// or unix://, with user and password in it where there are some.
        venue: The connector's name in the fan-out, which is the venue's unless there are several; None: all.
        kinds: Kinds of events, such as Trade or Order, and Incident; None: all.
        symbols: The venue's own symbols; None: all. Events that belong to no symbol, such as a Balance,
            come in any case.
        since: "now"; "oldest" for all that Redis still has; Unix milliseconds of Redis' clock; or an earlier reader's
            `position`.
        prefix: The fan-out's.

    Raises:
        BadInput: No URL of a Redis server, no kind of event, no such `since`; or the client of Redis is not installed.
        RedisFailed: While it is iterated: it refuses our name or password. All else is tried again for as long as it
            takes.
    """
    wanted = (kinds,) if isinstance(kinds, type) else (Event, Incident) if kinds is None else tuple(kinds)
    if not wanted or not all(isinstance(one, type) and issubclass(one, Event | Incident) for one in wanted):
        raise BadInput("kinds must be classes of events, or Incident", code="NO_SUCH_KIND")
    if isinstance(since, str) and since not in ("now", "oldest"):
        raise BadInput(f"since {since!r} is not now, oldest, milliseconds or a position", code="BAD_SINCE")
    if isinstance(since, Mapping):
        try:
            for name, text in since.items():
                _Place.from_text(Key(name, "", ""), text)
        except (ValueError, AttributeError):
            raise BadInput("since is no position of a reader", code="BAD_SINCE") from None
    names = None if symbols is None else frozenset((symbols,) if isinstance(symbols, str) else symbols)
    return FanoutReader(
        Link(url, prefix), venue=venue, kinds=wanted, symbols=names, since=since, clock=clock or SystemClock(),
        rng=rng or system_random(),
    )  # fmt: skip


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _began(producer: str) -> int:
    began, _, _ = producer.partition("-")
    return int(began) if began.isdecimal() else 0
