"""What happened to one account in one go, sorted by the private topics that tell of it."""

from __future__ import annotations

from typing import Any

import msgspec

from perpwire.simulator.events import OrderChanged, SimFill, SimOrder

Ending = tuple[str, str]
"""cancelType and rejectReason, where they are not those of the order itself."""

TOLD_TOGETHER = frozenset(("", "ioc", "fok", "market", "post_only", "stp", "reduce_only", "gtd"))
"""Why an order ended at once: it is told of only as it is in the end."""


class OrderTold(msgspec.Struct):
    """One row of an order frame.

    Attributes:
        what: What happened last of what the row tells.
        row: The order, or what else stands in a row of the topic.
    """

    order_id: int
    symbol: str
    what: str
    row: Any
    ending: Ending | None = None


class Burst:
    """One account's news.

    Attributes:
        fills: Executions, oldest first.
        orders: Rows of the order topic, oldest first.
        symbols: Whose positions are told.
        coins: Of the wallet, those that changed.
    """

    def __init__(self) -> None:
        self.fills: list[tuple[SimOrder, SimFill]] = []
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
            before.what, before.row = event.what, order
        else:
            self.tell(order.order_id, order.symbol, event.what, order)

    def tell(self, order_id: int, symbol: str, what: str, row: Any, ending: Ending | None = None) -> None:
        """A further row of the order topic; the symbol's position goes along."""
        told = self._newest[order_id] = OrderTold(order_id, symbol, what, row, ending)
        self.orders.append(told)
        self.symbols[symbol] = None

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
