"""What an API key may do: asked at the start, where too much is refused and too little care is warned of, and now and
then while the connector runs, as a key that lasts for months comes to its end one day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.errors import APIError, AuthenticationFailed, NotAllowed, NotOffered
from perpwire.model.account import KeyInfo
from perpwire.model.incident import Incident, KeyWarning
from perpwire.venues.base import Call, Lane, Venue

log = logging.getLogger("perpwire.api_connector")

PATIENCE_S = 5.0
"""The start waits no longer for it."""

LOOK_S = 6 * 3600.0
"""From one look to the next."""

DAY_MS = 24 * 3600 * 1000
DAYS_LEFT = (0, 1, 3, 7, 14)
"""The end of a key is told of when there are so many days left, once for each."""


class KeyCheck:
    """One for a connector with a key.

    Args:
        on_info: Called with each answer.
    """

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        clock: Clock,
        sync: ClockSync,
        *,
        allow_withdrawal: bool,
        on_info: Callable[[KeyInfo], None],
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._clock = clock
        self._sync = sync
        self._allow_withdrawal = allow_withdrawal
        self._on_info = on_info
        self._on_incident = on_incident
        self._info: KeyInfo | None = None
        self._is_offered = True
        self._told: set[str] = set()
        """What is as it was told: it is told again where it has been otherwise meanwhile."""
        self._task: asyncio.Task[None] | None = None

    async def first(self) -> None:
        """One call. Where this environment has no such service the log says so; where no answer is to be had, a warning
        does. Nothing is known then.

        Raises:
            NotAllowed: The key may withdraw, and that is not allowed by name (code WITHDRAWAL_RIGHTS).
            AuthenticationFailed: The venue does not know the key.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                info = await self._requests.run(self._venue.key_info())
        except AuthenticationFailed:
            raise
        except (APIError, TimeoutError) as error:
            why = f"{type(error).__name__}: {error.reason}" if isinstance(error, APIError) else "no answer in time"
            self._is_offered = not isinstance(error, NotOffered)
            if self._is_offered:
                self._tell("unknown", why=why)
            else:
                log.info("%s: what the key may do can't be asked: %s", self._venue.name, why)
            return
        if info.can_withdraw and not self._allow_withdrawal:
            raise NotAllowed(
                "this key may withdraw funds",
                venue=self._venue.name,
                call="key_info",
                code="WITHDRAWAL_RIGHTS",
                advice="Make a key without that right, or allow it by name: allow_withdrawal_key=True.",
            )
        self._take(info)

    def start(self) -> None:
        """Look again, and again, where there is somebody to ask."""
        if self._is_offered:
            whole = kept_up(self._keep_looking, "the look at the key", self._venue.name, self._clock, self._on_incident)
            self._task = asyncio.get_running_loop().create_task(whole, name="perpwire key check")

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _keep_looking(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        try:
            self._take(await self._requests.run(_after_all_others(self._venue.key_info())))
        except AuthenticationFailed as error:
            if "refused" not in self._told:
                self._tell("refused", why=error.reason)
            self._told.add("refused")
        except APIError as error:
            # The next look will do; what is known of the key holds meanwhile, and its end comes nearer.
            log.info("%s: what the key may do could not be asked: %s", self._venue.name, error)
            if self._info is not None:
                self._take(self._info)

    def _take(self, info: KeyInfo) -> None:
        self._info = info
        self._on_info(info)
        left_ms = None if info.expires_time_ms is None else info.expires_time_ms - self._sync.venue_ms()
        found = dict(_warnings(info, left_ms))
        for name, days_left in found.items():
            if name not in self._told:
                self._tell(name.partition(" ")[0], days_left=days_left)
        self._told = set(found)

    def _tell(self, what: str, *, why: str = "", days_left: int | None = None) -> None:
        self._on_incident(
            KeyWarning(venue=self._venue.name, time_ns=self._clock.time_ns(), why=why, what=what, days_left=days_left)
        )


def _after_all_others(call: Call[KeyInfo]) -> Call[KeyInfo]:
    return call.in_lane(max(Lane))


def _warnings(info: KeyInfo, left_ms: int | None) -> Iterator[tuple[str, int | None]]:
    """What is to be told, once while it is so, and the days that are left for it."""
    if info.can_trade is False:
        yield "trading", None
    if info.can_withdraw:
        yield "withdrawal", None
    if info.ip_bound is False:
        yield "ip", None
    if left_ms is None:
        return
    passed = next((days for days in DAYS_LEFT if left_ms <= days * DAY_MS), None)
    if passed is not None:
        yield (f"expiry {passed}" if left_ms > 0 else "expired"), max(0, left_ms) // DAY_MS
