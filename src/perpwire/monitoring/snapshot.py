"""Snapshot: everything that can be said of our connectors at one moment. Plain values; nothing in it is alive.

Times without another word are seconds; prices are quote per base, exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.api_connector.ledger import WindowUse
from perpwire.api_connector.listener import HandlerStats
from perpwire.model.facts import facts
from perpwire.monitoring.bars import Bar


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How some times are spread, in seconds; all 0 where nothing was measured."""

    count: int = 0
    mean: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class ConnectionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One stream connection, or the trading socket.

    Attributes:
        name: Such as "binance/public"; a further one of a route has a number.
        state: Word of lifecycle.State: "live", "waiting" ...
        since_s: For how long it has been so.
        topics: Word of lifecycle.TopicState -> how many of its topics.
        not_live: Topics that are neither live nor, being quiet ones, acknowledged; at most 20.
        reconnects: How often it was lost and is back.
        seconds_in: State -> seconds in it so far.
    """

    name: str
    state: str
    since_s: float
    topics: Mapping[str, int]
    not_live: tuple[str, ...]
    reconnects: int
    seconds_in: Mapping[str, float]


class CallSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of call: how often, how it ended, and how long it took."""

    name: str
    requests: int
    errors: Mapping[str, int]
    times: Spread


class BookSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One local book; `why_not` says why it is not in sync, "" where it is."""

    symbol: str
    is_in_sync: bool
    why_not: str


class OrderSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One open order."""

    symbol: str
    side: str
    type: str
    status: str
    price: Decimal | None
    quantity: Decimal
    filled_quantity: Decimal
    reduce_only: bool
    client_order_id: str
    order_id: str


class PositionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One position that is not flat.

    Attributes:
        mark_price: The newest that the streams said; else the one that came with the position.
        unrealized_pnl: At that mark price, in the settle asset.
        liquidation_share: How far the mark price may still move against it, as a fraction of it; None where there is
            no liquidation price.
    """

    symbol: str
    position_side: str
    quantity: Decimal
    entry_price: Decimal | None
    mark_price: Decimal | None
    unrealized_pnl: Decimal | None
    liquidation_price: Decimal | None
    liquidation_share: float | None
    leverage: Decimal | None
    margin_mode: str | None


class BalanceSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    asset: str
    wallet: Decimal
    available: Decimal | None
    unrealized_pnl: Decimal | None


class DoubtSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An order whose outcome is not known yet."""

    symbol: str
    client_order_id: str


class ConsumerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One open iterator."""

    kind: str
    waiting: int
    received: int
    dropped: int
    replaced: int


class VenueSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One connector.

    Attributes:
        name: What it is called here: the venue's name unless there are several.
        is_up: It is started.
        is_live: Every connection is live, every topic speaks or may be quiet, every book is in sync.
        is_account_live: The account's stream is there and proven; None where it is not followed.
        why_account_not: Why it is not; "" where it is, or is not followed.
        missing: What is wanted and does not stand yet, and why ("" where nothing was refused); of whoever runs it.
        live_share: Share of the time in which topics were live and books in sync: "1h", "24h", "all"; None where there
            was nothing to be live.
        outages, recovered, open_outages: What broke (a connection, a book, an order's certainty), what of it came right
            by itself, and what is broken now.
        gaps, gaps_repaired: Holes in what streams say.
        events, events_per_s: Delivered so far, and in the last second.
        response: From a request to its parsed reply.
        latency: Kind of event -> from a frame that begins with it being readable to its first handler, of one in
            sixteen, and of each that took longer than any of its kind before.
        lag: Kind of event -> from the venue making it to its frame being readable, the clocks' difference taken out;
            the newest of each kind, once a second.
        journal_backlog: Lines of the order journal that are not in its database yet; None: no journal.
        incidents: Kind -> how often.
        late_orders: Events of orders that came when they, or what came after them, had been told, and were not
            delivered.
        clock_offset_ms: The venue's clock less this machine's.
        banned_until_ms: Until when the venue takes no calls, its clock; None: it does.
        key_expires_ms: None: never, or not known.
    """

    name: str
    venue: str
    env: str
    is_up: bool
    is_live: bool
    is_account_live: bool | None
    why_account_not: str
    missing: Mapping[str, str]
    live_share: Mapping[str, float | None]
    connections: tuple[ConnectionSnapshot, ...]
    calls: tuple[CallSnapshot, ...]
    budgets: tuple[WindowUse, ...]
    books: tuple[BookSnapshot, ...]
    orders: tuple[OrderSnapshot, ...]
    positions: tuple[PositionSnapshot, ...]
    balances: tuple[BalanceSnapshot, ...]
    doubts: tuple[DoubtSnapshot, ...]
    consumers: tuple[ConsumerSnapshot, ...]
    handlers: tuple[HandlerStats, ...]
    response: Spread
    latency: Mapping[str, Spread]
    lag: Mapping[str, Spread]
    events: int
    events_per_s: float
    frames_garbled: int
    unknown_codes: Mapping[str, int]
    incidents: Mapping[str, int]
    late_orders: int
    outages: int
    recovered: int
    open_outages: int
    gaps: int
    gaps_repaired: int
    loop_stalls: int
    loop_stalled_s: float
    loop_longest_stall_s: float
    journal_backlog: int | None
    clock_offset_ms: float
    banned_until_ms: int | None
    key_expires_ms: int | None


class FanoutSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How the fan-out by Redis goes.

    Attributes:
        is_up: Redis takes what it is given.
        why_not: What it said, or what holds it up; "" where it is up.
        since_s: For how long it has been so.
        sent: Entries that it took, with those that tell of gaps.
        dropped: "account", "incidents" or "market" -> events of that lane that were lost for want of room; a Gap in
            their stream says so.
        refused: Entries that it took for none of its own, such as where a key of that name is no stream.
        waiting, room: Events that wait, and how many may.
    """

    is_up: bool
    why_not: str
    since_s: float
    sent: int
    dropped: Mapping[str, int]
    refused: int
    waiting: int
    room: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All connectors, and the five bars over all of them; and the fan-out, where there is one."""

    time_ns: int
    up_s: float
    venues: tuple[VenueSnapshot, ...]
    bars: tuple[Bar, ...]
    fanout: FanoutSnapshot | None = None

    def as_json(self) -> bytes:
        """Prices and quantities are text, in full digits."""
        return plain_json(self)


def plain_json(value: Any) -> bytes:
    """Any of these structs as JSON; never in exponent form."""
    return msgspec.json.encode(facts(value))


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of an incident in one language (perpwire.words)."""

    title: str
    sentence: str


class SeenIncident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident, numbered from 1 in the order of their coming.

    Attributes:
        name: Of the connector; "" where it is of none.
        kind: Such as "connection_lost": logs.event_name.
        severity: "info", "warning" or "critical".
        detail: All of it in one English sentence.
        facts: What else it says, as text.
        said: The same for people, by language: "en", "ko".
    """

    id: int
    time_ns: int
    name: str
    venue: str
    kind: str
    severity: str
    detail: str
    facts: Mapping[str, str]
    said: Mapping[str, Words]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What was, in the time up to it; None where nothing was measured.

    Attributes:
        live_share: Of topics and books, of the time since the last point.
        response_s: p95 of the calls that ended in it.
        latency_s: p99 of the frames in it.
        lag_s: The greatest that was seen.
        budget_share: Of the fullest window, at its end.
    """

    time_ns: int
    live_share: float | None
    events_per_s: float
    response_s: float | None
    latency_s: float | None
    lag_s: float | None
    budget_share: float


class Span(msgspec.Struct, frozen=True):
    """A connection was in `state` from then on, until its next span."""

    since_ns: int
    state: str


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One connector over time.

    Attributes:
        points: One for five seconds, of the last quarter of an hour; oldest first.
        minutes: One for a minute, of the last day.
        spans: Connection -> its states, of the last quarter of an hour and the one before; oldest first.
    """

    points: tuple[Point, ...]
    minutes: tuple[Point, ...]
    spans: Mapping[str, tuple[Span, ...]]

    def after(self, time_ns: int) -> History:
        """Only points that are newer; the spans whole."""
        return History(
            points=tuple(one for one in self.points if one.time_ns > time_ns),
            minutes=tuple(one for one in self.minutes if one.time_ns > time_ns),
            spans=self.spans,
        )
