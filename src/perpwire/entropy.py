"""The only home of unseeded randomness: a generator for callers that were given none."""

from __future__ import annotations

import random


def system_random() -> random.Random:
    """A generator fed by the operating system: ids made with it never repeat over restarts."""
    return random.SystemRandom()
