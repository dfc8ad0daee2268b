"""The one implementation of ExchangeConnector, over any Venue; it joins the pieces of this package."""

from __future__ import annotations

import asyncio
import difflib
import random
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from perpwire.api_connector.book_keeper import BookKeeper
from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.event_queue import EventQueue, Overflow
from perpwire.api_connector.exchange_connector import ExchangeConnector
from perpwire.api_connector.ledger import RateLedger
from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.metrics import APIMetrics
from perpwire.api_connector.private_stream import PrivateStream
from perpwire.api_connector.reconcile import settle_order
from perpwire.api_connector.request_path import HttpRoute, RequestPath
from perpwire.api_connector.retry import RetryPolicy
from perpwire.api_connector.websocket_manager import WebSocketManager, tell
from perpwire.clock import Clock, SystemClock
from perpwire.credentials import Credentials
from perpwire.data_processor.account_state import AccountState
from perpwire.data_processor.book_sync import LocalBook
from perpwire.entropy import system_random
from perpwire.errors import APIError, BadInput, Garbled, InsufficientBalance, OutcomeUnknown, UnknownOrder
from perpwire.model.account import AccountInfo, Position
from perpwire.model.incident import BalanceInsufficient, FrameGarbled, Incident, OrderDoubtful, OrderFailed
from perpwire.model.instrument import ROUNDINGS, Instrument, Rounding
from perpwire.model.market import BookSnapshot, Event
from perpwire.model.numbers import Number, exact
from perpwire.model.order import Order, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from perpwire.transport.base import HttpTransport, SocketTransport
from perpwire.venues.base import Venue

E = TypeVar("E", bound=Event)
W = TypeVar("W", bound=StrEnum)


class _Parts(NamedTuple):
    """What exists between start and close."""

    requests: RequestPath
    books: BookKeeper
    private: PrivateStream


