"""What happens to an account while its owner is away, and by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.simulator.faults import Act, Cut, Deleverage, FillOrder, Liquidate, MovePrice
from perpwire.testing import World, offline

VENUES = ["binance", "bybit"]
TAKEN_BY = {"binance": "liquidation", "bybit": "takeover"}
"""Binance sells in its book first, Bybit takes a small position over at once."""


def in_world(venue: str, test: Any) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,), rate=30.0) as world:
            await clock.sleep(5)
            await test(world)

    clock.run(main())


def said(world: World, venue: str) -> str:
    return world.simulation.journal[venue].entries(kind="fault")[-1].text


@pytest.mark.parametrize("venue", VENUES)
def test_a_resting_order_is_filled_in_parts_by_a_stranger(venue: str) -> None:
    async def test(world: World) -> None:
        exchange, faults = world.simulation.exchanges[venue], world.simulation.faults[venue]
        await world.connectors[venue].place_order("BTCUSDT", "BUY", "0.5", order_type="LIMIT", price="60000")
        await world.clock.sleep(1)
        faults.add(FillOrder(symbol="BTCUSDT", quantity=Decimal("0.2")))
        (order,) = exchange.orders("main", "BTCUSDT")
        assert order.filled_quantity == Decimal("0.2")
        faults.add(FillOrder(order_id=order.order_id))
        (order,) = exchange.orders("main", "BTCUSDT")
        assert order.filled_quantity == Decimal("0.5")
        assert [fill.price for _, fill in exchange.fills("main", None)] == [Decimal(60000)] * 2
        faults.add(FillOrder())
        assert said(world, venue).startswith("could not FillOrder: ")

    in_world(venue, test)


@pytest.mark.parametrize("venue", VENUES)
def test_a_position_is_liquidated_or_deleveraged(venue: str) -> None:
    async def test(world: World) -> None:
        exchange, faults = world.simulation.exchanges[venue], world.simulation.faults[venue]
        await world.connectors[venue].place_order("BTCUSDT", "BUY", "0.5")
        await world.clock.sleep(1)
        assert exchange.position("main", "BTCUSDT").quantity == Decimal("0.5")
        faults.add(Deleverage(symbol="BTCUSDT", quantity=Decimal("0.2")))
        assert exchange.position("main", "BTCUSDT").quantity == Decimal("0.3")
        faults.add(Liquidate(symbol="BTCUSDT"))
        assert exchange.position("main", "BTCUSDT").quantity == 0
        kinds = [fill.kind for _, fill in exchange.fills("main", None)]
        assert [kind for kind in dict.fromkeys(kinds) if kind != "trade"] == ["adl", TAKEN_BY[venue]]
        faults.add(Liquidate(symbol="BTCUSDT"))
        assert said(world, venue).startswith("could not Liquidate: ")

    in_world(venue, test)


@pytest.mark.parametrize("venue", VENUES)
def test_a_price_jumps(venue: str) -> None:
    async def test(world: World) -> None:
        exchange = world.simulation.exchanges[venue]
        before = exchange.mark_price("BTCUSDT")
        world.simulation.faults[venue].add(MovePrice(symbol="BTCUSDT", share=Decimal("0.1")))
        assert Decimal("1.09") < exchange.mark_price("BTCUSDT") / before < Decimal("1.11")
        with pytest.raises(ValueError, match="no symbol 'BTC'"):
            world.simulation.faults[venue].add(MovePrice(symbol="BTC", share=Decimal("0.1")))
        with pytest.raises(ValueError, match="no account 'nobody'"):
            world.simulation.faults[venue].add(FillOrder(account="nobody"))
        with pytest.raises(ValueError, match="no symbol 'BTC'"):
            world.simulation.faults[venue].add(FillOrder(symbol="BTC"))
        for never in (Cut(after_s=-1), Cut(every_s=0), Cut(jitter_s=float("nan"))):
            with pytest.raises(ValueError, match="_s "):
                world.simulation.faults[venue].add(never)
        with pytest.raises(ValueError, match="no part"):
            exchange.force_fill("main", quantity=Decimal(-1))
        with pytest.raises(ValueError, match="no part"):
            exchange.force_adl("main", "BTCUSDT", quantity=Decimal(0))

    in_world(venue, test)


@pytest.mark.parametrize("venue", VENUES)
def test_an_act_that_makes_no_sense_is_told_of_and_not_done(venue: str) -> None:
    async def test(world: World) -> None:
        for seconds in ("x", "nan", "inf"):
            world.simulation.faults[venue].add(Act(do="ban", args={"seconds": seconds}))
            assert said(world, venue).startswith("could not ban: ")

    in_world(venue, test)
