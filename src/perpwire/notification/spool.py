"""Spool: alerts that are not delivered yet, on disk, so that they outlive the program.

Lines of JSON, only ever added, by a thread of its own: whoever tells of an alert never waits for a disk. An alert is
there some milliseconds after it was put; a program that is killed may deliver one again that it had just delivered, and
never loses one that had been written. What is there is what people are told, under the outlet's name: no address.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import msgspec

from perpwire.clock import Clock
from perpwire.notification.alert import Alert

_log = logging.getLogger("perpwire.notification")

KEEP_S = 48 * 3600.0
"""What is older when the program starts again is not told any more."""

_SLACK = 500
"""Lines about what is gone by now that the file may hold, beside twice as many as there are alerts in it."""


class _Line(msgspec.Struct, omit_defaults=True):
    """`alert` None: it is delivered, or given up."""

    id: int
    outlet: str = ""
    alert: Alert | None = None


class SpoolInUse(OSError):
    """Another program keeps its alerts there."""


class Spool:
    """One file for all outlets of a notifier.

    Args:
        path: Made, closed to others, where there is none.
        keep_s: See KEEP_S.

    Raises:
        SpoolInUse: Another program has it open.
        OSError: It can't be read or written.
    """

    def __init__(self, path: Path | str, clock: Clock, *, keep_s: float = KEEP_S) -> None:
        self.path = Path(path)
        self._lock = _locked(self.path.with_name(self.path.name + ".lock"))
        self._waiting: dict[int, tuple[str, Alert]] = {}
        self._next_id = 1
        self._lines = 0
        self._work: SimpleQueue[bytes | _Rewrite | threading.Event | None] = SimpleQueue()
        self._has_failed = False
        self._file: IO[bytes] | None = None
        try:
            oldest_ns = clock.time_ns() - round(keep_s * 1e9)
            for line in self._read():
                self._next_id = max(self._next_id, line.id + 1)
                if line.alert is None:
                    self._waiting.pop(line.id, None)
                elif line.alert.time_ns >= oldest_ns:
                    self._waiting[line.id] = line.outlet, line.alert
            self._rewrite(self._all())
        except BaseException:
            self._unlock()
            raise
        self._lines = len(self._waiting)
        self._thread = threading.Thread(target=self._write, name="perpwire alerts on disk", daemon=True)
        self._thread.start()

    def waiting(self, outlet: str) -> list[tuple[int, Alert]]:
        """What an outlet has not got, the oldest first, by its number."""
        return [(number, alert) for number, (name, alert) in self._waiting.items() if name == outlet]

    def keep_only(self, outlets: set[str]) -> int:
        """Give up what is kept for outlets that there are no more; returns how many."""
        others = [number for number, (name, _) in self._waiting.items() if name not in outlets]
        for number in others:
            self.gone(number)
        return len(others)

    def put(self, outlet: str, alert: Alert, number: int | None = None) -> int:
        """Keep it, in place of the one with this number where one is given. Never blocks."""
        if number is None:
            number, self._next_id = self._next_id, self._next_id + 1
        self._waiting[number] = outlet, alert
        self._add(_Line(number, outlet, alert))
        return number

    def gone(self, number: int) -> None:
        """It is delivered, or given up. Never blocks."""
        if self._waiting.pop(number, None) is not None:
            self._add(_Line(number))

    def flush(self, within_s: float = 5.0) -> bool:
        """Wait until all is on disk; False where that takes too long. Blocks."""
        written = threading.Event()
        self._work.put(written)
        return written.wait(within_s)

    def close(self, within_s: float = 5.0) -> None:
        """Write what is to be written. Blocks for so long at most."""
        if self._has_failed:
            self._work.put(_Rewrite(self._all()))  # there may be room again
        self._work.put(None)
        self._thread.join(within_s)
        self._unlock()

    def _add(self, line: _Line) -> None:
        self._lines += 1
        # Where a write has failed nobody knows what of it is there: the next one is the whole file.
        if self._has_failed or self._lines > 2 * len(self._waiting) + _SLACK:
            self._lines = len(self._waiting)
            self._work.put(_Rewrite(self._all()))
        else:
            self._work.put(msgspec.json.encode(line) + b"\n")

    def _all(self) -> bytes:
        lines = (_Line(number, outlet, alert) for number, (outlet, alert) in self._waiting.items())
        return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)

    def _read(self) -> Iterator[_Line]:
        decoder = msgspec.json.Decoder(_Line)
        with contextlib.suppress(FileNotFoundError):
            for text in self.path.read_bytes().splitlines():
                # Half a line is what a kill leaves; nobody was told that it is there.
                with contextlib.suppress(msgspec.DecodeError):
                    yield decoder.decode(text)

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        is_ending = False
        while not is_ending:
            todo = [self._work.get()]
            while not self._work.empty():
                todo.append(self._work.get())
            try:
                self._do([one for one in todo if isinstance(one, bytes | _Rewrite)])
            except OSError as error:
                if not self._has_failed:
                    _log.warning("alerts can't be kept on disk (%s): they wait in memory only", error.strerror)
                self._has_failed = True
            else:
                if self._has_failed and any(isinstance(one, _Rewrite) for one in todo):
                    self._has_failed = False
                    _log.info("alerts are kept on disk again")
            for one in todo:
                if isinstance(one, threading.Event):
                    one.set()
            is_ending = None in todo
        self._close()

    def _do(self, todo: list[bytes | _Rewrite]) -> None:
        added = b""
        for one in todo:
            if isinstance(one, _Rewrite):
                self._rewrite(one.text)
                added = b""
            else:
                added += one
        if added and self._file is not None:
            self._file.write(added)
            self._file.flush()
            os.fsync(self._file.fileno())

    def _rewrite(self, text: bytes) -> None:
        new = self.path.with_name(self.path.name + ".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        file = open(descriptor, "wb")  # noqa: SIM115 - it stays open
        try:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
            os.replace(new, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                file.close()
            new.unlink(missing_ok=True)
            raise
        self._close()
        self._file = file

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # what a full disk did not take is told of already
                self._file.close()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class _Rewrite(msgspec.Struct, frozen=True):
    """The file anew, with nothing but this."""

    text: bytes


def _locked(path: Path) -> int | None:
    if sys.platform == "win32":
        return None
    import fcntl

    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise SpoolInUse(f"{path.name}: another program keeps its alerts there") from None
    return lock
