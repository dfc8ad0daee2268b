"""Ordinary orders and their fills, from the venue's words to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from perpwire.errors import APIError
from perpwire.http_message import HttpReply
from perpwire.model.order import Fill, Order, with_unknown_words
from perpwire.venues.base import Endpoint
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.refusals import is_success, refusal
from perpwire.venues.binance_futures.translate_words import (
    SIDES,
    STATUSES,
    TYPES,
    VENUE,
    ZERO,
    needed,
    number,
    order_status,
    order_type,
    position_side,
    side,
    time_in_force,
    trade_prevention,
    words,
)


def order(order: wire.Order) -> Order:
    updated_ms = order.update_time or None
    filled = number(order.executed_qty)
    made = Order(
        venue=VENUE,
        symbol=order.symbol,
        venue_time_ms=updated_ms or 0,
        order_id=str(order.order_id),
        client_order_id=order.client_order_id or "",
        # What is simple is done right here: a call takes longer than the rest of it.
        side=SIDES.get(order.side) or side(order.side),
        type=TYPES.get(order.type) or order_type(order.type),
        status=STATUSES.get(order.status) or order_status(order.status),
        time_in_force=time_in_force(order.time_in_force),
        price=number(order.price) or None,
        quantity=needed(order.orig_qty, "quantity"),
        filled_quantity=ZERO if filled is None else filled,
        average_price=number(order.avg_price) or None,
        reduce_only=bool(order.reduce_only),
        position_side=position_side(order.position_side),
        created_time_ms=order.time or None,
        updated_time_ms=updated_ms,
        expires_time_ms=order.good_till_date or None,
        self_trade_prevention=trade_prevention(order.self_trade_prevention_mode),
        reason=order.status if order.status == "EXPIRED_IN_MATCH" else "",
    )
    return with_unknown_words(made, status=order.status, kind=order.type, time_in_force=words(order.time_in_force))


def orders(rows: Sequence[wire.Order]) -> tuple[Order, ...]:
    return tuple(order(row) for row in rows)


_decode_order = msgspec.json.Decoder(wire.Order).decode


def batch(endpoint: Endpoint, asked: int, rows: Sequence[msgspec.Raw]) -> tuple[Order | APIError, ...]:
    """What became of each order of a batch, in the order in which they were named.

    Args:
        endpoint: The call for a single order, by which refusals are judged.
        asked: How many there were.

    Raises:
        ValueError: There is not one answer for each.
    """
    if len(rows) != asked:
        raise ValueError(f"{len(rows)} answers for {asked} orders")
    return tuple(_slot(endpoint, bytes(row)) for row in rows)


def _slot(endpoint: Endpoint, body: bytes) -> Order | APIError:
    reply = HttpReply(status=200, headers={}, body=body)
    if is_success(reply):
        return order(_decode_order(body))
    return refusal(endpoint, msgspec.structs.replace(reply, status=400))


def fill(trade: wire.UserTrade, parents: Mapping[str, Order] | None = None) -> Fill:
    """
    Args:
        parents: Conditional orders by the id of the order that each has become: their fills are told as theirs.
    """
    parent = (parents or {}).get(str(trade.order_id))
    return Fill(
        venue=VENUE,
        symbol=trade.symbol,
        venue_time_ms=trade.time,
        trade_id=str(trade.id),
        order_id=str(trade.order_id) if parent is None else parent.order_id,
        client_order_id="" if parent is None else parent.client_order_id,
        side=side(trade.side),
        price=needed(trade.price, "price"),
        quantity=needed(trade.qty, "quantity"),
        fee=number(trade.commission),
        fee_asset=words(trade.commission_asset),
        realized_pnl=number(trade.realized_pnl),
        is_maker=bool(trade.maker),
        position_side=position_side(trade.position_side),
    )
