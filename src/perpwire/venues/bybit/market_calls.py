"""The calls about the market."""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial
from typing import TypeVar

from perpwire.errors import NotOffered
from perpwire.model.instrument import Instrument
from perpwire.model.market import (
    BookSnapshot,
    BookTicker,
    FundingRate,
    Kline,
    MarkPrice,
    OpenInterest,
    PriceKind,
    Ticker,
    Trade,
    VenueStatus,
)
from perpwire.venues.base import Call, MarketCalls, Params
from perpwire.venues.bybit import endpoints, translate_market as translate, wire
from perpwire.venues.bybit.paging import NAME, Log, backwards, bad, call, paged

T = TypeVar("T")

LINEAR = {"category": "linear"}

KLINES = {
    PriceKind.LAST: endpoints.KLINES,
    PriceKind.MARK: endpoints.MARK_KLINES,
    PriceKind.INDEX: endpoints.INDEX_KLINES,
    PriceKind.PREMIUM: endpoints.PREMIUM_KLINES,
}
LACKS_KLINES = ("8h", "3d")
LACKS_INTERESTS = ("2h", "6h", "12h")
"""Intervals that other venues have."""

MOST_TRADES = 1000
MOST_KLINES = 1000
MOST_INTERESTS = 200
MOST_FUNDINGS = 200

BEFORE_LAUNCH = {"status": "PreLaunch"}


