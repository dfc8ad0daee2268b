"""One row per call about orders: what the venue's page says of it."""

from __future__ import annotations

import msgspec

from perpwire.venues.base import Endpoint, Lane, Params, Security
from perpwire.venues.binance_futures import pages, wire, wire_account, wire_algo
from perpwire.venues.binance_futures.limits import A_BATCH, AN_ORDER, weight

_ORDER = Lane.ORDER
_CLOSING_SIDES = (("LONG", "SELL"), ("SHORT", "BUY"))


def order_lane(params: Params) -> Lane:
    """An order that can only make a position smaller goes before one that may open one."""
    if "positionSide" in params and (params["positionSide"], params.get("side")) in _CLOSING_SIDES:
        return Lane.REDUCE
    for flag in ("reduceOnly", "closePosition"):
        if flag in params and str(params[flag]).lower() == "true":
            return Lane.REDUCE
    return _ORDER


def batch_lane(params: Params) -> Lane:
    """A batch is as urgent as the least urgent order in it."""
    orders = params.get("batchOrders")
    lanes = [order_lane(one) for one in orders if isinstance(one, dict)] if isinstance(orders, list | tuple) else ()
    return max(lanes, key=lambda lane: lane.value, default=Lane.ORDER)


PLACE_ORDER = Endpoint(
    name="place_order",
    http="POST /fapi/v1/order",
    socket_op="order.place",
    security=Security.SIGNED,
    reply=wire.Order,
    costs=AN_ORDER,
    source=pages.trade("New-Order"),
    repeatable=False,
    lane=order_lane,
)
PLACE_ORDERS = Endpoint(
    name="place_orders",
    http="POST /fapi/v1/batchOrders",
    security=Security.SIGNED,
    reply=list[msgspec.Raw],
    costs=A_BATCH,
    source=pages.trade("Place-Multiple-Orders"),
    repeatable=False,
    lane=batch_lane,
)
# Repeating it could undo a later change, and costs the order its place in the queue: it is not repeated blindly.
AMEND_ORDER = Endpoint(
    name="amend_order",
    http="PUT /fapi/v1/order",
    socket_op="order.modify",
    security=Security.SIGNED,
    reply=wire.Order,
    costs=AN_ORDER,
    source=pages.trade("Modify-Order"),
    repeatable=False,
    lane=Lane.ORDER,
)
CANCEL_ORDER = Endpoint(
    name="cancel_order",
    http="DELETE /fapi/v1/order",
    socket_op="order.cancel",
    security=Security.SIGNED,
    reply=wire.Order,
    costs=weight(1),
    source=pages.trade("Cancel-Order"),
    lane=Lane.CANCEL,
)
CANCEL_ORDERS = Endpoint(
    name="cancel_orders",
    http="DELETE /fapi/v1/batchOrders",
    security=Security.SIGNED,
    reply=list[msgspec.Raw],
    costs=weight(1),
    source=pages.trade("Cancel-Multiple-Orders"),
    lane=Lane.CANCEL,
)
CANCEL_ALL = Endpoint(
    name="cancel_all",
    http="DELETE /fapi/v1/allOpenOrders",
    security=Security.SIGNED,
    reply=wire.Done,
    costs=weight(1),
    source=pages.trade("Cancel-All-Open-Orders"),
    lane=Lane.CANCEL,
)
ARM_COUNTDOWN = Endpoint(
    name="arm_countdown",
    http="POST /fapi/v1/countdownCancelAll",
    security=Security.SIGNED,
    reply=wire_account.Countdown,
    costs=weight(10),
    source=pages.trade("Auto-Cancel-All-Open-Orders"),
    lane=Lane.CANCEL,
)
GET_ORDER = Endpoint(
    name="get_order",
    http="GET /fapi/v1/order",
    socket_op="order.status",
    security=Security.SIGNED,
    reply=wire.Order,
    costs=weight(1),
    lane=Lane.ORDER,
    source=pages.trade("Query-Order"),
)
OPEN_ORDERS = Endpoint(
    name="open_orders",
    http="GET /fapi/v1/openOrders",
    security=Security.SIGNED,
    reply=list[wire.Order],
    costs=pages.by_symbol(1, 40),
    source=pages.trade("Current-All-Open-Orders"),
)
ALL_ORDERS = Endpoint(
    name="order_history",
    http="GET /fapi/v1/allOrders",
    security=Security.SIGNED,
    reply=list[wire.Order],
    costs=weight(5),
    source=pages.trade("All-Orders"),
)
USER_TRADES = Endpoint(
    name="fills",
    http="GET /fapi/v1/userTrades",
    security=Security.SIGNED,
    reply=list[wire.UserTrade],
    costs=weight(5),
    source=pages.trade("Account-Trade-List"),
)
# --- conditional orders -----------------------------------------------------------------------------------------------

PLACE_ALGO_ORDER = Endpoint(
    name="place_order",
    http="POST /fapi/v1/algoOrder",
    security=Security.SIGNED,
    reply=wire_algo.AlgoOrder,
    costs=AN_ORDER,
    source=pages.trade("New-Algo-Order"),
    repeatable=False,
    lane=order_lane,
    socket_op="algoOrder.place",
)
CANCEL_ALGO_ORDER = Endpoint(
    name="cancel_order",
    http="DELETE /fapi/v1/algoOrder",
    security=Security.SIGNED,
    reply=wire_algo.AlgoCancelled,
    costs=weight(1),
    source=pages.trade("Cancel-Algo-Order"),
    lane=Lane.CANCEL,
    socket_op="algoOrder.cancel",
)
CANCEL_ALL_ALGO_ORDERS = Endpoint(
    name="cancel_all",
    http="DELETE /fapi/v1/algoOpenOrders",
    security=Security.SIGNED,
    reply=wire.Done,
    costs=weight(1),
    source=pages.trade("Cancel-All-Algo-Open-Orders"),
    lane=Lane.CANCEL,
)
GET_ALGO_ORDER = Endpoint(
    name="get_order",
    http="GET /fapi/v1/algoOrder",
    security=Security.SIGNED,
    reply=wire_algo.AlgoOrder,
    costs=weight(1),
    lane=Lane.ORDER,
    source=pages.trade("Query-Algo-Order"),
)
OPEN_ALGO_ORDERS = Endpoint(
    name="open_orders",
    http="GET /fapi/v1/openAlgoOrders",
    security=Security.SIGNED,
    reply=list[wire_algo.AlgoOrder],
    costs=pages.by_symbol(1, 40),
    source=pages.trade("Current-All-Algo-Open-Orders"),
)
ALL_ALGO_ORDERS = Endpoint(
    name="order_history",
    http="GET /fapi/v1/allAlgoOrders",
    security=Security.SIGNED,
    reply=list[wire_algo.AlgoOrder],
    costs=weight(5),
    source=pages.trade("Query-All-Algo-Orders"),
)
