"""Orders and fills."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from perpwire.model.market import Event


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"
    LIQUIDATION = "LIQUIDATION"
    UNKNOWN = "UNKNOWN"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    POST_ONLY = "POST_ONLY"
    GTD = "GTD"
    RPI = "RPI"
    UNKNOWN = "UNKNOWN"


CONDITIONAL = frozenset(
    {
        OrderType.STOP,
        OrderType.STOP_MARKET,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_MARKET,
        OrderType.TRAILING_STOP_MARKET,
    }
)
"""Types that wait for a trigger before they trade."""

AT_MARKET = frozenset(
    {OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET, OrderType.TRAILING_STOP_MARKET}
)
"""Types without a limit price."""


class TriggerBy(StrEnum):
    """The price that a trigger watches."""

    LAST = "LAST"
    MARK = "MARK"
    INDEX = "INDEX"


class PositionSide(StrEnum):
    """BOTH in one-way mode; LONG or SHORT in hedge mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


_BOTH = PositionSide.BOTH


class OrderStatus(StrEnum):
    """Where an order stands.

    PENDING_NEW: the venue took it in, and has not said yet what became of it. UNTRIGGERED: a conditional order waits.
    TRIGGERED: it has been set off, and what it made is on its way to the book. UNKNOWN: a word of the venue that this
    version does not know; the order counts as open.
    """

    PENDING_NEW = "PENDING_NEW"
    UNTRIGGERED = "UNTRIGGERED"
    TRIGGERED = "TRIGGERED"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED})


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as the caller wants it, checked and exact, before a venue's words are put on it.

    Attributes:
        quantity: Base currency; 0 with `close_position`.
        price: Quote per base; None where the type has none (AT_MARKET).
        trigger_price: Quote per base; for conditional types. A trailing stop may do without.
        trigger_by: The price that the trigger watches.
        trigger_rises: True where the trigger waits for the price to rise to trigger_price, False for a fall.
        callback_rate: Of a trailing stop: percent of the price (1 is 1 %).
        activation_price: Of a trailing stop: it begins to follow at this price; None: at once.
        close_position: Closes whatever the position is when it is triggered.
        take_profit, stop_loss: Trigger prices of exits that are attached, where the venue has such.
        expires_time_ms: With GTD: Unix milliseconds.
        venue_params: Extra parameters in the venue's own names; they win over ours.
    """

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    client_order_id: str
    price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    trigger_price: Decimal | None = None
    trigger_by: TriggerBy = TriggerBy.LAST
    trigger_rises: bool | None = None
    callback_rate: Decimal | None = None
    activation_price: Decimal | None = None
    close_position: bool = False
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    expires_time_ms: int | None = None
    venue_params: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def hedged(self) -> bool:
        return self.position_side is not _BOTH

    @property
    def is_conditional(self) -> bool:
        return self.type in CONDITIONAL

    @property
    def is_closing(self) -> bool:
        """It says that it may only make a position smaller."""
        return self.reduce_only or self.close_position

    @property
    def can_only_reduce(self) -> bool:
        """It says so, or its sides do: in hedge mode a sell of the long side opens nothing."""
        return (
            self.reduce_only
            or self.close_position
            or (
                self.position_side is not _BOTH
                and (self.position_side is PositionSide.LONG) is (self.side is Side.SELL)
            )
        )


class Order(Event, frozen=True, kw_only=True, gc=False):
    """An order at one moment: the reply to a call, or an event of the private stream.

    Attributes:
        order_id: The venue's id, as text on both venues. Where conditional orders have ids of their own (Binance),
            theirs begins with "algo-", and stays the order's id after the trigger.
        client_order_id: Ours; "" where the venue made the order (liquidation, take-profit child).
        price: Limit price in quote per base; None for a market order, or where the reply does not state it.
        quantity: Ordered quantity in base.
        filled_quantity: Filled so far in base.
        average_price: Mean fill price; None before a fill, or where the reply does not state it: Binance's answers to
            orders placed, changed and cancelled do not, get_order and the account's stream do.
        trigger_price, trigger_by, callback_rate, activation_price, close_position: As in OrderRequest; of conditional
            orders only.
        child_order_id: The venue's id of the order that the trigger made, where that is another one (Binance). Its
            state and fills are this order's.
        take_profit, stop_loss: Trigger prices of attached exits (Bybit); None where there are none.
        expires_time_ms: Of a GTD order (Binance): Unix milliseconds; None otherwise.
        self_trade_prevention: What it does when it meets an order of the same account, in the venue's words
            (EXPIRE_MAKER, CancelTaker ...); "" where nothing, or where not stated.
        created_time_ms, updated_time_ms: Unix milliseconds, venue's clock; None where not stated.
        reason: Why it ended, in the venue's words; "" otherwise.
        unknown_words: What the venue said that this version does not know, such as "status HALTED"; the field is
            UNKNOWN then. () otherwise.
    """

    order_id: str
    client_order_id: str
    side: Side
    type: OrderType
    status: OrderStatus
    time_in_force: TimeInForce
    price: Decimal | None
    quantity: Decimal
    filled_quantity: Decimal
    average_price: Decimal | None
    reduce_only: bool
    position_side: PositionSide = PositionSide.BOTH
    trigger_price: Decimal | None = None
    trigger_by: TriggerBy | None = None
    callback_rate: Decimal | None = None
    activation_price: Decimal | None = None
    close_position: bool = False
    child_order_id: str | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    expires_time_ms: int | None = None
    self_trade_prevention: str = ""
    created_time_ms: int | None = None
    updated_time_ms: int | None = None
    reason: str = ""
    unknown_words: tuple[str, ...] = ()

    @property
    def is_conditional(self) -> bool:
        return self.type in CONDITIONAL


def with_child(parent: Order, child: Order) -> Order:
    """A conditional order and the order that its trigger made, as one: it is what the parent was asked to be, and
    stands where the child stands."""
    return msgspec.structs.replace(
        parent,
        child_order_id=child.order_id,
        status=child.status,
        quantity=child.quantity or parent.quantity,
        filled_quantity=child.filled_quantity,
        average_price=parent.average_price if child.average_price is None else child.average_price,
        price=parent.price if child.price is None else child.price,
        venue_time_ms=child.venue_time_ms or parent.venue_time_ms,
        received_ns=child.received_ns,
        updated_time_ms=child.updated_time_ms or parent.updated_time_ms,
        reason=child.reason or parent.reason,
        unknown_words=child.unknown_words or parent.unknown_words,
    )


def with_unknown_words(order: Order, *, status: str, kind: str, time_in_force: str | None) -> Order:
    """For decoders: the order with those of the venue's words that were not known, if any."""
    if (
        order.status is not OrderStatus.UNKNOWN
        and order.type is not OrderType.UNKNOWN
        and order.time_in_force is not TimeInForce.UNKNOWN
    ):
        return order
    unknown = []
    if order.status is OrderStatus.UNKNOWN:
        unknown.append(f"status {status}")
    if order.type is OrderType.UNKNOWN:
        unknown.append(f"type {kind}")
    if order.time_in_force is TimeInForce.UNKNOWN and time_in_force:
        unknown.append(f"time_in_force {time_in_force}")
    return msgspec.structs.replace(order, unknown_words=tuple(unknown)) if unknown else order


