"""One socket as the host sees it; the dialect knows it as its Peer. What faults do to its messages is done here."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, Protocol

from perpwire.clock import Timer
from perpwire.simulator.dialect import ServerSession
from perpwire.simulator.faults import (
    AnswerMessage,
    BreakMessage,
    CorruptMessage,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    ReorderMessage,
    Silence,
    SplitMessage,
)
from perpwire.simulator.journal import Done, Raw, mark
from perpwire.simulator.pipe import Parcel, Pipe

if TYPE_CHECKING:
    from perpwire.simulator.host import Host

logger = logging.getLogger("perpwire.simulator")


THROTTLED_S = 1.0
"""What a throttled socket sends is late when it waits for longer."""

_PINGS_KEPT = 10
"""So many of the latest pings may still be answered."""


class Channel(Protocol):
    """What carries one socket's bytes to the client, in order. It may have an attribute `address`: the client's."""

    def send(self, text: bytes) -> None: ...

    def send_piece(self, text: bytes, index: int, count: int, how: Literal["frames", "segments"]) -> None:
        """Send one of the pieces of a message, which the host sends one by one and in order."""
        ...

    def ping(self, payload: bytes) -> None:
        """Send a WebSocket ping; Connection.on_pong is to be called for its answer."""
        ...

    def silence(self) -> None:
        """Answer pings no more."""
        ...

    def cut(self) -> None:
        """Deliver what was sent, then end the connection without a closing handshake."""
        ...

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Deliver what was sent, then end it with a closing handshake."""
        ...


