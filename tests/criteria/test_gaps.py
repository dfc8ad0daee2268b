"""GAPS: what a public stream missed is read back, or said to be missing."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random

import pytest
from tests.sizes import FULL, size

from perpwire.api_connector import trade_repair
from perpwire.api_connector.candle_watch import CandleWatch
from perpwire.clock import ManualClock
from perpwire.model.incident import Incident, StreamGap
from perpwire.model.market import AggTrade, BookTicker, Event, Gap, Kline, Liquidation, MarkPrice, Trade
from perpwire.scenarios import candles_heard, trades_heard
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import Answer, Cut, DropMessage, LagLists, Refuse, Silence
from perpwire.simulator.listing import Listing
from perpwire.testing import World, offline
from perpwire.venues.binance_futures.sim import agg_trades

VENUES = ["binance", "bybit"]
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


class Ears:
    """What one connector hears, in order."""

    def __init__(self, world: World, venue: str) -> None:
        self.connector = world.connector(venue)
        self.heard: dict[str, list[Event]] = defaultdict(list)
        self.incidents: list[Incident] = []
        for kind in (Trade, Kline, BookTicker, Liquidation):
            self.connector.on(kind, self._hear)
        self.connector.on(Gap, self._hear)
        self.connector.on_incident(self.incidents.append)

    def _hear(self, event: Event) -> None:
        kind = event.kind if isinstance(event, Gap) else type(event).__name__.lstrip("_")
        self.heard[f"{'Trade' if kind.endswith('Trade') else kind} {event.symbol}"].append(event)

    def trades(self, symbol: str) -> list[Trade]:
        return [one for one in self.heard[f"Trade {symbol}"] if isinstance(one, Trade)]

    def gaps(self, symbol: str, kind: str = "Trade") -> list[Gap]:
        return [one for one in self.heard[f"{kind} {symbol}"] if isinstance(one, Gap)]


def play(
    venue: str, scenario: Callable[[World, Ears, Ears, list[int]], Awaitable[None]], rate: float = 3.0, seed: int = 7
) -> None:
    """With one connector whose sockets (their numbers are given) may be hurt, and one that hears everything."""
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=rate, seed=seed) as world:
            ours, truth = Ears(world, venue), Ears(world, venue)
            async with ours.connector, truth.connector:
                await ours.connector.subscribe([Trade], SYMBOLS)
                numbers = list(world.simulation.hosts[venue].connections)
                await truth.connector.subscribe([Trade], SYMBOLS)
                await clock.sleep(10)
                await scenario(world, ours, truth, numbers)

    clock.run(main())


def same(ours: Ears, truth: Ears, symbol: str) -> None:
    """The same trades in the same order, each once."""
    wanted = [trade.trade_id for trade in truth.trades(symbol)]
    had = [trade.trade_id for trade in ours.trades(symbol)]
    assert had[-len(wanted) :] == wanted
    assert len(set(had)) == len(had)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("away_s", [1.0, 30.0, 300.0])
@pytest.mark.parametrize("seed", range(1, size(3, 2)))
def test_gaps_1_after_an_outage_each_hole_is_closed_from_rest_in_order_and_marked(
    seed: int, away_s: float, venue: str
) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        faults, before = world.simulation.faults[venue], {one: len(ours.trades(one)) for one in SYMBOLS}
        for number in numbers:
            faults.add(Cut(connection=number))
        faults.add(Refuse(seconds=away_s))
        await world.clock.sleep(away_s + 60)
        for symbol in SYMBOLS:
            same(ours, truth, symbol)
            recovered = [one for one in ours.trades(symbol) if one.recovered]
            gaps = ours.gaps(symbol)
            assert len(gaps) <= 1
            if away_s >= 30:
                assert len(recovered) > 5
            if recovered:
                (gap,) = gaps
                assert gap.repaired
                assert gap.until_ns > gap.since_ns > 0
                stream = ours.heard[f"Trade {symbol}"]
                at = stream.index(gap)
                assert stream[at + 1] is recovered[0]
                assert all(not one.recovered for one in stream[:at])
                if venue == "binance":
                    ids = [int(one.trade_id) for one in ours.trades(symbol)]
                    assert ids == list(range(ids[0], ids[-1] + 1))
                    assert (gap.first_missing, gap.last_missing) == (recovered[0].trade_id, recovered[-1].trade_id)
            assert len(ours.trades(symbol)) > before[symbol]
        told = [one for one in ours.incidents if isinstance(one, StreamGap)]
        assert all(one.repaired for one in told)

    play(venue, scenario, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", range(1, size(3, 2)))
def test_gaps_1_lists_that_lag_and_closing_frames_that_are_lost_hide_nothing(seed: int, venue: str) -> None:
    clock, chance = ManualClock(), Random(seed)

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=3.0, seed=seed) as world:
            run = Run(world, venue, seed, "lists that lag")
            async with run.connector as connector:
                await connector.subscribe([Trade], SYMBOLS)
                await connector.subscribe([Kline], SYMBOLS, interval="1m")
                await clock.sleep(60)
                closed = {"binance": '"x":true', "bybit": '"confirm":true'}[venue]
                run.fault(LagLists(seconds=3600.0))
                run.fault(DropMessage(topic="*kline*", contains=closed, count=None, probability=0.2))
                for _ in range(8):
                    before_s, away_s = chance.choice(((1, 1.5), (1, 1.5), (3, 12), (10, 5)))
                    await clock.sleep(60 - clock.time_ns() / 1e9 % 60 - before_s)  # most candles close meanwhile
                    run.fault(Cut(), Refuse(seconds=away_s))
                    await clock.sleep(15)
                await clock.sleep(120)
                assert list(trades_heard.unsaid(run, [])) == []
                assert list(candles_heard.unsaid(run)) == []
                candles = [one for heard in run.candles.heard.values() for one in heard if isinstance(one, Kline)]
                assert sum(one.recovered for one in candles) > 5
                gaps = [one for heard in run.trades.heard.values() for one in heard if isinstance(one, Gap)]
                assert len(gaps) > 5
                assert sum(one.repaired for one in gaps) > 0.9 * len(gaps)

    clock.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_gaps_1_where_trades_cannot_be_read_back_the_gap_says_so_and_the_stream_goes_on(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        faults = world.simulation.faults[venue]
        path = {"binance": "/fapi/v1/aggTrades", "bybit": "/v5/market/recent-trade"}[venue]
        faults.add(Answer(method="GET", path=path, status=503, count=None, for_s=120.0))
        for number in numbers:
            faults.add(Cut(connection=number))
        faults.add(Refuse(seconds=30.0))
        await world.clock.sleep(90)
        for symbol in SYMBOLS:
            (gap,) = ours.gaps(symbol)
            assert not gap.repaired
            stream = ours.heard[f"Trade {symbol}"]
            assert len(stream) - stream.index(gap) > 5
            assert not any(one.recovered for one in ours.trades(symbol))
            ids = [one.trade_id for one in truth.trades(symbol)]
            had = [one.trade_id for one in ours.trades(symbol)]
            missing = [one for one in ids[ids.index(had[-1]) - len(had) :] if one not in had]
            if venue == "binance":
                assert gap.first_missing is not None
                assert gap.last_missing is not None
                assert [one for one in ids if gap.first_missing <= int(one) <= gap.last_missing] == [
                    one for one in ids if one not in had and int(one) >= gap.first_missing
                ]
            assert missing
            assert [one for one in ids if one in had] == had[-len([one for one in ids if one in had]) :]

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("pages", [10, 2] if FULL else [2])
def test_gaps_1_a_hole_of_thousands_is_closed_page_after_page_up_to_a_bound_and_told_beyond_it(
    pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trade_repair, "MOST_PAGES", pages)
    monkeypatch.setattr(agg_trades, "REMEMBERED", 100_000)

    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        host, faults = world.simulation.hosts["binance"], world.simulation.faults["binance"]
        began = len(host.journal.entries(kind="request"))
        for number in numbers:
            faults.add(Cut(connection=number))
        faults.add(Refuse(seconds=120.0))
        await world.clock.sleep(150)
        asked = [one.text for one in host.journal.entries(kind="request")[began:] if "/aggTrades" in one.text]
        for symbol in SYMBOLS:
            recovered = [one for one in ours.trades(symbol) if one.recovered]
            (gap,) = ours.gaps(symbol)
            ids = [int(one.trade_id) for one in recovered]
            assert gap.repaired is (pages == 10 or gap.last_missing == ids[-1])
            questions = [one for one in asked if symbol in one]
            assert len(questions) == min(pages, len(recovered) // 999 + 1)
            if gap.repaired:
                assert len(recovered) > 1000
                same(ours, truth, symbol)
            else:
                assert len(recovered) == 2 * 999
            assert ids == list(range(ids[0], ids[-1] + 1))
            assert gap.first_missing == ids[0]

    play("binance", scenario, rate=60.0)


@pytest.mark.slow
def test_gaps_1_further_pages_of_all_holes_together_are_bounded_by_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_repair, "FURTHER_A_MINUTE", 3)
    monkeypatch.setattr(agg_trades, "REMEMBERED", 100_000)

    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        host, faults = world.simulation.hosts["binance"], world.simulation.faults["binance"]
        began = len(host.journal.entries(kind="request"))
        for number in numbers:
            faults.add(Cut(connection=number))
        faults.add(Refuse(seconds=120.0))
        await world.clock.sleep(150)
        asked = [one.text for one in host.journal.entries(kind="request")[began:] if "/aggTrades" in one.text]
        assert len(asked) == len(SYMBOLS) + 3
        assert sum(not gap.repaired for symbol in SYMBOLS for gap in ours.gaps(symbol)) >= 2

    play("binance", scenario, rate=60.0)


@pytest.mark.slow
def test_gaps_1_a_hole_in_the_numbers_is_closed_without_any_loss_of_a_socket() -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        world.simulation.faults["binance"].add(
            DropMessage(topic="btcusdt@aggTrade", connection=numbers[0], count=3, nth=2)
        )
        await world.clock.sleep(40)
        same(ours, truth, "BTCUSDT")
        (gap,) = ours.gaps("BTCUSDT")
        assert gap.repaired
        assert gap.last_missing is not None
        assert gap.first_missing is not None
        assert gap.last_missing - gap.first_missing == 2
        assert sum(one.recovered for one in ours.trades("BTCUSDT")) == 3
        assert ours.gaps("ETHUSDT") == []

    play("binance", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_gaps_1_a_topic_that_was_mute_among_others_is_read_back_too(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        topic = {"binance": "btcusdt@aggTrade", "bybit": "publicTrade.BTCUSDT"}[venue]
        await world.clock.sleep(90)  # so that its rhythm is known
        for number in numbers:
            world.simulation.faults[venue].add(Silence(what="data", connection=number, topic=topic))
        await world.clock.sleep(180)
        same(ours, truth, "BTCUSDT")
        assert any(one.recovered for one in ours.trades("BTCUSDT"))
        assert all(gap.repaired for gap in ours.gaps("BTCUSDT"))

    play(venue, scenario, rate=10.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_gaps_1_candles_that_closed_meanwhile_are_told_and_states_are_marked(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        await ours.connector.subscribe([Kline], ["BTCUSDT"], interval="1m")
        await ours.connector.subscribe([BookTicker, MarkPrice, Liquidation], ["BTCUSDT"])
        await world.clock.sleep(30)
        faults = world.simulation.faults[venue]
        for number in list(world.simulation.hosts[venue].connections):
            faults.add(Cut(connection=number))
        faults.add(Refuse(seconds=190.0))
        await world.clock.sleep(280)
        candles = [one for one in ours.heard["Kline BTCUSDT"] if isinstance(one, Kline)]
        closed = [one.open_time_ms for one in candles if one.is_closed]
        assert closed == list(range(closed[0], closed[-1] + 1, 60_000))
        recovered = [one for one in candles if one.recovered]
        assert len(recovered) >= 3
        rest = {
            one.open_time_ms: one
            for one in await ours.connector.get_klines("BTCUSDT", "1m", recovered[0].open_time_ms).all()
        }
        for one in recovered:
            again = rest[one.open_time_ms]
            assert (one.open, one.high, one.low, one.close, one.volume) == (
                again.open, again.high, again.low, again.close, again.volume
            )  # fmt: skip
        assert [gap.repaired for gap in ours.gaps("BTCUSDT", "Kline")] == [True]
        assert [gap.repaired for gap in ours.gaps("BTCUSDT", "BookTicker")] == [False]
        assert [gap.repaired for gap in ours.gaps("BTCUSDT", "Liquidation")] == [False]
        kinds = {one.kind for one in ours.incidents if isinstance(one, StreamGap)}
        assert kinds <= {"Trade", "AggTrade", "Kline", "Liquidation"}

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_gaps_1_each_interval_of_candles_is_read_back_by_itself_and_only_while_it_is_wanted(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        connector, clock = ours.connector, world.clock
        for interval in ("1m", "3m", "5m"):
            await connector.subscribe([Kline], ["BTCUSDT"], interval=interval)
        fives = await connector.watch_klines("BTCUSDT", "5m")
        await clock.sleep(200)
        await connector.unsubscribe([Kline], ["BTCUSDT"], interval="3m")
        (minutes,) = (
            name for _, name in connector.streams.topics if "kline" in name and name.endswith(("_1m", ".1.BTCUSDT"))
        )
        heard = ours.heard["Kline BTCUSDT"]
        heard.clear()
        while fives.waiting:
            await anext(fives)
        for number in list(world.simulation.hosts[venue].connections):
            world.simulation.faults[venue].add(Silence(what="data", connection=number, topic=minutes))
        await clock.sleep(600)
        gaps = ours.gaps("BTCUSDT", "Kline")
        assert {gap.interval for gap in gaps} == {"1m"}
        candles = [one for one in heard if isinstance(one, Kline)]
        assert {one.interval for one in candles} == {"1m", "5m"}
        assert {one.interval for one in candles if one.recovered} == {"1m"}
        opens = [one.open_time_ms for one in candles if one.interval == "1m" and one.is_closed]
        assert opens == list(range(opens[0], opens[-1] + 1, 60_000))
        waiting = [await anext(fives) for _ in range(fives.waiting)]
        assert {getattr(one, "interval", "") for one in waiting} == {"5m"}
        assert not any(isinstance(one, Gap) for one in waiting)
        heard.clear()
        for number in list(world.simulation.hosts[venue].connections):
            world.simulation.faults[venue].add(Cut(connection=number))
        world.simulation.faults[venue].add(Refuse(seconds=600.0))
        await clock.sleep(700)
        assert sorted(gap.interval for gap in ours.gaps("BTCUSDT", "Kline")) == ["1m", "5m"]
        assert {one.interval for one in heard if one.recovered and isinstance(one, Kline)} == {"1m", "5m"}
        waiting = [await anext(fives) for _ in range(fives.waiting)]
        assert sum(isinstance(one, Gap) for one in waiting) == 1

    play(venue, scenario, rate=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_gaps_1_a_hole_before_the_first_candle_of_a_stream_is_told(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        faults = world.simulation.faults[venue]
        for number in range(1, 50):
            faults.add(Silence(what="data", connection=number))
        await ours.connector.subscribe([Kline], ["ETHUSDT"], interval="1m")
        assert not ours.heard["Kline ETHUSDT"]
        for number in list(world.simulation.hosts[venue].connections):
            faults.add(Cut(connection=number))
        faults.add(Refuse(seconds=20.0))
        await world.clock.sleep(60)
        assert isinstance(ours.heard["Kline ETHUSDT"][0], Gap)
        assert not ours.gaps("ETHUSDT", "Kline")[0].repaired

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_gaps_1_an_iterator_has_the_gap_in_its_place(venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        queue = await ours.connector.watch_trades("BTCUSDT")
        for number in numbers:
            world.simulation.faults[venue].add(Cut(connection=number))
        world.simulation.faults[venue].add(Refuse(seconds=20.0))
        await world.clock.sleep(60)
        got = [await anext(queue) for _ in range(queue.waiting)]
        at = next(n for n, one in enumerate(got) if isinstance(one, Gap))
        assert got[at + 1].recovered
        assert sum(isinstance(one, Gap) for one in got) == 1
        if venue == "binance":
            assert all(isinstance(one, AggTrade) for one in got if not isinstance(one, Gap))

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("read_back", [True, False], ids=["read back", "not read back"])
def test_gaps_1_a_bar_that_overlaps_a_gap_is_incomplete_unless_it_was_closed(read_back: bool, venue: str) -> None:
    async def scenario(world: World, ours: Ears, truth: Ears, numbers: list[int]) -> None:
        await world.clock.sleep(30)  # so that the first candle, which is cut, is over
        bars = await ours.connector.watch_candles("BTCUSDT", "5s")
        whole = await truth.connector.watch_candles("BTCUSDT", "5s")
        await world.clock.sleep(20)
        faults = world.simulation.faults[venue]
        if not read_back:
            path = {"binance": "/fapi/v1/aggTrades", "bybit": "/v5/market/recent-trade"}[venue]
            faults.add(Answer(method="GET", path=path, status=503, count=None, for_s=60.0))
        for number in numbers:
            faults.add(Cut(connection=number))
        faults.add(Refuse(seconds=12.0))
        lost_ms = world.clock.time_ns() / 1e6
        await world.clock.sleep(90)
        got, wanted = [{one.open_time_ms: one for one in await drained(watch)} for watch in (bars, whole)]
        wanted = {at_ms: bar for at_ms, bar in wanted.items() if at_ms <= max(got)}
        assert len(wanted) > 15
        first_ms = min(wanted)
        torn = {at_ms for at_ms in wanted if not read_back and at_ms + 5000 > lost_ms and not got[at_ms].is_complete}
        assert bool(torn) != read_back
        for at_ms, bar in wanted.items():
            if at_ms == first_ms or at_ms in torn:
                continue  # each watch begins in the middle of a candle
            assert got[at_ms].is_complete, (at_ms - lost_ms, got[at_ms])
            assert (got[at_ms].open, got[at_ms].high, got[at_ms].low, got[at_ms].close, got[at_ms].volume) == (
                bar.open, bar.high, bar.low, bar.close, bar.volume
            )  # fmt: skip

    play(venue, scenario, rate=10.0)


async def drained(watch: CandleWatch) -> list[Kline]:
    """Candles that have come, until none comes for a while."""
    found: list[Kline] = []
    try:
        while True:
            async with asyncio.timeout(0.5):
                found.append(await anext(watch))
    except TimeoutError:
        return found


MANY = tuple(Listing(symbol=f"GAP{number}USDT", start_price=Decimal(20)) for number in range(50))


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_gaps_1_the_holes_of_fifty_symbols_are_closed_for_a_weight_of_twenty_each_within_the_limit(venue: str) -> None:
    symbols = [one.symbol for one in MANY]
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=[venue], rate=1.0, symbols=MANY) as world:
            ours, truth = Ears(world, venue), Ears(world, venue)
            async with ours.connector, truth.connector:
                await ours.connector.subscribe([Trade], symbols)
                numbers = list(world.simulation.hosts[venue].connections)
                await truth.connector.subscribe([Trade], symbols)
                await clock.sleep(20)
                host = world.simulation.hosts[venue]
                before = len(host.journal.entries(kind=("request",)))
                for number in numbers:
                    host.faults.add(Cut(connection=number))
                host.faults.add(Refuse(seconds=60.0))
                await clock.sleep(120)
                asked = Counter(
                    match[1]
                    for entry in host.journal.entries(kind=("request",))[before:]
                    if (match := re.search(r"/(?:aggTrades|recent-trade)\S*symbol=(\w+)", entry.text))
                )
                assert set(asked) <= set(symbols)
                # One question weighs 20 at Binance.
                assert max(asked.values()) == 1, asked
                assert len(asked) > 30
                assert not [one for one in host.journal.entries(kind=("reply",)) if one.text.startswith(("429", "403"))]
                for symbol in symbols:
                    if truth.trades(symbol):
                        same(ours, truth, symbol)
                    assert all(gap.repaired for gap in ours.gaps(symbol))

    clock.run(main())
