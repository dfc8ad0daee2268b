"""The connector's calls about the market. No key is needed for them."""

from __future__ import annotations

from collections.abc import Mapping

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

    Every method raises APIError (errors.py) where the venue can't be asked or refuses, and NotOffered where it has no
    such call.
    """

    async def get_server_time(self) -> int:
        """The venue's clock, Unix milliseconds."""
        return await self._path.run(self.venue.server_time())

    async def get_venue_status(self) -> VenueStatus:
        """Whether the venue works, and what it says of its maintenance."""
        return await self._path.run(self.venue.status())

    async def get_instruments(self, *, refresh: bool = False) -> Mapping[str, Instrument]:
        """Every contract by symbol; asked once, then kept, and asked again in the background when a quarter of an hour
        old, or now with `refresh`."""
        return await self.instruments.all(refresh=refresh)

    async def get_instrument(self, symbol: str) -> Instrument:
        """One contract, by the venue's symbol or as BTC/USDT:USDT.

        Raises:
            BadInput: No such contract; the message names the nearest ones.
        """
        if not isinstance(symbol, str):
            raise BadInput(f"{symbol!r} is no symbol", venue=self.venue.name, code="UNKNOWN_SYMBOL")
        return await self.instruments.one(self.venue.normal_symbol(symbol), symbol)

    async def get_order_book(self, symbol: str, depth: int = 100) -> BookSnapshot:
        """The book at one moment, best first; see open_book for one that is kept."""
        return await self._path.run(self.venue.book_snapshot(self._symbol(symbol), depth))

    async def get_recent_trades(self, symbol: str, limit: int = 500) -> tuple[Trade, ...]:
        """The newest public trades, oldest first; at most 1,000."""
        return await self._path.run(self.venue.recent_trades(self._symbol(symbol), limit))

    def get_trades(self, symbol: str, start_ms: int | None = None, end_ms: int | None = None) -> History[Trade]:
        """Public trades of the past, oldest first. Binance: aggregated ones of the last 48 hours. Bybit has none."""
        return self._history(self.venue.trades(self._symbol(symbol), start_ms, end_ms))

    def get_klines(
        self,
        symbol: str,
        interval: str,
        start_ms: int | None = None,
        end_ms: int | None = None,
        *,
        price_kind: PriceKind = PriceKind.LAST,
    ) -> History[Kline]:
        """Candles, oldest first; the last one may still be open (is_closed False). Without times, the newest page.

        Args:
            interval: 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M; Bybit has no 8h and 3d.
        """
        return self._history(self.venue.klines(self._symbol(symbol), interval, start_ms, end_ms, price_kind))

    async def get_ticker(self, symbol: str) -> Ticker:
        """Rolling 24 hours of one symbol."""
        return (await self._path.run(self.venue.tickers(self._symbol(symbol))))[0]

    async def get_tickers(self) -> tuple[Ticker, ...]:
        """Rolling 24 hours of every symbol."""
        return await self._path.run(self.venue.tickers(None))

    async def get_book_tickers(self, symbol: str | None = None) -> tuple[BookTicker, ...]:
        """Best bid and ask of one symbol, or of all."""
        return await self._path.run(self.venue.book_tickers(self._symbol_or_none(symbol)))

    async def get_mark_price(self, symbol: str) -> MarkPrice:
        """Mark price, index price and coming funding of one symbol."""
        return (await self._path.run(self.venue.mark_prices(self._symbol(symbol))))[0]

    async def get_mark_prices(self) -> tuple[MarkPrice, ...]:
        """Mark price, index price and coming funding of every symbol."""
        return await self._path.run(self.venue.mark_prices(None))

    async def get_open_interest(self, symbol: str) -> OpenInterest:
        """Contracts open now."""
        return await self._path.run(self.venue.open_interest(self._symbol(symbol)))

    def get_open_interest_history(
        self, symbol: str, interval: str, start_ms: int | None = None, end_ms: int | None = None
    ) -> History[OpenInterest]:
        """Contracts open over time, oldest first; `interval`: 5m 15m 30m 1h 4h 1d on both venues."""
        return self._history(self.venue.open_interest_history(self._symbol(symbol), interval, start_ms, end_ms))

    def get_funding_rates(
        self, symbol: str, start_ms: int | None = None, end_ms: int | None = None
    ) -> History[FundingRate]:
        """Fundings that have taken place, oldest first."""
        return self._history(self.venue.funding_rates(self._symbol(symbol), start_ms, end_ms))
