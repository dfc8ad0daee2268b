"""Trouble on order: sockets cut or gone silent, connections refused, HTTP calls that fail in the ways they really do.

A fault is data (JSON, by /sim/faults or a file, or these structs). It starts `after_s` seconds from being added, plus a
random part of `jitter_s` drawn from the seed, and comes again every `every_s` seconds (plus jitter) where that is set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Literal, Protocol

import msgspec

from perpwire.clock import Clock, Timer
from perpwire.venues import VENUES

How = Literal["reset", "silence"]
"""How a lost exchange looks to the client: the connection is reset, or nothing ever comes."""


LARGEST_SKEW_S = 50 * 365.25 * 86400.0
"""How far a venue's clock may be off, either way: its years keep four digits, and its times stay above 0."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


def check_skew(seconds: float) -> None:
    """
    Raises:
        ValueError: Beyond LARGEST_SKEW_S, or not a number.
    """
    if not abs(seconds) <= LARGEST_SKEW_S:
        raise ValueError(f"a skew of {seconds:g} s is not within {LARGEST_SKEW_S:.0f} s either way")


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """Base of all faults; times in seconds."""

    after_s: float = 0.0
    every_s: float | None = None
    jitter_s: float = 0.0


class Cut(Fault, frozen=True, kw_only=True, tag="cut"):
    """Sockets end: what was sent is delivered, then the connection is closed without a closing handshake.

    Attributes:
        route: Only sockets with this text in their path; "" for all.
    """

    route: str = ""


class Silence(Fault, frozen=True, kw_only=True, tag="silence"):
    """Sockets go half-open: nothing is delivered, pings are not answered, and no end is seen.

    Attributes:
        route: As for Cut.
        seconds: When they are dropped after all; None for never.
    """

    route: str = ""
    seconds: float | None = None


class Refuse(Fault, frozen=True, kw_only=True, tag="refuse"):
    """New connections are refused for so many seconds."""

    seconds: float


class Skew(Fault, frozen=True, kw_only=True, tag="skew"):
    """The venue's clock is put this far ahead of the true one (below 0: behind), by at most LARGEST_SKEW_S."""

    seconds: float

    def __post_init__(self) -> None:
        check_skew(self.seconds)


class CallFault(Fault, frozen=True, kw_only=True):
    """Something befalls the next `count` HTTP calls that match.

    Attributes:
        method: Such as POST; "" for any. "WS" means the opening of a WebSocket (only `answer` applies there).
        path: Such as /fapi/v1/order, or a pattern such as /v5/order/*; "" for any.
        probability: Chance that a matching call is befallen; those spared don't count.
    """

    method: str = ""
    path: str = ""
    count: int = 1
    probability: float = 1.0


class Answer(CallFault, frozen=True, kw_only=True, tag="answer"):
    """The call is not executed and answered with this: a status from 100 to 599, and headers of one line each."""

    status: int
    body: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 100 <= self.status <= 599:
            raise ValueError(f"status {self.status} is not from 100 to 599")
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"header {name!r}: {value!r} can't be sent")


class Delay(CallFault, frozen=True, kw_only=True, tag="delay"):
    """The call takes longer: the request on its way in (executed late), or the answer on its way out."""

    seconds: float
    where: Literal["request", "answer"] = "answer"


class LoseAnswer(CallFault, frozen=True, kw_only=True, tag="lose_answer"):
    """The call is executed; its answer never arrives."""

    how: How = "reset"


class LoseRequest(CallFault, frozen=True, kw_only=True, tag="lose_request"):
    """The call is never executed, and no answer comes."""

    how: How = "reset"


AnyFault = Cut | Silence | Refuse | Skew | Answer | Delay | LoseAnswer | LoseRequest

_one: msgspec.json.Decoder[AnyFault] = msgspec.json.Decoder(AnyFault)
_script: msgspec.json.Decoder[list[AnyFault] | dict[str, list[AnyFault]]] = msgspec.json.Decoder(
    list[AnyFault] | dict[str, list[AnyFault]]
)


def read_fault(text: bytes) -> AnyFault:
    """
    Raises:
        msgspec.DecodeError: Not a fault; the message says where.
    """
    return _one.decode(text)


