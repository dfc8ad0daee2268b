"""Calls in the venue's own words go the way of all calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import (
    AuthenticationFailed,
    BadInput,
    BadRequest,
    NotOffered,
    NotSent,
    OutcomeUnknown,
    RateLimited,
)
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.simulator.faults import LoseAnswer, LoseRequest
from perpwire.testing import World, offline
from perpwire.venues import load


def play(scene: Callable[[World], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock) as world:
            await scene(world)

    clock.run(main())


class Rate(msgspec.Struct):
    symbol: str
    takerCommissionRate: Decimal


class Pair(msgspec.Struct):
    symbol: str
    takerFeeRate: Decimal


class Pairs(msgspec.Struct):
    rows: list[Pair] = msgspec.field(name="list")


def test_a_signed_call_without_a_name_of_ours_is_answered_into_the_callers_type() -> None:
    async def scene(world: World) -> None:
        rate = await world.binance.call("GET", "/fapi/v1/commissionRate", {"symbol": "BTCUSDT"}, reply=Rate, weight=20)
        assert rate == Rate("BTCUSDT", Decimal("0.000500"))
        asked = {"category": "linear", "symbol": "BTCUSDT"}
        pairs = await world.bybit.call("get", "/v5/account/fee-rate", asked, reply=Pairs)
        assert [one.symbol for one in pairs.rows] == ["BTCUSDT"]

    play(scene)


def test_without_a_type_the_answer_comes_as_plain_data() -> None:
    async def scene(world: World) -> None:
        answer = await world.binance.call("GET", "/fapi/v1/constituents", {"symbol": "BTCUSDT"})
        assert answer["symbol"] == "BTCUSDT"
        assert "list" in await world.bybit.call("GET", "/v5/market/tickers", {"category": "linear"}, signed=False)

    play(scene)


def test_it_draws_on_the_same_budget_and_a_known_path_has_its_own_price() -> None:
    async def scene(world: World) -> None:
        ledger, clock = world.binance.ledger, world.clock
        await asyncio.sleep(0.1)  # the questions of the start
        now = clock.monotonic_ns()
        before = ledger.used("weight_1m", now)
        await world.binance.call("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 1000})
        assert ledger.used("weight_1m", now) - before == 20

    play(scene)


def test_errors_are_those_of_all_calls_and_name_the_call() -> None:
    async def scene(world: World) -> None:
        with pytest.raises(BadRequest) as caught:
            await world.binance.call("GET", "/fapi/v1/constituents", {"symbol": "NOSUCH"})
        assert caught.value.call == "GET /fapi/v1/constituents"
        assert caught.value.code == -1121
        stranger = world.connector("binance", api_key="no-such-key", check_key=False)
        async with stranger:
            with pytest.raises(AuthenticationFailed):
                await stranger.call("GET", "/fapi/v1/feeBurn")

    play(scene)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_write_whose_answer_is_lost_is_not_repeated_and_a_read_is(venue: str) -> None:
    async def scene(world: World) -> None:
        connector, faults = world.connectors[venue], world.simulation.faults[venue]
        path, params = {
            "binance": ("/fapi/v1/feeBurn", {"feeBurn": "true"}),
            "bybit": ("/v5/account/set-delta-mode", {"deltaEnable": "1"}),
        }[venue]
        read = {"binance": "/fapi/v1/feeBurn", "bybit": "/v5/account/info"}[venue]
        faults.add(LoseAnswer(method="POST", how="reset"))
        with pytest.raises(OutcomeUnknown):
            await connector.call("POST", path, params)
        journal = world.simulation.hosts[venue].journal
        assert sum(path in entry.text for entry in journal.entries(kind="request")) == 1
        faults.add(LoseRequest(method="GET", how="reset"))
        assert await connector.call("GET", read)

    play(scene)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("FETCH", "/fapi/v1/time"),
        ("GET", "fapi/v1/time"),
        ("GET", "/fapi/v1/time?x=1"),
        ("GET", "/fapi/v1/a b"),
        ("GET", "/fapi/../sapi/v1/account"),
        ("GET", "/fapi/v1/%2e%2e/time"),
        ("GET", "/fapi//v1/time"),
        ("GET", "//other.host/fapi/v1/time"),
        ("GET", ""),
    ],
)
def test_what_is_no_call_is_refused_here(method: str, path: str) -> None:
    async def scene(world: World) -> None:
        with pytest.raises(BadInput):
            await world.binance.call(method, path)

    play(scene)


def test_a_deadline_that_can_not_be_kept_sends_nothing() -> None:
    async def scene(world: World) -> None:
        now_ns = world.clock.monotonic_ns()
        world.binance.ledger.stop("all", now_ns + 5_000_000_000, now_ns)
        with pytest.raises(NotSent) as caught:
            await world.binance.call("GET", "/fapi/v1/time", deadline_s=1.0)
        assert caught.value.code == "DEADLINE"

    play(scene)


# --- where it goes ----------------------------------------------------------------------------------------------------


class Listening:
    """A network that notes which host was asked for what, and answers nothing that is true."""

    def __init__(self, body: bytes = b'{"a":1.10,"retCode":0,"result":{"a":1.10}}') -> None:
        self.asked: list[tuple[str, HttpRequest]] = []
        self.reply = HttpReply(status=200, headers={}, body=body)

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        if not request.target.partition("?")[0].endswith("/time"):
            self.asked.append((base_url, request))
            return self.reply
        now = ManualClock().time_ns() // 1_000_000
        body = f'{{"serverTime":{now},"retCode":0,"result":{{"timeSecond":"{now // 1000}","timeNano":"{now}000000"}}}}'
        return HttpReply(status=200, headers={}, body=body.encode())

    async def close(self) -> None: ...


def alone(venue: str, scene: Callable[[VenueConnector, Listening], Awaitable[None]], **options: Any) -> Listening:
    """With a connector of a real environment, whose network is ours."""
    clock, network = ManualClock(), Listening()

    async def main() -> None:
        connector = VenueConnector(
            load(venue), "a-key", "a-secret", clock=clock, http=network, check_key=False, warm=False, **options
        )
        async with connector:
            await scene(connector, network)

    clock.run(main())
    return network


@pytest.mark.parametrize(
    ("venue", "path", "host"),
    [
        ("binance", "/fapi/v9/new", "https://fapi.binance.com"),
        ("binance", "/futures/data/new", "https://fapi.binance.com"),
        ("binance", "/sapi/v1/system/status", "https://api.binance.com"),
        ("binance", "/sapi/v1/account/apiRestrictions", "https://api.binance.com"),
        ("bybit", "/v5/new/call", "https://api.bybit.com"),
    ],
)
def test_a_path_goes_to_the_host_that_serves_it(venue: str, path: str, host: str) -> None:
    async def scene(connector: VenueConnector, network: Listening) -> None:
        await connector.call("GET", path)
        assert [base for base, _ in network.asked] == [host]

    alone(venue, scene)


@pytest.mark.parametrize(
    ("venue", "path"),
    [
        ("binance", "/api/v3/order"),
        ("binance", "/dapi/v1/order"),
        ("binance", "/eapi/v1/order"),
        ("binance", "/papi/v1/um/order"),
        ("binance", "/v5/order/create"),
        ("binance", "/fapi"),
        ("binance", "/FAPI/v1/order"),
        ("bybit", "/fapi/v1/order"),
        ("bybit", "/spot/v3/private/order"),
        ("bybit", "/v2/private/order/create"),
    ],
)
def test_wrong_1_a_path_of_another_product_or_host_is_refused_here_and_says_what_is_known(
    venue: str, path: str
) -> None:
    async def scene(connector: VenueConnector, network: Listening) -> None:
        for method in ("GET", "POST"):
            with pytest.raises(BadInput) as caught:
                await connector.call(method, path)
            assert caught.value.code == "UNKNOWN_PATH"
            assert all(begin in caught.value.reason for begin in load(venue).services)
        assert network.asked == []

    alone(venue, scene)


@pytest.mark.parametrize("env", ["demo", "testnet"])
def test_demo_1_the_wallet_service_is_never_asked_from_another_environment_than_live(env: str) -> None:
    async def scene(connector: VenueConnector, network: Listening) -> None:
        with pytest.raises(NotOffered) as caught:
            await connector.call("GET", "/sapi/v1/capital/config/getall")
        assert caught.value.code == "NOT_IN_ENVIRONMENT"
        assert network.asked == []

    alone("binance", scene, env=env)


def test_a_limit_or_a_ban_of_the_wallet_service_holds_its_own_calls_back_and_no_orders() -> None:
    async def scene(connector: VenueConnector, network: Listening) -> None:
        for status in (429, 418, 403):
            network.reply = HttpReply(status=status, headers={"retry-after": "60"}, body=b"no")
            with pytest.raises(RateLimited):
                await connector.call("GET", "/sapi/v1/capital/config/getall", deadline_s=5)
            with pytest.raises(NotSent):
                await connector.call("GET", "/sapi/v1/capital/config/getall", deadline_s=5)
            asked = len(network.asked)
            network.reply = HttpReply(status=200, headers={}, body=b"{}")
            await connector.call("GET", "/fapi/v1/feeBurn", deadline_s=1)
            assert len(network.asked) == asked + 1
            assert connector.banned_until_ms is None
            await connector._clock.sleep(61)

    alone("binance", scene)


# --- how it is written ------------------------------------------------------------------------------------------------


def test_binance_writes_everything_into_the_query_and_bybit_a_json_body() -> None:
    params = {
        "symbol": "币安人生USDT",
        "qty": Decimal("1E-7"),
        "float": 1e-05,
        "flag": True,
        "none": None,
        "n": [1, "b"],
    }

    async def scene(connector: VenueConnector, network: Listening) -> None:
        await connector.call("post", "/fapi/v1/new" if connector.venue.name == "binance" else "/v5/new", params)

    _, sent = alone("binance", scene).asked[0]
    query = sent.target.partition("?")[2]
    assert sent.body == b""
    assert query.startswith(
        "symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&qty=0.0000001&float=0.00001&flag=true"
        "&n=%5B1%2C%22b%22%5D&recvWindow=5000&timestamp="
    )
    assert query.rpartition("&")[2].startswith("signature=")
    _, sent = alone("bybit", scene).asked[0]
    assert "?" not in sent.target
    assert sent.body.decode() == (
        '{"symbol":"币安人生USDT","qty":"0.0000001","float":"0.00001","flag":true,"n":[1,"b"]}'
    )
    assert sent.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_what_can_not_be_written_or_read_is_refused_before_anything_is_sent(venue: str) -> None:
    path = {"binance": "/fapi/v1/new", "bybit": "/v5/new"}[venue]

    class NoType:
        def __init__(self, a: int) -> None: ...

    async def scene(connector: VenueConnector, network: Listening) -> None:
        bad: list[tuple[Any, dict[str, Any]]] = [
            ({"a": float("nan")}, {}),
            ({"a": Decimal("Infinity")}, {}),
            ({"a": object()}, {}),
            ({"a": "\ud800"}, {}),
            ({"\ud800": "a"}, {}),
            ({7: "a"}, {}),
            ([("a", 1)], {}),
            ({"a": b"bytes"}, {}),
            ({}, {"weight": -1}),
            ({}, {"weight": 1.5}),
            ({}, {"weight": "5"}),
            ({}, {"reply": NoType | dict}),
            ({}, {"reply": dict[str, int] | list[int] | tuple[str, ...]}),
            ({}, {"road": "canal"}),
        ]

        def used() -> int:
            name = next(iter(connector.venue.native_endpoint("GET", path, Any, None, None).costs_of({})))
            return connector.ledger.used(name, connector._clock.monotonic_ns())

        before = used()
        for params, options in bad:
            for method in ("GET", "POST"):
                with pytest.raises(BadInput):
                    await connector.call(method, path, params, **options)
        assert network.asked == []
        assert used() == before

    alone(venue, scene)


def test_a_weight_that_the_caller_knows_counts_and_orders_are_still_counted_as_orders() -> None:
    async def scene(connector: VenueConnector, network: Listening) -> None:
        def used(name: str) -> int:
            return connector.ledger.used(name, connector._clock.monotonic_ns())

        weight = used("weight_1m")
        await connector.call("GET", "/fapi/v1/new", weight=40)
        await connector.call("POST", "/fapi/v1/order", {"symbol": "BTCUSDT"}, weight=7)
        assert used("weight_1m") == weight + 47
        assert (used("orders_10s"), used("orders_1m")) == (1, 1)
        await connector.call("GET", "/futures/data/new")
        assert (used("weight_1m"), used("statistics_5m")) == (weight + 47, 1)
        await connector.call("GET", "/sapi/v1/new", weight=100)
        assert (used("weight_1m"), used("wallet_1m")) == (weight + 47, 100)

    alone("binance", scene)

    async def batch(connector: VenueConnector, network: Listening) -> None:
        rows = [{"symbol": "BTCUSDT"}] * 3
        await connector.call("POST", "/v5/order/create-batch", {"category": "linear", "request": rows}, weight=1)
        assert connector.ledger.used("place_batch_1s", connector._clock.monotonic_ns()) == 3

    alone("bybit", batch)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_numbers_of_plain_answers_are_exact(venue: str) -> None:
    async def scene(connector: VenueConnector, network: Listening) -> None:
        answer = await connector.call("GET", {"binance": "/fapi/v1/new", "bybit": "/v5/new"}[venue])
        assert answer["a"] == Decimal("1.10")
        assert str(answer["a"]) == "1.10"

    alone(venue, scene)


def test_unsigned_and_signed_are_as_the_caller_says() -> None:
    async def scene(connector: VenueConnector, network: Listening) -> None:
        await connector.call("GET", "/fapi/v1/new", signed=False)
        await connector.call("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT"}, signed=True)
        plain, signed = (request for _, request in network.asked)
        assert plain.target == "/fapi/v1/new"
        assert plain.headers == {}
        assert "signature=" in signed.target

    alone("binance", scene)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_call_that_the_trading_socket_serves_can_go_by_it(venue: str) -> None:
    async def scene(world: World) -> None:
        connector = world.connectors[venue]
        path, params, op = {
            "binance": (
                "/fapi/v1/order",
                {
                    "symbol": "BTCUSDT",
                    "side": "BUY",
                    "type": "LIMIT",
                    "timeInForce": "GTC",
                    "quantity": Decimal("0.01"),
                },
                "order.place",
            ),
            "bybit": (
                "/v5/order/create",
                {
                    "category": "linear",
                    "symbol": "BTCUSDT",
                    "side": "Buy",
                    "orderType": "Limit",
                    "qty": Decimal("0.01"),
                },
                "order.create",
            ),
        }[venue]
        params = {**params, "price": 30000}
        if venue == "bybit":
            params["price"] = "30000"

        def by_socket() -> int:
            return sum(op in entry.text for entry in world.simulation.journal[venue].entries(kind="received"))

        assert (await connector.call("POST", path, params))["orderId"]
        assert by_socket() == 0
        assert connector.trade_route is not None
        connector.trade_route.open()
        await world.clock.sleep(2)
        assert (await connector.call("POST", path, params, road="websocket"))["orderId"]
        assert by_socket() == 1
        with pytest.raises(BadInput):
            await connector.call("POST", path, {**params, "price": "\ud800"}, road="websocket")
        # What the socket does not serve goes by REST.
        await connector.call(
            "GET", {"binance": "/fapi/v1/feeBurn", "bybit": "/v5/account/info"}[venue], road="websocket"
        )
        assert len(world.simulation.exchanges[venue].orders("main", None)) == 2

    play(scene)
