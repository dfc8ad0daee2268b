"""What is told to be missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from perpwire.clock import ManualClock
from perpwire.gateway.showing import Shown, missing
from perpwire.model.market import Trade
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.snapshot import Snapshot, VenueSnapshot
from perpwire.simulator.faults import Answer, Cut, Refuse
from perpwire.simulator.host import Host
from perpwire.testing import offline


def snapshot(clock: ManualClock) -> Snapshot:
    """Of a venue on which all is well."""

    async def scene() -> Snapshot:
        async with offline(clock=clock, venues=("bybit",)) as world:
            observer = Observer(clock)
            observer.add(world.bybit)
            observer.start()
            await world.bybit.open_account_stream()
            await world.bybit.open_book("BTCUSDT")
            await world.bybit.subscribe([Trade], ["BTCUSDT"])
            await clock.sleep(10)
            observer.close()
            return observer.snapshot()

    return clock.run(scene())


def told(whole: Snapshot, venue: VenueSnapshot) -> list[tuple[str, str, str]]:
    return [(one.kind, one.what, one.why) for one in missing(replace(whole, venues=(venue,)))]


def test_nothing_is_missing_while_all_is_live_and_each_thing_that_is_not_is_named_with_its_reason(
    clock: ManualClock,
) -> None:
    whole = snapshot(clock)
    venue = whole.venues[0]
    assert told(whole, venue) == []
    first, *others = venue.connections
    waiting = replace(venue, connections=(replace(first, state="waiting"), *others))
    assert told(whole, waiting) == [("connection", first.name, "waiting")]
    # The trading socket that was never asked for is no loss.
    assert told(whole, replace(venue, connections=(replace(first, state="idle"), *others))) == []
    mute = replace(first, not_live=("a", "b", "c", "d"))
    assert told(whole, replace(venue, connections=(mute, *others))) == [("topics", first.name, "a, b, c ...")]
    book = replace(venue.books[0], is_in_sync=False, why_not="a hole")
    assert told(whole, replace(venue, books=(book,))) == [("book", "BTCUSDT", "a hole")]
    absent = replace(venue, is_account_live=False, why_account_not="it is mute")
    assert told(whole, absent) == [("account", "account", "it is mute")]
    # While it is opened for the first time it is told once: as a step, whose own reason is the better one.
    assert told(whole, replace(absent, missing={"account": ""})) == [("step", "account", "it is mute")]
    assert told(whole, replace(absent, missing={"account": "refused"})) == [("step", "account", "refused")]
    assert told(whole, replace(venue, is_account_live=None)) == []
    assert told(whole, replace(venue, missing={"start": "refused"}, is_up=False)) == [("step", "start", "refused")]
    assert told(whole, replace(venue, is_up=False)) == [("step", "start", "")]


def test_reasons_are_told_in_both_languages_and_the_words_of_others_as_they_are(clock: ManualClock) -> None:
    whole = snapshot(clock)
    (venue,) = whole.venues
    book = replace(venue.books[0], is_in_sync=False, why_not="the connection was lost")
    away = replace(venue, books=(book,), is_account_live=False, why_account_not="the stream is waiting: [Errno 111] No")
    assert [one.said for one in missing(replace(whole, venues=(away,)))] == [
        {"en": "the connection was lost", "ko": "연결이 끊김"},
        {"en": "the stream is waiting: [Errno 111] No", "ko": "스트림이 아직 연결되지 않음(waiting): “[Errno 111] No”"},
    ]
    (unsaid,) = missing(replace(whole, venues=(replace(venue, is_up=False),)))
    assert unsaid.said == {"en": "", "ko": ""}
    first, *others = venue.connections
    for one in (replace(first, state="waiting"), replace(first, not_live=("waiting",))):
        (name,) = missing(replace(whole, venues=(replace(venue, connections=(one, *others)),)))
        assert name.said == {"en": "waiting", "ko": "waiting"}  # nobody's words: not quoted


Trouble = Callable[[Host], None]
ACCOUNT_CALL = {"binance": "/fapi/v3/account", "bybit": "/v5/account/wallet-balance"}


def no_permission(host: Host) -> None:
    body = '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'
    status = 401
    if host.venue == "bybit":
        body, status = '{"retCode":10005,"retMsg":"Permission denied, please check your API key permissions."}', 200
    host.faults.add(Answer(path=ACCOUNT_CALL[host.venue], status=status, body=body, count=None))
    host.faults.add(Cut(route="private"))


def unreachable(host: Host) -> None:
    host.faults.add(Cut(route="private"))
    host.faults.add(Refuse(seconds=3600))


@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize(
    ("trouble", "words"),
    [(no_permission, "the account can't be read: "), (unreachable, "the stream is ")],
)
def test_an_account_that_does_not_stand_says_why(clock: ManualClock, venue: str, trouble: Trouble, words: str) -> None:
    """Refused when it is read again, and lost, when it was live."""

    async def scene() -> None:
        async with offline(clock=clock, venues=(venue,), rate=1.0) as world:
            connector = world.connectors[venue]
            observer = Observer(clock)
            observer.add(connector)
            shown = Shown(observer, clock)
            await connector.open_account_stream()
            assert connector.why_account_stream_not_live == ""
            trouble(world.simulation.hosts[venue])
            await clock.sleep(20)
            (why,) = [one.why for one in shown.now().missing if one.kind == "account"]
            assert why.startswith(words)
            assert len(why) > len(words) + 20
            assert "sim-key" not in why
            assert "sim-secret" not in why

    clock.run(scene())


def test_only_what_is_newer_is_told_again(clock: ManualClock) -> None:
    async def scene() -> None:
        async with offline(clock=clock) as world:
            observer = Observer(clock)
            for connector in world.connectors.values():
                observer.add(connector)
            shown = Shown(observer, clock)
            observer.start()
            await world.binance.subscribe([Trade], ["BTCUSDT"])
            await clock.sleep(12)
            first = {past.name: past for past in shown.pasts()}
            assert len(first["binance"].points) == 2
            since_ns = shown.now_ns()
            assert list(shown.pasts(since_ns)) == []
            await clock.sleep(5)
            later = {past.name: past for past in shown.pasts(since_ns)}
            assert len(later["binance"].points) == 1
            assert later["binance"].points[0].time_ns > first["binance"].points[-1].time_ns
            observer.close()

    clock.run(scene())
