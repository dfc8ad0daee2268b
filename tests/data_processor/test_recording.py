"""Recordings: what was heard is on disk as it came, also after a kill; what is missing is said."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perpwire.clock import ManualClock, SystemClock
from perpwire.data_processor import recording as recordings
from perpwire.data_processor.recording import Recorder
from perpwire.data_processor.recording_format import ENDED, OURS, Frame, Recording
from perpwire.data_processor.replay import Replay
from perpwire.errors import BadInput
from perpwire.model.incident import ConnectionLost
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, Gap, MarkPrice, Trade, Unknown
from perpwire.simulator.faults import Cut
from perpwire.testing import offline
from perpwire.venues import load

VENUES = ["binance", "bybit"]
S = 1_000_000_000
AT = 1_790_000_000 * S


def recorded(folder: Path, frames: list[tuple[int, str, bytes]], **options: Any) -> Recorder:
    async def main() -> Recorder:
        recorder = Recorder(folder, clock=SystemClock(), **options)
        recorder.start()
        for at_ns, connection, data in frames:
            recorder.tap(connection, data, at_ns)
        await recorder.close()
        return recorder

    return asyncio.run(main())


def theirs(recording: Recording) -> list[Frame]:
    return [frame for frame in recording if frame.connection != OURS]


@pytest.mark.parametrize("packing", ["zst", "gz", ""])
def test_frames_come_back_as_they_were(tmp_path: Path, packing: str) -> None:
    frames = [(AT + n, "bybit/linear", b'{"n":%d,"s":"\xea\xb0\x80"}' % n) for n in range(1000)]
    recorder = recorded(tmp_path, frames, packing=packing)
    assert (recorder.frames, recorder.dropped, len(recorder.files)) == (1000, 0, 1)
    assert os.stat(recorder.files[0]).st_mode & 0o077 == 0
    recording = Recording(*recorder.files)
    assert [tuple(frame) for frame in theirs(recording)] == frames
    assert recording.is_whole
    assert recording.unreadable == 0


def test_files_turn_with_the_hour_and_read_as_one(tmp_path: Path) -> None:
    hour = 3600 * S
    start = (SystemClock().time_ns() // hour + 1) * hour  # what the recorder itself notes bears today's time
    frames = [(start + n * hour // 2, "a/b", b"{}") for n in range(5)]
    recorder = recorded(tmp_path, frames, packing="gz")
    ours = [path.name for path in recorder.files]
    assert len(ours) == len(set(ours)) >= 3
    recording = Recording(*recorder.files)
    assert [frame.received_ns for frame in theirs(recording)] == [at for at, _, _ in frames]
    assert recording.is_whole


@pytest.mark.parametrize("packing", ["zst", "gz", ""])
def test_a_file_that_was_cut_off_gives_what_is_there_and_says_so(tmp_path: Path, packing: str) -> None:
    frames = [(AT + n, "a/b", json.dumps({"n": n, "x": os.urandom(40).hex()}).encode()) for n in range(3000)]

    async def main() -> Recorder:
        recorder = Recorder(tmp_path, clock=SystemClock(), packing=packing)
        recorder.start()
        for at_ns, connection, data in frames:
            recorder.tap(connection, data, at_ns)
            if at_ns % 500 == 0:
                recorder.flush()
        await recorder.close()
        return recorder

    [file] = asyncio.run(main()).files
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    recording = Recording(file)
    got = theirs(recording)
    assert 1000 < len(got) < 3000
    assert [tuple(frame) for frame in got] == frames[: len(got)]
    assert not recording.is_whole
    assert recording.unreadable <= 1


def test_line_breaks_and_secrets_do_not_get_into_it(tmp_path: Path) -> None:
    data = b'{"e":"listenKeyExpired",\r\n "listenKey": "CANARY", "apiKey":"CANARY", "signature":"CANARY"}'
    [file] = recorded(tmp_path, [(AT, "binance/private", data)], packing="").files
    assert b"CANARY" not in file.read_bytes()
    [frame] = theirs(Recording(file))
    assert json.loads(frame.data)["listenKey"] == "***"


def test_what_a_slow_disk_loses_is_counted_where_it_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MOST_WAITING", 100)

    async def main() -> Recorder:
        recorder = Recorder(tmp_path, clock=SystemClock(), packing="")
        recorder.start()
        for n in range(10):
            recorder.tap("a/b", b'{"n":%d,"pad":"0123456789012345"}' % n, AT + n)
        recorder.flush()
        for written in recorder._writing:
            await asyncio.wrap_future(written)
        recorder.tap("a/b", b'{"n":99}', AT + 99)
        await recorder.close()
        return recorder

    recorder = asyncio.run(main())
    assert (recorder.frames, recorder.dropped) == (4, 7)
    said = [frame.fact() or json.loads(frame.data)["n"] for frame in Recording(*recorder.files)]
    assert said[1:] == [0, 1, 2, {"event": "frames_dropped", "count": 7}, 99, {"event": ENDED}]


def test_a_full_disk_is_told_once_and_ends_nobody(tmp_path: Path) -> None:
    told: list[str] = []

    async def main() -> Recorder:
        recorder = Recorder(tmp_path, clock=SystemClock(), packing="", on_failed=told.append)
        recorder.start()
        for written in recorder._writing:
            await asyncio.wrap_future(written)
        assert recorder._file is not None
        recorder._file._file.close()
        recorder._file._file = open("/dev/full", "wb")  # noqa: ASYNC230, SIM115 - the recorder closes it
        for _ in range(2):
            recorder.tap("a/b", b"{}", AT)
            recorder.flush()
        await recorder.close()
        return recorder

    recorder = asyncio.run(main())
    assert recorder.failed == "No space left on device"
    assert told == [recorder.failed]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"packing": "rar"}, "not zst"), ({"name": "a/b"}, "none for a file"), ({"rotate_s": 0}, "rotate_s")],
)
def test_what_can_not_be_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Recorder(tmp_path, clock=SystemClock(), **options)
    with pytest.raises(BadInput, match="no such recording"):
        Recording(tmp_path / "none")


def test_a_file_of_something_else_is_no_empty_recording(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text('{"accounts": []}\nmore\n')
    with pytest.raises(BadInput, match=r"notes\.txt is no recording"):
        list(Recording(tmp_path / "notes.txt"))


@pytest.mark.slow
def test_a_killed_process_loses_its_last_second_at_most(tmp_path: Path) -> None:
    program = f"""
