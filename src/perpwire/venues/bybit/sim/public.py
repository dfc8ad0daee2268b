"""The public streams: order books, trades, tickers, at the venue's cadence and only while somebody listens.

Source: docs/v5/websocket/public, as of 2026-07-24. Of the venue's topics it has orderbook.1, .50, .200 and .1000,
publicTrade and tickers; a subscription to another one fails as one to an unknown topic does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.model.instrument import Instrument
from perpwire.model.market import Level
from perpwire.simulator.events import BookChanged, MarkTick, RecordedFrame, Refused, SimEvent, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.sim.hub import Hub, Subscriber
from perpwire.venues.bybit.sim.memory import Memory
from perpwire.venues.bybit.sim.numbers import TAKER_EXECUTION, fit, id_text
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.tickers import ticker
from perpwire.venues.bybit.sim.timers import Timers

BOOK_INTERVALS_S = {1: 0.010, 50: 0.020, 200: 0.100, 1000: 0.200}
BOOK_DEPTHS = {str(depth): depth for depth in BOOK_INTERVALS_S}
"""Depths as a topic has them. No other spelling of the number will do: each topic has one name, and so one feed."""

REPEAT_S = 3.0
"""orderbook.1 is sent again, with the same u, when nothing changes for so long."""
TICKER_INTERVAL_S = 0.100
TRADES_A_FRAME = 1024
FIRST_UPDATE = 18_000_000

encode = msgspec.json.encode

SideText = tuple[tuple[str, str], ...]


class _Feed(ABC):
    """One topic that is published in steps: what changed since the last step goes out when the interval is over."""

    def __init__(self, topic: str, interval_s: float, hub: Hub, timers: Timers) -> None:
        self.topic = topic
        self._interval_s = interval_s
        self._hub = hub
        self._timers = timers
        self._scheduled = False

    def touch(self) -> None:
        """Something changed."""
        if not self._scheduled and self._hub.has(self.topic):
            self._scheduled = True
            self._timers.later(self._interval_s, self._step)

    def _step(self) -> None:
        self._scheduled = False
        if self._hub.has(self.topic):
            self.publish()

    @abstractmethod
    def publish(self) -> None:
        """Bring the published state up to now, and tell the subscribers of what changed."""

    @abstractmethod
    def snapshot(self) -> bytes:
        """The published state, whole: what later deltas build on."""

    def welcome(self, subscriber: Subscriber) -> None:
        """A subscriber came: it gets the state that the next delta builds on."""
        if len(tuple(self._hub.of(self.topic))) == 1:
            self.publish_silently()
        subscriber.push(self.snapshot(), self.topic)

    @abstractmethod
    def publish_silently(self) -> None: ...


class BookFeed(_Feed):
    """orderbook.50, .200, .1000: a snapshot, then deltas whose u grows by one."""

    def __init__(self, symbol: str, depth: int, exchange: Exchange, memory: Memory, hub: Hub, timers: Timers) -> None:
        super().__init__(f"orderbook.{depth}.{symbol}", BOOK_INTERVALS_S[depth], hub, timers)
        self.symbol = symbol
        self.depth = depth
        self._exchange = exchange
        self._memory = memory
        self._instrument = exchange.spec(symbol).instrument
        self.update_id = FIRST_UPDATE
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.changed_ms = 0
        self.seq = 0

    def publish(self) -> None:
        """Changes are worked out against what was published last, so a level that leaves the window is deleted."""
        bids, asks = self._advance()
        if bids or asks:
            self._hub.publish(self.topic, lambda: self._frame("delta", bids, asks))

    def publish_silently(self) -> None:
        self._advance()

    def _advance(self) -> tuple[SideText, SideText]:
        bids, asks, _, changed_ms = self._exchange.book(self.symbol, self.depth)
        new_bids, new_asks = dict(bids), dict(asks)
        changes = (
            side_text(_changes(self.bids, new_bids), self._instrument),
            side_text(_changes(self.asks, new_asks), self._instrument),
        )
        if any(changes):
            self.bids, self.asks = new_bids, new_asks
            self.update_id += 1
            self.changed_ms = changed_ms
            self.seq = self._memory.seq(self.symbol)
        return changes

    def snapshot(self) -> bytes:
        bids = side_text(list(self.bids.items()), self._instrument)
        asks = side_text(list(self.asks.items()), self._instrument)
        return self._frame("snapshot", bids, asks)

    def _frame(self, kind: Any, bids: SideText, asks: SideText) -> bytes:
        data = wire_streams.BookData(self.symbol, bids, asks, self.update_id, self.seq)
        return encode(
            wire_streams.BookFrame(
                topic=self.topic, type=kind, ts=self._exchange.now_ms(), data=data, cts=self.changed_ms
            )
        )


class TopFeed(_Feed):
    """orderbook.1: every frame is whole; repeated when nothing changes."""

    def __init__(self, symbol: str, exchange: Exchange, memory: Memory, hub: Hub, timers: Timers) -> None:
        super().__init__(f"orderbook.1.{symbol}", BOOK_INTERVALS_S[1], hub, timers)
        self.symbol = symbol
        self._exchange = exchange
        self._memory = memory
        self._instrument = exchange.spec(symbol).instrument
        self._update_id = FIRST_UPDATE
        self._levels: tuple[SideText, SideText] = ((), ())
        self._changed_ms = 0
        self._seq = 0
        self._sent = 0

    def publish(self) -> None:
        if self._advance():
            self._send()

    def publish_silently(self) -> None:
        self._advance()

    def _advance(self) -> bool:
        bids, asks, _, changed_ms = self._exchange.book(self.symbol, 1)
        levels = (side_text(bids, self._instrument), side_text(asks, self._instrument))
        if levels == self._levels:
            return False
        self._levels = levels
        self._update_id += 1
        self._changed_ms = changed_ms
        self._seq = self._memory.seq(self.symbol)
        return True

    def _send(self) -> None:
        self._hub.publish(self.topic, self.snapshot)
        self._repeat_later()

    def _repeat_later(self) -> None:
        self._sent += 1
        sent = self._sent

        def repeat() -> None:
            if sent == self._sent and self._hub.has(self.topic):
                self._send()

        self._timers.later(REPEAT_S, repeat)

    def welcome(self, subscriber: Subscriber) -> None:
        super().welcome(subscriber)
        if len(tuple(self._hub.of(self.topic))) == 1:
            self._repeat_later()

    def snapshot(self) -> bytes:
        bids, asks = self._levels
        data = wire_streams.BookData(self.symbol, bids, asks, self._update_id, self._seq)
        return encode(
            wire_streams.SentTopFrame(
                topic=self.topic, ts=self._exchange.now_ms(), type="snapshot", data=data, cts=self._changed_ms
            )
        )


class TickerFeed(_Feed):
    """tickers: a snapshot, then the fields that changed."""

    def __init__(
        self, symbol: str, exchange: Exchange, memory: Memory, prices: Prices, hub: Hub, timers: Timers
    ) -> None:
        super().__init__(f"tickers.{symbol}", TICKER_INTERVAL_S, hub, timers)
        self.symbol = symbol
        self._exchange = exchange
        self._memory = memory
        self._prices = prices
        self._published: dict[str, str] = {}

    def publish(self) -> None:
        changed = self._advance()
        if changed:
            self._hub.publish(self.topic, lambda: self._frame("delta", changed))

    def publish_silently(self) -> None:
        self._advance()

    def _advance(self) -> dict[str, str]:
        now = ticker(self._exchange, self._memory, self._prices, self.symbol)
        changed = {name: value for name, value in now.items() if self._published.get(name) != value}
        self._published = now
        return changed

    def snapshot(self) -> bytes:
        return self._frame("snapshot", self._published)

    def _frame(self, kind: Any, fields: dict[str, str]) -> bytes:
        data = wire_streams.Ticker(**{**fields, "symbol": self.symbol})
        return encode(
            wire_streams.TickerFrame(
                topic=self.topic, type=kind, data=data, ts=self._exchange.now_ms(), cs=self._memory.seq(self.symbol)
            )
        )


class PublicStreams:
    """Every public topic of every symbol."""

    def __init__(self, exchange: Exchange, memory: Memory, prices: Prices, timers: Timers) -> None:
        self._exchange = exchange
        self._memory = memory
        self._prices = prices
        self._timers = timers
        self.hub = Hub()
        self._feeds: dict[str, _Feed] = {}
        self._by_symbol: dict[str, list[_Feed]] = {}
        self._trades: dict[str, list[wire_streams.SentTrade[str]]] = {}
        self._recorded: set[str] = set()  # symbols whose books and trades come from a recording

    # --- subscribing --------------------------------------------------------------------------------------------------

    def knows(self, topic: str) -> bool:
        family, _, rest = topic.partition(".")
        if family == "orderbook":
            depth, _, symbol = rest.partition(".")
            return depth in BOOK_DEPTHS and self._trades_in(symbol)
        return family in ("publicTrade", "tickers") and self._trades_in(rest)

    def _trades_in(self, symbol: str) -> bool:
        try:
            self._exchange.spec(symbol)
        except Refused:
            return False
        return True

    def add(self, topic: str, subscriber: Subscriber) -> None:
        """Subscribe to a topic that is known; its snapshot follows at once."""
        self.hub.add(topic, subscriber)
        if not topic.startswith("tickers."):
            self._exchange.want_book(topic.rpartition(".")[2])
        feed = self._feed(topic)
        if feed is not None and not self._is_recorded(topic):
            feed.welcome(subscriber)

    def book_feed(self, symbol: str) -> BookFeed:
        """The 1000-level book, whose count REST snapshots show."""
        feed = self._feed(f"orderbook.1000.{symbol}")
        assert isinstance(feed, BookFeed)  # the name says so
        return feed

    def _feed(self, topic: str) -> _Feed | None:
        feed = self._feeds.get(topic)
        if feed is not None:
            return feed
        family, _, rest = topic.partition(".")
        if family == "tickers":
            feed = TickerFeed(rest, self._exchange, self._memory, self._prices, self.hub, self._timers)
        elif family == "orderbook":
            depth, _, symbol = rest.partition(".")
            if depth == "1":
                feed = TopFeed(symbol, self._exchange, self._memory, self.hub, self._timers)
            else:
                feed = BookFeed(symbol, BOOK_DEPTHS[depth], self._exchange, self._memory, self.hub, self._timers)
        else:
            return None
        self._feeds[feed.topic] = feed
        self._by_symbol.setdefault(feed.topic.rpartition(".")[2], []).append(feed)
        return feed

    # --- events -------------------------------------------------------------------------------------------------------

    def on_event(self, event: SimEvent) -> None:
        if isinstance(event, RecordedFrame):
            self._on_recorded(event)
        elif isinstance(event, BookChanged | MarkTick):
            self._touch(event.symbol)
        elif isinstance(event, Traded):
            self._touch(event.symbol)
            self._on_trade(event)

    def _touch(self, symbol: str) -> None:
        for feed in self._by_symbol.get(symbol, ()):
            if not self._is_recorded(feed.topic):
                feed.touch()

    def _on_trade(self, trade: Traded) -> None:
        topic = f"publicTrade.{trade.symbol}"
        if not self.hub.has(topic) or self._is_recorded(topic):
            return
        instrument = self._exchange.spec(trade.symbol).instrument
        waiting = self._trades.setdefault(trade.symbol, [])
        if not waiting:
            # What trades in one step of the matching engine goes out together.
            self._timers.later(0, lambda: self._send_trades(trade.symbol))
        waiting.append(
            wire_streams.SentTrade(
                T=trade.time_ms,
                s=trade.symbol,
                S="Sell" if trade.buyer_is_maker else "Buy",
                v=fit(trade.quantity, instrument.quantity_step),
                p=fit(trade.price, instrument.tick_size),
                i=id_text(TAKER_EXECUTION, trade.trade_id),
                L=self._prices.of(trade.symbol).tick_direction,
                seq=self._memory.seq(trade.symbol),
            )
        )

    def _send_trades(self, symbol: str) -> None:
        trades, self._trades[symbol] = self._trades[symbol], []
        topic = f"publicTrade.{symbol}"
        for start in range(0, len(trades), TRADES_A_FRAME):
            self.hub.publish(
                topic, _trade_frame(topic, self._exchange.now_ms(), trades[start : start + TRADES_A_FRAME])
            )

    # --- recordings ---------------------------------------------------------------------------------------------------

    def _on_recorded(self, event: RecordedFrame) -> None:
        if event.venue == "bybit":
            self._recorded.add(event.stream.rpartition(".")[2])
            self.hub.publish(event.stream, lambda: event.payload)

    def _is_recorded(self, topic: str) -> bool:
        return not topic.startswith("tickers.") and topic.rpartition(".")[2] in self._recorded


def _trade_frame(topic: str, now_ms: int, trades: list[wire_streams.SentTrade[str]]) -> Callable[[], bytes]:
    return lambda: encode(wire_streams.SentTradeFrame(topic=topic, type="snapshot", ts=now_ms, data=trades))


def side_text(levels: list[Level], instrument: Instrument) -> SideText:
    """Levels as the venue writes them."""
    return tuple((fit(price, instrument.tick_size), fit_size(size, instrument)) for price, size in levels)


def fit_size(size: Decimal, instrument: Instrument) -> str:
    return fit(size, instrument.quantity_step) if size else "0"


def _changes(before: dict[Decimal, Decimal], after: dict[Decimal, Decimal]) -> list[Level]:
    changed = [(price, size) for price, size in after.items() if before.get(price) != size]
    changed.extend((price, Decimal(0)) for price in before if price not in after)
    return changed
