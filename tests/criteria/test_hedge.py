"""HEDGE: a caller states what is meant (open or close, buy or sell); every road says it as the account's mode wants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.model.account import PositionMode
from perpwire.model.incident import Incident, ModeChanged
from perpwire.model.order import Order, OrderStatus, PositionSide
from perpwire.testing import World, offline

VENUES = ("binance", "bybit")
SYMBOL = "BTCUSDT"
TRADE_PATHS = {"binance": "/ws-fapi/v1", "bybit": "/v5/trade"}

INTENTS: dict[str, tuple[str, bool]] = {
    "open long": ("BUY", False),
    "open short": ("SELL", False),
    "close long": ("SELL", True),
    "close short": ("BUY", True),
}
PATHS = ("rest", "websocket", "conditional")


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with (
            offline(clock=clock, venues=(venue,)) as world,
            world.connector(venue, road="websocket") as connector,
        ):
            await clock.sleep(1.0)  # the trading socket is live
            await scene(world, connector)

    clock.run(main())


async def in_mode(connector: VenueConnector, mode: PositionMode) -> None:
    await connector.set_position_mode(mode, SYMBOL if connector.venue.position_mode_by_symbol else None)


def sent_by_socket(world: World, venue: str) -> int:
    journal = world.simulation.hosts[venue].journal
    trading = {entry.connection for entry in journal.entries(kind="opened") if TRADE_PATHS[venue] in entry.text}
    return sum(entry.connection in trading and SYMBOL in entry.text for entry in journal.entries(kind="received"))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("intent", list(INTENTS))
@pytest.mark.parametrize("mode", list(PositionMode))
@pytest.mark.parametrize("venue", VENUES)
def test_hedge_1_every_intent_is_taken_in_either_mode_on_every_path(
    venue: str, mode: PositionMode, intent: str, path: str
) -> None:
    side, closes = INTENTS[intent]

    async def scene(world: World, connector: VenueConnector) -> None:
        await in_mode(connector, mode)
        if closes:
            await connector.place_order(SYMBOL, "BUY" if side == "SELL" else "SELL", "0.02", road="rest")
            await world.clock.sleep(1.0)
        before = sent_by_socket(world, venue)
        more: dict[str, Any] = {"road": "websocket" if path == "websocket" else "rest", "reduce_only": closes}
        if path == "conditional":
            more |= {"order_type": "STOP_MARKET", "trigger_price": "80000" if side == "BUY" else "50000"}
        order = await connector.place_order(SYMBOL, side, "0.01", **more)
        assert sent_by_socket(world, venue) == before + (path == "websocket")
        await world.clock.sleep(1.0)
        order = await connector.get_order(SYMBOL, order.order_id)
        assert order.status is (OrderStatus.UNTRIGGERED if path == "conditional" else OrderStatus.FILLED)
        expected = PositionSide.BOTH
        if mode is PositionMode.HEDGE:
            expected = PositionSide.LONG if "long" in intent else PositionSide.SHORT
        assert order.position_side is expected
        positions = {one.side: one.quantity for one in world.simulation.hosts[venue].exchange.positions("main")}
        traded = Decimal(0) if path == "conditional" else Decimal("0.01")
        held = Decimal("0.02") - traded if closes else traded
        assert abs(positions.get(expected, Decimal(0))) == held

    play(venue, scene)


@pytest.mark.parametrize("conditional", [False, True], ids=["ordinary", "conditional"])
@pytest.mark.parametrize("venue", VENUES)
def test_hedge_2_a_mode_changed_elsewhere_is_read_once_and_the_order_sent_once_more(
    venue: str, conditional: bool
) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        incidents: list[Incident] = []
        connector.on_incident(incidents.append)
        elsewhere = world.connectors[venue]
        await in_mode(elsewhere, PositionMode.HEDGE)
        more: dict[str, Any] = {"order_type": "STOP_MARKET", "trigger_price": "80000"} if conditional else {}
        order = await connector.place_order(SYMBOL, "BUY", "0.01", **more)
        assert order.position_side is PositionSide.LONG
        assert [one.mode for one in incidents if isinstance(one, ModeChanged)] == ["HEDGE"]
        # What is known now is used from now on.
        await connector.place_order(
            SYMBOL, "SELL", "0.01", **more | ({"trigger_price": "50000"} if conditional else {})
        )
        assert sum(isinstance(one, ModeChanged) for one in incidents) == 1

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_hedge_2_what_was_meant_for_hedge_mode_closes_and_never_opens_in_one_way_mode(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        exchange = world.simulation.hosts[venue].exchange
        await connector.place_order(SYMBOL, "BUY", "0.01", position_side="LONG")
        # It would close the long side in hedge mode: here it may only make the position smaller.
        await connector.place_order(SYMBOL, "SELL", "0.01", position_side="LONG")
        await world.clock.sleep(1.0)
        assert [one.quantity for one in exchange.positions("main") if one.quantity] == []

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_in_hedge_mode_the_order_told_is_the_one_of_its_side(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await in_mode(connector, PositionMode.HEDGE)
        seen: list[Order] = []
        connector.on(Order, seen.append)
        await connector.open_account_stream()
        await connector.place_order(SYMBOL, "SELL", "0.01")
        await world.clock.sleep(1.0)
        assert {one.position_side for one in seen} == {PositionSide.SHORT}
        closed = await connector.close_position(SYMBOL, "SHORT")
        assert closed is not None
        assert closed.position_side is PositionSide.SHORT

    play(venue, scene)
