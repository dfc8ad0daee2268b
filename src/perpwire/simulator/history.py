"""The made-up past: candles from a symbol's listing to the start of the exchange, drawn from a seed when asked for.

Days come first, walking backward from the start price; a day is split into spans of two hours (all longer candles
within a day are made of those), these into hours, quarters and minutes, each adding up to the longer candle exactly. So
a candle of 2019 costs no more than one of today, and the same seed, symbol and start give the same past.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from decimal import Decimal
from random import Random
from typing import Protocol

from perpwire.simulator.bars import Bar, reach, split
from perpwire.simulator.curves import noise
from perpwire.simulator.intervals import DAY_MS, HOUR_MS, MINUTE_MS
from perpwire.simulator.specs import SymbolSpec

LISTED_MS = 1_569_398_400_000
"""The first candle of every symbol is of this day (2019-09-25), or `AT_LEAST_DAYS` before an earlier start."""
AT_LEAST_DAYS = 4 * 365

LEVELS_MS = (DAY_MS, 2 * HOUR_MS, HOUR_MS, 15 * MINUTE_MS, MINUTE_MS)
"""Lengths of the candles that are split into one another."""

PREMIUM_UNIT = Decimal("1E-8")
"""What premium candles count."""

_MINUTES = tuple(length // MINUTE_MS for length in LEVELS_MS)
_KEPT_SPLITS = 3000

_DAILY_DEVIATION = 0.024
_HOMING = 1 / 500  # of the distance from the start price goes, each day further back: so no price becomes absurd
_DAILY_TURNOVER = 8e9  # quote; like the background market's at its usual rate
_TRADE_VALUE = 8000.0  # quote; on average

# fmt: off
_BUSY_HOURS = (
    0.9, 0.9, 0.85, 0.8, 0.75, 0.75, 0.8, 0.95, 1.1, 1.05, 1.0, 1.0,
    1.25, 1.55, 1.7, 1.6, 1.4, 1.2, 1.1, 1.05, 1.0, 0.9, 0.8, 0.8,
)  # of a day, UTC
# fmt: on


class Days(Protocol):
    """Gives the candle of any day (days since 1970) up to the one the exchange starts in, which ends at the start."""

    def day(self, number: int) -> Bar: ...


class WalkedDays:
    """Days of the last price: a walk backward, with quiet and wild weeks.

    Attributes:
        start: The start price in ticks, at which the last of them closes.
    """

    def __init__(self, spec: SymbolSpec, seed: str, start_minute: int) -> None:
        self._seed = seed
        self.start = max(1, round(spec.start_price / spec.instrument.tick_size))
        self._last_day, into_day = divmod(start_minute, _MINUTES[0])
        self._share = into_day / _MINUTES[0]
        tick, step = float(spec.instrument.tick_size), float(spec.instrument.quantity_step)
        self._turnover_unit = tick * step
        self._days: dict[int, Bar] = {}
        self._next = self._last_day  # the next one back
        self._close = self.start

    def day(self, number: int) -> Bar:
        while self._next >= number:
            share = self._share if self._next == self._last_day else 1.0
            bar = self._made(self._next, self._close, share)
            self._days[self._next] = bar
            self._close = bar.open
            self._next -= 1
        return self._days[number]

    def _made(self, number: int, close: int, share: float) -> Bar:
        rng = Random(f"{self._seed}/day/{number}")
        mood = noise(f"{self._seed}/mood", number / 9) + 0.5 * noise(f"{self._seed}/mood", number / 2 + 0.5)
        relative = _DAILY_DEVIATION * math.exp(0.6 * mood) * math.sqrt(share)
        home = math.log(close / self.start) * _HOMING
        start = max(20, round(close * math.exp(-relative * rng.gauss(0.0, 1.0) - home)))
        high, low = reach(start, close, relative * close, rng)
        low = max(1, low)
        eager = math.exp(0.5 * mood) * rng.lognormvariate(-0.03, 0.25) * share
        price = (start + close) / 2
        volume = max(4, round(_DAILY_TURNOVER * eager / self._turnover_unit / price))
        lean = 0.02 * math.tanh((close - start) / (relative * close + 1)) + rng.gauss(0.0, 0.005)
        buys = round(volume * (0.5 + lean))
        sells = volume - buys
        return Bar(
            start,
            high,
            low,
            close,
            buys,
            sells,
            buys * (start + close) // 2,
            sells * (start + close) // 2,
            min(volume, max(1, round(_DAILY_TURNOVER * eager / _TRADE_VALUE))),
        )


class ShadowedDays:
    """Days of a price that follows the last price within a few hundredths of a percent: mark and index. The volumes are
    the last price's, so that the days split alike and the prices stay together to the minute."""

    def __init__(self, followed: WalkedDays, seed: str, start_minute: int) -> None:
        self._followed = followed
        self._seed = seed
        self._end_day = math.ceil(start_minute / _MINUTES[0])

    def day(self, number: int) -> Bar:
        bar = self._followed.day(number)
        at_open, at_close = self._gap(number, bar.open), self._gap(number + 1, bar.close)
        between = (at_open + at_close) // 2
        start, end = bar.open + at_open, bar.close + at_close
        return Bar(
            start,
            max(start, end, bar.high + between),
            min(start, end, max(1, bar.low + between)),
            end,
            bar.buys,
            bar.sells,
            bar.buy_turnover + bar.buys * between,
            bar.sell_turnover + bar.sells * between,
            bar.trades,
        )

    def _gap(self, number: int, price: int) -> int:
        if number >= self._end_day:
            return 0  # at the start all prices are one
        return round(price * 0.0002 * noise(f"{self._seed}/gap", float(number)))


