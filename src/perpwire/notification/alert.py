"""Alert: what a person is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Grows with severity: 0, 1, 2."""
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a person should hear of.

    Attributes:
        severity: How much it matters.
        key: Names the problem: alerts with one key are about the same thing, and repeats of it are told together.
        title: A few words, without a full stop.
        sentence: One sentence that says what happened.
        facts: Details, as text, by name.
        venue: "binance", "bybit", or "" for none.
        time_ns: When it happened: Unix nanoseconds, our clock.
        resolves: The key of the problem that is over with this; None where it reports a problem.
        hold_s: Seconds to keep it back; it is never told when the problem is over by then.
        repeats: How many more times the same happened, untold, since it was told last.
        kind: Of the incident it was made of, such as "connection_lost"; "" where it was made of none.
        text: Names what it says in perpwire.words; "" for a title and sentence that are said as they are in every
            language.
        why: The reason, as it was given (Incident.why).
        can_end: Something will say that it is over: until then it lasts.
        open_s: Told again, louder, because it has lasted for so many seconds; 0 otherwise.
    """

    severity: Severity
    key: str
    title: str
    sentence: str
    facts: Mapping[str, str]
    venue: str
    time_ns: int
    resolves: str | None = None
    hold_s: float = 0.0
    repeats: int = 0
    kind: str = ""
    text: str = ""
    why: str = ""
    can_end: bool = False
    open_s: float = 0.0

    def headline(self) -> str:
        """One line, such as "[CRITICAL] bybit: Balance insufficient for an order (3 more times)"."""
        again = ""
        if self.repeats:
            times = f"{self.repeats} more time{'' if self.repeats == 1 else 's'}"
            again = f" ({times})" if self.resolves is None else f" (after it had happened {times})"
        if self.open_s:
            again += f" (not over after {max(1, round(self.open_s / 60))} min)"
        venue = f"{self.venue}: " if self.venue else ""
        return f"[{self.severity.upper()}] {venue}{self.title}{again}"

    def body(self, zone: tzinfo = UTC) -> str:
        """The sentence, the facts a line each, and the time."""
        lines = [self.sentence, *(f"{name}: {fact}" for name, fact in self.facts.items())]
        return "\n".join([*lines, f"at {self.time(zone)}"])

    def time(self, zone: tzinfo = UTC) -> str:
        """When it happened, such as "2026-09-21 14:13:20 UTC"."""
        time = datetime.fromtimestamp(self.time_ns // 1_000_000_000, zone)
        return f"{time:%Y-%m-%d %H:%M:%S} {time.tzname()}"
