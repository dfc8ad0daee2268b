"""Every REST call of Bybit's own Python client that is about linear contracts, unmodified, on the embedded exchange."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from tests.real_clients.clients import load

from perpwire.simulator.server import running
from perpwire.simulator.simulation import Simulation

pybit_http = load("pybit._http_manager")
unified_trading = load("pybit.unified_trading")
from pybit.exceptions import InvalidRequestError  # noqa: E402

pytestmark = pytest.mark.slow

D = Decimal
CATEGORY = {"category": "linear"}
LINEAR = {**CATEGORY, "symbol": "BTCUSDT"}
BUY = {**LINEAR, "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "60000"}

MARKET: tuple[tuple[str, dict[str, Any], str], ...] = (
    # method, arguments, what the result has
    ("get_server_time", {}, "timeNano"),
    ("get_kline", {**LINEAR, "interval": "1"}, "list"),
    ("get_mark_price_kline", {**LINEAR, "interval": "5"}, "list"),
    ("get_index_price_kline", {**LINEAR, "interval": "60"}, "list"),
    ("get_premium_index_price_kline", {**LINEAR, "interval": "D"}, "list"),
    ("get_instruments_info", CATEGORY, "list"),
    ("get_orderbook", LINEAR, "b"),
    ("get_rpi_orderbook", {**LINEAR, "limit": 10}, "b"),
    ("get_tickers", CATEGORY, "list"),
    ("get_funding_rate_history", LINEAR, "list"),
    ("get_public_trade_history", LINEAR, "list"),
    ("get_open_interest", {**LINEAR, "intervalTime": "5min"}, "list"),
    ("get_insurance", {}, "list"),
    ("get_risk_limit", CATEGORY, "list"),
    ("get_long_short_ratio", {**LINEAR, "period": "1h"}, "list"),
    ("get_price_limit", LINEAR, "buyLmt"),
    ("get_adl_alert", {}, "list"),
    ("get_index_price_components", {"indexName": "BTCUSDT"}, "components"),
    ("get_fee_group_info", {"productType": "contract"}, "list"),
    ("get_announcement", {"locale": "en-US"}, "list"),
    ("get_system_status", {}, "list"),
)

ACCOUNT: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("get_wallet_balance", {"accountType": "UNIFIED"}, "list"),
    ("get_transferable_amount", {"coinName": "USDT"}, "availableWithdrawal"),
    ("get_account_info", {}, "marginMode"),
    ("get_fee_rates", CATEGORY, "list"),
    ("get_transaction_log", {}, "list"),
    ("get_collateral_info", {}, "list"),
    ("get_user_setting_config", {}, "lpaPerp"),
    ("set_limit_price_action", {**CATEGORY, "modifyEnable": True}, ""),
    ("set_delta_mode", {"deltaEnable": "0"}, ""),
    ("get_smp_group", {}, "smpGroup"),
    ("get_api_key_information", {}, "userID"),
    ("sign_agreement", {"agree": True, "categoryV2": 1}, ""),
    ("get_usdc_contract_settlement", CATEGORY, "list"),
    ("get_account_instruments_info", CATEGORY, "list"),
    ("get_coin_info", {}, "rows"),
    ("set_dcp", {"product": "DERIVATIVES", "timeWindow": 40}, ""),
    ("query_dcp_info", {}, "dcpInfos"),
    ("get_api_rate_limit", {"uids": "1"}, "list"),
    ("get_all_api_rate_limits", {}, "list"),
    ("get_api_rate_limit_cap", {}, "list"),
    ("get_positions", LINEAR, "list"),
    ("get_open_orders", LINEAR, "list"),
    ("get_order_history", CATEGORY, "list"),
    ("get_executions", CATEGORY, "list"),
    ("get_closed_pnl", CATEGORY, "list"),
    ("get_move_position_history", {}, "list"),
    ("confirm_new_risk_limit", LINEAR, ""),
    ("set_risk_limit", {**LINEAR, "riskId": 1}, "riskId"),
    ("set_tp_sl_mode", {**LINEAR, "tpSlMode": "Full"}, "tpSlMode"),
)


@pytest_asyncio.fixture
async def simulation(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulation]:
    async with running(venues=("bybit",), seed=11, latency_s=0.002) as simulation:
        monkeypatch.setattr(pybit_http, "HTTP_URL", simulation.urls["bybit"])
        yield simulation


async def in_thread(work: Callable[[Any], Any]) -> Any:
    """Run a script against the client in a thread of its own: pybit blocks."""

    def run() -> Any:
        client = unified_trading.HTTP(api_key="sim-key", api_secret="sim-secret")
        try:
            return work(client)
        finally:
            client.client.close()

    return await asyncio.to_thread(run)


def until(check: Callable[[], Any]) -> Any:
    """Ask until the answer is something: orders are matched a moment after they are acknowledged."""
    for _ in range(40):
        found = check()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never happened")


@pytest.mark.parametrize("calls", [MARKET, ACCOUNT], ids=["market", "account"])
async def test_every_reading_call_is_served(simulation: Simulation, calls: tuple[Any, ...]) -> None:
    def script(client: Any) -> None:
        for method, arguments, member in calls:
            answer = getattr(client, method)(**arguments)
            assert answer["retCode"] == 0, (method, answer)
            assert not member or member in answer["result"], (method, answer)

    await in_thread(script)


async def test_orders_alone_and_in_batches(simulation: Simulation) -> None:
    def script(client: Any) -> None:
        check = client.pre_check_order(**BUY)["result"]
        assert check["postImrE4"] >= check["preImrE4"]
        items = [{**BUY, "price": str(60000 + number), "orderLinkId": f"n{number}"} for number in range(3)]
        placed = client.place_batch_order(**CATEGORY, request=[*items, {**BUY, "qty": "x"}])
        assert [one["code"] for one in placed["retExtInfo"]["list"]] == [0, 0, 0, 10001]
        assert len(until(lambda: client.get_open_orders(**LINEAR)["result"]["list"])) == 3
        named = [{"symbol": "BTCUSDT", "orderLinkId": f"n{number}"} for number in range(2)]
        amended = client.amend_batch_order(**CATEGORY, request=[{**one, "qty": "0.02"} for one in named])
        assert [one["code"] for one in amended["retExtInfo"]["list"]] == [0, 0]
        until(lambda: client.get_open_orders(**LINEAR, orderLinkId="n0")["result"]["list"][0]["qty"] == "0.02")
        gone = client.cancel_batch_order(**CATEGORY, request=named)
        assert [one["code"] for one in gone["retExtInfo"]["list"]] == [0, 0]
        until(lambda: len(client.get_open_orders(**LINEAR)["result"]["list"]) == 1)
        stop = client.place_order(
            **{**BUY, "orderType": "Market", "price": None}, triggerPrice="90000", triggerDirection=1
        )["result"]
        until(lambda: client.get_open_orders(**LINEAR, orderFilter="StopOrder")["result"]["list"])
        client.amend_order(**LINEAR, orderId=stop["orderId"], triggerPrice="95000")
        (row,) = until(
            lambda: [
                one
                for one in client.get_open_orders(**LINEAR, orderId=stop["orderId"])["result"]["list"]
                if one["triggerPrice"] == "95000"
            ]
        )
        assert row["orderStatus"] == "Untriggered"
        cancelled = client.cancel_all_orders(**LINEAR)["result"]
        assert len(cancelled["list"]) == 2
        until(lambda: not client.get_open_orders(**CATEGORY, settleCoin="USDT")["result"]["list"])

    await in_thread(script)


async def test_positions_with_stops_and_modes(simulation: Simulation) -> None:
    def script(client: Any) -> None:
        client.set_leverage(**LINEAR, buyLeverage="20", sellLeverage="20")
        with pytest.raises(InvalidRequestError) as caught:
            client.set_leverage(**LINEAR, buyLeverage="20", sellLeverage="20")
        assert caught.value.status_code == 110043
        client.place_order(**LINEAR, side="Buy", orderType="Market", qty="0.1", takeProfit="90000")
        until(lambda: client.get_positions(**CATEGORY, settleCoin="USDT")["result"]["list"])
        until(lambda: client.get_positions(**LINEAR)["result"]["list"][0]["takeProfit"] == "90000")
        client.set_trading_stop(**LINEAR, tpslMode="Full", positionIdx=0, stopLoss="30000", trailingStop="5000")
        (row,) = client.get_positions(**LINEAR)["result"]["list"]
        assert (row["stopLoss"], row["trailingStop"], row["leverage"]) == ("30000", "5000", "20")
        client.set_margin_mode(setMarginMode="ISOLATED_MARGIN")
        client.set_auto_add_margin(**LINEAR, autoAddMargin=1, positionIdx=0)
        added = client.add_or_reduce_margin(**LINEAR, margin="25", positionIdx=0)["result"]
        assert D(added["positionIM"]) > 25
        with pytest.raises(InvalidRequestError) as caught:
            client.switch_position_mode(**LINEAR, mode=3)
        assert caught.value.status_code in (110024, 110028)
        client.place_order(**LINEAR, side="Sell", orderType="Market", qty="0.1", reduceOnly=True)
        until(lambda: not client.get_positions(**CATEGORY, settleCoin="USDT")["result"]["list"])
        until(lambda: not client.get_open_orders(**LINEAR)["result"]["list"])  # the stops are cleared with it
        (closed,) = client.get_closed_pnl(**LINEAR)["result"]["list"]
        assert closed["closedSize"] == "0.1"
        client.switch_position_mode(**LINEAR, mode=3)
        assert [row["positionIdx"] for row in client.get_positions(**LINEAR)["result"]["list"]] == [1, 2]
        log = client.get_transaction_log(category="linear", currency="USDT")["result"]["list"]
        assert sum(D(row["change"]) for row in log) == D(log[0]["cashBalance"]) - 100000

    await in_thread(script)
    assert simulation.exchanges["bybit"].positions("main") == []


async def test_calls_of_other_times_are_refused_with_the_venues_codes(simulation: Simulation) -> None:
    def script(client: Any) -> list[int]:
        codes = []
        for method, arguments in (
            ("switch_margin_mode", {**LINEAR, "tradeMode": 1, "buyLeverage": "10", "sellLeverage": "10"}),
            ("move_position", {"fromUid": "1", "toUid": "2", "list": []}),
            ("set_margin_mode", {"setMarginMode": "PORTFOLIO_MARGIN"}),
        ):
            with pytest.raises(InvalidRequestError) as caught:
                getattr(client, method)(**arguments)
            codes.append(caught.value.status_code)
        return codes

    assert await in_thread(script) == [100028, 10005, 3400045]
