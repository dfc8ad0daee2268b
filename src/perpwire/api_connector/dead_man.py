"""The dead man's switch: the venue cancels our orders unless it hears from us in time. Armed, it renews itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from perpwire.api_connector.kept_up import kept_up
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.errors import APIError
from perpwire.model.incident import DeadManFailed, Incident
from perpwire.venues.base import Venue

log = logging.getLogger("perpwire.api_connector")


LONGEST_TRY_S = 5.0
"""A renewal that is not answered by then is tried anew."""


class DeadMan:
    """One per running connector.

    At Binance it is a countdown of each symbol, which is set anew at a third of its time: that leaves time for several
    tries. At Bybit it is set once, and the venue watches the account's stream instead.
    """

    def __init__(
        self, venue: Venue, requests: RequestPath, clock: Clock, on_incident: Callable[[Incident], None]
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._clock = clock
        self._on_incident = on_incident
        self._renewing: list[asyncio.Task[None]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        """Renewals that are written and not answered."""
        self._changes: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        self.seconds = 0.0
        """What it is set to; 0: not armed."""
        self.symbols: tuple[str, ...] = ()
        self.renewed_ns: dict[str, int] = {}
        """Symbol -> when the venue last confirmed it, nanoseconds of the monotonic clock."""

    async def arm(self, seconds: float, symbols: Sequence[str]) -> None:
        """See _arm."""
        await self._unbroken(self._arm(seconds, symbols))

    async def disarm(self) -> None:
        """See _disarm."""
        await self._unbroken(self._disarm())

    async def _unbroken(self, change: Coroutine[Any, Any, None]) -> None:
        """To its end, also when the caller is cancelled: what is armed and not renewed would fire while we are well."""

        async def alone() -> None:
            async with self._one_at_a_time:
                await change

        task = asyncio.get_running_loop().create_task(alone(), name="perpwire dead man change")
        self._changes.add(task)
        task.add_done_callback(self._changed)
        await asyncio.shield(task)

    def _changed(self, task: asyncio.Task[None]) -> None:
        self._changes.discard(task)
        if not task.cancelled():
            task.exception()  # its caller has heard of it, if there still is one

    async def _arm(self, seconds: float, symbols: Sequence[str]) -> None:
        """Arm it, or arm it otherwise. Symbols that were armed and are not named any more are disarmed.

        Raises:
            APIError: The venue did not confirm; what was armed before is set as it was, and still renewed. Or it did
                not confirm that a symbol is disarmed: the others are armed.
        """
        by_symbol = self._venue.countdown_by_symbol
        wanted = tuple(dict.fromkeys(symbols)) if by_symbol else ("",)
        await self._stop(min(self.seconds / 6, LONGEST_TRY_S))
        set_now = await asyncio.gather(*(self._set(symbol, seconds) for symbol in wanted), return_exceptions=True)
        failed = next((one for one in set_now if one is not None), None)
        if failed is not None:
            if by_symbol:
                await self._set_back(wanted)
            self._keep_renewed()
            raise failed
        gone = [symbol for symbol in self.symbols if symbol not in wanted]
        self.seconds, self.symbols = seconds, wanted
        self._keep_renewed()
        if by_symbol:
            costs = self._venue.arm_countdown(wanted[0], seconds).endpoint.costs_of({})
            a_minute = {name: round(cost * len(wanted) * 60 / (seconds / 3)) for name, cost in costs.items()}
            log.info(
                "%s: the dead man's switch is armed for %g s on %s; renewing it every %.1f s uses %s a minute",
                self._venue.name, seconds, ", ".join(wanted), seconds / 3, a_minute,
            )  # fmt: skip
        await asyncio.gather(*(self._set(symbol, 0.0) for symbol in gone))

    def _keep_renewed(self) -> None:
        """Begin to renew what is armed."""
        if self._venue.countdown_by_symbol and self.seconds:
            loop = asyncio.get_running_loop()
            self._renewing = [
                loop.create_task(self._kept_renewed(one, self.seconds / 3), name=f"perpwire dead man {one}")
                for one in self.symbols
            ]

    async def _disarm(self) -> None:
        """
        Raises:
            APIError: The venue did not confirm: it may still fire. Disarm it again.
        """
        await self._stop()
        await asyncio.gather(*(self._set(symbol, 0.0) for symbol in self.symbols))
        self.symbols, self.seconds = (), 0.0

    async def close(self) -> None:
        """Renew it no more. It stays armed at the venue: whoever wants the orders to stay disarms it first."""
        running = [*self._changes, *self._under_way]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._stop()

    async def _set_back(self, symbols: Sequence[str]) -> None:
        """As they were before: a countdown that nobody renews would fire while we are well."""
        before = [(symbol, self.seconds if symbol in self.symbols else 0.0) for symbol in symbols]
        results = await asyncio.gather(*(self._set(*one) for one in before), return_exceptions=True)
        for (symbol, _), result in zip(before, results, strict=True):
            if isinstance(result, APIError):
                log.warning("%s: the countdown of %s may still run: %s", self._venue.name, symbol, result)

    async def _stop(self, patience_s: float | None = None) -> None:
        """Renew no more. Returns when no renewal is under way, or has been waited for so long: it must not arrive after
        what is set next."""
        renewing, self._renewing = self._renewing, []
        for task in renewing:
            task.cancel()
        await asyncio.gather(*renewing, return_exceptions=True)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=patience_s)
        left = tuple(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _set(self, symbol: str, seconds: float) -> None:
        deadline_ns = None
        if seconds:
            # What could only be written after the old countdown has ended is not worth writing.
            deadline_ns = self._clock.monotonic_ns() + round(seconds * 1e9)
        await self._requests.run(self._venue.arm_countdown(symbol or None, seconds), deadline_ns=deadline_ns)
        self.renewed_ns[symbol] = self._clock.monotonic_ns()

    async def _kept_renewed(self, symbol: str, every_s: float) -> None:
        name = f"the renewal of the dead man's switch of {symbol}"
        await kept_up(lambda: self._renew(symbol, every_s), name, self._venue.name, self._clock, self._on_incident)

    async def _renew(self, symbol: str, every_s: float) -> None:
        patience_s = min(every_s / 2, LONGEST_TRY_S)
        while True:
            due_ns = self.renewed_ns[symbol] + round(every_s * 1e9)
            await self._clock.sleep(max(0.0, (due_ns - self._clock.monotonic_ns()) / 1e9))
            setting = asyncio.get_running_loop().create_task(self._set(symbol, self.seconds))
            self._under_way.add(setting)
            setting.add_done_callback(self._under_way.discard)
            try:
                await asyncio.wait((setting,), timeout=patience_s)
                if not setting.cancel():
                    setting.result()
                    continue
                raise TimeoutError
            except (APIError, TimeoutError) as error:
                self._tell_failed(symbol, error)
                await self._clock.sleep(min(1.0, every_s / 10))

    def _tell_failed(self, symbol: str, error: Exception) -> None:
        left_s = self.seconds - (self._clock.monotonic_ns() - self.renewed_ns[symbol]) / 1e9
        why = getattr(error, "reason", "no answer in time")
        self._on_incident(
            DeadManFailed(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why=why,
                symbol=symbol,
                left_s=left_s if left_s > 0 else None,
            )
        )
