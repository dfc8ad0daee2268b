"""One reading of the account: what the venue shows of it, and the stream has not told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.recovery import (
    read_balances,
    read_orders,
    read_parents,
    read_positions,
    read_since,
    subject,
)
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.settings_keeper import SettingsKeeper
from perpwire.clock import Clock
from perpwire.data_processor.account_state import AccountState
from perpwire.model.account import AccountEvent, Balance, Position
from perpwire.model.market import Event
from perpwire.model.order import FastFill, Fill, Order
from perpwire.venues.base import Venue

SETTLING_S = 3.0
"""What is younger, the stream may be about to tell, and a list may not show yet."""

LAG_NS = 10_000_000_000
"""So late an order may turn up in the list of those that have ended."""

MOST_SYMBOLS = 20
"""Where the venue lists past conditional orders symbol by symbol, it is asked for so many at most."""

REMEMBERED_S = 60.0


class Missing(NamedTuple):
    """Of one kind of event, after a gap: whether what is missing follows, and what is to be said of that."""

    kind: type[Event]
    repaired: bool
    more: str = ""


FILLS_CUT_OFF = Missing(
    Fill, False, "; the venue's clock was put back so far that not all fills since then can be told from older ones"
)


class AccountReading:
    """One for the account's stream; see module docstring."""

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        state: AccountState,
        sync: ClockSync,
        clock: Clock,
        settings: SettingsKeeper,
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._state = state
        self._sync = sync
        self._clock = clock
        self._settings = settings
        self._told_ns: dict[Hashable, int] = {}
        """What the stream has told of lately -> when, monotonic, the last time."""
        self._symbols: dict[str, None] = {}
        """Contracts that the stream has told of, the latest last."""
        self._since_ns: int | None = None
        """Orders born from here on (monotonic) are asked for: those before it were seen open, or told of."""
        self._next_ns = 0
        """Where that begins once the lists are surely whole up to there."""
        self._doubts: dict[Hashable, int] = {}
        """Positions and balances that the venue shows otherwise than we know them, and the stream has not told of since
        -> when that was asked for first, monotonic."""
        self.on_clear: Callable[[], None] = _nothing
        """Called once it is known whose each order is, before what the stream has not told is told."""
        self.positions: tuple[Position, ...] = ()
        """As they were read last."""
        self.positions_asked_s = 0.0
        """When that was asked, monotonic: perhaps long after the reading began."""

    # --- what the stream tells ----------------------------------------------------------------------------------------

    def heard(self, event: Event, now_ns: int) -> None:
        """The stream told of it."""
        if not isinstance(event, Fill):
            self._told_ns[subject(event)] = now_ns
            self._doubts.pop(subject(event), None)
        for setting in self._settings.told_by(event):
            self._told_ns[setting] = now_ns
        if event.symbol and next(reversed(self._symbols), None) != event.symbol:
            self._symbols.pop(event.symbol, None)
            self._symbols[event.symbol] = None

    def _was_told(self, event: Event, since_ns: int) -> bool:
        """Whether the stream has told of its subject since then (monotonic)."""
        return self._told_ns.get(subject(event), -1) >= since_ns

    @property
    def is_in_doubt(self) -> bool:
        """Something was shown otherwise than we know it; whether that stands, `news` says SETTLING_S later."""
        return bool(self._doubts)

    def _stands(self, event: Position | Balance, asked_ns: int) -> bool:
        """It was otherwise SETTLING_S ago, and the stream has said nothing of it since. No stamp decides this: what
        venues stamp on such a list is not written down."""
        return asked_ns - self._doubts.get(subject(event), asked_ns) >= round(SETTLING_S * 1e9)

    def _is_whole(self, asked_ns: int) -> None:
        """All orders born up to then (monotonic) that have not ended are known. Those that ended just before may
        turn up in the list LAG_NS later, so they are still asked for until it is so late."""
        if self._since_ns is None:
            self._since_ns = self._next_ns = asked_ns
        elif asked_ns >= self._next_ns + LAG_NS:
            self._since_ns, self._next_ns = self._next_ns, asked_ns

    def _forget(self) -> None:
        before_ns = self._clock.monotonic_ns() - round(REMEMBERED_S * 1e9)
        for key in [key for key, told_ns in self._told_ns.items() if told_ns < before_ns]:
            del self._told_ns[key]

    # --- reading ------------------------------------------------------------------------------------------------------

    async def first(self) -> None:
        """Read what the account is now. Handlers are told what changes from here on.

        Raises:
            APIError: Something could not be read.
        """
        asked_ns = self._clock.monotonic_ns()
        await self._take(await read_orders(self._requests, self._venue, self._state))
        self._state.orders.untold()
        rest = await self._positions_and_balances()
        await self._settings.read(rest)
        for event in rest:
            if not self._was_told(event, asked_ns):
                self._state.on_event(event)
        self._is_whole(asked_ns)

    async def look(self) -> None:
        """A small reading, by which nothing is told: does the venue show what we do not know, and the stream has not
        told of in SETTLING_S? See is_in_doubt.

        Raises:
            APIError: Something could not be read.
        """
        asked_ns = self._clock.monotonic_ns()
        since_ns = asked_ns - round(SETTLING_S * 1e9)
        shown = await self._positions_and_balances()
        if self._state.open_orders:
            shown += await read_orders(self._requests, self._venue, self._state, only_known=True)
        unsaid = [event for event in shown if not self._was_told(event, since_ns) and self._state.is_news(event)]
        self._doubts = {one: self._doubts.get(one, asked_ns) for one in map(subject, unsaid)}
        self._forget()
        if not unsaid:
            self._is_whole(asked_ns)

    async def news(
        self, *, settled_ns: int | None = None, only_known: bool = False, stands: bool = False
    ) -> list[Event]:
        """Read it, and give what handlers are to be told, `recovered`: orders in the order in which they came to be as
        they are, then positions, balances and settings.

        Args:
            settled_ns: The stream is there: orders that came to be so from then on (monotonic) are left to it, and
                positions and balances that have not been in doubt for SETTLING_S.
            only_known: See read_orders.
            stands: They need no second look: what the stream has not told of since it is there, it may have missed.

        Raises:
            APIError: Something could not be read; nothing is told by it then.
        """
        asked_ns = self._clock.monotonic_ns()
        await self._take(await self._orders(only_known))
        rest = await self._positions_and_balances()
        settings = await self._settings.read(rest)
        self._is_whole(asked_ns)
        is_settled = settled_ns is not None
        settled_ms = None if settled_ns is None else self._sync.span_ms(settled_ns).least_ms
        since_ns = asked_ns - round(SETTLING_S * 1e9) if is_settled else asked_ns
        found: list[Event] = [*self._state.orders.untold(settled_ms)]
        doubts: set[Hashable] = set()
        for event in (*rest, *settings):
            if self._was_told(event, since_ns):
                continue
            if not (self._state.is_news(event) if is_settled else self._state.is_untold(event)):
                self._state.on_event(event)  # it says more of the same
            elif is_settled and isinstance(event, Position | Balance) and not (stands or self._stands(event, asked_ns)):
                doubts.add(subject(event))
            else:
                found.append(event)
        self._doubts = {one: self._doubts.get(one, asked_ns) for one in doubts}
        self._forget()
        return [_recovered(event) for event in found]

    async def _take(self, orders: list[Order]) -> None:
        """Orders that were read, and whose they are: of those that are listed as open the list says it, unless one that
        we know may have made them."""
        tracker = self._state.orders
        for order in orders:
            tracker.on_event(order)
        listed = {subject(order) for order in orders if not order.status.is_final}
        unclear = [
            order
            for order in tracker.unclear()
            if subject(order) not in listed or tracker.possible_parent(order) is not None
        ]
        await read_parents(self._requests, self._venue, tracker, unclear)
        self.on_clear()

    async def _orders(self, only_known: bool) -> list[Order]:
        def read(since_ms: int | None) -> Awaitable[list[Order]]:
            return read_orders(
                self._requests, self._venue, self._state,
                only_known=only_known, since_ms=since_ms, symbols=self._to_ask(),
            )  # fmt: skip

        since_ns = self._since_ns
        if since_ns is None:
            return await read(None)
        return await read_since(lambda: self._sync.span_ms(since_ns).least_ms, read)

    async def _positions_and_balances(self) -> list[Event]:
        self.positions_asked_s = self._clock.monotonic_ns() / 1e9
        self.positions, positions = await read_positions(self._requests, self._venue, self._state)
        return [*positions, *await read_balances(self._requests, self._venue, self._state)]

    def all_again(self) -> list[Event]:
        """What the account is, for a consumer that has lost what it was told. Of orders, what handlers were told last:
        what they were not told of yet they are to hear in its turn, from the stream or by a reading."""
        state = self._state
        orders = [heard for order in state.open_orders for heard in state.orders.as_heard(order)]
        known: Iterable[Event] = (*orders, *state.positions.values(), *state.balances.values())
        return [_recovered(event) for event in known]

    def _to_ask(self) -> list[str]:
        """Contracts of which past conditional orders are asked for."""
        return list(self._known_symbols())[-MOST_SYMBOLS:] if self._venue.past_conditional_need_symbol else []

    def _known_symbols(self) -> dict[str, None]:
        """Those with orders or positions last."""
        held = [symbol for (symbol, _), position in self._state.positions.items() if position.quantity]
        now = dict.fromkeys([*held, *(order.symbol for order in self._state.open_orders)])
        return {symbol: None for symbol in self._symbols if symbol not in now} | now

    # --- what can be known of a gap -------------------------------------------------------------------------------

    def missing(self, fills_reach: bool) -> list[Missing]:
        """What of the account's events is missing after a gap that ends now.

        Args:
            fills_reach: Fills can be read from before it on; see FillKeeper.reaches_back.
        """
        return [
            self._missing_orders(),
            Missing(Fill, True) if fills_reach else FILLS_CUT_OFF,
            Missing(FastFill, False, "; the fills themselves follow"),
            Missing(Position, True, "; each that differs follows as it is now"),
            Missing(Balance, True, "; each that differs follows as it is now"),
            Missing(
                AccountEvent,
                False,
                "; leverage and modes that are other ones now follow as far as they can be read, but margin calls are"
                " lost, and what was changed and changed back",
            ),
        ]

    def _missing_orders(self) -> Missing:
        venue, now_ns = self._venue, self._clock.monotonic_ns()
        if self._since_ns is not None and now_ns - self._since_ns > venue.ended_orders_kept_ms * 1_000_000:
            hours = venue.ended_orders_kept_ms // 3_600_000
            return Missing(Order, False, f"; the venue keeps orders that ended without a fill for {hours} hours only")
        if venue.past_conditional_need_symbol:
            if len(self._known_symbols()) > MOST_SYMBOLS:
                return Missing(
                    Order, False, f"; conditional orders that ended within it are asked for in {MOST_SYMBOLS} contracts"
                )
            more = "; but for conditional orders that others placed, and that ended, in contracts never heard of"
            return Missing(Order, True, more)
        return Missing(Order, True)


def _nothing() -> None:
    pass


def _recovered(event: Event) -> Event:
    return replace(event, recovered=True, received_ns=0)
