"""pybit, Bybit's own Python client, over REST: unmodified but for its addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.real_clients.clients import KEY, SECRET, SYMBOL, load, pybit_at, until

from perpwire.pytest_plugin import ExchangeFactory
from perpwire.threaded import VenueDoor

pytestmark = pytest.mark.slow

exceptions = load("pybit.exceptions")

D = Decimal
LINEAR = {"category": "linear", "symbol": SYMBOL}
ONE_MINUTE = {**LINEAR, "interval": "1", "limit": 3}
ETHER = {"category": "linear", "symbol": "ETHUSDT"}

CALLS: dict[str, tuple[dict[str, Any], str]] = {
    # Method: its arguments, and a key of the result that must hold something ("" where it may be empty).
    "get_server_time": ({}, "timeNano"),
    "get_kline": (ONE_MINUTE, "list"),
    "get_mark_price_kline": (ONE_MINUTE, "list"),
    "get_index_price_kline": (ONE_MINUTE, "list"),
    "get_premium_index_price_kline": (ONE_MINUTE, "list"),
    "get_instruments_info": (LINEAR, "list"),
    "get_orderbook": ({**LINEAR, "limit": 50}, "b"),
    "get_rpi_orderbook": ({**LINEAR, "limit": 20}, "b"),
    "get_tickers": (LINEAR, "list"),
    "get_funding_rate_history": (LINEAR, "list"),
    "get_public_trade_history": (LINEAR, "list"),
    "get_open_interest": ({**LINEAR, "intervalTime": "5min"}, "list"),
    "get_insurance": ({}, "list"),
    "get_risk_limit": (LINEAR, "list"),
    "get_long_short_ratio": ({**LINEAR, "period": "5min"}, "list"),
    "get_price_limit": (LINEAR, "buyLmt"),
    "get_adl_alert": ({"symbol": SYMBOL}, "list"),
    "get_index_price_components": ({"indexName": SYMBOL}, "components"),
    "get_system_status": ({}, ""),
    "get_wallet_balance": ({"accountType": "UNIFIED"}, "list"),
    "get_transferable_amount": ({"coinName": "USDT"}, "availableWithdrawal"),
    "get_account_info": ({}, "marginMode"),
    "get_account_instruments_info": (LINEAR, "list"),
    "get_api_key_information": ({}, "apiKey"),
    "get_coin_info": ({}, ""),
    "get_collateral_info": ({}, "list"),
    "get_fee_rates": (LINEAR, "list"),
    "get_smp_group": ({}, ""),
    "get_user_setting_config": ({}, ""),
    "get_transaction_log": ({"category": "linear"}, "list"),
    "get_positions": (LINEAR, "list"),
    "get_executions": (LINEAR, "list"),
    "get_closed_pnl": (LINEAR, "list"),
    "get_move_position_history": ({}, ""),
    "get_open_orders": (LINEAR, "list"),
    "get_order_history": (LINEAR, "list"),
    "pre_check_order": ({**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.02", "price": "63000"}, "preImrE4"),
    "set_dcp": ({"timeWindow": 10}, ""),
    "cancel_all_orders": (ETHER, ""),
}


@pytest.fixture
def client(bybit: VenueDoor) -> Iterator[Any]:
    with pybit_at(bybit) as unified:
        client = unified.HTTP(api_key=KEY, api_secret=SECRET)
        yield client
        client.client.close()


@pytest.fixture(scope="module")
def traded(perpwire_exchange_factory: ExchangeFactory) -> Iterator[Any]:
    """A client whose account has bought, sold half of it again, and has an order open."""
    with (
        perpwire_exchange_factory(venues=["bybit"], seed=3, latency_s=0.001, rate=50) as exchange,
        pybit_at(exchange.bybit) as unified,
    ):
        client = unified.HTTP(api_key=KEY, api_secret=SECRET)
        client.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.02")
        until(lambda: exchange.bybit.exchange.position("main", SYMBOL).quantity)
        client.place_order(**LINEAR, side="Sell", orderType="Market", qty="0.01")
        client.place_order(**LINEAR, side="Buy", orderType="Limit", qty="0.01", price="63000")
        until(lambda: exchange.bybit.exchange.open_orders("main", None))
        yield client
        client.client.close()


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_answered(traded: Any, name: str) -> None:
    arguments, key = CALLS[name]
    answer = getattr(traded, name)(**arguments)
    assert (answer["retCode"], answer["retMsg"]) in ((0, "OK"), (0, "success"), (0, ""), (0, "SUCCESS"))
    assert {"result", "retExtInfo", "time"} <= set(answer)
    if key:
        assert answer["result"][key]


def test_a_limit_order_from_placing_to_cancelling(client: Any, bybit: VenueDoor) -> None:
    order = {"side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "63000", "orderLinkId": "mine"}
    ids = client.place_order(**LINEAR, **order)["result"]
    by_id = {**LINEAR, "orderId": ids["orderId"]}
    (found,) = until(lambda: client.get_open_orders(**by_id)["result"]["list"])
    assert (found["orderStatus"], found["orderLinkId"], found["qty"]) == ("New", "mine", "0.01")
    client.amend_order(**by_id, price="62000")
    until(lambda: client.get_open_orders(**LINEAR, orderLinkId="mine")["result"]["list"][0]["price"] == "62000")
    assert client.cancel_order(**by_id)["result"]["orderId"] == ids["orderId"]
    until(lambda: not client.get_open_orders(**LINEAR, openOnly=0)["result"]["list"])
    (past,) = client.get_order_history(**by_id)["result"]["list"]
    assert past["orderStatus"] == "Cancelled"
    assert bybit.exchange.open_orders("main", None) == []


def test_a_market_order_changes_the_position(client: Any, bybit: VenueDoor) -> None:
    client.set_leverage(**LINEAR, buyLeverage="5", sellLeverage="5")
    client.place_order(**LINEAR, side="Sell", orderType="Market", qty="0.02")
    (position,) = until(lambda: client.get_positions(category="linear", settleCoin="USDT")["result"]["list"])
    assert (position["side"], position["size"], position["leverage"]) == ("Sell", "0.02", "5")
    executions = client.get_executions(**LINEAR)["result"]["list"]
    assert sum(D(row["execQty"]) for row in executions) == D("0.02")
    paid = sum(D(row["execFee"]) for row in executions)
    assert bybit.exchange.wallet("main")["USDT"] == 100000 - paid
    client.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.02", reduceOnly=True)
    (closed,) = until(lambda: client.get_closed_pnl(**LINEAR)["result"]["list"])
    assert (closed["side"], closed["qty"]) == ("Buy", "0.02")
    assert D(closed["closedPnl"]) == bybit.exchange.wallet("main")["USDT"] - 100000


def test_batches_with_errors_item_by_item(client: Any, bybit: VenueDoor) -> None:
    order = {"symbol": SYMBOL, "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    prices = ("63000", "62000", "62000.05")
    answer = client.place_batch_order(category="linear", request=[{**order, "price": price} for price in prices])
    assert [one["code"] == 0 for one in answer["retExtInfo"]["list"]] == [True, True, False]
    first, second, _ = answer["result"]["list"]
    until(lambda: len(bybit.exchange.open_orders("main", None)) == 2)
    changes = [{"symbol": SYMBOL, "orderId": one["orderId"], "qty": "0.03"} for one in (first, second)]
    amended = client.amend_batch_order(category="linear", request=changes)
    assert [one["code"] for one in amended["retExtInfo"]["list"]] == [0, 0]
    until(lambda: {one.quantity for one in bybit.exchange.open_orders("main", None)} == {D("0.03")})
    gone = [{"symbol": SYMBOL, "orderId": first["orderId"]}, {"symbol": SYMBOL, "orderId": "nonsense"}]
    cancelled = client.cancel_batch_order(category="linear", request=gone)
    assert [one["code"] for one in cancelled["retExtInfo"]["list"]] == [0, 110001]
    until(lambda: len(bybit.exchange.open_orders("main", None)) == 1)
    assert client.cancel_all_orders(**LINEAR)["result"]["list"][0]["orderId"] == second["orderId"]
    until(lambda: not bybit.exchange.open_orders("main", None))


def test_a_conditional_order_waits_and_is_cancelled(client: Any, bybit: VenueDoor) -> None:
    stop = {"side": "Buy", "orderType": "Market", "qty": "0.01", "triggerPrice": "70000", "triggerDirection": 1}
    placed = client.place_order(**LINEAR, **stop)["result"]["orderId"]
    (waiting,) = until(lambda: client.get_open_orders(**LINEAR, orderFilter="StopOrder")["result"]["list"])
    assert (waiting["orderStatus"], waiting["triggerPrice"], waiting["stopOrderType"]) == (
        "Untriggered", "70000", "Stop",
    )  # fmt: skip
    client.amend_order(**LINEAR, orderId=placed, triggerPrice="71000")
    until(lambda: bybit.exchange.open_triggers("main", None)[0].intent.trigger_price == 71000)
    client.cancel_order(**LINEAR, orderId=placed)
    until(lambda: not bybit.exchange.open_triggers("main", None))


def test_a_trading_stop_ends_the_position(client: Any, bybit: VenueDoor) -> None:
    client.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.02")
    until(lambda: bybit.exchange.position("main", SYMBOL).quantity)
    client.set_trading_stop(**LINEAR, takeProfit="70000", stopLoss="62000", positionIdx=0)
    (position,) = client.get_positions(**LINEAR)["result"]["list"]
    assert (position["takeProfit"], position["stopLoss"]) == ("70000", "62000")
    bybit.exchange.shock_price(SYMBOL, share=D("-0.04"))
    client.place_order(**LINEAR, side="Sell", orderType="Market", qty="0.001")  # a trade at the new price
    until(lambda: bybit.exchange.position("main", SYMBOL).quantity <= 0)
    assert bybit.exchange.open_triggers("main", None) == []


def test_modes_and_margin(client: Any, bybit: VenueDoor) -> None:
    client.switch_position_mode(**ETHER, mode=3)
    assert bybit.exchange.is_hedge("main", "ETHUSDT") is True
    for side, index in (("Buy", 1), ("Sell", 2)):
        client.place_order(**ETHER, side=side, orderType="Market", qty="0.1", positionIdx=index)
    rows = until(
        lambda: (
            (found := client.get_positions(**ETHER)["result"]["list"])
            and all(D(row["size"]) for row in found)
            and found
        )
    )
    assert {(row["positionIdx"], row["side"], row["size"]) for row in rows} == {(1, "Buy", "0.1"), (2, "Sell", "0.1")}
    client.set_margin_mode(setMarginMode="ISOLATED_MARGIN")
    assert client.get_account_info()["result"]["marginMode"] == "ISOLATED_MARGIN"
    client.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.02")
    until(lambda: bybit.exchange.position("main", SYMBOL).quantity)
    before = D(client.get_positions(**LINEAR)["result"]["list"][0]["liqPrice"])
    client.add_or_reduce_margin(**LINEAR, margin="100")
    assert D(client.get_positions(**LINEAR)["result"]["list"][0]["liqPrice"]) < before - 4000
    client.set_auto_add_margin(**LINEAR, autoAddMargin=1)
    assert client.get_positions(**LINEAR)["result"]["list"][0]["autoAddMargin"] == 1


def refusal(call: Callable[..., Any], **fields: Any) -> int:
    """The venue's code with which the call is refused."""
    with pytest.raises(exceptions.InvalidRequestError) as caught:
        call(**fields)
    code: int = caught.value.status_code
    return code


