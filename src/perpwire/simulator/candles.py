"""A symbol's candles: the made-up past before the start, and from then on what was really traded and marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Literal, Unpack

import msgspec

from perpwire.simulator.bars import Bar, joined
from perpwire.simulator.events import MarkTick, Traded
from perpwire.simulator.history import (
    LEVELS_MS,
    PREMIUM_UNIT,
    Past,
    PremiumDays,
    ShadowedDays,
    WalkedDays,
    listed_day,
)
from perpwire.simulator.intervals import DAY_MS, MINUTE_MS, Interval, Span
from perpwire.simulator.specs import SymbolSpec

Kind = Literal["last", "mark", "index", "premium"]
"""Which price a candle is of."""

_MINUTE = len(LEVELS_MS) - 1
_KEPT = (5000, 4800, 4800, 3840, 11520)
"""How many live candles of each level are kept: minutes for 8 days, quarters for 40, hours for 200. Older ones are
split anew from the next longer ones, so that they still add up."""

_LEVELS = {
    interval: next(level for level, length_ms in enumerate(LEVELS_MS) if not interval.length_ms % length_ms)
    for interval in Interval
}
"""Of which candles each interval is made."""


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """One candle. Where nothing was traded all four prices are the last one before, and the volume is 0.

    Attributes:
        open_ms, close_ms: First and last millisecond of its span.
        volume, turnover: Base, and quote; 0 for prices other than "last".
        trades: How many.
        taker_buy_volume, taker_buy_turnover: The part in which the taker bought.
        first_trade_id, last_trade_id: Of trades since the start of the exchange; -1 where there are none.
        is_closed: Its span is over.
    """

    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)
    turnover: Decimal = Decimal(0)
    trades: int = 0
    taker_buy_volume: Decimal = Decimal(0)
    taker_buy_turnover: Decimal = Decimal(0)
    first_trade_id: int = -1
    last_trade_id: int = -1
    is_closed: bool = True


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol's last 24 hours, to the minute.

    Attributes:
        open_ms, close_ms: 24 hours ago, and now.
        open: The last price 24 hours ago.
        hour_before: The last price an hour ago.
        average: Weighted by volume.
        last_quantity: Of the last trade.
        first_trade_id: Ids are taken as consecutive before the start.
    """

    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_quantity: Decimal
    average: Decimal
    volume: Decimal
    turnover: Decimal
    trades: int
    first_trade_id: int
    last_trade_id: int
    hour_before: Decimal


