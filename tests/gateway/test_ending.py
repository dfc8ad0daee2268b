"""The end of a gateway in the middle of trouble."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest
from tests.gateway.serving import serving, until

from perpwire.model.incident import Incident
from perpwire.simulator.faults import AnyFault, Cut, Delay, Refuse

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("fault", [Refuse(seconds=3600), Delay(seconds=5, count=None)])
@pytest.mark.parametrize("ready_first", [True, False])
async def test_ending_it_during_an_outage_is_no_incident_and_nothing_to_warn_of(
    fault: AnyFault, ready_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Be it that all stood before, or that nothing has come to stand yet."""
    told: list[Incident] = []
    async with serving() as (world, gateway):
        if ready_first:

            async def is_ready() -> bool:
                async with aiohttp.request("GET", f"{gateway.address}/health/ready") as reply:
                    return reply.status == 200

            await until(is_ready, "all stands")
        for venue, connector in gateway.connectors.items():
            connector.on_incident(told.append)
            world.simulation.hosts[venue].faults.add(fault)
            world.simulation.hosts[venue].faults.add(Cut())
        await asyncio.sleep(0.4)
        told.clear()
        caplog.clear()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await gateway.close()
        assert loop.time() - began_s < 3.0  # 0.1 s where the machine has nothing else to do
        await asyncio.sleep(0.5)
        assert told == []
        # A busy machine may not have closed all of it in time: the process ends it.
        said = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
        assert [text for text in said if "not closed within" not in text] == []
