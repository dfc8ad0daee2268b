"""One incident of every kind, with all or next to none of what it can state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import msgspec

from perpwire.model import incident as incidents
from perpwire.model.incident import Incident
from perpwire.words.said import event_name

NOW_NS = 1_790_000_000_000_000_000

KINDS: Mapping[str, type[Incident]] = {
    event_name(kind): kind
    for kind in vars(incidents).values()
    if isinstance(kind, type) and issubclass(kind, Incident) and kind is not Incident
}

FULL: dict[Any, Any] = {str: "x", int: 7, float: 70.0, bool: True, Decimal: Decimal(1), tuple: ("x",)}


def made(kind: type[Incident], **said: Any) -> Incident:
    """One of the kind, with every field filled; strings with the field's own name."""
    fields: dict[str, Any] = {"venue": "bybit", "time_ns": NOW_NS}
    for name, hint in get_type_hints(kind).items():
        kinds = [
            one for one in FULL if hint is one or one in get_args(hint) or getattr(hint, "__origin__", None) is one
        ]
        if name not in fields and kinds:
            fields[name] = f"<{name}>" if kinds[0] is str else FULL[kinds[0]]
    return kind(**{**fields, **said})


def bare(kind: type[Incident]) -> Incident:
    """One of the kind, with nothing that can be left out."""
    needed = {field.name for field in msgspec.structs.fields(kind) if field.required}
    return kind(**{name: value for name, value in msgspec.structs.asdict(made(kind)).items() if name in needed})


def every() -> Iterator[Incident]:
    """Of each kind a full one, a bare one, and one for each thing that changes what is said."""
    for kind in KINDS.values():
        yield made(kind)
        yield bare(kind)
    yield made(incidents.StreamGap, repaired=False)
    yield made(incidents.OrderResolved, outcome="UNRESOLVED")
    yield made(incidents.GuardTripped, guard="kill_switch")
    yield made(incidents.TaskFailed, renewed=False)
    for what in ("trading", "withdrawal", "ip", "expiry", "expired", "refused", "unknown"):
        yield made(incidents.KeyWarning, what=what)
