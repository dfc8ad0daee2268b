"""Figures that wander with time and can be asked for at any time: the same name and time give the same figure."""

from __future__ import annotations

import math
from hashlib import blake2b


def noise(name: str, position: float) -> float:
    """A smooth random curve within [-1, 1], with a bend about once a unit of `position`."""
    left = math.floor(position)
    part = position - left
    part *= part * (3 - 2 * part)
    return _at(name, left) * (1 - part) + _at(name, left + 1) * part


def _at(name: str, point: int) -> float:
    digest = blake2b(f"{name}/{point}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**31 - 1
