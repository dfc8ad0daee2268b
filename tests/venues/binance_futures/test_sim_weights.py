"""What each call of the simulated venue costs and who may make it, by the venue's own tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.venues.binance_futures.simulated import MAIN, SimulatedVenue

from perpwire.clock import ManualClock
from perpwire.venues.binance_futures.sim.gateway import Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.rest import rest_rows
from perpwire.venues.binance_futures.sim.users import UserStreams
from perpwire.venues.binance_futures.sim.words import SymbolWords

WEIGHTS: dict[str, tuple[str, int, int]] = {
    # Call -> security (N none, K key, S signed), weight with symbol, weight without.
    "GET /fapi/v1/ping": ("N", 1, 1),
    "GET /fapi/v1/time": ("N", 1, 1),
    "GET /fapi/v1/exchangeInfo": ("N", 1, 1),
    "GET /fapi/v1/depth": ("N", 1, 1),
    "GET /fapi/v1/rpiDepth": ("N", 20, 20),
    "GET /fapi/v1/trades": ("N", 5, 5),
    "GET /fapi/v1/historicalTrades": ("K", 200, 200),
    "GET /fapi/v1/aggTrades": ("N", 20, 20),
    "GET /fapi/v1/klines": ("N", 5, 5),
    "GET /fapi/v1/continuousKlines": ("N", 5, 5),
    "GET /fapi/v1/indexPriceKlines": ("N", 5, 5),
    "GET /fapi/v1/markPriceKlines": ("N", 5, 5),
    "GET /fapi/v1/premiumIndexKlines": ("N", 5, 5),
    "GET /fapi/v1/premiumIndex": ("N", 1, 10),
    "GET /fapi/v1/ticker/24hr": ("N", 1, 40),
    "GET /fapi/v1/ticker/price": ("N", 1, 2),
    "GET /fapi/v2/ticker/price": ("N", 1, 2),
    "GET /fapi/v1/ticker/bookTicker": ("N", 2, 5),
    "GET /fapi/v1/openInterest": ("N", 1, 1),
    "GET /fapi/v1/indexInfo": ("N", 1, 1),
    "GET /fapi/v1/assetIndex": ("N", 1, 10),
    "GET /fapi/v1/constituents": ("N", 2, 2),
    "GET /fapi/v1/insuranceBalance": ("N", 1, 1),
    "GET /fapi/v1/symbolAdlRisk": ("N", 1, 1),
    "GET /fapi/v1/tradingSchedule": ("N", 5, 5),
    "POST /fapi/v1/order": ("S", 0, 0),
    "POST /fapi/v1/order/test": ("S", 1, 1),
    "PUT /fapi/v1/order": ("S", 0, 0),
    "DELETE /fapi/v1/order": ("S", 1, 1),
    "GET /fapi/v1/order": ("S", 1, 1),
    "GET /fapi/v1/openOrder": ("S", 1, 1),
    "GET /fapi/v1/openOrders": ("S", 1, 40),
    "GET /fapi/v1/allOrders": ("S", 5, 5),
    "POST /fapi/v1/batchOrders": ("S", 5, 5),
    "PUT /fapi/v1/batchOrders": ("S", 5, 5),
    "DELETE /fapi/v1/batchOrders": ("S", 1, 1),
    "DELETE /fapi/v1/allOpenOrders": ("S", 1, 1),
    "POST /fapi/v1/countdownCancelAll": ("S", 10, 10),
    "GET /fapi/v1/orderAmendment": ("S", 1, 1),
    "GET /fapi/v1/forceOrders": ("S", 20, 50),
    "GET /fapi/v1/userTrades": ("S", 5, 5),
    "POST /fapi/v1/algoOrder": ("S", 0, 0),
    "DELETE /fapi/v1/algoOrder": ("S", 1, 1),
    "DELETE /fapi/v1/algoOpenOrders": ("S", 1, 1),
    "GET /fapi/v1/algoOrder": ("S", 1, 1),
    "GET /fapi/v1/openAlgoOrders": ("S", 1, 40),
    "GET /fapi/v1/allAlgoOrders": ("S", 5, 5),
    "GET /fapi/v2/account": ("S", 5, 5),
    "GET /fapi/v3/account": ("S", 5, 5),
    "GET /fapi/v2/balance": ("S", 5, 5),
    "GET /fapi/v3/balance": ("S", 5, 5),
    "GET /fapi/v2/positionRisk": ("S", 5, 5),
    "GET /fapi/v3/positionRisk": ("S", 5, 5),
    "GET /fapi/v1/accountConfig": ("S", 5, 5),
    "GET /fapi/v1/symbolConfig": ("S", 5, 5),
    "POST /fapi/v1/leverage": ("S", 1, 1),
    "POST /fapi/v1/marginType": ("S", 1, 1),
    "GET /fapi/v1/positionSide/dual": ("S", 30, 30),
    "POST /fapi/v1/positionSide/dual": ("S", 1, 1),
    "GET /fapi/v1/multiAssetsMargin": ("S", 30, 30),
    "POST /fapi/v1/multiAssetsMargin": ("S", 1, 1),
    "POST /fapi/v1/positionMargin": ("S", 1, 1),
    "GET /fapi/v1/positionMargin/history": ("S", 1, 1),
    "GET /fapi/v1/income": ("S", 30, 30),
    "GET /fapi/v1/commissionRate": ("S", 20, 20),
    "GET /fapi/v1/leverageBracket": ("S", 1, 1),
    "GET /fapi/v1/rateLimit/order": ("S", 1, 1),
    "GET /fapi/v1/adlQuantile": ("S", 5, 5),
    "GET /fapi/v1/feeBurn": ("S", 30, 30),
    "POST /fapi/v1/feeBurn": ("S", 1, 1),
    "GET /fapi/v1/apiTradingStatus": ("S", 1, 10),
    "POST /fapi/v1/stock/contract": ("S", 50, 50),
    "GET /fapi/v1/income/asyn": ("S", 1000, 1000),
    "GET /fapi/v1/order/asyn": ("S", 1000, 1000),
    "GET /fapi/v1/trade/asyn": ("S", 1000, 1000),
    "GET /fapi/v1/income/asyn/id": ("S", 10, 10),
    "GET /fapi/v1/order/asyn/id": ("S", 10, 10),
    "GET /fapi/v1/trade/asyn/id": ("S", 10, 10),
    "GET /fapi/v1/convert/exchangeInfo": ("N", 20, 20),
    "POST /fapi/v1/convert/getQuote": ("S", 50, 50),
    "POST /fapi/v1/convert/acceptQuote": ("S", 200, 200),
    "GET /fapi/v1/convert/orderStatus": ("S", 50, 50),
    "GET /fapi/v1/pmAccountInfo": ("S", 5, 5),
    "POST /fapi/v1/listenKey": ("K", 1, 1),
    "PUT /fapi/v1/listenKey": ("K", 1, 1),
    "DELETE /fapi/v1/listenKey": ("K", 1, 1),
}


def rows_of(venue: SimulatedVenue) -> Rows:
    words = {spec.instrument.symbol: SymbolWords(spec) for spec in venue.exchange.specs()}
    return rest_rows(venue.exchange, Listing(words), {}, UserStreams(venue.exchange, words))


ORDERS = {
    "POST /fapi/v1/order": ("1", "1"),
    "PUT /fapi/v1/order": ("1", "1"),
    "POST /fapi/v1/batchOrders": ("5", "1"),
    "PUT /fapi/v1/batchOrders": ("5", "1"),
    "POST /fapi/v1/algoOrder": ("1", "1"),
}
"""What a call adds to the counts of ten seconds and of a minute; no other adds anything."""


@pytest.fixture
def venue(clock: ManualClock) -> Iterator[SimulatedVenue]:
    venue = SimulatedVenue(clock)
    yield venue
    venue.close()


def test_the_table_has_every_call_of_the_service(venue: SimulatedVenue) -> None:
    """But those whose requests are counted in pools of their own."""
    own_pools = {"GET /fapi/v1/fundingRate", "GET /fapi/v1/fundingInfo"}
    served = {f"{method} {path}" for method, path in rows_of(venue) if path.startswith("/fapi/")}
    assert served == WEIGHTS.keys() | own_pools


@pytest.mark.parametrize("call", WEIGHTS)
def test_a_call_costs_what_the_venue_says_also_when_it_is_refused(venue: SimulatedVenue, call: str) -> None:
    method, _, path = call.partition(" ")
    security, with_symbol, without = WEIGHTS[call]
    for query, cost in (("symbol=NOPE", with_symbol), ("", without)):
        peer = f"peer {cost} {query}"
        answer = venue.raw(method, path, query, peer=peer)
        assert int(answer.headers["x-mbx-used-weight-1m"]) == cost
        assert (answer.status == 401) is (security != "N")
        if path.endswith("listenKey"):
            continue  # with a key it does something
        answer = venue.raw(method, path, query, key=MAIN.api_key, peer=peer)
        assert int(answer.headers["x-mbx-used-weight-1m"]) == 2 * cost
        if security == "S":
            assert answer.code == -1102, "a time stamp is missing"


@pytest.mark.parametrize("call", WEIGHTS)
def test_placing_and_changing_counts_as_orders_and_nothing_else(venue: SimulatedVenue, call: str) -> None:
    method, _, path = call.partition(" ")
    if WEIGHTS[call][0] != "S":
        return
    params: dict[str, Any] = {"symbol": "NOPE"}
    headers = venue.signed(method, path, **params).headers
    counts = headers.get("x-mbx-order-count-10s"), headers.get("x-mbx-order-count-1m")
    assert counts == ORDERS.get(call, (None, None))
