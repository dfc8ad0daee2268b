"""Admission and ledger against a venue that counts by itself, with random callers, answers, strangers and stops."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from perpwire.api_connector.admission import EARLY_NS, Admission
from perpwire.api_connector.ledger import RateLedger
from perpwire.clock import ManualClock
from perpwire.errors import NotSent, RateLimited
from perpwire.venues.base import Costs, Lane, Limit

S = 1_000_000_000
MS = 1_000_000
WEIGHT = Limit(name="weight", limit=100, period_s=6.0, fixed=True, source="test", scope="ip")
PLACE = Limit(name="place", limit=10, period_s=1.0, fixed=False, source="test")
READ = Limit(name="read", limit=20, period_s=1.0, fixed=False, source="test")
LIMITS = (WEIGHT, PLACE, READ)
CALLS: tuple[tuple[Lane, Costs], ...] = (
    (Lane.CANCEL, {"weight": 1}),
    (Lane.REDUCE, {"weight": 0, "place": 1}),
    (Lane.ORDER, {"weight": 0, "place": 1}),
    (Lane.ORDER, {"weight": 5, "place": 5}),
    (Lane.ACCOUNT, {"weight": 5, "read": 1}),
    (Lane.MARKET, {"weight": 1}),
    (Lane.MARKET, {"weight": 2}),
    (Lane.MARKET, {"weight": 20}),
    (Lane.MARKET, {"weight": 101}),
)


@dataclass
class Venue:
    """Counts what arrives, in rolling windows and in fixed ones that turn at its own moments; refuses what is too much,
    which it counts, too."""

    phase_ns: int
    arrived: list[tuple[int, str, int]] = field(default_factory=list)
    strange: list[tuple[int, int]] = field(default_factory=list)
    stopped_until_ns: int = -1
    broken: list[str] = field(default_factory=list)

    def count(self, name: str, now_ns: int, *, fixed: bool, ours_only: bool) -> int:
        limit = next(one for one in LIMITS if one.name == name)
        period_ns = round(limit.period_s * S)
        since_ns = now_ns - (now_ns + self.phase_ns) % period_ns if fixed else now_ns - period_ns
        ours = sum(units for at_ns, window, units in self.arrived if window == name and at_ns >= since_ns)
        others = sum(units for at_ns, units in self.strange if at_ns >= since_ns) if name == "weight" else 0
        return ours if ours_only else ours + others

    def take(self, costs: Costs, now_ns: int) -> dict[str, int]:
        """What its headers say."""
        if now_ns < self.stopped_until_ns:
            self.broken.append(f"a call at {now_ns / S} s, stopped until {self.stopped_until_ns / S} s")
        for name, units in costs.items():
            self.arrived.append((now_ns, name, units))
            for fixed in (False, True):
                limit = {"weight": 90, "place": 10, "read": 20}[name]
                if self.count(name, now_ns, fixed=fixed, ours_only=True) > limit:
                    self.broken.append(f"{name} at {now_ns / S} s, {fixed=}")
        return {name: self.count(name, now_ns, fixed=True, ours_only=False) for name in costs}


class Play:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = ManualClock()
        self.ledger = RateLedger(LIMITS)
        self.admission = Admission(self.ledger, self.clock, longest_hold_s=20, venue="test")
        self.venue = Venue(phase_ns=self.rng.randrange(10 * S))
        self.gone: dict[tuple[Lane, tuple[str, ...]], list[tuple[int, int]]] = {}
        self.ends: list[str] = []
        self.calls = 0
        self.refunded_ns = -1

    @property
    def now_ns(self) -> int:
        return self.clock.monotonic_ns()

    async def call(self, number: int, lane: Lane, costs: Costs, deadline_ns: int | None) -> None:
        rng = self.rng
        there_s, back_s = rng.choice(((0.01, 0.01), (0.3, 0.05), (0.0, 1.5), (2.0, 0.5), (0.05, 8.0)))
        try:
            receipt = (
                self.admission.admit_now(costs, lane) if deadline_ns is None or self.now_ns < deadline_ns else None
            )
            if receipt is None:
                receipt = await self.admission.admit(str(number), costs, lane, deadline_ns)
        except NotSent as error:
            self.ends.append(str(error.code))
            if error.code == "DEADLINE":
                assert deadline_ns is not None
                assert self.now_ns <= deadline_ns
                # It is not given up while it could go in time, as far as anybody knew.
                could_go_ns = self.now_ns + self.ledger.wait(costs, lane, self.now_ns)[0]
                was_in_line = self.admission.waiting or self.refunded_ns == self.now_ns
                assert max(could_go_ns, self.now_ns) >= deadline_ns - EARLY_NS or was_in_line
            return
        except RateLimited as error:
            self.ends.append(str(error.code))
            return
        assert deadline_ns is None or self.now_ns < deadline_ns
        assert max(costs.values()) <= 100
        self.gone.setdefault((lane, tuple(sorted(name for name in costs if costs[name]))), []).append(
            (self.now_ns, number)
        )
        if rng.random() < 0.05:
            self.admission.refund(receipt)
            self.refunded_ns = self.now_ns
            self.ends.append("refunded")
            return
        try:
            await asyncio.sleep(there_s)
            headers = self.venue.take(costs, self.now_ns)
            await asyncio.sleep(back_s)
            self.ledger.reported(headers, receipt, self.now_ns)
            self.ends.append("sent")
        finally:
            self.admission.settle(receipt)

    async def strangers(self) -> None:
        while True:
            await asyncio.sleep(self.rng.uniform(0.5, 5))
            self.venue.strange.append((self.now_ns, self.rng.choice((1, 5, 30))))

    async def stops(self) -> None:
        """The venue's own, told at once to us, after all that is under way has arrived."""
        while True:
            await asyncio.sleep(self.rng.uniform(5, 40))
            seconds = self.rng.choice((1, 7, 30))
            self.ledger.stop("all", self.now_ns + seconds * S, self.now_ns)
            self.admission.changed()
            until_ns = self.now_ns + seconds * S
            await asyncio.sleep(2.5)
            if seconds > 3:
                self.venue.stopped_until_ns = until_ns

    def nobody_waits_for_nothing(self) -> None:
        """The first of the most urgent lane in line can't go now."""
        for queues in self.admission._lanes.values():
            waiting = [waiter for queue in queues.values() for waiter in queue if not waiter.turn.done()]
            if waiting:
                first = min(waiting, key=lambda one: one.number)
                assert self.ledger.wait(first.costs, first.lane, self.now_ns)[0] > 0
                return

    async def main(self) -> None:
        others = [asyncio.create_task(one) for one in (self.strangers(), self.stops())]
        calls: list[asyncio.Task[None]] = []
        for _ in range(60):
            for _ in range(self.rng.choice((0, 1, 3, 20))):
                lane, costs = self.rng.choice(CALLS)
                deadline_ns = self.now_ns + round(self.rng.uniform(0.001, 5) * S) if self.rng.random() < 0.4 else None
                calls.append(asyncio.create_task(self.call(len(calls), lane, costs, deadline_ns)))
            await asyncio.sleep(self.rng.expovariate(2))
            self.nobody_waits_for_nothing()
            if calls and self.rng.random() < 0.5:
                self.rng.choice(calls).cancel()
        for one in others:
            one.cancel()
        # Whoever is still in line goes before long: nothing is lost.
        async with asyncio.timeout(3600):
            ends = await asyncio.gather(*calls, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end
        self.calls = len(calls)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[] if seed < 2 else pytest.mark.slow) for seed in range(12)])
def test_the_venue_never_counts_too_much_nobody_is_forgotten_and_turns_are_kept(seed: int) -> None:
    play = Play(seed)
    play.clock.run(play.main())
    assert play.venue.broken == []
    assert play.admission.waiting == play.admission.under_way == 0
    for gone in play.gone.values():
        # In one lane, those who draw on the same windows go in the order in which they came.
        assert [number for _, number in sorted(gone)] == sorted(number for _, number in gone)
    assert {"sent", "DEADLINE", "TOO_LARGE"} <= set(play.ends)
    # Ten minutes on, the windows are empty: nothing is held that was let go, nothing let go that is held.
    play.clock.advance(600)
    for name in ("weight", "place", "read"):
        assert play.ledger.used(name, play.now_ns) == 0
        assert not play.ledger._windows[name].held
