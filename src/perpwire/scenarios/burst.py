"""More than consumers can read, handlers that raise, consumers that end: nobody else loses anything; all is counted."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from perpwire.api_connector.event_queue import EventQueue
from perpwire.model.incident import ConnectionLost, HandlerFailed, UnknownSeen
from perpwire.model.market import BookTicker, Event, Gap, MarkPrice, Trade, Unknown, kind_of
from perpwire.model.order import Fill
from perpwire.scenarios.a_day import memory_mb
from perpwire.scenarios.invariants import ON_PURPOSE
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import CorruptMessage

SYMBOL, OTHER = "BTCUSDT", "ETHUSDT"

BURSTS, FILLS = 100, 10
"""So many times, so many fills in one instant."""

PAUSE_S = 0.05
"""Of the slow consumer, after each item."""

REQUESTS, AT_ONCE = 10_000, 10

BLOCKED_S = 2.0
NOT_JSON = "<html>502 Bad Gateway</html>"


@scenario(options={"rate": 40.0}, settle_s=20.0)
async def burst(run: Run) -> None:
    """Bursts of fills and of the market, slow consumers, a handler that raises, a frame that is none, many requests."""
    failing = Failing(run)
    await run.follow(SYMBOL, OTHER)
    first_s = run.now_s
    await asyncio.gather(_fills(run), _market(run), _consumers_that_end(run), _requests(run))
    await _frames_that_are_none(run)
    await _a_new_word(run)
    failing.check(run)
    lost = [one.connection for one in run.incidents if isinstance(one, ConnectionLost)]
    run.check(not lost, f"lost within {run.now_s - first_s:.0f} s: {lost}")


class Failing:
    """A handler that raises on every hundredth event."""

    def __init__(self, run: Run) -> None:
        self._seen = 0
        for kind in (Trade, BookTicker, Fill):
            run.connector.on(kind, self._on_event)

    def _on_event(self, _event: Event) -> None:
        self._seen += 1
        if self._seen % 100 == 0:
            raise ValueError(ON_PURPOSE)

    def check(self, run: Run) -> None:
        told = [one for one in run.incidents if isinstance(one, HandlerFailed)]
        run.check(self._seen >= 500, f"only {self._seen} events came")
        run.check(len(told) == self._seen // 100, f"{self._seen} events, and {len(told)} failures were told")
        run.check(all(one.event is not None for one in told), "a failure was told without its event")
        counted = run.connector.streams.frames.failures
        run.check(sum(counted.values()) == len(told), f"{len(told)} failures told, counted {counted}")


async def _fills(run: Run) -> None:
    """Two consumers of the account's fills, one of them far too slow: both get all, in order."""
    bursts = 20 if run.is_real else BURSTS
    mark = run.host.exchange.mark_price(SYMBOL)
    order = await run.place(
        SYMBOL, "BUY", str(Decimal(bursts * FILLS) / 1000), order_type="LIMIT", price=mark * Decimal("0.8"),
        round="nearest",
    )  # fmt: skip
    assert order is not None
    await run.clock.sleep(1)
    slow, quick = await run.connector.watch_fills(), await run.connector.watch_fills()
    before = len(run.fills)
    reading = [asyncio.create_task(_read(run, queue, pause_s)) for queue, pause_s in ((slow, PAUSE_S), (quick, 0.0))]
    for _ in range(bursts):
        for _ in range(FILLS):
            run.host.exchange.force_fill("main", symbol=SYMBOL, quantity=Decimal("0.001"))
        await run.clock.sleep(run.random.uniform(0.0, 0.2))
    await run.clock.sleep(bursts * FILLS * PAUSE_S + run.slack_s)
    for queue in (slow, quick):
        queue.close()
    heard = [one for one in run.fills[before:] if one.symbol == SYMBOL]
    for name, events in zip(("slow", "quick"), await asyncio.gather(*reading), strict=True):
        run.check(all(isinstance(one, Fill) for one in events), f"the {name} one was told of a gap")
        fills = [one for one in events if isinstance(one, Fill) and one.symbol == SYMBOL]
        run.check(len(fills) == bursts * FILLS, f"the {name} one got {len(fills)} of {bursts * FILLS} fills")
        run.check(fills == heard, f"the {name} one got them in another order than a handler")


async def _read(run: Run, queue: EventQueue[Fill | Gap], pause_s: float) -> list[Event]:
    events: list[Event] = []
    async for event in queue:
        events.append(event)
        if pause_s:
            await run.clock.sleep(pause_s)
    return events


