"""Holes in public streams: one after the other, in the numbers, and side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest
from tests.criteria.test_gaps import VENUES, Ears, drained, play, same
from tests.sizes import size

from perpwire.clock import ManualClock
from perpwire.model.incident import BookRecovered, StreamGap
from perpwire.model.market import AggTrade, BookTicker, Gap, Kline, MarkPrice, Trade
from perpwire.scenarios.run import Run
from perpwire.scenarios.trades_heard import Told, unsaid
from perpwire.scenarios.unheard import taken
from perpwire.simulator.faults import (
    Answer,
    CorruptMessage,
    Cut,
    Delay,
    DropMessage,
    DuplicateMessage,
    LagLists,
    Refuse,
    ReorderMessage,
    Silence,
)
from perpwire.simulator.listing import Listing
from perpwire.testing import World, offline

TRADES = {"binance": "/fapi/v1/aggTrades", "bybit": "/v5/market/recent-trade"}
CANDLES = {"binance": "/fapi/v1/klines", "bybit": "/v5/market/kline"}
TOPIC = {"binance": "btcusdt@aggTrade", "bybit": "publicTrade.BTCUSDT"}


class Lossy:
    """Cuts the sockets of one connector, and lets another one's be."""

    def __init__(self, world: World, venue: str) -> None:
        self.world = world
        self.host = world.simulation.hosts[venue]
        self.spared: set[int] = set()

    def spare(self) -> None:
        """Those that are there now."""
        self.spared = set(self.host.connections)

    @property
    def others(self) -> set[int]:
        """Sockets of the other connector."""
        return set(self.host.connections) - self.spared

    def cut(self, away_s: float) -> None:
        for number in self.others:
            self.host.faults.add(Cut(connection=number))
        self.host.faults.add(Refuse(seconds=away_s))


def two(
    venue: str, scenario: Callable[[World, Ears, Ears, Lossy], Awaitable[None]], rate: float, seed: int = 7
) -> None:
    """One connector that hears everything, and then one whose sockets may be cut again and again."""
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=rate, seed=seed) as world:
            ours, truth, lossy = Ears(world, venue), Ears(world, venue), Lossy(world, venue)
            async with ours.connector, truth.connector:
                await truth.connector.subscribe([Trade], "BTCUSDT")
                await truth.connector.subscribe([Kline], "BTCUSDT", interval="1m")
                lossy.spare()
                await scenario(world, ours, truth, lossy)

    clock.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(("first_s", "then_s", "second_s"), [(1, 3, 6), (1, 2, 8), (2, 5, 5), (0.1, 4, 4)])
