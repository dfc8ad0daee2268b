"""When a further socket may be opened."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from perpwire.api_connector.connect_gate import ConnectGate, Openings
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import ManualClock
from perpwire.simulator.faults import Cut
from perpwire.testing import offline


def entered(gate_of: tuple[int, float], *, first: int, again: int) -> list[float]:
    """When so many came through, who all came at once."""
    clock = ManualClock()
    times: list[float] = []

    async def main() -> None:
        gate = ConnectGate(clock, Openings(gate_of))

        async def one(is_again: bool) -> None:
            await gate.enter(again=is_again)
            times.append(clock.monotonic_ns() / 1e9)

        await asyncio.gather(*(one(False) for _ in range(first)), *(one(True) for _ in range(again)))

    clock.run(main())
    return [round(time, 2) for time in times]


def test_the_first_ten_go_out_side_by_side_and_then_one_a_second() -> None:
    assert entered((300, 300.0), first=13, again=0) == [0.0] * 10 + [1.0, 2.0, 3.0]


def test_those_that_replace_lost_ones_go_one_a_second() -> None:
    assert entered((300, 300.0), first=0, again=5) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_once_a_socket_was_lost_nobody_goes_out_in_a_burst() -> None:
    times = entered((300, 300.0), first=2, again=2)
    assert times == [0.0, 0.0, 1.0, 2.0]
    clock = ManualClock()
    later: list[float] = []

    async def main() -> None:
        gate = ConnectGate(clock, Openings((300, 300.0)))
        for again in (True, False, False):
            await gate.enter(again=again)
            later.append(round(clock.monotonic_ns() / 1e9, 2))

    clock.run(main())
    assert later == [0.0, 1.0, 2.0]


def test_the_venues_window_is_kept_with_a_fifth_to_spare() -> None:
    times = entered((20, 300.0), first=10, again=12)
    assert max(sum(start <= time < start + 300 for time in times) for start in times) == 16
    assert times[-1] > 300


def run(main: Coroutine[Any, Any, None], clock: ManualClock) -> None:
    clock.run(main)


def test_a_pause_ends_when_another_socket_comes_through_but_not_one_for_a_refused_key() -> None:
    clock = ManualClock()
    woken: dict[str, float] = {}

    async def main() -> None:
        gate = ConnectGate(clock, Openings((300, 300.0)))

        async def wait(name: str, may_be_cut_short: bool) -> None:
            await gate.pause(30.0, may_be_cut_short=may_be_cut_short)
            woken[name] = round(clock.monotonic_ns() / 1e9, 1)

        waiting = [asyncio.create_task(wait(name, name != "key")) for name in ("one", "two", "key")]
        await clock.sleep(5)
        gate.came_through()
        await asyncio.gather(*waiting)

    run(main(), clock)
    assert woken == {"one": 5.0, "two": 5.0, "key": 30.0}


@pytest.mark.parametrize("managers", [1, 3])
def test_all_managers_of_a_program_keep_the_venues_window_together(managers: int) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=["binance"], rate=0.1) as world, AsyncExitStack() as stack:
            host = world.simulation.hosts["binance"]
            for _ in range(managers):
                manager = WebSocketManager(
                    urls={"binance": world.simulation.urls["binance"]}, clock=clock, sockets=world.network
                )
                await stack.enter_async_context(manager)
                await manager.connect_binance_stream(["btcusdt@bookTicker", "ethusdt@aggTrade"])
            host.faults.add(Cut(every_s=1.0))
            await clock.sleep(400)
            at_s = [one.time_ns / 1e9 for one in host.journal.entries(kind="opened")]
            assert 220 < max(sum(start <= at < start + 300 for at in at_s) for start in at_s) <= 250  # it takes 300

    clock.run(main())


def test_the_accounts_socket_goes_before_all_others() -> None:
    clock = ManualClock()

    async def main() -> None:
        gate = ConnectGate(clock, Openings((20, 300.0)))
        waiting = [asyncio.create_task(gate.enter(again=True)) for _ in range(10)]
        await clock.sleep(0.5)
        before_ns = clock.monotonic_ns()
        await gate.enter(again=True, is_first=True)
        assert clock.monotonic_ns() == before_ns
        await asyncio.gather(*waiting)
        assert round(clock.monotonic_ns() / 1e9) == 9
        for _ in range(5):
            await gate.enter(again=False)
        assert round(clock.monotonic_ns() / 1e9) == 14  # its window is full for all others
        for _ in range(2):
            await gate.enter(again=True, is_first=True)
        assert round(clock.monotonic_ns() / 1e9) == 14
        await gate.enter(again=True, is_first=True)
        assert clock.monotonic_ns() / 1e9 >= 300  # the window holds it, too

    clock.run(main())
