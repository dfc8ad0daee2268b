"""How verbs print: tables where a terminal is there, plain columns where none is, JSON where it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from perpwire.cli.running import console, errors
from perpwire.model.facts import facts
from perpwire.model.incident import Incident
from perpwire.model.numbers import plain

Facts = Mapping[str, Any]
"""One object: its JSON, and what the columns of a table are taken from."""

RIGHT = (Decimal, int, float)
"""What stands to the right of its column."""


def json_line(value: Any) -> None:
    """One line of JSON on the standard output; not by rich, which wraps and colours."""
    console.out(msgspec.json.encode(facts(value)).decode(), highlight=False)


def rows(title: str, columns: Sequence[str], found: Iterable[Facts], *, as_json: bool, empty: str) -> None:
    """A list: JSON gets all that is known of each, a table the columns named.

    Args:
        empty: What is said where there is none; "": nothing, as where nobody could be asked.
    """
    if as_json:
        for one in found:
            json_line(one)
        return
    listed = list(found)
    if not listed:
        if empty:
            console.print(empty, highlight=False, markup=False)
    elif console.is_terminal:
        console.print(table(title, columns, listed, console.width))
    else:
        for line in lines(columns, listed):
            console.out(line, highlight=False)


def table(title: str, columns: Sequence[str], found: Sequence[Facts], width: int | None = None) -> Table:
    """Columns that are empty in every row are left out.

    Args:
        width: Columns of the terminal; None: as many as it takes. No value is ever broken to fit into them, as half a
            price or an order's id in pieces is none: where heads on several lines do not help, each row is a list.
    """
    columns = [column for column in columns if any(shown(one.get(column)) != "-" for one in found)]
    cells = {column: max(cell_len(shown(one.get(column))) for one in found) for column in columns}
    heads = {column: words(column).split() for column in columns}
    least = {column: max([cells[column], *map(cell_len, heads[column])]) for column in columns}
    whole = {column: max(cells[column], cell_len(" ".join(heads[column]))) for column in columns}
    borders = 3 * len(columns) + 1
    if width is not None and sum(least.values()) + borders > width:
        return _records(title, columns, found)
    is_tight = width is not None and sum(whole.values()) + borders > width
    made = Table(title=title)
    for column in columns:
        made.add_column(
            Text(words(column)),
            justify="right" if _is_number(column, found) else "left",
            overflow="fold",
            width=least[column] if is_tight else None,
        )
    for one in found:
        made.add_row(*(Text(shown(one.get(column)), style=_style(column, one)) for column in columns))
    return made


def _records(title: str, columns: Sequence[str], found: Sequence[Facts]) -> Table:
    """Each row as a list of names and values; what is empty is left out."""
    made = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for n, one in enumerate(found):
        if n:
            made.add_row()
        for column in columns:
            if (value := shown(one.get(column))) != "-":
                made.add_row(Text(words(column)), Text(value, style=_style(column, one)))
    return made


def lines(columns: Sequence[str], found: Sequence[Facts]) -> list[str]:
    """Columns of plain text, each row on one line however wide it is."""
    cells = [[words(column) for column in columns]]
    cells += [[shown(one.get(column)) for column in columns] for one in found]
    widths = [max(len(row[n]) for row in cells) for n in range(len(columns))]
    right = [_is_number(column, found) for column in columns]
    return [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]


def words(column: str) -> str:
    return column.removesuffix("_ms").replace("_per_s", "/s").replace("_", " ")


def shown(value: Any) -> str:
    """A cell."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return plain(value)
        case Enum():
            return str(value.value)
        case list() | tuple():
            return " ".join(shown(one) for one in value) or "-"
    return str(value)


def _is_number(column: str, found: Sequence[Facts]) -> bool:
    values = [one[column] for one in found if one.get(column) is not None]
    return bool(values) and all(isinstance(value, RIGHT) and not isinstance(value, bool) for value in values)


def _style(column: str, one: Facts) -> str:
    """Profit and loss, bought and sold: by colour too, never by colour alone."""
    value = one.get(column)
    if column in ("unrealized_pnl", "realized_pnl") and isinstance(value, Decimal) and value:
        return "green" if value > 0 else "red"
    if column == "side":
        return "green" if str(value) in ("BUY", "LONG") else "red"
    return ""


def moment(time_ms: int) -> str:
    """Unix milliseconds as a date and a time, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def note(text: str) -> None:
    """A line beside the result: on the standard error, so that a program that reads the result is not disturbed."""
    errors.print(Text(text, style="dim"), highlight=False, soft_wrap=True)


def tell_incident(incident: Incident) -> None:
    note(f"note: {incident.venue}: {incident.detail}")
