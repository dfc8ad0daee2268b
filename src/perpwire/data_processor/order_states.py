"""Two states of one order: which is further along, what both together say, and whether one tells anything new. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from perpwire.model.order import AT_MARKET, Order, OrderStatus, with_child

STEP_MS = 5_000
"""By so much messages may overtake each other: more is a step of the venue's clock."""

_RANK = {
    OrderStatus.PENDING_NEW: 0,
    OrderStatus.UNTRIGGERED: 1,
    OrderStatus.TRIGGERED: 2,
    # An amended order may be NEW again though part of it is filled; the filled quantity tells the two apart.
    OrderStatus.NEW: 3,
    OrderStatus.PARTIALLY_FILLED: 3,
    OrderStatus.UNKNOWN: 3,
}
_FINAL = 4

_MAY_HAVE_TRIGGERED = frozenset({OrderStatus.UNTRIGGERED, OrderStatus.TRIGGERED})

TIMELESS = 3
"""So many parts of the progress are no matter of a clock."""

NEWS = ("status", "filled_quantity", "quantity", "price", "child_order_id")
"""What makes a reading differ from what is known."""

TOLD = (*NEWS, "trigger_price", "take_profit", "stop_loss")
"""What handlers must have been told of an order."""


def differ(one: Order, other: Order, names: tuple[str, ...]) -> bool:
    return any(getattr(one, name) != getattr(other, name) for name in names)


def merged(known: Order, said: Order, *, is_later: bool = False) -> Order:
    """Both together; they are states of one order. Where both are as good, `said` holds.

    Args:
        is_later: `said` is known to be the later state, whatever the times say, unless it is of less progress.
    """
    progress, said_progress = progress_of(known), progress_of(said)
    if is_later and not known.status.is_final:
        progress, said_progress = progress[:TIMELESS], said_progress[:TIMELESS]
    newer, older = (said, known) if said_progress >= progress else (known, said)
    if newer is older or newer == older:
        return newer
    filled = older if older.filled_quantity > newer.filled_quantity else newer
    average = filled.average_price
    if average is None and newer.filled_quantity == older.filled_quantity:
        average = older.average_price
    created = [one.created_time_ms for one in (newer, older) if one.created_time_ms is not None]
    client_order_id = newer.client_order_id or older.client_order_id
    child_order_id = newer.child_order_id or older.child_order_id
    created_time_ms = min(created, default=None)
    reason = newer.reason or (older.reason if older.status is newer.status else "")
    if (
        filled is newer
        and average == newer.average_price
        and created_time_ms == newer.created_time_ms
        and client_order_id == newer.client_order_id
        and child_order_id == newer.child_order_id
        and reason == newer.reason
    ):
        return newer
    return replace(
        newer,
        filled_quantity=filled.filled_quantity,
        average_price=average,
        created_time_ms=created_time_ms,
        client_order_id=client_order_id,
        child_order_id=child_order_id,
        reason=reason,
    )


def progress_of(order: Order) -> tuple[object, ...]:
    """How far along it is. What only the stream has is when its frame came; a reply has 0 there."""
    rank = _RANK.get(order.status, _FINAL)
    return (rank == _FINAL, order.filled_quantity, rank, order.updated_time_ms or 0, order.received_ns > 0)


def folded(parent: Order, child: Order) -> Order:
    """A conditional order with what became of the order that its trigger made: both tell of the same order."""
    one = merged(parent, with_child(parent, child))
    # What closes a position, or takes its price from the book, has amount and price once it is triggered.
    return replace(one, quantity=one.quantity or child.quantity, price=child.price if one.price is None else one.price)


def may_have_made(parent: Order, child: Order) -> bool:
    """Whether an order with the client id of a conditional one may be what that one's trigger made, of which the venue
    has not said so: it may as well be another one with the same client id."""
    return (
        parent.is_conditional
        and not child.is_conditional
        and parent.status in _MAY_HAVE_TRIGGERED
        and parent.child_order_id is None
        and parent.side is child.side
        and parent.position_side is child.position_side
        and (parent.close_position or parent.quantity == child.quantity)
        and (parent.type in AT_MARKET) is (child.type in AT_MARKET)
        and (parent.price is None or child.price is None or parent.price == child.price)
    )


def was_heard(heard: Order, said: Order) -> bool:
    """Whether it is nothing new to who has heard that."""
    if heard.status.is_final:
        return said.filled_quantity <= heard.filled_quantity
    heard_ms, said_ms = heard.updated_time_ms or 0, said.updated_time_ms or 0
    if not differ(heard, said, TOLD):
        return said_ms <= heard_ms
    progress, said_progress = progress_of(heard), progress_of(said)
    if heard_ms - said_ms > STEP_MS:
        # By another clock: one socket keeps the order.
        progress, said_progress = progress[:TIMELESS], said_progress[:TIMELESS]
    return said_progress < progress
