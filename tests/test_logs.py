"""Logs: one event name per incident, JSON lines that are JSON, and no secret in what anybody logs."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perpwire import logs
from perpwire.credentials import Credentials
from perpwire.model import incident as incidents
from perpwire.model.incident import ConnectionLost, ConnectionRecovered, Incident, OrderDoubtful

Start = Callable[..., io.StringIO]


@pytest.fixture
def start() -> Iterator[Start]:
    ends: list[Callable[[], None]] = []

    def begin(**options: Any) -> io.StringIO:
        stream = io.StringIO()
        ends.append(logs.set_up(stream=stream, **options))
        begin.end = ends[-1]  # type: ignore[attr-defined]
        return stream

    yield begin
    for end in ends:
        end()


def lines(stream: io.StringIO, start: Start) -> list[dict[str, Any]]:
    start.end()  # type: ignore[attr-defined]
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_incident_is_one_line_with_its_name_and_facts(start: Start) -> None:
    stream = start(format="json")
    tell = logs.IncidentLog()
    tell(ConnectionLost(venue="bybit", time_ns=1, why="it was cut", connection="bybit/linear/1"))
    tell(ConnectionRecovered(venue="bybit", time_ns=2, why="", connection="bybit/linear/1", outage_s=1.5, attempts=2))
    tell(OrderDoubtful(venue="binance", time_ns=3, why="", symbol="BTCUSDT", client_order_id="c", code=-1007))
    lost, recovered, doubtful = lines(stream, start)
    assert lost["event"] == "connection_lost"
    assert lost["level"] == "warning"
    assert lost["message"] == "bybit/linear/1 was lost: it was cut"
    assert lost["why"] == "it was cut"
    assert (lost["venue"], lost["connection"]) == ("bybit", "bybit/linear/1")
    assert lost["time"].endswith("Z")
    assert (recovered["event"], recovered["level"], recovered["outage_s"]) == ("connection_recovered", "info", 1.5)
    assert (doubtful["event"], doubtful["level"], doubtful["code"]) == ("order_doubtful", "error", -1007)


def test_every_kind_of_incident_has_a_name_of_its_own() -> None:
    kinds = [one for one in vars(incidents).values() if isinstance(one, type) and issubclass(one, Incident)]
    names = {logs.event_name(one) for one in kinds}
    assert len(names) == len(kinds) > 30
    assert all(name.isascii() and name == name.lower() for name in names)


def test_for_people_it_is_one_readable_line(start: Start) -> None:
    stream = start(format="text")
    logs.IncidentLog()(ConnectionLost(venue="bybit", time_ns=1, why="it was cut", connection="c"))
    logging.getLogger("perpwire.api_connector").info("hello %s", "there")
    start.end()  # type: ignore[attr-defined]
    first, second = stream.getvalue().splitlines()
    assert first.endswith("WARNING  connection_lost: c was lost: it was cut")
    assert second.endswith("INFO     perpwire.api_connector: hello there")


@pytest.mark.parametrize(
    "text",
    [
        "GET /fapi/v1/order?symbol=BTCUSDT&signature=CANARY64CANARY64 200",
        "{'X-MBX-APIKEY': 'CANARY64CANARY64', 'Accept': '*/*'}",
        "('X-BAPI-SIGN', 'CANARY64CANARY64')",
        'headers {"authorization": "Bearer CANARY64CANARY64"}',
        "url wss://fstream.binance.com/ws?listenKey=CANARY64CANARY64&events=x",
        '{"op":"auth","apiKey":"CANARY64CANARY64","signature":"CANARY64CANARY64"}',
        "api_secret=CANARY64CANARY64 and more",
        "?token=CANARY64CANARY64",
    ],
)
def test_what_names_itself_a_secret_is_blanked_whoever_logs_it(start: Start, text: str) -> None:
    stream = start(level="debug", format="json")
    logging.getLogger("aiohttp.client").debug("%s", text)
    [said] = lines(stream, start)
    assert "CANARY" not in json.dumps(said)
    assert "***" in said["message"]


def test_known_secrets_are_blanked_wherever_they_stand(start: Start) -> None:
    stream = start(level="debug", format="json", secrets=[Credentials("canary-key", "canary-secret")])
    logging.getLogger("x").info("odd words %r", {"k": "canary-key"}, extra={"fields": {"a": "canary-secret", "n": 1}})
    try:
        raise RuntimeError("canary-secret is wrong")
    except RuntimeError:
        logging.getLogger("x").exception("failed with canary-key")
    first, second = lines(stream, start)
    assert "canary" not in json.dumps([first, second])
    assert first["n"] == 1
    assert "RuntimeError" in second["error"]


def test_a_mistaken_call_ends_nobody() -> None:
    record = logging.makeLogRecord({"msg": "%d of %d", "args": ("one",)})
    assert logs.Redact().filter(record)
    assert "arguments do not fit" in record.getMessage()


def test_a_file_is_closed_to_others_and_begun_anew_in_time(tmp_path: Path) -> None:
    file = tmp_path / "logs/perpwire.log"
    end = logs.set_up(format="json", file=file, megabytes=1)
    for _ in range(30):
        logging.getLogger("x").info("x" * 50_000)
    end()
    assert os.stat(file).st_mode & 0o077 == 0
    assert sorted(one.name for one in file.parent.iterdir()) == ["perpwire.log", "perpwire.log.1"]
    assert file.stat().st_size < 1_000_000


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
def test_a_full_disk_is_told_once_and_ends_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    end = logs.set_up(file="/dev/full", format="json")
    for number in range(3):
        logging.getLogger("x").warning("record %d", number)
    end()
    assert capsys.readouterr().err == "perpwire: /dev/full can't be written: No space left on device\n"


def test_what_a_full_disk_took_is_counted_once_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resource = pytest.importorskip("resource")
    file = tmp_path / "log"
    writer = logs._ClosedFile(file, encoding="utf-8")
    writer.setFormatter(logs.JsonLines())
    writer.handle(logging.makeLogRecord({"msg": "first"}))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, before[1]))
    try:
        writer.handle(logging.makeLogRecord({"msg": "second"}))
        writer.handle(logging.makeLogRecord({"msg": "third"}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for text in ("fourth", "fifth"):
        writer.handle(logging.makeLogRecord({"msg": text}))
    writer.close()
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["message"] for row in rows if row["event"] == "log"] == ["first", "fourth", "fifth"]
    assert [row["count"] for row in rows if row["event"] == "log_dropped"] == [2]
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_whoever_logs_never_waits_and_what_is_lost_is_counted(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "WAITING", 10)
    gate, reached = threading.Event(), threading.Event()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            reached.set()
            gate.wait(10)
            return super().write(text)

    stream = Slow()
    end = logs.set_up(format="json", stream=stream)
    try:
        logging.getLogger("x").info("first")
        assert reached.wait(10)
        for number in range(100):
            logging.getLogger("x").info("record %d", number)  # nobody writes meanwhile: it must not wait
        gate.set()
    finally:
        gate.set()
        end()
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["message"] for one in said[:-1]] == ["first", *(f"record {number}" for number in range(10))]
    assert (said[-1]["event"], said[-1]["count"]) == ("log_dropped", 90)


@pytest.mark.parametrize("options", [{"level": "loud"}, {"format": "xml"}])
def test_what_is_not_known_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is not"):
        logs.set_up(**options)


def test_ending_puts_logging_back() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    end = logs.set_up(level="debug", stream=io.StringIO())
    end()
    end()
    assert (root.level, list(root.handlers)) == before
