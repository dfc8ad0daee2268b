"""Events of the private stream, from the venue's words to the model."""

from __future__ import annotations

from decimal import Decimal

from msgspec import UnsetType

from perpwire.model.account import AssetModeChanged, Balance, LeverageChanged, MarginCall, Position
from perpwire.model.market import Event
from perpwire.model.order import FastFill, Fill, Order, OrderStatus, Side, with_unknown_words
from perpwire.venues.binance_futures import wire_user
from perpwire.venues.binance_futures.order_params import ALGO
from perpwire.venues.binance_futures.translate_account import margin_mode
from perpwire.venues.binance_futures.translate_algo import algo_status, child_id, trigger_by
from perpwire.venues.binance_futures.translate_words import (
    VENUE,
    above_zero,
    needed,
    number,
    or_zero,
    order_status,
    order_type,
    position_side,
    time_in_force,
    time_ms,
    trade_prevention,
    words,
)

EXPIRY_REASONS = {
    "1": "self-trade prevention",
    "2": "immediate-or-cancel remainder",
    "3": "immediate-or-cancel remainder, self-trade prevention",
    "4": "reduce-only, behind others or reversing the position",
    "5": "account liquidated",
    "6": "good-till-expiry condition not met",
    "7": "symbol delisted",
    "8": "initial order expired after the stop was triggered",
    "9": "market order remainder",
}
"""`er` of ORDER_TRADE_UPDATE, in words."""


TRADED = frozenset({"TRADE", "CALCULATED"})
NOT_TRADED = frozenset({"NEW", "CANCELED", "EXPIRED", "AMENDMENT", "REJECTED", "REPLACED", "TRADE_PREVENTION"})
"""`x` of ORDER_TRADE_UPDATE: what happened to the order."""


def order_events(update: wire_user.OrderTradeUpdate, received_ns: int) -> tuple[Event, ...]:
    """The order as it is now, and the fill that made it so, where there is one."""
    changed = update.order
    updated_ms = time_ms(changed.trade_time)
    event_ms = time_ms(update.transaction_time) or updated_ms or 0
    order = Order(
        venue=VENUE,
        symbol=changed.symbol,
        venue_time_ms=event_ms,
        received_ns=received_ns,
        order_id=str(changed.order_id),
        client_order_id=words(changed.client_order_id),
        side=Side(changed.side),
        type=order_type(changed.type),
        status=order_status(changed.status),
        time_in_force=time_in_force(changed.time_in_force),
        price=above_zero(changed.price),
        quantity=needed(changed.quantity, "quantity"),
        filled_quantity=or_zero(changed.filled_quantity),
        average_price=above_zero(changed.average_price),
        reduce_only=bool(changed.reduce_only),
        position_side=position_side(changed.position_side),
        updated_time_ms=updated_ms,
        expires_time_ms=time_ms(changed.good_till_date),
        self_trade_prevention=trade_prevention(changed.stp_mode),
        reason=_expiry_reason(changed),
    )
    order = with_unknown_words(
        order, status=changed.status, kind=changed.type, time_in_force=words(changed.time_in_force)
    )
    last_quantity = number(changed.last_quantity)
    # A kind of execution that is not known, but has a quantity, must be one that trades it.
    if changed.execution_type in NOT_TRADED or not last_quantity:
        return (order,)
    fill = Fill(
        venue=VENUE,
        symbol=order.symbol,
        venue_time_ms=updated_ms or event_ms,
        received_ns=received_ns,
        trade_id=str(changed.trade_id or 0),
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        price=needed(changed.last_price, "last price"),
        quantity=last_quantity,
        fee=number(changed.fee),
        fee_asset=words(changed.fee_asset),
        realized_pnl=number(changed.realized_profit),
        is_maker=bool(changed.is_maker),
        position_side=order.position_side,
        unknown_words=() if changed.execution_type in TRADED else (f"execution {changed.execution_type}",),
    )
    return (order, fill)