class PremiumDays:
    """Days of the premium index, in PREMIUM_UNIT: weeks above 0 and weeks below, and mostly too little to count."""

    def __init__(self, seed: str, start_minute: int) -> None:
        self._seed = seed
        self._last_day, into_day = divmod(start_minute, _MINUTES[0])
        self._share = into_day / _MINUTES[0]

    def day(self, number: int) -> Bar:
        share = self._share if number == self._last_day else 1.0
        start, end = self._level(number), self._level(number + 1)
        rng = Random(f"{self._seed}/premium/{number}")
        high, low = reach(start, end, 25_000 * math.sqrt(share), rng)
        return Bar(start, high, low, end)

    def _level(self, number: int) -> int:
        if number > self._last_day or (number == self._last_day and not self._share):
            return 0
        name = f"{self._seed}/premium"
        return round(-4_000 + 60_000 * noise(name, number / 1.7) + 50_000 * noise(name, number / 23 + 0.5))


class Past:
    """One price's candles before the start, of the lengths in LEVELS_MS. Times are whole minutes since 1970."""

    def __init__(self, days: Days, seed: str, start_minute: int) -> None:
        self.start_minute = start_minute
        self._days = days
        self._seed = seed
        self._splits: OrderedDict[tuple[int, int], list[Bar]] = OrderedDict()

    def has(self, level: int, number: int) -> bool:
        """Did some of this candle pass before the start?"""
        return number * _MINUTES[level] < self.start_minute

    def get(self, level: int, number: int) -> Bar:
        """The candle of this level (0 for days) with this number since 1970: what of it passed before the start."""
        if not level:
            return self._days.day(number)
        parent, part = divmod(number, _MINUTES[level - 1] // _MINUTES[level])
        key = (level, parent)
        found = self._splits.get(key)
        if found is None:
            found = self._splits[key] = self.parts(level, parent, self.get(level - 1, parent), self.start_minute)
            if len(self._splits) > _KEPT_SPLITS:
                self._splits.popitem(last=False)
        return found[part]

    def parts(self, level: int, parent: int, bar: Bar, end_minute: int) -> list[Bar]:
        """Split a candle of the level above; the last of the parts may be cut short by the end."""
        begun = parent * _MINUTES[level - 1]
        minutes = min(_MINUTES[level - 1], end_minute - begun)
        length = _MINUTES[level]
        busy = [_busy(begun + at, min(length, minutes - at)) for at in range(0, minutes, length)]
        return split(bar, busy, Random(f"{self._seed}/{level}/{parent}"))


def _busy(minute: int, minutes: int) -> float:
    """How much is traded from this minute on for so many, in proportion: by the hour of the day."""
    hour = minute // 60
    if minutes <= 60:
        return minutes * _BUSY_HOURS[hour % 24]
    return sum(min(60, minutes - at) * _BUSY_HOURS[(minute + at) // 60 % 24] for at in range(0, minutes, 60))


def listed_day(start_minute: int) -> int:
    """The day (since 1970) of a symbol's first candle."""
    return min(LISTED_MS // DAY_MS, start_minute // _MINUTES[0] - AT_LEAST_DAYS)
