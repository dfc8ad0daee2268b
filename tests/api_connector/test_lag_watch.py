"""Whether streams are told to be behind: never by a market in which nothing happens."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from tests.playing import play

from perpwire.model.incident import Incident, StreamLagging
from perpwire.model.market import BookTicker
from perpwire.simulator.listing import Listing
from perpwire.testing import World


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_a_best_price_that_is_repeated_is_not_late_however_long_it_has_stood(rate: float) -> None:
    """Bybit repeats it after 3 s, with the time at which it was made, and that of the repeat."""

    async def scenario(world: World) -> None:
        connector = world.bybit
        incidents: list[Incident] = []
        connector.on_incident(incidents.append)
        tops: list[BookTicker] = []
        connector.on(BookTicker, tops.append)
        await connector.subscribe(BookTicker, "QUIETUSDT")
        await world.clock.sleep(600)
        assert [one for one in incidents if isinstance(one, StreamLagging)] == []
        repeats = [(one, other) for one, other in itertools.pairwise(tops) if one.update_id == other.update_id]
        assert len(repeats) > 50
        for one, other in repeats:
            assert 2_900 < other.venue_time_ms - one.venue_time_ms < 3_500
        lags = [connector.lag_ms(top) for top in tops[1:]]
        assert max(lag for lag in lags if lag is not None) < 500

    play("bybit", scenario, rate=rate, symbols=[Listing(symbol="QUIETUSDT", start_price=Decimal(9))])
