"""Delivery: one sink's queue and the task that empties it, through outages of the sink."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from perpwire.clock import Clock
from perpwire.notification.alert import Alert
from perpwire.notification.sinks import Sink

_log = logging.getLogger("perpwire.notification")

_PATIENCE = 5
"""An alert that failed this often lets others have a try: it may be the alert that the sink can't take."""

_CHANCES = 3
"""So many more tries it has, each right after another alert was taken; then it is given up."""


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """How often a person is told, and how hard it is tried.

    Attributes:
        window_s: Seconds in which repeats of one problem are told as a number, at the end.
        interval_s: Least seconds between two alerts to one sink; chat services take about one a second.
        queue_limit: Alerts that wait for one sink at most; beyond it the least severe, then oldest, is dropped.
        first_retry_s, greatest_retry_s: Pause after a first failure; it doubles up to the greatest.
        attempt_timeout_s: Seconds a sink has for one alert.
    """

    window_s: float = 60.0
    interval_s: float = 1.0
    queue_limit: int = 256
    first_retry_s: float = 1.0
    greatest_retry_s: float = 60.0
    attempt_timeout_s: float = 30.0


class SinkStats(msgspec.Struct, frozen=True, kw_only=True):
    """One sink's counts since the start.

    Attributes:
        name: The sink's.
        delivered: Alerts it took.
        failed_attempts: Tries that failed, or took too long.
        dropped: Alerts it never got: the queue was full, or the notifier was closed first.
        refused: Alerts given up because the sink takes others, but not these.
        waiting: Alerts in the queue now.
    """

    name: str
    delivered: int
    failed_attempts: int
    dropped: int
    refused: int
    waiting: int


class _Entry:
    __slots__ = ("alert", "chances_used", "failures", "has_chance")

    def __init__(self, alert: Alert) -> None:
        self.alert = alert
        self.failures = 0
        self.has_chance = False
        self.chances_used = 0


class Delivery:
    """Delivers alerts to one sink in their order, each until it is taken. An alert may arrive twice, when a sink took
    it and failed to say so."""

    def __init__(self, sink: Sink, clock: Clock, pacing: Pacing) -> None:
        self._sink = sink
        self._clock = clock
        self._pacing = pacing
        self._queue: list[_Entry] = []
        self._current: _Entry | None = None
        self._failures_in_a_row = 0
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._is_idle = False
        self._pause: asyncio.Future[None] | None = None
        self._delivered = self._failed_attempts = self._dropped = self._refused = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"alerts to {self._sink.name}")

    def put(self, alert: Alert) -> None:
        """Queue it. Never blocks."""
        if self._is_closing:
            self._dropped += 1
            return
        self._queue.append(_Entry(alert))
        if len(self._queue) > self._pacing.queue_limit:
            waiting = [entry for entry in self._queue if entry is not self._current]
            self._queue.remove(min(waiting, key=lambda entry: entry.alert.severity.rank))
            self._dropped += 1
        if self._is_idle:
            self._wake()

    async def close(self, within_s: float) -> None:
        """Deliver what waits, without pauses between alerts, for `within_s` seconds at most; drop the rest."""
        self._is_closing = True
        self._failures_in_a_row = 0
        self._wake()
        if self._task is not None:
            try:
                await asyncio.wait({self._task}, timeout=within_s)
            finally:
                self._task.cancel()
            await asyncio.wait({self._task})
        if self._queue:
            _log.warning("alert sink %s: %d alerts were not delivered", self._sink.name, len(self._queue))
        self._dropped += len(self._queue)
        self._queue.clear()

    def stats(self) -> SinkStats:
        return SinkStats(
            name=self._sink.name,
            delivered=self._delivered,
            failed_attempts=self._failed_attempts,
            dropped=self._dropped,
            refused=self._refused,
            waiting=len(self._queue),
        )

    async def _run(self) -> None:
        while self._queue or not self._is_closing:
            if not self._queue:
                self._is_idle = True
                await self._rest(None)
                self._is_idle = False
                continue
            self._current = self._next()
            was_taken = await self._attempt(self._current.alert)
            pause_s = self._succeeded(self._current) if was_taken else self._failed(self._current)
            self._current = None
            if pause_s:
                await self._rest(pause_s)

    async def _attempt(self, alert: Alert) -> bool:
        try:
            async with asyncio.timeout(self._pacing.attempt_timeout_s):
                await self._sink.deliver(alert)
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # it is us who are to end, not something inside the sink
            # Only the class: an error's text may hold the address, which is a secret.
            level = logging.DEBUG if self._failures_in_a_row else logging.WARNING
            _log.log(level, "alert sink %s failed (%s), trying again", self._sink.name, type(error).__name__)
            return False
        return True

    def _next(self) -> _Entry:
        for entry in self._queue:
            if entry.failures < _PATIENCE or entry.has_chance:
                return entry
        return min(self._queue, key=lambda entry: entry.failures)

    def _succeeded(self, entry: _Entry) -> float:
        self._delivered += 1
        self._failures_in_a_row = 0
        self._queue.remove(entry)
        for other in self._queue:  # the sink works: those that were passed over come first again, the oldest first
            other.has_chance = other.failures >= _PATIENCE
        return 0.0 if self._is_closing else self._pacing.interval_s

    def _failed(self, entry: _Entry) -> float:
        self._failed_attempts += 1
        entry.failures += 1
        if entry.has_chance:
            entry.has_chance = False
            entry.chances_used += 1
            if entry.chances_used == _CHANCES:
                self._queue.remove(entry)
                self._refused += 1
                _log.warning("alert sink %s takes others, but not %r: given up", self._sink.name, entry.alert.key)
        pacing = self._pacing
        # The exponent is bounded: an outage of days must not overflow a float.
        pause_s = min(pacing.first_retry_s * 2.0 ** min(self._failures_in_a_row, 60), pacing.greatest_retry_s)
        self._failures_in_a_row += 1
        return pause_s

    async def _rest(self, seconds: float | None) -> None:
        """Wait that long, or until woken."""
        pause = self._pause = asyncio.get_running_loop().create_future()
        timer = None if seconds is None else self._clock.call_later(seconds, self._wake)
        try:
            await pause
        finally:
            self._pause = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)
