"""An hour of an ordinary day, and of a day that nobody wants."""

from __future__ import annotations

from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.profiles import HOUR_S, profile


@scenario(options={"rate": 2.0}, one_in=20)
async def standard_hour(run: Run) -> None:
    """An hour of trading under the profile `standard`."""
    await trade_under(run, "standard", HOUR_S)


@scenario(options={"rate": 2.0}, one_in=10, settle_s=180.0)
async def brutal_quarter(run: Run) -> None:
    """A quarter of an hour of trading under the profile `brutal`."""
    await trade_under(run, "brutal", HOUR_S / 4)


async def trade_under(run: Run, name: str, seconds: float) -> None:
    await run.follow("BTCUSDT", "ETHUSDT", books=("BTCUSDT",))
    run.fault(*profile(name, run.venue, run.random.randrange(2**32)))
    end_ns = run.clock.monotonic_ns() + round(seconds * 1e9)
    while run.clock.monotonic_ns() < end_ns:
        await run.trade(5, pause_s=6.0)
