"""What is known of one symbol on one venue, fed by handlers; for the tables of `watch` and `demo`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.printing import Facts, lines as text_lines, words
from perpwire.data_processor.local_book import LocalBook
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, MarkPrice, Trade
from perpwire.model.numbers import ARITHMETIC

SHOWN: tuple[type[Event], ...] = (Trade, BookTicker, MarkPrice)

TAPE = 30
"""Trades kept of each row."""

LAGS = 200
"""Lags kept of each row, of which the 95th percentile is told."""

BASIS_POINT = Decimal("0.0001")

COLUMNS = ("venue", "symbol", "bid", "bid_quantity", "ask", "ask_quantity", "spread", "last", "mark", "funding_rate",
           "edge_bp", "edge_to", "trades_per_s", "events_per_s", "lag_ms", "lag_p95_ms", "state")  # fmt: skip
DROPPED = ("events_per_s", "ask_quantity", "bid_quantity", "trades_per_s", "edge_to", "lag_p95_ms", "funding_rate",
           "spread", "last", "mark", "lag_ms", "edge_bp")  # fmt: skip
"""What is left out where there is no room, the first first."""

TEXTS = ("venue", "symbol", "edge_to", "state")
"""What stands to the left of its column."""


class Row:
    """One symbol on one venue."""

    def __init__(self, connector: VenueConnector, symbol: str) -> None:
        self.connector = connector
        self.symbol = symbol
        self.ticker: BookTicker | None = None
        self.trade: Trade | None = None
        self.mark: MarkPrice | None = None
        self.book: LocalBook | None = None
        self.tape: deque[Trade] = deque(maxlen=TAPE)
        self.lag_ms: float | None = None
        self.events = 0
        self.trades = 0
        self.events_per_s = 0.0
        self.trades_per_s = 0.0
        self._lags: deque[float] = deque(maxlen=LAGS)
        kinds: tuple[type[Event], ...] = (*SHOWN, BookDelta, BookSnapshot)
        for kind in kinds:
            connector.on(kind, self._on_event, symbol)

    def _on_event(self, event: Event) -> None:
        self.events += 1
        match event:
            case BookTicker():
                self.ticker = event
                self.lag_ms = self.connector.lag_ms(event)
                if self.lag_ms is not None:
                    self._lags.append(self.lag_ms)
            case Trade():
                self.trade = event
                self.trades += 1
                self.tape.append(event)
            case MarkPrice():
                self.mark = event

    def tick(self, seconds: float) -> None:
        """Turn counts into rates, every refresh."""
        self.events_per_s, self.events = self.events / seconds, 0
        self.trades_per_s, self.trades = self.trades / seconds, 0

    @property
    def venue(self) -> str:
        return self.connector.venue.name

    @property
    def state(self) -> str:
        states = set(self.connector.states.values())
        return "live" if states == {State.LIVE} else "/".join(sorted(state.value for state in states))

    @property
    def lag_p95_ms(self) -> float | None:
        if not self._lags:
            return None
        ordered = sorted(self._lags)
        return ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]

    def edge(self, rows: Sequence[Row]) -> tuple[Decimal, str] | None:
        """What it would bring to sell here at the bid and buy where the ask is lowest elsewhere, in basis points of
        that ask and before fees, and where that is; None where nobody else has a quote of the symbol."""
        asks = [
            (row.ticker.ask_price, row.venue)
            for row in rows
            if row is not self and row.symbol == self.symbol and row.ticker is not None
        ]
        if self.ticker is None or not asks:
            return None
        ask, venue = min(asks)
        gain = ARITHMETIC.divide(self.ticker.bid_price - ask, ask)
        return ARITHMETIC.divide(gain, BASIS_POINT).quantize(Decimal("0.01")), venue

    def facts(self, rows: Sequence[Row] = (), levels: int = 0) -> dict[str, Any]:
        """As one JSON object; numbers as text, exactly as the venue sent them.

        Args:
            rows: Those of the other venues, for the edge.
            levels: Of the local book, a side.
        """
        ticker, mark = self.ticker, self.mark
        edge = self.edge(rows)
        lag_p95_ms = self.lag_p95_ms
        found: dict[str, Any] = {
            "venue": self.venue,
            "symbol": self.symbol,
            "bid": _text(ticker.bid_price if ticker else None),
            "bid_quantity": _text(ticker.bid_quantity if ticker else None),
            "ask": _text(ticker.ask_price if ticker else None),
            "ask_quantity": _text(ticker.ask_quantity if ticker else None),
            "spread": _text(ticker.ask_price - ticker.bid_price if ticker else None),
            "last": _text(self.trade.price if self.trade else None),
            "mark": _text(mark.mark_price if mark else None),
            "funding_rate": _text(mark.funding_rate if mark else None),
            "edge_bp": _text(edge[0] if edge else None),
            "edge_to": edge[1] if edge else None,
            "trades_per_s": round(self.trades_per_s, 1),
            "events_per_s": round(self.events_per_s, 1),
            "lag_ms": None if self.lag_ms is None else round(self.lag_ms, 1),
            "lag_p95_ms": None if lag_p95_ms is None else round(lag_p95_ms, 1),
            "state": self.state,
        }
        if levels:
            found |= self.ladder(levels)
        return found

    def ladder(self, levels: int) -> dict[str, Any]:
        """The local book's best levels, price and quantity as text; None while it is not proven."""
        book = self.book
        if book is None or not book.is_in_sync:
            return {"bids": None, "asks": None}
        return {
            "bids": [[_text(price), _text(quantity)] for price, quantity in book.bids(levels)],
            "asks": [[_text(price), _text(quantity)] for price, quantity in book.asks(levels)],
        }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")


