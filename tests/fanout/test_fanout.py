"""What is heard, by way of a real Redis server, at a reader: whole, or with a Gap that says what is not."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import re
import tracemalloc
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.fanout.conftest import RedisServer
from tests.fanout.hearing import connector, fill, plain, read_some, read_until, read_up_to, say, trade, until

from perpwire.errors import BadInput
from perpwire.fanout import link, producer
from perpwire.fanout.link import RedisFailed
from perpwire.fanout.producer import Fanout
from perpwire.fanout.reader import read
from perpwire.model.account import Position
from perpwire.model.incident import FanoutFailing, FanoutRecovered, Incident, StreamGap
from perpwire.model.market import BookDelta, BookTicker, Event, Gap, MarkPrice, Recovered, Stale, Trade
from perpwire.model.order import Fill, Order
from perpwire.model.written import KINDS
from perpwire.simulator.faults import Cut
from perpwire.testing import offline

pytestmark = pytest.mark.slow

SECRET = "canarycanary"


@pytest.fixture(autouse=True)
def _sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for seconds waits for tenths here."""
    monkeypatch.setattr(producer, "MOST_PAUSE_S", 0.1)
    monkeypatch.setattr(producer, "REFUSED_PAUSE_S", 0.2)
    monkeypatch.setattr(producer, "CALM_S", 1.0)


def fanout(server: RedisServer, password: str = "", **options: Any) -> Fanout:
    return Fanout(server.url(password), rng=random.Random(), **options)


def ends(gap: Gap) -> tuple[int, int]:
    assert gap.first_missing is not None
    assert gap.last_missing is not None
    return gap.first_missing, gap.last_missing + 1


def dropped(gap: Gap) -> int:
    """How many, as its words say."""
    match = re.match(r"(\d+) events were dropped", gap.why)
    assert match is not None
    return int(match[1])


async def test_a_reader_hears_all_that_handlers_of_both_venues_hear_in_order(redis_server: RedisServer) -> None:
    async with offline(rate=20.0) as world, fanout(redis_server) as out:
        heard: dict[tuple[str, str], list[Event]] = {}
        for name, one in world.connectors.items():
            for kind in (Trade, BookTicker, MarkPrice, Order, Fill):

                def note(event: Event, key: tuple[str, str] = (name, kind.__name__)) -> None:
                    heard.setdefault(key, []).append(event)

                one.on(kind, note)
            out.add(one)
        async with read(
            redis_server.url(), kinds=[Trade, BookTicker, MarkPrice, Order, Fill], since="oldest"
        ) as reader:
            for one in world.connectors.values():
                await one.open_account_stream()
                await one.subscribe([Trade, BookTicker, MarkPrice], ["BTCUSDT"])
                await one.place_order("BTCUSDT", "BUY", "0.01")
            wanted = {(name, kind) for name in world.connectors for kind in ("Trade", "BookTicker", "Order", "Fill")}
            await until(lambda: wanted <= heard.keys(), "each kind is heard")
            await asyncio.sleep(1)
            for one in world.connectors.values():
                await one.unsubscribe([Trade, BookTicker, MarkPrice], ["BTCUSDT"])
            count = sum(map(len, heard.values()))
            told = await read_some(reader, count)
            assert sum(map(len, heard.values())) == count
            assert out.snapshot().sent >= count
            for (name, word), events in heard.items():
                read_back = [plain(one) for one in told if one.venue == name and isinstance(one, KINDS[word])]
                assert read_back == [plain(one) for one in events]
            assert reader.gaps == 0


async def test_numbers_are_exact_and_the_entries_are_as_the_documentation_says(redis_server: RedisServer) -> None:
    heard = connector()
    async with fanout(redis_server) as out:
        out.add(heard)
        say(heard, trade(7))
        async with read(redis_server.url(), since="oldest") as reader:
            (told,) = await read_some(reader, 1)
    assert told == trade(7)
    (said,) = await redis_server.entries("perpwire:bybit:Trade:BTCUSDT")
    assert set(said) == {"producer", "n", "event"}
    assert said["n"] == "1"
    assert re.fullmatch(r"\d{13}-[0-9a-f]{8}", said["producer"])
    event = json.loads(said["event"])
    assert (event["kind"], event["price"], event["quantity"]) == ("Trade", "50000.10", "0.00000001")
    assert await redis_server.ask("SMEMBERS", "perpwire:streams") == {"perpwire:bybit:Trade:BTCUSDT"}


