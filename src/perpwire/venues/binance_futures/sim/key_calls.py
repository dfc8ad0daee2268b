"""What an account's API key may do: asked of the wallet service.

Source: wallet/account/api-key-permission, as of 2026-10.
"""

from __future__ import annotations

from msgspec import UNSET

from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures.sim.gateway import Args, Row, Rows
from perpwire.venues.binance_futures.wire_account import KeyPermissions

DAY_MS = 24 * 3600 * 1000


class KeyCalls:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        # Keys are made a while before they are used.
        self._created_ms = exchange.now_ms() // DAY_MS * DAY_MS - 30 * DAY_MS

    def rows(self) -> Rows:
        return {("GET", "/sapi/v1/account/apiRestrictions"): Row(self._permissions, Security.SIGNED, 1, pool="wallet")}

    def _permissions(self, account: str, args: Args) -> KeyPermissions:
        key = self._exchange.account_spec(account).key
        return KeyPermissions(
            ip_restrict=bool(key.ips),
            create_time=self._created_ms,
            enable_reading=True,
            enable_withdrawals=key.withdrawals,
            enable_internal_transfer=False,
            enable_margin=False,
            enable_futures=key.trading,
            permits_universal_transfer=False,
            enable_vanilla_options=False,
            enable_fix_api_trade=False,
            enable_fix_read_only=False,
            enable_spot_and_margin_trading=False,
            enable_portfolio_margin_trading=False,
            trading_authority_expiration_time=key.expires_ms or UNSET,
        )
