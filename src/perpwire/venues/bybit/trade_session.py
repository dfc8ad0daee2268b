"""One trade socket's conversation (/v5/trade): one login, then requests; answers in the shape that REST gives them.

Source: docs/v5/websocket/trade/guideline, as of 2026-07-24.
"""

from __future__ import annotations

from typing import Any

import msgspec

from perpwire.credentials import Credentials
from perpwire.http_message import HttpReply, whole_number
from perpwire.venues.base import Control, Endpoint, Params, TradeReply, TradeSession
from perpwire.venues.bybit.requests import message_args
from perpwire.venues.bybit.session import ALREADY_LOGGED_IN, LOGIN_VALID_MS, PING
from perpwire.venues.bybit.signing import sign_login
from perpwire.venues.bybit.wire import Envelope
from perpwire.venues.bybit.wire_control import Command

PATH = "/v5/trade"

RESTARTING = 10019
"""The service behind this socket restarts: a new connection is led to a healthy one."""

NOTHING = msgspec.Raw(b"{}")


class _Answer(msgspec.Struct):
    reqId: str = ""
    op: str = ""
    retCode: int = -1
    retMsg: str | None = None
    data: msgspec.Raw = NOTHING
    retExtInfo: msgspec.Raw = NOTHING
    header: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    reqId: str
    header: dict[str, str]
    op: str
    args: tuple[dict[str, Any]]


_read = msgspec.json.Decoder(_Answer).decode
_write = msgspec.json.Encoder().encode


class BybitTradeSession(TradeSession):
    needs_login = True

    def __init__(self, recv_window_ms: int) -> None:
        self._recv_window = str(recv_window_ms)

    def login(self, credentials: Credentials, now_ms: int) -> bytes | None:
        expires_ms = now_ms + LOGIN_VALID_MS
        signature = sign_login(credentials, expires_ms)
        return _write(Command(op="auth", args=[credentials.api_key, expires_ms, signature]))

    def ping(self) -> bytes | None:
        return PING

    def request(
        self, endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int, request_id: str
    ) -> bytes:
        assert endpoint.socket_op is not None
        header = {"X-BAPI-TIMESTAMP": str(timestamp_ms), "X-BAPI-RECV-WINDOW": self._recv_window}
        return _write(_Request(request_id, header, endpoint.socket_op, (message_args(endpoint, params),)))

    def on_frame(self, frame: bytes) -> TradeReply | Control:
        answer = _read(frame)
        if answer.reqId:
            header = answer.header or {}
            headers = dict(zip(map(str.lower, header), map(str, header.values()), strict=True))
            body = _write(
                Envelope(
                    retCode=answer.retCode,
                    retMsg=answer.retMsg,
                    result=answer.data,
                    retExtInfo=answer.retExtInfo,
                    time=whole_number(headers, "timenow") or 0,
                )
            )
            reply = HttpReply(status=200, headers=headers, body=body)
            return TradeReply(answer.reqId, reply, answer.retCode == RESTARTING)
        if answer.op == "pong":
            return Control("pong")
        if answer.op == "auth":
            if answer.retCode in (0, ALREADY_LOGGED_IN):
                return Control("logged_in")
            return Control("login_refused", text=answer.retMsg or "", code=answer.retCode)
        # An answer to nothing that we can tell.
        return Control("closing", text=f"{answer.retMsg} [{answer.retCode}]")
