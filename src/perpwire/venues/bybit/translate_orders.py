"""Orders and fills, between wire and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.errors import APIError, BadInput, NotOffered, OutcomeUnknown, UnknownOrder
from perpwire.model.numbers import exact, plain
from perpwire.model.order import (
    AT_MARKET,
    CONDITIONAL,
    FastFill,
    Fill,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    TimeInForce,
    with_unknown_words,
)
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.translate import (
    NAME,
    POSITION_INDEXES,
    SIDE_TEXTS,
    STATUSES,
    TIME_IN_FORCE_TEXTS,
    TIMES_IN_FORCE,
    TRIGGER_BY_TEXTS,
    TRIGGERS_BY,
    ZERO,
    milliseconds,
    number,
    optional,
    position_side_of,
    positive,
    settle_coin,
    side_of,
    stated,
)

RISES, FALLS = 1, 2
"""triggerDirection: the trigger price is reached by a rise, or by a fall."""

OWN_WAY = {"Buy": RISES, "Sell": FALLS}
"""A stop waits for the price to move the way it then trades; a take-profit for the opposite."""

FILL_TYPES = frozenset({"Trade", "AdlTrade", "BustTrade", "BlockTrade", "MovePosition", "FutureSpread"})
"""execTypes that trade a quantity."""

BOOKING_TYPES = frozenset({"Funding", "Settle", "SessionSettlePnL", "Delivery", "UNKNOWN"})
"""execTypes that only book cash. What is in neither list counts as a fill: a position could be wrong without it."""

PLACED = frozenset({OrderType.LIMIT, OrderType.MARKET, *CONDITIONAL} - {OrderType.TRAILING_STOP_MARKET})

_LIMIT, _MARKET, _TRAILING = OrderType.LIMIT, OrderType.MARKET, OrderType.TRAILING_STOP_MARKET
_GTD, _PENDING_NEW = TimeInForce.GTD, OrderStatus.PENDING_NEW
"""To look up a member of an enumeration takes as long as to multiply."""

# --- from the wire --------------------------------------------------------------------------------------------------


def order_type_of(row: wire.OrderRow) -> OrderType:
    market = row.orderType == "Market"
    if not market and row.orderType != "Limit":
        return OrderType.UNKNOWN
    made = (row.createType or "").removeprefix("CreateBy")
    if made.startswith(("Liq", "TakeOver")):
        return OrderType.LIQUIDATION
    kind = row.stopOrderType or ""
    if kind in ("", "UNKNOWN"):
        # The exit of a position names its kind here at least; a conditional order of the user's has its trigger.
        kind = made if made.endswith(("TakeProfit", "StopLoss", "TrailingStop", "TrailingProfit")) else ""
        if not kind and row.triggerDirection and positive(row.triggerPrice):
            kind = "Stop"
    if kind.startswith("Trailing"):
        return OrderType.TRAILING_STOP_MARKET
    if kind == "Stop":
        kind = "StopLoss" if row.triggerDirection in (None, 0, OWN_WAY.get(row.side)) else "TakeProfit"
    if kind.endswith("StopLoss"):
        return OrderType.STOP_MARKET if market else OrderType.STOP
    if kind.endswith("TakeProfit"):
        return OrderType.TAKE_PROFIT_MARKET if market else OrderType.TAKE_PROFIT
    return OrderType.MARKET if market else OrderType.LIMIT


def _reason(row: wire.OrderRow) -> str:
    """Why it ended: the reject reason where it says something, else the kind of cancel."""
    if row.rejectReason not in (None, "", "EC_NoError", "UNKNOWN"):
        return row.rejectReason
    return "" if row.cancelType in (None, "", "UNKNOWN") else row.cancelType


def _filled(row: wire.OrderRow) -> Decimal:
    """Where it is not said: all of a filled order; of one that is filled in part nothing may be guessed."""
    if row.cumExecQty or not row.orderStatus.startswith(("Filled", "PartiallyFilled")):
        return stated(row.cumExecQty)
    if row.orderStatus != "Filled":
        raise ValueError(f"an order is {row.orderStatus}, and how far is not said")
    return number(row.qty)


def order(row: wire.OrderRow) -> Order:
    """One order, of a reply or a push. A market order's price on the wire is a protective bound: None here.

    A conditional order is one order all its life: its id and its type stay when it has been triggered.
    """
    status = STATUSES.get(row.orderStatus, OrderStatus.UNKNOWN)
    updated = milliseconds(row.updatedTime)
    kind = order_type_of(row)
    conditional = kind in CONDITIONAL
    made = Order(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=updated or 0,
        order_id=row.orderId,
        client_order_id=row.orderLinkId or "",
        side=side_of(row.side),
        type=kind,
        status=status,
        time_in_force=TIMES_IN_FORCE.get(row.timeInForce or "", TimeInForce.UNKNOWN),
        price=None if row.orderType == "Market" else positive(row.price),
        quantity=stated(row.qty),  # an exit for a whole position has no quantity of its own
        filled_quantity=_filled(row),
        average_price=positive(row.avgPrice),
        reduce_only=bool(row.reduceOnly),
        position_side=position_side_of(row.positionIdx),
        trigger_price=positive(row.triggerPrice) if conditional else None,
        trigger_by=TRIGGERS_BY.get(row.triggerBy or "") if conditional else None,
        # Exits of a part of a position have the same flags; a user's own order with a quantity has not.
        close_position=conditional
        and bool(row.reduceOnly and row.closeOnTrigger)
        and not (row.stopOrderType or "").startswith("Partial"),
        take_profit=positive(row.takeProfit),
        stop_loss=positive(row.stopLoss),
        self_trade_prevention="" if row.smpType in (None, "None", "UNKNOWN") else row.smpType,
        created_time_ms=milliseconds(row.createdTime),
        updated_time_ms=updated,
        reason=_reason(row) if status in (OrderStatus.CANCELED, OrderStatus.REJECTED) else "",
    )
    return with_unknown_words(
        made,
        status=row.orderStatus,
        kind=f"{row.orderType} {row.stopOrderType or ''}".rstrip(),
        time_in_force=row.timeInForce,
    )


def orders(page: wire.Page[wire.OrderRow]) -> tuple[Order, ...]:
    return tuple(map(order, page.rows or ()))


def one_order(page: wire.Page[wire.OrderRow]) -> Order:
    """The order that was asked for by id.

    Raises:
        UnknownOrder: The venue answers an unknown id by an empty list.
    """
    if not page.rows:
        raise UnknownOrder("the venue lists no order with this id", venue=NAME, call="get_order", code=110001)
    return order(page.rows[0])


# --- to the wire ----------------------------------------------------------------------------------------------------


def order_params(request: OrderRequest) -> dict[str, Any]:
    """The parameters of order/create. The caller's venue_params win.

    Raises:
        NotOffered: The venue has no such order.
        BadInput: What is asked for does not go together.
    """
    _check_kind(request)
    at_market = request.type in AT_MARKET
    params: dict[str, Any] = {
        "category": "linear",
        "symbol": request.symbol,
        "side": SIDE_TEXTS[request.side],
        "orderType": "Market" if at_market else "Limit",
        # Quantity 0 stands for all that the position is when it is triggered.
        "qty": "0" if request.close_position else plain(request.quantity),
    }
    if request.price is not None and not at_market:
        params["price"] = plain(request.price)
    # A market order is always immediate-or-cancel here.
    time_in_force = "IOC" if at_market else _time_in_force_text(request)
    if time_in_force is not None:
        params["timeInForce"] = time_in_force
    params["orderLinkId"] = request.client_order_id
    params["positionIdx"] = POSITION_INDEXES[request.position_side]
    if request.reduce_only or request.close_position:
        params["reduceOnly"] = True
    if request.close_position:
        params["closeOnTrigger"] = True
    if request.type in CONDITIONAL:
        params |= _trigger_params(request)
    if request.take_profit is not None or request.stop_loss is not None:
        params |= _exit_params(request)
    if request.venue_params:
        params |= request.venue_params
        params = {name: value for name, value in params.items() if value is not None}
    if "price" not in params and params["orderType"] == "Limit" and "bboSideType" not in params:
        raise _bad("NO_PRICE", "a limit order needs a price (or bboSideType and bboLevel)")
    return params


def _check_kind(request: OrderRequest) -> None:
    if request.type is _TRAILING:
        raise _not_offered(
            "a trailing stop is no order here, but belongs to a position",
            "Set it for the position: call('POST', '/v5/position/trading-stop', ...) with trailingStop.",
        )
    if request.type not in PLACED:
        raise _bad("BAD_ORDER_TYPE", f"orders of type {request.type} can't be placed here")
    if request.time_in_force is _GTD or request.expires_time_ms is not None:
        raise _not_offered("orders that expire at a given time do not exist here", "Cancel it yourself in time.")


def _trigger_params(request: OrderRequest) -> dict[str, Any]:
    price = request.venue_params.get("triggerPrice", request.trigger_price)
    if price is None:
        raise _bad("NO_TRIGGER_PRICE", f"a {request.type} order needs a trigger_price (triggerPrice)")
    if request.trigger_rises is None:
        raise _bad("NO_TRIGGER_DIRECTION", f"it is not said which way the price must go for this {request.type} order")
    return {
        "triggerPrice": price,
        "triggerDirection": RISES if request.trigger_rises else FALLS,
        "triggerBy": TRIGGER_BY_TEXTS[request.trigger_by],
    }


def _exit_params(request: OrderRequest) -> dict[str, Any]:
    """Attached exits, at the market, for the whole position."""
    if request.is_closing:
        raise _bad("EXIT_OF_CLOSING_ORDER", "an order that only closes can't bring take_profit or stop_loss along")
    by = TRIGGER_BY_TEXTS[request.trigger_by]
    params: dict[str, Any] = {"tpslMode": "Full"}
    if request.take_profit is not None:
        params |= {"takeProfit": request.take_profit, "tpTriggerBy": by}
    if request.stop_loss is not None:
        params |= {"stopLoss": request.stop_loss, "slTriggerBy": by}
    return params


def _time_in_force_text(request: OrderRequest) -> str | None:
    if request.time_in_force is None:
        return None
    text = TIME_IN_FORCE_TEXTS.get(request.time_in_force)
    if text is None:
        raise _bad("BAD_TIME_IN_FORCE", f"time in force {request.time_in_force} does not exist here")
    return text


def order_to_be(params: Mapping[str, Any], request: OrderRequest) -> Order:
    """The order as it will stand once it is acknowledged, without the venue's id: taken in, nothing known of what
    became of it. Built from what is sent, before it is sent.

    Raises:
        BadInput: A number among the caller's venue_params can't be read.
    """
    market = params["orderType"] == "Market"
    price = None if market else request.price
    quantity, trigger_price = request.quantity, request.trigger_price
    if request.venue_params:
        price = None if market else _number(params, "price")
        quantity, trigger_price = _number(params, "qty") or ZERO, _number(params, "triggerPrice")
    kind = request.type
    if kind is _LIMIT or kind is _MARKET:
        kind = _MARKET if market else _LIMIT
    try:
        position_side = position_side_of(int(params["positionIdx"]))
        side = side_of(str(params["side"]))
    except (TypeError, ValueError) as error:
        raise _bad("BAD_PARAMETER", str(error)) from None
    return Order(
        venue=NAME,
        symbol=str(params["symbol"]),
        order_id="",
        client_order_id=str(params.get("orderLinkId", "")),
        side=side,
        type=kind,
        status=_PENDING_NEW,
        time_in_force=TIMES_IN_FORCE.get(str(params.get("timeInForce", "GTC")), TimeInForce.UNKNOWN),
        price=price,
        quantity=quantity,
        filled_quantity=ZERO,
        average_price=None,
        reduce_only=bool(params.get("reduceOnly", False)),
        position_side=position_side,
        trigger_price=trigger_price,
        trigger_by=TRIGGERS_BY.get(str(params.get("triggerBy"))),
        close_position=request.close_position,
        take_profit=request.take_profit,
        stop_loss=request.stop_loss,
    )


def _number(params: Mapping[str, Any], name: str) -> Decimal | None:
    return exact(params[name], name) if name in params else None


def acknowledged(expected: Order, ids: wire.OrderIds) -> Order:
    """What order_to_be expected, with the id that the venue gave it."""
    return msgspec.structs.replace(expected, order_id=ids.orderId)


# --- batches --------------------------------------------------------------------------------------------------------


def slots(reply: wire.Batch, size: int, call: str) -> tuple[wire.BatchRow | wire.BatchCode | OutcomeUnknown, ...]:
    """How each of `size` requests fared: the row of one that was taken, the code of one that was refused; and where
    the reply does not tell, that it does not."""
    rows, codes = reply.result.rows or [], reply.retExtInfo.rows or []
    found: list[wire.BatchRow | wire.BatchCode | OutcomeUnknown] = []
    for index in range(size):
        code = codes[index] if index < len(codes) else None
        if code is not None and code.code != 0:
            found.append(code)
        elif code is not None and index < len(rows) and rows[index].orderId:
            found.append(rows[index])
        else:
            found.append(OutcomeUnknown("the reply to the batch does not tell of it", venue=NAME, call=call))
    return tuple(found)


def client_ids_are_apart(requests: Sequence[OrderRequest]) -> None:
    """
    Raises:
        BadInput: Two orders of a batch have one client order id: which one was taken could not be told.
    """
    ids = [request.client_order_id for request in requests]
    if len(set(ids)) != len(ids):
        raise _bad("SAME_CLIENT_ORDER_ID", "two orders of a batch have the same client order id")


# --- fills ----------------------------------------------------------------------------------------------------------


def fill(row: wire.ExecutionPush | wire.ExecutionRow) -> Fill | None:
    """One execution, or None where the row trades no quantity (funding, settlement).

    The venue does not say whether it belongs to a hedge leg, so position_side is BOTH.
    """
    kind = row.execType
    if kind in BOOKING_TYPES:
        return None
    fee = optional(row.execFee)
    # Over REST the asset is mostly left empty: it is what the contract is settled in then.
    fee_asset = row.feeCurrency or ("" if fee is None else settle_coin(row.symbol))
    return Fill(
        **_execution(row),
        fee=fee,
        fee_asset=fee_asset,
        extra_fee=_extra_fee(row.extraFees, fee_asset),
        realized_pnl=optional(row.execPnl) if isinstance(row, wire.ExecutionPush) else None,
        unknown_words=() if not kind or kind in FILL_TYPES else (f"execution {kind}",),
    )


def fast_fill(row: wire.ExecutionPush) -> FastFill:
    """execution.fast: some milliseconds before the fill, with fewer fields."""
    return FastFill(**_execution(row))


def _execution(row: wire.ExecutionPush | wire.ExecutionRow) -> dict[str, Any]:
    """What both words on a fill have."""
    return {
        "venue": NAME,
        "symbol": row.symbol,
        "venue_time_ms": milliseconds(row.execTime) or 0,
        "trade_id": row.execId,
        "order_id": row.orderId,
        "client_order_id": row.orderLinkId or "",
        "side": side_of(row.side),
        "price": number(row.execPrice),
        "quantity": number(row.execQty),
        "is_maker": bool(row.isMaker),
    }


def _extra_fee(rows: object, asset: str) -> Decimal | None:
    """Of a list of fees (taxes) those in one asset; the venue also writes "" for none, and lists as texts."""
    if isinstance(rows, str):
        try:
            rows = msgspec.json.decode(rows) if rows else None
        except msgspec.DecodeError:
            return None
    if not isinstance(rows, list):
        return None
    amounts = [
        number(str(one["fee"]))
        for one in rows
        if isinstance(one, dict) and one.get("fee") and one.get("feeCoin") in (asset, "", None)
    ]
    return sum(amounts, ZERO) if amounts else None


def fills(page: wire.Page[wire.ExecutionRow]) -> tuple[Fill, ...]:
    """The executions of a page that traded something."""
    return tuple(one for one in map(fill, page.rows or ()) if one is not None)


def _bad(code: str, reason: str) -> BadInput:
    return BadInput(reason, venue=NAME, call="place_order", code=code)


def _not_offered(reason: str, advice: str) -> APIError:
    return NotOffered(reason, venue=NAME, call="place_order", code="NOT_OFFERED", advice=advice)
