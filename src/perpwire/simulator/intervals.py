"""Candle intervals: which times a candle opens at. All in UTC; weeks begin on Monday, months are the calendar's."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Required, TypedDict, Unpack

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
_WEEK_MS = 7 * DAY_MS
_FIRST_MONDAY_MS = 4 * DAY_MS  # 1970-01-05


class Span(TypedDict, total=False):
    """Which rows of a series are asked for: those from `start_ms` to `end_ms` (both included; None or left out: no
    bound), and of them at most `limit`: the newest, or the oldest where `oldest` is True."""

    start_ms: int | None
    end_ms: int | None
    limit: Required[int]
    oldest: bool


class Interval(StrEnum):
    """Every interval that one of the venues has."""

    MINUTE = "1m"
    MINUTES_3 = "3m"
    MINUTES_5 = "5m"
    MINUTES_15 = "15m"
    MINUTES_30 = "30m"
    HOUR = "1h"
    HOURS_2 = "2h"
    HOURS_4 = "4h"
    HOURS_6 = "6h"
    HOURS_8 = "8h"
    HOURS_12 = "12h"
    DAY = "1d"
    DAYS_3 = "3d"
    WEEK = "1w"
    MONTH = "1M"

    @property
    def length_ms(self) -> int:
        """Of a candle; of the shortest one where they differ (months)."""
        return _LENGTHS_MS[self]

    def open_of(self, time_ms: int) -> int:
        """When the candle that holds this time opened (Unix milliseconds, like all times here)."""
        if self is Interval.MONTH:
            day = _utc(time_ms)
            return _month_ms(day.year, day.month)
        anchor = _FIRST_MONDAY_MS if self is Interval.WEEK else 0
        return time_ms - (time_ms - anchor) % self.length_ms

    def next_open(self, open_ms: int) -> int:
        """The open after the one at `open_ms`; a candle ends a millisecond before it."""
        if self is Interval.MONTH:
            return self.open_of(open_ms + 31 * DAY_MS)
        return open_ms + self.length_ms

    def previous_open(self, open_ms: int) -> int:
        return self.open_of(open_ms - 1)

    def opens(self, first_ms: int, last_ms: int, **span: Unpack[Span]) -> list[int]:
        """The opens that are asked for, of those from `first_ms` to `last_ms` (both included), in order of time."""
        start_ms, end_ms = span.get("start_ms"), span.get("end_ms")
        first_ms = first_ms if start_ms is None else max(first_ms, start_ms)
        last_ms = last_ms if end_ms is None else min(last_ms, end_ms)
        opens: list[int] = []
        if span.get("oldest", False):
            one = self.next_open(self.open_of(first_ms - 1))
            while one <= last_ms and len(opens) < span["limit"]:
                opens.append(one)
                one = self.next_open(one)
            return opens
        one = self.open_of(last_ms)
        while one >= first_ms and len(opens) < span["limit"]:
            opens.append(one)
            one = self.previous_open(one)
        return opens[::-1]


_UNITS_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": _WEEK_MS, "M": 28 * DAY_MS}
_LENGTHS_MS = {one: int(one[:-1]) * _UNITS_MS[one[-1]] for one in Interval}


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC)


def _month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000
