"""The names and signatures that trading programs are written against, used exactly as written there."""

from __future__ import annotations

import asyncio
import inspect
from decimal import Decimal

import pytest

import perpwire
from perpwire import (
    APIError,
    APIMetrics,
    BinanceFuturesConnector,
    BookTicker,
    BybitConnector,
    CallableSink,
    ClockSkewed,
    ExchangeConnector,
    InsufficientBalance,
    Notifier,
    Order,
    RateLimited,
    RateLimiter,
    Trade,
    UnknownOrder,
    WebSocketManager,
)
from perpwire.clock import ManualClock
from perpwire.notification.alert import Alert
from perpwire.simulator.faults import Cut
from perpwire.testing import World, offline
from perpwire.venues import load


def test_exchange_connector_is_abstract_with_the_four_methods() -> None:
    assert inspect.isabstract(ExchangeConnector)
    assert ExchangeConnector.__abstractmethods__ == {
        "get_account_info", "place_order", "get_positions", "cancel_order",
    }  # fmt: skip
    for name in ExchangeConnector.__abstractmethods__:
        assert inspect.iscoroutinefunction(getattr(ExchangeConnector, name))
    assert list(inspect.signature(ExchangeConnector.place_order).parameters) == [
        "self", "symbol", "side", "quantity", "kwargs",
    ]  # fmt: skip
    assert list(inspect.signature(ExchangeConnector.cancel_order).parameters) == ["self", "symbol", "order_id"]


def test_binance_connector_takes_key_and_secret_and_talks_to_the_live_host() -> None:
    connector = BinanceFuturesConnector("key", "secret")
    assert isinstance(connector, ExchangeConnector)
    assert "fapi.binance.com" in repr(connector)
    assert "secret" not in repr(connector)
    assert BinanceFuturesConnector(api_key="key", secret_key="secret")


def test_bybit_connector_takes_key_secret_and_testnet() -> None:
    assert "https://api.bybit.com" in repr(BybitConnector("key", "secret"))
    assert "https://api-testnet.bybit.com" in repr(BybitConnector("key", "secret", testnet=True))
    assert "https://api-testnet.bybit.com" in repr(BybitConnector("key", "secret", True))
    assert BybitConnector(api_key="key", secret_key="secret", testnet=False)


def in_world(scenario: object, **options: object) -> World:
    """Run `scenario(world)` in virtual time."""
    clock = ManualClock()
    worlds: list[World] = []

    async def main() -> None:
        async with offline(clock=clock, **options) as world:  # type: ignore[arg-type]
            worlds.append(world)
            await scenario(world)  # type: ignore[operator]

    clock.run(main())
    return worlds[0]


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_the_four_methods_on_a_connector_used_as_an_async_context_manager(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with world.connector(venue) as connector:
            account = await connector.get_account_info()
            assert account.equity == Decimal(100000)
            await connector.place_order("BTCUSDT", "BUY", 0.01)
            await asyncio.sleep(1)
            (position,) = await connector.get_positions()
            assert position.quantity == Decimal("0.01")
            resting = await connector.place_order(
                "BTCUSDT",
                "BUY",
                0.01,
                order_type="LIMIT",
                price=(position.entry_price or 0) * Decimal("0.9"),
                round="down",
            )
            await asyncio.sleep(1)
            await connector.cancel_order("BTCUSDT", resting.order_id)
            await asyncio.sleep(1)
            assert await connector.get_open_orders() == ()

    in_world(scenario)


@pytest.mark.parametrize("side", ["BUY", "buy", "Buy"])
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_side_is_taken_in_any_case(venue: str, side: str) -> None:
    async def scenario(world: World) -> None:
        order = await world.connectors[venue].place_order("BTCUSDT", side, "0.01")
        assert order.side == "BUY"

    in_world(scenario, venues=[venue])


def test_order_type_is_market_by_default_and_extra_keyword_arguments_reach_the_venue() -> None:
    async def scenario(world: World) -> None:
        order = await world.binance.place_order("BTCUSDT", "SELL", "0.01", newClientOrderId="my-own-id")
        assert (order.type, order.client_order_id) == ("MARKET", "my-own-id")
        post_only = await world.binance.place_order(
            "BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="50000", timeInForce="GTX"
        )
        assert post_only.time_in_force == "POST_ONLY"
        bybit = await world.bybit.place_order("BTCUSDT", "Buy", "0.01", orderLinkId="my-own-id")
        assert bybit.client_order_id == "my-own-id"

    in_world(scenario)


def test_websocket_manager_streams_both_venues_and_resubscribes_after_a_cut() -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock) as world:
            manager = WebSocketManager(urls=world.simulation.urls, clock=clock, sockets=world.network)
            seen: list[tuple[str, str]] = []
            manager.on(Trade, lambda event: seen.append((event.venue, "trade")))
            manager.on(BookTicker, lambda event: seen.append((event.venue, "quote")))
            await manager.connect_binance_stream(["btcusdt@aggTrade", "btcusdt@bookTicker"])
            await manager.connect_bybit_stream(["publicTrade.BTCUSDT", "orderbook.1.BTCUSDT"])
            everything = {(venue, kind) for venue in ("binance", "bybit") for kind in ("trade", "quote")}
            await asyncio.sleep(20)
            assert set(seen) == everything
            for faults in world.simulation.faults.values():
                faults.add(Cut())
            await asyncio.sleep(2)
            seen.clear()
            await asyncio.sleep(20)
            assert set(seen) == everything
            assert set(manager.reconnects.values()) == {1}
            await manager.close()

    clock.run(main())


