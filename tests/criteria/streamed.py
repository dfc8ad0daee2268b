"""A scenario made of one part of another, and a client of streams alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from perpwire.scenarios.registry import Scenario
from perpwire.scenarios.run import Outcome, Run, play
from perpwire.simulator.simulation import SetupOptions

VENUES = ["binance", "bybit"]


def played(part: Callable[[Run], Awaitable[None]], venue: str, seed: int = 1, **options: Any) -> Outcome:
    """Play it in virtual time; everything that must hold after any scenario is checked too."""
    given = cast(SetupOptions, {"rate": 20.0, **options})
    return play(
        Scenario(name="part", about="", play=part, venues=(venue,), options=given, one_in=1, settle_s=10.0), venue, seed
    )
