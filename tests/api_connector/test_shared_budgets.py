"""Connectors of one program share what the venue counts together, and go on where an earlier one left off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from perpwire.api_connector.ledger import Pool
from perpwire.api_connector.shared_budgets import shared_pools
from perpwire.clock import ManualClock, SystemClock
from perpwire.errors import APIError, RateLimited
from perpwire.model.incident import Incident, RateLimitHit
from perpwire.simulator.faults import Act
from perpwire.testing import World, offline
from perpwire.venues.base import Limit

WEIGHT = Limit(name="weight", limit=100, period_s=60, fixed=True, source="test", scope="ip")
ORDERS = Limit(name="orders", limit=10, period_s=1, fixed=False, source="test")


def play(scenario: Callable[[World], Awaitable[None]], venue: str) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=1e-6) as world:
            await scenario(world)

    clock.run(main())


def used(world: World, connector: Any, name: str) -> int:
    return int(connector.ledger.used(name, world.clock.monotonic_ns()))


def test_two_connectors_on_one_address_never_spend_more_than_one_may() -> None:
    async def scenario(world: World) -> None:
        async with world.connector("binance") as second:
            await asyncio.gather(*(one.get_order_book("BTCUSDT", 5) for one in (world.binance, second)))
            await world.clock.sleep(61)
            calls = [
                asyncio.create_task(one.get_order_book("BTCUSDT", 1000))
                for _ in range(100)
                for one in (world.binance, second)
            ]
            await world.clock.sleep(5)
            assert sum(one.done() for one in calls) == 1680 // 20
            assert used(world, second, "weight_1m") == used(world, world.binance, "weight_1m") == 1680
            await world.clock.sleep(120)
            assert not any(one.exception() for one in calls if one.done())
            await asyncio.gather(*calls)

    play(scenario, "binance")


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_what_bans_one_holds_back_the_other_too_and_is_told_once(venue: str) -> None:
    incidents: list[Incident] = []

    async def scenario(world: World) -> None:
        first = world.connectors[venue]
        async with world.connector(venue) as second:
            for one in (first, second):
                one.on_incident(incidents.append)
            world.simulation.hosts[venue].faults.add(Act(do="ban", args={"seconds": "120"}))
            with pytest.raises(RateLimited):
                await first.get_order_book("BTCUSDT", 5)
            assert second.banned_until_ms == first.banned_until_ms is not None
            with pytest.raises(RateLimited) as caught:
                await second.get_order_book("BTCUSDT", 5)
            assert caught.value.code == "HELD_BACK"
        async with asyncio.timeout(700):
            third = world.connector(venue)
            with pytest.raises(APIError):
                await third.start()  # nor does a new one ask
            assert third.banned_until_ms == first.banned_until_ms
        assert len([one for one in incidents if isinstance(one, RateLimitHit)]) == 1

    play(scenario, venue)


def test_a_connector_that_is_opened_anew_knows_what_was_spent_before() -> None:
    async def scenario(world: World) -> None:
        await world.clock.sleep(61)
        async with world.connector("binance") as second:
            await second.get_order_book("BTCUSDT", 1000)
        async with world.connector("binance") as third:
            assert 20 <= used(world, third, "weight_1m") <= 40
        await world.clock.sleep(61)
        assert used(world, third, "weight_1m") == 0

    play(scenario, "binance")


def test_the_budget_of_an_account_is_its_own_and_that_of_an_address_is_not() -> None:
    clock = ManualClock()

    def pools(**other: Any) -> Any:
        where: dict[str, Any] = {"host": "h", "way_out": "", "api_key": "k", "clock": clock, "network": None}
        return shared_pools("v", [WEIGHT, ORDERS], **(where | other))

    address, account = pools()
    assert (list(address.windows), list(account.windows)) == (["weight"], ["orders"])
    assert pools()[0] is address
    assert pools()[1] is account
    other = pools(api_key="other")
    assert other[0] is address
    assert other[1] is not account
    assert pools(way_out="socks5://p:1")[0] is not address
    assert pools(way_out="socks5://p:1")[1] is account
    assert pools(host="demo")[0] is not address
    assert pools(clock=ManualClock())[0] is not address
    assert pools(clock=SystemClock())[0] is not address
    elsewhere: list[Any] = []
    thread = threading.Thread(target=lambda: elsewhere.append(pools()))
    thread.start()
    thread.join()
    assert elsewhere[0][0] is not address  # nothing of it is locked


def test_a_budget_is_kept_until_nobody_draws_on_it_and_nothing_of_it_is_used() -> None:
    clock = ManualClock()

    def pool() -> Pool:
        pools = shared_pools("v", [WEIGHT, ORDERS], host="h", way_out="", api_key="k", clock=clock, network=None)
        pools[1].give_up()
        return pools[0]

    first = pool()
    for _ in range(3):
        assert pool() is first
    first.windows["weight"].used = 5
    first.windows["weight"].hold(5, 50)
    for _ in range(4):
        first.give_up()
    assert pool() is first
    first.give_up()
    clock.advance(1)
    assert pool() is not first
