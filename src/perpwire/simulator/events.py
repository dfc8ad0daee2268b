"""What happens in the exchange, in no venue's words. Dialects turn these into frames.

Those that are remembered by the ten thousand can be in no cycle and are kept out of the garbage collector's rounds
(gc=False): otherwise every look into a long history sets off one over all of them.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Literal

import msgspec

from perpwire.model.market import Level
from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce

ZERO = Decimal(0)

SelfTrade = Literal["taker", "maker", "both", "none"]
"""What ends when an order meets one of its own account in the book: the order that takes, the one that rests (and the
other goes on matching), both, or none of them (they trade). The taker's choice counts."""

Origin = Literal["user", "trigger", "liquidation", "takeover", "adl"]
"""Who made an order: its account, one of its conditional orders, or the venue against its will."""

FillKind = Literal["trade", "liquidation", "takeover", "adl"]
"""How an execution came about: a match (of the account's or a liquidating order), the insurance fund taking the rest
over at the bankruptcy price, or the position of a profitable account closed against it."""

TriggerKind = Literal["stop", "take_profit", "trailing"]
Direction = Literal["rises", "falls"]
TriggerBy = Literal["last", "mark", "index"]


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
    LEVERAGE_CAP = "position and orders would be above what this leverage allows"
    LEVERAGE = "leverage out of range"
    HAS_ORDERS = "there are open orders"
    HAS_POSITION = "there is an open position"
    NO_POSITION = "there is no open position"
    NOT_ISOLATED = "the position's margin is not isolated"
    UNCHANGED = "it is so already"
    POSITION_SIDE = "position side does not fit the position mode"
    WOULD_TRIGGER = "conditional order would trigger at once"
    BAD_ACTIVATION = "activation price on the wrong side of the market"
    UNKNOWN_TRIGGER = "no such conditional order"
    TRIGGER_FINISHED = "the conditional order is finished"
    EXPIRY = "good-till date is in the past"
    MARGIN_TOO_MUCH = "more margin than can be taken out"


class Refused(Exception):
    """The exchange refuses."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(detail or why.value)
        self.why = why


# --- orders -----------------------------------------------------------------------------------------------------------


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


# --- positions and money ----------------------------------------------------------------------------------------------


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


# --- commands that are acknowledged first and carried out later ------------------------------------------------------


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    intent: OrderIntent
    order_id: int


class AmendOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    symbol: str
    order_id: int
    price: Decimal | None = None
    quantity: Decimal | None = None
    note: dict[str, str] | None = None


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    symbol: str
    order_id: int
    reason: str = "user"


class PlaceTrigger(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    intent: TriggerIntent
    trigger_id: int


class AmendTrigger(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    trigger_id: int
    trigger_price: Decimal | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    trigger_by: TriggerBy | None = None
    note: dict[str, str] | None = None


class CancelTrigger(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    trigger_id: int
    reason: str = "user"


Command = PlaceOrder | AmendOrder | CancelOrder | PlaceTrigger | AmendTrigger | CancelTrigger


# --- events -----------------------------------------------------------------------------------------------------------


class Traded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A match in the book, public side. While a recording plays, the recorded trades and no others."""

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    time_ms: int
    seq: int = 0


class BookChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Levels that changed in one step; quantities are absolute, 0 gone. update_id grows by one for each event.

    While a recording plays, there is one for each recorded diff, with its own id: those grow by more than one.
    """

    symbol: str
    update_id: int
    time_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    seq: int = 0


class OrderChanged(msgspec.Struct, frozen=True, kw_only=True):
    """`order` is a copy of the state after `what`; `fill` is set for "trade"."""

    account: str
    what: Literal["new", "trade", "amended", "canceled", "expired", "rejected"]
    order: SimOrder
    fill: SimFill | None
    time_ms: int


TriggerNews = Literal[
    "new",
    "amended",
    "activated",
    "followed",
    "triggering",
    "triggered",
    "finished",
    "canceled",
    "expired",
    "rejected",
]


class TriggerChanged(msgspec.Struct, frozen=True, kw_only=True):
    """`trigger` is a copy of the state after `what`. A trigger that fires is "triggering", then "triggered" (before
    its order is "new"), and "finished" when that order is; or "triggering", then "rejected". "followed": a trailing one
    has moved with the price, which venues do not tell of."""

    account: str
    what: TriggerNews
    trigger: SimTrigger
    time_ms: int


AccountReason = Literal["order", "funding", "deposit", "margin", "margin_mode", "liquidation", "adl", "insurance"]


class AccountChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Wallets (asset, balance after, change besides profit and fees) and copies of positions that changed."""

    account: str
    reason: AccountReason
    wallets: tuple[tuple[str, Decimal, Decimal], ...]
    positions: tuple[SimPosition, ...]
    time_ms: int
    symbol: str = ""
    cross_wallet: Decimal = ZERO
    bookings: tuple[Booking, ...] = ()


class SettingsChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An account has changed how it trades; symbol "" for all."""

    account: str
    symbol: str
    what: Literal["leverage", "margin_mode", "position_mode", "auto_add_margin", "setting", "countdown"]
    time_ms: int


class MarginCalled(msgspec.Struct, frozen=True, kw_only=True):
    """An account is near its liquidation; `symbol` is that of an isolated position, "" for all that is cross."""

    account: str
    symbol: str
    side: PositionSide
    time_ms: int


class Liquidated(msgspec.Struct, frozen=True, kw_only=True):
    """Public: a position is being closed against its owner's will.

    Attributes:
        side: Of the liquidating order: SELL closes a long.
        price: Its limit, the bankruptcy price.
        average_price: Of what was filled; the bankruptcy price where the insurance fund took over.
    """

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    average_price: Decimal
    filled_quantity: Decimal
    time_ms: int


class CommandAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A command was acknowledged and will be carried out at due_ms."""

    account: str
    number: int
    command: Command
    due_ms: int
    time_ms: int


class CommandDone(msgspec.Struct, frozen=True, kw_only=True):
    """It was carried out, or could not be: `why` says why not. Told after what it caused."""

    account: str
    number: int
    command: Command
    why: Why | None
    detail: str
    time_ms: int


class MarkTick(msgspec.Struct, frozen=True, kw_only=True):
    """Once a second of the exchange's clock for each symbol."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    next_funding_ms: int
    time_ms: int


class FundingSettled(msgspec.Struct, frozen=True, kw_only=True):
    """A funding instant of a symbol: longs have paid mark_price x rate for each unit, or got it where it is below 0."""

    symbol: str
    rate: Decimal
    mark_price: Decimal
    time_ms: int


class ContractChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A contract was opened for trading or closed."""

    symbol: str
    is_trading: bool
    time_ms: int


class RecordedFrame(msgspec.Struct, frozen=True, kw_only=True):
    """While replaying a recording: a stream frame as it was recorded, without its envelope, for the venue it is of."""

    venue: str
    stream: str
    payload: bytes


SimEvent = (
    Traded
    | BookChanged
    | OrderChanged
    | TriggerChanged
    | AccountChanged
    | SettingsChanged
    | MarginCalled
    | Liquidated
    | CommandAccepted
    | CommandDone
    | MarkTick
    | FundingSettled
    | ContractChanged
    | RecordedFrame
)
