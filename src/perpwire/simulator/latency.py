"""How long the venue takes: for calls, for what is asked on sockets, and for orders, each with a spread.

The defaults are those of a client near the venue. What is asked on a socket takes longest, for a reason: pybit notes
down what it waits for after it has sent the question, and loses an answer that comes within a millisecond or so.
"""

from __future__ import annotations

import math
from random import Random

import msgspec

SOCKETS_TO_CALLS = 4.0
"""Mean latency of what is asked on sockets, and of orders, in that of calls, where only the latter is set."""

_LEAST = 0.7
"""The share of the mean that is always there; the rest is spread out, with a long tail up to _MOST."""

_MOST = 4.0


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Mean seconds from a request's arrival to its execution; the answer leaves at once.

    Attributes:
        calls_s: HTTP calls, and the opening of sockets.
        sockets_s: What a client says on a socket: subscriptions, logins, pings in text.
        orders_s: Order entry, over HTTP and on sockets for trading.
    """

    calls_s: float = 0.005
    sockets_s: float = 0.005 * SOCKETS_TO_CALLS
    orders_s: float = 0.005 * SOCKETS_TO_CALLS

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"latency {name} {seconds:g} must be a finite number, and not below 0")


def latency(calls_s: float, sockets_s: float | None = None, orders_s: float | None = None) -> Latency:
    """Those not given follow from that of calls."""
    usual = calls_s * SOCKETS_TO_CALLS
    return Latency(
        calls_s=calls_s,
        sockets_s=usual if sockets_s is None else sockets_s,
        orders_s=usual if orders_s is None else orders_s,
    )


def draw(mean_s: float, rng: Random) -> float:
    """One latency: at least 0.7 of the mean, at most 4 times it."""
    return mean_s * min(_MOST, _LEAST + (1 - _LEAST) * rng.expovariate(1.0))
