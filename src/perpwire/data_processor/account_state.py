"""Open orders, positions and balances of one account, from replies and events in whatever order they come."""

from __future__ import annotations

from perpwire.data_processor.order_tracker import OrderTracker
from perpwire.model.account import Balance, Position
from perpwire.model.market import Event
from perpwire.model.order import Fill, Order, PositionSide

LAG_S = 15.0
"""What replies told of so lately may not be on the venue's list of open orders yet."""


class AccountState:
    """What we know of the account. A final order state is never taken back, and no fill is ever taken back.

    Attributes:
        orders: All orders that we heard of (order_tracker.py).
        follows: The account's stream is there. Without it nothing would end what replies tell of.
    """

    def __init__(self, orders: OrderTracker) -> None:
        self.orders = orders
        self.follows = False
        self.positions: dict[tuple[str, PositionSide], Position] = {}
        self.balances: dict[str, Balance] = {}

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Oldest first; () while the account's stream is not followed."""
        return self.orders.open_orders if self.follows else ()

    @property
    def late_orders(self) -> int:
        """Events of orders that came too late: handlers had been told that, or what came after it."""
        return self.orders.late

    def follow(self) -> None:
        """The account's stream is being opened. Of what replies told of long ago it may have missed the end."""
        self.orders.forget_replies(LAG_S)
        self.follows = True

    def is_news(self, event: Event) -> bool:
        """Whether a reading of the account tells what is not known."""
        match event:
            case Order():
                return self.orders.is_news(event)
            case Position():
                position = self.positions.get((event.symbol, event.position_side))
                return event.quantity != (0 if position is None else position.quantity)
            case Balance():
                balance = self.balances.get(event.asset)
                return event.wallet != (0 if balance is None else balance.wallet)
        return True

    def is_untold(self, event: Event) -> bool:
        """Whether what a reading tells of a position or balance is other than handlers were told."""
        if isinstance(event, Position):
            known = self.positions.get((event.symbol, event.position_side))
            if known is None or not event.quantity:
                return self.is_news(event)
            return (event.quantity, event.entry_price) != (known.quantity, known.entry_price)
        return self.is_news(event)

    def forget_if_old(self, order: Order) -> None:
        """The venue neither lists it as open nor knows it. What was told of lately it may not show yet; what was not
        has ended unfilled so long ago that the venue has forgotten it."""
        self.orders.let_go(order.symbol, order.order_id, LAG_S)

    def on_event(self, event: Event) -> None:
        """Take an order, fill, position or balance; other events say nothing of the account's state."""
        match event:
            case Order():
                self.orders.on_event(event)
            case Fill():
                self.orders.on_fill(event)
            case Position():
                self.on_position(event)
            case Balance():
                self.on_balance(event)

    def on_position(self, position: Position) -> None:
        self.positions[position.symbol, position.position_side] = position

    def on_balance(self, balance: Balance) -> None:
        self.balances[balance.asset] = balance
