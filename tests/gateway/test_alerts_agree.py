"""What `perpwire serve` alerts of is what the exchange's journal says happened, and what /metrics counts."""

from __future__ import annotations

import re

import aiohttp
import pytest
from tests.gateway.serving import serving, until

from perpwire.notification.alert import Alert
from perpwire.notification.notifier import Notifier
from perpwire.notification.sinks import CallableSink
from perpwire.simulator.faults import Cut, Refuse


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
async def test_each_socket_that_was_cut_is_alerted_of_once_and_its_recovery_once(venue: str) -> None:
    told: list[Alert] = []
    notifier = Notifier([CallableSink(told.append)])
    async with serving(notifier=notifier) as (world, gateway):

        async def is_live() -> bool:
            return all(one.is_live for one in gateway.observer.snapshot().venues)

        await until(is_live, "all is live")
        assert not [one for one in told if one.title.startswith("Connection")]
        journal = world.simulation.journal[venue]
        before = journal.last
        world.simulation.faults[venue].add(Refuse(seconds=2))
        world.simulation.faults[venue].add(Cut())

        def titled(words: str) -> list[Alert]:
            return [one for one in told if one.title.endswith(words) and one.title.startswith("Connection")]

        async def all_told() -> bool:
            return await is_live() and len(titled(" recovered")) == len(titled(" lost")) > 1

        await until(all_told, "every loss and its end alerted of")
        cut = [one for one in journal.entries(after=before) if one.kind == "closed"]
        opened = [one for one in journal.entries(after=before) if one.kind == "opened"]
        lost, recovered = titled(" lost"), titled(" recovered")
        assert len(lost) == len(cut) == len(recovered) == len(opened) > 1
        assert {one.venue for one in lost} == {venue}
        assert {one.resolves for one in recovered} == {one.key for one in lost}
        async with aiohttp.ClientSession() as client, client.get(f"{gateway.address}/metrics") as answer:
            text = await answer.text()
        counted = dict(
            re.findall(rf'perpwire_incidents_total{{connector="{venue}",incident="(\w+)",venue="{venue}"}} (\d+)', text)
        ) or dict(
            re.findall(rf'perpwire_incidents_total{{venue="{venue}",connector="{venue}",incident="(\w+)"}} (\d+)', text)
        )
        assert int(counted["connection_lost"]) == len(lost)
        assert int(counted["connection_recovered"]) == len(recovered)
