"""Ready-made trouble: `mild`, `standard` and `brutal`, each a table of how often what happens.

A profile is drawn once from the seed into a schedule of an hour (or as long as is asked for), with random moments at
the stated mean rates, and that schedule comes again and again. The same seed, venue and length give the same schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from perpwire.simulator.faults import (
    Answer,
    AnyFault,
    Close,
    CorruptMessage,
    Cut,
    Delay,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    LagLists,
    LoseAnswer,
    LoseRequest,
    Maintenance,
    Refuse,
    ReorderMessage,
    Reset,
    Restart,
    Silence,
    Skew,
    SplitMessage,
    Throttle,
    TruncateAnswer,
)

HOUR_S = 3600.0

BUSY, DOUBTFUL, LIMITED = "busy", "doubtful", "limited"
"""Canned replies that every venue has: it was not done; it may have been done; too many calls."""


class Rate(msgspec.Struct, frozen=True):
    """How often something happens, on average, and what: the fault without its time, drawn anew each time."""

    per_hour: float
    make: Callable[[Random], AnyFault]


def _answers(canned: str, *, executed: bool = False, method: str = "") -> Callable[[Random], AnyFault]:
    return lambda rng: Answer(canned=canned, executed=executed, method=method, for_s=60.0)


def _page(status: int, words: str) -> Callable[[Random], AnyFault]:
    body = f"<html><head><title>{status} {words}</title></head><body><h1>{status} {words}</h1></body></html>"
    return lambda rng: Answer(status=status, body=body, headers={"content-type": "text/html"}, for_s=60.0)


def _close(rng: Random) -> AnyFault:
    code, reason = rng.choice(((1000, ""), (1001, "going away"), (1008, "Too many requests"), (1011, "internal error")))
    return Close(which="one", code=code, reason=reason)


def _step(least_s: float, most_s: float) -> Callable[[Random], AnyFault]:
    return lambda rng: Skew(seconds=rng.choice((-1, 1)) * round(rng.uniform(least_s, most_s), 3))


def _between(least: float, most: float, rng: Random) -> float:
    return round(rng.uniform(least, most), 3)


MILD = (
    Rate(1, lambda rng: Cut(which="one")),
    Rate(1, _answers(BUSY)),
    Rate(2, lambda rng: Delay(seconds=_between(0.2, 1, rng), for_s=60.0)),
    Rate(4, lambda rng: DelayMessage(seconds=_between(0.05, 0.3, rng), for_s=60.0)),
    Rate(2, lambda rng: SplitMessage(pieces=rng.randint(2, 4), pause_s=0.01, for_s=60.0)),
    Rate(0.5, _step(0.02, 0.1)),
)

STANDARD = (
    # sockets
    Rate(1, lambda rng: Cut(which="one")),
    Rate(1, lambda rng: Reset(which="one")),
    Rate(1, _close),
    Rate(0.25, lambda rng: Cut()),
    Rate(0.25, lambda rng: Refuse(seconds=_between(0.5, 2, rng))),
    Rate(0.25, lambda rng: Silence(which="one", seconds=120.0)),
    Rate(0.25, lambda rng: Silence(which="one", what="data", seconds=120.0)),
    Rate(0.5, lambda rng: Throttle(which="one", bytes_per_s=50_000, seconds=_between(5, 20, rng))),
    # calls
    Rate(4, _answers(BUSY)),
    Rate(1, _answers(DOUBTFUL, method="POST")),
    Rate(1, _answers(DOUBTFUL, method="POST", executed=True)),
    Rate(1, _answers(LIMITED)),
    Rate(1, _page(502, "Bad Gateway")),
    Rate(2, lambda rng: LoseAnswer(how=rng.choice(("reset", "silence")), for_s=60.0)),
    Rate(2, lambda rng: LoseRequest(how=rng.choice(("reset", "silence")), for_s=60.0)),
    Rate(4, lambda rng: Delay(seconds=_between(0.5, 3, rng), for_s=60.0)),
    Rate(1, lambda rng: Delay(seconds=_between(0.5, 4, rng), where="request", for_s=60.0)),
    Rate(0.5, lambda rng: TruncateAnswer(how=rng.choice(("body", "connection")), for_s=60.0)),
    # messages: of public streams, as no venue loses private ones on an open socket
    Rate(4, lambda rng: DropMessage(of="public", for_s=60.0)),
    Rate(4, lambda rng: DuplicateMessage(of="public", for_s=60.0)),
    Rate(4, lambda rng: ReorderMessage(of="public", behind=rng.randint(1, 5), for_s=60.0)),
    Rate(8, lambda rng: DelayMessage(seconds=_between(0.1, 1, rng), for_s=60.0)),
    Rate(4, lambda rng: SplitMessage(pieces=rng.randint(2, 6), pause_s=0.02, for_s=60.0)),
    Rate(1, lambda rng: CorruptMessage(of="public", how=rng.choice(("cut", "garble")), for_s=60.0)),
    # the clock
    Rate(1, _step(0.2, 1.5)),
    # copies that are behind
    Rate(4, lambda rng: LagLists(seconds=_between(30, 120, rng))),
)

BRUTAL = (
    Rate(20, lambda rng: Cut(which="one")),
    Rate(20, lambda rng: Reset(which="one")),
    Rate(10, _close),
    Rate(6, lambda rng: Cut()),
    Rate(10, lambda rng: Refuse(seconds=_between(1, 20, rng))),
    Rate(6, lambda rng: Silence(which="one", seconds=_between(20, 120, rng))),
    Rate(6, lambda rng: Silence(which="one", what="data", seconds=_between(20, 120, rng), also_next=rng.randint(0, 3))),
    Rate(6, lambda rng: Throttle(which="one", bytes_per_s=_between(500, 5000, rng), seconds=_between(5, 30, rng))),
    Rate(1, lambda rng: Maintenance(seconds=_between(10, 60, rng))),
    Rate(2, lambda rng: Restart(notice_s=_between(0, 10, rng), seconds=_between(1, 10, rng))),
    Rate(40, _answers(BUSY)),
    Rate(15, _answers(DOUBTFUL, method="POST")),
    Rate(15, _answers(DOUBTFUL, method="POST", executed=True)),
    Rate(8, _answers(LIMITED)),
    Rate(10, _page(502, "Bad Gateway")),
    Rate(10, _page(504, "Gateway Time-out")),
    Rate(5, lambda rng: Answer(method="WS", status=rng.choice((429, 502, 503)), for_s=60.0)),
    Rate(30, lambda rng: LoseAnswer(how=rng.choice(("reset", "silence")), for_s=60.0)),
    Rate(30, lambda rng: LoseRequest(how=rng.choice(("reset", "silence")), for_s=60.0)),
    Rate(40, lambda rng: Delay(seconds=_between(0.5, 15, rng), for_s=60.0)),
    Rate(15, lambda rng: Delay(seconds=_between(0.5, 8, rng), where="request", for_s=60.0)),
    Rate(10, lambda rng: TruncateAnswer(how=rng.choice(("body", "connection")), for_s=60.0)),
    Rate(60, lambda rng: DropMessage(of="public", for_s=60.0)),
    Rate(5, lambda rng: DropMessage(topic="", for_s=60.0)),
    Rate(60, lambda rng: DuplicateMessage(for_s=60.0)),
    Rate(60, lambda rng: ReorderMessage(of="public", behind=rng.randint(1, 20), for_s=60.0)),
    Rate(60, lambda rng: DelayMessage(seconds=_between(0.1, 8, rng), for_s=60.0)),
    Rate(30, lambda rng: SplitMessage(pieces=rng.randint(2, 20), pause_s=0.05, for_s=60.0)),
    Rate(20, lambda rng: CorruptMessage(of="public", how=rng.choice(("cut", "garble")), for_s=60.0)),
    Rate(6, _step(0.2, 4)),
    Rate(20, lambda rng: LagLists(seconds=_between(30, 120, rng))),
)

PROFILES: dict[str, tuple[Rate, ...]] = {"mild": MILD, "standard": STANDARD, "brutal": BRUTAL}


def profile(name: str, venue: str, seed: int, duration_s: float = HOUR_S) -> list[AnyFault]:
    """The schedule of a profile, in order of time; each fault comes again after `duration_s`.

    Raises:
        KeyError: There is no such profile.
        ValueError: The duration is no span of time.
    """
    if not 0 < duration_s < 1e9:
        raise ValueError(f"a schedule of {duration_s:g} s can't be drawn")
    rng = Random(f"{seed}/{venue}/{name}")
    found: list[AnyFault] = []
    for rate in PROFILES[name]:
        at_s = rng.expovariate(rate.per_hour / HOUR_S)
        while at_s < duration_s:
            fault = rate.make(rng)
            found.append(msgspec.structs.replace(fault, after_s=round(at_s, 3), every_s=duration_s))
            at_s += rng.expovariate(rate.per_hour / HOUR_S)
    return sorted(found, key=lambda fault: fault.after_s)
