"""Local books and streams of a connector through cuts, garbled frames, refusals and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.api_connector.frame_path import Speaker
from perpwire.api_connector.lifecycle import State, TopicState
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, BookNotInSync
from perpwire.model.incident import BookGap, BookRecovered, ConnectionRecovered, FrameGarbled, Incident
from perpwire.model.market import BookTicker, Trade
from perpwire.model.order import PositionSide
from perpwire.simulator.faults import Cut, Refuse, Skew
from perpwire.testing import World, offline
from perpwire.venues.base import Control
from perpwire.venues.bybit.session import BybitSession

VENUES = ["binance", "bybit"]


def in_world(scenario: Callable[[World], Awaitable[None]], venue: str, **options: Any) -> None:
    clock = ManualClock()

    async def main() -> None:
        before = asyncio.all_tasks()
        async with offline(clock=clock, venues=[venue], **options) as world:
            await scenario(world)
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == before, "tasks are left behind"

    clock.run(main())


def equals_venue(world: World, venue: str, symbol: str) -> bool:
    """The local book's best twenty levels are the exchange's."""
    book = world.connectors[venue]._running.books._books[symbol].sync.book
    bids, asks, _, _ = world.simulation.exchanges[venue].book(symbol, 20)
    return (book.bids(20), book.asks(20)) == (bids, asks)


async def settle(world: World, venue: str) -> None:
    """Stop the market, and let what is under way arrive."""
    world.simulation.exchanges[venue].close()
    await asyncio.sleep(3)


@pytest.mark.parametrize("venue", VENUES)
def test_a_book_follows_the_exchange_and_is_closed_while_its_stream_is_away(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        incidents: list[Incident] = []
        connector.on_incident(incidents.append)
        book = await connector.open_book("BTCUSDT")
        await asyncio.sleep(20)
        assert book.deltas_applied > 50
        faults = world.simulation.faults[venue]
        faults.add(Cut())
        faults.add(Refuse(seconds=4))
        await asyncio.sleep(2)
        with pytest.raises(BookNotInSync, match="connection was lost"):
            _ = book.best_bid
        await asyncio.sleep(20)
        assert book.is_in_sync
        assert [type(one) for one in incidents if isinstance(one, BookGap | BookRecovered)] == [BookGap, BookRecovered]
        await settle(world, venue)
        assert equals_venue(world, venue, "BTCUSDT")

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_one_book_is_shared_by_all_who_open_it_and_streams_by_all_who_subscribe(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        first, second, _, _ = await asyncio.gather(
            connector.open_book("BTCUSDT"),
            connector.open_book("btcusdt"),
            connector.subscribe([Trade, BookTicker], ["BTCUSDT", "ETHUSDT"]),
            connector.subscribe([Trade], ["BTCUSDT"]),
        )
        assert first is second
        trades: list[Trade] = []
        connector.on(Trade, trades.append, "BTCUSDT")
        await asyncio.sleep(30)
        ids = [trade.trade_id for trade in trades]
        assert len(ids) == len(set(ids)) > 0
        assert set(connector.states.values()) == {State.LIVE}

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_an_unreadable_snapshot_or_delta_is_made_good(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        incidents: list[Incident] = []
        connector.on_incident(incidents.append)
        host = world.simulation.hosts[venue]
        book = await connector.open_book("BTCUSDT")
        path = connector.streams.frames
        hear = path.on_frames
        garble = 1

        def tampered(speaker: Speaker, frames: Iterable[bytes], received_ns: int) -> None:
            nonlocal garble
            said = list(frames)
            for at, frame in enumerate(said):
                if garble and (b'"depthUpdate"' in frame or b"orderbook.50" in frame):
                    garble -= 1
                    said[at] = frame[: len(frame) // 2]
            hear(speaker, said, received_ns)

        path.on_frames = tampered  # type: ignore[method-assign]
        await asyncio.sleep(5)  # a delta is lost
        garble = 1
        host.faults.add(Cut())
        await asyncio.sleep(30)  # and the first frame of the new stream, at Bybit its snapshot
        assert sum(isinstance(one, FrameGarbled) for one in incidents) == 2
        assert book.is_in_sync
        await settle(world, venue)
        assert equals_venue(world, venue, "BTCUSDT")

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_an_unknown_symbol_is_refused_on_streams_too(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        for attempt in (connector.open_book("NOSUCH"), connector.subscribe([Trade], ["NOSUCH"]),
                        connector.watch(Trade, "NOSUCH")):  # fmt: skip
            with pytest.raises(BadInput) as caught:
                await attempt
            assert caught.value.code == "UNKNOWN_SYMBOL"
        assert connector.states == {}

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_the_account_stream_begins_with_what_the_account_holds(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        price = world.simulation.exchanges[venue].mark_price("BTCUSDT") * Decimal("0.9")
        order = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down")
        await asyncio.sleep(1)
        assert connector.account_state.open_orders == ()  # nothing is noted that no stream would ever end
        await connector.open_account_stream()
        state = connector.account_state
        assert [one.order_id for one in state.open_orders] == [order.order_id]
        assert state.positions["BTCUSDT", PositionSide.BOTH].quantity == Decimal("0.01")
        assert state.balances["USDT"].wallet > 0

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_the_account_stream_returns_after_the_venues_clock_has_moved(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        recovered: list[Incident] = []
        await connector.open_account_stream()
        connector.on_incident(lambda one: recovered.append(one) if isinstance(one, ConnectionRecovered) else None)
        world.simulation.faults[venue].add(Skew(seconds=30))
        world.simulation.faults[venue].add(Cut())
        await asyncio.sleep(5)
        assert len(recovered) == 1

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_closing_and_starting_again_leaves_one_handler_of_each(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.start()  # it is started already
        frames = connector.streams.frames
        before = sum(len(routes.for_all) for routes in frames._registered.values())
        for _ in range(3):
            await connector.open_account_stream()
            await connector.open_book("BTCUSDT")
            await connector.subscribe([Trade], ["BTCUSDT"])
            await connector.close()
            await connector.start()
        assert sum(len(routes.for_all) for routes in frames._registered.values()) == before
        assert len(frames._gates) == 0
        assert (len(connector.streams._on_topic), len(connector.streams._on_state)) == (1, 1)
        assert sum(len(hs) for routes in frames._registered.values() for hs in routes.by_symbol.values()) == 0

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_closing_while_a_stream_is_being_opened_ends_everybodys_wait(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connector(venue)
        await connector.start()
        await connector.get_instruments()
        opening = [asyncio.create_task(connector.subscribe([Trade], ["BTCUSDT"])) for _ in range(3)]
        await asyncio.sleep(0.001)
        await connector.close()
        async with asyncio.timeout(5):
            ends = await asyncio.gather(*opening, return_exceptions=True)
        assert all(isinstance(end, Exception) for end in ends)

    in_world(scenario, venue)


def test_one_registration_of_a_handler_ends_without_the_other() -> None:
    async def scenario(world: World) -> None:
        got: list[BookTicker] = []
        handler = got.append
        first = world.binance.on(BookTicker, handler)
        world.binance.on(BookTicker, handler)
        first()
        first()
        await world.binance.subscribe([BookTicker], ["BTCUSDT"])
        await asyncio.sleep(5)
        assert len(got) == len({event.update_id for event in got}) > 0

    in_world(scenario, "binance")


def test_a_topic_the_venue_refuses_for_a_while_comes_back_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(world: World) -> None:
        connector = world.bybit
        got: list[Trade] = []
        connector.on(Trade, got.append)
        await connector.subscribe([Trade], ["BTCUSDT"])
        connection = connector.streams.connection("bybit/public")
        assert connection is not None
        refusals = 1
        hear = BybitSession.on_control

        def refuse(session: BybitSession, frame: bytes) -> Control:
            nonlocal refusals
            control = hear(session, frame)
            if refusals and control.kind == "subscribed":
                refusals -= 1
                control = Control("refused", control.topics, "a bad moment")
            return control

        monkeypatch.setattr(BybitSession, "on_control", refuse)
        world.simulation.faults["bybit"].add(Cut())
        await asyncio.sleep(45)
        assert refusals == 0
        assert connection.topic_state("publicTrade.BTCUSDT") is TopicState.LIVE
        assert connection.state is State.LIVE

    in_world(scenario, "bybit")
