"""The venues perpwire speaks to, by name. A third venue is one more folder and one more line here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from perpwire.errors import BadInput

if TYPE_CHECKING:
    from perpwire.venues.base import Venue

VENUES = {
    "binance": "perpwire.venues.binance_futures",
    "bybit": "perpwire.venues.bybit",
}
"""Name -> the venue's package: `<package>.venue` holds VENUE (the tables), `<package>.sim` the server shell."""


def load(name: str) -> Venue:
    """The tables of one venue, imported only now.

    Raises:
        BadInput: No such venue.
    """
    if name not in VENUES:
        raise BadInput(f"no venue {name!r}; there are {', '.join(VENUES)}", code="NO_SUCH_VENUE")
    venue: Venue = importlib.import_module(f"{VENUES[name]}.venue").VENUE
    return venue
