"""Guards of ours before an order leaves: sizes, prices and rates that the user sets. Off where nothing is set.

They look at what is known at that moment: the mark price (of the stream if it is fresh, else asked for), the position
and the open orders. Orders that can only make a position smaller pass all of them but the collar: a guard must never
keep anyone from getting out.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from perpwire.clock import Clock
from perpwire.errors import BadInput, GuardRefused, NotSent
from perpwire.model.account import Position
from perpwire.model.incident import GuardTripped, Incident
from perpwire.model.market import MarkPrice
from perpwire.model.numbers import plain
from perpwire.model.order import Order, OrderRequest, PositionSide, Side

FRESH_S = 3.0
"""A mark price older than this is asked for anew."""


SETTLING_S = 2.0
"""An order counts as under way for so long after its answer, until position and open orders surely show it. It may be
counted twice meanwhile, which errs on the safe side."""


class Guards(msgspec.Struct, frozen=True, kw_only=True):
    """What an order must keep to; None switches a guard off.

    Attributes:
        max_order_notional: Greatest price x quantity of one order, quote.
        max_position_notional: Greatest position of one symbol, either way, at the mark price, quote: what is held, what
            is open or under way on the order's side, and the order itself, added up.
        price_collar: How far a limit price may be on the wrong side of the mark price (above it for a buy, below it for
            a sell), as a fraction of it: 0.05 is 5 %.
        max_orders: Most orders in any `per_s` seconds.
        per_s: See max_orders.
        halt_on_mismatch: No order for a symbol whose position and fills did not add up (PositionMismatch), until
            `Guard.trust` says that you have seen to it.
    """

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    price_collar: Decimal | None = None
    max_orders: int | None = None
    per_s: float = 1.0
    halt_on_mismatch: bool = False

    def __post_init__(self) -> None:
        for name in ("max_order_notional", "max_position_notional", "price_collar"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Decimal) or not value.is_finite() or value <= 0):
                raise BadInput(f"{name} must be a Decimal above 0, not {value!r}", code="BAD_GUARD")
        if self.max_orders is not None and self.max_orders < 1:
            raise BadInput(f"max_orders must be 1 or more, not {self.max_orders}", code="BAD_GUARD")
        if self.per_s <= 0:
            raise BadInput(f"per_s must be above 0, not {self.per_s}", code="BAD_GUARD")


CAUTIOUS = Guards(
    max_order_notional=Decimal(100_000),
    max_position_notional=Decimal(500_000),
    price_collar=Decimal("0.05"),
    max_orders=20,
)
"""For orders typed by hand: the command line trades with these unless told otherwise."""


class View(NamedTuple):
    """Where guards look things up: the mark price at the venue, positions and open orders of a symbol in the account's
    state where that is kept, or else at the venue."""

    mark_price: Callable[[str], Awaitable[MarkPrice]]
    positions: Callable[[str], Awaitable[Iterable[Position]]]
    open_orders: Callable[[str], Awaitable[Iterable[Order]]]


class Guard:
    """Holds orders to Guards, and refuses them all once the kill switch is thrown."""

    def __init__(
        self,
        guards: Guards | None,
        view: View,
        *,
        venue: str,
        clock: Clock,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self.guards = guards or Guards()
        self._view = view
        self._venue = venue
        self._clock = clock
        self._on_incident = on_incident
        self._marks: dict[str, tuple[Decimal, int]] = {}
        self._is_guarded = self.guards != _NONE
        self._per_ns = round(self.guards.per_s * 1e9)
        self._sent_ns: deque[int] = deque()
        # Orders between here and the account's state: symbol and side -> client order id -> quantity and until when.
        self._under_way: dict[tuple[str, PositionSide, Side], dict[str, tuple[Decimal, float]]] = {}
        self.killed: str | None = None
        """Why the kill switch was thrown; None while it is not."""
        self.mistrusted: set[str] = set()
        """Symbols whose position and fills did not add up; empty where `halt_on_mismatch` is off."""

    def on_mark_price(self, event: MarkPrice) -> None:
        """A mark price of the stream."""
        self._marks[event.symbol] = (event.mark_price, self._clock.monotonic_ns())

    @property
    def is_on(self) -> bool:
        return self._is_guarded or self.killed is not None

    def throw(self, reason: str) -> None:
        """Refuse every order from now on but those that close."""
        self.killed = reason
        self._tell("kill_switch", why=reason)

    def lift(self) -> None:
        self.killed = None

    def on_mismatch(self, symbol: str) -> None:
        """A position and its fills did not add up."""
        if self.guards.halt_on_mismatch:
            self.mistrusted.add(symbol)

    def trust(self, symbol: str) -> None:
        """Orders for it may pass again."""
        self.mistrusted.discard(symbol)

    def check_killed(self, requests: Iterable[OrderRequest]) -> None:
        """The last look before orders are written: they may have waited for their turn.

        Raises:
            GuardRefused: The kill switch was thrown, and one of them does not only close.
        """
        for request in requests:
            self._check_killed(request, request.can_only_reduce)

    def check_call(self, name: str) -> None:
        """An order in the venue's own words, of which nothing else is looked at.

        Raises:
            GuardRefused: The kill switch was thrown.
        """
        if self.killed is not None:
            reason = f"the kill switch was thrown ({self.killed}): only closing orders pass"
            self._tell("kill_switch", why=self.killed, refused=name)
            raise GuardRefused(reason, venue=self._venue, call=name, code="KILL_SWITCH")

    def admit_now(self, request: OrderRequest) -> bool:
        """`admit` of an order of which nothing has to be asked, and that need not be followed: there is no `done`.
        False, and nothing happened, where that is not so.

        Raises:
            GuardRefused: See admit.
        """
        reduces = request.can_only_reduce
        if self.guards.max_position_notional is not None and not reduces:
            return False
        mark = None
        if self._needs_mark(request, reduces) and (mark := self._known_mark(request.symbol)) is None:
            return False
        self._check(request, reduces, mark)
        if not reduces:
            self._check_rate(request)
        return True

    async def admit(self, request: OrderRequest, *, changes: Order | None = None) -> None:
        """Check the order, and count it as under way from now on, until `done`.

        Args:
            changes: The open order that becomes like `request`, which has its client order id. It is no further order
                for `max_orders`.

        Raises:
            GuardRefused: It breaks a guard; nothing was sent, and it does not count.
            APIError: What a guard needs to know can't be asked; likewise.
        """
        reduces = request.can_only_reduce
        self._check_killed(request, reduces)
        mark = await self._mark(request.symbol) if self._needs_mark(request, reduces) else None
        self._check(request, reduces, mark)  # the kill switch, too, which may have been thrown meanwhile
        if reduces:
            return
        if self.guards.max_position_notional is None:
            if changes is None:
                self._check_rate(request)
            return
        key = (request.symbol, request.position_side, request.side)
        under_way = self._under_way.get(key)
        if under_way is None:
            under_way = self._under_way[key] = {}
        before = under_way.get(request.client_order_id)
        # What was filled already is in the position.
        left = request.quantity if changes is None else request.quantity - changes.filled_quantity
        under_way[request.client_order_id] = (left, math.inf)
        try:
            await self._check_position(request, under_way)
            self._check_killed(request, reduces)
            if changes is None:
                self._check_rate(request)
        except BaseException:
            under_way.pop(request.client_order_id, None)
            if before is not None:
                under_way[request.client_order_id] = before
            raise

    def done(self, request: OrderRequest, error: BaseException | None) -> None:
        """The call that `admit` let through is over; with an error where it did not end in an order."""
        under_way = self._under_way.get((request.symbol, request.position_side, request.side))
        if under_way is None or request.client_order_id not in under_way:
            return
        if isinstance(error, NotSent):
            del under_way[request.client_order_id]
        else:
            # Position and open orders may not show it for a moment yet.
            quantity, _ = under_way[request.client_order_id]
            under_way[request.client_order_id] = (quantity, self._now_s() + SETTLING_S)

    def admitted(self, request: OrderRequest, *, changes: Order | None = None) -> Admitted:
        """`admit`, then `done` when the block ends."""
        return Admitted(self, request, changes)

    def _check_killed(self, request: OrderRequest, reduces: bool) -> None:
        if self.killed is not None and not reduces:
            raise self._refused(
                "kill_switch", request, f"the kill switch was thrown ({self.killed}): only closing orders pass"
            )

    def _collars(self, request: OrderRequest) -> bool:
        return self.guards.price_collar is not None and request.price is not None and not request.is_conditional

    def _needs_mark(self, request: OrderRequest, reduces: bool) -> bool:
        if self.guards.price_collar is not None and self._collars(request):
            return True
        # A conditional order trades near its trigger, whatever the mark price is now.
        if request.price is not None or request.trigger_price is not None:
            return False
        return self.guards.max_order_notional is not None and not reduces

    def _check(self, request: OrderRequest, reduces: bool, mark: Decimal | None) -> None:
        """The kill switch, and what the order itself says; `mark` where that is needed."""
        if self.killed is not None:
            self._check_killed(request, reduces)
        if not reduces and request.symbol in self.mistrusted:
            raise self._refused(
                "halt_on_mismatch", request, "its position and fills did not add up: only closing orders pass"
            )
        guards = self.guards
        most, collar, price = guards.max_order_notional, guards.price_collar, request.price
        if most is not None and not reduces:
            near = price if price is not None else request.trigger_price
            near = near if near is not None else mark
            if near is not None and (notional := near * request.quantity) > most:
                raise self._refused(
                    "max_order_notional", request, f"its notional {plain(notional)} is above {plain(most)}"
                )
        if collar is not None and price is not None and mark is not None and self._collars(request):
            buys = request.side is Side.BUY
            bound = mark * (1 + collar if buys else 1 - collar)
            if price > bound if buys else price < bound:
                raise self._refused(
                    "price_collar",
                    request,
                    f"price {plain(price)} is beyond {plain(bound)}, "
                    f"{plain(collar * 100)} % from the mark price {plain(mark)}",
                )

    async def _check_position(self, request: OrderRequest, under_way: dict[str, tuple[Decimal, float]]) -> None:
        greatest = self.guards.max_position_notional
        if greatest is None:
            return
        for name in [name for name, (_, until_s) in under_way.items() if until_s <= self._now_s()]:
            del under_way[name]
        buys = request.side is Side.BUY
        mark = await self._mark(request.symbol)
        held = sum(
            (
                one.quantity
                for one in await self._view.positions(request.symbol)
                if one.position_side is request.position_side
            ),
            Decimal(0),
        )
        waiting = sum(
            (
                one.quantity - one.filled_quantity
                for one in await self._view.open_orders(request.symbol)
                if one.side is request.side
                and one.position_side is request.position_side
                and not one.reduce_only
                and not one.close_position
                and one.client_order_id not in under_way
            ),
            Decimal(0),
        )
        total = (held if buys else -held) + waiting + sum((quantity for quantity, _ in under_way.values()), Decimal(0))
        if total * mark > greatest:
            raise self._refused(
                "max_position_notional",
                request,
                f"the position could become {plain(total)} = {plain(total * mark)}, above {plain(greatest)}",
            )

    def _check_rate(self, request: OrderRequest) -> None:
        most = self.guards.max_orders
        if most is None:
            return
        now_ns = self._clock.monotonic_ns()
        while self._sent_ns and self._sent_ns[0] <= now_ns - self._per_ns:
            self._sent_ns.popleft()
        if len(self._sent_ns) >= most:
            raise self._refused("max_orders", request, f"{most} orders were sent within {self.guards.per_s:g} s")
        self._sent_ns.append(now_ns)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9

    def _known_mark(self, symbol: str) -> Decimal | None:
        """The mark price, where it is fresh."""
        known = self._marks.get(symbol)
        if known is None or self._clock.monotonic_ns() - known[1] > FRESH_S * 1e9:
            return None
        return known[0]

    async def _mark(self, symbol: str) -> Decimal:
        known = self._known_mark(symbol)
        if known is None:
            event = await self._view.mark_price(symbol)
            self.on_mark_price(event)
            known = event.mark_price
        return known

    def _refused(self, guard: str, request: OrderRequest, reason: str) -> GuardRefused:
        order = f"{request.side} {plain(request.quantity)} {request.symbol}"
        why = reason if guard != "kill_switch" else self.killed or ""
        self._tell(guard, symbol=request.symbol, why=why, refused=order)
        return GuardRefused(reason, venue=self._venue, call="place_order", code=guard.upper())

    def _tell(self, guard: str, *, why: str, symbol: str = "", refused: str = "") -> None:
        self._on_incident(
            GuardTripped(
                venue=self._venue, time_ns=self._clock.time_ns(), why=why, guard=guard, symbol=symbol, refused=refused
            )
        )


class Admitted(NamedTuple):
    """See Guard.admitted."""

    guard: Guard
    request: OrderRequest
    changes: Order | None

    async def __aenter__(self) -> None:
        await self.guard.admit(self.request, changes=self.changes)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.guard.done(self.request, error)


_NONE = Guards()
