"""BYBK: Bybit's book, whatever the stream does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.criteria.bookwork import Fed, Market, PlainBook
from tests.sizes import size

from perpwire.errors import BookNotInSync
from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues.bybit.book_rule import BybitBookRule
from perpwire.venues.bybit.venue import VENUE

RULE = BybitBookRule()
DEPTH = 50


def replay(seed: int, messages: int) -> int:
    """Hold the book against a plain one after every message; returns how many gaps there were."""
    market = Market(seed, width=DEPTH - 10)
    fed = Fed(RULE, depth=1000)
    chance = market.random
    u, seq, gaps = 1, 1, 0
    pending_snapshot = True

    def snapshot(number: int) -> BookSnapshot:
        bids, asks = market.book.text(1000)
        return BookSnapshot(bid_text=bids, ask_text=asks, update_id=number, sequence=seq, venue_time_ms=seq)

    for number in range(messages):
        bids, asks = market.change()
        seq += chance.randint(1, 5)
        what = chance.random()
        if pending_snapshot or what < 0.001:
            u = 1 if chance.random() < 0.5 else u + 1
            fed.sync.on_snapshot(snapshot(u))
            pending_snapshot = False
        else:
            if what < 0.002:
                u += 1  # one is skipped
            u += 1
            if chance.random() < 0.1:
                bids += (("0.1", "0"),)  # was never there
            delta = BookDelta(
                bid_text=bids, ask_text=asks, first_update_id=u, update_id=u, sequence=seq, venue_time_ms=seq
            )
            renewals = fed.renewals
            fed.sync.on_delta(delta)
            if 0.001 <= what < 0.002:
                gaps += 1
                assert not fed.book.is_in_sync
                assert fed.renewals == renewals + 1
                fed.sync.renewed()
                pending_snapshot = True
                continue
            if chance.random() < 0.01:
                fed.sync.on_delta(delta)  # a copy
        bid, ask = fed.book.best_bid, fed.book.best_ask
        assert bid is not None
        assert ask is not None
        assert (bid, ask) == ((top := max(market.book.bids), market.book.bids[top]),
                              (low := min(market.book.asks), market.book.asks[low]))  # fmt: skip
        assert (fed.book.update_id, fed.book.sequence) == (u, seq)
        if number % 50 == 0:
            assert (fed.book.bids(), fed.book.asks()) == market.book.top(10_000)
    return gaps


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(size(40, 2)))
def test_bybk_1_after_every_message_the_book_is_the_reference(seed: int) -> None:
    """A hundred thousand messages, a million of them in full.

    With snapshots in mid-stream, restarts at u = 1, deletions of what is not there, copies, and updates skipped."""
    assert replay(seed, 25_000) > 5


@pytest.mark.fixtures
def test_bybk_1_a_recorded_stream_makes_the_book_that_plain_code_made_of_it(fixtures: Path) -> None:
    """Kind, u and seq of each message are there to see, and best prices and counts after each are as expected."""
    name = "bybit/raw/xrpusdt-ob500_first20.jsonl"
    expected = json.loads((fixtures / "expected.json").read_text())[name]
    session, fed = VENUE.session("public"), Fed(RULE, depth=500)
    for line, wanted in zip((fixtures / name).read_bytes().splitlines(), expected["per_message"], strict=True):
        (event,) = session.on_frame(line, 1) or ()
        if isinstance(event, BookSnapshot):
            assert wanted["type"] == "snapshot"
            fed.sync.on_snapshot(event)
        else:
            assert isinstance(event, BookDelta)
            assert wanted["type"] == "delta"
            fed.sync.on_delta(event)
        assert (event.update_id, event.sequence) == (wanted["u"], wanted["seq"])
        assert list(fed.book.levels) == wanted["levels"]
        best = (fed.book.best_bid, fed.book.best_ask)
        assert [f"{level[0]:f}" for level in best if level is not None] == wanted["best"]
    for side, read in (("bids", fed.book.bids), ("asks", fed.book.asks)):
        assert [[f"{p:f}", f"{q:f}"] for p, q in read(20)] == expected["final_top20"][side]


def _fed() -> Fed:
    fed = Fed(RULE, depth=3)
    fed.sync.on_snapshot(
        BookSnapshot(
            bid_text=(("1.3", "1"), ("1.2", "1"), ("1.1", "1")), ask_text=(("1.4", "1"),), update_id=7, sequence=70
        )
    )
    return fed


def _delta(u: int, sequence: int, *bids: tuple[str, str]) -> BookDelta:
    return BookDelta(bid_text=bids, ask_text=(), first_update_id=u, update_id=u, sequence=sequence, venue_time_ms=u)


@pytest.mark.parametrize(("u", "sequence"), [(9, 71), (1, 71), (8, 69)], ids=["skipped", "restarted", "seq falls"])
def test_bybk_1_what_does_not_follow_closes_the_book_and_one_subscription_is_made_anew(u: int, sequence: int) -> None:
    fed = _fed()
    fed.sync.on_delta(_delta(u, sequence))
    with pytest.raises(BookNotInSync):
        fed.book.bids()
    fed.sync.on_delta(_delta(u + 1, sequence + 1))
    assert fed.renewals == 1


def test_bybk_1_a_level_put_between_others_is_in_its_place_and_what_leaves_the_window_is_forgotten() -> None:
    fed = _fed()
    fed.sync.on_delta(_delta(8, 71, ("1.25", "2")))
    plain = PlainBook()
    plain.apply((("1.3", "1"), ("1.25", "2"), ("1.2", "1")), ())
    assert fed.book.bids() == plain.top(3)[0]
    horizon = fed.book.horizon
    assert horizon[1] is None
    assert f"{horizon[0]}" == "1.2"


def test_bybk_1_a_snapshot_replaces_everything() -> None:
    fed = _fed()
    fed.sync.on_snapshot(BookSnapshot(bid_text=(("1.0", "4"),), ask_text=(), update_id=1, sequence=5))
    assert fed.book.levels == (1, 0)
    assert (fed.book.spread, fed.book.mid, fed.book.microprice) == (None, None, None)
    assert fed.renewals == 0
