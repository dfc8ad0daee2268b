"""The connector's streams: events by handler or iterator, the account's stream, local books."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, TypeVar, Unpack

from perpwire.api_connector.book_watch import BookWatch
from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.market_methods import MarketMethods
from perpwire.api_connector.status_methods import StatusMethods
from perpwire.api_connector.stream_arguments import check_kind, listed
from perpwire.api_connector.topic_uses import Use
from perpwire.data_processor.local_book import LocalBook
from perpwire.errors import BadInput
from perpwire.model.account import AccountEvent, Balance, Position
from perpwire.model.market import (
    AssetIndex,
    Bar,
    CompositeIndex,
    ContinuousKline,
    Event,
)
from perpwire.model.order import FastFill, Fill, Order
from perpwire.venues.base import StreamKeywords, StreamOptions, Topic

E = TypeVar("E", bound=Event)

NO_CONTRACTS: frozenset[type[Event]] = frozenset({AssetIndex, ContinuousKline, CompositeIndex})
"""Their symbols are assets, pairs and baskets, and need not be contracts."""

OF_THE_ACCOUNT: tuple[type[Event], ...] = (Order, Fill, FastFill, Position, Balance, AccountEvent)


class Wanted(NamedTuple):
    """What a subscription comes to.

    Attributes:
        interval: Of candles; "" of all else.
    """

    kind: type[Event]
    symbol: str
    topic: Topic
    interval: str

    @property
    def as_subscribed(self) -> Hashable:
        """Holds it for the user's `subscribe`. Several kinds may come on one topic, and end each by itself."""
        return (self.kind, self.symbol)

    def use(self, holder: Hashable) -> Use:
        return Use(holder, self.topic)


