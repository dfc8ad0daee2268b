"""The connector's calls about the market. No key is needed for them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from perpwire.api_connector.connector_core import ConnectorCore
from perpwire.api_connector.history import History
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


class MarketMethods(ConnectorCore):
    """Times are Unix milliseconds of the venue's clock, both ends included; None leaves that end open.

    Lists of the past (History) come oldest first, each row once; they ask page after page while they are walked.

    Raises (all methods; those that give a History for what the venue says while it is walked):
        APIError: The venue can't be asked, or refuses; see errors.py.
        BadInput: An argument that can't be asked for; nothing was sent.
        NotOffered: The venue has no such call; nothing was sent.
    """

    async def get_server_time(self) -> int:
        """The venue's clock, Unix milliseconds.

        Source: Binance Check-Server-Time; Bybit market/time.
        """
        return await self._path.run(self.venue.server_time())

    async def get_venue_status(self) -> VenueStatus:
        """Whether the venue works, and what it says of its maintenance. Binance has no call for it: it is up where it
        answers and trades any contract, and has no notices.

        Source: Binance Exchange-Information; Bybit system-status.
        """
        return await self._path.run(self.venue.status())

    async def get_instruments(self, *, refresh: bool = False) -> Mapping[str, Instrument]:
        """Every perpetual contract by symbol; asked once, then kept, and asked again in the background when a quarter
        of an hour old, or now with `refresh`.

        Source: Binance Exchange-Information, Get-Funding-Rate-Info; Bybit market/instrument.
        """
        return await self.instruments.all(refresh=refresh)

    async def get_instrument(self, symbol: str) -> Instrument:
        """One contract, by the venue's symbol or as BTC/USDT:USDT; see get_instruments for how old it may be.

        Raises:
            BadInput: No such contract; the message names the nearest ones.
        """
        if not isinstance(symbol, str):
            raise BadInput(f"{symbol!r} is no symbol", venue=self.venue.name, code="UNKNOWN_SYMBOL")
        return await self.instruments.one(self.venue.normal_symbol(symbol), symbol)

    async def get_order_book(self, symbol: str, depth: int = 100) -> BookSnapshot:
        """The book at one moment, best first; see open_book for one that is kept.

        Args:
            depth: Levels a side, 1 to 1,000. Binance is asked for the next of 5, 10, 20, 50, 100, 500 and 1,000.

        Source: Binance Order-Book; Bybit market/orderbook.
        """
        levels = self._whole(depth, "depth", 1, 1000)
        book = await self._path.run(self.venue.book_snapshot(self._symbol(symbol), levels))
        if max(len(book.bid_text), len(book.ask_text)) <= levels:
            return book
        return msgspec.structs.replace(book, bid_text=book.bid_text[:levels], ask_text=book.ask_text[:levels])

    async def get_recent_trades(self, symbol: str, limit: int = 500) -> tuple[Trade, ...]:
        """The newest public trades, oldest first; at most 1,000. Binance's are single ones, not aggregated.

        Source: Binance Recent-Trades-List; Bybit market/recent-trade.
        """
        count = self._whole(limit, "limit", 1, 1000)
        return await self._path.run(self.venue.recent_trades(self._symbol(symbol), count))

    def get_trades(self, symbol: str, start_ms: int | None = None, end_ms: int | None = None) -> History[Trade]:
        """Public trades of the past. Binance: aggregated ones of the last 48 hours; without a start the newest 1,000.
        Bybit has none (NotOffered): see get_recent_trades.

        Source: Binance Compressed-Aggregate-Trades-List.
        """
        self._check_span(start_ms, end_ms)
        return self._history(self.venue.trades(self._symbol(symbol), start_ms, end_ms))

    def get_klines(
        self,
        symbol: str,
        interval: str,
        start_ms: int | None = None,
        end_ms: int | None = None,
        *,
        price_kind: PriceKind | str = PriceKind.LAST,
    ) -> History[Kline]:
        """Candles; the last one may still be open (is_closed False). Without a start, the newest page (Binance 499,
        Bybit 1,000).

        Args:
            interval: 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M; Bybit has no 8h and 3d (NotOffered).
            price_kind: LAST, MARK, INDEX, or PREMIUM (a fraction).

        Source: Binance Kline-Candlestick-Data, Mark-Price-Kline-Candlestick-Data, Index-Price-Kline-Candlestick-Data,
            Premium-Index-Kline-Data; Bybit market/kline, market/mark-kline, market/index-kline,
            market/premium-index-kline.
        """
        self._check_span(start_ms, end_ms)
        kind = self._word(PriceKind, price_kind, "price_kind", "get_klines")
        return self._history(self.venue.klines(self._symbol(symbol), interval, start_ms, end_ms, kind))

    async def get_ticker(self, symbol: str) -> Ticker:
        """Rolling 24 hours of one symbol: prices in quote per base, volume in base and quote.

        Source: Binance 24hr-Ticker-Price-Change-Statistics; Bybit market/tickers.
        """
        return self._only(await self._path.run(self.venue.tickers(self._symbol(symbol))), symbol)

    async def get_tickers(self) -> tuple[Ticker, ...]:
        """Rolling 24 hours of every symbol, as get_ticker. Binance: 40 times as much weight as for one.

        Source: Binance 24hr-Ticker-Price-Change-Statistics; Bybit market/tickers.
        """
        return await self._path.run(self.venue.tickers(None))

    async def get_book_tickers(self, symbol: str | None = None) -> tuple[BookTicker, ...]:
        """Best bid and ask of one symbol, or of all. Bybit does not state the book's counter: update_id is 0.

        Source: Binance Symbol-Order-Book-Ticker; Bybit market/tickers.
        """
        return await self._path.run(self.venue.book_tickers(self._symbol_or_none(symbol)))

    async def get_mark_price(self, symbol: str) -> MarkPrice:
        """Mark price and index price (quote per base), coming funding (a fraction, and when) of one symbol.

        Source: Binance Mark-Price; Bybit market/tickers.
        """
        return self._only(await self._path.run(self.venue.mark_prices(self._symbol(symbol))), symbol)

    async def get_mark_prices(self) -> tuple[MarkPrice, ...]:
        """Mark price, index price and coming funding of every symbol, as get_mark_price.

        Source: Binance Mark-Price; Bybit market/tickers.
        """
        return await self._path.run(self.venue.mark_prices(None))

    async def get_open_interest(self, symbol: str) -> OpenInterest:
        """Contracts open now, in base. Bybit says what they are worth, too (notional, quote).

        Source: Binance Open-Interest; Bybit market/tickers.
        """
        return await self._path.run(self.venue.open_interest(self._symbol(symbol)))

    def get_open_interest_history(
        self, symbol: str, interval: str, start_ms: int | None = None, end_ms: int | None = None
    ) -> History[OpenInterest]:
        """Contracts open over time, in base.

        Binance keeps 30 days; without a start it gives the newest 500. Bybit goes back as far as it has any, a page of
        200 after the other, and they are given only when the oldest has been read: name a start.

        Args:
            interval: 5m 15m 30m 1h 2h 4h 6h 12h 1d; Bybit has no 2h, 6h and 12h (NotOffered).

        Source: Binance Open-Interest-Statistics; Bybit market/open-interest.
        """
        self._check_span(start_ms, end_ms)
        return self._history(self.venue.open_interest_history(self._symbol(symbol), interval, start_ms, end_ms))

    def get_funding_rates(
        self, symbol: str, start_ms: int | None = None, end_ms: int | None = None
    ) -> History[FundingRate]:
        """Fundings that have taken place, as fractions of the notional. Without a start, the newest (Binance 1,000,
        Bybit 200).

        Source: Binance Get-Funding-Rate-History; Bybit market/history-fund-rate.
        """
        self._check_span(start_ms, end_ms)
        return self._history(self.venue.funding_rates(self._symbol(symbol), start_ms, end_ms))
