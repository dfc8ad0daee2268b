"""Two sockets carry each stream of a connector, at the embedded exchange: what befalls numbers, and both of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.clock import ManualClock
from perpwire.model.incident import BookGap, ConnectionLost, Incident, StreamStale
from perpwire.model.market import BookDelta, BookTicker, Event, Gap, Trade
from perpwire.simulator.faults import AnyFault, CorruptMessage, Cut, DelayMessage, Refuse, Reset, Restart, Silence
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")
KINDS = (Trade, BookTicker, BookDelta)
BOOK = {"binance": "*@depth*", "bybit": "orderbook.50.*"}
PUBLIC = {"binance": "/public/", "bybit": "/v5/public"}


class Scene:
    def __init__(self, world: World, venue: str, connector: VenueConnector) -> None:
        self.world = world
        self.venue = venue
        self.connector = connector
        self.counts: Counter[str] = Counter()
        self.trades: list[Any] = []
        self.gaps: list[Gap] = []
        self.incidents: list[Incident] = []
        for kind in KINDS:
            connector.on(kind, self._count)
        connector.on(Trade, lambda trade: self.trades.append(trade.trade_id))
        connector.on(Gap, self.gaps.append)
        connector.on_incident(self.incidents.append)

    def _count(self, event: Event) -> None:
        self.counts[next(kind.__name__ for kind in KINDS if isinstance(event, kind))] += 1

    def fault(self, *faults: AnyFault) -> None:
        for fault in faults:
            self.world.simulation.faults[self.venue].add(fault)

    async def later(self, seconds: float) -> None:
        await self.world.clock.sleep(seconds)

    def sockets(self) -> list[int]:
        """Of the route that carries books and best prices, oldest first."""
        open_ = self.world.simulation.hosts[self.venue].connections.values()
        return sorted(one.number for one in open_ if one.path.startswith(PUBLIC[self.venue]))

    def told(self, kind: type[Incident]) -> int:
        return sum(isinstance(one, kind) for one in self.incidents)


def play(venue: str, scenario: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    clock = ManualClock()

    async def go() -> None:
        async with (
            offline(clock=clock, venues=[venue], rate=20.0, seed=3) as world,
            world.connector(venue, stream_settings=StreamSettings(copies=2)) as connector,
        ):
            scene = Scene(world, venue, connector)
            await connector.subscribe(KINDS, "BTCUSDT")
            await connector.open_book("BTCUSDT")
            await scene.later(10)
            scene.gaps.clear()  # at Bybit a book has its topic subscribed anew for its snapshot
            await scenario(scene)

    clock.run(go())


def book_is_right(scene: Scene) -> bool:
    (book,) = scene.connector._running.books.books
    bids, asks, _, _ = scene.world.simulation.exchanges[scene.venue].book("BTCUSDT", 1)
    return book.is_in_sync and abs(book.bids(1)[0][0] - bids[0][0]) < 5 and abs(book.asks(1)[0][0] - asks[0][0]) < 5


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_after_a_restart_of_the_service_all_kinds_go_on_whatever_the_numbers_are(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fault(Restart(seconds=3))
        await scene.later(15)
        scene.counts.clear()
        await scene.later(20)
        assert all(scene.counts[kind.__name__] > 50 for kind in KINDS), scene.counts
        assert book_is_right(scene)

    play(venue, scenario)


@pytest.mark.slow
def test_numbers_that_begin_anew_lower_stop_nothing() -> None:
    async def scenario(scene: Scene) -> None:
        markets = scene.world.simulation.exchanges["binance"]._markets.values()
        for market in markets:
            market.update_id += 1_000_000
        await scene.later(5)
        for market in markets:
            market.update_id = 1
        scene.fault(Cut())
        await scene.later(15)
        scene.counts.clear()
        await scene.later(20)
        assert all(scene.counts[kind.__name__] > 50 for kind in KINDS), scene.counts
        assert book_is_right(scene)

    play("binance", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("which", [0, 1])
def test_a_books_number_that_is_too_high_on_one_socket_reaches_the_books_own_check(venue: str, which: int) -> None:
    async def scenario(scene: Scene) -> None:
        lying = CorruptMessage(
            topic=BOOK[venue], connection=scene.sockets()[which], how="replace", contains='"u":', text='"u":9'
        )
        for _ in range(6):
            scene.fault(lying)
            await scene.later(3)
            assert book_is_right(scene)
        scene.counts.clear()
        await scene.later(10)
        assert scene.counts["BookDelta"] > 50
        # Where the lie came second, the other socket had told the truth already.
        assert scene.told(BookGap) <= 6

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_one_mute_socket_of_two_is_replaced_and_nothing_is_told_to_be_missing(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fault(Silence(what="data", connection=scene.sockets()[0], seconds=30.0))
        await scene.later(40)
        assert (scene.gaps, scene.told(StreamStale), scene.told(ConnectionLost)) == ([], 0, 0)
        assert len(scene.sockets()) == 2

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_a_successor_holds_back_makes_nothing_mute_that_another_socket_says(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        mute, speaks = scene.sockets()
        scene.fault(Silence(what="data", connection=mute, topic=BOOK[venue]))
        while len(scene.sockets()) == 2:
            await scene.later(0.02)
        # The successor is ahead by so much, and what it says waits to be said by this one.
        scene.fault(DelayMessage(connection=speaks, topic=BOOK[venue], seconds=2.5))
        await scene.later(20)
        assert (scene.gaps, scene.told(StreamStale), scene.told(BookGap)) == ([], 0, 0)
        assert mute not in scene.sockets()

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_the_loss_of_the_older_socket_while_the_newer_has_not_met_it_is_told(venue: str) -> None:
    """Then nobody knows what was said just before the newer one came."""

    async def scenario(scene: Scene) -> None:
        older, newer = scene.sockets()
        scene.fault(Silence(what="all", connection=older, seconds=60.0), Reset(connection=newer))
        await scene.later(1.5)
        assert len(scene.sockets()) == 2
        assert scene.told(ConnectionLost) == 0
        scene.fault(Reset(connection=older))
        await scene.later(5)
        assert scene.told(ConnectionLost) == 1
        told = {(gap.kind, gap.symbol) for gap in scene.gaps}
        assert {("BookTicker", "BTCUSDT"), ("BookDelta", "BTCUSDT")} <= told
        assert book_is_right(scene)

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_the_loss_of_one_socket_is_told_to_nobody_once_the_other_has_proved_itself(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        for round_ in range(6):
            scene.fault(Reset(connection=scene.sockets()[round_ % 2]))
            await scene.later(6)
        assert (scene.gaps, scene.told(ConnectionLost)) == ([], 0)
        assert len(scene.trades) == len(set(scene.trades))

    play(venue, scenario)


def test_what_a_fresh_socket_has_held_back_opens_no_book_where_both_are_lost() -> None:
    """Bybit's stream brings the snapshot, and the fresh one has its own."""

    async def scenario(scene: Scene) -> None:
        book = await scene.connector.open_book("BTCUSDT")
        first, second = scene.sockets()
        scene.fault(Silence(connection=second), Cut(connection=first))
        await scene.later(1.2)
        scene.fault(Refuse(seconds=60.0), *(Cut(connection=one) for one in scene.sockets()))
        await scene.later(1)
        assert not book.is_in_sync
        assert not scene.sockets()
        await scene.later(90)
        assert book.is_in_sync

    play("bybit", scenario)
