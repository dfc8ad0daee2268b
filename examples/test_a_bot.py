"""A user's own test: the bot's order survives a lost answer, in virtual time."""

import asyncio
from decimal import Decimal

from perpwire.clock import ManualClock
from perpwire.simulator.faults import LoseAnswer
from perpwire.testing import offline


async def scenario(clock: ManualClock) -> None:
    async with offline(clock=clock, venues=["bybit"]) as world:
        world.simulation.faults["bybit"].add(LoseAnswer(method="POST", path="/v5/order/create"))
        order = await world.bybit.place_order("BTCUSDT", "Buy", "0.01")
        await asyncio.sleep(1)
        (position,) = await world.bybit.get_positions()
        assert position.quantity == order.quantity == Decimal("0.01")


def test_an_order_whose_answer_is_lost_is_placed_once() -> None:
    clock = ManualClock()
    clock.run(scenario(clock))


if __name__ == "__main__":
    test_an_order_whose_answer_is_lost_is_placed_once()
