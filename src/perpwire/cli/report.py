"""What the demo found out, and whether the quality bars hold."""

from __future__ import annotations

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from perpwire.cli.checkpoints import BookReport

CUTS_PER_HOUR = 1
"""The stability bar is read as: all sockets are cut this often, and it takes as long as here to be in sync again."""


class VenueReport(msgspec.Struct):
    """One venue's figures; milliseconds and seconds as named."""

    venue: str
    placed: int = 0
    filled: int = 0
    cancelled: int = 0
    placed_at_exchange: int = 0
    filled_at_exchange: int = 0
    cancelled_at_exchange: int = 0
    events_sent: int = 0
    events_delivered: int = 0
    differences: list[str] = msgspec.field(default_factory=list)
    sockets_cut: int = 0
    reconnects: int = 0
    faults: int = 0
    recovered: int = 0
    away_s: float = 0.0
    failed: str | None = None
    requests: int = 0
    response_ms: dict[str, float] = msgspec.field(default_factory=dict)
    stream_ms: dict[str, float] = msgspec.field(default_factory=dict)

    @property
    def orders_agree(self) -> bool:
        ours = (self.placed, self.filled, self.cancelled)
        return ours == (self.placed_at_exchange, self.filled_at_exchange, self.cancelled_at_exchange)

    @property
    def accurate(self) -> bool:
        return not self.differences and self.events_delivered == self.events_sent > 0

    @property
    def stability(self) -> float:
        """Share of time live and in sync when all sockets are cut CUTS_PER_HOUR times an hour."""
        return 1 - self.away_s * CUTS_PER_HOUR / 3600

    @property
    def recovery(self) -> float:
        return self.recovered / self.faults if self.faults else 1.0


class Bar(msgspec.Struct):
    """One stated quality bar, and what was measured."""

    name: str
    wanted: str
    measured: str
    holds: bool


class Report(msgspec.Struct):
    """The demo's result."""

    seconds: float
    seed: int
    replay: str | None
    venues: list[VenueReport]
    alerts: list[str]
    book: BookReport | None

    @property
    def bars(self) -> list[Bar]:
        bars = []
        for one in self.venues:
            p95, share = one.response_ms["p95"], one.stability
            accuracy = one.events_delivered / one.events_sent if one.events_sent else 0.0
            bars += [
                Bar(f"{one.venue} API response time", "p95 < 100 ms", f"p95 {p95:.1f} ms", p95 < 100),
                Bar(
                    f"{one.venue} connection stability",
                    "99.9 %",
                    f"{share:.4%} at {CUTS_PER_HOUR} cut an hour, {one.away_s:.2f} s until in sync again",
                    share >= 0.999 and one.reconnects >= one.sockets_cut > 0,
                ),
                Bar(
                    f"{one.venue} error recovery",
                    "95 %",
                    f"{one.recovery:.0%} of {one.faults} faults",
                    one.recovery >= 0.95 and one.faults > 0,
                ),
                Bar(
                    f"{one.venue} data accuracy",
                    "100 %",
                    f"{accuracy:.2%} of {one.events_sent} events" + ("" if one.accurate else ", NOT EQUAL"),
                    one.accurate,
                ),
                Bar(
                    f"{one.venue} WebSocket latency",
                    "p99 < 10 ms",
                    f"p99 {one.stream_ms['p99']:.3f} ms",
                    one.stream_ms["p99"] < 10,
                ),
                Bar(
                    f"{one.venue} orders agree with the exchange",
                    "all",
                    f"{one.placed} placed, {one.filled} filled, {one.cancelled} cancelled",
                    one.orders_agree,
                ),
                Bar(f"{one.venue} every step done", "all", one.failed or "all", one.failed is None),
            ]
        if self.book is not None:
            book = self.book
            words = f"{book.checked} of {book.expected} checkpoints, {len(book.wrong)} differences"
            bars.append(Bar("book equals the recording", "every checkpoint", words, self.book_holds))
        return bars

    @property
    def book_holds(self) -> bool:
        return self.book is None or (not self.book.wrong and self.book.checked == self.book.expected)

    @property
    def holds(self) -> bool:
        return all(bar.holds for bar in self.bars)

    def facts(self) -> dict[str, object]:
        """As one JSON object."""
        return {**msgspec.to_builtins(self), "bars": msgspec.to_builtins(self.bars), "holds": self.holds}


NARROW = 72
"""Columns of a terminal below which words of a table of bars would be cut: each is a list then."""


def render(report: Report, width: int = NARROW) -> RenderableType:
    """The report as tables, for so many columns."""
    figures = Table(title=f"perpwire demo: {report.seconds:.1f} s, seed {report.seed}"
                    + (f", replaying {report.replay}" if report.replay else ""))  # fmt: skip
    figures.add_column("")
    for one in report.venues:
        figures.add_column(one.venue, justify="right")

    def row(name: str, cells: list[str]) -> None:
        figures.add_row(name, *cells)

    row("orders placed / filled / cancelled", [f"{v.placed} / {v.filled} / {v.cancelled}" for v in report.venues])
    row("the same at the exchange", [f"{v.placed_at_exchange} / {v.filled_at_exchange} / {v.cancelled_at_exchange}"
                                     for v in report.venues])  # fmt: skip
    row("events delivered", [f"{v.events_delivered}" for v in report.venues])
    row("events in the exchange's journal", [f"{v.events_sent}" for v in report.venues])
    row("delivered equals journal", ["equal" if v.accurate else "NOT EQUAL" for v in report.venues])
    row("sockets cut / reconnects", [f"{v.sockets_cut} / {v.reconnects}" for v in report.venues])
    row("requests", [f"{v.requests}" for v in report.venues])
    row("response time p50 / p95 / p99 / max, ms", [_figures(v.response_ms) for v in report.venues])
    row("stream latency p50 / p95 / p99 / max, ms", [_figures(v.stream_ms, 3) for v in report.venues])
    if width < NARROW:
        bars = Table(title="quality bars", box=None, show_header=False, pad_edge=False)
        for _ in range(2):
            bars.add_column(overflow="fold")
        for bar in report.bars:
            bars.add_row(_verdict(bar), bar.name)
            bars.add_row("", f"{bar.measured} (wanted: {bar.wanted})")
    else:
        bars = Table(title="quality bars")
        for column in ("bar", "wanted", "measured", ""):
            bars.add_column(column)
        for bar in report.bars:
            bars.add_row(bar.name, bar.wanted, bar.measured, _verdict(bar))
    wrong = [line for v in report.venues for line in v.differences] + (report.book.wrong if report.book else [])
    notes = Text("\n".join([*wrong[:20], f"alerts: {len(report.alerts)}", *(f"  {one}" for one in report.alerts)]))
    return Group(figures, bars, notes)


def _verdict(bar: Bar) -> str:
    return "[green]holds[/]" if bar.holds else "[bold red]MISSED[/]"


def _figures(by_name: dict[str, float], digits: int = 1) -> str:
    return " / ".join(f"{by_name[name]:.{digits}f}" for name in ("p50", "p95", "p99", "max"))