class Replaced(NamedTuple):
    """What replace_order came to.

    Attributes:
        old: The order that was to be replaced, as it ended.
        new: The order in its place; None where the old one was filled, in whole or in part, before it was cancelled.
    """

    old: Order
    new: Order | None


class Fill(Event, frozen=True, kw_only=True, gc=False):
    """One execution of one of our orders.

    Attributes:
        trade_id: The venue's id of the execution: the key by which fills are counted once.
        price: Quote per base.
        quantity: Base; always positive.
        fee: Paid in fee_asset; negative is a rebate. None where the message does not state it.
        extra_fee: Taxes on top of the fee, in fee_asset (Bybit, in some countries); None where there are none.
        realized_pnl: Profit of the closed part in the settle asset, before fees; None where not stated.
        is_maker: True when our order was resting.
        unknown_words: As of an Order, such as "execution SPLIT"; ().
    """

    trade_id: str
    order_id: str
    client_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal | None
    fee_asset: str
    realized_pnl: Decimal | None
    is_maker: bool
    position_side: PositionSide = PositionSide.BOTH
    extra_fee: Decimal | None = None
    unknown_words: tuple[str, ...] = ()


class FastFill(Event, frozen=True, kw_only=True):
    """The first word of a fill, some milliseconds before its Fill, which tells all of it: the two are one execution.
    Positions and orders go by Fill alone.

    Attributes:
        trade_id: As the Fill's.
        price: Quote per base. quantity: Base.
        client_order_id: "" where not stated.
    """

    trade_id: str
    order_id: str
    client_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    is_maker: bool
