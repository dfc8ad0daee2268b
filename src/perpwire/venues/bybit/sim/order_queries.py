"""Orders and executions over REST, newest first. Source: docs/v5/order, as of 2026-07-24."""

from __future__ import annotations

from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import Booking, SimFill, SimOrder
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import (
    DAY_MS,
    Asked,
    choice,
    integer,
    is_linear,
    paged,
    period,
)
from perpwire.venues.bybit.sim.entries import FILTERS, Entries, Entry, entry_id, is_final, passes
from perpwire.venues.bybit.sim.numbers import ORDER, number_of
from perpwire.venues.bybit.sim.refusal import CallRefused
from perpwire.venues.bybit.sim.rows import EXECUTION_TYPES, Rows

RECENTLY_CLOSED = 500
OPEN_STATUSES = ("New", "PartiallyFilled", "Untriggered")

Execution = tuple[SimOrder, SimFill] | Booking
"""A fill with its order, or a payment of funding."""


class OrderQueries:
    """What became of an account's orders.

    Args:
        trades_lag_s: A new execution is listed so much later.
    """

    def __init__(self, exchange: Exchange, rows: Rows, entries: Entries, trades_lag_s: float) -> None:
        self._trades_lag_ms = round(trades_lag_s * 1000)
        self._exchange = exchange
        self._rows = rows
        self._entries = entries
        self._started_ms = exchange.now_ms()

    def realtime(self, account: AccountSpec, asked: Asked) -> Any:
        """Open orders; with openOnly=1 those that closed lately, since the service started. Ids go before both."""
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        order_filter = choice(asked, "orderFilter", FILTERS)
        if asked.get("orderId") or asked.get("orderLinkId"):
            return wire.Page([self._entries.row(entry) for entry in self._entries.named(account.name, asked)])
        if integer(asked, "openOnly", 0) == 1:
            closed = [one for one in self._entries.closed(account.name) if one.updated_ms >= self._started_ms]
            chosen = self._entries.of_contract(closed[-RECENTLY_CLOSED:], asked)
        else:
            chosen = self._entries.of_contract(self._entries.open(account.name), asked)
        return self._order_page([entry for entry in chosen if passes(entry, order_filter)], asked)

    def history(self, account: AccountSpec, asked: Asked) -> Any:
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        status = asked.get("orderStatus")
        if status in OPEN_STATUSES:
            raise CallRefused(181017, "OrderStatus must be final status")
        order_filter = choice(asked, "orderFilter", FILTERS)
        if asked.get("orderId") or asked.get("orderLinkId"):
            chosen = [entry for entry in self._entries.named(account.name, asked) if is_final(entry)]
        else:
            start, end = period(asked, self._exchange.now_ms())
            chosen = [one for one in self._entries.closed(account.name) if start <= one.created_ms <= end]
            if asked.get("symbol") or asked.get("baseCoin") or asked.get("settleCoin"):
                chosen = self._entries.of_contract(chosen, asked)
        # What ended without a fill is kept for a day.
        oldest = self._exchange.now_ms() - DAY_MS
        kept = [
            entry
            for entry in chosen
            if passes(entry, order_filter)
            and (entry.updated_ms >= oldest or (isinstance(entry, SimOrder) and entry.filled_quantity))
        ]
        if status:
            kept = [entry for entry in kept if self._entries.row(entry).orderStatus == status]
        return self._order_page(kept, asked)

    def _order_page(self, entries: list[Entry], asked: Asked) -> Any:
        newest = sorted(((entry_id(entry), entry) for entry in entries), key=lambda one: -one[0])
        page, cursor = paged(newest, asked, default=20, most=50)
        return wire.Page([self._entries.row(entry) for entry in page], cursor)

    # --- executions ---------------------------------------------------------------------------------------------------

    def executions(self, account: AccountSpec, asked: Asked) -> Any:
        """Fills, and payments of funding. With an order's id, all other filters are passed over."""
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        chosen: list[tuple[int, Execution]]
        if asked.get("orderId") or asked.get("orderLinkId"):
            chosen = [
                (number, one)
                for number, one in enumerate(self._exchange.fills(account.name, None), start=1)
                if _is_of(one[0], asked) and self._is_listed(one)
            ]
        else:
            start, end = period(asked, self._exchange.now_ms())
            kind = asked.get("execType") or ""
            chosen = [
                (number, one)
                for number, one in enumerate(self._executions(account.name), start=1)
                if start <= _time_ms(one) <= end
                and self._is_listed(one)
                and self._is_asked(one, asked)
                and kind in ("", _type(one))
            ]
        page, cursor = paged(chosen[::-1], asked, default=50, most=100)
        return wire.Page([self._row(one) for one in page], cursor)

    def _executions(self, account: str) -> list[Execution]:
        """Oldest first."""
        found: list[Execution] = list(self._exchange.fills(account, None))
        found.extend(one for one in self._exchange.bookings(account) if one.kind == "funding")
        return sorted(found, key=_time_ms)

    def _row(self, one: Execution) -> wire.ExecutionRow:
        return self._rows.funding_execution(one) if isinstance(one, Booking) else self._rows.execution(*one)

    def _is_listed(self, one: Execution) -> bool:
        return _time_ms(one) <= self._exchange.now_ms() - self._trades_lag_ms

    def _is_asked(self, one: Execution, asked: Asked) -> bool:
        symbol = one.symbol if isinstance(one, Booking) else one[0].symbol
        instrument = self._exchange.spec(symbol).instrument
        wanted = (asked.get("symbol"), asked.get("baseCoin"), asked.get("settleCoin"))
        has = (symbol, instrument.base, instrument.settle)
        return all(want in (None, "", own) for want, own in zip(wanted, has, strict=True))


def _time_ms(one: Execution) -> int:
    return one.time_ms if isinstance(one, Booking) else one[1].time_ms


def _type(one: Execution) -> str:
    return "Funding" if isinstance(one, Booking) else EXECUTION_TYPES[one[1].kind]


def _is_of(order: SimOrder, asked: Asked) -> bool:
    if text := asked.get("orderId"):
        return number_of(ORDER, str(text)) == order.order_id
    return bool(order.client_order_id == asked["orderLinkId"])
