from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from tests.notification.incidents import FlakySink, alert

from perpwire.clock import ManualClock
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.delivery import Delivery, Pacing
from perpwire.notification.sinks import CallableSink


@pytest.fixture
def sink(clock: ManualClock) -> FlakySink:
    return FlakySink(clock)


def run(
    clock: ManualClock, sink: FlakySink, story: Callable[[Delivery], Awaitable[None]], pacing: Pacing | None = None
) -> Delivery:
    """Play a story with a running delivery in virtual time, then close it at once."""

    async def main() -> Delivery:
        delivery = Delivery(sink, clock, pacing or Pacing())
        delivery.start()
        await story(delivery)
        await delivery.close(0)
        return delivery

    return clock.run(main())


def test_alerts_arrive_in_order_and_paced(clock: ManualClock, sink: FlakySink) -> None:
    async def story(delivery: Delivery) -> None:
        for name in "abc":
            delivery.put(alert(name))
        await clock.sleep(10)
        delivery.put(alert("d"))
        await clock.sleep(0.5)
        delivery.put(alert("e"))
        await clock.sleep(10)

    stats = run(clock, sink, story).stats()
    assert [(at, told.key) for at, told in sink.taken] == [(0, "a"), (1, "b"), (2, "c"), (10, "d"), (11, "e")]
    assert (stats.delivered, stats.failed_attempts, stats.dropped, stats.waiting) == (5, 0, 0, 0)


def test_an_outage_is_sat_out_with_growing_pauses_and_nothing_is_lost(clock: ManualClock, sink: FlakySink) -> None:
    async def story(delivery: Delivery) -> None:
        sink.is_down = True
        for name in "abcdefgh":
            delivery.put(alert(name))
        await clock.sleep(3600)
        sink.is_down = False
        await clock.sleep(120)

    stats = run(clock, sink, story).stats()
    assert sink.tried_at[:8] == [0, 1, 3, 7, 15, 31, 63, 123]
    assert set(sink.titles) == set("abcdefgh")
    assert (stats.delivered, stats.dropped, stats.refused) == (8, 0, 0)


def test_a_short_outage_keeps_the_order(clock: ManualClock, sink: FlakySink) -> None:
    async def story(delivery: Delivery) -> None:
        sink.is_down = True
        for name in ("lost", "recovered"):
            delivery.put(alert(name))
        await clock.sleep(14)
        sink.is_down = False
        await clock.sleep(60)

    run(clock, sink, story)
    assert sink.titles == ["lost", "recovered"]


def test_one_alert_that_the_sink_can_not_take_does_not_hold_up_the_others_for_ever(
    clock: ManualClock, sink: FlakySink
) -> None:
    async def story(delivery: Delivery) -> None:
        sink.refuses = {"poison"}
        delivery.put(alert("poison"))
        for number in range(5):
            delivery.put(alert(str(number)))
        await clock.sleep(120)

    stats = run(clock, sink, story).stats()
    assert sink.titles == list("01234")
    assert (stats.refused, stats.waiting) == (1, 0)


def test_two_such_alerts_neither(clock: ManualClock, sink: FlakySink) -> None:
    async def story(delivery: Delivery) -> None:
        sink.refuses = {"poison", "venom"}
        for name in ("poison", "venom", "a", "b", "c", "d"):
            delivery.put(alert(name))
        await clock.sleep(1200)

    stats = run(clock, sink, story).stats()
    assert sink.titles == list("abcd")
    assert stats.refused == 2


def test_a_sink_that_never_answers_is_given_up_after_the_timeout_and_tried_again(clock: ManualClock) -> None:
    tries: list[float] = []

    async def hang_twice(told: Alert) -> None:
        tries.append(round(clock.monotonic_ns() / 1e9))
        if len(tries) < 3:
            await clock.sleep(1e6)

    async def main() -> Delivery:
        delivery = Delivery(CallableSink(hang_twice), clock, Pacing())
        delivery.start()
        delivery.put(alert())
        await clock.sleep(100)
        await delivery.close(0)
        return delivery

    stats = clock.run(main()).stats()
    assert tries == [0, 31, 63]
    assert (stats.delivered, stats.failed_attempts) == (1, 2)


