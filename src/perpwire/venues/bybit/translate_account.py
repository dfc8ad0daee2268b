"""The account, from wire to model: positions, balances, settings, fees, tiers and bookings."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from perpwire.model.account import (
    AccountInfo,
    Balance,
    FeeRates,
    Income,
    MarginMode,
    Position,
    PositionMode,
    RiskBracket,
    SymbolSettings,
)
from perpwire.model.numbers import ARITHMETIC
from perpwire.model.order import Side
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.translate import (
    NAME,
    ZERO,
    milliseconds,
    number,
    optional,
    position_side_of,
    positive,
    side_of,
    stated,
)

MARGIN_MODES = {
    "REGULAR_MARGIN": MarginMode.CROSS,
    "ISOLATED_MARGIN": MarginMode.ISOLATED,
    "PORTFOLIO_MARGIN": MarginMode.PORTFOLIO,
}
MARGIN_MODE_TEXTS = {mode: text for text, mode in MARGIN_MODES.items()}

CASH_KINDS = {"TRADE": "REALIZED_PNL", "LIQUIDATION": "LIQUIDATION", "ADL": "ADL", "SETTLEMENT": "SETTLEMENT"}
"""Type of a booking -> what its cash flow is, besides fee and funding. A settlement's is that of a USDC contract's
session."""

TRANSFERS = ("TRANSFER_IN", "TRANSFER_OUT")

VENUE_KINDS = {"FUNDING": "SETTLEMENT", "SETTLEMENT": "SETTLEMENT", "LIQUIDATION": "LIQUIDATION", "ADL": "ADL"}
"""Kinds that stand in bookings of one type only, so that the venue can be asked for that."""

KINDS = frozenset({*CASH_KINDS.values(), "FUNDING", "COMMISSION", "TRANSFER", "OTHER"})


def position(row: wire.PositionRow | wire.PositionPush) -> Position:
    entry = row.avgPrice if isinstance(row, wire.PositionRow) else row.entryPrice
    if not row.size and row.side:
        raise ValueError(f"a position on side {row.side!r} without a size")
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
        break_even_price=positive(row.breakEvenPrice),
        initial_margin=optional(row.positionIM),
        maintenance_margin=optional(row.positionMM),
        adl_rank=row.adlRankIndicator,
        realized_pnl=optional(row.curRealisedPnl) if size else None,
    )


def positions(page: wire.Page[wire.PositionRow]) -> tuple[Position, ...]:
    return tuple(map(position, page.rows or ()))


def balance(row: wire.CoinRow, time_ms: int = 0) -> Balance:
    """One coin. What is free is a matter of the whole account (AccountInfo.available_balance), so it is None here."""
    return Balance(
        venue=NAME,
        venue_time_ms=time_ms,
        asset=row.coin,
        wallet=number(row.walletBalance or ""),
        unrealized_pnl=optional(row.unrealisedPnl),
    )


def account(reply: wire.Wallets) -> AccountInfo:
    """The unified account in USD. In isolated margin mode the venue states no margin totals: they are summed from the
    coins then, each valued by its own usdValue / equity."""
    if not reply.rows:
        raise ValueError("the venue lists no unified account")
    wallet = reply.rows[0]
    coins = wallet.coin or []
    upnl = _total(wallet.totalPerpUPL, ((coin, stated(coin.unrealisedPnl)) for coin in coins))
    cash = _total(wallet.totalWalletBalance, ((coin, stated(coin.walletBalance)) for coin in coins))
    equity = optional(wallet.totalEquity)
    return AccountInfo(
        venue=NAME,
        wallet_balance=cash,
        unrealized_pnl=upnl,
        equity=cash + upnl if equity is None else equity,
        available_balance=_total(wallet.totalAvailableBalance, ((coin, _free(coin)) for coin in coins)),
        initial_margin=_total(
            wallet.totalInitialMargin,
            ((coin, _sum(coin.totalPositionIM, coin.totalOrderIM)) for coin in coins),
        ),
        maintenance_margin=_total(
            wallet.totalMaintenanceMargin, ((coin, _sum(coin.totalPositionMM)) for coin in coins)
        ),
        balances=tuple(map(balance, coins)),
    )


def _total(said: str | None, parts: Iterable[tuple[wire.CoinRow, Decimal]]) -> Decimal:
    total = optional(said)
    return sum((_in_usd(coin, amount) for coin, amount in parts), ZERO) if total is None else total


def _in_usd(coin: wire.CoinRow, amount: Decimal) -> Decimal:
    equity = optional(coin.equity)
    return amount * stated(coin.usdValue) / equity if equity and amount else ZERO


def _free(coin: wire.CoinRow) -> Decimal:
    """Isolated mode's rule: wallet balance without margins, what is locked, and bonus."""
    held = _sum(coin.totalPositionIM, coin.totalOrderIM, coin.locked, coin.bonus)
    return stated(coin.walletBalance) - held


