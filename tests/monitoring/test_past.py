"""The past in bounded memory: shares, points and spans."""

from __future__ import annotations

import pytest

from perpwire.api_connector.histogram import Histogram
from perpwire.monitoring.past import MINUTES, POINTS, SPANS_KEPT, Line, Share, Spans

S = 1_000_000_000


def test_shares_of_an_hour_and_of_all_differ_once_the_trouble_is_old() -> None:
    share = Share()
    for minute in range(90):
        for _ in range(60):
            share.add(0 if minute < 10 else 1, 1)
        share.end_minute()
    assert share.of_last(60) == 1.0
    assert share.in_all()["all"] == pytest.approx(80 / 90)
    assert share.in_all()["24h"] == pytest.approx(80 / 90)


def test_points_tell_of_their_own_time_alone_and_are_bounded() -> None:
    line = Line(5, POINTS, 1e-9)
    response, latency = Histogram(), Histogram()
    for second in range(5 * (POINTS + 10)):
        if second < 5:
            response.record(2.0)
            latency.record(1e6)
        elif second < 10:
            response.record(0.5)
        line.look(
            second * S, good=1, looked=2, lag_s=0.25 if second == 6 else None, events=second * 7, budget_share=0.5,
            response=response, latency=latency,
        )  # fmt: skip
        if second == 14:
            first, second_, third = line.points
            assert first.response_s == pytest.approx(2.0, rel=0.01)
            assert first.latency_s == pytest.approx(0.001, rel=0.01)
            assert second_.response_s == pytest.approx(0.5, rel=0.01)
            assert (second_.latency_s, second_.lag_s, third.lag_s, third.response_s) == (None, 0.25, None, None)
            assert third.events_per_s == pytest.approx(7.0)
            assert third.live_share == 0.5
    assert len(line.points) == POINTS
    assert MINUTES == 1440


def test_spans_change_only_with_the_state_and_forget_what_is_gone() -> None:
    spans = Spans()
    for second, state in enumerate(["connecting", "live", "live", "waiting", "live"]):
        spans.note({"a": state}, second * S, 1.0)
    assert [(span.since_ns // S, span.state) for span in spans.of_late(5 * S)["a"]] == [
        (0, "connecting"), (1, "live"), (3, "waiting"), (4, "live"),
    ]  # fmt: skip
    assert spans.seconds["a"] == {"connecting": 1.0, "live": 3.0, "waiting": 1.0}
    late = spans.of_late(2000 * S)["a"]
    assert [(span.since_ns // S, span.state) for span in late] == [(4, "live")]
    for second in range(10, 10 + 2 * SPANS_KEPT):
        spans.note({"a": ("live", "waiting")[second % 2]}, second * S, 1.0)
    assert len(spans.of_late(0)["a"]) == SPANS_KEPT
    spans.note({}, 5000 * S, 1.0)
    assert spans.of_late(5000 * S) == {}
