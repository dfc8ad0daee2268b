"""Async iterators on top of plain handlers: one bounded buffer per consumer, with a stated overflow policy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Generic, Literal, TypeVar, cast

from perpwire.api_connector.stream_arguments import check_count, check_one_of
from perpwire.errors import BadInput, PerpwireError
from perpwire.model.hole import Hole
from perpwire.model.market import Event, kind_of

E = TypeVar("E", bound=Event)

Overflow = Literal["raise", "drop_oldest", "latest"]
"""What to do with an event when a consumer is behind: end the iteration with ConsumerTooSlow; drop the oldest, count
it, and put a Gap in its place; or keep only the newest event of each venue's symbol (and interval) from the start."""


class ConsumerTooSlow(PerpwireError):
    """The buffer of an iterator is full: events would be lost, so the iteration ends instead."""


def check_buffer(limit: int, overflow: str) -> None:
    """
    Raises:
        BadInput: As EventQueue.
    """
    check_one_of(overflow, Overflow, "overflow")
    check_count(limit, "limit")


def check_gaps(gaps: bool | None, overflow: str) -> None:
    """
    Raises:
        BadInput: Gaps are wanted among what is only the newest of each symbol, which has no order.
    """
    if not (gaps is None or isinstance(gaps, bool)) or (gaps and overflow == "latest"):
        raise BadInput(
            f"gaps {gaps!r} with overflow {overflow!r}", code="BAD_GAPS", advice="Hear of them by on(Gap, ...)."
        )


class EventQueue(Generic[E]):
    """One consumer's view of a stream. A slow consumer delays nobody else, and never the socket. Several tasks may read
    one queue: each event goes to one of them. After `close` what is buffered comes first, then the iteration ends.

    Args:
        kind: Name of the kind of event, for whoever looks at it.
        overflow: See Overflow.
        on_behind: Called with the kind of event and how many wait when the first of a run of events is lost.
        on_told: Called when the consumer takes the Gap for such a run.

    Attributes:
        received: Events that came in: delivered, waiting, dropped and replaced ones together.
        dropped: Events that this consumer did not get, by "drop_oldest".
        replaced: Events that a newer one of the same symbol took the place of, by "latest".
        wake: Set when there is something to be had. Who holds it holds the task that waits for it.

    Raises:
        BadInput: There is no such overflow policy, or nothing may wait.
    """

    def __init__(
        self,
        limit: int,
        overflow: Overflow,
        on_behind: Callable[[str, int], None] | None = None,
        on_told: Callable[[], None] | None = None,
        *,
        kind: str = "",
    ) -> None:
        self.kind = kind
        check_buffer(limit, overflow)
        self._limit = limit
        self._overflow = overflow
        self._on_behind = on_behind
        self._on_told = on_told
        self._buffer: deque[E] = deque()
        self._newest: dict[Hashable, E] = {}
        self._hole: Hole | None = None
        """What was dropped and not told of yet; it is older than all that waits."""
        self.wake = asyncio.Event()
        self._ended: PerpwireError | None = None
        self._closed = False
        self._off: Callable[[], None] | None = None
        self.received = 0
        self.dropped = 0
        self.replaced = 0

    def __repr__(self) -> str:
        state = "closed" if self._closed else "ended" if self._ended else "open"
        return f"<EventQueue {state}, {self.waiting} waiting, {self.received} received, {self.dropped} dropped>"

    def attach(self, off: Callable[[], None]) -> None:
        """`off` is called once, when the consumer is done."""
        self._off = off

    @property
    def waiting(self) -> int:
        """Events that wait for the consumer."""
        return len(self._buffer) + len(self._newest)

    @property
    def oldest_ns(self) -> int:
        """Arrival of the event that waits longest, Unix nanoseconds; 0 where none does."""
        if self._buffer:
            return self._buffer[0].received_ns
        return min((event.received_ns for event in self._newest.values()), default=0)

    def put(self, event: E) -> None:
        self.received += 1
        if self._overflow == "latest":
            key = (type(event), event.venue, event.symbol, getattr(event, "interval", ""))
            if key in self._newest:
                self.replaced += 1
            self._newest[key] = event
        else:
            if len(self._buffer) >= self._limit:
                if self._overflow == "raise":
                    self._end(event)
                    return
                self._drop(self._buffer.popleft())
            self._buffer.append(event)
        self.wake.set()

    def _end(self, event: E) -> None:
        waiting, kind = len(self._buffer), kind_of(type(event)).__name__
        self._ended = ConsumerTooSlow(f"{waiting} {kind} events wait; the consumer is too slow")
        self._detach()
        self.wake.set()
        if self._on_behind is not None:
            self._on_behind(kind, waiting)

    def _drop(self, event: E) -> None:
        self.dropped += 1
        if self._hole is None:
            self._hole = Hole(event)
            if self._on_behind is not None:
                self._on_behind(self._hole.kind, len(self._buffer) + 1)
        else:
            self._hole.add(event)

    def close(self) -> None:
        """End the iteration after what is buffered."""
        self._closed = True
        self._detach()
        self.wake.set()

    def _detach(self) -> None:
        if self._off is not None:
            off, self._off = self._off, None
            off()

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        while True:
            if self._hole is not None:
                hole, self._hole = self._hole, None
                if self._on_told is not None:
                    self._on_told()
                # What "drop_oldest" is documented to give.
                return cast(E, hole.as_gap(f"this consumer was too slow: {hole.count} events were dropped"))
            if self._buffer:
                return self._buffer.popleft()
            if self._newest:
                return self._newest.pop(next(iter(self._newest)))
            if self._ended is not None:
                raise self._ended
            if self._closed:
                raise StopAsyncIteration
            self.wake.clear()
            await self.wake.wait()

    async def __aenter__(self) -> EventQueue[E]:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
