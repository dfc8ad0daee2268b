"""Mistakes and mishaps give the right error, with venue, code and advice; nothing hangs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from perpwire.clock import ManualClock
from perpwire.errors import APIError, AuthenticationFailed, BadInput, ClockSkewed, NotSent
from perpwire.testing import World, offline

VENUES = ["binance", "bybit"]


def in_world(scenario: Callable[[World], Awaitable[None]], venue: str) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue]) as world:
            await scenario(world)

    clock.run(main())


def check(error: APIError, venue: str) -> None:
    assert error.venue == venue
    assert error.code is not None
    assert error.advice
    assert not {"sim-key", "sim-secret", "wrong-secret"} & set(re.split(r"[^a-z-]", str(error)))


@pytest.mark.parametrize("venue", VENUES)
def test_a_wrong_secret(venue: str) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(AuthenticationFailed) as caught:
            await world.connector(venue, secret_key="wrong-secret").start()
        check(caught.value, venue)
        assert caught.value.code == {"binance": -1022, "bybit": 10004}[venue]

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_an_unknown_key_on_the_account_stream(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connector(venue, api_key="nobody", check_key=False)
        async with connector:
            with pytest.raises(AuthenticationFailed) as caught:
                await connector.open_account_stream()
            check(caught.value, venue)

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_an_unknown_symbol_names_near_ones(venue: str) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(BadInput, match="near: BTCUSDT") as caught:
            await world.connectors[venue].place_order("BTCUSTD", "BUY", "0.01")
        check(caught.value, venue)

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(("quantity", "price"), [("0", "60000"), ("0.01", "60000.01"), ("0.0001", "60000")])
def test_zero_quantity_and_values_off_the_steps(venue: str, quantity: str, price: str) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(BadInput) as caught:
            await world.connectors[venue].place_order("BTCUSDT", "BUY", quantity, "LIMIT", price=price)
        check(caught.value, venue)
        assert world.simulation.exchanges[venue].orders("main", None) == []

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("ahead_s", [10.0, -10.0])
def test_a_clock_ten_seconds_off_is_measured_at_start_and_does_no_harm(venue: str, ahead_s: float) -> None:
    async def scenario(world: World) -> None:
        world.simulation.hosts[venue].skew(ahead_s)
        async with world.connector(venue) as connector:
            order = await connector.place_order("BTCUSDT", "BUY", "0.01")
            assert order.order_id
            assert connector.metrics.get_stats()["error_rate"] == 0

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_clock_that_can_not_be_put_right_is_told_as_such(venue: str) -> None:
    """The venue's own idea of the time differs from what its time call says: nothing we can mend."""

    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        wrong = connector._sync._venue_ns
        connector._sync._venue_ns = lambda: wrong() - 60_000_000_000  # type: ignore[method-assign]
        with pytest.raises(ClockSkewed) as caught:
            await connector.get_account_info()
        check(caught.value, venue)
        assert caught.value.code == {"binance": -1021, "bybit": 10002}[venue]

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_an_exchange_that_is_not_running(venue: str) -> None:
    async def scenario(world: World) -> None:
        world.network.unserve(f"{venue}.sim")
        with pytest.raises(NotSent) as caught:
            await world.connectors[venue].place_order("BTCUSDT", "BUY", "0.01")
        check(caught.value, venue)
        with pytest.raises(NotSent):
            async with world.connector(venue):
                raise AssertionError("started without an exchange")

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_an_exchange_that_never_answers_does_not_hang_anybody(venue: str) -> None:
    async def scenario(world: World) -> None:
        from perpwire.simulator.faults import LoseAnswer

        world.simulation.faults[venue].add(LoseAnswer(method="GET", count=1000, how="silence"))
        began = world.clock.monotonic_ns()
        with pytest.raises(APIError):
            async with asyncio.timeout(120):
                await world.connectors[venue].get_account_info()
        assert (world.clock.monotonic_ns() - began) / 1e9 < 60

    in_world(scenario, venue)