class StreamMethods(MarketMethods, StatusMethods):
    """Streams that come back by themselves, with what was subscribed, for as long as the connector runs.
    Sources: Binance websocket-market-streams and user-data-streams; Bybit websocket/public and websocket/private.

    Raises (all methods that open one, beside what each names):
        BadInput: No such contract, or no such stream; nothing was sent.
        NotSent: The first connection can't be made. A later loss is repaired, not raised.
        StreamRefused: The venue refuses it.
    """

    def on(self, kind: type[E], handler: Callable[[E], None], symbol: str | None = None) -> Callable[[], None]:
        """Call `handler` with each event of `kind`; see WebSocketManager.on. `subscribe` makes them come."""
        return self.streams.on(kind, handler, None if symbol is None else self.venue.normal_symbol(symbol))

    async def subscribe(
        self,
        kinds: Iterable[type[Event]] | type[Event],
        symbols: Iterable[str] | str | None,
        **options: Unpack[StreamKeywords],
    ) -> None:
        """Subscribe public events (Trade, BookTicker, MarkPrice, Kline ...) of symbols; returns when acknowledged. They
        go to who has asked for them by `on`. docs/streams.md lists them all, with the venues' own names. Said again, it
        changes nothing: one `unsubscribe` takes it back. Where the whole market and one symbol of it are subscribed,
        each fact is told once, by whichever stream is first.

        Args:
            symbols: None: the whole market, where the venue has such a stream.
            interval: Of candles: 1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w 1M (Binance also 8h, 3d).
            levels: A side, of a partial book (Binance: 5, 10, 20) or of Bybit's book streams (50, 200, 1,000).
            speed_ms: Between two messages: of books at Binance (100, 250, 500), of mark prices (1000, 3000).
            contract: Of continuous candles: PERPETUAL, CURRENT_QUARTER, NEXT_QUARTER.
            aggregated: Of trades at Binance: False for each single trade (undocumented).

        Raises:
            NotOffered: The venue has no such stream.
        """
        await self._subscribe(await self._topics(kinds, symbols, StreamOptions(**options)))

    async def unsubscribe(
        self,
        kinds: Iterable[type[Event]] | type[Event],
        symbols: Iterable[str] | str | None,
        **options: Unpack[StreamKeywords],
    ) -> None:
        """Take back a `subscribe` of the same, however often it was said. What an iterator, a local book or
        another kind uses of the same stream goes on for that one; a stream that nobody uses any more ends."""
        wanted = await self._topics(kinds, symbols, StreamOptions(**options))
        await self.streams.unsubscribe(self.venue, [one.use(one.as_subscribed) for one in wanted])
        self._forget(wanted)

    async def _subscribe(self, wanted: list[Wanted], holder: Hashable = None) -> None:
        """For a holder; None: what the user has subscribed is held by its kind and symbol."""
        gaps = self._running.gaps
        for one in wanted:
            gaps.follow(one.kind, one.symbol, one.topic.name, one.interval)
            self._overlaps.follow(one.kind, one.symbol, one.topic.name)
        uses = [one.use(one.as_subscribed if holder is None else holder) for one in wanted]
        try:
            await self.streams.subscribe(self.venue, self._hosts, uses)
        except BaseException:
            self._forget(wanted)
            raise

    def _forget(self, wanted: Iterable[Wanted]) -> None:
        """What nobody wants any more has no holes."""
        for one in wanted:
            if self._parts is not None and not self.streams.is_wanted(self.venue, one.topic):
                self._parts.gaps.forget(one.topic.name)
                self._overlaps.forget(one.topic.name)

    async def _topics(
        self, kinds: Iterable[type[Event]] | type[Event], symbols: Iterable[str] | str | None, options: StreamOptions
    ) -> list[Wanted]:
        kinds = listed(kinds, "kinds")
        symbols = None if symbols is None else listed(symbols, "symbols")
        for kind in kinds:
            check_kind(kind)
            if issubclass(kind, OF_THE_ACCOUNT):
                raise BadInput(
                    f"{kind.__name__} comes on the account's stream", venue=self.venue.name, call="subscribe",
                    code="OF_THE_ACCOUNT", advice="Open it by open_account_stream(), or watch_orders() and the like.",
                )  # fmt: skip
        if symbols is None:
            names = [""]
        elif NO_CONTRACTS.issuperset(kinds):
            names = [self.venue.normal_symbol(symbol) for symbol in symbols]
        else:
            names = [(await self.get_instrument(symbol)).symbol for symbol in symbols]
        return [
            Wanted(kind, name, self.venue.topic(kind, name, options), (options.interval or "") * issubclass(kind, Bar))
            for kind in kinds
            for name in names
        ]

    async def open_account_stream(self) -> None:
        """Begin to receive Order, Fill, Position and Balance events, and keep account_state by them. The account is
        read at the beginning and after every loss; fills that were missed come then, with `recovered`.

        Raises:
            APIError: The account can't be read.
            AuthenticationFailed: There is no API key.
        """
        await self._running.private.open()

    async def ask_over_account_stream(self, patience_s: float = 5.0) -> float | None:
        """Seconds until the venue's own service has answered a harmless question over the account's stream (Binance:
        LIST_SUBSCRIPTIONS; Bybit: the operation ping); None: it has not, or the stream is not live. Nothing is changed
        by it. It proves that what is said there is heard and answered behind the login. It does not prove that events
        come: only an event does.
        """
        return await self._running.private.ask(self._seconds(patience_s, "patience_s"))

    async def open_book(self, symbol: str, *, levels: int | None = None, speed_ms: int | None = None) -> LocalBook:
        """A local book of the symbol, kept in step by the venue's rule; returns once it is in sync. See docs/books.md.

        Args:
            levels: A side, at least. Binance: that the book starts with, up to 1,000 (the usual); fewer cost less of
                the budget (1,000 levels weight 20, 500 weight 10, 100 weight 5), and more are asked for where the price
                leaves them. Bybit: that its stream covers: 50 (the usual), 200 or 1,000. Whoever opens it first
                decides.
            speed_ms: Between two updates, at Binance: 100 (the usual), 250 or 500. Bybit's follows from `levels`.

        Raises:
            BadInput: It is open already, with fewer levels than are asked for here.
            BookNotInSync: Not within half a minute; that in which its snapshot waits for budget is not counted.
        """
        return (await self.open_books([symbol], levels=levels, speed_ms=speed_ms))[0]

    async def open_books(
        self, symbols: Iterable[str], *, levels: int | None = None, speed_ms: int | None = None
    ) -> list[LocalBook]:
        """Many at once, as `open_book`: on as few sockets as will carry them, and with snapshots as the budget allows.
        Returns when all are in sync; each can be read as soon as it is (`on_change`)."""
        names = [(await self.get_instrument(symbol)).symbol for symbol in listed(symbols, "symbols")]
        options = StreamOptions(levels=levels, speed_ms=speed_ms)
        return await self._running.books.open(names, options)

    async def watch_book(self, symbol: str, *, levels: int | None = None, speed_ms: int | None = None) -> BookWatch:
        """`async for book in await connector.watch_book(...)`: the local book, at each change; see `open_book`. Its
        `close`, or the end of `async with`, gives the book back."""
        holder = object()  # of this iterator alone
        name = (await self.get_instrument(symbol)).symbol
        books, options = self._running.books, StreamOptions(levels=levels, speed_ms=speed_ms)
        (book,) = await books.open([name], options, holder)
        return BookWatch(book, lambda: books.release(name, holder))

    async def close_book(self, symbol: str) -> None:
        """Give back what `open_book` has opened, however often. Where no `watch_book` has it open, it can't be read any
        more, and its stream is unsubscribed where nobody else has subscribed it."""
        await self._running.books.close_book(self.venue.normal_symbol(symbol))

    @property
    def states(self) -> dict[str, State]:
        """Connection name -> state; the trading socket too, once it was asked for."""
        trade = self.trade_route
        if trade is None or trade.state is State.IDLE:
            return self.streams.states
        return {**self.streams.states, trade.name: trade.state}
