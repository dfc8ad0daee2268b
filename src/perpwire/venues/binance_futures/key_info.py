"""What an API key may do. Source: wallet/account/api-key-permission, as of 2026-10."""

from __future__ import annotations

import msgspec

from perpwire.model.account import KeyInfo
from perpwire.venues.binance_futures.translate_words import VENUE
from perpwire.venues.binance_futures.wire_account import KeyPermissions


def key_info(reply: KeyPermissions) -> KeyInfo:
    """The permission to trade of a key that is not bound to addresses ends after 90 days; others do not expire."""
    expires = reply.trading_authority_expiration_time
    words = {field.encode_name: getattr(reply, field.name) for field in msgspec.structs.fields(reply)}
    return KeyInfo(
        venue=VENUE,
        can_trade=reply.enable_futures,
        can_withdraw=reply.enable_withdrawals,
        ip_bound=reply.ip_restrict,
        expires_time_ms=expires if isinstance(expires, int) and expires > 0 else None,
        permissions=tuple(sorted(word for word, value in words.items() if value is True)),
    )