async def _market(run: Run) -> None:
    """Consumers that do not read for two seconds: of prices the newest comes then, of trades all, or a Gap of those
    that are missing."""
    prices = [await run.connector.watch_book_ticker(symbol) for symbol in (SYMBOL, OTHER)]
    marks = await run.connector.watch_mark_prices(SYMBOL)
    trades = await run.connector.watch_trades(SYMBOL)
    few = await run.connector.watch_trades(SYMBOL, limit=5)
    heard: list[Trade] = []
    newest: dict[tuple[str, str], Event] = {}

    def note(event: BookTicker | MarkPrice) -> None:
        newest[kind_of(type(event)).__name__, event.symbol] = event

    offs = [run.connector.on(Trade, heard.append, SYMBOL)]
    offs += [run.connector.on(BookTicker, note), run.connector.on(MarkPrice, note)]
    # From here on all of them hear the same; what the earliest of them heard before is read away.
    merging: list[EventQueue[Any]] = [*prices, marks]
    for queue in (*merging, trades, few):
        await _drain(queue)
    at = {id(queue): (queue.received, queue.replaced) for queue in merging}
    delivered: dict[int, int] = {}
    for _ in range(3 if run.is_real else 5):
        await run.clock.sleep(BLOCKED_S)
        for queue in merging:
            events = await _drain(queue)
            delivered[id(queue)] = delivered.get(id(queue), 0) + len(events)
            for event in events:
                key = (kind_of(type(event)).__name__, event.symbol)
                run.check(event is newest.get(key), f"what was delivered of {key} is not the newest")
    for queue in merging:
        received, replaced = at[id(queue)]
        came, merged = queue.received - received, queue.replaced - replaced
        had = delivered[id(queue)]
        run.check(came == had + merged, f"{came} came, {had} were delivered and {merged} replaced")
    for off in offs:
        off()
    _check_trades(run, heard, await _drain(trades), "the long one")
    _check_trades(run, heard, await _drain(few), "the short one")
    for queue in (*merging, trades, few):
        queue.close()


def _check_trades(run: Run, heard: list[Trade], events: list[Event], name: str) -> None:
    """All of them, or so many fewer as a Gap before them says, with their ids where the venue counts."""
    gap = events[0] if events and isinstance(events[0], Gap) else None
    rest = [one for one in events if isinstance(one, Trade)]
    run.check(len(rest) == len(events) - (gap is not None), f"{name} has a gap in another place")
    missing = heard[: len(heard) - len(rest)]
    run.check(heard[len(missing) :] == rest, f"{name} has other trades than were heard")
    run.check((gap is not None) == bool(missing), f"{name} lacks {len(missing)} trades, and its gap is {gap}")
    if gap is not None and missing and isinstance(missing[0].trade_id, int):
        ids = (missing[0].trade_id, missing[-1].trade_id)
        run.check((gap.first_missing, gap.last_missing) == ids, f"{name} lacks {ids}, and says {gap}")


async def _drain(queue: EventQueue[Any]) -> list[Event]:
    """What waits."""
    events: list[Event] = []
    while queue.waiting:
        events.append(await anext(queue))
    return events


async def _consumers_that_end(run: Run) -> None:
    """One is cancelled in the middle, one unsubscribes and subscribes again: the third notices nothing."""
    stays, ends, returns = [await run.connector.watch_trades(OTHER) for _ in range(3)]
    heard: list[Trade] = []
    await run.clock.sleep(run.random.uniform(1, 3))
    for queue in (stays, ends, returns):
        await _drain(queue)
    off = run.connector.on(Trade, heard.append, OTHER)

    async def consume() -> None:
        async for _ in ends:
            await run.clock.sleep(0.01)

    task = asyncio.create_task(consume())
    await run.clock.sleep(run.random.uniform(0.5, 2))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    ends.close()
    await run.clock.sleep(run.random.uniform(0.0, 0.5))
    returns.close()
    await run.clock.sleep(run.random.uniform(0.0, 0.5))
    returns = await run.connector.watch_trades(OTHER)
    await run.clock.sleep(5)
    run.check(returns.received > 0, "the one that subscribed again gets nothing")
    off()
    got = await _drain(stays)
    run.check(got == heard, f"the one that stayed got {len(got)} of {len(heard)} trades")
    for queue in (stays, returns):
        queue.close()


