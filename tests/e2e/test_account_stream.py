"""The account stream through losses: what is read back brings everybody up to date, and never turns time back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.clock import ManualClock
from perpwire.errors import AuthenticationFailed
from perpwire.model.account import Balance, Position
from perpwire.model.incident import AccountReadAgain, AccountUnread, Incident
from perpwire.model.market import Event
from perpwire.model.order import Fill, Order, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.faults import Answer, Cut, Delay, DelayMessage, DropMessage, Refuse, Skew
from perpwire.simulator.intents import OrderIntent
from perpwire.testing import World, offline

VENUES = ["binance", "bybit"]
POSITIONS = {"binance": "/fapi/v3/positionRisk", "bybit": "/v5/position/list"}


def in_world(scenario: Callable[[World], Awaitable[None]], venue: str, rate: float = 30.0) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=rate) as world:
            await scenario(world)

    clock.run(main())


def sell(quantity: str) -> OrderIntent:
    """An order placed behind the connector's back, as by the venue's app."""
    return OrderIntent(
        symbol="BTCUSDT", side=Side.SELL, type=OrderType.MARKET, time_in_force=TimeInForce.IOC,
        quantity=Decimal(quantity), price=None, client_order_id="by-hand", reduce_only=True,
    )  # fmt: skip


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_and_its_fill_position_and_balance_come_as_events(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        orders: list[Order] = []
        fills: list[Fill] = []
        connector.on(Order, orders.append)
        connector.on(Fill, fills.append)
        await connector.open_account_stream()
        placed = await connector.place_order("BTCUSDT", "BUY", "0.01")
        await asyncio.sleep(1)
        mine = [order for order in orders if order.client_order_id == placed.client_order_id]
        assert mine[-1].status is OrderStatus.FILLED
        assert sum(fill.quantity for fill in fills) == Decimal("0.01")
        assert all(fill.order_id == placed.order_id and fill.fee and fill.received_ns for fill in fills)
        state = connector.account_state
        position = state.positions["BTCUSDT", PositionSide.BOTH]
        assert (position.quantity, state.open_orders) == (Decimal("0.01"), ())
        exchange = world.simulation.exchanges[venue]
        assert state.balances["USDT"].wallet == exchange.wallet("main")["USDT"]
        assert position.entry_price == exchange.position("main", "BTCUSDT").entry_price

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_what_happened_while_the_stream_was_away_is_told_on_its_return(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.open_account_stream()
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        price = world.simulation.exchanges[venue].mark_price("BTCUSDT") * Decimal("0.9")
        resting = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down")
        await asyncio.sleep(1)
        told: list[Event] = []
        kinds: tuple[type[Event], ...] = (Order, Position, Balance)
        for kind in kinds:
            connector.on(kind, told.append)
        faults = world.simulation.faults[venue]
        faults.add(Cut())
        faults.add(Refuse(seconds=3))
        exchange = world.simulation.exchanges[venue]
        exchange.place("main", sell("0.01"))
        exchange.cancel("main", "BTCUSDT", order_id=None, client_order_id=resting.client_order_id)
        await asyncio.sleep(20)
        assert set(connector.states.values()) == {State.LIVE}
        ends = [one for one in told if isinstance(one, Order) and one.client_order_id == resting.client_order_id]
        assert [order.status for order in ends] == [OrderStatus.CANCELED]
        assert connector.account_state.positions["BTCUSDT", PositionSide.BOTH].quantity == 0
        assert connector.account_state.balances["USDT"].wallet == exchange.wallet("main")["USDT"]
        assert connector.account_state.open_orders == ()

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_slow_answer_never_overwrites_what_the_stream_has_said_since(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.open_account_stream()
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await asyncio.sleep(1)
        positions: list[Decimal] = []
        connector.on(Position, lambda position: positions.append(position.quantity))
        faults = world.simulation.faults[venue]
        faults.add(Delay(method="GET", path=POSITIONS[venue], seconds=3, where="answer"))
        faults.add(Cut())
        await asyncio.sleep(1.5)  # live again; the positions have been read at the venue and are under way
        world.simulation.exchanges[venue].place("main", sell("0.01"))
        await asyncio.sleep(10)
        assert positions[-1] == 0
        assert Decimal("0.01") not in positions
        assert connector.account_state.positions["BTCUSDT", PositionSide.BOTH].quantity == 0

    in_world(scenario, venue)


def test_a_listen_key_is_kept_alive_for_hours() -> None:
    async def scenario(world: World) -> None:
        connector = world.binance
        await connector.open_account_stream()
        await asyncio.sleep(3 * 3600)  # the key lives one hour, and is kept alive
        assert sum(connector.streams.reconnects.values()) == 0
        orders: list[Order] = []
        connector.on(Order, orders.append)
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await asyncio.sleep(1)
        assert orders[-1].status is OrderStatus.FILLED

    in_world(scenario, "binance", rate=0.05)


def test_a_listen_key_that_the_venue_has_dropped_is_replaced_and_the_stream_goes_on() -> None:
    async def scenario(world: World) -> None:
        connector = world.binance
        await connector.open_account_stream()
        gone = Answer(method="PUT", path="/fapi/v1/listenKey", status=400, body='{"code":-1125,"msg":"No such key."}')
        world.simulation.faults["binance"].add(gone)
        await asyncio.sleep(1900)  # past the first keep-alive
        assert sum(connector.streams.reconnects.values()) == 1
        orders: list[Order] = []
        connector.on(Order, orders.append)
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await asyncio.sleep(1)
        assert orders[-1].status is OrderStatus.FILLED

    in_world(scenario, "binance", rate=0.05)


@pytest.mark.parametrize("venue", VENUES)
def test_an_asset_that_is_spent_while_we_are_away_is_told_as_empty(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.open_account_stream()
        # The venues leave out assets that an account has none of.
        connector.account_state.on_balance(Balance(venue=venue, symbol="", asset="XRP", wallet=Decimal(5)))
        told: list[Balance] = []
        connector.on(Balance, told.append)
        world.simulation.faults[venue].add(Cut())
        await asyncio.sleep(10)
        assert connector.account_state.balances["XRP"].wallet == 0
        assert [balance.wallet for balance in told if balance.asset == "XRP"] == [0]
        assert connector.account_state.balances["USDT"].wallet == 100_000

    in_world(scenario, venue)


ACCOUNT = {"binance": "ACCOUNT_UPDATE", "bybit": '"topic":"position'}


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("step_s", [0.0, -1.0, -3600.0])
def test_of_two_copies_one_that_is_late_never_sets_a_position_back(venue: str, step_s: float) -> None:
    """Though the venue's clock is put back meanwhile."""

    async def scenario(world: World) -> None:
        async with world.connector(venue, stream_settings=StreamSettings(copies=2)) as connector:
            host = world.simulation.hosts[venue]
            before = set(host.connections)
            await connector.open_account_stream()
            await asyncio.sleep(10)
            one, other = sorted(set(host.connections) - before)[-2:]
            told: list[Decimal] = []
            connector.on(Position, lambda position: told.append(position.quantity))
            faults = world.simulation.faults[venue]
            said = ACCOUNT[venue]
            faults.add(DelayMessage(of="private", connection=one, contains=said, seconds=2))
            faults.add(DropMessage(of="private", connection=other, contains=said))
            await connector.place_order("BTCUSDT", "BUY", "0.01")
            await asyncio.sleep(0.5)
            await connector.place_order("BTCUSDT", "BUY", "0.02")
            await asyncio.sleep(0.3)
            assert told[-1] == Decimal("0.03")
            if step_s:
                faults.add(Skew(seconds=step_s, is_step=True))
                await connector.place_order("BTCUSDT", "BUY", "0.03")
                await asyncio.sleep(0.3)
            await asyncio.sleep(3)
            expected = [Decimal("0.03"), Decimal("0.06")] if step_s else [Decimal("0.03")]
            assert told == expected
            assert connector.account_state.positions["BTCUSDT", PositionSide.BOTH].quantity == expected[-1]

    in_world(scenario, venue, rate=0.5)


