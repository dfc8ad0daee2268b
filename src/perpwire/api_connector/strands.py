"""Events of one stream in their order, with the holes in it.

What comes behind a hole waits for it, each event at most HOLD_S. Holes are mended one after the other, each read for by
itself: a stream that is lost again while it is being mended has one more hole behind what came between, and nothing
passes it.

What a venue's list does not reach it says nothing about: lists lag behind streams. A list is whole where it leads up to
what waits, or, while nothing waits, where it was asked for SETTLED_S after the stream was there again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec.structs import force_setattr

from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.gap_telling import GapTeller
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.model.market import Event
from perpwire.raised import RAISED, is_our_end
from perpwire.venues.base import Venue

E = TypeVar("E", bound=Event)


AWAY = "the stream was away"
"""Why there is a hole, where it is not known better."""

HOLD_S = 10.0
"""Longest that an event waits for what its stream missed."""

SETTLED_S = 10.0
"""What is so old a venue's lists have: they lag behind its streams by a second or two."""

QUIET_S = 60.0
"""While nothing has come behind a hole nothing waits for it either, and it can wait for the budget."""

TRIES = 5
AGAIN_S = 1.0
"""Before the second question; and so much longer before each further one."""

LOOK_S = 0.25


class Hole:
    """Something is, or may be, missing here.

    Attributes:
        since_ns: Arrival of the last event before it, Unix nanoseconds; 0: there was none.
        why: Such as "the connection was lost"; "" before that is known.
        is_over: The stream is there again.
        begun_ns: Since when it is being read for; monotonic.
        held_ns: Since when something waits behind it, monotonic; 0: nothing does.
    """

    __slots__ = ("begun_ns", "held_ns", "is_over", "since_ns", "why")

    def __init__(self, since_ns: int, why: str = "", *, is_over: bool = False) -> None:
        self.since_ns = since_ns
        self.why = why
        self.is_over = is_over
        self.begun_ns = 0
        self.held_ns = 0

    def add(self, more: str) -> None:
        """To the reason."""
        self.why = f"{self.why or AWAY}; {more}"


class Strand(Generic[E]):
    """One stream.

    Attributes:
        last: The newest event that was delivered; None before the first.
        heard_ns: When something that was read back was last delivered; it bears no arrival of its own.
        waiting: Holes and what came behind them, oldest first; where it is not empty it begins with a hole.
        mended: The hole that is just being read for.
        held_ns: Since when what is just being handed on has waited, at most, monotonic; 0: it has not.
        is_dropped: Nobody wants it any more.
    """

    __slots__ = ("heard_ns", "held_ns", "is_dropped", "last", "mended", "symbol", "waiting")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.last: E | None = None
        self.heard_ns = 0
        self.waiting: deque[E | Hole] = deque()
        self.mended: Hole | None = None
        self.held_ns = 0
        self.is_dropped = False

    @property
    def told_ns(self) -> int:
        """Arrival of the newest event that was delivered; 0: there was none."""
        return 0 if self.last is None else self.last.received_ns or self.heard_ns

    @property
    def came_ns(self) -> int:
        """The same of the newest that came."""
        newest = next((one for one in reversed(self.waiting) if not isinstance(one, Hole)), None)
        return self.told_ns if newest is None else newest.received_ns

    def behind(self) -> list[E]:
        """What waits behind the first hole, up to the next one."""
        found: list[E] = []
        for one in list(self.waiting)[1:]:
            if isinstance(one, Hole):
                break
            found.append(one)
        return found


S = TypeVar("S", bound=Strand[Any])


class Means(NamedTuple):
    """What the holes of one connector are mended with.

    Attributes:
        begin: Does something in the background.
    """

    venue: Venue
    requests: RequestPath
    frames: FramePath
    clock: Clock
    teller: GapTeller
    begin: Callable[[Coroutine[Any, Any, None]], None]


