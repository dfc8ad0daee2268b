"""Balances and the account, from the wire's wallets."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from perpwire.model.account import AccountInfo, Balance
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.translate import NAME, ZERO, number, optional, stated


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
