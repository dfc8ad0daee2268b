"""`perpwire alerts test`, as a user types it, against a real webhook."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.notification.receivers import SECRET, Webhook

pytestmark = pytest.mark.slow


class Said(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


async def run(*words: str) -> Said:
    pipe = asyncio.subprocess.PIPE
    line = (sys.executable, "-m", "perpwire", "alerts", "test", *words)
    process = await asyncio.create_subprocess_exec(
        *line, stdout=pipe, stderr=pipe, env={**os.environ, "COLUMNS": "200"}
    )
    out, error = await asyncio.wait_for(process.communicate(), 30)
    return Said(process.returncode or 0, out.decode(), error.decode())


def config(folder: Path, *hooks: Webhook) -> str:
    file = folder / "perpwire.toml"
    sinks = (
        f'[alerts.sinks.hook{n}]\nurl = "{hook.sink["url"]}"\nminimum = "critical"' for n, hook in enumerate(hooks)
    )
    file.write_text("\n".join(sinks))
    file.chmod(0o600)
    return str(file)


async def test_each_sink_gets_one_of_each_severity_and_is_reported(tmp_path: Path) -> None:
    hook, away = Webhook(), Webhook()
    async with hook.up():
        said = await run("--config", config(tmp_path, hook, away), "--lang", "ko", "--json")
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert [(row["sink"], row["severity"], row["taken"]) for row in rows] == [
        (sink, severity, sink == "hook0") for sink in ("hook0", "hook1") for severity in ("info", "warning", "critical")
    ]
    assert said.exit_code == 1
    assert all("알림 테스트" in text for text in hook.texts)
    assert SECRET not in said.stdout + said.stderr


async def test_what_is_taken_is_a_line_and_exit_code_0(tmp_path: Path) -> None:
    hook = Webhook()
    async with hook.up():
        said = await run("--config", config(tmp_path, hook), "--one")
    assert said.exit_code == 0
    assert said.stdout.startswith("hook0  critical  taken")
    hook.mode = "error"
    async with hook.up():
        said = await run("--config", config(tmp_path, hook), "--one")
    assert said.exit_code == 1
    assert "not taken: apprise 1 (JSON): refused with HTTP 500" in said.stdout


async def test_without_a_sink_it_says_what_to_do(tmp_path: Path) -> None:
    said = await run("--config", config(tmp_path))
    assert said.exit_code == 2
    assert "no sink is named" in said.stderr
