"""An account's reader under stress: who can't take what it tells, names that no answer gives, the end of it all."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from tests.playing import play

from perpwire.api_connector import watch_methods
from perpwire.api_connector.event_queue import EventQueue
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.account import AccountEvent
from perpwire.model.incident import StreamStale
from perpwire.model.market import Gap
from perpwire.model.order import Fill, Order
from perpwire.simulator.faulting import Faults
from perpwire.simulator.faults import (
    Answer,
    CorruptMessage,
    Cut,
    Delay,
    DelayMessage,
    DropMessage,
    FillOrder,
    LoseRequest,
    MovePrice,
    Silence,
)
from perpwire.testing import World

VENUES = ["binance", "bybit"]
OPEN_ORDERS = {"binance": "/fapi/v1/openOrders", "bybit": "/v5/order/realtime"}

pytestmark = pytest.mark.slow


async def rest(world: World, venue: str, position_side: str | None = None) -> Order:
    price = world.simulation.exchanges[venue].mark_price("BTCUSDT") * Decimal("0.9")
    return await world.connectors[venue].place_order(
        "BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down", position_side=position_side
    )


async def come_and_go(world: World, venue: str, times: int, position_side: str | None = None) -> None:
    """Orders that are placed and cancelled."""
    for _ in range(times):
        order = await rest(world, venue, position_side)
        await world.clock.sleep(0.05)
        await world.connectors[venue].cancel_order("BTCUSDT", order.order_id)


async def read_ids(orders: EventQueue[Order | Gap], heard: set[str]) -> None:
    async for event in orders:
        if isinstance(event, Order):
            heard.add(event.order_id)


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
        await come_and_go(world, venue, 8)
        if cut == "while it is told":
            faults.add(Cut(route="private"))
        await clock.sleep(60)
        heard: set[str] = set()
        reading = asyncio.create_task(read_ids(orders, heard))
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
def test_one_that_lost_what_it_was_told_anew_too_is_told_when_it_reads_again(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 20)

    async def scenario(world: World) -> None:
        connector, clock = world.connectors[venue], world.clock
        orders = await connector.watch_orders()
        await clock.sleep(20)
        for _ in range(5):
            await rest(world, venue)
        await come_and_go(world, venue, 8)
        await clock.sleep(10)
        await come_and_go(world, venue, 20)
        await clock.sleep(30)
        heard: set[str] = set()
        reading = asyncio.create_task(read_ids(orders, heard))
        await clock.sleep(10)
        assert {order.order_id for order in connector.account_state.open_orders} <= heard
        reading.cancel()

    play(venue, scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_what_the_stream_has_not_told_is_read_when_an_iterator_loses_something(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order of another program in a contract without orders, which small looks do not ask for."""
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 6)

    async def scenario(world: World) -> None:
        connector, clock = world.connectors[venue], world.clock
        async with world.connector(venue) as other:
            told: list[Order] = []
            connector.on(Order, told.append)
            orders = await connector.watch_orders()
            await clock.sleep(20)
            world.simulation.faults[venue].add(DropMessage(of="private", contains="unheard", count=None, for_s=5.0))
            price = world.simulation.exchanges[venue].mark_price("ETHUSDT") * Decimal("0.9")
            await other.place_order(
                "ETHUSDT", "BUY", "0.1", "LIMIT", price=price, round="down", client_order_id="unheard"
            )
            await clock.sleep(40)
            assert "unheard" not in [order.client_order_id for order in told]
            await come_and_go(world, venue, 4)
            assert orders.dropped
            await clock.sleep(5)
            assert "unheard" in [order.client_order_id for order in told]

    play(venue, scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_what_is_told_anew_is_not_ahead_of_the_stream(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer shows fills that the stream tells of two seconds later."""
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 6)

    async def scenario(world: World) -> None:
        connector, faults, clock = world.connectors[venue], world.simulation.faults[venue], world.clock
        told: list[Order] = []
        connector.on(Order, told.append)
        orders = await connector.watch_orders()
        await clock.sleep(60)
        await come_and_go(world, venue, 4)
        assert orders.dropped
        faults.add(DelayMessage(of="private", seconds=2.0, count=None, for_s=1.5))
        order = await rest(world, venue)
        await clock.sleep(0.2)
        faults.add(FillOrder(symbol="BTCUSDT", quantity=Decimal("0.004")))
        await clock.sleep(0.6)
        assert (await connector.get_order("BTCUSDT", order.order_id)).filled_quantity == Decimal("0.004")
        assert told[-1].order_id != order.order_id
        await clock.sleep(20)
        filled = [one.filled_quantity for one in told if one.order_id == order.order_id]
        assert filled == sorted(filled)
        assert filled[-1] == Decimal("0.004")

    play(venue, scenario, rate=0.5)


def test_nor_of_what_is_kept_back_until_it_is_known_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """At Binance a stop triggers, and what it made is heard of before that."""
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 12)

    async def scenario(world: World) -> None:
        connector, faults, clock = world.connectors["binance"], world.simulation.faults["binance"], world.clock
        await connector.place_order("BTCUSDT", "BUY", "0.2")
        told: list[Order] = []
        orders = await connector.watch_orders()
        mark = world.simulation.exchanges["binance"].mark_price("BTCUSDT")
        stop = await connector.place_order(
            "BTCUSDT", "SELL", "0.02", "STOP", trigger_price=mark * Decimal("0.995"), price=mark * Decimal("1.02"),
            round="nearest",
        )  # fmt: skip
        await clock.sleep(60)
        await come_and_go(world, "binance", 4)
        connector.on(Order, lambda order: told.append(order) if order.side == "SELL" else None)
        faults.add(DelayMessage(of="private", contains="ALGO_UPDATE", seconds=3.0, overtaken=True, count=None, for_s=9))
        faults.add(Delay(method="GET", seconds=3.0, count=None, for_s=9))
        faults.add(MovePrice(symbol="BTCUSDT", share=Decimal("-0.01")))
        while len(connector.account_state.open_orders) == 1:
            await clock.sleep(0.02)
        assert orders.dropped == 0
        await come_and_go(world, "binance", 3)
        assert orders.dropped
        await clock.sleep(10)
        faults.add(FillOrder(symbol="BTCUSDT"))
        await clock.sleep(60)
        assert {order.order_id for order in told} == {stop.order_id}
        assert any(order.recovered for order in told)
        assert told[-1].status.is_final

    play("binance", scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_who_loses_something_over_and_over_keeps_nobody_from_settings(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read every five minutes; the stream does not tell of this one."""
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 6)

    async def scenario(world: World) -> None:
        connector, exchange, clock = world.connectors[venue], world.simulation.exchanges[venue], world.clock
        told: list[AccountEvent] = []
        connector.on(AccountEvent, told.append)
        orders = await connector.watch_orders()
        heard: set[str] = set()
        await clock.sleep(30)
        if venue == "bybit":
            exchange.set_isolated("main", None, True)
        else:
            exchange.set_hedge("main", None, True)
        for _ in range(3):
            await come_and_go(world, venue, 4, "LONG" if venue == "binance" else None)
            reading = asyncio.create_task(read_ids(orders, heard))
            await clock.sleep(200)
            reading.cancel()
        assert orders.dropped
        assert len(told) == 1

    play(venue, scenario, rate=0.2)


@pytest.mark.parametrize("venue", VENUES)
def test_nor_from_the_proof_that_the_stream_is_mute(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders of another program, of which the stream does not tell. The reading that finds one tells it, and by that
    something is lost."""
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 1)

    async def scenario(world: World) -> None:
        connector, faults, clock = world.connectors[venue], world.simulation.faults[venue], world.clock
        async with world.connector(venue) as other:
            stale: list[StreamStale] = []
            connector.on_incident(lambda one: stale.append(one) if isinstance(one, StreamStale) else None)
            orders = await connector.watch_orders()
            price = world.simulation.exchanges[venue].mark_price("BTCUSDT") * Decimal("0.9")
            await other.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down")
            await clock.sleep(60)
            faults.add(Silence(what="data", route="private"))
            fills = {"binance": "/fapi/v1/income", "bybit": "/v5/execution/list"}[venue]
            faults.add(Delay(method="GET", path=fills, seconds=0.5, count=None, for_s=3600.0))
            while not orders.dropped:
                await other.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down")
                await clock.sleep(60)
            await clock.sleep(60)
            assert stale

    play(venue, scenario, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_nor_from_finding_out_that_one_kind_of_message_never_comes(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_methods, "MOST_WAITING", 6)
    positions = {"binance": "ACCOUNT_UPDATE", "bybit": '"topic":"position'}[venue]

    async def scenario(world: World) -> None:
        connector, clock = world.connectors[venue], world.clock
        async with world.connector(venue) as other:
            stale: list[StreamStale] = []
            connector.on_incident(lambda one: stale.append(one) if isinstance(one, StreamStale) else None)
            orders = await connector.watch_orders()
            heard: set[str] = set()
            await clock.sleep(30)
            world.simulation.faults[venue].add(DropMessage(of="private", contains=positions, count=None))
            for turn in range(12):
                if turn % 3 == 0:
                    await other.place_order("BTCUSDT", "BUY", "0.01", client_order_id=f"other-{turn}")
                await come_and_go(world, venue, 4)
                reading = asyncio.create_task(read_ids(orders, heard))
                await clock.sleep(34)
                reading.cancel()
            assert orders.dropped
            assert stale

    play(venue, scenario, rate=0.2)


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
            reading = asyncio.create_task(read_ids(orders, set()))
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
