"""The exchange's core: instruments, accounts, books, orders, and who hears of what. Neutral words, exact numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal

from perpwire.clock import Clock
from perpwire.model.order import PositionSide, Side
from perpwire.simulator.margin import MarginModel, PlainMargin
from perpwire.simulator.market_desk import KEPT, MarketDesk
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.replay import ReplayFeed
from perpwire.simulator.specs import AccountSpec, AccountView, SymbolSpec
from perpwire.simulator.store import Store

__all__ = ["AccountSpec", "AccountView", "Exchange", "SymbolSpec"]


class Exchange(MarketDesk):
    """See module docstring. Every method is synchronous and takes effect at once; events go out in order.

    Whatever is called, or comes due, is one step (outbox.py): it is saved, where there is a store, and then its events
    are told in order. For each match of an order: Traded, OrderChanged "trade" of the taker and of the maker (as far
    as they are accounts' orders), AccountChanged for each of them; BookChanged once at the end. The same seed, clock
    and calls give the same events.

    The desks that it is made of, each with its own part: order_desk.py, trigger_desk.py, account_desk.py,
    market_desk.py, on the floor (floor.py) that they share.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int,
        symbols: Sequence[SymbolSpec],
        accounts: Sequence[AccountSpec],
        margin: MarginModel | None = None,
        rate: float = 30.0,
        replay: ReplayFeed | None = None,
        store: Store | None = None,
    ) -> None:
        """
        Args:
            margin: The venue's margin arithmetic; plain where None.
            rate: Events a second of each symbol's background market; 0 for none at all, so that books start empty.
            replay: A recording that takes the place of the background for its own symbol.
            store: Where the state is kept; what is in it is gone on with.
        """
        self._mark_timer = None
        self._next_mark_ns = 0
        self._funding_due = {}
        self._pinned = {}
        self._countdowns = {}
        self._due = []
        self._fundings = deque(store.fundings() if store is not None else (), maxlen=KEPT)
        self._liquidations = deque(maxlen=KEPT)
        super().__init__(
            clock=clock,
            seed=seed,
            symbols=symbols,
            accounts=accounts,
            margin=margin or PlainMargin(),
            rate=rate,
            replay=replay,
            store=store,
        )
        self.subscribe(self._remember)

    def start(self) -> None:
        """Begin trading: the background market and the mark price ticks. Needs a running loop."""
        for feed in self._feeds:
            feed.start()
        if self._replay is not None:
            self._replay.start(self._emit)
        for symbol, market in self._markets.items():
            self._funding_due[symbol] = market.price.next_funding_ms(self.now_ms())
        self._resume_commands()
        self._resume_countdowns()
        self._next_mark_ns = self.clock.monotonic_ns()
        self._schedule_marks()

    def close(self) -> None:
        """Stop every timer and let go of the recording and the file."""
        for feed in self._feeds:
            feed.close()
        if self._replay is not None:
            self._replay.close()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._store is not None:
            self._outbox.commit = None
            self._store.close()

    # --- for tests: trouble by hand -----------------------------------------------------------------------------------

    def force_mark(self, symbol: str, price: Decimal | None) -> None:
        """Hold the mark price where it is put, whatever the market does, until None lets it go. Conditional orders and
        liquidations follow at once."""
        market = self._market(symbol)
        with self._outbox:
            if price is None:
                self._pinned.pop(symbol, None)
                return
            self._pinned[symbol] = market.price.mark = price
            self._tick(market, self.now_ms())
            self._settle_after_marks(self.now_ms())

    def force_fill(
        self,
        account: str,
        *,
        order_id: int | None = None,
        symbol: str | None = None,
        quantity: Decimal | None = None,
    ) -> None:
        """A made-up taker trades with a resting order at its price: with this one, or the account's oldest (of the
        symbol); with all of it, or with so much.

        Raises:
            Refused: UNKNOWN_ORDER: none such rests.
            ValueError: The quantity is not above 0.
        """
        _check_part(quantity)
        owner = self._owner(account)
        for order in owner.open.values():
            resting = self._execution.resting(order.order_id)
            if resting is not None and order_id in (None, order.order_id) and symbol in (None, order.symbol):
                market = self._markets[order.symbol]
                with self._outbox:
                    part = resting.quantity if quantity is None else min(quantity, resting.quantity)
                    self._execution.fill_resting(market, resting, part)
                    market.publish_book()
                return
        raise Refused(Why.UNKNOWN_ORDER)

    def force_liquidation(self, account: str, symbol: str, side: PositionSide = PositionSide.BOTH) -> None:
        """As if the position's margin had run out.

        Raises:
            Refused: NO_POSITION.
        """
        self._market(symbol)
        owner = self._owner(account)
        position = owner.position(symbol, side)
        if not position.quantity:
            raise Refused(Why.NO_POSITION)
        with self._outbox:
            self._liquidator.liquidate(owner, position, is_forced=True)

    def force_adl(
        self, account: str, symbol: str, side: PositionSide = PositionSide.BOTH, quantity: Decimal | None = None
    ) -> None:
        """Close a position, or so much of it, as against a bankrupt one, at the mark price.

        Raises:
            Refused: NO_POSITION.
            ValueError: The quantity is not above 0.
        """
        _check_part(quantity)
        market = self._market(symbol)
        owner = self._owner(account)
        position = owner.position(symbol, side)
        if not position.quantity:
            raise Refused(Why.NO_POSITION)
        part = abs(position.quantity) if quantity is None else min(quantity, abs(position.quantity))
        with self._outbox:
            self._liquidator.deleverage(owner, position, part, market.price.mark)

    def shock_price(self, symbol: str, *, share: Decimal) -> None:
        """The whole market jumps by this share at once (0.05 is +5 %): book, index and mark price. What follows from
        it, follows as it would.

        Raises:
            ValueError: The share is not between -0.9 and 9.
        """
        if not Decimal("-0.9") <= share <= 9:
            raise ValueError(f"a jump by {share} of the price is no jump of a market")
        market = self._market(symbol)
        tick = market.spec.instrument.tick_size
        target = max(tick, ((market.middle * (1 + share)) / tick).quantize(Decimal(1)) * tick)
        with self._outbox:
            side = Side.BUY if share > 0 else Side.SELL
            against = market.book.opposite(side)
            within = (level.total for level in against.best_first() if against.is_within(level.price, target))
            self._execution.take(market, side, sum(within, Decimal(0)), target)
            for feed in self._feeds:
                if feed.symbol == symbol:
                    feed.move_to(target)
            market.publish_book()
            market.price.restart(target)
            self._tick(market, self.now_ms())
            self._settle_after_marks(self.now_ms())

    def restart_books(self) -> None:
        """What a restart of the matching engine does to the numbering: every book's next update id jumps."""
        for market in self._markets.values():
            market.update_id += 1_000_000


def _check_part(quantity: Decimal | None) -> None:
    if quantity is not None and not (quantity.is_finite() and quantity > 0):
        raise ValueError(f"{quantity} is no part of an order or position")
