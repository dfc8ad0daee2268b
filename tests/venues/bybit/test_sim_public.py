"""The simulator's public streams: to the letter, at the venue's cadence, and nothing lost between two frames."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, MarkPrice, Trade
from perpwire.model.order import Side
from perpwire.simulator.events import RecordedFrame
from perpwire.venues.base import Verdict
from perpwire.venues.bybit.sim import trade_feed
from perpwire.venues.bybit.sim.dialect import BybitDialect
from perpwire.venues.bybit.venue import VENUE

from .desk import Desk, Stream, at_desk, moment

D = Decimal


def replayed(events: list[Any], depth: int) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """The book after these events, by the venue's rule."""
    sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
    last = 0
    for event in events:
        if isinstance(event, BookSnapshot):
            sides = (dict(event.bids), dict(event.asks))
        else:
            assert isinstance(event, BookDelta)
            assert VENUE.book_rule.follows(event, last) is Verdict.APPLY
            for side, levels in zip(sides, (event.bids, event.asks), strict=True):
                for price, size in levels:
                    if size:
                        side[price] = size
                    else:
                        del side[price]  # a delete never names a level that is not there
        last = event.update_id
        assert max(map(len, sides)) <= depth  # levels that leave the window are deleted
        if all(sides):
            assert max(sides[0]) < min(sides[1])
    return sides


# --- control ----------------------------------------------------------------------------------------------------------


@at_desk
async def test_answers_carry_the_request_id_as_it_was_sent(desk: Desk) -> None:
    stream = Stream(desk, "/v5/public/linear")
    for req_id in ("uuid-1", 7):
        answer = stream.say(op="subscribe", req_id=req_id, args=[f"publicTrade.{'BTC' if req_id == 7 else 'ETH'}USDT"])
        assert answer.pop("conn_id")
        assert answer == {"success": True, "ret_msg": "", "req_id": req_id, "op": "subscribe"}
    pong = stream.say(op="ping")
    assert (pong["success"], pong["ret_msg"], pong["req_id"], pong["op"]) == (True, "pong", "", "ping")
    answer = stream.say(op="unsubscribe", req_id="x", args=["publicTrade.BTCUSDT"])
    assert (answer["success"], answer["op"], answer["req_id"]) == (True, "unsubscribe", "x")


@pytest.mark.parametrize(
    "topic",
    [
        "publicTrade.NOTASYMBOL",
        "orderbook.500.BTCUSDT",
        "orderbook.BTCUSDT",
        "orderbook.full.BTCUSDT",
        "orderbook.rpi",
        "kline.2.BTCUSDT",
        "kline.01.BTCUSDT",
        "kline.d.BTCUSDT",
        "kline.1.",
        "kline.BTCUSDT",
        "adlAlert.BTC",
        "adlAlert",
        "insurance.inverse",
        "system.status",
        "order",
        "liquidation.X",
        "orderbook.050.BTCUSDT",
        "orderbook.٥٠.BTCUSDT",
        "orderbook.+50.BTCUSDT",
        "orderbook. 50.BTCUSDT",
        "orderbook.5_0.BTCUSDT",
        "orderbook.50.BTCUSDT.",
        "orderbook.50..BTCUSDT",
        "orderbook.50.btcusdt",
        f"orderbook.{'9' * 5000}.BTCUSDT",
        f"publicTrade.{'B' * 5000}",
        "publicTrade.ＢTCUSDT",
        "publicTrade.BTCUSDT ",
        "tickers.BTCUSDT.1",
        "tickers",
        "",
    ],
    ids=lambda topic: topic[:24],
)
def test_an_unknown_topic_makes_the_whole_request_fail(topic: str) -> None:
    async def trial(desk: Desk) -> None:
        stream = Stream(desk, "/v5/public/linear")
        answer = stream.say(op="subscribe", args=["publicTrade.BTCUSDT", topic])
        assert (answer["success"], answer["ret_msg"]) == (False, f"error:handler not found,topic:{topic}")
        assert stream.say(op="subscribe", args=["publicTrade.BTCUSDT"])["success"]

    at_desk(trial)()


