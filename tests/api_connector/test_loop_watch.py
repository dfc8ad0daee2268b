from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from perpwire.api_connector.loop_watch import LoopWatch
from perpwire.clock import ManualClock
from perpwire.model.incident import Incident, LoopStalled


def stalls(*block_s: float, looks: bool = True) -> tuple[LoopWatch, list[LoopStalled]]:
    """A loop in virtual time that is held for so long, once a second; the thread's look is played by hand."""
    clock, told = ManualClock(), list[Incident]()
    watch = LoopWatch("binance", clock, told.append)

    async def main() -> None:
        watch.start()
        await clock.sleep(1.0)
        for seconds in block_s:
            clock.advance(seconds)
            if looks:
                watch.look()
            await clock.sleep(1.0)
        watch.stop()

    clock.run(main())
    return watch, [one for one in told if isinstance(one, LoopStalled)]


def test_a_loop_that_goes_on_tells_nothing() -> None:
    watch, told = stalls(0.0, 0.1, 0.2)
    assert told == []
    assert (watch.stalls, watch.stalled_s, watch.longest_s) == (0, 0.0, 0.0)


def test_each_stall_is_told_once_with_its_length_to_within_a_beat_and_added_up() -> None:
    watch, told = stalls(0.5, 2.0, 0.1)
    assert [round(one.stalled_s, 1) for one in told] == [pytest.approx(0.5, abs=0.06), pytest.approx(2.0, abs=0.06)]
    assert watch.stalls == 2
    assert watch.stalled_s == pytest.approx(2.5, abs=0.11)
    assert watch.longest_s == told[1].stalled_s


def test_the_stack_names_the_place_and_shows_no_values() -> None:
    _, (told,) = stalls(0.7)
    assert "watch.look()" in told.stack
    assert "in main" in told.stack
    assert "the event loop stood still for 0." in told.detail


def test_of_several_places_in_one_stall_it_is_the_one_that_held_the_loop_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LoopWatch, "_watch", lambda self, stop: None)  # the only looks are those below
    clock, told = ManualClock(), list[Incident]()
    watch = LoopWatch("binance", clock, told.append)

    def before() -> None:
        watch.look()

    def culprit() -> None:
        for _ in range(3):
            clock.advance(0.15)
            watch.look()

    def behind() -> None:
        watch.look()

    async def main() -> None:
        watch.start()
        clock.advance(0.15)
        before()
        culprit()
        behind()
        await clock.sleep(1.0)
        watch.stop()

    clock.run(main())
    (stall,) = (one for one in told if isinstance(one, LoopStalled))
    assert "in culprit" in stall.stack
    assert "in before" not in stall.stack
    assert "in behind" not in stall.stack


def test_a_stall_whose_place_was_not_seen_is_told_without_one() -> None:
    watch, (told,) = stalls(0.7, looks=False)
    # The thread itself may have looked meanwhile: then the stack is of here.
    assert told.stack == "" or "in main" in told.stack
    assert watch.stalls == 1


def test_a_loop_that_nobody_holds_is_a_busy_machine_and_no_place_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoopWatch, "_watch", lambda self, stop: None)  # the only look is the one below
    clock, told = ManualClock(), asyncio.Queue[Incident]()
    watch = LoopWatch("binance", clock, told.put_nowait)

    def look_while_it_waits(loop_thread: int) -> None:
        while sys._current_frames()[loop_thread].f_code.co_name != "select":
            pass
        clock.advance(0.7)
        watch.look()

    async def main() -> None:
        watch.start()
        await asyncio.to_thread(look_while_it_waits, threading.get_ident())
        stall = await asyncio.wait_for(told.get(), 30)
        watch.stop()
        assert isinstance(stall, LoopStalled)
        assert (stall.stack, stall.where) == ("", "")

    asyncio.run(main())


def test_after_stop_nothing_is_told_and_it_can_be_started_again() -> None:
    clock, told = ManualClock(), list[Incident]()
    watch = LoopWatch("binance", clock, told.append)

    async def main() -> None:
        watch.start()
        watch.stop()
        clock.advance(5)
        await clock.sleep(1)
        assert told == []
        watch.start()
        watch.start()
        await clock.sleep(1)
        clock.advance(1)
        await clock.sleep(1)
        watch.stop()

    clock.run(main())
    assert len(told) == 1
