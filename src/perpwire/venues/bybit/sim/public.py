"""The public streams: which topics there are, and what the exchange's events mean to each of them.

Source: docs/v5/websocket/public, as of 2026-07-24. Another topic fails as an unknown one does.
"""

from __future__ import annotations

from perpwire.simulator.events import BookChanged, Liquidated, MarkTick, RecordedFrame, SimEvent, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused
from perpwire.venues.bybit.sim.book_feeds import BOOK_INTERVALS_S, BookFeed, RpiBookFeed, TopFeed
from perpwire.venues.bybit.sim.feeds import Feed, FeedParts, SteppedFeed
from perpwire.venues.bybit.sim.hub import Hub, Subscriber
from perpwire.venues.bybit.sim.kline_feed import INTERVALS, KlineFeed
from perpwire.venues.bybit.sim.ladder import Ladder, side_text
from perpwire.venues.bybit.sim.limit_feed import LimitFeed
from perpwire.venues.bybit.sim.liquidation_feed import LiquidationFeed
from perpwire.venues.bybit.sim.pool_feeds import POOL_COINS, AdlFeed, InsuranceFeed
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.public_sockets import Topics
from perpwire.venues.bybit.sim.ticker_feed import TickerFeed
from perpwire.venues.bybit.sim.tickers import ticker
from perpwire.venues.bybit.sim.timers import Timers
from perpwire.venues.bybit.sim.trade_feed import TradeFeed

__all__ = ["PublicStreams", "side_text"]

BOOK_DEPTHS = {str(depth): depth for depth in BOOK_INTERVALS_S}
"""Depths as a topic has them. No other spelling of the number will do: each topic has one name, and so one feed."""
RPI = "rpi"

BY_SYMBOL = ("publicTrade", "tickers", "priceLimit", "allLiquidation")
"""Families whose topic is the family and a symbol."""
BY_COIN = ("adlAlert", "insurance")
"""And a settlement coin."""

RECORDED_FAMILIES = ("orderbook", "publicTrade")
"""While a recording of a symbol plays, these come out of it."""


