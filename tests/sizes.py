"""How much of a long test is played: all of it in `make chaos`; in `make test` a part that takes seconds, and
where it plays the same on either venue, one of them, by turns (tests/conftest.py)."""

from __future__ import annotations

import os

FULL = bool(os.environ.get("PERPWIRE_FULL"))
"""Whether everything is played in full."""


def size(full: int, part: int) -> int:
    return full if FULL else part
