"""Whoever listens hears of every hole: whoever made the connection, and whatever name the stream was asked for by."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from perpwire import StreamSettings, WebSocketManager, venues
from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.stream_holes import LOST, MUTE, TORN, TopicHoles
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, NotSent, StreamRefused
from perpwire.model.market import (
    AggTrade,
    BookDelta,
    BookSnapshot,
    BookTicker,
    ContinuousKline,
    Event,
    Gap,
    Kline,
    MarkPrice,
    Ticker,
    Trade,
)
from perpwire.model.order import Fill
from perpwire.simulator.faults import Answer, Cut, Delay, Refuse, Silence
from perpwire.testing import World, offline
from perpwire.venues.base import StreamOptions

VENUES = ["binance", "bybit"]
TOP_OF_BOOK = {"binance": "btcusdt@bookTicker", "bybit": "orderbook.1.BTCUSDT"}
TRADES = {"binance": "btcusdt@aggTrade", "bybit": "publicTrade.BTCUSDT"}
MARKS = {"binance": "btcusdt@markPrice@1s", "bybit": "tickers.BTCUSDT"}


def play(scenario: Callable[[World, ManualClock], Awaitable[None]], venue: str, rate: float = 5.0) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=rate) as world:
            await scenario(world, clock)

    clock.run(main())


def cut(world: World, venue: str, seconds: float) -> None:
    faults = world.simulation.faults[venue]
    faults.add(Cut())
    faults.add(Answer(method="WS", status=503, count=None, for_s=seconds))


def manager(world: World, clock: ManualClock) -> WebSocketManager:
    return WebSocketManager(urls=world.simulation.urls, clock=clock, sockets=world.network)


# --- whoever made the connection --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_book_and_trades_on_a_connection_that_a_native_name_made_know_of_its_loss(venue: str) -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector(venue)
        trades: list[Trade] = []
        gaps: list[Gap] = []
        async with connector:
            await connector.streams.connect(venue, [TOP_OF_BOOK[venue], MARKS[venue]])
            connector.on(Trade, trades.append)
            connector.on(Gap, gaps.append)
            book = await connector.open_book("ETHUSDT")
            await connector.subscribe(Trade, "BTCUSDT")
            await clock.sleep(10)
            cut(world, venue, 20)
            await clock.sleep(10)
            assert not book.is_in_sync
            before = len(trades)
            await clock.sleep(40)
            assert book.is_in_sync
        assert [one.repaired for one in gaps if one.kind in ("Trade", "AggTrade")] == [True]
        assert any(one.recovered for one in trades[before:])

    play(scenario, venue)


@pytest.mark.parametrize("why", [LOST, MUTE, TORN])
def test_a_topic_that_spoke_unseen_while_it_was_away_and_is_away_again_has_two_holes(why: str) -> None:
    clock = ManualClock()
    told_ns, told = 0, list[tuple[str, int]]()
    holes = TopicHoles(
        clock,
        lambda topic: told_ns,
        lambda topic: told.append(("away", clock.time_ns())),
        lambda topic, since_ns, why: told.append(("back", since_ns)),
    )
    holes.acknowledged("trades")
    clock.advance(5)
    told_ns = first_ns = clock.time_ns()
    clock.advance(5)
    holes.away("trades", LOST)
    lost_ns = clock.time_ns()
    clock.advance(5)
    holes.away("trades", why)  # a try that brought nothing
    told_ns = 0  # nor is the lost socket known any more
    holes.away("trades", why)
    assert told == [("away", lost_ns)]
    told_ns = second_ns = lost_ns - 1  # it had waited
    holes.away("trades", why)
    assert told == [("away", lost_ns), ("back", first_ns), ("away", clock.time_ns())]
    holes.back("trades")
    assert told[-1] == ("back", second_ns)


# --- by native names --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("alone", [True, False], ids=["a manager alone", "a connector's"])
def test_a_hole_in_streams_of_native_names_is_marked_before_what_comes_next(venue: str, alone: bool) -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector(venue)
        heard: list[Event] = []
        async with connector, manager(world, clock) as streams:
            streams = streams if alone else connector.streams
            for kind in (Trade, MarkPrice, Gap):
                streams.on(kind, heard.append)
            await streams.connect(venue, [TRADES[venue], MARKS[venue]], wait="live")
            await clock.sleep(10)
            cut(world, venue, 15)
            last_ns = {
                kind: [one for one in heard if isinstance(one, kind)][-1].received_ns for kind in (Trade, MarkPrice)
            }
            before = len(heard)
            await clock.sleep(40)
        for kind in (Trade, MarkPrice):
            later = [one for one in heard[before:] if isinstance(one, kind) or (is_of(one, kind))]
            gap = later[0]
            assert isinstance(gap, Gap)
            assert (gap.symbol, gap.repaired, gap.since_ns) == ("BTCUSDT", False, last_ns[kind])
            assert 14 < (gap.until_ns - gap.since_ns) / 1e9 < 40
            assert len([one for one in later if isinstance(one, Gap)]) == 1
            assert later[1].received_ns >= gap.until_ns

    play(scenario, venue)


def is_of(event: Event, kind: type[Event]) -> bool:
    return isinstance(event, Gap) and event.kind in (kind.__name__, "AggTrade" if kind is Trade else "")


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_native_stream_that_is_mute_among_others_has_a_gap_from_its_last_word_on(venue: str) -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        gaps: list[Gap] = []
        heard: list[BookTicker] = []
        async with manager(world, clock) as streams:
            streams.on(Gap, gaps.append)
            streams.on(BookTicker, heard.append)
            await streams.connect(venue, [TOP_OF_BOOK[venue], TRADES[venue]], wait="live")
            await clock.sleep(30)
            world.simulation.faults[venue].add(Silence(what="data", topic=TOP_OF_BOOK[venue]))
            last_ns = heard[-1].received_ns
            await clock.sleep(60)
        assert [(one.kind, one.symbol, one.repaired) for one in gaps] == [("BookTicker", "BTCUSDT", False)]
        assert gaps[0].since_ns == last_ns
        assert gaps[0].why == "the topic was mute"

    play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("venue", VENUES)
def test_whatever_happens_to_the_sockets_of_a_manager_each_missing_trade_lies_in_a_gap(venue: str, seed: int) -> None:
    dice = random.Random(seed)
    names = [TRADES[venue], TOP_OF_BOOK[venue]]

    async def scenario(world: World, clock: ManualClock) -> None:
        faults, sockets = world.simulation.faults[venue], world.simulation.hosts[venue].connections
        had: list[Trade | Gap] = []
        wanted: list[Trade] = []
        async with manager(world, clock) as ours, manager(world, clock) as unhurt:
            unhurt.on(Trade, wanted.append)
            await unhurt.connect(venue, names, wait="live")
            theirs = set(sockets)
            await ours.connect(venue, names, wait="live")
            await clock.sleep(65)  # the pace of each is known
            ours.on(Trade, had.append)
            ours.on(Gap, had.append)
            began_ns = clock.time_ns()
            for _ in range(6):
                await clock.sleep(dice.choice([0.3, 1, 3, 10, 30]))
                hurt = dice.choice([number for number in sockets if number not in theirs] or [0])
                what: list[Cut | Silence] = [
                    Cut(connection=hurt),
                    Silence(what="data", connection=hurt, topic=names[0]),
                    Silence(what="data", connection=hurt),
                    Silence(what="all", connection=hurt),
                ]
                faults.add(dice.choice(what))
            await clock.sleep(60)
        trades = [one for one in had if isinstance(one, Trade)]
        gaps = [one for one in had if isinstance(one, Gap) and is_of(one, Trade)]
        ids = {one.trade_id for one in trades}
        missing = [one for one in wanted if one.received_ns > began_ns and one.trade_id not in ids]
        assert missing
        assert len(ids) == len(trades)
        near_ns = 500_000_000  # one is read a little sooner here than there
        for trade in missing:
            assert any(gap.since_ns - near_ns < trade.received_ns < gap.until_ns + near_ns for gap in gaps)

    play(scenario, venue)


@pytest.mark.slow
def test_what_was_given_back_in_an_outage_has_no_gap_when_it_is_wanted_again() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector("binance")
        gaps: list[Gap] = []
        async with connector:
            connector.on(Gap, gaps.append)
            await connector.subscribe(Trade, "BTCUSDT")
            await clock.sleep(10)
            cut(world, "binance", 20)
            await clock.sleep(3)
            await connector.unsubscribe(Trade, "BTCUSDT")
            await clock.sleep(120)
            await connector.subscribe([Trade, MarkPrice], ["BTCUSDT", "ETHUSDT"])
            await clock.sleep(10)
        assert gaps == []

    play(scenario, "binance")


@pytest.mark.slow
def test_what_is_first_wanted_in_an_outage_has_no_gap_from_before() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector("binance")
        gaps: list[Gap] = []
        async with connector:
            connector.on(Gap, gaps.append)
            await connector.subscribe(MarkPrice, "BTCUSDT")
            await clock.sleep(10)
            cut(world, "binance", 20)
            await clock.sleep(10)
            await connector.subscribe(MarkPrice, "ETHUSDT")
            await clock.sleep(60)
        assert [one.symbol for one in gaps] == ["BTCUSDT"]

    play(scenario, "binance")


@pytest.mark.parametrize("venue", VENUES)
def test_it_is_known_of_each_stream_what_it_carries(venue: str) -> None:
    table = venues.load(venue)
    asked: list[tuple[type[Event], StreamOptions]] = [
        *((kind, StreamOptions()) for kind in (Trade, BookTicker, BookSnapshot, BookDelta, MarkPrice, Ticker)),
        *((Kline, StreamOptions(interval=interval)) for interval in ("1m", "1h", "1d", "1w", "1M")),
    ]
    if venue == "binance":
        asked += [(AggTrade, StreamOptions()), (ContinuousKline, StreamOptions(interval="4h"))]
    for kind, options in asked:
        said = table.carries(table.topic(kind, "BTCUSDT", options))
        assert next(one for one in said if issubclass(one.kind, kind))[1:] == ("BTCUSDT", options.interval or "")
    assert all(table.carries(topic) == () for topic in table.private_topics())


@pytest.mark.slow
def test_a_topic_that_is_silent_on_every_route_for_a_while_is_kept_and_speaks_again() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        trades: list[Trade] = []
        async with manager(world, clock) as streams:
            streams.on(Trade, trades.append)
            await streams.connect("binance", [MARKS["binance"]], wait="live")
            world.simulation.faults["binance"].add(Silence(what="data", topic=TRADES["binance"], also_next=3))
            await streams.connect("binance", [TRADES["binance"]])
            await clock.sleep(300)
            assert ("binance", TRADES["binance"]) in streams.topics
            world.simulation.faults["binance"].add(Cut())
            await clock.sleep(30)
        assert trades

    play(scenario, "binance")


# --- the account's stream ---------------------------------------------------------------------------------------------


def test_nobody_takes_the_account_streams_topics_away_by_their_names() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector("bybit")
        fills: list[Fill] = []
        names = ["execution.linear", "order.linear", "position.linear", "wallet"]
        async with connector:
            connector.on(Fill, fills.append)
            await connector.open_account_stream()
            await connector.streams.connect("bybit", names)
            await connector.streams.disconnect("bybit", names)
            await clock.sleep(1)
            await connector.place_order("BTCUSDT", "BUY", "0.01")
            await clock.sleep(1)
            assert connector.is_account_stream_live
        assert [one.recovered for one in fills] == [False]

    play(scenario, "bybit")


def test_the_account_is_not_known_by_a_stream_that_carries_only_part_of_it() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector("bybit")
        async with connector:
            await connector.open_account_stream()
            assert connector.is_account_stream_live
            carrying = connector.streams.connection("bybit/private")
            assert carrying is not None
            await carrying.drop(["execution.linear"])
            assert not connector.is_account_stream_live
            assert connector.why_account_stream_not_live == "not all that tells of the account is subscribed"

    play(scenario, "bybit")


# --- several at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
def test_who_stops_waiting_for_a_connection_takes_it_from_nobody_else(venue: str) -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector(venue)
        async with connector:
            world.simulation.faults[venue].add(Delay(method="WS", seconds=1))
            first = asyncio.create_task(connector.subscribe(Trade, "BTCUSDT"))
            await clock.sleep(0.2)
            others = [
                asyncio.create_task(connector.subscribe(Trade, "ETHUSDT")),
                asyncio.create_task(connector.subscribe(MarkPrice, "SOLUSDT")),
            ]
            await clock.sleep(0.2)
            first.cancel()
            assert await asyncio.gather(*others) == [None, None]
            await clock.sleep(2)
            assert not any("BTC" in name.upper() for _, name in connector.streams.topics)
            assert len(connector.streams.topics) == 2

    play(scenario, venue)


def test_a_connection_that_nobody_waits_for_any_more_is_not_made() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector("binance")
        async with connector:
            world.simulation.faults["binance"].add(Delay(method="WS", seconds=1))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await connector.subscribe(Trade, "BTCUSDT")
            await clock.sleep(2)
            assert connector.streams.states == {}

    play(scenario, "binance")


def test_a_stream_that_is_refused_is_refused_to_all_who_ask_for_it() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        async with manager(world, clock) as streams:
            await streams.connect("bybit", ["publicTrade.BTCUSDT"])
            both = (streams.connect("bybit", ["publicTrade.NOPEUSDT"]) for _ in range(2))
            answers = await asyncio.gather(*both, return_exceptions=True)
            assert [type(answer) for answer in answers] == [StreamRefused, StreamRefused]
            assert list(streams.topics) == [("bybit", "publicTrade.BTCUSDT")]

    play(scenario, "bybit")


def test_who_asks_for_what_is_on_its_way_waits_for_its_acknowledgement_also_when_the_first_one_gives_up() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        async with manager(world, clock) as streams:
            await streams.connect("bybit", ["publicTrade.BTCUSDT"])
            first = asyncio.create_task(streams.connect("bybit", ["publicTrade.ETHUSDT"]))
            await asyncio.sleep(0)
            second = asyncio.create_task(streams.connect("bybit", ["publicTrade.ETHUSDT"]))
            await asyncio.sleep(0)
            first.cancel()
            await second
            assert streams.topics["bybit", "publicTrade.ETHUSDT"].value in ("acknowledged", "live")

    play(scenario, "bybit")


def test_who_stops_waiting_for_the_end_of_a_stream_has_ended_it_all_the_same() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        names = [f"publicTrade.{coin}USDT" for coin in ("BTC", "ETH", "SOL")]
        async with manager(world, clock) as streams:
            await streams.connect("bybit", ["tickers.BTCUSDT", *names])
            ending = asyncio.create_task(streams.disconnect("bybit", names))
            await asyncio.sleep(0)
            ending.cancel()
            await clock.sleep(5)
            assert list(streams.topics) == [("bybit", "tickers.BTCUSDT")]

    play(scenario, "bybit")


def test_a_connection_on_which_all_was_refused_does_not_stay() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        settings = StreamSettings(topics_per_connection=1)
        async with WebSocketManager(
            urls=world.simulation.urls, clock=clock, sockets=world.network, settings=settings
        ) as streams:
            await streams.connect("bybit", ["publicTrade.BTCUSDT"])
            with pytest.raises(StreamRefused):
                await streams.connect("bybit", ["publicTrade.ETHUSDT", "publicTrade.NOPEUSDT"])
            await clock.sleep(1)
            assert len(streams.states) == 2
            assert len(streams.topics) == 2

    play(scenario, "bybit")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("venue", VENUES)
def test_whoever_comes_and_goes_what_is_held_is_carried_and_nothing_else(venue: str, seed: int) -> None:
    dice = random.Random(seed)
    names = [TRADES[venue], MARKS[venue], TOP_OF_BOOK[venue]]
    names += [name.replace("btc", "eth").replace("BTC", "ETH") for name in names]
    names += ["publicTrade.NOPEUSDT"] * (venue == "bybit")

    async def scenario(world: World, clock: ManualClock) -> None:
        faults = world.simulation.faults[venue]
        streams = WebSocketManager(
            urls=world.simulation.urls, clock=clock, sockets=world.network,
            settings=StreamSettings(topics_per_connection=dice.choice([None, 1, 2])),
        )  # fmt: skip
        asked: list[asyncio.Task[None]] = []
        async with streams:
            for _ in range(40):
                some, fate = dice.sample(names, dice.choice([1, 1, 2, 3])), dice.random()
                if fate < 0.6:
                    asked.append(asyncio.create_task(streams.connect(venue, some)))
                elif fate < 0.85:
                    asked.append(asyncio.create_task(streams.disconnect(venue, some)))
                elif fate < 0.95:
                    dice.choice([*asked, asyncio.create_task(streams.connect(venue, some))]).cancel()
                else:
                    faults.add(Cut())
                    faults.add(Refuse(seconds=dice.choice([0.5, 2])))
                await clock.sleep(dice.choice([0, 0, 0.001, 0.01, 0.1, 0.5, 2]))
            await clock.sleep(60)
            answers = [task.exception() for task in asked if task.done() and not task.cancelled()]
            assert all(task.done() for task in asked)
            assert {type(answer) for answer in answers} <= {type(None), StreamRefused, NotSent}
            carried = set(streams.topics)
            table = venues.load(venue)
            assert carried == {(venue, name) for name in names if streams.is_wanted(table, table.parse_topic(name))}
            assert all(state is State.LIVE for state in streams.states.values())
            used = [streams.carrying(table, table.parse_topic(name)) for _, name in carried]
            assert {one.name for one in used if one is not None} == set(streams.states)

    play(scenario, venue)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_nothing_is_waited_for_and_nothing_opened_after_the_end() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        connector = world.connector("binance")
        async with connector:
            world.simulation.faults["binance"].add(Silence(what="data", topic="*", also_next=9, seconds=300))
            waiting = asyncio.create_task(connector.streams.connect("binance", [MARKS["binance"]], wait="live"))
            await clock.sleep(1)
        ended_ns = clock.monotonic_ns()
        with pytest.raises(NotSent, match="closed"):
            await waiting
        assert clock.monotonic_ns() - ended_ns < 0.2e9
        with pytest.raises(BadInput, match="closed"):
            await connector.streams.connect("binance", [MARKS["binance"]])
        assert world.simulation.hosts["binance"].connections == {}
        async with connector:
            await connector.streams.connect("binance", [MARKS["binance"]])
            assert list(connector.streams.topics) == [("binance", MARKS["binance"])]

    play(scenario, "binance")


def test_what_ends_a_handler_may_be_called_twice_and_ends_no_other() -> None:
    async def scenario(world: World, clock: ManualClock) -> None:
        heard: list[str] = []
        async with manager(world, clock) as streams:

            def hear(*_: object) -> None:
                heard.append("")

            for register in (streams.on_state, streams.on_topic, streams.on_incident):
                off = register(hear)
                other = register(hear)
                off()
                off()
                if register == streams.on_state:
                    keep = other
                else:
                    other()
            await streams.connect("binance", [MARKS["binance"]])
            assert len(heard) == 1
            keep()
            world.simulation.faults["binance"].add(Cut())
            world.simulation.faults["binance"].add(Refuse(seconds=2))
            await clock.sleep(5)
            assert len(heard) == 1

    play(scenario, "binance")
