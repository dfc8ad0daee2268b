"""A venue's rate limits, spent by REST and WebSocket alike. It says how long to wait; it never sleeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from perpwire.venues.base import Costs, Lane, Limit

SHARE = {Lane.CANCEL: 1.0, Lane.ORDER: 0.95, Lane.READ: 0.85}
"""How much of a window each lane may use: what is left over is kept for the more urgent."""


class _FixedWindow:
    """A window that starts at multiples of its length on the venue's clock."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._number = -1
        self._used = 0

    def _roll(self, venue_s: float) -> None:
        number = int(venue_s // self.limit.period_s)
        if number != self._number:
            self._number, self._used = number, 0

    def used(self, venue_s: float) -> int:
        self._roll(venue_s)
        return self._used

    def wait_s(self, cost: int, allowed: float, venue_s: float) -> float:
        self._roll(venue_s)
        if self._used + cost <= allowed or self._used == 0:
            return 0.0
        return (self._number + 1) * self.limit.period_s - venue_s

    def spend(self, cost: int, venue_s: float) -> None:
        self._roll(venue_s)
        self._used += cost

    def reported(self, used: int, venue_s: float) -> None:
        # Only upward inside a window: a reply that overtook another must not free what was spent.
        self._roll(venue_s)
        self._used = max(self._used, used)


class _RollingWindow:
    """A window that always reaches back its length from now."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0

    def _roll(self, venue_s: float) -> None:
        while self._spent and self._spent[0][0] <= venue_s - self.limit.period_s:
            self._used -= self._spent.popleft()[1]

    def used(self, venue_s: float) -> int:
        self._roll(venue_s)
        return self._used

    def wait_s(self, cost: int, allowed: float, venue_s: float) -> float:
        self._roll(venue_s)
        excess = self._used + cost - allowed
        if excess <= 0 or not self._spent:
            return 0.0
        for at_s, units in self._spent:
            excess -= units
            if excess <= 0:
                return max(0.0, at_s + self.limit.period_s - venue_s)
        return max(0.0, self._spent[-1][0] + self.limit.period_s - venue_s)

    def spend(self, cost: int, venue_s: float) -> None:
        self._roll(venue_s)
        self._spent.append((venue_s, cost))
        self._used += cost

    def reported(self, used: int, venue_s: float) -> None:
        self._roll(venue_s)
        if used > self._used:
            self.spend(used - self._used, venue_s)


class RateLedger:
    """The windows of one venue. Times are seconds of the venue's clock, so that fixed windows turn with the venue's.

    A stop (HTTP 429, 418, 403, retCode 10006) holds back every call until it is over.
    """

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._windows = {one.name: (_FixedWindow if one.fixed else _RollingWindow)(one) for one in limits}
        self._stopped_until_s = float("-inf")

    def wait_s(self, costs: Costs, lane: Lane, venue_s: float) -> float:
        """Seconds until a call of these costs may go; 0 for now."""
        waits = [self._stopped_until_s - venue_s, 0.0]
        for name, cost in costs.items():
            window = self._windows[name]
            # Small windows are not cut: ten orders a second means ten.
            limit = window.limit.limit
            allowed = limit * SHARE[lane] if limit >= 100 else limit
            waits.append(window.wait_s(cost, allowed, venue_s))
        return max(waits)

    def spend(self, costs: Costs, venue_s: float) -> None:
        for name, cost in costs.items():
            self._windows[name].spend(cost, venue_s)

    def reported(self, usage: Costs, venue_s: float) -> None:
        """What the venue's headers say is used."""
        for name, used in usage.items():
            self._windows[name].reported(used, venue_s)

    def stop(self, seconds: float, venue_s: float) -> None:
        """Send nothing for so long."""
        self._stopped_until_s = max(self._stopped_until_s, venue_s + seconds)

    def used(self, name: str, venue_s: float) -> int:
        """Units spent of the current window."""
        return self._windows[name].used(venue_s)
