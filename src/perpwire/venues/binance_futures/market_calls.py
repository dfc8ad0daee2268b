"""The calls about the market."""

from __future__ import annotations

from functools import partial

from perpwire.errors import BadInput
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookSnapshot, MarkPrice
from perpwire.venues.base import Call, MarketCalls
from perpwire.venues.binance_futures import endpoints, translate_market
from perpwire.venues.binance_futures.calling import call


class BinanceMarketCalls(MarketCalls):
    def server_time(self) -> Call[int]:
        return call(endpoints.SERVER_TIME, {}, lambda reply: int(reply.server_time))

    def instruments(self) -> Call[tuple[Instrument, ...]]:
        return call(endpoints.INSTRUMENTS, {}, translate_market.instruments)

    def book_snapshot(self, symbol: str, depth: int) -> Call[BookSnapshot]:
        limit = next((levels for levels in endpoints.DEPTHS if levels >= depth), None)
        if depth < 1 or limit is None:
            reason = f"depth {depth} is not from 1 to {endpoints.DEPTHS[-1]}"
            raise BadInput(reason, venue=self.name, call=endpoints.BOOK_SNAPSHOT.name, code="BAD_DEPTH")
        params = {"symbol": symbol, "limit": limit}
        return call(endpoints.BOOK_SNAPSHOT, params, partial(translate_market.book_snapshot, symbol))

    def mark_prices(self, symbol: str | None) -> Call[tuple[MarkPrice, ...]]:
        return call(endpoints.MARK_PRICES, {"symbol": symbol}, translate_market.mark_prices)