def algo_event(update: wire_user.AlgoUpdate, received_ns: int) -> Order:
    """A conditional order as it is now. That it has FINISHED after its trigger says nothing of how: the order that it
    made tells that, and the amount filled is stated here at times as 0."""
    changed = update.order
    changed_ms = time_ms(update.transaction_time)
    quantity, filled = or_zero(changed.quantity), or_zero(changed.filled_quantity)
    child = child_id(changed.actual_order_id)
    status = algo_status(changed.status, quantity, filled)
    if status is OrderStatus.CANCELED and child is not None:
        status = OrderStatus.TRIGGERED
    order = Order(
        venue=VENUE,
        symbol=changed.symbol,
        venue_time_ms=changed_ms or 0,
        received_ns=received_ns,
        order_id=f"{ALGO}{changed.algo_id}",
        client_order_id=words(changed.client_algo_id),
        side=Side(changed.side),
        type=order_type(changed.type),
        status=status,
        time_in_force=time_in_force(changed.time_in_force),
        price=above_zero(changed.price),
        quantity=quantity,
        filled_quantity=filled,
        average_price=above_zero(changed.average_price) if filled else None,
        reduce_only=bool(changed.reduce_only),
        position_side=position_side(changed.position_side),
        trigger_price=above_zero(changed.trigger_price),
        trigger_by=trigger_by(changed.working_type),
        close_position=bool(changed.close_position),
        child_order_id=child,
        updated_time_ms=changed_ms,
        expires_time_ms=time_ms(changed.good_till_date),
        self_trade_prevention=trade_prevention(changed.stp_mode),
        reason=words(changed.reject_reason) if status is OrderStatus.REJECTED else "",
    )
    return with_unknown_words(
        order, status=changed.status, kind=changed.type, time_in_force=words(changed.time_in_force)
    )


def _expiry_reason(changed: wire_user.OrderUpdate) -> str:
    reason = changed.expiry_reason
    text = "" if reason is None or isinstance(reason, UnsetType) else str(reason)
    if text in ("", "0"):
        return changed.status if changed.status == "EXPIRED_IN_MATCH" else ""
    return EXPIRY_REASONS.get(text, f"expiry reason {text}")


def account_events(update: wire_user.AccountUpdate, received_ns: int) -> tuple[Event, ...]:
    """Balances, then positions: only those that changed."""
    event_ms = time_ms(update.transaction_time) or 0
    events: list[Event] = [
        Balance(
            venue=VENUE,
            venue_time_ms=event_ms,
            received_ns=received_ns,
            asset=changed.asset,
            wallet=needed(changed.wallet_balance, "wallet balance"),
        )
        for changed in update.change.balances or ()
    ]
    for moved in update.change.positions or ():
        quantity = needed(moved.quantity, "position amount")
        events.append(
            Position(
                venue=VENUE,
                symbol=moved.symbol,
                venue_time_ms=event_ms,
                received_ns=received_ns,
                quantity=quantity,
                entry_price=number(moved.entry_price) if quantity else None,
                position_side=position_side(moved.position_side),
                unrealized_pnl=number(moved.unrealized_profit),
                margin_mode=margin_mode(moved.margin_type),
                break_even_price=above_zero(moved.break_even_price),
                isolated_wallet=above_zero(moved.isolated_wallet),
            )
        )
    return tuple(events)


def fast_fill(said: wire_user.TradeLite, received_ns: int) -> FastFill:
    return FastFill(
        venue=VENUE,
        symbol=said.symbol,
        venue_time_ms=said.trade_time,
        received_ns=received_ns,
        trade_id=str(said.trade_id),
        order_id=str(said.order_id),
        client_order_id=said.client_order_id,
        side=Side(said.side),
        price=needed(said.last_price, "last price"),
        quantity=needed(said.last_quantity, "last quantity"),
        is_maker=said.is_maker,
    )


def config_events(said: wire_user.AccountConfigUpdate, received_ns: int) -> tuple[Event, ...]:
    events: list[Event] = []
    if not isinstance(said.leverage, UnsetType):
        events.append(
            LeverageChanged(
                venue=VENUE,
                symbol=said.leverage.symbol,
                venue_time_ms=said.transaction_time,
                received_ns=received_ns,
                leverage=Decimal(said.leverage.leverage),
            )
        )
    if not isinstance(said.multi_assets, UnsetType):
        events.append(
            AssetModeChanged(
                venue=VENUE,
                venue_time_ms=said.transaction_time,
                received_ns=received_ns,
                multi_assets=said.multi_assets.is_on,
            )
        )
    return tuple(events)


def margin_calls(said: wire_user.MarginCall, received_ns: int) -> tuple[Event, ...]:
    """One for each position that is in question."""
    return tuple(
        MarginCall(
            venue=VENUE,
            symbol=called.symbol,
            venue_time_ms=said.event_time,
            received_ns=received_ns,
            quantity=needed(called.quantity, "position amount"),
            position_side=position_side(called.position_side),
            mark_price=needed(called.mark_price, "mark price"),
            unrealized_pnl=needed(called.unrealized_profit, "unrealized profit"),
            maintenance_margin=needed(called.maintenance_margin, "maintenance margin"),
            margin_mode=margin_mode(called.margin_type) or "",
            cross_wallet=number(said.cross_wallet),
        )
        for called in said.positions
    )
