"""BOOK: a local book is the venue's, or it can't be read."""

from __future__ import annotations

import asyncio
import gzip
import json
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.criteria.bookwork import Fed, Market, diffs, snapshot_of
from tests.sizes import FULL

from perpwire.clock import ManualClock
from perpwire.errors import BeyondHorizon, BookNotInSync
from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.scenarios.registry import scenarios
from perpwire.scenarios.run import play
from perpwire.simulator.listing import Listing
from perpwire.testing import offline
from perpwire.venues.binance_futures.book_rule import DiffDepthRule
from perpwire.venues.binance_futures.venue import VENUE

RULE = DiffDepthRule()
GAP_EVERY = 1000


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 50])
def test_book_1_each_gap_is_seen_at_its_first_event_and_costs_one_snapshot(first: int) -> None:
    """A hundred symbols, a missing update every thousand: unreadable within that event, one snapshot, equal again."""
    for seed in range(first, first + 50):
        market = Market(seed, width=60)
        fed = Fed(RULE, limit=1000)
        fed.sync.start()
        stream = diffs(market)
        begin = next(stream)
        fed.sync.on_delta(begin)
        fed.sync.on_snapshot(snapshot_of(market, begin.update_id))
        assert fed.book.is_in_sync
        for number, delta in enumerate(islice(stream, 2 * GAP_EVERY + 10), 1):
            if number % GAP_EVERY == 0:
                continue  # lost on the way
            fed.sync.on_delta(delta)
            if number % GAP_EVERY == 1 and number > 1:
                assert not fed.book.is_in_sync
                with pytest.raises(BookNotInSync):
                    fed.book.bids(1)
            elif number % GAP_EVERY == 5 and number > 5:
                fed.sync.on_snapshot(snapshot_of(market, delta.update_id))
                assert fed.book.is_in_sync
            if fed.book.is_in_sync and number % 97 == 5:
                assert (fed.book.bids(50), fed.book.asks(50)) == market.book.top(50)
        assert fed.renewals == 1 + 2
        assert fed.turns == [True] + [False, True] * 2


@pytest.mark.slow
@pytest.mark.fixtures
@pytest.mark.parametrize("lost_every", [None, 500])
def test_book_1_recorded_diffs_make_the_book_that_plain_code_made_of_them(
    fixtures: Path, lost_every: int | None
) -> None:
    """At each checkpoint, digit for digit; and where updates are taken out, each is missed at once."""
    name = "binance/raw/btcusdt_20240808_first150s.txt.gz"
    expected = json.loads((fixtures / "expected.json").read_text())[name]
    session = VENUE.session("public")
    fed = Fed(RULE, limit=1000)
    fed.sync.start()
    checked = diffs_seen = lost = 0
    with gzip.open(fixtures / name, "rb") as lines:
        for line in lines:
            frame = line.rstrip(b"\n").split(b" ", 1)[1]
            if b'"lastUpdateId"' in frame:
                body = json.loads(frame)
                bids, asks = ((tuple(level) for level in body[side]) for side in ("bids", "asks"))
                fed.sync.on_snapshot(
                    BookSnapshot(bid_text=tuple(bids), ask_text=tuple(asks), update_id=body["lastUpdateId"])
                )
                continue
            if b"@depth" not in frame[:60]:
                continue
            (delta,) = session.on_frame(frame, 1) or ()
            assert isinstance(delta, BookDelta)
            diffs_seen += 1
            if lost_every is not None and diffs_seen % lost_every == 0:
                lost += 1
                continue
            fed.sync.on_delta(delta)
            if lost_every is not None and lost:
                assert not fed.book.is_in_sync
                break
            point = expected["checkpoints_by_diffs_applied"].get(str(fed.book.deltas_applied))
            if point is not None:
                checked += 1
                _same(fed, point)
    if lost_every is None:
        _same(fed, {**expected["final_top20"], "u": expected["last_applied"]["u"], "levels": expected["final_levels"]})
        assert checked == len(expected["checkpoints_by_diffs_applied"])
        assert (fed.renewals, fed.book.rebuilds) == (1, 0)
    else:
        assert (fed.renewals, fed.book.rebuilds) == (2, 1)


