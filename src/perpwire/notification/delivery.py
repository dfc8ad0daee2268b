"""Delivery: one sink's queue and the task that empties it, through outages of the sink."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from perpwire.clock import Clock
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.outlet import Outlet
from perpwire.notification.sinks import Sink, SinkFailed
from perpwire.notification.spool import Spool
from perpwire.raised import RAISED, is_our_end

_log = logging.getLogger("perpwire.notification")

_PATIENCE = 5
"""An alert that failed this often lets others have a try: it may be the alert that the sink can't take."""

_CHANCES = 3
"""So many more tries it has, each right after another alert was taken; then it is given up."""

_LONGEST_ASKED_S = 3600.0
"""A service that asks for a longer pause is asked again all the same."""

_LOOK_S = 300.0
"""Quiet hours are looked at as often: the machine's clock may be set, or the machine have slept."""

_REMEMBERED = 1000


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """How often a person is told, and how hard it is tried.

    Attributes:
        window_s: Seconds in which repeats of one problem are told as a number, at the end.
        interval_s: Least seconds between two alerts to one sink; chat services take about one a second.
        queue_limit: Alerts that wait for one sink at most; beyond it the least severe, then oldest, is dropped.
        first_retry_s: Seconds until a sink is tried again that has failed once; each further pause is twice as long.
        greatest_retry_s: Longest such pause, seconds.
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
        filtered: Alerts that this sink is not to get: not severe enough, or only for others.
        kept: Alerts that were kept on disk when it was closed: the next start delivers them.
    """

    name: str
    delivered: int
    failed_attempts: int
    dropped: int
    refused: int
    waiting: int
    filtered: int = 0
    kept: int = 0


class _Entry:
    __slots__ = ("alert", "chances_used", "failures", "has_chance", "number", "wakes")

    def __init__(self, alert: Alert, number: int | None, *, wakes: bool) -> None:
        self.alert = alert
        self.number = number  # in the spool
        self.wakes = wakes  # also in quiet hours
        self.failures = 0
        self.has_chance = False
        self.chances_used = 0


