"""The simulated venue's stream sockets: addresses and routes, control messages, limits, and their life."""

from __future__ import annotations

from typing import Any

import pytest
from tests.venues.binance_futures.simulated import OTHER, SimulatedVenue, in_virtual_time, pass_s

from perpwire.clock import ManualClock
from perpwire.simulator.dialect import DialectOptions, SocketRefused
from perpwire.simulator.simulation import Setup, build_hosts
from perpwire.venues.binance_futures.venue import VENUE


@pytest.mark.parametrize(
    ("path", "query", "is_combined"),
    [
        ("/public/ws/btcusdt@bookTicker", "", False),
        ("/public/ws/btcusdt@bookTicker/ethusdt@bookTicker", "", False),
        ("/public/ws/btcusdt%40bookTicker", "", False),
        ("/public/stream", "streams=btcusdt@bookTicker/ethusdt@bookTicker", True),
        ("/public/stream", "streams=btcusdt%40bookTicker", True),
        ("/ws/btcusdt@bookTicker", "", False),
        ("/stream", "streams=btcusdt@bookTicker", True),
    ],
)
def test_streams_named_in_the_address_are_sent_bare_or_in_an_envelope(path: str, query: str, is_combined: bool) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(path, query)
        venue.quote()
        (first, *_) = peer.data
        assert ("stream" in first) is is_combined
        assert (first["data"] if is_combined else first)["e"] == "bookTicker"
        assert set(peer.topics) == {"btcusdt@bookTicker"}

    in_virtual_time(main)


@pytest.mark.parametrize("path", ["/", "/public", "/ws-fapi/v2", "/v5/public/linear", "/stream/x", "/other/ws"])
def test_no_stream_socket_lives_at_any_other_path(path: str) -> None:
    async def main(venue: SimulatedVenue) -> None:
        with pytest.raises(SocketRefused) as caught:
            venue.socket(path)
        assert caught.value.status == 404

    in_virtual_time(main)


def test_a_running_number_in_place_of_a_name_is_taken_and_silent() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/0")
        peer.subscribe("btcusdt@bookTicker")
        venue.quote()
        assert peer.data[0]["s"] == "BTCUSDT"

    in_virtual_time(main)


async def hears(venue: SimulatedVenue, path: str, name: str) -> bool:
    """Does a socket at `path` get anything of the stream `name` while the market moves?"""
    peer = venue.socket(path)
    peer.subscribe(name)
    venue.quote()
    venue.market()
    venue.signed("DELETE", "/fapi/v1/allOpenOrders", account=OTHER, symbol="BTCUSDT")
    await pass_s(4)
    return bool(peer.data)


@pytest.mark.parametrize(
    ("name", "routes"),
    [
        ("btcusdt@bookTicker", {"/public/ws", "/ws"}),
        ("btcusdt@depth@100ms", {"/public/ws", "/ws"}),
        ("btcusdt@depth5", {"/public/ws", "/ws"}),
        ("btcusdt@aggTrade", {"/market/ws"}),
        ("btcusdt@markPrice", {"/market/ws"}),
        ("!markPrice@arr@1s", {"/market/ws"}),
        ("btcusdt@trade", {"/public/ws", "/market/ws", "/ws"}),
        ("BTCUSDT@bookTicker", set()),
        ("btcusdt@depth@250ms", set()),
        ("btcusdt@kline_1m", {"/market/ws"}),
        ("btcusdt_perpetual@continuousKline_1m", {"/market/ws"}),
        ("btcusdt_current_quarter@continuousKline_1m", set()),
        ("btcusdt@ticker", {"/market/ws"}),
        ("!miniTicker@arr", {"/market/ws"}),
        ("btcusdt@kline_2m", set()),
        ("nonsense", set()),
    ],
)
def test_a_wrong_route_is_acknowledged_and_silent(name: str, routes: set[str]) -> None:
    async def main(venue: SimulatedVenue) -> None:
        every = ("/public/ws", "/market/ws", "/private/ws", "/ws")
        assert {path for path in every if await hears(venue, path, name)} == routes

    in_virtual_time(main)


