"""Digest: a problem is told once, its repeats as a number. Pure: time is an argument, nothing sleeps.

What is told, and when:
- a new problem at once; or after its `hold_s`, unless it is over by then;
- a known problem that has become worse at once;
- the end of a problem that was told at once; the end of one that was not told never;
- everything else at the end of the problem's window: its latest state, and how often it happened meanwhile.
"""

from __future__ import annotations

import msgspec

from perpwire.notification.alert import Alert


class _Problem:
    """What has been told of one key, and what has not."""

    __slots__ = ("latest", "quiet_until_ns", "rank", "told", "untold", "worst_told")

    def __init__(self, alert: Alert, quiet_until_ns: int) -> None:
        self.latest = alert
        self.told: Alert | None = None
        self.rank = alert.severity.rank  # of the latest occurrence
        self.worst_told = -1  # the highest rank told in this window
        self.untold = 0
        self.quiet_until_ns = quiet_until_ns


class Digest:
    """Decides for each alert whether to tell it now, later or never.

    Attributes:
        suppressed: How many alerts were not told on their own.
        forgotten: How many of these were never told as a number either, because of `capacity`.
    """

    def __init__(self, window_s: float, capacity: int = 1000) -> None:
        """
        Args:
            window_s: Seconds in which repeats of one problem are told as a number.
            capacity: How many problems are remembered; past it the one told longest ago is forgotten.
        """
        self._window_ns = round(window_s * 1e9)
        self._capacity = capacity
        self._problems: dict[str, _Problem] = {}
        self.suppressed = 0
        self.forgotten = 0

    def note(self, alert: Alert, now_ns: int) -> Alert | None:
        """What to tell at once, if anything; `look_at_ns` says when to look again."""
        told = self._end(alert, now_ns) if alert.resolves is not None else self._occurrence(alert, now_ns)
        if told is None:
            self.suppressed += 1
        return told

    def look_at_ns(self, key: str) -> int | None:
        """When `look` should be called for the problem, or None where nothing is untold."""
        problem = self._problems.get(key)
        return problem.quiet_until_ns if problem is not None and _owes(problem) else None

    def look(self, key: str, now_ns: int) -> Alert | None:
        """What to tell now that the problem's time of quiet is over, if anything."""
        problem = self._problems.get(key)
        if problem is None or not _owes(problem) or now_ns < problem.quiet_until_ns:
            return None
        problem.worst_told = -1
        return self._tell(key, problem, now_ns)

    def flush(self, now_ns: int) -> list[Alert]:
        """Everything that is untold, now."""
        return [self._tell(key, problem, now_ns) for key, problem in list(self._problems.items()) if _owes(problem)]

    def _occurrence(self, alert: Alert, now_ns: int) -> Alert | None:
        problem = self._problems.get(alert.key)
        if problem is not None and _is_history(problem, now_ns):
            del self._problems[alert.key]
            problem = None
        if problem is None:
            self._make_room()
            problem = self._problems[alert.key] = _Problem(alert, now_ns + round(alert.hold_s * 1e9))
            return None if alert.hold_s > 0 else self._tell(alert.key, problem, now_ns)
        problem.latest = alert
        problem.rank = alert.severity.rank
        is_over_quiet = now_ns >= problem.quiet_until_ns
        if is_over_quiet:
            problem.worst_told = -1
        is_held = problem.told is None and alert.hold_s > 0
        if is_over_quiet or (not is_held and problem.rank > problem.worst_told):
            return self._tell(alert.key, problem, now_ns)
        problem.untold += 1
        return None

    def _end(self, alert: Alert, now_ns: int) -> Alert | None:
        key = alert.resolves or ""
        problem = self._problems.get(key)
        if problem is None:
            return None
        if problem.told is None:  # held back, and over in time
            del self._problems[key]
            return None
        problem.latest = alert
        if problem.told.resolves is not None:  # its last end was told; what came since waits for the window's end
            return None
        # The window goes on as it began: a problem that comes back after it is new, one that flaps inside it is not.
        quiet_until_ns = problem.quiet_until_ns
        told = self._tell(key, problem, now_ns)
        problem.quiet_until_ns = quiet_until_ns
        return told

    def _tell(self, key: str, problem: _Problem, now_ns: int) -> Alert:
        alert = msgspec.structs.replace(problem.latest, repeats=problem.untold)
        problem.told = alert
        problem.worst_told = max(problem.worst_told, problem.rank)
        problem.untold = 0
        problem.quiet_until_ns = now_ns + self._window_ns
        self._problems[key] = self._problems.pop(key)  # to the end: told last
        return alert

    def _make_room(self) -> None:
        if len(self._problems) >= self._capacity:
            oldest = self._problems.pop(next(iter(self._problems)))
            self.forgotten += oldest.untold + (oldest.told is None)


def _owes(problem: _Problem) -> bool:
    return problem.told is None or problem.untold > 0


def _is_history(problem: _Problem, now_ns: int) -> bool:
    """Its end was told, and its window has passed without a repeat: a next occurrence is a new problem."""
    return (
        problem.told is not None
        and problem.told.resolves is not None
        and problem.untold == 0
        and now_ns >= problem.quiet_until_ns
    )
