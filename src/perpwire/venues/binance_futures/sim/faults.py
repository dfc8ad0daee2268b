"""The venue's own trouble: how it answers when something is wrong, and what can happen to its keys and its callers.

Source: error codes and general info of the USD-M pages, as of 2026-10; the 503 texts are the venue's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import Canned, IncomingRequest, Moment, VenueFaults
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim.counting import AddressLimits, OrderCounts
from perpwire.venues.binance_futures.sim.users import UserStreams
from perpwire.venues.binance_futures.sim.wsapi import PATH as TRADING_PATH

_JSON = {"content-type": "application/json;charset=utf-8"}
_HTML = {"content-type": "text/html"}

_OVERLOADED = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again."
)
_THROTTLED_PATHS = frozenset({"/fapi/v1/order", "/fapi/v1/batchOrders", "/fapi/v1/order/test"})
_RETRY_AFTER_S = 7
"""What is said where the fault has no end that could be counted down to."""


def venue_faults(
    users: UserStreams, addresses: AddressLimits, orders: OrderCounts, now_ms: Callable[[], int]
) -> VenueFaults:
    """What simulator/faults.py needs to know of this venue."""
    return VenueFaults(
        canned=CANNED,
        acts={
            "expire_listen_key": lambda args: _expire(users, args),
            "ban": lambda args: _ban(addresses, args, now_ms()),
            "forget_limits": lambda args: _forget(addresses, orders),
        },
        maintenance="maintenance",
        order_paths=frozenset(
            (method, f"/fapi/v1/{path}")
            for method in ("POST", "PUT", "DELETE")
            for path in ("order", "batchOrders", "algoOrder", "allOpenOrders", "algoOpenOrders", "order/test")
        ),
        order_routes=frozenset({TRADING_PATH}),
        limits=lambda: addresses.told(now_ms()),
    )


def _expire(users: UserStreams, args: Mapping[str, str]) -> str:
    account = args.get("account", "main")
    is_told = args.get("told", "true") != "false"
    if not users.expire(account, is_told=is_told):
        return f"{account} has no listen key"
    return f"the listen key of {account} has expired{'' if is_told else ' untold'}"


def _ban(addresses: AddressLimits, args: Mapping[str, str], now_ms: int) -> str:
    seconds, address = float(args.get("seconds", "120")), args.get("address", "127.0.0.1")
    addresses.ban(address, now_ms + round(seconds * 1000))
    return f"banned {address} for {seconds:g} s"


def _forget(addresses: AddressLimits, orders: OrderCounts) -> str:
    addresses.forget()
    orders.forget()
    return "what was counted against addresses and accounts is forgotten"


# --- canned replies ---------------------------------------------------------------------------------------------------


def _json(status: int, code: int, message: str) -> Canned:
    """An error with a code, over HTTP and on the trading socket."""

    def frame(asked: bytes, moment: Moment) -> bytes | None:
        return _frame(asked, status, code, message)

    return Canned(reply=lambda moment: _error(status, code, message), frame=frame)


def _error(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> HttpReply:
    return HttpReply(
        status=status, headers={**_JSON, **(headers or {})}, body=msgspec.json.encode(wire.Error(code, message))
    )


def _page(status: int, headers: Mapping[str, str], body: str) -> Canned:
    return Canned(reply=lambda moment: HttpReply(status=status, headers=headers, body=body.encode()))


def _nginx(status: int, words: str) -> Canned:
    title = f"{status} {words}"
    return _page(
        status,
        _HTML,
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    )


def _after_s(moment: Moment) -> int:
    left_ms = moment.until_ms - moment.now_ms
    return -(-left_ms // 1000) if left_ms > 0 else _RETRY_AFTER_S


def _limited(moment: Moment) -> HttpReply:
    message = (
        "Too many requests; current limit of IP(127.0.0.1) is 2400 requests per minute. "
        "Please use the websocket for live updates to avoid polling the API."
    )
    return _error(429, -1003, message, {"retry-after": str(_after_s(moment))})


def _order_limited(moment: Moment) -> HttpReply:
    message = "Too many new orders; current limit is 300 orders per 10 SECOND."
    return _error(429, -1015, message, {"retry-after": str(_after_s(moment))})


def _banned(moment: Moment) -> HttpReply:
    until_ms = max(moment.until_ms, moment.now_ms + _after_s(moment) * 1000)
    message = (
        f"Way too many requests; IP(127.0.0.1) banned until {until_ms}. "
        "Please use the websocket for live updates to avoid bans."
    )
    return _error(418, -1003, message, {"retry-after": str(_after_s(moment))})


def _is_throttled(request: IncomingRequest) -> bool:
    """Only new orders are, and none that closes."""
    if request.method != "POST" or request.path not in _THROTTLED_PATHS:
        return False
    args = dict(parse_qsl(request.body.decode("utf-8", "replace"))) | dict(parse_qsl(request.query))
    return not _closes(args)


def _closes(args: Mapping[str, Any]) -> bool:
    flags = (str(args.get(name, "")).lower() for name in ("reduceOnly", "closePosition"))
    ends_side = (args.get("positionSide"), args.get("side")) in (("LONG", "SELL"), ("SHORT", "BUY"))
    return "true" in flags or ends_side


def _throttled_frame(asked: bytes, moment: Moment) -> bytes | None:
    request = _read(asked)
    if request is None or request.get("method") != "order.place" or _closes(request.get("params") or {}):
        return None
    return _frame(asked, 503, -1008, _OVERLOADED)


def _frame(asked: bytes, status: int, code: int, message: str) -> bytes | None:
    """The same as a reply on the trading socket; None for what is no request."""
    request = _read(asked)
    if request is None:
        return None
    return msgspec.json.encode(
        {"id": request.get("id"), "status": status, "error": {"code": code, "msg": message}, "rateLimits": []}
    )


def _read(asked: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(asked, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None


CANNED: dict[str, Canned] = {
    # 400 and 401
    "unknown_error": _json(400, -1000, "An unknown error occurred while processing the request."),
    "unexpected_response": _json(
        400, -1006, "An unexpected response was received from the message bus. Execution status unknown."
    ),
    "time_out_of_window": _json(400, -1021, "Timestamp for this request is outside of the recvWindow."),
    "time_ahead": _json(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time."),
    "listen_key_unknown": _json(400, -1125, "This listenKey does not exist."),
    "order_unknown": _json(400, -2013, "Order does not exist."),
    "bad_key": _json(401, -2015, "Invalid API-key, IP, or permissions for action"),
    # 403, 408, 418, 429
    "firewall": _page(
        403,
        _HTML,
        "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n"
        "</body>\r\n</html>\r\n",
    ),
    "timeout": _json(
        408,
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    ),
    "banned": Canned(reply=_banned, frame=lambda asked, moment: _frame_of(asked, _banned(moment))),
    "rate_limited": Canned(reply=_limited, frame=lambda asked, moment: _frame_of(asked, _limited(moment))),
    "order_limited": Canned(reply=_order_limited, frame=lambda asked, moment: _frame_of(asked, _order_limited(moment))),
    # 500 and above
    "empty_500": _page(500, {}, ""),
    "unknown_500": _json(500, -1000, "Request occur unknown error."),
    "bad_gateway": _nginx(502, "Bad Gateway"),
    "unknown_503": _json(503, -1000, "Unknown error, please check your request or try again later."),
    "unavailable": _json(503, -1000, "Service Unavailable."),
    "internal_error": _json(503, -1001, "Internal error; unable to process your request. Please try again."),
    "overloaded": Canned(
        reply=lambda moment: _error(503, -1008, _OVERLOADED), applies=_is_throttled, frame=_throttled_frame
    ),
    "overloaded_anyway": _json(503, -1008, _OVERLOADED),
    "maintenance": _json(503, -1016, "This service is no longer available."),
    "gateway_timeout": _nginx(504, "Gateway Time-out"),
    "empty_504": _page(504, {}, ""),
}
"""The venue's ways to say that something is wrong; docs/faults.md says what each means for an order."""

CANNED |= {"busy": CANNED["unavailable"], "doubtful": CANNED["unknown_503"], "limited": CANNED["rate_limited"]}


def _frame_of(asked: bytes, reply: HttpReply) -> bytes | None:
    error = msgspec.json.decode(reply.body, type=wire.Error)
    return _frame(asked, reply.status, error.code, error.msg)
