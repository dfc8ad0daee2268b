"""One venue, brought to what is wanted of it, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import get_args, get_type_hints

import pytest

from perpwire.clock import ManualClock
from perpwire.config.settings import VenueSettings
from perpwire.config.streams import CANDLES, KINDS
from perpwire.gateway.following import Following
from perpwire.model.market import Kline, Trade
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.notifier import Notifier
from perpwire.notification.sinks import CallableSink
from perpwire.simulator.faults import Refuse
from perpwire.testing import World, offline


def following(world: World, venue: str, wanted: VenueSettings, *, has_key: bool = True, **options: str) -> Following:
    connector = world.connector(venue, **options)
    return Following(connector, wanted, has_key=has_key, clock=world.clock, rng=random.Random(1))


async def until(holds: Callable[[], bool], clock: ManualClock, within_s: float) -> None:
    end_ns = clock.monotonic_ns() + within_s * 1e9
    while not holds():
        assert clock.monotonic_ns() < end_ns
        await clock.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_all_that_is_wanted_comes_to_stand(venue: str, clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock) as world:
            wanted = VenueSettings(
                symbols=("BTCUSDT", "ETHUSDT"), streams=("trades", "quotes", "klines"), books=("BTCUSDT",)
            )
            one = following(world, venue, wanted)
            trades: list[Trade] = []
            candles: list[Kline] = []
            one.connector.on(Trade, trades.append)
            one.connector.on(Kline, candles.append)
            await one.run()
            assert one.missing() == {}
            assert one.connector.is_account_stream_live
            book = await one.connector.open_book("BTCUSDT")
            assert book.is_in_sync
            await until(lambda: {trade.symbol for trade in trades} == {"BTCUSDT", "ETHUSDT"}, clock, 30)
            await until(lambda: {candle.interval for candle in candles} == {CANDLES}, clock, 30)
            await one.connector.close()

    clock.run(scene())


def test_every_kind_of_stream_that_can_be_set_is_known() -> None:
    words = get_args(get_args(get_type_hints(VenueSettings)["streams"])[0])
    assert set(KINDS) == set(words)


def test_a_venue_that_refuses_connections_is_asked_until_it_takes_them(clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, rate=1.0, venues=("binance",)) as world:
            world.simulation.faults["binance"].add(Refuse(seconds=60))
            one = following(world, "binance", VenueSettings(symbols=("BTCUSDT",)))
            task = asyncio.create_task(one.run())
            await clock.sleep(30)
            missing = one.missing()
            assert set(missing) == {"start", "account", "streams of BTCUSDT"}
            assert "NotSent" in missing["start"]
            assert missing["account"] == ""  # not refused: its turn has not come
            await asyncio.wait_for(task, 180)
            assert one.missing() == {}
            await one.connector.close()

    clock.run(scene())


def told_by(one: Following, sink: CallableSink, clock: ManualClock) -> Notifier:
    notifier = Notifier([sink], clock=clock)
    one.connector.on_incident(notifier.on_incident)
    return notifier


def test_a_venue_that_can_not_be_reached_when_the_program_starts_is_alerted_of_and_its_end(clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, rate=1.0, venues=("binance",)) as world:
            world.simulation.faults["binance"].add(Refuse(seconds=120))
            one = following(world, "binance", VenueSettings(symbols=("BTCUSDT",)))
            told: list[Alert] = []
            async with told_by(one, CallableSink(told.append), clock):
                task = asyncio.create_task(one.run())
                await clock.sleep(10)
                assert told == []  # it may be for a moment
                await clock.sleep(100)
                (first, *_) = told
                assert (first.severity, first.kind) == (Severity.CRITICAL, "set_up_failing")
                assert first.title == "Not followed yet: the venue as a whole"
                assert "NotSent" in first.sentence
                await asyncio.wait_for(task, 180)
                await clock.sleep(5)
                (end,) = [alert for alert in told if alert.kind == "set_up_done"]
                assert (end.resolves, end.title) == (first.key, "Followed now: the venue as a whole")
            await one.connector.close()

    clock.run(scene())


def test_a_key_that_is_refused_when_the_program_starts_is_alerted_of_without_the_key(clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, rate=1.0, venues=("bybit",)) as world:
            one = following(world, "bybit", VenueSettings(symbols=("BTCUSDT",)), secret_key="not-the-secret-at-all")
            told: list[Alert] = []
            async with told_by(one, CallableSink(told.append), clock):
                task = asyncio.create_task(one.run())
                await clock.sleep(20)
                (alert,) = told
                assert (alert.severity, alert.text) == (Severity.CRITICAL, "set_up_refused")
                assert "AuthenticationFailed" in alert.sentence
                assert "not-the-secret-at-all" not in str(alert)
                task.cancel()
            await one.connector.close()

    clock.run(scene())


@pytest.mark.slow
def test_a_contract_that_there_is_not_stops_nothing_else_and_is_named(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        async with offline(clock=clock, rate=1.0, venues=("bybit",)) as world:
            one = following(world, "bybit", VenueSettings(symbols=("NOSUCHUSDT", "BTCUSDT"), books=("BTCUSDT",)))
            task = asyncio.create_task(one.run())
            await until(lambda: set(one.missing()) == {"streams of NOSUCHUSDT"}, clock, 60)
            await until(lambda: "NOSUCHUSDT" in one.missing()["streams of NOSUCHUSDT"], clock, 60)
            # It may be listed one day: asked for again, but seldom.
            await clock.sleep(600)
            assert not task.done()
            assert 2 <= len([one for one in caplog.records if "NOSUCHUSDT can't be followed" in one.getMessage()]) < 10
            task.cancel()
            await one.connector.close()

    clock.run(scene())


def test_a_refused_key_is_tried_again_seldom_and_told_without_the_key(clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock, rate=1.0, venues=("binance",)) as world:
            one = following(world, "binance", VenueSettings(symbols=("BTCUSDT",)), secret_key="not-the-secret-at-all")
            task = asyncio.create_task(one.run())
            await clock.sleep(300)
            reason = one.missing()["start"]
            assert "AuthenticationFailed" in reason
            assert "not-the-secret-at-all" not in reason
            assert 2 <= one.connector.metrics.get_call_stats()["key_info"]["total_requests"] < 10
            task.cancel()
            await one.connector.close()

    clock.run(scene())


def test_without_a_key_the_account_is_not_asked_for(clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock) as world:
            one = following(
                world, "bybit", VenueSettings(symbols=("BTCUSDT",)), has_key=False, api_key="", secret_key=""
            )
            await one.run()
            assert one.missing() == {}
            assert not one.connector.is_account_stream_live
            await one.connector.close()

    clock.run(scene())
