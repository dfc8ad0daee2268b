"""Quiet hours: when only what is critical is told."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

import msgspec


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """From one time of day to another, over midnight where `start` is the later one; the whole day where they are the
    same.

    Attributes:
        zone: Whose time of day it is. Where its clocks are put forward or back, the hours go with them.
    """

    start: time
    end: time
    zone: tzinfo = UTC

    def until_ns(self, now_ns: int) -> int | None:
        """When they end, Unix nanoseconds; None where it is not quiet now."""
        now = datetime.fromtimestamp(now_ns / 1e9, self.zone)
        at = now.time()
        over_midnight = self.start >= self.end
        is_quiet = (at >= self.start or at < self.end) if over_midnight else self.start <= at < self.end
        if not is_quiet:
            return None
        day = now.date() + timedelta(days=1) if over_midnight and at >= self.start else now.date()
        return round(datetime.combine(day, self.end, self.zone).timestamp() * 1e9)
