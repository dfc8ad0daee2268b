"""Open orders, positions and balances of one account, from replies and events in whatever order they come."""

from __future__ import annotations

from perpwire.model.account import Balance, Position
from perpwire.model.market import Event
from perpwire.model.order import Order, OrderStatus, PositionSide

_RANK = {
    OrderStatus.PENDING_NEW: 0,
    OrderStatus.UNTRIGGERED: 1,
    OrderStatus.NEW: 2,
    OrderStatus.PARTIALLY_FILLED: 3,
}
"""How far along an open order is; final states rank above all."""


class AccountState:
    """What we know of the account. A final order state is never taken back, and no fill is ever taken back."""

    def __init__(self) -> None:
        self._open: dict[str, Order] = {}
        self._finished: dict[str, None] = {}
        self.positions: dict[tuple[str, PositionSide], Position] = {}
        self.balances: dict[str, Balance] = {}

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Oldest first."""
        return tuple(self._open.values())

    def on_event(self, event: Event) -> None:
        """Take an order, position or balance; other events say nothing of the account's state."""
        match event:
            case Order():
                self.on_order(event)
            case Position():
                self.on_position(event)
            case Balance():
                self.on_balance(event)

    def on_order(self, order: Order) -> None:
        if order.order_id in self._finished:
            return
        if order.status.is_final:
            self._open.pop(order.order_id, None)
            self._finished[order.order_id] = None
            # Late events of an order come within seconds; the newest ten thousand ends are plenty.
            if len(self._finished) > 10_000:
                del self._finished[next(iter(self._finished))]
            return
        known = self._open.get(order.order_id)
        if known is None or _progress(order) >= _progress(known):
            self._open[order.order_id] = order

    def on_position(self, position: Position) -> None:
        self.positions[position.symbol, position.position_side] = position

    def on_balance(self, balance: Balance) -> None:
        self.balances[balance.asset] = balance


def _progress(order: Order) -> tuple[object, ...]:
    return (order.filled_quantity, _RANK.get(order.status, 9), order.updated_time_ms or 0)
