"""One venue's host, whatever carries its bytes: exchange, dialect, latency, faults and journal in one place.

server.py puts it behind loopback sockets, in_process.py behind transport.memory; both stay thin.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

from perpwire.clock import Clock, Timer
from perpwire.http_message import HttpReply
from perpwire.simulator import control
from perpwire.simulator.dialect import Dialect, IncomingRequest, PingHabit, ServerSession, SocketRefused
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.faults import Answer, Delay, Faults, How, LoseAnswer, LoseRequest, SkewedClock, check_skew
from perpwire.simulator.journal import Journal

logger = logging.getLogger("perpwire.simulator")


class ExchangeLost(Exception):
    """A fault: the client gets no answer. `how` says what it sees instead."""

    def __init__(self, how: How) -> None:
        super().__init__(how)
        self.how = how


class Channel(Protocol):
    """What carries one socket's bytes to the client, in order."""

    def send(self, text: bytes) -> None: ...

    def ping(self, payload: bytes) -> None:
        """Send a WebSocket ping; Connection.on_pong is to be called for its answer."""
        ...

    def silence(self) -> None:
        """Answer pings no more."""
        ...

    def cut(self) -> None:
        """Deliver what was sent, then end the connection without a closing handshake."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Deliver what was sent, then end it with a closing handshake."""
        ...


