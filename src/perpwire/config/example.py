"""An example of the file, made of what there is to set: what `perpwire config init` writes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from types import MappingProxyType

from perpwire.config import described
from perpwire.config.loading import Tables, shown
from perpwire.venues import VENUES


def example(tables: Tables = MappingProxyType({})) -> str:
    """Every setting as a comment with its default, under what it means; what is active follows a few symbols.

    Args:
        tables: Of tables that others read, such as "alerts": what can stand in them.
    """
    lines = [
        "# perpwire: what to follow, and how. Every line that is commented out says what holds without it.",
        "# A variable of the environment has the last word: PERPWIRE_PAGE_PORT for page.port.",
        "",
    ]
    table: tuple[str, ...] = ()
    for setting in sorted(_settings(tables), key=_place):
        if setting.path[:-1] not in (table, ()):
            table = setting.path[:-1]
            lines += ["", f"{'# ' if table[0] in tables else ''}[{'.'.join(table)}]"]
        lines += textwrap.wrap(setting.words, 110, initial_indent="# ", subsequent_indent="# ")
        lines += _said(setting)
    return "\n".join(lines) + "\n"


def _settings(tables: Tables) -> Iterator[described.Setting]:
    for setting in described.known():
        if setting.name in tables:
            yield from described.known(tables[setting.name], setting.path)
        else:
            yield setting


def _place(setting: described.Setting) -> tuple[bool, tuple[str, ...], bool]:
    """What stands in no table comes first; what is a table of free names is the last of its own."""
    is_table = described.is_table(setting.type)
    table = setting.path if is_table and len(setting.path) == 1 else setting.path[:-1]
    return bool(table), table, is_table


def _said(setting: described.Setting) -> list[str]:
    name = setting.path[-1]
    if setting.path[0] == "venues" and setting.path[1] in VENUES and name == "symbols":
        return ['symbols = ["BTCUSDT"]']
    if described.is_table(setting.type):
        return [f"# [{setting.name}]"]
    default = setting.default
    if default is None:
        return [f"# {name} ="]
    if isinstance(default, bool):
        text = str(default).lower()
    elif isinstance(default, int | float):
        text = str(default)
    elif isinstance(default, tuple):
        text = "[" + ", ".join(f'"{one}"' for one in default) + "]"
    else:
        text = f'"{shown(setting, default)}"'
    return [f"# {name} = {text}"]