class BybitMarketCalls(MarketCalls):
    """Lists of the past are asked for span after span, so that they come oldest first. The venue has no public trades
    of the past but the newest thousand (recent_trades)."""

    def server_time(self) -> Call[int]:
        return call(endpoints.SERVER_TIME, {}, translate.server_time)

    def status(self) -> Call[VenueStatus]:
        return call(endpoints.STATUS, {}, translate.status)

    def instruments(self) -> Call[tuple[Instrument, ...]]:
        """Perpetuals in trading, then those before their launch, which the venue leaves out unless it is asked."""
        following: Call[tuple[Instrument, ...]] | None = None
        for status in (BEFORE_LAUNCH, {}):
            following = paged(
                endpoints.INSTRUMENTS, {**LINEAR, "limit": 1000, **status}, translate.instruments,
                row_key=lambda one: one.symbol, afterwards=following,
            )  # fmt: skip
        assert following is not None
        return following

    def book_snapshot(self, symbol: str, depth: int) -> Call[BookSnapshot]:
        """Its update_id is of the 1000-level stream's count, not of the one that `topic` names."""
        params = {**LINEAR, "symbol": symbol, "limit": depth}
        return call(endpoints.BOOK_SNAPSHOT, params, translate.book)

    def recent_trades(self, symbol: str, limit: int) -> Call[tuple[Trade, ...]]:
        """At most 1,000."""
        params = {**LINEAR, "symbol": symbol, "limit": limit}
        return call(endpoints.RECENT_TRADES, params, translate.trades)

    def trades_from(self, symbol: str, last: Trade) -> Call[tuple[Trade, ...]]:
        """The venue tells the newest 1,000; of those, from `last` on, or what is later: a list that lags ends before
        it."""

        def from_last(rows: tuple[Trade, ...]) -> tuple[Trade, ...]:
            at = next((n for n, row in enumerate(rows) if row.trade_id == last.trade_id), None)
            return tuple(filter(is_later, rows)) if at is None else rows[at:]

        def is_later(row: Trade) -> bool:
            return (row.venue_time_ms, row.sequence) > (last.venue_time_ms, last.sequence)

        params = {**LINEAR, "symbol": symbol, "limit": MOST_TRADES}
        return call(endpoints.RECENT_TRADES, params, lambda reply: from_last(translate.trades(reply)))

    def klines(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, price_kind: PriceKind
    ) -> Call[tuple[Kline, ...]]:
        """Without start_ms: the newest 1,000 (up to end_ms). There are no candles of 8h and 3d."""
        text, least_ms = _interval("klines", translate.INTERVALS, interval, LACKS_KLINES)

        def within(one: Kline) -> bool:
            return (start_ms is None or one.open_time_ms >= start_ms) and (end_ms is None or one.open_time_ms <= end_ms)

        log = Log(KLINES[price_kind], span_ms=MOST_KLINES * least_ms, start="start", end="end")
        return log.read(
            {**LINEAR, "symbol": symbol, "interval": text, "limit": MOST_KLINES},
            start_ms,
            end_ms,
            lambda reply: tuple(filter(within, translate.klines(reply, symbol, interval, price_kind))),
            row_key=lambda one: one.open_time_ms,
        )

    def tickers(self, symbol: str | None) -> Call[tuple[Ticker, ...]]:
        """Of all symbols, those that have been traded: before its launch a contract has no price."""
        return call(endpoints.TICKERS, _of(symbol), _rows_of(symbol, "lastPrice", translate.ticker))

    def book_tickers(self, symbol: str | None) -> Call[tuple[BookTicker, ...]]:
        """Without the book's counter: update_id is 0."""
        return call(endpoints.TICKERS, _of(symbol), partial(translate.of_tickers, one=translate.book_ticker))

    def mark_prices(self, symbol: str | None) -> Call[tuple[MarkPrice, ...]]:
        """Of all symbols, those that have a mark price: before its launch a contract has none."""

        return call(endpoints.TICKERS, _of(symbol), _rows_of(symbol, "markPrice", translate.mark_price))

    def open_interest(self, symbol: str) -> Call[OpenInterest]:
        def the_one(reply: object) -> OpenInterest:
            found = translate.of_tickers(reply, translate.open_interest)  # type: ignore[arg-type]
            if not found:
                raise ValueError(f"no ticker of {symbol}")
            return found[0]

        return call(endpoints.TICKERS, _of(symbol), the_one)

    def open_interest_history(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None
    ) -> Call[tuple[OpenInterest, ...]]:
        """Without start_ms: as far back as the venue goes."""
        text, step_ms = _interval("open_interest_history", translate.INTEREST_INTERVALS, interval, LACKS_INTERESTS)
        return Log(endpoints.OPEN_INTEREST, span_ms=MOST_INTERESTS * step_ms).read(
            {**LINEAR, "symbol": symbol, "intervalTime": text, "limit": MOST_INTERESTS},
            start_ms,
            end_ms,
            lambda reply: translate.open_interests(reply.result, symbol),
            row_key=lambda one: one.venue_time_ms,
        )

    def funding_rates(self, symbol: str, start_ms: int | None, end_ms: int | None) -> Call[tuple[FundingRate, ...]]:
        """Without start_ms: the newest 200 (up to end_ms). With it, all come together, at the end."""
        params = {**LINEAR, "symbol": symbol, "limit": MOST_FUNDINGS}
        return backwards(endpoints.FUNDING_RATES, params, start_ms, end_ms, translate.funding_rates, most=MOST_FUNDINGS)


def _of(symbol: str | None) -> Params:
    return {**LINEAR, "symbol": symbol}


Tickers = wire.Dated[wire.Page[wire.TickerRow]]


def _rows_of(
    symbol: str | None, price: str, one: Callable[[wire.TickerRow, int], T]
) -> Callable[[Tickers], tuple[T, ...]]:
    """How a reply is read: where all symbols were asked for, without those that state no such price."""

    def known(reply: Tickers) -> tuple[T, ...]:
        rows = [row for row in reply.result.rows or () if getattr(row, price)]
        return translate.of_tickers(wire.Dated(wire.Page(rows=rows), reply.time), one)

    return known if symbol is None else partial(translate.of_tickers, one=one)


def _interval(name: str, known: dict[str, tuple[str, int]], interval: str, lacks: Container[str]) -> tuple[str, int]:
    if interval in lacks:
        raise NotOffered(
            f"there is no interval {interval}", venue=NAME, call=name, code="NOT_OFFERED",
            advice="Make it of shorter ones.",
        )  # fmt: skip
    if interval not in known:
        raise bad(name, "BAD_INTERVAL", f"interval {interval!r} is not one of {', '.join(known)}")
    return known[interval]
