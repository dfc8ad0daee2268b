"""`perpwire demo`: the main job, offline, against the embedded exchange, with trouble on purpose, and a report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from perpwire.api_connector.guards import CAUTIOUS
from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.checkpoints import BookCheck, expectations
from perpwire.cli.connecting import SIM_KEY
from perpwire.cli.journal_check import Delivered, differences, sent
from perpwire.cli.market_rows import Row, table
from perpwire.cli.report import Report, VenueReport, render
from perpwire.clock import SystemClock
from perpwire.errors import PerpwireError
from perpwire.model.account import Balance, Position
from perpwire.model.incident import BookRecovered, ConnectionLost, ConnectionRecovered, Incident
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, MarkPrice, Trade
from perpwire.model.order import Fill, Order, OrderStatus, OrderType, Side
from perpwire.notification.alert import Alert
from perpwire.notification.notifier import Notifier
from perpwire.notification.sinks import AppriseSink, CallableSink, Sink
from perpwire.simulator.faults import Answer, LoseAnswer
from perpwire.simulator.server import running
from perpwire.simulator.simulation import Simulation
from perpwire.venues import load
from perpwire.venues.base import Road

STEP_TIMEOUT_S = 20.0
"""No step waits longer than this for what it expects; then the demo fails and says so."""

BESIDE = 24
"""Columns of what stands beside a bar of progress."""

JOURNAL = 3_000_000
"""Entries kept: everything of an hour's run."""

EVENTS: tuple[type[Event], ...] = (
    Trade, BookTicker, BookDelta, BookSnapshot, MarkPrice, Order, Fill, Position, Balance,
)  # fmt: skip


class StepFailed(PerpwireError):
    """What a step waited for did not happen."""


