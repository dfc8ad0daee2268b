"""What the venue tells of itself: what an index is made of, the insurance fund, the risk of deleveraging."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire_market
from perpwire.venues.binance_futures.sim.asset_indexes import asset_indexes
from perpwire.venues.binance_futures.sim.baskets import is_basket, parts_of
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args
from perpwire.venues.binance_futures.sim.trading_sessions import MARKETS, schedule
from perpwire.venues.binance_futures.sim.words import SymbolWords, money

HALF_HOUR_MS = 30 * 60 * 1000

_EXCHANGES = (
    ("binance", "{base}{quote}", "0.40000000"),
    ("okex", "{base}-{quote}", "0.15000000"),
    ("bybit", "{base}{quote}", "0.15000000"),
    ("coinbase", "{base}-{quote}", "0.10000000"),
    ("bitget", "{base}{quote}", "0.10000000"),
    ("gateio", "{base}_{quote}", "0.05000000"),
    ("kucoin", "{base}-{quote}", "0.05000000"),
)
"""Whose spot prices an index is made of: name, how it writes the pair, weight."""

_MEDIUM_BELOW, _HIGH_BELOW = Decimal("0.05"), Decimal("0.01")
"""Share of the open interest's value that the insurance fund has to have for a lower risk."""


class ReferenceCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int | Callable[[Args], int]) -> Row:
            return Row(handler, Security.NONE, weight)

        return {
            ("GET", "/fapi/v1/constituents"): row(self._constituents, 2),
            ("GET", "/fapi/v1/insuranceBalance"): row(self._insurance, 1),
            ("GET", "/fapi/v1/symbolAdlRisk"): row(self._adl_risk, 1),
            ("GET", "/fapi/v1/indexInfo"): row(self._baskets, 1),
            ("GET", "/fapi/v1/assetIndex"): row(self._asset_index, lambda args: 1 if args.get("symbol") else 10),
            ("GET", "/fapi/v1/tradingSchedule"): row(self._schedule, 5),
        }

    def _constituents(self, account: str, args: Args) -> wire_market.Constituents:
        """Prices that differ by some hundred-thousandths, and whose weighted mean is the index all but exactly."""
        words = self._listing.words_of(args)
        now_ms = self._exchange.now_ms()
        index = self._exchange.index_price(words.symbol)
        instrument = words.spec.instrument
        draw = Random(f"{words.symbol}/constituents/{now_ms // 1000}")
        return wire_market.Constituents(
            symbol=words.symbol,
            time=now_ms,
            constituents=[
                wire_market.Constituent(
                    exchange=name,
                    symbol=pattern.format(base=instrument.base, quote=instrument.quote),
                    price=money(index * (1 + Decimal(draw.randint(-20, 20)) / 1_000_000)),
                    weight=weight,
                )
                for name, pattern, weight in _EXCHANGES
            ],
        )

    def _insurance(self, account: str, args: Args) -> Any:
        """All symbols share one fund."""
        if args.get("symbol"):
            self._listing.words_of(args)
            return self._fund()
        return [self._fund()]

    def _fund(self) -> wire_market.InsuranceBalance:
        assets = dict.fromkeys(words.spec.instrument.settle for words in self._listing.words.values())
        return wire_market.InsuranceBalance(
            symbols=list(self._listing.words),
            assets=[
                wire_market.InsuranceAsset(
                    asset=asset,
                    margin_balance=money(self._exchange.insurance_fund()),
                    update_time=self._exchange.now_ms(),
                )
                for asset in assets
            ],
        )

    def _adl_risk(self, account: str, args: Args) -> Any:
        return self._listing.one_or_all(args, self._risk_of)

    def _risk_of(self, words: SymbolWords) -> wire_market.AdlRisk:
        """By what the fund has for each unit of value that is open."""
        symbol = words.symbol
        value = self._exchange.open_interest(symbol) * self._exchange.mark_price(symbol)
        share = self._exchange.insurance_fund() / value if value else Decimal(1)
        now_ms = self._exchange.now_ms()
        return wire_market.AdlRisk(
            symbol=symbol,
            adl_risk="high" if share < _HIGH_BELOW else "medium" if share < _MEDIUM_BELOW else "low",
            update_time=now_ms - now_ms % HALF_HOUR_MS,
        )

    # --- indices and sessions -------------------------------------------------------------------------------------

    def _baskets(self, account: str, args: Args) -> list[wire_market.BasketInfo]:
        """Of the contracts on a basket; nothing for the others."""
        return [
            wire_market.BasketInfo(
                symbol=words.symbol,
                time=self._exchange.now_ms(),
                component="baseAsset",
                base_asset_list=[
                    wire_market.BasketPart(
                        base_asset=part.asset,
                        quote_asset=part.quote,
                        weight_in_quantity=money(part.quantity),
                        weight_in_percentage=money(part.share),
                    )
                    for part in parts_of(self._exchange, words)
                ],
            )
            for words in self._listing.chosen(args)
            if is_basket(words)
        ]

    def _asset_index(self, account: str, args: Args) -> Any:
        now_ms = self._exchange.now_ms()
        rows = {
            one.symbol: wire_market.AssetIndexRow(
                symbol=one.symbol,
                time=now_ms,
                index=money(one.price),
                bid_buffer=money(one.buffer),
                ask_buffer=money(one.buffer),
                bid_rate=money(one.bid_rate),
                ask_rate=money(one.ask_rate),
                auto_exchange_bid_buffer=money(one.auto_buffer),
                auto_exchange_ask_buffer=money(one.auto_buffer),
                auto_exchange_bid_rate=money(one.auto_bid_rate),
                auto_exchange_ask_rate=money(one.auto_ask_rate),
            )
            for one in asset_indexes(self._exchange, self._listing.words)
        }
        symbol = args.get("symbol")
        if symbol is None:
            return list(rows.values())
        if symbol.upper() not in rows:
            raise Refused(Why.UNKNOWN_SYMBOL)
        return rows[symbol.upper()]

    def _schedule(self, account: str, args: Args) -> wire_market.TradingSchedule:
        """A week back and a week ahead."""
        now_ms = self._exchange.now_ms()
        today_ms = now_ms - now_ms % DAY_MS
        return wire_market.TradingSchedule(
            update_time=today_ms,
            market_schedules={
                market.name: wire_market.MarketSchedule(
                    sessions=[
                        wire_market.MarketSession(start_time=one.start_ms, end_time=one.end_ms, type=one.kind)
                        for one in schedule(market, today_ms - 7 * DAY_MS, today_ms + 8 * DAY_MS)
                    ]
                )
                for market in MARKETS
            },
        )
