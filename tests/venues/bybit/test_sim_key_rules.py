"""What a key may do, contracts that do not trade, and what a restart must not lose."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.model.order import Side
from perpwire.simulator.store import Store

from .desk import Desk, at_desk, moment

LIMIT = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "63000"}


def code(desk: Desk, **asked: Any) -> int:
    answer: int = desk.create(**asked)["retCode"]
    return answer


@at_desk
async def test_a_key_that_only_reads_changes_nothing(desk: Desk) -> None:
    assert desk.get("/v5/user/query-api")["result"]["readOnly"] == 0
    desk.exchange.set_setting("main", "key_read_only", "1")
    assert code(desk) == 10005
    assert desk.post("/v5/account/set-delta-mode", deltaEnable="1")["retCode"] == 10005
    assert desk.get("/v5/user/query-api")["result"]["readOnly"] == 1


@at_desk
async def test_a_key_may_be_bound_to_addresses(desk: Desk) -> None:
    desk.exchange.set_setting("main", "key_ips", "10.0.0.1,10.0.0.2")
    query = "category=linear&symbol=BTCUSDT"
    codes = {
        address: json.loads(desk.send("GET", "/v5/position/list", query, address=address).body)["retCode"]
        for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    }
    assert codes == {"10.0.0.1": 0, "10.0.0.2": 0, "10.0.0.3": 10010}
    desk.exchange.set_setting("main", "key_ips", "127.0.0.1")
    assert desk.get("/v5/user/query-api")["result"]["ips"] == ["127.0.0.1"]


@at_desk
async def test_a_key_may_be_for_some_contracts_only(desk: Desk) -> None:
    desk.exchange.set_setting("main", "key_symbols", "ETHUSDT")
    assert code(desk) == 10029
    assert code(desk, symbol="ETHUSDT", price="2900", qty="0.1") == 0
    answer = desk.post("/v5/order/create-batch", category="linear", request=[LIMIT])
    assert answer["retCode"] == 10029
    assert desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["retCode"] == 0


@at_desk
async def test_a_key_expires(desk: Desk) -> None:
    desk.exchange.set_setting("main", "key_expires_ms", str(desk.exchange.now_ms() + 36 * 3600 * 1000))
    key = desk.get("/v5/user/query-api")["result"]
    assert (key["deadlineDay"], key["expiredAt"][-1], key["expiredAt"][10]) == (2, "Z", "T")
    assert code(desk) == 0
    await moment(36 * 3600)
    assert code(desk) == 33004


@at_desk
async def test_a_contract_that_does_not_trade_takes_no_orders(desk: Desk) -> None:
    order_id = desk.create()["result"]["orderId"]
    await moment()
    desk.exchange.set_trading("BTCUSDT", False)
    assert code(desk) == 110074
    assert desk.get("/v5/market/instruments-info", category="linear", status="Closed")["result"]["list"] != []
    names = [row["symbol"] for row in desk.get("/v5/market/instruments-info", category="linear")["result"]["list"]]
    assert names == ["ETHUSDT", "SOLUSDT"]
    named = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id}
    assert desk.post("/v5/order/cancel", **named)["retCode"] == 0
    desk.exchange.set_trading("BTCUSDT", True)
    assert code(desk) == 0


@pytest.mark.parametrize("mode", ["Full", "Partial"])
def test_a_crash_right_after_a_fill_does_not_lose_its_stops(mode: str, tmp_path: Path) -> None:
    def stops(desk: Desk) -> list[int]:
        found = desk.exchange.open_triggers("main", None)
        return sorted(int(one.intent.trigger_price or 0) for one in found)

    async def first(desk: Desk) -> None:
        desk.quote(Side.SELL, "64010")
        desk.create(qty="0.100", price="64010", takeProfit="65000", stopLoss="63000", tpslMode=mode)
        desk.dialect.close()  # it hears nothing of what comes now
        await moment()
        assert desk.exchange.positions("main") != []
        assert stops(desk) == []

    async def later(desk: Desk) -> None:
        assert stops(desk) == [63000, 65000]
        desk.dialect.close()

    for number, life in enumerate((first, later, later)):  # a further restart adds nothing
        clock = ManualClock((1_790_000_000 + 100 * number) * 10**9)

        async def main(life: Callable[[Desk], Awaitable[None]] = life, clock: ManualClock = clock) -> None:
            desk = Desk(clock, store=Store(tmp_path / "state", "bybit"))
            try:
                await life(desk)
            finally:
                desk.exchange.close()

        clock.run(main())
