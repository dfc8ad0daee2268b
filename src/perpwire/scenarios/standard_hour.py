"""An hour of an ordinary day."""

from __future__ import annotations

from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.profiles import HOUR_S, profile


@scenario(options={"rate": 2.0}, one_in=20)
async def standard_hour(run: Run) -> None:
    """An hour of trading under the profile `standard`."""
    await run.follow("BTCUSDT", "ETHUSDT", books=("BTCUSDT",))
    run.fault(*profile("standard", run.venue, run.random.randrange(2**32)))
    end_ns = run.clock.monotonic_ns() + round(HOUR_S * 1e9)
    while run.clock.monotonic_ns() < end_ns:
        await run.trade(5, pause_s=6.0)
