"""The calls about the account behind the key."""

from __future__ import annotations

from perpwire.model.account import AccountInfo, Position
from perpwire.venues.base import AccountCalls, Call
from perpwire.venues.binance_futures import endpoints, translate_account
from perpwire.venues.binance_futures.calling import call


class BinanceAccountCalls(AccountCalls):
    def account(self) -> Call[AccountInfo]:
        return call(endpoints.ACCOUNT, {}, translate_account.account)

    def positions(self, symbol: str | None) -> Call[tuple[Position, ...]]:
        if symbol is None:
            return call(endpoints.POSITIONS, {}, translate_account.open_positions)
        return call(endpoints.POSITIONS, {"symbol": symbol}, translate_account.positions)
