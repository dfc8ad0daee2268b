"""Mark price, index price and funding rate of one symbol, by the formulas both venues state.

Sources: the venues' mark price and funding pages, as of 2026-07.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from random import Random

from perpwire.model.instrument import Instrument
from perpwire.model.market import Level
from perpwire.simulator.funding import DEFAULT_FUNDING_INTERVAL_S, RATE_STEP, funding_rate

SPAN_S = 300
"""Over how many seconds the middle's distance from the index is averaged."""

_INDEX_LIMIT = Decimal("0.0005")  # an index that only follows the book moves by no more than this share a second
_SMOOTHING = Decimal("0.2")
_RATE_LIMIT = Decimal("0.003")
_GAP_BP, _MEAN_GAP_BP = 3.0, -3.0  # of the fair price above the index, 1 bp = 0.0001: standard deviation and mean
_GAP_FADE = 1 / 1800  # a second


class MarketPrice:
    """Moved on once a second by `tick`.

    mark = median(P1, P2, last price), with P1 = index * (1 + last funding rate * share of the interval that is left)
    and P2 = index + mean of (middle - index) over SPAN_S.

    Attributes:
        anchor: Gives the fair price that a background market trades around: the index wanders about it. Without one
            the index follows the middle of the book in small steps.
        premium: The premium index: how far the book is above the index, as a fraction.
        settled_rate: Of the last funding.
    """

    def __init__(
        self,
        instrument: Instrument,
        start: Decimal,
        rng: Random,
        cap: Decimal = _RATE_LIMIT,
        floor: Decimal = -_RATE_LIMIT,
    ) -> None:
        """
        Args:
            cap, floor: Of the funding rate.
        """
        self._tick_size = instrument.tick_size
        self._interval_s = instrument.funding_interval_s or DEFAULT_FUNDING_INTERVAL_S
        self._interval_ms = self._interval_s * 1000
        self._rng = rng
        self._cap = cap
        self._floor = floor
        self._interval_end_ms = 0
        self.anchor: Callable[[], Decimal] | None = None
        self.settled_rate = Decimal(0)
        self.restart(start)

    def restart(self, price: Decimal) -> None:
        """Begin anew at this price."""
        self._exact = price
        self._gap_bp = 0.0
        self._gaps: deque[Decimal] = deque([Decimal(0)] * SPAN_S, maxlen=SPAN_S)
        self._gap_sum = Decimal(0)
        self.premium = Decimal(0)
        self._weighted = Decimal(0)
        self._samples = 0
        self.mark = self._rounded(price)
        self.index = self.mark

    def warm(self, premium: Decimal, seconds: int, settled_rate: Decimal) -> None:
        """Take over what was before the start.

        Args:
            premium: Average premium index of the funding interval so far, which began so many seconds ago.
        """
        self.settled_rate = settled_rate
        self._samples = seconds
        self._weighted = premium * (seconds * (seconds + 1) // 2)

    def tick(
        self,
        middle: Decimal,
        last: Decimal | None = None,
        now_ms: int = 0,
        impact: tuple[Decimal, Decimal] | None = None,
    ) -> None:
        """A second has passed.

        Args:
            middle: Of the best bid and ask.
            last: The last price; the middle if None.
            now_ms: The time, by which funding intervals end; 0 leaves them be.
            impact: Prices at which the impact notional can be sold and bought; see `impact_prices`.
        """
        self._move_index(middle)
        index = self._exact
        bid, ask = impact or (middle, middle)
        self.premium = ((max(Decimal(0), bid - index) - max(Decimal(0), index - ask)) / index).quantize(RATE_STEP)
        if now_ms:
            self._turn_interval(now_ms)
        self._samples += 1
        self._weighted += self.premium * self._samples
        gap = middle - index
        self._gap_sum += gap - self._gaps[0]
        self._gaps.append(gap)
        left = Decimal(max(0, self._interval_end_ms - now_ms)) / self._interval_ms if now_ms else Decimal(0)
        by_funding = index * (1 + self.settled_rate * left)
        by_basis = index + self._gap_sum / SPAN_S
        self.mark = self._rounded(sorted((by_funding, by_basis, middle if last is None else last))[1])

    def _move_index(self, middle: Decimal) -> None:
        if self.anchor is None:
            limit = self._exact * _INDEX_LIMIT
            self._exact += max(-limit, min(limit, (middle - self._exact) * _SMOOTHING))
        else:
            fading = (_MEAN_GAP_BP - self._gap_bp) * _GAP_FADE
            self._gap_bp += fading + self._rng.gauss(0.0, _GAP_BP * (2 * _GAP_FADE) ** 0.5)
            self._exact = self.anchor() * (1 - Decimal(round(self._gap_bp * 1000)) / 10_000_000)
        self.index = self._rounded(self._exact)

    def _turn_interval(self, now_ms: int) -> None:
        end_ms = self.next_funding_ms(now_ms)
        if self._interval_end_ms and end_ms > self._interval_end_ms:
            self.settled_rate = self.funding_rate
            self._samples, self._weighted = 0, Decimal(0)
        self._interval_end_ms = end_ms

    @property
    def average_premium(self) -> Decimal:
        """Of the funding interval so far; the latest counts most."""
        if not self._samples:
            return self.premium
        return self._weighted / (self._samples * (self._samples + 1) // 2)

    @property
    def funding_rate(self) -> Decimal:
        """Of the coming funding, as a fraction, as things stand."""
        return funding_rate(self.average_premium, self._interval_s, self._cap, self._floor)

    def next_funding_ms(self, now_ms: int) -> int:
        """The next boundary of the funding interval: Unix milliseconds."""
        return (now_ms // self._interval_ms + 1) * self._interval_ms

    def _rounded(self, price: Decimal) -> Decimal:
        return max(self._tick_size, (price / self._tick_size).quantize(Decimal(1)) * self._tick_size)


def impact_prices(bids: Iterable[Level], asks: Iterable[Level], notional: Decimal) -> tuple[Decimal, Decimal] | None:
    """The average prices at which this much (quote) can be sold and bought at once; None where a side is empty. A side
    that holds less gives the average of all of it."""
    prices: list[Decimal] = []
    for levels in (bids, asks):
        value = quantity = Decimal(0)
        for price, there in levels:
            part = min(there, (notional - value) / price)
            value += part * price
            quantity += part
            if value >= notional:
                break
        if not quantity:
            return None
        prices.append(value / quantity)
    return prices[0], prices[1]
