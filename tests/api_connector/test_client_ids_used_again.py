"""An ordinary order that bears the client order id of a conditional one is not what that one's trigger made, unless the
venue says so. Binance, whose two stores know nothing of each other's ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.playing import play

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.order import Fill, Order, OrderStatus
from perpwire.simulator.faults import Answer, FillOrder, MovePrice, Silence
from perpwire.testing import World

SIZE = Decimal("0.02")


class Scene:
    """An account with a long position, and another program on it."""

    def __init__(self, world: World, other: VenueConnector) -> None:
        self.world, self.other = world, other
        self.connector = world.connectors["binance"]
        self.faults = world.simulation.faults["binance"]
        self.mark = world.simulation.exchanges["binance"].mark_price("BTCUSDT")
        self.told: list[tuple[float, Any]] = []
        self.listen_to(self.connector)

    def listen_to(self, connector: VenueConnector) -> None:
        for kind in (Order, Fill):
            connector.on(kind, lambda one: self.told.append((self.now_s(), one)))

    def now_s(self) -> float:
        return self.world.clock.monotonic_ns() / 1e9

    async def sleep(self, seconds: float) -> None:
        await self.world.clock.sleep(seconds)

    async def sell(self, connector: VenueConnector, kind: str, trigger: str | None, price: str | None = None) -> Order:
        """At those parts of the mark price as it was at first."""
        return await connector.place_order(
            "BTCUSDT", "SELL", SIZE, kind,
            trigger_price=None if trigger is None else self.mark * Decimal(trigger),
            price=None if price is None else self.mark * Decimal(price),
            round="nearest", client_order_id="x",
        )  # fmt: skip

    def statuses(self, order: Order) -> list[OrderStatus]:
        return [one.status for _, one in self.told if isinstance(one, Order) and one.order_id == order.order_id]

    def fills(self) -> list[str]:
        return [one.order_id for _, one in self.told if isinstance(one, Fill)]

    async def is_open_as_at_the_venue(self, *orders: Order) -> None:
        async with self.world.connector("binance") as fresh:
            listed = {(one.order_id, one.status) for one in await fresh.get_open_orders()}
        known = {(one.order_id, one.status) for one in self.connector.account_state.open_orders}
        assert known == listed
        assert {order_id for order_id, _ in known} == {one.order_id for one in orders}


def played(scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def main(world: World) -> None:
        async with world.connector("binance") as other:
            await other.place_order("BTCUSDT", "BUY", "0.2")
            await scenario(Scene(world, other))

    play("binance", main, rate=0.5)


@pytest.mark.parametrize("is_cancelled", [True, False])
@pytest.mark.parametrize("is_gap", [True, False])
@pytest.mark.parametrize("price", ["1.02", "0.979"])
def test_an_ordinary_order_of_the_same_id_and_amount(is_cancelled: bool, is_gap: bool, price: str) -> None:
    """Also at the price of the conditional one: then that is asked for, and nothing is told before."""

    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        stop = await scene.sell(scene.other, "STOP", "0.95", price)
        await scene.sleep(2)
        if is_gap:
            scene.faults.add(Silence(what="data", route="private", seconds=15, then="drop"))
            await scene.sleep(1)
        if is_cancelled:
            await scene.other.cancel_order("BTCUSDT", client_order_id="x")
        limit = await scene.sell(scene.other, "LIMIT", None, "1.02")
        placed_s = scene.now_s()
        await scene.sleep(40 if is_gap else 5)
        await scene.is_open_as_at_the_venue(*([limit] if is_cancelled else [stop, limit]))
        assert scene.statuses(limit) == [OrderStatus.NEW]
        end = [OrderStatus.CANCELED] if is_cancelled else []
        assert scene.statuses(stop) == [OrderStatus.UNTRIGGERED, *end]
        if not is_gap:
            told_s = [at_s for at_s, one in scene.told if one.order_id == limit.order_id]
            assert told_s[0] - placed_s < 2.5
        scene.faults.add(FillOrder(symbol="BTCUSDT"))
        await scene.sleep(10)
        assert scene.statuses(limit) == [OrderStatus.NEW, OrderStatus.FILLED]
        assert scene.statuses(stop) == [OrderStatus.UNTRIGGERED, *end]
        assert scene.fills() == [limit.order_id]
        await scene.is_open_as_at_the_venue(*([] if is_cancelled else [stop]))

    played(scenario)


def test_a_market_order_of_the_same_id_and_amount_is_told_within_five_seconds_though_nobody_can_be_asked() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        stop = await scene.sell(scene.other, "STOP_MARKET", "0.95")
        await scene.sleep(2)
        scene.faults.add(Answer(method="GET", status=503, count=None, for_s=20))
        sold = await scene.sell(scene.other, "MARKET", None)
        await scene.sleep(4)
        assert (scene.statuses(sold), scene.fills()) == ([], [])
        await scene.sleep(2)
        assert scene.statuses(sold)[-1] is OrderStatus.FILLED
        assert set(scene.fills()) == {sold.order_id}
        await scene.sleep(60)
        assert scene.statuses(stop) == [OrderStatus.UNTRIGGERED]
        await scene.is_open_as_at_the_venue(stop)

    played(scenario)


def test_a_stop_of_this_life_is_not_what_the_stop_of_the_last_one_has_become(tmp_path: Path) -> None:
    """It triggered and was filled while the program was down, and the next one was placed under the same id."""

    async def scenario(scene: Scene) -> None:
        journal = str(tmp_path / "journal")
        async with scene.world.connector("binance", journal=journal) as first:
            await first.open_account_stream()
            await scene.sell(first, "STOP_MARKET", "0.995")
            await scene.sleep(2)
        scene.faults.add(MovePrice(symbol="BTCUSDT", share=Decimal("-0.01")))
        await scene.sleep(30)
        async with scene.world.connector("binance", journal=journal) as second:
            scene.listen_to(second)
            scene.connector = second
            stop = await scene.sell(second, "STOP_MARKET", "0.96")
            await second.open_account_stream()
            await scene.sleep(20)
            assert len(scene.fills()) == 1
            assert stop.order_id not in scene.fills()
            await scene.is_open_as_at_the_venue(stop)
            scene.faults.add(MovePrice(symbol="BTCUSDT", share=Decimal("-0.05")))
            await scene.sleep(10)
            assert scene.statuses(stop)[-1] is OrderStatus.FILLED
            assert scene.fills()[1:] == [stop.order_id]

    played(scenario)
