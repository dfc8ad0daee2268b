"""The venue's own trouble: how it answers when something is wrong, and what can happen to its services and callers.

Source: docs/v5/error and docs/v5/rate-limit, as of 2026-07-24; messages as captured up to 2026-10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import Canned, Moment, VenueFaults
from perpwire.venues.bybit.sim.gate import Gate
from perpwire.venues.bybit.sim.quotas import UNITS
from perpwire.venues.bybit.sim.status import Notice
from perpwire.venues.bybit.sim.trade_socket import PATHS, RESTARTING

_JSON = {"content-type": "application/json; charset=utf-8"}
_HTML = {"content-type": "text/html"}
_RESET_AFTER_MS = 2000
"""When a limit is said to be free again, where the fault has no end."""


class Services(Protocol):
    """What a fault may do to the venue; the dialect."""

    def restart_service(self) -> None: ...

    def restart_trade(self, seconds: float) -> None: ...

    def announce(self, notice: Notice) -> None: ...


def venue_faults(services: Services, gate: Gate, now_ms: Callable[[], int]) -> VenueFaults:
    """What simulator/faults.py needs to know of this venue."""
    notices = _Notices(services, now_ms)

    def restart_books(args: Mapping[str, str]) -> str:
        services.restart_service()
        return "books are sent anew, with u 1"

    def restart_trade(args: Mapping[str, str]) -> str:
        seconds = float(args.get("seconds", "10"))
        services.restart_trade(seconds)
        return f"trade sockets that are open now are refused for {seconds:g} s"

    def give_notice(args: Mapping[str, str]) -> str:
        return f"{notices.announce('Service restart', args)}; {restart_trade(args)}"

    def ban(args: Mapping[str, str]) -> str:
        seconds, address = float(args.get("seconds", "600")), args.get("address", "127.0.0.1")
        gate.ban(address, seconds)
        return f"banned {address} for {seconds:g} s"

    def forget_limits(args: Mapping[str, str]) -> str:
        gate.forget()
        return "what was counted against addresses and accounts is forgotten"

    return VenueFaults(
        canned=CANNED,
        acts={
            "restart": restart_books,
            "restart_notice": give_notice,
            "maintenance_notice": lambda args: notices.announce("System maintenance", args),
            "maintenance_over": lambda args: notices.complete(),
            "announce": lambda args: notices.announce(args.get("title", "System maintenance"), args),
            "restart_trade": restart_trade,
            "ban": ban,
            "forget_limits": forget_limits,
        },
        maintenance="unavailable",
        order_paths=frozenset(
            ("POST", path) for path in UNITS if path.startswith("/v5/order/") and "disconnected" not in path
        ),
        order_routes=frozenset({"/v5/trade"}),
        limits=gate.told,
    )


class _Notices:
    """The venue's words on system.status and /v5/system/status."""

    def __init__(self, services: Services, now_ms: Callable[[], int]) -> None:
        self._services = services
        self._now_ms = now_ms
        self._last: Notice | None = None
        self._count = 0

    def announce(self, title: str, args: Mapping[str, str]) -> str:
        """
        Raises:
            ValueError: No numbers, or no state of a notice.
        """
        begin_ms = self._now_ms() + round(float(args.get("in_s", "0")) * 1000)
        self._count += 1
        self._last = Notice(
            id=f"{self._count:08x}-587f-11f0-bcc9-56f28c94d6ea",
            title=title,
            state=args.get("state", "ongoing"),
            begin=str(begin_ms),
            end=str(begin_ms + round(float(args.get("seconds", "600")) * 1000)),
            maintainType=2,
        )
        self._services.announce(self._last)
        return f"announced: {title}"

    def complete(self) -> str:
        if self._last is None:
            return "nothing was announced"
        self._last = msgspec.structs.replace(self._last, state="completed", end=str(self._now_ms()))
        self._services.announce(self._last)
        return f"over: {self._last.title}"


# --- canned replies ---------------------------------------------------------------------------------------------------


