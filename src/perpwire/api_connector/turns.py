"""A few at a time, and so much within a time; who matters most is next, and among equals who came first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import heappop, heappush

from perpwire.clock import Clock


class Turns:
    """
    Args:
        at_once: So many may go on at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._count = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Wait for one's turn, lower ranks before higher ones, and have it until the end of the block."""
        if self._free:
            self._free -= 1
        else:
            await self._queue(rank)
        try:
            yield
        finally:
            self._pass_on()

    async def _queue(self, rank: int) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heappush(self._waiting, (rank, self._count, mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, following = heappop(self._waiting)
            if not following.done():
                following.set_result(None)
                return
        self._free += 1


class Pace:
    """
    Args:
        most: May be spent within any `period_s`.
    """

    def __init__(self, clock: Clock, most: int, period_s: float) -> None:
        self._clock = clock
        self._most = most
        self._period_ns = round(period_s * 1e9)
        self._spent: deque[tuple[int, int]] = deque()
        self._sum = 0

    async def spend(self, cost: int) -> None:
        """Wait until there is room for it. What is larger than all there may be goes alone."""
        while True:
            now_ns = self._clock.monotonic_ns()
            while self._spent and self._spent[0][0] + self._period_ns <= now_ns:
                self._sum -= self._spent.popleft()[1]
            if self._sum + cost <= self._most or not self._spent:
                self._spent.append((now_ns, cost))
                self._sum += cost
                return
            await self._clock.sleep((self._spent[0][0] + self._period_ns - now_ns) / 1e9 + 1e-3)
