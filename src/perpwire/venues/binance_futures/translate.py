"""Between the venue's words and the model, both ways; one small function each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import UnsetType

from perpwire.errors import BadInput
from perpwire.model.account import AccountInfo, Balance, Position
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookSnapshot, Event, Level, MarkPrice
from perpwire.model.order import Fill, Order, OrderRequest, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.venues.binance_futures import wire, wire_streams, wire_user

VENUE = "binance"

_STATUSES = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,  # by self-trade prevention
    # Of orders that the venue makes: a liquidation taken over by the insurance fund or by deleveraging.
    "NEW_INSURANCE": OrderStatus.NEW,
    "NEW_ADL": OrderStatus.NEW,
}

_TYPES = {kind.value: kind for kind in OrderType}

_TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.POST_ONLY,
    "GTD": TimeInForce.GTD,
    "RPI": TimeInForce.RPI,
}
_TIMES_IN_FORCE_OUT = {ours: venue for venue, ours in _TIMES_IN_FORCE.items()}

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

_CLIENT_ORDER_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


# --- numbers and words ------------------------------------------------------------------------------------------------


def number(text: wire.Number) -> Decimal | None:
    """A decimal text, or None where it is absent, null or empty.

    Raises:
        ValueError: No finite number.
    """
    if not text:
        return None
    # InvalidOperation is an ArithmeticError, which nobody expects of a decoder.
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = None
    if value is None or not value.is_finite():
        raise ValueError(f"{text!r} is no number")
    return value


def needed(text: wire.Number, name: str) -> Decimal:
    """A decimal text that can't be missing.

    Raises:
        ValueError: It is missing, or no number.
    """
    value = number(text)
    if value is None:
        raise ValueError(f"{name} is missing")
    return value


def or_zero(text: wire.Number) -> Decimal:
    """A decimal text; 0 where it is absent, null or empty."""
    value = number(text)
    return Decimal(0) if value is None else value


def above_zero(text: wire.Number) -> Decimal | None:
    """Where the venue writes 0 for "there is none"."""
    return number(text) or None


def time_ms(value: wire.Int) -> int | None:
    """A time, or None where it is absent, null or 0."""
    return value or None


def words(text: wire.Text) -> str:
    return text or ""


def order_status(text: str) -> OrderStatus:
    """
    Raises:
        ValueError: A status that is not known: to guess at it could lose an order.
    """
    status = _STATUSES.get(text)
    if status is None:
        raise ValueError(f"unknown order status {text!r}")
    return status


def order_type(text: str) -> OrderType:
    return _TYPES.get(text, OrderType.UNKNOWN)


def time_in_force(text: wire.Text) -> TimeInForce:
    return _TIMES_IN_FORCE.get(words(text), TimeInForce.UNKNOWN)


def position_side(text: wire.Text) -> PositionSide:
    return PositionSide(text) if text else PositionSide.BOTH


# --- reference and market data ----------------------------------------------------------------------------------------


def instruments(info: wire.ExchangeInfo) -> tuple[Instrument, ...]:
    return tuple(instrument(symbol) for symbol in info.symbols)


def instrument(info: wire.SymbolInfo) -> Instrument:
    """Filters that are missing, or switched off by a 0, bound nothing."""
    rules = {rule.filter_type: rule for rule in info.filters}
    nothing = wire.Filter(filter_type="")
    price = rules.get("PRICE_FILTER", nothing)
    lot = rules.get("LOT_SIZE", nothing)
    market_lot = rules.get("MARKET_LOT_SIZE", nothing)
    notional = rules.get("MIN_NOTIONAL", nothing)
    return Instrument(
        venue=VENUE,
        symbol=info.symbol,
        base=info.base_asset,
        quote=info.quote_asset,
        settle=info.margin_asset,
        is_trading=info.status == "TRADING",
        tick_size=or_zero(price.tick_size),
        min_price=above_zero(price.min_price),
        max_price=above_zero(price.max_price),
        quantity_step=or_zero(lot.step_size),
        min_quantity=or_zero(lot.min_qty),
        max_quantity=above_zero(lot.max_qty),
        max_market_quantity=above_zero(market_lot.max_qty),
        min_notional=above_zero(notional.notional),
    )


def levels(rows: Sequence[wire.WireLevel]) -> tuple[Level, ...]:
    return tuple((needed(price, "price"), needed(quantity, "quantity")) for price, quantity in rows)


def book_snapshot(symbol: str, depth: wire.Depth) -> BookSnapshot:
    return BookSnapshot(
        venue=VENUE,
        symbol=symbol,
        venue_time_ms=time_ms(depth.transaction_time) or time_ms(depth.event_time) or 0,
        bids=levels(depth.bids),
        asks=levels(depth.asks),
        update_id=depth.last_update_id,
    )


def mark_price(update: wire_streams.MarkPriceUpdate, received_ns: int) -> MarkPrice:
    return MarkPrice(
        venue=VENUE,
        symbol=update.symbol,
        venue_time_ms=update.event_time,
        received_ns=received_ns,
        mark_price=needed(update.mark_price, "mark price"),
        index_price=number(update.index_price),
        funding_rate=number(update.funding_rate),
        next_funding_time_ms=time_ms(update.next_funding_time),
    )


# --- orders -----------------------------------------------------------------------------------------------------------


def order(order: wire.Order) -> Order:
    updated_ms = time_ms(order.update_time)
    return Order(
        venue=VENUE,
        symbol=order.symbol,
        venue_time_ms=updated_ms or 0,
        order_id=str(order.order_id),
        client_order_id=words(order.client_order_id),
        side=Side(order.side),
        type=order_type(order.type),
        status=order_status(order.status),
        time_in_force=time_in_force(order.time_in_force),
        price=above_zero(order.price),
        quantity=needed(order.orig_qty, "quantity"),
        filled_quantity=or_zero(order.executed_qty),
        average_price=above_zero(order.avg_price),
        reduce_only=bool(order.reduce_only),
        position_side=position_side(order.position_side),
        created_time_ms=time_ms(order.time),
        updated_time_ms=updated_ms,
        reason=order.status if order.status == "EXPIRED_IN_MATCH" else "",
    )


def orders(rows: Sequence[wire.Order]) -> tuple[Order, ...]:
    return tuple(order(row) for row in rows)


def order_params(request: OrderRequest) -> dict[str, Any]:
    """
    Raises:
        BadInput: Something that this call can't carry, or a client order id that the venue won't take.
    """
    extra = request.venue_params
    if request.type not in (OrderType.LIMIT, OrderType.MARKET):
        raise _bad(f"order type {request.type} can't be placed here: only LIMIT and MARKET", "BAD_ORDER_TYPE")
    if not _CLIENT_ORDER_ID.fullmatch(request.client_order_id):
        raise _bad(
            f"client order id {request.client_order_id!r} is not 1 to 36 letters, digits or any of . : / _ -",
            "BAD_CLIENT_ORDER_ID",
        )
    params: dict[str, Any] = {
        "symbol": request.symbol,
        "side": request.side.value,
        "type": request.type.value,
        "quantity": request.quantity,
        "newClientOrderId": request.client_order_id,
        # So that a market order's reply says what became of it; the venue's own default says NEW.
        "newOrderRespType": "RESULT",
    }
    if request.type is OrderType.LIMIT:
        if request.price is None and "priceMatch" not in extra:
            raise _bad("a limit order needs a price", "NO_PRICE")
        params["price"] = request.price
        params["timeInForce"] = _time_in_force_out(request.time_in_force or TimeInForce.GTC)
    if request.reduce_only:
        params["reduceOnly"] = True
    if request.position_side is not PositionSide.BOTH:
        params["positionSide"] = request.position_side.value
    params.update(extra)
    return params


def amend_params(order: Order, price: Decimal | None, quantity: Decimal | None) -> dict[str, Any]:
    """The venue wants price and quantity both; what is not to change is sent as it is.

    Raises:
        BadInput: The order has no price, nor was one given.
    """
    new_price = order.price if price is None else price
    if new_price is None:
        raise BadInput("only a limit order can be amended", venue=VENUE, call="amend_order", code="NO_PRICE")
    return {
        "symbol": order.symbol,
        "side": order.side.value,
        **order_key("amend_order", order.order_id, order.client_order_id),
        "quantity": order.quantity if quantity is None else quantity,
        "price": new_price,
    }


def order_key(call: str, order_id: str | None, client_order_id: str | None) -> dict[str, Any]:
    """Which order is meant.

    Raises:
        BadInput: Neither id is given.
    """
    if order_id:
        return {"orderId": order_id}
    if client_order_id:
        return {"origClientOrderId": client_order_id}
    raise BadInput("order_id or client_order_id is needed", venue=VENUE, call=call, code="NO_ORDER_ID")


def _time_in_force_out(ours: TimeInForce) -> str:
    text = _TIMES_IN_FORCE_OUT.get(ours)
    if text is None:
        raise _bad(f"the venue has no time in force {ours}", "BAD_TIME_IN_FORCE")
    return text


def _bad(reason: str, code: str) -> BadInput:
    return BadInput(reason, venue=VENUE, call="place_order", code=code)


# --- account ----------------------------------------------------------------------------------------------------------


def account(account: wire.Account) -> AccountInfo:
    return AccountInfo(
        venue=VENUE,
        wallet_balance=needed(account.total_wallet_balance, "wallet balance"),
        unrealized_pnl=needed(account.total_unrealized_profit, "unrealised profit"),
        equity=needed(account.total_margin_balance, "margin balance"),
        available_balance=needed(account.available_balance, "available balance"),
        initial_margin=needed(account.total_initial_margin, "initial margin"),
        maintenance_margin=needed(account.total_maint_margin, "maintenance margin"),
        balances=tuple(balance(asset) for asset in account.assets),
    )


def balance(asset: wire.AccountAsset) -> Balance:
    return Balance(
        venue=VENUE,
        venue_time_ms=time_ms(asset.update_time) or 0,
        asset=asset.asset,
        wallet=needed(asset.wallet_balance, "wallet balance"),
        available=number(asset.available_balance),
        unrealized_pnl=number(asset.unrealized_profit),
    )


def positions(rows: Sequence[wire.PositionRisk]) -> tuple[Position, ...]:
    return tuple(position(row) for row in rows)


def open_positions(rows: Sequence[wire.PositionRisk]) -> tuple[Position, ...]:
    """The venue also lists symbols where only orders are open."""
    return tuple(one for one in positions(rows) if one.quantity)


def position(risk: wire.PositionRisk) -> Position:
    quantity = needed(risk.position_amt, "position amount")
    unrealized = number(risk.un_realized_profit)
    return Position(
        venue=VENUE,
        symbol=risk.symbol,
        venue_time_ms=time_ms(risk.update_time) or 0,
        quantity=quantity,
        entry_price=number(risk.entry_price) if quantity else None,
        position_side=position_side(risk.position_side),
        mark_price=number(risk.mark_price),
        unrealized_pnl=number(risk.unrealized_profit) if unrealized is None else unrealized,
        liquidation_price=above_zero(risk.liquidation_price),
        leverage=number(risk.leverage),
        margin_mode=margin_mode(risk.margin_type),
    )


def margin_mode(text: wire.Text) -> str | None:
    """The venue writes cross, crossed and isolated, in any case."""
    lower = words(text).lower()
    return "cross" if lower == "crossed" else lower or None


# --- private stream ---------------------------------------------------------------------------------------------------


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
        reason=_expiry_reason(changed),
    )
    last_quantity = number(changed.last_quantity)
    if changed.execution_type not in ("TRADE", "CALCULATED") or not last_quantity:
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
    )
    return (order, fill)


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
            )
        )
    return tuple(events)