class VenueJob:
    """The whole job on one venue: account, streams, orders, faults; counts what it did and saw."""

    def __init__(
        self,
        name: str,
        simulation: Simulation,
        symbols: Sequence[str],
        untouched: frozenset[int],
        say: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self.symbols = symbols
        self.symbol = symbols[0]
        self.simulation = simulation
        self.connector = VenueConnector(
            load(name), credentials=SIM_KEY, url=simulation.urls[name], road="websocket", guards=CAUTIOUS
        )
        self.delivered = Delivered()
        self.report = VenueReport(venue=name)
        self.rows = [Row(self.connector, symbol) for symbol in symbols]
        self._untouched = untouched
        self._clock = SystemClock()
        self._say = say
        self._changed = asyncio.Event()
        self._orders: dict[str, Order] = {}
        self._filled: dict[str, Decimal] = {}
        self._positions: dict[str, Position] = {}
        self._outages_s: list[float] = []
        self._lost = 0
        self._books_rebuilt = 0
        self.steps = (
            self._look_at_account,
            self._open_streams,
            self._rest_amend_and_cancel,
            self._open_position,
            self._protect_position,
            self._lose_an_answer,
            self._survive_an_error_page,
            self._lose_every_socket,
            self._close_position,
        )
        self.steps_done = 0
        for kind in EVENTS:
            self.connector.on(kind, self.delivered.on_event)
            self.connector.on(kind, self._on_event)
        self.connector.on_incident(self._on_incident)

    async def run(self) -> None:
        """All steps, in order, up to one that fails: the report says which."""
        for step in self.steps:
            try:
                await step()
                self.steps_done += 1
            except PerpwireError as error:
                self.report.failed = str(error)
                self._say(self.name, f"FAILED: {error}")
                return

    # --- steps ----------------------------------------------------------------------------------------------------

    async def _look_at_account(self) -> None:
        account = await self.connector.get_account_info()
        positions = await self.connector.get_positions()
        self._say(self.name, f"account: equity {account.equity:,.2f}, {len(positions)} open positions")

    async def _open_streams(self) -> None:
        await self.connector.open_account_stream()
        for symbol in self.symbols:
            await self.connector.open_book(symbol)
        await self.connector.subscribe((Trade, BookTicker, MarkPrice), self.symbols)
        await self._until(lambda: all(row.ticker is not None for row in self.rows), "a first quote of each symbol")
        self._say(self.name, f"streams live: {', '.join(sorted(self.connector.states))}")

    async def _rest_amend_and_cancel(self) -> None:
        price = await self._price_below_market(Decimal("0.02"))
        order = await self._place(Side.BUY, OrderType.LIMIT, price=price)
        await self._until(lambda: self._status(order) is OrderStatus.NEW, "the limit order resting")
        amended = await self._price_below_market(Decimal("0.025"))
        await self.connector.amend_order(self.symbol, order.order_id, price=amended)
        await self._until(lambda: self._orders[order.client_order_id].price == amended, "the amended price")
        await self._cancel(order)
        self._say(self.name, f"limit order placed at {price}, amended to {amended}, cancelled")

    async def _open_position(self) -> None:
        order = await self._place(Side.BUY, OrderType.MARKET)
        await self._until(lambda: self._status(order) is OrderStatus.FILLED, "the market order filled")
        await self._until(lambda: self._filled.get(order.order_id) == order.quantity, "every fill of it")
        await self._until(lambda: self._position() == order.quantity, "the position opened")
        shown = self._orders[order.client_order_id]
        self._say(self.name, f"market order filled: {shown.filled_quantity} at {shown.average_price}")

    async def _protect_position(self) -> None:
        """A stop with one id from its placing to its end, whatever the venue makes of it."""
        trigger = await self._price_below_market(Decimal("0.1"))
        stop = await self.connector.place_order(
            self.symbol, Side.SELL, self._position(), OrderType.STOP_MARKET, trigger_price=trigger, reduce_only=True
        )
        await self._until(lambda: self._status(stop) is OrderStatus.UNTRIGGERED, "the stop waiting")
        listed = [order.order_id for order in await self.connector.get_open_orders(self.symbol)]
        if listed != [stop.order_id]:
            raise StepFailed(f"{self.name}: the stop is listed as {listed}")
        await self._cancel(stop)
        self._say(self.name, f"position protected by a stop at {trigger}, which is cancelled again")

    async def _lose_an_answer(self) -> None:
        """The exchange takes the order in, and its answer is lost. It must be found, and not be placed twice."""
        before = len(self.simulation.exchanges[self.name].orders("main", None))
        self.report.faults += 1
        self.simulation.faults[self.name].add(LoseAnswer(method="POST", path="*/order*"))
        price = await self._price_below_market(Decimal("0.02"))
        order = await self._place(Side.BUY, OrderType.LIMIT, price=price, road=Road.REST)
        placed = len(self.simulation.exchanges[self.name].orders("main", None)) - before
        if placed != 1:
            raise StepFailed(f"{self.name}: an order whose answer was lost stands {placed} times at the exchange")
        await self._until(lambda: self._status(order) is OrderStatus.NEW, "the order resting")
        await self._cancel(order)
        self._fault_survived("an order's answer lost: found, not repeated, cancelled")

    async def _survive_an_error_page(self) -> None:
        self.report.faults += 1
        page = "<html><body>503 Service Unavailable</body></html>"
        self.simulation.faults[self.name].add(Answer(method="GET", path="*/position*", status=503, body=page))
        await self.connector.get_positions()
        self._fault_survived("an HTML error page in place of positions: asked again")

    async def _lose_every_socket(self) -> None:
        self._outages_s.clear()
        self._lost = 0
        sockets = len(self.connector.states)
        rebuilt = self._books_rebuilt
        began_ns = self._clock.monotonic_ns()
        cut = 0
        for number, connection in list(self.simulation.hosts[self.name].connections.items()):
            if number not in self._untouched:
                connection.cut()
                cut += 1
        self.report.sockets_cut = cut
        self.report.faults += cut
        await self._until(lambda: self._lost >= sockets, "the loss of every socket noticed")
        await self._until(lambda: len(self._outages_s) >= sockets, "every socket live again")
        await self._until(
            lambda: (
                set(self.connector.states.values()) == {State.LIVE}
                and self._books_rebuilt >= rebuilt + len(self.symbols)
            ),
            "every book in sync again",
        )
        self.report.recovered += cut
        self.report.away_s = (self._clock.monotonic_ns() - began_ns) / 1e9
        self._say(self.name, f"{cut} sockets cut; live again, with books in sync, after {self.report.away_s:.2f} s")

    async def _close_position(self) -> None:
        order = await self.connector.close_position(self.symbol)
        if order is None:
            raise StepFailed(f"{self.name}: no position to close")
        self.report.placed += 1
        await self._until(lambda: self._status(order) is OrderStatus.FILLED, "the closing order filled")
        await self._until(lambda: self._position() == 0, "the position closed")
        self._say(self.name, "position closed by a reduce-only market order")

    # --- small pieces ---------------------------------------------------------------------------------------------

    async def _place(
        self, side: Side, kind: OrderType, price: Decimal | None = None, road: Road | None = None
    ) -> Order:
        instrument = await self.connector.get_instrument(self.symbol)
        reference = price or (self.rows[0].ticker.ask_price if self.rows[0].ticker else Decimal(1))
        least = max(instrument.min_quantity, (instrument.min_notional or Decimal(0)) * 2 / reference)
        quantity = instrument.round_quantity(least, "up")
        order = await self.connector.place_order(self.symbol, side, quantity, kind, price=price, road=road)
        self.report.placed += 1
        return order

    async def _cancel(self, order: Order) -> None:
        await self.connector.cancel_order(self.symbol, order.order_id)
        await self._until(lambda: self._status(order) is OrderStatus.CANCELED, "the order cancelled")

    async def _price_below_market(self, fraction: Decimal) -> Decimal:
        instrument = await self.connector.get_instrument(self.symbol)
        best = (await self.connector.open_book(self.symbol)).best_bid
        if best is None:
            raise StepFailed(f"{self.name}: the book has no bids")
        return instrument.round_price(best[0] * (1 - fraction), "down")

    def _status(self, order: Order) -> OrderStatus | None:
        known = self._orders.get(order.client_order_id)
        return known.status if known is not None else None

    def _position(self) -> Decimal:
        known = self._positions.get(self.symbol)
        return known.quantity if known is not None else Decimal(0)

    def _fault_survived(self, what: str) -> None:
        self.report.recovered += 1
        self._say(self.name, what)

    def _on_event(self, event: Event) -> None:
        match event:
            case Order():
                known = self._orders.get(event.client_order_id)
                if known is None or not known.status.is_final:
                    self._orders[event.client_order_id] = event
                    if event.status is OrderStatus.FILLED:
                        self.report.filled += 1
                    elif event.status is OrderStatus.CANCELED and not event.is_conditional:
                        self.report.cancelled += 1
            case Fill():
                self._filled[event.order_id] = self._filled.get(event.order_id, Decimal(0)) + event.quantity
            case Position():
                self._positions[event.symbol] = event
        self._changed.set()

    def _on_incident(self, incident: Incident) -> None:
        match incident:
            case ConnectionLost():
                self._lost += 1
            case ConnectionRecovered():
                self._outages_s.append(incident.outage_s)
            case BookRecovered():
                self._books_rebuilt += 1
        self._changed.set()

    async def _until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds; looked at again after each event and incident."""
        try:
            async with asyncio.timeout(STEP_TIMEOUT_S):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise StepFailed(f"{self.name}: {what}: not within {STEP_TIMEOUT_S:g} s") from None

    async def conclude(self) -> None:
        """Compare with the journal what was delivered so far, once what is under way has arrived."""
        journal = self.simulation.journal[self.name]
        # The market goes on: a stream may speak for the first time after the journal is read, and is not compared then.
        spoken = set(self.delivered.by_stream)
        frames = [
            (str(entry.connection), entry.text)
            for entry in journal.entries(kind="sent")
            if entry.connection not in self._untouched
        ]
        expected = sent(self.name, frames)
        total = sum(len(keys) for keys in expected.values())

        def arrived() -> bool:
            return all(len(self.delivered.by_stream[stream]) >= len(keys) for stream, keys in expected.items())

        try:
            await self._until(arrived, "every event of the journal delivered")
        except StepFailed:
            pass  # the comparison below says exactly what is missing
        self.report.events_sent = total
        compared = {s: keys for s, keys in self.delivered.by_stream.items() if s in spoken or s in expected}
        self.report.differences = differences(expected, compared)
        if journal.dropped:
            self.report.differences.append(f"the journal overflowed by {journal.dropped} entries: it proves nothing")
        self.report.events_delivered = sum(
            len(self.delivered.by_stream[stream][: len(keys)]) for stream, keys in expected.items()
        )
        self._count_at_exchange()
        trading = self.connector.trade_route
        self.report.reconnects = sum(self.connector.streams.reconnects.values())
        self.report.reconnects += trading.reconnects if trading is not None else 0
        stats = self.connector.metrics.get_stats()
        self.report.requests = int(stats["total_requests"])
        self.report.response_ms = {
            "p50": stats["p50_response_time"] * 1e3,
            "p95": stats["p95_response_time"] * 1e3,
            "p99": stats["p99_response_time"] * 1e3,
            "max": stats["max_response_time"] * 1e3,
        }
        latency = self.connector.streams.frames.latency_ns
        self.report.stream_ms = {f"p{q * 100:g}": latency.quantile(q) / 1e6 for q in (0.5, 0.95, 0.99)}
        self.report.stream_ms["max"] = latency.max / 1e6

    def _count_at_exchange(self) -> None:
        for order in self.simulation.exchanges[self.name].orders("main", None):
            self.report.placed_at_exchange += 1
            self.report.filled_at_exchange += order.status is OrderStatus.FILLED
            self.report.cancelled_at_exchange += order.status is OrderStatus.CANCELED


async def demo(
    *,
    venues: Sequence[str],
    seed: int,
    replay: Path | None,
    expect: Path | None,
    speed: float,
    seconds: float,
    alert_urls: Sequence[str],
    as_json: bool,
    console: Console,
) -> bool:
    """Run it and print the report.

    Returns:
        Whether every bar holds.

    Raises:
        APIError: A venue can't be reached at all.
    """
    clock = SystemClock()
    began_ns = clock.monotonic_ns()

    def elapsed_s() -> float:
        return (clock.monotonic_ns() - began_ns) / 1e9

    alerts: list[Alert] = []
    steps: list[str] = []
    symbols = ("BTCUSDT",) if replay is not None else ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    async with AsyncExitStack() as stack:
        simulation = await stack.enter_async_context(
            running(venues=tuple(venues), seed=seed, replay=replay, speed=speed, journal_capacity=JOURNAL)
        )
        sinks: list[Sink] = [CallableSink(alerts.append)]
        if alert_urls:
            sinks.append(AppriseSink(alert_urls))
        notifier = Notifier(sinks)
        await notifier.start()
        stack.push_async_callback(notifier.close)

        def say(venue: str, what: str) -> None:
            steps.append(f"{elapsed_s():6.2f} s  {venue:8} {what}")

        check: BookCheck | None = None
        if replay is not None and "binance" in venues:
            # A second connector that no fault touches follows the recording from its first frame to its last.
            auditor = await stack.enter_async_context(VenueConnector(load("binance"), url=simulation.urls["binance"]))
            check = BookCheck(expectations(replay, expect))
            await check.follow(auditor, symbols[0])
        jobs = [
            VenueJob(name, simulation, symbols, frozenset(simulation.hosts[name].connections), say) for name in venues
        ]
        for job in jobs:
            job.connector.on_incident(notifier.on_incident)
            await stack.enter_async_context(job.connector)

        async def everything() -> None:
            await asyncio.gather(*(job.run() for job in jobs))
            if check is not None:
                await check.finish()
            left_s = seconds - elapsed_s()
            if left_s > 0:
                await asyncio.sleep(left_s)
            await asyncio.gather(*(job.conclude() for job in jobs))

        rows = [row for job in jobs for row in job.rows]
        if as_json or not console.is_terminal:
            await everything()
        else:
            with Live(console=console, refresh_per_second=8) as live:
                showing = asyncio.create_task(
                    _show(live, rows, steps, lambda: _progress(jobs, elapsed_s(), seconds, console.width))
                )
                try:
                    await everything()
                finally:
                    showing.cancel()
        await notifier.close()  # so that every alert is told before they are listed
        report = Report(
            seconds=elapsed_s(),
            seed=seed,
            replay=replay.name if replay is not None else None,
            venues=[job.report for job in jobs],
            alerts=[f"{alert.severity}: {alert.title}" for alert in alerts],
            book=check.report if check is not None else None,
        )
    if as_json:
        console.out(msgspec.json.encode(report.facts()).decode(), highlight=False)
    else:
        if not console.is_terminal:
            console.print("\n".join(steps), highlight=False)
        console.print(render(report, console.width))
    return report.holds


def _progress(jobs: Sequence[VenueJob], elapsed_s: float, seconds: float, width: int) -> RenderableType:
    """How far each venue is, and how long it shall go on at least."""
    grid = Table.grid(padding=(0, 1))
    length = max(5, min(40, width - BESIDE))
    for job in jobs:
        done, total = job.steps_done, len(job.steps)
        grid.add_row(job.name, ProgressBar(total=total, completed=done, width=length), f"{done} of {total} steps")
    if seconds:
        shown_s = min(elapsed_s, seconds)
        grid.add_row(
            "time", ProgressBar(total=seconds, completed=shown_s, width=length), f"{shown_s:.0f} of {seconds:g} s"
        )
    return grid


async def _show(live: Live, rows: Sequence[Row], steps: Sequence[str], progress: Callable[[], RenderableType]) -> None:
    while True:
        for row in rows:
            row.tick(0.25)
        shown = table(rows, "perpwire demo", live.console.width)
        live.update(Group(shown, progress(), Text("\n".join(steps[-12:]))))
        await asyncio.sleep(0.25)