def _same(fed: Fed, point: dict[str, Any]) -> None:
    assert fed.book.update_id == point["u"]
    assert list(fed.book.levels) == point["levels"]
    for side, read in (("bids", fed.book.bids), ("asks", fed.book.asks)):
        assert [[f"{p:f}", f"{q:f}"] for p, q in read(len(point[side]))] == point[side]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 5] if FULL else [2])
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_book_1_a_tortured_book_is_right_or_closed_and_the_others_miss_nothing(venue: str, seed: int) -> None:
    """The scenario of the same name, for a few seeds; `make chaos` plays it for hundreds."""
    outcome = play(scenarios()["book_torture"], venue, seed)
    assert outcome.problems == [], outcome.again


@pytest.mark.slow
def test_book_2_two_hundred_books_are_live_in_two_minutes_on_three_fifths_of_the_budget() -> None:
    """No 429, all on one socket, and never more than 1,440 of 2,400 within any minute."""
    clock = ManualClock()
    listed = tuple(Listing(symbol=f"COIN{number}USDT", start_price=Decimal(100)) for number in range(200))

    async def cold_start() -> None:
        async with offline(clock=clock, venues=("binance",), symbols=listed, rate=1.0) as world:
            connector, host = world.connectors["binance"], world.simulation.hosts["binance"]
            began_ns = clock.monotonic_ns()
            books = await connector.open_books([one.symbol for one in listed], levels=500)
            assert all(book.is_in_sync for book in books)
            assert (clock.monotonic_ns() - began_ns) / 1e9 <= 120
            times = [one.time_ns for one in host.journal.entries(kind=("request",)) if "/depth" in one.text]
            assert len(times) == 200
            for at, time_ns in enumerate(times):
                within = sum(time_ns <= other < time_ns + 60e9 for other in times[at : at + 150])
                assert within * 10 <= 1440
            replies = host.journal.entries(kind=("reply",))
            assert not [one for one in replies if one.text.startswith("429")]
            assert len(host.connections) == 1

    clock.run(cold_start())


@pytest.mark.slow
def test_book_2_a_book_does_not_give_up_while_its_snapshot_waits_for_its_turn() -> None:
    """Four hundred books: the last waits for more than half a minute, and comes."""
    clock = ManualClock()
    listed = tuple(Listing(symbol=f"COIN{number}USDT", start_price=Decimal(100)) for number in range(80))

    async def cold_start() -> None:
        async with offline(clock=clock, venues=("binance",), symbols=listed, rate=1.5) as world:
            connector = world.connectors["binance"]
            began_ns = clock.monotonic_ns()
            opening = [asyncio.create_task(connector.open_book(one.symbol)) for one in listed]  # weight 20 each
            await asyncio.gather(*opening)
            assert (clock.monotonic_ns() - began_ns) / 1e9 > 55

    clock.run(cold_start())


def _begun(limit: int | None = 3) -> Fed:
    fed = Fed(RULE, limit=limit)
    fed.sync.start()
    fed.sync.on_snapshot(
        BookSnapshot(
            bid_text=(("99.9", "1"), ("99.8", "2"), ("99.5", "3")),
            ask_text=(("100.1", "1"), ("100.2", "2"), ("100.5", "3")),
            update_id=10,
        )
    )
    fed.sync.on_delta(_delta(11, 10))
    assert fed.book.is_in_sync
    return fed


def _delta(number: int, before: int, bids: tuple[Any, ...] = (), asks: tuple[Any, ...] = ()) -> BookDelta:
    return BookDelta(
        bid_text=bids, ask_text=asks, first_update_id=number, update_id=number, previous_update_id=before,
        venue_time_ms=number,
    )  # fmt: skip