def test_a_cancellation_from_inside_the_sink_is_a_failure_like_any_other(clock: ManualClock) -> None:
    tries = 0

    async def cancelled_once(told: Alert) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError

    async def main() -> Delivery:
        delivery = Delivery(CallableSink(cancelled_once), clock, Pacing())
        delivery.start()
        delivery.put(alert())
        await clock.sleep(10)
        await delivery.close(0)
        return delivery

    assert clock.run(main()).stats().delivered == 1


def test_a_full_queue_drops_the_least_severe_oldest_first_and_counts_it(clock: ManualClock, sink: FlakySink) -> None:
    async def story(delivery: Delivery) -> None:
        sink.is_down = True
        delivery.put(alert("critical", Severity.CRITICAL))
        for number in range(4):
            delivery.put(alert(f"info {number}", Severity.INFO))
        delivery.put(alert("warning"))
        delivery.put(alert("warning too"))
        assert delivery.stats().waiting == 4
        sink.is_down = False
        await clock.sleep(100)

    stats = run(clock, sink, story, Pacing(queue_limit=4)).stats()
    assert set(sink.titles) == {"critical", "info 3", "warning", "warning too"}
    assert (stats.delivered, stats.dropped) == (4, 3)


def test_closing_delivers_what_waits_without_pauses(clock: ManualClock, sink: FlakySink) -> None:
    async def main() -> float:
        delivery = Delivery(sink, clock, Pacing(interval_s=10))
        delivery.start()
        for number in range(20):
            delivery.put(alert(str(number)))
        await clock.sleep(1)
        await delivery.close(within_s=5)
        delivery.put(alert("too late"))
        assert (delivery.stats().delivered, delivery.stats().dropped) == (20, 1)
        return clock.monotonic_ns() / 1e9

    assert clock.run(main()) == pytest.approx(1, abs=0.01)
    assert sink.titles == [str(number) for number in range(20)]


def test_closing_in_an_outage_ends_within_its_bound_and_counts_the_loss(
    clock: ManualClock, sink: FlakySink, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> float:
        sink.is_down = True
        delivery = Delivery(sink, clock, Pacing())
        delivery.start()
        delivery.put(alert("a"))
        delivery.put(alert("b"))
        await clock.sleep(1000)
        await delivery.close(within_s=5)
        stats = delivery.stats()
        assert (stats.delivered, stats.dropped, stats.waiting) == (0, 2, 0)
        return clock.monotonic_ns() / 1e9

    assert clock.run(main()) == pytest.approx(1005, abs=0.01)
    assert "2 alerts were not delivered" in caplog.text


def test_closing_tries_once_more_at_once_instead_of_sitting_out_a_pause(clock: ManualClock, sink: FlakySink) -> None:
    async def main() -> None:
        sink.is_down = True
        delivery = Delivery(sink, clock, Pacing())
        delivery.start()
        delivery.put(alert("a"))
        await clock.sleep(70)  # the next try would be at 123 s
        sink.is_down = False
        await delivery.close(within_s=1)

    clock.run(main())
    assert sink.taken[0][0] == pytest.approx(70)


def test_a_delivery_that_was_never_started_can_be_closed(clock: ManualClock, sink: FlakySink) -> None:
    async def main() -> int:
        delivery = Delivery(sink, clock, Pacing())
        delivery.put(alert())
        await delivery.close(1)
        return delivery.stats().dropped

    assert clock.run(main()) == 1


def test_the_log_tells_of_a_failing_sink_without_the_text_of_its_error(
    clock: ManualClock, sink: FlakySink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def story(delivery: Delivery) -> None:
        sink.is_down = True
        delivery.put(alert())
        await clock.sleep(100)
        assert sum(record.levelno == logging.WARNING for record in caplog.records) == 1

    run(clock, sink, story)
    assert "alert sink flaky failed (ConnectionError)" in caplog.text
    assert "secret-token" not in caplog.text


def test_an_alert_that_is_on_its_way_is_not_the_one_dropped(clock: ManualClock) -> None:
    taken: list[str] = []

    async def slow(told: Alert) -> None:
        await clock.sleep(5)
        taken.append(told.key)

    async def main() -> None:
        delivery = Delivery(CallableSink(slow), clock, Pacing(queue_limit=2))
        delivery.start()
        delivery.put(alert("on its way", Severity.INFO))
        await clock.sleep(1)
        delivery.put(alert("waits"))
        delivery.put(alert("waits too", Severity.CRITICAL))
        await clock.sleep(100)
        await delivery.close(0)

    clock.run(main())
    assert taken == ["on its way", "waits too"]
