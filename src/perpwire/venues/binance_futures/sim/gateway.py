"""The simulator's door: parameters, keys, signatures, time windows, and the count of weights and orders."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.events import Refused
from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import limits, wire
from perpwire.venues.binance_futures.signing import hmac_hex
from perpwire.venues.binance_futures.sim.words import REFUSALS, Refusal, invalid, missing

AHEAD_MS = 1000
DEFAULT_WINDOW_MS = 5000
LONGEST_WINDOW_MS = 60_000

IGNORED_429S = 20
"""Refusals in a row that an address may run into before it is banned; the venue does not publish its own number."""
FIRST_BAN_MS = 120_000
LONGEST_BAN_MS = 3 * 24 * 3600 * 1000

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SIGNATURE = re.compile(rb"(?:^|&)signature=([^&]*)$")

Args = Mapping[str, str]
"""Parameters by name; those of the query win over those of the body."""

Handler = Callable[[str, Args], Any]
"""Account ("" on public calls) and parameters -> what is answered, as JSON."""


class Row(msgspec.Struct, frozen=True):
    """One call that is served."""

    handler: Handler
    security: Security
    weight: int | Callable[[Args], int]
    is_order: bool = False  # counts as one order


Rows = dict[tuple[str, str], Row]


class Gateway:
    """Answers HTTP requests by a table of calls."""

    def __init__(self, exchange: Exchange, rows: Rows) -> None:
        self._exchange = exchange
        self._rows = rows
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[str, dict[str, _Window]] = {}

    def answer(self, request: IncomingRequest) -> HttpReply:
        address = self._addresses.setdefault(request.peer, _Address())
        now_ms = self._exchange.now_ms()
        headers = {"content-type": "application/json;charset=utf-8", "date": formatdate(now_ms / 1000, usegmt=True)}
        try:
            status, body = 200, self._answer(request, address, now_ms, headers)
        except Refused as refused:
            code, message = REFUSALS[refused.why]
            status, body = 400, msgspec.json.encode(wire.Error(code, message))
        except Refusal as refusal:
            status, body = refusal.status, msgspec.json.encode(wire.Error(refusal.code, refusal.message))
            if refusal.retry_after_s is not None:
                headers["retry-after"] = str(refusal.retry_after_s)
        headers[limits.HEADERS[limits.WEIGHT]] = str(address.weight.used(now_ms))
        return HttpReply(status=status, headers=headers, body=body)

    def _answer(self, request: IncomingRequest, address: _Address, now_ms: int, headers: dict[str, str]) -> bytes:
        row = self._rows.get((request.method, request.path))
        if row is None:
            raise Refusal(-5000, f"Path {request.path}, Method {request.method} is invalid", status=404)
        query, body = _pairs(request.query), _pairs(request.body.decode("utf-8", "replace"))
        args = {**dict(body), **dict(query)}
        address.admit(row.weight(args) if callable(row.weight) else row.weight, now_ms, request.peer)
        for pairs in (query, body):
            if len(dict(pairs)) < len(pairs):
                raise Refusal(-1101, "Duplicate values for a parameter detected.")
        account = self._account(request, row.security, args, now_ms)
        if row.is_order:
            headers.update(self._count_order(account, now_ms))
        return msgspec.json.encode(row.handler(account, args))

    # --- who is it ------------------------------------------------------------------------------------------------

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
        if security is Security.SIGNED:
            _check_time(args, now_ms)
            _check_signature(request, account.secret_key)
        return account.name

    # --- how much -------------------------------------------------------------------------------------------------

    def _count_order(self, account: str, now_ms: int) -> dict[str, str]:
        """Count one order; gives the headers that tell of it.

        Raises:
            Refusal: One of the account's windows is full.
        """
        windows = self._orders.get(account)
        if windows is None:
            windows = self._orders[account] = {
                limit.name: _Window(limit.limit, round(limit.period_s * 1000))
                for limit in limits.LIMITS
                if limit.name != limits.WEIGHT
            }
        for window in windows.values():
            if window.used(now_ms) >= window.limit:
                span = "10 SECOND" if window.period_ms == 10_000 else "1 MINUTE"
                raise Refusal(
                    -1015,
                    f"Too many new orders; current limit is {window.limit} orders per {span}.",
                    status=429,
                    retry_after_s=window.rest_s(now_ms),
                )
        for window in windows.values():
            window.add(1, now_ms)
        return {limits.HEADERS[name]: str(window.used(now_ms)) for name, window in windows.items()}


class _Window:
    """A fixed window of the venue's clock."""

    def __init__(self, limit: int, period_ms: int) -> None:
        self.limit = limit
        self.period_ms = period_ms
        self._number = -1
        self._used = 0

    def used(self, now_ms: int) -> int:
        number = now_ms // self.period_ms
        if number != self._number:
            self._number = number
            self._used = 0
        return self._used

    def add(self, units: int, now_ms: int) -> None:
        self._used = self.used(now_ms) + units

    def rest_s(self, now_ms: int) -> int:
        """Whole seconds until the next window."""
        return -(-(self.period_ms - now_ms % self.period_ms) // 1000)


class _Address:
    """One client address: its weight, and what came of overstepping it."""

    def __init__(self) -> None:
        weight = next(limit for limit in limits.LIMITS if limit.name == limits.WEIGHT)
        self.weight = _Window(weight.limit, round(weight.period_s * 1000))
        self._refused = 0
        self._bans = 0
        self._banned_until_ms = 0

    def admit(self, units: int, now_ms: int, peer: str) -> None:
        """Count a request, whatever becomes of it.

        Raises:
            Refusal: 429 beyond the limit; 418 for who goes on regardless.
        """
        if now_ms < self._banned_until_ms:
            raise self._banned(now_ms, peer)
        # A request without weight is let through a full window: the order limits are its own.
        if units and self.weight.used(now_ms) + units > self.weight.limit:
            self._refused += 1
            if self._refused > IGNORED_429S:
                self._banned_until_ms = now_ms + min(LONGEST_BAN_MS, FIRST_BAN_MS * 2**self._bans)
                self._bans += 1
                self._refused = 0
                raise self._banned(now_ms, peer)
            raise Refusal(
                -1003,
                f"Too many requests; current limit of IP({peer}) is {self.weight.limit} requests per minute. "
                "Please use the websocket for live updates to avoid polling the API.",
                status=429,
                retry_after_s=self.weight.rest_s(now_ms),
            )
        self._refused = 0
        self.weight.add(units, now_ms)

    def _banned(self, now_ms: int, peer: str) -> Refusal:
        return Refusal(
            -1003,
            f"Way too many requests; IP({peer}) banned until {self._banned_until_ms}. "
            "Please use the websocket for live updates to avoid bans.",
            status=418,
            retry_after_s=-(-(self._banned_until_ms - now_ms) // 1000),
        )


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def _check_time(args: Args, now_ms: int) -> None:
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


def _check_signature(request: IncomingRequest, secret_key: str) -> None:
    """Over the raw query directly followed by the raw body, less `signature`, which is the last of either."""
    query, body = request.query.encode(), request.body
    for text in (body, query):
        found = _SIGNATURE.search(text)
        if found is not None:
            signed = query + body[: found.start()] if text is body else query[: found.start()] + body
            if hmac.compare_digest(hmac_hex(signed, secret_key).encode(), found.group(1).lower()):
                return
            break
    else:
        if b"signature=" not in query + body:
            raise missing("signature")
    raise Refusal(-1022, "Signature for this request is not valid.")


# --- parameters -------------------------------------------------------------------------------------------------------


def needed(args: Args, name: str) -> str:
    """
    Raises:
        Refusal: It was not sent, or is empty.
    """
    value = args.get(name, "")
    if not value:
        raise missing(name)
    return value


def whole(args: Args, name: str) -> int | None:
    """A whole number, or None where it was not sent.

    Raises:
        Refusal: It is something else.
    """
    text = args.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)


def limit_of(args: Args, default: int, greatest: int) -> int:
    """`limit`, which is from 1 to `greatest`.

    Raises:
        Refusal: It is not.
    """
    limit = whole(args, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= greatest:
        raise invalid("limit")
    return limit