class VenueConnector(ExchangeConnector):
    """A venue's REST calls, market streams, account stream and local books, behind one set of names.

    Use it as an async context manager. Nothing is sent before `async with`, and then only the venue's time is asked.

    Args:
        venue: The venue's tables.
        api_key, secret_key: Empty for public data only.
        env: "live", "testnet" or "demo".
        url: Base URL of an embedded exchange (http://127.0.0.1:PORT), in place of `env`.
        timeout_s: Longest wait for one answer.
        settle_patience_s: How long to go on asking after an order whose answer was lost.
        clock, rng, http, sockets: For tests: time, randomness and transports of their own. Transports that are given
            are not closed by the connector.
    """

    def __init__(
        self,
        venue: Venue,
        api_key: str = "",
        secret_key: str = "",
        *,
        env: str = "live",
        url: str | None = None,
        timeout_s: float = 10.0,
        settle_patience_s: float = 60.0,
        retry: RetryPolicy | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        http: HttpTransport | None = None,
        sockets: SocketTransport | None = None,
    ) -> None:
        self.venue = venue
        self._credentials = Credentials(api_key, secret_key) if api_key or secret_key else None
        self._clock: Clock = clock or SystemClock()
        self._rng = rng or system_random()
        self._timeout_s = timeout_s
        self._settle_patience_s = settle_patience_s
        self._retry = retry or RetryPolicy()
        self._http = http
        self._own_http = http is None
        self.metrics = APIMetrics()
        self.account_state = AccountState()
        self.ledger = RateLedger(venue.limits)
        self._sync = ClockSync(self._clock)
        self.streams = WebSocketManager(
            env=env,
            urls={} if url is None else {venue.name: url},
            heartbeat_s=venue.heartbeat_s,
            clock=self._clock,
            rng=self._rng,
            sockets=sockets,
        )
        self._hosts = self.streams.hosts(venue)
        self._incident_handlers: list[Callable[[Incident], None]] = []
        self.streams.on_incident(self._tell)
        self._instruments: Mapping[str, Instrument] | None = None
        self._asking_instruments = asyncio.Lock()
        self._parts: _Parts | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._hosts.rest}>"

    # --- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Measure the venue's clock.

        Raises:
            NotSent: The venue can't be reached.
        """
        if self._parts is not None:
            return
        if self._http is None:
            # Imported only when it is really wanted: it is most of the library's import time.
            from perpwire.transport.http import AiohttpTransport

            self._http = AiohttpTransport()
        requests = RequestPath(
            self.venue,
            HttpRoute(self._http, self._hosts.rest, self.venue.name, self._timeout_s),
            credentials=self._credentials,
            clock=self._clock,
            clock_sync=self._sync,
            ledger=self.ledger,
            metrics=self.metrics,
            retry=self._retry,
            rng=self._rng,
            on_incident=self._tell,
        )
        books = BookKeeper(self.venue, self._hosts, self.streams, requests, self._clock, self._tell)
        private = PrivateStream(
            self.venue, self._hosts, self.streams, requests, self._clock, self._sync, self.account_state,
            self._credentials,
        )  # fmt: skip
        self._parts = _Parts(requests, books, private)
        try:
            await requests.measure_clock()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close streams and connections; open orders are left as they are."""
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.requests.close()
            await parts.private.close()
            await parts.books.close()
        await self.streams.close()
        if self._own_http and self._http is not None:
            await self._http.close()
            self._http = None

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
        return self._parts

    @property
    def _path(self) -> RequestPath:
        return self._running.requests

    # --- reading --------------------------------------------------------------------------------------------------

    async def get_server_time(self) -> int:
        """The venue's clock, Unix milliseconds."""
        return await self._path.run(self.venue.server_time())

    async def get_instruments(self, *, refresh: bool = False) -> Mapping[str, Instrument]:
        """Every contract by symbol; asked once, then kept, unless `refresh`."""
        async with self._asking_instruments:
            if self._instruments is None or refresh:
                found = await self._path.run(self.venue.instruments())
                self._instruments = {one.symbol: one for one in found}
            return self._instruments

    async def get_instrument(self, symbol: str) -> Instrument:
        """One contract, by the venue's symbol or as BTC/USDT:USDT.

        Raises:
            BadInput: No such contract; the message names the nearest ones.
        """
        if not isinstance(symbol, str):
            raise BadInput(f"{symbol!r} is no symbol", venue=self.venue.name, code="UNKNOWN_SYMBOL")
        known = self._instruments or await self.get_instruments()
        name = self.venue.normal_symbol(symbol)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            raise BadInput(
                f"unknown symbol {symbol!r}" + (f"; near: {', '.join(near)}" if near else ""),
                venue=self.venue.name, code="UNKNOWN_SYMBOL", advice="Name a symbol of get_instruments().",
            )  # fmt: skip
        return known[name]

    async def get_account_info(self) -> AccountInfo:
        """Balances and margin of the account."""
        return await self._path.run(self.venue.account())

    async def get_positions(self, symbol: str | None = None) -> tuple[Position, ...]:
        """Open positions; with a symbol, that symbol's rows even when flat where the venue lists them."""
        return await self._path.run(self.venue.positions(None if symbol is None else self.venue.normal_symbol(symbol)))

    async def get_order(
        self, symbol: str, order_id: str | int | None = None, *, client_order_id: str | None = None
    ) -> Order:
        """One order as it stands.

        Raises:
            UnknownOrder: The venue does not know it (any more).
        """
        one_id = self._one_id(order_id, client_order_id)
        return await self._path.run(self.venue.get_order(self.venue.normal_symbol(symbol), one_id, client_order_id))

    async def get_open_orders(self, symbol: str | None = None) -> tuple[Order, ...]:
        """Open orders of one symbol, or of all."""
        return await self._path.run(
            self.venue.open_orders(None if symbol is None else self.venue.normal_symbol(symbol))
        )

    async def get_order_book(self, symbol: str, depth: int = 100) -> BookSnapshot:
        """The book at one moment, best first; see open_book for one that is kept."""
        return await self._path.run(self.venue.book_snapshot(self.venue.normal_symbol(symbol), depth))

    # --- trading --------------------------------------------------------------------------------------------------

    async def place_order(
        self,
        symbol: str,
        side: Side | str,
        quantity: Number,
        order_type: OrderType | str = OrderType.MARKET,
        *,
        price: Number | None = None,
        time_in_force: TimeInForce | str | None = None,
        reduce_only: bool = False,
        position_side: PositionSide | str = PositionSide.BOTH,
        client_order_id: str | None = None,
        round: Rounding | None = None,  # noqa: A002 - the word users expect
        **venue_params: Any,
    ) -> Order:
        """Place one order. It is sent once, whatever happens.

        Args:
            symbol: The venue's symbol, or BTC/USDT:USDT.
            side: BUY or SELL, in any case.
            quantity: Base currency; Decimal, str or int. A float counts by its shortest repr.
            order_type: MARKET or LIMIT.
            price: Quote per base; for LIMIT.
            time_in_force: GTC where not given, for LIMIT.
            round: "down", "up" or "nearest": round price and quantity to the contract's steps. Otherwise a value off
                the steps is refused.
            venue_params: Further parameters in the venue's own names; they win over ours.

        Raises:
            BadInput: An argument breaks the contract's rules; nothing was sent.
            NotSent: It is certain that the order does not exist.
            VenueRefused: The venue refused it (InsufficientBalance, OrderRejected ...).
            OutcomeUnknown: The answer was lost and the venue could not be asked what became of the order. It carries
                the client order id to ask for later.

        Returns:
            The order as far as the venue's answer tells. At Bybit that is an acknowledgement (PENDING_NEW): what
            becomes of it says the order stream, or get_order.
        """
        request = await self._order_request(
            symbol, side, quantity, order_type, price, time_in_force, reduce_only, position_side, client_order_id,
            round, venue_params,
        )  # fmt: skip
        call = self.venue.place_order(request)
        path, first_sent_ms = self._path, self._sync.venue_ms()
        try:
            try:
                order = await path.run(call)
            except (OutcomeUnknown, Garbled) as doubt:
                self._order_incident(OrderDoubtful, request, doubt)
                order = await settle_order(
                    path, self.venue, self._sync, self._clock,
                    request=request,
                    first_sent_ms=first_sent_ms,
                    last_sent_ms=self._sync.venue_ms(), patience_s=self._settle_patience_s, doubt=doubt,
                )  # fmt: skip
        except InsufficientBalance as error:
            self._order_incident(BalanceInsufficient, request, error)
            raise
        except APIError as error:
            self._order_incident(OrderFailed, request, error)
            raise
        except asyncio.CancelledError:
            given_up = APIError("the caller gave up while it was under way", code="CANCELLED")
            self._order_incident(OrderDoubtful, request, given_up)
            raise
        self._note_order(order)
        return order

    async def amend_order(
        self,
        symbol: str,
        order_id: str | int | None = None,
        *,
        client_order_id: str | None = None,
        price: Number | None = None,
        quantity: Number | None = None,
    ) -> Order:
        """Change the price or the (total) quantity of a resting limit order.

        Raises:
            BadInput: Nothing to change, or a value breaks the contract's rules.
            UnknownOrder: It is not open.
        """
        if price is None and quantity is None:
            raise BadInput(
                "neither price nor quantity is given", venue=self.venue.name, call="amend_order", code="NO_CHANGE"
            )
        instrument = await self.get_instrument(symbol)
        new_price = None if price is None else self._exact(price, "price")
        new_quantity = None if quantity is None else self._exact(quantity, "quantity")
        if new_price is not None:
            instrument.check_price(new_price)
        if new_quantity is not None:
            instrument.check_quantity(new_quantity)
        order = await self.get_order(symbol, order_id, client_order_id=client_order_id)
        return await self._path.run(self.venue.amend_order(order, new_price, new_quantity))

    async def cancel_order(
        self, symbol: str, order_id: str | int | None = None, *, client_order_id: str | None = None
    ) -> Order:
        """Cancel one open order; returns it as it then stands.

        Raises:
            UnknownOrder: It is not open: filled, cancelled, or never placed.
        """
        one_id = self._one_id(order_id, client_order_id)
        name = self.venue.normal_symbol(symbol)
        try:
            order = await self._path.run(self.venue.cancel_order(name, one_id, client_order_id))
        except UnknownOrder as gone:
            if not gone.after_doubt:
                raise
            # The first answer was lost, and it is gone now: most likely by our own cancel.
            order = await self._path.run(self.venue.get_order(name, one_id, client_order_id))
        self._note_order(order)
        return order

    async def close_position(self, symbol: str, **kwargs: Any) -> Order | None:
        """Close a symbol's one-way position by a reduce-only market order; None when it is flat already.

        Raises:
            BadInput: A position in hedge mode is open: which leg to close is the caller's to say.
        """
        for position in await self.get_positions(symbol):
            if position.quantity and position.position_side is not PositionSide.BOTH:
                raise BadInput(
                    f"{symbol} has an open {position.position_side} position in hedge mode",
                    venue=self.venue.name,
                    call="close_position",
                    code="HEDGE_MODE",
                    advice="Place the closing order yourself, with position_side.",
                )
            if position.quantity:
                side = Side.SELL if position.quantity > 0 else Side.BUY
                return await self.place_order(symbol, side, abs(position.quantity), reduce_only=True, **kwargs)
        return None

    # --- streams --------------------------------------------------------------------------------------------------

    def on(self, kind: type[E], handler: Callable[[E], None], symbol: str | None = None) -> Callable[[], None]:
        """Call `handler` with each event of `kind`; see WebSocketManager.on. `subscribe` makes them come."""
        return self.streams.on(kind, handler, None if symbol is None else self.venue.normal_symbol(symbol))

    def on_incident(self, handler: Callable[[Incident], None]) -> None:
        """Call `handler` with each fact about connections, orders and limits (model/incident.py)."""
        self._incident_handlers.append(handler)

    async def subscribe(self, kinds: Iterable[type[Event]], symbols: Iterable[str]) -> None:
        """Subscribe public events (Trade, BookTicker, BookDelta, MarkPrice) of symbols; returns when acknowledged.

        Raises:
            BadInput: No such contract.
            NotSent, StreamRefused: See WebSocketManager.connect.
        """
        names = [(await self.get_instrument(symbol)).symbol for symbol in symbols]
        topics = [self.venue.topic(kind, name) for kind in kinds for name in names]
        await self.streams.subscribe(self.venue, self._hosts, topics, on_state=self._on_public_state)

    async def watch(
        self, kind: type[E], symbol: str, *, limit: int = 10_000, overflow: Overflow = "raise"
    ) -> EventQueue[E]:
        """Subscribe a public event of a symbol and give an async iterator over it: `async for trade in await ...`."""
        queue = self.streams.watch(kind, self.venue.normal_symbol(symbol), limit=limit, overflow=overflow)
        try:
            await self.subscribe([kind], [symbol])
        except BaseException:
            queue.close()
            raise
        return queue

    async def open_account_stream(self) -> None:
        """Begin to receive Order, Fill, Position and Balance events, and keep account_state by them.

        Raises:
            NotSent, StreamRefused, APIError: It can't be opened.
        """
        await self._running.private.open()

    async def open_book(self, symbol: str) -> LocalBook:
        """A local book of the symbol, kept in step by the venue's rule; returns once it is in sync.

        Raises:
            BookNotInSync: Not within half a minute.
            NotSent, StreamRefused: The stream can't be opened.
        """
        name = (await self.get_instrument(symbol)).symbol
        return await self._running.books.open(name, self._on_public_state)

    @property
    def states(self) -> dict[str, State]:
        """Connection name -> state."""
        return self.streams.states

    def lag_ms(self, event: Event) -> float | None:
        """Milliseconds from the venue making the event to its frame being readable here, the clocks' difference taken
        out; None where the event does not say when it was made. Its error is at most half a round trip."""
        if not event.venue_time_ms:
            return None
        return event.received_ns / 1e6 + self._sync.offset_ms - event.venue_time_ms

    # --- inside ---------------------------------------------------------------------------------------------------

    def _on_public_state(self, connection: str, live: bool) -> None:
        if self._parts is not None:
            self._parts.books.on_state(connection, live)

    def _tell(self, incident: Incident) -> None:
        if isinstance(incident, FrameGarbled) and self._parts is not None:
            self._parts.private.on_garbled(incident.connection)
        tell(incident, self._incident_handlers)

    def _note_order(self, order: Order) -> None:
        # Without the account's stream nothing would ever end what is noted here.
        if self._parts is not None and self._parts.private.is_open:
            self.account_state.on_order(order)

    def _one_id(self, order_id: str | int | None, client_order_id: str | None) -> str | None:
        if order_id is None and client_order_id is None:
            raise BadInput("neither order_id nor client_order_id is given", venue=self.venue.name, code="NO_ID")
        return None if order_id is None else str(order_id)

    async def _order_request(
        self,
        symbol: str,
        side: Side | str,
        quantity: Number,
        order_type: OrderType | str,
        price: Number | None,
        time_in_force: TimeInForce | str | None,
        reduce_only: bool,
        position_side: PositionSide | str,
        client_order_id: str | None,
        rounding: Rounding | None,
        venue_params: dict[str, Any],
    ) -> OrderRequest:
        """The order as it will be sent, or BadInput."""
        venue_params = {name: value for name, value in venue_params.items() if value is not None}
        kind = self._word(OrderType, order_type, "order_type")
        if kind not in (OrderType.MARKET, OrderType.LIMIT):
            raise self._bad("order_type", f"order_type {kind} is not placed by this call; MARKET and LIMIT are")
        exact_quantity = self._exact(quantity, "quantity")
        exact_price = None if price is None else self._exact(price, "price")
        instrument = await self.get_instrument(symbol)
        self.venue.window_ms(venue_params)
        if rounding is not None:
            if rounding not in ROUNDINGS:
                raise self._bad("round", f"round {rounding!r} is not one of {', '.join(ROUNDINGS)}")
            exact_quantity = instrument.round_quantity(exact_quantity, rounding)
            if exact_price is not None:
                exact_price = instrument.round_price(exact_price, rounding)
        market = kind is OrderType.MARKET
        instrument.check_quantity(exact_quantity, market=market)
        if market and exact_price is not None:
            raise self._bad("price", "a market order has no price")
        if exact_price is not None:
            instrument.check_price(exact_price)
            if not reduce_only:
                instrument.check_notional(exact_price, exact_quantity)
        elif not market and not venue_params:
            raise self._bad("price", "a limit order needs a price")
        wanted = None if time_in_force is None else self._word(TimeInForce, time_in_force, "time_in_force")
        own_id = venue_params.get(self.venue.client_id_param) or client_order_id or self._new_client_id()
        return OrderRequest(
            symbol=instrument.symbol,
            side=self._word(Side, side, "side"),
            type=kind,
            quantity=exact_quantity,
            price=exact_price,
            time_in_force=wanted if wanted is not None else (None if market else TimeInForce.GTC),
            reduce_only=reduce_only,
            position_side=self._word(PositionSide, position_side, "position_side"),
            client_order_id=str(own_id),
            venue_params=venue_params,
        )

    def _word(self, words: type[W], text: str, name: str) -> W:
        try:
            return words(str(text).upper())
        except ValueError:
            known = ", ".join(words)
            raise self._bad(name, f"{name} {text!r} is not one of {known}") from None

    def _exact(self, value: Number, name: str) -> Decimal:
        try:
            return exact(value, name)
        except BadInput as error:
            raise BadInput(error.reason, venue=self.venue.name, call="place_order", code=error.code) from None

    def _bad(self, argument: str, reason: str) -> BadInput:
        return BadInput(reason, venue=self.venue.name, call="place_order", code=f"BAD_{argument.upper()}")

    def _new_client_id(self) -> str:
        return f"pw-{self._rng.getrandbits(80):020x}"

    def _order_incident(self, kind: type[OrderFailed], request: OrderRequest, error: APIError) -> None:
        if isinstance(error, BadInput):
            return
        what = f"{request.side} {request.quantity} {request.symbol}"
        self._tell(
            kind(
                venue=self.venue.name,
                time_ns=self._clock.time_ns(),
                detail=f"{what}: {error.reason}",
                symbol=request.symbol,
                client_order_id=request.client_order_id,
                code=error.code,
            )
        )
