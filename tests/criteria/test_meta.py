"""META: a start asks for what is needed, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from perpwire.clock import ManualClock
from perpwire.testing import World, offline

CONTRACTS = {"binance": "/fapi/v1/exchangeInfo", "bybit": "/v5/market/instruments-info"}
TIME = {"binance": "/fapi/v1/time", "bybit": "/v5/market/time"}
RIGHTS = {"binance": "/sapi/v1/account/apiRestrictions", "bybit": "/v5/user/query-api"}
VENUES = list(CONTRACTS)


def play(venue: str, scenario: Callable[[World], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=0.5) as world:
            await scenario(world)

    clock.run(main())


def asked(world: World, venue: str) -> list[str]:
    """Paths of all questions so far."""
    entries = world.simulation.hosts[venue].journal.entries(kind="request")
    return [entry.text.split(" ")[1].partition("?")[0] for entry in entries]


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_a_start_asks_for_the_time_and_the_rights_of_the_key_and_nothing_else(venue: str) -> None:
    async def scenario(world: World) -> None:
        for options in ({}, {"check_key": False}, {"api_key": "", "secret_key": ""}):
            before = len(asked(world, venue))
            async with world.connector(venue, **options):
                await world.clock.sleep(1)
                questions = asked(world, venue)[before:]
                assert set(questions) == {TIME[venue]} | (set() if options else {RIGHTS[venue]})
                assert len(questions) - questions.count(TIME[venue]) == (0 if options else 1)

    play(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_contracts_are_asked_for_once_however_many_need_them_at_once(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        before = len(asked(world, venue))
        await asyncio.gather(*(connector.get_instrument("BTCUSDT") for _ in range(50)))
        await connector.get_instruments()
        assert asked(world, venue)[before:] == [CONTRACTS[venue]]

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_a_hundred_accounts_ask_for_the_contracts_once_and_hold_them_once(venue: str) -> None:
    """Each of which starts by itself; and nothing of an account's own is asked for."""

    async def scenario(world: World) -> None:
        before = len(asked(world, venue))
        async with AsyncExitStack() as stack:
            accounts = [await stack.enter_async_context(world.connector(venue, check_key=False)) for _ in range(100)]
            await asyncio.gather(*(one.get_instrument("BTCUSDT") for one in accounts))
            questions = [path for path in asked(world, venue)[before:] if path != TIME[venue]]
            assert questions == [CONTRACTS[venue]]
            held = {id(await one.get_instrument("BTCUSDT")) for one in accounts}
            assert len(held) == 1
            await asyncio.gather(*(one.get_instruments(refresh=True) for one in accounts))
            assert len([path for path in asked(world, venue)[before:] if path == CONTRACTS[venue]]) == 2

    play(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_who_waits_for_anothers_question_that_fails_or_is_given_up_asks_itself(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with world.connector(venue) as first, world.connector(venue) as second:
            asking = asyncio.create_task(first.get_instrument("BTCUSDT"))
            await asyncio.sleep(0)
            waiting = asyncio.create_task(second.get_instrument("BTCUSDT"))
            await asyncio.sleep(0)
            asking.cancel()
            assert (await waiting).symbol == "BTCUSDT"
            with pytest.raises(asyncio.CancelledError):
                await asking

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_meta_2_once_contracts_are_known_the_first_order_asks_for_no_more_than_the_hundredth(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.get_instruments()
        for number in range(100):
            before, sockets = len(asked(world, venue)), len(world.simulation.hosts[venue].connections)
            await connector.place_order("BTCUSDT", "BUY" if number % 2 else "SELL", "0.01")
            assert len(asked(world, venue)) == before + 1
            assert len(world.simulation.hosts[venue].connections) == sockets
            await world.clock.sleep(0.5)

    play(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_meta_2_an_order_before_contracts_are_known_asks_for_them_and_for_nothing_else(venue: str) -> None:
    async def scenario(world: World) -> None:
        before = len(asked(world, venue))
        await world.connectors[venue].place_order("BTCUSDT", "BUY", "0.01")
        assert asked(world, venue)[before] == CONTRACTS[venue]
        assert len(asked(world, venue)) == before + 2

    play(venue, scenario)
