from __future__ import annotations

from perpwire.venues.base import Endpoint, Security
from perpwire.venues.bybit import endpoints
from perpwire.venues.bybit.venue import VENUE

ROWS = [row for row in vars(endpoints).values() if isinstance(row, Endpoint)]


def test_every_call_costs_one_of_the_address_limit_and_signed_ones_one_of_their_own() -> None:
    names = {limit.name for limit in VENUE.limits}
    for row in ROWS:
        costs = row.costs_of({})
        assert costs["ip_5s"] == 1
        assert set(costs) <= names
        assert len(costs) == (2 if row.security is Security.SIGNED else 1)
    assert endpoints.PLACE_ORDER.costs_of({}) == {"ip_5s": 1, "place_1s": 1}
    assert endpoints.CANCEL_ORDER.costs_of({}) == {"ip_5s": 1, "cancel_1s": 1}


def test_the_published_windows() -> None:
    published = {limit.name: (limit.limit, limit.period_s, limit.fixed) for limit in VENUE.limits}
    assert published["ip_5s"] == (600, 5.0, False)
    assert published["place_1s"] == (10, 1.0, False)
    assert published["wallet_1s"] == (50, 1.0, False)


def test_usage_and_the_accounts_own_cap_are_told_as_the_venue_says() -> None:
    def used(**headers: str) -> object:
        return VENUE.reported_usage(endpoints.PLACE_ORDER, {k.replace("_", "-"): v for k, v in headers.items()})

    assert used(x_bapi_limit="10", x_bapi_limit_status="9") == {"place_1s": 1}
    assert used(x_bapi_limit="20", x_bapi_limit_status="15") == {"place_1s": 5}  # a higher tier
    assert used() == {}
    assert used(x_bapi_limit_status="?") == {}
    assert VENUE.reported_usage(endpoints.SERVER_TIME, {"x-bapi-limit": "9", "x-bapi-limit-status": "3"}) == {}
    assert VENUE.reported_limits(endpoints.PLACE_ORDER, {"x-bapi-limit": "20"}) == {"place_1s": 20}
    assert VENUE.reported_limits(endpoints.PLACE_ORDER, {"x-bapi-limit": "0"}) == {}
    assert VENUE.reported_limits(endpoints.SERVER_TIME, {"x-bapi-limit": "20"}) == {}
