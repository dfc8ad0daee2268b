"""One row per call. Paths, costs and reply types are here and nowhere else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from perpwire.venues.base import Endpoint, Lane, Params, Security
from perpwire.venues.bybit import key_info, limits, wire

READ = "as of 2026-07-24"

SOCKET_OPS = {
    f"/v5/order/{op}": f"order.{op}"
    for op in ("create", "amend", "cancel", "create-batch", "amend-batch", "cancel-batch")
}
"""Path -> what the trade socket calls it. Source: docs/v5/websocket/trade/guideline, as of 2026-07-24."""


def _row(name: str, http: str, security: Security, reply: Any, page: str, **more: Any) -> Endpoint:
    path = http.split(" ", 1)[1]
    return Endpoint(
        name=name,
        http=http,
        socket_op=SOCKET_OPS.get(path),
        security=security,
        reply=reply,
        costs=more.pop("costs", None) or limits.costs(path),
        source=f"docs/v5/{page}, {READ}",
        **more,
    )


_ORDER = Lane.ORDER


def order_lane(params: Params) -> Lane:
    """An order that can only make a position smaller goes before one that may open one."""
    if params.get("positionIdx") and (params["positionIdx"], params.get("side")) in ((1, "Sell"), (2, "Buy")):
        return Lane.REDUCE
    for flag in ("reduceOnly", "closeOnTrigger"):
        if flag in params and str(params[flag]).lower() == "true":
            return Lane.REDUCE
    return _ORDER


SERVER_TIME = _row(
    "server_time", "GET /v5/market/time", Security.NONE, wire.ServerTime, "market/time", lane=Lane.CANCEL
)

INSTRUMENTS = _row(
    "instruments",
    "GET /v5/market/instruments-info",
    Security.NONE,
    wire.Page[wire.InstrumentRow],
    "market/instrument",
)

BOOK_SNAPSHOT = _row(
    "book_snapshot", "GET /v5/market/orderbook", Security.NONE, wire.BookReply[Decimal], "market/orderbook"
)

KEY_INFO = _row("key_info", "GET /v5/user/query-api", Security.SIGNED, key_info.ApiKey, "user/apikey-info")

STATUS = _row("status", "GET /v5/system/status", Security.NONE, wire.Rows[wire.StatusRow], "system-status")

RECENT_TRADES = _row(
    "recent_trades",
    "GET /v5/market/recent-trade",
    Security.NONE,
    wire.Page[wire.RecentTradeRow],
    "market/recent-trade",
)

TICKERS = _row(
    "tickers", "GET /v5/market/tickers", Security.NONE, wire.Dated[wire.Page[wire.TickerRow]], "market/tickers"
)


def _candles(kind: str, page: str) -> Endpoint:
    return _row("klines", f"GET /v5/market/{kind}", Security.NONE, wire.Dated[wire.Candles], f"market/{page}")


KLINES = _candles("kline", "kline")
MARK_KLINES = _candles("mark-price-kline", "mark-kline")
INDEX_KLINES = _candles("index-price-kline", "index-kline")
PREMIUM_KLINES = _candles("premium-index-price-kline", "premium-index-kline")

OPEN_INTEREST = _row(
    "open_interest_history",
    "GET /v5/market/open-interest",
    Security.NONE,
    wire.Dated[wire.Page[wire.OpenInterestRow]],
    "market/open-interest",
)

FUNDING_RATES = _row(
    "funding_rates",
    "GET /v5/market/funding/history",
    Security.NONE,
    wire.Page[wire.FundingRow],
    "market/history-fund-rate",
)

BRACKETS = _row(
    "brackets", "GET /v5/market/risk-limit", Security.NONE, wire.Page[wire.RiskLimitRow], "market/risk-limit"
)

ACCOUNT = _row("account", "GET /v5/account/wallet-balance", Security.SIGNED, wire.Wallets, "account/wallet-balance")

POSITIONS = _row("positions", "GET /v5/position/list", Security.SIGNED, wire.Page[wire.PositionRow], "position")


ACCOUNT_INFO = _row("account_info", "GET /v5/account/info", Security.SIGNED, wire.AccountInfoReply, "account/info")

FEE_RATES = _row(
    "fee_rates", "GET /v5/account/fee-rate", Security.SIGNED, wire.Rows[wire.FeeRateRow], "account/fee-rate"
)

INCOME = _row(
    "income",
    "GET /v5/account/transaction-log",
    Security.SIGNED,
    wire.Dated[wire.Page[wire.TransactionRow]],
    "account/transaction-log",
)

SET_LEVERAGE = _row(
    "set_leverage", "POST /v5/position/set-leverage", Security.SIGNED, dict[str, Any], "position/leverage"
)

SET_MARGIN_MODE = _row(
    "set_margin_mode", "POST /v5/account/set-margin-mode", Security.SIGNED, dict[str, Any], "account/set-margin-mode"
)

SET_POSITION_MODE = _row(
    "set_position_mode", "POST /v5/position/switch-mode", Security.SIGNED, dict[str, Any], "position/position-mode"
)

ADD_MARGIN = _row(
    "adjust_margin",
    "POST /v5/position/add-margin",
    Security.SIGNED,
    dict[str, Any],
    "position/manual-add-margin",
    repeatable=False,
)


def _batch_lane(params: Params) -> Lane:
    """That of the most patient of its orders."""
    orders = params.get("request")
    lanes = [order_lane(one) for one in orders if isinstance(one, dict)] if isinstance(orders, list | tuple) else ()
    return max(lanes, default=Lane.ORDER)


PLACE_ORDER = _row(
    "place_order",
    "POST /v5/order/create",
    Security.SIGNED,
    wire.OrderIds,
    "order/create-order",
    repeatable=False,
    lane=order_lane,
)

AMEND_ORDER = _row(
    "amend_order",
    "POST /v5/order/amend",
    Security.SIGNED,
    wire.OrderIds,
    "order/amend-order",
    lane=Lane.ORDER,
)

CANCEL_ORDER = _row(
    "cancel_order",
    "POST /v5/order/cancel",
    Security.SIGNED,
    wire.OrderIds,
    "order/cancel-order",
    lane=Lane.CANCEL,
)

PLACE_ORDERS = _row(
    "place_orders",
    "POST /v5/order/create-batch",
    Security.SIGNED,
    wire.Batch,
    "order/batch-place",
    costs=limits.batch_costs("/v5/order/create-batch"),
    repeatable=False,
    lane=_batch_lane,
)

AMEND_ORDERS = _row(
    "amend_orders",
    "POST /v5/order/amend-batch",
    Security.SIGNED,
    wire.Batch,
    "order/batch-amend",
    costs=limits.batch_costs("/v5/order/amend-batch"),
    lane=Lane.ORDER,
)

CANCEL_ORDERS = _row(
    "cancel_orders",
    "POST /v5/order/cancel-batch",
    Security.SIGNED,
    wire.Batch,
    "order/batch-cancel",
    costs=limits.batch_costs("/v5/order/cancel-batch"),
    lane=Lane.CANCEL,
)

CANCEL_ALL = _row(
    "cancel_all",
    "POST /v5/order/cancel-all",
    Security.SIGNED,
    wire.CancelAllReply,
    "order/cancel-all",
    lane=Lane.CANCEL,
)

GET_ORDER = _row(
    "get_order",
    "GET /v5/order/realtime",
    Security.SIGNED,
    wire.Page[wire.OrderRow],
    "order/open-order",
    lane=Lane.ORDER,
)
"""Before other reads: what became of an order is decided by it."""

PAST_ORDER = _row(
    "get_order", "GET /v5/order/history", Security.SIGNED, wire.Page[wire.OrderRow], "order/order-list", lane=Lane.ORDER
)
"""Asked where GET_ORDER finds nothing: it is the same question to the caller, so it has the same name."""

OPEN_ORDERS = _row(
    "open_orders", "GET /v5/order/realtime", Security.SIGNED, wire.Page[wire.OrderRow], "order/open-order"
)

ORDER_HISTORY = _row(
    "order_history",
    "GET /v5/order/history",
    Security.SIGNED,
    wire.Dated[wire.Page[wire.OrderRow]],
    "order/order-list",
)

FILLS = _row(
    "fills", "GET /v5/execution/list", Security.SIGNED, wire.Dated[wire.Page[wire.ExecutionRow]], "order/execution"
)

POSITION_STOPS = _row(
    "set_position_stops",
    "POST /v5/position/trading-stop",
    Security.SIGNED,
    dict[str, Any],
    "position/trading-stop",
    lane=Lane.REDUCE,
)

COUNTDOWN = _row(
    "arm_countdown",
    "POST /v5/order/disconnected-cancel-all",
    Security.SIGNED,
    dict[str, Any],
    "order/dcp",
    lane=Lane.CANCEL,
)
