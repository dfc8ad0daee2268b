"""Orders while the line, the clock, the caller or the connector gives way: what is said of them is true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.errors import BadInput, NotSent, OutcomeUnknown, RateLimited
from perpwire.model.incident import Incident
from perpwire.model.order import OrderStatus
from perpwire.simulator.faults import Answer, Cut, Delay, LoseAnswer, LoseRequest
from perpwire.testing import World, offline

VENUES = ["binance", "bybit"]
PLACE = {"binance": "/fapi/v1/order", "bybit": "/v5/order/create"}
CANCEL = {"binance": ("DELETE", "/fapi/v1/order"), "bybit": ("POST", "/v5/order/cancel")}


def in_world(scenario: Callable[[World], Awaitable[None]], venue: str, **options: Any) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], **options) as world:
            await scenario(world)

    clock.run(main())


def placed(world: World, venue: str) -> int:
    return len(world.simulation.exchanges[venue].orders("main", None))


async def resting(world: World, venue: str) -> Any:
    price = world.simulation.exchanges[venue].mark_price("BTCUSDT") * Decimal("0.9")
    return await world.connectors[venue].place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, round="down")


def test_a_callers_longer_window_is_waited_out_before_an_order_is_said_not_to_exist() -> None:
    async def scenario(world: World) -> None:
        world.simulation.faults["binance"].add(Delay(method="POST", path=PLACE["binance"], seconds=30, where="request"))
        order = await world.connector("binance", timeout_s=1).__aenter__()
        done = await order.place_order("BTCUSDT", "BUY", "0.01", recvWindow=60000)
        assert done.status in (OrderStatus.FILLED, OrderStatus.NEW)
        await order.close()
        assert placed(world, "binance") == 1

    in_world(scenario, "binance")


@pytest.mark.parametrize("venue", VENUES)
def test_a_client_id_of_none_in_the_venues_words_is_no_id(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        world.simulation.faults[venue].add(LoseAnswer(method="POST", path=PLACE[venue]))
        none: dict[str, Any] = {connector.venue.client_id_param: None}
        order = await connector.place_order("BTCUSDT", "BUY", "0.01", **none)
        assert order.client_order_id.startswith("pw-")
        assert placed(world, venue) == 1

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_closing_while_an_order_is_under_way_leaves_it_unknown_and_nothing_is_sent_after(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connector(venue)
        await connector.start()
        await connector.get_instruments()
        world.simulation.faults[venue].add(LoseAnswer(method="POST", path=PLACE[venue]))
        under_way = asyncio.create_task(connector.place_order("BTCUSDT", "BUY", "0.01"))
        await asyncio.sleep(0.001)
        await connector.close()
        with pytest.raises(OutcomeUnknown) as caught:
            await under_way
        assert caught.value.client_order_id
        await asyncio.sleep(1)  # Bybit's orders reach the book a moment after they are taken in
        assert placed(world, venue) == 1
        with pytest.raises(NotSent):
            await connector.place_order("BTCUSDT", "BUY", "0.01")
        assert placed(world, venue) == 1

    in_world(scenario, venue)


def test_an_order_that_waits_for_its_budget_is_never_sent_after_the_connector_is_closed() -> None:
    async def scenario(world: World) -> None:
        connector = world.connector("bybit")
        await connector.start()
        await connector.get_instruments()
        orders = [asyncio.create_task(connector.place_order("BTCUSDT", "BUY", "0.01")) for _ in range(15)]
        await asyncio.sleep(0.3)
        await connector.close()
        ends = await asyncio.gather(*orders, return_exceptions=True)
        await asyncio.sleep(60)
        sent = [end for end in ends if not isinstance(end, BaseException)]
        assert placed(world, "bybit") == len(sent) == 9  # the tenth is kept for an order that reduces
        assert all(isinstance(end, NotSent) for end in ends if isinstance(end, BaseException))

    in_world(scenario, "bybit")


@pytest.mark.parametrize("venue", VENUES)
def test_an_old_order_with_the_same_client_id_is_not_taken_for_the_new_one(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.place_order("BTCUSDT", "BUY", "0.02", client_order_id="mine")
        await asyncio.sleep(30)
        world.simulation.faults[venue].add(LoseRequest(method="POST", path=PLACE[venue]))
        with pytest.raises(NotSent, match="was not placed"):
            await connector.place_order("BTCUSDT", "BUY", "0.03", client_order_id="mine")
        assert placed(world, venue) == 1

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_handler_of_incidents_that_raises_stops_nothing(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]

        def fail(incident: Incident) -> None:
            raise RuntimeError("the user's mistake")

        connector.on_incident(fail)
        book = await connector.open_book("BTCUSDT")
        world.simulation.faults[venue].add(Cut())
        world.simulation.faults[venue].add(LoseAnswer(method="POST", path=PLACE[venue]))
        assert (await connector.place_order("BTCUSDT", "BUY", "0.01")).order_id
        await asyncio.sleep(5)
        assert book.is_in_sync

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_whose_caller_gives_up_is_told_of_as_doubtful(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        incidents: list[Incident] = []
        connector.on_incident(incidents.append)
        await connector.get_instruments()
        world.simulation.faults[venue].add(Delay(method="POST", path=PLACE[venue], seconds=5))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await connector.place_order("BTCUSDT", "BUY", "0.01", client_order_id="given-up")
        (doubt,) = incidents
        assert (type(doubt).__name__, getattr(doubt, "client_order_id", "")) == ("OrderDoubtful", "given-up")
        assert connector.metrics.get_stats()["error_rate"] > 0

    in_world(scenario, venue)


def test_during_a_long_ban_an_order_is_refused_at_once_and_not_sent_a_day_later() -> None:
    async def scenario(world: World) -> None:
        ban = Answer(method="GET", path="/fapi/v1/openOrders", status=418, headers={"Retry-After": "86400"},
                     body='{"code":-1003,"msg":"Way too many requests; banned"}')  # fmt: skip
        world.simulation.faults["binance"].add(ban)
        with pytest.raises(RateLimited):
            await world.binance.get_open_orders()
        began = world.clock.monotonic_ns()
        with pytest.raises(RateLimited) as caught:
            await world.binance.place_order("BTCUSDT", "BUY", "0.01")
        assert caught.value.retry_after_s > 86_000
        assert world.clock.monotonic_ns() - began < 1_000_000_000
        assert placed(world, "binance") == 0

    in_world(scenario, "binance")


def test_an_order_limit_does_not_hold_back_a_cancel() -> None:
    async def scenario(world: World) -> None:
        order = await resting(world, "binance")
        world.simulation.faults["binance"].add(
            Answer(method="POST", path=PLACE["binance"], status=429, headers={"Retry-After": "40"},
                   body='{"code":-1015,"msg":"Too many new orders."}')
        )  # fmt: skip
        with pytest.raises(RateLimited):
            await world.binance.place_order("BTCUSDT", "BUY", "0.01")
        began = world.clock.monotonic_ns()
        await world.binance.cancel_order("BTCUSDT", order.order_id)
        assert world.clock.monotonic_ns() - began < 1_000_000_000

    in_world(scenario, "binance")


@pytest.mark.parametrize("venue", VENUES)
def test_a_cancel_whose_answer_is_lost_returns_the_cancelled_order(venue: str) -> None:
    async def scenario(world: World) -> None:
        order = await resting(world, venue)
        await asyncio.sleep(1)
        method, path = CANCEL[venue]
        world.simulation.faults[venue].add(LoseAnswer(method=method, path=path))
        cancelled = await world.connectors[venue].cancel_order("BTCUSDT", order.order_id)
        assert cancelled.status is OrderStatus.CANCELED

    in_world(scenario, venue)


def test_an_acknowledged_amend_that_can_not_be_read_back_is_not_said_to_be_unsent() -> None:
    async def scenario(world: World) -> None:
        order = await resting(world, "bybit")
        await asyncio.sleep(1)
        known = await world.bybit.get_order("BTCUSDT", order.order_id)
        assert known.price is not None
        world.simulation.faults["bybit"].add(
            LoseAnswer(method="GET", path="/v5/order/realtime", count=1000, after_s=0.03)
        )
        with pytest.raises(OutcomeUnknown, match="amend_order was acknowledged"):
            await world.bybit.amend_order("BTCUSDT", order.order_id, price=known.price - 100)

    in_world(scenario, "bybit", latency_s=0.02)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(
    "arguments",
    [
        {"symbol": "BTC/USDT:USDT-261225"},
        {"symbol": None},
        {"quantity": "1e30"},
        {"quantity": "1e999999999", "round": "down"},
        {"round": "sideways"},
        {"order_type": 5},
        {"quantity": float("nan")},
        {"side": None},
    ],
    ids=str,
)
def test_every_kind_of_bad_argument_is_bad_input_with_the_venue(venue: str, arguments: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        good: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"}
        with pytest.raises(BadInput) as caught:
            await world.connectors[venue].place_order(**{**good, **arguments})
        assert caught.value.venue == venue
        assert placed(world, venue) == 0

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_fifty_calls_at_once_after_a_clock_step_measure_the_clock_once(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await asyncio.sleep(1)  # the three questions of the start
        world.simulation.hosts[venue].skew(-30)
        before = connector.metrics.get_stats()["total_requests"]
        await asyncio.gather(*(connector.get_account_info() for _ in range(20)))
        assert connector.metrics.get_stats()["total_requests"] - before <= 20 + 20 + 3

    in_world(scenario, venue)


def test_a_burst_of_orders_keeps_the_venues_budget() -> None:
    async def scenario(world: World) -> None:
        incidents: list[Incident] = []
        world.bybit.on_incident(incidents.append)
        orders = await asyncio.gather(*(world.bybit.place_order("BTCUSDT", "BUY", "0.001") for _ in range(60)))
        await asyncio.sleep(1)
        assert len({order.order_id for order in orders}) == placed(world, "bybit") == 60
        assert incidents == []

    in_world(scenario, "bybit", latency_s=0.05, order_latency_s=0.05)
