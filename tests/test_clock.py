from __future__ import annotations

import asyncio
import sys
import time

import pytest

from perpwire.clock import Every, ManualClock, SystemClock


def test_an_hour_of_virtual_sleep_passes_at_once_and_in_order() -> None:
    clock = ManualClock(start_ns=0)
    woken: list[tuple[str, int]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, round(clock.monotonic_ns() / 1e9)))

    async def main() -> None:
        await asyncio.gather(sleeper("hour", 3600), sleeper("second", 1), sleeper("minute", 60))

    clock.run(main())
    assert woken == [("second", 1), ("minute", 60), ("hour", 3600)]


def test_timeouts_inside_run_are_virtual_too() -> None:
    clock = ManualClock()

    async def main() -> int:
        started = clock.monotonic_ns()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return round((clock.monotonic_ns() - started) / 1e9)

    assert clock.run(main()) == 30


def test_waiting_for_what_never_comes_is_an_error_and_no_hang() -> None:
    with pytest.raises(RuntimeError, match="deadlock in virtual time"):
        ManualClock().run(asyncio.Event().wait())


def test_a_step_of_the_wall_clock_leaves_monotonic_time_alone() -> None:
    clock = ManualClock(start_ns=1_000_000_000)
    clock.advance(2)
    clock.jump_wall(-10)
    assert clock.time_ns() == -7_000_000_000
    assert clock.monotonic_ns() == 2_000_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="the name of that clock is Linux's")
def test_the_system_clock_goes_on_while_the_machine_sleeps() -> None:
    readings = [time.clock_gettime_ns(time.CLOCK_BOOTTIME), SystemClock().monotonic_ns()]
    readings.append(time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    assert readings == sorted(readings)


async def test_the_system_clock_calls_back() -> None:
    called = asyncio.Event()
    SystemClock().call_later(0.0, called.set)
    await asyncio.wait_for(called.wait(), 5)


def test_every_calls_until_it_is_stopped_though_a_call_fails() -> None:
    clock = ManualClock()
    called: list[int] = []

    def call() -> None:
        called.append(clock.monotonic_ns() // 1_000_000_000)
        if len(called) == 2:
            raise RuntimeError("once")

    async def main() -> None:
        every = Every(clock, 2.0, call)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        every.start()
        every.start()
        await clock.sleep(7)
        every.stop()
        every.stop()
        await clock.sleep(7)

    clock.run(main())
    assert called == [2, 4, 6]
