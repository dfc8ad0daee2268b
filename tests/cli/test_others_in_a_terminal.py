"""The verbs that trade nothing and watch nothing, in a pseudo-terminal: configuration, recordings, the gateway."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from tests.cli.terminal import CTRL_C, Terminal

from perpwire.threaded import ThreadedExchange

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _nowhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_the_configuration_is_written_and_explained(tmp_path: Path) -> None:
    with Terminal("config", "init", "mine.toml") as terminal:
        assert terminal.finish() == 0
    assert (tmp_path / "mine.toml").stat().st_mode & 0o077 == 0
    with Terminal("config", "check", "--config", "mine.toml", columns=160) as terminal:
        assert terminal.finish() == 0
        for part in ("what it means", "page.port", "8787"):
            assert part in terminal.text


def test_a_recording_is_made_until_ctrl_c_and_printed_and_exported(tmp_path: Path) -> None:
    with ThreadedExchange(venues=("bybit",), latency_s=0.001, rate=30.0) as exchange:
        where = ("--venue", "bybit", "--url", exchange.bybit_url, "--out", str(tmp_path / "kept"))
        with Terminal("record", "BTCUSDT", *where) as terminal:
            until = time.monotonic() + 30
            while not list((tmp_path / "kept").rglob("*.zst*")):
                assert time.monotonic() < until
                terminal._read(0.2)
            for _ in range(10):
                terminal._read(0.2)
            terminal.type(CTRL_C)
            assert terminal.finish() == 0
    files = [str(path) for path in sorted((tmp_path / "kept").rglob("*")) if path.is_file()]
    with Terminal("replay", *files, "--kind", "Trade", columns=300) as terminal:
        assert terminal.finish() == 0
        first = json.loads(terminal.text.splitlines()[0])
        assert first["symbol"] == "BTCUSDT"
    with Terminal("export", *files, "--out", str(tmp_path / "tables")) as terminal:
        assert terminal.finish() == 0
    assert list((tmp_path / "tables").rglob("*.csv"))


def test_the_gateway_says_where_its_page_is_and_ends_by_ctrl_c() -> None:
    with ThreadedExchange(venues=("bybit",), latency_s=0.001, rate=10.0) as exchange:
        where = ("--venue", "bybit", "--url", exchange.bybit_url)
        with Terminal("serve", *where, "--port", "0", columns=200) as terminal:
            terminal.until("Ctrl-C ends it")
            (address,) = set(re.findall(r"http://127\.0\.0\.1:\d+", terminal.text)) - {exchange.bybit_url}
            with urllib.request.urlopen(f"{address}/health/live", timeout=5) as reply:
                assert reply.status == 200
            began = time.monotonic()
            terminal.type(CTRL_C)
            assert terminal.finish() == 0
            assert time.monotonic() - began < 10


def test_a_sink_that_does_not_take_a_test_alert_is_told_and_its_address_is_not(tmp_path: Path) -> None:
    file = tmp_path / "perpwire.toml"
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    file.write_text(f'[alerts.sinks.phone]\nurl = "json://canary-user:canary-word@127.0.0.1:{port}/canary"')
    file.chmod(0o600)
    with Terminal("alerts", "test", "--one", columns=160) as terminal:
        assert terminal.finish() == 1
        assert re.search(r"phone\s+critical\s+.*not taken", terminal.text)
        assert "canary" not in terminal.text


def test_a_key_that_no_keyring_takes_is_told_and_what_was_typed_is_not() -> None:
    backend = "keyring.backends.fail.Keyring"
    with Terminal("keys", "store", "--venue", "bybit", columns=160, PYTHON_KEYRING_BACKEND=backend) as terminal:
        terminal.until("API key: ")
        terminal.type("canary-key\n")
        terminal.until("API secret: ")
        terminal.type("canary-secret\n")
        assert terminal.finish() == 1
        assert "keyring" in terminal.text
        assert "canary" not in terminal.text
        assert "Traceback" not in terminal.text
