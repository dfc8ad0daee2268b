"""Outages: pairs of incidents, what came right in time and what did not."""

from __future__ import annotations

from perpwire.model.incident import (
    BookGap,
    BookRecovered,
    ConnectionLost,
    ConnectionRecovered,
    LoginRefused,
    OrderDoubtful,
    OrderResolved,
    StreamGap,
    StreamStale,
)
from perpwire.monitoring.outages import Outages

S = 1_000_000_000


def lost(at_s: int, name: str = "a") -> ConnectionLost:
    return ConnectionLost(venue="v", time_ns=at_s * S, why="", connection=name)


def back(at_s: int, name: str = "a") -> ConnectionRecovered:
    return ConnectionRecovered(venue="v", time_ns=at_s * S, why="", connection=name, outage_s=1, attempts=1)


def figures(outages: Outages, now_s: int) -> tuple[int, int, int, int]:
    return outages.begun, outages.recovered, outages.not_recovered(now_s * S), outages.open()


def test_what_is_back_within_a_minute_is_recovered_and_what_takes_longer_is_not() -> None:
    outages = Outages()
    for incident in (lost(0), back(59), lost(100), lost(100, "b")):
        outages.take(incident)
    assert figures(outages, 150) == (3, 1, 0, 2)
    assert figures(outages, 161) == (3, 1, 2, 2)
    outages.take(back(170))
    assert figures(outages, 171) == (3, 1, 2, 1)


def test_one_trouble_told_twice_is_one() -> None:
    outages = Outages()
    outages.take(StreamStale(venue="v", time_ns=0, why="", connection="a", topics=("t",), silent_s=9))
    outages.take(lost(1))
    outages.take(back(2))
    outages.take(back(3))
    assert figures(outages, 3) == (1, 1, 0, 0)


def test_books_and_orders_too_each_by_its_name() -> None:
    outages = Outages()
    outages.take(BookGap(venue="v", time_ns=0, why="", symbol="A"))
    outages.take(BookGap(venue="v", time_ns=0, why="", symbol="B"))
    outages.take(BookRecovered(venue="v", time_ns=S, why="", symbol="B"))
    doubt = {"venue": "v", "time_ns": 0, "why": "", "symbol": "A"}
    outages.take(OrderDoubtful(**doubt, client_order_id="1", code=None))  # type: ignore[arg-type]
    outages.take(OrderDoubtful(**doubt, client_order_id="2", code=None))  # type: ignore[arg-type]
    outages.take(OrderResolved(**doubt, client_order_id="1", outcome="PLACED", after_s=1))  # type: ignore[arg-type]
    outages.take(OrderResolved(**doubt, client_order_id="2", outcome="UNRESOLVED", after_s=1))  # type: ignore[arg-type]
    assert figures(outages, 1) == (4, 2, 1, 1)


def test_a_refused_key_waits_for_its_user_and_is_no_recovery() -> None:
    outages = Outages()
    outages.take(lost(0))
    outages.take(LoginRefused(venue="v", time_ns=S, why="", connection="a", attempts=1))
    outages.take(back(2))
    assert figures(outages, 2) == (1, 0, 1, 0)


def test_gaps_are_counted_apart() -> None:
    outages = Outages()
    for repaired in (True, False):
        outages.take(StreamGap(venue="v", time_ns=0, why="", kind="Trade", symbol="A", repaired=repaired))
    assert (outages.gaps, outages.gaps_repaired) == (2, 1)
    assert figures(outages, 0) == (0, 0, 0, 0)
