"""What the exchange keeps: orders, executions, conditional orders, positions, and movements of cash. Neutral words."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.refusals import Why
from perpwire.simulator.vocabulary import ZERO, FillKind, Origin, SelfTrade


class SimFill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution of an account's order. fee > 0 is paid, in the settle asset; realized_pnl is before fees.

    Attributes:
        leaves: What was left of the order after it.
        closed_pnl: Profit of the closed part after its closing fee and its share of the fees of opening.
        position_quantity: The position after it (signed).
        balance: The wallet after it.
        seq: The market's sequence number of the match.
        leverage: Of the position at that time.
        rounded_off: What the exact profit had beyond the smallest amount of cash; it is the exchange's.
    """

    trade_id: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_rate: Decimal
    fee_asset: str
    realized_pnl: Decimal
    closed_quantity: Decimal
    is_maker: bool
    time_ms: int
    kind: FillKind = "trade"
    mark_price: Decimal = ZERO
    index_price: Decimal = ZERO
    leaves: Decimal = ZERO
    closed_pnl: Decimal = ZERO
    position_quantity: Decimal = ZERO
    balance: Decimal = ZERO
    seq: int = 0
    leverage: Decimal = ZERO
    rounded_off: Decimal = ZERO


class SimOrder(msgspec.Struct, kw_only=True, gc=False):
    """An account's order; changed in place by the exchange, copied into events.

    Attributes:
        bound: A market order trades no worse than this.
        expire_ms: When it ends by itself (Unix ms); 0 for never.
        trigger_id: Of the conditional order that it came of; 0 for none.
        amendments: How often it was changed.
        met_order_id: The order of its own account that it met and was ended by; 0 for none.
        note: The venue's own words about it. The exchange keeps them and never reads them.
        reason: Why it ended: "", "user", "ioc", "fok", "post_only", "market", "stp", "reduce_only", "gtd",
            "liquidation", "adl", "countdown", "disconnect", "position_closed".
    """

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    price: Decimal | None
    quantity: Decimal
    reduce_only: bool
    position_side: PositionSide
    status: OrderStatus
    created_ms: int
    updated_ms: int
    filled_quantity: Decimal = ZERO
    filled_value: Decimal = ZERO
    fees: Decimal = ZERO
    self_trade: SelfTrade = "taker"
    reason: str = ""
    origin: Origin = "user"
    bound: Decimal | None = None
    expire_ms: int = 0
    close_position: bool = False
    trigger_id: int = 0
    amendments: int = 0
    met_order_id: int = 0
    closed_pnl: Decimal = ZERO
    note: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal | None:
        return self.filled_value / self.filled_quantity if self.filled_quantity else None

    @property
    def limit(self) -> Decimal | None:
        """The worst price that it may trade at; None for any."""
        return self.bound if self.price is None else self.price

    @property
    def closes(self) -> bool:
        """May it only make a position smaller? In hedge mode the side says so."""
        if self.position_side is PositionSide.BOTH:
            return self.reduce_only
        return (self.position_side is PositionSide.LONG) == (self.side is Side.SELL)


TriggerStatus = Literal["waiting", "triggering", "triggered", "finished", "canceled", "expired", "rejected"]


class SimTrigger(msgspec.Struct, kw_only=True):
    """An account's conditional order; changed in place by the exchange, copied into events.

    Attributes:
        intent: What was asked for, as amended since.
        order_id: Of the order that it has become; 0 before.
        extreme: Best price that a trailing order has seen since it is active.
        is_activated: Does a trailing order follow the price yet? True for all others.
        reason: Why it ended: "", "user", "oco", "position_closed", "gtd", "liquidation", "no_position", "adl".
        why: Why its order was refused.
    """

    account: str
    trigger_id: int
    intent: TriggerIntent
    status: TriggerStatus = "waiting"
    order_id: int = 0
    extreme: Decimal | None = None
    is_activated: bool = True
    created_ms: int = 0
    updated_ms: int = 0
    triggered_ms: int = 0
    reason: str = ""
    why: Why | None = None

    @property
    def symbol(self) -> str:
        return self.intent.symbol

    @property
    def client_id(self) -> str:
        return self.intent.client_id

    @property
    def is_open(self) -> bool:
        """Can it still trigger?"""
        return self.status == "waiting"

    @property
    def stop_price(self) -> Decimal | None:
        """Where it triggers as things are; None while a trailing order is not active."""
        intent = self.intent
        if intent.kind != "trailing":
            return intent.trigger_price
        if self.extreme is None or not self.is_activated:
            return None
        distance = self.extreme * intent.callback_rate if intent.callback_rate else (intent.callback_distance or ZERO)
        return self.extreme - distance if intent.direction == "falls" else self.extreme + distance


class SimPosition(msgspec.Struct, kw_only=True):
    """quantity is signed (a SHORT's is 0 or below). entry_value is the exact cost of the open quantity, never negative.

    Attributes:
        realized_pnl: Price profit of all that was closed, before fees.
        isolated_margin: Cash set aside for it; 0 where the margin is cross.
        extra_margin: Of that, what was added by hand or by funding, less what was taken.
        current_realized: Of the position that is open: profit of its closed parts and funding, less all its fees.
        total_realized: The same since the account began.
        open_fees: Fees paid for what is open now.
        created_ms, opened_ms, updated_ms: First fill ever, first fill of the open position, last change (Unix ms).
        seq: The market's sequence of its last fill; -1 where there was none.
    """

    symbol: str
    side: PositionSide = PositionSide.BOTH
    quantity: Decimal = ZERO
    entry_value: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    leverage: Decimal = Decimal(20)
    is_isolated: bool = False
    isolated_margin: Decimal = ZERO
    extra_margin: Decimal = ZERO
    auto_add_margin: bool = False
    current_realized: Decimal = ZERO
    total_realized: Decimal = ZERO
    open_fees: Decimal = ZERO
    created_ms: int = 0
    opened_ms: int = 0
    updated_ms: int = 0
    seq: int = -1

    @property
    def entry_price(self) -> Decimal:
        return self.entry_value / abs(self.quantity) if self.quantity else ZERO

    def unrealized(self, mark_price: Decimal) -> Decimal:
        """Profit if it were closed at this price, before fees."""
        gain = abs(self.quantity) * mark_price - self.entry_value
        return gain if self.quantity >= 0 else -gain


class Booking(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One movement of an account's cash: change = cash_flow + funding - fee.

    Attributes:
        number: Grows by account without gaps, from 1.
        kind: "trade": an execution; "funding"; "liquidation_fee"; "transfer": paid in or out; "insurance": the
            insurance fund has paid what an account had lost beyond all it had.
        side, quantity, price, fee, fee_rate, trade_id, order_id, client_order_id, is_maker: Of the execution; of a
            funding, side and quantity are the position's and price is the mark price.
        cash_flow: Price profit, or what was paid in.
        funding: Above 0 if received.
        position_quantity: Of the position, after it (signed).
        balance: Of the wallet, after it.
    """

    number: int
    kind: Literal["trade", "funding", "liquidation_fee", "transfer", "insurance"]
    asset: str
    change: Decimal
    balance: Decimal
    time_ms: int
    symbol: str = ""
    position_side: PositionSide = PositionSide.BOTH
    side: Side | None = None
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    fee: Decimal = ZERO
    fee_rate: Decimal = ZERO
    cash_flow: Decimal = ZERO
    funding: Decimal = ZERO
    position_quantity: Decimal = ZERO
    trade_id: int = 0
    order_id: int = 0
    client_order_id: str = ""
    fill_kind: FillKind = "trade"
    is_maker: bool = False
