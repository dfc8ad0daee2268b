"""`perpwire watch`: quotes, trades, books, spreads across venues, mark prices and lags, live."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.connecting import Plan, connectors
from perpwire.cli.market_rows import SHOWN, Row, plain_lines
from perpwire.cli.printing import json_line
from perpwire.cli.running import errors
from perpwire.cli.watch_screen import Screen
from perpwire.clock import SystemClock
from perpwire.errors import BookNotInSync
from perpwire.model.incident import Incident
from perpwire.monitoring.observer import Observer

LEVELS = 5
"""Of each book, a side, where a terminal is there."""

FRAME_S = 0.25
LINE_S = 1.0


async def watch(
    symbols: Sequence[str],
    made: Plan,
    *,
    levels: int | None,
    seconds: float | None,
    as_json: bool,
    console: Console,
) -> None:
    """Show until interrupted, or for `seconds`; see the module docstring.

    Args:
        levels: Of each local book, a side; None: LEVELS where a terminal is there, else no books.

    Raises:
        APIError: A venue can't be reached, or a symbol is unknown.
    """
    is_live = console.is_terminal and not as_json
    depth = (LEVELS if is_live else 0) if levels is None else levels
    screen = Screen(depth)

    def on_incident(incident: Incident) -> None:
        screen.incidents.append(incident)

    async with connectors(made, private=False, on_incident=on_incident) as started:
        with errors.status(f"connecting: {', '.join(started)}"):
            rows = [row for connector in started.values() for row in await _open(connector, symbols, depth)]
        loop = asyncio.get_running_loop()
        ends = None if seconds is None else loop.time() + seconds

        async def tick(period: float) -> bool:
            if ends is not None and loop.time() >= ends:
                return False
            await asyncio.sleep(period if ends is None else min(period, max(0.0, ends - loop.time())))
            for row in rows:
                row.tick(period)
            return True

        if as_json:
            while await tick(LINE_S):
                for row in rows:
                    json_line(row.facts(rows, depth))
        elif not is_live:
            header = ""
            while await tick(LINE_S):
                first, *others = plain_lines(rows)
                # Columns may come to be wider: then they are named anew.
                for line in others if first == header else [first, *others]:
                    console.out(line, highlight=False)
                header = first
        else:
            observer = Observer(SystemClock())
            for connector in started.values():
                observer.add(connector)
            observer.start()
            try:
                with Live(screen.shown(rows, console.size), console=console, screen=True, auto_refresh=False) as live:
                    while await tick(FRAME_S):
                        screen.bars = observer.snapshot().bars
                        live.update(screen.shown(rows, console.size), refresh=True)
            finally:
                observer.close()


async def _open(connector: VenueConnector, symbols: Sequence[str], depth: int) -> list[Row]:
    names = [(await connector.get_instrument(symbol)).symbol for symbol in symbols]
    rows = [Row(connector, name) for name in names]
    await connector.subscribe(SHOWN, names)
    if depth:
        try:
            for row, book in zip(rows, await connector.open_books(names), strict=True):
                row.book = book
        except BookNotInSync:
            pass  # the others are worth watching; the screen says that there is no book
    return rows
