from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from perpwire.errors import BadInput, NotOffered
from perpwire.model.account import Balance, Position
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, MarkPrice, RpiBook, Trade, Unknown
from perpwire.model.order import Fill, Order, OrderStatus, OrderType, TimeInForce
from perpwire.venues.base import Topic
from perpwire.venues.binance_futures.venue import VENUE

AGG_TRADE = {
    "e": "aggTrade", "E": 1790000000100, "s": "BTCUSDT", "a": 5933014, "p": "64000.10", "q": "0.010", "nq": "0.010",
    "f": 100, "l": 105, "T": 1790000000095, "m": True, "st": 1,
}  # fmt: skip
ORDER = {
    "s": "BTCUSDT", "c": "m1", "S": "BUY", "o": "LIMIT", "f": "GTX", "q": "0.01", "p": "64000.1", "ap": "64000.1",
    "sp": "0", "x": "TRADE", "X": "FILLED", "i": 7001, "l": "0.01", "z": "0.01", "L": "64000.1", "n": "0.128",
    "N": "USDT", "T": 1790000000200, "t": 9001, "b": "0", "a": "0", "m": True, "R": False, "wt": "CONTRACT_PRICE",
    "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0, "V": "EXPIRE_MAKER",
    "pm": "NONE", "gtd": 0, "er": "0",
}  # fmt: skip


def packed(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def combined(stream: str, data: Any) -> bytes:
    return packed({"stream": stream, "data": data})


def events_of(frame: bytes) -> list[Event]:
    events = VENUE.session("market").on_frame(frame, 77)
    assert events is not None
    return list(events)


def order_update(**changes: Any) -> bytes:
    return packed({"e": "ORDER_TRADE_UPDATE", "T": 1790000000200, "E": 1790000000201, "o": ORDER | changes})


# --- names and routes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        (Trade, Topic("market", "btcusdt@aggTrade")),
        (BookTicker, Topic("public", "btcusdt@bookTicker")),
        (BookDelta, Topic("public", "btcusdt@depth@100ms")),
        (MarkPrice, Topic("market", "btcusdt@markPrice@1s")),
    ],
)
def test_each_event_has_its_topic(event: type[Event], topic: Topic) -> None:
    assert VENUE.topic(event, "BTCUSDT") == topic
    assert VENUE.topic(event, "BTC/USDT:USDT") == topic


def test_an_event_without_a_stream_is_bad_input() -> None:
    with pytest.raises(NotOffered, match="Order"):
        VENUE.topic(Order, "BTCUSDT")


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("btcusdt@bookTicker", "public"),
        ("!bookTicker", "public"),
        ("btcusdt@depth", "public"),
        ("btcusdt@depth@500ms", "public"),
        ("btcusdt@depth10@100ms", "public"),
        ("btcusdt@rpiDepth@500ms", "public"),
        ("btcusdt@trade", "public"),
        ("btcusdt@aggTrade", "market"),
        ("btcusdt_261225@aggTrade", "market"),
        ("币安人生usdt@aggTrade", "market"),
        ("btcusdt@markPrice", "market"),
        ("!markPrice@arr@1s", "market"),
        ("btcusdt@kline_1M", "market"),
        ("btcusdt_perpetual@continuousKline_1m", "market"),
        ("btcusdt@miniTicker", "market"),
        ("!miniTicker@arr", "market"),
        ("!ticker@arr", "market"),
        ("!forceOrder@arr", "market"),
        ("defiusdt@compositeIndex", "market"),
        ("!contractInfo", "market"),
        ("!assetIndex@arr", "market"),
        ("tradingSession", "market"),
    ],
)
def test_native_names_find_their_route(name: str, route: str) -> None:
    assert VENUE.parse_topic(name) == Topic(route, name)


def test_a_symbol_in_capitals_for_which_the_venue_stays_silent_is_put_right() -> None:
    assert VENUE.parse_topic("BTCUSDT@kline_1M") == Topic("market", "btcusdt@kline_1M")


@pytest.mark.parametrize(
    "name",
    ["", "btcusdt", "btcusdt@aggtrade", "btcusdt@depth@250ms", "btcusdt@kline_7m", "publicTrade.BTCUSDT", "a/b@trade"],
)
def test_a_name_that_is_none_of_the_venues_is_bad_input(name: str) -> None:
    with pytest.raises(BadInput):
        VENUE.parse_topic(name)


def test_streams_are_opened_on_their_route_and_the_private_one_by_its_key() -> None:
    live = VENUE.environments["live"]
    assert VENUE.stream_url(live, "public", None) == "wss://fstream.binance.com/public/stream"
    assert VENUE.stream_url(live, "market", None) == "wss://fstream.binance.com/market/stream"
    assert VENUE.stream_url(live, "private", "KEY") == "wss://fstream.binance.com/private/ws/KEY"
    with pytest.raises(BadInput):
        VENUE.stream_url(live, "private", None)


# --- frames -----------------------------------------------------------------------------------------------------------


