"""What an exchange is made of and what an order asks for: accounts, contracts, intents, and an account's sums."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from perpwire.model.instrument import Instrument
from perpwire.model.order import OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.events import SelfTrade

SETTLE_ASSET: Final = "USDT"
"""What every contract of these exchanges settles in."""

_CASH_STEP = Decimal("1E-8")
_TOO_MUCH_CASH = Decimal("1E+15")


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to be: its name, key pair and starting cash (in steps of 1e-8, from 0 to below 1e15).

    Raises:
        ValueError: Other cash, or an asset other than SETTLE_ASSET.
    """

    name: str = "main"
    api_key: str = "sim-key"
    secret_key: str = "sim-secret"
    cash: Decimal = Decimal(100000)
    asset: str = SETTLE_ASSET

    def __post_init__(self) -> None:
        cash = self.cash
        if not (cash.is_finite() and 0 <= cash < _TOO_MUCH_CASH):
            raise ValueError(f"cash {cash} of account {self.name!r} must be from 0 to below {_TOO_MUCH_CASH}")
        if cash != cash.quantize(_CASH_STEP):
            raise ValueError(f"cash {cash} of account {self.name!r} has more than eight decimals")
        if self.asset != SETTLE_ASSET:
            raise ValueError(f"asset {self.asset!r} of account {self.name!r} must be {SETTLE_ASSET}")


class SymbolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A contract to be, and where its price starts. Fees are fractions of the traded value (0.0004 is 4 bp)."""

    instrument: Instrument
    start_price: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    leverage: Decimal = Decimal(20)


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a dialect understood it: LIMIT or MARKET. price None for MARKET. GTX and PostOnly are POST_ONLY.

    Attributes:
        refuse_post_only: A post-only order that would take is refused; False: it is accepted and cancelled at once, as
            Bybit does.
        refuse_fok: Likewise for a fill-or-kill order that can't be filled.
        refuse_oversized_reduce: A reduce-only order larger than the position is refused; False: it is cut to the
            position's size.
        self_trade: What ends when it meets an order of its own account; see events.SelfTrade.
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


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account's sums at the current mark prices, in its settle asset."""

    wallet: Decimal
    unrealized_pnl: Decimal
    initial_margin: Decimal
    order_margin: Decimal
    maintenance_margin: Decimal

    @property
    def equity(self) -> Decimal:
        return self.wallet + self.unrealized_pnl

    @property
    def available(self) -> Decimal:
        return max(Decimal(0), self.equity - self.initial_margin - self.order_margin)
