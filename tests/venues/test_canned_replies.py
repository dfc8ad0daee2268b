"""The venues' own ways to say that something is wrong: each can be asked for by name, and the connector reads it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest

from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.errors import PerpwireError
from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import DialectOptions, IncomingRequest, Moment
from perpwire.simulator.faults import Act, Answer, AnswerMessage, Maintenance, Restart
from perpwire.testing import World, offline
from perpwire.venues.binance_futures.sim.faults import CANNED as BINANCE
from perpwire.venues.bybit.signing import sign_login
from perpwire.venues.bybit.sim.faults import CANNED as BYBIT

NOW = Moment(now_ms=1_790_000_000_000, until_ms=1_790_000_060_000)
"""A minute of trouble is left."""


def body(reply: HttpReply) -> Any:
    return msgspec.json.decode(reply.body)


def order(**parameters: str) -> IncomingRequest:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return IncomingRequest(method="POST", path="/fapi/v1/order", query="", headers={}, body=query.encode())


def test_binance_says_until_when_it_bans() -> None:
    banned = BINANCE["banned"].reply(NOW)
    assert banned.status == 418
    assert banned.headers["retry-after"] == "60"
    assert body(banned)["code"] == -1003
    assert "banned until 1790000060000." in body(banned)["msg"]
    assert BINANCE["rate_limited"].reply(NOW).headers["retry-after"] == "60"


def test_binance_throttles_new_orders_only_and_none_that_closes() -> None:
    applies = BINANCE["overloaded"].applies
    assert applies is not None
    assert applies(order(symbol="BTCUSDT", side="BUY"))
    assert not applies(order(side="SELL", reduceOnly="true"))
    assert not applies(order(side="SELL", positionSide="LONG"))
    assert applies(order(side="BUY", positionSide="LONG"))
    cancel = IncomingRequest(method="DELETE", path="/fapi/v1/order", query="", headers={}, body=b"")
    assert not applies(cancel)
    frame = BINANCE["overloaded"].frame
    assert frame is not None
    place = b'{"id":"7","method":"order.place","params":{"side":"BUY"}}'
    assert msgspec.json.decode(frame(place, NOW) or b"") == {
        "id": "7",
        "status": 503,
        "error": body(BINANCE["overloaded"].reply(NOW)),
        "rateLimits": [],
    }
    assert frame(b'{"id":"7","method":"order.cancel","params":{}}', NOW) is None


def test_bybits_limit_comes_with_its_reset_without_it_or_with_one_that_is_over() -> None:
    with_reset, bare, past = (BYBIT[f"rate_limited{way}"].reply(NOW) for way in ("", "_bare", "_past"))
    assert {body(one)["retCode"] for one in (with_reset, bare, past)} == {10006}
    reset = "x-bapi-limit-reset-timestamp"
    assert int(with_reset.headers[reset]) == NOW.until_ms
    assert reset not in bare.headers
    assert int(past.headers[reset]) < NOW.now_ms


def test_a_canned_reply_of_bybit_answers_trade_calls_on_a_socket() -> None:
    frame = BYBIT["restarting"].frame
    assert frame is not None
    reply = msgspec.json.decode(frame(b'{"reqId":"a","op":"order.create","args":[{}]}', NOW) or b"")
    assert (reply["reqId"], reply["op"], reply["retCode"]) == ("a", "order.create", 10019)
    assert frame(b'{"op":"ping"}', NOW) is None


CASES = [("binance", name) for name in BINANCE] + [("bybit", name) for name in BYBIT]


@pytest.mark.parametrize(("venue", "name"), CASES)
def test_every_canned_reply_is_something_that_the_connector_has_a_name_for(venue: str, name: str) -> None:
    """An order that meets it ends in an order or in one of our errors, and there is never a second order."""
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,), rate=0.0) as world:
            connector = world.connectors[venue]
            world.simulation.faults[venue].add(Answer(method="POST", path="*order*", canned=name))
            with suppress(PerpwireError):
                await connector.place_order("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="60000")
            assert len(world.simulation.exchanges[venue].orders("main", None)) <= 1
            faults = world.simulation.journal[venue].entries(kind="fault")
            assert [entry.text for entry in faults] == [f"answer befalls POST {ORDER_PATHS[venue]}"]

    clock.run(main())


ORDER_PATHS = {"binance": "/fapi/v1/order", "bybit": "/v5/order/create"}


def in_world(venue: str, test: Any) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,), rate=0.0) as world:
            await test(world)

    clock.run(main())


@pytest.mark.parametrize("told", ["true", "false"])
def test_a_listen_key_expires_before_its_time_with_or_without_a_word(told: str) -> None:
    async def test(world: World) -> None:
        await world.binance.open_account_stream()
        world.simulation.faults["binance"].add(Act(do="expire_listen_key", args={"told": told}))
        (line,) = world.simulation.journal["binance"].entries(kind="fault")
        assert line.text == "the listen key of main has expired" + (" untold" if told == "false" else "")
        said = [entry for entry in world.simulation.journal["binance"].entries(kind="sent") if "Expired" in entry.text]
        assert len(said) == (told == "true")

    in_world("binance", test)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_ban_refuses_everything_of_an_address_and_ends(venue: str) -> None:
    async def test(world: World) -> None:
        host = world.simulation.hosts[venue]
        host.faults.add(Act(do="ban", args={"seconds": "90"}))
        request = IncomingRequest(method="GET", path=TIME_PATHS[venue], query="", headers={}, body=b"")
        assert (await host.handle_http(request)).status == {"binance": 418, "bybit": 403}[venue]
        assert "127.0.0.1" in str(host.limits())
        host.faults.add(Act(do="ban", args={"seconds": "many"}))
        assert host.journal.entries(kind="fault")[-1].text.startswith("could not ban: ")
        await world.clock.sleep(91)
        assert (await host.handle_http(request)).status == 200
        host.faults.add(Act(do="ban", args={"seconds": "90"}))
        host.faults.add(Act(do="forget_limits"))
        assert "127.0.0.1" not in str(host.limits())
        assert (await host.handle_http(request)).status == 200

    in_world(venue, test)


TIME_PATHS = {"binance": "/fapi/v1/time", "bybit": "/v5/market/time"}


def test_a_restart_of_bybit_begins_books_anew() -> None:
    async def test(world: World) -> None:
        await world.bybit.open_book("BTCUSDT")
        world.simulation.faults["bybit"].add(Act(do="restart"))
        await world.clock.sleep(1)
        topic = "orderbook.*"
        newest = world.simulation.journal["bybit"].entries(kind="sent", topic=topic)[-1]
        told = msgspec.json.decode(newest.text)
        assert (told["type"], told["data"]["u"]) == ("snapshot", 1)

    in_world("bybit", test)


# --- on trading sockets -----------------------------------------------------------------------------------------------


class Heard:
    def __init__(self) -> None:
        self.replies: list[Any] = []

    def on_frames(self, frames: list[bytes], received_ns: int) -> None:
        self.replies += map(msgspec.json.decode, frames)

    def on_pong(self) -> None: ...

    def on_closed(self, reason: str) -> None: ...


@pytest.mark.parametrize("executed", [False, True])
def test_a_call_on_bybits_trade_socket_is_answered_with_a_canned_reply_executed_or_not(executed: bool) -> None:
    async def test(world: World) -> None:
        heard = Heard()
        socket = await world.network.connect("ws://bybit.sim/v5/trade", heard, 10.0)
        expires = str(world.clock.time_ns() // 1_000_000 + 10_000)
        login = {"op": "auth", "args": ["sim-key", expires, sign_login(Credentials("sim-key", "sim-secret"), expires)]}
        socket.send(msgspec.json.encode(login))
        await world.clock.sleep(1)
        fault = AnswerMessage(route="/v5/trade", contains="order.create", canned="timeout", executed=executed)
        world.simulation.faults["bybit"].add(fault)
        order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
        for name in ("first", "second"):
            placed = {**order, "qty": "0.01", "price": "60000", "orderLinkId": name}
            header = {"X-BAPI-TIMESTAMP": str(world.clock.time_ns() // 1_000_000)}
            socket.send(msgspec.json.encode({"reqId": name, "header": header, "op": "order.create", "args": [placed]}))
            await world.clock.sleep(1)
        told = [(reply["reqId"], reply["retCode"]) for reply in heard.replies if reply["op"] == "order.create"]
        assert told == [("first", 10000), ("second", 0)]
        placed_ids = [one.client_order_id for one in world.simulation.exchanges["bybit"].orders("main", None)]
        assert placed_ids == (["first", "second"] if executed else ["second"])
        assert heard.replies[0]["retCode"] == 0  # the login was left alone
        lost = [entry.done for entry in world.simulation.journal["bybit"].entries(kind="sent") if entry.is_lost]
        assert lost == ["lost"] * executed

    in_world("bybit", test)


def test_a_call_on_binances_trading_socket_is_answered_with_a_canned_reply() -> None:
    async def test(world: World) -> None:
        heard = Heard()
        socket = await world.network.connect("ws://binance.sim/ws-fapi/v1", heard, 10.0)
        world.simulation.faults["binance"].add(AnswerMessage(canned="timeout"))
        for number in (1, 2):
            request = {"id": number, "method": "ticker.price", "params": {"symbol": "BTCUSDT"}}
            socket.send(msgspec.json.encode(request))
            await world.clock.sleep(1)
        assert [(reply["id"], reply["status"]) for reply in heard.replies] == [(1, 408), (2, 200)]
        assert heard.replies[0]["error"]["code"] == -1007

    in_world("binance", test)


@pytest.mark.parametrize("path", ["/public/ws/btcusdt@bookTicker", "/ws-fapi/v1"])
def test_the_life_of_a_socket_may_be_shorter_than_a_day(path: str) -> None:
    clock = ManualClock()

    async def main() -> None:
        options = DialectOptions(socket_lifetime_s=60.0)
        async with offline(clock=clock, venues=("binance",), rate=0.0, options=options) as world:
            await world.network.connect(f"ws://binance.sim{path}", Heard(), 10.0)
            (number,) = [
                one.number
                for one in world.simulation.hosts["binance"].connections.values()
                if one.path == path.partition("?")[0]
            ]
            await clock.sleep(59)
            assert number in world.simulation.hosts["binance"].connections
            await clock.sleep(2)
            assert number not in world.simulation.hosts["binance"].connections
            closed = world.simulation.journal["binance"].entries(kind="closed")
            assert closed[-1].text == "1001 24 hours are over"

    clock.run(main())


def test_bybit_says_that_there_is_maintenance_and_when_it_is_over() -> None:
    async def test(world: World) -> None:
        host = world.simulation.hosts["bybit"]
        host.faults.add(Maintenance(seconds=30))
        asked = IncomingRequest(method="GET", path="/v5/system/status", query="", headers={}, body=b"")
        assert (await host.handle_http(asked)).status == 503
        await world.clock.sleep(31)
        (notice,) = body(await host.handle_http(asked))["result"]["list"]
        assert (notice["title"], notice["state"]) == ("System maintenance", "completed")
        assert 30_000 <= int(notice["end"]) - int(notice["begin"]) < 31_000
        host.faults.add(Restart(notice_s=5, seconds=2))
        newest, _ = body(await host.handle_http(asked))["result"]["list"]
        assert (newest["title"], newest["state"]) == ("Service restart", "ongoing")

    in_world("bybit", test)
