"""Again or not, and after how long. The only place that decides it; the one backoff.

What is surely not done may be sent again, whatever it was. What may have been done is sent again only where the
endpoint's row says that twice is harmless; an order's row says it is not (reconcile.py asks instead).
"""

from __future__ import annotations

import random

import msgspec

from perpwire.errors import (
    APIError,
    BadInput,
    Busy,
    ClockSkewed,
    Garbled,
    GuardRefused,
    NotAllowed,
    NotSent,
    OutcomeUnknown,
    Overloaded,
    RateLimited,
)
from perpwire.venues.base import Endpoint, Lane

GIVEN_UP = frozenset({"DEADLINE", "CLOSED", "HELD_BACK", "TOO_LARGE"})
"""Codes of ours for calls that were not sent and will not be: trying again would only wait again."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How patient calls are.

    Attributes:
        attempts: Tries in all, the first included.
        longest_s: Nothing is tried again so long after its first try, waits for budget included.
        base_s: Pause before the second try; doubles each time.
        cap_s: Longest pause.
        longest_wait_s: A venue's "come back in N seconds" is waited out up to this; beyond it, it is the caller's.
        longest_hold_s: A call may wait so long for its budget: a little more than the longest window.
        resend_orders: Whether an order that the venue was too busy to take is sent again by itself, at the earliest
            half a second later. Orders that can only make a position smaller are, at once: the venue exempts them.
    """

    attempts: int = 3
    longest_s: float = 60.0
    base_s: float = 0.2
    cap_s: float = 3.0
    longest_wait_s: float = 15.0
    longest_hold_s: float = 70.0
    resend_orders: bool = False

    def pause_s(
        self, error: APIError, endpoint: Endpoint, tried: int, rng: random.Random, lane: Lane = Lane.ORDER
    ) -> float | None:
        """Seconds to wait before trying again, or None: raise it. `tried` counts the tries so far; `lane` is the
        call's."""
        if tried >= self.attempts or error.elapsed_ms >= self.longest_s * 1000:
            return None
        if isinstance(error, BadInput | GuardRefused) or error.code in GIVEN_UP:
            return None
        if isinstance(error, ClockSkewed):
            return 0.0 if tried == 1 else None
        if isinstance(error, RateLimited):
            return error.retry_after_s if error.retry_after_s <= self.longest_wait_s else None
        if isinstance(error, Busy) and not endpoint.repeatable:
            if isinstance(error, Overloaded):
                # Who may be told "no" and be placed all the same is looked for first (reconcile.py).
                return rng.uniform(0.05, 0.15) if lane is Lane.REDUCE else None
            return max(0.5, self._backoff_s(tried, rng)) if self.resend_orders else None
        surely_not_done = isinstance(error, NotSent | Busy)
        harmless_twice = endpoint.repeatable and isinstance(error, OutcomeUnknown | Garbled)
        if surely_not_done or harmless_twice:
            return self._backoff_s(tried, rng)
        return None

    def _backoff_s(self, tried: int, rng: random.Random) -> float:
        return min(self.cap_s, self.base_s * 2.0 ** (tried - 1)) * rng.uniform(0.75, 1.0)


def is_safe(error: APIError, endpoint: Endpoint) -> bool:
    """Whether making the same call again can't do anything twice, and may pass."""
    if isinstance(error, BadInput | GuardRefused) or error.code in ("CLOSED", "TOO_LARGE"):
        return False
    if isinstance(error, Overloaded) and not endpoint.repeatable:
        return False
    if isinstance(error, NotSent | Busy | RateLimited | ClockSkewed):
        return True
    return endpoint.repeatable and isinstance(error, OutcomeUnknown | Garbled)


def is_refused_key(error: Exception) -> bool:
    """A login or a key that the venue refused, or that can't sign: the same one will be refused again."""
    return isinstance(error, NotAllowed | BadInput)


def is_told(tries: int) -> bool:
    """Whether what has now failed so often in a row is told again: at 1, 2, 5, 10, 20, 50, 100 ... times."""
    return tries > 0 and str(tries).rstrip("0") in ("1", "2", "5")


def reconnect_pause_s(failures: int, rng: random.Random, refusals: int = 0) -> float:
    """Seconds before the next try to connect, after `failures` failed ones in a row (0: the socket was live before),
    the last `refusals` of which ended in a refused key.

    A lost socket is replaced at once, give or take a quarter of a second so that many clients do not come back in one
    instant; then 2, 4, 8, 16, 30, 30 ... seconds, each less up to a fifth. A refused key is tried once more as soon,
    in case it was for the clock, and then after 30, 60, 120, 240, 480, 600, 600 ... seconds.
    """
    if refusals > 1:
        return min(600.0, 30.0 * 2.0 ** min(refusals - 2, 5)) * rng.uniform(0.8, 1.0)
    if failures == 0:
        return rng.uniform(0.0, 0.25)
    return min(30.0, 2.0 ** min(failures, 5)) * rng.uniform(0.8, 1.0)


def replace_pause_s(in_vain: int) -> float:
    """Seconds before a socket that is there, and was proven not to tell all, is replaced, after `in_vain` replacements
    that did not help: 0, 0, 60, 120, 240, 480, 600, 600 ..."""
    return 0.0 if in_vain < 2 else min(600.0, 60.0 * 2.0 ** min(in_vain - 2, 4))


def reread_pause_s(failures: int) -> float:
    """Seconds before what must be read back is asked for again, after `failures` more questions in a row that failed,
    each as often as RetryPolicy tries it: 1, 2, 4, 8, 16, 30, 30 ..."""
    return min(30.0, 2.0 ** min(failures, 5))
