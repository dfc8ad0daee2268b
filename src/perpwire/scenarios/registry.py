"""The list of scenarios, and how one is put on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from perpwire.simulator.simulation import SetupOptions

if TYPE_CHECKING:
    from perpwire.scenarios.run import Run

MODULES = (
    "cut_sockets",
    "life_of_a_stop",
    "lost_answers",
    "lost_response",
    "the_503_family",
    "torn_books",
    "while_away",
    "listen_key",
    "fills_in_the_gap",
    "clock_moves",
    "ban_spiral",
    "brutal_orders",
    "standard_hour",
    "a_day",
    "pong_alive_silence",
    "acknowledged_no_data",
    "disconnect_zoo",
    "duplicate_connections",
    "book_torture",
    "burst",
)
"""Those of this package that hold scenarios."""

Play = Callable[["Run"], Awaitable[None]]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario.

    Attributes:
        name: Of its function.
        about: First line of what its function says of itself.
        venues: It is played on each.
        options: Of the simulation; see simulator.simulation.Setup.
        one_in: A long one is played for one seed in so many.
        settle_s: How long everything may take to be right again after the last fault is lifted.
    """

    name: str
    about: str
    play: Play
    venues: tuple[str, ...]
    options: SetupOptions
    one_in: int
    settle_s: float


_scenarios: dict[str, Scenario] = {}


def scenario(
    *,
    venues: tuple[str, ...] = ("binance", "bybit"),
    options: SetupOptions | None = None,
    one_in: int = 1,
    settle_s: float = 60.0,
) -> Callable[[Play], Play]:
    """Put a function on the list, under its own name."""

    def add(play: Play) -> Play:
        name = play.__name__
        about = (play.__doc__ or "").strip().partition("\n")[0]
        if name in _scenarios:
            raise ValueError(f"there is a scenario {name} already")
        _scenarios[name] = Scenario(
            name=name,
            about=about,
            play=play,
            venues=venues,
            options=options or {},
            one_in=one_in,
            settle_s=settle_s,
        )
        return play

    return add


def scenarios() -> dict[str, Scenario]:
    """All of them, by name."""
    for module in MODULES:
        import_module(f"perpwire.scenarios.{module}")
    return dict(_scenarios)
