"""The dead man's switch: the venue cancels our orders unless it hears from us in time. Armed, it renews itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.errors import APIError
from perpwire.model.incident import DeadManFailed, Incident
from perpwire.venues.base import Venue

log = logging.getLogger("perpwire.api_connector")


class DeadMan:
    """One per running connector.

    At Binance it is a countdown of each symbol, which is set anew at a third of its time; a third later, one failed try
    leaves time for another. At Bybit it is set once, and the venue watches the account's stream instead.
    """

    def __init__(
        self, venue: Venue, requests: RequestPath, clock: Clock, on_incident: Callable[[Incident], None]
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._clock = clock
        self._on_incident = on_incident
        self._renewing: asyncio.Task[None] | None = None
        self.seconds = 0.0
        """What it is set to; 0: not armed."""
        self.symbols: tuple[str, ...] = ()
        self.renewed_ns: dict[str, int] = {}
        """Symbol -> when the venue last confirmed it, nanoseconds of the monotonic clock."""

    async def arm(self, seconds: float, symbols: Sequence[str]) -> None:
        """Arm it, or arm it otherwise. Symbols that were armed and are not named any more are disarmed.

        Raises:
            APIError: The venue did not confirm; what was armed before is still renewed.
        """
        by_symbol = self._venue.countdown_by_symbol
        wanted = tuple(symbols) if by_symbol else ("",)
        await asyncio.gather(*(self._set(symbol, seconds) for symbol in wanted))
        gone = [symbol for symbol in self.symbols if symbol not in wanted]
        self._stop()
        self.seconds, self.symbols = seconds, wanted
        await asyncio.gather(*(self._set(symbol, 0.0) for symbol in gone))
        if by_symbol and seconds:
            every_s = seconds / 3
            costs = self._venue.arm_countdown(wanted[0], seconds).endpoint.costs_of({})
            a_minute = {name: round(cost * len(wanted) * 60 / every_s) for name, cost in costs.items()}
            log.info(
                "%s: the dead man's switch is armed for %g s on %s; renewing it every %.1f s uses %s a minute",
                self._venue.name, seconds, ", ".join(wanted), every_s, a_minute,
            )  # fmt: skip
            self._renewing = asyncio.get_running_loop().create_task(self._renew(every_s), name="perpwire dead man")

    async def disarm(self) -> None:
        """
        Raises:
            APIError: The venue did not confirm: it may still fire.
        """
        self._stop()
        symbols, self.symbols, self.seconds = self.symbols, (), 0.0
        await asyncio.gather(*(self._set(symbol, 0.0) for symbol in symbols))

    async def close(self) -> None:
        """Renew it no more. It stays armed at the venue: whoever wants the orders to stay disarms it first."""
        renewing = self._renewing
        self._stop()
        if renewing is not None:
            await asyncio.gather(renewing, return_exceptions=True)

    def _stop(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    async def _set(self, symbol: str, seconds: float) -> None:
        deadline_ns = None
        if seconds:
            # What could only be written after the old countdown has ended is not worth writing.
            deadline_ns = self._clock.monotonic_ns() + round(seconds * 1e9)
        await self._requests.run(self._venue.arm_countdown(symbol or None, seconds), deadline_ns=deadline_ns)
        self.renewed_ns[symbol] = self._clock.monotonic_ns()

    async def _renew(self, every_s: float) -> None:
        while True:
            await self._clock.sleep(every_s)
            await asyncio.gather(*(self._renew_one(symbol, every_s) for symbol in self.symbols))

    async def _renew_one(self, symbol: str, every_s: float) -> None:
        try:
            async with asyncio.timeout(every_s):
                await self._set(symbol, self.seconds)
        except (APIError, TimeoutError) as error:
            left_s = self.seconds - (self._clock.monotonic_ns() - self.renewed_ns[symbol]) / 1e9
            self._on_incident(
                DeadManFailed(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    detail=f"the dead man's switch of {symbol} could not be renewed "
                    f"({getattr(error, 'reason', 'no answer in time')}); it fires in {max(left_s, 0.0):.0f} s",
                    symbol=symbol,
                )
            )
