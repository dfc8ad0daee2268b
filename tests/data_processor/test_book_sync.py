from __future__ import annotations

from decimal import Decimal as D

import pytest

from perpwire.data_processor.book_sync import UNPROVEN, BookSync
from perpwire.errors import BookNotInSync
from perpwire.model.market import BookDelta, BookSnapshot, Level
from perpwire.venues.base import BookRule, SnapshotSource, Verdict


class ChainedRule(BookRule):
    """Deltas name their predecessor; the first one must straddle the snapshot."""

    source = SnapshotSource.REST

    def joins(self, delta: BookDelta, snapshot: BookSnapshot) -> Verdict:
        if delta.update_id < snapshot.update_id:
            return Verdict.DROP
        return Verdict.APPLY if delta.first_update_id <= snapshot.update_id else Verdict.GAP

    def follows(self, delta: BookDelta, last_update_id: int) -> Verdict:
        return Verdict.APPLY if delta.previous_update_id == last_update_id else Verdict.GAP


class CountingRule(ChainedRule):
    source = SnapshotSource.STREAM

    def follows(self, delta: BookDelta, last_update_id: int) -> Verdict:
        if delta.update_id <= last_update_id:
            return Verdict.DROP
        return Verdict.APPLY if delta.update_id == last_update_id + 1 else Verdict.GAP


def levels(*pairs: tuple[str, str]) -> tuple[Level, ...]:
    return tuple((D(price), D(quantity)) for price, quantity in pairs)


def snapshot(update_id: int) -> BookSnapshot:
    return BookSnapshot(bid_text=(("100", "1"), ("99", "2")), ask_text=(("101", "3"),), update_id=update_id)


def delta(
    first: int, last: int, previous: int, *bids: tuple[str, str], ask: tuple[str, str] | None = None
) -> BookDelta:
    return BookDelta(
        bid_text=bids, ask_text=(ask,) if ask else (), first_update_id=first, update_id=last,
        previous_update_id=previous,
    )  # fmt: skip


class Watched:
    def __init__(self, rule: BookRule, depth: int | None = None) -> None:
        self.renewals = 0
        self.turns: list[bool] = []
        self.sync = BookSync("X", rule, renew=self._renew, changed=lambda ok, why: self.turns.append(ok), depth=depth)
        self.book = self.sync.book

    def _renew(self) -> None:
        self.renewals += 1


def test_nothing_can_be_read_before_a_delta_has_joined_the_snapshot() -> None:
    watched = Watched(ChainedRule())
    watched.sync.start()
    assert watched.renewals == 1
    for read in ("best_bid", "best_ask", "levels"):
        with pytest.raises(BookNotInSync, match="no snapshot yet"):
            getattr(watched.book, read)
    assert watched.sync.why_not == "no snapshot yet"
    watched.sync.on_snapshot(snapshot(10))
    assert watched.sync.why_not == UNPROVEN
    with pytest.raises(BookNotInSync):
        watched.book.bids()
    watched.sync.on_delta(delta(9, 12, 8, ("100", "5")))
    assert watched.sync.why_not == ""
    assert watched.book.best_bid == (D(100), D(5))
    assert watched.turns == [True]


def test_buffered_deltas_older_than_the_snapshot_are_dropped_and_the_rest_applied_in_order() -> None:
    watched = Watched(ChainedRule())
    watched.sync.start()
    watched.sync.on_delta(delta(1, 5, 0, ("100", "9")))
    watched.sync.on_delta(delta(6, 11, 5, ("99", "0")))
    watched.sync.on_delta(delta(12, 13, 11, ("98", "4"), ask=("101", "0")))
    watched.sync.on_snapshot(snapshot(10))
    assert watched.book.bids() == list(levels(("100", "1"), ("98", "4")))
    assert (watched.book.update_id, watched.book.deltas_applied, watched.book.best_ask) == (13, 2, None)


def test_a_snapshot_older_than_every_delta_is_asked_for_again_once() -> None:
    watched = Watched(ChainedRule())
    watched.sync.start()
    watched.sync.on_delta(delta(20, 25, 19))
    watched.sync.on_snapshot(snapshot(10))
    watched.sync.on_delta(delta(26, 27, 25))
    assert (watched.renewals, watched.book.is_in_sync) == (2, False)
    watched.sync.on_snapshot(snapshot(22))
    assert watched.book.update_id == 27


def test_a_broken_chain_closes_the_book_until_a_new_snapshot_joins() -> None:
    watched = Watched(ChainedRule())
    watched.sync.start()
    watched.sync.on_snapshot(snapshot(10))
    watched.sync.on_delta(delta(10, 11, 9))
    watched.sync.on_delta(delta(15, 16, 14))
    with pytest.raises(BookNotInSync, match="update 16 does not follow 11"):
        _ = watched.book.best_bid
    assert watched.renewals == 2
    watched.sync.on_snapshot(snapshot(15))
    assert watched.book.is_in_sync
    assert (watched.turns, watched.book.rebuilds) == ([True, False, True], 1)


def test_a_crossed_book_is_never_shown() -> None:
    watched = Watched(ChainedRule())
    watched.sync.start()
    watched.sync.on_snapshot(snapshot(10))
    watched.sync.on_delta(delta(10, 11, 9))
    watched.sync.on_delta(delta(12, 12, 11, ("101.5", "1")))
    with pytest.raises(BookNotInSync, match="crossed"):
        _ = watched.book.best_bid


def test_a_lost_stream_closes_the_book_and_forgets_what_was_buffered() -> None:
    watched = Watched(ChainedRule())
    watched.sync.start()
    watched.sync.on_snapshot(snapshot(10))
    watched.sync.on_delta(delta(10, 11, 9))
    watched.sync.lost("the connection was lost")
    with pytest.raises(BookNotInSync, match="connection was lost"):
        _ = watched.book.best_bid
    watched.sync.start()
    watched.sync.on_delta(delta(30, 31, 29))
    watched.sync.on_snapshot(snapshot(30))
    assert watched.book.is_in_sync


def test_a_stream_with_its_own_snapshots_is_in_sync_from_each_and_resubscribes_on_a_gap() -> None:
    watched = Watched(CountingRule())
    watched.sync.start()
    assert watched.renewals == 0
    watched.sync.on_delta(delta(3, 3, 2))
    watched.sync.on_delta(delta(4, 4, 3))
    assert watched.renewals == 1  # the snapshot before them was lost
    watched.sync.on_snapshot(snapshot(10))
    watched.sync.on_delta(delta(10, 10, 9, ("100", "7")))
    watched.sync.on_delta(delta(11, 11, 10, ("100", "8")))
    assert watched.book.best_bid == (D(100), D(8))
    watched.sync.on_delta(delta(13, 13, 12))
    watched.sync.on_delta(delta(14, 14, 13))
    assert (watched.renewals, watched.book.is_in_sync) == (2, False)
    watched.sync.on_snapshot(snapshot(1))
    assert (watched.book.update_id, watched.book.best_bid) == (1, (D(100), D(1)))


def test_levels_beyond_the_feeds_depth_are_forgotten() -> None:
    watched = Watched(CountingRule(), depth=2)
    watched.sync.on_snapshot(snapshot(1))
    watched.sync.on_delta(delta(2, 2, 1, ("100.5", "1")))
    assert [price for price, _ in watched.book.bids()] == [D("100.5"), D(100)]
    watched.sync.on_delta(delta(3, 3, 2, ("100.5", "0")))
    assert [price for price, _ in watched.book.bids()] == [D(100)]