def table(rows: Sequence[Row], title: str = "", width: int | None = None, caption: str | None = None) -> Table:
    """
    Args:
        width: Columns of the terminal; None: all is shown.
    """
    found = [row.facts(rows) for row in rows]
    columns = _fitting(found, width)
    if not columns:
        return _narrow(found, title, caption)
    shown = Table(title=title or None, caption=caption, expand=False)
    for column in columns:
        shown.add_column(_head(column), justify="left" if column in TEXTS else "right", no_wrap=True)
    for facts in found:
        shown.add_row(*(_cell(column, facts[column]) for column in columns))
    return shown


def _narrow(found: Sequence[Facts], title: str, caption: str | None) -> Table:
    """Two lines a row: whose it is and its state, then bid, ask and edge."""
    shown = Table(title=title or None, caption=caption, box=None, show_header=False, pad_edge=False)
    for _ in range(2):
        shown.add_column(overflow="fold")
    for facts in found:
        bid, ask, edge = (_cell(column, facts[column]) for column in ("bid", "ask", "edge_bp"))
        shown.add_row(f"{facts['venue']} {facts['symbol']}", _cell("state", facts["state"]))
        shown.add_row(Text.assemble("  ", bid, " / ", ask), Text("") if edge.plain == "-" else edge.append(" bp"))
    return shown


def _fitting(found: Sequence[Facts], width: int | None) -> list[str]:
    """The columns for which there is room; none where there is not enough for those that a row needs."""
    widths = {
        column: max(map(len, [_head(column), *(str(facts[column]) for facts in found)])) + len(" | ")
        for column in COLUMNS
    }
    if width is None:
        return list(widths)
    for column in (*DROPPED, ""):
        if sum(widths.values()) + 1 <= width:
            return list(widths)
        widths.pop(column, None)
    return []


def _head(column: str) -> str:
    return {"lag_ms": "lag ms", "lag_p95_ms": "p95 ms"}.get(column, words(column))


def _cell(column: str, value: object) -> Text:
    style = ""
    if column == "state":
        style = "green" if value == "live" else "bold yellow"
    elif column == "edge_bp" and value is not None:
        style = "bold green" if not str(value).startswith("-") else ""
    return Text("-" if value is None else str(value), style=style)


def plain_lines(rows: Sequence[Row]) -> list[str]:
    """Header and rows for where no terminal is."""
    found: list[Facts] = [{name: _wide(value) for name, value in row.facts(rows).items()} for row in rows]
    return text_lines(COLUMNS, found)


def _wide(value: object) -> object:
    return "-" if value is None else value