def _code(
    code: int, words: str, headers: Callable[[Moment], Mapping[str, str]] | None = None, status: int = 200
) -> Canned:
    """An answer with a retCode, over HTTP and on the trade socket."""

    def reply(moment: Moment) -> HttpReply:
        body = {"retCode": code, "retMsg": words, "result": {}, "retExtInfo": {}, "time": moment.now_ms}
        told = {} if headers is None else headers(moment)
        return HttpReply(
            status=status,
            headers={**_JSON, "ret_code": str(code), "timenow": str(moment.now_ms), **told},
            body=msgspec.json.encode(body),
        )

    def frame(asked: bytes, moment: Moment) -> bytes | None:
        request = _read(asked)
        if request is None or request.get("op") not in PATHS:
            return None
        told = {} if headers is None else headers(moment)
        return msgspec.json.encode(
            {
                "reqId": str(request.get("reqId", "")),
                "retCode": code,
                "retMsg": words,
                "op": request["op"],
                "data": {},
                "retExtInfo": {},
                "header": {
                    "Timenow": str(moment.now_ms),
                    **{"-".join(part.capitalize() for part in name.split("-")): value for name, value in told.items()},
                },
                "connId": "",
            }
        )

    return Canned(reply=reply, frame=frame)


def _read(asked: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(asked, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None


def _page(status: int, headers: Mapping[str, str], body: str) -> Canned:
    return Canned(reply=lambda moment: HttpReply(status=status, headers=headers, body=body.encode()))


def _gateway(status: int, words: str) -> Canned:
    title = f"{status} {words}"
    return _page(
        status,
        _HTML,
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>openresty</center>\r\n</body>\r\n</html>\r\n",
    )


def _limit_headers(moment: Moment, reset_ms: int) -> dict[str, str]:
    return {
        "x-bapi-limit": "10",
        "x-bapi-limit-status": "0",
        "x-bapi-limit-reset-timestamp": str(reset_ms),
    }


def _reset_later(moment: Moment) -> dict[str, str]:
    left_ms = moment.until_ms - moment.now_ms
    return _limit_headers(moment, moment.now_ms + (left_ms if left_ms > 0 else _RESET_AFTER_MS))


_TOO_MANY = "Too many visits. Exceeded the API Rate Limit."

CANNED: dict[str, Canned] = {
    # HTTP 200 with a retCode
    "order_unknown": Canned(
        reply=lambda moment: HttpReply(
            status=200,
            headers={**_JSON, "ret_code": "0", "timenow": str(moment.now_ms)},
            body=msgspec.json.encode(
                {
                    "retCode": 0,
                    "retMsg": "OK",
                    "result": {"category": "linear", "list": [], "nextPageCursor": ""},
                    "retExtInfo": {},
                    "time": moment.now_ms,
                }
            ),
        )
    ),
    "timeout": _code(10000, "Server Timeout"),
    "bad_parameter": _code(10001, "Request parameter error."),
    "time_out_of_window": Canned(
        reply=lambda moment: _code(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{moment.now_ms - 6000}],server_timestamp[{moment.now_ms}],recv_window[5000]",
        ).reply(moment)
    ),
    "bad_key": _code(10003, "API key is invalid."),
    "rate_limited": _code(10006, _TOO_MANY, _reset_later),
    "rate_limited_bare": _code(10006, _TOO_MANY),
    "rate_limited_past": _code(10006, _TOO_MANY, lambda moment: _limit_headers(moment, moment.now_ms - 1000)),
    "server_error": _code(10016, "Internal server error. Please try again later."),
    "restarting": _code(*RESTARTING),
    "overloaded_code": _code(429, "The trading service is experiencing a high server load. Please retry later."),
    "protected": _code(10429, "System level frequency protection"),
    "internal": _code(500000, "internal error"),
    # other statuses
    "unauthorized": _page(401, {}, ""),
    "forbidden": _page(
        403,
        _HTML,
        "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>403, access too frequent</body>\r\n</html>\r\n",
    ),
    "forbidden_region": _gateway(403, "Forbidden"),
    "not_found": _gateway(404, "Not Found"),
    "overloaded": _page(429, _JSON, '{"retCode":429,"retMsg":"System is overloaded","result":{},"retExtInfo":{}}'),
    "overloaded_empty": _page(429, {}, ""),
    "empty_500": _page(500, {}, ""),
    "bad_gateway": _gateway(502, "Bad Gateway"),
    "unavailable": _gateway(503, "Service Temporarily Unavailable"),
    "gateway_timeout": _gateway(504, "Gateway Time-out"),
}
"""The venue's ways to say that something is wrong; docs/faults.md says what each means for an order."""

CANNED |= {"busy": CANNED["unavailable"], "doubtful": CANNED["timeout"], "limited": CANNED["rate_limited"]}
