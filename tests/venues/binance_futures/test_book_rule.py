from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues.base import SnapshotSource, Verdict
from perpwire.venues.binance_futures.venue import VENUE

RULE = VENUE.book_rule
SNAPSHOT = BookSnapshot(bid_text=(), ask_text=(), update_id=100)


def delta(first: int, last: int, previous: int | None) -> BookDelta:
    return BookDelta(bid_text=(), ask_text=(), first_update_id=first, update_id=last, previous_update_id=previous)


@pytest.mark.parametrize(
    ("first", "last", "previous", "verdict"),
    [
        (90, 99, 89, Verdict.DROP),
        (95, 100, 94, Verdict.APPLY),
        (100, 100, 94, Verdict.APPLY),
        (98, 105, 97, Verdict.APPLY),
        (100, 105, 99, Verdict.APPLY),
        (103, 105, 100, Verdict.APPLY),  # it says itself that nothing lies between
        (101, 105, 99, Verdict.GAP),
        (103, 105, 102, Verdict.GAP),
        (101, 105, None, Verdict.GAP),
    ],
)
def test_the_first_change_must_reach_over_the_snapshot(
    first: int, last: int, previous: int | None, verdict: Verdict
) -> None:
    assert RULE.joins(delta(first, last, previous), SNAPSHOT) is verdict


@pytest.mark.parametrize(
    ("first", "last", "previous", "verdict"),
    [
        (150, 160, 100, Verdict.APPLY),  # ids are shared by all symbols: only pu counts
        (101, 105, 100, Verdict.APPLY),
        (101, 105, 99, Verdict.GAP),
        (101, 105, None, Verdict.GAP),
        (95, 100, 94, Verdict.DROP),
        (80, 90, 79, Verdict.DROP),
    ],
)
def test_each_later_change_must_continue_the_one_before(
    first: int, last: int, previous: int | None, verdict: Verdict
) -> None:
    assert RULE.follows(delta(first, last, previous), 100) is verdict


def test_a_book_starts_from_a_rest_snapshot() -> None:
    assert RULE.source is SnapshotSource.REST
    assert RULE.depth_of("btcusdt@depth@100ms") is None


@pytest.mark.slow
@pytest.mark.fixtures
def test_the_recorded_book_is_rebuilt_by_the_rule_to_its_last_level(fixtures: Path) -> None:
    key = "binance/raw/btcusdt_20240808_first150s.txt.gz"
    expected = json.loads((fixtures / "expected.json").read_text())[key]
    session = VENUE.session("public")
    deltas: list[BookDelta] = []
    with gzip.open(fixtures / key) as file:
        for line in file:
            frame = line.partition(b" ")[2].rstrip(b"\n")
            if b'"depthUpdate"' in frame[:80]:
                (event,) = session.on_frame(frame, 0) or ()
                assert isinstance(event, BookDelta)
                deltas.append(event)
            elif not frame.startswith(b'{"stream"'):
                body = json.loads(frame)
    sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = (
        {Decimal(price): Decimal(quantity) for price, quantity in body["bids"]},
        {Decimal(price): Decimal(quantity) for price, quantity in body["asks"]},
    )
    snapshot = BookSnapshot(bid_text=(), ask_text=(), update_id=body["lastUpdateId"])
    applied = dropped = 0
    last: int | None = None
    for one in deltas:
        verdict = RULE.joins(one, snapshot) if last is None else RULE.follows(one, last)
        if verdict is Verdict.DROP:
            dropped += 1
            continue
        assert verdict is Verdict.APPLY
        applied += 1
        last = one.update_id
        for side, levels in zip(sides, (one.bids, one.asks), strict=True):
            for price, quantity in levels:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
    assert applied == expected["diffs_applied"]
    assert dropped == expected["diffs_dropped_as_older_than_snapshot"]
    assert last == expected["last_applied"]["u"]
    assert [len(side) for side in sides] == expected["final_levels"]
    top = [[str(price), str(sides[0][price])] for price in sorted(sides[0], reverse=True)[:20]]
    assert top == expected["final_top20"]["bids"]
    top = [[str(price), str(sides[1][price])] for price in sorted(sides[1])[:20]]
    assert top == expected["final_top20"]["asks"]
