"""Who is told when: least severities, quiet hours, escalation; and what is kept on disk."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.notification.incidents import FlakySink, alert, failing, lost, no_margin, recovered

from perpwire.clock import ManualClock
from perpwire.notification.alert import Severity
from perpwire.notification.delivery import Pacing
from perpwire.notification.escalation import Escalation
from perpwire.notification.notifier import Notifier
from perpwire.notification.outlet import Outlet
from perpwire.notification.quiet import QuietHours
from perpwire.notification.spool import Spool

SEOUL = ZoneInfo("Asia/Seoul")
NIGHT = QuietHours(start=time(23), end=time(7), zone=SEOUL)


def at(hour: int, minute: int = 0, day: int = 21, zone: ZoneInfo = SEOUL) -> int:
    return round(datetime(2026, 9, day, hour, minute, tzinfo=zone).timestamp() * 1e9)


def run(clock: ManualClock, notifier: Notifier, story: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with notifier:
            await story()

    clock.run(main())


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (at(22, 59), None), (at(23), at(7, day=22)), (at(3), at(7)), (at(6, 59), at(7)), (at(7), None),
    ],
)  # fmt: skip
def test_quiet_hours_go_over_midnight(now: int, until: int | None) -> None:
    assert NIGHT.until_ns(now) == until


def test_quiet_hours_follow_the_clocks_of_their_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    quiet = QuietHours(start=time(23), end=time(7), zone=berlin)
    before = round(datetime(2026, 10, 24, 23, 30, tzinfo=berlin).timestamp() * 1e9)
    until = quiet.until_ns(before)
    assert until is not None
    assert (until - before) / 3.6e12 == 8.5  # an hour longer: clocks are put back


def test_in_quiet_hours_only_what_is_critical_is_told_and_its_end_the_rest_in_the_morning() -> None:
    clock = ManualClock(at(2))
    sink = FlakySink(clock)
    notifier = Notifier([Outlet(name="phone", sink=sink, quiet=NIGHT)], clock)

    async def story() -> None:
        notifier.on_incident(lost("a"))
        notifier.on_incident(recovered("a"))
        notifier.on_incident(failing(9, "b"))
        await clock.sleep(600)
        notifier.on_incident(recovered("b"))
        await clock.sleep(5 * 3600)

    run(clock, notifier, story)
    hours = [(round(when / 3600, 1), told.severity, told.title) for when, told in sink.taken]
    assert hours == [
        (0.0, Severity.CRITICAL, "Connection b can't be made"),
        (0.2, Severity.INFO, "Connection b recovered"),
        (5.0, Severity.INFO, "Connection a recovered"),
    ]
    assert sink.taken[2][1].repeats == 1


def test_a_sink_hears_from_its_least_severity_on_and_of_the_end_of_what_it_heard(clock: ManualClock) -> None:
    sink = FlakySink(clock)
    notifier = Notifier([Outlet(name="phone", sink=sink, minimum=Severity.CRITICAL)], clock)

    async def story() -> None:
        notifier.on_incident(lost("a"))
        notifier.on_incident(recovered("a"))
        notifier.on_incident(failing(9, "b"))
        notifier.on_incident(recovered("b"))
        await clock.sleep(5)

    run(clock, notifier, story)
    assert sink.titles == ["Connection b can't be made", "Connection b recovered"]
    assert notifier.stats().sinks[0].filtered == 2


def test_what_is_critical_and_not_over_is_told_again_louder_until_it_is(clock: ManualClock) -> None:
    quiet, loud = FlakySink(clock), FlakySink(clock)
    outlets = [Outlet(name="team", sink=quiet), Outlet(name="pager", sink=loud, only_escalated=True)]
    escalation = Escalation(after_s=900, to=("pager",), again_s=600)
    notifier = Notifier(outlets, clock, escalation=escalation)

    async def story() -> None:
        notifier.on_incident(failing(9))
        await clock.sleep(1800)
        notifier.on_incident(recovered())
        await clock.sleep(7200)

    run(clock, notifier, story)
    assert [(round(when), told.severity, round(told.open_s)) for when, told in loud.taken] == [
        (900, Severity.CRITICAL, 900), (1500, Severity.CRITICAL, 1500), (1800, Severity.INFO, 0),
    ]  # fmt: skip
    assert quiet.titles == ["Connection binance/public can't be made", "Connection binance/public recovered"]


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_nobody_says_the_end_of_is_told_again_only_where_it_goes_on(clock: ManualClock, goes_on: bool) -> None:
    loud = FlakySink(clock)
    notifier = Notifier(
        [Outlet(name="pager", sink=loud, only_escalated=True)], clock, escalation=Escalation(after_s=900, to=("pager",))
    )

    async def story() -> None:
        for _ in range(20 if goes_on else 1):
            notifier.on_incident(no_margin())
            await clock.sleep(60)
        await clock.sleep(2000)

    run(clock, notifier, story)
    assert len(loud.taken) == goes_on


def test_what_is_acknowledged_is_not_told_again(clock: ManualClock) -> None:
    loud = FlakySink(clock)
    notifier = Notifier(
        [Outlet(name="pager", sink=loud, only_escalated=True)], clock, escalation=Escalation(after_s=900, to=("pager",))
    )

    async def story() -> None:
        notifier.on_incident(failing(9))
        assert notifier.acknowledge("connection binance/public")
        assert not notifier.acknowledge("another")
        await clock.sleep(2000)

    run(clock, notifier, story)
    assert loud.taken == []


def test_what_waits_for_the_morning_outlives_the_program(tmp_path: Path) -> None:
    clock = ManualClock(at(2))
    sinks = [FlakySink(clock), FlakySink(clock)]
    for number, sink in enumerate(sinks):
        spool = Spool(tmp_path / "alerts", clock)
        notifier = Notifier([Outlet(name="phone", sink=sink, quiet=NIGHT)], clock, spool=spool)

        async def story(notifier: Notifier = notifier, number: int = number) -> None:
            if number == 0:
                notifier.on_incident(lost())
                notifier.on_incident(lost("b"))
            await clock.sleep(1 + number * 6 * 3600)

        run(clock, notifier, story)
    assert [sink.titles for sink in sinks] == [[], ["Connection binance/public lost", "Connection b lost"]]


def test_the_spool_is_bounded_and_reads_past_half_a_line(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "alerts"
    spool = Spool(path, clock)
    for number in range(3000):
        spool.gone(spool.put("phone", alert(f"k{number}")))
    kept = spool.put("phone", alert("kept"))
    assert spool.flush()
    assert path.read_bytes().count(b"\n") < 600
    spool.close()
    with path.open("ab") as file:
        file.write(b'{"id":99,"outlet":"pho')
    again = Spool(path, clock)
    assert [(number, one.key) for number, one in again.waiting("phone")] == [(kept, "kept")]
    again.close()


def test_what_a_full_disk_did_not_take_is_kept_as_soon_as_there_is_room(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sync, room = os.fsync, [True]

    def fsync(descriptor: int) -> None:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "alerts"
    spool = Spool(path, clock)
    delivered = spool.put("phone", alert("delivered"))
    room[0] = False
    for key in ("a", "b"):
        spool.put("phone", alert(key))
        assert spool.flush()
    spool.gone(delivered)
    assert spool.flush()
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".new"] == []
    room[0] = True
    spool.put("phone", alert("c"))
    assert spool.flush()
    assert [line["alert"]["key"] for line in map(json.loads, path.read_bytes().splitlines())] == ["a", "b", "c"]
    room[0] = False
    spool.put("phone", alert("d"))
    assert spool.flush()
    room[0] = True
    spool.close()
    again = Spool(path, clock)
    assert [one.key for _, one in again.waiting("phone")] == ["a", "b", "c", "d"]
    again.close()
    told = [one.getMessage() for one in caplog.records if one.name == "perpwire.notification"]
    lost_it = "alerts can't be kept on disk (No space left on device): they wait in memory only"
    assert told == [lost_it, "alerts are kept on disk again"] * 2


def test_what_is_too_old_or_for_a_sink_that_is_gone_is_given_up(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "alerts"
    spool = Spool(path, clock)
    spool.put("phone", alert("a"))
    spool.put("pager", alert("b", time_ns=clock.time_ns() - round(3e14)))
    spool.close()
    again = Spool(path, clock)
    assert again.waiting("pager") == []
    assert again.keep_only({"pager"}) == 1
    again.close()


def test_a_queue_that_is_full_is_bounded_on_disk_too(tmp_path: Path, clock: ManualClock) -> None:
    sink = FlakySink(clock)
    sink.is_down = True
    spool = Spool(tmp_path / "alerts", clock)
    notifier = Notifier([Outlet(name="phone", sink=sink)], clock, pacing=Pacing(queue_limit=10), spool=spool)

    async def story() -> None:
        for number in range(50):
            notifier.on_incident(lost(f"c{number}"))
        await clock.sleep(1)

    run(clock, notifier, story)
    stats = notifier.stats().sinks[0]
    assert (stats.kept, stats.dropped) == (10, 40)
    again = Spool(tmp_path / "alerts", clock)
    assert len(again.waiting("phone")) == 10
    again.close()
