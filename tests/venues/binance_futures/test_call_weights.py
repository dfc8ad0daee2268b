"""Every call uses just what its row of the table says: told by the headers of the embedded exchange, which counts by
the venue's pages on its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.venues.binance_futures.two_traders import Traders, play

from perpwire.errors import VenueRefused
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.account import MarginMode, PositionMode
from perpwire.model.market import PriceKind
from perpwire.model.order import OrderRequest, OrderType, PositionSide, Side
from perpwire.venues.base import Call
from perpwire.venues.binance_futures.limits import HEADERS, WEIGHT
from perpwire.venues.binance_futures.market_pages import KlinePages
from perpwire.venues.binance_futures.venue import VENUE


def order(**changes: Any) -> OrderRequest:
    fields: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal("0.010"),
        "price": Decimal(60000),
        "client_order_id": "w",
    }
    return OrderRequest(**(fields | changes))


S = "BTCUSDT"
STOP = {"type": OrderType.STOP_MARKET, "side": Side.SELL, "price": None, "trigger_price": Decimal(50000)}
NOW = 1_790_000_000_000
CALLS: list[Call[Any]] = [
    VENUE.server_time(),
    VENUE.instruments(),
    VENUE.instruments_completed(()),
    VENUE.status(),
    *(VENUE.book_snapshot(S, depth) for depth in (5, 100, 500, 1000)),
    VENUE.recent_trades(S, 10),
    VENUE.trades(S, None, None),
    *(
        KlinePages(S, "1m", kind, NOW).between(NOW - minutes * 60_000, NOW)
        for kind in PriceKind
        for minutes in (50, 300, 900)
    ),
    *(ask(symbol) for ask in (VENUE.tickers, VENUE.book_tickers, VENUE.mark_prices) for symbol in (S, None)),
    VENUE.open_interest(S),
    VENUE.account(),
    VENUE.positions(None),
    VENUE.symbol_settings(S),
    VENUE.set_margin_mode(S, MarginMode.ISOLATED),
    VENUE.position_mode(None),
    VENUE.set_position_mode(None, PositionMode.ONE_WAY),
    VENUE.adjust_margin(S, Decimal(1), PositionSide.BOTH),
    VENUE.fee_rates(S),
    VENUE.brackets(S),
    VENUE.place_order(order()),
    VENUE.place_order(order(**STOP)),
    VENUE.place_orders([order(client_order_id="a"), order(client_order_id="b")]),
    VENUE.get_order(S, "1", None),
    VENUE.get_order(S, "algo-1", None),
    VENUE.open_orders(S),
    VENUE.open_orders(None),
    VENUE.cancel_order(S, "1", None),
    VENUE.cancel_order(S, "algo-1", None),
    VENUE.cancel_orders([(S, "1"), (S, "2")]),
    *VENUE.cancel_all(S),
    VENUE.arm_countdown(S, 0),
]


@pytest.mark.parametrize("call", CALLS, ids=[f"{number}-{one.endpoint.name}" for number, one in enumerate(CALLS)])
def test_a_call_costs_what_its_row_says(call: Call[Any]) -> None:
    async def scenario(traders: Traders) -> None:
        network = traders.world.network
        told: list[dict[str, int]] = []
        plain = network.exchange

        async def heard(base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
            reply = await plain(base_url, request, timeout_s)
            told.append({name: int(reply.headers.get(header, 0)) for name, header in HEADERS.items()})
            return reply

        network.exchange = heard  # type: ignore[method-assign]
        path = traders.me._path
        alone = Call(call.endpoint, call.params, lambda reply: None)
        await path.run(VENUE.server_time())
        before = told[-1][WEIGHT]
        try:
            await path.run(alone)
        except VenueRefused:
            pass  # refused calls cost as much
        await path.run(VENUE.server_time())
        costs = call.endpoint.costs_of(call.params)
        assert told[-1][WEIGHT] - before - 1 == costs.get(WEIGHT, 0)
        if call.endpoint.name.startswith("place") or costs.get("orders_10s"):
            assert {name: used for name, used in told[-2].items() if name != WEIGHT} == {
                name: used for name, used in costs.items() if name != WEIGHT
            }

    play(scenario)
