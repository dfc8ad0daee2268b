"""Facts about ourselves: connections, gaps, orders in trouble. Alerts are made from them (notification/rules.py)."""

from __future__ import annotations

import msgspec


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to us.

    Attributes:
        venue: "binance", "bybit", or "" for none.
        time_ns: Unix nanoseconds, our clock.
        detail: One sentence of facts, without secrets.
    """

    venue: str
    time_ns: int
    detail: str


class ConnectionLost(Incident, frozen=True, kw_only=True):
    """A stream's socket ended without our asking. `connection` names it, such as "binance/public"."""

    connection: str


class ConnectionRecovered(Incident, frozen=True, kw_only=True):
    """The stream is live again: logged in, subscribed, and data flows or may flow.

    Attributes:
        outage_s: Seconds since it was lost.
        attempts: How many tries it took.
    """

    connection: str
    outage_s: float
    attempts: int


class ConnectionFailing(Incident, frozen=True, kw_only=True):
    """A connection can't be made or kept; it goes on being tried."""

    connection: str
    attempts: int


class SubscriptionRefused(Incident, frozen=True, kw_only=True):
    """The venue refused a topic; the connection's others go on."""

    connection: str
    topic: str


class BookGap(Incident, frozen=True, kw_only=True):
    """A local book lost its thread and is being built again; it can't be read meanwhile."""

    symbol: str


class BookRecovered(Incident, frozen=True, kw_only=True):
    """A local book is in sync again."""

    symbol: str


class OrderFailed(Incident, frozen=True, kw_only=True):
    """An order was refused, or could not be sent."""

    symbol: str
    client_order_id: str
    code: int | str | None


class BalanceInsufficient(OrderFailed, frozen=True, kw_only=True):
    """An order was refused for want of margin."""


class OrderDoubtful(OrderFailed, frozen=True, kw_only=True):
    """An order's outcome is not known yet."""


class RateLimitHit(Incident, frozen=True, kw_only=True):
    """The venue said we are too fast; calls are held back for `retry_after_s` seconds."""

    retry_after_s: float


class ClockStepped(Incident, frozen=True, kw_only=True):
    """The venue refused our time stamp; the offset was measured again."""

    offset_ms: float


class HandlerFailed(Incident, frozen=True, kw_only=True):
    """A user's handler raised; the others and the stream go on."""

    handler: str


class FrameGarbled(Incident, frozen=True, kw_only=True):
    """A frame could not be read; the stream goes on."""

    connection: str
