"""Events and incidents as JSON objects, and back: the one form in which they leave this program.

`kind` names the class. Prices and quantities are text, exact and never in exponent form; levels of a book are `bids`
and `asks`, pairs of such texts. A field that is called `kind` itself is `of`: {"kind": "Gap", "of": "Trade", ...}.
Whole numbers may be greater than what a float holds (`received_ns`, ids).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from types import MappingProxyType, ModuleType
from typing import Any

import msgspec

from perpwire.model import account, incident, market, order
from perpwire.model.facts import facts
from perpwire.model.incident import Incident
from perpwire.model.market import Event, Unknown, kind_of

Told = Event | Incident

_NAMES: Mapping[str, str] = MappingProxyType({"kind": "of", "bid_text": "bids", "ask_text": "asks"})
"""Field -> what it is called, where not by its own name."""

_LEFT_OUT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"HandlerFailed": ("event", "stack"), "TaskFailed": ("stack",)}
)
"""An event within an incident, which was told for itself; and tracebacks, which are for the log."""


def _classes(*modules: ModuleType) -> dict[str, type[Told]]:
    return {
        name: one
        for module in modules
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, Event | Incident)
    }


KINDS: Mapping[str, type[Told]] = MappingProxyType(_classes(market, order, account, incident))
"""Every kind that there is, by name."""


def written(told: Told) -> bytes:
    """See module docstring."""
    return _writer(type(told))(told)


@cache
def _writer(made: type[Told]) -> Callable[[Told], bytes]:
    kind: type[Told] = kind_of(made) if issubclass(made, Event) else made
    name = kind.__name__
    fields = [one.name for one in msgspec.structs.fields(kind) if one.name not in _LEFT_OUT.get(name, ())]
    names = ("kind", *(_NAMES.get(one, one) for one in fields))
    values_of, encode = attrgetter(*fields), msgspec.json.Encoder().encode

    def write(told: Told) -> bytes:
        said = dict(zip(names, (name, *values_of(told)), strict=True))
        text = encode(said)
        if b"E-" in text or b"E+" in text:
            # It may be a Decimal in exponent form, such as 1E-8: the plain form costs more, and is seldom needed.
            return encode(facts(said))
        return text

    return write


def read(text: bytes | str) -> Told:
    """What `written` wrote. A kind that this version does not know is Unknown, whose `raw` is the whole of it.

    Raises:
        ValueError: It is nothing that `written` wrote. (msgspec's errors are ValueErrors.)
    """
    said = msgspec.json.decode(text, type=dict[str, Any])
    name = said.pop("kind", None)
    kind = KINDS.get(name)
    if kind is None:
        raw = text if isinstance(text, str) else text.decode()
        return Unknown(venue=str(said.get("venue", "")), symbol=str(said.get("symbol", "")), name=str(name), raw=raw)
    fields = kind.__struct_fields__
    for field, called in _NAMES.items():
        if field in fields and called in said:
            said[field] = said.pop(called)
    return msgspec.convert(said, kind)
