from __future__ import annotations

import pytest
from tests.notification.incidents import alert

from perpwire.notification.alert import Alert, Severity
from perpwire.notification.digest import Digest

S = 1_000_000_000


@pytest.fixture
def digest() -> Digest:
    return Digest(window_s=60)


def end(key: str = "k") -> Alert:
    return alert(key, Severity.INFO, title="over", resolves=key)


def repeats(told: Alert | None) -> int:
    assert told is not None
    return told.repeats


def test_a_new_problem_is_told_at_once_and_its_repeats_as_a_number_at_the_end_of_the_window(digest: Digest) -> None:
    assert repeats(digest.note(alert(), 0)) == 0
    assert digest.look_at_ns("k") is None
    for second in (1, 2, 59):
        assert digest.note(alert(), second * S) is None
    assert digest.look_at_ns("k") == 60 * S
    assert digest.look("k", 60 * S - 1) is None
    assert repeats(digest.look("k", 60 * S)) == 3
    assert digest.look_at_ns("k") is None
    assert digest.suppressed == 3


def test_windows_follow_each_other_while_it_goes_on(digest: Digest) -> None:
    digest.note(alert(), 0)
    digest.note(alert(), 1 * S)
    digest.look("k", 60 * S)
    assert digest.note(alert(), 61 * S) is None
    assert digest.look_at_ns("k") == 120 * S


def test_after_a_quiet_window_the_next_occurrence_is_told_at_once(digest: Digest) -> None:
    digest.note(alert(), 0)
    assert repeats(digest.note(alert(), 60 * S)) == 0


def test_a_problem_that_becomes_worse_is_told_at_once(digest: Digest) -> None:
    digest.note(alert(), 0)
    digest.note(alert(), 1 * S)
    worse = digest.note(alert(severity=Severity.CRITICAL), 2 * S)
    assert worse is not None
    assert (worse.severity, worse.repeats) == (Severity.CRITICAL, 1)
    assert digest.note(alert(severity=Severity.CRITICAL), 3 * S) is None
    assert digest.note(alert(severity=Severity.WARNING), 4 * S) is None


def test_different_problems_do_not_hide_each_other(digest: Digest) -> None:
    assert digest.note(alert("a"), 0) is not None
    assert digest.note(alert("b"), 0) is not None


def test_the_end_of_a_told_problem_is_told_at_once_with_the_repeats(digest: Digest) -> None:
    digest.note(alert(), 0)
    digest.note(alert(), 1 * S)
    over = digest.note(end(), 2 * S)
    assert over is not None
    assert (over.title, over.repeats) == ("over", 1)
    assert digest.look_at_ns("k") is None


def test_the_end_of_a_problem_that_was_never_told_is_not_told(digest: Digest) -> None:
    assert digest.note(end(), 0) is None
    assert digest.look_at_ns("k") is None


def test_the_end_of_a_long_problem_is_told_however_late(digest: Digest) -> None:
    digest.note(alert(), 0)
    assert digest.note(end(), 86_400 * S) is not None


def test_one_that_comes_back_after_its_window_is_a_new_problem(digest: Digest) -> None:
    digest.note(alert(), 0)
    digest.note(end(), 50 * S)
    assert digest.note(alert(), 60 * S) is not None


def test_one_that_flaps_is_told_twice_and_then_once_a_window_in_its_latest_state(digest: Digest) -> None:
    told = [digest.note(alert(), 0), digest.note(end(), 1 * S)]
    assert None not in told
    for second in range(2, 30, 2):
        assert digest.note(alert(), second * S) is None
        assert digest.note(end(), (second + 1) * S) is None
    summary = digest.look("k", 60 * S)
    assert summary is not None
    assert (summary.title, summary.repeats) == ("over", 14)
    assert digest.note(alert(), 61 * S) is None
    still_there = digest.look("k", 120 * S)
    assert still_there is not None
    assert still_there.title == "k"


def test_one_that_flaps_and_becomes_worse_is_told_at_once(digest: Digest) -> None:
    digest.note(alert(), 0)
    digest.note(end(), 1 * S)
    digest.note(alert(), 2 * S)
    assert digest.note(alert(severity=Severity.CRITICAL), 3 * S) is not None
    assert digest.note(end(), 4 * S) is not None


def test_a_held_problem_that_is_over_in_time_leaves_no_trace(digest: Digest) -> None:
    assert digest.note(alert(hold_s=10), 0) is None
    assert digest.look_at_ns("k") == 10 * S
    assert digest.note(end(), 9 * S) is None
    assert digest.look("k", 10 * S) is None
    assert digest.look_at_ns("k") is None


def test_a_held_problem_that_lasts_is_told_and_so_is_its_end(digest: Digest) -> None:
    digest.note(alert(hold_s=10), 0)
    assert digest.note(alert(hold_s=10), 5 * S) is None
    assert repeats(digest.look("k", 10 * S)) == 1
    assert digest.note(end(), 11 * S) is not None


def test_a_flush_tells_what_is_untold_and_nothing_twice(digest: Digest) -> None:
    digest.note(alert("told"), 0)
    digest.note(alert("repeated"), 0)
    digest.note(alert("repeated"), 1)
    digest.note(alert("held", hold_s=10), 2)
    assert {told.key for told in digest.flush(3)} == {"repeated", "held"}
    assert digest.flush(4) == []


def test_memory_is_bounded_and_what_is_forgotten_is_counted() -> None:
    digest = Digest(window_s=60, capacity=3)
    digest.note(alert("oldest"), 0)
    digest.note(alert("oldest"), 1)
    digest.note(alert("held", hold_s=10), 2)
    for number in range(10):
        assert digest.note(alert(f"k{number}"), 3) is not None
    assert len(digest._problems) == 3
    assert digest.forgotten == 2
    assert digest.look("oldest", 60 * S) is None


def test_what_was_told_longest_ago_is_forgotten_first() -> None:
    digest = Digest(window_s=60, capacity=2)
    digest.note(alert("a"), 0)
    digest.note(alert("b"), 1 * S)
    digest.note(alert("a"), 70 * S)
    digest.note(alert("c"), 71 * S)
    assert digest.note(alert("a"), 72 * S) is None
    assert digest.note(end("b"), 73 * S) is None
