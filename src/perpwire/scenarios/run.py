"""One scenario for one seed on one venue: the world it plays in, and what is known of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.journal_check import Delivered
from perpwire.clock import ManualClock, SystemClock
from perpwire.data_processor.local_book import LocalBook
from perpwire.errors import APIError, NotSent, OutcomeUnknown, VenueRefused
from perpwire.model.account import Balance, Position
from perpwire.model.incident import Incident, OrderDoubtful, OrderResolved
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, Kline, MarkPrice, Trade
from perpwire.model.order import Fill, Order
from perpwire.scenarios import invariants
from perpwire.scenarios.candles_heard import CandlesHeard
from perpwire.scenarios.marks_heard import MarksHeard
from perpwire.scenarios.orders_heard import OrdersHeard
from perpwire.scenarios.quotes_heard import QuotesHeard
from perpwire.scenarios.registry import Scenario
from perpwire.scenarios.tapping import Tap
from perpwire.scenarios.trades_heard import TradesHeard
from perpwire.scenarios.wires import Wires, over_sockets
from perpwire.simulator.faults import AnyFault
from perpwire.simulator.host import Host
from perpwire.simulator.specs import AccountSpec
from perpwire.testing import World, offline

KEY = AccountSpec(api_key="canary-key-7f3a91", secret_key="canary-secret-c04e55")  # noqa: S106 - meant to be found
"""What must not turn up anywhere."""

LONGEST_S = 26 * 3600.0
"""Virtual seconds; what takes longer hangs."""

SLACK_S = 1.0
"""What a busy machine may take longer over real sockets than a limit says; nothing in virtual time."""

SOCKETS_SETTLE_S = 3.0
ARRIVED_S = 0.2

PUBLIC: tuple[type[Event], ...] = (Trade, BookTicker, BookDelta, BookSnapshot, MarkPrice)
PRIVATE: tuple[type[Event], ...] = (Order, Fill, Position, Balance)


class Attempt(msgspec.Struct):
    """An order that was meant to be placed, and what its caller was told."""

    client_order_id: str
    told: Order | APIError


class Run:
    """What a scenario plays with.

    Attributes:
        venue: Which one.
        random: Of the seed; everything that a scenario leaves to chance is drawn from it.
        attempts: Orders placed by `place`.
        symbols: Those whose streams are followed.
        is_real: Whether it is played over real sockets, by the machine's clock.
        slack_s: What may be added to every limit of time there.
        follows_account: Whether the account stream was opened: then the connector has to know the account.
        is_compared: What was delivered is compared with what was sent; False: the scenario does so itself.
        tap: What the connector sends.
        trades, quotes, marks, candles, orders: What the connector told of them, and what the exchange had.
        broken: What a scenario found not to hold; see `check`.
    """

    def __init__(self, world: World, venue: str, seed: int, name: str) -> None:
        self.world = world
        self.venue = venue
        self.clock = world.clock
        self.connector: VenueConnector = world.connectors[venue]
        self.tap = Tap(world.network, world.clock, world.simulation.urls[venue], self.connector._sync.venue_ms)
        self.broken: list[str] = []
        self.is_real = isinstance(world.network, Wires)
        self.slack_s = SLACK_S if self.is_real else 0.0
        self.host: Host = world.simulation.hosts[venue]
        self.random = Random(f"{seed}/{venue}/{name}")
        self.attempts: list[Attempt] = []
        self.delivered = Delivered()
        self.fills: list[Fill] = []
        self.incidents: list[Incident] = []
        self.books: dict[str, LocalBook] = {}
        self.symbols: tuple[str, ...] = ()
        self.follows_account = False
        self.is_compared = True
        self.wanted: set[str] = set()
        """Topics that others than the connector have subscribed."""
        self.fills_before = 0
        self.orders_before = 0
        """Of the exchange, when the account's stream was opened."""
        self.facts: dict[str, int] = {}
        """What a scenario counted, to be told with what everybody is told."""
        self.recovered_trades: set[tuple[str, str]] = set()
        """Symbols and ids of public trades that were read back."""
        self.recovered_orders: set[str] = set()
        """Ids of orders that were read back: what the stream says of them later may be told already."""
        self.trades = TradesHeard(self.connector)
        self.quotes = QuotesHeard(self.host.exchange, self.connector, self.clock)
        self.marks = MarksHeard(self.host.exchange, self.connector, self.clock)
        self.candles = CandlesHeard(self.connector)
        self.orders = OrdersHeard(self.connector)
        self._ids = 0
        for kind in (*PUBLIC, *PRIVATE):
            self.connector.on(kind, self.delivered.on_event)
        self.connector.on(Fill, self.fills.append)
        self.connector.on(Trade, self._note_recovered)
        self.connector.on(Order, self._note_recovered_order)
        self.connector.on_incident(self.incidents.append)

    def _note_recovered(self, trade: Trade) -> None:
        if trade.recovered:
            self.recovered_trades.add((trade.symbol, str(trade.trade_id)))

    def _note_recovered_order(self, order: Order) -> None:
        if order.recovered:
            self.recovered_orders.add(order.order_id)

    def check(self, holds: bool, what: str) -> None:
        """Note down what does not hold."""
        if not holds:
            self.broken.append(what)

    @property
    def now_s(self) -> float:
        """Seconds of the true clock since the run began."""
        return self.clock.monotonic_ns() / 1e9

    async def until(self, seconds: float) -> None:
        """Wait for this moment of the run; nothing where it is past."""
        await self.clock.sleep(max(0.0, seconds - self.now_s))

    # --- what scenarios do --------------------------------------------------------------------------------------------

    def fault(self, *faults: AnyFault) -> None:
        for fault in faults:
            self.host.faults.add(fault)

    async def follow(self, *symbols: str, books: Iterable[str] = ()) -> None:
        """Open the account stream, the symbols' public streams, and local books."""
        self.symbols = symbols
        self.fills_before = len(self.host.exchange.fills(KEY.name, None))
        self.orders_before = len(self.host.exchange.orders(KEY.name, None))
        await self.connector.open_account_stream()
        self.follows_account = True
        if symbols:
            await self.connector.subscribe((Trade, BookTicker, MarkPrice), symbols)
            await self.connector.subscribe(Kline, symbols, interval="1m")
        for symbol in books:
            self.books[symbol] = await self.connector.open_book(symbol)

    async def place(self, symbol: str, side: str, quantity: str, **more: Any) -> Order | None:
        """Place an order under a client id of its own; None where the caller is told that it failed, or may have."""
        self._ids += 1
        name = f"run-{self._ids}"
        try:
            order = await self.connector.place_order(symbol, side, quantity, client_order_id=name, **more)
        except APIError as error:
            self.attempts.append(Attempt(name, error))
            return None
        self.attempts.append(Attempt(name, order))
        return order

    async def trade(self, orders: int, symbol: str = "BTCUSDT", pause_s: float = 1.0) -> None:
        """So many orders, as chance will have it: at the market, resting, some of which are cancelled again."""
        resting: list[Order] = []
        for _ in range(orders):
            side = self.random.choice(("BUY", "SELL"))
            quantity = str(Decimal(self.random.randint(1, 20)) / 1000)
            if self.random.random() < 0.5:
                await self.place(symbol, side, quantity)
            else:
                away = Decimal(self.random.randint(-5, 40)) / 1000
                middle = self.host.exchange.mark_price(symbol)
                price = middle * (1 - away if side == "BUY" else 1 + away)
                order = await self.place(symbol, side, quantity, order_type="LIMIT", price=price, round="nearest")
                if order is not None:
                    resting.append(order)
            if resting and self.random.random() < 0.4:
                chosen = resting.pop(self.random.randrange(len(resting)))
                with suppress(APIError):
                    await self.connector.cancel_order(symbol, chosen.order_id)
            await self.clock.sleep(self.random.uniform(0.0, 2 * pause_s))

    async def in_turn(self, parts: Iterable[Awaitable[None]]) -> None:
        """One part after the other; all at once where time is real, as they do not touch each other."""
        if self.is_real:
            await asyncio.gather(*parts)
            return
        for part in parts:
            await part
            await self.clock.sleep(self.random.uniform(0.5, 2.0))

    # --- afterwards ---------------------------------------------------------------------------------------------------

    @property
    def journals(self) -> bytes:
        """Everything that happened, as text."""
        entries = self.host.journal.entries()
        return b"\n".join(msgspec.json.encode(entry) for entry in entries)