@pytest.mark.parametrize("spelling", ["050", "٥٠", "0050"])
def test_another_spelling_of_a_depth_leaves_the_stream_of_that_depth_alone(spelling: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        stranger = Stream(desk, "/v5/public/linear")
        assert not stranger.say(op="subscribe", args=[f"orderbook.{spelling}.BTCUSDT"])["success"]
        stream = desk.public("orderbook.50.BTCUSDT")
        for number in range(5):
            desk.quote(Side.BUY, str(63900 + number), "1")
            await moment()
        frames = stream.peer.read("orderbook.50.BTCUSDT")
        assert [frame["type"] for frame in frames] == ["snapshot"] + ["delta"] * 5
        updates = [frame["data"]["u"] for frame in frames]
        assert updates == list(range(updates[0], updates[0] + 6))
        assert stranger.peer.read()[1:] == []

    at_desk(trial)()


@at_desk
async def test_a_topic_can_be_subscribed_once(desk: Desk) -> None:
    stream = desk.public("tickers.BTCUSDT")
    answer = stream.say(op="subscribe", args=["tickers.BTCUSDT"])
    assert (answer["success"], answer["ret_msg"]) == (False, "error:already subscribed,topic:tickers.BTCUSDT")
    assert not stream.say(op="subscribe", args=["tickers.ETHUSDT", "tickers.ETHUSDT"])["success"]


@pytest.mark.parametrize("text", [b"", b"nonsense", b"[]", b'{"op":"subscribe"}', b'{"op":"subscribe","args":[1]}'])
def test_what_is_no_command_is_answered_and_the_socket_stays(text: bytes) -> None:
    async def trial(desk: Desk) -> None:
        stream = Stream(desk, "/v5/public/linear")
        stream.server.on_text(text)
        assert not stream.peer.read("")[0]["success"]
        assert stream.say(op="ping")["success"]

    at_desk(trial)()


@at_desk
async def test_only_a_private_stream_takes_a_login(desk: Desk) -> None:
    assert not Stream(desk, "/v5/public/linear").say(op="auth", args=["a", 1, "b"])["success"]


@at_desk
async def test_the_arguments_of_one_connection_are_bounded(desk: Desk) -> None:
    answer = Stream(desk, "/v5/public/linear").say(op="subscribe", args=["orderbook.1000.BTCUSDT"] * 1000)
    assert "21000" in answer["ret_msg"]


# --- books ------------------------------------------------------------------------------------------------------------


@at_desk
async def test_best_prices_are_whole_frames_sent_on_change_and_repeated_after_three_seconds(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("orderbook.1.BTCUSDT")
    (first,) = stream.peer.read("orderbook.1.BTCUSDT")
    assert list(first)[:3] == ["topic", "ts", "type"]
    assert (first["type"], first["data"]["b"], first["data"]["a"]) == (
        "snapshot",
        [["63990.00", "10.000"]],
        [["64010.00", "10.000"]],
    )
    desk.quote(Side.BUY, "63980")  # below the best: nothing to tell
    await asyncio.sleep(2.9)
    assert len(stream.events()) == 1
    await asyncio.sleep(0.2)
    assert stream.peer.read("orderbook.1.BTCUSDT")[1]["data"] == first["data"]  # the same u
    desk.quote(Side.BUY, "64000", "1")
    await asyncio.sleep(0.02)
    changed = stream.peer.read("orderbook.1.BTCUSDT")[2]["data"]
    assert (changed["u"], changed["b"]) == (first["data"]["u"] + 1, [["64000.00", "1.000"]])
    assert changed["seq"] > first["data"]["seq"]
    await asyncio.sleep(7)
    assert len(stream.events()) == 5  # two more repeats, counted from the last change
    assert {type(event) for event in stream.events()} == {BookTicker}


@at_desk
async def test_a_book_stream_begins_with_a_snapshot_and_counts_on(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("orderbook.50.BTCUSDT")
    desk.quote(Side.BUY, "63980", "2.5")
    desk.create(orderType="Market", qty="10")
    await moment()
    snapshot, *deltas = stream.events()
    assert isinstance(snapshot, BookSnapshot)
    assert deltas
    bids, asks = replayed(stream.events(), 50)
    assert bids == {D(63990): D(10), D(63980): D("2.5")}
    assert asks == {}
    frame = stream.peer.read("orderbook.50.BTCUSDT")[-1]
    assert frame["data"]["a"] == [["64010.00", "0"]]
    assert {"topic", "type", "ts", "data", "cts"} == set(frame)


@at_desk
async def test_changes_go_out_together_at_the_streams_interval(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("orderbook.50.BTCUSDT", "orderbook.200.BTCUSDT")
    for number in range(10):
        desk.quote(Side.BUY, str(63900 + number), "1")
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert 4 <= len(stream.events("orderbook.50.BTCUSDT")) - 1 <= 6
    assert 1 <= len(stream.events("orderbook.200.BTCUSDT")) - 1 <= 2
    desk.quote(Side.BUY, "63800", "1")
    desk.exchange.cancel_all("maker", "BTCUSDT")
    desk.quotes()
    before = len(stream.events())
    await asyncio.sleep(1)
    assert len(stream.events()) == before + 2  # ten bids gone, in one delta of each


@at_desk
async def test_one_who_comes_later_builds_on_the_same_deltas(desk: Desk) -> None:
    desk.quotes()
    early = desk.public("orderbook.50.BTCUSDT")
    desk.quote(Side.BUY, "63980")  # not published yet
    late = desk.public("orderbook.50.BTCUSDT")
    desk.quote(Side.BUY, "63970")
    await moment()
    assert early.events()[-1] == late.events()[-1]
    assert replayed(early.events(), 50) == replayed(late.events(), 50)
    assert len(replayed(late.events(), 50)[0]) == 3


@pytest.mark.slow
def test_a_lively_book_is_the_same_at_both_ends() -> None:
    async def trial(desk: Desk) -> None:
        desk.exchange.start()
        stream = desk.public("orderbook.50.BTCUSDT", "orderbook.200.ETHUSDT")
        await asyncio.sleep(20)
        desk.exchange.close()
        await asyncio.sleep(1)
        for topic, symbol, depth in (
            ("orderbook.50.BTCUSDT", "BTCUSDT", 50),
            ("orderbook.200.ETHUSDT", "ETHUSDT", 200),
        ):
            events = stream.events(topic)
            assert len(events) > 50
            bids, asks, _, _ = desk.exchange.book(symbol, depth)
            assert replayed(events, depth) == (dict(bids), dict(asks))

    at_desk(trial, rate=60)()


@at_desk
async def test_nobody_listening_nothing_is_timed(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("orderbook.1.BTCUSDT", "orderbook.50.BTCUSDT", "tickers.BTCUSDT")
    stream.server.on_closed()
    before = len(stream.peer.frames)
    desk.quote(Side.BUY, "64000", "1")
    await asyncio.sleep(10)
    assert len(stream.peer.frames) == before
    again = desk.public("orderbook.50.BTCUSDT")
    assert again.events()[0].update_id == stream.events("orderbook.50.BTCUSDT")[0].update_id + 1
    assert again.events()[0].bids[0][0] == 64000


# --- trades and tickers -----------------------------------------------------------------------------------------------


@at_desk
async def test_trades_of_one_step_come_in_one_frame(desk: Desk) -> None:
    for price in ("64010", "64011", "64011", "64012"):
        desk.quote(Side.SELL, price, "0.100")
    desk.quote(Side.BUY, "63990", "1")
    stream = desk.public("publicTrade.BTCUSDT")
    desk.create(orderType="Market", qty="0.400")
    await moment()
    desk.create(side="Sell", orderType="Market", qty="0.100")
    await moment()
    swept, sold = stream.peer.read("publicTrade.BTCUSDT")
    assert [row["p"] for row in swept["data"]] == ["64010.00", "64011.00", "64011.00", "64012.00"]
    assert [row["L"] for row in swept["data"]] == ["PlusTick", "PlusTick", "ZeroPlusTick", "PlusTick"]
    assert [(row["S"], row["L"]) for row in sold["data"]] == [("Sell", "MinusTick")]
    assert swept["type"] == "snapshot"
    trades = stream.events()
    assert all(isinstance(trade, Trade) for trade in trades)
    assert len({trade.trade_id for trade in trades}) == 5
    executions = desk.get("/v5/execution/list", category="linear")["result"]["list"]
    assert {row["execId"] for row in executions} == {trade.trade_id for trade in trades}


def test_more_trades_of_a_step_than_a_frame_takes_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trade_feed.TRADES_A_FRAME == 1024
    monkeypatch.setattr(trade_feed, "TRADES_A_FRAME", 4)

    async def trial(desk: Desk) -> None:
        desk.quote(Side.BUY, "63990", "10")
        for _ in range(10):
            desk.quote(Side.SELL, "64010", "0.001")
        stream = desk.public("publicTrade.BTCUSDT")
        desk.create(orderType="Market", qty="0.010")
        await moment()
        frames = stream.peer.read("publicTrade.BTCUSDT")
        assert [len(frame["data"]) for frame in frames] == [4, 4, 2]
        # All of one match share a sequence number, which ties them to the executions.
        sequences = {row["seq"] for frame in frames for row in frame["data"]}
        assert len(sequences) == 1
        executions = desk.get("/v5/execution/list", category="linear")["result"]["list"]
        assert {row["seq"] for row in executions} == sequences

    at_desk(trial)()


@at_desk
async def test_a_ticker_is_a_snapshot_and_then_what_changed(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("tickers.BTCUSDT")
    desk.create(orderType="Market", qty="0.500")
    await asyncio.sleep(0.3)
    first, changed = stream.peer.read("tickers.BTCUSDT")
    assert (first["type"], first["data"]["markPrice"], first["data"]["bid1Price"]) == (
        "snapshot",
        "64000.00",
        "63990.00",
    )
    assert changed["type"] == "delta"
    assert changed["data"]["lastPrice"] == "64010.00"
    assert "markPrice" not in changed["data"]
    assert "basis" not in first["data"]
    kinds = [type(event).__name__ for event in stream.events()]
    assert kinds == ["MarkPrice", "Ticker", "OpenInterest", "Ticker", "OpenInterest"]  # no mark price in the delta
    mark = stream.events()[0]
    assert isinstance(mark, MarkPrice)
    rate, next_ms = desk.exchange.funding("BTCUSDT")
    assert (mark.funding_rate, mark.next_funding_time_ms) == (rate, next_ms)


@at_desk
async def test_price_and_size_at_the_top_of_a_side_come_together_in_a_ticker(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("tickers.BTCUSDT")
    desk.quote(Side.SELL, "64010", "2")
    await asyncio.sleep(0.3)
    _, changed = stream.peer.read("tickers.BTCUSDT")
    assert changed["data"] == {"symbol": "BTCUSDT", "ask1Price": "64010.00", "ask1Size": "12.000"}


@at_desk
async def test_a_tickers_volumes_have_all_their_decimals(desk: Desk) -> None:
    (row,) = desk.get("/v5/market/tickers", category="linear", symbol="BTCUSDT")["result"]["list"]
    decimals = {"volume24h": 4, "turnover24h": 4, "openInterestValue": 2, "singleOpenInterestValue": 2}
    assert {name: len(row[name].partition(".")[2]) for name in decimals} == decimals


def test_merged_ticker_deltas_are_the_ticker_that_rest_shows() -> None:
    async def trial(desk: Desk) -> None:
        desk.exchange.start()
        stream = desk.public("tickers.BTCUSDT")
        await asyncio.sleep(5.05)
        desk.exchange.close()
        await asyncio.sleep(0.5)
        merged: dict[str, Any] = {}
        frames = stream.peer.read("tickers.BTCUSDT")
        for frame in frames:
            merged |= frame["data"]
        assert len(frames) > 10
        (row,) = desk.get("/v5/market/tickers", category="linear", symbol="BTCUSDT")["result"]["list"]
        merged.pop("tickDirection")
        assert {name: row[name] for name in merged} == merged
        assert stream.events()
        assert all(frame["data"]["symbol"] == "BTCUSDT" for frame in frames)

    at_desk(trial, rate=60)()


# --- the rest ---------------------------------------------------------------------------------------------------------


@at_desk
async def test_recorded_frames_go_out_as_they_are_and_silence_the_made_ones(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("orderbook.50.BTCUSDT", "publicTrade.BTCUSDT", "tickers.BTCUSDT", "orderbook.50.ETHUSDT")
    payload = json.dumps({"topic": "orderbook.50.BTCUSDT", "recorded": True}).encode()
    frame = RecordedFrame(venue="bybit", stream="orderbook.50.BTCUSDT", payload=payload)
    desk.exchange._emit(frame)
    desk.exchange._emit(RecordedFrame(venue="binance", stream="orderbook.50.ETHUSDT", payload=b"{}"))
    before = len(stream.peer.frames)
    assert stream.peer.frames[-1] == ("orderbook.50.BTCUSDT", payload)
    desk.create(orderType="Market", qty="0.500")
    desk.quote(Side.BUY, "2990", "1", "ETHUSDT")
    await asyncio.sleep(0.5)
    topics = {topic for topic, _ in stream.peer.frames[before:]}
    assert topics == {"tickers.BTCUSDT", "orderbook.50.ETHUSDT"}


@at_desk
async def test_an_idle_socket_is_closed_after_ten_minutes(desk: Desk) -> None:
    stream = Stream(desk, "/v5/public/linear")
    pinging = Stream(desk, "/v5/public/linear")
    for _ in range(31):
        await asyncio.sleep(20)
        pinging.say(op="ping")
    assert stream.peer.closed is not None
    assert pinging.peer.closed is None


# --- more of the venue's topics ---------------------------------------------------------------------------------------


@at_desk
async def test_the_book_with_rpi_orders_has_rows_of_three(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("orderbook.rpi.BTCUSDT")
    desk.create(orderType="Market", qty="10")
    await asyncio.sleep(0.2)
    first, changed = stream.peer.read("orderbook.rpi.BTCUSDT")
    assert (first["type"], first["data"]["b"], first["data"]["a"]) == (
        "snapshot",
        [["63990.00", "10.000", "0"]],
        [["64010.00", "10.000", "0"]],
    )
    assert (changed["type"], changed["data"]["a"]) == ("delta", [["64010.00", "0", "0"]])
    assert changed["data"]["u"] == first["data"]["u"] + 1


@at_desk
async def test_price_limits_come_every_300_ms_without_a_type(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("priceLimit.BTCUSDT")
    await asyncio.sleep(0.95)
    frames = stream.peer.read("priceLimit.BTCUSDT")
    assert [frame["ts"] - frames[0]["ts"] for frame in frames] == [0, 300, 600, 900]
    assert list(frames[0]) == ["topic", "data", "ts"]
    rest = desk.get("/v5/market/price-limit", category="linear", symbol="BTCUSDT")["result"]
    assert frames[-1]["data"] == {name: rest[name] for name in ("symbol", "buyLmt", "sellLmt")}
    stream.server.on_closed()
    before = len(stream.peer.frames)
    await asyncio.sleep(1)
    assert len(stream.peer.frames) == before


@pytest.mark.parametrize("depth", [1, 50, 200, 1000, "rpi"])
def test_a_restarted_service_sends_each_book_anew_with_u_1(depth: int | str) -> None:
    async def trial(desk: Desk) -> None:
        assert isinstance(desk.dialect, BybitDialect)
        desk.quotes()
        topic = f"orderbook.{depth}.BTCUSDT"
        stream = desk.public(topic)
        desk.quote(Side.BUY, "64000", "1")  # not published yet when the service restarts
        desk.dialect.restart_service()
        *_, restarted = stream.peer.read(topic)
        assert (restarted["type"], restarted["data"]["u"]) == ("snapshot", 1)
        assert restarted["data"]["b"][0][:2] == ["64000.00", "1.000"]
        desk.quote(Side.BUY, "64001", "1")
        await asyncio.sleep(0.3)
        assert stream.peer.read(topic)[-1]["data"]["u"] == 2

    at_desk(trial)()


@at_desk
async def test_the_engines_time_is_never_after_the_gateways(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("orderbook.50.BTCUSDT", "orderbook.1.BTCUSDT")
    desk.clock.jump_wall(-60)
    late = desk.public("orderbook.50.BTCUSDT", "orderbook.1.BTCUSDT")
    await asyncio.sleep(3.5)
    for frame in (*stream.peer.read(), *late.peer.read()):
        assert "topic" not in frame or frame["cts"] <= frame["ts"]


@pytest.mark.slow
@at_desk
async def test_every_depth_of_one_book_is_kept_by_its_own_deltas(desk: Desk) -> None:
    topics = {depth: f"orderbook.{depth}.BTCUSDT" for depth in (50, 200, 1000)}
    stream = desk.public(*topics.values())
    for number in range(230):
        desk.quote(Side.BUY, str(63900 - number), "1")
        desk.quote(Side.SELL, str(64100 + number), "1")
    await asyncio.sleep(0.25)
    desk.create(side="Sell", orderType="Limit", price="63800", qty="0.5", timeInForce="IOC")
    desk.quote(Side.SELL, "63700", "60")
    await asyncio.sleep(0.25)
    desk.exchange.cancel_all("maker", "BTCUSDT")
    desk.quotes()
    await asyncio.sleep(0.25)
    for depth, topic in topics.items():
        bids, asks, _, _ = desk.exchange.book("BTCUSDT", depth)
        assert replayed(stream.events(topic), depth) == (dict(bids), dict(asks))


@pytest.mark.slow
def test_the_trades_told_are_those_that_rest_shows() -> None:
    async def trial(desk: Desk) -> None:
        stream = desk.public("publicTrade.BTCUSDT")
        desk.exchange.start()
        await asyncio.sleep(20)
        desk.exchange.close()
        await moment()
        told = [row for frame in stream.peer.read("publicTrade.BTCUSDT") for row in frame["data"]]
        assert len(told) > 20
        rest = desk.get("/v5/market/recent-trade", category="linear", symbol="BTCUSDT", limit=1000)["result"]["list"]
        newest = [(row["i"], row["p"], row["v"], row["S"], str(row["T"]), str(row["seq"])) for row in reversed(told)]
        assert newest == [
            (row["execId"], row["price"], row["size"], row["side"], row["time"], row["seq"])
            for row in rest[: len(newest)]
        ]
        assert [row["T"] for row in told] == sorted(row["T"] for row in told)

    at_desk(trial, rate=60)()
