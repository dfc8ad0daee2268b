"""The streams of candles: four times a second while there are trades, and once more when a candle closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perpwire.clock import Timer
from perpwire.simulator.candles import Candle
from perpwire.simulator.events import Traded
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intervals import Interval
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim import coin_margined
from perpwire.venues.binance_futures.sim.producer import Producer, Publish
from perpwire.venues.binance_futures.sim.words import SymbolWords

PACE_MS = 250

Framed = Callable[[SymbolWords, Interval, Candle, int], Any]
"""Makes the event of a candle, at the time of its sending."""


class KlineProducer(Producer):
    """The candles of one symbol and interval."""

    def __init__(
        self,
        exchange: Exchange,
        publish: Publish,
        words: SymbolWords,
        interval: Interval,
        framed: Framed,
    ) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self._interval = interval
        self._framed = framed
        self._open_ms = interval.open_of(exchange.now_ms())
        self._has_news = False
        self._close_timer: Timer | None = None
        self._wait_for_the_end()
        self.hears = {Traded: self._on_trade}

    def close(self) -> None:
        super().close()
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None

    def _on_trade(self, event: Traded) -> None:
        self._has_news = True
        self._wake_at_next(PACE_MS)

    def _tick(self) -> None:
        self._close_what_is_over()
        if self._has_news:
            self._has_news = False
            self._tell(self._open_ms)

    # --- the end of a candle --------------------------------------------------------------------------------------

    def _wait_for_the_end(self) -> None:
        left_ms = self._interval.next_open(self._open_ms) - self._exchange.now_ms()
        self._close_timer = self._exchange.clock.call_later(max(0, left_ms) / 1000, self._on_end)

    def _on_end(self) -> None:
        self._close_what_is_over()
        self._wait_for_the_end()

    def _close_what_is_over(self) -> None:
        """The last word on a candle, and on those that went by meanwhile."""
        now_ms = self._exchange.now_ms()
        while (next_ms := self._interval.next_open(self._open_ms)) <= now_ms:
            self._tell(self._open_ms)
            self._open_ms = next_ms

    def _tell(self, open_ms: int) -> None:
        found = self._exchange.candles(
            self._words.symbol, "last", self._interval, start_ms=open_ms, end_ms=open_ms, limit=1
        )
        if found:
            self._send(self._framed(self._words, self._interval, found[0], self._exchange.now_ms()))


def kline_event(words: SymbolWords, interval: Interval, candle: Candle, now_ms: int) -> wire_streams.KlineEvent:
    kline = _kline(words, interval, candle)
    kline.symbol = words.symbol
    return wire_streams.KlineEvent(event_time=now_ms, symbol=words.symbol, kline=kline)


def coin_margined_kline(words: SymbolWords, interval: Interval, candle: Candle, now_ms: int) -> wire_streams.KlineEvent:
    """Of the COIN-M contract beside this one."""
    return coin_margined.kline(kline_event(words, interval, candle, now_ms))


def continuous_kline(
    words: SymbolWords, interval: Interval, candle: Candle, now_ms: int
) -> wire_streams.ContinuousKline:
    """Of the perpetual contract of a pair; there are no others here."""
    return wire_streams.ContinuousKline(
        event_time=now_ms, pair=words.symbol, contract_type="PERPETUAL", kline=_kline(words, interval, candle)
    )


def _kline(words: SymbolWords, interval: Interval, candle: Candle) -> wire_streams.Kline:
    return wire_streams.Kline(
        open_time=candle.open_ms,
        close_time=candle.close_ms,
        interval=interval.value,
        first_id=candle.first_trade_id,
        last_id=candle.last_trade_id,
        open=words.price(candle.open),
        close=words.price(candle.close),
        high=words.price(candle.high),
        low=words.price(candle.low),
        volume=words.quantity(candle.volume),
        trades=candle.trades,
        is_closed=candle.is_closed,
        quote_volume=words.value(candle.turnover),
        taker_volume=words.quantity(candle.taker_buy_volume),
        taker_quote_volume=words.value(candle.taker_buy_turnover),
    )
