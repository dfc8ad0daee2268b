"""What an account may do, and how near to it it is: fees, brackets, order limits, deleveraging, trading indicators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perpwire.model.order import OrderStatus, PositionSide, TimeInForce
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimOrder
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_account
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args
from perpwire.venues.binance_futures.sim.positions import adl_quantile
from perpwire.venues.binance_futures.sim.rules import rate_limits
from perpwire.venues.binance_futures.sim.words import SymbolWords, stripped

RPI_FEE = "0.00005"

_TRIGGER_VALUES = {"UFR": 0.995, "IFER": 0.99, "GCR": 0.99, "DR": 0.99}
"""Ratio of unfilled, of immediate-or-cancel orders that expired, of cancelled resting ones, of dust: the shares of a
day's orders beyond which trading is restricted. It never is here."""


class AccountLimitCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int | Callable[[Args], int]) -> Row:
            return Row(handler, Security.SIGNED, weight)

        return {
            ("GET", "/fapi/v1/commissionRate"): row(self._commission_rate, 20),
            ("GET", "/fapi/v1/leverageBracket"): row(self._brackets, 1),
            ("GET", "/fapi/v1/rateLimit/order"): row(self._order_limits, 1),
            ("GET", "/fapi/v1/adlQuantile"): row(self._adl_quantiles, 5),
            ("GET", "/fapi/v1/apiTradingStatus"): row(
                self._trading_status, lambda args: 1 if args.get("symbol") else 10
            ),
        }

    def _commission_rate(self, account: str, args: Args) -> wire.CommissionRate:
        words = self._listing.words_of(args)
        return wire.CommissionRate(
            symbol=words.symbol,
            maker_commission_rate=stripped(words.spec.maker_fee),
            taker_commission_rate=stripped(words.spec.taker_fee),
            rpi_commission_rate=RPI_FEE,
        )

    def _brackets(self, account: str, args: Args) -> list[wire.SymbolBrackets]:
        return [
            wire.SymbolBrackets(symbol=words.symbol, brackets=brackets_of(words))
            for words in self._listing.chosen(args)
        ]

    def _order_limits(self, account: str, args: Args) -> list[wire.RateLimit]:
        return [limit for limit in rate_limits() if limit.rate_limit_type == "ORDERS"]

    # --- deleveraging ---------------------------------------------------------------------------------------------

    def _adl_quantiles(self, account: str, args: Args) -> list[wire_account.AdlQuantile]:
        """Of symbols with a position; of any symbol that is named."""
        rows = []
        for words in self._listing.chosen(args):
            views = self._exchange.position_views(account, words.symbol)
            if args.get("symbol") or any(view.position.quantity for view in views):
                quantiles = {view.position.side: adl_quantile(view) for view in views}
                is_hedge = PositionSide.BOTH not in quantiles
                shown = {side: quantiles.get(PositionSide[side], 0) for side in ("LONG", "SHORT")}
                shown |= {"HEDGE": 0} if is_hedge else {"BOTH": quantiles[PositionSide.BOTH]}
                rows.append(wire_account.AdlQuantile(symbol=words.symbol, adl_quantile=shown))
        return rows

    # --- trading indicators ---------------------------------------------------------------------------------------

    def _trading_status(self, account: str, args: Args) -> wire_account.TradingStatus:
        """Of symbols that were traded in the last day."""
        now_ms = self._exchange.now_ms()
        indicators = {}
        for words in self._listing.chosen(args):
            orders = [one for one in self._exchange.orders(account, words.symbol) if one.created_ms > now_ms - DAY_MS]
            if orders:
                indicators[words.symbol] = [
                    wire_account.Indicator(
                        is_locked=False,
                        planned_recover_time=0,
                        indicator=name,
                        value=value,
                        trigger_value=_TRIGGER_VALUES[name],
                    )
                    for name, value in _indicators(words, orders).items()
                ]
        return wire_account.TradingStatus(indicators=indicators, update_time=now_ms)


def _indicators(words: SymbolWords, orders: list[SimOrder]) -> dict[str, float]:
    at_once = [one for one in orders if one.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)]
    resting = [one for one in orders if one.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK)]
    least = words.spec.instrument.min_quantity

    def share(some: list[SimOrder], test: Callable[[SimOrder], bool]) -> float:
        return round(sum(map(test, some)) / len(some), 4) if some else 0.0

    return {
        "UFR": share(orders, lambda one: not one.filled_quantity),
        "IFER": share(at_once, lambda one: one.status is OrderStatus.EXPIRED and not one.filled_quantity),
        "GCR": share(resting, lambda one: one.status is OrderStatus.CANCELED and not one.filled_quantity),
        "DR": share(orders, lambda one: one.quantity <= least),
    }


def brackets_of(words: SymbolWords) -> list[wire.Bracket]:
    return [
        wire.Bracket(
            bracket=tier.number,
            initial_leverage=int(tier.max_leverage),
            notional_cap=int(tier.cap),
            notional_floor=int(tier.floor),
            maint_margin_ratio=float(tier.maintenance_rate),
            cum=float(tier.deduction),
        )
        for tier in words.spec.tiers
    ]
