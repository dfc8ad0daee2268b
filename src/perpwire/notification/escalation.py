"""Escalation: what is critical and not over after some time is told again, to those who are meant to hear of it then.

Pure: time is an argument, nothing sleeps.
"""

from __future__ import annotations

import msgspec

from perpwire.notification.alert import Alert, Severity

_REMEMBERED = 1000


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """When, and to whom.

    Attributes:
        after_s: Seconds after which a critical problem that is not over, or goes on happening, is told again.
        to: Names of the outlets that hear of it.
        again_s: And again after each so many seconds; 0: no more.
    """

    after_s: float
    to: tuple[str, ...]
    again_s: float = 0.0


class _Open:
    __slots__ = ("first_ns", "last_ns", "latest", "next_ns")

    def __init__(self, alert: Alert, now_ns: int, after_ns: int) -> None:
        self.latest = alert
        self.first_ns = self.last_ns = now_ns
        self.next_ns: int | None = now_ns + after_ns


class Escalator:
    """Remembers critical problems until they are over, acknowledged, or do not happen any more."""

    def __init__(self, escalation: Escalation) -> None:
        self._after_ns = round(escalation.after_s * 1e9)
        self._again_ns = round(escalation.again_s * 1e9)
        self._open: dict[str, _Open] = {}

    def note(self, alert: Alert, now_ns: int) -> None:
        """Something happened, or is over."""
        if alert.resolves is not None:
            self._open.pop(alert.resolves, None)
            return
        if alert.severity is not Severity.CRITICAL:
            return
        problem = self._open.get(alert.key)
        if problem is None or (not alert.can_end and now_ns - problem.last_ns > self._after_ns):
            if len(self._open) >= _REMEMBERED:
                self._open.pop(next(iter(self._open)))
            self._open[alert.key] = _Open(alert, now_ns, self._after_ns)
            return
        problem.latest = alert
        problem.last_ns = now_ns

    def acknowledge(self, key: str) -> bool:
        """Somebody sees to it. Whether there was such a problem; it is told again only where it comes back."""
        problem = self._open.get(key)
        if problem is None or problem.next_ns is None:
            return False
        problem.next_ns = None
        return True

    def due_ns(self, key: str) -> int | None:
        """When `due` should be called for the problem; None where there is nothing to wait for."""
        problem = self._open.get(key)
        return None if problem is None else problem.next_ns

    def due(self, key: str, now_ns: int) -> Alert | None:
        """What is to be told again now, if anything."""
        problem = self._open.get(key)
        if problem is None or problem.next_ns is None or now_ns < problem.next_ns:
            return None
        # What nobody says the end of is over when it has not happened for as long as half the time.
        if not problem.latest.can_end and now_ns - problem.last_ns > self._after_ns / 2:
            del self._open[key]
            return None
        problem.next_ns = now_ns + self._again_ns if self._again_ns else None
        return msgspec.structs.replace(problem.latest, open_s=(now_ns - problem.first_ns) / 1e9, repeats=0, hold_s=0.0)
