"""One row per call: what the venue's page says of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from perpwire.venues.base import Costs, Endpoint, Lane, Params, Security
from perpwire.venues.binance_futures import wire, wire_account, wire_algo
from perpwire.venues.binance_futures.limits import A_BATCH, AN_ORDER, weight

_PAGES = "usds-margined-futures/{}/rest-api/{}, as of 2026-10-23"


def _market(page: str) -> str:
    return _PAGES.format("market-data", page)


def _trade(page: str) -> str:
    return _PAGES.format("trade", page)


def _account(page: str) -> str:
    return _PAGES.format("account", page)


def _streams(page: str) -> str:
    return _PAGES.format("user-data-streams", page)


def _by_symbol_costs(with_symbol: int, without: int) -> Callable[[Params], Costs]:
    """Of calls that cost more where all symbols are asked for."""
    return lambda params: weight(with_symbol if params.get("symbol") else without)


DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
"""The numbers of levels that a book may be asked for."""


def order_lane(params: Params) -> Lane:
    """An order that can only make a position smaller goes before one that may open one."""
    closes = (params.get("positionSide"), params.get("side")) in (("LONG", "SELL"), ("SHORT", "BUY"))
    flags = (params.get("reduceOnly"), params.get("closePosition"))
    return Lane.REDUCE if closes or any(str(flag).lower() == "true" for flag in flags) else Lane.ORDER


def batch_lane(params: Params) -> Lane:
    """A batch is as urgent as the least urgent order in it."""
    lanes = [order_lane(one) for one in params.get("batchOrders", ())]
    return max(lanes, key=lambda lane: lane.value, default=Lane.ORDER)


def _depth_costs(params: Params) -> Costs:
    limit = params.get("limit", 500)
    return weight(2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20)


SERVER_TIME = Endpoint(
    name="server_time",
    http="GET /fapi/v1/time",
    lane=Lane.CANCEL,  # a refused cancel waits for it
    security=Security.NONE,
    reply=wire.ServerTime,
    costs=weight(1),
    source=_market("Check-Server-Time"),
)
INSTRUMENTS = Endpoint(
    name="instruments",
    http="GET /fapi/v1/exchangeInfo",
    security=Security.NONE,
    reply=wire.ExchangeInfo,
    costs=weight(1),
    source=_market("Exchange-Information"),
)
BOOK_SNAPSHOT = Endpoint(
    name="book_snapshot",
    http="GET /fapi/v1/depth",
    security=Security.NONE,
    reply=wire.Depth,
    costs=_depth_costs,
    source=_market("Order-Book"),
)
MARK_PRICES = Endpoint(
    name="mark_prices",
    http="GET /fapi/v1/premiumIndex",
    security=Security.NONE,
    reply=wire.PremiumIndex | list[wire.PremiumIndex],
    costs=_by_symbol_costs(1, 10),
    source=_market("Mark-Price"),
)
ACCOUNT = Endpoint(
    name="account",
    http="GET /fapi/v3/account",
    security=Security.SIGNED,
    reply=wire.Account,
    costs=weight(5),
    source=_account("Account-Information-V3"),
)
POSITIONS = Endpoint(
    name="positions",
    http="GET /fapi/v3/positionRisk",
    security=Security.SIGNED,
    reply=list[wire.PositionRisk],
    costs=weight(5),
    source=_trade("Position-Information-V3"),
)
PLACE_ORDER = Endpoint(
    name="place_order",
    http="POST /fapi/v1/order",
    socket_op="order.place",
    security=Security.SIGNED,
    reply=wire.Order,
    costs=AN_ORDER,
    source=_trade("New-Order"),
    repeatable=False,
    lane=order_lane,
)
PLACE_ORDERS = Endpoint(
    name="place_orders",
    http="POST /fapi/v1/batchOrders",
    security=Security.SIGNED,
    reply=list[msgspec.Raw],
    costs=A_BATCH,
    source=_trade("Place-Multiple-Orders"),
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
    source=_trade("Modify-Order"),
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
    source=_trade("Cancel-Order"),
    lane=Lane.CANCEL,
)
CANCEL_ORDERS = Endpoint(
    name="cancel_orders",
    http="DELETE /fapi/v1/batchOrders",
    security=Security.SIGNED,
    reply=list[msgspec.Raw],
    costs=weight(1),
    source=_trade("Cancel-Multiple-Orders"),
    lane=Lane.CANCEL,
)
CANCEL_ALL = Endpoint(
    name="cancel_all",
    http="DELETE /fapi/v1/allOpenOrders",
    security=Security.SIGNED,
    reply=wire.Done,
    costs=weight(1),
    source=_trade("Cancel-All-Open-Orders"),
    lane=Lane.CANCEL,
)
ARM_COUNTDOWN = Endpoint(
    name="arm_countdown",
    http="POST /fapi/v1/countdownCancelAll",
    security=Security.SIGNED,
    reply=wire_account.Countdown,
    costs=weight(10),
    source=_trade("Auto-Cancel-All-Open-Orders"),
    lane=Lane.CANCEL,
)
GET_ORDER = Endpoint(
    name="get_order",
    http="GET /fapi/v1/order",
    socket_op="order.status",
    security=Security.SIGNED,
    reply=wire.Order,
    costs=weight(1),
    source=_trade("Query-Order"),
)
OPEN_ORDERS = Endpoint(
    name="open_orders",
    http="GET /fapi/v1/openOrders",
    security=Security.SIGNED,
    reply=list[wire.Order],
    costs=_by_symbol_costs(1, 40),
    source=_trade("Current-All-Open-Orders"),
)
ALL_ORDERS = Endpoint(
    name="order_history",
    http="GET /fapi/v1/allOrders",
    security=Security.SIGNED,
    reply=list[wire.Order],
    costs=weight(5),
    source=_trade("All-Orders"),
)
USER_TRADES = Endpoint(
    name="fills",
    http="GET /fapi/v1/userTrades",
    security=Security.SIGNED,
    reply=list[wire.UserTrade],
    costs=weight(5),
    source=_trade("Account-Trade-List"),
)
# --- conditional orders -----------------------------------------------------------------------------------------------

PLACE_ALGO_ORDER = Endpoint(
    name="place_order",
    http="POST /fapi/v1/algoOrder",
    security=Security.SIGNED,
    reply=wire_algo.AlgoOrder,
    costs=AN_ORDER,
    source=_trade("New-Algo-Order"),
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
    source=_trade("Cancel-Algo-Order"),
    lane=Lane.CANCEL,
    socket_op="algoOrder.cancel",
)
CANCEL_ALL_ALGO_ORDERS = Endpoint(
    name="cancel_all",
    http="DELETE /fapi/v1/algoOpenOrders",
    security=Security.SIGNED,
    reply=wire.Done,
    costs=weight(1),
    source=_trade("Cancel-All-Algo-Open-Orders"),
    lane=Lane.CANCEL,
)
GET_ALGO_ORDER = Endpoint(
    name="get_order",
    http="GET /fapi/v1/algoOrder",
    security=Security.SIGNED,
    reply=wire_algo.AlgoOrder,
    costs=weight(1),
    source=_trade("Query-Algo-Order"),
)
OPEN_ALGO_ORDERS = Endpoint(
    name="open_orders",
    http="GET /fapi/v1/openAlgoOrders",
    security=Security.SIGNED,
    reply=list[wire_algo.AlgoOrder],
    costs=_by_symbol_costs(1, 40),
    source=_trade("Current-All-Algo-Open-Orders"),
)
ALL_ALGO_ORDERS = Endpoint(
    name="order_history",
    http="GET /fapi/v1/allAlgoOrders",
    security=Security.SIGNED,
    reply=list[wire_algo.AlgoOrder],
    costs=weight(5),
    source=_trade("Query-All-Algo-Orders"),
)

# --- user stream ------------------------------------------------------------------------------------------------------

# Asking again while a key is alive gives the same key and 60 more minutes.
CREATE_LISTEN_KEY = Endpoint(
    name="create_listen_key",
    http="POST /fapi/v1/listenKey",
    security=Security.KEY,
    reply=wire.ListenKey,
    costs=weight(1),
    source=_streams("Start-User-Data-Stream"),
)
KEEP_LISTEN_KEY = Endpoint(
    name="keep_listen_key",
    http="PUT /fapi/v1/listenKey",
    security=Security.KEY,
    reply=wire.Empty,
    costs=weight(1),
    source=_streams("Keepalive-User-Data-Stream"),
)
