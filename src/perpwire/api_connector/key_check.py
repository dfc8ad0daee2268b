"""What an API key may do, asked once at the start: too much is refused, too little care is warned of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.errors import APIError, AuthenticationFailed, NotAllowed, NotOffered
from perpwire.model.account import KeyInfo
from perpwire.model.incident import Incident, KeyWarning
from perpwire.venues.base import Venue

log = logging.getLogger("perpwire.api_connector")

PATIENCE_S = 5.0
"""The start waits no longer for it."""

NEAR_EXPIRY_DAYS = 14
DAY_MS = 24 * 3600 * 1000


async def check_key(
    venue: Venue,
    requests: RequestPath,
    clock: Clock,
    sync: ClockSync,
    *,
    allow_withdrawal: bool,
    on_incident: Callable[[Incident], None],
) -> KeyInfo | None:
    """One call. Where this environment has no such service the log says so; where no answer is to be had, a warning
    does. Nothing is known then.

    Raises:
        NotAllowed: The key may withdraw, and that is not allowed by name (code WITHDRAWAL_RIGHTS).
        AuthenticationFailed: The venue does not know the key.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            info = await requests.run(venue.key_info())
    except AuthenticationFailed:
        raise
    except (APIError, TimeoutError) as error:
        why = f"{type(error).__name__}: {error.reason}" if isinstance(error, APIError) else "no answer in time"
        detail = f"what the key may do could not be asked: {why}"
        if isinstance(error, NotOffered):
            log.info("%s: %s", venue.name, detail)
        else:
            on_incident(KeyWarning(venue=venue.name, time_ns=clock.time_ns(), detail=detail, what="unknown"))
        return None
    if info.can_withdraw and not allow_withdrawal:
        raise NotAllowed(
            "this key may withdraw funds",
            venue=venue.name,
            call="key_info",
            code="WITHDRAWAL_RIGHTS",
            advice="Make a key without that right, or allow it by name: allow_withdrawal_key=True.",
        )
    for what, detail in _warnings(info, sync.venue_ms()):
        on_incident(KeyWarning(venue=venue.name, time_ns=clock.time_ns(), detail=detail, what=what))
    return info


def _warnings(info: KeyInfo, now_ms: int) -> list[tuple[str, str]]:
    found = []
    if info.can_trade is False:
        found.append(("trading", "the key may not trade derivatives"))
    if info.can_withdraw:
        found.append(("withdrawal", "the key may withdraw funds"))
    if info.ip_bound is False:
        found.append(("ip", "the key is not bound to addresses: whoever learns it can use it from anywhere"))
    if info.expires_time_ms is not None and info.expires_time_ms - now_ms < NEAR_EXPIRY_DAYS * DAY_MS:
        days = max(0, info.expires_time_ms - now_ms) // DAY_MS
        found.append(("expiry", f"the key expires in {days} days"))
    return found
