"""What happened to one account in one go, sorted by the private topics that tell of it."""

from __future__ import annotations

import msgspec

from perpwire.simulator.events import AccountChanged, OrderChanged, SettingsChanged, TriggerChanged
from perpwire.simulator.records import Booking, SimFill, SimOrder, SimTrigger

Ending = tuple[str, str]
"""cancelType and rejectReason, where they are not those of the order itself."""

TOLD_TOGETHER = frozenset(("", "ioc", "fok", "market", "post_only", "stp", "reduce_only", "gtd"))
"""Why an order ended at once: it is told of only as it is in the end."""


TOLD_OF_A_TRIGGER = frozenset(("new", "amended", "triggering", "canceled", "expired", "rejected"))
"""What is told of a conditional order. What follows the trigger is told of the order that it became, by the same id."""


class OrderTold(msgspec.Struct):
    """One row of an order frame.

    Attributes:
        what: What happened last of what the row tells.
        order: It, or a conditional order.
    """

    order_id: int
    symbol: str
    what: str
    order: SimOrder | SimTrigger
    ending: Ending | None = None


class Burst:
    """One account's news.

    Attributes:
        fills: Executions, oldest first.
        fundings: Payments of funding.
        orders: Rows of the order topic, oldest first.
        symbols: Whose positions are told.
        coins: Of the wallet, those that changed.
    """

    def __init__(self) -> None:
        self.fills: list[tuple[SimOrder, SimFill]] = []
        self.fundings: list[Booking] = []
        self.orders: list[OrderTold] = []
        self.symbols: dict[str, None] = {}
        self.coins: frozenset[str] = frozenset()
        self._newest: dict[int, OrderTold] = {}

    def add_order(self, event: OrderChanged) -> None:
        order = event.order
        if event.fill is not None:
            self.fills.append((order, event.fill))
        before = self._newest.get(order.order_id)
        if before is not None and before.ending is None and _is_one_row(event):
            before.what, before.order = event.what, order
        else:
            self.tell(event.what, order)

    def add_trigger(self, event: TriggerChanged) -> None:
        if event.what in TOLD_OF_A_TRIGGER:
            self.tell(event.what, event.trigger)

    def add_account(self, event: AccountChanged) -> None:
        self.coins |= {asset for asset, _, _ in event.wallets}
        self.fundings.extend(booking for booking in event.bookings if booking.kind == "funding")
        self.symbols |= {position.symbol: None for position in event.positions}
        if event.symbol:
            self.symbols[event.symbol] = None

    def add_setting(self, event: SettingsChanged, held: list[str]) -> None:
        """`held` are the symbols with open positions: a setting of the whole account changes these."""
        if event.what in ("leverage", "margin_mode", "position_mode", "auto_add_margin"):
            self.symbols |= dict.fromkeys([event.symbol] if event.symbol else held)

    def tell(self, what: str, order: SimOrder | SimTrigger, ending: Ending | None = None) -> None:
        """A further row of the order topic; the symbol's position goes along."""
        order_id = order.trigger_id if isinstance(order, SimTrigger) else order.order_id
        told = self._newest[order_id] = OrderTold(order_id, order.symbol, what, order, ending)
        self.orders.append(told)
        self.symbols[order.symbol] = None

    def order_frames(self) -> list[list[OrderTold]]:
        """The rows by frame: of one symbol each, and no order twice in one."""
        frames: list[list[OrderTold]] = []
        newest: dict[str, tuple[list[OrderTold], set[int]]] = {}
        for told in self.orders:
            found = newest.get(told.symbol)
            if found is None or told.order_id in found[1]:
                found = newest[told.symbol] = ([], set())
                frames.append(found[0])
            found[0].append(told)
            found[1].add(told.order_id)
        return frames


def _is_one_row(event: OrderChanged) -> bool:
    """Does this only complete what was just said of the order?"""
    if event.what == "trade":
        return True
    return event.what in ("canceled", "expired") and event.order.reason in TOLD_TOGETHER
