"""What an account's API key may do: reading only, from which addresses, for which contracts, until when.

The account says it (specs.KeySpec), and each can be set anew by one of its saved flags (Exchange.set_setting). There
is no call of the venue's to set them: its site does.

| flag | text | refused with |
|---|---|---|
| key_read_only | 1 | 10005, calls that change something |
| key_ips | addresses, separated by commas | 10010, from any other |
| key_symbols | contracts, separated by commas | 10029, orders of any other |
| key_expires_ms | Unix ms | 33004, from then on |

Source: docs/v5/user/apikey-info and docs/v5/error, as of 2026-07-24.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit.sim.asked import Asked
from perpwire.venues.bybit.sim.numbers import whole
from perpwire.venues.bybit.sim.refusal import CallRefused

DAY_MS = 24 * 3600 * 1000
NEVER = "1970-01-01T00:00:00Z"


class KeyRules:
    """Every account's key."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def check(self, account: AccountSpec, method: str, path: str, asked: Asked, address: str) -> None:
        """
        Raises:
            CallRefused: The key may not do this.
        """
        expires_ms = self._expires_ms(account)
        if expires_ms and self._exchange.now_ms() >= expires_ms:
            raise CallRefused(33004, "Your api key has expired.")
        addresses = self._list(account, "key_ips")
        if not account.key.takes(address) or (addresses and address and address not in addresses):
            raise CallRefused(10010, "Unmatched IP, please check your API key's bound IP addresses.")
        if method == "POST" and self._is_read_only(account):
            raise CallRefused(10005, "Permission denied, please check your API key permissions.")
        symbols = self._list(account, "key_symbols")
        if symbols and path.startswith("/v5/order/") and method == "POST":
            for symbol in _symbols(asked):
                if symbol not in symbols:
                    raise CallRefused(10029, "The requested symbol is not in the key's whitelist.")

    def shown(self, account: AccountSpec) -> dict[str, Any]:
        """What query-api says of it."""
        expires_ms = self._expires_ms(account)
        left_ms = expires_ms - self._exchange.now_ms()
        return {
            "readOnly": int(self._is_read_only(account)),
            "ips": self._list(account, "key_ips") or list(account.key.ips) or ["*"],
            "deadlineDay": max(0, -(-left_ms // DAY_MS)) if expires_ms else -2,
            "expiredAt": _utc(expires_ms) if expires_ms else NEVER,
        }

    def _is_read_only(self, account: AccountSpec) -> bool:
        return self._exchange.setting(account.name, "key_read_only", "0" if account.key.trading else "1") == "1"

    def _expires_ms(self, account: AccountSpec) -> int:
        return whole(self._exchange.setting(account.name, "key_expires_ms")) or account.key.expires_ms

    def _list(self, account: AccountSpec, name: str) -> list[str]:
        return [one for one in self._exchange.setting(account.name, name).split(",") if one]


def _symbols(asked: Asked) -> list[Any]:
    """Those that a call of orders names; a batch names one in each item."""
    items = asked.get("request")
    found = [item.get("symbol") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return [*found, *([asked["symbol"]] if asked.get("symbol") else [])]


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
