"""What a key may do is looked at while a connector runs, also for months, and told once when it gets worse."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from perpwire.api_connector import key_check
from perpwire.api_connector.key_check import DAY_MS
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.model.incident import KeyWarning
from perpwire.notification.alert import Severity
from perpwire.notification.rules import Rules
from perpwire.simulator.faults import Answer
from perpwire.simulator.specs import AccountSpec, KeySpec
from perpwire.testing import World, offline
from perpwire.venues.base import Lane

by_venue = pytest.mark.parametrize("venue", ["binance", "bybit"])

PATHS = {"binance": "/sapi/v1/account/apiRestrictions", "bybit": "/v5/user/query-api"}

Scene = Callable[[World, VenueConnector, list[KeyWarning]], Coroutine[Any, Any, None]]


def play(venue: str, key: KeySpec, scene: Scene, clock: ManualClock) -> list[KeyWarning]:
    """`scene` with a started connector of that key; what it was warned of."""
    told: list[KeyWarning] = []

    async def main() -> None:
        account = AccountSpec(name="other", api_key="other-key", key=key)
        async with offline(clock=clock, venues=(venue,), rate=0.0, accounts=(AccountSpec(), account)) as world:
            connector = world.connector(venue, api_key="other-key", warm=False)
            connector.on_incident(lambda one: told.append(one) if isinstance(one, KeyWarning) else None)
            async with connector:
                await scene(world, connector, told)

    clock.run(main())
    return told


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks come each few seconds: what is said of the key changes between them as it would within days."""
    monkeypatch.setattr(key_check, "LOOK_S", 3.0)


def change(world: World, venue: str, *, trading: bool = True, expires_ms: int = 0) -> None:
    """The owner changes what the key may do, at the venue's site."""
    exchange = world.simulation.hosts[venue].exchange
    if venue == "bybit":
        exchange.set_setting("other", "key_read_only", "0" if trading else "1")
        exchange.set_setting("other", "key_expires_ms", str(expires_ms))
        return
    account = exchange._accounts["other"]
    key = msgspec.structs.replace(account.spec.key, trading=trading, expires_ms=expires_ms)
    account.spec = msgspec.structs.replace(account.spec, key=key)


def in_days(clock: ManualClock, days: float) -> int:
    return clock.time_ns() // 1_000_000 + round(days * DAY_MS)


@by_venue
def test_the_end_of_a_key_is_told_once_when_so_many_days_are_left(venue: str, often: None) -> None:
    clock = ManualClock()

    async def scene(world: World, connector: VenueConnector, told: list[KeyWarning]) -> None:
        assert told == []
        for half in range(2 * 20):
            change(world, venue, expires_ms=in_days(clock, 18 - half / 2))
            await clock.sleep(8)

    told = play(venue, KeySpec(expires_ms=in_days(clock, 20)), scene, clock)
    assert [(one.detail, one.days_left) for one in told[:4]] == [
        ("the key expires in 13 days", 13),
        ("the key expires in 6 days", 6),
        ("the key expires in 2 days", 2),
        ("the key expires within a day", 0),
    ]
    # One that has expired may read at Binance, and is not taken at all by Bybit.
    if venue == "binance":
        assert [one.detail for one in told[4:]] == ["the key has expired"]
    else:
        (refused,) = told[4:]
        assert refused.what == "refused"
        assert "the venue does not take the key any more: " in refused.detail


@by_venue
def test_a_key_that_was_renewed_is_told_of_again_when_its_next_end_comes(venue: str, often: None) -> None:
    clock = ManualClock()

    async def scene(world: World, connector: VenueConnector, told: list[KeyWarning]) -> None:
        for days in (13, 13, 90, 90, 12):
            change(world, venue, expires_ms=in_days(clock, days))
            await clock.sleep(8)

    told = play(venue, KeySpec(), scene, clock)
    assert [one.detail for one in told] == ["the key expires in 12 days", "the key expires in 11 days"]


def test_an_alert_of_it_grows_urgent_on_the_last_day() -> None:
    def severity(days_left: int | None, what: str = "expiry") -> Severity:
        alert = Rules().alert(KeyWarning(venue="bybit", time_ns=1, why="...", what=what, days_left=days_left))
        assert alert is not None
        return alert.severity

    assert [severity(days) for days in (13, 2, 1, 0)] == [Severity.WARNING] * 2 + [Severity.CRITICAL] * 2
    assert severity(None, "refused") is Severity.CRITICAL
    assert severity(None, "ip") is Severity.WARNING


@by_venue
def test_a_right_that_a_key_loses_while_it_runs_is_told_once_and_again_when_it_is_lost_again(
    venue: str, often: None
) -> None:
    clock = ManualClock()

    async def scene(world: World, connector: VenueConnector, told: list[KeyWarning]) -> None:
        assert [one.what for one in told] == ["ip"]
        change(world, venue, trading=False)
        await clock.sleep(8)
        await clock.sleep(8)
        assert [one.what for one in told] == ["ip", "trading"]
        assert connector.key_info is not None
        assert connector.key_info.can_trade is False
        change(world, venue, trading=True)
        await clock.sleep(8)
        change(world, venue, trading=False)
        await clock.sleep(8)

    told = play(venue, KeySpec(ips=()), scene, clock)
    assert [one.what for one in told] == ["ip", "trading", "trading"]


@by_venue
def test_where_nobody_answers_the_end_that_is_known_is_told_all_the_same(
    venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_check, "LOOK_S", 30.0)
    clock = ManualClock()

    async def scene(world: World, connector: VenueConnector, told: list[KeyWarning]) -> None:
        world.simulation.faults[venue].add(Answer(path=PATHS[venue], status=500, body="sorry", count=None))
        await clock.sleep(150)

    (told,) = play(venue, KeySpec(expires_ms=in_days(clock, 14) + 60_000), scene, clock)
    assert (told.what, told.days_left) == ("expiry", 13)


@by_venue
def test_a_look_is_one_call_that_lets_all_others_go_first(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_check.LOOK_S >= 3600
    monkeypatch.setattr(key_check, "LOOK_S", 60.0)
    clock = ManualClock()

    async def scene(world: World, connector: VenueConnector, told: list[KeyWarning]) -> None:
        asked = connector.metrics.get_call_stats
        assert asked()["key_info"]["total_requests"] == 1
        await clock.sleep(90)
        assert asked()["key_info"]["total_requests"] == 2
        waiting = key_check._after_all_others(connector.venue.key_info())
        assert waiting.endpoint.lane_of(waiting.params) is max(Lane)

    assert play(venue, KeySpec(), scene, clock) == []
