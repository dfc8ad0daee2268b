"""What handlers are told of orders, positions and balances: never what is older, and after a gap all that is other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.playing import play

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.account import AccountEvent, Balance, Position
from perpwire.model.market import Event, Gap
from perpwire.model.order import FastFill, Fill, Order, OrderStatus
from perpwire.simulator.faults import Answer, Close, Cut, DelayMessage, DropMessage, MovePrice, Refuse
from perpwire.testing import World

VENUES = ["binance", "bybit"]
OPEN_ORDERS = {"binance": "/fapi/v1/openOrders", "bybit": "/v5/order/realtime"}
KINDS: tuple[type[Event], ...] = (Order, Position, Balance, Gap)
OF_THE_ACCOUNT = (Order, Fill, FastFill, Position, Balance, AccountEvent)


class Scene:
    """A watched account, and a second client of the same account; `told` is what handlers of the first one hear."""

    def __init__(self, world: World, venue: str, other: VenueConnector) -> None:
        self.world, self.venue, self.other = world, venue, other
        self.connector = world.connectors[venue]
        self.told: list[Event] = []
        for kind in KINDS:
            self.connector.on(kind, self.told.append)

    def fault(self, *faults: Any) -> None:
        for fault in faults:
            self.world.simulation.faults[self.venue].add(fault)

    def away(self, seconds: float) -> None:
        """The account's stream is lost, and can't be had again for so long."""
        self.fault(Cut(route="private"), Answer(method="WS", status=503, count=None, for_s=seconds))

    def of(self, kind: type[Event]) -> list[Any]:
        return [one for one in self.told if isinstance(one, kind)]

    async def sleep(self, seconds: float) -> None:
        await self.world.clock.sleep(seconds)

    async def rest(self, connector: VenueConnector, name: str = "", share: str = "0.9") -> Order:
        """An order far below the market."""
        price = self.world.simulation.exchanges[self.venue].mark_price("BTCUSDT") * Decimal(share)
        return await connector.place_order(
            "BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down", client_order_id=name or None
        )


async def open_orders_as_told(scene: Scene) -> str:
    """The venue's answer, to be given again when it is old."""
    asked = None if scene.venue == "binance" else {"category": "linear", "symbol": "BTCUSDT"}
    told = await scene.connector.call("GET", OPEN_ORDERS[scene.venue], asked)
    if scene.venue == "bybit":
        told = {"retCode": 0, "retMsg": "OK", "result": told, "retExtInfo": {}, "time": 1_790_000_000_000}
    return msgspec.json.encode(told).decode()


