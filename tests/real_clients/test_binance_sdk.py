"""Binance's own SDK for USD-M futures (REST): each answer is parsed into its typed model, and fills it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.real_clients.clients import SYMBOL, binance_sdk, load, until

from perpwire.pytest_plugin import ExchangeFactory
from perpwire.threaded import VenueDoor

pytestmark = pytest.mark.slow

errors = load("binance_common.errors")

BTC = {"symbol": SYMBOL}
MINUTES = {"interval": "1m", "limit": 3}
CROWD = {"symbol": SYMBOL, "period": "5m", "limit": 5}

CALLS: dict[str, dict[str, Any]] = {
    "test_connectivity": {},
    "check_server_time": {},
    "exchange_information": {},
    "order_book": {**BTC, "limit": 5},
    "rpi_order_book": BTC,
    "recent_trades_list": BTC,
    "old_trades_lookup": BTC,
    "compressed_aggregate_trades_list": BTC,
    "kline_candlestick_data": {**BTC, **MINUTES},
    "continuous_contract_kline_candlestick_data": {"pair": SYMBOL, "contract_type": "PERPETUAL", **MINUTES},
    "index_price_kline_candlestick_data": {"pair": SYMBOL, **MINUTES},
    "mark_price_kline_candlestick_data": {**BTC, **MINUTES},
    "premium_index_kline_data": {**BTC, **MINUTES},
    "mark_price": BTC,
    "get_funding_rate_history": BTC,
    "get_funding_rate_info": {},
    "ticker24hr_price_change_statistics": BTC,
    "symbol_price_ticker": BTC,
    "symbol_price_ticker_v2": BTC,
    "symbol_order_book_ticker": BTC,
    "open_interest": BTC,
    "open_interest_statistics": CROWD,
    "top_trader_long_short_ratio_positions": CROWD,
    "top_trader_long_short_ratio_accounts": CROWD,
    "long_short_ratio": CROWD,
    "taker_buy_sell_volume": CROWD,
    "basis": {"pair": SYMBOL, "contract_type": "PERPETUAL", "period": "5m"},
    "asset_index": {},
    "query_index_price_constituents": BTC,
    "query_insurance_fund_balance_snapshot": {},
    "adl_risk": BTC,
    "account_information_v2": {},
    "account_information_v3": {},
    "futures_account_balance_v2": {},
    "futures_account_balance_v3": {},
    "futures_account_configuration": {},
    "symbol_configuration": BTC,
    "user_commission_rate": BTC,
    "notional_and_leverage_brackets": BTC,
    "query_user_rate_limit": {},
    "get_current_multi_assets_mode": {},
    "get_current_position_mode": {},
    "get_bnb_burn_status": {},
    "get_income_history": {},
    "account_trade_list": BTC,
    "all_orders": BTC,
    "position_information_v2": BTC,
    "position_information_v3": BTC,
    "position_adl_quantile_estimation": BTC,
    "current_all_open_orders": BTC,
    "query_current_open_order": {**BTC, "orig_client_order_id": "resting"},
    "query_order": {**BTC, "orig_client_order_id": "resting"},
}

OF_SOME_ONLY = {
    # The SDK's model has the fields of every kind in one.
    "exchange_information": {
        "filters": {"max_qty", "min_qty", "step_size", "limit", "notional", "multiplier_up", "multiplier_down"}
        | {"multiplier_decimal", "max_price", "min_price", "tick_size"}
    },
    "notional_and_leverage_brackets": {"": {"notional_coef"}},  # of accounts with an own coefficient
    "position_adl_quantile_estimation": {"adl_quantile": {"hedge", "long", "short"}},  # by position mode
    "all_orders": {"": {"activate_price", "price_rate"}},  # of trailing stops
    "query_order": {"": {"activate_price", "price_rate"}},
    "query_current_open_order": {"": {"activate_price", "price_rate"}},
    "current_all_open_orders": {"": {"activate_price", "price_rate"}},
}

WITHOUT_WEIGHT = {
    # Counted in windows of their own, as at the venue.
    *("get_funding_rate_history", "get_funding_rate_info", "open_interest_statistics", "long_short_ratio", "basis"),
    *("top_trader_long_short_ratio_positions", "top_trader_long_short_ratio_accounts", "taker_buy_sell_volume"),
}


@pytest.fixture(scope="module")
def traded(perpwire_exchange_factory: ExchangeFactory) -> Iterator[VenueDoor]:
    """An exchange whose account has a position, fills and an open order."""
    with perpwire_exchange_factory(venues=["binance"], seed=3, latency_s=0.001, rate=50) as exchange:
        rest = binance_sdk(exchange.binance).rest_api
        rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)
        rest.new_order(
            symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=63000,
            new_client_order_id="resting",
        )  # fmt: skip
        yield exchange.binance


def absent(model: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(where, field) of every declared field that the answer did not have."""
    model = getattr(model, "actual_instance", model)
    if isinstance(model, list):
        for one in model:
            yield from absent(one, where)
    elif hasattr(type(model), "model_fields"):
        for name in type(model).model_fields:
            if name == "additional_properties":
                continue
            value = getattr(model, name)
            if value is None:
                yield where, name
            else:
                yield from absent(value, name)


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_fills_the_sdks_model(traded: VenueDoor, name: str) -> None:
    answer = getattr(binance_sdk(traded).rest_api, name)(**CALLS[name])
    allowed = OF_SOME_ONLY.get(name, {})
    data = answer.data()
    assert data is not None
    assert {one for one in absent(data) if one[1] not in allowed.get(one[0], ())} == set()
    kinds = [one.rateLimitType for one in answer.rate_limits]
    assert kinds == ([] if name in WITHOUT_WEIGHT else ["REQUEST_WEIGHT"])


