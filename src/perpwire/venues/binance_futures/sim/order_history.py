"""The simulator's calls that read orders and trades."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from perpwire.model.order import Side
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimFill, SimOrder
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.order_params import order_key
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args, limit_of, span, times, whole
from perpwire.venues.binance_futures.sim.words import Refusal, SymbolWords, invalid, money, queried

FORGOTTEN_AFTER_MS = 3 * DAY_MS
"""An order that ended without a fill is not found by its id after so long."""
LOST_AFTER_MS = 90 * DAY_MS
"""No order is found by its id after so long."""
TRADES_KEPT_MS = 92 * DAY_MS
"""Three months of trades are told."""


_FORCED: dict[str, frozenset[str]] = {"LIQUIDATION": frozenset({"liquidation", "takeover"}), "ADL": frozenset({"adl"})}
"""Which orders each autoCloseType names."""


class OrderHistoryCalls:
    """
    Args:
        trades_lag_s: A new trade is listed so much later.
    """

    def __init__(self, exchange: Exchange, listing: Listing, trades_lag_s: float) -> None:
        self._exchange = exchange
        self._listing = listing
        self._trades_lag_ms = round(trades_lag_s * 1000)

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int | Callable[[Args], int]) -> Row:
            return Row(handler, Security.SIGNED, weight)

        return {
            ("GET", "/fapi/v1/order"): row(self.order, 1),
            ("GET", "/fapi/v1/openOrder"): row(self._open_order, 1),
            ("GET", "/fapi/v1/openOrders"): row(self._open_orders, lambda args: 1 if args.get("symbol") else 40),
            ("GET", "/fapi/v1/allOrders"): row(self._all_orders, 5),
            ("GET", "/fapi/v1/forceOrders"): row(self._forced, lambda args: 20 if args.get("symbol") else 50),
            ("GET", "/fapi/v1/userTrades"): row(self._user_trades, 5),
        }

    def _find(self, account: str, args: Args) -> tuple[SimOrder, SymbolWords]:
        words = self._listing.words_of(args)
        order_id, client_order_id = order_key(args)
        order = self._exchange.find_order(account, words.symbol, order_id=order_id, client_order_id=client_order_id)
        return order, words

    def order(self, account: str, args: Args) -> wire.Order:
        order, words = self._find(account, args)
        now_ms = self._exchange.now_ms()
        is_unfilled = order.status.is_final and not order.filled_quantity
        if now_ms - order.created_ms > LOST_AFTER_MS or (
            is_unfilled and now_ms - order.updated_ms > FORGOTTEN_AFTER_MS
        ):
            raise Refused(Why.UNKNOWN_ORDER)
        return queried(order, words)

    def _open_order(self, account: str, args: Args) -> wire.Order:
        order, words = self._find(account, args)
        if order.status.is_final:
            raise Refused(Why.UNKNOWN_ORDER)
        return queried(order, words)

    def _open_orders(self, account: str, args: Args) -> list[wire.Order]:
        return [self._queried(order) for order in self._exchange.open_orders(account, self._symbol(args))]

    def _all_orders(self, account: str, args: Args) -> list[wire.Order]:
        """The newest that fit, oldest first."""
        first_id = whole(args, "orderId")
        start_ms, end_ms = span(args, self._exchange.now_ms())
        limit = limit_of(args, 500, 1000)
        found = [
            order
            for order in self._exchange.orders(account, self._symbol(args))
            if (order.order_id >= first_id if first_id is not None else start_ms <= order.created_ms <= end_ms)
        ]
        return [self._historic(order) for order in found[-limit:]]

    def _forced(self, account: str, args: Args) -> list[wire.Order]:
        """What the venue did to the account's positions; the newest that fit, oldest first."""
        symbol = self._symbol(args)
        kind = args.get("autoCloseType")
        if kind is not None and kind not in _FORCED:
            raise invalid("autoCloseType")
        wanted = _FORCED[kind] if kind else frozenset().union(*_FORCED.values())
        now_ms = self._exchange.now_ms()
        start_ms, end_ms = times(args)
        limit = limit_of(args, 50, 100)
        oldest_ms = max(now_ms - LOST_AFTER_MS, start_ms or 0)
        found = [
            order
            for order in self._exchange.orders(account, symbol)
            if order.origin in wanted
            and order.created_ms >= oldest_ms
            and (end_ms is None or order.created_ms <= end_ms)
        ]
        return [self._historic(order) for order in found[-limit:]]

    def _historic(self, order: SimOrder) -> wire.Order:
        row = self._queried(order)
        row.pair = row.symbol
        row.cum_base = row.executed_qty
        return row

    def _user_trades(self, account: str, args: Args) -> list[wire.UserTrade]:
        """The oldest that fit."""
        words = self._listing.words_of(args)
        order_id, first_id = whole(args, "orderId"), whole(args, "fromId")
        if first_id is not None and (args.get("startTime") or args.get("endTime")):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        now_ms = self._exchange.now_ms()
        start_ms, end_ms = span(args, now_ms)
        limit = limit_of(args, 500, 1000)
        found = (
            (order, fill)
            for order, fill in self._exchange.fills(account, words.symbol)
            if (fill.trade_id >= first_id if first_id is not None else start_ms <= fill.time_ms <= end_ms)
            and (order_id is None or order.order_id == order_id)
            and now_ms - TRADES_KEPT_MS <= fill.time_ms <= now_ms - self._trades_lag_ms
        )
        return [user_trade(order, fill, words) for order, fill in islice(found, limit)]

    def _symbol(self, args: Args) -> str | None:
        return self._listing.words_of(args).symbol if args.get("symbol") else None

    def _queried(self, order: SimOrder) -> wire.Order:
        return queried(order, self._listing.words[order.symbol])


def user_trade(order: SimOrder, fill: SimFill, words: SymbolWords) -> wire.UserTrade:
    return wire.UserTrade(
        id=fill.trade_id,
        symbol=order.symbol,
        pair=order.symbol,
        order_id=order.order_id,
        side=order.side.value,
        price=words.price(fill.price),
        qty=words.quantity(fill.quantity),
        quote_qty=words.value(fill.price * fill.quantity),
        base_qty=words.quantity(fill.quantity),
        realized_pnl=money(fill.realized_pnl),
        margin_asset=words.spec.instrument.settle,
        commission=money(fill.fee),
        commission_asset=fill.fee_asset,
        time=fill.time_ms,
        position_side=order.position_side.value,
        buyer=order.side is Side.BUY,
        maker=fill.is_maker,
    )
