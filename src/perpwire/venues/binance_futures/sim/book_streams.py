"""The streams of the book: its top as it changes, its changes at three paces, and its first levels whole.

RPI orders are none in this exchange, so the book that shows them (rpiDepth) is the same book.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from perpwire.model.market import Level
from perpwire.simulator.events import BookChanged
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures import wire_streams
from perpwire.venues.binance_futures.sim import coin_margined
from perpwire.venues.binance_futures.sim.producer import PacedProducer, Producer, Publish
from perpwire.venues.binance_futures.sim.words import SymbolWords

ALL_TOPS_MS = 5000
"""How often the tops of all books are told."""

_NOTHING: Level = (Decimal(0), Decimal(0))


class _Top:
    """The best bid and ask of one book, and whether they have changed since they were last told."""

    def __init__(self, exchange: Exchange, words: SymbolWords) -> None:
        self._exchange = exchange
        self._words = words
        bids, asks, _, _ = exchange.book(words.symbol, 1)
        self._told = (bids[:1], asks[:1])

    def news(self) -> wire_streams.BookTickerEvent | None:
        """None while it is what was told last."""
        words = self._words
        bids, asks, update_id, changed_ms = self._exchange.book(words.symbol, 1)
        top = (bids, asks)
        if top == self._told:
            return None
        self._told = top
        bid, ask = bids[0] if bids else _NOTHING, asks[0] if asks else _NOTHING
        return wire_streams.BookTickerEvent(
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


class BookTickerProducer(Producer):
    """Whenever the best bid or ask changes."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords) -> None:
        super().__init__(exchange, publish)
        self._top = _Top(exchange, words)
        self.hears = {BookChanged: self._on_book}

    def _on_book(self, event: BookChanged) -> None:
        news = self._top.news()
        if news is not None:
            self._send(news)


class AllBookTickersProducer(PacedProducer):
    """Every five seconds the tops that have changed since, each in a frame of its own."""

    def __init__(
        self, exchange: Exchange, publish: Publish, symbols: Iterable[SymbolWords], *, with_coin_margined: bool
    ) -> None:
        super().__init__(exchange, publish, ALL_TOPS_MS)
        self._tops = [_Top(exchange, words) for words in symbols]
        self._with_coin_margined = with_coin_margined

    def _tick(self) -> None:
        for top in self._tops:
            news = top.news()
            if news is None:
                continue
            self._send(news)
            sibling = coin_margined.book_ticker(news) if self._with_coin_margined else None
            if sibling is not None:
                self._send(sibling)


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
        self.hears = {BookChanged: self._on_book}

    def _on_book(self, event: BookChanged) -> None:
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
    """The whole top of the book at a steady pace, while the book changes."""

    def __init__(self, exchange: Exchange, publish: Publish, words: SymbolWords, period_ms: int, levels: int) -> None:
        super().__init__(exchange, publish)
        self._words = words
        self._period_ms = period_ms
        self._levels = levels
        self._previous_id = exchange.book(words.symbol, 1)[2]
        self._first_id = 0
        self.hears = {BookChanged: self._on_book}

    def _on_book(self, event: BookChanged) -> None:
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
