"""What an account asks for, as a dialect understood it: orders, and conditional orders."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.order import OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.vocabulary import ZERO, Direction, Origin, SelfTrade, TriggerBy, TriggerKind


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a dialect understood it: LIMIT or MARKET. price None for MARKET. GTX and PostOnly are POST_ONLY.

    Attributes:
        bound: A market order trades no worse than this (its rest expires); None for any price.
        expire_ms: When a GTD order ends (Unix ms).
        refuse_post_only: A post-only order that would take is refused; False: it is accepted and cancelled at once, as
            Bybit does.
        refuse_fok: Likewise for a fill-or-kill order that can't be filled.
        refuse_oversized_reduce: A reduce-only order larger than the position is refused; False: it is cut to the
            position's size.
        self_trade: What ends when it meets an order of its own account; see SelfTrade.
        created_ms: When it was made, if it waited before (Unix ms); 0 for now.
        note: See SimOrder.
    """

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    client_order_id: str
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    refuse_post_only: bool = True
    refuse_fok: bool = True
    refuse_oversized_reduce: bool = True
    self_trade: SelfTrade = "taker"
    origin: Origin = "user"
    bound: Decimal | None = None
    expire_ms: int = 0
    close_position: bool = False
    trigger_id: int = 0
    created_ms: int = 0
    note: dict[str, str] = msgspec.field(default_factory=dict)


class TriggerIntent(msgspec.Struct, frozen=True, kw_only=True):
    """A conditional order as a dialect understood it: an order that is placed when a price gets somewhere.

    Attributes:
        direction: The price rises to, or falls to, the trigger price. A trailing order with "falls" follows the price
            up and triggers when it has fallen by the callback.
        trigger_price: None for a trailing order.
        trigger_by: Which price counts.
        quantity: 0 with close_position: as much as the position is then, and one order may be.
        price: Of a limit order; None where `book_place` counts.
        book_place: The limit price is read off the book when it triggers: that of the n-th level of the other side, or
            below 0 of the order's own; 0 for none.
        callback_rate: Of a trailing order: a fraction of the best price (0.01 is 1 %), or callback_distance in quote.
        activation_price: A trailing order follows the price only from here on; None for at once.
        price_protect: It does not trigger while mark and last price differ by a larger share of the mark.
        bound_share: How far from the mark price a market order may trade then, as a fraction; None for any price.
        is_bound_to_position: It ends when the position that it would close is gone.
        group: When one of a group triggers, the others end ("oco").
        keeps_id: The order that it becomes has its own id and date (Bybit), not new ones (Binance).
        refuse_reached: A trigger price that the market has passed already is refused; False: it triggers at once.
    """

    symbol: str
    side: Side
    kind: TriggerKind
    direction: Direction
    type: OrderType
    trigger_price: Decimal | None = None
    trigger_by: TriggerBy = "last"
    position_side: PositionSide = PositionSide.BOTH
    price: Decimal | None = None
    book_place: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    quantity: Decimal = ZERO
    reduce_only: bool = False
    close_position: bool = False
    client_id: str = ""
    self_trade: SelfTrade = "taker"
    callback_rate: Decimal | None = None
    callback_distance: Decimal | None = None
    activation_price: Decimal | None = None
    price_protect: Decimal | None = None
    bound_share: Decimal | None = None
    expire_ms: int = 0
    is_bound_to_position: bool = False
    group: str = ""
    keeps_id: bool = False
    refuse_post_only: bool = True
    refuse_fok: bool = True
    refuse_oversized_reduce: bool = False
    refuse_reached: bool = True
    note: dict[str, str] = msgspec.field(default_factory=dict)
