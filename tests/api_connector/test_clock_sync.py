from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from perpwire.api_connector.clock_sync import GOOD_MS, REFRESH_S, ClockKeeper, ClockSync, Sample
from perpwire.clock import ManualClock
from perpwire.errors import NotSent

S = 1_000_000_000
MS = 1_000_000


class Venue:
    """A venue whose clock is `ahead_ms` ahead of ours and gains `drift_ppm`, over a line of any length."""

    def __init__(self, clock: ManualClock, ahead_ms: float = 10_000, drift_ppm: float = 0.0) -> None:
        self.clock = clock
        self.ahead_ns = ahead_ms * MS
        self.drift_ppm = drift_ppm
        self.asked = 0

    def now_ns(self) -> float:
        return self.clock.monotonic_ns() * (1 + self.drift_ppm / 1e6) + self.ahead_ns

    def sample(self, there_s: float, back_s: float) -> Sample:
        """One question and its answer, by hand."""
        sent_ns = self.clock.monotonic_ns()
        self.clock.advance(there_s)
        venue_ms = int(self.now_ns() // MS)
        self.clock.advance(back_s)
        return Sample(sent_ns, self.clock.monotonic_ns(), venue_ms)

    def asker(self, trips_s: Callable[[], tuple[float, float]]) -> Callable[[], Awaitable[Sample]]:
        async def ask() -> Sample:
            self.asked += 1
            there_s, back_s = trips_s()
            sent_ns = self.clock.monotonic_ns()
            await asyncio.sleep(there_s)
            venue_ms = int(self.now_ns() // MS)
            await asyncio.sleep(back_s)
            return Sample(sent_ns, self.clock.monotonic_ns(), venue_ms)

        return ask

    def error_ms(self, sync: ClockSync) -> float:
        return abs(sync.venue_ms() + 0.5 - self.now_ns() / MS)


def test_until_it_is_measured_the_machines_clock_is_the_best_guess() -> None:
    clock = ManualClock()
    sync = ClockSync(clock)
    assert sync.venue_ms() == clock.time_ns() // MS
    assert sync.error_ms == float("inf")


def test_all_answers_together_prove_more_than_the_best_of_them() -> None:
    clock = ManualClock(start_ns=0)
    venue, sync = Venue(clock), ClockSync(clock)
    sync.add(venue.sample(0.5, 0.01))  # proves that the offset is hardly less,
    assert sync.error_ms == pytest.approx(255.5)
    sync.add(venue.sample(0.01, 0.4))  # and this that it is hardly more
    assert sync.error_ms < 11
    assert venue.error_ms(sync) < 11


def test_a_slow_answer_moves_nothing() -> None:
    clock = ManualClock()
    venue, sync = Venue(clock), ClockSync(clock)
    for _ in range(4):
        assert sync.add(venue.sample(0.02, 0.02))
    before = sync.offset_ms
    for there_s in (0.01, 2.0, 3.99):
        assert sync.add(venue.sample(there_s, 4 - there_s))
    assert abs(sync.offset_ms - before) < 1


@pytest.mark.parametrize("step_ms", [1300, -4000, 250])
def test_a_step_is_seen_by_the_first_answer_that_contradicts_all_before(step_ms: int) -> None:
    clock = ManualClock()
    venue, sync = Venue(clock), ClockSync(clock)
    sync.add(venue.sample(0.02, 0.02))
    venue.ahead_ns += step_ms * MS
    assert not sync.add(venue.sample(0.05, 0.05))
    assert venue.error_ms(sync) <= 51


@pytest.mark.parametrize("steps_ms", [(-25_000,), (25_000,), (60_000, -60_000), (-60_000, 60_000)])
def test_what_was_stamped_before_and_after_steps_lies_within_the_span(steps_ms: tuple[int, ...]) -> None:
    clock = ManualClock()
    venue, sync = Venue(clock), ClockSync(clock)
    sync.add(venue.sample(0.01, 0.01))
    before_ns, before_ms = clock.monotonic_ns(), venue.now_ns() / MS
    shown = [before_ms]
    for step_ms in steps_ms:
        clock.advance(5)
        venue.ahead_ns += step_ms * MS
        shown.append(venue.now_ns() / MS)
        clock.advance(5)
        sync.add(venue.sample(0.01, 0.01))
        shown.append(venue.now_ns() / MS)
    least_ms, most_ms = sync.span_ms(before_ns)
    assert least_ms <= min(shown) + 20
    assert most_ms >= before_ms - 20
    assert most_ms - least_ms == pytest.approx(max(map(abs, steps_ms)), abs=20)
    clock.advance(60)
    now_ns = clock.monotonic_ns()
    assert sync.span_ms(now_ns) == pytest.approx((venue.now_ns() / MS,) * 2, abs=20), "what is over does not widen it"


def test_after_a_step_back_it_is_behind_until_it_has_passed_what_it_had_shown() -> None:
    clock = ManualClock()
    venue, sync = Venue(clock), ClockSync(clock)
    sync.add(venue.sample(0.01, 0.01))
    venue.ahead_ns += 60_000 * MS
    sync.add(venue.sample(0.01, 0.01))
    assert not sync.is_behind(0), "it was put ahead"
    venue.ahead_ns -= 25_000 * MS
    sync.add(venue.sample(0.01, 0.01))
    for passed_s, behind, still in [(0, True, True), (24, True, True), (2, False, True), (10, False, False)]:
        clock.advance(passed_s)
        assert (sync.is_behind(0), sync.is_behind(10)) == (behind, still)


def test_a_step_of_our_wall_clock_does_not_move_the_venues_time() -> None:
    clock = ManualClock()
    venue, sync = Venue(clock, 5), ClockSync(clock)
    sync.add(venue.sample(0.001, 0.001))
    before = sync.venue_ms()
    clock.jump_wall(-3600)
    assert sync.venue_ms() == before


@pytest.mark.parametrize("drift_ppm", [50.0, -50.0, 0.0])
def test_the_drift_is_learnt_and_then_the_time_is_right_between_answers_too(drift_ppm: float) -> None:
    clock = ManualClock()
    venue, sync = Venue(clock, drift_ppm=drift_ppm), ClockSync(clock)
    rng = random.Random(1)
    for _ in range(24):
        for _ in range(3):
            sync.add(venue.sample(rng.uniform(0.01, 0.1), rng.uniform(0.01, 0.1)))
        clock.advance(REFRESH_S)
    assert sync.drift_ppm == pytest.approx(drift_ppm, abs=10)
    clock.advance(3600)
    assert venue.error_ms(sync) < 60
    assert venue.error_ms(sync) <= sync.error_ms


def test_it_never_claims_to_be_more_exact_than_it_is() -> None:
    rng = random.Random(2)
    for _ in range(30):
        clock = ManualClock()
        venue, sync = Venue(clock, rng.uniform(-30_000, 30_000), rng.uniform(-50, 50)), ClockSync(clock)
        for _ in range(60):
            sync.add(venue.sample(rng.uniform(0.005, 0.2), rng.uniform(0, 0.2)))
            clock.advance(rng.choice((1, 10, 300)))
            assert venue.error_ms(sync) <= sync.error_ms + 1  # venue_ms is cut to whole milliseconds


# --- who asks, and when -----------------------------------------------------------------------------------------------


def run(scenario: Callable[[ManualClock, Venue, ClockSync], Awaitable[None]], **venue: float) -> None:
    clock = ManualClock()
    clock.run(_main(scenario, clock, Venue(clock, **venue), ClockSync(clock)))


async def _main(
    scenario: Callable[[ManualClock, Venue, ClockSync], Awaitable[None]],
    clock: ManualClock,
    venue: Venue,
    sync: ClockSync,
) -> None:
    await scenario(clock, venue, sync)


def test_the_quickest_of_three_answers_is_enough_and_the_others_are_not_waited_for() -> None:
    async def scenario(clock: ManualClock, venue: Venue, sync: ClockSync) -> None:
        trips = [(2.0, 2.0), (0.02, 0.02), (0.1, 0.1)]
        keeper = ClockKeeper(sync, clock, venue.asker(trips.pop))  # type: ignore[arg-type]
        await keeper.measure()
        assert clock.monotonic_ns() / S == pytest.approx(0.04)
        assert sync.error_ms == pytest.approx(20.5)
        await asyncio.sleep(10)
        await keeper.close()
        assert venue.asked == 3

    run(scenario)


def test_where_no_answer_comes_the_error_is_raised_and_what_is_known_stands() -> None:
    async def scenario(clock: ManualClock, venue: Venue, sync: ClockSync) -> None:
        sync.add(Sample(0, 0, 1000))

        async def ask() -> Sample:
            raise NotSent("down")

        with pytest.raises(NotSent, match="down"):
            await ClockKeeper(sync, clock, ask).measure()
        assert sync.venue_ms() == 1000

    run(scenario)


def test_calls_that_are_refused_together_have_the_time_asked_for_once() -> None:
    async def scenario(clock: ManualClock, venue: Venue, sync: ClockSync) -> None:
        keeper = ClockKeeper(sync, clock, venue.asker(lambda: (0.05, 0.05)))  # type: ignore[arg-type]
        await asyncio.sleep(1)
        measured = await asyncio.gather(*(keeper.resync(sent_ns) for sent_ns in range(100)))
        assert sum(measured) == 1
        assert venue.asked == 3
        await asyncio.sleep(1)
        assert await keeper.resync(clock.monotonic_ns())
        await keeper.close()

    run(scenario)


def test_a_refusal_that_states_the_venues_time_needs_no_question() -> None:
    async def scenario(clock: ManualClock, venue: Venue, sync: ClockSync) -> None:
        keeper = ClockKeeper(sync, clock, venue.asker(lambda: (0.05, 0.05)))  # type: ignore[arg-type]
        await asyncio.sleep(1)
        assert await keeper.resync(0, Sample(S * 9 // 10, S, 10_950))
        assert (venue.asked, sync.venue_ms()) == (0, 11_000)
        await keeper.close()

    run(scenario)


def test_in_the_background_it_is_made_better_soon_and_then_kept_fresh() -> None:
    async def scenario(clock: ManualClock, venue: Venue, sync: ClockSync) -> None:
        rng = random.Random(3)

        def trip_s() -> tuple[float, float]:
            return rng.uniform(0.01, 0.1), rng.uniform(0.01, 0.1)

        keeper = ClockKeeper(sync, clock, venue.asker(trip_s))  # type: ignore[arg-type]
        await keeper.measure()
        keeper.start()
        await asyncio.sleep(10)
        asked = venue.asked
        assert 6 <= asked <= 15
        errors = []
        for _ in range(600):
            await asyncio.sleep(10)
            errors.append(venue.error_ms(sync))
        assert max(errors) < 50
        assert venue.asked >= asked + 3 * 18
        await keeper.close()

    run(scenario, drift_ppm=50.0)


def test_an_outage_ends_no_background() -> None:
    async def scenario(clock: ManualClock, venue: Venue, sync: ClockSync) -> None:
        answers = [False] * 9
        good = venue.asker(lambda: (0.001, 0.001))

        async def ask() -> Sample:
            if answers and not answers.pop():
                raise NotSent("down")
            return await good()

        keeper = ClockKeeper(sync, clock, ask)
        keeper.start()
        await asyncio.sleep(3 * REFRESH_S + 10)
        assert sync.error_ms < GOOD_MS
        await keeper.close()

    run(scenario)
