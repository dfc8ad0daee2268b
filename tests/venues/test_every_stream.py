"""Every public event of both venues by its one name: it is asked for, it comes, and says what the venue sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perpwire import venues
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, NotOffered
from perpwire.model import market
from perpwire.model.market import (
    AdlWarning,
    AggTrade,
    AssetIndex,
    BookDelta,
    BookSnapshot,
    BookTicker,
    CompositeIndex,
    ContinuousKline,
    ContractChanged,
    Event,
    InsuranceFund,
    Kline,
    Liquidation,
    MarkPrice,
    MiniTicker,
    OpenInterest,
    PriceLimits,
    RpiBook,
    SystemNotice,
    Ticker,
    Trade,
    TradingSession,
    Unknown,
)
from perpwire.model.order import OrderStatus
from perpwire.simulator.faults import Act, Liquidate
from perpwire.testing import World, offline
from perpwire.venues.base import StreamOptions

MINUTE = {"interval": "1m"}
NAMES: dict[str, dict[type[Event], tuple[str, str, dict[str, Any]]]] = {
    "binance": {
        Trade: ("BTCUSDT", "btcusdt@aggTrade", {}),
        AggTrade: ("BTCUSDT", "btcusdt@aggTrade", {}),
        BookTicker: ("BTCUSDT", "btcusdt@bookTicker", {}),
        BookDelta: ("BTCUSDT", "btcusdt@depth@500ms", {"speed_ms": 500}),
        BookSnapshot: ("BTCUSDT", "btcusdt@depth10@100ms", {"levels": 8}),
        RpiBook: ("BTCUSDT", "btcusdt@rpiDepth@500ms", {}),
        MarkPrice: ("BTCUSDT", "btcusdt@markPrice@1s", {}),
        Kline: ("BTCUSDT", "btcusdt@kline_1m", MINUTE),
        ContinuousKline: ("BTCUSDT", "btcusdt_perpetual@continuousKline_1m", MINUTE),
        Ticker: ("BTCUSDT", "btcusdt@ticker", {}),
        MiniTicker: ("BTCUSDT", "btcusdt@miniTicker", {}),
        Liquidation: ("BTCUSDT", "btcusdt@forceOrder", {}),
        AssetIndex: ("BTCUSD", "btcusd@assetIndex", {}),
        ContractChanged: ("BTCUSDT", "!contractInfo", {}),
        CompositeIndex: ("DEFIUSDT", "defiusdt@compositeIndex", {}),
        TradingSession: ("", "tradingSession", {}),
    },
    "bybit": {
        Trade: ("BTCUSDT", "publicTrade.BTCUSDT", {}),
        BookTicker: ("BTCUSDT", "orderbook.1.BTCUSDT", {}),
        BookDelta: ("BTCUSDT", "orderbook.50.BTCUSDT", {}),
        BookSnapshot: ("BTCUSDT", "orderbook.200.BTCUSDT", {"levels": 51}),
        RpiBook: ("BTCUSDT", "orderbook.rpi.BTCUSDT", {}),
        MarkPrice: ("BTCUSDT", "tickers.BTCUSDT", {}),
        Ticker: ("BTCUSDT", "tickers.BTCUSDT", {}),
        OpenInterest: ("BTCUSDT", "tickers.BTCUSDT", {}),
        Kline: ("BTCUSDT", "kline.1.BTCUSDT", MINUTE),
        Liquidation: ("BTCUSDT", "allLiquidation.BTCUSDT", {}),
        PriceLimits: ("BTCUSDT", "priceLimit.BTCUSDT", {}),
        AdlWarning: ("BTCUSDT", "adlAlert.USDT", {}),
        InsuranceFund: ("", "insurance.USDT", {}),
        SystemNotice: ("", "system.status", {}),
    },
}
"""Venue -> kind -> symbol, the stream's own name, options."""

_FRACTIONS = re.compile(r'"price24hPcnt":\s*"([^"]+)"')

SILENT = {"binance": {CompositeIndex, ContractChanged, TradingSession}, "bybit": {InsuranceFund, AdlWarning}}
"""These come when something happens that does not within this test's minute; their frames are read elsewhere."""

CASES = [(venue, kind) for venue, kinds in NAMES.items() for kind in kinds]
PUBLIC = {
    kind
    for kind in vars(market).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind.__module__ == market.__name__
} - {
    Event,
    market.Bar,
    market.BookLevels,
    market.Gap,
    market.Stale,
    market.Recovered,
    market.Unknown,
    market.FundingRate,
}


