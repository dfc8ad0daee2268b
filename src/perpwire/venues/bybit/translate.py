"""Between wire and model, both ways: one small function each.

What a venue may extend at will (order types, times in force) falls back to UNKNOWN. An order status, a side or a
position index that is not known raises ValueError: nothing may be guessed about what is owned or owed.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from perpwire.errors import BadInput, UnknownOrder
from perpwire.model.account import Position
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookSnapshot
from perpwire.model.numbers import exact
from perpwire.model.order import Fill, Order, OrderRequest, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.venues.bybit import wire

NAME = "bybit"
ZERO = Decimal(0)

SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
SIDE_TEXTS = {side: text for text, side in SIDES.items()}

STATUSES = {
    "New": OrderStatus.NEW,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Untriggered": OrderStatus.UNTRIGGERED,
    "Triggered": OrderStatus.PENDING_NEW,  # between Untriggered and New
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,  # cancelled before it was triggered
    "Rejected": OrderStatus.REJECTED,
    # Of earlier API versions; other connectors still expect them.
    "Created": OrderStatus.PENDING_NEW,
    "Active": OrderStatus.NEW,
    "PendingCancel": OrderStatus.NEW,  # it can still be filled
}

TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "PostOnly": TimeInForce.POST_ONLY,
    "RPI": TimeInForce.RPI,
}
TIME_IN_FORCE_TEXTS = {kind: text for text, kind in TIMES_IN_FORCE.items()}

POSITION_SIDES = {0: PositionSide.BOTH, 1: PositionSide.LONG, 2: PositionSide.SHORT}
POSITION_INDEXES = {side: index for index, side in POSITION_SIDES.items()}

RISES, FALLS = 1, 2
"""triggerDirection: the trigger price is reached by a rise, or by a fall."""

TRIGGERED_TYPES = {
    OrderType.STOP: ("Limit", {Side.BUY: RISES, Side.SELL: FALLS}),
    OrderType.STOP_MARKET: ("Market", {Side.BUY: RISES, Side.SELL: FALLS}),
    OrderType.TAKE_PROFIT: ("Limit", {Side.BUY: FALLS, Side.SELL: RISES}),
    OrderType.TAKE_PROFIT_MARKET: ("Market", {Side.BUY: FALLS, Side.SELL: RISES}),
}
"""A stop waits for the price to move the way it then trades; a take-profit for the opposite."""

FILL_TYPES = frozenset({"Trade", "AdlTrade", "BustTrade", "BlockTrade", "MovePosition", "FutureSpread"})
"""execTypes that trade a quantity; the others (Funding, Settle, SessionSettlePnL, Delivery ...) only book cash."""


# --- small parts --------------------------------------------------------------------------------------------------


def number(text: str) -> Decimal:
    """An amount on the wire; scientific notation occurs.

    Raises:
        ValueError: Not a finite number.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not finite")
    return value


def optional(text: str | None) -> Decimal | None:
    """An amount that may be "", null or absent, all meaning "not stated"."""
    return number(text) if text else None


def stated(text: str | None) -> Decimal:
    """An amount that is 0 where it is not stated."""
    return number(text) if text else ZERO


def milliseconds(value: str | int | None) -> int | None:
    return int(value) if value else None


def positive(text: str | None) -> Decimal | None:
    """A price that may be "not stated": the venue says so by "", null or 0."""
    value = optional(text)
    return value or None


def side_of(text: str | None) -> Side:
    try:
        return SIDES[text or ""]
    except KeyError:
        raise ValueError(f"side {text!r} is not known") from None


def position_side_of(index: int | None) -> PositionSide:
    try:
        return POSITION_SIDES[index or 0]
    except KeyError:
        raise ValueError(f"positionIdx {index!r} is not known") from None


def order_type_of(row: wire.OrderRow) -> OrderType:
    market = row.orderType == "Market"
    if not market and row.orderType != "Limit":
        return OrderType.UNKNOWN
    kind = row.stopOrderType or ""
    if (row.createType or "").startswith(("CreateByLiq", "CreateByTakeOver")):
        return OrderType.LIQUIDATION
    if kind == "TrailingStop":
        return OrderType.TRAILING_STOP_MARKET
    if kind == "Stop":
        waits_for_its_own_way = row.triggerDirection == (RISES if row.side == "Buy" else FALLS)
        kind = "StopLoss" if waits_for_its_own_way or not row.triggerDirection else "TakeProfit"
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


# --- orders -------------------------------------------------------------------------------------------------------


