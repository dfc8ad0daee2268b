"""Balances, positions, and the account they belong to."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from perpwire.model.market import Event
from perpwire.model.numbers import ARITHMETIC
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
        leverage: Such as 20; not stated by Binance (see get_symbol_settings).
        margin_mode: "cross" or "isolated"; of the whole account, and not stated here, at Bybit.
        break_even_price: Entry price with fees and funding worked in, quote per base.
        initial_margin, maintenance_margin: In use by it (at Binance by the symbol's orders too), settle asset.
        isolated_wallet: Margin put up for an isolated position, settle asset; None of others, and at Bybit.
        adl_rank: How near it is to being deleveraged: 0 to 4 at Binance, 0 to 5 at Bybit, the highest first.
        realized_pnl: Of this position so far, settle asset, fees and funding worked in (Bybit).
    """

    quantity: Decimal
    entry_price: Decimal | None
    position_side: PositionSide = PositionSide.BOTH
    mark_price: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    liquidation_price: Decimal | None = None
    leverage: Decimal | None = None
    margin_mode: str | None = None
    break_even_price: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    isolated_wallet: Decimal | None = None
    adl_rank: int | None = None
    realized_pnl: Decimal | None = None

    @property
    def notional(self) -> Decimal | None:
        """Its value at the mark price, quote, above 0 on both sides; None where the mark price is not stated."""
        if self.mark_price is None:
            return None
        return ARITHMETIC.multiply(self.quantity.copy_abs(), self.mark_price)


class AccountEvent(Event, frozen=True, kw_only=True):
    """Base of what is said of the account itself, beside its orders, fills, positions and balances.

    Attributes:
        recovered: The stream did not bring it: it was found when the account was read.
    """

    recovered: bool = False


class LeverageChanged(AccountEvent, frozen=True, kw_only=True):
    """The leverage of a symbol is another one. Said by Binance; at Bybit seen by what its positions state.

    Attributes:
        position_side: LONG or SHORT where each side has its own (Bybit, in hedge mode).
    """

    leverage: Decimal
    position_side: PositionSide = PositionSide.BOTH


class AssetModeChanged(AccountEvent, frozen=True, kw_only=True):
    """Multi-assets mode was switched; Binance only. `symbol` is ""."""

    multi_assets: bool


class MarginCall(AccountEvent, frozen=True, kw_only=True):
    """A position comes near its liquidation; one for each such position; Binance only. The venue calls it no more than
    a hint.

    Attributes:
        quantity: Base; above 0 long, below 0 short.
        mark_price: Quote per base.
        maintenance_margin: It needs, in the settle asset.
        unrealized_pnl: In the settle asset.
        cross_wallet: Of the account; None where the position is isolated.
    """

    quantity: Decimal
    position_side: PositionSide
    mark_price: Decimal
    unrealized_pnl: Decimal
    maintenance_margin: Decimal
    margin_mode: str
    cross_wallet: Decimal | None


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


class PositionMode(StrEnum):
    """ONE_WAY: one position a symbol. HEDGE: a long and a short one side by side."""

    ONE_WAY = "ONE_WAY"
    HEDGE = "HEDGE"


class MarginMode(StrEnum):
    CROSS = "CROSS"
    ISOLATED = "ISOLATED"
    PORTFOLIO = "PORTFOLIO"  # Bybit's account-wide third


class MarginModeChanged(AccountEvent, frozen=True, kw_only=True):
    """The margin mode is another one: of a symbol at Binance, of the account at Bybit, where `symbol` is "". Neither
    venue says it: it is seen by positions (Binance) and when the account is read."""

    margin_mode: MarginMode


class PositionModeChanged(AccountEvent, frozen=True, kw_only=True):
    """The position mode is another one: of the account at Binance, where `symbol` is "", of a symbol at Bybit. Neither
    venue says it: it is seen by positions (Bybit) and when the account is read."""

    position_mode: PositionMode


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the account is set to, as one reading tells it; what is not told there is None or missing.

    Attributes:
        leverages: By symbol.
        margin_modes: By symbol; under "" that of the account.
        position_mode: Of the account.
        multi_assets: Multi-assets mode is on.
    """

    leverages: dict[str, Decimal] = {}
    margin_modes: dict[str, MarginMode] = {}
    position_mode: PositionMode | None = None
    multi_assets: bool | None = None


class SymbolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for one symbol.

    Attributes:
        leverage: Such as 20; in hedge mode of the long side where the two differ.
        margin_mode: None where the venue sets it for the whole account and was not asked for that.
        max_notional: Greatest position at this leverage, quote; None where not stated.
    """

    venue: str
    symbol: str
    leverage: Decimal
    margin_mode: MarginMode | None
    max_notional: Decimal | None = None


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a setter did.

    Attributes:
        changed: False where it was so already.
        value: What the venue says is set now, or what was asked for where it does not say.
    """

    changed: bool
    value: Decimal | MarginMode | PositionMode | str


class FeeRates(msgspec.Struct, frozen=True, kw_only=True):
    """Fees of one symbol as fractions of the notional (0.0005 is 5 bp); negative is a rebate."""

    venue: str
    symbol: str
    maker: Decimal
    taker: Decimal


class RiskBracket(msgspec.Struct, frozen=True, kw_only=True):
    """One tier of position size.

    Attributes:
        notional_floor, notional_cap: Position value (quote) from and up to which it holds; no cap: None.
        max_leverage: Greatest leverage in it.
        maintenance_rate: Maintenance margin as a fraction of the notional.
        maintenance_deduction: Taken off notional x rate (quote).
    """

    symbol: str
    tier: int
    notional_floor: Decimal
    notional_cap: Decimal | None
    max_leverage: Decimal
    maintenance_rate: Decimal
    maintenance_deduction: Decimal


class Income(msgspec.Struct, frozen=True, kw_only=True):
    """One booking to the account.

    Attributes:
        income_id: The venue's id of the booking; unique together with `kind`.
        kind: One word for both venues: FUNDING, REALIZED_PNL, COMMISSION, TRANSFER, LIQUIDATION, ADL, SETTLEMENT or
            OTHER.
        venue_kind: The venue's own word.
        symbol: "" where none is concerned.
        amount: Change of the asset; above 0 received.
        asset: Such as USDT.
        time_ms: Unix milliseconds, venue's clock.
        trade_id: Of the execution it belongs to; "" where none.
    """

    venue: str
    income_id: str
    kind: str
    venue_kind: str
    symbol: str
    amount: Decimal
    asset: str
    time_ms: int
    trade_id: str = ""


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an API key may do. None: the venue does not say.

    Attributes:
        can_trade: It may place orders for derivatives.
        can_withdraw: It may take funds out of the venue.
        ip_bound: It is taken from listed addresses only.
        expires_time_ms: Unix milliseconds, venue's clock; None where it does not expire.
        permissions: The venue's own words, sorted.
    """

    venue: str
    can_trade: bool | None
    can_withdraw: bool | None
    ip_bound: bool | None
    expires_time_ms: int | None
    permissions: tuple[str, ...] = ()


class CountDown(msgspec.Struct, frozen=True, kw_only=True):
    """A dead man's switch as the venue confirms it. `seconds` 0: disarmed. `symbol` "": the whole account."""

    symbol: str
    seconds: float