def read_script(text: bytes, venue: str) -> list[AnyFault]:
    """A venue's faults out of a file: a JSON list for every venue, or an object of such lists by venue.

    Raises:
        msgspec.DecodeError: Not such a list; the message says where.
        ValueError: There are faults for a venue that perpwire does not know.
    """
    script = _script.decode(text)
    if isinstance(script, list):
        return script
    for name in script:
        if name not in VENUES:
            raise ValueError(f"{name!r} is no venue; known are {', '.join(VENUES)}")
    return script.get(venue, [])


class SkewedClock:
    """A clock whose wall time is off; monotonic time and timers are the true ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.skew_s = 0.0

    def time_ns(self) -> int:
        return self._clock.time_ns() + round(self.skew_s * 1e9)

    def monotonic_ns(self) -> int:
        return self._clock.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return self._clock.call_later(seconds, callback)


class FaultTarget(Protocol):
    """What faults act on; a Host is one."""

    def cut(self, route: str) -> int: ...

    def silence(self, route: str, seconds: float | None) -> int: ...

    def refuse(self, seconds: float) -> None: ...

    def skew(self, seconds: float) -> None: ...


class _Armed:
    def __init__(self, number: int, fault: AnyFault) -> None:
        self.number = number
        self.fault = fault
        self.timer: Timer | None = None
        self.remaining = 0


class Faults:
    """One venue's faults: those that wait for their time, and those that wait for a call."""

    def __init__(self, target: FaultTarget, clock: Clock, rng: Random, log: Callable[[str], None]) -> None:
        self._target = target
        self._clock = clock
        self._rng = rng
        self._log = log
        self._last_number = 0
        self._armed: dict[int, _Armed] = {}

    def add(self, fault: AnyFault) -> int:
        """Returns its number. One that is due at once has acted when this returns."""
        self._last_number += 1
        armed = self._armed[self._last_number] = _Armed(self._last_number, fault)
        self._schedule(armed, fault.after_s)
        return armed.number

    def clear(self) -> None:
        """Drop every fault. What was cut stays cut, a skewed clock stays skewed."""
        for armed in self._armed.values():
            if armed.timer is not None:
                armed.timer.cancel()
        self._armed.clear()

    def active(self) -> list[dict[str, Any]]:
        """Those that may still act: number, the fault, and how many calls are still to be befallen."""
        return [
            {"number": one.number, "fault": msgspec.to_builtins(one.fault), "remaining": one.remaining}
            for one in self._armed.values()
        ]

    def for_call(self, method: str, path: str) -> CallFault | None:
        """The fault that befalls this call, if any; it counts as used."""
        for armed in self._armed.values():
            fault = armed.fault
            if not isinstance(fault, CallFault) or not armed.remaining:
                continue
            if fault.method not in ("", method) or (method == "WS") != (fault.method == "WS"):
                continue
            if fault.path and not fnmatchcase(path, fault.path):
                continue
            if fault.probability < 1 and self._rng.random() >= fault.probability:
                continue
            armed.remaining -= 1
            self._forget_if_done(armed)
            self._log(f"{_name(fault)} befalls {method} {path}")
            return fault
        return None

    def _schedule(self, armed: _Armed, wait_s: float) -> None:
        if armed.fault.jitter_s:
            wait_s += self._rng.uniform(0.0, armed.fault.jitter_s)
        if wait_s > 0:
            armed.timer = self._clock.call_later(wait_s, lambda: self._act(armed))
        else:
            self._act(armed)

    def _act(self, armed: _Armed) -> None:
        armed.timer = None
        fault = armed.fault
        # Scheduled first: acting may clear all faults.
        if fault.every_s is not None:
            self._schedule(armed, max(fault.every_s, 0.001))
        match fault:
            case Cut():
                self._log(f"cut {self._target.cut(fault.route)} sockets {fault.route}".rstrip())
            case Silence():
                self._log(f"silenced {self._target.silence(fault.route, fault.seconds)} sockets {fault.route}".rstrip())
            case Refuse():
                self._log(f"refusing connections for {fault.seconds:g} s")
                self._target.refuse(fault.seconds)
            case Skew():
                self._log(f"clock skew is {fault.seconds:g} s")
                self._target.skew(fault.seconds)
            case _:
                armed.remaining = fault.count
        self._forget_if_done(armed)

    def _forget_if_done(self, armed: _Armed) -> None:
        if not armed.remaining and armed.timer is None:
            self._armed.pop(armed.number, None)


def _name(fault: Fault) -> str:
    return str(type(fault).__struct_config__.tag)
