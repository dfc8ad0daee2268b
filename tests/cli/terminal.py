"""A command in a pseudo-terminal, as a user sees it and types at it."""

from __future__ import annotations

import codecs
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from types import TracebackType
from typing import Self

CTRL_C = "\x03"
ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"
"""What a program writes to take the whole screen, and to give it back."""

_LEFT_OUT = ("NO_COLOR", "COLUMNS", "LINES", "PYTHONUNBUFFERED")
"""Of the environment. Unbuffered, Python loses what a write to a terminal that a signal cut short did not take."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")


class Terminal:
    """Runs `perpwire ARGUMENTS`, or another `program` of Python. Ends it at the end of the block, whatever it does.

    Attributes:
        raw: All that it has written, with its escapes.
    """

    def __init__(
        self,
        *arguments: str,
        program: tuple[str, str] = ("-m", "perpwire"),
        columns: int = 120,
        lines: int = 40,
        **environment: str,
    ) -> None:
        ours, theirs = os.openpty()
        self._fd = ours
        self.raw = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end within a character
        self.resize(columns, lines)
        kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
        self.process = subprocess.Popen(
            # apprise asks for imghdr, which Python 3.11 and 3.12 have and warn of.
            [sys.executable, "-W", "error", "-W", "ignore:'imghdr' is", *program, *arguments],
            env={**kept, "TERM": "xterm-256color", **environment},
            preexec_fn=lambda: os.login_tty(theirs),
            pass_fds=(theirs,),
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._fd)

    @property
    def text(self) -> str:
        """What it has written, without escapes."""
        return _ESCAPES.sub("", self.raw).replace("\r", "")

    def until(self, words: str, within_s: float = 30.0, *, after: int = 0) -> None:
        """Read until these have been written, escapes aside, behind so many characters of `text`."""
        ends = time.monotonic() + within_s
        while words not in self.text[after:]:
            assert time.monotonic() < ends, f"no {words!r} within {within_s:g} s in {self.text[-3000:]!r}"
            assert self._read(0.2) or self.process.poll() is None, f"it ended without {words!r}: {self.text[-3000:]!r}"

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self, within_s: float = 30.0) -> int:
        """Its exit code, once it has ended and all that it wrote is read."""
        ends = time.monotonic() + within_s
        while self.process.poll() is None:
            assert time.monotonic() < ends, f"it goes on: {self.text[-2000:]!r}"
            self._read(0.2)
        while self._read(0.1):
            pass
        assert "Traceback" not in self.text, self.text
        return self.process.returncode

    def _read(self, timeout_s: float) -> bool:
        """Whether there was something."""
        if not select.select([self._fd], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # what Linux says when the other end is closed
            return False
        self.raw += self._decoder.decode(data)
        return bool(data)
