"""Timers that end together."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.clock import Clock, Timer


class Timers:
    """call_later with a way to stop everything that is still to come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: set[Timer] = set()
        self._closed = False

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._closed:
            return

        def run() -> None:
            self._waiting.discard(timer)
            callback()

        timer = self._clock.call_later(seconds, run)
        self._waiting.add(timer)

    def close(self) -> None:
        self._closed = True
        for timer in self._waiting:
            timer.cancel()
        self._waiting.clear()