def order(row: wire.OrderRow) -> Order:
    """One order, of a reply or a push. A market order's price on the wire is a protective bound: None here."""
    status = STATUSES.get(row.orderStatus)
    if status is None:
        raise ValueError(f"order status {row.orderStatus!r} is not known")
    updated = milliseconds(row.updatedTime)
    return Order(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=updated or 0,
        order_id=row.orderId,
        client_order_id=row.orderLinkId or "",
        side=side_of(row.side),
        type=order_type_of(row),
        status=status,
        time_in_force=TIMES_IN_FORCE.get(row.timeInForce or "", TimeInForce.UNKNOWN),
        price=None if row.orderType == "Market" else positive(row.price),
        quantity=stated(row.qty),  # an exit for a whole position has no quantity of its own
        filled_quantity=stated(row.cumExecQty),
        average_price=positive(row.avgPrice),
        reduce_only=bool(row.reduceOnly),
        position_side=position_side_of(row.positionIdx),
        created_time_ms=milliseconds(row.createdTime),
        updated_time_ms=updated,
        reason=_reason(row) if status in (OrderStatus.CANCELED, OrderStatus.REJECTED) else "",
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


def order_params(request: OrderRequest) -> dict[str, Any]:
    """The parameters of order/create. The caller's venue_params win.

    Raises:
        BadInput: The venue has no such order.
    """
    params: dict[str, Any] = {
        "category": "linear",
        "symbol": request.symbol,
        "side": SIDE_TEXTS[request.side],
        "orderType": "Market" if request.type is OrderType.MARKET else "Limit",
        "qty": request.quantity,
        "price": request.price,
        "timeInForce": _time_in_force_text(request),
        "orderLinkId": request.client_order_id,
    }
    if request.reduce_only:
        params["reduceOnly"] = True
    if request.position_side is not PositionSide.BOTH:
        params["positionIdx"] = POSITION_INDEXES[request.position_side]
    if request.type in TRIGGERED_TYPES:
        if "triggerPrice" not in request.venue_params:
            raise _bad("NO_TRIGGER_PRICE", f"a {request.type} order needs triggerPrice")
        params["orderType"], directions = TRIGGERED_TYPES[request.type]
        params["triggerDirection"] = directions[request.side]
    elif request.type not in (OrderType.LIMIT, OrderType.MARKET):
        raise _bad("BAD_ORDER_TYPE", f"orders of type {request.type} can't be placed here")
    if params["orderType"] == "Market":
        params["price"] = None
        params["timeInForce"] = "IOC"  # a market order is always immediate-or-cancel here
    params.update(request.venue_params)
    return {name: value for name, value in params.items() if value is not None}


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
    price = params.get("price")
    kind = request.type
    if kind in (OrderType.LIMIT, OrderType.MARKET):
        kind = OrderType.MARKET if market else OrderType.LIMIT
    try:
        position_side = position_side_of(int(params.get("positionIdx", 0)))
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
        status=OrderStatus.PENDING_NEW,
        time_in_force=TIMES_IN_FORCE.get(str(params.get("timeInForce", "GTC")), TimeInForce.UNKNOWN),
        price=None if price is None or market else exact(price, "price"),
        quantity=exact(params["qty"], "qty"),
        filled_quantity=ZERO,
        average_price=None,
        reduce_only=bool(params.get("reduceOnly", False)),
        position_side=position_side,
    )


def acknowledged(expected: Order, ids: wire.OrderIds) -> Order:
    """What order_to_be expected, with the id that the venue gave it."""
    return msgspec.structs.replace(expected, order_id=ids.orderId)


def fill(row: wire.ExecutionPush | wire.ExecutionRow) -> Fill | None:
    """One execution, or None where the row trades no quantity (funding, settlement).

    The venue does not say whether it belongs to a hedge leg, so position_side is BOTH.
    """
    if row.execType not in FILL_TYPES:
        return None
    return Fill(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=milliseconds(row.execTime) or 0,
        trade_id=row.execId,
        order_id=row.orderId,
        client_order_id=row.orderLinkId or "",
        side=side_of(row.side),
        price=number(row.execPrice),
        quantity=number(row.execQty),
        fee=optional(row.execFee),
        fee_asset=row.feeCurrency or "",
        realized_pnl=optional(row.execPnl) if isinstance(row, wire.ExecutionPush) else None,
        is_maker=bool(row.isMaker),
    )


# --- positions ------------------------------------------------------------------------------------------------------


def position(row: wire.PositionRow | wire.PositionPush) -> Position:
    entry = row.avgPrice if isinstance(row, wire.PositionRow) else row.entryPrice
    size = stated(row.size)
    # copy_negate, since a minus sign would round to 28 digits.
    quantity = size.copy_negate() if size and side_of(row.side) is Side.SELL else size
    return Position(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=milliseconds(row.updatedTime) or 0,
        quantity=quantity,
        entry_price=positive(entry) if size else None,
        position_side=position_side_of(row.positionIdx),
        mark_price=positive(row.markPrice),
        unrealized_pnl=optional(row.unrealisedPnl),
        liquidation_price=positive(row.liqPrice),
        leverage=positive(row.leverage),
    )


def positions(page: wire.Page[wire.PositionRow]) -> tuple[Position, ...]:
    return tuple(map(position, page.rows or ()))


# --- market -------------------------------------------------------------------------------------------------------


def server_time(reply: wire.ServerTime) -> int:
    return int(reply.timeNano) // 1_000_000


def instruments(page: wire.Page[wire.InstrumentRow]) -> tuple[Instrument, ...]:
    """The perpetuals of a page; dated futures are left out."""
    return tuple(instrument(row) for row in page.rows or () if row.contractType == "LinearPerpetual")


def instrument(row: wire.InstrumentRow) -> Instrument:
    prices, lots = row.priceFilter, row.lotSizeFilter
    return Instrument(
        venue=NAME,
        symbol=row.symbol,
        base=row.baseCoin or "",
        quote=row.quoteCoin or "",
        settle=row.settleCoin or "",
        is_trading=row.status == "Trading",
        tick_size=stated(prices.tickSize),
        min_price=optional(prices.minPrice),
        max_price=optional(prices.maxPrice),
        quantity_step=stated(lots.qtyStep),
        min_quantity=stated(lots.minOrderQty),
        max_quantity=optional(lots.maxOrderQty),
        max_market_quantity=optional(lots.maxMktOrderQty),
        min_notional=optional(lots.minNotionalValue),
        funding_interval_s=row.fundingInterval * 60 if row.fundingInterval else None,
    )


def book(reply: wire.BookReply[Decimal]) -> BookSnapshot:
    return BookSnapshot(
        venue=NAME,
        symbol=reply.s,
        venue_time_ms=reply.cts or reply.ts,
        bids=reply.b,
        asks=reply.a,
        update_id=reply.u,
    )


def _bad(code: str, reason: str) -> BadInput:
    return BadInput(reason, venue=NAME, call="place_order", code=code)
