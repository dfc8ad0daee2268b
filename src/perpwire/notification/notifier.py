"""Notifier: takes incidents from the hot path and sees to it that people hear of them, once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Sequence

import msgspec

from perpwire.clock import Clock, SystemClock, Timer
from perpwire.model.incident import Incident
from perpwire.notification.alert import Alert
from perpwire.notification.delivery import Delivery, Pacing, SinkStats
from perpwire.notification.digest import Digest
from perpwire.notification.rules import Rules
from perpwire.notification.sinks import Sink

_log = logging.getLogger("perpwire.notification")


class NotifierStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start.

    Attributes:
        suppressed: Alerts that were not told on their own (repeats, ends of what was not told).
        forgotten: Of these, the ones not told as a number either: too many different problems at a time.
        failed_incidents: Incidents that a rule failed on.
        sinks: Each sink's counts.
    """

    suppressed: int
    forgotten: int
    failed_incidents: int
    sinks: tuple[SinkStats, ...]


class Notifier:
    """Incidents in, alerts out; see digest.py for what is told when, delivery.py for how it is delivered.

    Usable as `async with Notifier(sinks) as notifier`. Incidents that come before `start` are told after it. Once
    closed, it stays closed.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        clock: Clock | None = None,
        rules: Callable[[Incident], Alert | None] | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        """
        Args:
            sinks: Where alerts go; each has its own queue.
            clock: SystemClock() where none is given.
            rules: Incident -> Alert or None; `Rules().alert` where none is given.
            pacing: Pacing() where none is given.
        """
        self._clock: Clock = SystemClock() if clock is None else clock
        self._rules = Rules().alert if rules is None else rules
        pacing = Pacing() if pacing is None else pacing
        self._digest = Digest(pacing.window_s)
        self._deliveries = [Delivery(target, self._clock, pacing) for sink in sinks for target in sink.targets()]
        self._looks: dict[str, Timer] = {}
        self._owed_looks: dict[str, None] = {}
        self._is_running = False
        self._is_closed = False
        self._failed_incidents = 0

    def on_incident(self, incident: Incident) -> None:
        """Take an incident: microseconds, no waiting, never an error. Call it in the event loop's thread."""
        try:
            alert = self._rules(incident)
            if alert is not None:
                told = self._digest.note(alert, self._clock.monotonic_ns())
                if told is not None:
                    self._tell(told)
                self._look_later(alert.resolves or alert.key)
        except Exception:
            self._failed_incidents += 1
            with contextlib.suppress(Exception):  # not even a logging handler's error may reach the read callback
                _log.exception("no alert could be made of an incident of class %s", type(incident).__name__)

    async def start(self) -> None:
        """Begin to deliver."""
        self._is_running = True
        for delivery in self._deliveries:
            delivery.start()
        owed, self._owed_looks = self._owed_looks, {}
        for key in owed:
            self._look_later(key)

    async def close(self, within_s: float = 5.0) -> None:
        """Tell what is still untold, deliver what waits for `within_s` seconds at most, and end.

        What could not be delivered by then is dropped and counted; so is all that comes later.
        """
        self._is_closed = True
        for timer in self._looks.values():
            timer.cancel()
        self._looks.clear()
        for alert in self._digest.flush(self._clock.monotonic_ns()):
            self._tell(alert)
        await asyncio.gather(*(delivery.close(within_s) for delivery in self._deliveries))

    def stats(self) -> NotifierStats:
        return NotifierStats(
            suppressed=self._digest.suppressed,
            forgotten=self._digest.forgotten,
            failed_incidents=self._failed_incidents,
            sinks=tuple(delivery.stats() for delivery in self._deliveries),
        )

    async def __aenter__(self) -> Notifier:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _tell(self, alert: Alert) -> None:
        for delivery in self._deliveries:
            delivery.put(alert)

    def _look_later(self, key: str) -> None:
        """See to it that what is untold of a problem is told at the end of its time of quiet."""
        at_ns = self._digest.look_at_ns(key)
        if at_ns is None or key in self._looks or self._is_closed:
            return
        if not self._is_running:
            self._owed_looks[key] = None
            return
        # A microsecond more, so that the rounding of seconds to a float never looks just too early.
        wait_s = max(0, at_ns - self._clock.monotonic_ns()) / 1e9 + 1e-6
        self._looks[key] = self._clock.call_later(wait_s, functools.partial(self._look, key))

    def _look(self, key: str) -> None:
        del self._looks[key]
        told = self._digest.look(key, self._clock.monotonic_ns())
        if told is not None:
            self._tell(told)
        self._look_later(key)
