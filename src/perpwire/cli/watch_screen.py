"""What `perpwire watch` shows on a terminal: as much of it as there is room for."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from textwrap import wrap

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
TRADE = ("time", "venue", "symbol", "side", "price", "quantity")
INCIDENTS = 4
FRAME, BORDERS = 2, 4
"""Lines and columns of a panel's borders."""

INCIDENT_LINES = 3
"""Most that one incident may take."""


class Screen:
    """Puts it together anew for each size of the terminal."""

    def __init__(self, levels: int) -> None:
        self.incidents: deque[Incident] = deque(maxlen=INCIDENTS)
        self.bars: Sequence[Bar] = ()
        self._levels = levels

    def shown(self, rows: Sequence[Row], size: ConsoleDimensions) -> RenderableType:
        width, height = size
        head = table(rows, "perpwire watch", width, "Ctrl-C ends it")
        parts: list[RenderableType] = [head]
        left = height - head.row_count - (3 if head.box is None else 7)
        bars = _bars(self.bars, width)
        if len(bars) <= left:
            parts += bars
            left -= len(bars)
        told = self._told(width - BORDERS, left - FRAME)
        if told:
            parts.append(Panel(Text("\n".join(told), style="yellow"), title="incidents", title_align="left"))
            left -= len(told) + FRAME
        panels = max(1, -(-len(rows) // max(1, width // (BOOK_WIDTH + 1))))  # one above the other
        levels = min(self._levels, (left // panels - FRAME - 1) // 2)
        if levels > 0 and width >= BOOK_WIDTH:
            parts.append(Columns([_book(row, levels) for row in rows], equal=False))
            left -= panels * (2 * levels + FRAME + 1)
        if left >= 4 and (tape := _tape(rows, min(TRADES, left - FRAME), width - BORDERS)) is not None:
            parts.append(tape)
        return Group(*parts)

    def _told(self, width: int, most: int) -> list[str]:
        """Lines of the newest incidents, so many as there is room for, oldest first; none is begun and not ended."""
        told: list[str] = []
        for one in reversed(self.incidents):
            words = f"{_clock(one.time_ns // 1_000_000)}  {one.venue}: {one.detail}"
            lines = wrap(words, width, subsequent_indent="  ", max_lines=INCIDENT_LINES, placeholder=" ...")
            if len(told) + len(lines) > most:
                break
            told = lines + told
        return told


def _bars(bars: Sequence[Bar], width: int) -> list[Text]:
    """The user's quality bars, as they stand, on one line or, where it is too narrow, several."""
    lines: list[Text] = []
    for bar in bars:
        style = {True: "green", False: "bold red", None: "dim"}[bar.holds]
        missed = " MISSED" if bar.holds is False else ""
        words = Text(f"{bar.name.replace('_', ' ')} {_value(bar)}{missed}", style=style)
        if not lines:
            lines.append(Text().append("quality bars", style="bold"))
        if lines[-1].cell_len + 3 + words.cell_len <= width:
            lines[-1].append("   ").append_text(words)
        else:
            lines.append(words)
    return lines


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


def _tape(rows: Sequence[Row], count: int, width: int) -> RenderableType | None:
    """The newest trades of all, newest first; where it is narrow without their times, and without what is the same of
    all rows; None where that does not help."""
    trades = sorted((trade for row in rows for trade in row.tape), key=lambda one: one.received_ns, reverse=True)
    told = [_trade(trade) for trade in trades[:count]]
    same = [name for name in ("venue", "symbol") if len({getattr(row, name) for row in rows}) == 1]
    for dropped, gap in (((), 2), (("time",), 2), (("time", *same), 1)):
        columns = {name: [one[name] for one in told] for name in TRADE if name not in dropped}
        needed = sum(max((text.cell_len for text in one), default=0) + gap for one in columns.values()) - gap
        if needed <= width:
            grid = Table.grid(padding=(0, gap))
            for name in columns:
                grid.add_column(justify="right" if name in ("price", "quantity") else "left", no_wrap=True)
            for texts in zip(*columns.values(), strict=True):
                grid.add_row(*texts)
            return Panel(grid if told else Text("no trades yet", style="dim"), title="trades", title_align="left")
    return None


def _trade(trade: Trade) -> Mapping[str, Text]:
    side, style = ("buy", "green") if trade.taker_is_buyer else ("sell", "red")
    told = (_clock(trade.venue_time_ms), trade.venue, trade.symbol, side, plain(trade.price), plain(trade.quantity))
    return {
        name: Text(words, style=style if name in ("side", "price") else "")
        for name, words in zip(TRADE, told, strict=True)
    }


def _clock(time_ms: int) -> str:
    """Time of day, UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
