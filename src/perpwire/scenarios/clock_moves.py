"""The venue's clock is stepped and drifts away."""

from __future__ import annotations

from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import AnyFault, Delay, Drift, Skew


@scenario()
async def clock_moves(run: Run) -> None:
    """Trading while the venue's clock steps by seconds, drifts, and answers to the question of the time come late."""
    await run.follow("BTCUSDT")
    for _ in range(8):
        run.fault(_move(run))
        await run.trade(3, pause_s=run.random.choice((0.1, 3.0, 20.0)))


def _move(run: Run) -> AnyFault:
    match run.random.randrange(4):
        case 0:
            return Drift(ppm=run.random.uniform(-200, 200))
        case 1:
            path = {"binance": "/fapi/v1/time", "bybit": "/v5/market/time"}[run.venue]
            return Delay(path=path, seconds=run.random.uniform(0.5, 4))
        case _:
            return Skew(seconds=run.random.choice((-1, 1)) * run.random.uniform(0.5, 8), is_step=True)
