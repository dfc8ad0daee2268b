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


class ModeChanged(Incident, frozen=True, kw_only=True):
    """The account's position mode turned out to be another one than assumed. `mode`: ONE_WAY or HEDGE."""

    mode: str


class OrderResolved(Incident, frozen=True, kw_only=True):
    """An order whose outcome was not known is known now.

    Attributes:
        outcome: "ACCEPTED", "NOT_PLACED" or "UNRESOLVED".
        after_s: Seconds since it was sent.
    """

    symbol: str
    client_order_id: str
    outcome: str
    after_s: float


class UnknownCode(Incident, frozen=True, kw_only=True):
    """The venue used an error code that our table does not have."""

    call: str
    code: int | str


class KeyWarning(Incident, frozen=True, kw_only=True):
    """Something about the API key should be mended: it expires soon, or is not bound to addresses."""

    what: str


class DeadManFailed(Incident, frozen=True, kw_only=True):
    """The dead man's switch could not be armed again: it may fire."""

    symbol: str


class GuardTripped(Incident, frozen=True, kw_only=True):
    """A guard of ours refused an order, or the kill switch was thrown. `guard` names it."""

    guard: str
    symbol: str


class FillsRecovered(Incident, frozen=True, kw_only=True):
    """Fills that were missed while the account's stream was away have been read back. `count`: how many."""

    count: int
