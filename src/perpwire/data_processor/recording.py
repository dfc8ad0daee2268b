"""Writes recordings: what a connector hears, as recording_format.py has it."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from perpwire.clock import Clock, Every
from perpwire.data_processor.recording_format import BOOK, DROPPED, ENDED, NO_BOOK, OURS, zstandard_package
from perpwire.errors import BadInput
from perpwire.model.incident import Incident
from perpwire.model.market import BookSnapshot

log = logging.getLogger("perpwire.data_processor")

FLUSH_S = 1.0
"""What is older is on its way to disk."""

MOST_WAITING = 64_000_000
"""Bytes that wait for a slow disk; frames past these are dropped, and their number is recorded."""

_SECRETS = re.compile(rb'("(?:listenKey|apiKey|signature|token)"\s*:\s*")[^"]*')
_NAME = re.compile(r"[^\s]+\Z")


class _File:
    """One file of a recording, written by one thread."""

    def __init__(self, path: Path, packing: str) -> None:
        self.path = path
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._pack: Callable[[bytes], bytes] = lambda data: data
        self._end: Callable[[], bytes] = lambda: b""
        if packing == "zst":
            zstd = zstandard_package()
            packer = zstd.ZstdCompressor(level=3).compressobj()
            self._pack = lambda data: packer.compress(data) + packer.flush(zstd.COMPRESSOBJ_FLUSH_BLOCK)
            self._end = packer.flush
        elif packing == "gz":
            # A member for each batch: what was written can be read, wherever the file is cut.
            self._pack = gzip.compress
        self.bytes = 0

    def write(self, data: bytes) -> None:
        packed = self._pack(data)
        self._file.write(packed)
        self._file.flush()
        self.bytes += len(packed)

    def close(self) -> None:
        self._file.write(self._end())
        self._file.close()


class Recorder:
    """Writes what a connector hears. It never holds up the event loop: a thread packs and writes, a batch a second.

        recorder = Recorder("recordings", clock=SystemClock())
        connector.streams.frames.tap = recorder.tap
        connector.on_incident(recorder.note)
        recorder.start()
        ...
        await recorder.close()

    Attributes:
        frames, bytes: What was recorded so far, before packing.
        dropped: Frames that were not, as the disk was too slow; the recording says where.
        failed: Why nothing can be written any more, such as a full disk; None: it can.
        files: All files so far.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        clock: Clock,
        packing: str = "zst",
        rotate_s: float = 3600.0,
        name: str = "perpwire",
        on_failed: Callable[[str], None] | None = None,
    ) -> None:
        """
        Args:
            folder: Made where it is not there, closed to others.
            packing: "zst" (needs the extra `record`), "gz", or "" for plain text.
            rotate_s: A new file at each multiple of so many seconds, UTC.
            name: The files' names begin with it.
            on_failed: Called once where it can't write any more.

        Raises:
            BadInput: An unknown packing, or zstd without its package; a name or a rotation that can't be.
        """
        if packing not in ("zst", "gz", ""):
            raise BadInput(f"packing {packing!r} is not zst, gz or empty", code="BAD_PACKING")
        if packing == "zst":
            zstandard_package()
        if not _NAME.match(name) or "/" in name:
            raise BadInput(f"name {name!r} is none for a file", code="BAD_NAME")
        if not rotate_s >= 1:
            raise BadInput(f"rotate_s must be 1 or more, not {rotate_s}", code="BAD_ROTATION")
        self._folder = Path(folder)
        self._clock = clock
        self._packing = packing
        self._rotate_ns = round(rotate_s * 1e9)
        self._name = name
        self._on_failed = on_failed
        self._batch: list[tuple[int, str, bytes]] = []
        self._held = 0
        self._waiting = 0
        """Bytes that the thread has not written yet."""
        self._lost = 0
        self._every = Every(clock, FLUSH_S, self.flush)
        self._thread = ThreadPoolExecutor(1, "perpwire-recorder")
        self._file: _File | None = None
        self._slot = -1
        self._writing: list[Future[None]] = []
        self._is_open = False
        self.frames = self.bytes = self.dropped = 0
        self.failed: str | None = None
        self.files: list[Path] = []

    def start(self) -> None:
        """From now on it records.

        Raises:
            OSError: The folder can't be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._is_open = True
        self._fact({"event": "recording_began"})
        self.flush()
        self._every.start()

    def tap(self, connection: str, frame: bytes, received_ns: int) -> None:
        """For a manager's frames: keeps one frame, in the read callback."""
        if not self._is_open:
            return
        size = len(frame)
        if self._held + self._waiting + size > MOST_WAITING or self.failed is not None:
            self.dropped += 1
            self._lost += 1
            return
        if self._lost:
            self._fact({"event": DROPPED, "count": self._lost})
            self._lost = 0
        self._batch.append((received_ns, connection, frame))
        self._held += size
        self.frames += 1
        self.bytes += size

    def note(self, incident: Incident) -> None:
        """For a connector's incidents: a recording says what its reader must know of holes in it."""
        if not self._is_open:
            return
        facts = {name: _plain(value) for name, value in msgspec.structs.asdict(incident).items() if name != "event"}
        self._fact({"event": type(incident).__name__, **facts})

    def note_book(self, book: BookSnapshot) -> None:
        """A whole book that was read over REST, to which the recorded changes are joined."""
        if self._is_open:
            self._fact({
                "event": BOOK, "venue": book.venue, "symbol": book.symbol, "venue_time_ms": book.venue_time_ms,
                "update_id": book.update_id, "sequence": book.sequence, "bids": book.bid_text, "asks": book.ask_text,
            })  # fmt: skip

    def note_no_book(self, venue: str, symbol: str, why: str) -> None:
        """It could not be read: the changes that follow are joined to none, up to the next that can."""
        if self._is_open:
            self._fact({"event": NO_BOOK, "venue": venue, "symbol": symbol, "why": why})

    def flush(self) -> None:
        """Hand what there is to the thread."""
        batch, self._batch = self._batch, []
        size, self._held = self._held, 0
        self._writing = [one for one in self._writing if not one.done()]
        if batch:
            self._waiting += size
            self._writing.append(self._thread.submit(self._write, batch, size))

    async def close(self) -> None:
        """Write all that there is, and end the file."""
        if not self._is_open:
            return
        self._every.stop()
        if self._lost:
            self._fact({"event": DROPPED, "count": self._lost})
        self._fact({"event": ENDED})
        self._is_open = False
        self.flush()
        self._writing.append(self._thread.submit(self._close))
        for one in self._writing:
            await asyncio.wrap_future(one)
        self._thread.shutdown()

    def _fact(self, said: Mapping[str, Any]) -> None:
        self._batch.append((self._clock.time_ns(), OURS, msgspec.json.encode(said, enc_hook=str)))

    # --- in the thread ----------------------------------------------------------------------------------------------

    def _write(self, batch: list[tuple[int, str, bytes]], size: int) -> None:
        try:
            self._write_all(batch)
        except OSError as error:
            if self.failed is None:
                self.failed = error.strerror or type(error).__name__
                log.error("nothing can be recorded any more: %s", self.failed)
                if self._on_failed is not None:
                    self._on_failed(self.failed)
        finally:
            self._waiting -= size

    def _write_all(self, batch: list[tuple[int, str, bytes]]) -> None:
        lines: list[bytes] = []
        for received_ns, connection, frame in batch:
            slot = received_ns // self._rotate_ns
            if slot > self._slot:  # never back: our clock may be
                if lines and self._file is not None:
                    self._file.write(b"".join(lines))
                    lines = []
                self._slot = slot
                self._next_file(received_ns)
            lines.append(b"%d %s %s\n" % (received_ns, connection.encode(), _fit(frame)))
        if lines and self._file is not None:
            self._file.write(b"".join(lines))

    def _next_file(self, at_ns: int) -> None:
        if self._file is not None:
            ended = msgspec.json.encode({"event": ENDED})
            self._file.write(b"%d %s %s\n" % (at_ns, OURS.encode(), ended))
            self._file.close()
        at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
        suffix = f".{self._packing}" if self._packing else ""
        for number in range(1, 1000):
            again = "" if number == 1 else f"-{number}"
            path = self._folder / f"{self._name}-{at:%Y%m%dT%H%M%SZ}{again}.txt{suffix}"
            try:
                self._file = _File(path, self._packing)
            except FileExistsError:
                continue
            self.files.append(path)
            return
        raise OSError(f"no free name for a recording in {self._folder}")

    def _close(self) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError as error:
            self.failed = self.failed or error.strerror or type(error).__name__


def _fit(frame: bytes) -> bytes:
    if b"\n" in frame or b"\r" in frame:
        frame = frame.replace(b"\r", b" ").replace(b"\n", b" ")
    return _SECRETS.sub(rb"\1***", frame)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)
