"""Books as a user of a connector has them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.api_connector.turns import Pace, Turns
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.data_processor.local_book import LocalBook
from perpwire.errors import BadInput, BeyondHorizon, BookNotInSync
from perpwire.model.incident import HandlerFailed, Incident
from perpwire.model.market import BookDelta, BookSnapshot, Event, Gap, Liquidation
from perpwire.simulator.faults import Cut, DropMessage, Refuse
from perpwire.testing import offline

VENUES = ("binance", "bybit")


def use(venue: str, play: Callable[[VenueConnector, ManualClock], Awaitable[None]], rate: float = 20.0) -> None:
    clock = ManualClock()

    async def whole() -> None:
        async with offline(clock=clock, venues=(venue,), rate=rate) as world:
            await play(world.connectors[venue], clock)

    clock.run(whole())


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_book_takes_the_updates_of_its_own_stream_only(venue: str) -> None:
    """Another depth or speed of the same contract is subscribed, whose numbers are others."""

    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        book = await connector.open_book("BTCUSDT", levels=200, speed_ms=500 if venue == "binance" else None)
        heard: set[str] = set()
        connector.on(BookDelta, lambda delta: heard.add(delta.stream))
        await connector.subscribe([BookDelta], ["BTCUSDT"])
        await clock.sleep(5)
        assert len(heard) == 2
        assert book.is_in_sync
        assert book.rebuilds == 0

    use(venue, play)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_watched_book_comes_at_each_change_and_is_given_back_when_the_watch_ends(venue: str) -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        seen: list[int] = []
        async with await connector.watch_book("BTCUSDT") as watch:
            async for book in watch:
                seen.append(book.update_id)
                if len(seen) == 20:
                    break
        assert seen == sorted(set(seen))
        with pytest.raises(BookNotInSync, match="closed"):
            watch.book.bids()
        await clock.sleep(1)
        assert not connector.streams.topics  # nobody else had asked for its stream
        assert (await connector.open_book("BTCUSDT")).is_in_sync

    use(venue, play)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_each_user_of_a_book_gives_back_its_own_and_the_last_one_ends_it(venue: str) -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        one, other = await connector.watch_book("BTCUSDT"), await connector.watch_book("BTCUSDT")
        book = await connector.open_book("BTCUSDT")
        assert one.book is other.book is book is await connector.open_book("BTCUSDT")
        await connector.close_book("BTCUSDT")
        await connector.close_book("BTCUSDT")
        one.close()
        one.close()
        await clock.sleep(1)
        assert book.is_in_sync
        assert connector.local_books == (book,)
        other.close()
        assert book.is_closed
        await clock.sleep(1)
        assert not connector.streams.topics

    use(venue, play)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_book_that_is_closed_while_it_is_opened_says_so_and_one_opened_anew_at_once_is_there(venue: str) -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        await connector.get_instruments()
        opening = asyncio.create_task(connector.open_book("BTCUSDT"))
        watching = asyncio.create_task(connector.watch_book("ETHUSDT"))
        also = asyncio.create_task(connector.open_book("ETHUSDT"))
        await asyncio.sleep(0)
        await asyncio.gather(connector.close_book("BTCUSDT"), connector.close_book("ETHUSDT"))
        book = await connector.open_book("BTCUSDT")
        assert book.is_in_sync
        with pytest.raises(BookNotInSync, match="was closed while it was being opened"):
            await opening
        assert (await watching).book.is_in_sync
        assert (await also).is_in_sync
        assert book.is_in_sync

    use(venue, play)


def test_a_book_of_a_market_so_quiet_that_nothing_proves_its_snapshot_says_so_and_the_first_change_does() -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        unproven = "within 30 s: (its stream is mute|no change has come since its snapshot, which would prove it)"
        with pytest.raises(BookNotInSync, match=unproven):
            await connector.open_book("BTCUSDT")
        opening = asyncio.create_task(connector.open_book("BTCUSDT"))
        await clock.sleep(10)
        assert not opening.done()
        price = (await connector.get_order_book("BTCUSDT")).bids[-1][0]
        await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price)
        book = await opening
        assert book.is_in_sync
        assert (book.deltas_applied, book.rebuilds) == (1, 0)

    use("binance", play, rate=0.000001)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_who_stops_waiting_for_a_book_leaves_nothing_behind_and_takes_it_from_nobody(venue: str) -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        await connector.get_instruments()
        for others in (0, 1):
            first = asyncio.create_task(connector.open_books(["BTCUSDT", "ETHUSDT"]))
            await asyncio.sleep(0)
            waiting = [asyncio.create_task(connector.open_book("ETHUSDT")) for _ in range(others)]
            await asyncio.sleep(0)
            first.cancel()
            books = await asyncio.gather(*waiting)
            await clock.sleep(20)
            assert first.cancelled()
            assert [book.symbol for book in connector.local_books if book.is_in_sync] == ["ETHUSDT"] * others
            assert connector.local_books == tuple(books)
            assert len(connector.streams.topics) == others

    use(venue, play)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_closed_book_leaves_its_stream_to_others_who_have_subscribed_it(venue: str) -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        await connector.open_book("BTCUSDT")
        await connector.subscribe([BookDelta], ["BTCUSDT"])
        await connector.close_book("BTCUSDT")
        heard: list[BookDelta] = []
        connector.on(BookDelta, heard.append)
        await clock.sleep(2)
        assert heard

    use(venue, play)


@pytest.mark.slow
def test_a_handler_of_a_book_that_fails_is_told_of_and_hurts_nobody() -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        (book,) = await connector.open_books(["BTCUSDT"])
        incidents: list[Incident] = []
        connector.on_incident(incidents.append)
        mids: list[Decimal | None] = []

        def fails(_: LocalBook) -> None:
            raise ValueError("mine")

        off = book.on_change(fails)
        book.on_change(lambda one: mids.append(one.mid))
        await clock.sleep(1)
        off()
        assert len(mids) == len(incidents) > 3
        assert {type(one) for one in incidents} == {HandlerFailed}
        assert book.is_in_sync

    use("bybit", play)


@pytest.mark.slow
def test_raw_updates_beside_a_book_that_is_subscribed_anew_have_a_gap() -> None:
    clock = ManualClock()

    async def whole() -> None:
        async with offline(clock=clock, venues=("bybit",), rate=20.0) as world:
            host, connector = world.simulation.hosts["bybit"], world.connectors["bybit"]
            heard: list[Any] = []
            kinds: tuple[type[Event], ...] = (BookDelta, BookSnapshot, Gap)
            for kind in kinds:
                connector.on(kind, heard.append)
            await connector.subscribe([BookDelta], ["BTCUSDT"])
            book = await connector.open_book("BTCUSDT")
            await clock.sleep(2)
            heard.clear()
            dropped_ns = clock.time_ns()
            host.faults.add(DropMessage(topic="orderbook.50.BTCUSDT"))
            await clock.sleep(2)
            assert book.rebuilds == 1
            (gap,) = (one for one in heard if isinstance(one, Gap))
            assert (gap.kind, gap.symbol, gap.repaired) == ("BookDelta", "BTCUSDT", False)
            assert gap.since_ns <= dropped_ns + 20_000_000 < gap.until_ns
            after = heard[heard.index(gap) + 1 :]
            assert isinstance(after[0], BookSnapshot)
            numbers = [one.update_id for one in after if not isinstance(one, Gap)]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    clock.run(whole())


@pytest.mark.slow
def test_a_book_of_few_levels_that_the_price_leaves_is_built_anew_with_more_of_them() -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        book = await connector.open_book("BTCUSDT", levels=5)
        assert len(book.bids()) <= 5
        await clock.sleep(20)
        rebuilds = book.rebuilds
        assert 1 <= rebuilds <= 3
        await clock.sleep(20)
        assert book.is_in_sync
        assert book.rebuilds <= rebuilds + 1
        assert len(book.bids()) > 5

    use("binance", play)


@pytest.mark.slow
def test_a_book_that_does_not_stay_in_sync_is_built_after_pauses_and_at_once_when_it_has() -> None:
    clock = ManualClock()

    async def whole() -> None:
        async with offline(clock=clock, venues=("binance",), rate=20.0) as world:
            host, connector = world.simulation.hosts["binance"], world.connectors["binance"]
            book = await connector.open_book("BTCUSDT")

            def asked() -> int:
                return sum("/depth" in one.text for one in host.journal.entries(kind="request"))

            before = asked()
            for _ in range(15):
                host.faults.add(DropMessage(topic="btcusdt@depth@100ms"))
                await clock.sleep(1)
            assert 3 <= asked() - before <= 7
            host.faults.clear()
            await clock.sleep(22)
            assert book.is_in_sync
            host.faults.add(DropMessage(topic="btcusdt@depth@100ms"))
            await clock.sleep(0.5)
            assert book.is_in_sync
            assert book.deltas_applied < 10

    clock.run(whole())


def test_a_line_that_is_lost_more_often_than_a_book_may_be_tried_keeps_no_book_untried() -> None:
    """After a bad minute, in which the pauses grew."""
    clock = ManualClock()

    async def whole() -> None:
        async with offline(clock=clock, venues=("binance",), rate=2.0) as world:
            host, connector = world.simulation.hosts["binance"], world.connectors["binance"]
            book = await connector.open_book("BTCUSDT")
            host.faults.add(Cut(every_s=2.5))
            await clock.sleep(60)
            host.faults.clear()
            host.faults.add(Cut(every_s=4.0))
            in_sync = 0
            for _ in range(120):
                await clock.sleep(0.5)
                in_sync += book.is_in_sync
            assert in_sync > 40

    clock.run(whole())


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("levels", [0, -1, 1001])
def test_a_book_of_so_many_levels_is_refused_before_anything_is_asked(venue: str, levels: int) -> None:
    async def play(connector: VenueConnector, clock: ManualClock) -> None:
        with pytest.raises(BadInput):
            await connector.open_book("BTCUSDT", levels=levels)
        assert not connector.streams.topics
        assert (await connector.open_book("BTCUSDT")).is_in_sync

    use(venue, play)


def test_turns_are_few_at_a_time_and_who_matters_more_is_next() -> None:
    clock = ManualClock()
    order: list[str] = []

    async def whole() -> None:
        turns = Turns(1)

        async def take(name: str, rank: int) -> None:
            async with turns.turn(rank):
                order.append(name)
                await clock.sleep(1)

        tasks = [asyncio.create_task(take(name, rank)) for name, rank in (("a", 1), ("b", 1), ("c", 1), ("d", 0))]
        await clock.sleep(0.5)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == ["a", "d", "c"]
        async with turns.turn(1):
            assert clock.monotonic_ns() < 3_100_000_000

    clock.run(whole())


def test_a_pace_lets_no_more_through_than_its_period_allows() -> None:
    clock = ManualClock()
    times: list[float] = []

    async def whole() -> None:
        pace = Pace(clock, 100, 60.0)
        for _ in range(12):
            await pace.spend(20)
            times.append(clock.monotonic_ns() / 1e9)

    clock.run(whole())
    assert times[4] == 0
    assert all(times[at + 5] - times[at] >= 60 for at in range(len(times) - 5))
    assert times[-1] < 121


def test_a_socket_that_is_lost_before_it_is_live_leaves_no_book_in_sync() -> None:
    """Bybit's snapshot comes with the subscription, here before another topic's acknowledgement, which is lost."""
    clock = ManualClock()

    async def whole() -> None:
        async with offline(clock=clock, venues=("bybit",), rate=6.0) as world:
            faults, connector = world.simulation.faults["bybit"], world.connectors["bybit"]
            await connector.subscribe([Liquidation], ["BTCUSDT", "ETHUSDT"])
            book = await connector.open_book("BTCUSDT")
            await clock.sleep(5)
            faults.add(DropMessage(topic="", contains='"subscribe"', count=2, for_s=5.0))
            faults.add(Cut())
            await clock.sleep(0.5)
            assert book.is_in_sync
            assert connector.states["bybit/public"].value == "subscribing"
            faults.add(Refuse(seconds=60.0))
            faults.add(Cut())
            await clock.sleep(0.1)
            assert not book.is_in_sync
            await clock.sleep(100)
            assert book.is_in_sync

    clock.run(whole())


@pytest.mark.parametrize("venue", VENUES)
def test_who_needs_more_levels_than_a_book_was_opened_with_is_told_so(venue: str) -> None:
    clock = ManualClock()

    async def whole() -> None:
        async with offline(clock=clock, venues=(venue,), rate=5.0) as world:
            connector = world.connectors[venue]
            book = await connector.open_book("BTCUSDT", levels=50)
            with pytest.raises(BadInput, match="50 levels, not 1000"):
                await connector.watch_book("BTCUSDT", levels=1000)
            assert await connector.open_book("BTCUSDT") is book
            with pytest.raises(BeyondHorizon, match="levels are known, not 1500"):
                book.imbalance(1500)
            assert book.imbalance(20) is not None
            await connector.close_book("BTCUSDT")
            assert len((await connector.open_book("BTCUSDT", levels=1000)).bids()) > 50

    clock.run(whole())