class Delivery:
    """Delivers alerts to one sink in their order, each until it is taken. An alert may arrive twice, when a sink took
    it and failed to say so."""

    def __init__(
        self, sink: Sink, clock: Clock, pacing: Pacing, *, outlet: Outlet | None = None, spool: Spool | None = None
    ) -> None:
        """
        Args:
            outlet: What is told to the sink; all, at any time, where there is none.
            spool: Where alerts are kept until they are delivered, and what an earlier life has left.
        """
        self._sink = sink
        self._clock = clock
        self._pacing = pacing
        self._outlet = Outlet(name=sink.name, sink=sink) if outlet is None else outlet
        self.name = self._outlet.name
        interval_s = self._outlet.interval_s
        self._interval_s = pacing.interval_s if interval_s is None else interval_s
        self._spool = spool
        self._queue: list[_Entry] = []
        self._heard: dict[str, bool] = {}
        """Problems that were told to it -> whether as critical; the latest last."""
        self._current: _Entry | None = None
        self._failures_in_a_row = 0
        self._asked_pause_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._is_idle = False
        self._pause: asyncio.Future[None] | None = None
        self._delivered = self._failed_attempts = self._dropped = self._refused = self._filtered = self._kept = 0
        for number, alert in [] if spool is None else spool.waiting(self.name):
            self._queue.append(_Entry(alert, number, wakes=self._note(alert)))

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"alerts to {self._sink.name}")

    def put(self, alert: Alert) -> None:
        """Queue it, where the sink is to get it. Never blocks."""
        if not self._is_wanted(alert):
            self._filtered += 1
            return
        if self._is_closing:
            self._dropped += 1
            return
        entry = _Entry(alert, None, wakes=self._note(alert))
        if not entry.wakes and self._quiet_until_ns() is not None and self._merge(entry):
            return
        if self._spool is not None:
            entry.number = self._spool.put(self.name, alert)
        self._queue.append(entry)
        if len(self._queue) > self._pacing.queue_limit:
            waiting = [entry for entry in self._queue if entry is not self._current]
            self._remove(min(waiting, key=lambda entry: entry.alert.severity.rank))
            self._dropped += 1
        if self._is_idle:
            self._wake()

    def _is_wanted(self, alert: Alert) -> bool:
        if alert.resolves is not None and alert.resolves in self._heard:
            return True
        is_for_it = bool(alert.open_s) or not self._outlet.only_escalated
        return is_for_it and alert.severity.rank >= self._outlet.minimum.rank

    def _note(self, alert: Alert) -> bool:
        """Remember what was told; whether it may be told in quiet hours too."""
        is_critical = alert.severity is Severity.CRITICAL
        if alert.resolves is not None:
            return self._heard.pop(alert.resolves, False) or is_critical
        self._heard[alert.key] = self._heard.pop(alert.key, False) or is_critical
        if len(self._heard) > _REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return is_critical

    def _merge(self, new: _Entry) -> bool:
        """In quiet hours the latest of each problem waits, with the number of all."""
        key = new.alert.resolves or new.alert.key
        for entry in self._queue:
            if entry is not self._current and not entry.wakes and key in (entry.alert.key, entry.alert.resolves):
                repeats = entry.alert.repeats + 1 + new.alert.repeats
                entry.alert = msgspec.structs.replace(new.alert, repeats=repeats)
                if self._spool is not None:
                    entry.number = self._spool.put(self.name, entry.alert, entry.number)
                return True
        return False

    async def close(self, within_s: float) -> None:
        """Deliver what waits, without pauses between alerts, for `within_s` seconds at most. The rest is kept for
        the next start where there is a spool, and dropped where there is none."""
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
            then = "" if self._spool is None else ": kept for the next start"
            _log.warning("alert sink %s: %d alerts were not delivered%s", self.name, len(self._queue), then)
        if self._spool is None:
            self._dropped += len(self._queue)
        else:
            self._kept += len(self._queue)
        self._queue.clear()
        try:
            await self._sink.close()
        except RAISED as error:
            if is_our_end(error):
                raise
            _log.warning("alert sink %s could not be closed (%s)", self.name, type(error).__name__)

    def stats(self) -> SinkStats:
        return SinkStats(
            name=self.name,
            delivered=self._delivered,
            failed_attempts=self._failed_attempts,
            dropped=self._dropped,
            refused=self._refused,
            waiting=len(self._queue),
            filtered=self._filtered,
            kept=self._kept,
        )

    async def _run(self) -> None:
        while self._queue or not self._is_closing:
            self._current = self._next()
            if self._current is None:
                if self._is_closing:
                    break  # what waits for the end of quiet hours, on disk
                self._is_idle = True
                await self._rest(self._quiet_s() if self._queue else None)
                self._is_idle = False
                continue
            was_taken = await self._attempt(self._current.alert)
            pause_s = self._succeeded(self._current) if was_taken else self._failed(self._current)
            self._current = None
            if pause_s:
                await self._rest(pause_s)

    def _quiet_until_ns(self) -> int | None:
        quiet = self._outlet.quiet
        return None if quiet is None else quiet.until_ns(self._clock.time_ns())

    def _quiet_s(self) -> float:
        until_ns = self._quiet_until_ns() or 0
        return min(max(0, until_ns - self._clock.time_ns()) / 1e9 + 1e-3, _LOOK_S)

    async def _attempt(self, alert: Alert) -> bool:
        try:
            self._asked_pause_s = 0.0
            async with asyncio.timeout(self._pacing.attempt_timeout_s):
                await self._sink.deliver(alert)
        except RAISED as error:
            if is_our_end(error):
                raise
            if isinstance(error, SinkFailed):
                self._asked_pause_s = min(error.retry_after_s, _LONGEST_ASKED_S)
            # Only the class: an error's text may hold the address, which is a secret.
            level = logging.DEBUG if self._failures_in_a_row else logging.WARNING
            _log.log(level, "alert sink %s failed (%s), trying again", self.name, type(error).__name__)
            return False
        return True

    def _next(self) -> _Entry | None:
        """None: there is nothing that may be told now."""
        queue = self._queue
        if self._quiet_until_ns() is not None and (self._spool is not None or not self._is_closing):
            queue = [entry for entry in queue if entry.wakes]
        for entry in queue:
            if entry.failures < _PATIENCE or entry.has_chance:
                return entry
        return min(queue, key=lambda entry: entry.failures, default=None)

    def _remove(self, entry: _Entry) -> None:
        self._queue.remove(entry)
        if self._spool is not None and entry.number is not None:
            self._spool.gone(entry.number)

    def _succeeded(self, entry: _Entry) -> float:
        self._delivered += 1
        self._failures_in_a_row = 0
        self._remove(entry)
        for other in self._queue:  # the sink works: those that were passed over come first again, the oldest first
            other.has_chance = other.failures >= _PATIENCE
        return 0.0 if self._is_closing else self._interval_s

    def _failed(self, entry: _Entry) -> float:
        self._failed_attempts += 1
        entry.failures += 1
        if entry.has_chance:
            entry.has_chance = False
            entry.chances_used += 1
            if entry.chances_used == _CHANCES:
                self._remove(entry)
                self._refused += 1
                _log.warning("alert sink %s takes others, but not %r: given up", self.name, entry.alert.key)
        pacing = self._pacing
        # The exponent is bounded: an outage of days must not overflow a float.
        pause_s = min(pacing.first_retry_s * 2.0 ** min(self._failures_in_a_row, 60), pacing.greatest_retry_s)
        self._failures_in_a_row += 1
        return max(pause_s, self._asked_pause_s)

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
