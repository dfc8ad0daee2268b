"""RateLimiter: at most N in any window of a period, first come first served."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from types import TracebackType

from perpwire.clock import Clock, SystemClock
from perpwire.errors import BadInput


class RateLimiter:
    """A true sliding window: no stretch of time as long as the period ever sees more than N acquisitions.

    `async with limiter:` and `await limiter.acquire()` both take one slot, waiting for it where none is free; a slot is
    free again one period after it was taken, whatever happened inside the `async with`. Waiters are served in the order
    they came, none holds a lock while it sleeps, and a cancelled one takes no slot and delays nobody.

    For one event loop; many tasks may share it.
    """

    def __init__(self, requests_per_period: int, period_seconds: float, clock: Clock | None = None) -> None:
        """
        Args:
            requests_per_period: Slots per window, 1 or more.
            period_seconds: Length of the window in seconds, above 0.
            clock: SystemClock() where none is given.

        Raises:
            BadInput: Either number is out of its range.
        """
        if isinstance(requests_per_period, bool) or not isinstance(requests_per_period, int):
            raise _bad(f"requests_per_period must be an int, not {type(requests_per_period).__name__}")
        if requests_per_period < 1:
            raise _bad(f"requests_per_period must be 1 or more, not {requests_per_period}")
        if isinstance(period_seconds, bool) or not isinstance(period_seconds, int | float):
            raise _bad(f"period_seconds must be a number of seconds, not {type(period_seconds).__name__}")
        if not math.isfinite(period_seconds) or period_seconds <= 0:
            raise _bad(f"period_seconds must be above 0 and finite, not {period_seconds}")
        self._clock: Clock = SystemClock() if clock is None else clock
        self._period_ns = math.ceil(period_seconds * 1e9)
        self._taken_ns: deque[int] = deque(maxlen=requests_per_period)
        self._line: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        """Take a slot, waiting for it if need be."""
        if not self._line and self._wait_ns() == 0:
            self._taken_ns.append(self._clock.monotonic_ns())
        else:
            await self._queue()

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def _wait_ns(self) -> int:
        """How long until a slot is free; 0 where one is."""
        if len(self._taken_ns) < (self._taken_ns.maxlen or 0):
            return 0
        # One nanosecond past the period: a window that includes both its ends must not hold N + 1 either.
        return max(0, self._taken_ns[0] + self._period_ns + 1 - self._clock.monotonic_ns())

    async def _queue(self) -> None:
        """Wait in line; only who stands at its head sleeps, and takes its slot at the moment it goes on."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            if self._line[0] is not turn:
                await turn
            while wait_ns := self._wait_ns():
                # A microsecond more, so that the rounding of seconds to a float never wakes it just too early.
                await self._clock.sleep(wait_ns / 1e9 + 1e-6)
            self._taken_ns.append(self._clock.monotonic_ns())
        finally:  # also when cancelled: the line moves on
            self._line.remove(turn)
            if self._line and not self._line[0].done():
                self._line[0].set_result(None)


def _bad(reason: str) -> BadInput:
    return BadInput(reason, call="RateLimiter", code="BAD_LIMIT")
