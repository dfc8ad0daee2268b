"""A venue's rate limits, spent by REST and WebSocket alike. It says how long to wait; it never sleeps."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from perpwire.venues.base import Costs, Lane, Limit

SHARE = {Lane.CANCEL: 1.0, Lane.REDUCE: 1.0, Lane.ORDER: 0.95, Lane.ACCOUNT: 0.9, Lane.MARKET: 0.85}
"""How much of a window each lane may use: what is left over is kept for the more urgent."""


class Moment(NamedTuple):
    """An instant on both clocks, in seconds. Fixed windows turn with the venue's; all else goes by our monotonic one,
    which no step of a clock can move."""

    venue_s: float
    monotonic_s: float


ROUND_TRIP_SPREAD_S = 0.1
"""Added to rolling windows: requests sent evenly reach the venue unevenly."""


class _FixedWindow:
    """A window that starts at multiples of its length on the venue's clock."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._number = -1
        self._used = 0

    def _number_at(self, at: Moment) -> int:
        return int(at.venue_s // self.limit.period_s)

    def _roll(self, now: Moment) -> None:
        number = self._number_at(now)
        if number != self._number:
            self._number, self._used = number, 0

    def used(self, now: Moment) -> int:
        self._roll(now)
        return self._used

    def wait_s(self, cost: int, allowed: float, now: Moment) -> float:
        self._roll(now)
        if self._used + cost <= allowed or self._used == 0:
            return 0.0
        return (self._number + 1) * self.limit.period_s - now.venue_s

    def spend(self, cost: int, now: Moment) -> None:
        self._roll(now)
        self._used += cost

    def reported(self, used: int, sent: Moment, now: Moment) -> None:
        # Only upward inside a window: a reply that overtook another must not free what was spent. What was counted in
        # the window before says nothing of this one.
        self._roll(now)
        if self._number_at(sent) == self._number:
            self._used = max(self._used, used)


class _RollingWindow:
    """A window that always reaches back its length from now."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._reach_s = limit.period_s + ROUND_TRIP_SPREAD_S
        self._spent: deque[tuple[float, int]] = deque()
        self._used = 0

    def _roll(self, now: Moment) -> None:
        while self._spent and self._spent[0][0] <= now.monotonic_s - self._reach_s:
            self._used -= self._spent.popleft()[1]

    def used(self, now: Moment) -> int:
        self._roll(now)
        return self._used

    def wait_s(self, cost: int, allowed: float, now: Moment) -> float:
        self._roll(now)
        excess = self._used + cost - allowed
        if excess <= 0 or not self._spent:
            return 0.0
        for at_s, units in self._spent:
            excess -= units
            if excess <= 0:
                return max(0.0, at_s + self._reach_s - now.monotonic_s)
        return max(0.0, self._spent[-1][0] + self._reach_s - now.monotonic_s)

    def spend(self, cost: int, now: Moment) -> None:
        self._roll(now)
        self._spent.append((now.monotonic_s, cost))
        self._used += cost

    def reported(self, used: int, sent: Moment, now: Moment) -> None:
        self._roll(now)
        if used > self._used and now.monotonic_s - sent.monotonic_s < self.limit.period_s:
            self.spend(used - self._used, sent)


class RateLedger:
    """The windows of one venue, and its stops: after HTTP 429, 418 or 403 every call is held back, after an order limit
    or retCode 10006 only calls that draw on the same account windows."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._windows = {one.name: (_FixedWindow if one.fixed else _RollingWindow)(one) for one in limits}
        self._stopped_until_s = float("-inf")
        self._window_stopped_until_s: dict[str, float] = {}

    def wait_s(self, costs: Costs, lane: Lane, now: Moment) -> float:
        """Seconds until a call of these costs may go; 0 for now."""
        wait_s = max(0.0, self._stopped_until_s - now.monotonic_s)
        for name, cost in costs.items():
            window = self._windows[name]
            # Small windows are not cut: ten orders a second means ten.
            limit = window.limit.limit
            allowed = limit * SHARE[lane] if limit >= 100 else limit
            stopped_s = self._window_stopped_until_s.get(name, float("-inf")) - now.monotonic_s
            wait_s = max(wait_s, stopped_s, window.wait_s(cost, allowed, now))
        return wait_s

    def spend(self, costs: Costs, now: Moment) -> None:
        for name, cost in costs.items():
            self._windows[name].spend(cost, now)

    def reported(self, usage: Costs, sent: Moment, now: Moment) -> None:
        """What the headers of a reply say is used; its request went out at `sent`."""
        for name, used in usage.items():
            self._windows[name].reported(used, sent, now)

    def stop(self, seconds: float, now: Moment) -> None:
        """Send nothing for so long."""
        self._stopped_until_s = max(self._stopped_until_s, now.monotonic_s + seconds)

    def stop_like(self, costs: Costs, seconds: float, now: Moment) -> None:
        """Send nothing for so long that draws on one of these account windows."""
        for name in costs:
            if self._windows[name].limit.scope == "account":
                until_s = max(self._window_stopped_until_s.get(name, 0.0), now.monotonic_s + seconds)
                self._window_stopped_until_s[name] = until_s

    def used(self, name: str, now: Moment) -> int:
        """Units spent of the current window."""
        return self._windows[name].used(now)
