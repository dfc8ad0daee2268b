"""Timers that keep their order and end together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from perpwire.clock import Clock, Timer


class Timers:
    """call_later where what was put off first, by the same delay, comes first; an event loop does not promise that for
    timers of one instant. `close` stops everything that is still to come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[float, deque[Callable[[], None]]] = {}
        self._waiting: set[Timer] = set()
        self._closed = False

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._closed:
            return
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = deque()
        queue.append(callback)

        def run() -> None:
            self._waiting.discard(timer)
            due = queue.popleft()
            if not queue:
                self._queues.pop(seconds, None)
            due()

        timer = self._clock.call_later(seconds, run)
        self._waiting.add(timer)

    def close(self) -> None:
        self._closed = True
        for timer in self._waiting:
            timer.cancel()
        self._waiting.clear()
        self._queues.clear()