async def _frames_that_are_none(run: Run) -> None:
    """What can't be read is counted and handed on as it came; where the venue counts its trades, the hole is told."""
    trades = await run.connector.watch_trades(SYMBOL)
    seen: list[Unknown] = []
    off = run.connector.on(Unknown, seen.append)
    before = run.connector.streams.frames.frames_garbled
    await run.clock.sleep(run.random.uniform(1, 4))
    run.fault(CorruptMessage(how="text", text=NOT_JSON, of="public", topic="btcusdt@aggTrade"))
    run.fault(CorruptMessage(how="text", text=NOT_JSON, of="public", topic="publicTrade.BTCUSDT"))
    await run.clock.sleep(8)
    off()
    count = run.connector.streams.frames.frames_garbled - before
    run.check(count == 1, f"{count} frames were garbled")
    run.check([one.raw for one in seen] == [NOT_JSON], f"what was handed on is {[one.raw[:200] for one in seen]}")
    ids = [one.trade_id for one in await _drain(trades) if isinstance(one, Trade)]
    numbers = [one for one in ids if isinstance(one, int)]
    run.check(numbers == sorted(set(numbers)), "trades came twice or out of order")
    if run.venue == "binance":
        run.check(numbers == list(range(numbers[0], numbers[-1] + 1)), "the trades of the garbled frame are missing")
    trades.close()


EXECUTED = {"binance": '"x":"TRADE"', "bybit": '"execType":"Trade"'}
"""What the account's stream says of a fill."""


def new_word(run: Run, word: str) -> CorruptMessage:
    """The next fill is told to be of a kind that nobody knows."""
    old = EXECUTED[run.venue]
    return CorruptMessage(of="private", contains=old, how="replace", text=f'{old.partition(":")[0]}:"{word}"')


async def _a_new_word(run: Run) -> None:
    """An execution of a kind that came up today is a fill all the same, bears its word, and is told of once."""
    before = len(run.fills)
    for _ in range(2):
        run.fault(new_word(run, "INSURANCE_FUND"))
        await run.place(SYMBOL, "BUY", "0.01")
        await run.clock.sleep(1 + run.slack_s)
    words = {fill.order_id: fill.unknown_words for fill in run.fills[before:] if fill.unknown_words}
    run.check(
        len(words) == 2 and set(words.values()) == {("execution INSURANCE_FUND",)}, f"fills with a new word: {words}"
    )
    told = [one.word for one in run.incidents if isinstance(one, UnknownSeen)]
    run.check(told == ["INSURANCE_FUND"], f"new words that were told of: {told}")


@scenario(options={"rate": 0.05, "latency_s": 0.001, "journal_capacity": 100_000}, one_in=100, settle_s=5.0)
async def ten_thousand_requests(run: Run) -> None:
    """Through one trading socket, whose own events nobody reads: each has its answer, and nothing piles up."""
    async with run.world.connector(run.venue, road="websocket") as connector:
        route = connector.trade_route
        assert route is not None
        answered = 0
        held_mb = None
        for number in range(REQUESTS // AT_ONCE):
            orders = await asyncio.gather(
                *(
                    connector.place_order(
                        OTHER, "SELL" if one % 2 else "BUY", "0.01", client_order_id=f"q-{number}-{one}"
                    )
                    for one in range(AT_ONCE)
                )
            )
            answered += sum(order.client_order_id == f"q-{number}-{one}" for one, order in enumerate(orders))
            if number == REQUESTS // AT_ONCE // 10:
                held_mb = memory_mb(run, connector)
        run.check(answered == REQUESTS, f"{answered} of {REQUESTS} have their own answer")
        run.check(route.waiting == 0, f"{route.waiting} still wait")
        run.check(route.reconnects == 0, f"{route.reconnects} reconnects")
        assert held_mb is not None
        grown_mb = memory_mb(run, connector) - held_mb
        run.check(grown_mb < 64, f"memory has grown by {grown_mb:.1f} MB")
        run.facts["requests"] = answered


async def _requests(run: Run) -> None:
    """By the trading socket, whose own events nobody reads: each has its answer."""
    for number in range(50):
        order = await run.place(
            OTHER, "BUY" if number % 2 else "SELL", "0.01", road="rest" if number % 5 else "websocket"
        )
        run.check(order is not None, f"request {number} has no answer")
        await run.clock.sleep(0.05)
