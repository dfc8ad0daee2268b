"""`perpwire watch`: a live table of books, trades, mark prices and lags, for symbols on any venues."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table

from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.connecting import connectors
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, MarkPrice, Trade

SHOWN: tuple[type[Event], ...] = (Trade, BookTicker, MarkPrice)


class Row:
    """What the table says of one symbol on one venue; fed by handlers."""

    def __init__(self, connector: VenueConnector, symbol: str) -> None:
        self.connector = connector
        self.symbol = symbol
        self.ticker: BookTicker | None = None
        self.trade: Trade | None = None
        self.mark: MarkPrice | None = None
        self.lag_ms: float | None = None
        self.events = 0
        self.trades = 0
        self.events_per_s = 0.0
        self.trades_per_s = 0.0
        kinds: tuple[type[Event], ...] = (*SHOWN, BookDelta, BookSnapshot)
        for kind in kinds:
            connector.on(kind, self._on_event, symbol)

    def _on_event(self, event: Event) -> None:
        self.events += 1
        match event:
            case BookTicker():
                self.ticker = event
                self.lag_ms = self.connector.lag_ms(event)
            case Trade():
                self.trade = event
                self.trades += 1
            case MarkPrice():
                self.mark = event

    def tick(self, seconds: float) -> None:
        """Turn counts into rates, every refresh."""
        self.events_per_s, self.events = self.events / seconds, 0
        self.trades_per_s, self.trades = self.trades / seconds, 0

    @property
    def state(self) -> str:
        states = set(self.connector.states.values())
        return "live" if states == {State.LIVE} else "/".join(sorted(state.value for state in states))

    def facts(self) -> dict[str, object]:
        """As one JSON object; numbers as text, exactly as the venue sent them."""
        ticker, mark = self.ticker, self.mark
        return {
            "venue": self.connector.venue.name,
            "symbol": self.symbol,
            "bid": _text(ticker.bid_price if ticker else None),
            "bid_quantity": _text(ticker.bid_quantity if ticker else None),
            "ask": _text(ticker.ask_price if ticker else None),
            "ask_quantity": _text(ticker.ask_quantity if ticker else None),
            "spread": _text(ticker.ask_price - ticker.bid_price if ticker else None),
            "last": _text(self.trade.price if self.trade else None),
            "mark": _text(mark.mark_price if mark else None),
            "funding_rate": _text(mark.funding_rate if mark else None),
            "trades_per_s": round(self.trades_per_s, 1),
            "events_per_s": round(self.events_per_s, 1),
            "lag_ms": None if self.lag_ms is None else round(self.lag_ms, 1),
            "state": self.state,
        }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")


COLUMNS = ("venue", "symbol", "bid", "ask", "spread", "last", "mark", "funding_rate", "trades_per_s", "events_per_s",
           "lag_ms", "state")  # fmt: skip


def table(rows: Sequence[Row], title: str = "perpwire watch") -> Table:
    shown = Table(title=title, caption="Ctrl-C ends it")
    for column in COLUMNS:
        words = column.replace("_per_s", "/s").replace("lag_ms", "lag ms").replace("_", " ")
        shown.add_column(words, justify="left" if column in ("venue", "symbol", "state") else "right")
    for row in rows:
        facts = row.facts()
        shown.add_row(*("-" if facts[column] is None else str(facts[column]) for column in COLUMNS))
    return shown


async def watch(
    symbols: Sequence[str],
    venues: Sequence[str],
    env: str,
    urls: Sequence[str],
    *,
    seconds: float | None,
    as_json: bool,
    console: Console,
) -> None:
    """Show until interrupted, or for `seconds`; see the module docstring.

    Raises:
        APIError: A venue can't be reached, or a symbol is unknown.
    """
    async with connectors(venues, env, urls, private=False) as started:
        rows = []
        for connector in started.values():
            names = [(await connector.get_instrument(symbol)).symbol for symbol in symbols]
            rows += [Row(connector, name) for name in names]
            await connector.subscribe(SHOWN, names)
        loop = asyncio.get_running_loop()
        ends = None if seconds is None else loop.time() + seconds
        period = 1.0 if as_json else 0.25
        if as_json:
            while ends is None or loop.time() < ends:
                await asyncio.sleep(period)
                for row in rows:
                    row.tick(period)
                    console.out(msgspec.json.encode(row.facts()).decode(), highlight=False)
            return
        with Live(table(rows), console=console, refresh_per_second=8) as live:
            while ends is None or loop.time() < ends:
                await asyncio.sleep(period)
                for row in rows:
                    row.tick(period)
                live.update(table(rows))
