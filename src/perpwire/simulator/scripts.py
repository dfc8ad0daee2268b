"""Faults out of text: a list, or a scenario file. docs/faults.md describes the format."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from perpwire.simulator.faults import AnyFault, read_fault
from perpwire.venues import VENUES

VERSION = 1
"""Of the format of scenario files."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario file.

    Attributes:
        version: Of the format: 1.
        about: What it is, for its reader.
        faults: Those of every venue.
        venues: Those of one venue, by its name.
    """

    version: int
    about: str = ""
    faults: tuple[AnyFault, ...] = ()
    venues: dict[str, tuple[AnyFault, ...]] = msgspec.field(default_factory=dict)


_list: msgspec.json.Decoder[list[AnyFault]] = msgspec.json.Decoder(list[AnyFault])
_by_venue: msgspec.json.Decoder[dict[str, list[AnyFault]]] = msgspec.json.Decoder(dict[str, list[AnyFault]])
_scenario: msgspec.json.Decoder[Scenario] = msgspec.json.Decoder(Scenario)
_keys: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_script(text: bytes, venue: str) -> list[AnyFault]:
    """A venue's faults: of a JSON list for every venue or a single fault, of an object of such lists by venue, or of a
    scenario file.

    Raises:
        msgspec.DecodeError: It is none of these; the message says where.
        ValueError: There are faults for a venue that perpwire does not know, or it is of another version.
    """
    if not text.lstrip().startswith(b"{"):
        return _list.decode(text)
    keys = _keys.decode(text)
    if "kind" in keys:
        return [read_fault(text)]
    if "version" not in keys:
        by_venue = _by_venue.decode(text)
        _check_names(by_venue)
        return by_venue.get(venue, [])
    scenario = _scenario.decode(text)
    if scenario.version != VERSION:
        raise ValueError(f"version {scenario.version} is not known here; this is version {VERSION}")
    _check_names(scenario.venues)
    return [*scenario.faults, *scenario.venues.get(venue, ())]


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name not in VENUES:
            raise ValueError(f"{name!r} is no venue; known are {', '.join(VENUES)}")
