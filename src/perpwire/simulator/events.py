"""What happens in the exchange, in no venue's words. Dialects turn these into frames."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Literal

import msgspec

from perpwire.model.market import Level
from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce

SelfTrade = Literal["taker", "maker", "both", "none"]
"""What ends when an order meets one of its own account in the book: the order that takes, the one that rests (and the
other goes on matching), both, or none of them (they trade). The taker's choice counts."""


class SimFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of an account's order. fee > 0 is paid, in the settle asset; realized_pnl is before fees."""

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


class SimOrder(msgspec.Struct, kw_only=True):
    """An account's order; changed in place by the exchange, copied into events."""

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
    filled_quantity: Decimal = Decimal(0)
    filled_value: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    self_trade: SelfTrade = "taker"
    reason: str = ""  # why it ended: "", "user", "ioc", "fok", "post_only", "market", "stp", "reduce_only"

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal | None:
        return self.filled_value / self.filled_quantity if self.filled_quantity else None


class SimPosition(msgspec.Struct, kw_only=True):
    """quantity is signed. entry_value is the exact cost of the open quantity (always positive)."""

    symbol: str
    quantity: Decimal = Decimal(0)
    entry_value: Decimal = Decimal(0)
    realized_pnl: Decimal = Decimal(0)
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        return self.entry_value / abs(self.quantity) if self.quantity else Decimal(0)


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """A match in the book, public side. While a recording plays, the recorded trades and no others."""

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    time_ms: int


class BookChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Levels that changed in one step; quantities are absolute, 0 gone. update_id grows by one for each event.

    While a recording plays, there is one for each recorded diff, with its own id: those grow by more than one.
    """

    symbol: str
    update_id: int
    time_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class OrderChanged(msgspec.Struct, frozen=True, kw_only=True):
    """`order` is a copy of the state after `what`; `fill` is set for "trade"."""

    account: str
    what: Literal["new", "trade", "amended", "canceled", "expired", "rejected"]
    order: SimOrder
    fill: SimFill | None
    time_ms: int


class AccountChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Wallets (asset, balance after, change besides profit and fees) and copies of positions that changed."""

    account: str
    reason: Literal["order", "funding", "deposit"]
    wallets: tuple[tuple[str, Decimal, Decimal], ...]
    positions: tuple[SimPosition, ...]
    time_ms: int


class MarkTick(msgspec.Struct, frozen=True, kw_only=True):
    """Once a second of the exchange's clock for each symbol."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    next_funding_ms: int
    time_ms: int


class RecordedFrame(msgspec.Struct, frozen=True, kw_only=True):
    """While replaying a recording: a stream frame as it was recorded, without its envelope, for the venue it is of."""

    venue: str
    stream: str
    payload: bytes


SimEvent = Traded | BookChanged | OrderChanged | AccountChanged | MarkTick | RecordedFrame


class Why(Enum):
    """Why the exchange refused something; dialects map each to their venue's code."""

    UNKNOWN_SYMBOL = "unknown symbol"
    UNKNOWN_ORDER = "no such order"
    ORDER_FINISHED = "the order is finished"
    DUPLICATE_CLIENT_ID = "client order id in use"
    PRICE_NOT_POSITIVE = "price must be above 0"
    PRICE_OFF_TICK = "price is not a multiple of the tick size"
    PRICE_TOO_LOW = "price below the least"
    PRICE_TOO_HIGH = "price above the greatest"
    QUANTITY_NOT_POSITIVE = "quantity must be above 0"
    QUANTITY_OFF_STEP = "quantity is not a multiple of the step"
    QUANTITY_TOO_SMALL = "quantity below the least"
    QUANTITY_TOO_LARGE = "quantity above the greatest"
    NOTIONAL_TOO_SMALL = "notional below the least"
    MARGIN = "margin is insufficient"
    POST_ONLY_WOULD_TAKE = "post-only order would take"
    FOK_UNFILLED = "fill-or-kill order can't be filled"
    REDUCE_ONLY = "reduce-only order would open or increase"
    NO_LIQUIDITY = "no liquidity for a market order"
    AMEND_NO_CHANGE = "nothing to amend"
    AMEND_BELOW_FILLED = "new quantity is not above the filled quantity"


class Refused(Exception):
    """The exchange refuses."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(detail or why.value)
        self.why = why
