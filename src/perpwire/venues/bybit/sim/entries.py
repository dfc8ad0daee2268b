"""Orders and conditional orders as the one kind of thing that they are to the venue: found, chosen, shown.

A conditional order keeps its id when it becomes an order; from then on it is that order.
"""

from __future__ import annotations

from collections.abc import Iterable

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimOrder, SimTrigger
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import Asked, spec_of
from perpwire.venues.bybit.sim.numbers import ORDER, number_of
from perpwire.venues.bybit.sim.refusal import CallRefused, of_exchange
from perpwire.venues.bybit.sim.rows import Rows

Entry = SimOrder | SimTrigger

FILTERS = ("Order", "StopOrder", "OpenOrder", "tpslOrder")


class Entries:
    """Every account's."""

    def __init__(self, exchange: Exchange, rows: Rows) -> None:
        self._exchange = exchange
        self._rows = rows

    # --- finding ------------------------------------------------------------------------------------------------------

    def open(self, account: str) -> list[Entry]:
        """Oldest first."""
        found: list[Entry] = [*self._exchange.open_orders(account, None), *self._exchange.open_triggers(account, None)]
        return sorted(found, key=entry_id)

    def closed(self, account: str) -> list[Entry]:
        """All that are remembered, in the order of their ids."""
        orders = [one for one in self._exchange.orders(account, None) if one.status.is_final]
        triggers = [one for one in self._exchange.triggers(account, None) if is_over(one)]
        return sorted([*orders, *triggers], key=entry_id)

    def named(self, account: str, asked: Asked) -> list[Entry]:
        """The entry of an id, in a list; empty where there is none. The venue's id wins."""
        if text := asked.get("orderId"):
            number = number_of(ORDER, str(text))
            found = [] if number is None else self._find(account, number, None)
        else:
            found = self._find(account, None, str(asked.get("orderLinkId") or ""))
        return [entry for entry in found if asked.get("symbol") in (None, "", entry.symbol)]

    def _find(self, account: str, number: int | None, link_id: str | None) -> list[Entry]:
        if number is None and not link_id:
            return []
        try:
            return [self._exchange.find_order(account, None, order_id=number, client_order_id=link_id)]
        except Refused:
            pass
        try:
            return [self._exchange.find_trigger(account, trigger_id=number, client_id=link_id)]
        except Refused:
            return []

    def is_known(self, account: str, link_id: str) -> bool:
        """Has an order of this client's id ever been taken?"""
        return bool(self._find(account, None, link_id))

    def open_one(self, account: str, body: Asked) -> Entry:
        """
        Raises:
            CallRefused: 10001: no id is given; 110001: there is no such order, or it is finished.
        """
        spec_of(self._exchange, body)
        if not (body.get("orderId") or body.get("orderLinkId")):
            raise CallRefused(10001, "orderId or orderLinkId is required")
        found = self.named(account, body)
        if not found or is_final(found[0]):
            raise of_exchange(Refused(Why.UNKNOWN_ORDER))
        return found[0]

    # --- choosing -----------------------------------------------------------------------------------------------------

    def of_contract(self, entries: Iterable[Entry], asked: Asked) -> list[Entry]:
        """Those of a symbol, base coin or settle coin; the first of them that is given counts.

        Raises:
            CallRefused: None of the three is given, or the symbol is not known.
        """
        if symbol := asked.get("symbol"):
            spec_of(self._exchange, {**asked, "category": "linear"})
            return [entry for entry in entries if entry.symbol == symbol]
        for name, field in (("baseCoin", "base"), ("settleCoin", "settle")):
            if coin := asked.get(name):
                return [one for one in entries if getattr(self._exchange.spec(one.symbol).instrument, field) == coin]
        raise CallRefused(10001, "symbol, baseCoin or settleCoin is required")

    def row(self, entry: Entry) -> wire.OrderRow:
        return self._rows.order(entry) if isinstance(entry, SimOrder) else self._rows.trigger(entry)


def entry_id(entry: Entry) -> int:
    return entry.order_id if isinstance(entry, SimOrder) else entry.trigger_id


def link_id_of(entry: Entry) -> str:
    return entry.client_order_id if isinstance(entry, SimOrder) else entry.client_id


def is_final(entry: Entry) -> bool:
    return entry.status.is_final if isinstance(entry, SimOrder) else not entry.is_open


def is_over(trigger: SimTrigger) -> bool:
    """It ended without becoming an order."""
    return trigger.status in ("canceled", "expired", "rejected")


def passes(entry: Entry, order_filter: str) -> bool:
    """Is it of this orderFilter? "" lets all pass; Order and OpenOrder those in the book, StopOrder those that wait."""
    if order_filter == "tpslOrder":
        return "TakeProfit" in _stop_type(entry) or "StopLoss" in _stop_type(entry)
    is_waiting = isinstance(entry, SimTrigger)
    return not order_filter or is_waiting is (order_filter == "StopOrder")


def is_plain_stop(entry: Entry) -> bool:
    """A conditional order of the user's, not a take-profit, stop-loss or trailing stop of a position."""
    return isinstance(entry, SimTrigger) and _stop_type(entry) == "Stop"


def _stop_type(entry: Entry) -> str:
    note = entry.note if isinstance(entry, SimOrder) else entry.intent.note
    return note.get("stopOrderType", "")
