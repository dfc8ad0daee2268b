"""Frames become events: exactly, whatever the JSON's spacing and order of keys."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from perpwire.errors import BadInput, NotOffered
from perpwire.model.account import Balance, Position
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, MarkPrice, Ticker, Trade, Unknown
from perpwire.model.order import FastFill, Fill, Order, OrderStatus
from perpwire.venues.base import Topic
from perpwire.venues.bybit.venue import VENUE

D = Decimal


def events(*frames: Any, route: str = "public") -> list[Any]:
    """What one connection makes of the frames, one after the other."""
    session = VENUE.session(route)
    made: list[Any] = []
    for frame in frames:
        found = session.on_frame(frame if isinstance(frame, bytes) else msgspec.json.encode(frame), 7)
        assert found is not None
        made.extend(found)
    return made


def book(topic: str, kind: str, update_id: int, bids: Any, asks: Any, **more: Any) -> dict[str, Any]:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update_id, "seq": 1}
    return {"topic": topic, "type": kind, "ts": 1000, "data": data, **more}


def ticker(kind: str, **data: Any) -> dict[str, Any]:
    return {"topic": "tickers.BTCUSDT", "type": kind, "data": {"symbol": "BTCUSDT", **data}, "cs": 1, "ts": 1000}


def test_a_tickers_best_prices_are_told_when_they_change_and_kept_when_something_else_does() -> None:
    first = {"lastPrice": "12", "prevPrice24h": "10", "highPrice24h": "14", "lowPrice24h": "8", "volume24h": "5"}
    first |= {"turnover24h": "60", "price24hPcnt": "0.2", "bid1Price": "11", "bid1Size": "1", "ask1Price": "13"}
    told = events(
        ticker("snapshot", **first, ask1Size="2"),
        ticker("delta", bid1Size="7"),
        ticker("delta", lastPrice="13", price24hPcnt="0.3"),
        ticker("delta", bid1Price="", bid1Size=""),
    )
    assert {type(event) for event in told} == {Ticker}
    assert [(event.bid_price, event.bid_quantity, event.ask_price, event.ask_quantity) for event in told] == [
        (D(11), D(1), D(13), D(2)), (D(11), D(7), D(13), D(2)), (D(11), D(7), D(13), D(2)), (None, None, D(13), D(2)),
    ]  # fmt: skip
    assert [event.price_change_percent for event in told] == [D(20), D(20), D(30), D(30)]


def test_trades_say_who_crossed_the_spread() -> None:
    row = {"T": 5, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "L": "PlusTick", "i": "20f4", "BT": False}
    frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 6, "data": [row, {**row, "S": "Sell", "i": "x"}]}
    bought, sold = events(frame)
    assert isinstance(bought, Trade)
    assert (bought.venue, bought.symbol, bought.venue_time_ms, bought.received_ns) == ("bybit", "BTCUSDT", 5, 7)
    assert (bought.trade_id, bought.price, bought.quantity) == ("20f4", D("16578.50"), D("0.001"))
    assert not bought.buyer_is_maker
    assert sold.buyer_is_maker
    assert str(bought.price) == "16578.50"  # trailing zeros are kept


@pytest.mark.parametrize(("is_block", "is_rpi"), [(False, False), (True, False), (False, True)])
def test_trades_say_whether_they_are_block_trades_or_against_an_rpi_order(is_block: bool, is_rpi: bool) -> None:
    row = {"T": 5, "s": "BTCUSDT", "S": "Sell", "v": "0.001", "p": "1.5", "i": "20f4", "BT": is_block, "RPI": is_rpi}
    before_2025 = {name: value for name, value in row.items() if name not in ("BT", "RPI")}
    trade, other = events({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 6, "data": [row, before_2025]})
    assert isinstance(trade, Trade)
    assert isinstance(other, Trade)
    assert (trade.is_block, trade.is_rpi) == (is_block, is_rpi)
    assert (other.is_block, other.is_rpi) == (False, False)


@pytest.mark.parametrize("spacing", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
@pytest.mark.parametrize("turned", [False, True], ids=["in order", "topic last"])
def test_spacing_and_order_of_keys_do_not_matter(spacing: tuple[str, str], turned: bool) -> None:
    frame = book("orderbook.50.BTCUSDT", "snapshot", 9, [["1.50", "2"]], [], cts=999)
    keys = reversed(frame) if turned else frame
    text = json.dumps({key: frame[key] for key in keys}, separators=spacing).encode()
    (snapshot,) = events(text)
    assert snapshot == BookSnapshot(
        venue="bybit",
        symbol="BTCUSDT",
        venue_time_ms=999,
        received_ns=7,
        bid_text=(("1.50", "2"),),
        ask_text=(),
        update_id=9,
        sequence=snapshot.sequence,
        stream="orderbook.50.BTCUSDT",
    )


def test_a_delta_has_one_number_and_a_snapshot_may_come_at_any_time() -> None:
    made = events(
        book("orderbook.50.BTCUSDT", "snapshot", 9, [], []),
        book("orderbook.50.BTCUSDT", "delta", 10, [["1.5", "0"]], [["1.6", "3"]]),
        book("orderbook.50.BTCUSDT", "snapshot", 1, [], []),
    )
    assert [type(event) for event in made] == [BookSnapshot, BookDelta, BookSnapshot]
    delta = made[1]
    assert (delta.first_update_id, delta.update_id, delta.previous_update_id) == (10, 10, None)
    assert delta.bids == ((D("1.5"), D(0)),)
    assert delta.venue_time_ms == 1000  # without cts, the frame's own time


def test_best_prices_come_whole_with_each_frame_and_repeats_are_delivered() -> None:
    frame = book("orderbook.1.BTCUSDT", "snapshot", 9, [["1.5", "2"]], [["1.6", "3"]], cts=998)
    first, again = events(frame, frame)
    assert msgspec.structs.replace(first, venue_time_ms=1000) == again  # it holds at the time of the repeat, `ts`
    assert first == BookTicker(
        venue="bybit",
        symbol="BTCUSDT",
        venue_time_ms=998,
        received_ns=7,
        bid_price=D("1.5"),
        bid_quantity=D(2),
        ask_price=D("1.6"),
        ask_quantity=D(3),
        update_id=9,
    )


def test_a_side_without_quotes_is_zero() -> None:
    (event,) = events(book("orderbook.1.BTCUSDT", "snapshot", 9, [], [["1.6", "3"]]))
    assert (event.bid_price, event.bid_quantity) == (0, 0)


def test_best_prices_sent_as_deltas_are_merged() -> None:
    topic = "orderbook.1.BTCUSDT"
    made = events(
        book(topic, "delta", 8, [["1.5", "9"]], []),  # before the snapshot: one side is not known
        book(topic, "snapshot", 9, [["1.5", "2"]], [["1.6", "3"]]),
        book(topic, "delta", 10, [["1.5", "0"], ["1.4", "7"]], []),
        book(topic, "delta", 11, [], [["1.5", "4"], ["1.6", "0"]]),
        book(topic, "delta", 12, [["1.4", "0"]], []),
    )
    assert [(e.bid_price, e.bid_quantity, e.ask_price, e.ask_quantity) for e in made] == [
        (D("1.5"), 2, D("1.6"), 3),
        (D("1.4"), 7, D("1.6"), 3),
        (D("1.4"), 7, D("1.5"), 4),
        (0, 0, D("1.5"), 4),
    ]


def test_a_mark_price_is_merged_from_what_changed() -> None:
    made = events(
        ticker("snapshot", markPrice="100.10", indexPrice="100.2", fundingRate="0.0001", nextFundingTime="5000"),
        ticker("delta", lastPrice="101"),  # nothing of the mark price: no event
        ticker("delta", fundingRate="-0.0002"),
        ticker("delta", markPrice="100.11"),
    )
    assert made[0] == MarkPrice(
        venue="bybit",
        symbol="BTCUSDT",
        venue_time_ms=1000,
        received_ns=7,
        mark_price=D("100.10"),
        index_price=D("100.2"),
        funding_rate=D("0.0001"),
        next_funding_time_ms=5000,
    )
    assert made[1:] == [
        msgspec.structs.replace(made[0], funding_rate=D("-0.0002")),
        msgspec.structs.replace(made[0], funding_rate=D("-0.0002"), mark_price=D("100.11")),
    ]


def test_a_mark_price_is_not_made_up() -> None:
    assert events(ticker("delta", fundingRate="0.1")) == []
    assert events(ticker("snapshot", markPrice="", indexPrice="5")) == []


def test_a_snapshot_forgets_and_empty_or_null_means_there_is_none() -> None:
    made = events(
        ticker("snapshot", markPrice="1", indexPrice="2", fundingRate="3", nextFundingTime="4"),
        ticker("snapshot", markPrice="1", fundingRate="", nextFundingTime=None),
        ticker("delta", indexPrice="2"),
    )
    assert [(e.index_price, e.funding_rate, e.next_funding_time_ms) for e in made] == [
        (2, 3, 4),
        (None, None, None),
        (2, None, None),
    ]


def test_what_changes_before_anything_was_told_makes_no_event() -> None:
    whole = {"markPrice": "1", "fundingRate": "0.1"}
    made = events(ticker("delta", **whole), ticker("snapshot", **whole), ticker("delta", fundingRate="0.2"))
    assert [mark.funding_rate for mark in made] == [D("0.1"), D("0.2")]


def test_a_word_that_is_no_number_leaves_nothing_else_of_a_ticker_out_of_date() -> None:
    day = {"prevPrice24h": "1", "highPrice24h": "9", "lowPrice24h": "1", "volume24h": "5", "turnover24h": "6"}
    session = VENUE.session("public")
    session.on_frame(msgspec.json.encode(ticker("snapshot", markPrice="2", lastPrice="2", **day)), 7)
    with pytest.raises(ValueError, match="bad"):
        session.on_frame(msgspec.json.encode(ticker("delta", markPrice="bad", lastPrice="3")), 7)
    (made,) = session.on_frame(msgspec.json.encode(ticker("delta", volume24h="7")), 7) or ()
    assert isinstance(made, Ticker)
    assert (made.last_price, made.volume) == (D(3), D(7))


def test_each_symbol_has_its_own_state() -> None:
    other = ticker("delta", fundingRate="0.1")
    other["topic"] = "tickers.ETHUSDT"
    assert len(events(ticker("snapshot", markPrice="1"), other)) == 1


def test_non_ascii_symbols_are_read() -> None:
    frame = book("orderbook.50.币安人生USDT", "snapshot", 9, [], [])
    frame["data"]["s"] = "币安人生USDT"
    assert events(frame)[0].symbol == "币安人生USDT"
    assert events(json.dumps(frame).encode())[0].symbol == "币安人生USDT"  # escaped as \\uXXXX


@pytest.mark.parametrize("topic", ["liquidation.BTCUSDT", "spread.order", "greeks", "dcp.future", "x"])
def test_topics_that_nobody_knows_are_handed_on_whole(topic: str) -> None:
    frame = json.dumps({"topic": topic, "type": "delta", "data": [{"b": [["1", "2", "3"]]}]}).encode()
    (event,) = events(frame)
    assert isinstance(event, Unknown)
    assert (event.name, event.raw.encode(), event.received_ns) == (topic.partition(".")[0], frame, 7)


@pytest.mark.parametrize(
    "frame",
    [
        b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[{"T":1,"s":"B","S":"Bought"}]}',
        b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[{"T":',
        b'{"topic":"publicTr',
        b'{"topic":"kline.1.BTCUSDT","data":',
        b'{"topic":"orderbook.50.BTCUSDT","type":"update","ts":1,"data":{}}',
        b"",
        b"<html>",
        b"\xff",
    ],
)
def test_a_frame_that_can_not_be_read_is_loud(frame: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, ValueError)):
        VENUE.session("public").on_frame(frame, 0)


ORDER = {
    "symbol": "BTCUSDT",
    "orderId": "o1",
    "orderLinkId": "c1",
    "side": "Sell",
    "orderType": "Limit",
    "orderStatus": "New",
    "qty": "0.100",
    "price": "55500.00",
    "timeInForce": "PostOnly",
    "cumExecQty": "0",
    "avgPrice": "",
    "createdTime": "1672364262444",
    "updatedTime": "1672364262457",
    "positionIdx": 2,
    "reduceOnly": True,
    "category": "linear",
}


def private(topic: str, row: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "1_BTCUSDT_1", "topic": topic, "creationTime": 1672364262474, "data": [row], **more}


@pytest.mark.parametrize("topic", ["order", "order.linear"])
def test_order_events(topic: str) -> None:
    (order,) = events(private(topic, ORDER), route="private")
    assert type(order) is Order
    assert (order.venue, order.symbol, order.order_id, order.client_order_id) == ("bybit", "BTCUSDT", "o1", "c1")
    assert (order.side, order.type, order.status, order.time_in_force) == ("SELL", "LIMIT", "NEW", "POST_ONLY")
    assert (str(order.price), str(order.quantity), str(order.filled_quantity)) == ("55500.00", "0.100", "0")
    assert (order.average_price, order.reduce_only, order.position_side) == (None, True, "SHORT")
    assert (order.created_time_ms, order.updated_time_ms) == (1672364262444, 1672364262457)
    assert (order.venue_time_ms, order.received_ns, order.reason) == (1672364262457, 7, "")


def test_an_order_status_never_seen_is_unknown_and_its_word_is_kept() -> None:
    (order,) = events(private("order", {**ORDER, "orderStatus": "Dreaming"}), route="private")
    assert isinstance(order, Order)
    assert (order.status, order.unknown_words) == (OrderStatus.UNKNOWN, ("status Dreaming",))


EXECUTION = {
    "symbol": "BTCUSDT",
    "execId": "e1",
    "orderId": "o1",
    "orderLinkId": "c1",
    "side": "Buy",
    "execPrice": "95900.1",
    "execQty": "0.500",
    "execFee": "-0.0125",
    "feeCurrency": "USDT",
    "execPnl": "-1.50",
    "execTime": "1746270400353",
    "execType": "Trade",
    "isMaker": True,
}


def test_a_fast_fill_is_the_first_word_of_a_fill() -> None:
    (fast,) = events(private("execution.fast", EXECUTION), route="private")
    assert isinstance(fast, FastFill)
    assert (fast.trade_id, fast.price, fast.quantity, fast.is_maker) == ("e1", D("95900.1"), D("0.500"), True)


def test_a_kind_of_execution_that_nobody_knows_counts_as_a_fill() -> None:
    (fill,) = events(private("execution", {**EXECUTION, "execType": "Split"}), route="private")
    assert isinstance(fill, Fill)
    assert fill.unknown_words == ("execution Split",)


@pytest.mark.parametrize("topic", ["execution", "execution.linear"])
def test_fill_events(topic: str) -> None:
    (fill,) = events(private(topic, EXECUTION), route="private")
    assert fill == Fill(
        venue="bybit",
        symbol="BTCUSDT",
        venue_time_ms=1746270400353,
        received_ns=7,
        trade_id="e1",
        order_id="o1",
        client_order_id="c1",
        side=fill.side,
        price=D("95900.1"),
        quantity=D("0.500"),
        fee=D("-0.0125"),
        fee_asset="USDT",
        realized_pnl=D("-1.50"),
        is_maker=True,
    )
    assert fill.side == "BUY"


@pytest.mark.parametrize("topic", ["order", "execution", "execution.fast", "position"])
def test_what_happens_on_spot_is_not_taken_for_what_a_contract_of_the_same_name_does(topic: str) -> None:
    flat = {"symbol": "BTCUSDT", "side": "", "size": "0", "positionIdx": 0, "updatedTime": "5"}
    row: dict[str, Any] = {"order": ORDER, "position": flat}.get(topic, EXECUTION)
    frame = private(topic, {**row, "category": "spot"})
    frame["data"].append({**row, "category": "linear"})
    ours, foreign = events(frame, route="private")
    assert not isinstance(ours, Unknown)
    assert isinstance(foreign, Unknown)
    assert foreign.name == f"{topic.partition('.')[0]}.spot"
    assert json.loads(foreign.raw) == frame
    assert foreign.received_ns == 7


@pytest.mark.parametrize(("kind", "count"), [("AdlTrade", 1), ("BustTrade", 1), ("Funding", 0), ("Settle", 0)])
def test_funding_and_settlement_are_no_fills(kind: str, count: int) -> None:
    assert len(events(private("execution", {**EXECUTION, "execType": kind}), route="private")) == count


def test_position_events_carry_the_sign_of_the_side() -> None:
    row = {
        "symbol": "ETHUSDT",
        "side": "Sell",
        "size": "0.010",
        "entryPrice": "3641.075",
        "markPrice": "3641.33",
        "liqPrice": "51764.83003276",
        "leverage": "30",
        "unrealisedPnl": "-0.00255",
        "positionIdx": 0,
        "updatedTime": "1762199125472",
    }
    short, long, flat = events(
        private("position", row),
        private("position.linear", {**row, "side": "Buy", "positionIdx": 1}),
        private("position", {**row, "side": "", "size": "0", "entryPrice": "0", "liqPrice": "0", "leverage": ""}),
        route="private",
    )
    assert type(short) is Position
    assert (str(short.quantity), short.position_side, short.venue_time_ms) == ("-0.010", "BOTH", 1762199125472)
    assert (str(short.entry_price), str(short.unrealized_pnl)) == ("3641.075", "-0.00255")
    assert (str(short.liquidation_price), str(short.leverage)) == ("51764.83003276", "30")
    assert (str(long.quantity), long.position_side) == ("0.010", "LONG")
    assert (str(flat.quantity), flat.entry_price, flat.liquidation_price, flat.leverage) == ("0", None, None, None)


def test_an_open_position_without_a_side_is_loud() -> None:
    row = {"symbol": "ETHUSDT", "side": "", "size": "1", "entryPrice": "2", "positionIdx": 0}
    with pytest.raises(ValueError, match="side"):
        events(private("position", row), route="private")


@pytest.mark.parametrize("size", ["", None])
def test_an_open_position_without_a_size_is_loud_and_not_flat(size: str | None) -> None:
    row = {"symbol": "ETHUSDT", "side": "Sell", "size": size, "entryPrice": "2", "positionIdx": 0}
    with pytest.raises(ValueError, match="size"):
        events(private("position", row), route="private")


@pytest.mark.parametrize("said", ["", None])
def test_how_far_an_order_is_filled_is_not_guessed(said: str | None) -> None:
    row = {**ORDER, "qty": "0.5", "cumExecQty": said}
    new, filled = events(private("order", row), private("order", {**row, "orderStatus": "Filled"}), route="private")
    assert (new.filled_quantity, filled.filled_quantity) == (0, D("0.5"))
    for status in ("PartiallyFilled", "PartiallyFilledCanceled"):
        with pytest.raises(ValueError, match="how far"):
            events(private("order", {**row, "orderStatus": status}), route="private")


def test_balance_events_one_for_each_coin() -> None:
    coins = [
        {"coin": "USDT", "walletBalance": "100.10", "unrealisedPnl": "-1"},
        {"coin": "BTC", "walletBalance": "0.5", "unrealisedPnl": ""},
    ]
    made = events(private("wallet", {"accountType": "UNIFIED", "coin": coins}), route="private")
    assert made == [
        Balance(
            venue="bybit",
            venue_time_ms=1672364262474,
            received_ns=7,
            asset="USDT",
            wallet=D("100.10"),
            unrealized_pnl=D(-1),
        ),
        Balance(venue="bybit", venue_time_ms=1672364262474, received_ns=7, asset="BTC", wallet=D("0.5")),
    ]


@given(st.binary(max_size=60), st.sampled_from([b"", b'{"topic":"', b'{"topic":"tickers.X","type":"delta","data":']))
def test_no_bytes_make_it_fail_otherwise(noise: bytes, start: bytes) -> None:
    session = VENUE.session("private")
    try:
        session.on_frame(start + noise, 0)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass


def test_topics_of_events_and_the_way_back() -> None:
    assert VENUE.topic(Trade, "BTCUSDT") == Topic("public", "publicTrade.BTCUSDT")
    assert VENUE.topic(BookTicker, "BTCUSDT") == Topic("public", "orderbook.1.BTCUSDT")
    assert VENUE.topic(BookDelta, "BTCUSDT") == VENUE.topic(BookSnapshot, "BTCUSDT")
    assert VENUE.topic(MarkPrice, "BTCUSDT") == Topic("public", "tickers.BTCUSDT")
    with pytest.raises(NotOffered, match="Fill"):
        VENUE.topic(Fill, "BTCUSDT")
    assert VENUE.parse_topic("orderbook.200.BTCUSDT").route == "public"
    assert VENUE.parse_topic("execution.fast").route == "private"
    for name in ("nonsense", "btcusdt@trade", "orderbook", ""):
        with pytest.raises(BadInput):
            VENUE.parse_topic(name)
