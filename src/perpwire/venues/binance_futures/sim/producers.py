"""What each public stream sends, and when. A producer lives while somebody is subscribed to its name."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.clock import Timer
from perpwire.model.market import Level
from perpwire.simulator.events import BookChanged, MarkTick, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim.agg_trades import WINDOW_MS, AggTrades
from perpwire.venues.binance_futures.sim.words import SymbolWords, money, padded, rounded

Publish = Callable[[bytes], None]

MEAN_TICKS = 30
"""Over how many seconds the mean mark price (`ap`) goes; the venue does not publish its own span."""

_NOTHING: Level = (Decimal(0), Decimal(0))


class Producer:
    """Hears of what happens and publishes payloads. By itself it does nothing."""

    def __init__(self, exchange: Exchange, publish: Publish) -> None:
        self._exchange = exchange
        self._publish = publish
        self._timer: Timer | None = None

    def on_book(self, event: BookChanged) -> None: ...

    def on_trade(self, event: Traded) -> None: ...

    def on_mark(self, event: MarkTick, mean_price: Decimal) -> None: ...

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, event: Any) -> None:
        self._publish(msgspec.json.encode(event))

    def _wake_at_next(self, period_ms: int) -> None:
        """Call `_tick` at the next multiple of `period_ms` of the venue's clock, unless that is on its way."""
        if self._timer is None:
            wait_ms = period_ms - self._exchange.now_ms() % period_ms
            self._timer = self._exchange.clock.call_later(wait_ms / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._tick()

    def _tick(self) -> None: ...


class BookTickerProducer(Producer):
    """Whenever the best bid or ask changes."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self._top = self._look()[:2]

    def _look(self) -> tuple[Level, Level, int, int]:
        bids, asks, update_id, changed_ms = self._exchange.book(self._words.symbol, 1)
        return (bids or [_NOTHING])[0], (asks or [_NOTHING])[0], update_id, changed_ms

    def on_book(self, event: BookChanged) -> None:
        bid, ask, update_id, changed_ms = self._look()
        if (bid, ask) == self._top:
            return
        self._top = (bid, ask)
        words = self._words
        self._send(
            wire_streams.BookTickerEvent(
                update_id=update_id,
                symbol=words.symbol,
                pair=words.symbol,
                bid_price=words.price(bid[0]),
                bid_quantity=words.quantity(bid[1]),
                ask_price=words.price(ask[0]),
                ask_quantity=words.quantity(ask[1]),
                transaction_time=changed_ms,
                event_time=self._exchange.now_ms(),
            )
        )


class DepthProducer(Producer):
    """Changed levels at a steady pace. Each pace has its own chain of `pu`."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords, period_ms: int) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self._period_ms = period_ms
        self._previous_id = exchange.book(words.symbol, 1)[2]
        self._first_id = 0
        self._last_id = 0
        self._changed_ms = 0
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}

    def on_book(self, event: BookChanged) -> None:
        if event.update_id <= self._previous_id:
            return  # already in what a snapshot shows
        self._first_id = self._first_id or event.update_id
        self._last_id = event.update_id
        self._changed_ms = event.time_ms
        self._bids.update(event.bids)
        self._asks.update(event.asks)
        self._wake_at_next(self._period_ms)

    def _tick(self) -> None:
        words = self._words
        self._send(
            wire_streams.DepthUpdate(
                event_time=self._exchange.now_ms(),
                transaction_time=self._changed_ms,
                symbol=words.symbol,
                pair=words.symbol,
                first_id=self._first_id,
                last_id=self._last_id,
                previous_id=self._previous_id,
                bids=words.levels(sorted(self._bids.items(), reverse=True)),
                asks=words.levels(sorted(self._asks.items())),
            )
        )
        self._previous_id = self._last_id
        self._first_id = 0
        self._bids.clear()
        self._asks.clear()


class PartialDepthProducer(Producer):
    """The whole top of the book at a steady pace, while it changes."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords, period_ms: int, levels: int) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self._period_ms = period_ms
        self._levels = levels
        self._previous_id = exchange.book(words.symbol, 1)[2]
        self._first_id = 0

    def on_book(self, event: BookChanged) -> None:
        self._first_id = self._first_id or event.update_id
        self._wake_at_next(self._period_ms)

    def _tick(self) -> None:
        words = self._words
        bids, asks, update_id, changed_ms = self._exchange.book(words.symbol, self._levels)
        self._send(
            wire_streams.DepthUpdate(
                event_time=self._exchange.now_ms(),
                transaction_time=changed_ms,
                symbol=words.symbol,
                pair=words.symbol,
                first_id=self._first_id,
                last_id=update_id,
                previous_id=self._previous_id,
                bids=words.levels(bids),
                asks=words.levels(asks),
            )
        )
        self._previous_id = update_id
        self._first_id = 0


class AggTradeProducer(Producer):
    """The aggregates of each tenth of a second, once it is over."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords, aggregates: AggTrades) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self._aggregates = aggregates
        self._sent_id = aggregates.last_id

    def on_trade(self, event: Traded) -> None:
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
    """Each fill at once."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords) -> None:
        super().__init__(exchange, publish)
        self._words = words

    def on_trade(self, event: Traded) -> None:
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


class MarkPriceProducer(Producer):
    """Every tick (a second), or every third."""

    def __init__(self, exchange: Exchange, publish: Publish, period_ms: int) -> None:
        super().__init__(exchange, publish)
        self._period_ms = period_ms

    def on_mark(self, event: MarkTick, mean_price: Decimal) -> None:
        if is_due(event, self._period_ms):
            self._send(mark_price_update(event, mean_price))


class AllMarkPricesProducer(Producer):
    """Every symbol's mark price in one frame."""

    def __init__(self, exchange: Exchange, publish: Publish, period_ms: int) -> None:
        super().__init__(exchange, publish)
        self._period_ms = period_ms
        self._rows: dict[str, wire_streams.MarkPriceUpdate] = {}

    def on_mark(self, event: MarkTick, mean_price: Decimal) -> None:
        if is_due(event, self._period_ms):
            self._rows[event.symbol] = mark_price_update(event, mean_price)
            if len(self._rows) == len(self._exchange.specs()):
                self._send(list(self._rows.values()))
                self._rows.clear()


def is_due(event: MarkTick, period_ms: int) -> bool:
    """Ticks are a second apart: the ones whose second is a multiple of the period."""
    return event.time_ms // 1000 % (period_ms // 1000) == 0


def mark_price_update(event: MarkTick, mean_price: Decimal) -> wire_streams.MarkPriceUpdate:
    return wire_streams.MarkPriceUpdate(
        event_time=event.time_ms,
        symbol=event.symbol,
        mark_price=money(event.mark_price),
        average_price=money(mean_price),
        index_price=money(event.index_price),
        settle_price=money(event.index_price),
        funding_rate=padded(event.funding_rate, 8),
        next_funding_time=event.next_funding_ms,
    )


class MeanMarkPrices:
    """The mean of each symbol's last mark prices, kept whether anybody listens or not."""

    def __init__(self, symbols: Mapping[str, Any]) -> None:
        self._prices: dict[str, deque[Decimal]] = {symbol: deque(maxlen=MEAN_TICKS) for symbol in symbols}

    def add(self, event: MarkTick) -> Decimal:
        """Count one tick; gives the mean with it."""
        prices = self._prices[event.symbol]
        prices.append(event.mark_price)
        return rounded(sum(prices, Decimal(0)) / len(prices))