async def test_a_cut_connection_is_said_in_the_streams_that_it_carried(redis_server: RedisServer) -> None:
    async with offline(venues=("bybit",), rate=20.0) as world, fanout(redis_server) as out:
        out.add(world.bybit)
        async with read(redis_server.url(), kinds=BookTicker, since="oldest") as reader:
            await world.bybit.subscribe([BookTicker, Trade], ["BTCUSDT"])
            await read_some(reader, 3)
            world.simulation.faults["bybit"].add(Cut())
            told = await read_until(reader, lambda one: isinstance(one, Recovered))
            said = [one for one in told if not isinstance(one, BookTicker)]
            assert [type(one) for one in said] == [Stale, Gap, Recovered]
            assert {(one.symbol, one.kind) for one in said} == {("BTCUSDT", "BookTicker")}
            assert isinstance((await read_some(reader, 1))[0], BookTicker)
            assert reader.gaps == 0


@pytest.mark.parametrize("venue", ["binance", "bybit"])
async def test_an_account_whose_stream_is_cut_is_said_to_be_stale_in_each_of_its_streams(
    redis_server: RedisServer, venue: str
) -> None:
    async with offline(venues=(venue,), rate=1.0) as world, fanout(redis_server) as out:
        one = world.connectors[venue]
        out.add(one)
        async with read(redis_server.url(), kinds=[Order, Fill, Position], since="oldest") as reader:
            await one.open_account_stream()
            await one.place_order("BTCUSDT", "BUY", "0.01")
            seen = set[str]()

            def is_last(told: Any) -> bool:
                seen.add(type(told).__name__)
                return {"Order", "Fill", "Position"} <= seen

            await read_until(reader, is_last)
            world.simulation.faults[venue].add(Cut(route=one.venue.private_route))
            states: dict[str, list[str]] = {}

            def are_back(told: Any) -> bool:
                if isinstance(told, Stale | Recovered):
                    states.setdefault(told.kind, []).append(type(told).__name__)
                wanted = {kind: ["Stale", "Recovered"] for kind in ("Order", "Fill", "Position")}
                return {kind: states.get(kind) for kind in wanted} == wanted

            await read_until(reader, are_back)
            assert reader.gaps == 0


@pytest.mark.parametrize("venue", ["binance", "bybit"])
async def test_changes_of_books_are_sent_where_they_are_wished_and_make_the_same_book(
    redis_server: RedisServer, venue: str
) -> None:
    async with offline(venues=(venue,), rate=20.0) as world, fanout(redis_server) as out:
        one, heard = world.connectors[venue], list[Event]()
        one.on(BookDelta, heard.append)
        out.add(one, sends=["books"])
        async with read(redis_server.url(), kinds=BookDelta, since="oldest") as reader:
            await one.open_book("BTCUSDT")
            await until(lambda: len(heard) > 5, "some changes")
            told = await read_some(reader, 5)
        assert [plain(each) for each in told] == [plain(each) for each in heard[:5]]
        assert [(each.bids, each.asks) for each in told] == [(each.bids, each.asks) for each in heard[:5]]  # type: ignore[attr-defined]
        assert await redis_server.ask("SMEMBERS", "perpwire:streams") <= {
            f"perpwire:{venue}:{kind}:BTCUSDT" for kind in ("BookDelta", "BookSnapshot")
        }


async def test_a_server_that_is_killed_and_comes_back_has_each_event_once(redis_server: RedisServer) -> None:
    heard, incidents = connector(), list[Incident]()
    async with fanout(redis_server) as out, read(redis_server.url(), since="oldest") as reader:
        out.on_incident(incidents.append)
        out.add(heard)
        number = 0
        for _ in range(3):
            for _ in range(200):
                number += 1
                say(heard, trade(number))
                if number % 20 == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(0.006)
            redis_server.kill()  # most likely with a batch under way
            number += 1
            say(heard, trade(number))
            await until(lambda: not out.snapshot().is_up, "the loss is found")
            await redis_server.start()
            await until(lambda: out.snapshot().is_up, "it is well again")
        assert await read_some(reader, number) == [trade(one) for one in range(1, number + 1)]
        assert reader.gaps == 0
        assert [type(one) for one in incidents] == [FanoutFailing, FanoutRecovered] * 3
        assert [one.dropped for one in incidents if isinstance(one, FanoutRecovered)] == [0, 0, 0]


