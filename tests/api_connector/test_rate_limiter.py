from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from perpwire.api_connector.rate_limiter import RateLimiter
from perpwire.clock import ManualClock
from perpwire.errors import BadInput

MS = 1_000_000
LIMITS = st.integers(min_value=1, max_value=7)
PERIODS = st.sampled_from([0.05, 1 / 3, 1, 2.5, 60])
ARRIVALS = st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=40)


def acquired_at(limit: int, period_s: float, arrivals_in_periods: list[float]) -> list[int]:
    """When each of the callers got its slot: nanoseconds of monotonic time."""
    clock = ManualClock()
    limiter = RateLimiter(limit, period_s, clock)

    async def caller(after_s: float) -> int:
        await clock.sleep(after_s)
        await limiter.acquire()
        return clock.monotonic_ns()

    async def main() -> list[int]:
        return await asyncio.gather(*(caller(after * period_s) for after in sorted(arrivals_in_periods)))

    return clock.run(main())


@settings(max_examples=60, deadline=None)
@given(LIMITS, PERIODS, ARRIVALS)
def test_no_window_of_the_period_ever_holds_more_than_the_limit(
    limit: int, period: float, arrivals: list[float]
) -> None:
    times = sorted(acquired_at(limit, period, arrivals))
    for first, one_too_many in zip(times, times[limit:], strict=False):
        assert one_too_many - first > period * 1e9


@settings(max_examples=60, deadline=None)
@given(LIMITS, PERIODS, ARRIVALS)
def test_nobody_waits_longer_than_the_limit_demands(limit: int, period: float, arrivals: list[float]) -> None:
    slack_ns = 5_000 * len(arrivals)  # a microsecond and some rounding for each slot waited for
    expected: list[float] = []
    for after in sorted(arrivals):
        earliest = after * period * 1e9
        if len(expected) >= limit:
            earliest = max(earliest, expected[-limit] + period * 1e9)
        expected.append(earliest)
    for actual, earliest in zip(sorted(acquired_at(limit, period, arrivals)), expected, strict=True):
        assert -1 <= actual - earliest <= slack_ns


@settings(max_examples=40, deadline=None)
@given(LIMITS, ARRIVALS, st.data())
def test_a_cancelled_waiter_loses_no_slot_and_delays_nobody(
    limit: int, arrivals: list[float], data: st.DataObject
) -> None:
    """With some callers cancelled while they wait, the others do as if those had never been there."""
    clock = ManualClock()
    limiter = RateLimiter(limit, 1, clock)
    waiting = len(arrivals)
    gives_up = data.draw(st.lists(st.booleans(), min_size=waiting, max_size=waiting))

    async def caller() -> int:
        await limiter.acquire()
        return clock.monotonic_ns()

    async def main() -> list[int]:
        full = [asyncio.create_task(caller()) for _ in range(limit)]
        tasks = [asyncio.create_task(caller()) for _ in range(waiting)]
        await clock.sleep(0.5)
        for task, leaves in zip(tasks, gives_up, strict=True):
            if leaves:
                task.cancel()
        await asyncio.gather(*full)
        return [when for when in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(when, int)]

    stayed = clock.run(main())
    assert len(stayed) == gives_up.count(False)
    for position, when in enumerate(stayed):
        assert when / 1e9 == pytest.approx(1 + position // limit, abs=1e-3)


def test_throughput_reaches_the_limit() -> None:
    times = acquired_at(5, 1, [0] * 100)
    assert max(times) / 1e9 == pytest.approx(19, abs=0.001)


def test_waiters_are_served_in_the_order_they_came() -> None:
    clock = ManualClock()
    limiter = RateLimiter(3, 1, clock)
    served: list[int] = []

    async def caller(number: int) -> None:
        async with limiter:
            served.append(number)

    async def main() -> None:
        tasks = []
        for number in range(20):
            tasks.append(asyncio.create_task(caller(number)))
            await clock.sleep(0.01)
        await asyncio.gather(*tasks)

    clock.run(main())
    assert served == list(range(20))


def test_a_newcomer_does_not_overtake_one_whose_slot_just_became_free() -> None:
    clock = ManualClock()
    limiter = RateLimiter(1, 1, clock)
    served: list[str] = []

    async def caller(name: str) -> None:
        await limiter.acquire()
        served.append(name)

    async def main() -> None:
        await limiter.acquire()
        waiting = asyncio.create_task(caller("waited"))
        await asyncio.sleep(0)
        clock.advance(1.5)  # the slot is free now, but the waiter has not been woken yet
        await asyncio.gather(caller("newcomer"), waiting)

    clock.run(main())
    assert served == ["waited", "newcomer"]


def test_a_slow_body_does_not_hold_others_back() -> None:
    clock = ManualClock()
    limiter = RateLimiter(2, 1, clock)
    entered: list[int] = []

    async def caller() -> None:
        async with limiter:
            entered.append(clock.monotonic_ns() // MS)
            await clock.sleep(30)

    async def main() -> None:
        await asyncio.gather(*(caller() for _ in range(6)))

    clock.run(main())
    assert entered == [0, 0, 1000, 1000, 2000, 2000]


def test_an_error_inside_the_body_comes_out_and_its_slot_counts_as_used() -> None:
    clock = ManualClock()
    limiter = RateLimiter(1, 1, clock)

    async def main() -> int:
        with pytest.raises(KeyError):
            async with limiter:
                raise KeyError
        await limiter.acquire()
        return clock.monotonic_ns() // MS

    assert clock.run(main()) == 1000


def test_a_waiter_that_times_out_lets_the_next_one_have_its_turn() -> None:
    clock = ManualClock()
    limiter = RateLimiter(1, 1, clock)

    async def main() -> int:
        await limiter.acquire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await limiter.acquire()
        await limiter.acquire()
        return clock.monotonic_ns() // MS

    assert clock.run(main()) == 1000


@pytest.mark.parametrize(
    ("requests", "period"),
    [
        (0, 1),
        (-1, 1),
        (1.5, 1),
        ("10", 1),
        (True, 1),
        (10, 0),
        (10, -1),
        (10, math.nan),
        (10, math.inf),
        (10, "60"),
        (10, None),
        (10, True),
    ],
)
def test_limits_that_make_no_sense_are_refused(requests: Any, period: Any) -> None:
    with pytest.raises(BadInput):
        RateLimiter(requests, period)


async def test_it_needs_no_clock_of_the_callers() -> None:
    limiter = RateLimiter(1000, 60)
    async with limiter:
        pass
    await limiter.acquire()
