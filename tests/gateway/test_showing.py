"""What is told to be missing."""

from __future__ import annotations

from msgspec.structs import replace

from perpwire.clock import ManualClock
from perpwire.gateway.showing import Shown, missing
from perpwire.model.market import Trade
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.snapshot import Snapshot, VenueSnapshot
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
    assert told(whole, replace(venue, is_account_live=False)) == [("account", "account", "")]
    assert told(whole, replace(venue, is_account_live=None)) == []
    assert told(whole, replace(venue, missing={"start": "refused"}, is_up=False)) == [("step", "start", "refused")]
    assert told(whole, replace(venue, is_up=False)) == [("step", "start", "")]


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
