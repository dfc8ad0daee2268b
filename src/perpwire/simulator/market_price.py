"""Mark price, index price and funding rate of one symbol: near the book's middle, calm, and the same for a seed."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from perpwire.model.instrument import Instrument

DEFAULT_FUNDING_INTERVAL_S = 8 * 3600
_STEP_LIMIT = Decimal("0.0005")  # the mark moves by no more than this share of itself a second
_SMOOTHING = Decimal("0.2")
_INTEREST = Decimal("0.0001")
_RATE_LIMIT = Decimal("0.003")
_RATE_STEP = Decimal("0.00000001")


class MarketPrice:
    """Moved on once a second by `tick`."""

    def __init__(self, instrument: Instrument, start: Decimal, rng: Random) -> None:
        self._tick_size = instrument.tick_size
        self._interval_ms = (instrument.funding_interval_s or DEFAULT_FUNDING_INTERVAL_S) * 1000
        self._rng = rng
        self.restart(start)

    def restart(self, price: Decimal) -> None:
        """Begin anew at this price."""
        self._exact = price
        self._index_gap_bp = 0.0
        self._premium = Decimal(0)
        self.mark = self._rounded(price)
        self.index = self.mark

    def tick(self, middle: Decimal) -> None:
        """A second has passed and the middle of the book is at `middle`."""
        limit = self._exact * _STEP_LIMIT
        step = (middle - self._exact) * _SMOOTHING
        self._exact += max(-limit, min(limit, step))
        self.mark = self._rounded(self._exact)
        # The gap of the index wanders within some 2 bp and is drawn back to none.
        self._index_gap_bp = 0.95 * self._index_gap_bp + self._rng.gauss(0.0, 0.2)
        self.index = self._rounded(self._exact * (1 - Decimal(round(self._index_gap_bp * 1000)) / 10_000_000))
        self._premium += ((self.mark - self.index) / self.index - self._premium) / 100

    @property
    def funding_rate(self) -> Decimal:
        """Of the coming funding, as a fraction."""
        # Premium plus the interest's distance from it, which counts by 5 bp at most.
        toward_interest = max(-_STEP_LIMIT, min(_STEP_LIMIT, _INTEREST - self._premium))
        rate = max(-_RATE_LIMIT, min(_RATE_LIMIT, self._premium + toward_interest))
        return rate.quantize(_RATE_STEP)

    def next_funding_ms(self, now_ms: int) -> int:
        """The next boundary of the funding interval: Unix milliseconds."""
        return (now_ms // self._interval_ms + 1) * self._interval_ms

    def _rounded(self, price: Decimal) -> Decimal:
        return max(self._tick_size, (price / self._tick_size).quantize(Decimal(1)) * self._tick_size)
