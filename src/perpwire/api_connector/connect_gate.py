"""When a further socket of a venue may be opened: a storm of reconnects never becomes a ban, and nobody waits on when
the venue can be reached again."""

from __future__ import annotations

import asyncio
from collections import deque

from perpwire.clock import Clock

FIRST_BURST = 10
"""So many first connections go out side by side; after that, and once any was lost, one a second."""

SHARE = 0.9
"""Of what the venue takes in its window; the rest is for what else runs behind our address."""


class ConnectGate:
    """One per venue and manager.

    Args:
        window: Most sockets that one address may open, within so many seconds.
    """

    def __init__(self, clock: Clock, window: tuple[int, float]) -> None:
        self._clock = clock
        most, self._window_s = window
        self._times: deque[float] = deque(maxlen=max(1, int(most * SHARE)))
        self._burst_left = FIRST_BURST
        self._next_s = 0.0
        self._turn = asyncio.Lock()
        self._news: asyncio.Future[None] | None = None

    async def enter(self, *, again: bool) -> None:
        """Return when a socket may be opened; `again` where one was lost before."""
        if again:
            self._burst_left = 0
        if self._burst_left:
            self._burst_left -= 1
            await self._window()
            self._note()
            self._next_s = self._now_s() + 1.0
            return
        async with self._turn:
            await self._window()
            await self._until(self._next_s)
            self._next_s = self._now_s() + 1.0
            self._note()

    def came_through(self) -> None:
        """A socket has become live: whoever waits before trying again need wait no longer."""
        news, self._news = self._news, None
        if news is not None:
            news.set_result(None)

    async def pause(self, seconds: float, *, may_be_cut_short: bool) -> None:
        """Wait before trying again; until another socket comes through, where that says something."""
        if not may_be_cut_short:
            await self._clock.sleep(seconds)
            return
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.wait({self._news}, timeout=seconds)

    async def _window(self) -> None:
        if len(self._times) == self._times.maxlen:
            await self._until(self._times[0] + self._window_s)

    async def _until(self, then_s: float) -> None:
        wait_s = then_s - self._now_s()
        if wait_s > 0:
            await self._clock.sleep(wait_s)

    def _note(self) -> None:
        self._times.append(self._now_s())

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
