"""The connector's streams as async iterators, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, Unpack, cast

from perpwire.api_connector.candle_watch import CandleWatch
from perpwire.api_connector.event_queue import EventQueue, Overflow, check_buffer, check_gaps
from perpwire.api_connector.stream_methods import StreamMethods, Wanted
from perpwire.data_processor.candles import CandleMaker
from perpwire.errors import BadInput, NotOffered
from perpwire.model.account import AccountEvent, Balance, Position
from perpwire.model.market import (
    AdlWarning,
    AggTrade,
    BookLevels,
    BookSnapshot,
    BookTicker,
    ContinuousKline,
    ContractChanged,
    Event,
    Gap,
    InsuranceFund,
    Kline,
    Liquidation,
    MarkPrice,
    MiniTicker,
    OpenInterest,
    SystemNotice,
    Ticker,
    Trade,
    TradingSession,
)
from perpwire.model.order import FastFill, Fill, Order
from perpwire.venues.base import SnapshotSource, StreamKeywords, StreamOptions

E = TypeVar("E", bound=Event)

Symbols = str | Iterable[str]
"""One symbol, or several, of which all comes in one iterator."""

OF_MANY: frozenset[type[Event]] = frozenset({AdlWarning, ContractChanged, InsuranceFund, SystemNotice, TradingSession})
"""These come for many contracts on one stream."""

MOST_WAITING = 100_000
"""Private events that may wait for a consumer; then the account is read again, and a Gap stands in their place."""


class WatchMethods(StreamMethods):
    """`async for event in await connector.watch_...`: each call is a consumer of its own, with a buffer of its own.
    Where one symbol can be named, several can: `watch_trades(["BTCUSDT", "ETHUSDT"])` is one iterator over both.

    Raises (all of them):
        As StreamMethods. NotOffered: The venue has no such stream.
    """

    async def watch(
        self,
        kind: type[E],
        symbol: Symbols | None,
        *,
        limit: int = 10_000,
        overflow: Overflow = "raise",
        gaps: bool | None = None,
        **keywords: Unpack[StreamKeywords],
    ) -> EventQueue[E]:
        """Subscribe a public event of a symbol, or of several (None: of the whole market) and give one async iterator
        over it: `async for trade in await ...`. Its end takes the subscription back.

        Args:
            limit: Events that may wait for you.
            overflow: What becomes of one more: "raise": the iteration ends in ConsumerTooSlow; "drop_oldest": the
                oldest is dropped, and a Gap stands in its place; "latest": of each symbol only the newest event waits
                at all.
            gaps: Whether a Gap stands wherever events of the stream are missing; None: with "drop_oldest". What is the
                "latest" has no order, and none: hear of them by `on(Gap, ...)`.
            keywords: interval, levels, speed_ms, contract, aggregated: see `subscribe`.
        """
        options = StreamOptions(**keywords)
        check_buffer(limit, overflow)
        check_gaps(gaps, overflow)
        wanted = await self._topics([kind], symbol, options)
        if not wanted:
            raise BadInput("no symbol is named", venue=self.venue.name, call="watch", code="UNKNOWN_SYMBOL")
        where = self._chooser(kind, wanted, options)
        holder = object()  # of this iterator alone

        def ended() -> None:
            self.streams.release(self.venue, [one.use(holder) for one in wanted])
            self._forget(wanted)

        names = None if symbol is None or kind in OF_MANY else [one.symbol for one in wanted]
        queue = self.streams.watch(
            kind, names, limit=limit, overflow=overflow, gaps=gaps, interval=wanted[0].interval,
            gaps_of=self._gaps_of(wanted[0]), where=where, on_end=ended,
        )  # fmt: skip
        try:
            await self._subscribe(wanted, holder)
        except BaseException:
            queue.close()
            raise
        return queue

    def _chooser(self, kind: type[E], wanted: list[Wanted], options: StreamOptions) -> Callable[[E], bool]:
        """Which events of the kind and symbols are the topics': others may be subscribed beside them."""
        ours = self.venue.name
        if issubclass(kind, Kline | ContinuousKline):
            said: dict[str, str] = {"interval": options.interval or ""}
            if issubclass(kind, ContinuousKline):
                said["contract"] = (options.contract or "PERPETUAL").upper()
            return lambda event: event.venue == ours and all(getattr(event, one) == said[one] for one in said)
        if issubclass(kind, BookLevels):
            names = {one.topic.name for one in wanted}
            return lambda event: event.venue == ours and getattr(event, "stream", "") in names
        if issubclass(kind, Trade):
            is_aggregated = self._is_of_aggregated(wanted[0])
            return lambda event: event.venue == ours and isinstance(event, AggTrade) is is_aggregated
        return lambda event: event.venue == ours

    def _gaps_of(self, wanted: Wanted) -> type[Event] | None:
        """Aggregated trades and single ones have holes of their own."""
        if not issubclass(wanted.kind, Trade):
            return None
        return AggTrade if self._is_of_aggregated(wanted) else Trade

    def _is_of_aggregated(self, wanted: Wanted) -> bool:
        try:
            return self.venue.topic(AggTrade, wanted.symbol, StreamOptions()) == wanted.topic
        except NotOffered:
            return False

    # --- by name --------------------------------------------------------------------------------------------------

    async def watch_trades(self, symbol: Symbols, *, limit: int = 100_000) -> EventQueue[Trade | Gap]:
        """Public trades, in order, with a Gap where some are missing. Binance: those of one taker order at one price
        come as one (AggTrade); Bybit: one by one."""
        return cast(EventQueue[Trade | Gap], await self.watch(Trade, symbol, limit=limit, overflow="drop_oldest"))

    async def watch_agg_trades(self, symbol: Symbols, *, limit: int = 100_000) -> EventQueue[AggTrade | Gap]:
        """As `watch_trades`, where the venue adds them up and tells the ids in each; Binance only."""
        return cast(EventQueue[AggTrade | Gap], await self.watch(AggTrade, symbol, limit=limit, overflow="drop_oldest"))

    async def watch_depth(
        self, symbol: Symbols, *, levels: int | None = None, speed_ms: int | None = None
    ) -> EventQueue[BookSnapshot]:
        """The top of the book, whole each time, the newest only: 5, 10 or 20 levels a side (the usual), each 100 (the
        usual), 250 or 500 ms. Binance only: Bybit tells changes, of which `watch_book` makes the whole book, as it does
        on both venues.

        Raises:
            NotOffered: By Bybit.
        """
        if self.venue.book_rule.source is SnapshotSource.STREAM:
            raise NotOffered(
                "books are not told whole, but in changes", venue=self.venue.name, call="watch_depth",
                code="NO_WHOLE_BOOKS", advice="Use watch_book: it gives the whole book each time it has changed.",
            )  # fmt: skip
        return await self.watch(BookSnapshot, symbol, levels=levels, speed_ms=speed_ms, overflow="latest")

    async def watch_book_ticker(self, symbol: Symbols | None = None) -> EventQueue[BookTicker]:
        """Best bid and ask, the newest of each symbol. None: of the whole market (Binance)."""
        return await self.watch(BookTicker, symbol, overflow="latest")

    async def watch_klines(self, symbol: Symbols, interval: str) -> EventQueue[Kline | Gap]:
        """Candles as they grow; `is_closed` is the last word on one."""
        queue = await self.watch(Kline, symbol, interval=interval, overflow="drop_oldest")
        return cast(EventQueue[Kline | Gap], queue)

    async def watch_candles(self, symbol: str, interval: str, *, opens_at_last: bool = True) -> CandleWatch:
        """Candles that are made here, of trades, each when it is closed: of any length (5s, 7m, 1d ...), also of those
        that the venue does not have. `is_complete` is False where trades may be missing, as in the first one.

        Args:
            opens_at_last: A candle opens at the last price before it; False: at that of its own first trade.
        """
        maker = CandleMaker(self.venue.normal_symbol(symbol), interval, opens_at_last=opens_at_last)
        return CandleWatch(await self.watch_trades(symbol), maker)

    async def watch_continuous_klines(
        self, pair: Symbols, interval: str, contract: str = "PERPETUAL"
    ) -> EventQueue[ContinuousKline | Gap]:
        """Candles of a pair's contract of one kind, whichever that is just now; Binance only."""
        queue = await self.watch(ContinuousKline, pair, interval=interval, contract=contract, overflow="drop_oldest")
        return cast(EventQueue[ContinuousKline | Gap], queue)

    async def watch_mark_prices(self, symbol: Symbols | None = None) -> EventQueue[MarkPrice]:
        """Mark price, index price and funding, the newest of each symbol. None: of the whole market (Binance)."""
        return await self.watch(MarkPrice, symbol, overflow="latest")

    async def watch_tickers(self, symbol: Symbols | None = None) -> EventQueue[Ticker]:
        """Statistics of 24 hours, the newest of each symbol. None: of the whole market (Binance)."""
        return await self.watch(Ticker, symbol, overflow="latest")

    async def watch_mini_tickers(self, symbol: Symbols | None = None) -> EventQueue[MiniTicker]:
        """The same in short; Binance only."""
        return await self.watch(MiniTicker, symbol, overflow="latest")

    async def watch_open_interest(self, symbol: Symbols) -> EventQueue[OpenInterest]:
        """Contracts open; Bybit only (Binance tells it over REST: get_open_interest)."""
        return await self.watch(OpenInterest, symbol, overflow="latest")

    async def watch_liquidations(self, symbol: Symbols | None = None) -> EventQueue[Liquidation | Gap]:
        """Positions of anybody's that are closed by force. Binance tells the largest of each symbol and second, and
        takes None for the whole market; Bybit tells all."""
        queue = await self.watch(Liquidation, symbol, overflow="drop_oldest")
        return cast(EventQueue[Liquidation | Gap], queue)

    async def watch_orders(self) -> EventQueue[Order | Gap]:
        """Our orders, each change of each: none is dropped or merged, up to 100,000 that wait. Opens the account's
        stream, as the four below do."""
        return await self._watch_account(Order)

    async def watch_fills(self) -> EventQueue[Fill | Gap]:
        """Our fills, each once; those that the stream missed come after a Gap, with `recovered`."""
        return await self._watch_account(Fill)

    async def watch_fast_fills(self) -> EventQueue[FastFill | Gap]:
        """The first word of each fill, some milliseconds sooner and with less in it. At Bybit it is a topic of its own,
        which ends with the last of these iterators."""
        private, holder = self._running.private, object()
        queue = await self._watch_account(FastFill, lambda: private.release_fast_fills(holder))
        try:
            await private.watch_fast_fills(holder)
        except BaseException:
            queue.close()
            raise
        return queue

    async def watch_positions(self) -> EventQueue[Position | Gap]:
        """Our positions, each change of each."""
        return await self._watch_account(Position)

    async def watch_balances(self) -> EventQueue[Balance | Gap]:
        """Our balances, each change of each."""
        return await self._watch_account(Balance)

    async def watch_account(self) -> EventQueue[AccountEvent | Gap]:
        """What is said of the account itself: LeverageChanged, MarginModeChanged, PositionModeChanged, and at Binance
        AssetModeChanged and MarginCall. What the venue does not say is told when its positions or a reading show it, at
        the latest after five minutes; docs/account-stream.md says what can't be known."""
        return await self._watch_account(AccountEvent)

    async def _watch_account(self, kind: type[E], on_end: Callable[[], None] | None = None) -> EventQueue[E | Gap]:
        ours = self.venue.name
        queue = self.streams.watch(
            kind, limit=MOST_WAITING, overflow="drop_oldest", where=lambda event: event.venue == ours,
            on_dropped=self._running.private.read_again, on_end=on_end,
        )  # fmt: skip
        try:
            await self.open_account_stream()
        except BaseException:
            queue.close()
            raise
        return cast(EventQueue[E | Gap], queue)
