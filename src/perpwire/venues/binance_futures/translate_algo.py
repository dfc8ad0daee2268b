"""Conditional orders, from the venue's words to the model, and how one and the order that it becomes make one.

Until its trigger a conditional order lives in the venue's algo store; the trigger makes an ordinary order with the
same client order id. Here both are one Order under the id "algo-<algoId>".

Source: usds-margined-futures/trade/rest-api/Query-Algo-Order and Event-Algo-Order-Update, as of 2026-10-23.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from perpwire.model.order import Order, OrderStatus, Side, TriggerBy, with_child
from perpwire.venues.binance_futures import wire_algo
from perpwire.venues.binance_futures.order_params import ALGO
from perpwire.venues.binance_futures.translate_words import (
    VENUE,
    above_zero,
    or_zero,
    order_type,
    position_side,
    time_in_force,
    time_ms,
    trade_prevention,
    words,
)

_STATUSES = {
    "NEW": OrderStatus.UNTRIGGERED,
    "TRIGGERING": OrderStatus.TRIGGERED,
    "TRIGGERED": OrderStatus.TRIGGERED,
    "CANCELED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
}

_TRIGGERS = {"CONTRACT_PRICE": TriggerBy.LAST, "MARK_PRICE": TriggerBy.MARK}


def algo_status(text: str, quantity: Decimal, filled: Decimal) -> OrderStatus:
    """FINISHED does not say how: filled, or else cancelled or expired after the trigger."""
    if text == "FINISHED":
        return OrderStatus.FILLED if filled and filled >= quantity else OrderStatus.CANCELED
    return _STATUSES.get(text, OrderStatus.UNKNOWN)


def trigger_by(text: object) -> TriggerBy | None:
    return _TRIGGERS.get(text) if isinstance(text, str) else None


def algo_order(row: wire_algo.AlgoOrder) -> Order:
    """As the algo store tells it; what became of it after the trigger is better told by the order that it made."""
    updated_ms = time_ms(row.update_time)
    quantity, filled = or_zero(row.quantity), or_zero(row.actual_qty)
    return Order(
        venue=VENUE,
        symbol=row.symbol,
        venue_time_ms=updated_ms or 0,
        order_id=f"{ALGO}{row.algo_id}",
        client_order_id=words(row.client_algo_id),
        side=Side(row.side),
        type=order_type(words(row.order_type) or words(row.type)),
        status=algo_status(row.algo_status, quantity, filled),
        time_in_force=time_in_force(row.time_in_force),
        price=above_zero(row.price),
        quantity=quantity,
        filled_quantity=filled,
        average_price=above_zero(row.actual_price) if filled else None,
        reduce_only=bool(row.reduce_only),
        position_side=position_side(row.position_side),
        trigger_price=above_zero(row.trigger_price),
        trigger_by=trigger_by(row.working_type),
        callback_rate=above_zero(row.callback_rate),
        activation_price=above_zero(row.activate_price),
        close_position=bool(row.close_position),
        child_order_id=child_id(row.actual_order_id),
        created_time_ms=time_ms(row.create_time),
        updated_time_ms=updated_ms,
        expires_time_ms=time_ms(row.good_till_date),
        self_trade_prevention=trade_prevention(row.self_trade_prevention_mode),
    )


def past_algo_order(row: wire_algo.AlgoOrder) -> Order:
    """From a list in which what its trigger made is not joined to it: that alone tells how it ended."""
    order = algo_order(row)
    if order.status is OrderStatus.CANCELED and order.child_order_id is not None:
        return msgspec.structs.replace(order, status=OrderStatus.TRIGGERED)
    return order


def algo_orders(rows: Sequence[wire_algo.AlgoOrder]) -> tuple[Order, ...]:
    return tuple(algo_order(row) for row in rows)


def child_id(text: object) -> str | None:
    return text if isinstance(text, str) and text not in ("", "0") else None


def joined(parents: Mapping[str, Order], children: Sequence[Order]) -> tuple[Order, ...]:
    """Orders of both stores, each once: an order that a trigger has made stands under its parent's id.

    Args:
        parents: Conditional orders by the id of the order that each has become.
    """
    return tuple(
        child if child.order_id not in parents else with_child(parents[child.order_id], child) for child in children
    )
