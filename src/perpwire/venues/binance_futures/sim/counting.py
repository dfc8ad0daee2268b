"""What is counted against a client: the weight of an address's requests, and an account's orders.

One AddressLimits holds every pool of an address, REST's and the trading socket's, and with them its ban, which holds
for all. One OrderCounts is shared by both ways of ordering.
"""

from __future__ import annotations

from typing import Literal

from perpwire.venues.binance_futures import limits
from perpwire.venues.binance_futures.sim.words import Refusal

IGNORED_429S = 20
"""Refusals in a row that an address may run into before it is banned; the venue does not publish its own number."""
IGNORED_418S = 100
"""Refusals that it may run into through one ban before the firewall answers instead; the venue's rules are its own."""
FIRST_BAN_MS = 120_000
LONGEST_BAN_MS = 3 * 24 * 3600 * 1000

Pool = Literal["rest", "socket", "funding", "statistics", "wallet"]

_MINUTE_MS = 60_000
_POOLS: dict[Pool, tuple[int, int]] = {
    "rest": (2400, _MINUTE_MS),
    # The trading socket has a counter of its own (general-info of the WebSocket API, as of 2026-10-11).
    "socket": (2400, _MINUTE_MS),
    # /sapi/*, which is another service.
    "wallet": (12_000, _MINUTE_MS),
    # fundingRate and fundingInfo together; requests.
    "funding": (500, 5 * _MINUTE_MS),
    # /futures/data/*; requests.
    "statistics": (1000, 5 * _MINUTE_MS),
}
"""Pool -> how much a window takes, and its length in milliseconds."""

_FORBIDDEN = (
    b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n"
    b"<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n"
)
"""What a firewall says: no JSON."""

OrderCost = tuple[int, int]
"""What a call adds to the ten-second and to the one-minute count of an account's orders."""

NO_ORDER: OrderCost = (0, 0)
AN_ORDER: OrderCost = (1, 1)
A_BATCH: OrderCost = (5, 1)
"""However many orders are in it."""


class Window:
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
    """One client address: its windows, and what came of overstepping them."""

    def __init__(self) -> None:
        self.windows = {pool: Window(*size) for pool, size in _POOLS.items()}
        self.refused = 0
        self.bans = 0
        self.banned_until_ms = 0
        self.ignored_ban = 0


class AddressLimits:
    def __init__(self) -> None:
        self._addresses: dict[str, _Address] = {}

    def _address(self, peer: str) -> _Address:
        found = self._addresses.get(peer)
        if found is None:
            found = self._addresses[peer] = _Address()
        return found

    def used(self, peer: str, pool: Pool, now_ms: int) -> int:
        return self._address(peer).windows[pool].used(now_ms)

    def admit(self, peer: str, pool: Pool, units: int, now_ms: int) -> None:
        """Count a request, whatever becomes of it.

        Raises:
            Refusal: 429 beyond the limit; 418 for who goes on regardless, and 403 for who does not heed even that.
        """
        address = self._address(peer)
        if now_ms < address.banned_until_ms:
            address.ignored_ban += 1
            if address.ignored_ban > IGNORED_418S:
                raise Refusal(-1003, "Forbidden", status=403, page=_FORBIDDEN)
            raise self._banned(address, now_ms, peer)
        address.ignored_ban = 0
        window = address.windows[pool]
        # A request without weight is let through a full window: the order limits are its own.
        if units and window.used(now_ms) + units > window.limit:
            address.refused += 1
            if address.refused > IGNORED_429S:
                address.banned_until_ms = now_ms + min(LONGEST_BAN_MS, FIRST_BAN_MS * 2**address.bans)
                address.bans += 1
                address.refused = 0
                raise self._banned(address, now_ms, peer)
            span = "minute" if window.period_ms == _MINUTE_MS else "5 minutes"
            raise Refusal(
                -1003,
                f"Too many requests; current limit of IP({peer}) is {window.limit} requests per {span}. "
                "Please use the websocket for live updates to avoid polling the API.",
                status=429,
                retry_after_s=window.rest_s(now_ms),
            )
        address.refused = 0
        window.add(units, now_ms)

    def ban(self, peer: str, until_ms: int) -> None:
        """Refuse it until then, whatever it did."""
        self._address(peer).banned_until_ms = until_ms

    def forget(self) -> None:
        """Nobody has called, and nobody is banned."""
        self._addresses.clear()

    def told(self, now_ms: int) -> dict[str, dict[str, int]]:
        """Every address: what it has used of each pool now, and until when it is banned (0: it is not)."""
        return {
            peer: {pool: window.used(now_ms) for pool, window in address.windows.items()}
            | {"banned_until_ms": address.banned_until_ms if address.banned_until_ms > now_ms else 0}
            for peer, address in self._addresses.items()
        }

    def _banned(self, address: _Address, now_ms: int, peer: str) -> Refusal:
        return Refusal(
            -1003,
            f"Way too many requests; IP({peer}) banned until {address.banned_until_ms}. "
            "Please use the websocket for live updates to avoid bans.",
            status=418,
            retry_after_s=-(-(address.banned_until_ms - now_ms) // 1000),
        )


class OrderCounts:
    """Orders of each account, in two windows."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, Window]] = {}

    def _windows(self, account: str) -> dict[str, Window]:
        found = self._accounts.get(account)
        if found is None:
            found = self._accounts[account] = {
                limit.name: Window(limit.limit, round(limit.period_s * 1000))
                for limit in limits.LIMITS
                if limit.name in (limits.ORDERS_10S, limits.ORDERS_1M)
            }
        return found

    def forget(self) -> None:
        """Nobody has ordered."""
        self._accounts.clear()

    def used(self, account: str, now_ms: int) -> OrderCost:
        windows = self._windows(account)
        return windows[limits.ORDERS_10S].used(now_ms), windows[limits.ORDERS_1M].used(now_ms)

    def headers(self, account: str, now_ms: int) -> dict[str, str]:
        return {limits.HEADERS[name]: str(window.used(now_ms)) for name, window in self._windows(account).items()}

    def count(self, account: str, cost: OrderCost, now_ms: int) -> None:
        """
        Raises:
            Refusal: One of the account's windows is full; nothing is counted.
        """
        windows = self._windows(account)
        costs = {limits.ORDERS_10S: cost[0], limits.ORDERS_1M: cost[1]}
        for name, window in windows.items():
            if costs[name] and window.used(now_ms) + costs[name] > window.limit:
                span = "10 SECOND" if window.period_ms == 10_000 else "1 MINUTE"
                raise Refusal(
                    -1015,
                    f"Too many new orders; current limit is {window.limit} orders per {span}.",
                    status=429,
                    retry_after_s=window.rest_s(now_ms),
                )
        for name, window in windows.items():
            window.add(costs[name], now_ms)
