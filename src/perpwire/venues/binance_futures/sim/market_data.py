"""The simulator's public calls about the exchange itself, its books and its trades."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from perpwire.simulator.events import Traded
from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_streams
from perpwire.venues.binance_futures.endpoints_market import DEPTHS
from perpwire.venues.binance_futures.sim.agg_trades import AggTrades
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args, limit_of, times, whole
from perpwire.venues.binance_futures.sim.rules import asset_info, rate_limits, symbol_info
from perpwire.venues.binance_futures.sim.words import Refusal, SymbolWords

AGG_TRADES_KEPT_MS = 2 * DAY_MS
"""How far back aggregated trades may be asked for."""

_RPI_DEPTH = 1000
"""The only number of levels that the book with its RPI orders comes with."""
_EVERYTHING = 1_000_000
"""More trades than are remembered."""


class MarketDataCalls:
    def __init__(self, exchange: Exchange, listing: Listing, agg_trades: Mapping[str, AggTrades]) -> None:
        self._exchange = exchange
        self._listing = listing
        self._agg_trades = agg_trades

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int | Callable[[Args], int]) -> Row:
            return Row(handler, Security.NONE, weight)

        return {
            ("GET", "/fapi/v1/ping"): row(lambda account, args: wire.Empty(), 1),
            ("GET", "/fapi/v1/time"): row(self._time, 1),
            ("GET", "/fapi/v1/exchangeInfo"): row(self._exchange_info, 1),
            ("GET", "/fapi/v1/depth"): row(self._depth, depth_weight),
            ("GET", "/fapi/v1/rpiDepth"): row(self._rpi_depth, 20),
            ("GET", "/fapi/v1/trades"): row(self._trades, 5),
            ("GET", "/fapi/v1/historicalTrades"): Row(self._older_trades, Security.KEY, 200),
            ("GET", "/fapi/v1/aggTrades"): row(self._aggregates, 20),
        }

    # --- reference ------------------------------------------------------------------------------------------------

    def _time(self, account: str, args: Args) -> wire.ServerTime:
        return wire.ServerTime(server_time=self._exchange.now_ms())

    def _exchange_info(self, account: str, args: Args) -> wire.ExchangeInfo:
        listed = self._listing.words.values()
        assets = sorted({words.spec.instrument.settle for words in listed})
        return wire.ExchangeInfo(
            timezone="UTC",
            server_time=self._exchange.now_ms(),
            futures_type="U_MARGINED",
            rate_limits=rate_limits(),
            exchange_filters=[],
            assets=[asset_info(one) for one in assets],
            symbols=[symbol_info(words) for words in listed],
        )

    # --- books ----------------------------------------------------------------------------------------------------

    def _depth(self, account: str, args: Args) -> wire.Depth:
        words = self._listing.words_of(args)
        limit = whole(args, "limit")
        if limit is not None and limit not in DEPTHS:
            raise Refusal(-4021, f"{limit} is not valid depth limit.")
        return self._book(words, limit or 500)

    def _rpi_depth(self, account: str, args: Args) -> wire.Depth:
        """Nobody places RPI orders here, so it is the same book."""
        words = self._listing.words_of(args)
        limit = whole(args, "limit")
        if limit not in (None, _RPI_DEPTH):
            raise Refusal(-4021, f"{limit} is not valid depth limit.")
        return self._book(words, _RPI_DEPTH)

    def _book(self, words: SymbolWords, limit: int) -> wire.Depth:
        bids, asks, update_id, changed_ms = self._exchange.book(words.symbol, limit)
        return wire.Depth(
            last_update_id=update_id,
            event_time=max(changed_ms, self._exchange.now_ms()),
            transaction_time=changed_ms,
            bids=words.levels(bids),
            asks=words.levels(asks),
        )

    # --- trades ---------------------------------------------------------------------------------------------------

    def _trades(self, account: str, args: Args) -> list[wire.RecentTrade]:
        words = self._listing.words_of(args)
        limit = limit_of(args, 500, 1000)
        return [_trade(words, one) for one in self._exchange.recent_trades(words.symbol, limit)]

    def _older_trades(self, account: str, args: Args) -> list[wire.RecentTrade]:
        """From an id on, or the newest; only those that are remembered."""
        words = self._listing.words_of(args)
        limit, first_id = limit_of(args, 100, 500), whole(args, "fromId")
        if first_id is None:
            return [_trade(words, one) for one in self._exchange.recent_trades(words.symbol, limit)]
        found = [one for one in self._exchange.recent_trades(words.symbol, _EVERYTHING) if one.trade_id >= first_id]
        return [_trade(words, one) for one in found[:limit]]

    def _aggregates(self, account: str, args: Args) -> list[wire_streams.RestAggTrade]:
        """Without a start the newest, else the oldest that fit; only those that are remembered."""
        words = self._listing.words_of(args)
        limit, first_id = limit_of(args, 500, 1000), whole(args, "fromId")
        start_ms, end_ms = times(args)
        oldest_ms = self._exchange.now_ms() - AGG_TRADES_KEPT_MS
        if any(time_ms is not None and time_ms < oldest_ms for time_ms in (start_ms, end_ms)):
            raise Refusal(-4166, "Search window is restricted to recent 2 days only.")
        found = [
            one
            for one in self._agg_trades[words.symbol].finished(self._exchange.lists_ms)
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


def _trade(words: SymbolWords, one: Traded) -> wire.RecentTrade:
    return wire.RecentTrade(
        id=one.trade_id,
        price=words.price(one.price),
        qty=words.quantity(one.quantity),
        quote_qty=words.value(one.price * one.quantity),
        time=one.time_ms,
        is_buyer_maker=one.buyer_is_maker,
    )


def depth_weight(args: Args) -> int:
    """By the number of levels; the least where none is named, or one that is refused."""
    text = args.get("limit", "")
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if limit not in DEPTHS:
        return 1
    return 2 if limit <= 50 else 5 if limit == 100 else 10 if limit == 500 else 20
