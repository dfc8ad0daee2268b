"""Which position mode the account is in: assumed one-way until the venue says otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.model.account import PositionMode
from perpwire.model.incident import Incident, ModeChanged
from perpwire.model.order import OrderRequest, PositionSide, Side
from perpwire.venues.base import Venue

_BOTH = PositionSide.BOTH


class PositionModes:
    """Of the account, or of each symbol where the venue has it so (Venue.position_mode_by_symbol)."""

    def __init__(self, venue: Venue, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._venue = venue
        self._clock = clock
        self._on_incident = on_incident
        self._known: dict[str, PositionMode] = {}
        self._readings: dict[str, asyncio.Task[PositionMode]] = {}

    def _key(self, symbol: str | None) -> str:
        return symbol or "" if self._venue.position_mode_by_symbol else ""

    def of(self, symbol: str) -> PositionMode:
        return self._known.get(self._key(symbol), PositionMode.ONE_WAY)

    def learn(self, symbol: str | None, mode: PositionMode) -> None:
        """The venue said so."""
        key = self._key(symbol)
        if self._venue.position_mode_by_symbol and not key:
            self._known.clear()  # set for all of them; they are asked for again where it matters
        elif self._known.get(key, PositionMode.ONE_WAY) is not mode:
            self._known[key] = mode
            self._on_incident(
                ModeChanged(
                    venue=self._venue.name,
                    time_ns=self._clock.time_ns(),
                    mode=mode,
                    symbol=key,
                )
            )

    async def read(self, requests: RequestPath, symbol: str) -> PositionMode:
        """Ask the venue, once for all who want to know at the same time.

        Raises:
            APIError: It can't be asked.
        """
        key = self._key(symbol)
        reading = self._readings.get(key)
        if reading is None:
            reading = asyncio.get_running_loop().create_task(
                self._read(requests, symbol), name="perpwire position mode"
            )
            self._readings[key] = reading
            reading.add_done_callback(lambda task: self._read_ended(key, task))
        return await asyncio.shield(reading)

    async def _read(self, requests: RequestPath, symbol: str) -> PositionMode:
        mode = await requests.run(self._venue.position_mode(self._venue_symbol(symbol)))
        self.learn(symbol, mode)
        return mode

    def _read_ended(self, key: str, reading: asyncio.Task[PositionMode]) -> None:
        del self._readings[key]
        if not reading.cancelled():
            reading.exception()  # those who wait hear of it, if they still do

    def _venue_symbol(self, symbol: str) -> str | None:
        return symbol if self._venue.position_mode_by_symbol else None

    def restated(self, request: OrderRequest) -> OrderRequest:
        """The same intent as the mode wants it said. What closes one side in hedge mode may only make the position
        smaller in one-way mode: it must not open the other way."""
        other_way = PositionSide.SHORT if request.side is Side.BUY else PositionSide.LONG
        closing = request.is_closing or request.position_side is other_way
        side = self.side_of(request.symbol, request.side, closing)
        reduce_only = request.reduce_only or (closing and not request.close_position)
        return msgspec.structs.replace(request, position_side=side, reduce_only=reduce_only)

    def side_of(self, symbol: str, side: Side, closing: bool) -> PositionSide:
        """The position that an order is about: it opens its own side's, or closes the other's."""
        if not self._known or self.of(symbol) is PositionMode.ONE_WAY:
            return _BOTH
        return PositionSide.LONG if (side is Side.BUY) != closing else PositionSide.SHORT
