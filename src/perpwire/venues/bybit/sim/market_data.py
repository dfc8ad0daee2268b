"""Prices, books and trades over REST. Source: docs/v5/market, as of 2026-07-24."""

from __future__ import annotations

from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import Asked, check_linear, is_linear, limit_of, spec_of, specs_of
from perpwire.venues.bybit.sim.numbers import TAKER_EXECUTION, fit, id_text
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.public import PublicStreams, side_text
from perpwire.venues.bybit.sim.refusal import CallRefused
from perpwire.venues.bybit.sim.tickers import FUTURES_ONLY, ticker


class MarketData:
    """What everybody may ask."""

    def __init__(self, exchange: Exchange, prices: Prices, streams: PublicStreams) -> None:
        self._exchange = exchange
        self._prices = prices
        self._streams = streams

    def time(self, asked: Asked) -> wire.ServerTime:
        now_ns = self._exchange.clock.time_ns()
        return wire.ServerTime(str(now_ns // 10**9), str(now_ns))

    def book(self, asked: Asked) -> wire.BookReply[str]:
        """Its `u` is that of the 1000-level stream."""
        spec = spec_of(self._exchange, asked)
        symbol = spec.instrument.symbol
        limit = limit_of(asked, 25, 1000)
        feed = self._streams.book_feed(symbol)
        feed.publish()  # brings the 1000-level stream up to now: its count is the reply's
        bids, asks, _, changed_ms = self._exchange.book(symbol, limit)
        return wire.BookReply(
            s=symbol,
            b=side_text(bids, spec.instrument),
            a=side_text(asks, spec.instrument),
            u=feed.update_id,
            ts=self._exchange.now_ms(),
            seq=self._exchange.seq(symbol),
            cts=changed_ms,
        )

    def rpi_book(self, asked: Asked) -> Any:
        """Rows of price, size, and size of retail price improvement orders; of those nobody has any here."""
        spec = spec_of(self._exchange, asked, "linear")
        limit = limit_of(asked, 0, 50)
        book = self.book({"category": "linear", "symbol": spec.instrument.symbol, "limit": limit})
        return {
            "s": book.s,
            "b": [[price, size, "0"] for price, size in book.b],
            "a": [[price, size, "0"] for price, size in book.a],
            "ts": book.ts,
            "u": book.u,
            "seq": book.seq,
            "cts": book.cts,
        }

    def full_book(self, asked: Asked) -> Any:
        """
        Raises:
            CallRefused: Always: linear contracts do not have it on the main network yet.
        """
        check_linear(asked)
        raise CallRefused(10001, "params error: category linear is not supported")

    def tickers(self, asked: Asked) -> Any:
        if not is_linear(asked):
            return {"category": asked["category"], "list": []}
        specs = specs_of(self._exchange, asked)
        if coin := asked.get("baseCoin"):
            specs = [spec for spec in specs if spec.instrument.base == coin]
        rows = []
        for spec in specs:
            symbol = spec.instrument.symbol
            fields = ticker(self._exchange, self._prices, symbol)
            del fields["tickDirection"]
            rows.append({"symbol": symbol, **fields, **FUTURES_ONLY})
        return {"category": "linear", "list": rows}

    def recent_trades(self, asked: Asked) -> Any:
        spec = spec_of(self._exchange, asked)
        instrument = spec.instrument
        trades = self._exchange.recent_trades(instrument.symbol, limit_of(asked, 500, 1000))
        rows = [
            wire.RecentTradeRow(
                execId=id_text(TAKER_EXECUTION, trade.trade_id),
                symbol=trade.symbol,
                price=fit(trade.price, instrument.tick_size),
                size=fit(trade.quantity, instrument.quantity_step),
                side="Sell" if trade.buyer_is_maker else "Buy",
                time=str(trade.time_ms),
                seq=str(trade.seq),
            )
            for trade in reversed(trades)
        ]
        return {"category": "linear", "list": rows}

    def price_limit(self, asked: Asked) -> Any:
        spec = spec_of(self._exchange, asked, "linear")
        symbol, tick = spec.instrument.symbol, spec.instrument.tick_size
        highest, lowest = self._prices.limits(symbol)
        now = str(self._exchange.now_ms())
        return {"symbol": symbol, "buyLmt": fit(highest, tick), "sellLmt": fit(lowest, tick), "ts": now}
