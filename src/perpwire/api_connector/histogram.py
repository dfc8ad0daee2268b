"""Histogram: how values are spread, in bounded memory, read back to within 1 %.

Buckets are log-linear, as in HDR histograms: each doubling of the value is cut into 64 equal buckets, so a value read
back as the middle of its bucket is off by at most 1/128 of itself, whatever its size.
"""

from __future__ import annotations

import math
from math import frexp

_BUCKETS_PER_DOUBLING = 64
_MANTISSA_SCALE = 2 * _BUCKETS_PER_DOUBLING  # mantissas fill half of their range, so 64 of its 128 parts are used
_LEAST = 2.0**-40
_GREATEST = 2.0**64
_UNDER = -(2**20)  # the bucket of what is below _LEAST; sorts before all others
_OVER = 2**20


class Histogram:
    """Counts of values of one unit (seconds, nanoseconds ...), which the owner chooses.

    Values from 2^-40 (1e-12) to 2^64 (1.8e19) are told apart, in at most 6,656 buckets, of which only those in use take
    memory. Smaller ones, negative ones too, share one bucket that reads as 0, larger ones another that reads as the
    greatest value. count, mean, min and max are exact.

    There is no lock: record and read in one thread, or merge each thread's own histogram.
    """

    __slots__ = ("_counts", "_max", "_min", "_sum", "count")

    def __init__(self) -> None:
        self.count = 0
        self._counts: dict[int, int] = {}
        self._sum: float = 0
        self._min: float = math.inf
        self._max: float = -math.inf

    def record(self, value: float) -> None:
        """Count one value.

        Raises:
            ValueError: Not a finite number.
        """
        if _LEAST <= value < _GREATEST:
            mantissa, exponent = frexp(value)  # 0.5 <= mantissa < 1
            bucket = exponent * _BUCKETS_PER_DOUBLING + int(mantissa * _MANTISSA_SCALE)
        elif not math.isfinite(value):
            raise ValueError(f"{value} can't be recorded: it is not a finite number")
        else:
            bucket = _UNDER if value < _LEAST else _OVER
        try:
            self._counts[bucket] += 1
        except KeyError:
            self._counts[bucket] = 1
        self.count += 1
        self._sum += value
        if value < self._min:
            self._min = value
        if value > self._max:
            self._max = value

    def quantile(self, q: float) -> float:
        """The value that a share `q` (0 to 1) of all recorded values does not exceed; 0 when there are none.

        The nearest-rank definition: always a value that was recorded, to within 1 %. 0 and 1 give min and max.

        Raises:
            ValueError: `q` is not between 0 and 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"q must be between 0 and 1, not {q}")
        rank = math.ceil(q * self.count)
        if rank <= 1:
            return self.min
        if rank == self.count:
            return self._max
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= rank:
                return min(max(_middle(bucket), self._min), self._max)
        raise AssertionError("the buckets hold fewer values than were counted")

    @property
    def mean(self) -> float:
        """0 when nothing was recorded."""
        return self._sum / self.count if self.count else 0.0

    @property
    def min(self) -> float:
        """The least recorded value, exactly; 0 when nothing was recorded."""
        return self._min if self.count else 0.0

    @property
    def max(self) -> float:
        """The greatest recorded value, exactly; 0 when nothing was recorded."""
        return self._max if self.count else 0.0

    @property
    def sum(self) -> float:
        return self._sum

    def copy(self) -> Histogram:
        made = Histogram()
        made.merge(self)
        return made

    def since(self, earlier: Histogram) -> Histogram:
        """What was recorded after `earlier` was copied from this one; its min and max are those of its buckets."""
        news = Histogram()
        news._counts = {
            bucket: count - before
            for bucket, count in self._counts.items()
            if count > (before := earlier._counts.get(bucket, 0))
        }
        news.count = self.count - earlier.count
        news._sum = self._sum - earlier._sum
        if news._counts:
            news._min = max(_middle(min(news._counts)), self._min)
            news._max = min(_middle(max(news._counts)), self._max)
        return news

    def at_most(self, value: float) -> int:
        """How many recorded values are `value` or less, to within 1 % of it."""
        return sum(count for bucket, count in self._counts.items() if _middle(bucket) <= value)

    def merge(self, other: Histogram) -> None:
        """Take in everything `other` holds, as if each of its values had been recorded here."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.count += other.count
        self._sum += other._sum
        self._min = min(self._min, other._min)
        self._max = max(self._max, other._max)


def _middle(bucket: int) -> float:
    if bucket == _UNDER:
        return 0.0
    if bucket == _OVER:
        return math.inf  # clamped to the greatest recorded value by the caller
    # A mantissa's buckets are numbered 64 to 127, so this undoes exponent * 64 + number.
    exponent, number = divmod(bucket - _BUCKETS_PER_DOUBLING, _BUCKETS_PER_DOUBLING)
    return math.ldexp((number + _BUCKETS_PER_DOUBLING + 0.5) / _MANTISSA_SCALE, exponent)