import asyncio
from perpwire.clock import SystemClock
from perpwire.data_processor.recording import Recorder
async def main():
    recorder = Recorder({str(tmp_path)!r}, clock=SystemClock())
    recorder.start()
    for n in range(10**9):
        recorder.tap("a/b", b'{{"n":%d}}' % n, {AT} + n)
        if n == 500:
            recorder.flush()
            while recorder._waiting: await asyncio.sleep(0.001)
            print("written", flush=True)
        await asyncio.sleep(0)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    recording = Recording(*tmp_path.iterdir())
    assert [json.loads(frame.data)["n"] for frame in theirs(recording)][:501] == list(range(501))
    assert not recording.is_whole


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_recording_replayed_is_what_was_delivered(tmp_path: Path, venue: str) -> None:
    clock = ManualClock()
    heard: list[Event] = []
    delivered: list[Event] = []

    async def main() -> Recorder:
        async with offline(clock=clock, venues=[venue], rate=20.0) as world:
            connector = world.connectors[venue]
            recorder = Recorder(tmp_path, clock=clock, packing="gz", rotate_s=10**9)
            connector.streams.frames.tap = recorder.tap
            connector.on_incident(recorder.note)
            recorder.start()
            for kind in (Trade, BookTicker, BookDelta, BookSnapshot, MarkPrice):
                connector.on(kind, heard.append)
            await connector.subscribe((Trade, BookTicker, BookDelta, MarkPrice), ["BTCUSDT"])
            recorder.note_book(await connector.get_order_book("BTCUSDT", 100))
            await clock.sleep(20)
            world.simulation.faults[venue].add(Cut())
            await clock.sleep(20)
            connector.streams.frames.tap = None
            delivered.extend(heard)
            await recorder.close()  # which waits for a thread, and so lets virtual time fly
            return recorder

    recorder = clock.run(main())
    replayed = list(Replay(Recording(*recorder.files), load))
    [book] = [one for one in replayed if isinstance(one, BookSnapshot) and not one.stream]
    assert book.symbol == "BTCUSDT"
    assert len(book.bids) > 20
    # What was read back over REST was no frame.
    live = [one for one in delivered if not one.recovered and one.received_ns]
    again = [one for one in replayed if not isinstance(one, Gap | Unknown) and one is not book]
    assert len(again) >= len(live) > 500
    known = {(type(one), str(one)) for one in again}
    assert all((type(one), str(one)) in known for one in live)
    gaps = [one for one in replayed if isinstance(one, Gap)]
    assert gaps
    assert {gap.why for gap in gaps} == {"ConnectionLost"}


def test_a_gap_stands_where_frames_were_dropped_while_recording(tmp_path: Path) -> None:
    frames = [
        Frame(1, "binance/public", b'{"stream":"btcusdt@trade","data":{}}'),
        Frame(2, OURS, b'{"event":"frames_dropped","count":3}'),
        Frame(3, "binance/public", b"nonsense"),
    ]
    played = Replay(frames, load)
    unreadable, gap, nonsense = played
    assert isinstance(unreadable, Unknown)
    assert isinstance(gap, Gap)
    assert (gap.since_ns, gap.until_ns, gap.why) == (1, 3, "frames were dropped while recording")
    assert isinstance(nonsense, Unknown)
    assert nonsense.raw == "nonsense"
    assert (played.frames, played.garbled) == (2, 2)


def test_incidents_stand_between_the_frames(tmp_path: Path) -> None:
    async def main() -> Recorder:
        recorder = Recorder(tmp_path, clock=SystemClock(), packing="")
        recorder.start()
        recorder.tap("a/b", b"{}", AT)
        recorder.note(ConnectionLost(venue="a", time_ns=5, why="cut", connection="a/b"))
        await recorder.close()
        return recorder

    facts = [fact for frame in Recording(*asyncio.run(main()).files) if (fact := frame.fact()) is not None]
    told = {"event": "ConnectionLost", "venue": "a", "time_ns": 5, "why": "cut", "connection": "a/b", "instead": ""}
    assert facts[1] == told


@pytest.mark.fixtures
def test_an_older_recording_is_read_too(fixtures: Path) -> None:
    path = fixtures / "binance/raw/btcusdt_20240808_first150s.txt.gz"
    recording = Recording(path)
    played = Replay(recording, load)
    events = list(played)
    assert len(events) == 34_370
    assert (played.frames, played.garbled) == (34_371, 0)
    assert {type(one).__mro__[1].__name__ for one in events} == {"BookTicker", "Trade", "BookDelta"}


def test_gzip_of_several_members_reads_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "a.txt.gz"
    file.write_bytes(gzip.compress(b"1 a/b {}\n") + gzip.compress(b"2 a/b {}\nx\n"))
    recording = Recording(file)
    assert [frame.received_ns for frame in recording] == [1, 2]
    assert (recording.unreadable, recording.is_whole) == (1, False)