def watched(venue: str, scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def main(world: World) -> None:
        async with world.connector(venue) as other:
            scene = Scene(world, venue, other)
            await scene.connector.open_account_stream()
            await scene.sleep(15)
            await scenario(scene)

    play(venue, main, rate=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_the_stream_says_late_of_an_order_that_has_ended_is_not_told_and_is_counted(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        new = '"X":"NEW"' if venue == "binance" else '"orderStatus":"New"'
        scene.fault(DelayMessage(of="private", contains=new, seconds=0.6, overtaken=True))
        placed = await scene.rest(scene.connector)
        await scene.sleep(0.1)
        await scene.connector.cancel_order("BTCUSDT", placed.order_id)
        await scene.sleep(60)
        assert [one.status for one in scene.of(Order)] == [OrderStatus.CANCELED]
        assert scene.connector.account_state.late_orders == 1

    watched(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_list_that_is_older_than_the_stream_takes_nothing_back_after_a_gap(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        placed = await scene.rest(scene.connector)
        await scene.sleep(5)
        old = await open_orders_as_told(scene)
        await scene.connector.cancel_order("BTCUSDT", placed.order_id)
        await scene.sleep(0.3)
        path = OPEN_ORDERS[venue]
        scene.fault(Answer(method="GET", path=path, status=200, body=old, count=None, for_s=3.0))
        scene.fault(Cut(route="private"))
        await scene.sleep(60)
        assert [one.status for one in scene.of(Order)] == [OrderStatus.NEW, OrderStatus.CANCELED]
        assert next(one.kind for one in scene.of(Gap)) == "Order"

    watched(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_orders_born_and_ended_while_the_stream_was_away_are_told_in_order_of_time_and_the_unchanged_ones_are_not(
    venue: str,
) -> None:
    async def scenario(scene: Scene) -> None:
        quiet = await scene.rest(scene.connector)
        await scene.sleep(3)
        scene.told.clear()
        scene.away(20)
        await scene.sleep(1)
        filled = await scene.other.place_order("BTCUSDT", "BUY", "0.02", client_order_id="at-market")
        await scene.sleep(1)
        ended = await scene.rest(scene.other, "cancelled")
        await scene.other.cancel_order("BTCUSDT", ended.order_id)
        await scene.sleep(1)
        own = await scene.connector.place_order("BTCUSDT", "SELL", "0.01", client_order_id="own")
        await scene.sleep(1)
        still = await scene.rest(scene.other, "open")
        await scene.sleep(60)
        orders = scene.of(Order)
        assert [(one.order_id, one.status) for one in orders] == [
            (filled.order_id, OrderStatus.FILLED),
            (ended.order_id, OrderStatus.CANCELED),
            (own.order_id, OrderStatus.FILLED),
            (still.order_id, OrderStatus.NEW),
        ]
        assert all(one.recovered and not one.received_ns for one in orders)
        assert [(one.quantity, one.recovered) for one in scene.of(Position)] == [(Decimal("0.01"), True)]
        assert [one.recovered for one in scene.of(Balance)] == [True]
        first = next(n for n, one in enumerate(scene.told) if not isinstance(one, Gap))
        assert {one.kind for one in scene.told[:first] if isinstance(one, Gap)} == {
            kind.__name__ for kind in OF_THE_ACCOUNT
        }
        known = {order.order_id for order in scene.connector.account_state.open_orders}
        assert known == {quiet.order_id, still.order_id}

    watched(venue, scenario)


def test_at_binance_what_became_of_conditional_orders_meanwhile_is_told_under_their_ids() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.place_order("BTCUSDT", "BUY", "0.05")
        mark = scene.world.simulation.exchanges["binance"].mark_price("BTCUSDT")
        known = await scene.connector.place_order(
            "BTCUSDT", "SELL", "0.02", "STOP_MARKET", trigger_price=mark * Decimal("0.97"), round="nearest"
        )
        await scene.sleep(3)
        scene.told.clear()
        scene.away(20)
        await scene.sleep(1)
        by_hand = await scene.other.place_order(
            "BTCUSDT",
            "SELL",
            "0.01",
            "STOP_MARKET",
            trigger_price=mark * Decimal("0.98"),
            round="nearest",
            client_order_id="by-hand",
        )
        dropped = await scene.other.place_order(
            "BTCUSDT",
            "SELL",
            "0.01",
            "STOP_MARKET",
            trigger_price=mark * Decimal("0.5"),
            round="nearest",
            client_order_id="dropped",
        )
        await scene.other.cancel_order("BTCUSDT", dropped.order_id)
        scene.fault(MovePrice(symbol="BTCUSDT", share=Decimal("-0.05")))
        await scene.sleep(60)
        told = {one.order_id: one.status for one in scene.of(Order)}
        assert told == {
            known.order_id: OrderStatus.FILLED,
            by_hand.order_id: OrderStatus.FILLED,
            dropped.order_id: OrderStatus.CANCELED,
        }
        assert len(scene.of(Order)) == 3
        (gap,) = [one for one in scene.of(Gap) if one.kind == "Order"]
        assert gap.repaired
        assert "never heard of" in gap.why

    watched("binance", scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_gap_is_told_for_each_kind_of_the_account_with_what_becomes_of_it(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        names = ("orders", "fills", "fast_fills", "positions", "balances", "account")
        queues = {name: await getattr(scene.connector, f"watch_{name}")() for name in names}
        await scene.sleep(5)
        scene.fault(Close(route="private"))
        await scene.sleep(30)
        gaps = {}
        for name, queue in queues.items():
            queue.close()
            (gap,) = [one async for one in queue if isinstance(one, Gap)]
            gaps[name] = gap
        assert [gap.kind for gap in gaps.values()] == [kind.__name__ for kind in OF_THE_ACCOUNT]
        assert [name for name, gap in gaps.items() if not gap.repaired] == ["fast_fills", "account"]

    watched(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_orders_that_the_venue_may_have_forgotten_are_said_to_be_missing(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps what ended without a fill for some days; here for two minutes, and it can't be asked for three."""

    async def scenario(scene: Scene) -> None:
        monkeypatch.setattr(type(scene.connector.venue), "ended_orders_kept_ms", 120_000)
        scene.fault(Cut(), Refuse(seconds=180))
        await scene.sleep(300)
        assert scene.connector.is_account_stream_live
        (gap,) = [one for one in scene.of(Gap) if one.kind == "Order"]
        assert not gap.repaired
        assert "keeps orders that ended without a fill" in gap.why

    watched(venue, scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_what_the_stream_kept_back_without_a_gap_is_told_after_one_when_a_reading_shows_it(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fault(DropMessage(of="private", count=None, for_s=2))
        filled = await scene.other.place_order("BTCUSDT", "BUY", "0.02", client_order_id="by-hand")
        ended = await scene.rest(scene.other, "cancelled")
        await scene.other.cancel_order("BTCUSDT", ended.order_id)
        await scene.sleep(60)
        kinds = [type(one).__name__.lstrip("_") for one in scene.told]
        assert kinds.index("Gap") < kinds.index("Order")
        assert [(one.order_id, one.status, one.recovered) for one in scene.of(Order)] == [
            (filled.order_id, OrderStatus.FILLED, True),
            (ended.order_id, OrderStatus.CANCELED, True),
        ]

    watched(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_half_an_hour_with_orders_answered_and_told_has_no_gap(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        for _ in range(8):
            order = await scene.rest(scene.connector)
            await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
            await scene.sleep(97)
            assert order.price is not None
            await scene.connector.amend_order("BTCUSDT", order.order_id, price=order.price - 10)
            await asyncio.gather(
                scene.connector.cancel_order("BTCUSDT", order.order_id),
                scene.connector.place_order("BTCUSDT", "SELL", "0.01"),
            )
            await scene.sleep(83)
        assert scene.of(Gap) == []
        assert not [one for one in scene.of(Order) if one.recovered]
        assert scene.connector.account_state.late_orders == 0

    watched(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_conditional_orders_that_the_stream_told_are_not_told_again_by_readings(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        connector, exchange = scene.connector, scene.world.simulation.exchanges[venue]
        await connector.place_order("BTCUSDT", "BUY", "0.05")
        mark = exchange.mark_price("BTCUSDT")
        stops: tuple[tuple[str, dict[str, Any]], ...] = (
            ("0.98", {"order_type": "STOP", "quantity": "0.01", "price": mark * Decimal("0.95")}),
            ("0.98", {"order_type": "STOP", "quantity": "0.01", "price": mark * Decimal("1.01")}),
            ("0.97", {"order_type": "STOP_MARKET", "quantity": "0.01"}),
            ("0.96", {"order_type": "STOP_MARKET", "quantity": None, "close_position": True}),
            ("0.5", {"order_type": "STOP_MARKET", "quantity": "0.01"}),
        )
        for share, how in stops:
            await connector.place_order("BTCUSDT", "SELL", trigger_price=mark * Decimal(share), round="nearest", **how)
        await scene.sleep(5)
        scene.fault(MovePrice(symbol="BTCUSDT", share=Decimal("-0.06")))
        await scene.sleep(700)
        assert scene.of(Gap) == []
        assert not [one for one in scene.told if one.recovered]
        statuses = {one.order_id: one.status for one in scene.of(Order)}
        assert sorted(statuses.values()) == sorted(
            [OrderStatus.FILLED] * 3 + [OrderStatus.NEW] * 2 + [OrderStatus.UNTRIGGERED]
        )

    watched(venue, scenario)
