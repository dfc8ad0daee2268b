"""The account, from the venue's words to the model."""

from __future__ import annotations

from collections.abc import Sequence

from perpwire.model.account import AccountInfo, Balance, Position
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.translate_words import (
    VENUE,
    above_zero,
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
        margin_mode=margin_mode(risk.margin_type),
    )


def margin_mode(text: wire.Text) -> str | None:
    """The venue writes cross, crossed and isolated, in any case."""
    lower = words(text).lower()
    return "cross" if lower == "crossed" else lower or None