class Candles:
    """All candles of one symbol, and its 24-hour figures.

    Args:
        seed: With the symbol, decides the past.
        now_ms: The exchange's clock: Unix milliseconds.
        first_trade_id: Ids of made-up trades end just before it.
    """

    def __init__(self, spec: SymbolSpec, seed: int, now_ms: Callable[[], int], first_trade_id: int = 1) -> None:
        name = f"{seed}/{spec.instrument.symbol}"
        start = now_ms() // MINUTE_MS
        walk = WalkedDays(spec, name, start)
        tick = spec.instrument.tick_size
        start_ticks = walk.start
        self._now_ms = now_ms
        self._first_trade_id = first_trade_id
        self._listed_ms = listed_day(start) * DAY_MS
        self._last = _Series(Past(walk, name, start), start_ticks, tick, spec.instrument.quantity_step)
        self._series: dict[Kind, _Series] = {
            "last": self._last,
            "mark": _Series(Past(ShadowedDays(walk, f"{name}/mark", start), name, start), start_ticks, tick),
            "index": _Series(Past(ShadowedDays(walk, f"{name}/index", start), name, start), start_ticks, tick),
            "premium": _Series(Past(PremiumDays(name, start), name, start), 0, PREMIUM_UNIT),
        }
        self._last_trade_id = first_trade_id - 1
        self._last_quantity = spec.instrument.min_quantity
        self._window: tuple[int, Bar] | None = None

    @property
    def listed_ms(self) -> int:
        """When the first candle of all opened."""
        return self._listed_ms

    # --- what happens -------------------------------------------------------------------------------------------------

    def on_trade(self, traded: Traded) -> None:
        self._last_trade_id = traded.trade_id
        self._last_quantity = traded.quantity
        self._last.trade(traded)

    def on_mark(self, tick: MarkTick, premium: Decimal | None = None) -> None:
        """
        Args:
            premium: The premium index; by default the mark's distance from the index.
        """
        if premium is None:
            premium = (tick.mark_price - tick.index_price) / tick.index_price
        values = {"mark": tick.mark_price, "index": tick.index_price, "premium": premium}
        for kind, series in self._series.items():
            if kind in values:
                series.value(tick.time_ms, values[kind])

    # --- what is asked ------------------------------------------------------------------------------------------------

    def current(self, kind: Kind, interval: Interval | str) -> Candle:
        """The candle that is still open."""
        interval = Interval(interval)
        now_ms = self._advanced(kind)
        candle = self.at(kind, interval, interval.open_of(now_ms))
        assert candle is not None  # the present was listed long ago
        return candle

    def at(self, kind: Kind, interval: Interval | str, open_ms: int) -> Candle | None:
        """The candle that opens at this time; None where there is none (yet)."""
        interval = Interval(interval)
        now_ms = self._advanced(kind)
        if interval.open_of(open_ms) != open_ms or not self._listed_ms <= open_ms <= now_ms:
            return None
        return self._series[kind].candle(interval, open_ms, now_ms)

    def range(self, kind: Kind, interval: Interval | str, **span: Unpack[Span]) -> list[Candle]:
        """Candles by the time they open, in order of time."""
        interval = Interval(interval)
        now_ms = self._advanced(kind)
        series = self._series[kind]
        return [series.candle(interval, one, now_ms) for one in interval.opens(self._listed_ms, now_ms, **span)]

    def range_as_of(
        self, as_of_ms: int, tape: Iterable[Traded], interval: Interval | str, **span: Unpack[Span]
    ) -> list[Candle]:
        """Candles of the last price as they were then, a moment ago.

        Args:
            tape: What was traded last, oldest first; of what it does not go back to, an open candle has nothing.
        """
        interval = Interval(interval)
        self._advanced("last")
        minute = as_of_ms // MINUTE_MS
        bar = self._last.minute_of(minute, (one for one in tape if one.time_ms <= as_of_ms))
        return [
            self._last.candle(interval, one, as_of_ms, (minute, bar))
            for one in interval.opens(self._listed_ms, as_of_ms, **span)
        ]

    def day(self) -> Day:
        """The last 24 hours."""
        now_ms = self._advanced("last")
        series = self._last
        minute = series.minute
        if self._window is None or self._window[0] != minute:
            self._window = minute, joined(series.get(_MINUTE, one) for one in range(minute - 1440, minute))
        bar = joined((self._window[1], series.open_bar()))
        volume, turnover = series.volume(bar), series.turnover(bar)
        return Day(
            open_ms=now_ms - DAY_MS,
            close_ms=now_ms,
            open=series.price(bar.open),
            high=series.price(bar.high),
            low=series.price(bar.low),
            last=series.price(bar.close),
            last_quantity=self._last_quantity,
            average=turnover / volume if volume else series.price(bar.close),
            volume=volume,
            turnover=turnover,
            trades=bar.trades,
            first_trade_id=self._last_trade_id - bar.trades + 1,
            last_trade_id=self._last_trade_id,
            hour_before=series.price(series.get(_MINUTE, minute - 60).open),
        )

    def _advanced(self, kind: Kind) -> int:
        """The present, never before the last candle that was begun: a venue's clock may step back."""
        now_ms = self._now_ms()
        series = self._series[kind]
        series.advance(now_ms // MINUTE_MS)
        return max(now_ms, series.minute * MINUTE_MS)


class _Series:
    """One price's candles: past, live, and the minute that is open."""

    def __init__(self, past: Past, start: int, tick: Decimal, step: Decimal = Decimal(0)) -> None:
        self._past = past
        self._tick = tick
        self._step = step
        self._live: tuple[dict[int, Bar], ...] = tuple({} for _ in LEVELS_MS)
        self.minute = past.start_minute
        self._begin(start)

    # --- the open minute ----------------------------------------------------------------------------------------------

    def _begin(self, price: int) -> None:
        self._open = self._high = self._low = self._close = price
        self._buys = self._sells = self._bought = self._sold = self._trades = 0
        self._first_id = self._last_id = -1

    def open_bar(self) -> Bar:
        return Bar(
            self._open,
            self._high,
            self._low,
            self._close,
            self._buys,
            self._sells,
            self._bought,
            self._sold,
            self._trades,
            self._first_id,
            self._last_id,
        )

    def value(self, time_ms: int, value: Decimal) -> None:
        """The price is this now."""
        self.advance(time_ms // MINUTE_MS)
        self._move(round(value / self._tick))

    def trade(self, traded: Traded) -> None:
        if traded.time_ms // MINUTE_MS > self.minute:
            self.advance(traded.time_ms // MINUTE_MS)
        price = int(traded.price / self._tick)
        quantity = int(traded.quantity / self._step)
        self._move(price)
        if traded.buyer_is_maker:
            self._sells += quantity
            self._sold += price * quantity
        else:
            self._buys += quantity
            self._bought += price * quantity
        self._trades += 1
        self._last_id = traded.trade_id
        if self._first_id < 0:
            self._first_id = traded.trade_id

    def _move(self, price: int) -> None:
        if price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price

    def advance(self, minute: int) -> None:
        """Close every minute before this one; those without trades stay at the last price."""
        while self.minute < minute:
            bar = self.open_bar()
            for level, length_ms in enumerate(LEVELS_MS):
                number = self.minute * MINUTE_MS // length_ms
                live = self._live[level]
                before = self._before(level, number)
                live[number] = bar if before is None else joined((before, bar))
                if len(live) > _KEPT[level]:
                    del live[next(iter(live))]
            self._begin(self._close)
            self.minute += 1

    # --- any candle ---------------------------------------------------------------------------------------------------

    def _before(self, level: int, number: int) -> Bar | None:
        """What is closed of a candle that may still be open."""
        bar = self._live[level].get(number)
        return self._past.get(level, number) if bar is None and self._past.has(level, number) else bar

    def get(self, level: int, number: int) -> Bar:
        """The candle of this level and number; the open one as it is now."""
        if number == self.minute * MINUTE_MS // LEVELS_MS[level]:
            before = self._before(level, number)
            return self.open_bar() if before is None else joined((before, self.open_bar()))
        bar = self._before(level, number)
        if bar is None:  # let go of: made up anew
            parts = LEVELS_MS[level - 1] // LEVELS_MS[level]
            parent = number // parts
            whole = self._past.parts(level, parent, self.get(level - 1, parent), self.minute)
            return whole[number % parts]
        return bar

    def minute_of(self, minute: int, trades: Iterable[Traded]) -> Bar:
        """A minute that is made of these trades, and no others."""
        made = _Series(self._past, self.get(_MINUTE, minute - 1).close, self._tick, self._step)
        made.minute = minute
        for one in trades:
            if one.time_ms // MINUTE_MS == minute:
                made.trade(one)
        return made.open_bar()

    def candle(self, interval: Interval, open_ms: int, now_ms: int, at_last: tuple[int, Bar] | None = None) -> Candle:
        """
        Args:
            at_last: The minute that a candle which is still open ends with, and what it is.
        """
        end_ms = interval.next_open(open_ms)
        level = _LEVELS[interval]
        if at_last is not None and now_ms < end_ms:
            minute, bar = at_last
            bars = [*(self.get(_MINUTE, one) for one in range(open_ms // MINUTE_MS, minute)), bar]
        else:
            length_ms = LEVELS_MS[level]
            last = min(end_ms - 1, self.minute * MINUTE_MS)
            bars = [self.get(level, one) for one in range(open_ms // length_ms, last // length_ms + 1)]
        bar = bars[0] if len(bars) == 1 else joined(bars)
        return Candle(
            open_ms=open_ms,
            close_ms=end_ms - 1,
            open=self.price(bar.open),
            high=self.price(bar.high),
            low=self.price(bar.low),
            close=self.price(bar.close),
            volume=self.volume(bar),
            turnover=self.turnover(bar),
            trades=bar.trades if self._step else 0,
            taker_buy_volume=self._step * bar.buys,
            taker_buy_turnover=self._tick * self._step * bar.buy_turnover,
            first_trade_id=bar.first_id,
            last_trade_id=bar.last_id,
            is_closed=now_ms >= end_ms,
        )

    def price(self, ticks: int) -> Decimal:
        return self._tick * ticks

    def volume(self, bar: Bar) -> Decimal:
        return self._step * (bar.buys + bar.sells)

    def turnover(self, bar: Bar) -> Decimal:
        return self._tick * self._step * (bar.buy_turnover + bar.sell_turnover)
