"""What the account's stream says that must be heard of at once: margin calls, and the venue's orders against us."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.clock import Clock
from perpwire.model.account import MarginCall
from perpwire.model.incident import Incident, MarginCalled, PositionLiquidated
from perpwire.model.order import Order, OrderType

_REMEMBERED = 1000


class AccountAlarms:
    """A handler of MarginCall and Order."""

    def __init__(self, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._clock = clock
        self._on_incident = on_incident
        self._told: dict[str, None] = {}
        """Orders of the venue's that were told of, the latest last."""

    def on_margin_call(self, call: MarginCall) -> None:
        self._on_incident(
            MarginCalled(
                venue=call.venue,
                time_ns=self._clock.time_ns(),
                symbol=call.symbol,
                position_side=call.position_side.value,
                quantity=call.quantity,
                mark_price=call.mark_price,
                unrealized_pnl=call.unrealized_pnl,
                maintenance_margin=call.maintenance_margin,
            )
        )

    def on_order(self, order: Order) -> None:
        """An order is told of once, however often it changes."""
        if order.type is not OrderType.LIQUIDATION or order.order_id in self._told:
            return
        self._told[order.order_id] = None
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        self._on_incident(
            PositionLiquidated(
                venue=order.venue,
                time_ns=self._clock.time_ns(),
                symbol=order.symbol,
                order_id=order.order_id,
                side=order.side.value,
                quantity=order.quantity,
            )
        )
