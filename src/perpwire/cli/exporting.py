"""`perpwire export`: recordings as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from perpwire.cli.printing import json_line
from perpwire.cli.replaying import chosen
from perpwire.cli.running import errors, say_error
from perpwire.data_processor.export import CsvWriter, ParquetWriter, Writer
from perpwire.data_processor.hftbacktest import HftBacktestWriter
from perpwire.data_processor.recording_format import Recording
from perpwire.data_processor.replay import Replay
from perpwire.errors import BadInput
from perpwire.model.market import AggTrade, BookDelta, BookSnapshot, Event, Trade, Unknown
from perpwire.venues import load

_FOR_RESEARCH: tuple[type[Event], ...] = (Trade, BookSnapshot, BookDelta)


def export(
    files: Sequence[Path],
    *,
    form: str,
    folder: Path,
    kinds: Sequence[str],
    symbol: str | None,
    as_json: bool,
    console: Console,
) -> None:
    """Write, and say what there is.

    Raises:
        BadInput: No such kind; nothing to write; what writes the form is not installed.
        OSError: It can't be written.
    """
    wanted = chosen(kinds)
    recording = Recording(*files)
    made: dict[str, int]
    if form == "hftbacktest":
        made = _for_research(_events(recording, files, _FOR_RESEARCH, symbol), folder)
    else:
        writer: Writer = CsvWriter(folder) if form == "csv" else ParquetWriter(folder)
        for event in _events(recording, files, wanted, symbol):
            writer.add(event)
        writer.close()
        made = {str(path): writer.rows[kind] for kind, path in writer.files.items()}
    if not made:
        raise BadInput("nothing of that is in it", code="NOTHING_TO_EXPORT")
    if not recording.is_whole:
        say_error("the recording was cut off: its last second or so may be missing")
    if as_json:
        json_line({"rows": made, "is_whole": recording.is_whole})
        return
    for name, rows in made.items():
        console.print(f"{name}: {rows:,} rows", highlight=False)


def _for_research(events: Iterator[Event], folder: Path) -> dict[str, int]:
    """A file for each venue and symbol. Of trades and aggregated trades side by side, the aggregated ones are left out:
    they are the same trades."""
    writers: dict[str, HftBacktestWriter] = {}
    has_single: set[str] = set()
    held: dict[str, list[AggTrade]] = {}
    for event in events:
        name = f"{event.venue}-{event.symbol}"
        writer = writers.setdefault(name, HftBacktestWriter(event.symbol))
        if isinstance(event, AggTrade):
            held.setdefault(name, []).append(event)
            continue
        if isinstance(event, Trade):
            has_single.add(name)
        writer.add(event)
    made: dict[str, int] = {}
    for name, writer in writers.items():
        for trade in held.get(name, []) if name not in has_single else []:
            writer.add(trade)
        if writer.rows:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{name}.npz"
            made[str(path)] = writer.write(path)
    return made


def _events(
    recording: Recording, files: Sequence[Path], wanted: tuple[type[Event], ...], symbol: str | None
) -> Iterator[Event]:
    """With a bar where a terminal is there: by files, as packed ones don't say how long they are."""
    with Progress(console=errors, disable=not errors.is_terminal, transient=True) as progress:
        task = progress.add_task("reading", total=None)
        for number, event in enumerate(Replay(recording, load)):
            if number % 10_000 == 0:
                progress.update(task, description=f"{number:,} events of {len(files)} file(s)")
            if isinstance(event, wanted) and not isinstance(event, Unknown) and symbol in (None, event.symbol):
                yield event
