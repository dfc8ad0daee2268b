from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.notification.incidents import NOW_NS, FlakySink, failing, lost, no_margin, recovered

from perpwire.clock import ManualClock
from perpwire.model.incident import BookGap, BookRecovered, Incident
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.delivery import Pacing
from perpwire.notification.notifier import Notifier

GAP = BookGap(venue="bybit", time_ns=NOW_NS, why="an update is missing", symbol="BTCUSDT")
BOOK_BACK = BookRecovered(venue="bybit", time_ns=NOW_NS, why="in sync", symbol="BTCUSDT")


@pytest.fixture
def sink(clock: ManualClock) -> FlakySink:
    return FlakySink(clock)


def run(clock: ManualClock, sink: FlakySink, story: Callable[[Notifier], Awaitable[None]]) -> Notifier:
    async def main() -> Notifier:
        async with Notifier([sink], clock) as notifier:
            await story(notifier)
        return notifier

    return clock.run(main())


def test_a_lost_and_recovered_connection_is_told_as_both(clock: ManualClock, sink: FlakySink) -> None:
    async def story(notifier: Notifier) -> None:
        notifier.on_incident(lost())
        await clock.sleep(3)
        notifier.on_incident(recovered())
        await clock.sleep(3)

    run(clock, sink, story)
    assert [(at, told.headline()) for at, told in sink.taken] == [
        (0, "[WARNING] binance: Connection binance/public lost"),
        (3, "[INFO] binance: Connection binance/public recovered"),
    ]


def test_rules_and_sinks_that_look_at_their_own_cancelled_task_reach_nobody(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(FlakySink):
        async def close(self) -> None:
            raise asyncio.CancelledError

    def rules(incident: Incident) -> Alert | None:
        raise asyncio.CancelledError

    async def main() -> Notifier:
        async with Notifier([Broken(clock)], clock, rules=rules) as notifier:
            notifier.on_incident(lost())
        return notifier

    assert clock.run(main()).stats().failed_incidents == 1
    assert "could not be closed (CancelledError)" in caplog.text


def test_a_recovery_is_not_told_where_the_problem_was_not(clock: ManualClock, sink: FlakySink) -> None:
    async def story(notifier: Notifier) -> None:
        notifier.on_incident(failing(attempts=1))
        notifier.on_incident(recovered())
        await clock.sleep(200)

    run(clock, sink, story)
    assert sink.taken == []


def test_a_loss_that_lasts_is_told_again_as_critical_and_ended_by_one_recovery(
    clock: ManualClock, sink: FlakySink
) -> None:
    async def story(notifier: Notifier) -> None:
        notifier.on_incident(lost())
        for attempt in range(1, 9):
            await clock.sleep(2)
            notifier.on_incident(failing(attempt))
        notifier.on_incident(recovered())
        await clock.sleep(200)

    run(clock, sink, story)
    assert [told.severity for _, told in sink.taken] == [Severity.WARNING, Severity.CRITICAL, Severity.INFO]
    assert sink.taken[2][1].repeats == 3


def test_a_storm_of_refused_orders_is_told_once_and_then_as_a_number(clock: ManualClock, sink: FlakySink) -> None:
    async def story(notifier: Notifier) -> None:
        for _ in range(500):
            notifier.on_incident(no_margin())
            await clock.sleep(0.1)
        await clock.sleep(100)

    notifier = run(clock, sink, story)
    assert [(at, told.repeats) for at, told in sink.taken] == [(0, 0), (60, 499)]
    assert notifier.stats().suppressed == 499


def test_a_book_that_is_back_at_once_is_never_told_and_one_that_is_not_is(clock: ManualClock, sink: FlakySink) -> None:
    async def story(notifier: Notifier) -> None:
        notifier.on_incident(GAP)
        await clock.sleep(1)
        notifier.on_incident(BOOK_BACK)
        await clock.sleep(100)
        notifier.on_incident(GAP)
        await clock.sleep(15)
        notifier.on_incident(BOOK_BACK)
        await clock.sleep(100)

    run(clock, sink, story)
    assert [(at, told.title) for at, told in sink.taken] == [
        (111, "Order book of BTCUSDT out of sync"),
        (116, "Order book of BTCUSDT in sync again"),
    ]


def test_a_failing_sink_does_not_hold_up_another(clock: ManualClock) -> None:
    down, up = FlakySink(clock), FlakySink(clock)
    down.is_down = True

    async def main() -> Notifier:
        async with Notifier([down, up], clock) as notifier:
            notifier.on_incident(lost())
            await clock.sleep(50)
            down.is_down = False
            await clock.sleep(50)
        return notifier

    stats = clock.run(main()).stats()
    assert (up.taken[0][0], down.taken[0][0]) == (0, 63)
    assert [sink.delivered for sink in stats.sinks] == [1, 1]


def test_incidents_before_the_start_are_told_after_it(clock: ManualClock, sink: FlakySink) -> None:
    notifier = Notifier([sink], clock)
    notifier.on_incident(lost())
    notifier.on_incident(lost())
    notifier.on_incident(GAP)

    async def main() -> None:
        await notifier.start()
        await clock.sleep(100)
        await notifier.close()

    clock.run(main())
    assert [(at, told.repeats) for at, told in sink.taken] == [(0, 0), (10, 0), (60, 1)]


def test_closing_tells_what_is_untold_and_later_incidents_are_only_counted(clock: ManualClock, sink: FlakySink) -> None:
    async def story(notifier: Notifier) -> None:
        for _ in range(3):
            notifier.on_incident(no_margin())
        notifier.on_incident(GAP)

    notifier = run(clock, sink, story)
    assert [(told.title, told.repeats) for _, told in sink.taken] == [
        ("Balance insufficient for an order", 0),
        ("Balance insufficient for an order", 2),
        ("Order book of BTCUSDT out of sync", 0),
    ]
    for _ in range(3):
        notifier.on_incident(lost())
    assert notifier.stats().sinks[0].dropped == 1


def test_a_rule_that_fails_never_reaches_the_caller(
    clock: ManualClock, sink: FlakySink, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(incident: Incident) -> Alert | None:
        raise ZeroDivisionError

    notifier = Notifier([sink], clock, broken)
    notifier.on_incident(lost())
    assert notifier.stats().failed_incidents == 1
    assert "ConnectionLost" in caplog.text


def test_the_users_own_rules_are_followed(clock: ManualClock, sink: FlakySink) -> None:
    async def main() -> None:
        async with Notifier([sink], clock, lambda incident: None, Pacing(interval_s=0)) as notifier:
            notifier.on_incident(lost())

    clock.run(main())
    assert sink.taken == []


def test_no_task_or_timer_is_left_after_close(clock: ManualClock, sink: FlakySink) -> None:
    async def main() -> None:
        async with Notifier([sink], clock) as notifier:
            notifier.on_incident(lost())
            notifier.on_incident(lost())
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await clock.sleep(1000)

    clock.run(main())
    assert len(sink.taken) == 2
