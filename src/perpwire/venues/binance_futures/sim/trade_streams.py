"""The streams of trades: each fill at once, or in aggregates."""

from __future__ import annotations

from perpwire.simulator.events import Traded
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim.agg_trades import WINDOW_MS, AggTrades
from perpwire.venues.binance_futures.sim.producer import Producer, Publish
from perpwire.venues.binance_futures.sim.words import SymbolWords


class AggTradeProducer(Producer):
    """The aggregates of each tenth of a second, once it is over."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords, aggregates: AggTrades) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self._aggregates = aggregates
        self._sent_id = aggregates.last_id
        self.hears = {Traded: self._on_trade}

    def _on_trade(self, event: Traded) -> None:
        self._wake_at_next(WINDOW_MS)

    def _tick(self) -> None:
        now_ms = self._exchange.now_ms()
        words = self._words
        for one in self._aggregates.finished(now_ms, self._sent_id):
            self._sent_id = one.agg_id
            self._send(
                wire_streams.AggTrade(
                    event_time=now_ms,
                    symbol=words.symbol,
                    agg_id=one.agg_id,
                    price=words.price(one.price),
                    quantity=words.quantity(one.quantity),
                    quantity_without_rpi=words.quantity(one.quantity),
                    first_id=one.first_id,
                    last_id=one.last_id,
                    trade_time=one.time_ms,
                    buyer_is_maker=one.buyer_is_maker,
                )
            )
        if self._sent_id != self._aggregates.last_id:
            self._wake_at_next(WINDOW_MS)


class TradeProducer(Producer):
    """Each fill at once. Undocumented; see docs/decisions.md."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self.hears = {Traded: self._on_trade}

    def _on_trade(self, event: Traded) -> None:
        self._send(
            wire_streams.TradeEvent(
                event_time=self._exchange.now_ms(),
                trade_time=event.time_ms,
                symbol=event.symbol,
                trade_id=event.trade_id,
                price=self._words.price(event.price),
                quantity=self._words.quantity(event.quantity),
                buyer_is_maker=event.buyer_is_maker,
            )
        )
