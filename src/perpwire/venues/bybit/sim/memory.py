"""What the venue remembers beyond the exchange's own records: notes on orders and fills, and position histories."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TypeVar

import msgspec

from perpwire.model.order import OrderType, Side, TimeInForce
from perpwire.simulator.events import BookChanged, OrderChanged, SimEvent, SimFill, SimOrder, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.numbers import ZERO
from perpwire.venues.bybit.translate import TIME_IN_FORCE_TEXTS

KEPT = 30_000
"""Notes on so many orders, and on so many fills; the oldest are forgotten."""

T = TypeVar("T")


class OrderNote(msgspec.Struct, kw_only=True):
    """An order in the venue's words.

    Attributes:
        shown_price: A market order's protective bound, which its `price` shows; None for the order's own price.
        closed_pnl: Profit of what it closed, after opening and closing fees.
    """

    order_type: str
    time_in_force: str
    last_price: Decimal
    shown_price: Decimal | None = None
    close_on_trigger: bool = False
    smp_type: str = "None"
    closed_pnl: Decimal = ZERO


class FillNote(msgspec.Struct, frozen=True, kw_only=True):
    """What stood around a fill when it was made."""

    seq: int
    mark_price: Decimal
    index_price: Decimal
    leaves: Decimal


class PositionHistory(msgspec.Struct, kw_only=True):
    """One symbol's position of one account over time.

    Attributes:
        current_realized: Of the open position: profit of its closed parts less all its fees.
        total_realized: The same since the account began.
        open_fees: Fees paid for what is open now.
        seq: Of its last fill; -1 where there was none.
    """

    quantity: Decimal = ZERO
    current_realized: Decimal = ZERO
    total_realized: Decimal = ZERO
    open_fees: Decimal = ZERO
    created_ms: int = 0
    opened_ms: int = 0
    seq: int = -1

    def apply(self, side: Side, fill: SimFill, seq: int) -> Decimal:
        """Take a fill in; gives the closed profit after fees, 0 where nothing was closed."""
        closing_fee = fill.fee * fill.closed_quantity / fill.quantity
        opening = fill.quantity - fill.closed_quantity
        closed_pnl = ZERO
        if fill.closed_quantity:
            released = self.open_fees * fill.closed_quantity / abs(self.quantity)
            self.open_fees -= released
            self._realize(fill.realized_pnl - closing_fee)
            closed_pnl = fill.realized_pnl - closing_fee - released
        if opening:
            if fill.closed_quantity or not self.quantity:  # a new position, perhaps through zero
                self.current_realized = self.open_fees = ZERO
                self.opened_ms = fill.time_ms
            self.created_ms = self.created_ms or fill.time_ms
            self.open_fees += fill.fee - closing_fee
            self._realize(closing_fee - fill.fee)
        self.quantity += fill.quantity if side is Side.BUY else -fill.quantity
        self.seq = seq
        return closed_pnl

    def _realize(self, amount: Decimal) -> None:
        self.current_realized += amount
        self.total_realized += amount


class Memory:
    """Listens to the exchange, before anything is sent of what happened."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._orders: dict[int, OrderNote] = {}
        self._fills: dict[tuple[int, bool], FillNote] = {}
        self.positions: defaultdict[tuple[str, str], PositionHistory] = defaultdict(PositionHistory)
        self._seq: defaultdict[str, int] = defaultdict(lambda: 50_000_000_000)

    def on_event(self, event: SimEvent) -> None:
        if isinstance(event, BookChanged | Traded):
            self._seq[event.symbol] += 1
        elif isinstance(event, OrderChanged) and event.fill is not None:
            self._on_fill(event.order, event.fill)

    def _on_fill(self, order: SimOrder, fill: SimFill) -> None:
        seq = self._seq[order.symbol]
        closed_pnl = self.positions[order.account, order.symbol].apply(order.side, fill, seq)
        self.note(order).closed_pnl += closed_pnl
        note = FillNote(
            seq=seq,
            mark_price=self._exchange.mark_price(order.symbol),
            index_price=self._exchange.index_price(order.symbol),
            leaves=order.remaining,
        )
        _keep(self._fills, (fill.trade_id, fill.is_maker), note)

    def seq(self, symbol: str) -> int:
        """The cross sequence: grows with every change of the symbol's book and every trade."""
        return self._seq[symbol]

    def remember(self, order_id: int, note: OrderNote) -> None:
        _keep(self._orders, order_id, note)

    def note(self, order: SimOrder) -> OrderNote:
        """What is known of an order; one that did not come over this wire is described by its own fields."""
        note = self._orders.get(order.order_id)
        if note is None:
            note = OrderNote(
                order_type="Market" if order.type is OrderType.MARKET else "Limit",
                time_in_force=TIME_IN_FORCE_TEXTS.get(order.time_in_force, TimeInForce.GTC.value),
                last_price=self._exchange.last_price(order.symbol),
            )
            self.remember(order.order_id, note)
        return note

    def fill_note(self, fill: SimFill, order: SimOrder) -> FillNote:
        found = self._fills.get((fill.trade_id, fill.is_maker))
        if found is not None:
            return found
        return FillNote(seq=0, mark_price=fill.price, index_price=fill.price, leaves=order.remaining)


K = TypeVar("K")


def _keep(notes: dict[K, T], key: K, note: T) -> None:
    notes[key] = note
    if len(notes) > KEPT:
        del notes[next(iter(notes))]
