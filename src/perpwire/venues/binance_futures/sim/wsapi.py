"""The trading socket (/ws-fapi/v1): requests by name over one socket, answered by the same calls as REST.

Source: usds-margined-futures/websocket-api-general-info, as of 2026-10-11.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from perpwire.clock import Timer
from perpwire.simulator.dialect import Peer, SocketRefused
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import limits, wire
from perpwire.venues.binance_futures.sim.counting import NO_ORDER, AddressLimits, OrderCounts
from perpwire.venues.binance_futures.sim.gateway import Row, Rows, check_time, was_empty
from perpwire.venues.binance_futures.sim.key_rules import may
from perpwire.venues.binance_futures.sim.signatures import is_signed_by, kind_of
from perpwire.venues.binance_futures.sim.words import Refusal, as_refusal, missing
from perpwire.venues.binance_futures.sim.wsapi_request import BadRequest, Request, read_request

PATH = "/ws-fapi/v1"
HANDSHAKE_WEIGHT = 5
SESSION_WEIGHT = 2
PINGS_PER_S = 5
LIFETIME_S = 24 * 3600.0

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")

METHODS: dict[tuple[int, str], tuple[str, str]] = {
    (1, "order.place"): ("POST", "/fapi/v1/order"),
    (1, "order.modify"): ("PUT", "/fapi/v1/order"),
    (1, "order.cancel"): ("DELETE", "/fapi/v1/order"),
    (1, "order.status"): ("GET", "/fapi/v1/order"),
    (1, "algoOrder.place"): ("POST", "/fapi/v1/algoOrder"),
    (1, "algoOrder.cancel"): ("DELETE", "/fapi/v1/algoOrder"),
    (1, "account.status"): ("GET", "/fapi/v2/account"),
    (2, "account.status"): ("GET", "/fapi/v3/account"),
    (1, "account.balance"): ("GET", "/fapi/v2/balance"),
    (2, "account.balance"): ("GET", "/fapi/v3/balance"),
    (1, "account.position"): ("GET", "/fapi/v2/positionRisk"),
    (2, "account.position"): ("GET", "/fapi/v3/positionRisk"),
    (1, "depth"): ("GET", "/fapi/v1/depth"),
    (1, "ticker.price"): ("GET", "/fapi/v2/ticker/price"),
    (1, "ticker.book"): ("GET", "/fapi/v1/ticker/bookTicker"),
    (1, "userDataStream.start"): ("POST", "/fapi/v1/listenKey"),
    (1, "userDataStream.ping"): ("PUT", "/fapi/v1/listenKey"),
    (1, "userDataStream.stop"): ("DELETE", "/fapi/v1/listenKey"),
}
"""Version and method -> the REST call that answers it; session.logon, .status and .logout are this file's own."""

_AUTH = frozenset({"apiKey", "signature", "returnRateLimits"})
"""Parameters that are the socket's own business."""


class Doors(NamedTuple):
    """What the trading socket shares with REST."""

    exchange: Exchange
    rows: Rows
    addresses: AddressLimits
    orders: OrderCounts


class RateLimit(wire.Rest):
    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int
    count: int


class SessionStatus(wire.Rest):
    """The result of session.logon, .status and .logout. Key and time of logon are null when logged out."""

    api_key: str | None
    authorized_since: int | None
    connected_since: int
    return_rate_limits: bool
    server_time: int


