"""What happens in the exchange, in no venue's words. Dialects turn these into frames."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from perpwire.model.market import Level
from perpwire.model.order import PositionSide, Side
from perpwire.simulator.commands import Command
from perpwire.simulator.records import Booking, SimFill, SimOrder, SimPosition, SimTrigger
from perpwire.simulator.refusals import Why
from perpwire.simulator.vocabulary import ZERO


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
