"""`perpwire record`: the connectors' taps into a file, with a line that shows how it goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.connecting import Plan, connectors
from perpwire.cli.printing import json_line
from perpwire.clock import SystemClock
from perpwire.config.streams import CANDLES, KINDS
from perpwire.data_processor.recording import Recorder
from perpwire.errors import APIError
from perpwire.model.incident import ConnectionRecovered, Incident
from perpwire.model.market import BookDelta, Event
from perpwire.venues.base import SnapshotSource

RECORDED: dict[str, type[Event]] = {**KINDS, "depth": BookDelta}
LEVELS = 1000
"""Of a book that is read over REST, a side."""


async def record(
    symbols: Sequence[str],
    made: Plan,
    *,
    kinds: Sequence[str],
    account: bool,
    folder: Path,
    packing: str,
    rotate_s: float,
    seconds: float | None,
    as_json: bool,
    console: Console,
) -> None:
    """Record until interrupted, or for `seconds`; then say what there is.

    Raises:
        APIError: A venue can't be reached, or a symbol is unknown.
        OSError: Nothing can be written.
    """
    recorder = Recorder(folder, clock=SystemClock(), packing=packing, rotate_s=rotate_s)
    recorder.start()
    books = _Books(recorder)
    try:
        async with connectors(made, private=account, on_incident=recorder.note) as started:
            for connector in started.values():
                connector.streams.frames.tap = recorder.tap
                await _subscribe(connector, symbols, kinds, account, books)
            await _show(recorder, seconds, console, is_live=console.is_terminal and not as_json)
    except asyncio.CancelledError:
        pass  # Ctrl-C is how most recordings end: what was recorded is told all the same
    finally:
        await books.close()
        await recorder.close()
    if recorder.failed is not None:
        raise OSError(f"the recording can't be written: {recorder.failed}")
    said = {"frames": recorder.frames, "bytes": recorder.bytes, "dropped": recorder.dropped,
            "files": [str(path) for path in recorder.files]}  # fmt: skip
    if as_json:
        json_line(said)
        return
    console.print(f"{recorder.frames:,} frames in {len(recorder.files)} file{'s' * (len(recorder.files) != 1)}:")
    for path in recorder.files:
        console.print(f"  {path}", highlight=False)


async def _subscribe(
    connector: VenueConnector, symbols: Sequence[str], kinds: Sequence[str], account: bool, books: _Books
) -> None:
    names = [(await connector.get_instrument(symbol)).symbol for symbol in symbols]
    for kind in kinds:
        await connector.subscribe([RECORDED[kind]], names, interval=CANDLES if kind == "klines" else None)
    if account:
        await connector.open_account_stream()
    if "depth" in kinds and connector.venue.book_rule.source is SnapshotSource.REST:
        await books.follow(connector, names)


class _Books:
    """Whole books beside the changes of them, where streams have none: at the start, and after each loss."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._tasks: set[asyncio.Task[None]] = set()

    async def follow(self, connector: VenueConnector, symbols: Sequence[str]) -> None:
        await self._read(connector, symbols)

        def back(incident: Incident) -> None:
            if isinstance(incident, ConnectionRecovered):
                task = asyncio.ensure_future(self._read(connector, symbols))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        connector.on_incident(back)

    async def _read(self, connector: VenueConnector, symbols: Sequence[str]) -> None:
        for symbol in symbols:
            try:
                self._recorder.note_book(await connector.get_order_book(symbol, LEVELS))
            except APIError as error:
                self._recorder.note_no_book(connector.venue.name, symbol, error.reason)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _show(recorder: Recorder, seconds: float | None, console: Console, *, is_live: bool) -> None:
    loop = asyncio.get_running_loop()
    ends_s = None if seconds is None else loop.time() + seconds
    with console.status("recording") if is_live else contextlib.nullcontext() as status:
        while ends_s is None or loop.time() < ends_s:
            await asyncio.sleep(0.25 if ends_s is None else min(0.25, max(0.0, ends_s - loop.time())))
            if status is not None:
                lost = f", {recorder.dropped:,} dropped" if recorder.dropped else ""
                status.update(f"{recorder.frames:,} frames, {recorder.bytes / 1e6:,.1f} MB{lost}; Ctrl-C ends it")
            if recorder.failed is not None:
                return
