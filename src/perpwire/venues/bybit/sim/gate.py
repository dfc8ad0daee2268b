"""Who may ask, and how often: keys, signatures, time stamps, and the windows of the rate limits.

Source: docs/v5/guide and docs/v5/rate-limit, as of 2026-07-24.
"""

from __future__ import annotations

import hmac
from collections import defaultdict, deque

from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit.limits import ACCOUNT_LIMITS, IP_BAN_S, IP_LIMIT
from perpwire.venues.bybit.signing import sign_login, sign_request
from perpwire.venues.bybit.sim.numbers import whole
from perpwire.venues.bybit.sim.refusal import CallRefused, HttpRefused

DEFAULT_RECV_WINDOW_MS = 5000
FUTURE_MS = 1000
"""A time stamp may be ahead of the venue's clock by less than this, whatever the receive window."""


class Gate:
    """Counts by the monotonic clock, judges time stamps by the wall clock (which a test may skew)."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._by_address: defaultdict[str, deque[int]] = defaultdict(deque)
        self._banned_until_ns: dict[str, int] = {}
        self._by_account: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)

    def check_address(self, address: str) -> None:
        """
        Raises:
            HttpRefused: 403, and for ten minutes from the first breach.
        """
        now_ns = self._exchange.clock.monotonic_ns()
        if now_ns < self._banned_until_ns.get(address, 0):
            raise HttpRefused(403, b"403, access too frequent")
        window = self._by_address[address]
        if not _has_room(window, IP_LIMIT.limit, IP_LIMIT.period_s, now_ns):
            self._banned_until_ns[address] = now_ns + round(IP_BAN_S * 1e9)
            raise HttpRefused(403, b"403, access too frequent")
        window.append(now_ns)

    def authenticate(self, request: IncomingRequest) -> AccountSpec:
        """
        Raises:
            HttpRefused: 401: headers are missing.
            CallRefused: Unknown key, time outside the window, or a wrong signature.
        """
        headers = request.headers
        key, stamp, signature = (headers.get(f"x-bapi-{name}", "") for name in ("api-key", "timestamp", "sign"))
        if not (key and stamp and signature):
            raise HttpRefused(401)
        account = self._exchange.account_by_key(key)
        if account is None:
            raise CallRefused(10003, "API key is invalid.")
        window = headers.get("x-bapi-recv-window", "")
        self._check_time(stamp, window)
        try:
            text = request.query if request.method == "GET" else request.body.decode()
            text.encode()
        except UnicodeError:
            raise CallRefused(10001, "Request parameter error.") from None
        if not _same(signature, sign_request(account.secret_key, key, stamp, window, text)):
            raise CallRefused(10004, f"error sign! origin_string[{stamp}{key}{window}{text}]")
        return account

    def authenticate_stream(self, key: str, expires: str, signature: str) -> AccountSpec | str:
        """The account, or the words to refuse the login with."""
        account = self._exchange.account_by_key(key)
        if account is None:
            return "API key is invalid."
        until_ms = whole(expires)
        if until_ms is None or until_ms <= self._exchange.now_ms():
            return "Params Error: the login has expired"
        if not _same(signature, sign_login(account.secret_key, expires)):
            return "error sign!"
        return account

    def _check_time(self, stamp: str, window: str) -> None:
        now_ms = self._exchange.now_ms()
        recv_window = window or str(DEFAULT_RECV_WINDOW_MS)
        sent_ms, window_ms = whole(stamp), whole(recv_window)
        if sent_ms is not None and window_ms is not None and now_ms - window_ms <= sent_ms < now_ms + FUTURE_MS:
            return
        raise CallRefused(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{_shown(stamp)}],server_timestamp[{now_ms}],recv_window[{_shown(recv_window)}]",
        )

    def spend(self, account: str, path: str) -> dict[str, str]:
        """Use one of the account's units for this path; the headers that say what is left.

        Raises:
            LimitReached: None is left.
        """
        limit = ACCOUNT_LIMITS.get(path)
        if limit is None:
            return {}
        now_ns, now_ms = self._exchange.clock.monotonic_ns(), self._exchange.now_ms()
        window = self._by_account[account, path]
        headers = {"x-bapi-limit": str(limit.limit)}
        if not _has_room(window, limit.limit, limit.period_s, now_ns):
            free_in_ms = -((now_ns - window[0] - round(limit.period_s * 1e9)) // 1_000_000)
            raise LimitReached(
                headers | {"x-bapi-limit-status": "0", "x-bapi-limit-reset-timestamp": str(now_ms + max(1, free_in_ms))}
            )
        window.append(now_ns)
        return headers | {
            "x-bapi-limit-status": str(limit.limit - len(window)),
            "x-bapi-limit-reset-timestamp": str(now_ms),
        }


class LimitReached(CallRefused):
    """The account's window for this endpoint is used up."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(10006, "Too many visits. Exceeded the API Rate Limit.")
        self.headers = headers


def _has_room(window: deque[int], limit: int, period_s: float, now_ns: int) -> bool:
    start_ns = now_ns - round(period_s * 1e9)
    while window and window[0] <= start_ns:
        window.popleft()
    return len(window) < limit


def _shown(header: str) -> str:
    """A header's text for a reply. Bytes beyond ASCII reach us as half characters, which no JSON can hold."""
    return header.encode("ascii", errors="backslashreplace").decode("ascii")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
