from __future__ import annotations

import pytest

from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues.base import SnapshotSource, Verdict
from perpwire.venues.bybit.venue import VENUE

RULE = VENUE.book_rule


def delta(update_id: int) -> BookDelta:
    return BookDelta(bid_text=(), ask_text=(), first_update_id=update_id, update_id=update_id)


@pytest.mark.parametrize(
    ("update_id", "verdict"),
    [(101, Verdict.APPLY), (100, Verdict.DROP), (99, Verdict.DROP), (102, Verdict.GAP), (1, Verdict.GAP)],
)
def test_deltas_count_up_by_one_and_number_one_means_a_restart(update_id: int, verdict: Verdict) -> None:
    assert RULE.follows(delta(update_id), 100) is verdict
    assert RULE.joins(delta(update_id), BookSnapshot(bid_text=(), ask_text=(), update_id=100)) is verdict


def test_the_stream_itself_brings_the_snapshot_of_fifty_levels() -> None:
    assert RULE.source is SnapshotSource.STREAM
    assert RULE.depth_of("orderbook.200.BTCUSDT") == 200
