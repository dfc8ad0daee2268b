"""What became of it? Watch the account's stream and ask by the id, until it is certain.

A request whose time stamp is older than the receive window must be refused by the venue. So an order that the venue
does not know after that, however often it is asked, was not placed and never will be. Nothing is ever sent again here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.data_processor.order_tracker import Evidence, Key, OrderTracker
from perpwire.errors import APIError, Garbled, NotSent, OutcomeUnknown, UnknownOrder
from perpwire.model.order import Fill, Order, OrderRequest, OrderStatus, OrderType, TimeInForce
from perpwire.raised import failure_of
from perpwire.venues.base import Venue

MARGIN_MS = 2000
"""Added to the receive window: the venue's clock may run on a little, and a new order shows after a moment."""

LOST_ANSWER_S = (0.25, 0.75, 2.0, 2.5, 2.5, 2.5)
"""Pauses before the questions after an order whose answer was lost: six over ten seconds. The last one waits, if need
be, until the venue must have refused the order."""

OVERLOAD_S = (0.5, 1.0, 1.5)
"""The same after a refusal for overload, which is not always one."""

LAG_S = 15.0
"""An order that was told of so lately is on its way through the venue where the venue does not find it."""

LONGEST_PAUSE_S = 15.0
"""Between tries to ask a venue that does not answer."""


class Desk(NamedTuple):
    """What asking needs."""

    requests: RequestPath
    venue: Venue
    sync: ClockSync
    clock: Clock
    orders: OrderTracker


