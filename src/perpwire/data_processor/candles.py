"""Candles made of trades: of any length, to the second, and honest about what they lack.

A candle is closed by the first trade after it, not by a clock: only then is it known that nothing of it is still to
come, as a Gap stands before what follows it. Nothing is rounded: prices, volumes and turnovers are sums of exact
numbers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Context, Decimal

from perpwire.errors import BadInput
from perpwire.model.market import AggTrade, Gap, Kline, Trade

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_FIRST_MONDAY_MS = 4 * 86_400_000  # 1970-01-05
_SPELLING = re.compile(r"([1-9][0-9]{0,4})([smhdw])|1M", re.ASCII)

_EXACT = Context(prec=100)
"""Sums over a month have more digits than the usual context keeps."""

MOST_EMPTY = 10_000
"""Candles without trades that are made in one go; where more would be due, those before them are left out, and the
first that is made is not complete."""


class Interval:
    """Which times a candle opens at, in UTC: multiples of its length since 1970; weeks begin on Monday, and months are
    the calendar's.

    Args:
        name: A number and a unit, s m h d w, such as 5s or 15m; or 1M.

    Raises:
        BadInput: It is none of these.
    """

    __slots__ = ("_anchor_ms", "_length_ms", "name")

    def __init__(self, name: str) -> None:
        found = _SPELLING.fullmatch(name)
        if found is None:
            raise BadInput(f"interval {name!r} is not a number and a unit (s m h d w) such as 5s, nor 1M")
        self.name = name
        count, unit = found.groups()
        self._length_ms = int(count) * _UNITS_MS[unit] if unit else 0
        self._anchor_ms = _FIRST_MONDAY_MS if unit == "w" else 0

    def open_of(self, time_ms: int) -> int:
        """When the candle that holds this time opened; Unix milliseconds."""
        if self._length_ms:
            return time_ms - (time_ms - self._anchor_ms) % self._length_ms
        day = datetime.fromtimestamp(time_ms // 1000, UTC)
        return _month_ms(day.year, day.month)

    def next_open(self, open_ms: int) -> int:
        """The open after this one."""
        if self._length_ms:
            return open_ms + self._length_ms
        return self.open_of(open_ms + 31 * _UNITS_MS["d"])

    def previous_open(self, open_ms: int) -> int:
        """The open before this one."""
        return self.open_of(open_ms - 1)


def _month_ms(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000


class CandleMaker:
    """Makes the candles of one symbol out of its trades, in their order. Holds one candle, however many trades.
    Every trade that the venue tells is in, block trades too (`Trade.is_block`).

    The first candle is the one that the first trade falls into, and is never complete. A candle in which nothing was
    traded has all four prices at the last one before it, and no volume.

    Args:
        interval: See Interval.
        opens_at_last: A candle opens at the last price before it, not at that of its own first trade.

    Attributes:
        late: Trades older than the candle that was open when they came: they are in no candle.

    Raises:
        BadInput: There is no such interval.
    """

    def __init__(self, symbol: str, interval: str, *, opens_at_last: bool = True) -> None:
        self.symbol = symbol
        self.interval = Interval(interval)
        self.late = 0
        self._opens_at_last = opens_at_last
        self._venue = ""
        self._open_ms = 0
        self._end_ms = 0
        """Both 0 before the first trade."""
        self._has_hole = False
        """Something is missing between the last trade and the next."""
        self._is_complete = False
        self._open = self._high = self._low = self._close = Decimal(0)
        self._volume = self._turnover = self._bought = self._paid = Decimal(0)
        """Of all trades, and of those in which the taker bought: base, quote."""
        self._trades = 0

    @property
    def current(self) -> Kline | None:
        """The candle that is open, as far as it has come; None before the first trade."""
        return self._candle(is_closed=False) if self._end_ms else None

    def on_gap(self, gap: Gap) -> None:
        """Trades are missing here. Those of a gap that is repaired follow, so that nothing is missing after all."""
        if gap.kind in ("Trade", "AggTrade") and gap.symbol in ("", self.symbol) and not gap.repaired:
            self._has_hole = True

    def on_trade(self, trade: Trade) -> list[Kline]:
        """Returns the candles that are closed now, oldest first: mostly none."""
        if trade.venue_time_ms < self._open_ms:
            self.late += 1
            self._is_complete = False
            return []
        closed: list[Kline] = []
        if not self._end_ms:
            self._venue = trade.venue
            self._begin(self.interval.open_of(trade.venue_time_ms), trade.price)
            self._is_complete = False
        elif self._has_hole:
            self._is_complete = False
        if trade.venue_time_ms >= self._end_ms:
            closed = self._close_until(self.interval.open_of(trade.venue_time_ms))
            if not self._opens_at_last:
                self._open = self._high = self._low = trade.price
        self._has_hole = False
        self._add(trade)
        return closed

    def _close_until(self, open_ms: int) -> list[Kline]:
        """Close all before the one that opens then, and begin that one."""
        closed = [self._candle(is_closed=True)]
        first = open_ms
        for _ in range(MOST_EMPTY):
            if first <= self._end_ms:
                break
            first = self.interval.previous_open(first)
        are_left_out = first > self._end_ms
        self._begin(first, self._close)
        if are_left_out:
            self._is_complete = False
        while self._open_ms < open_ms:
            closed.append(self._candle(is_closed=True))
            self._begin(self._end_ms, self._close)
        return closed

    def _begin(self, open_ms: int, price: Decimal) -> None:
        self._open_ms = open_ms
        self._end_ms = self.interval.next_open(open_ms)
        self._open = self._high = self._low = self._close = price
        self._volume = self._turnover = self._bought = self._paid = Decimal(0)
        self._trades = 0
        self._is_complete = not self._has_hole

    def _add(self, trade: Trade) -> None:
        price, quantity = trade.price, trade.quantity
        if price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price
        self._volume = _EXACT.add(self._volume, quantity)
        cost = _EXACT.multiply(price, quantity)
        self._turnover = _EXACT.add(self._turnover, cost)
        if not trade.buyer_is_maker:
            self._bought = _EXACT.add(self._bought, quantity)
            self._paid = _EXACT.add(self._paid, cost)
        self._trades += trade.last_trade_id - trade.first_trade_id + 1 if isinstance(trade, AggTrade) else 1

    def _candle(self, *, is_closed: bool) -> Kline:
        return Kline(
            venue=self._venue,
            symbol=self.symbol,
            venue_time_ms=self._end_ms - 1 if is_closed else 0,
            interval=self.interval.name,
            open_time_ms=self._open_ms,
            close_time_ms=self._end_ms - 1,
            open=self._open,
            high=self._high,
            low=self._low,
            close=self._close,
            volume=self._volume,
            quote_volume=self._turnover,
            trades=self._trades,
            taker_buy_volume=self._bought,
            taker_buy_quote_volume=self._paid,
            is_closed=is_closed,
            is_complete=self._is_complete,
        )