class TradingSocket:
    """See dialect.ServerSession.

    Args:
        address: The client's; its weights are counted apart from those of its REST calls.

    Raises:
        SocketRefused: The address has used up its weight, or is banned.
    """

    def __init__(self, peer: Peer, query: str, address: str, doors: Doors, lifetime_s: float = LIFETIME_S) -> None:
        self._peer = peer
        self._address = address
        self._exchange, self._rows, self._addresses, self._orders = doors
        now_ms = self._exchange.now_ms()
        try:
            self._addresses.admit(address, "socket", HANDSHAKE_WEIGHT, now_ms)
        except Refusal as refusal:
            body = msgspec.json.encode(wire.Error(refusal.code, refusal.message))
            raise SocketRefused(refusal.status, body) from None
        self._shows_limits = dict(parse_qsl(query)).get("returnRateLimits", "true").lower() != "false"
        self._connected_ms = now_ms
        self._session: AccountSpec | None = None
        self._session_ms = 0
        self._pings_ns: deque[int] = deque()
        self._is_open = True
        self._lifetime: Timer = self._exchange.clock.call_later(
            lifetime_s, lambda: self._end(1001, "24 hours are over")
        )

    # --- life -----------------------------------------------------------------------------------------------------

    def on_closed(self) -> None:
        """See dialect.ServerSession."""
        self._is_open = False
        self._lifetime.cancel()

    def on_ping(self) -> None:
        """A client's ping or pong frame: more than five within a second end the socket."""
        now_ns = self._exchange.clock.monotonic_ns()
        recent = self._pings_ns
        while recent and now_ns - recent[0] >= 1_000_000_000:
            recent.popleft()
        recent.append(now_ns)
        if len(recent) > PINGS_PER_S:
            self._end(1008, "Too many requests")

    on_pong = on_ping

    def _end(self, code: int, reason: str) -> None:
        if self._is_open:
            self.on_closed()
            self._peer.close(code, reason)

    # --- requests -------------------------------------------------------------------------------------------------

    def on_text(self, text: bytes) -> None:
        """See dialect.ServerSession."""
        if not self._is_open:
            return
        try:
            request = read_request(text)
        except BadRequest as bad:
            self._reply(bad.id, bad.refusal.status, error=bad.refusal, shows_limits=self._shows_limits)
            return
        shows_limits = self._shows_limits
        account: AccountSpec | None = None
        row: Row | None = None
        try:
            shows_limits = _shows_limits(request, shows_limits)
            row = self._row(request)
            self._admit(request, row)
            account = self._who(request, row)
            result = self._result(request, row, account)
        except (Refused, Refusal) as error:
            refusal = as_refusal(error)
            self._reply(request.id, refusal.status, error=refusal, shows_limits=shows_limits, row=row, account=account)
            return
        self._reply(request.id, 200, result=result, shows_limits=shows_limits, row=row, account=account)

    def _row(self, request: Request) -> Row:
        """
        Raises:
            Refusal: There is no such method.
        """
        if request.version == 1 and request.method in ("session.logon", "session.status", "session.logout"):
            security = Security.SIGNED if request.method == "session.logon" else Security.NONE
            return Row(lambda account, args: None, security, SESSION_WEIGHT)
        row = self._rows.get(METHODS.get((request.version, request.method), ("", "")))
        if row is None:
            raise Refusal(-1020, "This operation is not supported.")
        return row

    def _admit(self, request: Request, row: Row) -> None:
        self._addresses.admit(self._address, "socket", row.weight_of(request.params), self._exchange.now_ms())
        for name, value in request.params.items():
            if not value:
                raise was_empty(name)

    def _who(self, request: Request, row: Row) -> AccountSpec | None:
        """The account that a request is for, by its own key and signature, or by the session's.

        Raises:
            Refusal: Key, time stamp or signature are not in order.
        """
        if row.security is Security.NONE:
            return None
        params = request.params
        # A logon is by its own key and signature, whoever is logged on already.
        account = None if request.method == "session.logon" else self._session
        if "apiKey" in params:
            account = self._account(params["apiKey"])
        if account is None:
            raise missing("apiKey")
        verb, path = METHODS.get((request.version, request.method), ("GET", ""))
        if not may(account, verb, path, self._address, self._exchange.now_ms()):
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        if row.security is Security.SIGNED:
            check_time(params, self._exchange.now_ms())
            if "apiKey" in params or "signature" in params:
                _check_signature(request, account)
        return account

    def _account(self, key: str) -> AccountSpec:
        if not _KEY.fullmatch(key):
            raise Refusal(-2014, "API-key format invalid.", status=401)
        account = self._exchange.account_by_key(key)
        if account is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return account

    def _result(self, request: Request, row: Row, account: AccountSpec | None) -> Any:
        if request.method.startswith("session."):
            return self._change_session(request, account)
        name = "" if account is None else account.name
        if row.orders != NO_ORDER:
            self._orders.count(name, row.orders, self._exchange.now_ms())
        args = {key: value for key, value in request.params.items() if key not in _AUTH}
        result = row.handler(name, args)
        if (request.version, request.method) == (2, "account.position"):
            for position in result:  # the venue's page spells this name otherwise than its client library: both
                position.unrealized_profit = position.un_realized_profit
        return result

    def _change_session(self, request: Request, account: AccountSpec | None) -> SessionStatus:
        now_ms = self._exchange.now_ms()
        if request.method == "session.logon" and account is not None:
            if kind_of(account) != "ed25519":
                raise Refusal(-4056, "Invalid api key type: session.logon takes Ed25519 keys only.")
            self._session, self._session_ms = account, now_ms
        elif request.method == "session.logout":
            self._session = None
        return SessionStatus(
            api_key=self._session.api_key if self._session else None,
            authorized_since=self._session_ms if self._session else None,
            connected_since=self._connected_ms,
            return_rate_limits=self._shows_limits,
            server_time=now_ms,
        )

    # --- answers --------------------------------------------------------------------------------------------------

    def _reply(
        self,
        request_id: bytes,
        status: int,
        *,
        shows_limits: bool,
        result: Any = None,
        error: Refusal | None = None,
        row: Row | None = None,
        account: AccountSpec | None = None,
    ) -> None:
        if error is None:
            body = b',"result":' + msgspec.json.encode(result)
        else:
            body = b',"error":' + msgspec.json.encode(wire.Error(error.code, error.message))
        if shows_limits:
            counts = self._counts(account if row is not None and row.orders != NO_ORDER else None)
            body += b',"rateLimits":' + msgspec.json.encode(counts)
        self._peer.send(b'{"id":' + request_id + b',"status":' + str(status).encode() + body + b"}")

    def _counts(self, account: AccountSpec | None) -> list[RateLimit]:
        """How much is used: of the account's orders, where it was about one, and of the address's weight."""
        now_ms = self._exchange.now_ms()
        used = {limits.WEIGHT: self._addresses.used(self._address, "socket", now_ms)}
        if account is not None:
            ten_seconds, minute = self._orders.used(account.name, now_ms)
            used |= {limits.ORDERS_10S: ten_seconds, limits.ORDERS_1M: minute}
        shown = [
            RateLimit(
                rate_limit_type="REQUEST_WEIGHT" if one.name == limits.WEIGHT else "ORDERS",
                interval="SECOND" if one.period_s < 60 else "MINUTE",
                interval_num=round(one.period_s if one.period_s < 60 else one.period_s / 60),
                limit=one.limit,
                count=used[one.name],
            )
            for one in limits.LIMITS
            if one.name in used
        ]
        return shown[1:] + shown[:1]  # orders first


def _shows_limits(request: Request, default: bool) -> bool:
    text = request.params.get("returnRateLimits")
    if text is None:
        return default
    if text.lower() not in ("true", "false"):
        raise missing("returnRateLimits")
    return text.lower() == "true"


def _check_signature(request: Request, account: AccountSpec) -> None:
    signature = request.params.get("signature")
    if signature is None:
        raise missing("signature")
    if not any(is_signed_by(account, text, signature) for text in request.signed_texts()):
        raise Refusal(-1022, "Signature for this request is not valid.")
