"""Who is subscribed to which public stream, and the producers that run for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from perpwire.errors import BadInput
from perpwire.simulator.events import BookChanged, MarkTick, RecordedFrame, SimEvent, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim import producers
from perpwire.venues.binance_futures.sim.agg_trades import AggTrades
from perpwire.venues.binance_futures.sim.words import SymbolWords
from perpwire.venues.binance_futures.streams import StreamName, read_name

logger = logging.getLogger("perpwire.simulator")

VENUE = "binance"

_RECORDED_KINDS = frozenset({"depth", "bookTicker", "trade"})
"""What a recording says instead of us, once it has begun for a symbol."""

_FED_KINDS = _RECORDED_KINDS | {"partialDepth", "aggTrade"}
"""What comes of a recording, as it is or made out of it: whoever wants one of these wants it to play."""


class Listener(Protocol):
    """A socket, as the hub sees it."""

    def deliver(self, name: str, payload: bytes, account: str = "") -> None: ...


class _Stream:
    """One name that somebody is subscribed to. `name` is None for names that nothing is ever sent on."""

    def __init__(self, name: StreamName | None, producer: producers.Producer | None) -> None:
        self.name = name
        self.producer = producer
        self.listeners: dict[Listener, None] = {}


class StreamHub:
    def __init__(
        self, exchange: Exchange, words: Mapping[str, SymbolWords], agg_trades: Mapping[str, AggTrades]
    ) -> None:
        self._exchange = exchange
        self._agg_trades = agg_trades
        self._by_stream = {one.stream: one for one in words.values()}
        self._means = producers.MeanMarkPrices(words)
        self._streams: dict[str, _Stream] = {}
        self._recorded_symbols: set[str] = set()

    def close(self) -> None:
        for stream in self._streams.values():
            if stream.producer is not None:
                stream.producer.close()
        self._streams.clear()

    # --- subscriptions --------------------------------------------------------------------------------------------

    def subscribe(self, text: str, listener: Listener) -> None:
        """From now on `listener` gets what the stream sends; nothing ever comes of a name that is none."""
        stream = self._streams.get(text)
        if stream is None:
            stream = self._streams[text] = self._open(text)
        stream.listeners[listener] = None
        if stream.name is not None and stream.name.kind in _FED_KINDS:
            words = self._by_stream.get(stream.name.symbol)
            if words is not None:
                self._exchange.want_book(words.symbol)

    def unsubscribe(self, text: str, listener: Listener) -> None:
        stream = self._streams.get(text)
        if stream is None:
            return
        stream.listeners.pop(listener, None)
        if not stream.listeners:
            del self._streams[text]
            if stream.producer is not None:
                stream.producer.close()

    def _open(self, text: str) -> _Stream:
        try:
            name = read_name(text)
        except BadInput:
            return _Stream(None, None)

        def publish(payload: bytes) -> None:
            for listener in tuple(stream.listeners):
                listener.deliver(text, payload)

        stream = _Stream(name, self._producer(name, publish))
        return stream

    def _producer(self, name: StreamName, publish: producers.Publish) -> producers.Producer | None:
        exchange = self._exchange
        if name.kind == "markPrice" and not name.symbol:
            return producers.AllMarkPricesProducer(exchange, publish, name.period_ms or 0)
        # Names hold symbols in small letters; any other spelling is some other name, on which nothing comes.
        words = self._by_stream.get(name.symbol)
        if words is None:
            return None
        match name.kind:
            case "bookTicker":
                return producers.BookTickerProducer(exchange, publish, words)
            case "depth":
                # 0ms is known from recordings only; without one it goes at the quickest pace there is.
                return producers.DepthProducer(exchange, publish, words, name.period_ms or 100)
            case "partialDepth":
                return producers.PartialDepthProducer(exchange, publish, words, name.period_ms or 0, name.levels or 0)
            case "aggTrade":
                return producers.AggTradeProducer(exchange, publish, words, self._agg_trades[words.symbol])
            case "trade":
                return producers.TradeProducer(exchange, publish, words)
            case "markPrice":
                return producers.MarkPriceProducer(exchange, publish, name.period_ms or 0)
            case _:
                return None

    # --- events ---------------------------------------------------------------------------------------------------

    def on_event(self, event: SimEvent) -> None:
        if isinstance(event, RecordedFrame):
            if event.venue == VENUE:
                self._on_recorded(event)
        elif isinstance(event, BookChanged):
            for producer in self._running(event.symbol):
                producer.on_book(event)
        elif isinstance(event, Traded):
            self._agg_trades[event.symbol].add(event)
            for producer in self._running(event.symbol):
                producer.on_trade(event)
        elif isinstance(event, MarkTick):
            mean_price = self._means.add(event)
            for producer in self._running(event.symbol):
                producer.on_mark(event, mean_price)

    def _running(self, symbol: str) -> list[producers.Producer]:
        """The producers that may say something of this symbol."""
        wanted = (symbol.lower(), "")
        is_recorded = symbol in self._recorded_symbols
        return [
            stream.producer
            for stream in self._streams.values()
            if stream.producer is not None
            and stream.name is not None
            and stream.name.symbol in wanted
            and not (is_recorded and stream.name.kind in _RECORDED_KINDS)
        ]

    def _on_recorded(self, event: RecordedFrame) -> None:
        """Pass it on as it is; whoever wants the changes of the book gets them at the pace of the recording."""
        try:
            recorded = read_name(event.stream)
        except BadInput:
            logger.warning("a frame of the recording is skipped: %r is no stream of this venue", event.stream[:80])
            return
        words = self._by_stream.get(recorded.symbol)
        if words is not None:
            self._recorded_symbols.add(words.symbol)
        for text, stream in tuple(self._streams.items()):
            name = stream.name
            if name is not None and name.kind == recorded.kind and name.symbol == recorded.symbol:
                for listener in tuple(stream.listeners):
                    listener.deliver(text, event.payload)
