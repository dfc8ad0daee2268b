"""A file that is only ever added to: an entry is there, whole, as soon as `add` returns, and survives a kill.

The file is mapped into memory, so that adding is a copy: what stands in mapped memory is the kernel's, and stays
whatever becomes of the process. Its room is written full of zeros beforehand: no entry finds the disk full halfway.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

ROOM = 1 << 20
"""The file grows by so many bytes; the entries of a moment are a fraction of it."""

_NEW_LINE = 0x0A


class AppendLog:
    """Lines of bytes without zeros.

    Args:
        path: Made where there is none.
        is_synced: Wait for the disk at each entry, so that it survives a power cut too.

    Raises:
        OSError: It can't be opened, or the disk has no room.
    """

    def __init__(self, path: Path | str, *, is_synced: bool) -> None:
        self.path = Path(path)
        self._is_synced = is_synced
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            size = os.fstat(self._file).st_size
            self._map = self._mapped(max(ROOM, size))
        except BaseException:
            os.close(self._file)
            raise
        self._room = len(self._map)
        self._end = sum(len(line) + 1 for line in self.read())
        self._map[self._end :] = bytes(self._room - self._end)

    def read(self) -> list[bytes]:
        """Every whole line. Half a last one was never acknowledged to anybody: it does not count."""
        text, _, _ = self._map[:].partition(b"\0")
        return text[: text.rfind(b"\n") + 1].splitlines()

    def add(self, lines: bytes) -> None:
        """Add a line, or several with line breaks between them.

        Raises:
            OSError: There is no room for them, or it is closed, and none of them is there.
        """
        at, end = self._end, self._end + len(lines)
        if end >= self._room:
            self._widen(end + ROOM)
        # A kill may leave any part of a copy. The break makes the line count, and comes when the line is there.
        self._map[at:end] = lines
        self._map[end] = _NEW_LINE
        if self._is_synced:
            page = at - at % mmap.PAGESIZE
            self._map.flush(page, end + 1 - page)
        self._end = end + 1

    def clear(self) -> None:
        """Forget everything."""
        self._map[: self._end] = bytes(self._end)
        self._end = 0

    def close(self) -> None:
        self._room = 0  # nothing has room in it any more
        self._map.close()
        os.close(self._file)

    def _widen(self, size: int) -> None:
        if self._map.closed:
            raise OSError(f"{self.path} is closed")
        wider = self._mapped(size)
        self._map.close()
        self._map, self._room = wider, size

    def _mapped(self, size: int) -> mmap.mmap:
        """So much of the file. What is new of it is written: to say only how long it is would promise room that nobody
        has kept."""
        at = os.fstat(self._file).st_size
        os.lseek(self._file, at, os.SEEK_SET)
        while at < size:
            at += os.write(self._file, bytes(size - at))
        return mmap.mmap(self._file, size)
