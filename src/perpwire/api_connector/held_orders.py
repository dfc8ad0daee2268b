"""What the account's stream says of an order is kept back while a conditional order may have made it that is to be told
of instead.

Where that is one that we know, it is asked for. That side, amount and client order id are the same proves nothing: an
id may be used over and over, and the two stores of the venue know nothing of each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from perpwire.api_connector.account_unread import UNREAD_S
from perpwire.api_connector.recovery import read_parents
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock, Timer
from perpwire.data_processor.order_tracker import Key, OrderTracker
from perpwire.errors import APIError
from perpwire.model.order import Order
from perpwire.venues.base import Venue

ASK_AFTER_S = (0.5, 1.5)
"""Pauses before the conditional order is asked for: mostly the stream says it meanwhile, and answers lag."""


class HeldOrders:
    """One for an account's stream; see module docstring.

    Args:
        tell: Called with what is no longer kept back.
        on_none: Called when nothing is kept back any more.
    """

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        orders: OrderTracker,
        clock: Clock,
        tell: Callable[[Order], None],
        on_none: Callable[[], None],
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._orders = orders
        self._clock = clock
        self._tell = tell
        self._on_none = on_none
        self._held: list[Order] = []
        """What the stream told, in its order."""
        self._asked: dict[Key, tuple[asyncio.Task[None], Timer]] = {}
        """Those that a conditional order which we know may have made."""

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, order: Order) -> None:
        self._orders.hold(order)
        self._held.append(order)
        self._have_asked(order)

    def _have_asked(self, order: Order) -> None:
        """It is told in the end, whatever is known by then."""
        key = (order.symbol, order.order_id)
        if key not in self._asked and self.may_be_made(order):
            task = asyncio.get_running_loop().create_task(self._ask(order), name="perpwire whose order")
            self._asked[key] = (task, self._clock.call_later(UNREAD_S, lambda: self._give_up(order)))

    def may_be_made(self, order: Order) -> bool:
        """By a conditional order that we know."""
        return self._orders.possible_parent(order) is not None

    def release(self, keep: Callable[[Order], bool]) -> None:
        """Tell all but those."""
        held, self._held = self._held, []
        for order in held:
            if keep(order):
                self._held.append(order)
                self._have_asked(order)  # it may be known by now who may have made it
                continue
            asked = self._asked.pop((order.symbol, order.order_id), None)
            if asked is not None:
                task, timer = asked
                task.cancel()
                timer.cancel()
            self._tell(order)
        if held and not self._held:
            self._on_none()

    async def _ask(self, order: Order) -> None:
        with suppress(APIError):  # then it is told when its time is over
            for pause_s in ASK_AFTER_S:
                await self._clock.sleep(pause_s)
                await read_parents(self._requests, self._venue, self._orders, [order])
                if not self.may_be_made(order):
                    break
            self._give_up(order)

    def _give_up(self, order: Order) -> None:
        """It is told under the id that it has by now."""
        self.release(lambda one: (one.symbol, one.order_id) != (order.symbol, order.order_id))
