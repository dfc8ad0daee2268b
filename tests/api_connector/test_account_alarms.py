"""Margin calls, liquidations and a rate limit that is nearly used up are incidents of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from perpwire.api_connector.budget_watch import BudgetWatch
from perpwire.api_connector.ledger import RateLedger
from perpwire.clock import ManualClock
from perpwire.model.incident import BudgetEased, BudgetPressed, Incident, MarginCalled, PositionLiquidated
from perpwire.testing import World, offline
from perpwire.venues import VENUES
from perpwire.venues.base import Lane, Limit


def with_a_position(venue: str, story: Callable[[World, list[Incident]], Awaitable[None]]) -> list[Incident]:
    clock = ManualClock()
    heard: list[Incident] = []

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=5) as world:
            connector = world.connectors[venue]
            connector.on_incident(heard.append)
            await connector.open_account_stream()
            await world.clock.sleep(3)
            await connector.place_order("BTCUSDT", "BUY", "1")
            await world.clock.sleep(1)
            await story(world, heard)

    clock.run(main())
    return heard


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_liquidation_of_ours_is_told_once(venue: str) -> None:
    async def story(world: World, heard: list[Incident]) -> None:
        world.simulation.exchanges[venue].force_liquidation("main", "BTCUSDT")
        await world.clock.sleep(5)

    told = [one for one in with_a_position(venue, story) if isinstance(one, PositionLiquidated)]
    assert {(one.venue, one.symbol, one.side) for one in told} == {(venue, "BTCUSDT", "SELL")}
    assert len({one.order_id for one in told}) == len(told)


@pytest.mark.slow
def test_a_margin_call_is_told_with_what_it_is_about() -> None:
    async def story(world: World, heard: list[Incident]) -> None:
        exchange = world.simulation.exchanges["binance"]
        exchange.deposit("main", "USDT", -exchange.wallet("main")["USDT"] + Decimal(6000))
        price = exchange.position_view("main", "BTCUSDT").liquidation_price
        assert price is not None
        for thousandths in range(1010, 1000, -1):
            exchange.force_mark("BTCUSDT", (price * thousandths / 1000).quantize(Decimal("0.1")))
            await world.clock.sleep(2)
            if any(isinstance(one, MarginCalled) for one in heard):
                return

    (called,) = (one for one in with_a_position("binance", story) if isinstance(one, MarginCalled))
    assert (called.symbol, called.quantity) == ("BTCUSDT", Decimal(1))
    assert called.unrealized_pnl < 0 < called.maintenance_margin


MINUTE = Limit(name="weight", limit=100, period_s=60, fixed=True, source="test", scope="ip")


def test_a_limit_that_stays_nearly_used_up_is_told_until_it_has_room(clock: ManualClock) -> None:
    ledger = RateLedger([MINUTE])
    heard: list[Incident] = []
    watch = BudgetWatch("bybit", ledger, clock, heard.append)

    async def main() -> None:
        watch.start()
        receipt = ledger.take({"weight": 75}, Lane.CANCEL, clock.monotonic_ns())
        assert receipt is not None
        ledger.settle(receipt, clock.monotonic_ns())
        await clock.sleep(100)
        watch.stop()
        await clock.sleep(100)

    clock.run(main())
    pressed = [one for one in heard if isinstance(one, BudgetPressed)]
    assert [one.pressed_s for one in pressed] == [10, 20, 30, 40, 50]
    assert {(one.budget, one.share) for one in pressed} == {("weight", 0.75)}
    assert isinstance(heard[-1], BudgetEased)
    assert len(heard) == 6


def test_a_burst_is_no_pressure(clock: ManualClock) -> None:
    ledger = RateLedger([Limit(name="orders", limit=10, period_s=2, fixed=False, source="test")])
    heard: list[Incident] = []
    watch = BudgetWatch("bybit", ledger, clock, heard.append)

    async def main() -> None:
        watch.start()
        for _ in range(10):
            receipt = ledger.take({"orders": 9}, Lane.CANCEL, clock.monotonic_ns())
            assert receipt is not None
            ledger.settle(receipt, clock.monotonic_ns())
            await clock.sleep(5)
        watch.stop()

    clock.run(main())
    assert heard == []
