"""Between wire and model, both ways: one small function each.

What a venue may extend at will (order types, times in force) falls back to UNKNOWN. An order status, a side or a
position index that is not known raises ValueError: nothing may be guessed about what is owned or owed.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from perpwire.model.account import Position
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookSnapshot
from perpwire.model.order import OrderStatus, PositionSide, Side, TimeInForce, TriggerBy
from perpwire.venues.bybit import wire

NAME = "bybit"
ZERO = Decimal(0)

SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
SIDE_TEXTS = {side: text for text, side in SIDES.items()}

STATUSES = {
    "New": OrderStatus.NEW,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Untriggered": OrderStatus.UNTRIGGERED,
    "Triggered": OrderStatus.TRIGGERED,  # between Untriggered and New
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,  # cancelled before it was triggered
    "Rejected": OrderStatus.REJECTED,
    # Of earlier API versions; other connectors still expect them.
    "Created": OrderStatus.PENDING_NEW,
    "Active": OrderStatus.NEW,
    "PendingCancel": OrderStatus.NEW,  # it can still be filled
}

TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "PostOnly": TimeInForce.POST_ONLY,
    "RPI": TimeInForce.RPI,
}
TIME_IN_FORCE_TEXTS = {kind: text for text, kind in TIMES_IN_FORCE.items()}

POSITION_SIDES = {0: PositionSide.BOTH, 1: PositionSide.LONG, 2: PositionSide.SHORT}
POSITION_INDEXES = {side: index for index, side in POSITION_SIDES.items()}

TRIGGERS_BY = {"LastPrice": TriggerBy.LAST, "MarkPrice": TriggerBy.MARK, "IndexPrice": TriggerBy.INDEX}
TRIGGER_BY_TEXTS = {by: text for text, by in TRIGGERS_BY.items()}


# --- small parts --------------------------------------------------------------------------------------------------


def number(text: str) -> Decimal:
    """An amount on the wire; scientific notation occurs.

    Raises:
        ValueError: Not a finite number.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not finite")
    return value


def optional(text: str | None) -> Decimal | None:
    """An amount that may be "", null or absent, all meaning "not stated"."""
    return number(text) if text else None


def stated(text: str | None) -> Decimal:
    """An amount that is 0 where it is not stated."""
    return number(text) if text else ZERO


def milliseconds(value: str | int | None) -> int | None:
    return int(value) if value else None


def positive(text: str | None) -> Decimal | None:
    """A price that may be "not stated": the venue says so by "", null or 0."""
    value = optional(text)
    return value or None


def side_of(text: str | None) -> Side:
    try:
        return SIDES[text or ""]
    except KeyError:
        raise ValueError(f"side {text!r} is not known") from None


def position_side_of(index: int | None) -> PositionSide:
    try:
        return POSITION_SIDES[index or 0]
    except KeyError:
        raise ValueError(f"positionIdx {index!r} is not known") from None


# --- positions ------------------------------------------------------------------------------------------------------


def position(row: wire.PositionRow | wire.PositionPush) -> Position:
    entry = row.avgPrice if isinstance(row, wire.PositionRow) else row.entryPrice
    size = stated(row.size)
    # copy_negate, since a minus sign would round to 28 digits.
    quantity = size.copy_negate() if size and side_of(row.side) is Side.SELL else size
    return Position(
        venue=NAME,
        symbol=row.symbol,
        venue_time_ms=milliseconds(row.updatedTime) or 0,
        quantity=quantity,
        entry_price=positive(entry) if size else None,
        position_side=position_side_of(row.positionIdx),
        mark_price=positive(row.markPrice),
        unrealized_pnl=optional(row.unrealisedPnl),
        liquidation_price=positive(row.liqPrice),
        leverage=positive(row.leverage),
    )


def positions(page: wire.Page[wire.PositionRow]) -> tuple[Position, ...]:
    return tuple(map(position, page.rows or ()))


# --- market -------------------------------------------------------------------------------------------------------


def server_time(reply: wire.ServerTime) -> int:
    return int(reply.timeNano) // 1_000_000


def instruments(page: wire.Page[wire.InstrumentRow]) -> tuple[Instrument, ...]:
    """The perpetuals of a page; dated futures are left out."""
    return tuple(instrument(row) for row in page.rows or () if row.contractType == "LinearPerpetual")


def instrument(row: wire.InstrumentRow) -> Instrument:
    prices, lots = row.priceFilter, row.lotSizeFilter
    return Instrument(
        venue=NAME,
        symbol=row.symbol,
        base=row.baseCoin or "",
        quote=row.quoteCoin or "",
        settle=row.settleCoin or "",
        is_trading=row.status == "Trading",
        tick_size=stated(prices.tickSize),
        min_price=optional(prices.minPrice),
        max_price=optional(prices.maxPrice),
        quantity_step=stated(lots.qtyStep),
        min_quantity=stated(lots.minOrderQty),
        max_quantity=optional(lots.maxOrderQty),
        max_market_quantity=optional(lots.maxMktOrderQty),
        min_notional=optional(lots.minNotionalValue),
        funding_interval_s=row.fundingInterval * 60 if row.fundingInterval else None,
    )


def book(reply: wire.BookReply[Decimal]) -> BookSnapshot:
    return BookSnapshot(
        venue=NAME,
        symbol=reply.s,
        venue_time_ms=reply.cts or reply.ts,
        bids=reply.b,
        asks=reply.a,
        update_id=reply.u,
    )
