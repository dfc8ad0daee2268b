"""Orders and fills."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

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


class PositionSide(StrEnum):
    """BOTH in one-way mode; LONG or SHORT in hedge mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class OrderStatus(StrEnum):
    """Where an order stands. PENDING_NEW: the venue took it in, and has not said yet what became of it."""

    PENDING_NEW = "PENDING_NEW"
    UNTRIGGERED = "UNTRIGGERED"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED})


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the caller wants it, checked and exact, before a venue's words are put on it.

    Attributes:
        quantity: Base currency.
        price: Quote per base; None for a market order.
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
    venue_params: dict[str, Any] = msgspec.field(default_factory=dict)


class Order(Event, frozen=True, kw_only=True):
    """An order at one moment: the reply to a call, or an event of the private stream.

    Attributes:
        order_id: The venue's id, as text on both venues.
        client_order_id: Ours; "" where the venue made the order (liquidation, take-profit child).
        price: Limit price in quote per base; None for a market order, or where the reply does not state it.
        quantity: Ordered quantity in base.
        filled_quantity: Filled so far in base.
        average_price: Mean fill price; None before a fill, or where the reply does not state it.
        created_time_ms, updated_time_ms: Unix milliseconds, venue's clock; None where not stated.
        reason: Why it ended, in the venue's words; "" otherwise.
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
    created_time_ms: int | None = None
    updated_time_ms: int | None = None
    reason: str = ""


class Fill(Event, frozen=True, kw_only=True):
    """One execution of one of our orders.

    Attributes:
        trade_id: The venue's id of the execution: the key by which fills are counted once.
        price: Quote per base.
        quantity: Base; always positive.
        fee: Paid in fee_asset; negative is a rebate. None where the message does not state it.
        realized_pnl: Profit of the closed part in the settle asset, before fees; None where not stated.
        is_maker: True when our order was resting.
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
