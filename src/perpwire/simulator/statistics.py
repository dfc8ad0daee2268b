"""What venues publish of the crowd: open interest, who is long, who takes, basis. Made up around a symbol's candles.

Every figure is a function of its time, so that the same seed tells the same story however often it is asked. Rows stand
at multiples of their period and say what was known then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Literal, Unpack

import msgspec

from perpwire.simulator.candles import Candles
from perpwire.simulator.curves import noise
from perpwire.simulator.intervals import DAY_MS, HOUR_MS, MINUTE_MS, Interval, Span
from perpwire.simulator.specs import SymbolSpec

Crowd = Literal["accounts", "top_accounts", "top_positions"]
"""Who is counted: all accounts, the largest fifth, or the latter by the size of their positions."""

_INTEREST_VALUE = 5e9  # quote; what others hold of a symbol
_FUND = Decimal(1_100_000_000)  # quote
_CENT = Decimal("0.01")
_SHARE_STEP = Decimal("0.0001")
_LEAN = {"accounts": 0.56, "top_accounts": 0.6, "top_positions": 0.52}


class Interest(msgspec.Struct, frozen=True, kw_only=True):
    """Open interest of one side: base, and its value in quote."""

    time_ms: int
    quantity: Decimal
    value: Decimal


class LongShort(msgspec.Struct, frozen=True, kw_only=True):
    """Which share is long and which short; they add up to 1."""

    time_ms: int
    long: Decimal
    short: Decimal

    @property
    def ratio(self) -> Decimal:
        return self.long / self.short


class TakerVolume(msgspec.Struct, frozen=True, kw_only=True):
    """What takers bought and sold (base) in the period that ended at `time_ms`."""

    time_ms: int
    buys: Decimal
    sells: Decimal


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """The contract's price less the index, and that as a share of the index."""

    time_ms: int
    index_price: Decimal
    last_price: Decimal
    basis: Decimal
    rate: Decimal


class Statistics:
    """One symbol's."""

    def __init__(self, spec: SymbolSpec, seed: int, candles: Candles, now_ms: Callable[[], int]) -> None:
        self._name = f"{seed}/{spec.instrument.symbol}"
        self._step = spec.instrument.quantity_step
        self._interest = _INTEREST_VALUE / float(spec.start_price * self._step)  # steps
        self._candles = candles
        self._now_ms = now_ms

    def background_interest(self, time_ms: int | None = None) -> Decimal:
        """What the crowd holds (base) besides the accounts; None: now."""
        time_ms = self._now_ms() if time_ms is None else time_ms
        swing = (
            0.25 * noise(f"{self._name}/interest", time_ms / (6 * DAY_MS))
            + 0.05 * noise(f"{self._name}/interest", time_ms / (7 * HOUR_MS))
            + 0.004 * noise(f"{self._name}/interest", time_ms / (4 * MINUTE_MS))
        )
        return self._step * round(self._interest * math.exp(swing))

    def open_interest(
        self,
        period: Interval | str,
        **span: Unpack[Span],
    ) -> list[Interest]:
        """The crowd's, over time."""
        rows: list[Interest] = []
        for time_ms in self._times(period, **span):
            quantity = self.background_interest(time_ms)
            value = (quantity * self._price("mark", period, time_ms)).quantize(_CENT)
            rows.append(Interest(time_ms=time_ms, quantity=quantity, value=value))
        return rows

    def long_short(
        self,
        crowd: Crowd,
        period: Interval | str,
        **span: Unpack[Span],
    ) -> list[LongShort]:
        rows: list[LongShort] = []
        for time_ms in self._times(period, **span):
            swing = noise(f"{self._name}/{crowd}", time_ms / (3 * DAY_MS)) * 0.12
            swing += noise(f"{self._name}/{crowd}", time_ms / (2 * HOUR_MS)) * 0.02
            long = Decimal(_LEAN[crowd] + swing).quantize(_SHARE_STEP)
            rows.append(LongShort(time_ms=time_ms, long=long, short=1 - long))
        return rows

    def taker_volume(
        self,
        period: Interval | str,
        **span: Unpack[Span],
    ) -> list[TakerVolume]:
        """What the candles say."""
        interval = Interval(period)
        rows: list[TakerVolume] = []
        for time_ms in self._times(period, **span):
            candle = self._candles.at("last", interval, interval.previous_open(time_ms))
            if candle is not None:
                buys = candle.taker_buy_volume
                rows.append(TakerVolume(time_ms=time_ms, buys=buys, sells=candle.volume - buys))
        return rows

    def basis(
        self,
        period: Interval | str,
        **span: Unpack[Span],
    ) -> list[Basis]:
        rows: list[Basis] = []
        for time_ms in self._times(period, **span):
            index, last = self._price("index", period, time_ms), self._price("last", period, time_ms)
            rate = ((last - index) / index).quantize(_SHARE_STEP)
            rows.append(Basis(time_ms=time_ms, index_price=index, last_price=last, basis=last - index, rate=rate))
        return rows

    def _times(self, period: Interval | str, **span: Unpack[Span]) -> list[int]:
        return Interval(period).opens(self._candles.listed_ms, self._now_ms(), **span)

    def _price(self, kind: Literal["last", "mark", "index"], period: Interval | str, time_ms: int) -> Decimal:
        candle = self._candles.at(kind, period, time_ms)
        assert candle is not None  # it opened by now
        return candle.open


def insurance_fund(seed: int, time_ms: int) -> Decimal:
    """The venue's fund (quote) besides what liquidations of the accounts here bring and cost; it changes daily."""
    swing = noise(f"{seed}/fund", time_ms // DAY_MS / 11)
    return (_FUND * (1 + Decimal(round(swing * 10**7)) / 10**8)).quantize(_CENT)
