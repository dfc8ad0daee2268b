"""One venue's host, whatever carries its bytes: exchange, dialect, latency, faults and journal in one place.

server.py puts it behind loopback sockets, in_process.py behind transport.memory; both stay thin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from perpwire.clock import Clock, Timer
from perpwire.http_message import HttpReply
from perpwire.simulator import control
from perpwire.simulator.acts import Acts
from perpwire.simulator.connection import Channel, Connection
from perpwire.simulator.dialect import Dialect, IncomingRequest, Moment, PingHabit, SocketRefused, VenueFaults
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.faulting import Armed, Faults
from perpwire.simulator.faults import (
    Answer,
    CorruptMessage,
    Delay,
    How,
    LagLists,
    LoseAnswer,
    LoseRequest,
    TruncateAnswer,
)
from perpwire.simulator.journal import Journal, without_secrets, without_secrets_in_message
from perpwire.simulator.latency import Latency, draw
from perpwire.simulator.venue_clock import SkewedClock

OLD_ANSWERS = 256
"""So many answers to public calls are remembered, for those that are to be stale."""

_DOWN = HttpReply(status=503, headers={"content-type": "text/plain"}, body=b"Service Unavailable")


class ExchangeLost(Exception):
    """A fault: the client gets no whole answer.

    Attributes:
        how: What it sees instead.
        reply: With "reset": an answer of which so many bytes arrive before.
        part: See reply.
    """

    def __init__(self, how: How, reply: HttpReply | None = None, part: int = 0) -> None:
        super().__init__(how)
        self.how = how
        self.reply = reply
        self.part = part


class Host:
    """See module docstring.

    Attributes:
        clock: The true clock.
        venue_clock: The clock that the exchange and its dialect go by; a fault may skew it.
        venue_faults: What the venue tells of its own trouble.
        listens: Told False when new connections are to be refused, and True when they are welcome again.
        close_idle: Closes HTTP connections that wait for their next call; gives how many.
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
        latency: Latency,
        journal_capacity: int = 200_000,
    ) -> None:
        self.venue = venue
        self.exchange = exchange
        self.dialect = dialect
        self.clock = clock
        self.venue_clock = venue_clock
        self.latency = latency
        self.journal = Journal(venue, venue_clock.time_ns, journal_capacity)
        self.faults = Faults(
            Acts(self), clock, Random(f"{seed}/{venue}/faults"), lambda text: self.journal.line("fault", text)
        )
        self.connections: dict[int, Connection] = {}
        self.is_refusing = False
        self.is_down = False
        self.listens: Callable[[bool], None] = lambda _: None
        self.close_idle: Callable[[], int] = lambda: 0
        self.venue_faults: VenueFaults = getattr(dialect, "faults", None) or VenueFaults()
        self._rng = Random(f"{seed}/{venue}/latency")
        self._noise = Random(f"{seed}/{venue}/noise")
        self._last_connection = 0
        self._last_request = 0
        self._refusing_until_ns = 0
        self._lagging: LagLists | None = None
        self._lagging_until_ns = 0
        self._refuse_timer: Timer | None = None
        self._down_until_ns = 0
        self._timers: set[Timer] = set()
        self._answers: dict[tuple[str, str], HttpReply] = {}
        self._stop_hearing = exchange.subscribe(self.journal.event)

    def start(self) -> None:
        """Begin trading. Needs a running loop."""
        self.exchange.start()

    def close(self) -> None:
        """End every socket, every timer and the exchange."""
        self.faults.clear()
        if self._refuse_timer is not None:
            self._refuse_timer.cancel()
        for timer in self._timers:
            timer.cancel()
        for connection in tuple(self.connections.values()):
            connection.close(1001, "going away")
        self.dialect.close()
        self._stop_hearing()
        self.exchange.close()

    def draw(self, mean_s: float) -> float:
        """How long the next thing that comes in takes."""
        return draw(mean_s, self._rng)

    def takes_orders(self, path: str) -> bool:
        """Whether a socket at this path is for order entry."""
        return path in self.venue_faults.order_routes

    def limits(self) -> object:
        """What the venue has counted against its rate limits, as its dialect tells it."""
        told = self.venue_faults.limits
        return None if told is None else told()

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    async def handle_http(self, request: IncomingRequest) -> HttpReply:
        """
        Raises:
            ExchangeLost: A fault took the request or the answer.
        """
        if request.path.startswith("/sim/"):
            return await control.handle(self, request)
        self._last_request += 1
        number = self._last_request
        line = without_secrets(f"{request.method} {request.path}{'?' if request.query else ''}{request.query}")
        if request.body:
            line += " " + without_secrets_in_message(request.body.decode("utf-8", "replace"))
        self.journal.write("request", line, request=number)
        armed = self.faults.for_call(request.method, request.path, request.query, request.body)
        fault = None if armed is None else armed.fault
        is_order = (request.method, request.path) in self.venue_faults.order_paths
        await self.clock.sleep(self.draw(self.latency.orders_s if is_order else self.latency.calls_s))
        if isinstance(fault, LoseRequest):
            raise ExchangeLost(fault.how)
        if isinstance(fault, Delay) and fault.where == "request":
            await self.clock.sleep(fault.seconds)
        reply = self._answer(request, armed)
        if isinstance(fault, Delay) and fault.where == "answer":
            await self.clock.sleep(fault.seconds)
        is_cut = isinstance(fault, TruncateAnswer)
        done = "lost" if isinstance(fault, LoseAnswer) else "corrupted" if is_cut else ""
        self.journal.write("reply", f"{reply.status}", request=number, done=done)  # type: ignore[arg-type]
        if isinstance(fault, LoseAnswer):
            raise ExchangeLost(fault.how)
        if isinstance(fault, TruncateAnswer):
            kept = int(len(reply.body) * fault.keep)
            if fault.how == "connection":
                raise ExchangeLost("reset", reply, kept)
            return HttpReply(status=reply.status, headers=reply.headers, body=reply.body[:kept])
        return reply

    def _answer(self, request: IncomingRequest, armed: Armed | None) -> HttpReply:
        fault = None if armed is None else armed.fault
        if self.is_down:
            name = self.venue_faults.maintenance
            return self._canned(name, self._down_until_ns) if name else _DOWN
        if armed is not None and isinstance(fault, Answer):
            spared = bool(fault.canned) and not self._may_answer(fault.canned, request)
            if not spared:
                if fault.executed:
                    self.dialect.http(request)
                if fault.canned:
                    return self._canned(fault.canned, armed.until_ns)
                return HttpReply(status=fault.status, headers=_lower(fault.headers), body=fault.body.encode())
        if armed is not None and armed.old_answers is not None:
            old = armed.old_answers(request.path, request.query)
            if old is not None:
                return old
        with self.exchange.lists_behind(self._behind_ms()):
            reply = self.dialect.http(request)
        if request.method == "GET" and reply.status == 200 and _is_public(request):
            self._answers.pop((request.path, request.query), None)
            self._answers[request.path, request.query] = reply
            if len(self._answers) > OLD_ANSWERS:
                del self._answers[next(iter(self._answers))]
        return reply

    def _may_answer(self, canned: str, request: IncomingRequest) -> bool:
        applies = self.venue_faults.canned[canned].applies
        return applies is None or applies(request)

    def _canned(self, name: str, until_ns: int | None) -> HttpReply:
        reply = self.venue_faults.canned[name].reply(self._moment(until_ns))
        return HttpReply(status=reply.status, headers=_lower(reply.headers), body=reply.body)

    def canned_frame(self, name: str, asked: bytes) -> bytes | None:
        """The venue's canned reply to what a client asked on a socket; None where it has none for this."""
        frame = self.venue_faults.canned[name].frame
        return None if frame is None else frame(asked, self._moment(None))

    def _moment(self, until_ns: int | None) -> Moment:
        now_ms = self.exchange.now_ms()
        if until_ns is None:
            return Moment(now_ms=now_ms, until_ms=now_ms)
        return Moment(now_ms=now_ms, until_ms=now_ms + max(0, until_ns - self.clock.monotonic_ns()) // 1_000_000)

    # --- sockets ------------------------------------------------------------------------------------------------------

    async def open_socket(self, path: str, query: str, channel: Channel) -> Connection:
        """A client opens a WebSocket. The dialect may send on the channel before this returns.

        Raises:
            SocketRefused: By the dialect, or by a fault.
            ExchangeLost: A fault took the request.
        """
        armed = self.faults.for_call("WS", path, query)
        fault = None if armed is None else armed.fault
        await self.clock.sleep(self.draw(self.latency.calls_s))
        match fault:
            case Answer(canned=canned) if canned and armed is not None:
                reply = self._canned(canned, armed.until_ns)
                raise SocketRefused(reply.status, reply.body)
            case Answer():
                raise SocketRefused(fault.status, fault.body.encode())
            case Delay():
                await self.clock.sleep(fault.seconds)
            case LoseRequest():
                raise ExchangeLost(fault.how)
        if self.is_down:
            raise SocketRefused(503, _DOWN.body)
        self._last_connection += 1
        connection = Connection(self, self._last_connection, path, channel)
        self.connections[connection.number] = connection
        self.journal.line("opened", f"{path}{'?' if query else ''}{query}", connection=connection.number)
        for silence in self.faults.for_socket(path):
            connection.silence(silence)
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

    # --- what faults do to it -----------------------------------------------------------------------------------------

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

    def lag_lists(self, fault: LagLists) -> None:
        """Let lists come from a copy that is behind; in place of what was said of that before."""
        self._lagging = fault
        self._lagging_until_ns = self.clock.monotonic_ns() + round(fault.seconds * 1e9)

    def _behind_ms(self) -> int:
        if self._lagging is None or self.clock.monotonic_ns() >= self._lagging_until_ns:
            return 0
        return round(self._noise.uniform(0.0, self._lagging.behind_s) * 1000)

    def skew(self, seconds: float) -> None:
        """Set how far the venue's clock is ahead of the true one.

        Raises:
            ValueError: See venue_clock.check_skew.
        """
        self.venue_clock.skew_s = seconds

    def go_down(self, seconds: float, come_back: Callable[[], object]) -> None:
        """Answer every call as there is maintenance, and let no socket in; `come_back` is called when that is over."""
        self.is_down = True
        self._down_until_ns = max(self._down_until_ns, self.clock.monotonic_ns() + round(seconds * 1e9))

        def end() -> None:
            left_ns = self._down_until_ns - self.clock.monotonic_ns()
            if self.is_down and left_ns > 0:  # it was prolonged, or the loop's timer is a little early
                self.later(left_ns / 1e9, end)
            elif self.is_down:
                self.is_down = False
                come_back()

        self.later(seconds, end)

    def old_answers(self) -> dict[tuple[str, str], HttpReply]:
        """The last answers to public calls, by path and query."""
        return dict(self._answers)

    def corrupted(self, fault: CorruptMessage, text: bytes) -> bytes:
        """What becomes of this message."""
        if fault.how == "text":
            return fault.text.encode()
        if fault.how == "replace":
            return text.replace(fault.contains.encode(), fault.text.encode())
        if fault.how == "cut":
            return text[: len(text) // 2]
        garbled = bytearray(text or b"?")
        for _ in range(max(1, len(garbled) // 20)):
            garbled[self._noise.randrange(len(garbled))] = self._noise.randrange(0x20, 0x7F)
        return bytes(garbled)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Do something after so many seconds, unless everything is closed before."""

        def fire() -> None:
            self._timers.discard(timer)
            callback()

        timer = self.clock.call_later(max(0.0, seconds), fire)
        self._timers.add(timer)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _is_public(request: IncomingRequest) -> bool:
    return "signature=" not in request.query and "x-bapi-sign" not in request.headers