def test_an_order_from_placing_to_cancelling(binance: VenueDoor) -> None:
    rest = binance_sdk(binance).rest_api
    placed = rest.new_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=63000
    ).data()
    assert (placed.status, placed.orig_qty, placed.price) == ("NEW", "0.010", "63000.00")
    amended = rest.modify_order(symbol=SYMBOL, side="BUY", quantity=0.02, price=62900, order_id=placed.order_id).data()
    assert (amended.orig_qty, amended.price) == ("0.020", "62900.00")
    (change,) = rest.get_order_modify_history(symbol=SYMBOL, order_id=placed.order_id).data()
    assert (change.amendment.price.before, change.amendment.price.after) == ("63000.00", "62900.00")
    assert rest.cancel_order(symbol=SYMBOL, order_id=placed.order_id).data().status == "CANCELED"
    assert binance.exchange.open_orders("main", None) == []
    with pytest.raises(errors.BadRequestError, match="Unknown order"):
        rest.cancel_order(symbol=SYMBOL, order_id=placed.order_id)


def test_batches_are_placed_amended_and_cancelled(binance: VenueDoor) -> None:
    models = load("binance_sdk_derivatives_trading_usds_futures.rest_api.models")
    rest = binance_sdk(binance).rest_api
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 0.01}
    batch = [
        models.PlaceMultipleOrdersBatchOrdersParameterInner(**order, price=63000),
        models.PlaceMultipleOrdersBatchOrdersParameterInner(**order, price=62000),
        models.PlaceMultipleOrdersBatchOrdersParameterInner(**order, price=50),
    ]
    first, second, refused = rest.place_multiple_orders(batch_orders=batch).data()
    assert (first.status, second.status, refused.order_id) == ("NEW", "NEW", None)
    changes = [
        models.ModifyMultipleOrdersBatchOrdersParameterInner(
            orderId=one.order_id, symbol=SYMBOL, side="BUY", quantity=0.02, price=61000
        )
        for one in (first, second)
    ]
    assert [one.price for one in rest.modify_multiple_orders(batch_orders=changes).data()] == ["61000.00"] * 2
    ids = [first.order_id, second.order_id]
    ended = rest.cancel_multiple_orders(symbol=SYMBOL, order_id_list=ids).data()
    assert [one.status for one in ended] == ["CANCELED"] * 2
    assert binance.exchange.open_orders("main", None) == []


