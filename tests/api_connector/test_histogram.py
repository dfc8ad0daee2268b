from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, strategies as st

from perpwire.api_connector.histogram import Histogram

SPANS = st.floats(min_value=1e-12, max_value=1e19)


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def nearest_rank(values: list[float], q: float) -> float:
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


@given(st.lists(SPANS, min_size=1, max_size=50), st.floats(min_value=0, max_value=1))
def test_every_quantile_is_within_one_percent_of_the_exact_one(values: list[float], q: float) -> None:
    exact = nearest_rank(values, q)
    assert filled(values).quantile(q) == pytest.approx(exact, rel=0.01)


@given(st.lists(SPANS, min_size=1, max_size=50))
def test_count_min_and_max_are_exact_and_the_mean_is_that_of_the_values(values: list[float]) -> None:
    histogram = filled(values)
    assert (histogram.count, histogram.min, histogram.max) == (len(values), min(values), max(values))
    assert histogram.mean == pytest.approx(sum(values) / len(values))
    assert (histogram.quantile(0), histogram.quantile(1)) == (min(values), max(values))


@given(st.lists(SPANS, max_size=30), st.lists(SPANS, max_size=30))
def test_merging_is_the_same_as_having_recorded_it_all_in_one_place(left: list[float], right: list[float]) -> None:
    merged = filled(left)
    merged.merge(filled(right))
    together = filled(left + right)
    assert merged.count == together.count
    for q in (0, 0.25, 0.5, 0.9, 1):
        assert merged.quantile(q) == together.quantile(q)
    assert merged.mean == pytest.approx(together.mean)
    assert (merged.min, merged.max) == (together.min, together.max)


def test_an_empty_histogram_reads_zero_everywhere() -> None:
    empty = Histogram()
    assert (empty.count, empty.mean, empty.min, empty.max, empty.quantile(0.99), empty.sum) == (0, 0, 0, 0, 0, 0)


def test_latencies_in_nanoseconds_and_in_seconds_read_alike() -> None:
    generator = random.Random(7)
    seconds = [generator.lognormvariate(-8, 1) for _ in range(5000)]
    in_seconds, in_nanoseconds = filled(seconds), filled([round(value * 1e9) for value in seconds])
    for q in (0.5, 0.95, 0.99, 0.999):
        assert in_nanoseconds.quantile(q) == pytest.approx(in_seconds.quantile(q) * 1e9, rel=0.02)


def test_memory_stays_bounded_whatever_is_recorded() -> None:
    histogram = Histogram()
    generator = random.Random(3)
    for _ in range(60_000):
        histogram.record(2.0 ** generator.uniform(-60, 80))
    assert len(histogram._counts) <= 104 * 64 + 2


def test_values_out_of_range_are_counted_at_its_ends() -> None:
    histogram = filled([-0.5, 0, 1e-20, 1.0, 1e30])
    assert histogram.count == 5
    assert (histogram.min, histogram.max) == (-0.5, 1e30)
    assert histogram.quantile(0.5) == 0
    assert histogram.quantile(0.8) == pytest.approx(1, rel=0.01)
    assert histogram.quantile(1) == 1e30
    assert filled([1.0, 1e30, 1e31]).quantile(0.5) == 1e31


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_refused_and_changes_nothing(value: float) -> None:
    histogram = filled([1.0])
    with pytest.raises(ValueError, match="finite"):
        histogram.record(value)
    assert (histogram.count, histogram.mean) == (1, 1.0)


@pytest.mark.parametrize("q", [-0.01, 1.01, math.nan])
def test_a_quantile_outside_zero_to_one_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Histogram().quantile(q)


def test_since_is_what_came_after_the_copy() -> None:
    times = Histogram()
    for value in (1.0, 2.0, 3.0):
        times.record(value)
    before = times.copy()
    for value in (10.0, 20.0):
        times.record(value)
    news = times.since(before)
    assert (news.count, news.sum) == (2, 30.0)
    assert news.quantile(0.5) == pytest.approx(10.0, rel=0.01)
    assert news.max == pytest.approx(20.0, rel=0.01)
    assert times.since(times.copy()).count == 0
    assert before.count == 3


def test_at_most_counts_what_is_below() -> None:
    times = Histogram()
    for value in (0.001, 0.01, 0.1, 1.0):
        times.record(value)
    assert [times.at_most(bound) for bound in (0.0005, 0.005, 0.05, 0.5, 5.0)] == [0, 1, 2, 3, 4]
