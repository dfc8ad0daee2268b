"""The sessions of the markets that TradFi contracts follow. The contracts themselves are traded around the clock.

Times are those of each market's own place; holidays are not known here. Source: usds-margined-futures, Trading Session
Stream and Trading Schedule, as of 2026-10-23.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

_DAY_MS = 24 * 3600 * 1000
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6

NO_TRADING = "NO_TRADING"


class Session(NamedTuple):
    """One stretch of time in which a market is in one state; Unix milliseconds, the end excluded."""

    start_ms: int
    end_ms: int
    kind: str


class Market(NamedTuple):
    """A market as the schedule and the stream name it, and its sessions of one day of its own calendar."""

    name: str
    event: str
    sessions_of: Callable[[date], list[Session]]


def _at(day: date, hours: int, minutes: int, offset_hours: int) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return round((midnight + timedelta(hours=hours - offset_hours, minutes=minutes)).timestamp() * 1000)


def _new_york_offset(day: date) -> int:
    """Hours from UTC: summer time from the second Sunday of March to the first of November."""
    return -4 if _sunday(day.year, 3, 2) <= day < _sunday(day.year, 11, 1) else -5


def _sunday(year: int, month: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(_SUNDAY - first.weekday()) % 7 + 7 * (number - 1))


def _new_york(day: date, hours: int, minutes: int = 0) -> int:
    return _at(day, hours, minutes, _new_york_offset(day))


def _us_equity(day: date) -> list[Session]:
    """Its overnight session begins on the evening before: Sunday's is Monday's."""
    if day.weekday() in (_SATURDAY, _SUNDAY):
        return []
    before = day - timedelta(days=1)
    opens = _new_york(day, 4)
    return [
        Session(_new_york(before, 20), opens, "OVERNIGHT"),
        Session(opens, _new_york(day, 9, 30), "PRE_MARKET"),
        Session(_new_york(day, 9, 30), _new_york(day, 16), "REGULAR"),
        Session(_new_york(day, 16), _new_york(day, 20), "AFTER_MARKET"),
    ]


def _commodity(day: date) -> list[Session]:
    """From six in the evening to five on the next afternoon, five times a week."""
    if day.weekday() in (_FRIDAY, _SATURDAY):
        return []
    return [Session(_new_york(day, 18), _new_york(day + timedelta(days=1), 17), "REGULAR")]


def _asian(offset_hours: int, *spans: tuple[int, int, int, int]) -> Callable[[date], list[Session]]:
    """Hours and minutes of each session's start and end."""

    def sessions_of(day: date) -> list[Session]:
        if day.weekday() in (_SATURDAY, _SUNDAY):
            return []
        return [
            Session(_at(day, one[0], one[1], offset_hours), _at(day, one[2], one[3], offset_hours), "REGULAR")
            for one in spans
        ]

    return sessions_of


MARKETS = (
    Market("EQUITY", "EquityUpdate", _us_equity),
    Market("COMMODITY", "CommodityUpdate", _commodity),
    Market("KR_EQUITY", "KR_EquityUpdate", _asian(9, (9, 0, 15, 30))),
    Market("HK_EQUITY", "HK_EquityUpdate", _asian(8, (9, 30, 12, 0), (13, 0, 16, 0))),
    Market("CN_EQUITY", "CN_EquityUpdate", _asian(8, (9, 30, 11, 30), (13, 0, 15, 0))),
)


def schedule(market: Market, start_ms: int, end_ms: int) -> list[Session]:
    """Every session that touches the span, in order and without gaps: what lies between two is NO_TRADING."""
    first = datetime.fromtimestamp(start_ms / 1000, UTC).date() - timedelta(days=4)
    days = (end_ms - start_ms) // _DAY_MS + 9
    trading = [one for number in range(days) for one in market.sessions_of(first + timedelta(days=number))]
    found: list[Session] = []
    for before, after in itertools.pairwise(trading):
        found.append(before)
        if before.end_ms < after.start_ms:
            found.append(Session(before.end_ms, after.start_ms, NO_TRADING))
    return [one for one in found if one.end_ms > start_ms and one.start_ms < end_ms]


def session_at(market: Market, time_ms: int) -> Session:
    """The one that a market is in."""
    return schedule(market, time_ms, time_ms + 1)[0]
