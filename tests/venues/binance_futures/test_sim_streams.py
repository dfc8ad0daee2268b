"""The simulated venue's public streams of book, trades and mark prices; and those of a recording."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from tests.simulator.recordings import common
from tests.venues.binance_futures.simulated import SimulatedVenue, in_virtual_time, pass_s

from perpwire.model.market import BookDelta, BookSnapshot, Trade
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.replay import ReplayFeed
from perpwire.venues.base import Verdict
from perpwire.venues.binance_futures.venue import VENUE


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
        snapshot = BookSnapshot(bid_text=(), ask_text=(), update_id=body["lastUpdateId"])
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


def test_mark_prices_and_candles_of_the_other_family_may_be_asked_for_by_name() -> None:
    names = ("btcusd_perp@markPrice@1s", "btcusd_perp@kline_1m", "btcusd_perp@bookTicker", "solusd_perp@markPrice")

    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/market/stream")
        peer.subscribe(*names, "btcusdt@kline_1m")
        venue.quote()
        venue.market(quantity="0.5")
        await pass_s(1.5)
        told = {one["stream"]: one["data"] for one in peer.data}
        assert set(told) == {*names[:2], "btcusdt@kline_1m"}
        mark, candle, sibling = told[names[0]], told[names[1]]["k"], told["btcusdt@kline_1m"]["k"]
        assert (mark["e"], mark["s"], mark["st"]) == ("markPriceUpdate", "BTCUSD_PERP", 2)
        assert (told[names[1]]["s"], candle["s"], candle["c"]) == ("BTCUSD_PERP", "BTCUSD_PERP", sibling["c"])
        # 100 dollars a contract.
        assert (candle["q"], int(candle["v"])) == (sibling["v"], round(Decimal(sibling["q"]) / 100))
        assert (candle["Q"], int(candle["V"])) == (sibling["V"], round(Decimal(sibling["Q"]) / 100))

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


def test_the_undocumented_stream_of_trades_can_be_silent(tmp_path: Path) -> None:
    recording = common()
    recording.ticker(1.0)
    recording.trade(1.1, "100.00", "1", True)
    recording.trade(1.2, "100.00", "1", True)

    async def hears(venue: SimulatedVenue, *, is_traded: bool) -> None:
        peer = venue.socket("/public/ws/btcusdt@trade")
        together = venue.socket("/market/ws/btcusdt@aggTrade")
        if is_traded:
            venue.quote()
            venue.market()
        await pass_s(5)
        assert peer.data == []
        assert together.data

    silent = DialectOptions(trade_stream=False)
    in_virtual_time(lambda venue: hears(venue, is_traded=True), options=silent)
    in_virtual_time(
        lambda venue: hears(venue, is_traded=False), options=silent, replay=ReplayFeed(recording.write(tmp_path))
    )
