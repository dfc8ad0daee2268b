"""One timer for many waits of the same patience: a timer for each would cost more than all else that waiting costs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class Patience:
    """Ends waits that take too long. A timer looks at the oldest wait only, and at the next one when that has ended.

    Args:
        give_up: Called with each future that is not done in time, the loop's time at which its wait began, and the
            seconds that it was given. It is to end the wait.
    """

    def __init__(self, give_up: Callable[[asyncio.Future[Any], float, float], None]) -> None:
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._queues: dict[float, _Queue] = {}

    def watch(self, wait: asyncio.Future[Any], seconds: float) -> None:
        """Give it up `seconds` from now, unless it is done by then."""
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = _Queue(seconds, self._give_up, self._loop)
        waits = queue.waits
        while waits and waits[0][0].done():
            waits.popleft()
        waits.append((wait, self._loop.time()))
        if queue.timer is None:
            queue.timer = self._loop.call_later(seconds, queue.look)

    def close(self) -> None:
        """Watch no more."""
        for queue in self._queues.values():
            queue.waits.clear()
            if queue.timer is not None:
                queue.timer.cancel()
                queue.timer = None


class _Queue:
    """The waits of one length, in the order in which they end."""

    __slots__ = ("give_up", "loop", "seconds", "timer", "waits")

    def __init__(
        self,
        seconds: float,
        give_up: Callable[[asyncio.Future[Any], float, float], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.seconds = seconds
        self.give_up = give_up
        self.loop = loop
        self.timer: asyncio.TimerHandle | None = None
        self.waits: deque[tuple[asyncio.Future[Any], float]] = deque()

    def look(self) -> None:
        self.timer = None
        waits, now = self.waits, self.loop.time()
        while waits:
            wait, began = waits[0]
            if not wait.done():
                left_s = began + self.seconds - now
                if left_s > 0:
                    self.timer = self.loop.call_later(left_s, self.look)
                    return
                self.give_up(wait, began, self.seconds)
            waits.popleft()
