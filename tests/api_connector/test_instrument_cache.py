"""Contracts are asked for once, and again in the background when they have grown old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

import pytest

from perpwire.api_connector.instrument_cache import OLD_S
from perpwire.clock import ManualClock
from perpwire.errors import BadInput
from perpwire.model.incident import Incident, InstrumentChanged
from perpwire.simulator.faults import Answer, AnyFault, Refuse
from perpwire.simulator.listing import Listing
from perpwire.simulator.simulation import SetupOptions
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")


def play(
    venue: str,
    scene: Callable[[World], Awaitable[None]],
    symbols: Sequence[Listing] = (),
    faults: Sequence[AnyFault] = (),
) -> None:
    clock = ManualClock()

    async def main() -> None:
        options = SetupOptions(
            venues=(venue,), rate=0.5, journal_capacity=1_000_000, symbols=symbols, faults={venue: faults}
        )
        async with offline(clock=clock, **options) as world:
            await scene(world)

    clock.run(main())


def asked(world: World, venue: str) -> int:
    path = {"binance": "/exchangeInfo", "bybit": "/instruments-info"}[venue]
    texts = [entry.text for entry in world.simulation.hosts[venue].journal.entries(kind="request")]
    return sum(path in text and "status=PreLaunch" not in text for text in texts)  # those are a second page


@pytest.mark.parametrize("venue", VENUES)
def test_they_are_asked_for_once_and_old_ones_serve_while_new_ones_come(venue: str) -> None:
    async def scene(world: World) -> None:
        connector = world.connectors[venue]
        for symbol in ("BTCUSDT", "ETHUSDT", "BTC/USDT:USDT"):
            await connector.get_instrument(symbol)
        assert asked(world, venue) == 1
        await world.clock.sleep(OLD_S + 1)
        began_ns = world.clock.monotonic_ns()
        for _ in range(3):
            await connector.get_instrument("BTCUSDT")
        assert world.clock.monotonic_ns() == began_ns
        await world.clock.sleep(1.0)
        assert asked(world, venue) == 2

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_a_refresh_that_fails_leaves_the_old_ones_and_is_not_tried_at_every_order(venue: str) -> None:
    async def scene(world: World) -> None:
        connector = world.connectors[venue]
        await connector.get_instrument("BTCUSDT")
        world.simulation.faults[venue].add(Refuse(seconds=OLD_S + 60.0))
        await world.clock.sleep(OLD_S + 1)
        for _ in range(5):
            await connector.get_instrument("BTCUSDT")
            await world.clock.sleep(10.0)
        await world.clock.sleep(OLD_S)
        await connector.get_instrument("BTCUSDT")
        await world.clock.sleep(1.0)
        assert asked(world, venue) == 2

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_an_unknown_symbol_is_refused_with_its_neighbours(venue: str) -> None:
    async def scene(world: World) -> None:
        with pytest.raises(BadInput, match="near: BTCUSDT"):
            await world.connectors[venue].get_instrument("BTCUSDTT")

    play(venue, scene)


# --- fundings ---------------------------------------------------------------------------------------------------------

FOUR_HOURS = Listing(symbol="FOURUSDT", start_price=Decimal(5), funding_interval_h=4)


@pytest.mark.parametrize("venue", VENUES)
def test_each_contract_says_how_often_it_is_funded(venue: str) -> None:
    async def scene(world: World) -> None:
        found = await world.connectors[venue].get_instruments()
        assert found["FOURUSDT"].funding_interval_s == 4 * 3600
        assert found["BTCUSDT"].funding_interval_s == 8 * 3600

    play(venue, scene, symbols=(FOUR_HOURS,))


def test_at_binance_a_contract_that_is_not_listed_among_the_fundings_is_funded_every_eight_hours() -> None:
    async def scene(world: World) -> None:
        world.simulation.faults["binance"].add(Answer(path="/fapi/v1/fundingInfo", status=200, body="[]"))
        found = await world.connectors["binance"].get_instruments(refresh=True)
        assert found["FOURUSDT"].funding_interval_s == 8 * 3600

    play("binance", scene, symbols=(FOUR_HOURS,))


def test_where_fundings_cannot_be_read_the_contracts_serve_and_what_was_read_once_stays() -> None:
    refused = Answer(path="/fapi/v1/fundingInfo", status=503, count=None, for_s=60)

    async def scene(world: World) -> None:
        incidents = list[Incident]()
        connector = world.connectors["binance"]
        connector.on_incident(incidents.append)
        assert (await connector.get_instrument("FOURUSDT")).funding_interval_s is None
        await world.clock.sleep(61)
        for _ in range(2):
            await connector.get_instruments(refresh=True)
            assert (await connector.get_instrument("FOURUSDT")).funding_interval_s == 4 * 3600
            world.simulation.faults["binance"].add(refused)
        assert not [one for one in incidents if isinstance(one, InstrumentChanged)]

    play("binance", scene, symbols=(FOUR_HOURS,), faults=(refused,))


def test_fundings_are_not_waited_for_where_there_is_no_budget_for_them() -> None:
    async def scene(world: World) -> None:
        connector = world.connectors["binance"]
        began_ns = world.clock.monotonic_ns()
        await asyncio.gather(
            *(connector.call("GET", "/fapi/v1/fundingInfo") for _ in range(499)), return_exceptions=True
        )
        await connector.get_instruments(refresh=True)
        assert world.clock.monotonic_ns() - began_ns < 30e9

    play("binance", scene)
