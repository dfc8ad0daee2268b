"""Orders by the thousand on a day that nobody wants: 100,000 of them where all 200 seeds are played on both venues."""

from __future__ import annotations

import asyncio

from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.profiles import profile

ORDERS = 1000
WORKERS = 10


@scenario(options={"rate": 0.5}, one_in=4, settle_s=240.0)
async def brutal_orders(run: Run) -> None:
    """A thousand orders in twenty minutes under the profile `brutal`: none doubled, none lost, none in doubt unsaid."""
    await run.follow()
    run.fault(*profile("brutal", run.venue, run.random.randrange(2**32)))
    await asyncio.gather(*(run.trade(ORDERS // WORKERS, pause_s=12.0) for _ in range(WORKERS)))
