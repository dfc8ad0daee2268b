"""A frame that can't be read is a loss that is known of: what it said is read back, or lies in a Gap."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from tests.api_connector.test_lagging_lists import matched, play
from tests.criteria.test_gaps import VENUES, Ears

from perpwire.api_connector.stream_holes import ANEW, GARBLED
from perpwire.api_connector.stream_line import MENDED_S
from perpwire.model.incident import FrameGarbled
from perpwire.model.market import Gap, Kline, MarkPrice, Trade
from perpwire.simulator.faults import CorruptMessage, Cut, DropMessage
from perpwire.simulator.host import Host
from perpwire.testing import World
from perpwire.venues.bybit.sim.numbers import TAKER_EXECUTION, number_of

TOPIC = {"binance": "btcusdt@aggTrade", "bybit": "publicTrade.BTCUSDT"}
TICKERS = "tickers.BTCUSDT"


@pytest.mark.slow
def test_trades_in_frames_that_can_not_be_read_are_read_back_though_nobody_numbers_them() -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        await ears.connector.subscribe([Trade], ["BTCUSDT", "ETHUSDT"])
        bars = await ears.connector.watch_candles("BTCUSDT", "5s")
        await world.clock.sleep(10)
        host.faults.add(CorruptMessage(topic=TOPIC["bybit"], how="cut", count=5))
        await world.clock.sleep(30)
        had = [number_of(TAKER_EXECUTION, str(one.trade_id)) for one in ears.trades("BTCUSDT")]
        assert had == list(matched(host, had[0] or 0))
        assert sum(one.recovered for one in ears.trades("BTCUSDT")) >= 5
        gaps = ears.gaps("BTCUSDT")
        assert {(gap.repaired, gap.why) for gap in gaps} == {(True, GARBLED)}
        assert ears.gaps("ETHUSDT") == []
        bars.close()
        _first, *closed = [one async for one in bars if isinstance(one, Kline)]
        assert all(one.is_complete for one in closed)

    play("bybit", scenario, rate=10.0)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_frame_of_which_not_even_the_topic_can_be_read_is_a_hole_in_all_that_its_socket_carries(venue: str) -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        marks: list[Gap | MarkPrice] = []
        ears.connector.on(MarkPrice, marks.append)
        ears.connector.on(Gap, lambda one: marks.append(one) if one.kind == "MarkPrice" else None)
        await ears.connector.subscribe([Trade, MarkPrice], "BTCUSDT")
        await world.clock.sleep(10)
        host.faults.add(CorruptMessage(topic=TOPIC[venue], how="text", text="{]"))
        await world.clock.sleep(10)
        gaps = [one for one in marks if isinstance(one, Gap)]
        whys = [GARBLED] if venue == "binance" else [GARBLED, ANEW]  # Bybit tells changes
        assert [(gap.symbol, gap.repaired, gap.why) for gap in gaps] == [("BTCUSDT", False, why) for why in whys]
        assert isinstance(marks[marks.index(gaps[-1]) + 1], MarkPrice)
        (gap,) = ears.gaps("BTCUSDT")
        assert gap.repaired

    play(venue, scenario, rate=10.0)


@pytest.mark.slow
def test_a_frame_that_can_not_be_read_is_a_hole_although_its_topic_is_not_acknowledged_yet() -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        await ears.connector.subscribe([Trade], "BTCUSDT")
        await world.clock.sleep(10)
        host.faults.add(DropMessage(topic="", contains='"subscribe"'))
        host.faults.add(Cut())
        await world.clock.sleep(5)
        told = len(ears.trades("BTCUSDT"))
        host.faults.add(CorruptMessage(topic=TOPIC["bybit"], how="text", text="{]"))
        await world.clock.sleep(30)
        had = [number_of(TAKER_EXECUTION, str(one.trade_id)) for one in ears.trades("BTCUSDT")]
        assert had == list(matched(host, had[0] or 0))
        assert any(one.recovered for one in ears.trades("BTCUSDT")[told:])

    play("bybit", scenario, rate=10.0)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut", "text"])
def test_what_is_told_in_changes_goes_on_with_a_whole_after_a_change_that_can_not_be_read(
    how: Literal["cut", "text"],
) -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        marks: list[Gap | MarkPrice] = []
        ears.connector.on(MarkPrice, marks.append)
        ears.connector.on(Gap, marks.append)
        await ears.connector.subscribe([MarkPrice], "BTCUSDT")
        await world.clock.sleep(10)
        host.faults.add(CorruptMessage(topic=TICKERS, how=how, text="{]" if how == "text" else ""))
        await world.clock.sleep(10)
        first = next(n for n, one in enumerate(marks) if isinstance(one, Gap))
        gaps = [one for one in marks if isinstance(one, Gap)]
        assert [one.why for one in gaps] == [GARBLED, ANEW]
        then, *more = marks[first + len(gaps) :]
        assert isinstance(then, MarkPrice)
        (sent,) = [one for one in host.journal.entries(topic=TICKERS) if f'"ts":{then.venue_time_ms}' in one.text]
        assert '"type":"snapshot"' in sent.text
        assert gaps[-1].until_ns <= then.received_ns
        assert (then.received_ns - gaps[0].since_ns) / 1e9 < MENDED_S + 2
        assert len(more) > 3

    play("bybit", scenario, rate=10.0)


@pytest.mark.slow
def test_a_ticker_of_which_one_word_is_no_number_is_not_subscribed_anew() -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        await ears.connector.subscribe([MarkPrice], "BTCUSDT")
        await world.clock.sleep(5)
        word = CorruptMessage(topic=TICKERS, how="replace", contains='"markPrice":"', text='"markPrice":"x')
        host.faults.add(word)
        await world.clock.sleep(10)
        assert [type(one) for one in ears.incidents].count(FrameGarbled) == 1
        assert not [one for one in host.journal.entries(kind="received") if "unsubscribe" in one.text]

    play("bybit", scenario, rate=10.0)


@pytest.mark.slow
def test_the_largest_frame_of_trades_that_comes_twice_is_told_once() -> None:
    async def scenario(world: World, ears: Ears, host: Host) -> None:
        await ears.connector.subscribe([Trade], "BTCUSDT")
        await world.clock.sleep(5)
        rows = [
            {"i": f"made-up-{number}", "T": 1, "p": "1", "v": "1", "S": "Buy", "s": "BTCUSDT", "seq": 1}
            for number in range(1024)
        ]
        frame = msgspec.json.encode({"topic": TOPIC["bybit"], "type": "snapshot", "ts": 1, "data": rows}).decode()
        host.faults.add(CorruptMessage(topic=TOPIC["bybit"], how="text", text=frame, count=2))
        await world.clock.sleep(5)
        made_up = [one.trade_id for one in ears.trades("BTCUSDT") if str(one.trade_id).startswith("made-up")]
        assert made_up == [row["i"] for row in rows]

    play("bybit", scenario, rate=10.0)
