"""kline.{interval}.{symbol}: the candle that is open, and each as it closes.

Source: docs/v5/websocket/public/kline, as of 2026-07-24: pushed every 1 to 60 seconds.
"""

from __future__ import annotations

from perpwire.simulator.candles import Candle
from perpwire.simulator.events import Traded
from perpwire.simulator.intervals import Interval
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.feeds import Feed, FeedParts, encode
from perpwire.venues.bybit.sim.hub import Subscriber
from perpwire.venues.bybit.sim.numbers import cut, fit

INTERVALS = {
    "1": Interval.MINUTE,
    "3": Interval.MINUTES_3,
    "5": Interval.MINUTES_5,
    "15": Interval.MINUTES_15,
    "30": Interval.MINUTES_30,
    "60": Interval.HOUR,
    "120": Interval.HOURS_2,
    "240": Interval.HOURS_4,
    "360": Interval.HOURS_6,
    "720": Interval.HOURS_12,
    "D": Interval.DAY,
    "W": Interval.WEEK,
    "M": Interval.MONTH,
}
"""As a topic has them."""

LEAST_MS, MOST_MS = 1000, 60_000
"""A frame each second while there are trades, and each minute where there are none."""


class KlineFeed(Feed):
    """Looks each full second of the venue's clock; a candle that closed is told before the next one."""

    def __init__(self, name: str, symbol: str, parts: FeedParts) -> None:
        super().__init__(f"kline.{name}.{symbol}", parts)
        instrument = self._exchange.spec(symbol).instrument
        self._name = name
        self._interval = INTERVALS[name]
        self._symbol = symbol
        self._tick, self._step = instrument.tick_size, instrument.quantity_step
        self._shown: Candle | None = None
        self._traded_ms = 0
        self._sent_ns = 0
        self._is_timed = False

    def wake(self) -> None:
        trades = self._exchange.recent_trades(self._symbol, 1)
        self._traded_ms = trades[-1].time_ms if trades else 0
        self._shown = self._current()
        self._sent_ns = self._exchange.clock.monotonic_ns()
        self._look_later()

    def on_trade(self, trade: Traded) -> None:
        self._traded_ms = trade.time_ms

    def _look_later(self) -> None:
        if not self._is_timed:
            self._is_timed = True
            self._timers.later((LEAST_MS - self._exchange.now_ms() % LEAST_MS) / 1000, self._look)

    def _look(self) -> None:
        self._is_timed = False
        if not self.is_awake:
            return
        shown, current = self._shown, self._current()
        if shown is not None and shown.open_ms != current.open_ms:
            self._tell_closed(shown.open_ms, current.open_ms)
        now_ns = self._exchange.clock.monotonic_ns()
        if shown != current or now_ns - self._sent_ns >= MOST_MS * 1_000_000:
            self._shown = current
            self._sent_ns = now_ns
            self._hub.publish(self.topic, lambda: self._frame(current))
        self._look_later()

    def _tell_closed(self, first_ms: int, next_ms: int) -> None:
        """Candles that closed since the last look: nearly always one."""
        closed = self._exchange.candles(
            self._symbol, "last", self._interval, start_ms=first_ms, end_ms=next_ms - 1, limit=60
        )
        for candle in closed:
            self._hub.publish(self.topic, lambda candle=candle: self._frame(candle))  # type: ignore[misc]

    def welcome(self, subscriber: Subscriber) -> None:
        subscriber.push(self._frame(self._shown or self._current()), self.topic)

    def _current(self) -> Candle:
        return self._exchange.candle(self._symbol, "last", self._interval)

    def _frame(self, candle: Candle) -> bytes:
        now_ms, tick = self._exchange.now_ms(), self._tick
        is_closed = candle.close_ms < now_ms
        row = wire_streams.KlineRow(
            start=candle.open_ms,
            end=candle.close_ms,
            interval=self._name,
            open=fit(candle.open, tick),
            close=fit(candle.close, tick),
            high=fit(candle.high, tick),
            low=fit(candle.low, tick),
            volume=fit(candle.volume, self._step),
            turnover=cut(candle.turnover),
            confirm=is_closed,
            timestamp=min(max(self._traded_ms, candle.open_ms), candle.close_ms),
        )
        return encode(wire_streams.KlineFrame(topic=self.topic, data=[row], ts=now_ms))