class Resolution:
    """An order whose outcome is not known yet, and the search for it. Await it for the order.

    It is told at most once what came of it: by the first word of the account's stream, or by the venue's answers.

    Raises (when awaited):
        NotSent: It is certain that the order does not exist.
        OutcomeUnknown: The connector was closed before it was known (code CLOSED).

    Args:
        request: The order.
        first_sent_ms: The venue's time just before it was sent, the first time, Unix milliseconds. An order of this
            client id that is older is another one: an id may be used again.
        certain_after_ms: The venue's time from which it must refuse the request.
        sent_ns: When it was first sent, monotonic: what was told of before is another order. 0: in another life.
        doubt: Why the outcome is not known.
        pauses_s: Before each question that the venue has to answer with "no such order" until that is believed.
        on_end: Told the outcome, once: an order, or the error that is raised.
    """

    def __init__(
        self,
        desk: Desk,
        request: OrderRequest,
        *,
        first_sent_ms: int,
        certain_after_ms: int,
        sent_ns: int = 0,
        doubt: BaseException,
        pauses_s: Sequence[float],
        on_end: Callable[[Resolution, Order | APIError], None],
    ) -> None:
        self.request = request
        self.doubt = doubt
        self.trouble: APIError | None = None
        """Why the venue could not be asked, the last time."""
        self.began_ns = desk.clock.monotonic_ns()
        self._desk = desk
        self._first_sent_ms = first_sent_ms
        self._certain_after_ms = certain_after_ms
        self._sent_ns = sent_ns
        self._fills: dict[str, Fill] = {}
        self._pauses_s = pauses_s
        self._on_end = on_end
        loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Order] = loop.create_future()
        self._outcome.add_done_callback(_heard)
        self._off = desk.orders.watch(request.client_order_id, self._on_evidence)
        self._asking: asyncio.Task[None] | None = None
        known = desk.orders.find(request.symbol, None, request.client_order_id)
        if known is not None:
            self._on_evidence(known)
        if not self._outcome.done():
            self._asking = loop.create_task(self._ask(), name=f"perpwire outcome of {request.client_order_id}")
            self._asking.add_done_callback(self._asked)

    def __repr__(self) -> str:
        return f"<Resolution {self.request.client_order_id} {'done' if self.is_done else 'open'}>"

    def __await__(self) -> Generator[Any, None, Order]:
        return asyncio.shield(self._outcome).__await__()

    @property
    def client_order_id(self) -> str:
        return self.request.client_order_id

    @property
    def is_done(self) -> bool:
        return self._outcome.done()

    async def within(self, seconds: float) -> Order:
        """The order, or what became of it.

        Args:
            seconds: From now, or from when the venue must refuse the order, if that is later.

        Raises:
            NotSent: It does not exist.
            OutcomeUnknown: It is not known after so long; the search goes on.
        """
        left_s = max(0.0, (self._certain_after_ms - self._desk.sync.venue_ms()) / 1000)
        await asyncio.wait((self._outcome,), timeout=seconds + left_s)
        if self._outcome.done():
            return self._outcome.result()
        raise self._unknown(f"the venue could not be asked ({_reason(self.trouble)})", None)

    def give_up(self) -> None:
        """The outcome stays unknown."""
        self._end(self._unknown("the connector was closed", "CLOSED"))

    async def stop(self) -> None:
        """Give up, and wait until nothing runs any more."""
        self.give_up()
        if self._asking is not None:
            await asyncio.wait((self._asking,))

    def _asked(self, asking: asyncio.Task[None]) -> None:
        """A search that failed in a way of its own must not leave its caller waiting."""
        if (error := failure_of(asking)) is not None:
            self._end(self._unknown(f"asking for it failed: {type(error).__name__}: {error}", None))

    def _unknown(self, why: str, code: str | None) -> OutcomeUnknown:
        error = OutcomeUnknown(
            f"the answer was lost ({_reason(self.doubt)}), and {why}",
            venue=self._desk.venue.name,
            call="place_order",
            code=code or getattr(self.doubt, "code", None),
            client_order_id=self.client_order_id,
        )
        error.resolution = self
        error.__cause__ = self.doubt
        return error

    def _on_evidence(self, evidence: Evidence) -> None:
        if isinstance(evidence, Fill):
            if self._is_of_it(evidence):
                self._fills[evidence.trade_id] = evidence
                order = _from_fills(self.request, tuple(self._fills.values()))
                # A part of an order that does not rest is not its outcome: how much there will be is not known yet.
                if order.status is OrderStatus.FILLED or _rests(self.request):
                    self._end(order)
        elif self._is_it(evidence) and not self._is_child(evidence):
            self._end(evidence)

    def _is_of_it(self, fill: Fill) -> bool:
        """What a conditional order has become may bear another id of the venue: a fill does not show the order then."""
        return not self.request.is_conditional and self._is_ours(fill, fill.venue_time_ms)

    def _is_it(self, order: Order) -> bool:
        return self._is_ours(order, order.created_time_ms or order.updated_time_ms)

    def _is_child(self, order: Order) -> bool:
        """Perhaps made by the venue of our conditional order, and told of under an id of its own: that of the order
        itself is worth a few questions more."""
        return self.request.is_conditional and not order.is_conditional

    def _is_ours(self, said: Order | Fill, said_ms: int | None) -> bool:
        """Not of another symbol or the other side, and of no earlier time: client order ids may be used again."""
        request = self.request
        if said.symbol != request.symbol or said.side is not request.side:
            return False
        if said_ms is not None and said_ms < self._first_sent_ms - MARGIN_MS:
            return False
        tracked = self._desk.orders.tracked(said.symbol, said.order_id, None)
        return tracked is None or tracked.first_ns >= self._sent_ns

    def _end(self, outcome: Order | APIError) -> None:
        if self._outcome.done():
            return
        self._off()
        if isinstance(outcome, Order):
            self._outcome.set_result(outcome)
        else:
            self._outcome.set_exception(outcome)
        if self._asking is not None:
            self._asking.cancel()  # a question that has not been asked yet is not asked any more
        self._on_end(self, outcome)

    async def _ask(self) -> None:
        desk, request = self._desk, self.request
        last = len(self._pauses_s) - 1
        asked_ns = self.began_ns
        for nth, pause_s in enumerate(self._pauses_s):
            await self._sleep_until(asked_ns + round(pause_s * 1e9))
            while True:
                while nth == last and (left_ms := self._certain_after_ms - desk.sync.venue_ms()) >= 0:
                    await desk.clock.sleep((left_ms + 1) / 1000)
                order, asked_ns = await self._question()
                if order is not None and self._is_it(order) and (nth == last or not self._is_child(order)):
                    self._end(desk.orders.on_answer(order))
                    return
                # Being asked, the venue may have set our idea of its time right.
                if nth < last or self._certain_after_ms < desk.sync.venue_ms():
                    break
        self._end(
            NotSent(
                f"the answer was lost ({_reason(self.doubt)}), and the venue does not know the order although "
                "it must have taken it by now: it was not placed",
                venue=desk.venue.name,
                call="place_order",
                code=getattr(self.doubt, "code", None),
                advice=f"It is certain that the order {request.client_order_id} does not exist: "
                "placing it again is safe.",
            )
        )

    async def _question(self) -> tuple[Order | None, int]:
        """One answer of the venue, and when it was asked for (monotonic); None: it knows no such order."""
        desk, request = self._desk, self.request
        pause_s = 0.25
        while True:
            asked_ns = desk.clock.monotonic_ns()
            try:
                call = desk.venue.get_order(request.symbol, None, request.client_order_id, request.is_conditional)
                return await desk.requests.run(call), asked_ns
            except UnknownOrder:
                return None, asked_ns
            except APIError as error:
                self.trouble = error
            await desk.clock.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _sleep_until(self, due_ns: int) -> None:
        left_ns = due_ns - self._desk.clock.monotonic_ns()
        if left_ns > 0:
            await self._desk.clock.sleep(left_ns / 1e9)


