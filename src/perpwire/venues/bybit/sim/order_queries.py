"""Orders and executions over REST, newest first. Source: docs/v5/order, as of 2026-07-24."""

from __future__ import annotations

from typing import Any

from perpwire.simulator.events import SimOrder
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import DAY_MS, Asked, is_linear, newest_first, paged, period
from perpwire.venues.bybit.sim.numbers import ORDER, number_of
from perpwire.venues.bybit.sim.orders import Orders
from perpwire.venues.bybit.sim.refusal import CallRefused
from perpwire.venues.bybit.sim.rows import Rows

RECENTLY_CLOSED = 500
OPEN_STATUSES = ("New", "PartiallyFilled", "Untriggered")


class OrderQueries:
    """What became of an account's orders."""

    def __init__(self, exchange: Exchange, rows: Rows, orders: Orders) -> None:
        self._exchange = exchange
        self._rows = rows
        self._orders = orders

    def realtime(self, account: AccountSpec, asked: Asked) -> Any:
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        if asked.get("orderId") or asked.get("orderLinkId"):
            found = self._orders.named(account.name, asked)
            return wire.Page([self._rows.order(order) for order in found])
        if asked.get("openOnly", "0") == "1":
            closed = [order for order in self._all_orders(account.name) if order.status.is_final]
            chosen = self._orders.matching(account.name, closed[-RECENTLY_CLOSED:], asked)
        else:
            chosen = self._orders.matching(account.name, self._exchange.open_orders(account.name, None), asked)
        if asked.get("orderFilter") == "StopOrder":
            chosen = []
        return self._order_page(chosen, asked)

    def history(self, account: AccountSpec, asked: Asked) -> Any:
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        status = asked.get("orderStatus")
        if status in OPEN_STATUSES:
            raise CallRefused(181017, "OrderStatus must be final status")
        if asked.get("orderId") or asked.get("orderLinkId"):
            chosen = [order for order in self._orders.named(account.name, asked) if order.status.is_final]
        else:
            start, end = period(asked, self._exchange.now_ms())
            chosen = [
                order
                for order in self._all_orders(account.name)
                if order.status.is_final and start <= order.created_ms <= end
            ]
            if asked.get("symbol") or asked.get("baseCoin") or asked.get("settleCoin"):
                chosen = self._orders.matching(account.name, chosen, asked)
        # What ended without a fill is kept for a day.
        oldest = self._exchange.now_ms() - DAY_MS
        kept = [order for order in chosen if order.filled_quantity or order.updated_ms >= oldest]
        return self._order_page(
            [order for order in kept if not status or self._rows.order(order).orderStatus == status], asked
        )

    def _all_orders(self, account: str) -> list[SimOrder]:
        orders = [*self._exchange.orders(account, None), *self._orders.rejected(account)]
        return sorted(orders, key=lambda order: order.order_id)

    def _order_page(self, orders: list[SimOrder], asked: Asked) -> Any:
        newest = sorted(((order.order_id, order) for order in orders), key=lambda one: -one[0])
        page, cursor = paged(newest, asked, default=20, most=50)
        return wire.Page([self._rows.order(order) for order in page], cursor)

    def executions(self, account: AccountSpec, asked: Asked) -> Any:
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        fills = self._exchange.fills(account.name, None)
        if asked.get("orderId") or asked.get("orderLinkId"):
            # With an order's id, all other filters are passed over.
            fills = [one for one in fills if _is_of(one[0], asked)]
        else:
            start, end = period(asked, self._exchange.now_ms())
            fills = [one for one in fills if start <= one[1].time_ms <= end and self._is_asked(one[0], asked)]
            if asked.get("execType") not in (None, "", "Trade"):
                fills = []
        page, cursor = paged(newest_first(fills), asked, default=50, most=100)
        return wire.Page([self._rows.execution(order, fill) for order, fill in page], cursor)

    def _is_asked(self, order: SimOrder, asked: Asked) -> bool:
        instrument = self._exchange.spec(order.symbol).instrument
        wanted = (asked.get("symbol"), asked.get("baseCoin"), asked.get("settleCoin"))
        has = (order.symbol, instrument.base, instrument.settle)
        return all(want in (None, "", own) for want, own in zip(wanted, has, strict=True))


def _is_of(order: SimOrder, asked: Asked) -> bool:
    if text := asked.get("orderId"):
        return number_of(ORDER, str(text)) == order.order_id
    return bool(order.client_order_id == asked["orderLinkId"])