class PublicStreams(Topics):
    """Every public topic of every symbol."""

    def __init__(self, exchange: Exchange, prices: Prices, timers: Timers) -> None:
        self._exchange = exchange
        self._prices = prices
        self.hub = Hub()
        self._parts = FeedParts(exchange, self.hub, timers)
        self._feeds: dict[str, Feed] = {}
        self._ladders: dict[str, Ladder] = {}
        self._on_book: dict[str, tuple[SteppedFeed, ...]] = {}  # symbol -> what a change of its book touches
        self._tickers: dict[str, TickerFeed] = {}
        self._trades: dict[str, TradeFeed] = {}
        self._klines: dict[str, tuple[KlineFeed, ...]] = {}
        self._liquidations: dict[str, LiquidationFeed] = {}
        self._recorded: set[str] = set()  # symbols whose books and trades come from a recording

    # --- subscribing --------------------------------------------------------------------------------------------------

    def knows(self, topic: str) -> bool:
        family, _, rest = topic.partition(".")
        if family == "orderbook":
            depth, _, symbol = rest.partition(".")
            return (depth in BOOK_DEPTHS or depth == RPI) and self._trades_in(symbol)
        if family == "kline":
            interval, _, symbol = rest.partition(".")
            return interval in INTERVALS and self._trades_in(symbol)
        if family in BY_COIN:
            return rest in POOL_COINS
        return family in BY_SYMBOL and self._trades_in(rest)

    def _trades_in(self, symbol: str) -> bool:
        try:
            self._exchange.spec(symbol)
        except Refused:
            return False
        return True

    def add(self, topic: str, subscriber: Subscriber) -> None:
        """Subscribe to a topic that is known; its snapshot, where it has one, follows at once."""
        if topic.startswith(RECORDED_FAMILIES):
            self._exchange.want_book(topic.rpartition(".")[2])
        if self._is_recorded(topic):
            self.hub.add(topic, subscriber)
        else:
            self.feed(topic).add(subscriber)

    def remove(self, topic: str, subscriber: Subscriber) -> None:
        feed = self._feeds.get(topic)
        if feed is None:
            self.hub.remove(topic, subscriber)
        else:
            feed.remove(subscriber)

    def book_feed(self, symbol: str) -> BookFeed:
        """The 1000-level book, whose count REST snapshots show."""
        feed = self.feed(f"orderbook.1000.{symbol}")
        assert isinstance(feed, BookFeed)  # the name says so
        return feed

    def feed(self, topic: str) -> Feed:
        """The one feed of a topic that is known."""
        feed = self._feeds.get(topic)
        if feed is None:
            feed = self._feeds[topic] = self._make(topic)
        return feed

    def _make(self, topic: str) -> Feed:
        family, _, rest = topic.partition(".")
        symbol = rest.rpartition(".")[2]
        if family == "orderbook":
            book = self._make_book(rest.partition(".")[0], symbol)
            self._on_book[symbol] = (*self._on_book.get(symbol, ()), book)
            return book
        if family == "tickers":
            feed = self._tickers[symbol] = TickerFeed(symbol, self._ticker, self._parts)
            self._on_book[symbol] = (*self._on_book.get(symbol, ()), feed)
            return feed
        if family == "publicTrade":
            trades = self._trades[symbol] = TradeFeed(symbol, self._parts)
            return trades
        if family == "kline":
            candles = KlineFeed(rest.partition(".")[0], symbol, self._parts)
            self._klines[symbol] = (*self._klines.get(symbol, ()), candles)
            return candles
        if family == "allLiquidation":
            liquidations = self._liquidations[symbol] = LiquidationFeed(symbol, self._parts)
            return liquidations
        if family == "adlAlert":
            return AdlFeed(rest, self._parts)
        if family == "insurance":
            return InsuranceFeed(rest, self._parts)
        return LimitFeed(symbol, self._prices.limits, self._parts)

    def _make_book(self, depth: str, symbol: str) -> TopFeed | BookFeed:
        if depth == "1":
            return TopFeed(symbol, self._parts)
        ladder = self._ladders.get(symbol)
        if ladder is None:
            ladder = self._ladders[symbol] = Ladder(self._exchange.spec(symbol).instrument)
        if depth == RPI:
            return RpiBookFeed(symbol, ladder, self._parts)
        return BookFeed(symbol, BOOK_DEPTHS[depth], ladder, self._parts)

    def _ticker(self, symbol: str) -> dict[str, str]:
        return ticker(self._exchange, self._prices, symbol)

    # --- events -------------------------------------------------------------------------------------------------------

    def on_event(self, event: SimEvent) -> None:
        if isinstance(event, BookChanged):
            self._on_book_changed(event)
        elif isinstance(event, Traded):
            trades, tickers = self._trades.get(event.symbol), self._tickers.get(event.symbol)
            if trades is not None:
                trades.on_trade(event)
            if tickers is not None:
                tickers.touch()
            for candles in self._klines.get(event.symbol, ()):
                candles.on_trade(event)
        elif isinstance(event, MarkTick):
            tickers = self._tickers.get(event.symbol)
            if tickers is not None:
                tickers.touch()
        elif isinstance(event, Liquidated):
            liquidations = self._liquidations.get(event.symbol)
            if liquidations is not None:
                liquidations.on_liquidated(event)
        elif isinstance(event, RecordedFrame):
            self._on_recorded(event)

    def _on_book_changed(self, event: BookChanged) -> None:
        ladder = self._ladders.get(event.symbol)
        if ladder is not None and ladder.is_followed:
            ladder.apply(event.bids, event.asks)
        for feed in self._on_book.get(event.symbol, ()):
            feed.touch()

    def restart(self) -> None:
        """The venue's service restarts: every book begins anew, with a snapshot whose u is 1."""
        for topic, feed in self._feeds.items():
            if isinstance(feed, BookFeed | TopFeed) and not self._is_recorded(topic):
                feed.restart()

    # --- recordings ---------------------------------------------------------------------------------------------------

    def _on_recorded(self, event: RecordedFrame) -> None:
        if event.venue != "bybit":
            return
        symbol = event.stream.rpartition(".")[2]
        if symbol not in self._recorded:
            self._recorded.add(symbol)
            self._silence(symbol)
        self.hub.publish(event.stream, lambda: event.payload)

    def _silence(self, symbol: str) -> None:
        """What is made of a symbol ends where its recording begins; the subscribers stay, for the recorded frames."""
        for topic in [topic for topic in self._feeds if self._is_recorded(topic)]:
            feed = self._feeds.pop(topic)
            if feed.is_awake:
                feed.is_awake = False
                feed.sleep()
        self._on_book[symbol] = tuple(feed for feed in self._on_book.get(symbol, ()) if feed.topic in self._feeds)
        self._trades.pop(symbol, None)

    def _is_recorded(self, topic: str) -> bool:
        return topic.startswith(RECORDED_FAMILIES) and topic.rpartition(".")[2] in self._recorded
