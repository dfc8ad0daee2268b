"""Of what is told as a whole state, such as the best prices: none that the exchange never had, none after a newer one,
and none left out but where a Gap says so, or where a fault took it and nobody could know.

Held against what the exchange had, at every moment, not against what it has sent: in an outage it sends nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from perpwire.model.market import Gap

State = tuple[Decimal | None, ...]

ARRIVES_NS = 3_000_000_000
"""What the exchange has had for less may be on its way."""


class Had(NamedTuple):
    """A state of the exchange, until the next one.

    Attributes:
        time_ms: Since when, by the venue's clock, which faults set forward and back.
        at_ns: And by the true one.
    """

    time_ms: int
    at_ns: int
    state: State


class Told(NamedTuple):
    """What a handler heard, and of when."""

    time_ms: int
    state: State


class GapTold(NamedTuple):
    """A Gap, and when it was heard by the true clock."""

    at_ns: int


class StatesHeard:
    """Of one kind, by symbol, in order."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.had: defaultdict[str, list[Had]] = defaultdict(list)
        self.heard: defaultdict[str, list[Told | GapTold]] = defaultdict(list)

    def have(self, symbol: str, time_ms: int, at_ns: int, state: State) -> None:
        """The exchange has this from now on."""
        had = self.had[symbol]
        if not had or had[-1].state != state:
            had.append(Had(time_ms, at_ns, state))

    def hear(self, symbol: str, time_ms: int, state: State) -> None:
        self.heard[symbol].append(Told(time_ms, state))

    def on_gap(self, gap: Gap, at_ns: int) -> None:
        if gap.kind == self.kind:
            self.heard[gap.symbol].append(GapTold(at_ns))

    def unsaid(
        self,
        *,
        wanted: Collection[str],
        hidden: Collection[tuple[str, State]],
        shortest_ns: int,
        slack_ns: int = 0,
        now_ns: int,
    ) -> Iterable[str]:
        """What does not hold.

        Args:
            wanted: Symbols whose stream is still there: what was told of them last is what the exchange has.
            hidden: What a fault took, so that nobody could know.
            shortest_ns: What has held for less, the venue need not tell; 0: it tells each.
            slack_ns: So much later a busy machine may look for what to tell.
            now_ns: By the true clock.
        """
        if shortest_ns:
            shortest_ns += slack_ns
        for symbol, heard in self.heard.items():
            had = self.had[symbol]
            ends_ns = [min(one.at_ns, now_ns - ARRIVES_NS) for one in had[1:]] + [now_ns - ARRIVES_NS]
            due = [
                end_ns - one.at_ns >= shortest_ns and (symbol, one.state) not in hidden
                for one, end_ns in zip(had, ends_ns, strict=False)
            ]
            taken = {state for name, state in hidden if name == symbol}
            for problem in _in_turn(heard, had, due, taken, is_wanted=symbol in wanted):
                yield f"{self.kind} of {symbol}: {problem}"


def _in_turn(
    heard: Sequence[Told | GapTold],
    had: Sequence[Had],
    due: Sequence[bool],
    taken: Collection[State],
    *,
    is_wanted: bool,
) -> Iterable[str]:
    places: defaultdict[State, list[int]] = defaultdict(list)
    for place, one in enumerate(had):
        places[one.state].append(place)
    newest = -1
    gap_ns: int | None = 0
    for said in heard:
        if isinstance(said, GapTold):
            gap_ns = said.at_ns
            continue
        if said.state in taken:
            continue
        at = _place(said, places.get(said.state, ()), had, newest)
        if at is None:
            yield f"{said.state} was told, which the exchange never had"
        elif at < newest:
            yield f"{said.state} was told after {had[newest].state}, which is newer"
        else:
            if gap_ns is None:
                yield from _missing(had, newest, [one for one in range(newest + 1, at) if due[one]])
            newest, gap_ns = at, None
    if is_wanted and newest >= 0:
        since_ns = -1 if gap_ns is None else gap_ns
        left = range(newest + 1, len(had))
        yield from _missing(had, newest, [at for at in left if due[at] and had[at].at_ns > since_ns])


def _missing(had: Sequence[Had], newest: int, places: Iterable[int]) -> Iterable[str]:
    """Of what was not told, and is due; but for a state that is the told one again, after one that need not be told."""
    missing = [had[at].state for at in places if had[at].state != had[newest].state]
    if missing:
        yield f"{len(missing)} are missing, and no Gap says so, such as {missing[:2]}"


def _place(told: Told, places: Sequence[int], had: Sequence[Had], newest: int) -> int | None:
    """Where the exchange had what was told, at the time that it was told of; ahead, if there is such a place."""
    split = bisect_left(places, newest)
    ahead, behind = places[split:], places[:split][::-1]
    of_its_time = (at for some in (ahead, behind) for at in some if _held_at(had, at, told.time_ms))
    return next(of_its_time, next(iter((*ahead[:1], *behind[:1])), None))


def _held_at(had: Sequence[Had], at: int, time_ms: int) -> bool:
    return had[at].time_ms <= time_ms and (at + 1 == len(had) or time_ms <= had[at + 1].time_ms)
