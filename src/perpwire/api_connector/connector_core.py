"""What every part of a connector stands on: its pieces, their beginning and their end."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from perpwire.api_connector.account_alarms import AccountAlarms
from perpwire.api_connector.arguments import Arguments
from perpwire.api_connector.batch_desk import BatchDesk
from perpwire.api_connector.book_keeper import BookKeeper
from perpwire.api_connector.budget_watch import BudgetWatch
from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.dead_man import DeadMan
from perpwire.api_connector.fill_keeper import FillKeeper
from perpwire.api_connector.guards import Guard, Guards, View
from perpwire.api_connector.handlers import Handlers
from perpwire.api_connector.history import History
from perpwire.api_connector.instrument_cache import OLD_S, InstrumentCache
from perpwire.api_connector.instrument_reading import read_instruments
from perpwire.api_connector.key_check import KeyCheck
from perpwire.api_connector.lag_watch import LagWatch
from perpwire.api_connector.ledger import Pool, RateLedger
from perpwire.api_connector.loop_watch import LoopWatch
from perpwire.api_connector.metrics import APIMetrics
from perpwire.api_connector.order_form import OrderForm
from perpwire.api_connector.overlaps import Overlaps
from perpwire.api_connector.position_modes import PositionModes
from perpwire.api_connector.private_stream import PrivateStream
from perpwire.api_connector.public_gaps import PublicGaps
from perpwire.api_connector.reconcile import Desk
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.retry import RetryPolicy
from perpwire.api_connector.routes import HttpRoute
from perpwire.api_connector.shared_budgets import shared_pools
from perpwire.api_connector.shared_contracts import Contracts, shared_contracts
from perpwire.api_connector.start_up import StartUp, StartUpReport
from perpwire.api_connector.trade_route import TradeRoute
from perpwire.api_connector.websocket_manager import StreamSettings, WebSocketManager
from perpwire.clock import Clock, SystemClock
from perpwire.credentials import Credentials
from perpwire.data_processor.account_state import AccountState
from perpwire.data_processor.order_tracker import OrderTracker
from perpwire.entropy import system_random
from perpwire.errors import APIError, BadInput
from perpwire.logs import IncidentLog
from perpwire.model.account import KeyInfo, MarginCall, Position
from perpwire.model.incident import (
    ChangeUnresolved,
    FrameGarbled,
    HandlerFailed,
    Incident,
    OrderDoubtful,
    OrderFailed,
    OrderResolved,
    PositionMismatch,
)
from perpwire.model.instrument import Instrument
from perpwire.model.market import ContractChanged, MarkPrice
from perpwire.model.order import Fill, Order
from perpwire.transport.base import HttpTransport, SocketTransport
from perpwire.transport.proxy import Proxy
from perpwire.venues.base import Call, Hosts, Road, Venue

if TYPE_CHECKING:
    from perpwire.api_connector.order_journal import JournalFile, OrderJournal

log = logging.getLogger("perpwire.api_connector")

TOLD_AT_THE_END = (ChangeUnresolved, OrderDoubtful, OrderFailed, OrderResolved, HandlerFailed)
"""While a connector is closed: what became of orders, and what goes wrong in programs that still hear of it. All else
is our own doing."""

T = TypeVar("T")


class _Parts(NamedTuple):
    """What exists between start and close."""

    requests: RequestPath
    orders: BatchDesk
    dead_man: DeadMan
    books: BookKeeper
    private: PrivateStream
    gaps: PublicGaps
    journal: OrderJournal | None
    trade: TradeRoute | None
    key: KeyCheck | None
    pools: tuple[Pool, Pool]


class ConnectorCore(Arguments):
    """A venue's REST calls, market streams, account stream and local books, behind one set of names.

    Use it as an async context manager. Nothing is sent before `async with`, and then the venue's time, its
    contracts and the key's rights are asked for, and nothing else.

    Args:
        venue: The venue's tables.
        api_key, secret_key: Empty for public data only. `secret_key` may be a private key; see Credentials.
        credentials: In place of these.
        env: "live", "testnet" or "demo".
        url: Base URL of an embedded exchange (http://127.0.0.1:PORT), in place of `env`.
        hosts: Hosts of your own, in place of both.
        proxy: For REST and sockets alike: http, https, socks5 or socks5h ://user:password@host:port.
        ssl_context: TLS settings of your own, for REST and sockets alike.
        check_key: Ask what the key may do, at the start and each six hours. A key with the right to withdraw is
            refused (NotAllowed), one that expires within two weeks or is not bound to addresses is warned of
            (KeyWarning).
        allow_withdrawal_key: Take a key with the right to withdraw all the same.
        timeout_s: Longest wait for one answer.
        settle_patience_s: How long to go on asking after an order whose answer was lost.
        road: How orders travel: "rest", or "websocket" where the venue's trading socket is live (else REST). Each order
            call can choose otherwise.
        guards: Limits of your own for orders; see guards.py. None: off.
        journal: A file (SQLite) in which orders stand before they are sent, so that a program that was killed settles
            them when it is started again; see docs/orders.md. A path, or a JournalFile for more. None: off.
        stream_settings: How streams are kept: copies, routes of your own; see StreamSettings.
        instruments_old_s: How old the contracts' rules may be, in seconds, before they are asked for anew.
        warm: Read the contracts' rules at the start, and wait for the trading socket where orders shall go by it, so
            that the first order costs no more than those after it. Off: they are asked for when first needed.
        clock, rng, http, sockets: For tests: time, randomness and transports of their own. Transports that are given
            are not closed by the connector.
    """

    def __init__(
        self,
        venue: Venue,
        api_key: str = "",
        secret_key: str = "",
        *,
        credentials: Credentials | None = None,
        env: str = "live",
        url: str | None = None,
        hosts: Hosts | None = None,
        proxy: Proxy | str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        check_key: bool = True,
        allow_withdrawal_key: bool = False,
        timeout_s: float = 10.0,
        settle_patience_s: float = 60.0,
        road: Road | str = Road.REST,
        guards: Guards | None = None,
        journal: JournalFile | Path | str | None = None,
        retry: RetryPolicy | None = None,
        stream_settings: StreamSettings | None = None,
        instruments_old_s: float = OLD_S,
        warm: bool = True,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        http: HttpTransport | None = None,
        sockets: SocketTransport | None = None,
    ) -> None:
        self.venue = venue
        if credentials is None and (api_key or secret_key):
            credentials = Credentials(api_key, secret_key)
        del api_key, secret_key  # a traceback may show variables
        proxy = Proxy(proxy) if isinstance(proxy, str) else proxy
        self._credentials = credentials
        self._proxy = proxy
        self._ssl_context = ssl_context
        self._checks_key = check_key
        self._allows_withdrawal_key = allow_withdrawal_key
        self.key_info: KeyInfo | None = None
        """What the venue said last that the key may do; None where it was not asked, or could not be."""
        self._clock: Clock = clock or SystemClock()
        self._rng = rng or system_random()
        self._timeout_s = timeout_s
        self._settle_patience_s = settle_patience_s
        self._road = Road(road)
        self._is_warm = warm
        self._journal = journal
        self._start_up_report = StartUpReport()
        self._retry = retry or RetryPolicy()
        self._http = http
        self._own_http = http is None
        self.metrics = APIMetrics()
        self.account_state = AccountState(
            OrderTracker(self._clock.monotonic_ns, triggers_make_orders=venue.triggers_make_orders)
        )
        self.ledger = RateLedger(venue.limits)
        self._sync = ClockSync(self._clock)
        self.streams = WebSocketManager(
            env=env,
            urls={} if url is None else {venue.name: url},
            hosts={} if hosts is None else {venue.name: hosts},
            heartbeat_s=venue.heartbeat_s,
            settings=stream_settings,
            proxy=proxy,
            ssl_context=ssl_context,
            clock=self._clock,
            rng=self._rng,
            sockets=sockets,
        )
        self._overlaps = Overlaps(self.streams.frames)
        self._hosts = self.streams.hosts(venue)
        self._on_incident: Handlers[[Incident]] = Handlers("incidents", IncidentLog())
        self.streams.belong_to(self._tell)
        self.loop_watch = LoopWatch(venue.name, self._clock, self._tell)
        """How long the event loop has stood still. It watches while the connector runs, by the machine's own time."""
        self._lag_watch = LagWatch(venue.name, self.streams, self._sync.lag_ms, self._clock, self._tell)
        self._budget_watch = BudgetWatch(venue.name, self.ledger, self._clock, self._tell)
        self._on_incident.add(self._budget_watch.on_incident)
        alarms = AccountAlarms(self._clock, self._tell)
        self.streams.on(MarginCall, alarms.on_margin_call)
        self.streams.on(Order, alarms.on_order)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.instruments = InstrumentCache(
            venue.name, self._ask_instruments, self._clock, old_s=instruments_old_s,
            resting=lambda: self.account_state.open_orders, on_incident=self._tell, shared=self._contracts,
        )  # fmt: skip
        self.streams.on(ContractChanged, self._on_contract)
        self.streams.on(Fill, self._on_account)
        self.streams.on(Order, self._on_account)
        self.streams.on(Position, self._on_account)
        self.position_modes = PositionModes(venue, self._clock, self._tell)
        view = View(self._mark_price, self._positions_of, self._open_orders_of)
        self.guard = Guard(guards, view, venue=venue.name, clock=self._clock, on_incident=self._tell)
        if guards is not None:
            self.streams.on(MarkPrice, self.guard.on_mark_price)
        self._form = OrderForm(venue, self.position_modes)
        self._id_prefix = f"pw-{self._rng.getrandbits(80):020x}-"
        self._ids_made = 0
        self._is_closing = False
        self._placing = 0
        """Orders whose outcome their callers still wait for."""
        self._parts: _Parts | None = None

    def __repr__(self) -> str:
        hosts = getattr(self, "_hosts", None)  # none yet where the constructor raises
        return f"<{type(self).__name__} {hosts.rest if hosts else 'unmade'}>"

    # --- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Measure the venue's clock; with a journal, settle what was left in doubt (see start_up_report).

        Raises:
            NotSent: The venue can't be reached.
            BadInput: The journal or the private key can't be used.
            AuthenticationFailed: The venue refuses the key.
            NotAllowed: The key may withdraw, which was not allowed (code WITHDRAWAL_RIGHTS).
        """
        if self._parts is not None:
            self._check_loop()
            return
        self._loop = asyncio.get_running_loop()
        self._is_closing = False
        self.streams.begin()
        if self._credentials is not None and self._credentials.is_complete:
            self._credentials.check()
        journal = self._open_journal()
        if self._http is None:
            # Imported only when it is really wanted: its imports take longer than the rest of the library's.
            from perpwire.transport.http1 import http_transport

            self._http = http_transport(proxy=self._proxy, ssl_context=self._ssl_context)
        pools = self._budgets()
        self.ledger.draw_on(*pools)
        requests = RequestPath(
            self.venue,
            HttpRoute(self.venue, self._http, self._hosts),
            hosts=self._hosts,
            road=self._road,
            timeout_s=self._timeout_s,
            credentials=self._credentials,
            clock=self._clock,
            clock_sync=self._sync,
            ledger=self.ledger,
            metrics=self.metrics,
            retry=self._retry,
            rng=self._rng,
            on_incident=self._tell,
        )
        trade = self._trade_route(requests)
        requests.use_socket(trade)
        desk = Desk(requests, self.venue, self._sync, self._clock, self.account_state.orders)
        orders = BatchDesk(
            desk,
            modes=self.position_modes,
            journal=journal,
            guard=self.guard,
            patience_s=self._settle_patience_s,
            on_incident=self._tell,
        )
        dead_man = DeadMan(self.venue, requests, self._clock, self._tell)
        books = BookKeeper(self.venue, self._hosts, self.streams, requests, self._clock, self._tell)
        gaps = PublicGaps(self.venue, requests, self.streams, self._clock, self._tell)
        fills = FillKeeper(
            self.venue, requests, self.streams.frames, self.account_state, self._sync, self._clock, journal, self._tell
        )
        private = PrivateStream(
            self.venue, self._hosts, self.streams, requests, self._clock, self._sync, self.account_state,
            self._credentials, fills, self._tell,
        )  # fmt: skip
        key = self._key_check(requests)
        self._parts = _Parts(requests, orders, dead_man, books, private, gaps, journal, trade, key, pools)
        try:
            await requests.start()
            if trade is not None and self._road is Road.WEBSOCKET:
                trade.open()
            if self._is_warm:
                await self._warm_up(trade)
            if key is not None:
                await key.first()
            if journal is not None:
                self._start_up_report = await StartUp(
                    desk,
                    journal,
                    patience_s=self._settle_patience_s,
                    search=lambda entry: orders.resolve(
                        entry.request, first_sent_ms=entry.sent_ms, certain_after_ms=entry.certain_after_ms
                    ),
                    on_incident=self._tell,
                ).run()
        except BaseException:
            await self.close()
            raise
        if isinstance(self._clock, SystemClock):  # time that is turned by hand does not pass while code runs
            self.loop_watch.start()
        self._lag_watch.start()
        self._budget_watch.start()
        if key is not None:
            key.start()

    async def _warm_up(self, trade: TradeRoute | None) -> None:
        """Whatever can't be had now is asked for when it is needed."""
        try:
            await self.instruments.all()
        except APIError as error:
            log.warning("%s: the contracts can't be read at the start: %s", self.venue.name, error)
        if trade is not None and self._road is Road.WEBSOCKET:
            await trade.first_try()

    async def close(self) -> None:
        """Close streams and connections; open orders are left as they are. What ends by it is no incident."""
        self._is_closing = True
        self.loop_watch.stop()
        self._lag_watch.stop()
        self._budget_watch.stop()
        parts, self._parts = self._parts, None
        if parts is not None:
            await parts.orders.close()
            await parts.requests.close()
            if parts.trade is not None:
                await parts.trade.close()
            if parts.key is not None:
                await parts.key.close()
            await parts.dead_man.close()
            await self.instruments.close()
            await parts.private.close()
            await parts.gaps.close()
            await parts.books.close()
            for pool in parts.pools:
                pool.give_up()
        await self.streams.close()
        if self._own_http and self._http is not None:
            await self._http.close()
            self._http = None
        if parts is not None and parts.journal is not None:
            parts.journal.close()

    def _open_journal(self) -> OrderJournal | None:
        if self._journal is None:
            return None
        if self._credentials is None:
            raise BadInput("a journal is of no use without an API key", venue=self.venue.name, code="NO_CREDENTIALS")
        # Imported only when it is wanted, as above.
        from perpwire.api_connector.order_journal import JournalFile, OrderJournal

        file = self._journal if isinstance(self._journal, JournalFile) else JournalFile(self._journal)
        return OrderJournal(file, self.venue.name, self._credentials.api_key, self._clock)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def _running(self) -> _Parts:
        if self._parts is None:
            raise BadInput(
                "the connector is not started", venue=self.venue.name, code="NOT_STARTED",
                advice="Use it as `async with connector:`, or await connector.start().",
            )  # fmt: skip
        self._check_loop()
        return self._parts

    def _check_loop(self) -> None:
        """
        Raises:
            BadInput: The connector was started in another event loop than this one: its sockets live there.
        """
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            return  # nothing is awaited outside of a loop
        if here is not self._loop:
            raise BadInput(
                f"the connector was started in {self._loop!r}, and is used from {here!r}", venue=self.venue.name,
                code="OTHER_LOOP", advice="Make and close a connector within one asyncio.run().",
            )  # fmt: skip

    @property
    def _path(self) -> RequestPath:
        return self._running.requests

    @property
    def _orders(self) -> BatchDesk:
        return self._running.orders

    def on_incident(self, handler: Callable[[Incident], None]) -> Callable[[], None]:
        """Call `handler` with each fact about connections, orders and limits (model/incident.py). Returns a function
        that ends it."""
        return self._on_incident.add(handler)

    def tell(self, incident: Incident) -> None:
        """Have an incident of whoever drives the connector heard where its own are: in the log, by its handlers; also
        before it has started, and where it could not."""
        self._on_incident.tell(incident)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _budgets(self) -> tuple[Pool, Pool]:
        key = self._credentials
        return shared_pools(
            self.venue.name,
            self.venue.limits,
            host=self._hosts.rest,
            way_out="" if self._proxy is None else self._proxy.way_out,
            api_key="" if key is None else key.api_key,
            clock=self._clock,
            network=None if self._own_http else self._http,
        )

    def _contracts(self) -> Contracts:
        return shared_contracts(
            self.venue.name,
            host=self._hosts.rest,
            clock=self._clock,
            network=None if self._own_http else self._http,
        )

    def _key_check(self, requests: RequestPath) -> KeyCheck | None:
        if not self._checks_key or self._credentials is None:
            return None

        def on_info(info: KeyInfo) -> None:
            self.key_info = info

        return KeyCheck(
            self.venue, requests, self._clock, self._sync, allow_withdrawal=self._allows_withdrawal_key,
            on_info=on_info, on_incident=self._tell,
        )  # fmt: skip

    def _trade_route(self, requests: RequestPath) -> TradeRoute | None:
        address = self.venue.trade_url(self._hosts)
        if address is None:
            return None
        return TradeRoute(
            self.venue,
            self._hosts,
            address,
            sockets=self.streams.transport,
            credentials=self._credentials,
            clock=self._clock,
            rng=self._rng,
            venue_ms=self._sync.venue_ms,
            pay=requests.pay,
            measure_clock=requests.measure_clock,
            on_incident=self._tell,
        )

    def _on_contract(self, contract: ContractChanged) -> None:
        if self._parts is not None and contract.venue == self.venue.name:
            self.instruments.refresh_soon()

    def _on_account(self, event: Fill | Order | Position) -> None:
        if self._parts is not None and event.venue == self.venue.name:
            self.instruments.on_heard(event.symbol)

    def _tell(self, incident: Incident) -> None:
        if self._is_closing and not isinstance(incident, TOLD_AT_THE_END):
            return
        if isinstance(incident, FrameGarbled) and self._parts is not None:
            self._parts.private.on_garbled(incident.connection)
        elif isinstance(incident, PositionMismatch):
            self.guard.on_mismatch(incident.symbol)
        self._on_incident.tell(incident)

    async def _ask_instruments(self) -> tuple[Instrument, ...]:
        return await read_instruments(self._path, self.venue, self._clock, self.instruments.last)

    async def _mark_price(self, symbol: str) -> MarkPrice:
        return self._only(await self._path.run(self.venue.mark_prices(symbol)), symbol)

    async def _positions_of(self, symbol: str) -> Iterable[Position]:
        if self._running.private.is_open:
            return [one for (name, _), one in self.account_state.positions.items() if name == symbol]
        return await self._path.run(self.venue.positions(symbol))

    async def _open_orders_of(self, symbol: str) -> Iterable[Order]:
        if self._running.private.is_open:
            return [one for one in self.account_state.open_orders if one.symbol == symbol]
        return await self._path.run(self.venue.open_orders(symbol))

    def _deadline_ns(self, deadline_s: float | None) -> int | None:
        if deadline_s is None:
            return None
        return self._clock.monotonic_ns() + round(self._seconds(deadline_s, "deadline_s") * 1e9)

    def _history(self, call: Call[tuple[T, ...]]) -> History[T]:
        return History(lambda: self._path.pages(call))

    def _only(self, rows: tuple[T, ...], symbol: str) -> T:
        if len(rows) != 1:
            raise self.venue._no_symbol(symbol, "is none of the venue's perpetual contracts")
        return rows[0]
