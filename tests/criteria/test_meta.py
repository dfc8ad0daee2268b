"""META: a start asks for what is needed, and nothing else."""

from __future__ import annotations

import asyncio
import statistics
import time
import tracemalloc
from collections import Counter
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.criteria.test_tls import secured
from tests.playing import play
from tests.transport.peers import certified

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.simulator.faults import Answer
from perpwire.simulator.listing import Listing
from perpwire.simulator.server import running
from perpwire.testing import World, offline
from perpwire.transport.http1 import Http1Transport
from perpwire.venues import load

CONTRACTS = {"binance": "/fapi/v1/exchangeInfo", "bybit": "/v5/market/instruments-info"}
TIME = {"binance": "/fapi/v1/time", "bybit": "/v5/market/time"}
RIGHTS = {"binance": "/sapi/v1/account/apiRestrictions", "bybit": "/v5/user/query-api"}
VENUES = list(CONTRACTS)
FUNDINGS = "/fapi/v1/fundingInfo"
BESIDES = ("status=PreLaunch", FUNDINGS)


def asked(world: World, venue: str) -> list[str]:
    """Paths of all questions so far. What the contracts are told by besides is not counted: at Bybit the page of those
    before their launch, at Binance the list of fundings, which is asked for once with each of theirs."""
    texts = [entry.text for entry in world.simulation.hosts[venue].journal.entries(kind="request")]
    assert sum(FUNDINGS in text for text in texts) == sum(CONTRACTS["binance"] in text for text in texts)
    return [text.split(" ")[1].partition("?")[0] for text in texts if not any(one in text for one in BESIDES)]


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_a_start_asks_for_the_time_the_contracts_and_the_rights_of_the_key_and_nothing_else(venue: str) -> None:
    async def scenario(world: World) -> None:
        world.connectors[venue].instruments._shared()._asked_ns = None
        for options in ({}, {"check_key": False}, {"api_key": "", "secret_key": ""}, {"warm": False}):
            before = len(asked(world, venue))
            async with world.connector(venue, **options):
                await world.clock.sleep(1)
                questions = asked(world, venue)[before:]
                wanted = Counter({CONTRACTS[venue]: 1, RIGHTS[venue]: 1})
                if options and "warm" not in options:
                    del wanted[RIGHTS[venue]]
                # All connectors of a program share what they know of contracts; so it is asked for once.
                if options:
                    del wanted[CONTRACTS[venue]]
                assert Counter(path for path in questions if path != TIME[venue]) == wanted

    play(venue, scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_contracts_are_asked_for_once_however_many_need_them_at_once(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connector(venue, warm=False)
        await connector.start()
        connector.instruments._shared()._asked_ns = None
        before = len(asked(world, venue))
        await asyncio.gather(*(connector.get_instrument("BTCUSDT") for _ in range(50)))
        await connector.get_instruments()
        assert asked(world, venue)[before:] == [CONTRACTS[venue]]
        await connector.close()

    play(venue, scenario, rate=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_a_hundred_accounts_ask_for_the_contracts_once_and_hold_them_once(venue: str) -> None:
    """Each of which starts by itself; and nothing of an account's own is asked for."""

    async def scenario(world: World) -> None:
        world.connectors[venue].instruments._shared()._asked_ns = None
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

    play(venue, scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_who_waits_for_anothers_question_that_fails_or_is_given_up_asks_itself(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with world.connector(venue, warm=False) as first, world.connector(venue, warm=False) as second:
            first.instruments._shared()._asked_ns = None
            asking = asyncio.create_task(first.get_instrument("BTCUSDT"))
            await asyncio.sleep(0)
            waiting = asyncio.create_task(second.get_instrument("BTCUSDT"))
            await asyncio.sleep(0)
            asking.cancel()
            assert (await waiting).symbol == "BTCUSDT"
            with pytest.raises(asyncio.CancelledError):
                await asking

    play(venue, scenario, rate=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_meta_1_what_is_known_of_contracts_takes_less_than_30_mb_for_a_hundred_accounts(venue: str) -> None:
    """Of six hundred contracts, as many as there are at the larger venue."""
    listed = tuple(Listing(symbol=f"COIN{number}USDT", start_price=Decimal(9)) for number in range(600))
    clock = ManualClock()

    async def main() -> int:
        async with (
            offline(clock=clock, venues=[venue], rate=1e-6, symbols=listed) as world,
            AsyncExitStack() as stack,
        ):
            accounts = [world.connector(venue, check_key=False, warm=False) for _ in range(100)]
            for one in accounts:
                await stack.enter_async_context(one)
            world.connectors[
                venue
            ].instruments._shared()._asked_ns = None  # to be read anew, under the eyes of tracemalloc
            tracemalloc.start()
            try:
                held = [await one.get_instruments() for one in accounts]
                assert {len(one) for one in held} == {len(held[0])}
                assert len(held[0]) >= 600
                del held
                return tracemalloc.get_traced_memory()[0]
            finally:
                tracemalloc.stop()

    taken = clock.run(main())
    assert 100_000 < taken < 30_000_000


@pytest.mark.slow
@pytest.mark.parametrize("road", ["rest", "websocket"])
@pytest.mark.parametrize("venue", VENUES)
def test_meta_2_the_first_order_after_the_start_asks_for_no_more_than_the_hundredth(venue: str, road: str) -> None:
    """At once, by the road that was chosen, on sockets that were there before."""

    async def scenario(world: World) -> None:
        host = world.simulation.hosts[venue]
        async with world.connector(venue, road=road) as connector:
            assert connector.is_trade_socket_live == (road == "websocket")
            for number in range(100):
                before, sockets = len(asked(world, venue)), set(host.connections)
                heard = len(host.journal.entries(kind="received"))
                await connector.place_order("BTCUSDT", "BUY" if number % 2 else "SELL", "0.01")
                assert len(asked(world, venue)) - before == (1 if road == "rest" else 0)
                assert len(host.journal.entries(kind="received")) - heard == (1 if road == "websocket" else 0)
                assert set(host.connections) == sockets
                await world.clock.sleep(0.5)

    play(venue, scenario, rate=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("road", ["rest", "websocket"])
@pytest.mark.parametrize("venue", VENUES)
async def test_meta_2_over_tls_the_first_order_opens_nothing_and_takes_no_5_ms_more_than_later_ones(
    venue: str, road: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a few starts, as the machine may be busy with something else in one of them."""
    opened: list[str] = []
    connect = Http1Transport._connect

    async def counted(self: Http1Transport, *arguments: Any) -> Any:
        opened.append("a connection")
        return await connect(self, *arguments)

    monkeypatch.setattr(Http1Transport, "_connect", counted)
    servers, trusting = certified(tmp_path)
    more_ms = []
    async with (
        running(venues=[venue], latency_s=0.0, rate=0.1) as simulation,
        secured(urlsplit(simulation.urls[venue]).port or 0, servers) as (port, _),
    ):
        for _ in range(4):
            async with VenueConnector(
                load(venue), "sim-key", "sim-secret", url=f"https://localhost:{port}", road=road, ssl_context=trusting
            ) as connector:
                opened.clear()
                times_ms = []
                for number in range(9):
                    began_s = time.perf_counter()
                    await connector.place_order("BTCUSDT", "BUY" if number % 2 else "SELL", "0.01")
                    times_ms.append((time.perf_counter() - began_s) * 1000)
                    # (Later the time is asked for again, side by side with orders.)
                    assert number or opened == []
                    await asyncio.sleep(0.03)
                more_ms.append(times_ms[0] - statistics.median(times_ms[1:]))
    assert min(more_ms) < 5, more_ms


@pytest.mark.parametrize("venue", VENUES)
def test_meta_2_an_order_of_a_connector_that_was_not_warmed_asks_for_contracts_and_for_nothing_else(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with world.connector(venue, warm=False) as connector:
            connector.instruments._shared()._asked_ns = None  # nobody in this program knows them
            before = len(asked(world, venue))
            await connector.place_order("BTCUSDT", "BUY", "0.01")
            assert asked(world, venue)[before] == CONTRACTS[venue]
            assert len(asked(world, venue)) == before + 2

    play(venue, scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_meta_2_contracts_that_cant_be_read_at_the_start_are_read_when_they_are_needed(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connector(venue, check_key=False)
        connector.instruments._shared()._asked_ns = None
        world.simulation.faults[venue].add(Answer(path=CONTRACTS[venue], status=503, for_s=30.0, count=None))
        async with connector:
            await world.clock.sleep(31)
            assert (await connector.place_order("BTCUSDT", "BUY", "0.01")).symbol == "BTCUSDT"

    play(venue, scenario, rate=0.5)
