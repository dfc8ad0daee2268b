"""Guards of the user's own: what breaks one is refused before anything is sent; what closes always passes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.api_connector.batch_methods import NewOrder
from perpwire.api_connector.guards import CAUTIOUS, Guards
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, GuardRefused
from perpwire.model.incident import GuardTripped, Incident
from perpwire.simulator.faults import Delay
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")


def play(venue: str, guards: Guards | None, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,)) as world, world.connector(venue, guards=guards) as connector:
            await scene(world, connector)

    clock.run(main())


async def refused(connector: VenueConnector, guard: str, *order: Any, **more: Any) -> None:
    with pytest.raises(GuardRefused) as caught:
        await connector.place_order(*order, **more)
    assert caught.value.code == guard.upper()


def placed(world: World, venue: str) -> int:
    return len(world.simulation.hosts[venue].exchange.orders("main", None))


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_above_the_greatest_notional_is_refused_and_one_at_it_passes(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        limit: dict[str, Any] = {"order_type": "LIMIT", "price": "60000"}
        await refused(connector, "max_order_notional", "BTCUSDT", "BUY", "0.101", **limit)
        assert placed(world, venue) == 0
        await connector.place_order("BTCUSDT", "BUY", "0.1", **limit)
        # A market order counts at the mark price.
        await refused(connector, "max_order_notional", "BTCUSDT", "BUY", "0.1")

    play(venue, Guards(max_order_notional=Decimal(6000)), scene)


@pytest.mark.parametrize("venue", VENUES)
def test_a_limit_price_on_the_wrong_side_of_the_collar_is_refused_and_a_passive_one_is_not(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        mark = world.simulation.hosts[venue].exchange.mark_price("BTCUSDT")
        far: dict[str, Any] = {"order_type": "LIMIT", "round": "nearest"}
        await refused(connector, "price_collar", "BTCUSDT", "BUY", "0.01", price=mark * Decimal("1.021"), **far)
        await refused(connector, "price_collar", "BTCUSDT", "SELL", "0.01", price=mark * Decimal("0.979"), **far)
        closing: dict[str, Any] = {"reduce_only": True, **far}
        await refused(connector, "price_collar", "BTCUSDT", "SELL", "0.01", price=mark * Decimal("0.979"), **closing)
        await connector.place_order("BTCUSDT", "BUY", "0.01", price=mark * Decimal("0.97"), **far)
        await world.clock.sleep(1.0)  # Bybit acknowledges before it places
        assert placed(world, venue) == 1

    play(venue, Guards(price_collar=Decimal("0.02")), scene)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("streams", [False, True], ids=["asked", "streamed"])
def test_orders_open_under_way_and_held_count_against_the_greatest_position(venue: str, streams: bool) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        if streams:
            await connector.open_account_stream()
        resting: dict[str, Any] = {"order_type": "LIMIT", "price": "50000"}
        await connector.place_order("BTCUSDT", "BUY", "0.01")  # held
        await connector.place_order("BTCUSDT", "BUY", "0.01", **resting)  # open
        await world.clock.sleep(3.0)
        # Of five at once, only two more fit below four hundredths; the others see them under way.
        orders = [connector.place_order("BTCUSDT", "BUY", "0.01", **resting) for _ in range(5)]
        told = await asyncio.gather(*orders, return_exceptions=True)
        assert sum(isinstance(one, GuardRefused) for one in told) == 3
        await refused(connector, "max_position_notional", "BTCUSDT", "BUY", "0.01")
        # What closes passes, and the other way there is room.
        await connector.place_order("BTCUSDT", "SELL", "0.01", reduce_only=True)
        await connector.place_order("BTCUSDT", "SELL", "0.02", order_type="LIMIT", price="70000")
        await world.clock.sleep(3.0)
        await connector.place_order("BTCUSDT", "BUY", "0.01")

    play(venue, Guards(max_position_notional=Decimal("0.045") * 64000), scene)


@pytest.mark.parametrize("venue", VENUES)
def test_more_orders_than_the_rate_allows_are_refused_and_closing_ones_do_not_count(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        for _ in range(3):
            await connector.place_order("BTCUSDT", "BUY", "0.01")
        await refused(connector, "max_orders", "BTCUSDT", "BUY", "0.01")
        await connector.place_order("BTCUSDT", "SELL", "0.01", reduce_only=True)
        await world.clock.sleep(10.0)
        await connector.place_order("BTCUSDT", "BUY", "0.01")

    play(venue, Guards(max_orders=3, per_s=10.0), scene)


@pytest.mark.parametrize("venue", VENUES)
def test_the_kill_switch_cancels_everything_also_what_is_on_its_way_and_refuses_what_opens(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        exchange, faults = world.simulation.hosts[venue].exchange, world.simulation.faults[venue]
        incidents: list[Incident] = []
        connector.on_incident(incidents.append)
        resting: dict[str, Any] = {"order_type": "LIMIT", "price": "50000"}
        await connector.place_order("BTCUSDT", "BUY", "0.05")
        await connector.place_order("BTCUSDT", "BUY", "0.01", **resting)
        await connector.place_order("ETHUSDT", "BUY", "1", order_type="LIMIT", price="2000")
        await connector.place_order("BTCUSDT", "SELL", "0.01", order_type="STOP_MARKET", trigger_price="50000")
        faults.add(Delay(method="POST", where="request", seconds=2.0))
        late = asyncio.ensure_future(connector.place_order("BTCUSDT", "BUY", "0.01", **resting))
        await world.clock.sleep(0.1)
        cancelled = await connector.kill("losses")
        assert exchange.open_orders("main", None) == []
        assert exchange.open_triggers("main", None) == []
        assert len(cancelled) == 4
        assert (await late).client_order_id in {order.client_order_id for order in cancelled}
        await refused(connector, "kill_switch", "BTCUSDT", "BUY", "0.01")
        assert [one.guard for one in incidents if isinstance(one, GuardTripped)] == ["kill_switch"] * 2
        await connector.close_position("BTCUSDT")
        connector.resume()
        await connector.place_order("BTCUSDT", "BUY", "0.01")

    play(venue, None, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_without_guards_nothing_is_asked_for_an_order(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.get_instruments()
        journal = world.simulation.hosts[venue].journal
        before = len(journal.entries(kind="request"))
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        assert len(journal.entries(kind="request")) == before + 1

    play(venue, None, scene)


@pytest.mark.parametrize(
    "bad", [{"max_order_notional": 1.5}, {"price_collar": Decimal(0)}, {"max_orders": 0}, {"per_s": 0.0}]
)
def test_a_guard_that_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Guards(**bad)


def test_the_cautious_set_has_every_guard_on() -> None:
    assert None not in (
        CAUTIOUS.max_order_notional, CAUTIOUS.max_position_notional, CAUTIOUS.price_collar, CAUTIOUS.max_orders
    )  # fmt: skip


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_cant_be_changed_into_one_that_a_guard_would_refuse(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        order = await connector.place_order("BTCUSDT", "BUY", "0.05", "LIMIT", price="60000")
        await world.clock.sleep(1.0)
        changes: tuple[tuple[str, dict[str, Any]], ...] = (
            ("max_order_notional", {"quantity": "0.2"}),
            ("price_collar", {"price": "68000"}),
            ("max_position_notional", {"quantity": "0.14"}),
        )
        for guard, change in changes:
            with pytest.raises(GuardRefused) as caught:
                await connector.amend_order("BTCUSDT", order.order_id, **change)
            assert caught.value.code == guard.upper()
        await world.clock.sleep(1.0)
        stands = await connector.get_order("BTCUSDT", order.order_id)
        assert (stands.price, stands.quantity) == (Decimal(60000), Decimal("0.05"))
        # It is counted once, as what it becomes: not as the old and the new one together.
        changed = await connector.amend_order("BTCUSDT", order.order_id, quantity="0.12", price="60100")
        assert (changed.price, changed.quantity) == (Decimal(60100), Decimal("0.12"))

    greatest: dict[str, Any] = {"max_order_notional": Decimal(10000), "max_position_notional": Decimal(8000)}
    play(venue, Guards(price_collar=Decimal("0.05"), max_orders=1, per_s=60.0, **greatest), scene)


@pytest.mark.parametrize("venue", VENUES)
def test_with_the_kill_switch_thrown_no_order_is_changed_and_the_sides_of_hedge_mode_can_be_closed(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.set_position_mode("HEDGE", None if venue == "binance" else "BTCUSDT")
        await connector.place_order("BTCUSDT", "BUY", "0.2")
        order = await connector.place_order("BTCUSDT", "BUY", "0.05", "LIMIT", price="60000")
        await world.clock.sleep(1.0)
        connector.guard.throw("test")
        with pytest.raises(GuardRefused):
            await connector.amend_order("BTCUSDT", order.order_id, quantity="0.06")
        await refused(connector, "kill_switch", "BTCUSDT", "BUY", "0.1", position_side="LONG")
        await refused(connector, "kill_switch", "BTCUSDT", "SELL", "0.1", position_side="SHORT")
        await connector.place_order("BTCUSDT", "SELL", "0.2", position_side="LONG")
        await world.clock.sleep(1.0)
        assert not any(one.quantity for one in await connector.get_positions("BTCUSDT"))

    play(venue, None, scene)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("venue", "most", "in_batch"), [("binance", 310, False), ("binance", 310, True), ("bybit", 30, False)]
)
def test_an_order_that_waits_for_its_turn_when_the_kill_switch_is_thrown_is_never_written(
    venue: str, most: int, in_batch: bool
) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.place_order("BTCUSDT", "BUY", "0.05")
        resting = [
            asyncio.ensure_future(connector.place_order("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="50000"))
            for _ in range(most)
        ]
        await asyncio.sleep(0)
        buy = NewOrder(symbol="BTCUSDT", side="BUY", quantity="0.02")
        waiting: asyncio.Future[Any] = asyncio.ensure_future(
            connector.place_orders([buy, buy]) if in_batch else connector.place_order(**buy)
        )
        closing = asyncio.ensure_future(connector.place_order("BTCUSDT", "SELL", "0.01", reduce_only=True))
        await world.clock.sleep(0.3)
        assert not waiting.done()
        connector.guard.throw("losses")
        written = placed(world, venue)
        outcomes: list[Any] = await asyncio.gather(waiting, closing, *resting, return_exceptions=True)
        first = outcomes[0][0] if in_batch else outcomes[0]
        assert isinstance(first, GuardRefused)
        assert not isinstance(outcomes[1], BaseException)
        assert placed(world, venue) <= written + 1
        await world.clock.sleep(1.0)
        held = sum(one.quantity for one in await connector.get_positions("BTCUSDT"))
        assert held == Decimal("0.04")

    play(venue, None, scene)


@pytest.mark.parametrize(
    ("venue", "path", "order"),
    [
        ("binance", "/fapi/v1/order", {"side": "BUY", "type": "MARKET", "quantity": "0.01"}),
        ("bybit", "/v5/order/create", {"category": "linear", "side": "Buy", "orderType": "Market", "qty": "0.01"}),
    ],
)
def test_with_the_kill_switch_thrown_an_order_in_the_venues_own_words_is_refused_unless_it_only_closes(
    venue: str, path: str, order: dict[str, Any]
) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        asked = {"symbol": "BTCUSDT", **order}
        await connector.call("POST", path, asked)
        connector.guard.throw("test")
        before = placed(world, venue)
        with pytest.raises(GuardRefused) as caught:
            await connector.call("POST", path, asked)
        assert caught.value.code == "KILL_SWITCH"
        assert placed(world, venue) == before
        sell = {"binance": "SELL", "bybit": "Sell"}[venue]
        await connector.call("POST", path, {**asked, "side": sell, "reduceOnly": True})
        assert placed(world, venue) == before + 1
        await connector.get_account_info()

    play(venue, None, scene)
