"""/futures/data: what the venue reckons of its market by five minutes and more. Counted in a pool of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intervals import Interval
from perpwire.simulator.statistics import Crowd
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire_market
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.klines import contract_type_of
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args, limit_of, needed, times
from perpwire.venues.binance_futures.sim.words import invalid, money, padded

PERIODS = frozenset({"5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"})
KEPT_MS = 30 * DAY_MS
"""Older statistics are not to be had."""

_SUPPLY = {"BTC": "19950000", "ETH": "120700000", "SOL": "545000000"}
_ANY_SUPPLY = "1000000000"
"""Coins in circulation, about."""

_EPOCH = date(1970, 1, 1)
_FRIDAY = 1  # days since 1970-01-01 modulo 7; that was a Thursday
_DELIVERY_TIME_MS = 8 * 3600 * 1000


class _Which(msgspec.Struct, frozen=True):
    """Which rows are asked for, as the exchange takes it."""

    period: Interval
    start_ms: int
    end_ms: int | None
    limit: int
    oldest: bool


class StatisticsCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], security: Security = Security.NONE) -> Row:
            return Row(handler, security, 1, pool="statistics")

        def ratio(crowd: Crowd) -> Callable[[str, Args], Any]:
            return lambda account, args: self._long_short(crowd, args)

        return {
            ("GET", "/futures/data/openInterestHist"): row(self._open_interest),
            ("GET", "/futures/data/topLongShortPositionRatio"): row(ratio("top_positions"), Security.KEY),
            ("GET", "/futures/data/topLongShortAccountRatio"): row(ratio("top_accounts"), Security.KEY),
            ("GET", "/futures/data/globalLongShortAccountRatio"): row(ratio("accounts")),
            ("GET", "/futures/data/takerlongshortRatio"): row(self._takers),
            ("GET", "/futures/data/basis"): row(self._basis),
            ("GET", "/futures/data/delivery-price"): row(self._deliveries),
        }

    def _which(self, args: Args) -> _Which:
        """The newest rows that fit, or those from the start on."""
        period = needed(args, "period")
        if period not in PERIODS:
            raise invalid("period")
        limit = limit_of(args, 30, 500)
        start_ms, end_ms = times(args)
        oldest_ms = self._exchange.now_ms() - KEPT_MS
        if start_ms is not None and start_ms < oldest_ms:
            raise invalid("startTime")
        first_ms = oldest_ms if start_ms is None else start_ms
        return _Which(Interval(period), first_ms, end_ms, limit, oldest=start_ms is not None)

    def _open_interest(self, account: str, args: Args) -> list[wire_market.OpenInterestStatistic]:
        words = self._listing.words_of(args)
        which = self._which(args)
        found = self._exchange.statistics(words.symbol).open_interest(
            which.period, start_ms=which.start_ms, end_ms=which.end_ms, limit=which.limit, oldest=which.oldest
        )
        supply = padded(Decimal(_SUPPLY.get(words.spec.instrument.base, _ANY_SUPPLY)), 8)
        return [
            wire_market.OpenInterestStatistic(
                symbol=words.symbol,
                sumOpenInterest=money(one.quantity),
                sumOpenInterestValue=money(one.value),
                CMCCirculatingSupply=supply,
                timestamp=one.time_ms,
            )
            for one in found
        ]

    def _long_short(self, crowd: Crowd, args: Args) -> list[wire_market.LongShortRatio]:
        words = self._listing.words_of(args)
        which = self._which(args)
        found = self._exchange.statistics(words.symbol).long_short(
            crowd, which.period, start_ms=which.start_ms, end_ms=which.end_ms, limit=which.limit, oldest=which.oldest
        )
        return [
            wire_market.LongShortRatio(
                symbol=words.symbol,
                long_short_ratio=padded(one.ratio, 4),
                long_account=padded(one.long, 4),
                short_account=padded(one.short, 4),
                timestamp=one.time_ms,
            )
            for one in found
        ]

    def _takers(self, account: str, args: Args) -> list[wire_market.TakerRatio]:
        words = self._listing.words_of(args)
        which = self._which(args)
        found = self._exchange.statistics(words.symbol).taker_volume(
            which.period, start_ms=which.start_ms, end_ms=which.end_ms, limit=which.limit, oldest=which.oldest
        )
        return [
            wire_market.TakerRatio(
                buy_sell_ratio=padded(one.buys / one.sells if one.sells else Decimal(0), 4),
                buy_vol=padded(one.buys, 4),
                sell_vol=padded(one.sells, 4),
                timestamp=one.time_ms,
            )
            for one in found
        ]

    def _basis(self, account: str, args: Args) -> list[wire_market.Basis]:
        """Of the perpetual contract; there are no dated ones here."""
        words = self._listing.pair_of(args)
        contract_type = contract_type_of(args)
        which = self._which(args)
        if contract_type != "PERPETUAL":
            return []
        found = self._exchange.statistics(words.symbol).basis(
            which.period, start_ms=which.start_ms, end_ms=which.end_ms, limit=which.limit, oldest=which.oldest
        )
        return [
            wire_market.Basis(
                index_price=money(one.index_price),
                contract_type=contract_type,
                basis_rate=padded(one.rate, 4),
                futures_price=words.price(one.last_price),
                annualized_basis_rate="",
                basis=money(one.basis),
                pair=words.symbol,
                timestamp=one.time_ms,
            )
            for one in found
        ]

    def _deliveries(self, account: str, args: Args) -> list[wire_market.DeliveryPrice]:
        """Of the contracts that ran out in the last year, by the index of the time; the newest first."""
        words = self._listing.pair_of(args)
        rows = []
        for time_ms in _quarter_ends(self._exchange.now_ms()):
            found = self._exchange.candles(words.symbol, "index", "1h", start_ms=time_ms, end_ms=time_ms, limit=1)
            if found and found[0].open_ms == time_ms:
                price = float(words.price(found[0].open))
                rows.append(wire_market.DeliveryPrice(delivery_time=time_ms, delivery_price=price))
        return rows


def _quarter_ends(now_ms: int) -> list[int]:
    """08:00 UTC on the last Friday of each March, June, September and December of the last 370 days, newest first."""
    today = now_ms // DAY_MS
    times_ms = [
        day * DAY_MS + _DELIVERY_TIME_MS
        for day in range(today, today - 370, -1)
        if day % 7 == _FRIDAY and _month(day) in (3, 6, 9, 12) and _month(day + 7) != _month(day)
    ]
    return [time_ms for time_ms in times_ms if time_ms <= now_ms]


def _month(day: int) -> int:
    """Of a day since 1970-01-01."""
    return (_EPOCH + timedelta(days=day)).month
