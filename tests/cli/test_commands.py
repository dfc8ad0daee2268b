"""The commands as a user runs them: in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

TIMES = ("response time", "connection stability", "WebSocket latency")
RECORDING = "binance/raw/btcusdt_20240808_first150s.txt.gz"


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "perpwire", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        **options,
    )


def check_bars(report: dict[str, Any], returncode: int) -> None:
    """Every bar that is no time holds; a time depends on what else this machine does, and only has to be stated."""
    missed = [bar["name"] for bar in report["bars"] if not bar["holds"]]
    assert [name for name in missed if not name.endswith(TIMES)] == []
    assert all(venue["reconnects"] >= venue["sockets_cut"] > 0 for venue in report["venues"])
    assert report["holds"] == (missed == [])
    assert returncode == (0 if report["holds"] else 1)


def finish(process: subprocess.Popen[str], within_s: float) -> tuple[str, str]:
    try:
        return process.communicate(timeout=within_s)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_the_demo_holds_every_bar_and_says_so() -> None:
    process = start("demo", "--json", "--seconds", "1", "--seed", "11")
    out, err = finish(process, 90)
    report = json.loads(out)
    check_bars(report, process.returncode)
    assert err == ""
    assert [venue["venue"] for venue in report["venues"]] == ["binance", "bybit"]
    for venue in report["venues"]:
        assert venue["events_delivered"] == venue["events_sent"] > 40
        assert venue["differences"] == []
        assert venue["failed"] is None
        assert venue["faults"] == venue["recovered"] == 2 + venue["sockets_cut"]
        assert (venue["placed"], venue["filled"], venue["cancelled"]) == (4, 2, 2)
        assert venue["placed_at_exchange"] == 4
        assert venue["reconnects"] == venue["sockets_cut"] >= 2
        assert set(venue["response_ms"]) == set(venue["stream_ms"]) == {"p50", "p95", "p99", "max"}


@pytest.mark.slow
def test_the_demo_on_a_recording_builds_the_recorded_book(fixtures: Path) -> None:
    process = start("demo", "--json", "--replay", str(fixtures / RECORDING), "--speed", "15", "--seconds", "0")
    out, err = finish(process, 120)
    report = json.loads(out)
    check_bars(report, process.returncode)
    assert err == ""
    assert report["book"] == {"checked": 3, "wrong": [], "expected": 3}


@pytest.mark.slow
def test_the_demos_tables_are_printed_without_a_terminal_too() -> None:
    process = start("demo", "--venue", "bybit", "--seconds", "0")
    out, err = finish(process, 90)
    assert (process.returncode in (0, 1), err) == (True, "")
    for words in ("orders placed", "delivered equals journal", "equal", "reconnects", "quality bars", "holds"):
        assert words in out


@pytest.mark.slow
def test_watch_prints_a_json_line_for_each_symbol_and_venue() -> None:
    process = start("watch", "BTCUSDT", "ETH/USDT:USDT", "--json", "--seconds", "2.5")
    out, err = finish(process, 30)
    assert process.returncode == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert {(row["venue"], row["symbol"]) for row in rows} == {
        (venue, symbol) for venue in ("binance", "bybit") for symbol in ("BTCUSDT", "ETHUSDT")
    }
    last = rows[-1]
    assert last["state"] == "live"
    assert float(last["bid"]) < float(last["ask"])


@pytest.mark.slow
@pytest.mark.parametrize("command", [("watch", "BTCUSDT"), ("demo",)])
def test_ctrl_c_ends_a_command_within_two_seconds(command: tuple[str, ...]) -> None:
    process = start(*command)
    time.sleep(3)  # in the middle of its work, whatever that is then
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = finish(process, 10)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("watch", "NOTASYMBOL", "--venue", "binance"), 2, ["binance", "UNKNOWN_SYMBOL", "NOTASYMBOL", "->"]),
        (("watch", "BTCUSDT", "--venue", "kraken"), 2, ["--venue", "kraken", "binance, bybit", "--help"]),
        (("watch", "BTCUSDT", "--venue", "bybit", "--url", "http://127.0.0.1:9"), 1, ["bybit", "TRANSPORT", "->"]),
        (("watch", "BTCUSDT", "--env", "moon"), 2, ["--env", "moon", "testnet"]),
        (("watch", "[/b]", "--venue", "binance"), 2, ["UNKNOWN_SYMBOL", "[/b]"]),
        (("watch", "BTCUSDT", "--venue", "bybit", "--url", "http://127.0.0.1:99999"), 1, ["bybit", "99999"]),
    ],
)
def test_mistakes_are_told_in_one_line_with_advice(arguments: tuple[str, ...], code: int, words: list[str]) -> None:
    process = start(*arguments)
    _, err = finish(process, 30)
    assert process.returncode == code
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err
