"""Each order of the account is told up to its last state, and never back: no fill of it is taken back, and nothing is
told after its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.order import Order
from perpwire.venues.bybit.sim.numbers import ORDER, number_of

if TYPE_CHECKING:
    from perpwire.scenarios.run import Run

ACCOUNT = "main"


class OrdersHeard:
    """What a connector's handlers were told, by order, in order."""

    def __init__(self, connector: VenueConnector) -> None:
        self.heard: defaultdict[str, list[Order]] = defaultdict(list)
        connector.on(Order, self._on_order)

    def _on_order(self, order: Order) -> None:
        self.heard[order.order_id].append(order)


def unsaid(run: Run) -> Iterable[str]:
    """What is told after the end, or falls back; and which orders were told otherwise than they are, or not at all."""
    last: dict[int | None, Order] = {}
    for order_id, heard in run.orders.heard.items():
        yield from _in_turn(order_id, heard)
        last[_number(order_id)] = heard[-1]
    if not run.follows_account:
        return
    for order in run.host.exchange.orders(ACCOUNT, None)[run.orders_before :]:
        told = last.get(order.order_id)
        if told is None:
            if not order.trigger_id:  # else it is told under the name of what it was made of
                yield f"order {order.order_id} ({order.client_order_id}) was never told"
        elif (told.filled_quantity, told.status.is_final) != (order.filled_quantity, order.status.is_final):
            yield (
                f"order {order.order_id} is {order.status} with {order.filled_quantity} filled, and was last told as "
                f"{told.status} with {told.filled_quantity}"
            )


def _in_turn(order_id: str, heard: list[Order]) -> Iterable[str]:
    before: Order | None = None
    for order in heard:
        if before is not None and before.status.is_final:
            yield f"order {order_id} was told as {order.status} after it was {before.status}"
        if before is not None and order.filled_quantity < before.filled_quantity:
            yield f"order {order_id} had {before.filled_quantity} filled, and was told with {order.filled_quantity}"
        before = order


def _number(order_id: str) -> int | None:
    """The exchange's own."""
    return int(order_id) if order_id.isdecimal() else number_of(ORDER, order_id)
