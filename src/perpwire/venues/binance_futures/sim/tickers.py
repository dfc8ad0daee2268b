"""The simulator's tickers: prices of a moment and of the last 24 hours, for one symbol or for all."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_market
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args
from perpwire.venues.binance_futures.sim.words import SymbolWords, money, padded

_INTEREST_RATE = "0.00010000"
_NOTHING = (Decimal(0), Decimal(0))


class TickerCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        def row(answer: Callable[[SymbolWords], Any], one: int, every: int) -> Row:
            return Row(
                lambda account, args: self._listing.one_or_all(args, answer),
                Security.NONE,
                lambda args: one if args.get("symbol") else every,
            )

        return {
            ("GET", "/fapi/v1/ticker/24hr"): Row(
                self._days, Security.NONE, lambda args: 1 if args.get("symbol") else 40
            ),
            ("GET", "/fapi/v1/ticker/bookTicker"): row(self._best_quotes, 2, 5),
            ("GET", "/fapi/v1/ticker/price"): row(self._last_price, 1, 2),
            ("GET", "/fapi/v2/ticker/price"): row(self._last_price, 1, 2),
            ("GET", "/fapi/v1/premiumIndex"): row(self._premium_index, 1, 10),
            ("GET", "/fapi/v1/openInterest"): Row(self._open_interest, Security.NONE, 1),
        }

    def _days(self, account: str, args: Args) -> Any:
        """The list holds only what is traded now."""
        if args.get("symbol"):
            return self._day(self._listing.words_of(args))
        return [self._day(words) for words in self._listing.words.values() if words.spec.instrument.is_trading]

    def _day(self, words: SymbolWords) -> wire_market.DayTicker:
        day = self._exchange.day(words.symbol)
        change = day.last - day.open
        return wire_market.DayTicker(
            symbol=words.symbol,
            price_change=words.price(change),
            price_change_percent=padded(change * 100 / day.open, 3),
            weighted_avg_price=words.price(day.average),
            last_price=words.price(day.last),
            last_qty=words.quantity(day.last_quantity),
            open_price=words.price(day.open),
            high_price=words.price(day.high),
            low_price=words.price(day.low),
            volume=words.quantity(day.volume),
            quote_volume=padded(day.turnover, 2),
            open_time=day.open_ms,
            close_time=day.close_ms,
            first_id=day.first_trade_id,
            last_id=day.last_trade_id,
            count=day.trades,
        )

    def _best_quotes(self, words: SymbolWords) -> wire.BestQuotes:
        bids, asks, update_id, changed_ms = self._exchange.book(words.symbol, 1)
        bid, ask = (bids or [_NOTHING])[0], (asks or [_NOTHING])[0]
        return wire.BestQuotes(
            symbol=words.symbol,
            bid_price=words.price(bid[0]),
            bid_qty=words.quantity(bid[1]),
            ask_price=words.price(ask[0]),
            ask_qty=words.quantity(ask[1]),
            time=changed_ms,
            last_update_id=update_id,
        )

    def _last_price(self, words: SymbolWords) -> wire.LastPrice:
        price = words.price(self._exchange.last_price(words.symbol))
        return wire.LastPrice(symbol=words.symbol, price=price, time=self._exchange.now_ms())

    def _premium_index(self, words: SymbolWords) -> wire.PremiumIndex:
        rate, next_ms = self._exchange.funding(words.symbol)
        index = money(self._exchange.index_price(words.symbol))
        return wire.PremiumIndex(
            symbol=words.symbol,
            mark_price=money(self._exchange.mark_price(words.symbol)),
            index_price=index,
            estimated_settle_price=index,
            last_funding_rate=padded(rate, 8),
            interest_rate=_INTEREST_RATE,
            next_funding_time=next_ms,
            time=self._exchange.now_ms(),
        )

    def _open_interest(self, account: str, args: Args) -> wire_market.OpenInterest:
        words = self._listing.words_of(args)
        return wire_market.OpenInterest(
            open_interest=words.quantity(self._exchange.open_interest(words.symbol)),
            symbol=words.symbol,
            time=self._exchange.now_ms(),
        )