class Outcome(msgspec.Struct):
    """What came of a scenario.

    Attributes:
        problems: What does not hold; empty when all is well.
        fingerprint: Of the journal, to the byte.
        virtual_s: How long it lasted by its own clock.
        facts: Counts that show that something happened.
        sockets: It was played over real ones, in real time.
    """

    scenario: str
    venue: str
    seed: int
    problems: list[str]
    fingerprint: str = ""
    virtual_s: float = 0.0
    facts: dict[str, int] = msgspec.field(default_factory=dict)
    sockets: bool = False

    @property
    def again(self) -> str:
        """The command that plays it again."""
        command = f"python -m perpwire.scenarios {self.scenario} --venue {self.venue} --first {self.seed} --seeds 1 -v"
        return f"{command} --sockets" if self.sockets else command


class _Ear(logging.Handler):
    """Keeps everything that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def play(scenario: Scenario, venue: str, seed: int, *, sockets: bool = False) -> Outcome:
    """Play it in virtual time, or over real sockets in real time; settle, and check what must hold."""
    clock = SystemClock() if sockets else ManualClock()
    began_ns = clock.monotonic_ns()
    outcome = Outcome(scenario=scenario.name, venue=venue, seed=seed, problems=[], sockets=sockets)
    ear = _Ear()
    heard_of = [logging.getLogger(name) for name in ("perpwire", "asyncio")]
    before = [logger.propagate for logger in heard_of]
    for logger in heard_of:
        logger.addHandler(ear)
        logger.propagate = False
    try:
        whole = _within(scenario, venue, seed, clock, outcome)
        if isinstance(clock, ManualClock):
            clock.run(whole)
        else:
            asyncio.run(whole)
        gc.collect()  # what nobody asked for the end of says so when it goes
    except Exception as error:
        outcome.problems.append(f"the scenario itself failed: {type(error).__name__}: {error}")
    finally:
        for logger, propagate in zip(heard_of, before, strict=True):
            logger.removeHandler(ear)
            logger.propagate = propagate
    outcome.virtual_s = (clock.monotonic_ns() - began_ns) / 1e9
    outcome.problems += invariants.of_logs(ear.records, (KEY.api_key, KEY.secret_key))
    return outcome


async def _within(
    scenario: Scenario, venue: str, seed: int, clock: ManualClock | SystemClock, outcome: Outcome
) -> None:
    loop = asyncio.get_running_loop()
    unheard: list[str] = []
    loop.set_exception_handler(lambda _, context: unheard.append(_told(context)))
    tasks_before = asyncio.all_tasks()
    async with asyncio.timeout(LONGEST_S):
        options: Any = {"rate": 5.0, "journal_capacity": 5_000_000, "accounts": (KEY,), **scenario.options}
        options |= {"venues": (venue,), "seed": seed}
        settle_s = scenario.settle_s
        if isinstance(clock, SystemClock):
            opened, settle_s = over_sockets(clock, **options), min(settle_s, SOCKETS_SETTLE_S)
        else:
            opened = offline(clock=clock, **options)
        async with opened as world:
            run = Run(world, venue, seed, scenario.name)
            await scenario.play(run)
            outcome.problems += run.broken
            run.host.faults.clear()
            await clock.sleep(settle_s)
            if run.is_real:  # what is on its way just when it is looked for is neither lost nor delivered
                run.host.exchange.close()
                await clock.sleep(ARRIVED_S)
            outcome.problems += await invariants.of_state(run)
            outcome.facts = {**_facts(run), **run.facts}
    for _ in range(5):
        await asyncio.sleep(SLACK_S / 5 if run.is_real else 0)
    outcome.problems += invariants.of_ends(run, asyncio.all_tasks() - tasks_before)
    outcome.problems += [f"an exception that nobody retrieved: {one}" for one in unheard]
    journals = run.journals
    outcome.problems += invariants.of_secrets("the journal", journals.decode(), (KEY.api_key, KEY.secret_key))
    outcome.fingerprint = hashlib.sha256(journals).hexdigest()[:16]


def _told(context: dict[str, Any]) -> str:
    return f"{context.get('message')} {context.get('exception')!r}"


def _facts(run: Run) -> dict[str, int]:
    told: Sequence[object] = [attempt.told for attempt in run.attempts]
    journal = run.host.journal.entries()
    doubted = {one.client_order_id for one in run.incidents if isinstance(one, OrderDoubtful)}
    settled = {
        one.client_order_id
        for one in run.incidents
        if isinstance(one, OrderResolved) and one.outcome in ("ACCEPTED", "NOT_PLACED")
    }
    return {
        "doubted": len(doubted),
        "settled": len(doubted & settled),
        "orders": len(told),
        "not_sent": sum(isinstance(one, NotSent) for one in told),
        "refused": sum(isinstance(one, VenueRefused) for one in told),
        "unknown": sum(isinstance(one, OutcomeUnknown) for one in told),
        "fills": len(run.host.exchange.fills(KEY.name, None)),
        "events": run.delivered.count,
        "faults": sum(entry.kind == "fault" or bool(entry.done) for entry in journal),
        "incidents": len(run.incidents),
    }