def test_a_conditional_order_waits_fires_and_is_told_apart(binance: VenueDoor) -> None:
    rest = binance_sdk(binance).rest_api
    stop = {"algo_type": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": 0.01}
    placed = rest.new_algo_order(**stop, trigger_price=63000, client_algo_id="stop-1").data()
    assert (placed.algo_status, placed.client_algo_id) == ("NEW", "stop-1")
    (waiting,) = rest.current_all_algo_open_orders(symbol=SYMBOL).data()
    assert waiting.algo_id == placed.algo_id
    assert rest.query_algo_order(algo_id=placed.algo_id).data().trigger_price == "63000.00"
    rest.cancel_algo_order(algo_id=placed.algo_id)
    assert rest.current_all_algo_open_orders(symbol=SYMBOL).data() == []
    rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)
    fired = rest.new_algo_order(**stop, trigger_price=63000).data()
    binance.exchange.shock_price(SYMBOL, share=Decimal("-0.03"))
    rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)  # a trade at the new price
    until(lambda: binance.exchange.position("main", SYMBOL).quantity == Decimal("0.01"))
    assert rest.query_algo_order(algo_id=fired.algo_id).data().algo_status in ("TRIGGERED", "FINISHED")


def test_leverage_modes_and_margin(binance: VenueDoor) -> None:
    rest = binance_sdk(binance).rest_api
    assert rest.change_initial_leverage(symbol=SYMBOL, leverage=9).data().leverage == 9
    assert rest.change_margin_type(symbol=SYMBOL, margin_type="ISOLATED").data().code == 200
    rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.05)
    added = rest.modify_isolated_position_margin(symbol=SYMBOL, amount=50.0, type=1).data()
    assert (added.amount, added.type) == (50.0, 1)
    (position,) = rest.position_information_v3(symbol=SYMBOL).data()
    assert float(position.isolated_wallet) > 50 + 0.05 * 63000 / 9
    (history,) = rest.get_position_margin_change_history(symbol=SYMBOL).data()[-1:]
    assert Decimal(history.amount) == 50
    with pytest.raises(errors.BadRequestError, match="position"):
        rest.change_position_mode(dual_side_position="true")
    with pytest.raises(errors.BadRequestError):
        rest.change_initial_leverage(symbol=SYMBOL, leverage=126)


def test_a_countdown_cancels_everything_unless_it_is_renewed(binance: VenueDoor) -> None:
    rest = binance_sdk(binance).rest_api
    rest.new_order(symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=63000)
    assert rest.auto_cancel_all_open_orders(symbol=SYMBOL, countdown_time=5000).data().countdown_time == "5000"
    time.sleep(0.05)
    assert len(binance.exchange.open_orders("main", None)) == 1
    rest.auto_cancel_all_open_orders(symbol=SYMBOL, countdown_time=100)
    until(lambda: not binance.exchange.open_orders("main", None))


def test_errors_are_raised_as_the_sdks_classes(binance: VenueDoor) -> None:
    rest = binance_sdk(binance).rest_api
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": 63000}
    with pytest.raises(errors.BadRequestError, match="Margin is insufficient"):
        rest.new_order(**order, quantity=50)
    with pytest.raises(errors.BadRequestError, match="Invalid symbol"):
        rest.order_book(symbol="NOPEUSDT")
    with pytest.raises(errors.BadRequestError, match="Signature"):
        binance_sdk(binance, secret="wrong").rest_api.account_information_v3()
    for status, kind in (
        (403, errors.ForbiddenError),
        (418, errors.RateLimitBanError),
        (429, errors.TooManyRequestsError),
        (503, errors.ServerError),
    ):
        binance.faults.add({"kind": "answer", "status": status, "body": '{"code":-1,"msg":"no"}'})
        with pytest.raises(kind):
            rest.check_server_time()
    binance.faults.add({"kind": "lose_answer", "count": 9})
    with pytest.raises(errors.NetworkError):
        rest.check_server_time()
    binance.faults.clear()
    assert rest.check_server_time().data().server_time > 0