def test_refusals_are_raised_with_the_venues_codes(client: Any) -> None:
    order = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "63000"}
    wrong = ({"qty": "50"}, {"price": "63000.05"}, {"symbol": "NOPE"}, {"reduceOnly": True}, {"qty": "9999"})
    codes = [refusal(client.place_order, **{**order, **fields}) for fields in wrong]
    assert codes == [110007, 10001, 10001, 110017, 10001]
    assert refusal(client.cancel_order, **LINEAR, orderLinkId="never") == 110001
    leverage = client.get_positions(**LINEAR)["result"]["list"][0]["leverage"]
    assert refusal(client.set_leverage, **LINEAR, buyLeverage=leverage, sellLeverage=leverage) == 110043
    assert refusal(client.get_kline, **LINEAR, interval="7") == 10001
    client.api_secret = "wrong"
    assert refusal(client.get_account_info) == 10004
    client.api_key = "nobody"
    assert refusal(client.get_account_info) == 10003


def test_a_wrong_clock_is_retried_and_then_raised(client: Any, bybit: VenueDoor) -> None:
    client.retry_delay = 0
    bybit.faults.add({"kind": "skew", "seconds": 60})
    after = bybit.journal.last
    with pytest.raises((exceptions.FailedRequestError, exceptions.InvalidRequestError)):
        client.get_account_info()
    asked = [one for one in bybit.journal.entries(after=after, kind="request") if "/v5/account/info" in one.text]
    assert len(asked) >= 3


def test_http_trouble_is_raised(client: Any, bybit: VenueDoor) -> None:
    for status in (403, 500, 503):
        bybit.faults.add({"kind": "answer", "status": status, "count": 9})
        with pytest.raises(exceptions.FailedRequestError):
            client.get_tickers(**LINEAR)
        bybit.faults.clear()
    assert client.get_tickers(**LINEAR)["retCode"] == 0
