from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from msgspec.structs import replace

from perpwire.api_connector.event_queue import ConsumerTooSlow, EventQueue, Overflow
from perpwire.model.market import Gap, Kline, Trade


class _RawTrade(Trade, frozen=True, kw_only=True):
    """Venues deliver classes of their own; what is said of them names the model's."""


def trade(number: int, symbol: str = "BTCUSDT") -> Trade:
    return _RawTrade(symbol=symbol, trade_id=number, price=Decimal(1), quantity=Decimal(1), buyer_is_maker=False)


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
    assert isinstance(await anext(events), Gap)
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


async def test_overflow_latest_keeps_two_venues_apart() -> None:
    events, _ = queue(2, "latest")
    for number, venue in ((1, "binance"), (2, "bybit"), (3, "binance")):
        events.put(replace(trade(number), venue=venue))
    events.close()
    assert [event.trade_id async for event in events] == [3, 2]


async def test_a_gap_that_is_dropped_itself_is_part_of_the_gap_in_its_place() -> None:
    events: EventQueue[Trade | Gap] = EventQueue(1, "drop_oldest", kind="Trade")
    events.put(Gap(symbol="BTCUSDT", kind="AggTrade", repaired=True, since_ns=5, until_ns=9))
    events.put(replace(trade(1), venue_time_ms=1, recovered=True))
    events.put(trade(2))
    gap = await anext(events)
    assert isinstance(gap, Gap)
    assert (gap.kind, gap.since_ns, gap.until_ns, gap.repaired) == ("AggTrade", 5, 1_000_000, False)
    events.put(replace(trade(3), received_ns=7_000_000))
    events.put(Gap(symbol="BTCUSDT", kind="Trade", since_ns=7_000_000, until_ns=8_000_000))
    events.put(trade(4))
    gap = await anext(events)
    assert isinstance(gap, Gap)
    assert (gap.kind, gap.since_ns, gap.until_ns) == ("Trade", 0, 8_000_000)


async def test_what_was_dropped_stands_as_a_gap_in_its_place_with_its_ids() -> None:
    told: list[tuple[str, int]] = []
    events: EventQueue[Trade] = EventQueue(3, "drop_oldest", lambda kind, waiting: told.append((kind, waiting)))
    for number in range(5):
        events.put(trade(number))
    gap = await anext(events)
    assert isinstance(gap, Gap)
    assert (gap.kind, gap.symbol, gap.first_missing, gap.last_missing) == ("Trade", "BTCUSDT", 0, 1)
    assert [(await anext(events)).trade_id for _ in range(3)] == [2, 3, 4]
    for number in range(5, 9):
        events.put(trade(number, "ETHUSDT" if number == 5 else "BTCUSDT"))
    gap = await anext(events)
    assert isinstance(gap, Gap)
    assert (gap.symbol, gap.first_missing) == ("ETHUSDT", 5)
    assert (events.received, events.dropped, events.waiting) == (9, 3, 3)
    assert told == [("Trade", 3), ("Trade", 3)]


async def test_ids_of_several_symbols_are_not_told_as_one_run() -> None:
    events, _ = queue(1, "drop_oldest")
    for number, symbol in ((1, "BTCUSDT"), (2, "ETHUSDT"), (3, "BTCUSDT")):
        events.put(trade(number, symbol))
    gap = await anext(events)
    assert isinstance(gap, Gap)
    assert (gap.symbol, gap.first_missing, gap.last_missing) == ("", None, None)
    assert "2 events" in gap.why


async def test_latest_keeps_two_intervals_of_one_symbol_apart() -> None:
    def candle(interval: str, close: int) -> Kline:
        return Kline(
            symbol="BTCUSDT", interval=interval, open_time_ms=0, close_time_ms=1, open=Decimal(1), high=Decimal(1),
            low=Decimal(1), close=Decimal(close), volume=None, quote_volume=None, trades=None, is_closed=False,
        )  # fmt: skip

    events: EventQueue[Kline] = EventQueue(1, "latest")
    for close in range(3):
        events.put(candle("1m", close))
        events.put(candle("5m", close))
    assert [(one.interval, int(one.close)) for one in (await anext(events), await anext(events))] == [
        ("1m", 2),
        ("5m", 2),
    ]
    assert (events.received, events.replaced, events.waiting) == (6, 4, 0)


async def test_two_tasks_that_read_one_queue_get_each_event_once() -> None:
    events, _ = queue(10, "raise")
    got: list[int | str] = []

    async def read() -> None:
        got.extend([event.trade_id async for event in events])

    readers = [asyncio.create_task(read()) for _ in range(2)]
    for number in range(6):
        await asyncio.sleep(0)
        events.put(trade(number))
    events.close()
    await asyncio.gather(*readers)
    assert sorted(got, key=int) == list(range(6))


async def test_a_reader_that_is_cancelled_loses_nothing() -> None:
    events, _ = queue(10, "raise")
    waiting = asyncio.create_task(anext(events))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    events.put(trade(1))
    assert (await anext(events)).trade_id == 1


async def test_how_long_the_oldest_waits_can_be_told() -> None:
    events, _ = queue(10, "raise")
    assert (events.waiting, events.oldest_ns) == (0, 0)
    for number in (5, 6):
        events.put(replace(trade(number), received_ns=number))
    assert (events.waiting, events.oldest_ns) == (2, 5)