def test_lenient_routes_serve_everything_everywhere() -> None:
    async def main(venue: SimulatedVenue) -> None:
        for path in ("/ws", "/public/ws", "/private/ws"):
            assert await hears(venue, path, "btcusdt@aggTrade")
        peer = venue.socket(f"/ws/{venue.listen_key()}")
        venue.place(price="60000")
        await pass_s(0.001)
        assert peer.topics == ["ORDER_TRADE_UPDATE"]

    in_virtual_time(main, options=DialectOptions(lenient_routes=True))


@pytest.mark.parametrize("request_id", [1, 0, "a-uuid", None, 2**63, 'é/\\"'])
def test_the_id_of_a_command_is_given_back_as_it_was(request_id: Any) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws")
        reply = peer.say({"method": "SUBSCRIBE", "params": ["btcusdt@depth"], "id": request_id})
        assert reply == [{"result": None, "id": request_id}]

    in_virtual_time(main)


def test_subscriptions_can_be_listed_and_given_up() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/btcusdt@bookTicker")
        peer.subscribe("btcusdt@depth", "nonsense", "btcusdt@depth")
        listed = {"method": "LIST_SUBSCRIPTIONS", "id": 3}
        assert peer.say(listed) == [{"result": ["btcusdt@bookTicker", "btcusdt@depth", "nonsense"], "id": 3}]
        gone = {"method": "UNSUBSCRIBE", "params": ["btcusdt@bookTicker", "never@was"], "id": 4}
        assert peer.say(gone) == [{"result": None, "id": 4}]
        assert peer.say(listed) == [{"result": ["btcusdt@depth", "nonsense"], "id": 3}]
        venue.quote()
        assert peer.data == []

    in_virtual_time(main)


def test_the_envelope_can_be_switched() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/btcusdt@bookTicker")
        assert peer.say({"method": "GET_PROPERTY", "params": ["combined"], "id": 1}) == [{"result": False, "id": 1}]
        on = {"method": "SET_PROPERTY", "params": ["combined", True], "id": 2}
        assert peer.say(on) == [{"result": None, "id": 2}]
        assert peer.say({"method": "GET_PROPERTY", "params": ["combined"], "id": 3}) == [{"result": True, "id": 3}]
        venue.quote()
        assert peer.data[0]["stream"] == "btcusdt@bookTicker"

    in_virtual_time(main)


@pytest.mark.parametrize(
    ("message", "code", "request_id"),
    [
        (b"{", 3, None),
        (b"\xff", 3, None),
        (b"[]", 2, None),
        (b'"SUBSCRIBE"', 2, None),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": 1.5}, 2, None),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": -1}, 2, None),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": True}, 2, None),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": [1]}, 2, None),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": {"x": 2}}, 2, None),
        ({"id": 7}, 2, 7),
        ({"method": "SUBSCRIBE", "params": ["a"]}, 2, None),
        ({"method": "DANCE", "id": 7}, 2, 7),
        ({"method": 5, "id": 7}, 2, 7),
        ({"method": "SUBSCRIBE", "id": 7}, 2, 7),
        ({"method": "SUBSCRIBE", "params": "btcusdt@depth", "id": 7}, 2, 7),
        ({"method": "SUBSCRIBE", "params": [5], "id": 7}, 2, 7),
        ({"method": "SET_PROPERTY", "params": [True], "id": 7}, 2, 7),
        ({"method": "SET_PROPERTY", "params": ["combined", True, 1], "id": 7}, 2, 7),
        ({"method": "SET_PROPERTY", "params": ["colour", True], "id": 7}, 0, 7),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 7}, 1, 7),
        ({"method": "SET_PROPERTY", "params": ["combined"], "id": 7}, 1, 7),
        ({"method": "GET_PROPERTY", "params": [], "id": 7}, 2, 7),
        ({"method": "GET_PROPERTY", "params": ["colour"], "id": 7}, 0, 7),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_by_an_error(message: Any, code: int, request_id: Any) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws")
        (reply,) = peer.say(message)
        assert (reply["error"]["code"], reply["id"]) == (code, request_id)
        assert reply["error"]["msg"]
        assert peer.closed is None

    in_virtual_time(main)


