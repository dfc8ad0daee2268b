from __future__ import annotations

import math

import pytest

from perpwire.api_connector.metrics import OTHER, APIMetrics


def test_nothing_recorded_reads_zero_everywhere() -> None:
    assert APIMetrics().get_stats() == {
        "total_requests": 0,
        "error_rate": 0,
        "avg_response_time": 0,
        "max_response_time": 0,
        "min_response_time": 0,
        "p50_response_time": 0,
        "p95_response_time": 0,
        "p99_response_time": 0,
    }
    assert APIMetrics().get_call_stats() == {}


def test_counts_and_times_are_those_of_the_requests() -> None:
    metrics = APIMetrics()
    for milliseconds in range(1, 101):
        metrics.record_request(milliseconds / 1000, success=milliseconds % 4 != 0)
    stats = metrics.get_stats()
    assert stats["total_requests"] == 100
    assert stats["error_rate"] == 0.25
    assert stats["avg_response_time"] == pytest.approx(0.0505)
    assert (stats["min_response_time"], stats["max_response_time"]) == (0.001, 0.1)
    assert stats["p50_response_time"] == pytest.approx(0.050, rel=0.01)
    assert stats["p95_response_time"] == pytest.approx(0.095, rel=0.01)
    assert stats["p99_response_time"] == pytest.approx(0.099, rel=0.01)


def test_a_time_that_is_no_number_is_refused_and_not_counted_as_a_failure() -> None:
    metrics = APIMetrics()
    with pytest.raises(ValueError, match="finite"):
        metrics.record_request(math.nan, success=False)
    metrics.record_request(0.001, success=True)
    assert metrics.get_stats()["error_rate"] == 0


def test_calls_are_told_apart_with_the_error_classes_that_ended_them() -> None:
    metrics = APIMetrics()
    metrics.record_call("place_order", 0.020, None)
    metrics.record_call("place_order", 0.040, "InsufficientBalance")
    metrics.record_call("place_order", 0.060, "InsufficientBalance")
    metrics.record_call("server_time", 0.001, None)
    by_call = metrics.get_call_stats()
    assert set(by_call) == {"place_order", "server_time"}
    assert by_call["place_order"]["errors"] == {"InsufficientBalance": 2}
    assert by_call["place_order"]["error_rate"] == pytest.approx(2 / 3)
    assert by_call["place_order"]["avg_response_time"] == pytest.approx(0.04)
    assert by_call["server_time"]["total_requests"] == 1
    assert by_call["server_time"]["errors"] == {}


def test_names_without_end_are_counted_together_past_the_first_256() -> None:
    metrics = APIMetrics()
    for number in range(1000):
        metrics.record_call(f"call-{number}", 0.001, None)
        metrics.record_call("call-0", 0.001, f"Error{number}")
    by_call = metrics.get_call_stats()
    assert len(by_call) == 257
    assert by_call[OTHER]["total_requests"] == 1000 - 256
    assert len(by_call["call-0"]["errors"]) == 257
    assert by_call["call-0"]["errors"][OTHER] == 1000 - 256
    assert sum(stats["total_requests"] for stats in by_call.values()) == 2000


def test_what_is_read_is_a_copy() -> None:
    metrics = APIMetrics()
    metrics.record_call("place_order", 0.001, "Busy")
    metrics.get_call_stats()["place_order"]["errors"]["Busy"] = 99
    assert metrics.get_call_stats()["place_order"]["errors"] == {"Busy": 1}
