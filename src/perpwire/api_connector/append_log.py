"""A file that is only ever added to: one write call an entry, so that what was written survives a kill."""

from __future__ import annotations

import os
from pathlib import Path

_sync = getattr(os, "fdatasync", os.fsync)  # not every system has the cheaper one


class AppendLog:
    """Lines of bytes. A write that has returned is the kernel's, and stays whatever becomes of the process.

    Args:
        path: Made where there is none.
        is_synced: Wait for the disk at each write, so that it survives a power cut too.

    Raises:
        OSError: It can't be opened.
    """

    def __init__(self, path: Path | str, *, is_synced: bool) -> None:
        self.path = Path(path)
        self._is_synced = is_synced
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = os.fstat(self._file).st_size

    def read(self) -> list[bytes]:
        """Every whole line. Half a last one was never acknowledged to anybody: it goes."""
        with open(self._file, "rb", closefd=False) as file:
            file.seek(0)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole != len(text):
            os.ftruncate(self._file, whole)
            self._size = whole
        return text[:whole].splitlines()

    def write(self, lines: bytes) -> None:
        """Add whole lines.

        Raises:
            OSError: They can't be written, and none of them is there.
        """
        written = 0
        try:
            written = os.write(self._file, lines)
            if written == len(lines):
                if self._is_synced:
                    _sync(self._file)
                self._size += written
                return
            raise OSError("the disk is full")
        except OSError:
            if written:
                os.ftruncate(self._file, self._size)
            raise

    def clear(self) -> None:
        """Forget everything.

        Raises:
            OSError: It can't be emptied.
        """
        os.ftruncate(self._file, 0)
        self._size = 0

    def close(self) -> None:
        os.close(self._file)
