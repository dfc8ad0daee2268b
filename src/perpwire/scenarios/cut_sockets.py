"""Trading goes on while sockets end in every way they can."""

from __future__ import annotations

from typing import Literal

from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import AnyFault, Close, Cut, LagLists, Maintenance, Refuse, Reset, Restart, Silence

_WHICH: tuple[Literal["all", "one"], ...] = ("all", "one")


@scenario()
async def cut_sockets(run: Run) -> None:
    """Two minutes of trading through sockets that are cut, reset, closed, half-open and refused; lists lag."""
    run.fault(LagLists(seconds=3600.0))
    await run.follow("BTCUSDT", "ETHUSDT", books=("BTCUSDT",))
    for _ in range(6):
        run.fault(_end(run))
        if run.random.random() < 0.3:
            run.fault(Refuse(seconds=run.random.uniform(0.1, 5)))
        await run.trade(4, pause_s=run.random.choice((0.05, 1.0, 5.0)))


def _end(run: Run) -> AnyFault:
    which = run.random.choice(_WHICH)
    match run.random.randrange(7):
        case 0:
            return Cut(which=which)
        case 1:
            return Reset(which=which)
        case 2:
            return Close(which=which, code=run.random.choice((1000, 1001, 1006, 1008, 1011, 4000)))
        case 3:
            return Silence(which=which, seconds=run.random.uniform(1, 60))
        case 4:
            return Restart(notice_s=run.random.uniform(0, 5), seconds=run.random.uniform(0.5, 5))
        case 5:
            return Maintenance(seconds=run.random.uniform(1, 20))
        case _:
            return Cut(which=which, after_s=run.random.uniform(0, 3))
