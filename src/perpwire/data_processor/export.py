"""Events as tables: one file for each kind, CSV or Parquet. Numbers stay exact: text, or decimal128 of 18 places.

What a book says stands a level a row. Every table begins with venue, symbol, venue_time_ms (Unix milliseconds, the
venue's clock), received_ns (Unix nanoseconds, ours) and recovered.
"""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import UnionType
from typing import IO, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from perpwire.errors import BadInput
from perpwire.model.market import BookDelta, BookLevels, BookSnapshot, Event, RpiBook, kind_of

ROWS_A_BATCH = 50_000
PLACES = 18

_HEAD = ("venue", "symbol", "venue_time_ms", "received_ns", "recovered")
_LEVEL = ("side", "price", "quantity")


class Columns(msgspec.Struct, frozen=True):
    """The shape of one kind's table: names, and the Python type of each."""

    kind: str
    names: tuple[str, ...]
    types: tuple[type, ...]


@cache
def columns(kind: type[Event]) -> Columns:
    """The table of one kind of event."""
    types = get_type_hints(kind)
    own = [one.name for one in msgspec.structs.fields(kind) if one.name not in _HEAD]
    if _is_book(kind):
        own = [name for name in own if name not in ("bid_text", "ask_text", "bids", "asks")]
        own += [*_LEVEL, *(("rpi_quantity",) if issubclass(kind, RpiBook) else ())]
        types |= {"side": str, "price": Decimal, "quantity": Decimal, "rpi_quantity": Decimal}
    names = (*_HEAD, *own)
    return Columns(kind.__name__, names, tuple(_plain_type(types[name]) for name in names))


def rows(event: Event) -> Iterator[tuple[Any, ...]]:
    """The rows that an event makes in the table of its kind."""
    kind = kind_of(type(event))
    names = columns(kind).names
    if not _is_book(kind):
        yield tuple(_plain(getattr(event, name)) for name in names)
        return
    assert isinstance(event, BookLevels | RpiBook)
    head = [_plain(getattr(event, name)) for name in names if name not in (*_LEVEL, "rpi_quantity")]
    for side, levels in (("bid", event.bids), ("ask", event.asks)):
        for level in levels:
            yield (*head, side, *level)


def _is_book(kind: type[Event]) -> bool:
    return issubclass(kind, BookSnapshot | BookDelta | RpiBook)


def _plain_type(kind: Any) -> type:
    """int | str and the like are text; what may be None is what it is otherwise."""
    if get_origin(kind) in (Union, UnionType):
        rest = [one for one in get_args(kind) if one is not type(None)]
        kind = rest[0] if len(rest) == 1 else str
    return kind if kind in (Decimal, int, bool, float) else str


def _plain(value: object) -> object:
    if value is None or isinstance(value, Decimal | bool | int | float):
        return value
    return value if type(value) is str else str(value)


class Writer(ABC):
    """Writes tables into a folder, a file for each kind.

    Attributes:
        files: Kind -> its file.
        rows: Kind -> how many rows it has.
    """

    suffix: str

    def __init__(self, folder: Path | str) -> None:
        """
        Raises:
            BadInput: What writes this form is not installed.
        """
        self._folder = Path(folder)
        self.files: dict[str, Path] = {}
        self.rows: dict[str, int] = {}
        self._waiting: dict[Columns, list[tuple[Any, ...]]] = {}

    def add(self, event: Event) -> None:
        """
        Raises:
            OSError: It can't be written.
            BadInput: A number does not fit.
        """
        table = columns(kind_of(type(event)))
        waiting = self._waiting.setdefault(table, [])
        waiting.extend(rows(event))
        if len(waiting) >= ROWS_A_BATCH:
            self._flush(table)

    def close(self) -> None:
        for table in list(self._waiting):
            self._flush(table)
        self._end()

    def _flush(self, table: Columns) -> None:
        waiting = self._waiting[table]
        if not waiting:
            return
        if table.kind not in self.files:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.files[table.kind] = self._folder / f"{table.kind}{self.suffix}"
        self._write(table, self.files[table.kind], waiting)
        self.rows[table.kind] = self.rows.get(table.kind, 0) + len(waiting)
        self._waiting[table] = []

    @abstractmethod
    def _write(self, table: Columns, path: Path, batch: Sequence[tuple[Any, ...]]) -> None: ...

    @abstractmethod
    def _end(self) -> None: ...


class CsvWriter(Writer):
    """UTF-8, with a head line; what is not stated is empty, numbers are as the venue wrote them."""

    suffix = ".csv"

    def __init__(self, folder: Path | str) -> None:
        super().__init__(folder)
        self._open: dict[str, IO[str]] = {}

    def _write(self, table: Columns, path: Path, batch: Sequence[tuple[Any, ...]]) -> None:
        file = self._open.get(table.kind)
        if file is None:
            file = self._open[table.kind] = path.open("w", encoding="utf-8", newline="")
            csv.writer(file).writerow(table.names)
        csv.writer(file).writerows([_texts(row) for row in batch])

    def _end(self) -> None:
        for file in self._open.values():
            file.close()


def _texts(row: tuple[Any, ...]) -> list[object]:
    return [
        f"{one:f}" if isinstance(one, Decimal) else str(one).lower() if isinstance(one, bool) else one for one in row
    ]


class ParquetWriter(Writer):
    """zstd-packed; prices and quantities are decimal128(38, 18). Needs the extra `record`."""

    suffix = ".parquet"

    def __init__(self, folder: Path | str) -> None:
        super().__init__(folder)
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise BadInput(
                "pyarrow is not installed", code="NO_PYARROW", advice="Install it: pip install 'perpwire[record]'."
            ) from None
        self._arrow: Any = pyarrow
        self._open: dict[str, Any] = {}

    def _write(self, table: Columns, path: Path, batch: Sequence[tuple[Any, ...]]) -> None:
        arrow = self._arrow
        types = {Decimal: arrow.decimal128(38, PLACES), int: arrow.int64(), bool: arrow.bool_(), float: arrow.float64()}
        schema = arrow.schema(
            [(name, types.get(kind, arrow.string())) for name, kind in zip(table.names, table.types, strict=True)]
        )
        try:
            made = [
                arrow.array([_of(kind)(row[at]) for row in batch], type=schema.field(at).type)
                for at, kind in enumerate(table.types)
            ]
        except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
            raise BadInput(f"a number of {table.kind} does not fit Parquet: {error}", code="DOES_NOT_FIT",
                           advice="Export it as CSV, which keeps every digit.") from None  # fmt: skip
        writer = self._open.get(table.kind)
        if writer is None:
            writer = self._open[table.kind] = arrow.parquet.ParquetWriter(path, schema, compression="zstd")
        writer.write_batch(arrow.record_batch(made, schema=schema))

    def _end(self) -> None:
        for writer in self._open.values():
            writer.close()


def _of(kind: type) -> Callable[[Any], Any]:
    return (lambda one: None if one is None else str(one)) if kind is str else (lambda one: one)