def test_a_frame_is_read_the_same_however_it_is_written() -> None:
    reversed_keys = dict(reversed(list(AGG_TRADE.items())))
    frames = [
        combined("btcusdt@aggTrade", AGG_TRADE),
        combined("btcusdt@aggTrade", reversed_keys),
        packed({"data": AGG_TRADE, "stream": "btcusdt@aggTrade"}),
        packed({"stream": "btcusdt@aggTrade", "data": AGG_TRADE, "more": {"x": 1}}),
        json.dumps({"stream": "btcusdt@aggTrade", "data": AGG_TRADE}, indent=2).encode(),
        b"\n" + combined("btcusdt@aggTrade", AGG_TRADE) + b"\n",
        packed(AGG_TRADE),
        packed(reversed_keys),
        packed({"stream": "SomeListenKey", "data": AGG_TRADE}),
    ]
    (first,) = events_of(frames[0])
    assert isinstance(first, Trade)
    assert (first.symbol, first.price, first.quantity) == ("BTCUSDT", Decimal("64000.10"), Decimal("0.010"))
    assert first.received_ns == 77
    for frame in frames[1:]:
        assert events_of(frame) == [first]


def test_a_partial_book_is_a_snapshot_and_not_a_change() -> None:
    data = {"e": "depthUpdate", "E": 2, "T": 1, "s": "BTCUSDT", "U": 5, "u": 9, "pu": 4, "b": [["1", "2"]], "a": []}
    (snapshot,) = events_of(combined("btcusdt@depth10@100ms", data))
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.update_id, snapshot.bids, snapshot.asks) == (9, ((Decimal(1), Decimal(2)),), ())
    (delta,) = events_of(combined("btcusdt@depth@100ms", data))
    assert isinstance(delta, BookDelta)
    (rpi,) = events_of(combined("btcusdt@rpiDepth@500ms", data))
    assert isinstance(rpi, RpiBook)
    assert (rpi.bids, rpi.previous_update_id) == (((Decimal(1), Decimal(2), Decimal(0)),), 4)


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        ("btcusd_perp@aggTrade", AGG_TRADE | {"st": 2}),
        ("!markPrice@arr", [{"e": "markPriceUpdate", "E": 1, "s": "BTCUSD_PERP", "p": "1", "st": 2}]),
        ("!bookTicker", {"e": "bookTicker", "u": 1, "s": "X", "b": "1", "B": "1", "a": "2", "A": "1", "st": 2}),
    ],
)
def test_rows_of_coin_margined_contracts_are_left_out(stream: str, data: Any) -> None:
    assert events_of(combined(stream, data)) == []
    assert events_of(packed(data)) == []


def test_the_mark_prices_of_the_whole_market_come_in_one_frame() -> None:
    row = {"e": "markPriceUpdate", "E": 5, "s": "BTCUSDT", "p": "64000.10", "i": "64001.00", "r": "", "T": 0, "st": 1}
    for frame in (combined("!markPrice@arr@1s", [row, row | {"s": "ETHUSDT", "r": "0.0001", "T": 9}]),):
        bitcoin, ether = events_of(frame)
        assert isinstance(bitcoin, MarkPrice)
        assert isinstance(ether, MarkPrice)
        assert (bitcoin.funding_rate, bitcoin.next_funding_time_ms) == (None, None)
        assert (ether.symbol, ether.funding_rate, ether.next_funding_time_ms) == ("ETHUSDT", Decimal("0.0001"), 9)


def test_only_trades_of_the_market_count_on_the_raw_trade_stream() -> None:
    data = {"e": "trade", "E": 2, "T": 1, "s": "BTCUSDT", "t": 8, "p": "5", "q": "1", "X": "MARKET", "m": False}
    (trade,) = events_of(combined("btcusdt@trade", data))
    assert isinstance(trade, Trade)
    assert trade.taker_is_buyer
    for kind in ("INSURANCE_FUND", "ADL", "NA"):
        assert events_of(combined("btcusdt@trade", data | {"X": kind, "p": "0"})) == []


@pytest.mark.parametrize("event", ["GRID_UPDATE", "STRATEGY_UPDATE", "somethingNew"])
def test_events_that_nobody_knows_are_handed_on_whole(event: str) -> None:
    frame = packed({"e": event, "E": 1})
    (unknown,) = events_of(frame)
    assert isinstance(unknown, Unknown)
    assert (unknown.name, unknown.raw.encode(), unknown.received_ns) == (event, frame, 77)
    assert isinstance(events_of(packed([{"e": event}]))[0], Unknown)
    assert isinstance(events_of(combined("SomeListenKey", {"e": event}))[0], Unknown)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff",
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade"',
        combined("btcusdt@aggTrade", AGG_TRADE | {"p": "sixty"}),
        combined("btcusdt@aggTrade", {"e": "aggTrade"}),
        combined("btcusdt@markPrice", {"e": "markPriceUpdate", "E": 1, "s": "BTCUSDT", "p": "NaN"}),
        order_update(q=None),
        order_update(q="1e"),
    ],
)
def test_what_cannot_be_read_is_raised_as_such(frame: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, ValueError, KeyError)):
        events_of(frame)


