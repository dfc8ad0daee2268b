"""Funding rates: the formula both venues state, and the rates that were settled before the exchange started.

Source: the funding pages of both venues, as of 2026-07: premium averaged with the latest counting most, interest of
0.01 % for 8 hours, a band of 0.05 % around it, and the contract's own cap and floor.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from perpwire.simulator.candles import Candles
from perpwire.simulator.intervals import Interval

DEFAULT_FUNDING_INTERVAL_S = 8 * 3600
INTEREST = Decimal("0.0001")
"""For eight hours."""

RATE_STEP = Decimal("0.00000001")
_BAND = Decimal("0.0005")
_EIGHT_HOURS_S = 8 * 3600


class SettledRate(NamedTuple):
    """A funding that was: its instant in Unix milliseconds, and the mark price then."""

    time_ms: int
    rate: Decimal
    mark_price: Decimal


def funding_rate(premium: Decimal, interval_s: int, cap: Decimal, floor: Decimal) -> Decimal:
    """The rate of one interval, as a fraction of the position's value; above 0, longs pay.

    Args:
        premium: The interval's average premium index.
    """
    interest = INTEREST * interval_s / _EIGHT_HOURS_S
    rate = premium + max(-_BAND, min(_BAND, interest - premium))
    return max(floor, min(cap, rate)).quantize(RATE_STEP)


def average_premium(premiums: Iterable[Decimal]) -> Decimal:
    """Oldest first; the n-th of them counts n times."""
    total, weights = Decimal(0), 0
    for weight, premium in enumerate(premiums, 1):
        total += premium * weight
        weights += weight
    return total / weights if weights else Decimal(0)


class FundingPast:
    """The rates that would have been settled before the start, from the premium candles of the made-up past."""

    def __init__(self, candles: Candles, interval_s: int, cap: Decimal, floor: Decimal, start_ms: int) -> None:
        self._candles = candles
        self._interval_s = interval_s
        self._cap = cap
        self._floor = floor
        self._start_ms = start_ms
        # As few candles as give an average: a client may ask for a year's rates at once.
        steps = (Interval.HOURS_2, Interval.HOUR, Interval.MINUTES_15)
        self._step = next(step for step in steps if not interval_s * 1000 % step.length_ms)
        self._known: dict[int, SettledRate] = {}

    def rates(self, *, start_ms: int = 0, end_ms: int | None = None, limit: int) -> list[SettledRate]:
        """Those from `start_ms` to `end_ms` (both included), oldest first: the newest `limit` of them."""
        interval_ms = self._interval_s * 1000
        first_ms = max(start_ms, self._candles.listed_ms + interval_ms)
        time_ms = min(self._start_ms, self._start_ms if end_ms is None else end_ms) // interval_ms * interval_ms
        found: list[SettledRate] = []
        while time_ms >= first_ms and len(found) < limit:
            found.append(self._rate(time_ms))
            time_ms -= interval_ms
        return found[::-1]

    def premium_so_far(self) -> tuple[Decimal, int]:
        """The average premium index of the interval that the start fell in, up to the start, and over how many
        seconds."""
        begun_ms = self._start_ms // (self._interval_s * 1000) * self._interval_s * 1000
        return self._premium(begun_ms, self._start_ms), (self._start_ms - begun_ms) // 1000

    def _rate(self, time_ms: int) -> SettledRate:
        known = self._known.get(time_ms)
        if known is None:
            premium = self._premium(time_ms - self._interval_s * 1000, time_ms)
            mark = self._candles.at("mark", self._step, time_ms)
            assert mark is not None  # it was before the start
            rate = funding_rate(premium, self._interval_s, self._cap, self._floor)
            known = self._known[time_ms] = SettledRate(time_ms, rate, mark.open)
        return known

    def _premium(self, start_ms: int, end_ms: int) -> Decimal:
        candles = self._candles.range("premium", self._step, start_ms=start_ms, end_ms=end_ms - 1, limit=200)
        return average_premium((one.open + one.close) / 2 for one in candles)
