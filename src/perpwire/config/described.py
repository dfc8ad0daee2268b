"""What can be set, read off the structs of settings.py, or of whoever owns a table of the file: names, kinds, and the
words that explain them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from perpwire.config.secret import Secret
from perpwire.config.settings import Settings
from perpwire.venues import VENUES

Path = tuple[str, ...]

NAME = "NAME"
"""In a path: any name of the user's own."""


class Setting(NamedTuple):
    """One thing that can be set.

    Attributes:
        path: Where it stands: ("page", "port").
        type: Its Python type.
        default: What holds where nothing is said.
        words: What it means, in a sentence or two.
        is_secret: Its value is shown to nobody.
    """

    path: Path
    type: Any
    default: object
    words: str
    is_secret: bool = False

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
    types, words = get_type_hints(kind, include_extras=True), words_of(kind)
    for field in msgspec.structs.fields(kind):
        path, type_ = (*above, field.name), types[field.name]
        inner = _struct_in(type_)
        if path == ("venues",):
            for name in VENUES:
                yield from known(get_args(type_)[1], (*path, name))
        elif inner is not None:
            yield from known(inner, (*path, NAME) if is_table(type_) else path)
        else:
            yield Setting(path, type_, _default(field), words[field.name], _is_secret(type_))


def _default(field: msgspec.structs.FieldInfo) -> object:
    """None where it must be said."""
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return None if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _is_secret(type_: Any) -> bool:
    """By its type, or by what stands beside it: Annotated[str, msgspec.Meta(extra={"secret": True})]."""
    beside = (one.extra for one in getattr(type_, "__metadata__", ()) if isinstance(one, msgspec.Meta))
    return type_ is Secret or any((extra or {}).get("secret", False) for extra in beside)


def _struct_in(type_: Any) -> type[msgspec.Struct] | None:
    """The struct that the type is, or that it may be, or that each entry of a table of it is."""
    found = [one for one in (type_, *get_args(type_)) if is_struct(one)]
    return found[0] if found else None


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
    names: list[str] = []
    for line in listed.splitlines():
        if match := re.match(r" {4}(\w+(?:, \w+)*): (.*)", line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2])
        elif line.startswith("        "):
            for name in names:
                found[name] += " " + line.strip()
    return found
