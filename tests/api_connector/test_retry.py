from __future__ import annotations

import random

import pytest

from perpwire.api_connector.retry import RetryPolicy, reconnect_pause_s
from perpwire.errors import (
    APIError,
    BadInput,
    BadRequest,
    Busy,
    ClockSkewed,
    InsufficientBalance,
    NotSent,
    OutcomeUnknown,
    Overloaded,
    RateLimited,
)
from perpwire.venues.base import Endpoint, Lane, Security


def endpoint(repeatable: bool) -> Endpoint:
    return Endpoint(
        name="x", http="POST /x", security=Security.NONE, reply=None, costs={}, source="test", repeatable=repeatable
    )


ORDER, READ, RNG = endpoint(False), endpoint(True), random.Random(1)


@pytest.mark.parametrize("error", [OutcomeUnknown("lost"), BadInput("bad"), InsufficientBalance("x"), BadRequest("x")])
def test_an_order_is_never_sent_again_after_a_lost_answer_or_a_refusal(error: APIError) -> None:
    assert RetryPolicy().pause_s(error, ORDER, 1, RNG) is None


@pytest.mark.parametrize("error", [NotSent("refused"), RateLimited("slow"), ClockSkewed("late")])
def test_what_is_surely_not_done_is_sent_again(error: APIError) -> None:
    assert RetryPolicy().pause_s(error, ORDER, 1, RNG) is not None


def test_an_order_that_the_venue_was_too_busy_for_is_sent_again_only_by_policy() -> None:
    assert RetryPolicy().pause_s(Busy("503"), ORDER, 1, RNG) is None
    assert (RetryPolicy(resend_orders=True).pause_s(Busy("503"), ORDER, 1, RNG) or 0) >= 0.5
    assert RetryPolicy().pause_s(Busy("503"), READ, 1, RNG) is not None


def test_only_what_closes_is_sent_again_after_a_refusal_for_overload_and_at_once() -> None:
    for policy in (RetryPolicy(), RetryPolicy(resend_orders=True)):
        assert policy.pause_s(Overloaded("-1008"), ORDER, 1, RNG) is None
        assert 0 < (policy.pause_s(Overloaded("-1008"), ORDER, 1, RNG, Lane.REDUCE) or 0) < 0.2


def test_a_read_is_repeated_after_a_lost_answer_but_not_for_ever() -> None:
    policy = RetryPolicy(attempts=3)
    assert policy.pause_s(OutcomeUnknown("lost"), READ, 1, RNG) is not None
    assert policy.pause_s(OutcomeUnknown("lost"), READ, 3, RNG) is None


def test_a_long_ban_is_the_callers_to_wait_out() -> None:
    assert RetryPolicy().pause_s(RateLimited("ban", retry_after_s=120), READ, 1, RNG) is None
    assert RetryPolicy().pause_s(RateLimited("slow", retry_after_s=2), READ, 1, RNG) == 2


def test_a_clock_error_that_stays_after_a_resync_is_raised() -> None:
    assert RetryPolicy().pause_s(ClockSkewed("late"), READ, 2, RNG) is None


def test_reconnects_wait_two_four_eight_sixteen_then_thirty_seconds_for_ever() -> None:
    for failures, longest in [(1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (6, 30), (500, 30)]:
        pauses = [reconnect_pause_s(failures, RNG) for _ in range(50)]
        assert max(pauses) <= longest
        assert min(pauses) >= longest * 0.8
    assert max(reconnect_pause_s(0, RNG) for _ in range(50)) <= 0.25


def test_nothing_is_tried_again_when_its_time_is_up() -> None:
    error = NotSent("connection refused")
    error.elapsed_ms = 59_999.0
    assert RetryPolicy().pause_s(error, READ, 1, RNG) is not None
    error.elapsed_ms = 60_000.0
    assert RetryPolicy().pause_s(error, READ, 1, RNG) is None
