"""`perpwire record`, `replay` and `export`, as a user types them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from perpwire.cli.main import app
from perpwire.data_processor.recording_format import Recording
from perpwire.simulator.faults import Answer
from perpwire.threaded import ThreadedExchange


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


def perpwire(*words: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "perpwire", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip


@pytest.mark.slow
def test_record_then_replay_then_export_then_serve_again(tmp_path: Path) -> None:
    process = perpwire("record", "BTCUSDT", "--seconds", "4", "--json", "--account", "--rotate", "86400", cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    said = json.loads(out)
    assert said["frames"] > 100
    assert said["dropped"] == 0
    files = said["files"]
    assert all((tmp_path / file).is_file() for file in files)
    paths = [str(tmp_path / file) for file in files]

    events = [json.loads(line) for line in run("replay", *paths).stdout.splitlines()]
    kinds = {(event["venue"], event["kind"]) for event in events}
    wanted = {"BookTicker", "BookDelta", "BookSnapshot", "MarkPrice"}
    assert {(venue, kind) for venue in ("binance", "bybit") for kind in wanted} <= kinds
    trades = [json.loads(line) for line in run("replay", *paths, "--kind", "Trade").stdout.splitlines()]
    assert {event["venue"] for event in trades} == {"binance", "bybit"}
    assert {event["kind"] for event in trades} <= {"Trade", "AggTrade"}
    raw = run("replay", *paths, "--raw", "--kind", "MarkPrice").stdout.splitlines()
    assert all(line.split(" ", 2)[1].startswith(("binance/", "bybit/")) for line in raw)

    made = json.loads(run("export", *paths, "--out", str(tmp_path / "csv"), "--json").stdout)
    assert made["is_whole"]
    with (tmp_path / "csv/BookTicker.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == sum(event["kind"] == "BookTicker" for event in events)
    assert run("export", *paths, "--to", "parquet", "--out", str(tmp_path / "parquet")).exit_code == 0
    assert (tmp_path / "parquet/BookTicker.parquet").stat().st_size > 0
    assert run("export", *paths, "--to", "hftbacktest", "--out", str(tmp_path / "npz")).exit_code == 0
    assert {path.name for path in (tmp_path / "npz").iterdir()} == {"binance-BTCUSDT.npz", "bybit-BTCUSDT.npz"}

    served = perpwire("sim", "--replay", files[0], cwd=tmp_path)
    assert served.stdout is not None
    assert json.loads(served.stdout.readline())["binance"].startswith("http://127.0.0.1:")
    served.send_signal(signal.SIGTERM)
    _, err = served.communicate(timeout=20)
    assert (served.returncode, err) == (0, "")


@pytest.mark.slow
def test_ctrl_c_ends_a_recording_properly(tmp_path: Path) -> None:
    process = perpwire("record", "BTCUSDT", "--venue", "bybit", "--packing", "none", cwd=tmp_path)
    folder = tmp_path / "recordings"
    while not (folder.is_dir() and any(path.stat().st_size > 2000 for path in folder.iterdir())):
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "frames in 1 file:" in out
    [file] = folder.iterdir()
    assert file.read_bytes().endswith(b'{"event":"recording_ended"}\n')


@pytest.mark.slow
def test_a_book_that_could_not_be_read_is_missing_by_name(tmp_path: Path) -> None:
    with ThreadedExchange(venues=("binance",)) as exchange:
        exchange.binance.faults.add(Answer(status=403, path="/fapi/v1/depth", count=None))
        where = ("--venue", "binance", "--url", exchange.binance_url, "--out", str(tmp_path))
        done = run("record", "BTCUSDT", *where, "--stream", "depth", "--packing", "gz", "--seconds", "1", "--json")
        said = json.loads(done.stdout)
    facts = [fact for frame in Recording(*said["files"]) if (fact := frame.fact()) is not None]
    [missing] = [fact for fact in facts if fact["event"] == "book_not_read"]
    assert (missing["venue"], missing["symbol"]) == ("binance", "BTCUSDT")
    assert missing["why"]
    assert not [fact for fact in facts if fact["event"] == "book"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("record", "BTCUSDT", "--stream", "rumours"), 2, "no 'rumours'; there are trades"),
        (("record", "BTCUSDT", "--packing", "rar"), 2, "no 'rar'"),
        (("replay", "none.txt"), 2, "does not exist"),
        (("export", "FILE", "--to", "excel"), 2, "no 'excel'"),
        (("export", "FILE", "--kind", "Rumour"), 2, "no kind of event 'Rumour'"),
        (("export", "FILE"), 2, "nothing of that is in it"),
        (("export", "FILE", "--to", "hftbacktest"), 2, "nothing of that is in it"),
    ],
)
def test_mistaken_words_are_told_in_time(tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    file = tmp_path / "empty.txt"
    file.write_bytes(b'1 perpwire {"event":"recording_ended"}\n')
    said = run(*(str(file) if word == "FILE" else word for word in words))
    assert said.exit_code == code
    assert told in " ".join(said.output.replace("│", " ").split())
