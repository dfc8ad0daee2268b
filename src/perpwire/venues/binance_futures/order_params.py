"""Orders as the venue's calls want them: from the model to parameters."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NoReturn

from perpwire.errors import BadInput, NotOffered
from perpwire.model.numbers import plain
from perpwire.model.order import OrderRequest, OrderType, PositionSide, Side, TimeInForce, TriggerBy
from perpwire.venues.base import Params
from perpwire.venues.binance_futures.translate_words import TIMES_IN_FORCE_OUT, VENUE

ALGO = "algo-"
"""Begins the unified id of a conditional order; the rest is the venue's algoId."""

_LIMIT, _MARKET, _GTC, _GTD = OrderType.LIMIT, OrderType.MARKET, TimeInForce.GTC, TimeInForce.GTD
_TEXTS: dict[str, str] = {one: one.value for one in (*Side, *OrderType)}
"""Members of enumerations as plain texts: to look them up is much cheaper than to ask them."""

_is_client_order_id = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}").fullmatch

_WORKING_TYPES = {TriggerBy.LAST: "CONTRACT_PRICE", TriggerBy.MARK: "MARK_PRICE"}

# Booleans go as texts: the trading socket takes them so, too.
_TRUE = "true"


def order_params(request: OrderRequest) -> dict[str, Any]:
    """Of POST /fapi/v1/order: LIMIT and MARKET.

    Raises:
        BadInput: Something that this call can't carry, or a client order id that the venue won't take.
        NotOffered: An attached take-profit or stop-loss: the venue has none.
    """
    is_limit = request.type is _LIMIT
    if not is_limit and request.type is not _MARKET:
        raise _bad(f"order type {request.type} can't be placed here: only LIMIT and MARKET", "BAD_ORDER_TYPE")
    params = _common(request, "newClientOrderId")
    # So that a market order's reply says what became of it; the venue's own default says NEW.
    params["newOrderRespType"] = "RESULT"
    if is_limit:
        _limit(params, request)
    if request.venue_params:
        params.update(request.venue_params)
    return params


def algo_params(request: OrderRequest) -> dict[str, Any]:
    """Of POST /fapi/v1/algoOrder: the conditional types.

    Raises:
        BadInput: Something that this call can't carry, or a client order id that the venue won't take.
        NotOffered: A trigger by index price, or attached exits: the venue has neither.
    """
    working_type = _WORKING_TYPES.get(request.trigger_by)
    if working_type is None:
        _lacks(f"triggers watch LAST or MARK here, not {request.trigger_by}")
    extra = {name: value for name, value in request.venue_params.items() if name != "newClientOrderId"}
    if extra.get("clientAlgoId", request.client_order_id) != request.client_order_id:
        raise _bad("give the id as client_order_id, not as clientAlgoId", "BAD_CLIENT_ORDER_ID")
    params = _common(request, "clientAlgoId") | {"algoType": "CONDITIONAL", "workingType": working_type}
    if request.close_position:
        if request.type not in (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET):
            _lacks(f"close_position is for STOP_MARKET and TAKE_PROFIT_MARKET here, not for {request.type}")
        params["closePosition"] = _TRUE
    if request.type in (OrderType.STOP, OrderType.TAKE_PROFIT):
        _limit(params, request)
    if request.type is OrderType.TRAILING_STOP_MARKET:
        params["activatePrice"] = request.activation_price
        params["callbackRate"] = request.callback_rate
    else:
        if request.trigger_price is None and "triggerPrice" not in extra:
            raise _bad(f"an order of type {request.type} needs a trigger price", "NO_TRIGGER_PRICE")
        params["triggerPrice"] = request.trigger_price
    params.update(extra)
    return params


