"""Orders by the venues' trading sockets: the same as by REST, and never in doubt when the socket gives way."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.sizes import size

from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.retry import RetryPolicy, is_refused_key
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock, ManualClock, SystemClock
from perpwire.credentials import Credentials
from perpwire.errors import (
    APIError,
    AuthenticationFailed,
    BadInput,
    Busy,
    ClockSkewed,
    NotSent,
    RateLimited,
    VenueRefused,
)
from perpwire.model.incident import ConnectionFailing, ConnectionLost, ConnectionRecovered, Incident, LoginRefused
from perpwire.model.order import Order, OrderStatus
from perpwire.notification.alert import Severity
from perpwire.notification.rules import Rules
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.faults import (
    Act,
    AnswerMessage,
    CorruptMessage,
    Cut,
    DelayMessage,
    DropMessage,
    LoseRequest,
    Reset,
    Silence,
)
from perpwire.simulator.server import running
from perpwire.simulator.specs import AccountSpec
from perpwire.testing import World, offline
from perpwire.transport.base import TransportFailed
from perpwire.venues import load
from perpwire.venues.binance_futures.trade_session import BinanceTradeSession

VENUES = ["binance", "bybit"]
TRADE = {"binance": "/ws-fapi/v1", "bybit": "/v5/trade"}
PLACE = {"binance": ("POST", "/fapi/v1/order"), "bybit": ("POST", "/v5/order/create")}
PLACE_OP = {"binance": "order.place", "bybit": "order.create"}


def in_world(scenario: Callable[[World], Awaitable[None]], venue: str, **options: Any) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], **options) as world:
            await scenario(world)

    clock.run(main())


@asynccontextmanager
async def trader(world: World, venue: str, *, live: bool = True, **options: Any) -> AsyncIterator[VenueConnector]:
    """A connector whose orders go by the trading socket, once that is live."""
    async with world.connector(venue, road="websocket", **options) as connector:
        if live:
            await until(world.clock, lambda: connector.is_trade_socket_live)
        yield connector


async def until(clock: Clock, holds: Callable[[], bool], seconds: float = 40.0) -> None:
    for _ in range(round(seconds / 0.02)):
        if holds():
            return
        await clock.sleep(0.02)
    raise AssertionError("it did not come about")


def heard(world: World, venue: str, text: str, kind: str = "received") -> int:
    """How often something was said to the venue on sockets ("received") or by HTTP ("request")."""
    return sum(text in entry.text for entry in world.simulation.journal[venue].entries(kind=kind))


def by_rest(world: World, venue: str) -> int:
    return heard(world, venue, " ".join(PLACE[venue]), "request")


def placed(world: World, venue: str) -> int:
    return len(world.simulation.exchanges[venue].orders("main", None))


async def resting(connector: VenueConnector, **options: Any) -> Order:
    """A limit order far below the market."""
    instrument = await connector.get_instrument("BTCUSDT")
    book = await connector.get_order_book("BTCUSDT")
    price = instrument.round_price(book.bids[0][0] * Decimal("0.9"), "down")
    return await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, **options)


async def error_of(call: Awaitable[Any]) -> tuple[Any, ...]:
    try:
        await call
    except APIError as error:
        return type(error).__name__, error.code, error.reason, error.advice, error.call
    raise AssertionError("it raised nothing")


# --- the same on both roads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_by_the_socket_ends_as_the_same_order_by_rest_does(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            ways = {}
            price = (await resting(connector, road="rest")).price
            for road in ("rest", "websocket"):
                order = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, road=road)
                seen = await connector.get_order("BTCUSDT", order.order_id)
                gone = await connector.cancel_order("BTCUSDT", order.order_id, road=road)
                ways[road] = [_without_ids(one) for one in (order, seen, gone)]
            assert ways["rest"] == ways["websocket"]
            assert by_rest(world, venue) == 2
            assert heard(world, venue, PLACE_OP[venue]) == 1
            assert heard(world, venue, "order.cancel") == 1

    in_world(scenario, venue)


def _without_ids(order: Order) -> dict[str, Any]:
    fields = {name: getattr(order, name) for name in order.__struct_fields__}
    return {name: value for name, value in fields.items() if not (name.endswith("_id") or name.endswith("time_ms"))}


@pytest.mark.parametrize("venue", VENUES)
def test_a_change_by_the_socket_is_the_change(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            order = await resting(connector)
            changed = await connector.amend_order("BTCUSDT", order.order_id, quantity="0.02", price=order.price)
            assert changed.quantity == Decimal("0.02")
            assert heard(world, venue, {"binance": "order.modify", "bybit": "order.amend"}[venue]) == 1

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_refusal_by_the_socket_is_the_refusal_of_rest_word_for_word(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            price = (await resting(connector)).price
            wrongs: list[Callable[[str], Awaitable[Order]]] = [
                lambda road: connector.cancel_order("BTCUSDT", 987654321, road=road),
                lambda road: connector.place_order("BTCUSDT", "SELL", "0.01", reduce_only=True, road=road),
                lambda road: connector.place_order("BTCUSDT", "BUY", "100", "LIMIT", price=price, road=road),
            ]
            for wrong in wrongs:
                assert await error_of(wrong("rest")) == await error_of(wrong("websocket"))

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_what_the_venue_holds_back_on_one_road_is_held_back_on_the_other(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue, retry=RetryPolicy(attempts=1)) as connector:
            price = (await resting(connector)).price
            world.simulation.faults[venue].add(AnswerMessage(route=TRADE[venue], canned="rate_limited"))
            with pytest.raises(RateLimited) as refused:
                await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price)
            began_ns = world.clock.monotonic_ns()
            await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, road="rest")
            assert (world.clock.monotonic_ns() - began_ns) / 1e9 >= refused.value.retry_after_s * 0.9

    in_world(scenario, venue, rate=1)


@pytest.mark.parametrize(("venue", "most"), [("binance", 300), ("bybit", 10)])
def test_both_roads_draw_on_one_budget(venue: str, most: int) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            await resting(connector)
            price = (await resting(connector)).price
            await world.clock.sleep(11)
            both = [
                connector.place_order(
                    "BTCUSDT", "BUY", "0.01", "LIMIT", price=price, road="rest" if number % 2 else "websocket"
                )
                for number in range(min(most, 40) + 5)
            ]
            await asyncio.gather(*both)
            refused = [
                entry
                for entry in world.simulation.journal[venue].entries(kind=("sent", "reply"))
                if "10006" in entry.text or "-1015" in entry.text
            ]
            assert not refused
            assert heard(world, venue, PLACE_OP[venue]) >= min(most, 40) // 2

    in_world(scenario, venue)


# --- when the socket gives way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
def test_without_a_live_socket_an_order_goes_by_rest(venue: str) -> None:
    async def scenario(world: World) -> None:
        world.simulation.faults[venue].add(LoseRequest(method="WS", path=TRADE[venue], count=None, for_s=30))
        async with trader(world, venue, live=False) as connector:
            await resting(connector)
            assert by_rest(world, venue) == 1
            assert connector.states[f"{venue}/trade"] is not State.LIVE
            await until(world.clock, lambda: connector.is_trade_socket_live, 90)
            assert connector.states[f"{venue}/trade"] is State.LIVE
            await resting(connector)
            assert by_rest(world, venue) == 1
            assert heard(world, venue, PLACE_OP[venue]) == 1

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_call_may_ask_for_the_socket_of_a_connector_that_goes_by_rest(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        assert f"{venue}/trade" not in connector.states
        await resting(connector, road="websocket")  # the first opens it, and goes by REST meanwhile
        await until(world.clock, lambda: connector.is_trade_socket_live)
        await resting(connector, road="websocket")
        await resting(connector)
        assert (by_rest(world, venue), heard(world, venue, PLACE_OP[venue])) == (2, 1)

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(
    ("fault", "executed"),
    [
        # The answer is lost with the socket.
        ([DelayMessage(seconds=3, topic=""), Cut(after_s=0.5)], True),
        # The request is.
        ([DelayMessage(seconds=3, direction="in"), Cut(after_s=0.5)], False),
        # It hears nothing and sees no end.
        ([DropMessage(topic="")], True),
        ([DropMessage(direction="in")], False),
        ([CorruptMessage(topic="")], True),
    ],
)
def test_an_order_whose_answer_is_lost_with_its_socket_is_settled_and_never_doubled(
    venue: str, fault: list[Any], executed: bool
) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue, timeout_s=2.0) as connector:
            await resting(connector, road="rest")
            for one in fault:
                world.simulation.faults[venue].add(msgspec.structs.replace(one, route=TRADE[venue]))
            try:
                order = await resting(connector)
            except NotSent:
                assert not executed
                assert placed(world, venue) == 1
            else:
                assert executed
                assert order.status in (OrderStatus.NEW, OrderStatus.PENDING_NEW)
                assert placed(world, venue) == 2
            # An order is never repeated, on neither road.
            assert heard(world, venue, PLACE_OP[venue]) + by_rest(world, venue) == 2 or not executed
            await until(world.clock, lambda: connector.is_trade_socket_live)
            await resting(connector)

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_nothing_is_written_on_a_new_socket_for_what_was_lost_with_the_old_one(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            told: list[Incident] = []
            connector.on_incident(told.append)
            first = await resting(connector, road="rest")
            world.simulation.faults[venue].add(DelayMessage(route=TRADE[venue], seconds=3, direction="in", count=5))
            world.simulation.faults[venue].add(Cut(route=TRADE[venue], after_s=0.5))
            many = [
                connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=first.price, client_order_id=f"mine-{n}")
                for n in range(5)
            ]
            outcomes = await asyncio.gather(*many, return_exceptions=True)
            assert [type(one) for one in outcomes] == [NotSent] * 5
            assert placed(world, venue) == 1
            assert {type(one) for one in told} >= {ConnectionLost, ConnectionRecovered}
            assert connector.is_trade_socket_live

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_socket_that_answers_pings_but_no_requests_is_left(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue, timeout_s=2.0) as connector:
            await resting(connector, road="rest")
            world.simulation.faults[venue].add(
                DropMessage(route=TRADE[venue], direction="in", contains=PLACE_OP[venue], count=None, for_s=3)
            )
            with pytest.raises(NotSent):
                await resting(connector)
            assert (
                len([e for e in world.simulation.journal[venue].entries(kind="opened") if TRADE[venue] in e.text]) == 2
            )

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_half_open_socket_is_noticed_by_its_silence(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            told: list[Incident] = []
            connector.on_incident(told.append)
            world.simulation.faults[venue].add(Silence(route=TRADE[venue]))
            await until(world.clock, lambda: not connector.is_trade_socket_live, 90)
            await until(world.clock, lambda: connector.is_trade_socket_live, 5)
            assert "silent" in next(one for one in told if isinstance(one, ConnectionLost)).detail

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_that_refuses_sockets_is_asked_ever_more_rarely_without_an_end(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            told: list[Incident] = []
            connector.on_incident(told.append)
            world.simulation.faults[venue].add(LoseRequest(method="WS", path=TRADE[venue], count=None, for_s=600))
            world.simulation.faults[venue].add(Cut(route=TRADE[venue]))
            await world.clock.sleep(595)
            assert [one.attempts for one in told if isinstance(one, ConnectionFailing)] == [2, 5, 10, 20]
            assert sum(isinstance(one, ConnectionLost) for one in told) == 1
            await until(world.clock, lambda: connector.is_trade_socket_live, 60)
            assert sum(isinstance(one, ConnectionRecovered) for one in told) == 1

    in_world(scenario, venue, rate=1)


def test_an_order_past_its_deadline_is_never_written() -> None:
    async def scenario(world: World) -> None:
        async with trader(world, "bybit") as connector:
            price = (await resting(connector, road="rest")).price
            await world.clock.sleep(2)
            sent = [
                connector.place_order(
                    "BTCUSDT", "BUY", "0.01", "LIMIT", price=price, deadline_s=0.5, client_order_id=f"mine-{number}"
                )
                for number in range(14)  # of which the venue takes ten a second
            ]
            outcomes = await asyncio.gather(*sent, return_exceptions=True)
            taken = sum(isinstance(one, Order) for one in outcomes)
            assert 8 <= taken <= 10
            assert [one.code for one in outcomes if isinstance(one, NotSent)] == ["DEADLINE"] * (14 - taken)
            await world.clock.sleep(10)
            assert heard(world, "bybit", "mine-") == taken
            assert placed(world, "bybit") == 1 + taken

    in_world(scenario, "bybit")


def test_a_login_that_is_refused_leaves_orders_to_rest() -> None:
    async def scenario(world: World) -> None:
        async with trader(world, "bybit", live=False, secret_key="wrong", check_key=False) as connector:
            told: list[Incident] = []
            connector.on_incident(told.append)
            await world.clock.sleep(5)
            assert not connector.is_trade_socket_live
            failing = next(one for one in told if isinstance(one, ConnectionFailing))
            assert "refused the login" in failing.detail
            with pytest.raises(APIError) as refused:
                await resting(connector)
            assert refused.value.code == 10004
            assert by_rest(world, "bybit") == 1

    in_world(scenario, "bybit")


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_refused_login_says_whose_door_it_was_and_is_not_tried_all_the_time(venue: str) -> None:
    """Wrong private key at Binance (only Ed25519 keys log on there), wrong secret at Bybit; orders go by REST."""
    mine, other = pem_pair(), pem_pair(2)
    words = {"binance": ("[-1022]", "Check the secret"), "bybit": ("[10004]", "Check key and secret")}[venue]

    async def scenario(world: World) -> None:
        secret = {"binance": other[0], "bybit": "canary-secret"}[venue]
        async with trader(world, venue, live=False, secret_key=secret, check_key=False) as connector:
            told: list[Incident] = []
            connector.on_incident(told.append)
            await world.clock.sleep(900)
            refused = [one for one in told if isinstance(one, LoginRefused)]
            # Tried after 2, 30, 60, 120 ... seconds, and told ever more seldom; the first was told before we heard.
            assert [one.attempts for one in refused] == [2, 5]
            for word in (venue, *words, "environment 'sim' at ws://", "calls go by REST"):
                assert word in refused[0].detail
            assert not any("canary" in one.detail or "BEGIN" in one.detail for one in told)
            alert = Rules().alert(refused[0])
            assert alert is not None
            assert alert.severity is Severity.CRITICAL
            with pytest.raises(APIError):
                await resting(connector)
            assert by_rest(world, venue) == 1

    account = AccountSpec(public_key=mine[1]) if venue == "binance" else AccountSpec()
    in_world(scenario, venue, accounts=(account,), rate=1e-6)


@pytest.mark.parametrize(
    ("venue", "code", "kind", "advice"),
    [
        ("bybit", 10003, AuthenticationFailed, "environment"),
        ("bybit", 10010, AuthenticationFailed, "IP address"),
        ("bybit", 33004, AuthenticationFailed, "expired"),
        ("bybit", 10001, AuthenticationFailed, "clock"),
        ("bybit", 10006, RateLimited, "Wait"),
        ("bybit", 10016, Busy, "again"),
        ("binance", -2015, AuthenticationFailed, "IP addresses"),
        ("binance", -4056, AuthenticationFailed, "key"),
        ("binance", -1021, ClockSkewed, "clock"),
        ("binance", -9999, VenueRefused, "refused"),
    ],
)
def test_what_a_refused_login_means_is_read_in_the_venues_table(
    venue: str, code: int, kind: type[APIError], advice: str
) -> None:
    error = load(venue).login_refusal(code, "the venue's words")
    assert (type(error), error.code, error.venue) == (kind, code, venue)
    assert "the venue's words" in str(error)
    assert advice in error.advice
    assert is_refused_key(error) is (kind is AuthenticationFailed)
    assert load(venue).login_refusal(None, "words").code == "LOGIN_REFUSED"


def test_a_socket_that_is_to_restart_is_left_for_another_and_its_answers_still_count() -> None:
    async def scenario(world: World) -> None:
        async with trader(world, "bybit") as connector:
            await resting(connector)
            world.simulation.faults["bybit"].add(Act(do="restart_trade"))
            with pytest.raises(NotSent):
                await resting(connector)  # refused, and its outcome asked for
            await until(world.clock, lambda: connector.is_trade_socket_live)
            await resting(connector)
            await world.clock.sleep(1)
            assert placed(world, "bybit") == 2
            assert by_rest(world, "bybit") == 0

    in_world(scenario, "bybit")


@pytest.mark.slow
def test_the_socket_is_replaced_before_the_venue_ends_it_and_no_answer_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BinanceTradeSession, "lifetime_s", 600.0)

    async def scenario(world: World) -> None:
        async with trader(world, "binance", timeout_s=20.0) as connector:
            told: list[Incident] = []
            connector.on_incident(told.append)
            first = await resting(connector)
            route = connector.trade_route
            assert route is not None
            await world.clock.sleep(470)
            assert route.renewals == 0
            # From now on some are always under way: each answer takes twelve seconds.
            world.simulation.faults["binance"].add(
                DelayMessage(route=TRADE["binance"], topic="", seconds=12, count=None, overtaken=True)
            )
            asked = []
            while route.renewals == 0:
                asked.append(asyncio.create_task(connector.get_order("BTCUSDT", first.order_id)))
                await world.clock.sleep(2)
            assert world.clock.monotonic_ns() / 1e9 < 560
            assert connector.is_trade_socket_live
            assert route.waiting >= 5
            assert {order.order_id for order in await asyncio.gather(*asked)} == {first.order_id}
            await world.clock.sleep(200)
            assert route.renewals == 1
            assert not told
            assert heard(world, "binance", "GET /fapi/v1/order", "request") == 0

    in_world(scenario, "binance", rate=1, options=DialectOptions(socket_lifetime_s=600))


@pytest.mark.parametrize("venue", VENUES)
def test_a_late_answer_is_counted_and_hurts_nobody(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue, timeout_s=2.0) as connector:
            await resting(connector)
            world.simulation.faults[venue].add(DelayMessage(route=TRADE[venue], topic="", seconds=2.5, overtaken=True))
            late = asyncio.create_task(resting(connector, client_order_id="late"))
            await world.clock.sleep(1.0)
            await resting(connector)
            assert (await late).status in (OrderStatus.NEW, OrderStatus.PENDING_NEW)
            await world.clock.sleep(3)
            assert connector.is_trade_socket_live
            assert connector.trade_route is not None
            assert connector.trade_route.late_answers == 1
            assert connector.trade_route.waiting == 0
            assert placed(world, venue) == 3

    in_world(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_what_waits_when_the_connector_is_closed_ends_and_is_not_written_later(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            await resting(connector)
            world.simulation.faults[venue].add(DropMessage(route=TRADE[venue], topic="", count=None))
            task = asyncio.create_task(resting(connector))
            await world.clock.sleep(1)
        with pytest.raises(APIError):
            await task
        with pytest.raises(BadInput):
            await resting(connector)
        assert len(asyncio.all_tasks()) < 30

    in_world(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_over_real_sockets_orders_go_and_a_reset_is_survived(venue: str) -> None:
    async def scenario() -> None:
        async with (
            running(venues=[venue], latency_s=0.001) as simulation,
            VenueConnector(
                load(venue), "sim-key", "sim-secret", url=simulation.urls[venue], road="websocket"
            ) as connector,
        ):
            await until(SystemClock(), lambda: connector.is_trade_socket_live)
            first = await resting(connector)
            simulation.faults[venue].add(DelayMessage(route=TRADE[venue], seconds=1, topic=""))
            simulation.faults[venue].add(Reset(route=TRADE[venue], after_s=0.3))
            order = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=first.price)
            assert len(simulation.exchanges[venue].orders("main", None)) == 2
            await until(SystemClock(), lambda: connector.is_trade_socket_live)
            await connector.cancel_order("BTCUSDT", order.order_id)
            assert connector.trade_route is not None
            assert connector.trade_route.reconnects == 1

    asyncio.run(scenario())


# --- keys -------------------------------------------------------------------------------------------------------------


def pem_pair(number: int = 1) -> tuple[str, str]:
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(number, number + 32)))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def test_with_an_ed25519_key_the_session_is_logged_on_and_its_requests_carry_no_key() -> None:
    private, public = pem_pair()

    async def scenario(world: World) -> None:
        async with trader(world, "binance", secret_key=private) as connector:
            await resting(connector)
            asked = [
                json.loads(entry.text)
                for entry in world.simulation.journal["binance"].entries(kind="received")
                if '"method"' in entry.text
            ]
            assert [one["method"] for one in asked] == ["session.logon", "order.place"]
            assert {"apiKey", "signature"} <= set(asked[0]["params"])
            assert not {"apiKey", "signature"} & set(asked[1]["params"])
            assert "timestamp" in asked[1]["params"]

    in_world(scenario, "binance", accounts=[AccountSpec(public_key=public)])


def test_with_an_hmac_key_every_request_is_signed_and_there_is_no_logon() -> None:
    async def scenario(world: World) -> None:
        async with trader(world, "binance") as connector:
            await resting(connector)
            await resting(connector)
            assert heard(world, "binance", "session.logon") == 0
            assert heard(world, "binance", '"signature"') == 2

    in_world(scenario, "binance")


# --- much -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_thousands_of_requests_through_one_socket_are_all_matched_in_bounded_memory(venue: str) -> None:
    """F11, step 5: ten thousand of them (in part: eight hundred), and nobody iterates any event stream meanwhile."""
    hundreds = size(100, 8)

    async def scenario(world: World) -> None:
        async with trader(world, venue, timeout_s=60.0) as connector:
            first = await resting(connector)
            route = connector.trade_route
            assert route is not None
            opened = sum(TRADE[venue] in e.text for e in world.simulation.journal[venue].entries(kind="opened"))
            assert opened == 1
            tracemalloc.start()
            matched = 0
            for _ in range(hundreds):
                answers = await asyncio.gather(
                    *(
                        connector.place_order("BTCUSDT", "BUY", "100", "LIMIT", price="50000", road="websocket")
                        for _ in range(100)
                    ),
                    return_exceptions=True,
                )
                matched += sum(type(one).__name__ == "InsufficientBalance" for one in answers)
                assert len(answers) == 100
            assert matched == hundreds * 100
            assert route.waiting == 0
            assert route.reconnects == 0
            assert route.late_answers == 0
            assert tracemalloc.get_traced_memory()[1] < 64e6
            tracemalloc.stop()
            assert heard(world, venue, PLACE_OP[venue], "received") > 0
            assert (await connector.get_order("BTCUSDT", first.order_id)).order_id == first.order_id

    in_world(scenario, venue, journal_capacity=20_000, rate=0.001)


@pytest.mark.parametrize("venue", VENUES)
def test_no_variable_of_a_traceback_shows_what_was_signed(venue: str) -> None:
    async def scenario(world: World) -> None:
        async with trader(world, venue) as connector:
            route = connector.trade_route
            assert route is not None
            line = route._line
            assert line is not None
            order = connector.venue.cancel_order("BTCUSDT", None, "c-1")
            request = line.prepare(order.endpoint, order.params, Credentials("key-5e1f", "secret-77aa"), 1)
            signed = repr(request.frame)
            assert signed not in repr(request)
            line.socket = None
            with pytest.raises(TransportFailed) as caught:
                request.exchange(1.0, lambda: 1)
            inside = [entry for entry in caught.traceback if str(entry.path).endswith("trade_line.py")]
            assert len(inside) == 2
            assert not [one for entry in inside for one in entry.frame.f_locals.values() if signed in repr(one)]

    in_world(scenario, venue)