@pytest.mark.parametrize("seed", [7, 8][: size(2, 1)])
def test_a_second_outage_while_the_first_is_still_being_read_back_loses_and_doubles_nothing(
    seed: int, first_s: float, then_s: float, second_s: float, venue: str
) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([Trade], "BTCUSDT")
        await world.clock.sleep(10)
        world.simulation.faults[venue].add(Delay(method="GET", path=TRADES[venue], seconds=8.0, count=1))
        lossy.cut(first_s)
        await world.clock.sleep(first_s + then_s)
        lossy.cut(second_s)
        await world.clock.sleep(60)
        had = [one.trade_id for one in ours.trades("BTCUSDT")]
        wanted = [one.trade_id for one in truth.trades("BTCUSDT")]
        assert had == wanted[wanted.index(had[0]) :]
        assert all(gap.repaired for gap in ours.gaps("BTCUSDT"))

    two(venue, scenario, rate=20.0, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("second_of_the_minute", [40, 48, 52])
def test_a_second_outage_while_candles_are_being_read_back_loses_none_that_closed_in_it(
    second_of_the_minute: int, venue: str
) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([Kline], "BTCUSDT", interval="1m")
        await world.clock.sleep(120 - world.clock.time_ns() / 1e9 % 60 + second_of_the_minute)
        world.simulation.faults[venue].add(Delay(method="GET", path=CANDLES[venue], seconds=8.0, count=1))
        lossy.cut(0.1)
        await world.clock.sleep(4)
        lossy.cut(15)
        await world.clock.sleep(150)
        had, wanted = (
            [one.open_time_ms for one in ears.heard["Kline BTCUSDT"] if isinstance(one, Kline) and one.is_closed]
            for ears in (ours, truth)
        )
        assert had == wanted[wanted.index(had[0]) :]

    two(venue, scenario, rate=10.0)


ANSWER = {"binance": '"result":null', "bybit": '"subscribe"'}


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_topic_that_speaks_without_being_acknowledged_has_a_gap_in_the_place_of_what_it_missed(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([BookTicker], "ETHUSDT")
        # On this socket, and on the next one.
        world.simulation.faults[venue].add(DropMessage(topic="", contains=ANSWER[venue], count=2))
        await ours.connector.subscribe([BookTicker], "BTCUSDT")
        await world.clock.sleep(5)
        lossy.cut(1)
        await world.clock.sleep(5)
        heard = ours.heard["BookTicker BTCUSDT"]
        (gap,) = ours.gaps("BTCUSDT", "BookTicker")
        last, then = (heard[heard.index(gap) + step] for step in (-1, 1))
        assert isinstance(last, BookTicker)
        assert isinstance(then, BookTicker)
        assert last.received_ns == gap.since_ns < gap.until_ns <= then.received_ns

    two(venue, scenario, rate=20.0)


CLOSED = {"binance": '"x":true', "bybit": '"confirm":true'}


def _candles(ears: Ears) -> list[Kline]:
    return [one for one in ears.heard["Kline BTCUSDT"] if isinstance(one, Kline) and one.is_closed]


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("is_answered", [True, False])
def test_a_closed_candle_that_its_stream_left_out_is_read_back_or_said_to_be_missing(
    is_answered: bool, venue: str
) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([Kline], "BTCUSDT", interval="1m")
        await world.clock.sleep(90)
        faults = world.simulation.faults[venue]
        for number in lossy.others:
            faults.add(DropMessage(topic="*kline*", contains=CLOSED[venue], connection=number))
        if not is_answered:
            faults.add(Answer(method="GET", path=CANDLES[venue], status=503, count=None, for_s=90))
        await world.clock.sleep(120)
        had, wanted = ([one.open_time_ms for one in _candles(ears)] for ears in (ours, truth))
        (gap,) = ours.gaps("BTCUSDT", "Kline")
        assert gap.repaired is is_answered
        assert [one.recovered for one in _candles(ours)].count(True) == is_answered
        if not is_answered:
            assert len(set(wanted) - set(had)) == 1
            wanted = [one for one in wanted if one in had]
        assert had == wanted

    two(venue, scenario, rate=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_closed_candle_that_comes_after_the_next_one_is_told_once_and_in_its_turn(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([Kline], "BTCUSDT", interval="1m")
        await world.clock.sleep(90)
        for number in lossy.others:
            late = ReorderMessage(topic="*kline*", contains=CLOSED[venue], connection=number, behind=4, at_most_s=9.0)
            world.simulation.faults[venue].add(late)
        await world.clock.sleep(120)
        had, wanted = ([one.open_time_ms for one in _candles(ears)] for ears in (ours, truth))
        assert had == wanted
        opens = [one.open_time_ms for one in ours.heard["Kline BTCUSDT"] if isinstance(one, Kline)]
        assert opens == sorted(opens)

    two(venue, scenario, rate=1.0)


@pytest.mark.slow
def test_one_number_that_is_far_too_high_is_told_and_the_stream_goes_on() -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        (number,) = numbers
        high = CorruptMessage(topic=TOPIC["binance"], connection=number, how="replace", contains='"a":2', text='"a":9')
        world.simulation.faults["binance"].add(high)
        await world.clock.sleep(120)
        had, wanted = ([one.trade_id for one in ears.trades("BTCUSDT")] for ears in (ours, truth))
        (at,) = (n for n, one in enumerate(had) if int(one) > 9 * 10**9)
        assert had[at + 1 :] == wanted[-len(had[at + 1 :]) :]
        assert len(had) - at > 50
        there, back = ours.gaps("BTCUSDT")
        assert (there.first_missing, there.last_missing) == (int(had[at - 1]) + 1, int(had[at]) - 1)
        assert (back.first_missing, back.last_missing) == (None, None)
        assert not there.repaired
        assert not back.repaired
        assert sum(isinstance(one, StreamGap) for one in ours.incidents) == 2

    play("binance", scenario)


@pytest.mark.slow
def test_numbers_that_begin_anew_lower_are_a_gap_and_trades_and_candles_go_on() -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        bars = await ours.connector.watch_candles("BTCUSDT", "10s")
        lower = CorruptMessage(topic=TOPIC["binance"], how="replace", contains='"a":2', text='"a":1', count=None)
        world.simulation.faults["binance"].add(lower)
        await world.clock.sleep(120)
        had = [int(one.trade_id) for one in ours.trades("BTCUSDT")]
        falls = [n for n, (one, then) in enumerate(pairwise(had)) if then != one + 1]
        assert len(falls) == 1
        assert len(had) - falls[0] > 50
        (gap,) = ours.gaps("BTCUSDT")
        assert (gap.kind, gap.repaired) == ("AggTrade", False)
        closed = await drained(bars)
        assert len(closed) >= 10
        assert sum(not one.is_complete for one in closed) <= 2

    play("binance", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_frame_of_trades_that_comes_twice_is_told_once(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        for number in numbers:
            world.simulation.faults[venue].add(DuplicateMessage(topic=TOPIC[venue], connection=number, count=None))
        await world.clock.sleep(60)
        assert len(ours.trades("BTCUSDT")) > 50
        same(ours, truth, "BTCUSDT")
        assert ours.gaps("BTCUSDT") == []

    play(venue, scenario)


@pytest.mark.slow
def test_numbered_trades_that_were_overtaken_are_put_in_order_and_none_is_lost() -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        faults = world.simulation.faults["binance"]
        for behind in (1, 3):
            faults.add(ReorderMessage(topic=TOPIC["binance"], connection=numbers[0], count=10, behind=behind))
            await world.clock.sleep(30)
        same(ours, truth, "BTCUSDT")
        asked = [
            one for one in world.simulation.hosts["binance"].journal.entries(kind="request") if "Trades" in one.text
        ]
        assert len(asked) <= 20

    play("binance", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_was_unsubscribed_in_an_outage_leaves_no_hole_to_those_who_come_later(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([Trade], "BTCUSDT")
        await world.clock.sleep(10)
        lossy.cut(20)
        await world.clock.sleep(3)
        await ours.connector.unsubscribe([Trade], "BTCUSDT")
        await world.clock.sleep(600)
        await ours.connector.subscribe([Trade, MarkPrice], ["ETHUSDT", "BTCUSDT"])
        await world.clock.sleep(30)
        assert ours.trades("ETHUSDT")
        assert [one for heard in ours.heard.values() for one in heard if isinstance(one, Gap)] == []

    two(venue, scenario, rate=3.0)


@pytest.mark.slow
def test_single_and_aggregated_trades_beside_each_other_have_holes_of_their_own_each_read_back() -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        faults, clock = world.simulation.faults["binance"], world.clock
        added = await ours.connector.watch_trades("BTCUSDT")
        single = await ours.connector.watch(Trade, "BTCUSDT", aggregated=False, overflow="drop_oldest")
        await clock.sleep(10)
        faults.add(DropMessage(topic="btcusdt@aggTrade", connection=numbers[0], count=6))
        await clock.sleep(15)
        faults.add(DropMessage(topic="btcusdt@trade", count=6))
        await clock.sleep(15)
        for number in set(world.simulation.hosts["binance"].connections):
            faults.add(Cut(connection=number))
        faults.add(Refuse(seconds=6.0))
        await clock.sleep(60)
        for queue, kind in ((added, "AggTrade"), (single, "Trade")):
            got = [await anext(queue) for _ in range(queue.waiting)]
            gaps = [one for one in got if isinstance(one, Gap)]
            assert [(gap.kind, gap.repaired) for gap in gaps] == [(kind, True)] * 2
            trades = [one for one in got if isinstance(one, Trade)]
            assert all(isinstance(one, AggTrade) is (kind == "AggTrade") for one in trades)
            ids = [int(one.trade_id) for one in trades]
            assert ids == list(range(ids[0], ids[-1] + 1))
            assert [ids[ids.index(gap.first_missing or 0) - 1] + 1 for gap in gaps] == [
                gap.first_missing for gap in gaps
            ]

    play("binance", scenario, rate=20.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_gap_begins_with_the_arrival_of_the_last_trade_before_it(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([Trade, MarkPrice], "BTCUSDT")
        await world.clock.sleep(90)
        heard = ours.heard["Trade BTCUSDT"]
        for number in set(lossy.host.connections) - lossy.spared:
            lossy.host.faults.add(Silence(what="all", connection=number))
        silent_ns = world.clock.time_ns()
        await world.clock.sleep(60)
        gap = ours.gaps("BTCUSDT")[0]
        before = heard[heard.index(gap) - 1]
        assert gap.since_ns == before.received_ns <= silent_ns
        assert gap.until_ns - gap.since_ns > 7e9

    two(venue, scenario, rate=10.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_gap_does_not_end_before_it_begins_where_the_machine_s_clock_was_set_back(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([Trade, MarkPrice], "BTCUSDT")
        await world.clock.sleep(10)
        world.clock.jump_wall(-600)  # type: ignore[attr-defined]
        lossy.cut(8)
        await world.clock.sleep(30)
        (gap,) = ours.gaps("BTCUSDT")
        assert 0 < gap.since_ns <= gap.until_ns

    two(venue, scenario, rate=10.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_still_waits_at_the_end_is_handed_on_behind_its_gap(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, lossy: Lossy) -> None:
        await ours.connector.subscribe([Trade], "BTCUSDT")
        await world.clock.sleep(10)
        world.simulation.faults[venue].add(Delay(method="GET", path=TRADES[venue], seconds=60.0, count=None))
        lossy.cut(5)
        await world.clock.sleep(10)
        told = len(ours.trades("BTCUSDT"))
        await ours.connector.close()
        (gap,) = ours.gaps("BTCUSDT")
        assert not gap.repaired
        heard = ours.heard["Trade BTCUSDT"]
        assert heard.index(gap) == told
        had, wanted = ([one.trade_id for one in ears.trades("BTCUSDT")] for ears in (ours, truth))
        assert len(had) > told
        assert had[told:] == wanted[wanted.index(had[told]) :][: len(had) - told]

    two(venue, scenario, rate=20.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", [0, 4, 8][: size(3, 1)])
def test_whatever_befalls_sockets_and_questions_each_trade_is_told_once_in_order_or_lies_in_a_gap_that_says_so(
    seed: int, venue: str
) -> None:
    chance, clock = Random(seed), ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=10.0, seed=seed) as world:
            run = Run(world, venue, seed, "holes")
            run.fault(LagLists(seconds=3600.0))
            async with run.connector as connector:
                await connector.subscribe([Trade], ["BTCUSDT", "ETHUSDT"])
                await clock.sleep(10)
                for _ in range(12):
                    match chance.randrange(7):
                        case 0 | 1 | 2:
                            run.fault(Cut(), Refuse(seconds=chance.choice((0.1, 1, 4, 12, 40))))
                        case 3:
                            run.fault(Silence(what="data", seconds=chance.uniform(5, 40)))
                        case 4:
                            run.fault(CorruptMessage(topic="*rade*", how="cut", count=chance.randrange(1, 5)))
                        case 5:
                            run.fault(DuplicateMessage(topic="*rade*", count=chance.randrange(1, 30)))
                        case _:
                            run.fault(DropMessage(topic="btcusdt@aggTrade", count=chance.randrange(1, 10)))
                    if chance.random() < 0.5:
                        slow_s, count = chance.choice((1, 5, 8, 14)), chance.randrange(1, 4)
                        run.fault(Delay(method="GET", path=TRADES[venue], seconds=slow_s, count=count))
                    if chance.random() < 0.2:
                        for_s = chance.uniform(3, 25)
                        run.fault(Answer(method="GET", path=TRADES[venue], status=503, count=None, for_s=for_s))
                    await clock.sleep(chance.choice((0.2, 1, 3, 6, 15)))
                await clock.sleep(120)
                assert list(unsaid(run, taken(run.host.journal.entries(kind="sent")))) == []
                heard = [one for told in run.trades.heard.values() for one in told]
                assert any(isinstance(one, Gap) for one in heard)
                assert sum(isinstance(one, Told) for one in heard) > 200

    clock.run(main())


MANY = tuple(Listing(symbol=f"PAST{number}USDT", start_price=Decimal(9)) for number in range(120))


@pytest.mark.slow
def test_lost_books_come_before_the_trades_and_candles_of_a_hundred_contracts_that_were_lost_with_them() -> None:
    names, clock, rebuilt_s = [one.symbol for one in MANY], ManualClock(), []

    async def main() -> None:
        async with offline(clock=clock, venues=["binance"], rate=0.45, symbols=MANY) as world:
            ours = Ears(world, "binance")
            async with ours.connector as connector:
                await connector.subscribe([Trade], names[:100])
                await connector.subscribe([Kline], names[:100], interval="1m")
                await connector.open_books(names[100:])
                await clock.sleep(70)
                lost_s = clock.monotonic_ns() / 1e9
                connector.on_incident(
                    lambda one: (
                        rebuilt_s.append(clock.monotonic_ns() / 1e9 - lost_s)
                        if isinstance(one, BookRecovered)
                        else None
                    )
                )
                faults = world.simulation.faults["binance"]
                faults.add(Cut())
                faults.add(Answer(method="WS", status=503, count=None, for_s=20.0))
                await clock.sleep(120)
                gaps = [gap for one in names[:100] for kind in ("Trade", "Kline") for gap in ours.gaps(one, kind)]
                assert sum(gap.repaired for gap in gaps) > 30
                assert all(gap.repaired for gap in gaps if gap.kind == "Kline")

    clock.run(main())
    assert len(rebuilt_s) == 20
    assert max(rebuilt_s) < 50
