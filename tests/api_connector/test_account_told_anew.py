"""An account's reader under stress: who can't take what it tells, names that no answer gives, the end of it all."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from tests.playing import play

from perpwire.api_connector import watch_methods
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.market import Gap
from perpwire.model.order import Fill, Order
from perpwire.simulator.faulting import Faults
from perpwire.simulator.faults import Answer, CorruptMessage, Cut, Delay, LoseRequest, Silence
from perpwire.testing import World

VENUES = ["binance", "bybit"]
OPEN_ORDERS = {"binance": "/fapi/v1/openOrders", "bybit": "/v5/order/realtime"}

pytestmark = pytest.mark.slow


async def rest(world: World, venue: str) -> Order:
    price = world.simulation.exchanges[venue].mark_price("BTCUSDT") * Decimal("0.9")
    return await world.connectors[venue].place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down")


def be_away(faults: Faults) -> None:
    """The account's stream is lost, for four seconds and more."""
    faults.add(Cut(route="private"))
    faults.add(Answer(method="WS", status=503, count=None, for_s=4.0))


@pytest.mark.parametrize("cut", ["while it is told", "before", "never"])
@pytest.mark.parametrize("venue", VENUES)
def test_an_iterator_that_lost_orders_hears_of_all_that_are_open_however_the_stream_is_lost_meanwhile(
    venue: str, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 20)

    async def scenario(world: World) -> None:
        connector, faults, clock = world.connectors[venue], world.simulation.faults[venue], world.clock
        orders = await connector.watch_orders()
        await clock.sleep(20)
        for _ in range(5):
            await rest(world, venue)
        if cut == "before":
            be_away(faults)
        if cut == "while it is told":
            faults.add(Delay(method="GET", seconds=3.0, count=None, for_s=8.0))
        for _ in range(8):
            order = await rest(world, venue)
            await clock.sleep(0.05)
            await connector.cancel_order("BTCUSDT", order.order_id)
        if cut == "while it is told":
            faults.add(Cut(route="private"))
        await clock.sleep(60)
        heard: set[str] = set()

        async def read() -> None:
            async for event in orders:
                if isinstance(event, Order):
                    heard.add(event.order_id)

        reading = asyncio.create_task(read())
        await clock.sleep(120)
        if cut != "before":
            assert orders.dropped
        still_open = {order.order_id for order in connector.account_state.open_orders}
        assert len(still_open) == 5
        assert still_open <= heard
        assert connector.is_account_stream_live
        reading.cancel()

    play(venue, scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_one_that_can_never_take_it_all_is_told_it_ever_more_seldom(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 6)

    async def scenario(world: World) -> None:
        connector, faults, clock = world.connectors[venue], world.simulation.faults[venue], world.clock
        orders = await connector.watch_orders()
        await clock.sleep(20)
        be_away(faults)
        for _ in range(10):
            await rest(world, venue)
        losses = 0

        async def read() -> None:
            nonlocal losses
            async for event in orders:
                losses += isinstance(event, Gap) and not event.repaired

        reading = asyncio.create_task(read())
        await clock.sleep(400)
        assert 3 < losses < 25  # after 1, 2, 4, 8, 16, 30, 30 ... seconds
        reading.cancel()

    play(venue, scenario, rate=0.5)


@pytest.mark.parametrize("trouble", ["garbled", "mute"])
@pytest.mark.parametrize("venue", VENUES)
def test_nor_does_it_keep_others_from_what_the_stream_did_not_tell(
    venue: str, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fills of another program: of one the frames can't be read, or none comes; 7 s later there is one more."""
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 6)

    async def scenario(world: World) -> None:
        connector, faults, clock = world.connectors[venue], world.simulation.faults[venue], world.clock
        async with world.connector(venue) as other:
            fills: list[Fill] = []
            connector.on(Fill, fills.append)
            orders = await connector.watch_orders()
            await clock.sleep(20)
            be_away(faults)
            for _ in range(10):
                await rest(world, venue)

            async def read() -> None:
                async for _ in orders:
                    pass

            reading = asyncio.create_task(read())
            await clock.sleep(60)
            if trouble == "garbled":
                faults.add(CorruptMessage(of="private", count=None, for_s=0.5))
            else:
                faults.add(Silence(what="data", route="private"))
            await other.place_order("BTCUSDT", "BUY", "0.01", client_order_id="one")
            await clock.sleep(7)
            await other.place_order("BTCUSDT", "BUY", "0.02", client_order_id="two")
            await clock.sleep(5 if trouble == "garbled" else 60)
            assert [fill.quantity for fill in fills] == [Decimal("0.01"), Decimal("0.02")]
            assert fills[0].recovered
            reading.cancel()

    play(venue, scenario, rate=0.5)


def test_fills_wait_two_seconds_and_a_half_for_names_that_no_answer_gives_and_the_stream_opens(tmp_path: Path) -> None:
    """By Binance's list a fill bears no client order id. Another program has traded while nobody listened."""

    async def scenario(world: World) -> None:
        faults, clock, other = world.simulation.faults["binance"], world.clock, world.connectors["binance"]
        async with world.connector("binance", journal=tmp_path / "journal") as first:
            await first.open_account_stream()
        for _ in range(12):
            await other.place_order("BTCUSDT", "BUY", "0.01")
        await clock.sleep(5)
        faults.add(LoseRequest(method="GET", path="/fapi/v1/order", how="silence", count=None, for_s=3600.0))
        async with world.connector("binance", journal=tmp_path / "journal") as second:
            fills: list[Fill] = []
            second.on(Fill, fills.append)
            began_ns = clock.monotonic_ns()
            await second.open_account_stream()
            assert clock.monotonic_ns() - began_ns < 4e9
            assert len(fills) == 12
            assert second.is_account_stream_live

    play("binance", scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_whenever_the_stream_is_lost_while_the_connector_is_closed_nothing_goes_on_afterwards(venue: str) -> None:
    async def scenario(world: World) -> None:
        for turns in range(16):
            async with world.connector(venue) as connector:
                await connector.open_account_stream()
                closing = asyncio.create_task(connector.close())
                for _ in range(turns):
                    await asyncio.sleep(0)
                _lose(connector)
                await closing
            await world.clock.sleep(1)
            assert not [one.get_name() for one in asyncio.all_tasks() if "account" in one.get_name()], turns

    play(venue, scenario, rate=0.5)


def _lose(connector: VenueConnector) -> None:
    for name, connection in connector.streams._connections.items():
        if "private" in name:
            connection.restart("lost")


@pytest.mark.parametrize("venue", VENUES)
def test_nor_does_it_when_what_is_handed_on_at_the_end_is_more_than_an_iterator_takes(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 2)

    async def scenario(world: World) -> None:
        clock, other = world.clock, world.connectors[venue]
        async with world.connector(venue) as connector:
            fills = await connector.watch_fills()
            await clock.sleep(20)
            world.simulation.faults[venue].add(Cut(route="private"))
            await clock.sleep(1.5)
            for _ in range(4):
                await other.place_order("BTCUSDT", "BUY", "0.01")
            await clock.sleep(0.2)
            await connector.close()
            assert fills.dropped
        await clock.sleep(60)
        assert not [one.get_name() for one in asyncio.all_tasks() if "account" in one.get_name()]

    play(venue, scenario, rate=0.5)
