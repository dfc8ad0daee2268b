"""The simulator's public calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from perpwire.model.numbers import plain
from perpwire.simulator.events import Refused, Why
from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import limits, wire, wire_streams
from perpwire.venues.binance_futures.endpoints import DEPTHS
from perpwire.venues.binance_futures.sim.agg_trades import AggTrades
from perpwire.venues.binance_futures.sim.gateway import Args, Row, Rows, limit_of, needed, whole
from perpwire.venues.binance_futures.sim.words import TIMES_IN_FORCE, Refusal, SymbolWords, money, padded

PERCENT_UP, PERCENT_DOWN = Decimal("1.0500"), Decimal("0.9500")
"""How far from the mark price a limit price may be to the bad."""

MAX_OPEN_ORDERS = 200
"""Per symbol."""

_DELIVERY_MS = 4_133_404_800_000  # of perpetuals: never
_ONBOARD_MS = 1_569_398_400_000
_ORDER_TYPES = [
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
]  # fmt: skip
_INTEREST_RATE = "0.00010000"


class MarketCalls:
    def __init__(
        self, exchange: Exchange, words: Mapping[str, SymbolWords], agg_trades: Mapping[str, AggTrades]
    ) -> None:
        self._exchange = exchange
        self._words = words
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

    def words_of(self, args: Args) -> SymbolWords:
        """
        Raises:
            Refusal: No symbol was sent.
            Refused: There is none of this name.
        """
        words = self._words.get(needed(args, "symbol").upper())
        if words is None:
            raise Refused(Why.UNKNOWN_SYMBOL)
        return words

    def _one_or_all(self, args: Args, answer: Callable[[SymbolWords], Any]) -> Any:
        if args.get("symbol"):
            return answer(self.words_of(args))
        return [answer(words) for words in self._words.values()]

    # --- reference ------------------------------------------------------------------------------------------------

    def _time(self, account: str, args: Args) -> wire.ServerTime:
        return wire.ServerTime(server_time=self._exchange.now_ms())

    def _exchange_info(self, account: str, args: Args) -> wire.ExchangeInfo:
        assets = sorted({words.spec.instrument.settle for words in self._words.values()})
        return wire.ExchangeInfo(
            timezone="UTC",
            server_time=self._exchange.now_ms(),
            futures_type="U_MARGINED",
            rate_limits=_rate_limits(),
            exchange_filters=[],
            assets=[wire.AssetInfo(asset=one, margin_available=True, auto_asset_exchange="0") for one in assets],
            symbols=[_symbol_info(words) for words in self._words.values()],
        )

    # --- prices ---------------------------------------------------------------------------------------------------

    def _depth(self, account: str, args: Args) -> wire.Depth:
        words = self.words_of(args)
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
        words = self.words_of(args)
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
        words = self.words_of(args)
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

        return self._one_or_all(args, answer)

    def _last_price(self, account: str, args: Args) -> Any:
        def answer(words: SymbolWords) -> wire.LastPrice:
            price = words.price(self._exchange.last_price(words.symbol))
            return wire.LastPrice(symbol=words.symbol, price=price, time=self._exchange.now_ms())

        return self._one_or_all(args, answer)

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

        return self._one_or_all(args, answer)


def _depth_weight(args: Args) -> int:
    text = args.get("limit", "")
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if limit not in DEPTHS:
        return 1
    return 2 if limit <= 50 else 5 if limit == 100 else 10 if limit == 500 else 20


def _rate_limits() -> list[wire.RateLimit]:
    kinds = {limits.WEIGHT: "REQUEST_WEIGHT", limits.ORDERS_10S: "ORDERS", limits.ORDERS_1M: "ORDERS"}
    return [
        wire.RateLimit(
            rate_limit_type=kinds[limit.name],
            interval="SECOND" if limit.period_s < 60 else "MINUTE",
            interval_num=round(limit.period_s if limit.period_s < 60 else limit.period_s / 60),
            limit=limit.limit,
        )
        for limit in limits.LIMITS
    ]


def _symbol_info(words: SymbolWords) -> wire.SymbolInfo:
    instrument = words.spec.instrument
    return wire.SymbolInfo(
        symbol=instrument.symbol,
        pair=instrument.symbol,
        contract_type="PERPETUAL",
        delivery_date=_DELIVERY_MS,
        onboard_date=_ONBOARD_MS,
        status="TRADING" if instrument.is_trading else "SETTLING",
        maint_margin_percent="2.5000",
        required_margin_percent="5.0000",
        base_asset=instrument.base,
        quote_asset=instrument.quote,
        margin_asset=instrument.settle,
        price_precision=words.price_places,
        quantity_precision=words.quantity_places,
        base_asset_precision=8,
        quote_precision=8,
        underlying_type="COIN",
        underlying_sub_type=["PoW"] if instrument.base == "BTC" else ["Layer-1"],
        trigger_protect="0.0500",
        liquidation_fee="0.012500",
        market_take_bound="0.05",
        max_move_order_limit=10000,
        filters=_filters(words),
        order_types=_ORDER_TYPES,
        time_in_force=list(TIMES_IN_FORCE),
    )


def _filters(words: SymbolWords) -> list[wire.Filter]:
    """A bound that there is none of is written as 0, which switches it off."""
    instrument = words.spec.instrument

    def bound(number: Decimal | None) -> str:
        return "0" if number is None else plain(number)

    def lot(kind: str, greatest: Decimal | None) -> wire.Filter:
        return wire.Filter(
            filter_type=kind,
            min_qty=plain(instrument.min_quantity),
            max_qty=bound(greatest),
            step_size=plain(instrument.quantity_step),
        )

    return [
        wire.Filter(
            filter_type="PRICE_FILTER",
            min_price=bound(instrument.min_price),
            max_price=bound(instrument.max_price),
            tick_size=plain(instrument.tick_size),
        ),
        lot("LOT_SIZE", instrument.max_quantity),
        lot("MARKET_LOT_SIZE", instrument.max_market_quantity),
        wire.Filter(filter_type="MAX_NUM_ORDERS", limit=MAX_OPEN_ORDERS),
        wire.Filter(filter_type="MIN_NOTIONAL", notional=bound(instrument.min_notional)),
        wire.Filter(
            filter_type="PERCENT_PRICE",
            multiplier_up=plain(PERCENT_UP),
            multiplier_down=plain(PERCENT_DOWN),
            multiplier_decimal="4",
        ),
        wire.Filter(filter_type="POSITION_RISK_CONTROL", position_control_side="NONE"),
    ]
