"""What a venue's sim.py provides: bytes in, exchange call, bytes out. No socket, no sleep.

A dialect is made once per exchange (`make_dialect(exchange, options)` in `<venue package>/sim.py`) and is driven by a
host: simulator/server.py over loopback, simulator/in_process.py without sockets. Hosts answer WebSocket pings, delay
what comes in by the set latency, apply faults, and write the journal; a dialect does none of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from perpwire.http_message import HttpReply


class IncomingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request as it arrived. `query` is the raw text after "?"; header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str = "127.0.0.1"


class Peer(Protocol):
    """A connected client's socket, as a dialect sees it."""

    def send(self, text: bytes, topic: str = "", account: str = "") -> None:
        """Send one text frame. `topic` (the stream's name) and `account` go to the journal; "" for control replies."""
        ...

    def close(self, code: int, reason: str) -> None: ...


class ServerSession(Protocol):
    """The server's side of one socket."""

    def on_text(self, text: bytes) -> None: ...

    def on_closed(self) -> None: ...


class SocketRefused(Exception):
    """The upgrade is answered with this HTTP status instead."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


class PingHabit(msgspec.Struct, frozen=True):
    """The venue's own WebSocket pings, and when it gives up on a client that does not answer; seconds."""

    every_s: float
    answer_within_s: float


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What a canned reply is made of: the venue's time now, and when the trouble is over; Unix milliseconds."""

    now_ms: int
    until_ms: int


class Canned(msgspec.Struct, frozen=True, kw_only=True):
    """One of a venue's own ways to answer when something is wrong.

    Attributes:
        reply: The HTTP reply.
        applies: Whether the venue may answer this call so; None: any.
        frame: The same on a socket: what the client asked -> the frame that answers it; None where the venue would
            not answer this so.
    """

    reply: Callable[[Moment], HttpReply]
    applies: Callable[[IncomingRequest], bool] | None = None
    frame: Callable[[bytes, Moment], bytes | None] | None = None


class VenueFaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue's folder tells of its trouble (`<venue>/sim/faults.py`): see simulator/faults.py for who uses it.

    Attributes:
        canned: Its replies by name. The profiles ask every venue for "busy" (not done), "doubtful" (done or not) and
            "limited" (too many calls).
        acts: What only this venue can do, by name: given the fault's arguments, it acts and says what it did.
            "restart_notice" and "restart" are called by the fault `restart`, "maintenance_notice" and
            "maintenance_over" by `maintenance`.
        maintenance: The canned reply to every call while there is maintenance.
        order_paths: HTTP calls that are order entry, as (method, path): they have a latency of their own.
        order_routes: So have sockets at these paths.
        limits: What is counted against the rate limits now, for /sim/state.
    """

    canned: Mapping[str, Canned] = {}
    acts: Mapping[str, Callable[[Mapping[str, str]], str]] = {}
    maintenance: str = ""
    order_paths: frozenset[tuple[str, str]] = frozenset()
    order_routes: frozenset[str] = frozenset()
    limits: Callable[[], object] | None = None


class Dialect(Protocol):
    """One venue's wire protocol on top of an Exchange.

    It may have an attribute `ping_habit: PingHabit`; without one the host sends no pings of its own. And an attribute
    `faults: VenueFaults`; without one its faults are the general ones.
    """

    name: str

    def http(self, request: IncomingRequest) -> HttpReply: ...

    def open_socket(self, path: str, query: str, peer: Peer) -> ServerSession:
        """
        Raises:
            SocketRefused: No WebSocket lives at this path.
        """
        ...

    def close(self) -> None:
        """Stop timers."""
        ...


class DialectOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a dialect behaves.

    Attributes:
        lenient_routes: Binance: serve every stream on every route, as before 2026-04-23.
        trade_stream: Binance: serve the undocumented `<symbol>@trade`.
        coin_margined_rows: Binance: rows of COIN-M contracts come on the streams of the whole market too.
        connections_per_5_minutes: How many sockets one client address may open; 0 for any number; None: as many as the
            venue lets it (300 at Binance, 500 at Bybit).
        user_event_delay_s: Binance: private events of one kind may come so much later than those of another, at most.
        trades_lag_s: Lists of an account's trades and bookings show a new one so much later, though positions have it.
        socket_lifetime_s: After how long a socket is ended by a venue that does so; None: the venue's own 24 hours.
    """

    lenient_routes: bool = False
    trade_stream: bool = True
    coin_margined_rows: bool = True
    connections_per_5_minutes: int | None = None
    user_event_delay_s: float = 0.0
    trades_lag_s: float = 0.0
    socket_lifetime_s: float | None = None