def test_the_1025th_stream_ends_the_socket() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws")
        peer.subscribe(*(f"s{index}usdt@bookTicker" for index in range(1024)))
        (reply,) = peer.say({"method": "SUBSCRIBE", "params": ["one@more"], "id": 9})
        assert reply == {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 9}
        assert peer.closed == (1008, "Invalid request")
        with pytest.raises(SocketRefused):
            venue.socket("/public/stream", "streams=" + "/".join(f"s{index}usdt@trade" for index in range(1025)))

    in_virtual_time(main)


def test_more_than_ten_messages_a_second_end_the_socket() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer, patient = venue.socket("/public/ws"), venue.socket("/public/ws")
        for index in range(10):
            peer.subscribe(f"s{index}usdt@bookTicker")
        assert peer.say({"method": "LIST_SUBSCRIPTIONS", "id": 1}) == []
        assert peer.closed == (1008, "Too many requests")
        for index in range(30):
            patient.subscribe(f"s{index}usdt@bookTicker")
            await pass_s(1 / VENUE.commands_per_s)
        assert patient.closed is None

    in_virtual_time(main)


@pytest.mark.parametrize("frame", ["on_ping", "on_pong"])
def test_pings_and_pongs_count_as_messages(frame: str) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws")
        for _ in range(10):
            getattr(peer.session, frame)()
        peer.say({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        assert peer.closed == (1008, "Too many requests")

    in_virtual_time(main)


def test_one_address_may_open_three_hundred_sockets_in_five_minutes() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.exchange.close()  # nothing else is to happen for so long
        for index in range(300):
            venue.socket("/public/ws" if index % 2 else "/ws-fapi/v1")
        with pytest.raises(SocketRefused) as caught:
            venue.socket("/public/ws")
        assert caught.value.status == 429
        await pass_s(300)
        venue.socket("/public/ws")

    in_virtual_time(main)


def test_a_socket_lives_for_a_day() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.exchange.close()  # nothing else is to happen for so long
        peer = venue.socket("/public/ws")
        await pass_s(24 * 3600 - 1)
        assert peer.closed is None
        await pass_s(2)
        assert peer.closed is not None

    in_virtual_time(main)


def test_a_closed_socket_hears_no_more() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/btcusdt@bookTicker")
        assert peer.session is not None
        peer.session.on_closed()
        venue.quote()
        assert peer.data == []

    in_virtual_time(main)


def test_a_text_nested_too_deep_is_invalid_json_and_the_socket_stays() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws")
        for text in (b"[" * 100_000, b'{"id":1,"method":"SUBSCRIBE","params":' + b"[" * 50_000 + b"]" * 50_000 + b"}"):
            (reply,) = peer.say(text)
            assert (reply["error"]["code"], reply["id"]) == (3, None)
        assert peer.closed is None
        peer.subscribe("btcusdt@bookTicker")

    in_virtual_time(main)


class MuteChannel:
    """A client's socket that notes pings and answers some of them; see simulator.connection.Channel."""

    def __init__(self) -> None:
        self.pings: list[bytes] = []
        self.was_cut = False

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def cut(self) -> None:
        self.was_cut = True


def test_the_venue_pings_every_three_minutes_and_waits_ten_for_an_answer(clock: ManualClock) -> None:
    async def main() -> None:
        host = build_hosts(Setup(venues=("binance",), rate=0), clock)["binance"]
        channel = MuteChannel()
        connection = await host.open_socket("/public/ws", "", channel)
        opened_ms = clock.time_ns() // 1_000_000
        await pass_s(190)
        connection.on_pong(channel.pings[0])
        await pass_s(200)
        connection.on_pong(b"unasked")
        await pass_s(360 + 600 - 390 - 1)  # the second ping is not answered
        assert not channel.was_cut
        assert [int(text) - opened_ms for text in channel.pings] == [180_000 * number for number in range(1, 6)]
        await pass_s(2)
        assert channel.was_cut
        host.close()

    clock.run(main())


def test_pongs_that_nobody_asked_for_reach_the_venue(clock: ManualClock) -> None:
    async def main() -> None:
        host = build_hosts(Setup(venues=("binance",), rate=0), clock)["binance"]
        connection = await host.open_socket("/public/ws", "", MuteChannel())
        for _ in range(11):
            connection.on_pong(b"")
        assert not connection.is_open
        host.close()

    clock.run(main())
