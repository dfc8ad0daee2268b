"""The whole market and one symbol of it, side by side: no handler hears a fact twice, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.playing import play

from perpwire.api_connector.overlaps import REMEMBERED, TOLD, ToldOnce
from perpwire.model.market import (
    AdlWarning,
    BookTicker,
    Event,
    InsuranceFund,
    Liquidation,
    MarkPrice,
    MiniTicker,
    Ticker,
)
from perpwire.simulator.faults import Liquidate
from perpwire.testing import World

BTC = "BTCUSDT"
KINDS: list[type[Event]] = [BookTicker, MarkPrice, Ticker, MiniTicker]


def facts(events: list[Event]) -> list[Event]:
    return [msgspec.structs.replace(event, received_ns=0) for event in events]


def quote(update_id: int, received_s: float = 0.0, price: int = 100) -> BookTicker:
    return BookTicker(
        venue="v",
        symbol=BTC,
        received_ns=round(received_s * 1e9),
        update_id=update_id,
        bid_price=Decimal(price),
        bid_quantity=Decimal(1),
        ask_price=Decimal(price + 1),
        ask_quantity=Decimal(1),
    )


# --- what is news ---------------------------------------------------------------------------------------------------


def test_a_fact_passes_once_whichever_stream_tells_it_first() -> None:
    news = ToldOnce(BookTicker)
    assert [news.passes(quote(one, at)) for one, at in ((1, 0.0), (1, 0.1), (2, 0.2), (1, 0.3), (2, 9.0))] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_what_was_overtaken_a_moment_ago_does_not_pass_and_counters_that_were_put_back_do() -> None:
    news = ToldOnce(BookTicker)
    assert news.passes(quote(1000, 1.0))
    assert not news.passes(quote(999, 2.0))
    assert news.passes(quote(5, 4.0))
    assert news.passes(quote(6, 4.1))


def test_of_two_liquidations_the_older_one_passes_too() -> None:
    news = ToldOnce(Liquidation)
    one = Liquidation(
        venue="v", symbol=BTC, venue_time_ms=2, side="SELL", price=Decimal(1), quantity=Decimal(1),
        filled_quantity=Decimal(1), average_price=Decimal(1),
    )  # fmt: skip
    assert news.passes(one)
    assert news.passes(msgspec.structs.replace(one, venue_time_ms=1))
    assert not news.passes(msgspec.structs.replace(one, received_ns=5))


def test_what_is_remembered_is_bounded() -> None:
    news = ToldOnce(BookTicker)
    for number in range(10 * REMEMBERED):
        news.passes(quote(number))
    assert len(news._told[BTC]) == REMEMBERED


# --- on a connector -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("is_whole_first", [True, False])
def test_one_symbol_beside_the_whole_market_is_told_once_to_each_handler_and_none_is_lost(is_whole_first: bool) -> None:
    async def scenario(world: World) -> None:
        connector = world.binance
        every: list[Event] = []
        ours: list[Event] = []
        for kind in KINDS:
            connector.on(kind, every.append)
            connector.on(kind, ours.append, BTC)
        for symbols in (None, [BTC]) if is_whole_first else ([BTC], None):
            await connector.subscribe(KINDS, symbols)
        await world.clock.sleep(20)
        kept = facts(ours)
        for kind in KINDS:
            of_kind = [event for event in kept if isinstance(event, kind)]
            assert len(of_kind) > 5
            assert all(event not in of_kind[:nth] for nth, event in enumerate(of_kind)), kind
            times = [event.venue_time_ms for event in of_kind]
            assert times == sorted(times)
        assert kept == [event for event in facts(every) if event.symbol == BTC]
        assert {event.symbol for event in every} > {BTC}

    play("binance", scenario)


@pytest.mark.slow
def test_when_one_of_the_two_ends_the_other_goes_on_and_no_gate_stands_before_it() -> None:
    async def scenario(world: World) -> None:
        connector = world.binance
        ours: list[MarkPrice] = []
        connector.on(MarkPrice, ours.append, BTC)
        gates = connector.streams.frames._gates
        whole = await connector.watch_mark_prices()
        assert MarkPrice not in gates
        single = await connector.watch_mark_prices(BTC)
        assert MarkPrice in gates
        await world.clock.sleep(5)
        before = len(ours)
        assert 4 <= before <= 7
        single.close()
        assert MarkPrice not in gates
        await world.clock.sleep(5)
        assert 4 <= len(ours) - before <= 6
        again = await connector.watch_mark_prices(BTC)
        whole.close()
        assert MarkPrice not in gates
        before = len(ours)
        await world.clock.sleep(5)
        assert 4 <= len(ours) - before <= 6
        again.close()

    play("binance", scenario)


@pytest.mark.slow
def test_a_liquidation_is_told_once() -> None:
    async def scenario(world: World) -> None:
        connector = world.binance
        told: list[Liquidation] = []
        connector.on(Liquidation, told.append)
        await connector.subscribe(Liquidation, None)
        await connector.subscribe(Liquidation, BTC)
        await connector.place_order(BTC, "BUY", "0.5")
        world.simulation.faults["binance"].add(Liquidate(symbol=BTC, after_s=1.0))
        await world.clock.sleep(10)
        ours = [event for event in facts(list(told)) if event.symbol == BTC]
        assert ours
        assert all(event not in ours[:nth] for nth, event in enumerate(ours))

    play("binance", scenario)


@pytest.mark.slow
def test_what_comes_for_many_contracts_on_one_topic_is_told_once_there_too() -> None:
    """Bybit has one topic for a symbol's and the whole market's."""

    async def scenario(world: World) -> None:
        connector = world.bybit
        told: list[Event] = []
        for kind in (AdlWarning, InsuranceFund):
            connector.on(kind, told.append)
        await connector.subscribe([AdlWarning, InsuranceFund], None)
        await connector.subscribe([AdlWarning, InsuranceFund], BTC)
        assert len(connector.streams.topics) == 2
        await world.clock.sleep(20)
        kept = facts(told)
        assert kept
        assert all(event not in kept[:nth] for nth, event in enumerate(kept))

    play("bybit", scenario)


def test_every_kind_that_comes_on_two_topics_of_a_venue_is_watched_for_being_told_twice() -> None:
    from perpwire import venues
    from perpwire.venues.binance_futures import topics as binance
    from perpwire.venues.bybit import topics as bybit

    for name, of_all in (("binance", binance.OF_ALL), ("bybit", bybit.OF_ALL)):
        venue = venues.load(name)
        kinds: list[Any] = list(of_all)
        apart = {kind for kind in kinds if venue.topic(kind, "").name != venue.topic(kind, BTC).name}
        assert apart <= set(TOLD)
