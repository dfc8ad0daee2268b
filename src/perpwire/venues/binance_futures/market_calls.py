"""The calls about the market."""

from __future__ import annotations

from functools import partial

from perpwire.errors import BadInput
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
from perpwire.venues.base import Call, MarketCalls
from perpwire.venues.binance_futures import endpoints_market as endpoints, market_pages, translate_market
from perpwire.venues.binance_futures.calling import at_the_venues_time, call
from perpwire.venues.binance_futures.spans import check_span
from perpwire.venues.binance_futures.translate_words import VENUE

MOST_TRADES = 1000


class BinanceMarketCalls(MarketCalls):
    """Rows come oldest first."""

    numbers_trades = True

    def server_time(self) -> Call[int]:
        return call(endpoints.SERVER_TIME, {}, lambda reply: int(reply.server_time))

    def instruments(self) -> Call[tuple[Instrument, ...]]:
        return call(endpoints.INSTRUMENTS, {}, translate_market.instruments)

    def instruments_completed(self, instruments: tuple[Instrument, ...]) -> Call[tuple[Instrument, ...]]:
        """Their funding intervals. Draws on the budget of funding rates alone."""
        return call(endpoints.FUNDING_INFO, {}, partial(translate_market.with_funding, instruments))

    def status(self) -> Call[VenueStatus]:
        """The futures API has no status call: it is up where it answers and trades any contract; there are no
        notices."""
        return call(endpoints.STATUS, {}, translate_market.status)

    def book_snapshot(self, symbol: str, depth: int) -> Call[BookSnapshot]:
        limit = next((levels for levels in endpoints.DEPTHS if levels >= depth), None)
        if depth < 1 or limit is None:
            raise _bad("book_snapshot", f"depth {depth} is not from 1 to {endpoints.DEPTHS[-1]}", "BAD_DEPTH")
        params = {"symbol": symbol, "limit": limit}
        return call(endpoints.BOOK_SNAPSHOT, params, partial(translate_market.book_snapshot, symbol))

    def recent_trades(self, symbol: str, limit: int) -> Call[tuple[Trade, ...]]:
        """Single trades. At most 1,000."""
        if not 1 <= limit <= MOST_TRADES:
            raise _bad("recent_trades", f"{limit} trades: from 1 to {MOST_TRADES} can be asked for", "BAD_LIMIT")
        params = {"symbol": symbol, "limit": limit}
        return call(endpoints.RECENT_TRADES, params, partial(translate_market.recent_trades, symbol))

    def trades(self, symbol: str, start_ms: int | None, end_ms: int | None) -> Call[tuple[Trade, ...]]:
        """Aggregated: fills of one taker order at one price are one trade. Of the last 48 hours; without a start, the
        newest 1,000."""
        check_span("trades", start_ms, end_ms)
        return market_pages.trades(symbol, start_ms, end_ms)

    def trades_from(self, symbol: str, last: Trade) -> Call[tuple[Trade, ...]]:
        """By the id of an aggregated trade: 1,000 from it on."""
        return market_pages.trades_from(symbol, last)

    def klines(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, price_kind: PriceKind
    ) -> Call[tuple[Kline, ...]]:
        """Whether the last one is closed goes by the venue's time, which is asked first."""
        check_span("klines", start_ms, end_ms)
        if interval not in market_pages.INTERVALS_MS:
            known = ", ".join(market_pages.INTERVALS_MS)
            raise _bad("klines", f"interval {interval!r} is not one of {known}", "BAD_INTERVAL")
        return at_the_venues_time(
            lambda now_ms: market_pages.KlinePages(symbol, interval, price_kind, now_ms).between(start_ms, end_ms),
            market_pages.kline_key,
        )

    def tickers(self, symbol: str | None) -> Call[tuple[Ticker, ...]]:
        return call(endpoints.TICKERS, {"symbol": symbol}, translate_market.tickers)

    def book_tickers(self, symbol: str | None) -> Call[tuple[BookTicker, ...]]:
        return call(endpoints.BOOK_TICKERS, {"symbol": symbol}, translate_market.book_tickers)

    def mark_prices(self, symbol: str | None) -> Call[tuple[MarkPrice, ...]]:
        return call(endpoints.MARK_PRICES, {"symbol": symbol}, translate_market.mark_prices)

    def open_interest(self, symbol: str) -> Call[OpenInterest]:
        return call(endpoints.OPEN_INTEREST, {"symbol": symbol}, translate_market.open_interest)

    def open_interest_history(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None
    ) -> Call[tuple[OpenInterest, ...]]:
        """30 days; without a start, the newest 500. Counted in a pool of its own: 1,000 requests in 5 minutes."""
        check_span("open_interest_history", start_ms, end_ms)
        if interval not in market_pages.STATISTICS_INTERVALS:
            known = ", ".join(market_pages.STATISTICS_INTERVALS)
            raise _bad("open_interest_history", f"interval {interval!r} is not one of {known}", "BAD_INTERVAL")
        return market_pages.open_interest(symbol, interval, start_ms, end_ms)

    def funding_rates(self, symbol: str, start_ms: int | None, end_ms: int | None) -> Call[tuple[FundingRate, ...]]:
        """Without a start, the newest 1,000. Counted in a pool of its own: 500 requests in 5 minutes."""
        check_span("funding_rates", start_ms, end_ms)
        return market_pages.funding_rates(symbol, start_ms, end_ms)


def _bad(name: str, reason: str, code: str) -> BadInput:
    return BadInput(reason, venue=VENUE, call=name, code=code)
