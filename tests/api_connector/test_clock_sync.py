from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.clock import ManualClock
from perpwire.errors import NotSent


def asker(clock: ManualClock, ahead_ms: int, trips_s: list[tuple[float, float]]) -> Callable[[], Awaitable[int]]:
    """A venue whose clock is `ahead_ms` ahead of ours, over lines with these there and back times."""

    async def ask() -> int:
        there, back = trips_s.pop(0)
        clock.advance(there)
        answer = clock.monotonic_ns() // 1_000_000 + ahead_ms
        clock.advance(back)
        return answer

    return ask


async def test_the_sample_with_the_shortest_round_trip_counts() -> None:
    clock = ManualClock(start_ns=0)
    sync = ClockSync(clock)
    await sync.measure(asker(clock, 10_000, [(0.5, 0.01), (0.004, 0.004), (0.01, 0.4)]))
    assert abs(sync.venue_ms() - (clock.monotonic_ns() // 1_000_000 + 10_000)) <= 1
    assert sync.round_trip_ns == 8_000_000
    assert sync.offset_ms == pytest.approx(10_000, abs=1)


async def test_a_step_of_our_wall_clock_does_not_move_the_venues_time() -> None:
    clock = ManualClock()
    sync = ClockSync(clock)
    await sync.measure(asker(clock, 5, [(0.001, 0.001)] * 3))
    before = sync.venue_ms()
    clock.jump_wall(-3600)
    assert sync.venue_ms() == before


async def test_one_good_sample_is_enough_and_none_is_an_error() -> None:
    clock = ManualClock()
    sync = ClockSync(clock)
    answers: list[int | Exception] = [1000, NotSent("down")]

    async def ask() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await sync.measure(ask)
    assert sync.venue_ms() == 1000
    answers = [NotSent("down")]
    with pytest.raises(NotSent):
        await sync.measure(ask)
    assert sync.venue_ms() == 1000
