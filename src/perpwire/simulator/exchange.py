"""The exchange's core: instruments, accounts, books, orders, and who hears of what. Neutral words, exact numbers."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count
from random import Random

from perpwire.clock import Clock, Timer
from perpwire.model.market import Level
from perpwire.model.order import OrderStatus, OrderType, TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.admission import check_margin, check_rules, misfit, reducible
from perpwire.simulator.events import (
    MarkTick,
    Refused,
    SimEvent,
    SimFill,
    SimOrder,
    SimPosition,
    Traded,
    Why,
)
from perpwire.simulator.execution import Execution
from perpwire.simulator.feed import SyntheticFeed
from perpwire.simulator.market import Market
from perpwire.simulator.replay import ReplayFeed
from perpwire.simulator.specs import AccountSpec, AccountView, OrderIntent, SymbolSpec

__all__ = ["AccountSpec", "AccountView", "Exchange", "OrderIntent", "SymbolSpec"]

FIRST_ORDER_ID = 8_389_765_739_000_000_001
"""As long as real ones get: more than a double holds exactly."""

_TIMES_IN_FORCE = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY})


class Exchange:
    """See module docstring. Every method is synchronous and takes effect at once; events go out in order.

    `place` returns a copy of the order after its immediate matching; events: "new" (unless refused), then "trade" ...,
    then "expired"/"canceled" for a remainder that may not rest; AccountChanged after each of our trades' OrderChanged
    batch; BookChanged and Traded for the public side. In full, for each match: Traded, OrderChanged of the taker and of
    the maker (as far as they are accounts' orders), AccountChanged for each of them; BookChanged once at the end.

    Positions are one-way, margin is cross. Liquidation and funding payments are not made (mark ticks do carry the
    rate and the time of the next funding). The same seed, clock and calls give the same events.

    Attributes:
        clock: Makes every time stamp and timer.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int,
        symbols: Sequence[SymbolSpec],
        accounts: Sequence[AccountSpec],
        rate: float = 30.0,
        replay: ReplayFeed | None = None,
    ) -> None:
        """
        Args:
            rate: Events a second of each symbol's background market; 0 for none at all, so that books start empty.
            replay: A recording that takes the place of the background for its own symbol.
        """
        self.clock = clock
        self._listeners: list[Callable[[SimEvent], None]] = []
        self._pending: deque[SimEvent] = deque()
        self._specs = {spec.instrument.symbol: spec for spec in symbols}
        self._accounts = {spec.name: Account(spec, self._specs) for spec in accounts}
        self._by_key = {spec.api_key: spec for spec in accounts}
        self._execution = Execution(self._accounts, self._emit)
        self._order_ids = count(FIRST_ORDER_ID)
        self._markets: dict[str, Market] = {}
        self._feeds: list[SyntheticFeed] = []
        self._replay = replay
        self._mark_timer: Timer | None = None
        for symbol, spec in self._specs.items():
            market = Market(spec, clock, Random(f"{seed}/{symbol}/mark"), self._emit)
            self._markets[symbol] = market
            if replay is not None and symbol == replay.symbol:
                replay.load(market, self._execution, clock)
            elif rate > 0:
                feed = SyntheticFeed(market, self._execution, clock, Random(f"{seed}/{symbol}/flow"), rate)
                self._feeds.append(feed)

    # --- life and listeners -------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Unix milliseconds by the exchange's clock."""
        return self.clock.time_ns() // 1_000_000

    def start(self) -> None:
        """Begin trading: the background market and the mark price ticks. Needs a running loop."""
        for feed in self._feeds:
            feed.start()
        if self._replay is not None:
            self._replay.start(self._emit)
        self._next_mark_ns = self.clock.monotonic_ns()
        self._schedule_marks()

    def close(self) -> None:
        """Stop every timer and let go of the recording."""
        for feed in self._feeds:
            feed.close()
        if self._replay is not None:
            self._replay.close()
        if self._mark_timer is not None:
            self._mark_timer.cancel()
            self._mark_timer = None

    def subscribe(self, listener: Callable[[SimEvent], None]) -> Callable[[], None]:
        """Hear every event from now on. Call the result to hear no more."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def _emit(self, event: SimEvent) -> None:
        # A listener may act on the exchange: what this causes waits until all have heard of the cause.
        self._pending.append(event)
        if len(self._pending) > 1:
            return
        try:
            while self._pending:
                for listener in tuple(self._listeners):
                    listener(self._pending[0])
                self._pending.popleft()
        finally:
            self._pending.clear()

    def _schedule_marks(self) -> None:
        self._next_mark_ns += 1_000_000_000
        wait_s = max(0.0, (self._next_mark_ns - self.clock.monotonic_ns()) / 1e9)
        self._mark_timer = self.clock.call_later(wait_s, self._tick_marks)

    def _tick_marks(self) -> None:
        now_ms = self.now_ms()
        for market in self._markets.values():
            price = market.price
            price.tick(market.middle)
            self._emit(
                MarkTick(
                    symbol=market.symbol,
                    mark_price=price.mark,
                    index_price=price.index,
                    funding_rate=price.funding_rate,
                    next_funding_ms=price.next_funding_ms(now_ms),
                    time_ms=now_ms,
                )
            )
        self._schedule_marks()

    # --- reference data -----------------------------------------------------------------------------------------------

    def _market(self, symbol: str) -> Market:
        market = self._markets.get(symbol)
        if market is None:
            raise Refused(Why.UNKNOWN_SYMBOL, symbol)
        return market

    def spec(self, symbol: str) -> SymbolSpec:
        """
        Raises:
            Refused: UNKNOWN_SYMBOL.
        """
        return self._market(symbol).spec

    def specs(self) -> Sequence[SymbolSpec]:
        return tuple(self._specs.values())

    def account_by_key(self, api_key: str) -> AccountSpec | None:
        return self._by_key.get(api_key)

    def account_specs(self) -> Sequence[AccountSpec]:
        return tuple(account.spec for account in self._accounts.values())

    # --- orders -------------------------------------------------------------------------------------------------------

    def new_order_id(self) -> int:
        """An id for an order that will be placed later: a venue may acknowledge first and match afterwards."""
        return next(self._order_ids)

    def check(self, account: str, intent: OrderIntent) -> None:
        """Whether `place` would take the order in now; nothing changes.

        Raises:
            Refused, ValueError: As `place`.
        """
        self._prepare(account, intent)

    def place(self, account: str, intent: OrderIntent, order_id: int | None = None) -> SimOrder:
        """Take an order in. Checked in this order: symbol, price, quantity, notional, duplicate client id among open
        orders, reduce-only, margin, then what the book has against it.

        Args:
            order_id: Its id, from `new_order_id`; None gives it the next one.

        Raises:
            Refused: The order was not taken; nothing changed.
            ValueError: Not LIMIT or MARKET, or a time in force other than GTC, IOC, FOK and POST_ONLY.
        """
        market, owner, order, ending = self._prepare(account, intent)
        order.order_id = next(self._order_ids) if order_id is None else order_id
        owner.add_order(order)
        self._execution.announce(order, "new")
        if ending:
            self._execution.end(market, order, "canceled", ending)
        else:
            self._execution.enter(market, order)
        market.publish_book()
        return copy.copy(order)

    def _prepare(self, account: str, intent: OrderIntent) -> tuple[Market, Account, SimOrder, str]:
        """Everything that can be refused. Gives the order without an id, and what ends it at once ("" for nothing)."""
        if intent.type not in (OrderType.LIMIT, OrderType.MARKET) or intent.time_in_force not in _TIMES_IN_FORCE:
            raise ValueError(f"{intent.type} {intent.time_in_force} is no order of this exchange")
        market = self._market(intent.symbol)
        self.want_book(intent.symbol)
        owner = self._accounts[account]
        check_rules(market, intent.type, intent.price, intent.quantity, intent.reduce_only)
        earlier = owner.find(None, intent.client_order_id)
        if earlier is not None and not earlier.status.is_final:
            raise Refused(Why.DUPLICATE_CLIENT_ID)
        quantity = reducible(owner.position(intent.symbol), intent) if intent.reduce_only else intent.quantity
        now_ms = self.now_ms()
        order = SimOrder(
            account=account,
            symbol=intent.symbol,
            order_id=0,
            client_order_id=intent.client_order_id,
            side=intent.side,
            type=intent.type,
            time_in_force=intent.time_in_force,
            price=market.canonical(intent.price) if intent.type is OrderType.LIMIT and intent.price else None,
            quantity=quantity,
            reduce_only=intent.reduce_only,
            position_side=intent.position_side,
            self_trade=intent.self_trade,
            status=OrderStatus.NEW,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        check_margin(market, owner, order, self.mark_price)
        return market, owner, order, misfit(market.book, intent, order)

    def amend(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None,
        client_order_id: str | None,
        price: Decimal | None,
        quantity: Decimal | None,
        keep_priority_on_reduce: bool = True,
    ) -> SimOrder:
        """Change price or total quantity (None: keep it). A lower quantity alone keeps the order's place in the queue
        (unless `keep_priority_on_reduce` is False); anything else puts it to the rear, and it may trade at once. A
        post-only order that would take is cancelled.

        Raises:
            Refused: The order stays as it was.
        """
        market = self._market(symbol)
        owner = self._accounts[account]
        order = self._open_order(owner, symbol, order_id, client_order_id)
        new_price = order.price if price is None else price
        new_quantity = order.quantity if quantity is None else quantity
        check_rules(market, order.type, new_price, new_quantity, order.reduce_only)
        assert new_price is not None  # what rests has a price
        if new_price == order.price and new_quantity == order.quantity:
            raise Refused(Why.AMEND_NO_CHANGE)
        if new_quantity <= order.filled_quantity:
            raise Refused(Why.AMEND_BELOW_FILLED)
        if order.reduce_only and new_quantity - order.filled_quantity > abs(owner.position(symbol).quantity):
            raise Refused(Why.REDUCE_ONLY)
        changed = copy.copy(order)
        changed.price, changed.quantity = market.canonical(new_price), new_quantity
        check_margin(market, owner, changed, self.mark_price, instead_of=order)
        now_ms = self.now_ms()
        if keep_priority_on_reduce and changed.price == order.price and new_quantity < order.quantity:
            self._execution.shrink(market, order, order.quantity - new_quantity)
            order.updated_ms = now_ms
            self._execution.announce(order, "amended")
        else:
            self._execution.withdraw(market, order)
            order.price, order.quantity, order.updated_ms = changed.price, new_quantity, now_ms
            self._execution.announce(order, "amended")
            is_post_only = order.time_in_force is TimeInForce.POST_ONLY
            if is_post_only and market.book.would_take(order.side, changed.price):
                self._execution.end(market, order, "canceled", "post_only")
            else:
                self._execution.enter(market, order)
        market.publish_book()
        return copy.copy(order)

    def cancel(self, account: str, symbol: str, *, order_id: int | None, client_order_id: str | None) -> SimOrder:
        """
        Raises:
            Refused: UNKNOWN_SYMBOL, UNKNOWN_ORDER or ORDER_FINISHED.
        """
        market = self._market(symbol)
        order = self._open_order(self._accounts[account], symbol, order_id, client_order_id)
        self._execution.end(market, order, "canceled", "user")
        market.publish_book()
        return copy.copy(order)

    def cancel_all(self, account: str, symbol: str | None) -> list[SimOrder]:
        """Cancel the open orders of one symbol, or of all; gives them as they ended."""
        if symbol is not None:
            self._market(symbol)
        open_orders = [one for one in self._accounts[account].open.values() if symbol in (None, one.symbol)]
        for order in open_orders:
            self._execution.end(self._markets[order.symbol], order, "canceled", "user")
        for name in dict.fromkeys(order.symbol for order in open_orders):
            self._markets[name].publish_book()
        return [copy.copy(order) for order in open_orders]

    def find_order(
        self, account: str, symbol: str | None, *, order_id: int | None, client_order_id: str | None
    ) -> SimOrder:
        """By id where one is given, else the newest with the client id.

        Raises:
            Refused: UNKNOWN_ORDER.
        """
        order = self._accounts[account].find(order_id, client_order_id)
        if order is None or symbol not in (None, order.symbol):
            raise Refused(Why.UNKNOWN_ORDER)
        return copy.copy(order)

    def open_orders(self, account: str, symbol: str | None) -> list[SimOrder]:
        """Oldest first."""
        return [copy.copy(one) for one in self._accounts[account].open.values() if symbol in (None, one.symbol)]

    def orders(self, account: str, symbol: str | None) -> list[SimOrder]:
        """Every order that is remembered, open or finished; oldest first."""
        return [copy.copy(one) for one in self._accounts[account].all_orders() if symbol in (None, one.symbol)]

    def fills(self, account: str, symbol: str | None) -> list[tuple[SimOrder, SimFill]]:
        """Every execution that is remembered, with its order as it is now; oldest first."""
        return [
            (copy.copy(order), fill) for order, fill in self._accounts[account].fills if symbol in (None, order.symbol)
        ]

    def _open_order(self, owner: Account, symbol: str, order_id: int | None, client_order_id: str | None) -> SimOrder:
        order = owner.find(order_id, client_order_id)
        if order is None or order.symbol != symbol:
            raise Refused(Why.UNKNOWN_ORDER)
        if order.status.is_final:
            raise Refused(Why.ORDER_FINISHED)
        return order

    # --- accounts -----------------------------------------------------------------------------------------------------

    def wallet(self, account: str) -> dict[str, Decimal]:
        """Asset -> cash."""
        return dict(self._accounts[account].wallet)

    def view(self, account: str) -> AccountView:
        return self._accounts[account].view(self.mark_price)

    def position(self, account: str, symbol: str) -> SimPosition:
        """Flat where there never was one."""
        self._market(symbol)
        return copy.copy(self._accounts[account].position(symbol))

    def positions(self, account: str) -> list[SimPosition]:
        """Those that are open."""
        return [copy.copy(one) for one in self._accounts[account].positions.values() if one.quantity]

    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None:
        """
        Raises:
            Refused: MARGIN, where a lower leverage would need more than is free.
        """
        self._market(symbol)
        owner = self._accounts[account]
        before = owner.leverage(symbol)
        owner.set_leverage(symbol, leverage)
        view = owner.view(self.mark_price)
        if leverage < before and view.equity < view.initial_margin + view.order_margin:
            owner.set_leverage(symbol, before)
            raise Refused(Why.MARGIN)

    def leverage(self, account: str, symbol: str) -> Decimal:
        self._market(symbol)
        return self._accounts[account].leverage(symbol)

    def order_margin(self, account: str, symbol: str) -> Decimal:
        """Initial margin that this symbol's open orders hold back."""
        self._market(symbol)
        return self._accounts[account].order_margin(symbol)

    # --- market data --------------------------------------------------------------------------------------------------

    def mark_price(self, symbol: str) -> Decimal:
        return self._market(symbol).price.mark

    def index_price(self, symbol: str) -> Decimal:
        return self._market(symbol).price.index

    def funding(self, symbol: str) -> tuple[Decimal, int]:
        """Rate of the coming funding, and its time in Unix milliseconds."""
        price = self._market(symbol).price
        return price.funding_rate, price.next_funding_ms(self.now_ms())

    def last_price(self, symbol: str) -> Decimal:
        return self._market(symbol).last_price

    def recent_trades(self, symbol: str, limit: int) -> list[Traded]:
        """Newest last."""
        return list(self._market(symbol).tape)[-limit:] if limit > 0 else []

    def book(self, symbol: str, depth: int) -> tuple[list[Level], list[Level], int, int]:
        """Bids and asks best first, the update id, and when it last changed (Unix ms).

        While a recording plays it is the recorded book with the recording's own ids, without the users' orders.
        """
        market = self._market(symbol)
        bids, asks = market.depth(depth)
        return bids, asks, market.update_id, market.changed_ms

    def want_book(self, symbol: str) -> None:
        """A client subscribed to book or trades of this symbol, or trades it; a recording of it begins on that."""
        if self._replay is not None and symbol == self._replay.symbol:
            self._replay.begin()
