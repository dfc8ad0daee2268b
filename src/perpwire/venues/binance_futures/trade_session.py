"""One trading socket's conversation (ws-fapi): requests out, answers in, in the shape that REST gives them.

Source: usds-margined-futures/websocket-api-general-info, as of 2026-10-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from perpwire.credentials import Credentials
from perpwire.http_message import HttpReply
from perpwire.venues.base import Control, Costs, Endpoint, Params, Security, TradeReply, TradeSession
from perpwire.venues.binance_futures.limits import ORDERS_1M, ORDERS_10S, WEIGHT, weight
from perpwire.venues.binance_futures.requests import message_params, not_unicode
from perpwire.venues.binance_futures.signing import can_log_on
from perpwire.venues.binance_futures.wire import Error

PATH = "/ws-fapi/v1"

LOG_ON = Endpoint(
    name="log_on",
    http=f"GET {PATH}",  # it changes nothing of the account
    security=Security.SIGNED,
    reply=None,
    costs=weight(2),
    socket_op="session.logon",
    source="usds-margined-futures/websocket-api-general-info#session-authentication, as of 2026-10-11",
)
LOG_ON_ID = "log-on"

_COUNTERS = {
    ("REQUEST_WEIGHT", "MINUTE", 1): WEIGHT,
    ("ORDERS", "SECOND", 10): ORDERS_10S,
    ("ORDERS", "MINUTE", 1): ORDERS_1M,
}
"""How the socket names a counter -> the limit that it counts for."""

MOST = 10**9
"""A counter that says more is mistaken."""

NO_RAW = msgspec.Raw()
NO_HEADERS: Mapping[str, str] = {}


class _RateLimit(msgspec.Struct, gc=False):
    rateLimitType: str = ""
    interval: str = ""
    intervalNum: int = 0
    count: int = -1


class _Answer(msgspec.Struct):
    id: Any = None
    status: int = 0
    result: msgspec.Raw = NO_RAW
    error: msgspec.Raw = NO_RAW
    rateLimits: tuple[_RateLimit, ...] | None = None


class _Request(msgspec.Struct):
    id: str
    method: str
    params: dict[str, str | int | bool]


_read = msgspec.json.Decoder(_Answer).decode
_read_error = msgspec.json.Decoder(Error).decode
_write = msgspec.json.Encoder().encode


class BinanceTradeSession(TradeSession):
    """With an Ed25519 key the session is logged on once and requests go without signatures; with other keys, which the
    venue does not take for that, each request is signed."""

    lifetime_s = 24 * 3600.0
    opening_costs: Costs = weight(5 + 2)  # the handshake and the logon

    def __init__(self, recv_window_ms: int) -> None:
        self._recv_window_ms = recv_window_ms
        self._logged_on = False

    def login(self, credentials: Credentials, now_ms: int) -> bytes | None:
        if not can_log_on(credentials):
            return None
        return self.request(LOG_ON, {}, credentials, now_ms, LOG_ON_ID)

    def ping(self) -> bytes | None:
        return None

    def request(
        self, endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int, request_id: str
    ) -> bytes:
        assert endpoint.socket_op is not None
        written = message_params(
            endpoint, params, credentials, timestamp_ms, self._recv_window_ms, logged_on=self._logged_on
        )
        try:
            return _write(_Request(request_id, endpoint.socket_op, written))
        except UnicodeEncodeError:
            pass  # nothing was signed, as the session is logged on
        del written
        raise not_unicode(endpoint)

    def on_frame(self, frame: bytes) -> TradeReply | Control:
        answer = _read(frame)
        body = bytes(answer.result or answer.error)
        if answer.id == LOG_ON_ID:
            self._logged_on = answer.status == 200
            return Control("logged_in") if self._logged_on else _refused(answer.status, body)
        if not isinstance(answer.id, str):
            # It can't be told which request this is about, if any: a banned address, a session whose key is no more.
            return Control("closing", text=f"status {answer.status}: {body[:300].decode()}")
        usage: dict[str, int] = {}
        for one in answer.rateLimits or ():
            name = _COUNTERS.get((one.rateLimitType, one.interval, one.intervalNum))
            if name is not None and 0 <= one.count < MOST:
                usage[name] = one.count
        return TradeReply(answer.id, HttpReply(status=answer.status, headers=NO_HEADERS, body=body, usage=usage))


def _refused(status: int, body: bytes) -> Control:
    try:
        error = _read_error(body)
    except (msgspec.DecodeError, ValueError):
        return Control("login_refused", text=f"status {status}: {body[:200].decode(errors='replace')}")
    return Control("login_refused", text=error.msg, code=error.code)
