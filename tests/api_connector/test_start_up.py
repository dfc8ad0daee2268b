"""A connector with a journal settles at its start what its last life left in doubt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from perpwire.api_connector.order_journal import JournalEntry, JournalFile, OrderJournal
from perpwire.clock import ManualClock
from perpwire.errors import APIError, BadInput, NotSent
from perpwire.model.incident import Incident, OrderResolved
from perpwire.model.order import Fill, OrderRequest, OrderType, Side, TimeInForce
from perpwire.simulator.faults import Answer
from perpwire.testing import World, offline

WINDOW_MS = 7_000


def play(clock: ManualClock, scene: Callable[[World], Awaitable[None]], venue: str) -> None:
    async def within() -> None:
        async with offline(clock=clock, venues=(venue,), rate=2.0) as world:
            await scene(world)

    clock.run(within())


def request(name: str, symbol: str = "BTCUSDT") -> OrderRequest:
    return OrderRequest(
        symbol=symbol, side=Side.BUY, type=OrderType.LIMIT, quantity=Decimal("0.010"), price=Decimal("30000.00"),
        client_order_id=name, time_in_force=TimeInForce.GTC,
    )  # fmt: skip


def journal_of(world: World, venue: str, path: Path) -> OrderJournal:
    return OrderJournal(JournalFile(path), venue, "sim-key", world.clock)


def note(world: World, venue: str, path: Path, *names: str, age_ms: int = 0) -> None:
    """The last life wrote these orders down, and was killed before it knew more."""
    journal = journal_of(world, venue, path)
    now_ms = world.clock.time_ns() // 1_000_000 - age_ms
    for name in names:
        journal.before_send((request(name),), now_ms, now_ms + WINDOW_MS)
    journal.close()


def noted(world: World, venue: str, path: Path) -> dict[str, JournalEntry]:
    journal = journal_of(world, venue, path)
    entries = {entry.client_order_id: entry for entry in journal.orders()}
    journal.close()
    return entries


async def resting(world: World, venue: str, name: str) -> str:
    order = await world.connectors[venue].place_order(
        "BTCUSDT", "BUY", "0.010", "LIMIT", price="30000.00", client_order_id=name, time_in_force="GTC"
    )
    return order.order_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


both = pytest.mark.parametrize("venue", ["binance", "bybit"])


@both
def test_what_the_venue_has_is_found_and_what_it_must_have_refused_was_not_placed(venue: str, path: Path) -> None:
    clock = ManualClock()

    async def scene(world: World) -> None:
        note(world, venue, path, "lost-answer", "never-left")
        order_id = await resting(world, venue, "lost-answer")
        other = await resting(world, venue, "of-another-program")
        heard: list[Incident] = []
        connector = world.connector(venue, journal=path)
        connector.on_incident(heard.append)
        began_ns = clock.monotonic_ns()
        async with connector:
            report = connector.start_up_report
            assert [order.order_id for order in report.found] == [order_id]
            assert report.not_placed == ("never-left",)
            assert report.unknown == ()
            assert report.open_orders is not None
            assert {order.order_id for order in report.open_orders} == {order_id, other}
            assert report.positions == ()
        assert WINDOW_MS <= (clock.monotonic_ns() - began_ns) / 1e6 <= WINDOW_MS + 4_000, (
            "not before the window is over"
        )
        told = {one.client_order_id: one.outcome for one in heard if isinstance(one, OrderResolved)}
        assert told == {"lost-answer": "ACCEPTED", "never-left": "NOT_PLACED"}
        kept = noted(world, venue, path)
        assert (kept["lost-answer"].outcome, kept["lost-answer"].order_id) == ("PLACED", order_id)
        assert kept["never-left"].outcome == "NOT_SENT"

    play(clock, scene, venue)


@both
def test_an_order_of_long_ago_needs_no_waiting_and_one_that_may_be_forgotten_is_not_called_absent(
    venue: str, path: Path
) -> None:
    clock = ManualClock()

    async def scene(world: World) -> None:
        note(world, venue, path, "a-minute-ago", age_ms=60_000)
        note(world, venue, path, "two-days-ago", age_ms=48 * 3_600_000)
        began_ns = clock.monotonic_ns()
        async with world.connector(venue, journal=path) as connector:
            assert (clock.monotonic_ns() - began_ns) / 1e9 < 2
            assert connector.start_up_report.not_placed == ("a-minute-ago",)
            assert connector.start_up_report.unknown == ("two-days-ago",)
        assert noted(world, venue, path)["two-days-ago"].outcome is None

    play(clock, scene, venue)


@both
def test_an_order_that_the_venue_cannot_be_asked_for_is_searched_for_and_stays_open_for_the_next_start(
    venue: str, path: Path
) -> None:
    clock = ManualClock()
    ask = {"binance": "/fapi/v1/order", "bybit": "/v5/order/*"}[venue]

    async def scene(world: World) -> None:
        order_id = await resting(world, venue, "lost-answer")
        note(world, venue, path, "lost-answer")
        world.simulation.faults[venue].add(Answer(method="GET", path=ask, canned="busy", count=1000))
        async with world.connector(venue, journal=path, settle_patience_s=3.0) as connector:
            assert connector.start_up_report.unknown == ("lost-answer",)
            assert [one.client_order_id for one in connector.unresolved_orders] == ["lost-answer"]
        assert noted(world, venue, path)["lost-answer"].outcome is None
        async with world.connector(venue, journal=path, settle_patience_s=3.0) as connector:
            (search,) = connector.unresolved_orders
            world.simulation.faults[venue].clear()
            assert (await search).order_id == order_id
        assert noted(world, venue, path)["lost-answer"].outcome == "PLACED"

    play(clock, scene, venue)


@both
def test_orders_of_this_life_are_settled_in_the_journal_and_nothing_is_asked_at_the_next_start(
    venue: str, path: Path
) -> None:
    clock = ManualClock()

    async def scene(world: World) -> None:
        async with world.connector(venue, journal=path) as connector:
            placed = await connector.place_order(
                "BTCUSDT", "BUY", "0.01", "LIMIT", price="30000", client_order_id="placed"
            )
            with pytest.raises(BadInput):
                await connector.place_order("BTCUSDT", "BUY", "0.0000001", client_order_id="wrong")
            with pytest.raises(NotSent):
                await connector.place_order("BTCUSDT", "BUY", "0.01", client_order_id="late", deadline_s=-1.0)
        kept = noted(world, venue, path)
        assert {name: (entry.outcome, entry.order_id) for name, entry in kept.items()} == {
            "placed": ("PLACED", placed.order_id)
        }
        async with world.connector(venue, journal=path) as connector:
            assert connector.start_up_report.found == ()

    play(clock, scene, venue)


@both
def test_without_a_key_a_journal_is_refused_and_a_second_connector_cannot_have_it(venue: str, path: Path) -> None:
    clock = ManualClock()

    async def scene(world: World) -> None:
        with pytest.raises(BadInput, match="key"):
            await world.connector(venue, api_key="", secret_key="", journal=path).start()
        async with world.connector(venue, journal=path):
            with pytest.raises(BadInput) as caught:
                await world.connector(venue, journal=path).start()
            assert caught.value.code == "JOURNAL_IN_USE"
        async with world.connector(venue, journal=path):
            pass

    play(clock, scene, venue)


@both
def test_after_a_first_life_that_never_read_its_own_fills_are_told_and_not_those_before_it(
    venue: str, path: Path
) -> None:
    clock = ManualClock()
    positions = {"binance": "/fapi/v3/positionRisk", "bybit": "/v5/position/list"}[venue]

    async def scene(world: World) -> None:
        async with world.connector(venue) as other:
            await other.place_order("BTCUSDT", "BUY", "0.01", client_order_id="before-all")
        await clock.sleep(20)
        faults = world.simulation.hosts[venue].faults
        faults.add(Answer(path=positions, canned="bad_key", count=None))
        async with world.connector(venue, journal=path) as first:
            with pytest.raises(APIError):
                await first.open_account_stream()
            faults.clear()
            await first.place_order("BTCUSDT", "BUY", "0.02", client_order_id="ours")
        await clock.sleep(10)
        told: list[Fill] = []
        for _ in range(2):
            async with world.connector(venue, journal=path) as later:
                later.on(Fill, told.append)
                await later.open_account_stream()
                await clock.sleep(20)
        assert {fill.recovered for fill in told} == {True}
        assert sum(fill.quantity for fill in told) == Decimal("0.02")

    play(clock, scene, venue)
