"""The server's side of one socket: the control conversation to the letter.

Source: docs/v5/ws/connect, as of 2026-07-24, and answers captured up to 2026-10.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import parse_qs

import msgspec

from perpwire.simulator.dialect import Peer
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.session import ARGS_CHARACTERS
from perpwire.venues.bybit.sim.gate import Gate
from perpwire.venues.bybit.sim.numbers import whole
from perpwire.venues.bybit.sim.private import CATEGORISED, TOPICS, PrivateStreams
from perpwire.venues.bybit.sim.public import PublicStreams

IDLE_S = 600.0
LEAST_IDLE_S = 30.0

_read = msgspec.json.Decoder(wire_streams.Command).decode


class StreamSocket(ABC):
    """What both kinds of stream share."""

    account = ""

    def __init__(self, peer: Peer, exchange: Exchange, number: int, idle_s: float) -> None:
        self._peer = peer
        self._exchange = exchange
        self._idle_ns = round(idle_s * 1e9)
        self.conn_id = f"sim{number:08x}-{number:x}"
        self.topics: dict[str, None] = {}
        self._active_ns = exchange.clock.monotonic_ns()

    def push(self, frame: bytes, topic: str) -> None:
        self._active_ns = self._exchange.clock.monotonic_ns()
        self._peer.send(frame, topic=topic, account=self.account)

    def sweep(self) -> None:
        """Close it where nothing was said on it for too long."""
        if self._exchange.clock.monotonic_ns() - self._active_ns >= self._idle_ns:
            self._peer.close(1000, "idle for too long")

    def on_text(self, text: bytes) -> None:
        self._active_ns = self._exchange.clock.monotonic_ns()
        try:
            command = _read(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.answer(False, "Params Error", wire_streams.Command())
            return
        if command.op == "ping":
            self.pong(command)
        elif command.op == "subscribe":
            self._subscribe(command)
        elif command.op == "unsubscribe":
            self._unsubscribe(command)
        elif command.op == "auth":
            self.log_in(command)
        else:
            self.answer(False, f"error:unknown op {command.op}", command)

    def _subscribe(self, command: wire_streams.Command) -> None:
        topics = command.args
        if not isinstance(topics, list) or not topics or not all(isinstance(topic, str) for topic in topics):
            self.answer(False, "Params Error", command)
            return
        refusal = self.refusal(topics)
        if refusal:
            self.answer(False, refusal, command)  # one bad topic makes the whole request fail
            return
        self.answer(True, "", command)
        for topic in topics:
            self.topics[topic] = None
            self.add(topic)

    def _unsubscribe(self, command: wire_streams.Command) -> None:
        for topic in command.args if isinstance(command.args, list) else []:
            if topic in self.topics:
                del self.topics[topic]
                self.remove(topic)
        self.answer(True, "", command)

    def _repeated(self, topics: list[str]) -> str:
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
    def answer(self, success: bool, words: str, command: wire_streams.Command) -> None: ...

    @abstractmethod
    def pong(self, command: wire_streams.Command) -> None: ...

    @abstractmethod
    def log_in(self, command: wire_streams.Command) -> None: ...

    @abstractmethod
    def refusal(self, topics: list[str]) -> str:
        """Why these topics can't be subscribed; "" where they can."""

    @abstractmethod
    def add(self, topic: str) -> None: ...

    @abstractmethod
    def remove(self, topic: str) -> None: ...


class PublicSocket(StreamSocket):
    """/v5/public/linear."""

    def __init__(self, peer: Peer, exchange: Exchange, number: int, streams: PublicStreams) -> None:
        super().__init__(peer, exchange, number, IDLE_S)
        self._streams = streams

    def answer(self, success: bool, words: str, command: wire_streams.Command) -> None:
        req_id = "" if command.req_id is None else command.req_id
        self._peer.send(msgspec.json.encode(wire_streams.PublicAck(success, words, self.conn_id, req_id, command.op)))

    def pong(self, command: wire_streams.Command) -> None:
        self.answer(True, "pong", command)

    def log_in(self, command: wire_streams.Command) -> None:
        self.answer(False, "error:auth is not needed on a public stream", command)

    def refusal(self, topics: list[str]) -> str:
        for topic in topics:
            if not self._streams.knows(topic):
                return f"error:handler not found,topic:{topic}"
        if sum(len(topic) + 3 for topic in (*self.topics, *topics)) > ARGS_CHARACTERS:
            return f"error:args length exceeds {ARGS_CHARACTERS}"
        return self._repeated(topics)

    def add(self, topic: str) -> None:
        self._streams.add(topic, self)

    def remove(self, topic: str) -> None:
        self._streams.remove(topic, self)


class PrivateSocket(StreamSocket):
    """/v5/private: nothing can be subscribed before the login."""

    def __init__(
        self, peer: Peer, exchange: Exchange, number: int, query: str, gate: Gate, streams: PrivateStreams
    ) -> None:
        super().__init__(peer, exchange, number, idle_seconds(query))
        self._gate = gate
        self._streams = streams

    def answer(self, success: bool, words: str, command: wire_streams.Command) -> None:
        req_id: Any = msgspec.UNSET if command.req_id is None else command.req_id
        self._peer.send(msgspec.json.encode(wire_streams.PrivateAck(success, words, command.op, self.conn_id, req_id)))

    def pong(self, command: wire_streams.Command) -> None:
        req_id: Any = msgspec.UNSET if command.req_id is None else command.req_id
        pong = wire_streams.PrivatePong("pong", [str(self._exchange.now_ms())], self.conn_id, req_id)
        self._peer.send(msgspec.json.encode(pong))

    def log_in(self, command: wire_streams.Command) -> None:
        if self.account:
            # One login a connection: its subscriptions are the first account's, and stay so.
            self.answer(False, "error:already authenticated", command)
            return
        args = command.args
        if not isinstance(args, list) or len(args) != 3:
            self.answer(False, "Params Error", command)
            return
        key, expires, signature = (str(arg) for arg in args)
        account = self._gate.authenticate_stream(key, expires, signature)
        if isinstance(account, str):
            self.answer(False, account, command)
            return
        self.account = account.name
        self.answer(True, "", command)

    def refusal(self, topics: list[str]) -> str:
        if not self.account:
            return "Request not authorized"
        for topic in topics:
            if topic not in TOPICS:
                return f"error:handler not found,topic:{topic}"
        for family in CATEGORISED:
            if family in topics and any(
                topic.startswith(f"{family}.") and topic not in CATEGORISED for topic in topics
            ):
                return f"error:{family} and its categories in one request"
        return self._repeated(topics)

    def add(self, topic: str) -> None:
        self._streams.add(self.account, topic, self)

    def remove(self, topic: str) -> None:
        self._streams.hub(self.account).remove(topic, self)


def idle_seconds(query: str) -> float:
    """max_active_time of the address: 30s to 600s, or 1m to 10m; the longest where it is absent or wrong."""
    text = parse_qs(query).get("max_active_time", [""])[0]
    number, unit = whole(text[:-1]), text[-1:]
    if number is None or unit not in ("s", "m"):
        return IDLE_S
    seconds = float(number * (60 if unit == "m" else 1))
    return seconds if LEAST_IDLE_S <= seconds <= IDLE_S else IDLE_S