class Connection:
    """One socket as the host sees it; the dialect knows it as its Peer."""

    def __init__(self, host: Host, number: int, path: str, channel: Channel) -> None:
        self.number = number
        self.path = path
        self.is_silent = False
        self.is_open = True
        self._host = host
        self._channel = channel
        self._session: ServerSession | None = None
        self._incoming: deque[bytes] = deque()
        self._ready_at_ns = 0
        self._timers: set[Timer] = set()
        self._last_pong_ns = 0

    # --- the dialect's side (Peer) ------------------------------------------------------------------------------------

    def send(self, text: bytes, topic: str = "", account: str = "") -> None:
        """See dialect.Peer. Nothing is sent, nor journalled, on a closed socket."""
        if not self.is_open:
            return
        self._host.journal.write(
            "sent", text, connection=self.number, topic=topic, account=account, is_lost=self.is_silent
        )
        if not self.is_silent:
            self._channel.send(text)

    def close(self, code: int, reason: str) -> None:
        """See dialect.Peer. A half-open socket shows no end."""
        if self.is_open:
            self.ended(f"{code} {reason}".rstrip())
            if not self.is_silent:
                self._channel.close(code, reason)

    # --- the carrier's side -------------------------------------------------------------------------------------------

    def open(self, session: ServerSession) -> None:
        self._session = session

    def receive(self, text: bytes) -> None:
        """A text frame has come in; it reaches the dialect after the latency, in order."""
        if not self.is_open or self.is_silent:
            return
        clock = self._host.clock
        now_ns = clock.monotonic_ns()
        self._ready_at_ns = max(self._ready_at_ns, now_ns + round(self._host.latency_s() * 1e9))
        self._incoming.append(text)
        self._later((self._ready_at_ns - now_ns) / 1e9, self._deliver)

    def _deliver(self) -> None:
        text = self._incoming.popleft()
        if not self.is_open or self.is_silent or self._session is None:
            return
        try:
            self._session.on_text(text)
        except Exception:
            logger.exception("the %s dialect failed on a frame", self._host.venue)
            self.close(1011, "internal error")

    def on_pong(self) -> None:
        self._last_pong_ns = self._host.clock.monotonic_ns()

    def ended(self, reason: str) -> None:
        """The socket is no more: say so to the dialect, once."""
        if not self.is_open:
            return
        self.is_open = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._host.forget(self, reason)
        if self._session is not None:
            self._session.on_closed()

    # --- faults and habits --------------------------------------------------------------------------------------------

    def cut(self) -> None:
        if self.is_open:
            self.ended("cut")
            self._channel.cut()

    def silence(self) -> None:
        self.is_silent = True
        self._channel.silence()

    def drop_after(self, seconds: float) -> None:
        self._later(seconds, self.cut)

    def ping_every(self, seconds: float, answer_within_s: float) -> None:
        """Ping the client for as long as the socket lives; drop it when it has not answered for so long."""
        self.on_pong()

        def ping() -> None:
            if self._host.clock.monotonic_ns() - self._last_pong_ns > answer_within_s * 1e9:
                self.cut()
            else:
                if not self.is_silent:
                    self._channel.ping(str(self._host.exchange.now_ms()).encode())
                self._later(seconds, ping)

        self._later(seconds, ping)

    def _later(self, seconds: float, callback: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            callback()

        timer = self._host.clock.call_later(max(0.0, seconds), fire)
        self._timers.add(timer)


class Host:
    """See module docstring.

    Args:
        latency_s: Mean time that whatever comes in takes to reach the dialect; each time differs by up to half of it,
            drawn from the seed.

    Attributes:
        clock: The true clock.
        venue_clock: The clock that the exchange and its dialect go by; a fault may skew it.
        listens: Told False when new connections are to be refused, and True when they are welcome again.
    """

    def __init__(
        self,
        *,
        venue: str,
        exchange: Exchange,
        dialect: Dialect,
        clock: Clock,
        venue_clock: SkewedClock,
        seed: int,
        latency_s: float,
        journal_capacity: int = 200_000,
    ) -> None:
        self.venue = venue
        self.exchange = exchange
        self.dialect = dialect
        self.clock = clock
        self.venue_clock = venue_clock
        self.journal = Journal(venue, venue_clock.time_ns, journal_capacity)
        self.faults = Faults(
            self, clock, Random(f"{seed}/{venue}/faults"), lambda text: self.journal.line("fault", text)
        )
        self.connections: dict[int, Connection] = {}
        self.is_refusing = False
        self.listens: Callable[[bool], None] = lambda _: None
        self._latency_s = latency_s
        self._rng = Random(f"{seed}/{venue}/latency")
        self._last_connection = 0
        self._last_request = 0
        self._refusing_until_ns = 0
        self._refuse_timer: Timer | None = None
        self._stop_hearing = exchange.subscribe(self.journal.event)

    def start(self) -> None:
        """Begin trading. Needs a running loop."""
        self.exchange.start()

    def close(self) -> None:
        """End every socket, every timer and the exchange."""
        self.faults.clear()
        if self._refuse_timer is not None:
            self._refuse_timer.cancel()
        for connection in tuple(self.connections.values()):
            connection.close(1001, "going away")
        self.dialect.close()
        self._stop_hearing()
        self.exchange.close()

    def latency_s(self) -> float:
        """How long the next thing that comes in takes."""
        return self._latency_s * self._rng.uniform(0.5, 1.5)

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    async def handle_http(self, request: IncomingRequest) -> HttpReply:
        """
        Raises:
            ExchangeLost: A fault took the request or the answer.
        """
        if request.path.startswith("/sim/"):
            return control.handle(self, request)
        self._last_request += 1
        number = self._last_request
        line = f"{request.method} {request.path}{'?' if request.query else ''}{request.query}"
        self.journal.line("request", line, request=number)
        fault = self.faults.for_call(request.method, request.path)
        await self.clock.sleep(self.latency_s())
        if isinstance(fault, LoseRequest):
            raise ExchangeLost(fault.how)
        if isinstance(fault, Answer):
            reply = HttpReply(status=fault.status, headers=_lower(fault.headers), body=fault.body.encode())
        else:
            if isinstance(fault, Delay) and fault.where == "request":
                await self.clock.sleep(fault.seconds)
            reply = self.dialect.http(request)
            if isinstance(fault, Delay) and fault.where == "answer":
                await self.clock.sleep(fault.seconds)
        is_lost = isinstance(fault, LoseAnswer)
        self.journal.write("reply", f"{reply.status}", request=number, is_lost=is_lost)
        if isinstance(fault, LoseAnswer):
            raise ExchangeLost(fault.how)
        return reply

    # --- sockets ------------------------------------------------------------------------------------------------------

    async def open_socket(self, path: str, query: str, channel: Channel) -> Connection:
        """A client opens a WebSocket. The dialect may send on the channel before this returns.

        Raises:
            SocketRefused: By the dialect, or by a fault.
        """
        await self.clock.sleep(self.latency_s())
        fault = self.faults.for_call("WS", path)
        if isinstance(fault, Answer):
            raise SocketRefused(fault.status, fault.body.encode())
        self._last_connection += 1
        connection = Connection(self, self._last_connection, path, channel)
        self.connections[connection.number] = connection
        self.journal.line("opened", f"{path}{'?' if query else ''}{query}", connection=connection.number)
        try:
            connection.open(self.dialect.open_socket(path, query, connection))
        except SocketRefused as refusal:
            connection.ended(f"refused with {refusal.status}")
            raise
        habit: PingHabit | None = getattr(self.dialect, "ping_habit", None)
        if habit is not None:
            connection.ping_every(habit.every_s, habit.answer_within_s)
        return connection

    def forget(self, connection: Connection, reason: str) -> None:
        """A connection has ended."""
        del self.connections[connection.number]
        self.journal.line("closed", reason, connection=connection.number)

    # --- what faults do -----------------------------------------------------------------------------------------------

    def cut(self, route: str) -> int:
        """End the sockets with `route` in their path; gives how many."""
        chosen = self._on_route(route)
        for one in chosen:
            one.cut()
        return len(chosen)

    def silence(self, route: str, seconds: float | None) -> int:
        """Make those sockets half-open, for good or until they are dropped after so many seconds."""
        chosen = self._on_route(route)
        for one in chosen:
            one.silence()
            if seconds is not None:
                one.drop_after(seconds)
        return len(chosen)

    def _on_route(self, route: str) -> list[Connection]:
        return [one for one in self.connections.values() if route in one.path]

    def refuse(self, seconds: float) -> None:
        """Let no new connection in for so long; the longest of several counts."""
        until_ns = self.clock.monotonic_ns() + round(seconds * 1e9)
        if self.is_refusing and until_ns <= self._refusing_until_ns:
            return
        self._refusing_until_ns = until_ns
        if self._refuse_timer is not None:
            self._refuse_timer.cancel()
        if not self.is_refusing:
            self.is_refusing = True
            self.listens(False)
        self._refuse_timer = self.clock.call_later(seconds, self._welcome)

    def _welcome(self) -> None:
        self.is_refusing = False
        self._refuse_timer = None
        self.listens(True)

    def skew(self, seconds: float) -> None:
        """Set how far the venue's clock is ahead of the true one.

        Raises:
            ValueError: See faults.check_skew.
        """
        check_skew(seconds)
        self.venue_clock.skew_s = seconds


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
