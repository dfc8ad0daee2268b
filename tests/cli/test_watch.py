"""What `perpwire watch` shows: the edge between venues, as much as there is room for, and the same for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, ConsoleDimensions
from typer.testing import CliRunner

from perpwire.cli.main import app
from perpwire.cli.market_rows import COLUMNS, SHOWN, Row, plain_lines, table
from perpwire.cli.watch_screen import Screen
from perpwire.clock import ManualClock
from perpwire.model.incident import ConnectionLost
from perpwire.model.market import BookTicker
from perpwire.monitoring.bars import Bar
from perpwire.testing import World, offline

BARS = [
    Bar(name="response_time", wanted=0.1, value=0.0123, unit="s", holds=True, samples=3, how=""),
    Bar(name="stability", wanted=0.999, value=0.98, unit="share", holds=False, samples=3, how=""),
    Bar(name="recovery", wanted=0.95, value=None, unit="share", holds=None, samples=0, how=""),
]


async def watching(world: World, clock: ManualClock, symbols: Sequence[str]) -> list[Row]:
    """Rows of both venues after some seconds of market."""
    rows: list[Row] = []
    for connector in world.connectors.values():
        mine = [Row(connector, symbol) for symbol in symbols]
        await connector.subscribe(SHOWN, symbols)
        for row, book in zip(mine, await connector.open_books(symbols), strict=True):
            row.book = book
        rows += mine
    await clock.sleep(5)
    for row in rows:
        row.tick(5)
    return rows


def quote(row: Row, bid: str, ask: str) -> None:
    row.ticker = BookTicker(
        venue=row.venue, symbol=row.symbol, bid_price=Decimal(bid), bid_quantity=Decimal(1), ask_price=Decimal(ask),
        ask_quantity=Decimal(1), update_id=1,
    )  # fmt: skip


def drawn(shown: Any, width: int, height: int) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height, force_terminal=False)
    lines = console.render_lines(shown, console.options, pad=False)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


def test_the_edge_is_this_bid_against_the_lowest_ask_elsewhere(clock: ManualClock) -> None:
    async def scenario() -> None:
        async with offline(clock=clock, rate=5.0) as world:
            rows = await watching(world, clock, ["BTCUSDT"])
            binance, bybit = rows
            quote(binance, "100.00", "100.10")
            quote(bybit, "100.20", "100.30")
            assert bybit.edge(rows) == (Decimal("9.99"), "binance")  # 100.20 / 100.10
            assert binance.edge(rows) == (Decimal("-29.91"), "bybit")
            assert binance.edge([binance]) is None
            third = Row(world.bybit, "BTCUSDT")
            quote(third, "99.00", "99.10")
            assert binance.edge([*rows, third]) == (Decimal("90.82"), "bybit")  # 100.00 / 99.10
            bybit.ticker = None
            assert (binance.edge(rows), bybit.edge(rows)) == (None, None)

    clock.run(scenario())


@pytest.mark.slow
def test_a_row_tells_what_the_streams_said_exactly(clock: ManualClock) -> None:
    async def scenario() -> None:
        async with offline(clock=clock, rate=20.0) as world:
            rows = await watching(world, clock, ["BTCUSDT"])
            for row in rows:
                facts = row.facts(rows, levels=3)
                assert row.ticker is not None
                assert (facts["bid"], facts["ask"]) == (str(row.ticker.bid_price), str(row.ticker.ask_price))
                assert Decimal(facts["spread"]) == row.ticker.ask_price - row.ticker.bid_price > 0
                assert facts["state"] == "live"
                assert facts["trades_per_s"] > 0
                assert 0 <= facts["lag_ms"] <= facts["lag_p95_ms"] + 1000
                assert [price for price, _ in facts["bids"]] == sorted(
                    (price for price, _ in facts["bids"]), key=Decimal, reverse=True
                )
                assert len(facts["asks"]) == 3
                json.dumps(facts)
            await world.connectors["binance"].close_book("BTCUSDT")
            assert rows[0].ladder(3) == {"bids": None, "asks": None}
            header, *lines = plain_lines(rows)
            assert header.split()[:3] == ["venue", "symbol", "bid"]
            assert [line.split()[0] for line in lines] == ["binance", "bybit"]

    clock.run(scenario())


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(60, 12), (80, 24), (100, 60), (200, 50), (40, 12), (40, 50), (34, 50)])
def test_what_has_room_is_shown_and_nothing_is_cut_off(clock: ManualClock, width: int, height: int) -> None:
    async def scenario() -> None:
        async with offline(clock=clock, rate=20.0) as world:
            rows = await watching(world, clock, ["BTCUSDT", "ETHUSDT"])
            screen = Screen(levels=5)
            screen.incidents.append(
                ConnectionLost(venue="bybit", time_ns=clock.time_ns(), why="it ended [b]" * 30, connection="x")
            )
            screen.bars = BARS
            lines = drawn(screen.shown(rows, ConsoleDimensions(width, height)), width, height)
            text = "\n".join(lines)
            assert max(map(len, lines)) <= width
            assert "perpwire watch" in text
            assert "…" not in text
            for row in rows:
                assert row.ticker is not None
                for part in (row.venue, row.symbol, "live", row.ticker.bid_price, row.ticker.ask_price):
                    assert str(part) in text
            if height >= 12:
                assert len(lines) <= height
            if height >= 24:
                assert "incidents" in text
                assert "stability 98 % MISSED" in text
                assert ("trades" in text or "spread" in text) == (width >= 40)
            if height >= 50:
                assert ("spread 0." in text) == ("trades" in text) == (width >= 40)
            assert ("events/s" in text) == (width >= 200)

    clock.run(scenario())


def test_the_quality_bars_stand_on_one_line_and_a_missed_one_is_told_by_word() -> None:
    screen = Screen(levels=0)
    screen.bars = BARS
    lines = drawn(screen.shown([], ConsoleDimensions(120, 30)), 120, 30)
    (line,) = [line for line in lines if line.startswith("quality bars")]
    assert "response time 12.3 ms   stability 98 % MISSED   recovery -" in line


@pytest.mark.slow
def test_a_book_that_is_not_proven_is_not_shown_as_if_it_were(clock: ManualClock) -> None:
    async def scenario() -> None:
        async with offline(clock=clock, rate=20.0, venues=["bybit"]) as world:
            (row,) = await watching(world, clock, ["BTCUSDT"])
            screen = Screen(levels=5)
            assert "spread 0." in "\n".join(drawn(screen.shown([row], ConsoleDimensions(100, 50)), 100, 50))
            await world.bybit.close_book("BTCUSDT")
            text = "\n".join(drawn(screen.shown([row], ConsoleDimensions(100, 50)), 100, 50))
            assert "spread 0." not in text
            assert row.book is not None
            assert row.book.why_not[:20] in text

    clock.run(scenario())


def test_every_column_is_there_where_the_width_is_not_known(clock: ManualClock) -> None:
    async def scenario() -> None:
        async with offline(clock=clock, rate=0, venues=["bybit"]) as world:
            shown = table([Row(world.bybit, "BTCUSDT")])
            assert len(shown.columns) == len(COLUMNS)
            assert set(drawn(shown, 300, 20)[-2].replace("│", " ").split()) >= {"bybit", "BTCUSDT", "-"}

    clock.run(scenario())


@pytest.mark.slow
def test_json_has_an_object_for_each_row_each_second_with_its_levels() -> None:
    done = CliRunner().invoke(
        app, ["watch", "BTCUSDT", "--venue", "bybit", "--json", "--levels", "2", "--seconds", "2"]
    )
    assert done.exit_code == 0
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 2
    assert all((one["venue"], one["symbol"], len(one["bids"])) == ("bybit", "BTCUSDT", 2) for one in told)


@pytest.mark.slow
def test_in_a_pipe_the_columns_are_named_once_and_a_line_follows_each_second() -> None:
    done = CliRunner().invoke(app, ["watch", "BTCUSDT", "--venue", "bybit", "--seconds", "2"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("venue  symbol")
    assert [line.split()[0] for line in lines if not line.startswith("venue")] == ["bybit", "bybit"]
