"""What users need of a reply is in the model; what they do not need may be missing from the reply."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import Garbled
from perpwire.http_message import HttpReply
from perpwire.model.account import MarginMode, Position
from perpwire.testing import World, offline
from perpwire.venues import load
from perpwire.venues.base import Call
from perpwire.venues.binance_futures import translate_account, translate_market, translate_orders, wire
from perpwire.venues.bybit import (
    translate_account as bybit_account,
    translate_orders as bybit_orders,
    wire as bybit_wire,
)

SYMBOL = "BTCUSDT"
BINANCE, BYBIT = load("binance"), load("bybit")


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            await scene(world, world.connectors[venue])

    clock.run(main())


NEEDED: dict[str, tuple[Call[Any], set[str]]] = {
    "binance tickers": (
        BINANCE.tickers(SYMBOL),
        {"symbol", "lastPrice", "openPrice", "highPrice", "lowPrice", "volume", "quoteVolume"},
    ),
    "binance quotes": (BINANCE.book_tickers(SYMBOL), {"symbol"}),
    "binance mark price": (BINANCE.mark_prices(SYMBOL), {"symbol", "markPrice"}),
    "binance trades": (BINANCE.recent_trades(SYMBOL, 5), {"id", "price", "qty", "time", "isBuyerMaker"}),
    "binance aggregated trades": (BINANCE.trades(SYMBOL, None, None), {"a", "p", "q", "T", "m"}),
    "binance funding": (BINANCE.funding_rates(SYMBOL, None, None), {"symbol", "fundingTime", "fundingRate"}),
    "binance positions": (BINANCE.positions(SYMBOL), {"symbol", "positionAmt"}),
    "binance open orders": (
        BINANCE.open_orders(SYMBOL),
        {"algoId", "symbol", "side", "algoStatus"},
    ),
    "binance fees": (BINANCE.fee_rates(SYMBOL), {"symbol", "makerCommissionRate", "takerCommissionRate"}),
    "bybit tickers": (BYBIT.tickers(SYMBOL), {"symbol", "lastPrice"}),
    "bybit mark price": (BYBIT.mark_prices(SYMBOL), {"symbol", "markPrice"}),
    "bybit trades": (BYBIT.recent_trades(SYMBOL, 5), {"execId", "symbol", "price", "size", "side", "time"}),
    "bybit tiers": (BYBIT.brackets(SYMBOL), {"symbol", "riskLimitValue", "maintenanceMargin", "maxLeverage"}),
    "bybit positions": (BYBIT.positions(SYMBOL), {"symbol", "side", "size"}),
    "bybit open orders": (
        BYBIT.open_orders(SYMBOL),
        {"orderId", "symbol", "side", "orderType", "orderStatus", "qty"},
    ),
}


@pytest.mark.parametrize("name", NEEDED)
def test_a_reply_is_read_without_the_fields_that_are_not_needed(name: str) -> None:
    venue = load(name.split()[0])
    call, needed = NEEDED[name]

    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.place_order(SYMBOL, "BUY", "0.01")
        await connector.place_order(SYMBOL, "SELL", "0.01", "STOP_MARKET", trigger_price=50000)
        await world.clock.sleep(1.0)
        method, path = call.endpoint.http.split()
        body = await connector.call(method, path, call.params)
        row = body
        while not isinstance(row, dict) or "list" in row:
            row = row["list"] if isinstance(row, dict) else row[0]
        refused = set()
        for field in tuple(row):
            kept = row.pop(field)
            for missing in ({}, {field: None}):
                row.update(missing)
                text = json.dumps(
                    {"retCode": 0, "result": body, "time": 1_790_000_000_000} if venue.name == "bybit" else body
                )
                try:
                    reply = HttpReply(status=200, headers={}, body=text.encode())
                    call.translate(venue.decode(call.endpoint, reply))
                except Garbled:
                    refused.add(field)
            row[field] = kept
        assert refused <= needed

    play(venue.name, scene)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_position_says_what_it_ties_up_and_how_near_its_end_is(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.place_order(SYMBOL, "SELL", "0.5")
        await world.clock.sleep(1.0)
        (position,) = await connector.get_positions(SYMBOL)
        assert position.quantity == Decimal("-0.5")
        assert position.mark_price is not None
        assert position.notional == position.mark_price / 2
        for amount in (position.initial_margin, position.maintenance_margin, position.break_even_price):
            assert amount is not None
            assert amount > 0
        assert position.maintenance_margin is not None
        assert position.initial_margin is not None
        assert position.maintenance_margin < position.initial_margin < position.notional
        assert position.adl_rank in range(6)
        assert position.isolated_wallet is None
        if venue == "binance":
            assert position.margin_mode == "cross"
        else:
            assert position.realized_pnl is not None
            assert position.realized_pnl < 0  # the fee

    play(venue, scene)


def test_an_isolated_position_of_binance_tells_its_wallet() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.set_margin_mode("ISOLATED", SYMBOL)
        await connector.place_order(SYMBOL, "BUY", "0.1")
        await world.clock.sleep(1.0)
        (position,) = await connector.get_positions(SYMBOL)
        assert position.margin_mode == "isolated"
        assert position.isolated_wallet is not None
        assert position.isolated_wallet > 0

    play("binance", scene)


def test_a_flat_position_is_of_no_margin_mode_where_the_venue_states_none() -> None:
    flat = translate_account.position(wire.PositionRisk(symbol=SYMBOL, position_amt="0", isolated_wallet="0"))
    assert flat.margin_mode is None
    assert flat.notional is None


def test_the_notional_of_a_short_is_above_zero_and_exact() -> None:
    short = Position(
        symbol=SYMBOL, quantity=Decimal("-123456789.123456789"), entry_price=None, mark_price=Decimal("9876543.1234567")
    )
    assert short.notional == Decimal("1219326301661321.0629782947625363")


def test_an_order_until_a_date_tells_when_it_ends_and_whom_it_spares() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        ends_ms = await connector.get_server_time() + 3_600_000
        ends_ms -= ends_ms % 1000
        order = await connector.place_order(
            SYMBOL, "BUY", "0.01", "LIMIT", price=60000, time_in_force="GTD", expires_time_ms=ends_ms,
            selfTradePreventionMode="EXPIRE_BOTH",
        )  # fmt: skip
        found = await connector.get_order(SYMBOL, order.order_id)
        for one in (order, found, *await connector.get_open_orders(SYMBOL)):
            assert (one.expires_time_ms, one.self_trade_prevention) == (ends_ms, "EXPIRE_BOTH")
        plain = await connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price=60000)
        assert plain.expires_time_ms is None

    play("binance", scene)


def test_an_order_of_bybit_tells_its_exits() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        order = await connector.place_order(
            SYMBOL, "BUY", "0.01", "LIMIT", price=60000, take_profit=70000, stop_loss=50000, smpType="CancelTaker"
        )
        found = await connector.get_order(SYMBOL, order.order_id)
        for one in (order, found):
            assert (one.take_profit, one.stop_loss) == (Decimal(70000), Decimal(50000))
        assert found.self_trade_prevention == "CancelTaker"
        plain = await connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", price=60000)
        assert (await connector.get_order(SYMBOL, plain.order_id)).take_profit is None

    play("bybit", scene)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_contract_tells_what_kind_it_is_and_since_when(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        one = await connector.get_instrument(SYMBOL)
        assert one.contract_type == "PERPETUAL"
        assert one.status.upper() == "TRADING"
        assert one.delivery_time_ms is None
        assert one.launch_time_ms is not None
        assert 1_500_000_000_000 < one.launch_time_ms < 1_790_000_000_000
        if venue == "bybit":
            assert one.max_leverage is not None
            assert one.max_leverage >= 50
            assert one.leverage_step == Decimal("0.01")

    play(venue, scene)


@pytest.mark.parametrize(
    ("words", "kind", "delivery_ms"),
    [
        ({"contract_type": "CURRENT_QUARTER", "delivery_date": 1_798_185_600_000}, "FUTURE", 1_798_185_600_000),
        ({"contract_type": "TRADIFI_PERPETUAL", "delivery_date": 4_133_404_800_000}, "PERPETUAL", None),
        ({"contract_type": "PERPETUAL_DELIVERING", "delivery_date": 1_798_185_600_000}, "PERPETUAL", 1_798_185_600_000),
        ({"contract_type": ""}, "UNKNOWN", None),
        ({"contract_type": "NEXT_CENTURY"}, "UNKNOWN", None),
        ({}, "UNKNOWN", None),
    ],
)
def test_contracts_of_binance_that_are_no_perpetuals_are_told_apart(
    words: dict[str, Any], kind: str, delivery_ms: int | None
) -> None:
    info = wire.SymbolInfo(
        symbol="X", status="SETTLING", base_asset="X", quote_asset="USDT", margin_asset="USDT", filters=[], **words
    )
    one = translate_market.instrument(info)
    assert (one.contract_type, one.delivery_time_ms, one.is_trading, one.status) == (
        kind,
        delivery_ms,
        False,
        "SETTLING",
    )


def test_trade_prevention_of_none_is_told_as_none() -> None:
    row = wire.Order(
        order_id=1, symbol="X", status="NEW", side="BUY", type="LIMIT", orig_qty="1", self_trade_prevention_mode="NONE",
        good_till_date=0,
    )  # fmt: skip
    one = translate_orders.order(row)
    assert (one.self_trade_prevention, one.expires_time_ms) == ("", None)


def test_a_contract_of_bybit_without_a_mark_price_does_not_hide_those_of_the_others() -> None:
    rows = [{"symbol": "NEWUSDT", "markPrice": ""}, {"symbol": SYMBOL, "markPrice": "64000.5"}]
    body = json.dumps({"retCode": 0, "result": {"list": rows}, "time": 1_790_000_000_000}).encode()

    def read(symbol: str | None) -> tuple[Any, ...]:
        call = BYBIT.mark_prices(symbol)
        return call.translate(BYBIT.decode(call.endpoint, HttpReply(status=200, headers={}, body=body)))

    assert [(one.symbol, one.mark_price) for one in read(None)] == [(SYMBOL, Decimal("64000.5"))]
    with pytest.raises(Garbled):
        read("NEWUSDT")


def test_the_margin_mode_of_bybit_is_never_guessed() -> None:
    with pytest.raises(ValueError, match="not known"):
        bybit_account.margin_mode(bybit_wire.AccountInfoReply(marginMode=""))
    call = BYBIT.set_margin_mode(None, MarginMode.CROSS)
    with pytest.raises(Garbled):
        BYBIT.decode(call.endpoint, HttpReply(status=200, headers={}, body=b'{"retCode":0,"result":{}}'))


@pytest.mark.parametrize(
    ("words", "asset", "extra"),
    [
        ({"feeCurrency": ""}, "USDT", None),
        ({"feeCurrency": "MNT"}, "MNT", None),
        ({"symbol": "BTCPERP"}, "USDC", None),
        ({"symbol": "BTC-25DEC26"}, "USDC", None),
        ({"symbol": "BTCUSDT-25DEC26"}, "USDT", None),
        ({"execFee": None}, "", None),
        ({"extraFees": [{"feeCoin": "USDT", "feeType": "GST", "fee": "0.018"}]}, "USDT", "0.018"),
        (
            {"extraFees": '[{"feeCoin":"USDT","fee":"0.018"},{"fee":"0.002"},{"feeCoin":"BTC","fee":"1"}]'},
            "USDT",
            "0.020",
        ),
        ({"extraFees": "[]"}, "USDT", None),
        ({"extraFees": "?"}, "USDT", None),
        ({"extraFees": [5, {}]}, "USDT", None),
    ],
)
def test_a_fill_of_bybit_tells_in_what_its_fee_was_paid_and_what_came_on_top(
    words: dict[str, Any], asset: str, extra: str | None
) -> None:
    row: dict[str, Any] = {
        "execId": "1", "symbol": "BTCUSDT", "orderId": "2", "side": "Buy", "execPrice": "60000", "execQty": "0.01",
        "execTime": "1790000000000", "execFee": "0.1",
    }  # fmt: skip
    fill = bybit_orders.fill(bybit_wire.ExecutionRow(**row | words))
    assert fill is not None
    assert (fill.fee_asset, fill.extra_fee) == (asset, None if extra is None else Decimal(extra))