async def test_a_connection_that_the_server_closes_is_replaced_and_is_no_trouble(redis_server: RedisServer) -> None:
    heard, incidents = connector(), list[Incident]()
    async with fanout(redis_server) as out:
        out.on_incident(incidents.append)
        out.add(heard)
        for number in range(1, 6):
            say(heard, trade(number))
            await until(lambda number=number: out.snapshot().sent == number, "it is sent")  # type: ignore[misc]
            await redis_server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert incidents == []
        assert len(await redis_server.entries("perpwire:bybit:Trade:BTCUSDT")) == 5


async def test_what_is_kept_while_redis_is_away_is_bounded(redis_server: RedisServer) -> None:
    heard = connector()
    out = fanout(redis_server, market=2000, account=200)
    out.add(heard)

    def much(since: int) -> int:
        for number in range(since, since + 6_000):
            say(heard, trade(number, f"S{number % 50}USDT"), fill(number, f"S{number % 50}USDT"))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = much(0)
        last = max(much(6_000 * one) for one in (1, 2, 3))
    finally:
        tracemalloc.stop()
    assert first > 500_000
    assert last - first < 300_000
    assert out.snapshot().waiting == 2200
    await out.close()


async def test_what_has_no_room_while_redis_is_away_is_told_by_a_gap_and_fills_have_room_of_their_own(
    redis_server: RedisServer,
) -> None:
    heard, incidents = connector(), list[Incident]()
    async with fanout(redis_server, market=1000, account=50) as out, read(redis_server.url(), since="oldest") as reader:
        out.on_incident(incidents.append)
        out.add(heard)
        say(heard, trade(1), trade(1, "ETHUSDT"))
        await read_some(reader, 2)
        redis_server.kill()
        for number in range(2, 6002):
            say(heard, trade(number))
            if number <= 41:
                say(heard, fill(number))
            if number % 100 == 0:
                await asyncio.sleep(0)  # so that a batch is under way
        snapshot = out.snapshot()
        assert snapshot.waiting <= 1050 + producer.BATCH
        assert snapshot.dropped["account"] == 0
        assert snapshot.dropped["market"] > 4000
        await redis_server.start()
        told = await read_up_to(reader, 6001, "fill-41")
        trades = [one for one in told if isinstance(one, Trade)]
        gaps = [one for one in told if isinstance(one, Gap)]
        assert {(gap.kind, gap.symbol, gap.venue) for gap in gaps} == {("Trade", "BTCUSDT", "bybit")}
        missing = [number for gap in gaps for number in range(*ends(gap))]
        assert sorted([*(one.trade_id for one in trades), *missing]) == list(range(2, 6002))
        assert sum(map(dropped, gaps)) == len(missing) == snapshot.dropped["market"]
        assert [one for one in told if isinstance(one, Fill)] == [fill(number) for number in range(2, 42)]
        assert reader.gaps == 0
        await until(lambda: out.snapshot().is_up, "it is well again")
        (failing, recovered) = incidents
        assert isinstance(failing, FanoutFailing)
        assert isinstance(recovered, FanoutRecovered)
        assert recovered.dropped == snapshot.dropped["market"]


