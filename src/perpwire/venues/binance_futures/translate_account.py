"""The account, from the venue's words to the model."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from perpwire.model.account import (
    AccountInfo,
    AccountSettings,
    Balance,
    FeeRates,
    Income,
    MarginMode,
    Position,
    PositionMode,
    RiskBracket,
    SymbolSettings,
)
from perpwire.venues.binance_futures import wire, wire_account
from perpwire.venues.binance_futures.translate_words import (
    VENUE,
    above_zero,
    from_float,
    needed,
    number,
    position_side,
    time_ms,
    words,
)


def account(account: wire.Account) -> AccountInfo:
    return AccountInfo(
        venue=VENUE,
        wallet_balance=needed(account.total_wallet_balance, "wallet balance"),
        unrealized_pnl=needed(account.total_unrealized_profit, "unrealised profit"),
        equity=needed(account.total_margin_balance, "margin balance"),
        available_balance=needed(account.available_balance, "available balance"),
        initial_margin=needed(account.total_initial_margin, "initial margin"),
        maintenance_margin=needed(account.total_maint_margin, "maintenance margin"),
        balances=tuple(balance(asset) for asset in account.assets),
    )


def balance(asset: wire.AccountAsset) -> Balance:
    return Balance(
        venue=VENUE,
        venue_time_ms=time_ms(asset.update_time) or 0,
        asset=asset.asset,
        wallet=needed(asset.wallet_balance, "wallet balance"),
        available=number(asset.available_balance),
        unrealized_pnl=number(asset.unrealized_profit),
    )


def positions(rows: Sequence[wire.PositionRisk]) -> tuple[Position, ...]:
    return tuple(position(row) for row in rows)


def open_positions(rows: Sequence[wire.PositionRisk]) -> tuple[Position, ...]:
    """The venue also lists symbols where only orders are open."""
    return tuple(one for one in positions(rows) if one.quantity)


def position(risk: wire.PositionRisk) -> Position:
    quantity = needed(risk.position_amt, "position amount")
    unrealized = number(risk.un_realized_profit)
    isolated = number(risk.isolated_wallet)
    return Position(
        venue=VENUE,
        symbol=risk.symbol,
        venue_time_ms=time_ms(risk.update_time) or 0,
        quantity=quantity,
        entry_price=number(risk.entry_price) if quantity else None,
        position_side=position_side(risk.position_side),
        mark_price=number(risk.mark_price),
        unrealized_pnl=number(risk.unrealized_profit) if unrealized is None else unrealized,
        liquidation_price=above_zero(risk.liquidation_price),
        leverage=number(risk.leverage),
        margin_mode=margin_mode(risk.margin_type) or _mode_by(quantity, isolated),
        break_even_price=above_zero(risk.break_even_price),
        initial_margin=number(risk.initial_margin),
        maintenance_margin=number(risk.maint_margin),
        isolated_wallet=isolated or None,
        adl_rank=risk.adl if isinstance(risk.adl, int) else None,
    )


def _mode_by(quantity: Decimal, isolated: Decimal | None) -> str | None:
    """Version 3 does not say it, but only an isolated position has a wallet of its own."""
    if isolated is None or not (quantity or isolated):
        return None
    return "isolated" if isolated else "cross"


def margin_mode(text: wire.Text) -> str | None:
    """The venue writes cross, crossed and isolated, in any case."""
    lower = words(text).lower()
    return "cross" if lower == "crossed" else lower or None


_MARGIN_MODES = {"CROSSED": MarginMode.CROSS, "ISOLATED": MarginMode.ISOLATED}
MARGIN_WORDS = {ours: word for word, ours in _MARGIN_MODES.items()}


def symbol_settings(symbol: str, rows: Sequence[wire.SymbolConfig]) -> SymbolSettings:
    row = next((row for row in rows if row.symbol == symbol), None)
    if row is None:
        raise ValueError(f"the answer does not speak of {symbol}")
    mode = _MARGIN_MODES.get(row.margin_type.upper())
    if mode is None:
        raise ValueError(f"unknown margin type {row.margin_type!r}")
    return SymbolSettings(
        venue=VENUE,
        symbol=symbol,
        leverage=Decimal(row.leverage),
        margin_mode=mode,
        max_notional=number(row.max_notional_value),
    )


def account_settings(reply: wire.AccountConfig) -> AccountSettings:
    mode = PositionMode.HEDGE if reply.dual_side_position else PositionMode.ONE_WAY
    return AccountSettings(position_mode=mode, multi_assets=reply.multi_assets_margin)


def with_symbols(of_account: AccountSettings, rows: Sequence[wire.SymbolConfig]) -> AccountSettings:
    """A mode that is not known is left out: it is one of hundreds of rows."""
    modes = {row.symbol: _MARGIN_MODES.get(row.margin_type.upper()) for row in rows}
    return replace(
        of_account,
        leverages={row.symbol: Decimal(row.leverage) for row in rows},
        margin_modes={symbol: mode for symbol, mode in modes.items() if mode is not None},
    )


def position_mode(reply: wire.PositionMode) -> PositionMode:
    return PositionMode.HEDGE if reply.dual_side_position else PositionMode.ONE_WAY


def fee_rates(reply: wire.CommissionRate) -> FeeRates:
    return FeeRates(
        venue=VENUE,
        symbol=reply.symbol,
        maker=needed(reply.maker_commission_rate, "maker fee"),
        taker=needed(reply.taker_commission_rate, "taker fee"),
    )


def brackets(symbol: str, reply: wire.SymbolBrackets | Sequence[wire.SymbolBrackets]) -> tuple[RiskBracket, ...]:
    """The smallest first; sizes are those of this account, whose own coefficient is worked in."""
    rows = (reply,) if isinstance(reply, wire.SymbolBrackets) else reply
    of_symbol = next((row for row in rows if row.symbol == symbol), None)
    if of_symbol is None:
        raise ValueError(f"the answer does not speak of {symbol}")
    factor = from_float(of_symbol.notional_coef) if isinstance(of_symbol.notional_coef, int | float) else Decimal(1)
    return tuple(
        RiskBracket(
            symbol=symbol,
            tier=row.bracket,
            notional_floor=from_float(row.notional_floor) * factor,
            notional_cap=from_float(row.notional_cap) * factor,
            max_leverage=Decimal(row.initial_leverage),
            maintenance_rate=from_float(row.maint_margin_ratio),
            maintenance_deduction=from_float(row.cum) * factor,
        )
        for row in sorted(of_symbol.brackets, key=lambda row: row.bracket)
    )


INCOME_KINDS: dict[str, tuple[str, ...]] = {
    "FUNDING": ("FUNDING_FEE", "SPECIAL_FUNDING_FEE"),
    "REALIZED_PNL": ("REALIZED_PNL",),
    "COMMISSION": ("COMMISSION",),
    "TRANSFER": (
        "TRANSFER",
        "INTERNAL_TRANSFER",
        "CROSS_COLLATERAL_TRANSFER",
        "COIN_SWAP_DEPOSIT",
        "COIN_SWAP_WITHDRAW",
        "STRATEGY_UMFUTURES_TRANSFER",
    ),
    "LIQUIDATION": ("INSURANCE_CLEAR",),
    "SETTLEMENT": ("DELIVERED_SETTELMENT",),
}
"""One word for both venues -> the venue's income types; what is in none of them is OTHER. ADL has no type of its own:
its profit is booked as realised."""

_KIND_OF = {word: kind for kind, words in INCOME_KINDS.items() for word in words}


def income(row: wire_account.Income) -> Income:
    trade_id = row.trade_id
    return Income(
        venue=VENUE,
        income_id=str(row.tran_id),
        kind=_KIND_OF.get(row.income_type, "OTHER"),
        venue_kind=row.income_type,
        symbol=words(row.symbol),
        amount=needed(row.income, "income"),
        asset=row.asset,
        time_ms=row.time,
        trade_id=str(trade_id) if isinstance(trade_id, int | str) else "",
    )
