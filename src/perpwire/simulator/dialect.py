"""What a venue's sim.py provides: bytes in, exchange call, bytes out. No socket, no sleep.

A dialect is made once per exchange (`make_dialect(exchange, options)` in `<venue package>/sim.py`) and is driven by a
host: simulator/server.py over loopback, simulator/in_process.py without sockets. Hosts answer WebSocket pings, delay
what comes in by the set latency, apply faults, and write the journal; a dialect does none of that.
"""

from __future__ import annotations

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


class Dialect(Protocol):
    """One venue's wire protocol on top of an Exchange.

    It may have an attribute `ping_habit: PingHabit`; without one the host sends no pings of its own.
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
        connections_per_5_minutes: How many sockets one client address may open; 0 for any number.
    """

    lenient_routes: bool = False
    trade_stream: bool = True
    coin_margined_rows: bool = True
    connections_per_5_minutes: int = 300
