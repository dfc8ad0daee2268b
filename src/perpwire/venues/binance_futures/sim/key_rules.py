"""What an account's API key may do; refused with -2015, as the venue does."""

from __future__ import annotations

from perpwire.simulator.specs import AccountSpec


def may(account: AccountSpec, method: str, path: str, address: str, now_ms: int) -> bool:
    """Whether the account's key is taken from `address`, and for such a call."""
    key = account.key
    if not key.takes(address):
        return False
    if method == "GET" or path.startswith("/sapi/") or path.endswith("/listenKey"):
        return True
    return key.trading and not (key.expires_ms and now_ms >= key.expires_ms)
