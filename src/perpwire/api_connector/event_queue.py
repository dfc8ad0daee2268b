"""Async iterators on top of plain handlers: one bounded buffer per consumer, with a stated overflow policy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, Literal, TypeVar

from perpwire.errors import PerpwireError
from perpwire.model.market import Event

E = TypeVar("E", bound=Event)

Overflow = Literal["raise", "drop_oldest", "latest"]
"""What to do with an event when a consumer is behind: end the iteration with ConsumerTooSlow; drop the oldest and
count it; or keep only the newest event of each symbol."""


class ConsumerTooSlow(PerpwireError):
    """The buffer of an iterator is full: events would be lost, so the iteration ends instead."""


class EventQueue(Generic[E]):
    """One consumer's view of a stream. A slow consumer delays nobody else, and never the socket.

    Attributes:
        dropped: Events that this consumer did not get, by "drop_oldest".
        replaced: Events that a newer one of the same symbol took the place of, by "latest".
    """

    def __init__(self, limit: int, overflow: Overflow) -> None:
        self._limit = limit
        self._overflow = overflow
        self._buffer: deque[E] = deque()
        self._newest: dict[str, E] = {}
        self._wake = asyncio.Event()
        self._ended: PerpwireError | None = None
        self._closed = False
        self._off: Callable[[], None] | None = None
        self.dropped = 0
        self.replaced = 0

    def attach(self, off: Callable[[], None]) -> None:
        """`off` is called once, when the consumer is done."""
        self._off = off

    def put(self, event: E) -> None:
        if self._overflow == "latest":
            if event.symbol in self._newest:
                self.replaced += 1
            self._newest[event.symbol] = event
        else:
            if len(self._buffer) >= self._limit:
                if self._overflow == "raise":
                    self._ended = ConsumerTooSlow(
                        f"{len(self._buffer)} {type(event).__name__} events wait; the consumer is too slow"
                    )
                    self._detach()
                    self._wake.set()
                    return
                self._buffer.popleft()
                self.dropped += 1
            self._buffer.append(event)
        self._wake.set()

    def close(self) -> None:
        """End the iteration after what is buffered."""
        self._closed = True
        self._detach()
        self._wake.set()

    def _detach(self) -> None:
        if self._off is not None:
            self._off()
            self._off = None

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        while True:
            if self._buffer:
                return self._buffer.popleft()
            if self._newest:
                return self._newest.pop(next(iter(self._newest)))
            if self._ended is not None:
                raise self._ended
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    async def __aenter__(self) -> EventQueue[E]:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
