"""By chance: the account's stream is cut, delayed, doubled and overtaken, lists lag and calls fail, while two clients
of one account trade. What handlers were told last of each order is what became of it, and it never went back."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from tests.sizes import size

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import APIError
from perpwire.model.order import Order
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.faults import Answer, Cut, DelayMessage, DuplicateMessage, MovePrice
from perpwire.testing import World, offline

SYMBOL = "BTCUSDT"
STEPS = 60


class Told:
    """What handlers were told of each order last, and what they should not have been told."""

    def __init__(self) -> None:
        self.last: dict[str, Order] = {}
        self.wrong: list[str] = []

    def on_order(self, order: Order) -> None:
        before = self.last.get(order.order_id)
        self.last[order.order_id] = order
        if before is None:
            return
        if before.status.is_final:
            self.wrong.append(f"{order.order_id} after its end: {before.status}, then {order.status}")
        if order.filled_quantity < before.filled_quantity:
            self.wrong.append(f"{order.order_id}: less is filled than before")
        if order.recovered and _as_told(before) == _as_told(order):
            self.wrong.append(f"{order.order_id} is {order.status}, which was told")


def _as_told(order: Order) -> tuple[Any, ...]:
    return (
        order.status, order.filled_quantity, order.price, order.quantity, order.trigger_price, order.child_order_id,
    )  # fmt: skip


def _trouble(chance: random.Random) -> list[Any]:
    return chance.choice(
        [
            [Cut(route="private")],
            [Cut(route="private"), Answer(method="WS", status=503, count=None, for_s=chance.choice((2, 10, 40)))],
            [DelayMessage(of="private", seconds=chance.uniform(0.05, 2), count=chance.randint(1, 4))],
            [DelayMessage(of="private", seconds=chance.uniform(0.05, 2), overtaken=True)],
            [DuplicateMessage(of="private", count=3, times=2, after_each_s=0.2)],
            [Answer(method="GET", status=503, count=None, for_s=chance.uniform(1, 8))],
        ]
    )


async def _trade(who: VenueConnector, name: str, mark: Decimal, resting: list[Order], chance: random.Random) -> None:
    match chance.randrange(5):
        case 0 | 1:
            await who.place_order(SYMBOL, chance.choice(("BUY", "SELL")), "0.01", client_order_id=name)
        case 2:
            price = mark * Decimal("0.95")
            resting.append(
                await who.place_order(
                    SYMBOL, "BUY", "0.01", "LIMIT", price=price, round="down", client_order_id=name
                )
            )  # fmt: skip
        case 3:
            price = mark * Decimal("0.97")
            resting.append(
                await who.place_order(
                    SYMBOL, "SELL", "0.01", "STOP_MARKET", trigger_price=price, round="down", client_order_id=name
                )
            )
        case _ if resting:
            chosen = resting.pop(chance.randrange(len(resting)))
            if chosen.price is None or chance.random() < 0.5:
                await who.cancel_order(SYMBOL, chosen.order_id)
            else:
                await who.amend_order(SYMBOL, chosen.order_id, price=chosen.price - 10 * chance.randint(1, 50))


def play(venue: str, seed: int, scenario: Callable[[World], Awaitable[None]]) -> None:
    clock = ManualClock()
    lag_s = float(random.Random(seed).choice((0, 2)))

    async def main() -> None:
        options = DialectOptions(trades_lag_s=lag_s)
        async with offline(clock=clock, venues=[venue], rate=1.0, seed=seed, options=options) as world:
            await scenario(world)

    clock.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(size(4, 1)))
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_each_order_is_told_forward_only_and_as_it_ended_whatever_becomes_of_the_stream(venue: str, seed: int) -> None:
    chance = random.Random(f"{venue}/{seed}")
    told = Told()

    async def scenario(world: World) -> None:
        mine, exchange, faults = (
            world.connectors[venue],
            world.simulation.exchanges[venue],
            world.simulation.faults[venue],
        )
        async with world.connector(venue) as other:
            mine.on(Order, told.on_order)
            await mine.open_account_stream()
            await world.clock.sleep(5)
            resting: list[Order] = []
            for step in range(STEPS):
                if chance.random() < 0.3:
                    for fault in _trouble(chance):
                        faults.add(fault)
                elif chance.random() < 0.07:
                    faults.add(MovePrice(symbol=SYMBOL, share=Decimal(chance.choice(("-0.05", "0.05")))))
                else:
                    with suppress(APIError):
                        await _trade(
                            chance.choice((mine, other)), f"o-{step}", exchange.mark_price(SYMBOL), resting, chance
                        )
                await world.clock.sleep(chance.choice((0, 0, 0.05, 0.5, 3, 20)))
            faults.clear()
            await world.clock.sleep(400)
            happened = {order.order_id: order async for order in other.get_order_history(SYMBOL)}
        assert told.wrong == []
        assert len(happened) > STEPS / 4
        assert {name: (one.status, one.filled_quantity) for name, one in told.last.items()} == {
            name: (one.status, one.filled_quantity) for name, one in happened.items()
        }
        still = {name: one.price for name, one in happened.items() if not one.status.is_final}
        assert {one.order_id: one.price for one in mine.account_state.open_orders} == still

    play(venue, seed, scenario)
