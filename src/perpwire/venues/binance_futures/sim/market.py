"""The simulator's public calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_streams
from perpwire.venues.binance_futures.endpoints import DEPTHS
from perpwire.venues.binance_futures.sim.agg_trades import AggTrades
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args, limit_of, whole
from perpwire.venues.binance_futures.sim.rules import asset_info, rate_limits, symbol_info
from perpwire.venues.binance_futures.sim.words import Refusal, SymbolWords, money, padded

_INTEREST_RATE = "0.00010000"


class MarketCalls:
    def __init__(self, exchange: Exchange, listing: Listing, agg_trades: Mapping[str, AggTrades]) -> None:
        self._exchange = exchange
        self._listing = listing
        self._agg_trades = agg_trades

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int | Callable[[Args], int]) -> Row:
            return Row(handler, Security.NONE, weight)

        def one_or_all(one: int, every: int) -> Callable[[Args], int]:
            return lambda args: one if args.get("symbol") else every

        return {
            ("GET", "/fapi/v1/ping"): row(lambda account, args: wire.Empty(), 1),
            ("GET", "/fapi/v1/time"): row(self._time, 1),
            ("GET", "/fapi/v1/exchangeInfo"): row(self._exchange_info, 1),
            ("GET", "/fapi/v1/depth"): row(self._depth, _depth_weight),
            ("GET", "/fapi/v1/trades"): row(self._trades, 5),
            ("GET", "/fapi/v1/aggTrades"): row(self._aggregates, 20),
            ("GET", "/fapi/v1/ticker/bookTicker"): row(self._book_ticker, one_or_all(2, 5)),
            ("GET", "/fapi/v1/ticker/price"): row(self._last_price, one_or_all(1, 2)),
            ("GET", "/fapi/v2/ticker/price"): row(self._last_price, one_or_all(1, 2)),
            ("GET", "/fapi/v1/premiumIndex"): row(self._premium_index, one_or_all(1, 10)),
        }

    # --- reference ------------------------------------------------------------------------------------------------

    def _time(self, account: str, args: Args) -> wire.ServerTime:
        return wire.ServerTime(server_time=self._exchange.now_ms())

    def _exchange_info(self, account: str, args: Args) -> wire.ExchangeInfo:
        assets = sorted({words.spec.instrument.settle for words in self._listing.words.values()})
        return wire.ExchangeInfo(
            timezone="UTC",
            server_time=self._exchange.now_ms(),
            futures_type="U_MARGINED",
            rate_limits=rate_limits(),
            exchange_filters=[],
            assets=[asset_info(one) for one in assets],
            symbols=[symbol_info(words) for words in self._listing.words.values()],
        )

    # --- prices ---------------------------------------------------------------------------------------------------

    def _depth(self, account: str, args: Args) -> wire.Depth:
        words = self._listing.words_of(args)
        limit = whole(args, "limit")
        if limit is not None and limit not in DEPTHS:
            raise Refusal(-4021, f"{limit} is not valid depth limit.")
        bids, asks, update_id, changed_ms = self._exchange.book(words.symbol, limit or 500)
        return wire.Depth(
            last_update_id=update_id,
            event_time=max(changed_ms, self._exchange.now_ms()),
            transaction_time=changed_ms,
            bids=words.levels(bids),
            asks=words.levels(asks),
        )

    def _trades(self, account: str, args: Args) -> list[wire.RecentTrade]:
        words = self._listing.words_of(args)
        return [
            wire.RecentTrade(
                id=one.trade_id,
                price=words.price(one.price),
                qty=words.quantity(one.quantity),
                quote_qty=words.value(one.price * one.quantity),
                time=one.time_ms,
                is_buyer_maker=one.buyer_is_maker,
            )
            for one in self._exchange.recent_trades(words.symbol, limit_of(args, 500, 1000))
        ]

    def _aggregates(self, account: str, args: Args) -> list[wire_streams.RestAggTrade]:
        """Without a start the newest, else the oldest that fit; only those that are remembered."""
        words = self._listing.words_of(args)
        limit = limit_of(args, 500, 1000)
        first_id, start_ms, end_ms = whole(args, "fromId"), whole(args, "startTime"), whole(args, "endTime")
        found = [
            one
            for one in self._agg_trades[words.symbol].finished(self._exchange.now_ms())
            if (first_id is None or one.agg_id >= first_id)
            and (start_ms is None or one.time_ms >= start_ms)
            and (end_ms is None or one.time_ms <= end_ms)
        ]
        chosen = found[-limit:] if first_id is None and start_ms is None else found[:limit]
        return [
            wire_streams.RestAggTrade(
                agg_id=one.agg_id,
                price=words.price(one.price),
                quantity=words.quantity(one.quantity),
                quantity_without_rpi=words.quantity(one.quantity),
                first_id=one.first_id,
                last_id=one.last_id,
                trade_time=one.time_ms,
                buyer_is_maker=one.buyer_is_maker,
            )
            for one in chosen
        ]

    def _book_ticker(self, account: str, args: Args) -> Any:
        def answer(words: SymbolWords) -> wire.BestQuotes:
            bids, asks, update_id, changed_ms = self._exchange.book(words.symbol, 1)
            nothing = (Decimal(0), Decimal(0))
            bid, ask = (bids or [nothing])[0], (asks or [nothing])[0]
            return wire.BestQuotes(
                symbol=words.symbol,
                bid_price=words.price(bid[0]),
                bid_qty=words.quantity(bid[1]),
                ask_price=words.price(ask[0]),
                ask_qty=words.quantity(ask[1]),
                time=changed_ms,
                last_update_id=update_id,
            )

        return self._listing.one_or_all(args, answer)

    def _last_price(self, account: str, args: Args) -> Any:
        def answer(words: SymbolWords) -> wire.LastPrice:
            price = words.price(self._exchange.last_price(words.symbol))
            return wire.LastPrice(symbol=words.symbol, price=price, time=self._exchange.now_ms())

        return self._listing.one_or_all(args, answer)

    def _premium_index(self, account: str, args: Args) -> Any:
        def answer(words: SymbolWords) -> wire.PremiumIndex:
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

        return self._listing.one_or_all(args, answer)


def _depth_weight(args: Args) -> int:
    text = args.get("limit", "")
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if limit not in DEPTHS:
        return 1
    return 2 if limit <= 50 else 5 if limit == 100 else 10 if limit == 500 else 20
