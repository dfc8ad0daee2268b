"""The simulator's door: which call it is, what it costs, whose key, signature and time window it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.refusals import Refused
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import limits, wire
from perpwire.venues.binance_futures.sim.counting import NO_ORDER, AddressLimits, OrderCost, OrderCounts, Pool
from perpwire.venues.binance_futures.sim.key_rules import may
from perpwire.venues.binance_futures.sim.params import Args, whole
from perpwire.venues.binance_futures.sim.signatures import is_signed_by
from perpwire.venues.binance_futures.sim.words import Refusal, as_refusal, invalid, missing

__all__ = ["Args", "Gateway", "Handler", "Row", "Rows", "check_time", "was_empty"]

AHEAD_MS = 1000
DEFAULT_WINDOW_MS = 5000
LONGEST_WINDOW_MS = 60_000

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SIGNATURE = re.compile(rb"(?:^|&)signature=([^&]*)$")

Handler = Callable[[str, Args], Any]
"""Account ("" on public calls) and parameters -> what is answered, as JSON. Raises Refused or Refusal."""


class Row(msgspec.Struct, frozen=True):
    """One call that is served, with its cost by IP address and, for orders, by account."""

    handler: Handler
    security: Security
    weight: int | Callable[[Args], int]
    orders: OrderCost = NO_ORDER
    pool: Pool = "rest"

    def weight_of(self, args: Args) -> int:
        return self.weight(args) if callable(self.weight) else self.weight


Rows = dict[tuple[str, str], Row]
"""Method and path -> the call."""


class Gateway:
    """Answers HTTP requests by a table of calls."""

    def __init__(self, exchange: Exchange, rows: Rows, addresses: AddressLimits, orders: OrderCounts) -> None:
        self._exchange = exchange
        self._rows = rows
        self._addresses = addresses
        self._orders = orders

    def answer(self, request: IncomingRequest) -> HttpReply:
        now_ms = self._exchange.now_ms()
        headers = {"content-type": "application/json;charset=utf-8", "date": formatdate(now_ms / 1000, usegmt=True)}
        row = self._rows.get((request.method, request.path))
        try:
            status, body = 200, self._answer(request, row, now_ms, headers)
        except (Refused, Refusal) as error:
            refusal = as_refusal(error)
            status, body = refusal.status, msgspec.json.encode(wire.Error(refusal.code, refusal.message))
            if refusal.page is not None:
                headers["content-type"], body = "text/html", refusal.page
            if refusal.retry_after_s is not None:
                headers["retry-after"] = str(refusal.retry_after_s)
        if row is None or row.pool == "rest":
            # The calls with pools of their own don't tell of this one.
            used = str(self._addresses.used(request.peer, "rest", now_ms))
            headers[limits.HEADERS[limits.WEIGHT]] = used
            if request.path.startswith("/api/"):
                headers["x-mbx-used-weight"] = used  # the spot service's older name for it
        return HttpReply(status=status, headers=headers, body=body)

    def _answer(self, request: IncomingRequest, row: Row | None, now_ms: int, headers: dict[str, str]) -> bytes:
        if row is None:
            path = _bytes(request.path).decode("utf-8", "replace")
            raise Refusal(-5000, f"Path {path}, Method {request.method} is invalid", status=404)
        query, body = _pairs(_bytes(request.query)), _pairs(request.body)
        args = {**dict(body), **dict(query)}
        self._addresses.admit(request.peer, row.pool, row.weight_of(args), now_ms)
        for pairs in (query, body):
            if len(dict(pairs)) < len(pairs):
                raise Refusal(-1101, "Duplicate values for a parameter detected.")
        account = self._account(request, row.security, args, now_ms)
        for name, value in args.items():
            if not value:
                raise was_empty(name)
        if row.orders != NO_ORDER:
            self._orders.count(account, row.orders, now_ms)
            headers.update(self._orders.headers(account, now_ms))
        return msgspec.json.encode(row.handler(account, args))

    def _account(self, request: IncomingRequest, security: Security, args: Args, now_ms: int) -> str:
        """
        Raises:
            Refusal: Key, time stamp or signature are not in order.
        """
        if security is Security.NONE:
            return ""
        key = request.headers.get("x-mbx-apikey", "")
        if not _KEY.fullmatch(key):
            raise Refusal(-2014, "API-key format invalid.", status=401)
        account = self._exchange.account_by_key(key)
        if account is None:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action", status=401)
        if not may(account, request.method, request.path, request.peer, now_ms):
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action", status=401)
        if security is Security.SIGNED:
            check_time(args, now_ms)
            _check_signature(request, account)
        return account.name


def _bytes(text: str) -> bytes:
    """As they came: bytes that are no UTF-8 stand in the text as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, errors="replace")


def was_empty(name: str) -> Refusal:
    """Of a parameter that was sent with nothing in it."""
    if name == "newClientOrderId":
        return Refusal(-1118, "New client order ID was empty.")
    if name == "origClientOrderId":
        return Refusal(-1119, "Original client order ID was empty.")
    return Refusal(-1105, f"Parameter '{name}' was empty.")


def check_time(args: Args, now_ms: int) -> None:
    """`timestamp` lies in the window of `recvWindow`.

    Raises:
        Refusal: It does not, or one of them is not in order.
    """
    stamp_ms, window_ms = whole(args, "timestamp"), whole(args, "recvWindow")
    if stamp_ms is None:
        raise missing("timestamp")
    if window_ms is None:
        window_ms = DEFAULT_WINDOW_MS
    if window_ms > LONGEST_WINDOW_MS:
        raise invalid("recvWindow")
    if stamp_ms >= now_ms + AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - stamp_ms > window_ms:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


def _check_signature(request: IncomingRequest, account: AccountSpec) -> None:
    """Over the raw query directly followed by the raw body, less `signature`, which is the last of either."""
    query, body = _bytes(request.query), request.body
    for text in (body, query):
        found = _SIGNATURE.search(text)
        if found is not None:
            signed = query + body[: found.start()] if text is body else query[: found.start()] + body
            # As in every parameter, percent signs stand for what they encode: base64 needs them. (A plus sign is one.)
            if is_signed_by(account, signed, unquote(found.group(1).decode("ascii", "replace"))):
                return
            break
    else:
        if b"signature=" not in query + body:
            raise missing("signature")
    raise Refusal(-1022, "Signature for this request is not valid.")
