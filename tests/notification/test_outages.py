"""Alerts reach real receivers through outages of these and a restart of ours, as the rules file names them."""

# ruff: noqa: ASYNC220, ASYNC240 - the tests' own small files and one process

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.notification.incidents import lost, no_margin
from tests.notification.receivers import RECEIVERS, SECRET, TOKEN, Receiver, Telegram, Webhook, until

from perpwire.clock import SystemClock
from perpwire.model.incident import HandlerFailed
from perpwire.notification.notifier import Notifier
from perpwire.notification.setting_up import notifier_from
from perpwire.notification.spool import Spool, SpoolInUse

pytestmark = pytest.mark.slow

PACING = {"interval_s": 0, "first_retry_s": 0.02, "greatest_retry_s": 0.1, "attempt_timeout_s": 2}


def made(receiver: Receiver, spool: Path | None = None, **more: Any) -> Notifier:
    table = {"sinks": {"ops": receiver.sink}, "pacing": PACING, "keep_hours": 1e6, **more}
    notifier = notifier_from(table, spool=spool)
    assert notifier is not None
    return notifier


@pytest.mark.parametrize("kind", RECEIVERS)
async def test_an_alert_arrives_once_through_refusals_errors_and_hanging(kind: type[Receiver]) -> None:
    receiver = kind()
    async with made(receiver) as notifier:
        notifier.on_incident(lost())
        await until(lambda: notifier.stats().sinks[0].failed_attempts >= 2)
        for mode in ("error", "hang"):
            receiver.mode = mode
            failed = notifier.stats().sinks[0].failed_attempts
            async with receiver.up():
                await until(lambda: notifier.stats().sinks[0].failed_attempts > failed)  # noqa: B023 - awaited here
        receiver.mode = "ok"
        async with receiver.up():
            await until(lambda: len(receiver.texts) == 1)
            notifier.on_incident(no_margin())
            await until(lambda: len(receiver.texts) == 2)
    assert "Connection binance/public lost" in receiver.texts[0]
    assert "Balance insufficient for an order" in receiver.texts[1]
    assert notifier.stats().sinks[0].delivered == 2


@pytest.mark.parametrize("kind", [Webhook, Telegram])
async def test_a_service_that_wants_a_pause_gets_it(kind: type[Receiver]) -> None:
    receiver = kind()
    receiver.mode = "busy"
    async with receiver.up(), made(receiver) as notifier:
        notifier.on_incident(lost())
        await until(lambda: len(receiver.tries) == 1)
        receiver.mode = "ok"
        await until(lambda: len(receiver.texts) == 1)
    assert receiver.tries[1] - receiver.tries[0] >= 1
    assert len(receiver.tries) == 2


@pytest.mark.parametrize("kind", RECEIVERS)
async def test_what_was_not_delivered_is_told_by_the_next_life_and_only_once(
    kind: type[Receiver], tmp_path: Path
) -> None:
    receiver, spool = kind(), tmp_path / "alerts.jsonl"
    first = made(receiver, spool, language="ko")
    async with receiver.up():
        await first.start()
        first.on_incident(lost())
        await until(lambda: len(receiver.texts) == 1)
    first.on_incident(no_margin())
    await until(lambda: first.stats().sinks[0].failed_attempts >= 1)
    await first.close(0.1)
    assert first.stats().sinks[0].kept == 1
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o077 == 0
        assert SECRET not in file.read_text()
        assert TOKEN not in file.read_text()
    async with receiver.up(), made(receiver, spool, language="ko") as second:
        await until(lambda: len(receiver.texts) == 2)
        await until(lambda: second.stats().sinks[0].waiting == 0)
    assert "연결 끊김" in receiver.texts[0]
    assert "증거금 부족으로 주문 거부" in receiver.texts[1]
    third = made(receiver, spool)
    assert third.stats().sinks[0].waiting == 0
    await third.close()


LIFE = """
import asyncio, sys
from pathlib import Path
from tests.notification.incidents import no_margin
from perpwire.notification.setting_up import notifier_from
async def main():
    sink = {"url": sys.argv[1]}
    notifier = notifier_from({"sinks": {"ops": sink}}, spool=Path(sys.argv[2]))
    await notifier.start()
    notifier.on_incident(no_margin())
    notifier._spool.flush()
    print("kept", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_killed_program_has_lost_no_alert(tmp_path: Path) -> None:
    receiver, spool = Webhook(), tmp_path / "alerts.jsonl"
    root = Path(__file__).resolve().parents[2]
    environ = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    words = [sys.executable, "-c", LIFE, receiver.sink["url"], str(spool)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environ, cwd=root) as life:
        assert life.stdout is not None
        assert life.stdout.readline() == b"kept\n"
        life.send_signal(signal.SIGKILL)
        life.wait(10)
    async with receiver.up(), made(receiver, spool):
        await until(lambda: len(receiver.texts) == 1)
    assert "Balance insufficient" in receiver.texts[0]


async def test_no_secret_stands_in_an_alert_in_a_log_or_on_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver = Telegram()
    detail = f"posting to tgram://{TOKEN}/4711 failed with api_secret=canary-canary-2 and {TOKEN}"
    incident = HandlerFailed(venue="bybit", time_ns=SystemClock().time_ns(), why=detail, handler=f"post {TOKEN}")
    receiver.mode = "error"
    async with receiver.up(), made(receiver, tmp_path / "alerts.jsonl") as notifier:
        notifier.on_incident(incident)
        await until(lambda: notifier.stats().sinks[0].failed_attempts >= 1)
        receiver.mode = "ok"
        await until(lambda: len(receiver.texts) == 1)
    told = receiver.texts[0] + caplog.text + "".join(file.read_text() for file in tmp_path.iterdir())
    assert "posting to" in receiver.texts[0]
    assert "canary" not in told


async def test_two_programs_do_not_share_what_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    receiver, spool = Webhook(), tmp_path / "alerts.jsonl"
    async with receiver.up(), made(receiver, spool):
        with pytest.raises(SpoolInUse):
            Spool(spool, SystemClock())
        async with made(receiver, spool) as other:
            assert "wait in memory only" in caplog.text
            other.on_incident(lost())
            await until(lambda: len(receiver.texts) == 1)
