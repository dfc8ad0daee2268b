"""What an API key may do. Source: docs/v5/user/apikey-info, as of 2026-07-24."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from perpwire.model.account import KeyInfo
from perpwire.venues.bybit.translate import NAME


class ApiKey(msgspec.Struct):
    """GET /v5/user/query-api, as far as it is read."""

    readOnly: int
    permissions: dict[str, list[str] | None]
    ips: list[str] | None = None
    deadlineDay: int | None = None
    expiredAt: str | None = None


def key_info(reply: ApiKey) -> KeyInfo:
    """A key that is bound to no address expires 90 days after it was made, one whose account has got a new password
    after 7 days; of others the venue says -2 days and the epoch.

    Raises:
        ValueError: The expiry can't be read.
    """
    expires_ms = None
    if reply.expiredAt and (reply.deadlineDay is None or reply.deadlineDay >= 0):
        at = datetime.fromisoformat(reply.expiredAt)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        expires_ms = round(at.timestamp() * 1000) or None
    rights = {group: all_of or [] for group, all_of in reply.permissions.items()}
    return KeyInfo(
        venue=NAME,
        can_trade=reply.readOnly == 0 and {"Order", "Position"} <= set(rights.get("ContractTrade", ())),
        can_withdraw="Withdraw" in rights.get("Wallet", ()),
        ip_bound=bool(reply.ips) and reply.ips != ["*"],
        expires_time_ms=expires_ms,
        permissions=tuple(sorted(f"{group}.{right}" for group, all_of in rights.items() for right in all_of)),
    )
