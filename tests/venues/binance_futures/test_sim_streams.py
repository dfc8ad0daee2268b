"""The simulated venue's stream sockets: addresses, control messages, cadence, and private events."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.simulator.recordings import common
from tests.venues.binance_futures.simulated import MAIN, OTHER, FakePeer, SimulatedVenue, in_virtual_time, pass_s

from perpwire.model.market import BookDelta, BookSnapshot, Trade
from perpwire.simulator.dialect import DialectOptions, SocketRefused
from perpwire.simulator.replay import ReplayFeed
from perpwire.venues.base import Verdict
from perpwire.venues.binance_futures.venue import VENUE

# --- addresses and routes ---------------------------------------------------------------------------------------------


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


# --- control messages -------------------------------------------------------------------------------------------------


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
            await pass_s(VENUE.command_interval_s)
        assert patient.closed is None

    in_virtual_time(main)


def test_pings_count_as_messages() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws")
        for _ in range(10):
            peer.session.on_ping()  # type: ignore[union-attr]
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


# --- public streams ---------------------------------------------------------------------------------------------------


def test_the_top_of_book_is_told_at_once_and_only_when_it_changes() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/btcusdt@bookTicker")
        venue.quote()
        assert [(one["b"], one["a"], one["A"]) for one in peer.data] == [
            ("63999.90", "0.00", "0.000"),
            ("63999.90", "64000.10", "1.000"),
        ]
        venue.place(price="60000")
        assert len(peer.data) == 2
        assert peer.data[1]["u"] == peer.data[0]["u"] + 1
        assert (peer.data[0]["st"], peer.data[0]["ps"]) == (1, "BTCUSDT")

    in_virtual_time(main)


def test_each_pace_of_the_depth_stream_has_a_chain_of_its_own() -> None:
    async def main(venue: SimulatedVenue) -> None:
        paces = {"btcusdt@depth@100ms": 100, "btcusdt@depth": 250, "btcusdt@depth@500ms": 500}
        peers = {name: venue.socket(f"/public/ws/{name}") for name in paces}
        for index in range(40):
            venue.place(price=str(60000 + index % 7), quantity="0.002")
            await pass_s(0.05)
        await pass_s(0.5)
        last_ids = set()
        for name, pace_ms in paces.items():
            frames = peers[name].data
            assert len(frames) == 2000 // pace_ms
            assert all(frame["E"] % pace_ms == 0 for frame in frames)
            for before, after in pairwise(frames):
                assert after["pu"] == before["u"]
                assert before["u"] < after["U"] <= after["u"]
            last_ids.add(frames[-1]["u"])
        assert last_ids == {venue.public("/fapi/v1/depth", symbol="BTCUSDT").json["lastUpdateId"]}

    in_virtual_time(main)


def test_a_quiet_book_says_nothing() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/btcusdt@depth@100ms")
        await pass_s(5)
        assert peer.data == []

    in_virtual_time(main)


def test_a_book_kept_by_the_venues_rule_equals_the_venues_book() -> None:
    async def main(venue: SimulatedVenue) -> None:
        await pass_s(1)
        peer = venue.socket("/public/stream", "streams=btcusdt@depth@100ms")
        await pass_s(0.55)
        body = venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit=1000).json
        sides = [{Decimal(price): Decimal(quantity) for price, quantity in body[side]} for side in ("bids", "asks")]
        snapshot = BookSnapshot(bids=(), asks=(), update_id=body["lastUpdateId"])
        await pass_s(5)
        venue.exchange.close()  # the market rests,
        await pass_s(0.2)  # and the last change goes out
        session = VENUE.session("public")
        last: int | None = None
        applied = 0
        for frame, _, _ in peer.sent:
            (delta,) = session.on_frame(frame, 1) or ()
            assert isinstance(delta, BookDelta)
            verdict = VENUE.book_rule.joins(delta, snapshot) if last is None else VENUE.book_rule.follows(delta, last)
            if verdict is Verdict.DROP:
                continue
            assert verdict is Verdict.APPLY
            applied += 1
            last = delta.update_id
            for side, levels in zip(sides, (delta.bids, delta.asks), strict=True):
                side.update(levels)
        assert applied > 20
        books = [{price: quantity for price, quantity in side.items() if quantity} for side in sides]
        bids, asks, update_id, _ = venue.exchange.book("BTCUSDT", 1000)
        assert last == update_id
        assert books == [dict(bids), dict(asks)]

    in_virtual_time(main, rate=30.0)


def test_a_partial_book_is_sent_whole() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/btcusdt@depth5@100ms")
        for price in range(60000, 60008):
            venue.place(price=str(price), quantity="0.002")
        await pass_s(0.2)
        (frame,) = peer.data
        assert [price for price, _ in frame["b"]] == [f"{price}.00" for price in range(60007, 60002, -1)]
        assert frame["a"] == []

    in_virtual_time(main)


def test_trades_come_each_at_once_and_in_aggregates_of_a_tenth_of_a_second() -> None:
    async def main(venue: SimulatedVenue) -> None:
        each = venue.socket("/public/ws/btcusdt@trade")
        together = venue.socket("/market/ws/btcusdt@aggTrade")
        venue.quote()
        for _ in range(3):
            venue.market()
        venue.market(side="SELL")
        assert [one["q"] for one in each.data] == ["0.010"] * 4
        assert together.data == []
        await pass_s(0.15)
        first, second = together.data
        assert (first["p"], first["q"], first["m"]) == ("64000.10", "0.030", False)
        assert first["l"] - first["f"] == 2
        assert (second["q"], second["m"], second["a"]) == ("0.010", True, first["a"] + 1)
        await pass_s(1)
        venue.market()
        await pass_s(0.15)
        assert together.data[2]["a"] == first["a"] + 2
        trade = VENUE.session("market").on_frame(together.sent[0][0], 5)
        assert trade
        assert isinstance(trade[0], Trade)

    in_virtual_time(main)


def test_mark_prices_come_every_second_or_every_third() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peers = {
            name: venue.socket(f"/market/ws/{name}")
            for name in ("btcusdt@markPrice@1s", "btcusdt@markPrice", "!markPrice@arr@1s")
        }
        await pass_s(9.5)
        counts = {name: len(peer.data) for name, peer in peers.items()}
        assert counts == {"btcusdt@markPrice@1s": 9, "btcusdt@markPrice": 3, "!markPrice@arr@1s": 9}
        frame = peers["btcusdt@markPrice@1s"].data[0]
        assert set(frame) == {"e", "E", "s", "p", "ap", "i", "P", "r", "T", "st"}
        assert [one["s"] for one in peers["!markPrice@arr@1s"].data[0]] == [
            "BTCUSDT",
            "ETHUSDT",
            "SOLUSDT",
            "BTCUSD_PERP",
            "ETHUSD_PERP",
        ]

    in_virtual_time(main)


def test_rows_of_the_other_family_can_be_left_out() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/market/ws/!markPrice@arr@1s")
        await pass_s(1.5)
        assert [one["st"] for one in peer.data[0]] == [1, 1, 1]

    in_virtual_time(main, options=DialectOptions(coin_margined_rows=False))


def test_the_tops_of_all_books_come_every_five_seconds_as_far_as_they_have_changed() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/!bookTicker")
        venue.quote()
        venue.quote(bid="63999.80")
        venue.place(symbol="SOLUSDT", price="140", quantity="1")
        await pass_s(5.01)
        assert [(one["s"], one["st"]) for one in peer.data] == [("BTCUSDT", 1), ("BTCUSD_PERP", 2), ("SOLUSDT", 1)]
        top, sibling, _ = peer.data
        assert (top["b"], top["B"], top["a"], top["E"] % 5000) == ("63999.90", "1.000", "64000.10", 0)
        # One bitcoin at 63,999.90 is 639.999 contracts of 100 dollars.
        assert (sibling["ps"], sibling["b"], sibling["B"]) == ("BTCUSD", "63999.90", "640")
        await pass_s(10)
        assert len(peer.data) == 3

    in_virtual_time(main)


def test_the_book_with_rpi_orders_has_a_chain_of_its_own() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer, other = venue.socket("/public/ws/btcusdt@rpiDepth@500ms"), venue.socket("/public/ws/btcusdt@rpiDepth")
        for price in range(60000, 60010):
            venue.place(price=str(price), quantity="0.002")
            await pass_s(0.2)
        assert len(peer.data) == 4
        assert all(after["pu"] == before["u"] for before, after in pairwise(peer.data))
        assert {one["e"] for one in peer.data} == {"depthUpdate"}
        assert other.data == []

    in_virtual_time(main)


def test_a_frame_is_made_once_for_all_who_get_it() -> None:
    async def main(venue: SimulatedVenue) -> None:
        bare = [venue.socket("/public/ws/btcusdt@bookTicker") for _ in range(3)]
        combined = [venue.socket("/public/stream", "streams=btcusdt@bookTicker") for _ in range(3)]
        venue.quote()
        for peers in (bare, combined):
            (frame, *others) = [peer.sent[0][0] for peer in peers]
            assert all(other is frame for other in others)

    in_virtual_time(main)


@pytest.mark.slow
@pytest.mark.fixtures
def test_a_recording_is_passed_on_as_it_is_in_place_of_our_own_frames(fixtures: Path) -> None:
    path = fixtures / "binance" / "raw" / "btcusdt_20240808_first150s.txt.gz"
    with gzip.open(path) as file:
        lines = [next(file).partition(b" ")[2].rstrip(b"\n") for _ in range(1200)]
    recorded = [json.loads(line) for line in lines if line.startswith(b'{"stream"')]

    async def main(venue: SimulatedVenue) -> None:
        peers = {
            "bookTicker": venue.socket("/public/stream", "streams=btcusdt@bookTicker"),
            "trade": venue.socket("/public/stream", "streams=btcusdt@trade"),
            "aggTrade": venue.socket("/market/stream", "streams=btcusdt@aggTrade"),
            "depth": venue.socket("/public/stream", "streams=btcusdt@depth@500ms"),
        }
        await pass_s(8)
        for kind in ("bookTicker", "trade", "depth"):
            name = {"depth": "btcusdt@depth@500ms"}.get(kind, f"btcusdt@{kind}")
            expected = [one["data"] for one in recorded if one["stream"].split("@")[1] == kind]
            assert len(expected) > 10
            sent = peers[kind].data
            assert {one["stream"] for one in sent} == set(peers[kind].topics) == {name}
            assert [one["data"] for one in sent[: len(expected)]] == expected
        assert peers["aggTrade"].data

    in_virtual_time(main, replay=ReplayFeed(path))


# --- private stream ---------------------------------------------------------------------------------------------------


def events(peer: FakePeer) -> list[str]:
    """Kind of each event, with execution type and status of orders."""
    told = []
    for one in peer.data:
        order = one.get("o", {})
        told.append(one["e"] + (f" {order['x']} {order['X']}" if order else ""))
    return told


def with_user_stream(test: Callable[[SimulatedVenue, FakePeer], Any], **options: Any) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(f"/private/ws/{venue.listen_key()}")
        await test(venue, peer)

    in_virtual_time(main, **options)


def test_a_taker_fill_is_told_in_the_venues_order() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.quote()
        placed = venue.market(newClientOrderId="m1").json
        assert events(peer) == [
            "TRADE_LITE",
            "ORDER_TRADE_UPDATE NEW NEW",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE TRADE FILLED",
        ]
        assert peer.topics == [one["e"] for one in peer.data]
        assert {account for _, topic, account in peer.sent if topic} == {"main"}
        lite, new, account, trade = peer.data
        assert lite == lite | {
            "s": "BTCUSDT",
            "q": "0.01",
            "p": "0",
            "c": "m1",
            "L": "64000.1",
            "l": "0.01",
            "m": False,
        }
        assert new["o"] == new["o"] | {"n": "0", "N": "USDT", "l": "0", "z": "0", "t": 0, "ap": "0", "er": "0"}
        assert account["a"] == {
            "B": [{"a": "USDT", "wb": "99999.6799995", "cw": "99999.6799995", "bc": "0"}],
            "P": [
                {
                    "s": "BTCUSDT",
                    "pa": "0.01",
                    "ep": "64000.1",
                    "cr": "0",
                    "up": "-0.001",
                    "mt": "cross",
                    "iw": "0",
                    "ps": "BOTH",
                    "ma": "USDT",
                    "bep": "64032.10005",
                }
            ],
            "m": "ORDER",
        }
        order = trade["o"]
        assert order["i"] == lite["i"] == placed["orderId"]
        assert order["t"] == lite["t"] == venue.signed("GET", "/fapi/v1/userTrades", symbol="BTCUSDT").json[0]["id"]
        assert order == order | {"L": "64000.1", "l": "0.01", "z": "0.01", "ap": "64000.1", "n": "0.3200005", "rp": "0"}
        assert trade["T"] <= trade["E"]

    with_user_stream(test)


def test_an_order_that_takes_several_times_is_told_fill_by_fill() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        for price in ("64000.1", "64000.2"):
            venue.place(account=OTHER, side="SELL", price=price, quantity="0.010")
        venue.place(price="64000.2", quantity="0.030")
        await pass_s(0.001)
        assert events(peer) == [
            "TRADE_LITE",
            "ORDER_TRADE_UPDATE NEW NEW",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE TRADE PARTIALLY_FILLED",
            "TRADE_LITE",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE TRADE PARTIALLY_FILLED",
        ]
        assert [one["o"]["z"] for one in peer.data if "o" in one] == ["0", "0.01", "0.02"]

    with_user_stream(test)


def test_a_resting_order_is_told_when_it_is_placed_amended_filled_and_cancelled() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        order_id = venue.place(price="63999").json["orderId"]
        await pass_s(0.001)
        order = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order_id}
        venue.signed("PUT", "/fapi/v1/order", **order, quantity="0.020", price="63999.5")
        venue.market(account=OTHER, side="SELL", quantity="0.005")
        venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=order_id)
        assert events(peer) == [
            "ORDER_TRADE_UPDATE NEW NEW",
            "ORDER_TRADE_UPDATE AMENDMENT NEW",
            "TRADE_LITE",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE TRADE PARTIALLY_FILLED",
            "ORDER_TRADE_UPDATE CANCELED CANCELED",
        ]
        fill = peer.data[4]["o"]
        assert (fill["m"], fill["n"], fill["q"], fill["p"]) == (True, "0.0639995", "0.02", "63999.5")
        assert peer.data[0]["o"]["b"] == "639.99"

    with_user_stream(test)


def test_a_new_order_is_told_before_whatever_comes_after_it() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        for name in ("a", "b"):
            venue.place(price="60000", newClientOrderId=name)
        venue.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="b")
        assert [(one["o"]["c"], one["o"]["x"]) for one in peer.data] == [("a", "NEW"), ("b", "NEW"), ("b", "CANCELED")]

    with_user_stream(test)


@pytest.mark.parametrize(
    ("params", "status", "er"),
    [
        ({"type": "MARKET", "price": None, "timeInForce": None}, "EXPIRED", "9"),
        ({"timeInForce": "IOC", "price": "64000.1"}, "EXPIRED", "2"),
    ],
)
def test_a_remainder_that_may_not_rest_expires_with_its_reason(params: dict[str, Any], status: str, er: str) -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.quote(quantity="0.005")
        venue.place(**params)
        last = peer.data[-1]["o"]
        assert (last["x"], last["X"], last["er"], last["z"], last["l"]) == ("EXPIRED", status, er, "0.005", "0")

    with_user_stream(test)


def test_unless_told_otherwise_the_resting_order_of_the_same_account_expires() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        resting = venue.place(price="64000", side="SELL").json
        assert venue.place(price="64000").json["status"] == "NEW"
        await pass_s(0.001)
        assert events(peer)[-2:] == ["ORDER_TRADE_UPDATE NEW NEW", "ORDER_TRADE_UPDATE EXPIRED EXPIRED_IN_MATCH"]
        ended = peer.data[-1]["o"]
        assert (ended["i"], ended["er"], ended["V"]) == (resting["orderId"], "1", "EXPIRE_MAKER")

    with_user_stream(test)


def test_an_order_that_meets_its_own_account_expires_in_match() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.place(price="64000", side="SELL")
        answer = venue.place(price="64000", selfTradePreventionMode="EXPIRE_TAKER").json
        assert (answer["status"], answer["selfTradePreventionMode"]) == ("EXPIRED_IN_MATCH", "EXPIRE_TAKER")
        await pass_s(0.001)
        assert events(peer)[-1] == "ORDER_TRADE_UPDATE EXPIRED EXPIRED_IN_MATCH"
        assert (peer.data[-1]["o"]["er"], peer.data[-1]["o"]["V"]) == ("1", "EXPIRE_TAKER")
        assert peer.data[-1]["o"]["i"] == answer["orderId"]

    with_user_stream(test)


def test_the_private_stream_can_be_opened_in_every_form() -> None:
    async def main(venue: SimulatedVenue) -> None:
        key = venue.listen_key()
        bare = [venue.socket(f"/private/ws/{key}"), venue.socket("/private/ws", f"listenKey={key}")]
        combined = [
            venue.socket("/private/stream", f"streams={key}"),
            venue.socket("/private/stream", f"listenKey={key}"),
            venue.socket("/private/stream"),
        ]
        combined[-1].subscribe(key)
        only_account = venue.socket("/private/ws", f"listenKey={key}&events=ACCOUNT_UPDATE/TRADE_LITE")
        deaf = [venue.socket(f"/public/ws/{key}"), venue.socket(f"/ws/{key}"), venue.socket("/private/ws/unknown")]
        venue.quote()
        venue.market()
        for peer in bare:
            assert len(events(peer)) == 4
        for peer in combined:
            assert {one["stream"] for one in peer.data} == {key}
            assert [one["data"]["e"] for one in peer.data] == [one["e"] for one in bare[0].data]
        assert events(only_account) == ["TRADE_LITE", "ACCOUNT_UPDATE"]
        assert [peer.data for peer in deaf] == [[], [], []]

    in_virtual_time(main)


def test_an_expired_key_is_announced_and_then_silent() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.exchange.close()  # nothing else is to happen for so long
        key = venue.listen_key()
        await pass_s(3601)
        assert peer.data == [{"e": "listenKeyExpired", "E": peer.data[0]["E"], "listenKey": key}]
        venue.quote()
        venue.market()
        assert len(peer.data) == 1
        assert peer.closed is None

    with_user_stream(test)


def test_a_key_that_is_given_up_ends_its_stream() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.raw("DELETE", "/fapi/v1/listenKey", key=MAIN.api_key)
        assert peer.closed == (1000, "")

    with_user_stream(test)


def test_a_change_of_leverage_is_told_once() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        for _ in range(2):
            venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=25)
        (told,) = peer.data
        assert (told["e"], told["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": "BTCUSDT", "l": 25})

    with_user_stream(test)


def test_our_own_session_reads_whatever_the_simulated_venue_says() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.quote()
        venue.market()
        venue.market(side="SELL", quantity="0.020")
        session = VENUE.session("private")
        kinds = [type(event).__name__ for frame, _, _ in peer.sent for event in session.on_frame(frame, 1) or ()]
        once = ["Order", "Balance", "Position", "Order", "Fill"]
        assert kinds == once + once

    with_user_stream(test)


def test_a_text_nested_too_deep_is_invalid_json_and_the_socket_stays() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws")
        for text in (b"[" * 100_000, b'{"id":1,"method":"SUBSCRIBE","params":' + b"[" * 50_000 + b"]" * 50_000 + b"}"):
            (reply,) = peer.say(text)
            assert (reply["error"]["code"], reply["id"]) == (3, None)
        assert peer.closed is None
        peer.subscribe("btcusdt@bookTicker")

    in_virtual_time(main)


@pytest.mark.parametrize(
    "name",
    ["btcusdt@bookTicker", "btcusdt@trade", "btcusdt@aggTrade", "btcusdt@depth@100ms", "btcusdt@depth5"],
)
def test_whoever_wants_what_a_recording_feeds_sets_it_going(tmp_path: Path, name: str) -> None:
    recording = common()
    recording.ticker(1.0)
    recording.trade(1.1, "100.00", "1", True)
    recording.diff(1.2, 11, 12, [("100.00", "6")], [])
    feed = ReplayFeed(recording.write(tmp_path))

    async def main(venue: SimulatedVenue) -> None:
        route = "market" if name.endswith("aggTrade") else "public"
        peer = venue.socket(f"/{route}/ws/{name}")
        await pass_s(5)
        assert feed.is_finished
        assert peer.data

    in_virtual_time(main, replay=feed)


def test_a_recorded_frame_of_no_stream_of_this_venue_is_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording = common()
    recording.frame(1.0, "btcusdt@foo", {})
    recording.frame(1.1, "btcusdt", {})
    recording.ticker(1.2)
    feed = ReplayFeed(recording.write(tmp_path))

    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/public/ws/btcusdt@bookTicker")
        await pass_s(5)
        assert feed.is_finished
        assert len(peer.data) == 2

    in_virtual_time(main, replay=feed)
    assert "btcusdt@foo" in caplog.text
