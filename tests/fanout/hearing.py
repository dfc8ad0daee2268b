"""Something to be heard, and what comes of it at a reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.fanout.reader import FanoutReader
from perpwire.model.market import Event, Trade, kind_of
from perpwire.model.order import Fill, Side
from perpwire.model.written import Told
from perpwire.venues import load

WAIT_S = 20.0


def connector(venue: str = "bybit") -> VenueConnector:
    """One that is not started: `say` makes it hear what a test likes."""
    return VenueConnector(load(venue))


def say(heard_by: VenueConnector, *events: Event) -> None:
    for event in events:
        heard_by.streams.frames.deliver(event)


def trade(number: int, symbol: str = "BTCUSDT") -> Trade:
    return Trade(
        venue="bybit", symbol=symbol, venue_time_ms=number, received_ns=1000 + number, trade_id=number,
        price=Decimal("50000.10"), quantity=Decimal("1E-8"), buyer_is_maker=bool(number % 2),
    )  # fmt: skip


def fill(number: int, symbol: str = "BTCUSDT") -> Fill:
    return Fill(
        venue="bybit", symbol=symbol, received_ns=1000 + number, trade_id=f"fill-{number}", order_id="1",
        client_order_id="ours", side=Side.BUY, price=Decimal("50000.10"), quantity=Decimal("0.001"),
        fee=Decimal("0.02"), fee_asset="USDT", realized_pnl=None, is_maker=False,
    )  # fmt: skip


def plain(told: Told) -> tuple[str, dict[str, Any]]:
    """To be compared: what a venue's decoder makes is a subclass of the model's."""
    kind: type[Told] = kind_of(type(told)) if isinstance(told, Event) else type(told)
    return kind.__name__, {one.name: getattr(told, one.name) for one in msgspec.structs.fields(kind)}


async def read_some(reader: FanoutReader, count: int) -> list[Any]:
    async with asyncio.timeout(WAIT_S):
        return [await anext(reader) for _ in range(count)]


async def read_until(reader: FanoutReader, holds: Callable[[Any], bool]) -> list[Any]:
    """All up to the first of which it holds, and that one."""
    found: list[Any] = []
    async with asyncio.timeout(WAIT_S):
        async for told in reader:
            found.append(told)
            if holds(told):
                return found
    raise AssertionError


async def read_up_to(reader: FanoutReader, *trade_ids: int | str) -> list[Any]:
    """All until these have come, in whichever order: only that of each stream is said."""
    awaited = set(trade_ids)

    def is_last(told: Any) -> bool:
        awaited.discard(getattr(told, "trade_id", ""))
        return not awaited

    return await read_until(reader, is_last)


async def until(holds: Callable[[], bool], what: str) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_S
    while not holds():
        assert loop.time() < end, f"not within {WAIT_S:g} s: {what}"
        await asyncio.sleep(0.01)