@pytest.mark.parametrize("venue", VENUES)
def test_an_account_that_cannot_be_read_is_told_of_once_and_its_stream_is_not_live_until_it_is(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        told: list[Incident] = []
        connector.on_incident(told.append)
        faults = world.simulation.faults[venue]
        for begins in (True, False):
            faults.add(Answer(method="GET", path=POSITIONS[venue], status=503, count=None, for_s=25.0))
            if begins:
                opening = asyncio.ensure_future(connector.open_account_stream())
            else:
                faults.add(Cut())
            await asyncio.sleep(4)
            assert not [one for one in told if isinstance(one, AccountUnread)]
            await asyncio.sleep(15)
            assert set(connector.states.values()) == {State.LIVE}
            assert not connector.is_account_stream_live
            (unread,) = [one for one in told if isinstance(one, AccountUnread)]
            assert unread.unread_s < 30
            assert unread.attempts > 1
            assert opening.done() is not begins
            await asyncio.sleep(60)
            assert opening.done()
            assert connector.is_account_stream_live
            assert [type(one) for one in told if isinstance(one, AccountUnread | AccountReadAgain)] == [
                AccountUnread, AccountReadAgain
            ]  # fmt: skip
            told.clear()

    in_world(scenario, venue, rate=0.5)


def test_a_key_that_may_not_read_the_account_is_an_error_at_once() -> None:
    async def scenario(world: World) -> None:
        connector = world.bybit
        told: list[Incident] = []
        connector.on_incident(told.append)
        refusal = Answer(
            method="GET", path=POSITIONS["bybit"], status=200, count=None,
            body='{"retCode":10005,"retMsg":"Permission denied","result":{},"time":1790000000000}',
        )  # fmt: skip
        world.simulation.faults["bybit"].add(refusal)
        async with asyncio.timeout(3):
            with pytest.raises(AuthenticationFailed, match="Permission denied"):
                await connector.open_account_stream()
        assert not connector.is_account_stream_live
        assert connector.states == {}
        assert told == []

    in_world(scenario, "bybit", rate=0.5)