def _common(request: OrderRequest, client_id_name: str) -> dict[str, Any]:
    if not _is_client_order_id(request.client_order_id):
        raise _bad(
            f"client order id {request.client_order_id!r} is not 1 to 36 letters, digits or any of . : / _ -",
            "BAD_CLIENT_ORDER_ID",
        )
    if request.expires_time_ms is not None and request.time_in_force is not _GTD:
        raise _bad("expires_time_ms goes with time in force GTD", "BAD_TIME_IN_FORCE")
    if request.take_profit is not None or request.stop_loss is not None:
        _lacks("take_profit and stop_loss can't be attached to an order here: place closing conditional orders")
    params: dict[str, Any] = {
        "symbol": request.symbol,
        "side": _TEXTS[request.side],
        "type": _TEXTS[request.type],
    }
    if not request.close_position:
        params["quantity"] = plain(request.quantity)
    params[client_id_name] = request.client_order_id
    if request.hedged:
        # The side says it: the venue refuses reduceOnly in hedge mode.
        params["positionSide"] = request.position_side.value
        _check_closes(request)
    elif request.reduce_only and not request.close_position:
        params["reduceOnly"] = _TRUE
    return params


def _check_closes(request: OrderRequest) -> None:
    """In hedge mode reduce-only is not said but is a matter of the sides: one that would open is never sent."""
    reduces = (request.position_side is PositionSide.LONG) is (request.side is Side.SELL)
    if request.is_closing and not reduces:
        raise _bad(f"a {request.side} opens a {request.position_side} position: it can't reduce it", "NOT_REDUCING")


def _limit(params: dict[str, Any], request: OrderRequest) -> None:
    if request.price is None and "priceMatch" not in request.venue_params:
        raise _bad("a limit order needs a price", "NO_PRICE")
    if request.price is not None:
        params["price"] = plain(request.price)
    ours = request.time_in_force or _GTC
    word = TIMES_IN_FORCE_OUT.get(ours)
    if word is None:
        raise _bad(f"the venue has no time in force {ours}", "BAD_TIME_IN_FORCE")
    params["timeInForce"] = word
    if ours is _GTD and request.expires_time_ms is None and "goodTillDate" not in request.venue_params:
        raise _bad("time in force GTD needs expires_time_ms", "NO_EXPIRES_TIME")
    if request.expires_time_ms is not None:
        params["goodTillDate"] = request.expires_time_ms


def amend_params(symbol: str, side: Side, key: Params, price: Decimal | None, quantity: Decimal) -> dict[str, Any]:
    """Of PUT /fapi/v1/order. The venue wants price and quantity both.

    Raises:
        BadInput: There is no price.
    """
    if price is None:
        raise BadInput("only a limit order can be amended", venue=VENUE, call="amend_order", code="NO_PRICE")
    return {"symbol": symbol, "side": side.value, **key, "quantity": quantity, "price": price}


def order_key(call: str, order_id: str | None, client_order_id: str | None) -> dict[str, Any]:
    """Which ordinary order is meant.

    Raises:
        BadInput: Neither id is given, or the id is none of the venue's.
    """
    if order_id:
        return {"orderId": whole_id(call, order_id)}
    if client_order_id:
        return {"origClientOrderId": client_order_id}
    raise BadInput("order_id or client_order_id is needed", venue=VENUE, call=call, code="NO_ORDER_ID")


def whole_id(call: str, order_id: str) -> int:
    if not (order_id.isascii() and order_id.isdigit()):
        raise BadInput(
            f"{order_id!r} is no order id of this venue: they are numbers, or begin with {ALGO} where the order is "
            "conditional",
            venue=VENUE,
            call=call,
            code="BAD_ORDER_ID",
        )
    return int(order_id)


def is_algo_id(order_id: str | None) -> bool:
    return order_id is not None and order_id.startswith(ALGO)


def _lacks(reason: str) -> NoReturn:
    raise NotOffered(reason, venue=VENUE, call="place_order", code="NOT_OFFERED")


def _bad(reason: str, code: str) -> BadInput:
    return BadInput(reason, venue=VENUE, call="place_order", code=code)
