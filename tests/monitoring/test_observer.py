"""One observer over connectors and the embedded exchange, in virtual time: what it says is what happened."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.monitoring.observing import observe

from perpwire.clock import ManualClock
from perpwire.errors import APIError, BadInput
from perpwire.model.market import BookTicker, MarkPrice, Trade
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.snapshot import SeenIncident, VenueSnapshot
from perpwire.simulator.faults import Answer, Cut, DropMessage, Refuse
from perpwire.testing import World, offline

VENUES = ["binance", "bybit"]


def only(observer: Observer) -> VenueSnapshot:
    [venue] = observer.snapshot().venues
    return venue


async def follow(world: World, venue: str) -> None:
    connector = world.connectors[venue]
    await connector.open_account_stream()
    await connector.subscribe((Trade, BookTicker, MarkPrice), ["BTCUSDT"])
    await connector.open_book("BTCUSDT")


@pytest.mark.parametrize("venue", VENUES)
def test_before_anything_is_measured_nothing_is_claimed(venue: str) -> None:
    async def scenario(world: World, observer: Observer) -> None:
        bars = {bar.name: bar for bar in observer.snapshot().bars}
        assert list(bars) == ["response_time", "stability", "recovery", "accuracy", "latency"]
        for name in ("stability", "recovery", "accuracy", "latency"):
            assert (bars[name].value, bars[name].holds, bars[name].samples) == (None, None, 0)
        assert only(observer).live_share == {"1h": None, "24h": None, "all": None}

    observe(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_while_all_is_well_every_bar_holds_and_figures_are_those_of_the_exchange(venue: str) -> None:
    async def scenario(world: World, observer: Observer) -> None:
        connector = world.connectors[venue]
        await follow(world, venue)
        resting = await connector.place_order("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="40000")
        await connector.place_order("BTCUSDT", "SELL", "0.02")
        await world.clock.sleep(30)
        await connector.get_positions()
        said = only(observer)
        assert said.is_up
        assert said.is_live
        assert said.is_account_live
        assert {one.state for one in said.connections} == {"live"}
        assert all(one.seconds_in["live"] == pytest.approx(30, abs=3) for one in said.connections)
        assert [(book.symbol, book.is_in_sync) for book in said.books] == [("BTCUSDT", True)]
        assert [(one.client_order_id, one.price) for one in said.orders] == [(resting.client_order_id, Decimal(40000))]
        [position] = said.positions
        [at_venue] = await connector.get_positions()
        assert position.quantity == at_venue.quantity == Decimal("-0.02")
        assert position.entry_price == at_venue.entry_price
        assert position.mark_price is not None
        assert position.unrealized_pnl == (position.mark_price - at_venue.entry_price) * at_venue.quantity  # type: ignore[operator]
        assert said.events == connector.streams.frames.events_delivered
        assert said.events_per_s > 5
        calls = {one.name: one for one in said.calls}
        assert calls["place_order"].requests == 2
        assert calls["place_order"].errors == {}
        assert 0 < calls["place_order"].times.p95 < 0.2
        assert any(one.used for one in said.budgets)
        assert {one.limit for one in said.budgets if one.scope == "ip"} == (
            {500, 1000, 2400} if venue == "binance" else {600}
        )
        assert {"AggTrade" if venue == "binance" else "Trade", "BookTicker", "MarkPrice"} <= said.lag.keys()
        assert all(0 <= one.max < 1 for one in said.lag.values())
        assert said.incidents == {}
        bars = {bar.name: bar for bar in observer.snapshot().bars}
        assert {name for name, bar in bars.items() if bar.holds} == {
            "response_time",
            "stability",
            "accuracy",
            "latency",
        }
        assert bars["recovery"].holds is None
        assert bars["response_time"].samples == sum(one.requests for one in only(observer).calls)

    observe(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_dead_account_stream_counts_against_stability_also_where_it_has_no_topics(venue: str) -> None:
    async def scenario(world: World, observer: Observer) -> None:
        await follow(world, venue)
        await world.clock.sleep(30)
        assert only(observer).live_share["all"] == 1.0
        exchange = world.simulation.faults[venue]
        exchange.add(Refuse(seconds=20))
        exchange.add(Cut(route="/private"))
        await world.clock.sleep(15)
        said = only(observer)
        assert {one.name for one in said.connections if one.state != "live"} == {f"{venue}/private"}
        share = said.live_share["all"]
        assert share is not None
        assert share < 0.97
        assert {bar.name: bar for bar in observer.snapshot().bars}["stability"].holds is False

    observe(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_an_outage_is_seen_timed_and_counted_as_recovered(venue: str) -> None:
    heard: list[SeenIncident] = []

    async def scenario(world: World, observer: Observer) -> None:
        observer.on_incident(heard.append)
        await follow(world, venue)
        await world.clock.sleep(60)
        exchange = world.simulation.faults[venue]
        exchange.add(Refuse(seconds=20))
        exchange.add(Cut())
        await world.clock.sleep(5)
        said = only(observer)
        assert not said.is_live
        assert said.open_outages >= 2
        assert "live" not in {one.state for one in said.connections}
        assert not any(book.is_in_sync for book in said.books)
        assert all(book.why_not for book in said.books)
        await world.clock.sleep(55)
        said = only(observer)
        assert said.is_live
        assert said.open_outages == 0
        assert said.recovered == said.outages >= 2
        assert all(one.reconnects >= 1 for one in said.connections)
        assert said.incidents["connection_lost"] == said.incidents["connection_recovered"] == len(said.connections)
        assert said.live_share["all"] is not None
        assert 0.6 < said.live_share["all"] < 1.0
        bars = {bar.name: bar for bar in observer.snapshot().bars}
        assert bars["stability"].holds is False
        assert bars["recovery"].value == 1.0
        assert [one.id for one in heard] == list(range(1, len(heard) + 1))
        assert observer.incidents() == heard[-100:]
        assert observer.incidents(after_id=heard[-3].id) == heard[-2:]
        assert observer.incidents(limit=2) == heard[-2:]
        assert observer.incidents(limit=0) == []
        history = observer.history(venue)
        for spans in history.spans.values():
            words = [span.state for span in spans]
            assert words[0] in ("live", "subscribing", "logging in", "connecting")
            assert words[-1] == "live"
            assert "waiting" in words or "connecting" in words[1:]
            assert [span.since_ns for span in spans] == sorted(span.since_ns for span in spans)
        shares = [point.live_share for point in history.points if point.live_share is not None]
        assert min(shares) < 0.5
        assert max(shares) == 1.0
        assert len(history.points) == pytest.approx(24, abs=2)
        assert len(history.minutes) in (1, 2)
        assert history.after(history.points[-2].time_ns).points == history.points[-1:]

    observe(venue, scenario)


def test_a_book_that_is_not_in_sync_counts_though_every_stream_speaks() -> None:
    async def scenario(world: World, observer: Observer) -> None:
        await follow(world, "binance")
        await world.clock.sleep(60)
        assert only(observer).live_share["all"] == 1.0
        faults = world.simulation.faults["binance"]
        faults.add(Answer(status=503, path="/fapi/v1/depth", count=None, for_s=20))
        faults.add(DropMessage(contains="depthUpdate"))
        await world.clock.sleep(10)
        said = only(observer)
        assert {one.state for one in said.connections} == {"live"}
        assert not any(one.not_live for one in said.connections)
        assert [book.is_in_sync for book in said.books] == [False]
        assert not said.is_live
        shares = said.live_share["all"], observer.history("binance").points[-1].live_share
        topics = sum(sum(one.topics.values()) for one in said.connections)
        assert shares[0] is not None
        assert shares[0] < 1.0
        assert shares[1] is not None
        assert shares[1] <= 1 - 1 / (topics + 3)

    observe("binance", scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_failed_call_is_counted_by_its_error_and_not_among_the_times_of_what_succeeded(venue: str) -> None:
    async def scenario(world: World, observer: Observer) -> None:
        connector = world.connectors[venue]
        before = {bar.name: bar.samples for bar in observer.snapshot().bars}["response_time"]
        world.simulation.faults[venue].add(Answer(status=400, count=None))
        with pytest.raises(APIError):
            await connector.set_leverage("BTCUSDT", 7)
        calls = {one.name: one for one in only(observer).calls}
        assert sum(sum(one.errors.values()) for one in calls.values()) >= 1
        assert all(one.requests >= sum(one.errors.values()) for one in calls.values())
        after = {bar.name: bar.samples for bar in observer.snapshot().bars}["response_time"]
        assert after == before

    observe(venue, scenario)


def test_it_is_json_with_exact_numbers() -> None:
    async def scenario(world: World, observer: Observer) -> None:
        await follow(world, "bybit")
        await world.bybit.place_order("BTCUSDT", "BUY", "0.010")
        await world.clock.sleep(3)
        said = json.loads(observer.snapshot().as_json())
        [position] = said["venues"][0]["positions"]
        assert Decimal(position["quantity"]) == Decimal("0.01")
        assert isinstance(position["quantity"], str)

    observe("bybit", scenario)


def test_several_connectors_have_names_and_what_is_removed_is_gone() -> None:
    async def scenario(world: World, observer: Observer) -> None:
        with pytest.raises(BadInput, match="observed already"):
            observer.add(world.connectors["bybit"])
        remove = observer.add(world.connector("bybit"), "second")
        assert [one.name for one in observer.snapshot().venues] == ["bybit", "second"]
        assert not observer.snapshot().venues[1].is_up
        remove()
        remove()
        assert [one.name for one in observer.snapshot().venues] == ["bybit"]
        with pytest.raises(BadInput, match="not observed"):
            observer.history("second")

    observe("bybit", scenario)


def test_while_the_program_stood_still_nothing_was_right() -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=["bybit"]) as world:
            observer = Observer(clock)
            observer.add(world.bybit)
            await world.bybit.subscribe([Trade], ["BTCUSDT"])
            await clock.sleep(60)
            (one,) = observer.observed  # not started: its looks are made here
            for pause_s in (0, 1, 1, 1.9, 16):
                await clock.sleep(pause_s)
                one.look()
            assert only(observer).live_share["all"] == pytest.approx(5 / 20)

    clock.run(main())


def test_incidents_are_remembered_up_to_a_number_and_counted_all() -> None:
    from perpwire.model.incident import FrameGarbled

    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=["bybit"]) as world:
            observer = Observer(clock, incidents_kept=10)
            observer.add(world.bybit)
            for number in range(25):
                world.bybit._tell(FrameGarbled(venue="bybit", time_ns=number, why="", connection="c"))
            assert [one.id for one in observer.incidents()] == list(range(16, 26))
            assert only(observer).incidents == {"frame_garbled": 25}
            assert observer.last_id == 25

    clock.run(main())
