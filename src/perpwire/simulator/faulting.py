"""One venue's faults at work: those that wait for their time, and those that lie in wait for a call or a message."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Protocol

import msgspec

from perpwire.clock import Clock, Timer
from perpwire.http_message import HttpReply
from perpwire.simulator.faults import (
    AnswerMessage,
    AnyFault,
    AnyMessageFault,
    AnySocketFault,
    AnyVenueFault,
    CallFault,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    MessageFault,
    Silence,
    StaleAnswer,
    Waiting,
    name_of,
)

OldAnswers = Callable[[str, str], HttpReply | None]
"""Path and query of a call -> the old answer to it."""


class FaultTarget(Protocol):
    """What faults act on; acts.py has it."""

    def check(self, fault: AnyFault) -> None:
        """
        Raises:
            ValueError: This venue can't have that fault.
        """
        ...

    def act(self, fault: AnySocketFault | AnyVenueFault, rng: Random) -> str:
        """Carry it out now; says what was done."""
        ...

    def old_answers(self, fault: StaleAnswer) -> OldAnswers:
        """Take down what calls are to be answered with."""
        ...


class Armed:
    """A fault on order.

    Attributes:
        remaining: How many calls or messages it still hits; None for no end; 0 while it is not lying in wait.
        until_ns: When it is over, monotonic; None for never.
    """

    def __init__(self, number: int, fault: AnyFault, rng: Random) -> None:
        self.number = number
        self.fault = fault
        self.rng = rng
        self.remaining: int | None = 0
        self.until_ns: int | None = None
        self.timer: Timer | None = None
        self.end: Timer | None = None
        self.old_answers: OldAnswers | None = None
        self._matched = 0
        self._contains = fault.contains.encode() if isinstance(fault, Waiting) else b""

    def lie_in_wait(self, fault: Waiting) -> None:
        self.remaining = fault.count
        self._matched = 0

    def hits(self, fault: Waiting, *texts: bytes) -> bool:
        """Whether one that matches otherwise is hit; it counts."""
        if self._contains and not any(self._contains in text for text in texts):
            return False
        self._matched += 1
        if self._matched < fault.nth or (fault.probability < 1 and self.rng.random() >= fault.probability):
            return False
        if self.remaining is not None:
            self.remaining -= 1
        return True


class Faults:
    """See module docstring.

    Attributes:
        outgoing: Those that lie in wait for messages to clients. Empty most of the time: then sending costs no more.
        incoming: Those for messages of clients.
    """

    def __init__(self, target: FaultTarget, clock: Clock, rng: Random, log: Callable[[str], None]) -> None:
        self._target = target
        self._clock = clock
        self._rng = rng
        self._log = log
        self._last_number = 0
        self._armed: dict[int, Armed] = {}
        self.outgoing: list[Armed] = []
        self.incoming: list[Armed] = []
        self._calls: list[Armed] = []
        self._next_sockets: list[tuple[Silence, list[int]]] = []

    def check(self, fault: AnyFault) -> None:
        """
        Raises:
            ValueError: This venue can't have it.
        """
        self._target.check(fault)

    def add(self, fault: AnyFault) -> int:
        """Returns its number. One that is due at once has acted when this returns.

        Raises:
            ValueError: This venue can't have it.
        """
        self.check(fault)
        self._last_number += 1
        # Luck of its own: what one fault does never hangs on how often another one drew.
        armed = self._armed[self._last_number] = Armed(self._last_number, fault, Random(self._rng.getrandbits(64)))
        self._schedule(armed, fault.after_s)
        return armed.number

    def clear(self) -> None:
        """Drop every fault. What was cut stays cut, a skewed clock stays skewed."""
        for armed in self._armed.values():
            for timer in (armed.timer, armed.end):
                if timer is not None:
                    timer.cancel()
        self._armed.clear()
        for waiting in (self.outgoing, self.incoming, self._calls):
            waiting.clear()
        self._next_sockets.clear()

    def active(self) -> list[dict[str, Any]]:
        """Those that may still act: number, the fault, and how many are still to be hit (None: no end)."""
        return [
            {"number": one.number, "fault": msgspec.to_builtins(one.fault, str_keys=True), "remaining": one.remaining}
            for one in self._armed.values()
        ]

    # --- what lies in wait --------------------------------------------------------------------------------------------

    def for_call(self, method: str, path: str, query: str = "", body: bytes = b"") -> Armed | None:
        """What befalls this call, if anything; it counts as used."""
        for armed in self._calls:
            fault = armed.fault
            assert isinstance(fault, CallFault)
            if fault.method not in ("", method) or (method == "WS") != (fault.method == "WS"):
                continue
            if fault.path and not fnmatchcase(path, fault.path):
                continue
            if armed.old_answers is not None and (method != "GET" or armed.old_answers(path, query) is None):
                continue
            if armed.hits(fault, query.encode(), body):
                self._log(f"{name_of(fault)} befalls {method} {path}")
                self._forget_if_done(armed)
                return armed
        return None

    def for_outgoing(self, number: int, path: str, topic: str, account: str, text: bytes) -> AnyMessageFault | None:
        """What befalls a message to a client on the socket of this number, if anything; it counts as used."""
        for armed in self.outgoing:
            fault: Any = armed.fault
            if not _is_on(fault, number, path):
                continue
            # Control messages, which have no topic, are meant only where they are asked for.
            if not (fnmatchcase(topic, fault.topic) if topic else fault.topic == ""):
                continue
            if fault.of != "any" and (fault.of == "private") != bool(account):
                continue
            if armed.hits(fault, text):
                self._forget_if_done(armed)
                return fault  # type: ignore[no-any-return]
        return None

    def for_incoming(self, number: int, path: str, text: bytes) -> AnyMessageFault | None:
        """The same for what a client says."""
        for armed in self.incoming:
            fault: Any = armed.fault
            if _is_on(fault, number, path) and armed.hits(fault, text):
                self._forget_if_done(armed)
                return fault  # type: ignore[no-any-return]
        return None

    def for_socket(self, path: str) -> list[Silence]:
        """What a socket that is opened now has to suffer from its first moment."""
        found = []
        for one in tuple(self._next_sockets):
            fault, remaining = one
            if fault.route in path:
                found.append(fault)
                remaining[0] -= 1
                if not remaining[0]:
                    self._next_sockets.remove(one)
        return found

    # --- their time ---------------------------------------------------------------------------------------------------

    def _schedule(self, armed: Armed, wait_s: float) -> None:
        if armed.fault.jitter_s:
            wait_s += armed.rng.uniform(0.0, armed.fault.jitter_s)
        if wait_s > 0:
            armed.timer = self._clock.call_later(wait_s, lambda: self._act(armed))
        else:
            self._act(armed)

    def _act(self, armed: Armed) -> None:
        armed.timer = None
        fault = armed.fault
        # Scheduled first: acting may clear all faults.
        if fault.every_s is not None:
            self._schedule(armed, max(fault.every_s, 0.001))
        if isinstance(fault, Waiting):
            self._lie_in_wait(armed, fault)
            return
        if isinstance(fault, Silence) and fault.also_next:
            self._next_sockets.append((fault, [fault.also_next]))
        self._log(self._target.act(fault, armed.rng))
        self._forget_if_done(armed)

    def _lie_in_wait(self, armed: Armed, fault: Waiting) -> None:
        armed.lie_in_wait(fault)
        if isinstance(fault, StaleAnswer):
            armed.old_answers = self._target.old_answers(fault)
        waiting = self._waiting(fault)
        if armed not in waiting:
            waiting.append(armed)
        if armed.end is not None:
            armed.end.cancel()
            armed.end = None
        if fault.for_s is not None:
            armed.until_ns = self._clock.monotonic_ns() + round(fault.for_s * 1e9)
            armed.end = self._clock.call_later(fault.for_s, lambda: self._end(armed))

    def _end(self, armed: Armed) -> None:
        armed.end = None
        armed.remaining = 0
        self._forget_if_done(armed)

    def _waiting(self, fault: Waiting) -> list[Armed]:
        if not isinstance(fault, MessageFault):
            return self._calls
        is_incoming = isinstance(fault, AnswerMessage) or (
            isinstance(fault, DropMessage | DelayMessage | DuplicateMessage) and fault.direction == "in"
        )
        return self.incoming if is_incoming else self.outgoing

    def _forget_if_done(self, armed: Armed) -> None:
        if armed.remaining == 0:
            fault = armed.fault
            if isinstance(fault, Waiting) and armed in (waiting := self._waiting(fault)):
                waiting.remove(armed)
            if armed.end is not None:
                armed.end.cancel()
                armed.end = None
            if armed.timer is None:
                self._armed.pop(armed.number, None)


def _is_on(fault: MessageFault, number: int, path: str) -> bool:
    return fault.route in path and fault.connection in (0, number)
