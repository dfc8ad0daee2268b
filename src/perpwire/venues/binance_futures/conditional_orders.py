"""Conditional orders and what their triggers made, as one order each, from the account's events.

The venue tells of a conditional order by ALGO_UPDATE, and of the order that its trigger makes by ORDER_TRADE_UPDATE,
under another id but with the same client order id. Either may come first.

Source: usds-margined-futures/user-data-streams/Event-Algo-Order-Update, as of 2026-10-23.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from perpwire.model.market import Event
from perpwire.model.order import AT_MARKET, Fill, Order, OrderStatus
from perpwire.venues.binance_futures.order_params import is_algo_id
from perpwire.venues.binance_futures.translate_algo import with_child

ENDED_KEPT = 5000
"""Events of an order that has ended come within seconds; so many ends are plenty."""

_MAY_HAVE_TRIGGERED = frozenset({OrderStatus.UNTRIGGERED, OrderStatus.TRIGGERED})


class ConditionalOrders:
    """Of one socket. Symbols and ids together are keys: ids count symbol by symbol."""

    def __init__(self) -> None:
        self._parents: dict[str, Order] = {}
        self._children: dict[str, Order] = {}  # by the parent's id: the child as it was told last
        self._by_child: dict[tuple[str, str], str] = {}
        self._by_client: dict[tuple[str, str], str] = {}
        self._ended: dict[str, None] = {}

    def told(self, events: Sequence[Event]) -> Sequence[Event]:
        """The same events, those of children under their parents' ids and with the parents' words."""
        return [self._one(event) for event in events]

    def _one(self, event: Event) -> Event:
        if isinstance(event, Order):
            return self._parent(event) if is_algo_id(event.order_id) else self._child(event)
        if isinstance(event, Fill):
            parent_id = self._by_child.get((event.symbol, event.order_id))
            return event if parent_id is None else msgspec.structs.replace(event, order_id=parent_id)
        return event

    def _parent(self, parent: Order) -> Order:
        self._parents[parent.order_id] = parent
        self._by_client[parent.symbol, parent.client_order_id] = parent.order_id
        if parent.child_order_id is not None:
            self._by_child[parent.symbol, parent.child_order_id] = parent.order_id
        child = self._children.get(parent.order_id)
        if child is None or (parent.status.is_final and not child.status.is_final):
            order = parent
        else:
            order = msgspec.structs.replace(with_child(parent, child), received_ns=parent.received_ns)
        return self._noted(order)

    def _child(self, child: Order) -> Order:
        key = (child.symbol, child.order_id)
        parent_id = self._by_child.get(key)
        if parent_id is None:
            parent_id = self._by_client.get((child.symbol, child.client_order_id))
            parent = None if parent_id is None else self._parents[parent_id]
            if parent_id is None or parent is None or not _fits(parent, child):
                return child
            self._by_child[key] = parent_id
        self._children[parent_id] = child
        return self._noted(with_child(self._parents[parent_id], child))

    def _noted(self, order: Order) -> Order:
        if order.status.is_final and order.order_id not in self._ended:
            self._ended[order.order_id] = None
            if len(self._ended) > ENDED_KEPT:
                self._forget(next(iter(self._ended)))
        return order

    def _forget(self, parent_id: str) -> None:
        del self._ended[parent_id]
        parent = self._parents.pop(parent_id)
        child = self._children.pop(parent_id, None)
        if child is not None:
            self._by_child.pop((child.symbol, child.order_id), None)
        if parent.child_order_id is not None:
            self._by_child.pop((parent.symbol, parent.child_order_id), None)
        by_client = (parent.symbol, parent.client_order_id)
        if self._by_client.get(by_client) == parent_id:
            del self._by_client[by_client]


def _fits(parent: Order, child: Order) -> bool:
    """Whether an order with the client id of a conditional one, heard of before the trigger was, is what it made: an
    ordinary order may have the same client id."""
    return (
        parent.status in _MAY_HAVE_TRIGGERED
        and parent.child_order_id in (None, child.order_id)
        and parent.side is child.side
        and parent.position_side is child.position_side
        and (parent.close_position or parent.quantity == child.quantity)
        and (parent.type in AT_MARKET) is (child.type in AT_MARKET)
    )