# --- user data --------------------------------------------------------------------------------------------------------


def test_a_fill_comes_with_the_order_that_it_changed() -> None:
    order, fill = events_of(order_update())
    assert isinstance(order, Order)
    assert isinstance(fill, Fill)
    assert (order.status, order.time_in_force) == (OrderStatus.FILLED, TimeInForce.POST_ONLY)
    assert (fill.trade_id, fill.fee, fill.fee_asset, fill.is_maker) == ("9001", Decimal("0.128"), "USDT", True)


@pytest.mark.parametrize("changes", [{"x": "NEW", "X": "NEW", "l": "0"}, {"l": "0"}, {"x": "AMENDMENT"}, {"l": None}])
def test_without_an_execution_there_is_no_fill(changes: dict[str, Any]) -> None:
    assert [type(event) for event in events_of(order_update(**changes))] == [Order]


def test_absent_null_and_empty_fields_of_an_order_mean_that_nothing_is_stated() -> None:
    needed = {"s", "S", "o", "q", "x", "X", "i"}
    bare = {name: value for name, value in ORDER.items() if name in needed}
    for content in (bare, dict.fromkeys(ORDER) | bare, {**ORDER, "p": "", "ap": "", "n": "", "rp": "", "er": ""}):
        order, *_ = events_of(packed({"e": "ORDER_TRADE_UPDATE", "o": content}))
        assert isinstance(order, Order)
        assert order.price is None
        assert order.average_price is None
        assert order.reason == ""


def test_unknown_words_are_unknown_and_kept_but_an_unknown_side_is_loud() -> None:
    (order, *_) = events_of(order_update(o="ICEBERG", f="GTE_GTC", X="HALF_FILLED"))
    assert isinstance(order, Order)
    assert (order.type, order.time_in_force) == (OrderType.UNKNOWN, TimeInForce.UNKNOWN)
    assert order.status is OrderStatus.UNKNOWN
    assert order.unknown_words == ("status HALF_FILLED", "type ICEBERG", "time_in_force GTE_GTC")
    with pytest.raises(ValueError, match="HOLD"):
        events_of(order_update(S="HOLD"))


@pytest.mark.parametrize(
    ("status", "er", "ours", "reason"),
    [
        ("EXPIRED", "9", OrderStatus.EXPIRED, "market order remainder"),
        ("EXPIRED_IN_MATCH", "1", OrderStatus.EXPIRED, "self-trade prevention"),
        ("EXPIRED_IN_MATCH", "0", OrderStatus.EXPIRED, "EXPIRED_IN_MATCH"),
        ("EXPIRED", 5, OrderStatus.EXPIRED, "account liquidated"),
        ("EXPIRED", "77", OrderStatus.EXPIRED, "expiry reason 77"),
        ("NEW_ADL", "0", OrderStatus.NEW, ""),
        ("CANCELED", "0", OrderStatus.CANCELED, ""),
    ],
)
def test_why_an_order_ended(status: str, er: Any, ours: OrderStatus, reason: str) -> None:
    order, *_ = events_of(order_update(x="EXPIRED", X=status, l="0", er=er))
    assert isinstance(order, Order)
    assert (order.status, order.reason) == (ours, reason)


def test_an_account_update_lists_what_changed() -> None:
    content = {
        "e": "ACCOUNT_UPDATE", "T": 5, "E": 6,
        "a": {
            "m": "ORDER",
            "B": [{"a": "USDT", "wb": "999.872", "cw": "999.872", "bc": "0"}],
            "P": [{"s": "BTCUSDT", "pa": "-0.01", "ep": "64000.1", "up": "0", "mt": "cross", "iw": "0", "ps": "BOTH"}],
        },
    }  # fmt: skip
    balance, position = events_of(packed(content))
    assert isinstance(balance, Balance)
    assert (balance.asset, balance.wallet, balance.symbol) == ("USDT", Decimal("999.872"), "")
    assert isinstance(position, Position)
    assert (position.quantity, position.entry_price) == (Decimal("-0.01"), Decimal("64000.1"))
    assert (position.margin_mode, position.mark_price) == ("cross", None)
    empty: tuple[dict[str, Any], ...] = ({"m": "ORDER"}, {"B": None, "P": None}, {"B": [], "P": []})
    for nothing in empty:
        assert events_of(packed({"e": "ACCOUNT_UPDATE", "T": 5, "E": 6, "a": nothing})) == []


def test_a_flat_position_has_no_entry_price() -> None:
    row = {"s": "BTCUSDT", "pa": "0", "ep": "0.00000", "up": "0", "mt": "isolated", "iw": "0", "ps": "BOTH"}
    (position,) = events_of(packed({"e": "ACCOUNT_UPDATE", "T": 5, "E": 6, "a": {"P": [row]}}))
    assert isinstance(position, Position)
    assert position.entry_price is None
    assert position.margin_mode == "isolated"
