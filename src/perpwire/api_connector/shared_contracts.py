"""The contracts of a venue, asked for once by all connectors of one program: they are the same for every account.

Shared by whoever asks the same host; see shared.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from perpwire.api_connector.shared import Shared, place
from perpwire.clock import Clock
from perpwire.model.instrument import Instrument
from perpwire.transport.base import HttpTransport

Ask = Callable[[], Awaitable[tuple[Instrument, ...]]]


class Contracts:
    """Those of one host, as they were told last."""

    def __init__(self) -> None:
        self._known: Mapping[str, Instrument] = {}
        self._asked_ns: int | None = None
        self._asking: asyncio.Task[None] | None = None

    async def get(self, ask: Ask, since_ns: int, clock: Clock) -> tuple[Mapping[str, Instrument], int]:
        """All of them by symbol, not older than `since_ns` (monotonic), and when they were asked for. Who comes while
        they are being asked for waits for that answer; where it fails, asks itself.

        Raises:
            APIError: The venue can't be asked.
        """
        while self._asked_ns is None or self._asked_ns < since_ns:
            asking = self._asking
            if asking is None or asking.get_loop() is not asyncio.get_running_loop():
                await self._ask(ask, clock)
            else:
                await asyncio.wait({asking})
        return self._known, self._asked_ns

    async def _ask(self, ask: Ask, clock: Clock) -> None:
        async def answer() -> None:
            asked_ns = clock.monotonic_ns()
            self._known = {one.symbol: one for one in await ask()}
            self._asked_ns = asked_ns

        asking = self._asking = asyncio.get_running_loop().create_task(answer(), name="perpwire contracts")
        try:
            await asking
        finally:
            asking.cancel()  # whoever asks is cancelled: the next one asks anew
            self._asking = None


_shared: Shared[Contracts] = Shared()


def shared_contracts(venue: str, *, host: str, clock: Clock, network: HttpTransport | None) -> Contracts:
    """Those that a connector in this thread shares.

    Args:
        host: Base address of the venue's REST host.
        network: See Shared.among.
    """
    with _shared.among(clock, network) as known:
        return known.setdefault(place(venue, host), Contracts())
