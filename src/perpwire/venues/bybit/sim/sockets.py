"""The server's side of one socket: what every kind of socket shares of the control conversation.

Source: docs/v5/ws/connect, as of 2026-07-24, and answers captured up to 2026-10.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import UNSET

from perpwire.simulator.dialect import Peer
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.numbers import whole

IDLE_S = 600.0
LEAST_IDLE_S = 30.0
IDLE_CODE = 1000

BAD_COMMAND = "Params Error"


class Incoming(msgspec.Struct):
    """What a client says. Unknown members are passed over; ids come back as they were written."""

    op: Any = ""
    args: Any = None
    header: Any = None
    req_id: msgspec.Raw = msgspec.Raw()
    reqId: msgspec.Raw = msgspec.Raw()

    @property
    def name(self) -> str:
        return self.op if isinstance(self.op, str) else ""


_read = msgspec.json.Decoder(Incoming).decode


class NoCommand(Exception):
    """A frame that can't be read as a command."""


def read_command(text: bytes) -> Incoming:
    """
    Raises:
        NoCommand: No JSON object in UTF-8, or an id that no JSON reader would take back.
    """
    try:
        text.decode()  # what is only repeated is not checked by the JSON reader
        command = _read(text)
        for echoed in (command.req_id, command.reqId):
            if echoed:
                json.loads(bytes(echoed))
    except (msgspec.DecodeError, UnicodeError, ValueError, RecursionError):
        raise NoCommand from None
    return command


def echo(raw: msgspec.Raw, otherwise: Any = UNSET) -> Any:
    """An id for the reply; `otherwise` where none was sent."""
    text = bytes(raw)
    return otherwise if text in (b"", b"null") else msgspec.Raw(text)


class Socket(ABC):
    """One connection.

    Attributes:
        account: Whose it is, "" before a login and on public sockets.
        conn_id: How the venue names it in its answers.
    """

    account = ""

    def __init__(self, peer: Peer, exchange: Exchange, number: int, idle_s: float = IDLE_S) -> None:
        self._peer = peer
        self._exchange = exchange
        self._idle_ns = round(idle_s * 1e9)
        self.conn_id = f"sim{number:08x}-{number:x}"
        self._active_ns = exchange.clock.monotonic_ns()
        self._is_active = False

    def push(self, frame: bytes, topic: str) -> None:
        """Send a data frame."""
        self._is_active = True
        self._peer.send(frame, topic=topic, account=self.account)

    def send(self, answer: Any) -> None:
        """Send a control frame."""
        self._peer.send(msgspec.json.encode(answer))

    def sweep(self, now_ns: int) -> None:
        """Close it where nothing was said on it, by either side, for too long. WebSocket pings are nothing said."""
        if self._is_active:
            self._is_active, self._active_ns = False, now_ns
        elif now_ns - self._active_ns >= self._idle_ns:
            self._peer.close(IDLE_CODE, "idle for too long")

    def on_text(self, text: bytes) -> None:
        self._is_active = True
        try:
            command = read_command(text)
        except NoCommand:
            self.on_nonsense()
            return
        self.on_command(command)

    @abstractmethod
    def on_command(self, command: Incoming) -> None: ...

    @abstractmethod
    def on_nonsense(self) -> None:
        """A frame came that is no command."""

    @abstractmethod
    def on_closed(self) -> None:
        """The connection is gone."""


class StreamSocket(Socket):
    """A socket with topics."""

    def __init__(self, peer: Peer, exchange: Exchange, number: int, idle_s: float = IDLE_S) -> None:
        super().__init__(peer, exchange, number, idle_s)
        self.topics: dict[str, None] = {}

    def on_nonsense(self) -> None:
        self.answer(False, BAD_COMMAND, Incoming())

    def on_command(self, command: Incoming) -> None:
        if command.op == "ping":
            self.pong(command)
        elif command.op == "subscribe":
            self._subscribe(command)
        elif command.op == "unsubscribe":
            self._unsubscribe(command)
        elif command.op == "auth":
            self.log_in(command)
        else:
            self.answer(False, f"error:unknown op {command.name}".rstrip(), command)

    def _subscribe(self, command: Incoming) -> None:
        topics = _topics(command)
        if not topics:
            self.answer(False, BAD_COMMAND, command)
            return
        refusal = self.refusal(topics)
        if refusal:
            self.answer(False, refusal, command, failed=topics)  # one bad topic makes the whole request fail
            return
        self.answer(True, "", command, taken=topics)
        for topic in topics:
            self.topics[topic] = None
            self.add(topic)

    def _unsubscribe(self, command: Incoming) -> None:
        topics = _topics(command)
        if topics is None:
            self.answer(False, BAD_COMMAND, command)
            return
        for topic in topics:
            if topic in self.topics:
                del self.topics[topic]
                self.remove(topic)
        self.answer(True, "", command, taken=topics)

    def repeated(self, topics: list[str]) -> str:
        seen = set(self.topics)
        for topic in topics:
            if topic in seen:
                return f"error:already subscribed,topic:{topic}"
            seen.add(topic)
        return ""

    def on_closed(self) -> None:
        for topic in self.topics:
            self.remove(topic)
        self.topics.clear()

    # --- what differs -------------------------------------------------------------------------------------------------

    @abstractmethod
    def answer(
        self,
        success: bool,
        words: str,
        command: Incoming,
        *,
        taken: list[str] | None = None,
        failed: list[str] | None = None,
    ) -> None:
        """Say how a command fared; `taken` and `failed` are a subscription's topics."""

    @abstractmethod
    def pong(self, command: Incoming) -> None: ...

    @abstractmethod
    def log_in(self, command: Incoming) -> None: ...

    @abstractmethod
    def refusal(self, topics: list[str]) -> str:
        """Why these topics can't be subscribed; "" where they can."""

    @abstractmethod
    def add(self, topic: str) -> None: ...

    @abstractmethod
    def remove(self, topic: str) -> None: ...


def _topics(command: Incoming) -> list[str] | None:
    """The topics of a subscription; None where its arguments are no list of texts."""
    args = command.args
    return args if isinstance(args, list) and all(isinstance(topic, str) for topic in args) else None


def idle_seconds(query: str) -> float:
    """max_active_time of the address: 30s to 600s, or 1m to 10m; the longest where it is absent or wrong."""
    text = parse_qs(query).get("max_active_time", [""])[0]
    number, unit = whole(text[:-1]), text[-1:]
    if number is None or unit not in ("s", "m"):
        return IDLE_S
    seconds = float(number * (60 if unit == "m" else 1))
    return seconds if LEAST_IDLE_S <= seconds <= IDLE_S else IDLE_S
