"""What `perpwire watch` shows on a terminal: as much of it as there is room for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rich.columns import Columns
from rich.console import ConsoleDimensions, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from perpwire.cli.market_rows import Row, table
from perpwire.model.incident import Incident
from perpwire.model.market import Level, Trade
from perpwire.model.numbers import plain
from perpwire.monitoring.bars import Bar

BOOK_WIDTH = 38
TRADES = 8
INCIDENTS = 4
FRAME = 2
"""Lines of a panel's borders."""


class Screen:
    """Puts it together anew for each size of the terminal."""

    def __init__(self, levels: int) -> None:
        self.incidents: deque[Incident] = deque(maxlen=INCIDENTS)
        self.bars: Sequence[Bar] = ()
        self._levels = levels

    def shown(self, rows: Sequence[Row], size: ConsoleDimensions) -> RenderableType:
        width, height = size
        parts: list[RenderableType] = [table(rows, "perpwire watch", width, "Ctrl-C ends it")]
        left = height - len(rows) - 7
        if self.bars and left > 0:
            parts.append(_bars(self.bars))
            left -= 1
        if self.incidents and left > len(self.incidents):
            parts.append(self._incidents())
            left -= len(self.incidents) + FRAME
        panels = max(1, -(-len(rows) // max(1, width // (BOOK_WIDTH + 1))))  # one above the other
        levels = min(self._levels, (left // panels - FRAME - 1) // 2)
        if levels > 0:
            parts.append(Columns([_book(row, levels) for row in rows], equal=False))
            left -= panels * (2 * levels + FRAME + 1)
        if left >= 4:
            parts.append(_tape(rows, min(TRADES, left - FRAME)))
        return Group(*parts)

    def _incidents(self) -> RenderableType:
        told = [
            Text(f"{_clock(one.time_ns // 1_000_000)}  {one.venue}: {one.detail}", style="yellow", overflow="ellipsis",
                 no_wrap=True)
            for one in self.incidents
        ]  # fmt: skip
        return Panel(Group(*told), title="incidents", title_align="left")


def _bars(bars: Sequence[Bar]) -> Text:
    """The user's quality bars, as they stand, on one line."""
    line = Text(no_wrap=True, overflow="ellipsis").append("quality bars  ", style="bold")
    for bar in bars:
        style = {True: "green", False: "bold red", None: "dim"}[bar.holds]
        missed = " MISSED" if bar.holds is False else ""
        line.append(f"{bar.name.replace('_', ' ')} {_value(bar)}{missed}   ", style=style)
    return line


def _value(bar: Bar) -> str:
    if bar.value is None:
        return "-"
    return f"{bar.value * 1000:.3g} ms" if bar.unit == "s" else f"{bar.value * 100:.4g} %"


def _book(row: Row, levels: int) -> RenderableType:
    """The best levels, asks above bids, with bars as long as the quantity is large."""
    title = f"{row.venue} {row.symbol}"
    book = row.book
    if book is None or not book.is_in_sync:
        return Panel(Text(book.why_not if book else "no book", style="yellow"), title=title, width=BOOK_WIDTH)
    bids, asks = book.bids(levels), book.asks(levels)
    most = max((quantity for _, quantity in (*bids, *asks)), default=Decimal(1))
    grid = Table.grid(padding=(0, 1))
    for _ in range(2):
        grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    for level in reversed(asks):
        grid.add_row(*_level(level, most, "red"))
    spread = book.spread
    grid.add_row(Text("" if spread is None else f"spread {plain(spread)}", style="dim"), "", "")
    for level in bids:
        grid.add_row(*_level(level, most, "green"))
    return Panel(grid, title=title, width=BOOK_WIDTH)


def _level(level: Level, most: Decimal, style: str) -> tuple[Text, Text, Text]:
    price, quantity = level
    length = max(1, int(quantity / most * 10))
    return Text(plain(price), style=style), Text(plain(quantity)), Text("█" * length, style=style)


def _tape(rows: Sequence[Row], count: int) -> RenderableType:
    """The newest trades of all, newest first."""
    trades = sorted((trade for row in rows for trade in row.tape), key=lambda one: one.received_ns, reverse=True)
    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "left", "left", "right", "right"):
        grid.add_column(justify=justify, no_wrap=True)
    for trade in trades[:count]:
        grid.add_row(*_trade(trade))
    return Panel(grid if trades else Text("no trades yet", style="dim"), title="trades", title_align="left")


def _trade(trade: Trade) -> Sequence[RenderableType]:
    side, style = ("buy", "green") if trade.taker_is_buyer else ("sell", "red")
    return (
        Text(_clock(trade.venue_time_ms)),
        Text(trade.venue),
        Text(trade.symbol),
        Text(side, style=style),
        Text(plain(trade.price), style=style),
        Text(plain(trade.quantity)),
    )


def _clock(time_ms: int) -> str:
    """Time of day, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
