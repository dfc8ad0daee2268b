"""The simulated venue's private streams: orders and fills, keys, and who hears of what in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.venues.binance_futures.hearing import events, with_user_stream
from tests.venues.binance_futures.simulated import MAIN, OTHER, FakePeer, SimulatedVenue, in_virtual_time, pass_s

from perpwire.simulator.dialect import DialectOptions
from perpwire.venues.binance_futures.venue import VENUE


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


def test_one_socket_may_have_several_keys_each_with_its_events() -> None:
    async def main(venue: SimulatedVenue) -> None:
        own = venue.listen_key()
        other = str(venue.raw("POST", "/fapi/v1/listenKey", key=OTHER.api_key).json["listenKey"])
        query = f"listenKey={own}&events=TRADE_LITE/ACCOUNT_UPDATE&listenKey={other}&events=ORDER_TRADE_UPDATE"
        peer = venue.socket("/private/stream", query)
        venue.quote()
        venue.market()
        await pass_s(0.001)
        told: dict[str, list[str]] = {own: [], other: []}
        for one in peer.data:
            told[one["stream"]].append(one["data"]["e"])
        assert told == {own: ["TRADE_LITE", "ACCOUNT_UPDATE"], other: ["ORDER_TRADE_UPDATE"] * 3}
        assert {account for _, topic, account in peer.sent if topic} == {"main", "other"}
        venue.raw("DELETE", "/fapi/v1/listenKey", key=MAIN.api_key)
        assert peer.closed is None  # the other one goes on
        venue.raw("DELETE", "/fapi/v1/listenKey", key=OTHER.api_key)
        assert peer.closed is not None

    in_virtual_time(main)


def test_a_key_can_be_subscribed_and_given_up_later_as_a_streams_name() -> None:
    async def main(venue: SimulatedVenue) -> None:
        key = venue.listen_key()
        peer = venue.socket("/private/ws")
        venue.place(price="60000")
        await pass_s(0.001)
        assert peer.data == []
        peer.subscribe(key)
        venue.place(price="60001")
        await pass_s(0.001)
        assert events(peer) == ["ORDER_TRADE_UPDATE NEW NEW"]
        assert peer.say({"method": "LIST_SUBSCRIPTIONS", "id": 2}) == [{"result": [key], "id": 2}]
        assert peer.say({"method": "UNSUBSCRIBE", "params": [key], "id": 3}) == [{"result": None, "id": 3}]
        venue.place(price="60002")
        await pass_s(0.001)
        assert len(peer.data) == 1
        # The end of a key ends no socket that has only subscribed to it.
        peer.subscribe(key)
        venue.raw("DELETE", "/fapi/v1/listenKey", key=MAIN.api_key)
        assert peer.closed is None

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


def test_a_key_outlives_a_restart_and_its_hour_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "state"
    key = ""

    async def before(venue: SimulatedVenue) -> None:
        nonlocal key
        key = venue.listen_key()

    async def after(venue: SimulatedVenue) -> None:
        peer = venue.socket(f"/private/ws/{key}")
        venue.place(price="60000")
        await pass_s(0.001)
        assert events(peer) == ["ORDER_TRADE_UPDATE NEW NEW"]
        venue.exchange.close()  # nothing else is to happen for so long
        await pass_s(1801)
        assert peer.data[-1]["e"] == "listenKeyExpired"
        assert venue.raw("PUT", "/fapi/v1/listenKey", key=MAIN.api_key).code == -1125
        assert venue.listen_key() != key

    start_ns = 1_790_000_000_000_000_000
    in_virtual_time(before, start_ns, state=file)
    in_virtual_time(after, start_ns + 1800 * 1_000_000_000, state=file)


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
        assert kinds.count("FastFill") == 2
        once = ["Order", "Balance", "Position", "Order", "Fill"]
        assert [kind for kind in kinds if kind != "FastFill"] == once + once

    with_user_stream(test)


def test_events_of_one_kind_may_come_late_but_stay_in_order() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.quote(quantity="5")
        for number in range(30):
            venue.market(quantity="0.002", newClientOrderId=f"m{number}")
            await pass_s(0.02)
        await pass_s(1)
        by_kind: dict[str, list[Any]] = {}
        for one in peer.data:
            by_kind.setdefault(one["e"], []).append(one)
        assert {kind: len(told) for kind, told in by_kind.items()} == {
            "TRADE_LITE": 30,
            "ORDER_TRADE_UPDATE": 60,
            "ACCOUNT_UPDATE": 30,
        }
        for told in by_kind.values():
            assert [one["E"] for one in told] == sorted(one["E"] for one in told)
        lags = {one["E"] for one in peer.data}
        assert lags
        in_order = ["TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"] * 30
        assert [one["e"] for one in peer.data] != in_order

    with_user_stream(test, options=DialectOptions(user_event_delay_s=0.6))
