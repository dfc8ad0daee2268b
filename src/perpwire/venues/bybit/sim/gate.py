"""Who may ask, and how often: keys, signatures, time stamps, and the windows of the rate limits.

Source: docs/v5/guide and docs/v5/rate-limit, as of 2026-07-24.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import NamedTuple

from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit.sim.numbers import whole
from perpwire.venues.bybit.sim.quotas import (
    IP_BAN_S,
    IP_CALLS,
    IP_PERIOD_S,
    LONGEST_IP_BAN_S,
    UNITS,
    UPGRADABLE,
)
from perpwire.venues.bybit.sim.refusal import CallRefused, HttpRefused
from perpwire.venues.bybit.sim.settings import Settings
from perpwire.venues.bybit.sim.signatures import is_signed_by

DEFAULT_RECV_WINDOW_MS = 5000
FUTURE_MS = 1000
"""A time stamp may be ahead of the venue's clock by less than this, whatever the receive window."""

SECOND_NS = 10**9
BANS_REMEMBERED_NS = 24 * 3600 * SECOND_NS
"""An address that is banned once more within this time is banned for twice as long."""

TOO_MANY = "Too many visits. Exceeded the API Rate Limit."


class Gate:
    """Counts by the monotonic clock, judges time stamps by the wall clock (which a test may skew)."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        self._exchange = exchange
        self._settings = settings
        self._by_address: defaultdict[str, deque[int]] = defaultdict(deque)
        self._bans: dict[str, _Ban] = {}
        self._by_account: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)

    def check_address(self, address: str) -> None:
        """
        Raises:
            HttpRefused: 403, and for ten minutes from the first breach, for twice as long from the next one ...
        """
        now_ns = self._exchange.clock.monotonic_ns()
        ban = self._bans.get(address)
        if ban is not None and now_ns < ban.until_ns:
            raise HttpRefused(403, b"403, access too frequent")
        window = self._by_address[address]
        if _room(window, IP_CALLS, round(IP_PERIOD_S * SECOND_NS), now_ns) < 1:
            length_ns = round(IP_BAN_S * SECOND_NS)
            if ban is not None and now_ns - ban.until_ns < BANS_REMEMBERED_NS:
                length_ns = min(2 * ban.length_ns, round(LONGEST_IP_BAN_S * SECOND_NS))
            self._bans[address] = _Ban(now_ns + length_ns, length_ns)
            raise HttpRefused(403, b"403, access too frequent")
        window.append(now_ns)

    def ban(self, address: str, seconds: float) -> None:
        """Refuse it for so long, whatever it did."""
        length_ns = round(seconds * SECOND_NS)
        self._bans[address] = _Ban(self._exchange.clock.monotonic_ns() + length_ns, length_ns)

    def forget(self) -> None:
        """Nobody has called, and nobody is banned."""
        self._by_address.clear()
        self._by_account.clear()
        self._bans.clear()

    def told(self) -> dict[str, dict[str, float]]:
        """Every address: its calls of the last five seconds, and for how long it is banned. And every account: its
        calls of the last second by path."""
        now_ns = self._exchange.clock.monotonic_ns()
        told: dict[str, dict[str, float]] = {}
        for address in {**self._by_address, **self._bans}:
            ban = self._bans.get(address)
            begin_ns = now_ns - round(IP_PERIOD_S * SECOND_NS)
            told[address] = {
                "calls": sum(at_ns > begin_ns for at_ns in self._by_address.get(address, ())),
                "banned_for_s": max(0, ban.until_ns - now_ns) / SECOND_NS if ban is not None else 0.0,
            }
        for (account, path), times in self._by_account.items():
            told.setdefault(account, {})[path] = sum(at_ns > now_ns - SECOND_NS for at_ns in times)
        return told

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
        self.check_time(stamp, window)
        try:
            text = request.query if request.method == "GET" else request.body.decode()
            text.encode()
        except UnicodeError:
            raise CallRefused(10001, "Request parameter error.") from None
        if not is_signed_by(account, f"{stamp}{key}{window}{text}", signature):
            raise CallRefused(10004, f"error sign! origin_string[{stamp}{key}{window}{text}]")
        return account

    def check_time(self, stamp: str, window: str) -> None:
        """
        Raises:
            CallRefused: The time stamp lies outside the window, or is none.
        """
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

    def spend(self, account: str, path: str, cost: int = 1) -> Spent:
        """Use the account's units for this path: as many of `cost` as are left.

        Raises:
            LimitReached: None is left.
        """
        units = UNITS.get(path)
        if units is None:
            return Spent({}, cost)
        if path in UPGRADABLE:
            units = self._settings.rate(account) or units
        now_ns, now_ms = self._exchange.clock.monotonic_ns(), self._exchange.now_ms()
        window = self._by_account[account, path]
        headers = {"x-bapi-limit": str(units)}
        granted = min(cost, _room(window, units, SECOND_NS, now_ns))
        window.extend([now_ns] * granted)
        if granted < cost:
            free_in_ms = -((now_ns - window[0] - SECOND_NS) // 1_000_000)
            headers["x-bapi-limit-reset-timestamp"] = str(now_ms + max(1, free_in_ms))
        else:
            headers["x-bapi-limit-reset-timestamp"] = str(now_ms)
        headers["x-bapi-limit-status"] = str(max(0, units - len(window)))
        if cost and not granted:
            raise LimitReached(headers)
        return Spent(headers, granted)


class Spent(NamedTuple):
    """The headers that say what is left, and how many units there were."""

    headers: dict[str, str]
    granted: int


class _Ban(NamedTuple):
    until_ns: int
    length_ns: int


class LimitReached(CallRefused):
    """The account's window for this endpoint is used up."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(10006, TOO_MANY)
        self.headers = headers


def _room(window: deque[int], limit: int, period_ns: int, now_ns: int) -> int:
    """How many more fit in a rolling window."""
    while window and window[0] <= now_ns - period_ns:
        window.popleft()
    return max(0, limit - len(window))


def _shown(header: str) -> str:
    """A header's text for a reply. Bytes beyond ASCII reach us as half characters, which no JSON can hold."""
    return header.encode("ascii", errors="backslashreplace").decode("ascii")