class Mending(ABC, Generic[S, E]):
    """Of all strands of one kind."""

    def __init__(self, means: Means) -> None:
        self._venue, self._requests, self._frames, self._clock, self._teller, self._begin = means
        self._is_closed = False

    # --- what each kind says --------------------------------------------------------------------------------------

    @abstractmethod
    async def _read(self, strand: S, hole: Hole) -> None:
        """Read for the hole that the strand begins with, and tell and deliver what there is to be."""

    @abstractmethod
    def _tell_missing(self, strand: S, hole: Hole) -> None:
        """What it holds is not read back."""

    @abstractmethod
    def _step(self, strand: S, event: E) -> bool:
        """Whether an event comes next: it is the newest then. Where it does not, it is dropped, or waits."""

    # --- holes ----------------------------------------------------------------------------------------------------

    def away(self, strand: S) -> None:
        """The stream is lost, or mute. What comes first when it is there again is not the next one."""
        newest = strand.waiting[-1] if strand.waiting else None
        if isinstance(newest, Hole) and newest is not strand.mended:
            newest.is_over = False  # nothing has come since, and nothing was asked
        else:
            strand.waiting.append(Hole(strand.came_ns))

    def back(self, strand: S, since_ns: int, why: str) -> None:
        """It is there again.

        Args:
            since_ns: Arrival of the last that is known of it, where no event of it is.
        """
        newest = next((one for one in reversed(strand.waiting) if isinstance(one, Hole)), None)
        if newest is not None:
            newest.since_ns = newest.since_ns or since_ns
            newest.why = newest.why or why
            newest.is_over = True
            self._see_to(strand)

    def wait(self, strand: S, event: E) -> None:
        """An event that came while there is a hole before it."""
        newest = strand.waiting[-1]
        strand.waiting.append(event)
        if isinstance(newest, Hole):
            newest.held_ns = self._clock.monotonic_ns()
            if not newest.is_over:
                newest.is_over = True  # it speaks
                self._see_to(strand)

    def tear(self, strand: S, event: E, why: str) -> None:
        """There is a hole right before this one."""
        hole = Hole(strand.told_ns, why, is_over=True)
        hole.held_ns = strand.held_ns or self._clock.monotonic_ns()
        strand.waiting.appendleft(event)
        strand.waiting.appendleft(hole)
        self._see_to(strand)

    def drop(self, strand: S) -> None:
        """Nobody wants it any more: nothing more of it is delivered."""
        strand.is_dropped = True
        strand.waiting.clear()

    def _see_to(self, strand: S) -> None:
        first = strand.waiting[0] if strand.waiting else None
        if isinstance(first, Hole) and first.is_over and strand.mended is None and not self._is_closed:
            strand.mended = first
            first.begun_ns = self._clock.monotonic_ns()
            self._begin(self._mend(strand, first))

    async def _mend(self, strand: S, hole: Hole) -> None:
        try:
            await self._read(strand, hole)
        except RAISED as error:  # whatever it is, there is a hole
            if not is_our_end(error):
                self._tell_missing(strand, hole)
            raise
        finally:
            strand.mended = None
            if strand.waiting and not self._is_closed:
                strand.waiting.popleft()
                strand.held_ns = hole.held_ns
                self._release(strand)
                strand.held_ns = 0

    def _release(self, strand: S) -> None:
        """Hand on what waits, up to the next hole."""
        while strand.waiting:
            event = strand.waiting.popleft()
            if isinstance(event, Hole):
                strand.waiting.appendleft(event)
                self._see_to(strand)
                return
            if self._step(strand, event):
                self._frames.pass_on(event)

    # --- for reading back -----------------------------------------------------------------------------------------

    def _left_s(self, hole: Hole) -> float:
        """Seconds for which it may still be read for."""
        until_ns = hole.held_ns + HOLD_S * 1e9 if hole.held_ns else hole.begun_ns + QUIET_S * 1e9
        return (until_ns - self._clock.monotonic_ns()) / 1e9

    async def _hear(self, strand: S, hole: Hole, at_most_s: float) -> None:
        """Wait until something has come behind the hole, be it another one: then it is known where it ends."""
        until_ns = self._clock.monotonic_ns() + round(min(at_most_s, self._left_s(hole)) * 1e9)
        while len(strand.waiting) == 1 and self._clock.monotonic_ns() < until_ns:
            await self._clock.sleep(LOOK_S)

    def _is_settled(self, strand: S, hole: Hole, asked_ns: int) -> bool:
        """Whether a list that was asked for then has all that came before anything is heard again: it was asked for
        late enough, or what it lacks lies in the hole behind."""
        return len(strand.waiting) > 1 or asked_ns - hole.begun_ns >= SETTLED_S * 1e9

    async def _again(self, hole: Hole, tries: int) -> bool:
        """Wait before another question, where there may be one."""
        pause_s = tries * AGAIN_S
        if tries >= TRIES or self._left_s(hole) <= pause_s:
            return False
        await self._clock.sleep(pause_s)
        return True

    def close(self) -> None:
        """Hand on what waits: no hole is read for any more."""
        self._is_closed = True
        for strand in self._strands():
            while strand.waiting:
                hole = strand.waiting[0]
                if isinstance(hole, Hole):
                    if strand.behind():
                        self._tell_missing(strand, hole)
                    strand.waiting.popleft()
                self._release(strand)

    @abstractmethod
    def _strands(self) -> Iterable[S]: ...


def recovered(event: Any) -> Any:
    """It was made a moment ago, and nobody has seen it."""
    force_setattr(event, "recovered", True)
    return event