async def settle_order(
    desk: Desk,
    request: OrderRequest,
    *,
    first_sent_ms: int,
    certain_after_ms: int,
    patience_s: float,
    doubt: APIError,
) -> Order:
    """What became of an order that was sent in another life of this program. See Resolution. Where it was so long ago
    that the venue would show the order by now, one question is enough.

    Raises:
        NotSent: It is certain that the order does not exist.
        OutcomeUnknown: The venue could not be asked within `patience_s`.
    """
    is_long_ago = desk.sync.venue_ms() > certain_after_ms + LAG_S * 1000
    resolution = Resolution(
        desk,
        request,
        first_sent_ms=first_sent_ms,
        certain_after_ms=certain_after_ms,
        doubt=doubt,
        pauses_s=(0.0,) if is_long_ago else LOST_ANSWER_S,
        on_end=lambda resolution, outcome: None,
    )
    try:
        return await resolution.within(patience_s)
    finally:
        await resolution.stop()


class Seen(NamedTuple):
    """What watching an order came to.

    Attributes:
        order: As it was last told of; None: the venue knows it nowhere, or could not be asked.
        is_so: What was waited for holds.
        trouble: Why the venue could not be asked, the last time.
        was_shown: An answer showed it so, though by its time it is older than what is known.
    """

    order: Order | None
    is_so: bool
    trouble: APIError | None
    was_shown: bool = False


async def watch_until(
    desk: Desk,
    symbol: str,
    order_id: str | None,
    client_order_id: str | None,
    holds: Callable[[Order], bool],
    pauses_s: Sequence[float],
    *,
    from_known: bool = True,
    since_ns: int | None = None,
) -> Seen:
    """Watch an order by the account's stream, and by a question after each pause, until something holds of it; none
    of the questions is asked once it does, nor any where it is known to hold (unless not `from_known`).

    Args:
        since_ns: It came to hold after this time, monotonic, where it does; None: nobody knows whether it will.
    """
    known = desk.orders.find(symbol, order_id, client_order_id)
    if from_known and known is not None and holds(known):
        return Seen(known, True, None)
    found: asyncio.Future[Order] = asyncio.get_running_loop().create_future()

    def on_evidence(evidence: Evidence) -> None:
        if isinstance(evidence, Order) and evidence.symbol == symbol and holds(evidence) and not found.done():
            found.set_result(evidence)

    tracked = desk.orders.tracked(symbol, order_id, client_order_id)
    is_late = tracked is None or desk.clock.monotonic_ns() - tracked.told_ns > LAG_S * 1e9
    last: Order | None = None if is_late else known
    trouble: APIError | None = None
    was_shown = False
    conditional = None if known is None else known.is_conditional

    async def ask() -> None:
        nonlocal last, trouble, was_shown
        for pause_s in pauses_s:
            await desk.clock.sleep(pause_s)
            try:
                answer = await desk.requests.run(desk.venue.get_order(symbol, order_id, client_order_id, conditional))
            except UnknownOrder:
                trouble = None
                continue
            except APIError as error:
                trouble = error
                continue
            was_shown = holds(answer)
            trouble, last = None, desk.orders.on_answer(answer, since_ns=since_ns if was_shown else None)
            on_evidence(last)
            if found.done():
                return

    name: str | Key = (symbol, order_id) if order_id else client_order_id or ""
    off = desk.orders.watch(name, on_evidence)
    asking = asyncio.get_running_loop().create_task(ask(), name=f"perpwire watch {name}")
    try:
        await asyncio.wait((found, asking), return_when=asyncio.FIRST_COMPLETED)
        if not found.done():
            asking.result()
    finally:
        off()
        asking.cancel()
    return Seen(found.result(), True, None) if found.done() else Seen(last, False, trouble, was_shown)


def _rests(request: OrderRequest) -> bool:
    return request.type is OrderType.LIMIT and request.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK)


def _from_fills(request: OrderRequest, fills: Sequence[Fill]) -> Order:
    """The order as its fills show it, where nothing else has told of it yet."""
    last = fills[-1]
    quantity = sum((fill.quantity for fill in fills), Decimal(0))
    return Order(
        venue=last.venue,
        symbol=last.symbol,
        venue_time_ms=last.venue_time_ms,
        received_ns=last.received_ns,
        order_id=last.order_id,
        client_order_id=request.client_order_id,
        side=request.side,
        type=request.type,
        status=OrderStatus.FILLED if quantity >= request.quantity > 0 else OrderStatus.PARTIALLY_FILLED,
        time_in_force=request.time_in_force or TimeInForce.GTC,
        price=request.price,
        quantity=request.quantity,
        filled_quantity=quantity,
        average_price=sum((fill.price * fill.quantity for fill in fills), Decimal(0)) / quantity,
        reduce_only=request.reduce_only,
        position_side=request.position_side,
        updated_time_ms=last.venue_time_ms or None,
    )


def _reason(error: BaseException | None) -> str:
    if isinstance(error, Garbled):
        return f"unreadable: {error.reason}"
    if isinstance(error, APIError):
        return error.reason
    return "no answer" if error is None else "its caller was cancelled"


def _heard(outcome: asyncio.Future[Order]) -> None:
    """Whoever wants the outcome awaits it; nobody has to."""
    if not outcome.cancelled():
        outcome.exception()
