"""With PYTHONUNBUFFERED, too, what a command prints is written whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import io, sys
from perpwire.cli.whole_writes import write_whole
before = sys.stdout
write_whole()
print(type(sys.stdout.buffer).__name__, sys.stdout.encoding == before.encoding, sys.stdout is before)
print("é", file=sys.stderr)
"""


@pytest.mark.parametrize(("unbuffered", "is_kept"), [("1", False), ("", True)])
def test_the_standard_streams_go_by_a_buffer(unbuffered: str, is_kept: bool) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["BufferedWriter", "True", str(is_kept)]
    assert done.stderr == "é\n"