async def test_a_server_that_takes_less_than_comes_is_told_of_and_is_well_when_it_has_caught_up(
    redis_server: RedisServer,
) -> None:
    heard, incidents = connector(), list[Incident]()
    async with fanout(redis_server, market=100) as out, read(redis_server.url(), since="oldest") as reader:
        out.on_incident(incidents.append)
        out.add(heard)
        say(heard, *(trade(number) for number in range(1, 1001)))
        gap, *trades = await read_up_to(reader, 1000)
        assert (ends(gap), dropped(gap)) == ((1, 901), 900)
        assert trades == [trade(number) for number in range(901, 1001)]
        for number in range(1001, 1011):
            say(heard, *([trade(number)] * 150))  # again and again too much
            await read_up_to(reader, number)
        assert [type(one) for one in incidents] == [FanoutFailing]
        lost = out.snapshot().dropped["market"]
        assert lost > 1000
        number = 1010
        async with asyncio.timeout(10):
            while not out.snapshot().is_up:
                number += 1
                say(heard, trade(number))
                await asyncio.sleep(0.02)
        failing, recovered = incidents
        assert isinstance(failing, FanoutFailing)
        assert "less than comes" in failing.reason
        assert isinstance(recovered, FanoutRecovered)
        assert recovered.dropped == lost


async def test_fills_that_have_no_room_are_told_as_lost(redis_server: RedisServer) -> None:
    heard = connector()
    async with fanout(redis_server, account=50) as out, read(redis_server.url(), since="oldest") as reader:
        out.add(heard)
        say(heard, fill(1))
        await read_some(reader, 1)
        redis_server.kill()
        say(heard, *(fill(number) for number in range(2, 502)))
        assert out.snapshot().dropped["account"] >= 450
        await redis_server.start()
        gap, *fills = await read_until(reader, lambda one: isinstance(one, Fill) and one.trade_id == "fill-501")
        assert isinstance(gap, Gap)
        assert gap.kind == "Fill"
        assert dropped(gap) == out.snapshot().dropped["account"]
        assert len(fills) == 500 - out.snapshot().dropped["account"]