def test_websocket_manager_beats_every_twenty_seconds() -> None:
    assert inspect.signature(WebSocketManager).parameters["heartbeat_s"].default == 20.0


def test_rate_limiter_as_context_manager_and_by_acquire() -> None:
    clock = ManualClock()

    async def main() -> None:
        limiter = RateLimiter(2, 5, clock=clock)
        async with limiter:
            pass
        await limiter.acquire()
        before = clock.monotonic_ns()
        await limiter.acquire()
        assert (clock.monotonic_ns() - before) / 1e9 == pytest.approx(5, abs=0.01)
        assert RateLimiter(requests_per_period=1200, period_seconds=60)

    clock.run(main())


def test_api_errors_carry_the_code_and_are_told_apart() -> None:
    async def scenario(world: World) -> None:
        for venue, code in (("binance", -2011), ("bybit", 110001)):
            with pytest.raises(UnknownOrder) as unknown:
                await world.connectors[venue].cancel_order("BTCUSDT", "123456789")
            assert unknown.value.code == code
        for venue, code in (("binance", -2019), ("bybit", 110007)):
            with pytest.raises(InsufficientBalance) as poor:
                await world.connectors[venue].place_order("BTCUSDT", "BUY", "100")
            assert poor.value.code == code
        for kind in (UnknownOrder, InsufficientBalance, ClockSkewed, RateLimited):
            assert issubclass(kind, APIError)

    in_world(scenario)


def test_a_timestamp_error_resyncs_the_clock_and_the_call_goes_through() -> None:
    async def scenario(world: World) -> None:
        for venue, connector in world.connectors.items():
            world.simulation.hosts[venue].skew(-30)
            await connector.get_account_info()

    in_world(scenario)


def test_api_metrics_as_the_user_wrote_them() -> None:
    metrics = APIMetrics()
    metrics.record_request(0.1, True)
    metrics.record_request(0.3, False)
    stats = metrics.get_stats()
    assert stats["total_requests"] == 2
    assert stats["error_rate"] == 0.5
    assert stats["avg_response_time"] == pytest.approx(0.2)
    assert (stats["max_response_time"], stats["min_response_time"]) == (0.3, 0.1)


def test_alerts_on_insufficient_balance_failed_orders_lost_and_recovered_connections() -> None:
    alerts: list[Alert] = []

    async def scenario(world: World) -> None:
        async with Notifier([CallableSink(alerts.append)], clock=world.clock) as notifier:
            world.binance.on_incident(notifier.on_incident)
            with pytest.raises(InsufficientBalance):
                await world.binance.place_order("BTCUSDT", "BUY", "100")
            with pytest.raises(APIError):
                await world.binance.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="900000", timeInForce="GTX")
            await world.binance.open_account_stream()
            orders: list[Order] = []
            world.binance.on(Order, orders.append)
            world.simulation.faults["binance"].add(Cut())
            await asyncio.sleep(5)

    in_world(scenario)
    told = " | ".join(f"{alert.severity} {alert.title}".lower() for alert in alerts)
    for words in ("balance insufficient", "order failed", "lost", "recovered"):
        assert words in told, told


def test_every_public_name_can_be_imported_and_both_lists_of_them_agree() -> None:
    for name in perpwire.__all__:
        assert getattr(perpwire, name) is not None
    source = inspect.getsource(perpwire)
    for name in perpwire._HOME:
        assert f"{name} as {name}" in source
    assert load("binance").name == "binance"
