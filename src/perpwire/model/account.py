"""Balances, positions, and the account they belong to."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.market import Event
from perpwire.model.order import PositionSide


class Balance(Event, frozen=True, kw_only=True):
    """One asset's balance; `symbol` is "". An event of the private stream states only some fields: others are None.

    Attributes:
        asset: Such as USDT.
        wallet: Cash: deposits, realised profit, fees and funding; without unrealised profit.
        available: Free for new positions; None where not stated.
        unrealized_pnl: Of open positions in this asset; None where not stated.
    """

    asset: str
    wallet: Decimal
    available: Decimal | None = None
    unrealized_pnl: Decimal | None = None


class Position(Event, frozen=True, kw_only=True):
    """One position; quantity 0 when flat. Fields that a message does not state are None.

    Attributes:
        quantity: Base; above 0 long, below 0 short.
        entry_price: Mean entry in quote per base; None when flat.
        mark_price: Quote per base.
        unrealized_pnl: In the settle asset.
        liquidation_price: Quote per base; None where there is none.
        leverage: Such as 20.
        margin_mode: "cross" or "isolated".
    """

    quantity: Decimal
    entry_price: Decimal | None
    position_side: PositionSide = PositionSide.BOTH
    mark_price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    liquidation_price: Decimal | None = None
    leverage: Decimal | None = None
    margin_mode: str | None = None


class AccountInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The account as a whole, in the venue's account currency (USDT at Binance, USD at Bybit).

    Attributes:
        wallet_balance: Cash of all assets.
        unrealized_pnl: Of all open positions.
        equity: wallet_balance + unrealized_pnl.
        available_balance: Free for new positions.
        initial_margin, maintenance_margin: In use by positions and orders.
        balances: Every asset the venue listed.
    """

    venue: str
    wallet_balance: Decimal
    unrealized_pnl: Decimal
    equity: Decimal
    available_balance: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    balances: tuple[Balance, ...]

    def balance(self, asset: str) -> Balance | None:
        """The balance of one asset, or None where the account does not hold it."""
        return next((one for one in self.balances if one.asset == asset), None)
