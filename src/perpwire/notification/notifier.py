"""Notifier: takes incidents from the hot path and sees to it that people hear of them, once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from perpwire.clock import Clock, Every, SystemClock, Timer
from perpwire.logs import Redact, Redacts
from perpwire.model.incident import Incident
from perpwire.notification.alert import Alert
from perpwire.notification.delivery import Delivery, Pacing, SinkStats
from perpwire.notification.digest import Digest
from perpwire.notification.escalation import Escalation, Escalator
from perpwire.notification.outlet import Outlet
from perpwire.notification.rules import Rules
from perpwire.notification.sinks import Sink
from perpwire.notification.spool import Spool
from perpwire.raised import RAISED

INBOX_S = 20.0
"""From one look into the inbox to the next."""

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
        sinks: Sequence[Sink | Outlet],
        clock: Clock | None = None,
        rules: Callable[[Incident], Alert | None] | None = None,
        pacing: Pacing | None = None,
        *,
        escalation: Escalation | None = None,
        spool: Spool | None = None,
        inbox: Path | None = None,
        secrets: Iterable[Redacts] = (),
    ) -> None:
        """
        Args:
            sinks: Where alerts go; each has its own queue. An Outlet says also which it gets, and when.
            clock: SystemClock() where none is given.
            rules: Incident -> Alert or None; `Rules().alert` where none is given.
            pacing: Pacing() where none is given.
            escalation: What is told again where it lasts; nothing where none is given.
            spool: Where alerts are kept until they are delivered; closed with the notifier. In memory where None.
            inbox: A file that other programs of the user leave their spool in: what waits there is told, too.
            secrets: What must not appear in an alert, beside what names itself (logs.Redact).
        """
        self._clock: Clock = SystemClock() if clock is None else clock
        self._rules = Rules().alert if rules is None else rules
        pacing = Pacing() if pacing is None else pacing
        self._digest = Digest(pacing.window_s)
        self._redact = Redact(secrets).blanked
        self._spool = spool
        self._inbox = inbox
        self._looks_in = Every(self._clock, INBOX_S, self._look_in)
        self._deliveries = [
            Delivery(target, self._clock, pacing, outlet=outlet, spool=spool) for target, outlet in _targets(sinks)
        ]
        if spool is not None and (given_up := spool.keep_only({delivery.name for delivery in self._deliveries})):
            _log.warning("%d alerts of sinks that there are no more are given up", given_up)
        self._louder = () if escalation is None else escalation.to
        self._escalator = None if escalation is None else Escalator(escalation)
        self._escalations: dict[str, Timer] = {}
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
                alert = self._blanked(alert)
                told = self._digest.note(alert, self._clock.monotonic_ns())
                if told is not None:
                    self._tell(told)
                self._look_later(alert.resolves or alert.key)
                if self._escalator is not None:
                    self._escalator.note(alert, self._clock.monotonic_ns())
                    self._escalate_later(alert.resolves or alert.key)
        except RAISED:
            self._failed_incidents += 1
            with contextlib.suppress(*RAISED):  # not even a logging handler's error may reach the read callback
                _log.exception("no alert could be made of an incident of class %s", type(incident).__name__)

    async def start(self) -> None:
        """Begin to deliver."""
        self._is_running = True
        for delivery in self._deliveries:
            delivery.start()
        if self._inbox is not None:
            self._look_in()
            self._looks_in.start()
        owed, self._owed_looks = self._owed_looks, {}
        for key in owed:
            self._look_later(key)
            self._escalate_later(key)

    async def close(self, within_s: float = 5.0) -> None:
        """Tell what is still untold, deliver what waits for `within_s` seconds at most, and end.

        What could not be delivered by then is kept where there is a spool, else dropped and counted; so is all that
        comes later.
        """
        self._is_closed = True
        self._looks_in.stop()
        for timers in (self._looks, self._escalations):
            for timer in timers.values():
                timer.cancel()
            timers.clear()
        for alert in self._digest.flush(self._clock.monotonic_ns()):
            self._tell(alert)
        await asyncio.gather(*(delivery.close(within_s) for delivery in self._deliveries))
        if self._spool is not None:
            self._spool.close(max(within_s, 1.0))

    def acknowledge(self, key: str) -> bool:
        """Somebody sees to the problem of this key: it is not told louder any more. Whether there was such a one."""
        if self._escalator is None:
            return False
        return self._escalator.acknowledge(key)

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

    def _look_in(self) -> None:
        """Take over what waits in the inbox."""
        inbox = self._inbox
        try:
            if inbox is None or not inbox.exists() or not inbox.stat().st_size:
                return
            left = Spool(inbox, self._clock)
        except OSError:
            return  # its owner has it open: the next look will do
        for delivery in self._deliveries:
            for number, alert in left.waiting(delivery.name):
                delivery.put(alert)
                left.gone(number)
        left.close()

    def _blanked(self, alert: Alert) -> Alert:
        blanked = self._redact
        return msgspec.structs.replace(
            alert,
            key=blanked(alert.key),
            resolves=None if alert.resolves is None else blanked(alert.resolves),
            title=blanked(alert.title),
            sentence=blanked(alert.sentence),
            why=blanked(alert.why),
            facts={name: blanked(fact) for name, fact in alert.facts.items()},
        )

    def _escalate_later(self, key: str) -> None:
        if self._escalator is None or self._is_closed:
            return
        at_ns = self._escalator.due_ns(key)
        if at_ns is None:
            if (timer := self._escalations.pop(key, None)) is not None:
                timer.cancel()
            return
        if key in self._escalations:
            return
        if not self._is_running:
            self._owed_looks[key] = None
            return
        wait_s = max(0, at_ns - self._clock.monotonic_ns()) / 1e9 + 1e-6
        self._escalations[key] = self._clock.call_later(wait_s, functools.partial(self._escalate, key))

    def _escalate(self, key: str) -> None:
        del self._escalations[key]
        if self._escalator is None:
            return
        alert = self._escalator.due(key, self._clock.monotonic_ns())
        for delivery in self._deliveries if alert is not None else ():
            if delivery.name in self._louder and alert is not None:
                delivery.put(alert)
        self._escalate_later(key)

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


def _targets(sinks: Sequence[Sink | Outlet]) -> Iterable[tuple[Sink, Outlet | None]]:
    """What is delivered to and tried again one by one."""
    for one in sinks:
        if isinstance(one, Sink):
            yield from ((target, None) for target in one.targets())
            continue
        targets = one.sink.targets()
        for number, target in enumerate(targets, 1):
            name = one.name if len(targets) == 1 else f"{one.name} {number}"
            yield target, msgspec.structs.replace(one, name=name, sink=target)