class Connection:
    """See module docstring.

    Attributes:
        address: The client's, as the carrier tells it.
        is_silent: Half-open: nothing comes through either way.
    """

    def __init__(self, host: Host, number: int, path: str, channel: Channel) -> None:
        self.number = number
        self.path = path
        self.address: str = getattr(channel, "address", "127.0.0.1")
        self.is_silent = False
        self.is_open = True
        self._host = host
        self._journal = host.journal
        self._channel = channel
        self._outgoing = host.faults.outgoing
        self._pipe = Pipe(host.clock)
        self._mutes: list[str] = []
        self._is_healthy = True
        self._drops_replies = False
        self._session: ServerSession | None = None
        self._incoming: deque[tuple[bytes, AnswerMessage | None]] = deque()
        self._ready_at_ns = 0
        self._timers: set[Timer] = set()
        self._last_pong_ns = 0
        self._pinged: deque[bytes] = deque(maxlen=_PINGS_KEPT)
        self._latency_s = host.latency.orders_s if host.takes_orders(path) else host.latency.sockets_s

    @property
    def is_mute(self) -> bool:
        """Whether some streams, or all, are not delivered although the socket lives."""
        return bool(self._mutes)

    # --- the dialect's side (Peer) ------------------------------------------------------------------------------------

    def send(self, text: bytes, topic: str = "", account: str = "") -> None:
        """See dialect.Peer. Nothing is sent, nor journalled, on a closed socket."""
        if not self.is_open:
            return
        raw = self._journal.sent(text, self.number, topic, account)
        if self._is_healthy and not self._outgoing:
            self._channel.send(text)
        else:
            self._send_in_trouble(text, topic, account, raw)

    def close(self, code: int, reason: str) -> None:
        """See dialect.Peer. A half-open socket shows no end."""
        if self.is_open:
            self._pipe.flush()
            self.ended(f"{code} {reason}".rstrip())
            if not self.is_silent:
                self._channel.close(code, reason)

    # --- the carrier's side -------------------------------------------------------------------------------------------

    def open(self, session: ServerSession) -> None:
        self._session = session

    def receive(self, text: bytes) -> None:
        """A text frame has come in; it reaches the dialect after the latency, in order."""
        if not self.is_open:
            return
        if self.is_silent:
            self._journal.received(text, self.number, "lost")
            return
        delay_s, copies, done = 0.0, 1, ""
        answered: AnswerMessage | None = None
        if self._host.faults.incoming:
            fault = self._host.faults.for_incoming(self.number, self.path, text)
            match fault:
                case DropMessage():
                    self._journal.received(text, self.number, "lost")
                    return
                case DelayMessage():
                    delay_s, done = fault.seconds, "late"
                case DuplicateMessage():
                    copies, done = fault.times, "twice"
                case AnswerMessage():
                    answered = fault
        self._journal.received(text, self.number, _DONE[done])
        clock = self._host.clock
        now_ns = clock.monotonic_ns()
        latency_ns = round((self._host.draw(self._latency_s) + delay_s) * 1e9)
        self._ready_at_ns = max(self._ready_at_ns, now_ns + latency_ns)
        for _ in range(copies):
            self._incoming.append((text, answered))
            self._later((self._ready_at_ns - now_ns) / 1e9, self._deliver)

    def _deliver(self) -> None:
        text, answered = self._incoming.popleft()
        if not self.is_open or self.is_silent or self._session is None:
            return
        reply = None if answered is None else self._host.canned_frame(answered.canned, text)
        if answered is not None and reply is not None:
            self._journal.line("fault", f"{answered.canned} answers a message", connection=self.number)
            if answered.executed:
                self._drops_replies, self._is_healthy = True, False
                self._tell(text)
                self._drops_replies = False
                self._see_to_health()
            self.send(reply)
            return
        self._tell(text)

    def _tell(self, text: bytes) -> None:
        if self._session is None:
            return
        try:
            self._session.on_text(text)
        except Exception:
            logger.exception("the %s dialect failed on a frame", self._host.venue)
            self.close(1011, "internal error")

    def on_ping(self) -> None:
        """The client pinged; the carrier has answered it."""
        self._pass_on("on_ping")

    def on_pong(self, payload: bytes | None = None) -> None:
        """The client answered a ping, or sent a pong unasked: only what gives a ping's payload back is an answer (None:
        the carrier knows that it is one)."""
        if payload is None or payload in self._pinged:
            self._last_pong_ns = self._host.clock.monotonic_ns()
        self._pass_on("on_pong")

    def _pass_on(self, what: str) -> None:
        """A session hears of pings and pongs where it has a method for them."""
        told = getattr(self._session, what, None)
        if told is not None and self.is_open and not self.is_silent:
            told()

    def ended(self, reason: str) -> None:
        """The socket is no more: say so to the dialect, once."""
        if not self.is_open:
            return
        self.is_open = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._pipe.drop()
        self._host.forget(self, reason)
        if self._session is not None:
            self._session.on_closed()

    # --- messages in trouble ------------------------------------------------------------------------------------------

    def _send_in_trouble(self, text: bytes, topic: str, account: str, raw: Raw) -> None:
        if self.is_silent or (topic and self._is_muted(topic)) or (self._drops_replies and not topic):
            mark(raw, "lost")
            return
        parcel = self._parcel(text, raw)
        match self._host.faults.for_outgoing(self.number, self.path, topic, account, text):
            case None:
                self._pipe.put(parcel)
                if self._pipe.bytes_per_s is not None and self._pipe.behind_s > THROTTLED_S:
                    mark(raw, "late")
            case DropMessage():
                mark(raw, "lost")
            case DelayMessage(seconds=seconds, overtaken=True):
                mark(raw, "late")
                self._pipe.set_aside(parcel, None, seconds)
            case DelayMessage(seconds=seconds):
                mark(raw, "late")
                self._pipe.put(parcel, seconds)
            case DuplicateMessage(times=times, after_each_s=after_each_s):
                mark(raw, "twice")
                self._pipe.put(parcel)
                for copy in range(1, times):
                    self._later_or_now(copy * after_each_s, lambda: self._pipe.put(self._parcel(text, None)))
            case ReorderMessage(behind=behind, at_most_s=at_most_s):
                mark(raw, "reordered")
                self._pipe.set_aside(parcel, behind, at_most_s)
            case CorruptMessage() as fault:
                altered = self._host.corrupted(fault, text)
                mark(raw, "corrupted", altered)
                self._pipe.put(self._parcel(altered, raw))
            case SplitMessage(pieces=pieces, how=how, pause_s=pause_s):
                mark(raw, "split")
                self._send_pieces(text, raw, min(pieces, max(2, len(text))), how, pause_s)
            case BreakMessage():
                mark(raw, "lost")
                self._pipe.put(Parcel(0, None, lambda: self._break_off(text)))
        self._see_to_health()

    def _parcel(self, text: bytes, raw: Raw | None) -> Parcel:
        return Parcel(len(text), raw, lambda: self._channel.send(text))

    def _send_pieces(
        self, text: bytes, raw: Raw, count: int, how: Literal["frames", "segments"], pause_s: float
    ) -> None:
        for index in range(count):

            def send(index: int = index) -> None:
                self._channel.send_piece(text, index, count, how)

            # The message is there with its last piece, and lost if that one is.
            last = index == count - 1
            piece = Parcel(len(text) // count, raw if last else None, send, has_more=not last)
            self._pipe.put(piece, pause_s=pause_s if index else 0.0)

    def _break_off(self, text: bytes) -> None:
        self._channel.send_piece(text, 0, 2, "segments")
        self.reset()

    def _is_muted(self, topic: str) -> bool:
        return any(fnmatchcase(topic, pattern) for pattern in self._mutes)

    def _see_to_health(self) -> None:
        self._is_healthy = not (self.is_silent or self._mutes or self._drops_replies) and self._pipe.is_idle

    # --- faults and habits --------------------------------------------------------------------------------------------

    def cut(self) -> None:
        if self.is_open:
            self._pipe.flush()
            self.ended("cut")
            self._channel.cut()

    def reset(self) -> None:
        if self.is_open:
            self.ended("reset")
            self._channel.reset()

    def silence(self, fault: Silence | None = None) -> None:
        """Go half-open, or mute, as the fault says; half-open for good without one."""
        fault = Silence() if fault is None else fault
        if fault.what == "all":
            self.is_silent = True
            self._pipe.drop()
            self._channel.silence()
        else:
            self._mutes.append(fault.topic)
        self._is_healthy = False
        if fault.seconds is None:
            return
        if fault.then == "heal":
            self._later(fault.seconds, lambda: self._heal(fault.topic))
        else:
            self._later(fault.seconds, self.cut)

    def _heal(self, topic: str) -> None:
        self._mutes.remove(topic)
        self._see_to_health()

    def throttle(self, bytes_per_s: float, seconds: float | None) -> None:
        self._pipe.bytes_per_s = bytes_per_s
        self._is_healthy = False
        if seconds is not None:
            self._later(seconds, self._unthrottle)

    def _unthrottle(self) -> None:
        self._pipe.bytes_per_s = None

    def ping_every(self, seconds: float, answer_within_s: float) -> None:
        """Ping the client for as long as the socket lives; drop it when it has not answered one for so long."""

        def ping() -> None:
            sent_ns = self._host.clock.monotonic_ns()
            if not self.is_silent:
                payload = str(self._host.exchange.now_ms()).encode()
                self._pinged.append(payload)
                self._channel.ping(payload)
            self._later(answer_within_s, lambda: self._check_answered(sent_ns))
            self._later(seconds, ping)

        self._later(seconds, ping)

    def _check_answered(self, sent_ns: int) -> None:
        if self._last_pong_ns < sent_ns:
            self.cut()

    def _later_or_now(self, seconds: float, callback: Callable[[], None]) -> None:
        if seconds > 0:
            self._later(seconds, callback)
        else:
            callback()

    def _later(self, seconds: float, callback: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            callback()

        timer = self._host.clock.call_later(max(0.0, seconds), fire)
        self._timers.add(timer)


_DONE: dict[str, Done] = {"": "", "late": "late", "twice": "twice"}
