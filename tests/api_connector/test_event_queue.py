from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from perpwire.api_connector.event_queue import ConsumerTooSlow, EventQueue, Overflow
from perpwire.model.market import Trade


def trade(number: int, symbol: str = "BTCUSDT") -> Trade:
    return Trade(symbol=symbol, trade_id=number, price=Decimal(1), quantity=Decimal(1), buyer_is_maker=False)


def queue(limit: int, overflow: Overflow) -> tuple[EventQueue[Trade], list[str]]:
    made: EventQueue[Trade] = EventQueue(limit, overflow)
    offs: list[str] = []
    made.attach(lambda: offs.append("off"))
    return made, offs


async def test_events_come_in_order_and_close_ends_after_the_last() -> None:
    events, offs = queue(10, "raise")
    for number in range(3):
        events.put(trade(number))
    events.close()
    assert [event.trade_id async for event in events] == [0, 1, 2]
    assert offs == ["off"]


async def test_a_consumer_that_waits_is_woken() -> None:
    events, _ = queue(10, "raise")
    waiting = asyncio.create_task(anext(events))
    await asyncio.sleep(0)
    events.put(trade(7))
    assert (await waiting).trade_id == 7


async def test_overflow_raise_gives_what_is_buffered_and_then_says_so() -> None:
    events, offs = queue(2, "raise")
    for number in range(3):
        events.put(trade(number))
    assert [(await anext(events)).trade_id, (await anext(events)).trade_id] == [0, 1]
    with pytest.raises(ConsumerTooSlow, match="2 Trade events wait"):
        await anext(events)
    assert offs == ["off"]


async def test_overflow_drop_oldest_counts_what_was_lost() -> None:
    events, _ = queue(2, "drop_oldest")
    for number in range(5):
        events.put(trade(number))
    events.close()
    assert [event.trade_id async for event in events] == [3, 4]
    assert events.dropped == 3


async def test_overflow_latest_keeps_the_newest_of_each_symbol() -> None:
    events, _ = queue(2, "latest")
    for number in range(3):
        events.put(trade(number))
        events.put(trade(number + 10, "ETHUSDT"))
    events.close()
    assert [event.trade_id async for event in events] == [2, 12]
    assert events.replaced == 4
