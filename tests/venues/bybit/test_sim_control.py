"""The control conversation of every address, to the letter: shapes, ids, limits, and the end of idle sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.simulator.dialect import DialectOptions, SocketRefused
from perpwire.venues.bybit.signing import sign_login
from perpwire.venues.bybit.sim import doors, make_dialect
from perpwire.venues.bybit.sim.dialect import BybitDialect
from perpwire.venues.bybit.sim.status import Notice

from .desk import KEYS, Desk, FakePeer, Stream, at_desk, moment

PUBLIC = ("linear", "inverse", "spot", "option", "spread", "misc/status")


def raw(stream: Stream, text: str) -> str:
    """The text that answers a text."""
    before = len(stream.peer.frames)
    stream.server.on_text(text.encode())
    return stream.peer.frames[before][1].decode()


def public(desk: Desk, kind: str) -> Stream:
    return Stream(desk, f"/v5/public/{kind}")


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "asked", "keys"),
    [
        ("linear", "subscribe", ["success", "ret_msg", "conn_id", "req_id", "op"]),
        ("linear", "ping", ["success", "ret_msg", "conn_id", "req_id", "op"]),
        ("inverse", "ping", ["success", "ret_msg", "conn_id", "req_id", "op"]),
        ("misc/status", "ping", ["success", "ret_msg", "conn_id", "req_id", "op"]),
        ("spot", "subscribe", ["success", "ret_msg", "conn_id", "op"]),
        ("spot", "ping", ["success", "ret_msg", "conn_id", "op"]),
        ("option", "subscribe", ["success", "conn_id", "data", "type"]),
        ("spread", "subscribe", ["success", "conn_id", "data", "type"]),
        ("option", "ping", ["args", "op"]),
    ],
)
def test_each_address_answers_in_its_own_shape(kind: str, asked: str, keys: list[str]) -> None:
    async def trial(desk: Desk) -> None:
        answer = public(desk, kind).say(op=asked, args=["publicTrade.BTCUSDT"])
        assert list(answer) == keys

    at_desk(trial)()


@at_desk
async def test_what_is_not_traded_here_can_be_reached_and_knows_no_topic(desk: Desk) -> None:
    spot = public(desk, "spot").say(op="subscribe", args=["publicTrade.BTCUSDT"], req_id="1")
    assert (spot["success"], spot["req_id"]) == (False, "1")
    option = public(desk, "option").say(op="subscribe", args=["tickers.BTC"])
    assert option["data"] == {"failTopics": ["tickers.BTC"], "successTopics": []}
    assert option["success"] is False
    assert public(desk, "inverse").say(op="subscribe", args=["publicTrade.BTCUSD"])["success"] is False
    assert public(desk, "spot").say(op="unsubscribe", args=["publicTrade.BTCUSDT"])["ret_msg"] == "unsubscribe"
    too_many = public(desk, "spot").say(op="subscribe", args=[f"publicTrade.{n}" for n in range(11)])
    assert too_many["ret_msg"] == "args size >10"


@pytest.mark.parametrize(
    "req_id", ['"x"', "6", "1.50", "true", '{"b":1,"a":[2,"é"]}', "[1]", "123456789012345678901234567890", '"\\u00e9"']
)
def test_an_id_of_any_type_comes_back_as_it_was_written(req_id: str) -> None:
    async def trial(desk: Desk) -> None:
        for kind in ("linear", "spot"):
            assert f'"req_id":{req_id},' in raw(public(desk, kind), f'{{"req_id":{req_id},"op":"ping"}}')
        private, trade = Stream(desk, "/v5/private"), Stream(desk, "/v5/trade")
        assert raw(private, f'{{"req_id":{req_id},"op":"ping"}}').startswith(f'{{"req_id":{req_id},"op":"pong"')
        assert raw(trade, f'{{"reqId":{req_id},"op":"ping"}}').startswith(f'{{"reqId":{req_id},"retCode":0')

    at_desk(trial)()


@at_desk
async def test_an_absent_id_is_empty_on_public_streams_and_absent_on_the_others(desk: Desk) -> None:
    for id_text in ("", '"req_id":null,'):
        assert '"req_id":"",' in raw(public(desk, "linear"), f'{{{id_text}"op":"ping"}}')
        assert "req_id" not in raw(Stream(desk, "/v5/private"), f'{{{id_text}"op":"ping"}}')


@at_desk
async def test_stray_members_are_passed_over(desk: Desk) -> None:
    stream = public(desk, "linear")
    answer = stream.say(op="subscribe", args=["tickers.BTCUSDT"], req_id=1, callerMethodName="watchTicker", x=[{}])
    assert answer["success"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", '"ping"', "[]", "[1]", '{"op":"ping"}x', '{"op":1}', '{"req_id":"\n","op":"ping"}', "[" * 5000],
)
@pytest.mark.parametrize("path", ["/v5/public/linear", "/v5/public/spot", "/v5/private", "/v5/trade"])
def test_nonsense_is_answered_in_the_shape_of_the_address(path: str, text: str) -> None:
    async def trial(desk: Desk) -> None:
        stream = Stream(desk, path)
        answer = json.loads(raw(stream, text))
        if path == "/v5/trade":
            assert (answer["retCode"] != 0, answer["data"]) == (True, {})
        else:
            assert answer["success"] is False
        assert stream.peer.closed is None
        assert "pong" in raw(stream, '{"op":"ping"}')

    at_desk(trial)()


@at_desk
async def test_bytes_that_are_no_text_are_not_repeated(desk: Desk) -> None:
    stream = public(desk, "linear")
    stream.server.on_text(b'{"req_id":"\xff","op":"ping"}')
    assert json.loads(stream.peer.frames[-1][1])["req_id"] == ""


@at_desk
async def test_topics_that_are_no_texts_are_refused(desk: Desk) -> None:
    for op in ("subscribe", "unsubscribe"):
        wrong: tuple[Any, ...] = ([{}], [["tickers.BTCUSDT"]], "tickers.BTCUSDT", {"0": "x"}, [1])
        for args in wrong:
            assert public(desk, "linear").say(op=op, args=args)["success"] is False


@at_desk
async def test_a_client_need_not_wait_for_the_login_before_it_subscribes(desk: Desk) -> None:
    stream = Stream(desk, "/v5/private")
    expires = desk.exchange.now_ms() + 1000
    for command in (
        {"op": "auth", "args": [KEYS.api_key, str(expires), sign_login(KEYS, expires)]},
        {"op": "subscribe", "args": ["order"], "req_id": "s"},
    ):
        stream.server.on_text(json.dumps(command).encode())
    login, subscribed = stream.peer.read("")
    assert (login["op"], login["success"]) == ("auth", True)
    assert (subscribed["req_id"], subscribed["success"]) == ("s", True)


@at_desk
async def test_families_and_their_categories_do_not_mix_in_one_request(desk: Desk) -> None:
    stream = desk.private()
    assert stream.say(op="subscribe", args=["execution.fast", "execution.fast.linear"])["success"] is False
    assert stream.say(op="subscribe", args=["execution", "execution.fast.linear"])["success"] is True
    assert stream.say(op="subscribe", args=["dcp"])["ret_msg"] == "error:handler not found,topic:dcp"


# --- limits -----------------------------------------------------------------------------------------------------------


@at_desk
async def test_the_arguments_of_all_requests_of_a_connection_count_together(desk: Desk) -> None:
    stream = public(desk, "linear")
    long = [f"kline.{number}.{'X' * 2000}" for number in range(9)]
    known = [topic for topic in long if stream.say(op="subscribe", args=[topic])["success"]]
    assert known == []  # unknown topics do not count
    assert stream.say(op="subscribe", args=["tickers.BTCUSDT"])["success"]
    assert "21000" in stream.say(op="subscribe", args=["tickers.ETHUSDT"] * 1200)["ret_msg"]


@at_desk
async def test_an_address_opens_so_many_connections_in_five_minutes(desk: Desk) -> None:
    assert (doors.NEW_CONNECTIONS, doors.NEW_PERIOD_S) == (500, 300)
    for _ in range(500):
        public(desk, "linear").server.on_closed()
    for path in ("/v5/public/spot", "/v5/private", "/v5/trade"):
        with pytest.raises(SocketRefused) as caught:
            Stream(desk, path)
        assert caught.value.status == 403
    await asyncio.sleep(301)
    assert public(desk, "linear").say(op="ping")["success"]


def test_the_limit_of_new_connections_can_be_set() -> None:
    clock = ManualClock()

    async def main() -> None:
        exchange = Desk(clock).exchange
        few = make_dialect(exchange, DialectOptions(connections_per_5_minutes=2))
        for _ in range(2):
            few.open_socket("/v5/private", "", FakePeer())
        with pytest.raises(SocketRefused):
            few.open_socket("/v5/private", "", FakePeer())
        many = make_dialect(exchange, DialectOptions(connections_per_5_minutes=0))
        for _ in range(1100):
            many.open_socket("/v5/public/linear", "", FakePeer()).on_closed()
        few.close()
        many.close()

    clock.run(main())


def test_an_address_has_so_many_public_connections_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doors.PUBLIC_CONNECTIONS == 1000
    monkeypatch.setattr(doors, "PUBLIC_CONNECTIONS", 3)

    async def trial(desk: Desk) -> None:
        streams = [public(desk, "linear") for _ in range(3)]
        with pytest.raises(SocketRefused):
            public(desk, "linear")
        assert public(desk, "spot").say(op="ping")["success"]  # counted apart
        assert Stream(desk, "/v5/private").say(op="ping")
        peer = FakePeer()
        peer.address = "10.0.0.2"
        desk.dialect.open_socket("/v5/public/linear", "", peer)  # and by address
        streams[0].server.on_closed()
        streams[0].server.on_closed()  # said twice, it counts once
        public(desk, "linear")
        with pytest.raises(SocketRefused):
            public(desk, "linear")

    at_desk(trial)()


# --- idle sockets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "seconds"),
    [
        ("/v5/public/linear", "", 600),
        ("/v5/public/linear", "max_active_time=30s", 600),  # only for private and trade sockets
        ("/v5/private", "", 600),
        ("/v5/private", "max_active_time=30s", 30),
        ("/v5/trade", "max_active_time=2m", 120),
    ],
)
def test_an_idle_socket_is_closed_up_to_half_a_minute_late(path: str, query: str, seconds: int) -> None:
    async def trial(desk: Desk) -> None:
        stream = Stream(desk, path, query)
        await asyncio.sleep(10)
        stream.say(op="ping")
        await asyncio.sleep(seconds - 1)
        assert stream.peer.closed is None
        await asyncio.sleep(32)
        assert stream.peer.closed is not None

    at_desk(trial)()


@at_desk
async def test_data_keeps_a_socket_open(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("priceLimit.BTCUSDT")
    await asyncio.sleep(700)
    assert stream.peer.closed is None


# --- cancel on disconnect ---------------------------------------------------------------------------------------------


async def protect(desk: Desk, seconds: int = 10) -> None:
    path = "/v5/order/disconnected-cancel-all"
    assert desk.post(path, product="DERIVATIVES", timeWindow=seconds)["retCode"] == 0
    await asyncio.sleep(10.1)  # then it is effective


def open_orders(desk: Desk) -> list[Any]:
    return desk.exchange.open_orders("main", None)


@at_desk
async def test_orders_are_cancelled_when_the_last_protecting_connection_is_gone_for_too_long(desk: Desk) -> None:
    await protect(desk)
    first, second, other = desk.private("dcp.future"), desk.private("dcp.future"), desk.private("order")
    desk.create()
    await moment()
    first.server.on_closed()
    await asyncio.sleep(30)
    assert len(open_orders(desk)) == 1  # the second one still protects
    second.server.on_closed()
    await asyncio.sleep(9.9)
    assert len(open_orders(desk)) == 1
    await asyncio.sleep(0.2)
    assert open_orders(desk) == []
    row = other.peer.read("order")[-1]["data"][0]
    assert (row["orderStatus"], row["cancelType"]) == ("Cancelled", "CancelByDCP")


@at_desk
async def test_coming_back_and_pinging_saves_the_orders(desk: Desk) -> None:
    await protect(desk)
    stream = desk.private("dcp.future")
    desk.create()
    await moment()
    stream.server.on_closed()
    await asyncio.sleep(5)
    again = desk.private("dcp.future")
    again.say(op="ping")
    await asyncio.sleep(60)
    assert len(open_orders(desk)) == 1
    again.server.on_closed()
    await asyncio.sleep(5)
    desk.private("order").say(op="ping")  # a connection without the topic does not count
    await asyncio.sleep(6)
    assert open_orders(desk) == []


@at_desk
async def test_a_window_counts_ten_seconds_after_it_was_set(desk: Desk) -> None:
    await protect(desk, 3)
    desk.create()
    await moment()
    assert desk.post("/v5/order/disconnected-cancel-all", product="DERIVATIVES", timeWindow=60)["retCode"] == 0
    desk.private("dcp.future").server.on_closed()
    await asyncio.sleep(3.1)  # the old one
    assert open_orders(desk) == []


@at_desk
async def test_who_did_not_ask_for_protection_has_none(desk: Desk) -> None:
    stream = desk.private("dcp.future")
    desk.create()
    await moment()
    stream.server.on_closed()
    await asyncio.sleep(400)
    assert len(open_orders(desk)) == 1


# --- the venue's notices ----------------------------------------------------------------------------------------------


@at_desk
async def test_a_notice_is_told_on_its_own_socket_and_over_rest(desk: Desk) -> None:
    assert isinstance(desk.dialect, BybitDialect)
    stream = public(desk, "misc/status")
    assert stream.say(op="subscribe", args=["system.status"])["success"]
    assert stream.say(op="subscribe", args=["tickers.BTCUSDT"])["success"] is False
    assert public(desk, "linear").say(op="subscribe", args=["system.status"])["success"] is False
    assert desk.get("/v5/system/status")["result"] == {"list": []}
    desk.dialect.announce(
        Notice(id="a", title="upgrade", state="scheduled", begin="1790000000000", end="1790000600000")
    )
    desk.dialect.announce(Notice(id="b", title="incident", state="ongoing", begin="1", end="2", maintainType=3))
    desk.dialect.announce(
        Notice(id="a", title="upgrade", state="completed", begin="1790000000000", end="1790000600000")
    )
    frames = stream.peer.read("system.status")
    assert [frame["data"][0]["state"] for frame in frames] == ["scheduled", "ongoing", "completed"]
    assert list(frames[0]) == ["topic", "ts", "data"]
    assert list(frames[0]["data"][0]) == [
        *(
            "id",
            "title",
            "state",
            "begin",
            "end",
            "href",
            "serviceTypes",
            "product",
            "uidSuffix",
            "maintainType",
            "env",
        ),
    ]
    rows = desk.get("/v5/system/status")["result"]["list"]
    assert [(row["id"], row["state"]) for row in rows] == [("a", "completed"), ("b", "ongoing")]
    assert desk.get("/v5/system/status", state="ongoing")["result"]["list"] == [frames[1]["data"][0]]
    assert desk.get("/v5/system/status", id="a")["result"]["list"] == [frames[2]["data"][0]]
    with pytest.raises(ValueError, match="state"):
        desk.dialect.announce(Notice(id="c", title="x", state="over", begin="1", end="2"))
