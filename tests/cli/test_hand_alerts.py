"""An order by hand that fails or is in doubt: the configured sinks hear of it, and hold nobody up."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.notification.receivers import SECRET, Webhook, until
from typer.testing import CliRunner

from perpwire.cli.connecting import Plan
from perpwire.cli.hand_alerts import SEND_S, SPOOL
from perpwire.cli.main import app
from perpwire.config.loading import load
from perpwire.model.incident import ChangeUnresolved, Incident
from perpwire.notification.notifier import Notifier
from perpwire.notification.setting_up import notifier_from
from perpwire.simulator.faults import LoseAnswer
from perpwire.threaded import ThreadedExchange

pytestmark = pytest.mark.slow

POOR = ("order", "place", "BTCUSDT", "buy", "99", "--price", "60000")
"""There is not so much money."""


@pytest.fixture(scope="module")
def exchange() -> Iterator[ThreadedExchange]:
    with ThreadedExchange(latency_s=0.001, rate=10.0) as running:
        yield running


@pytest.fixture
def hook() -> Webhook:
    return Webhook()


class Said(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str
    took_s: float


def configured(folder: Path, sink: str) -> Path:
    file = folder / "perpwire.toml"
    file.write_text(
        f'state_dir = "{folder}"\n[orders]\nsettle_patience_s = 1\ntimeout_s = 0.5\n'
        f"[guards]\nmax_order_notional = 100000000\nmax_position_notional = 100000000\n"
        f'[alerts]\nlanguage = "ko"\n[alerts.sinks.hook]\nurl = "{sink}"\n'
    )
    file.chmod(0o600)
    return file


async def run(exchange: ThreadedExchange, venue: str, file: Path, *words: str) -> Said:
    pipe = asyncio.subprocess.PIPE
    where = (f"--url={exchange.urls[venue]}", f"--venue={venue}", f"--config={file}")
    line = (sys.executable, "-m", "perpwire", *words, *where)
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *line, stdout=pipe, stderr=pipe, env={**os.environ, "COLUMNS": "200"}
    )
    out, error = await asyncio.wait_for(process.communicate(), 60)
    return Said(process.returncode or 0, out.decode(), error.decode(), time.monotonic() - began)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
async def test_an_order_that_the_venue_refuses_is_told_on_the_terminal_and_to_the_sinks(
    exchange: ThreadedExchange, venue: str, tmp_path: Path, hook: Webhook
) -> None:
    file = configured(tmp_path, hook.sink["url"])
    async with hook.up():
        said = await run(exchange, venue, file, *POOR, "--json")
        well = await run(exchange, venue, file, "order", "place", "BTCUSDT", "buy", "0.01", "--price", "50000")
        assert (await run(exchange, venue, file, "order", "cancel", "--all", "--yes")).exit_code == 0
    assert (said.exit_code, json.loads(said.stderr.splitlines()[-1])["error"]) == (1, "InsufficientBalance"), said
    assert well.exit_code == 0, well
    assert len(hook.texts) == 1
    assert "증거금 부족으로 주문 거부" in hook.texts[0]
    assert "BTCUSDT 매수 99" in hook.texts[0]
    assert SECRET not in said.stderr


async def test_an_order_in_doubt_ends_with_its_own_code_and_an_alert(
    exchange: ThreadedExchange, tmp_path: Path, hook: Webhook
) -> None:
    exchange.bybit.faults.add(LoseAnswer(method="POST", path="*/order/create", how="silence"))
    exchange.bybit.faults.add(LoseAnswer(method="GET", contains="mine-9", count=None, for_s=30))
    words = ("order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000", "--client-order-id", "mine-9")
    async with hook.up():
        said = await run(exchange, "bybit", configured(tmp_path, hook.sink["url"]), *words)
    exchange.bybit.faults.clear()
    assert said.exit_code == 3, said
    (text,) = hook.texts
    assert "주문 결과 확인 불가" in text
    assert "mine-9" in text


@pytest.mark.parametrize("change", ["amend", "cancel"])
def test_a_change_whose_outcome_is_not_known_is_told_to_the_sinks(
    exchange: ThreadedExchange, tmp_path: Path, hook: Webhook, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    told: list[Incident] = []

    async def send(_made: Plan, heard: Sequence[Incident]) -> None:
        told.extend(heard)

    monkeypatch.setattr("perpwire.cli.hand_alerts._send", send)
    for pauses in ("LOST_ANSWER_S", "CHANGED_S"):
        monkeypatch.setattr(f"perpwire.api_connector.order_changes.{pauses}", (0.0,))
    where = ["BTCUSDT", "--client-order-id", f"mine-{change}", f"--url={exchange.urls['bybit']}", "--venue=bybit",
             f"--config={configured(tmp_path, hook.sink['url'])}"]  # fmt: skip
    placed = CliRunner().invoke(app, ["order", "place", *where, "buy", "0.01", "--price", "60000"])
    assert placed.exit_code == 0, placed.stderr
    exchange.bybit.faults.add(LoseAnswer(method="POST", path=f"*/order/{change}", how="reset", count=None))
    first = 3 if change == "amend" else 1  # before it is amended it is read, and for the guards what is open
    exchange.bybit.faults.add(LoseAnswer(method="GET", path="*/order/realtime", how="reset", count=None, nth=first))
    said = CliRunner().invoke(app, ["order", change, *where, *(["--price", "59000"] if change == "amend" else [])])
    exchange.bybit.faults.clear()
    assert said.exit_code == 3, said.stderr
    (one,) = told
    assert isinstance(one, ChangeUnresolved)
    assert one.orders == (f"mine-{change}",)


async def test_a_sink_that_hangs_holds_nobody_up_and_what_it_missed_is_told_by_serve(
    exchange: ThreadedExchange, tmp_path: Path, hook: Webhook
) -> None:
    patient = hook.sink["url"].replace("rto=0.3", "rto=30")
    file = configured(tmp_path, patient)
    hook.mode = "hang"
    async with hook.up():
        said = await run(exchange, "binance", file, *POOR)
    assert said.exit_code == 1
    assert "[-2019]" in said.stderr  # nothing that was to be read is lost
    assert "hook could not be alerted yet" in said.stderr
    assert said.took_s < SEND_S + 12  # of which most is a Python that starts on a busy machine
    hook.mode = "ok"
    settings = load(file).settings

    def serving() -> Notifier:
        made = notifier_from(settings.alerts, spool=tmp_path / "alerts.spool", inbox=settings.state_file(SPOOL))
        assert made is not None
        return made

    async with hook.up():
        async with serving():
            await until(lambda: bool(hook.texts))
        async with serving():
            await asyncio.sleep(0.3)  # nothing comes: it was told
    assert len(hook.texts) == 1
    assert "증거금 부족으로 주문 거부" in hook.texts[0]


async def test_a_mistake_in_the_alerts_does_not_hide_what_became_of_the_order(
    exchange: ThreadedExchange, tmp_path: Path
) -> None:
    said = await run(exchange, "bybit", configured(tmp_path, "nonsense://x"), *POOR)
    assert said.exit_code == 1
    assert "nobody was alerted of it: " in said.stderr
    assert "error: " in said.stderr.splitlines()[-1]
