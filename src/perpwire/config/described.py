"""What can be set, read off the structs of settings.py: names, kinds, and the words that explain them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from perpwire.config.settings import Settings
from perpwire.venues import VENUES

Path = tuple[str, ...]


class Setting(NamedTuple):
    """One thing that can be set.

    Attributes:
        path: Where it stands: ("page", "port").
        type: Its Python type.
        default: What holds where nothing is said.
        words: What it means, in a sentence or two.
    """

    path: Path
    type: Any
    default: object
    words: str

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def variable(self) -> str | None:
        """The environment variable that sets it; None where a table can't be said in one."""
        if is_table(self.type):
            return None
        return "_".join(("PERPWIRE", *self.path)).upper()


@cache
def known(kind: type[msgspec.Struct] = Settings, above: Path = ()) -> tuple[Setting, ...]:
    """Everything that can be set, in the order of the file; of venues, each that there is."""
    return tuple(_settings(kind, above))


def _settings(kind: type[msgspec.Struct], above: Path) -> Iterator[Setting]:
    types, words = get_type_hints(kind), words_of(kind)
    for field in msgspec.structs.fields(kind):
        path, type_ = (*above, field.name), types[field.name]
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        if is_struct(type_):
            yield from known(type_, path)
        elif path == ("venues",):
            for name in VENUES:
                yield from known(get_args(type_)[1], (*path, name))
        else:
            yield Setting(path, type_, default, words[field.name])


def allowed(name: str) -> tuple[str, ...]:
    """The words that a setting takes, where it takes only some; of a list, those of its items."""
    kind = next((one.type for one in known() if one.name == name), None)
    for one in (kind, *get_args(kind)):
        for inner in (one, *get_args(one)):
            if get_origin(inner) is Literal:
                return tuple(map(str, get_args(inner)))
    return ()


def is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def is_table(type_: Any) -> bool:
    return get_origin(type_) in (Mapping, dict)


@cache
def words_of(kind: type) -> dict[str, str]:
    """Field -> what its class's docstring says of it under "Attributes"."""
    _, _, listed = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in listed.splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            name = match[1]
            found[name] = match[2]
        elif line.startswith("        ") and name:
            found[name] += " " + line.strip()
    return found
