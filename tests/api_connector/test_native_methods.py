"""Calls in the venue's own words go the way of all calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import msgspec
import pytest

from perpwire.clock import ManualClock
from perpwire.errors import AuthenticationFailed, BadInput, BadRequest, NotSent, OutcomeUnknown
from perpwire.simulator.faults import LoseAnswer, LoseRequest
from perpwire.testing import World, offline


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
    [("FETCH", "/fapi/v1/time"), ("GET", "fapi/v1/time"), ("GET", "/fapi/v1/time?x=1"), ("GET", "/a b")],
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