@pytest.mark.parametrize("price", ["100.1", "100.10", "100.3"])
def test_book_3_a_book_whose_bid_is_not_below_its_ask_is_not_live(price: str) -> None:
    """From within that very update nobody can read it, nor is told of it as live."""
    fed = _begun()
    told: list[bool] = []
    fed.book.on_change(lambda book: told.append(book.is_in_sync))
    fed.sync.on_delta(_delta(12, 11, bids=((price, "5"),)))
    assert not fed.book.is_in_sync
    assert told == [False]
    with pytest.raises(BookNotInSync, match="crossed"):
        fed.book.bids()
    assert fed.renewals == 2


def test_book_3_a_crossed_snapshot_is_not_live_either() -> None:
    fed = Fed(RULE)
    fed.sync.start()
    fed.sync.on_snapshot(BookSnapshot(bid_text=(("100", "1"),), ask_text=(("100", "1"),), update_id=10))
    fed.sync.on_delta(_delta(11, 10))
    assert not fed.book.is_in_sync
    assert fed.renewals == 2


def test_book_3_what_lies_beyond_the_snapshot_is_marked_as_unknown() -> None:
    """It is not among the levels, unless wished; and nothing is reckoned from it."""
    fed = _begun()
    fed.sync.on_delta(_delta(12, 11, bids=(("98.0", "7"),), asks=(("100.3", "4"), ("105", "8"))))
    book, d = fed.book, Decimal
    assert book.horizon == (d("99.5"), d("100.5"))
    assert [price for price, _ in book.bids()] == [d("99.9"), d("99.8"), d("99.5")]
    assert [price for price, _ in book.asks(10)] == [d("100.1"), d("100.2"), d("100.3"), d("100.5")]
    assert book.bids(beyond=True)[-1] == (d("98.0"), d(7))
    assert book.levels == (4, 5)
    assert book.depth_to("99.5") == 6
    assert book.depth_to("100.4") == 7
    assert book.vwap("SELL", 3) == (d("99.9") + 2 * d("99.8")) / 3
    assert book.price_for("BUY", 8) == d("100.5")
    with pytest.raises(BeyondHorizon):
        book.depth_to("99.4")
    with pytest.raises(BeyondHorizon):
        book.vwap("SELL", 7)
    with pytest.raises(BeyondHorizon):
        book.price_for("BUY", "10.1")
    assert book.is_in_sync


def test_book_3_a_book_that_is_known_to_its_end_says_so() -> None:
    """Fewer levels than were asked for are all there are: then too much is None, and nothing is unknown."""
    book = _begun(limit=1000).book
    assert book.horizon == (None, None)
    assert book.vwap("SELL", 7) is None
    assert book.depth_to(1) == 6


def test_book_3_a_price_that_leaves_the_known_range_ends_the_book_until_it_is_known_anew() -> None:
    """What is best out there was perhaps never told."""
    fed = _begun()
    gone = (("100.1", "0"), ("100.2", "0"), ("100.5", "0"), ("101", "1"))
    fed.sync.on_delta(_delta(12, 11, asks=gone))
    assert not fed.book.is_in_sync
    assert fed.renewals == 2
    fed.sync.on_snapshot(BookSnapshot(bid_text=(("99.9", "1"),), ask_text=(("100.7", "9"),), update_id=12))
    assert fed.book.best_ask == (Decimal("100.7"), Decimal(9))


def test_book_1_numbers_that_begin_anew_are_no_old_updates() -> None:
    """An update numbered below the last and made later is a gap; one made no later is a copy."""
    fed = _begun()
    fed.sync.on_delta(_delta(11, 10))
    assert fed.book.is_in_sync
    fed.sync.on_delta(BookDelta(bid_text=(), ask_text=(), first_update_id=3, update_id=4, venue_time_ms=500))
    assert not fed.book.is_in_sync


@pytest.mark.parametrize(
    "level", [("x", "1"), ("nan", "1"), ("99.7", "nan"), ("99.7", "-1"), ("inf", "1"), ("99.7", "")]
)
def test_book_3_what_is_no_number_ends_the_book(level: tuple[str, str]) -> None:
    fed = _begun()
    fed.sync.on_delta(_delta(12, 11, bids=(level,)))
    assert not fed.book.is_in_sync
    assert fed.renewals == 2