def _sum(*texts: str | None) -> Decimal:
    return sum((stated(text) for text in texts), ZERO)


# --- settings, fees, tiers ------------------------------------------------------------------------------------------


def margin_mode(reply: wire.AccountInfoReply) -> MarginMode:
    try:
        return MARGIN_MODES[reply.marginMode]
    except KeyError:
        raise ValueError(f"margin mode {reply.marginMode!r} is not known") from None


def symbol_settings(page: wire.Page[wire.PositionRow], symbol: str) -> SymbolSettings:
    """Without the margin mode, which the account has. The long side's in hedge mode: it comes first."""
    if not page.rows:
        raise ValueError(f"the venue lists no row of {symbol}")
    row = min(page.rows, key=lambda one: one.positionIdx or 0)
    return SymbolSettings(
        venue=NAME,
        symbol=symbol,
        leverage=stated(row.leverage),
        margin_mode=None,
        max_notional=positive(row.riskLimitValue),
    )


def position_mode(page: wire.Page[wire.PositionRow]) -> PositionMode:
    if not page.rows:
        raise ValueError("the venue lists no row of the symbol, so its position mode is not known")
    return PositionMode.HEDGE if any(row.positionIdx for row in page.rows) else PositionMode.ONE_WAY


def fee_rates(page: wire.Rows[wire.FeeRateRow], symbol: str) -> FeeRates:
    row = next((one for one in page.rows or () if one.symbol == symbol), None)
    if row is None:
        raise ValueError(f"the venue lists no fees of {symbol}")
    return FeeRates(venue=NAME, symbol=symbol, maker=number(row.makerFeeRate), taker=number(row.takerFeeRate))


def brackets(page: wire.Page[wire.RiskLimitRow], symbol: str) -> tuple[RiskBracket, ...]:
    """The smallest first."""
    rows = [row for row in page.rows or () if row.symbol == symbol]
    rows.sort(key=lambda row: number(row.riskLimitValue))
    found: list[RiskBracket] = []
    floor = ZERO
    for index, row in enumerate(rows, start=1):
        cap = number(row.riskLimitValue)
        found.append(
            RiskBracket(
                symbol=symbol,
                tier=index,
                notional_floor=floor,
                notional_cap=cap,
                max_leverage=number(row.maxLeverage),
                maintenance_rate=number(row.maintenanceMargin),
                maintenance_deduction=stated(row.mmDeduction),
            )
        )
        floor = cap
    return tuple(found)


# --- bookings -------------------------------------------------------------------------------------------------------


def incomes(page: wire.Page[wire.TransactionRow], symbol: str | None, kind: str | None) -> tuple[Income, ...]:
    """In the venue's order: newest first. Those of linear contracts, and of none."""
    return tuple(
        one
        for row in page.rows or ()
        if row.category in (None, "", "linear") and symbol in (None, row.symbol)
        for one in income(row)
        if kind in (None, one.kind)
    )


def income(row: wire.TransactionRow) -> tuple[Income, ...]:
    """The parts of one booking: what was realised, the fee, the funding. Together they are its `change`."""
    said = row.type or ""
    change = number(row.change)
    if said not in CASH_KINDS:
        parts = {"TRANSFER" if said in TRANSFERS else "OTHER": change}
    else:
        cash, fee, funding = stated(row.cashFlow), stated(row.fee), stated(row.funding)
        # What a program's own decimal context would round off would come out as a booking of its own.
        rest = ARITHMETIC.subtract(ARITHMETIC.add(ARITHMETIC.subtract(change, cash), fee), funding)
        parts = {CASH_KINDS[said]: cash, "COMMISSION": fee.copy_negate(), "FUNDING": funding, "OTHER": rest}
    return tuple(
        Income(
            venue=NAME,
            income_id=row.id,
            kind=kind,
            venue_kind=said,
            symbol=row.symbol or "",
            amount=amount,
            asset=row.currency,
            time_ms=int(row.transactionTime),
            trade_id=row.tradeId or "",
        )
        for kind, amount in parts.items()
        if amount
    )