@pytest.mark.parametrize(("venue", "kind"), CASES)
def test_each_event_has_one_name_on_both_venues(venue: str, kind: type[Event]) -> None:
    symbol, name, options = NAMES[venue][kind]
    topic = venues.load(venue).topic(kind, symbol, StreamOptions(**options))
    assert topic.name == name
    assert venues.load(venue).parse_topic(name) == topic
    venues.load(venue).feed(topic)


@pytest.mark.parametrize("venue", NAMES)
def test_what_a_venue_lacks_is_said_before_anything_is_sent(venue: str) -> None:
    lacking = PUBLIC - set(NAMES[venue])
    assert lacking == (
        {OpenInterest, PriceLimits, AdlWarning, InsuranceFund, SystemNotice}
        if venue == "binance"
        else {AggTrade, ContinuousKline, MiniTicker, AssetIndex, CompositeIndex, ContractChanged, TradingSession}
    )
    for kind in lacking:
        with pytest.raises(NotOffered, match=kind.__name__):
            venues.load(venue).topic(kind, "BTCUSDT", StreamOptions())


@pytest.mark.parametrize(
    ("venue", "kind", "options", "code"),
    [
        ("binance", Kline, {}, "BAD_INTERVAL"),
        ("binance", Kline, {"interval": "7m"}, "BAD_INTERVAL"),
        ("binance", BookDelta, {"speed_ms": 50}, "BAD_SPEED"),
        ("binance", BookSnapshot, {"levels": 21}, "BAD_DEPTH"),
        ("binance", BookSnapshot, {"levels": 0}, "BAD_DEPTH"),
        ("binance", MarkPrice, {"speed_ms": 500}, "BAD_SPEED"),
        ("binance", ContinuousKline, {"interval": "1m", "contract": "WEEKLY"}, "BAD_CONTRACT"),
        ("binance", Trade, {"interval": "1m"}, "BAD_OPTION"),
        ("bybit", Kline, {"interval": "8h"}, "BAD_INTERVAL"),
        ("bybit", BookDelta, {"levels": 1001}, "BAD_DEPTH"),
        ("bybit", Trade, {"levels": 5}, "BAD_OPTION"),
    ],
)
def test_options_that_no_stream_has_are_bad_input(
    venue: str, kind: type[Event], options: dict[str, Any], code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        venues.load(venue).topic(kind, "BTCUSDT", StreamOptions(**options))
    assert caught.value.code == code


@pytest.mark.parametrize("venue", NAMES)
def test_the_whole_market_is_one_stream_where_there_is_such_a_stream(venue: str) -> None:
    topic = venues.load(venue).topic
    if venue == "binance":
        found = {kind: topic(kind, "", StreamOptions()).name for kind in (BookTicker, MarkPrice, Ticker, Liquidation)}
        assert list(found.values()) == ["!bookTicker", "!markPrice@arr@1s", "!ticker@arr", "!forceOrder@arr"]
    for kind in (Trade, BookDelta, Kline):
        with pytest.raises(NotOffered, match="whole market"):
            topic(kind, "", StreamOptions(interval="1m" if kind is Kline else None))


# --- live -------------------------------------------------------------------------------------------------------------


def play(venue: str, **options: Any) -> tuple[dict[type[Event], list[Event]], list[tuple[str, Any]]]:
    """A minute with every stream subscribed by its unified name: events by kind, and (topic, frame) as the exchange's
    journal has them."""
    clock = ManualClock()
    heard: dict[type[Event], list[Event]] = {}

    async def main() -> list[tuple[str, Any]]:
        async with offline(clock=clock, venues=[venue], rate=20.0, journal_capacity=1_000_000, **options) as world:
            connector = world.connectors[venue]
            for kind in NAMES[venue]:
                heard[kind] = []
                connector.on(kind, heard[kind].append)
            await _subscribe_all(world, venue)
            async with world.connector(venue) as trader:
                await trader.place_order("BTCUSDT", "BUY", "1")
            faults = world.simulation.faults[venue]
            faults.add(Liquidate(symbol="BTCUSDT", after_s=5.0))
            if venue == "bybit":
                notice = {"id": "n", "title": "Upgrade", "state": "scheduled", "begin": "1790000000000", "end": ""}
                faults.add(Act(do="announce", args=notice, after_s=3.0))
            await clock.sleep(65)
            journal = world.simulation.journal[venue].entries(kind="sent")
            return [(entry.topic, json.loads(entry.text)) for entry in journal if entry.topic and not entry.account]

    return heard, clock.run(main())


async def _subscribe_all(world: World, venue: str) -> None:
    connector = world.connectors[venue]
    for kind, (symbol, _, options) in NAMES[venue].items():
        if kind is not CompositeIndex:  # there is no such contract here
            await connector.subscribe([kind], [symbol] if symbol else None, **options)


_played: dict[str, Any] = {}


@pytest.fixture
def minute(request: pytest.FixtureRequest) -> Any:
    venue = request.param
    if venue not in _played:
        _played[venue] = play(venue)
    return venue, *_played[venue]


@pytest.mark.slow
@pytest.mark.parametrize("minute", list(NAMES), indirect=True)
def test_every_stream_that_speaks_is_delivered_under_its_one_name(minute: Any) -> None:
    venue, heard, _ = minute
    mute = {kind for kind, events in heard.items() if not events}
    assert mute <= SILENT[venue]
    for kind, events in heard.items():
        assert all(isinstance(event, kind) and event.venue == venue and event.received_ns for event in events)


@pytest.mark.slow
@pytest.mark.parametrize("minute", list(NAMES), indirect=True)
def test_every_event_has_the_numbers_that_were_sent_and_none_is_missing(minute: Any) -> None:
    venue, heard, frames = minute
    by_topic: dict[str, list[Any]] = {}
    for topic, frame in frames:
        by_topic.setdefault(topic, []).append(frame)
    for kind, events in heard.items():
        _, name, _ = NAMES[venue][kind]
        sent = by_topic.get(name, [])
        if kind in (Trade, Liquidation, AdlWarning) and venue == "bybit":
            rows = [row for frame in sent for row in frame["data"]]
        elif kind in (MarkPrice, Ticker, OpenInterest) and venue == "bybit":
            continue  # several kinds come on one topic, each where something of its own has changed: see test_streams
        elif kind in (BookDelta, BookSnapshot) and venue == "bybit":
            wanted = "delta" if kind is BookDelta else "snapshot"
            names = {"orderbook.50.BTCUSDT", "orderbook.200.BTCUSDT"}
            rows = [frame for topic, frame in frames if topic in names and frame["type"] == wanted]
        else:
            rows = sent
        if kind is MarkPrice:
            rows = rows[-len(events) :]  # before it was asked for it was the socket's canary
        assert len(events) == len(rows) or kind is MarkPrice, kind.__name__
        for event, row in zip(events, rows, strict=True):
            texts = set(texts_of(row))
            strange = [number for number in numbers_of(event) if number not in texts]
            assert strange == [], (kind.__name__, row)


def texts_of(value: Any) -> Iterator[Decimal]:
    """Every number in JSON, however it is written."""
    if isinstance(value, dict):
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts_of(one)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            yield abs(Decimal(str(value)))
        except ArithmeticError:
            pass


def numbers_of(value: Any) -> Iterator[Decimal]:
    """Every exact number in an event; a 0 may stand for what is not stated."""
    if isinstance(value, Decimal):
        if value:
            yield abs(value)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from numbers_of(getattr(value, name))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from numbers_of(one)


# --- recorded ---------------------------------------------------------------------------------------------------------


@pytest.mark.fixtures
@pytest.mark.parametrize("venue", NAMES)
def test_every_recorded_frame_is_read_and_every_number_is_the_wires(venue: str, fixtures: Path) -> None:
    kinds: set[str] = set()
    for path in sorted((fixtures / venue / "ws").glob("*.json")):
        frame = path.read_bytes()
        for route in ("public", "private"):
            events = venues.load(venue).session(route).on_frame(frame, 77)
            if events is None:
                assert path.stem.startswith("op_"), path.name  # an answer to what a client said
                continue
            if not events:
                # Of another kind of contract; no trade; a change before there is anything to change.
                assert b'"st"' in frame or b'"X"' in frame or b'"delta"' in frame, path.name
                continue
            texts = set(texts_of(json.loads(frame)))
            texts |= {abs(Decimal(one)) * 100 for one in _FRACTIONS.findall(frame.decode())}  # told as percent
            for event in events:
                assert event.received_ns == 77
                kinds.add(next(one.__name__ for one in type(event).__mro__ if not one.__name__.startswith("_")))
                if isinstance(event, Unknown):
                    assert event.raw.encode() in frame
                    continue
                assert [number for number in numbers_of(event) if number not in texts] == [], path.name
                assert getattr(event, "status", None) is not OrderStatus.UNKNOWN, path.name
                assert getattr(event, "unknown_words", ()) == (), path.name
    assert len(kinds) >= (18 if venue == "binance" else 13), sorted(kinds)