async def test_a_server_that_stands_still_and_goes_on_has_each_event_once(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was given up is still heard by the server when it wakes, besides what was sent again meanwhile."""
    monkeypatch.setattr(link, "ANSWER_S", 0.2)
    heard = connector()
    async with fanout(redis_server) as out:
        out.add(heard)
        say(heard, trade(1))
        await until(lambda: out.snapshot().sent == 1, "the first is sent")
        await redis_server.ask("CLIENT", "PAUSE", 1500, "ALL")
        say(heard, *(trade(number) for number in range(2, 500)))
        await until(lambda: not out.snapshot().is_up, "the standstill is found")
        await until(lambda: out.snapshot().sent == 499, "all is sent")
        entries = await redis_server.entries("perpwire:bybit:Trade:BTCUSDT")
        assert [int(one["n"]) for one in entries] == list(range(1, 500))


async def test_a_server_without_memory_takes_all_when_it_has_some_again(redis_server: RedisServer) -> None:
    heard, incidents = connector(), list[Incident]()
    await redis_server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    async with fanout(redis_server) as out, read(redis_server.url(), since="oldest") as reader:
        out.on_incident(incidents.append)
        out.add(heard)
        say(heard, trade(1))
        await until(lambda: out.snapshot().sent == 1, "the first is sent")
        await redis_server.ask("CONFIG", "SET", "maxmemory", "1mb")
        say(heard, *(trade(number) for number in range(2, 1000)))
        await until(lambda: not out.snapshot().is_up, "it is found")
        assert "OutOfMemory" in out.snapshot().why_not
        await asyncio.sleep(0.3)
        assert await redis_server.ask("XLEN", "perpwire:bybit:Trade:BTCUSDT") == 1
        await redis_server.ask("CONFIG", "SET", "maxmemory", "0")
        assert await read_some(reader, 999) == [trade(number) for number in range(1, 1000)]
        await until(lambda: out.snapshot().is_up, "it is well again")
        assert [type(one) for one in incidents] == [FanoutFailing, FanoutRecovered]


async def test_a_wrong_password_is_told_without_the_password_and_works_once_it_is_right(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await redis_server.ask("CONFIG", "SET", "requirepass", "another")
    heard, incidents, said = connector(), list[Incident](), list[str]()
    async with fanout(redis_server, SECRET) as out:
        out.on_incident(incidents.append)
        out.add(heard)
        say(heard, trade(1))
        await until(lambda: not out.snapshot().is_up, "it is found")
        said += [repr(out), repr(out.snapshot()), repr(incidents)]
        assert "AuthenticationError" in out.snapshot().why_not
        reader = read(redis_server.url(SECRET), since="oldest")
        with pytest.raises(RedisFailed) as refused:
            await anext(reader)
        assert refused.value.is_refusal
        said += [repr(refused.value), repr(reader), repr(refused.getrepr())]
        await reader.close()
        await redis_server.ask("CONFIG", "SET", "requirepass", SECRET, password="another")
        async with read(redis_server.url(SECRET), since="oldest") as reader:
            assert await read_some(reader, 1) == [trade(1)]
        await until(lambda: out.snapshot().is_up, "it is well again")
        said += [repr(incidents), caplog.text]
    assert not [text for text in said if SECRET in text]


async def test_a_password_is_blanked_however_the_url_holds_it(redis_server: RedisServer) -> None:
    await redis_server.ask("CONFIG", "SET", "requirepass", "another")
    here = f"127.0.0.1:{redis_server.port}/0"
    for url in (f"redis://:{SECRET}@{here}", f"redis://{here}?password={SECRET}", f"redis://someone:{SECRET}@{here}"):
        heard = connector()
        async with Fanout(url, rng=random.Random(1)) as out:
            out.add(heard)
            say(heard, trade(1))
            await until(lambda out=out: not out.snapshot().is_up, "it is found")  # type: ignore[misc]
            assert SECRET not in f"{out!r} {out.snapshot()!r}"
            assert out.redact(f"a log of {url}").count("***") == 1


async def test_both_ends_need_no_more_rights_than_the_documentation_says_and_a_unix_socket_will_do(
    redis_server: RedisServer,
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "fanout.md").read_text(encoding="utf-8")
    writes, reads = re.findall(r"ACL SETUSER (\w+) on >PASSWORD (.*)", page)
    for name, rights in (writes, reads):
        await redis_server.ask("ACL", "SETUSER", name, "on", f">{SECRET}", *rights.split())
    heard = connector()
    async with Fanout(f"unix://{writes[0]}:{SECRET}@{redis_server.unix}", rng=random.Random(1)) as out:
        out.add(heard)
        say(heard, trade(1), fill(2))
        url = f"redis://{reads[0]}:{SECRET}@127.0.0.1:{redis_server.port}/0"
        async with read(url, since="oldest") as reader:
            assert {type(one) for one in await read_some(reader, 2)} == {Trade, Fill}
        assert out.snapshot().is_up
    async with Fanout(url, rng=random.Random(1)) as out:
        other = connector()
        out.add(other)
        say(other, trade(1))
        await until(lambda: not out.snapshot().is_up, "who may only read is refused")
        assert "NoPermission" in out.snapshot().why_not


async def test_a_flood_of_incidents_costs_no_fill(redis_server: RedisServer) -> None:
    heard = connector()
    async with fanout(redis_server, account=20) as out:
        out.add(heard)
        redis_server.kill()
        say(heard, fill(1))
        for number in range(5000):
            heard._tell(StreamGap(venue="bybit", time_ns=number, kind="Trade", symbol="BTCUSDT", repaired=True))
        assert out.snapshot().dropped["incidents"] >= 3500
        assert out.snapshot().dropped["account"] == 0
        await redis_server.start()
        async with read(redis_server.url(), kinds=[Incident, Fill], since="oldest") as reader:
            told = await read_until(reader, lambda one: isinstance(one, StreamGap) and one.time_ns == 4999)
            (gap,) = [one for one in told if isinstance(one, Gap)]
            assert gap.kind == "Incident"
            assert dropped(gap) == out.snapshot().dropped["incidents"]
            assert fill(1) in told or await read_some(reader, 1) == [fill(1)]


async def test_what_was_trimmed_before_it_was_read_is_a_gap(redis_server: RedisServer) -> None:
    heard = connector()
    async with fanout(redis_server, most_kept=100) as out:
        out.add(heard)
        say(heard, *(trade(number) for number in range(1, 11)))
        async with read(redis_server.url(), since="oldest") as first:
            assert await read_some(first, 10) == [trade(number) for number in range(1, 11)]
            position = json.loads(json.dumps(first.position))
        say(heard, *(trade(number) for number in range(11, 1001)))
        await until(lambda: out.snapshot().sent == 1000, "all is sent")
        kept = await redis_server.ask("XLEN", "perpwire:bybit:Trade:BTCUSDT")
        assert 100 <= kept < 300
        async with read(redis_server.url(), since=position) as second:
            gap, *rest = await read_some(second, kept + 1)
            assert rest == [trade(number) for number in range(1001 - kept, 1001)]
            assert isinstance(gap, Gap)
            assert (gap.kind, gap.symbol, gap.since_ns, gap.until_ns) == (
                "Trade", "BTCUSDT", trade(10).received_ns, rest[0].received_ns,
            )  # fmt: skip
            assert gap.why.startswith(f"{1000 - kept - 10} entries")
            assert second.gaps == 1
        async with read(redis_server.url(), since=1) as by_time:
            gap, oldest = await read_some(by_time, 2)
            assert isinstance(gap, Gap)
            assert oldest == trade(1001 - kept)


async def test_a_reader_goes_on_where_another_one_was_event_by_event(redis_server: RedisServer) -> None:
    heard = connector()
    async with fanout(redis_server) as out:
        out.add(heard)
        say(heard, *(trade(number) for number in range(1, 101)), *(fill(number) for number in range(1, 101)))
        await until(lambda: out.snapshot().sent == 200, "all is sent")
        found, position = list[Event](), dict[str, str]()
        for count in (1, 30, 80, 89):
            async with read(redis_server.url(), since=position or "oldest") as reader:
                found += await read_some(reader, count)
                assert reader.gaps == 0
                position = reader.position
        assert [one for one in found if isinstance(one, Trade)] == [trade(number) for number in range(1, 101)]
        assert [one for one in found if isinstance(one, Fill)] == [fill(number) for number in range(1, 101)]


async def test_who_has_little_patience_with_each_event_gets_on_all_the_same(redis_server: RedisServer) -> None:
    heard = connector()
    async with fanout(redis_server) as out:
        out.add(heard)
        say(heard, *(trade(number, f"S{number % 7}USDT") for number in range(3000)))
        await until(lambda: out.snapshot().sent == 3000, "all is sent")
    found, impatient = list[Any](), 0
    async with read(redis_server.url(), since="oldest") as reader:
        while len(found) < 3000:
            assert impatient < 2000  # twenty seconds
            try:
                found.append(await asyncio.wait_for(anext(reader), 0.01))
            except TimeoutError:
                impatient += 1
        assert reader.gaps == 0
    assert impatient > 0
    for symbol in {one.symbol for one in found}:
        numbers = [one.trade_id for one in found if one.symbol == symbol]
        assert numbers == sorted(numbers)


async def test_from_now_on_is_from_the_first_look_on_also_in_streams_that_begin_later(
    redis_server: RedisServer,
) -> None:
    heard = connector()
    async with fanout(redis_server) as out, read(redis_server.url()) as reader:
        out.add(heard)
        say(heard, trade(1))
        await until(lambda: out.snapshot().sent == 1, "it is sent")
        waits = asyncio.ensure_future(read_some(reader, 2))
        await asyncio.sleep(0.3)
        say(heard, trade(2), trade(1, "ETHUSDT"))
        assert {(one.symbol, one.trade_id) for one in await waits} == {("BTCUSDT", 2), ("ETHUSDT", 1)}
        assert reader.gaps == 0


async def test_a_server_that_lost_everything_costs_a_reader_only_what_it_had_not_read(
    redis_server: RedisServer,
) -> None:
    redis_server.kill()
    await redis_server.start(keeps=False)
    heard = connector()
    async with fanout(redis_server) as out, read(redis_server.url(), since="oldest") as reader:
        out.add(heard)
        say(heard, *(trade(number) for number in range(1, 51)))
        await read_some(reader, 40)
        position = reader.position
        await read_some(reader, 10)
        redis_server.kill()
        await redis_server.start(keeps=False)
        say(heard, trade(51))
        assert await read_some(reader, 1) == [trade(51)]
        async with read(redis_server.url(), since=position) as behind:
            gap, told = await read_some(behind, 2)
            assert isinstance(gap, Gap)
            assert gap.why.startswith("10 entries")
            assert told == trade(51)


@pytest.mark.parametrize("before_s", [0.0, 0.001, 0.006, 0.02])
async def test_at_the_end_what_waits_is_sent_and_nothing_is_waited_for(
    redis_server: RedisServer, before_s: float
) -> None:
    heard = connector()
    out = fanout(redis_server)
    await out.start()
    out.add(heard)
    say(heard, *(trade(number) for number in range(1, 601)))
    await asyncio.sleep(before_s)
    async with asyncio.timeout(10):
        await out.close(60)
    say(heard, trade(601))
    assert out.snapshot().sent == 600
    assert len(await redis_server.entries("perpwire:bybit:Trade:BTCUSDT")) == 600


async def test_between_one_life_of_a_producer_and_the_next_there_is_a_gap(redis_server: RedisServer) -> None:
    heard = connector()
    async with read(redis_server.url(), since="oldest") as reader:
        for number in (1, 2):
            async with fanout(redis_server) as out:
                out.add(heard)
                say(heard, trade(number))
        first, gap, second = await read_some(reader, 3)
        assert (first, second) == (trade(1), trade(2))
        assert isinstance(gap, Gap)
        assert "another producer" in gap.why


async def test_a_key_that_is_no_stream_stops_nothing_else_and_is_told(redis_server: RedisServer) -> None:
    await redis_server.ask("SET", "perpwire:bybit:Trade:BTCUSDT", "taken")
    heard, incidents = connector(), list[Incident]()
    async with (
        fanout(redis_server) as out,
        read(redis_server.url(), kinds=Trade, symbols="ETHUSDT", since="oldest") as reader,
    ):
        out.on_incident(incidents.append)
        out.add(heard)
        say(heard, trade(1), trade(1, "ETHUSDT"), trade(2), trade(2, "ETHUSDT"))
        assert await read_some(reader, 2) == [trade(1, "ETHUSDT"), trade(2, "ETHUSDT")]
        assert out.snapshot().refused == 2
        assert "WRONGTYPE" in out.snapshot().why_not
        assert [type(one) for one in incidents] == [FanoutFailing]


async def test_kinds_symbols_and_venue_choose_what_is_read_and_incidents_are_read_as_they_were(
    redis_server: RedisServer,
) -> None:
    one, other = connector("bybit"), connector("binance")
    incident = FanoutFailing(venue="bybit", time_ns=5, why="of a test", reason="a test", waiting=3)
    async with fanout(redis_server) as out:
        out.add(one)
        out.add(other, "second")
        for heard in (one, other):
            say(heard, trade(1), trade(2, "ETHUSDT"), fill(3))
        one._tell(incident)
        await until(lambda: out.snapshot().sent == 7, "all is sent")
    async with read(redis_server.url(), venue="second", kinds=[Trade], symbols=["ETHUSDT"], since="oldest") as reader:
        assert await read_some(reader, 1) == [trade(2, "ETHUSDT")]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(reader), 0.3)
    async with read(redis_server.url(), kinds=[Incident], since="oldest") as reader:
        assert await read_some(reader, 1) == [incident]
    async with read(redis_server.url(), kinds=[Fill], since="oldest") as reader:
        assert await read_some(reader, 2) == [fill(3), fill(3)]


async def test_what_is_wrong_with_a_call_is_told_before_anything_is_tried(redis_server: RedisServer) -> None:
    url = redis_server.url()
    for mistaken in ("http://127.0.0.1", "redis://", "", f"redis://:{SECRET}@127.0.0.1:port"):
        with pytest.raises(BadInput) as wrong:
            Fanout(mistaken)
        assert SECRET not in repr(wrong.getrepr())
    wrong_figures: list[dict[str, Any]] = [{"most_kept": 0}, {"market": 0}, {"account": -1}, {"prefix": "two words"}]
    for options in wrong_figures:
        with pytest.raises(BadInput):
            Fanout(url, **options)
    out = Fanout(url)
    out.add(connector())
    with pytest.raises(BadInput, match="sent already"):
        out.add(connector())
    with pytest.raises(BadInput, match="there are streams, books"):
        out.add(connector("binance"), sends=["everything"])
    for since in ("yesterday", {"perpwire:bybit:Trade:BTCUSDT": "nonsense"}):
        with pytest.raises(BadInput, match="since"):
            read(url, since=since)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="kinds"):
        read(url, kinds=[Decimal])  # type: ignore[list-item]
    await out.close()
