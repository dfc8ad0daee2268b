"""What a command prints is written to its end.

With PYTHONUNBUFFERED, which many images of containers set, Python writes straight to the operating system, and drops
what a write that was cut short did not take: a table could lack its last rows, and the exit code be 0.
"""

from __future__ import annotations

import io
import sys


def write_whole() -> None:
    """The standard streams go by a buffer from now on, which tries until all is written, flushed at each line."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(getattr(stream, "buffer", None), io.RawIOBase):
            whole = open(  # noqa: SIM115 - for the rest of the process
                stream.fileno(), "w", buffering=1, encoding=stream.encoding, errors=stream.errors, closefd=False
            )
            setattr(sys, name, whole)
