"""IDEM: a setter that finds everything as it should be says so, and raises nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import NoChange
from perpwire.model.account import Setting
from perpwire.testing import offline
from perpwire.venues.binance_futures.error_codes import ERROR_CODES as BINANCE_CODES
from perpwire.venues.bybit.error_codes import ERROR_CODES as BYBIT_CODES

VENUES = ("binance", "bybit")

Setter = Callable[[VenueConnector, str], Awaitable[Setting]]


def whose(connector: VenueConnector, name: str) -> str | None:
    """Binance sets the margin mode by symbol and the position mode for the account; Bybit the other way round."""
    by_symbol = (connector.venue.name == "bybit") is (name == "position_mode")
    return "BTCUSDT" if by_symbol else None


async def set_leverage(connector: VenueConnector, value: str) -> Setting:
    return await connector.set_leverage("BTCUSDT", value)


async def set_margin_mode(connector: VenueConnector, value: str) -> Setting:
    return await connector.set_margin_mode(value, whose(connector, "margin_mode"))


async def set_position_mode(connector: VenueConnector, value: str) -> Setting:
    return await connector.set_position_mode(value, whose(connector, "position_mode"))


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(
    ("setter", "first", "second"),
    [
        (set_leverage, "7", "8"),
        (set_margin_mode, "ISOLATED", "CROSS"),
        (set_position_mode, "HEDGE", "ONE_WAY"),
    ],
)
def test_idem_1_what_is_set_already_is_not_changed_and_nothing_is_raised(
    venue: str, setter: Setter, first: str, second: str
) -> None:
    async def story(clock: ManualClock) -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            connector = world.connectors[venue]
            for wanted in (first, second):
                done = await setter(connector, wanted)
                assert str(done.value) == wanted
                assert done.changed
                again = await setter(connector, wanted)
                assert str(again.value) == wanted
                assert not again.changed

    clock = ManualClock()
    clock.run(story(clock))


def test_idem_1_the_codes_for_it_are_in_the_tables() -> None:
    assert {BINANCE_CODES[code] for code in (-4046, -4059)} == {NoChange}
    assert {BYBIT_CODES[code] for code in (110025, 110026, 110043)} == {NoChange}
