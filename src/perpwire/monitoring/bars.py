"""The five bars that the user sets for everything, held against what is measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from perpwire.api_connector.histogram import Histogram

RESPONSE_S = 0.100
STABILITY = 0.999
RECOVERY = 0.95
ACCURACY = 1.0
LATENCY_S = 0.010


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar.

    Attributes:
        name: "response_time", "stability", "recovery", "accuracy" or "latency".
        wanted: What it must be: below it for times, at least it for shares.
        value: What it is; None where nothing was measured yet.
        unit: "s" or "share".
        holds: None where nothing was measured yet.
        samples: How many things it was made of.
        how: What is measured, in a few words.
    """

    name: str
    wanted: float
    value: float | None
    unit: str
    holds: bool | None
    samples: int
    how: str


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What the bars are made of, of one connector.

    Attributes:
        response: Of calls that succeeded, seconds.
        latency_ns: From frame to handler, nanoseconds.
        good, looked: Topics and books that were right, and all there were, added up over all looks.
        recovered: Outages that came right by themselves within `settled` time.
        not_recovered: Those that did not, or have lasted too long.
        events: Delivered.
        wrong: Of these or beside them: frames that could not be read, holes that were not closed, positions that did
            not add up.
    """

    response: Histogram
    latency_ns: Histogram
    good: int
    looked: int
    recovered: int
    not_recovered: int
    events: int
    wrong: int


def bars(all_measured: Sequence[Measured]) -> tuple[Bar, ...]:
    """The bars over all connectors together."""
    response, latency_ns = Histogram(), Histogram()
    for one in all_measured:
        response.merge(one.response)
        latency_ns.merge(one.latency_ns)
    good, looked = sum(one.good for one in all_measured), sum(one.looked for one in all_measured)
    recovered = sum(one.recovered for one in all_measured)
    outages = recovered + sum(one.not_recovered for one in all_measured)
    events, wrong = sum(one.events for one in all_measured), sum(one.wrong for one in all_measured)
    return (
        _time("response_time", RESPONSE_S, response, 0.95, "p95 of successful calls, from request to parsed reply"),
        _share("stability", STABILITY, good, looked, "share of time in which streams are live and books in sync"),
        _share("recovery", RECOVERY, recovered, outages, "outages that came right by themselves"),
        _share("accuracy", ACCURACY, max(0, events - wrong), events,
               "events delivered less unreadable frames, holes not closed and positions that do not add up"),
        _time("latency", LATENCY_S, latency_ns, 0.99, "p99 from a frame being readable to its first handler", 1e-9),
    )  # fmt: skip


def _time(name: str, wanted: float, times: Histogram, quantile: float, how: str, unit_s: float = 1.0) -> Bar:
    value = times.quantile(quantile) * unit_s if times.count else None
    holds = None if value is None else value < wanted
    return Bar(name=name, wanted=wanted, value=value, unit="s", holds=holds, samples=times.count, how=how)


def _share(name: str, wanted: float, part: int, whole: int, how: str) -> Bar:
    value = part / whole if whole else None
    holds = None if value is None else value >= wanted
    return Bar(name=name, wanted=wanted, value=value, unit="share", holds=holds, samples=whole, how=how)
