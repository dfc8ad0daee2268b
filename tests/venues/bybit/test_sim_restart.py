"""What REST shows is the same after a restart: orders with all that is said of them, stops, modes, settings, logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perpwire.clock import ManualClock
from perpwire.model.order import Side
from perpwire.simulator.store import Store

from .desk import Desk, moment

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
SHOWN: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v5/order/realtime", LINEAR),
    ("/v5/order/history", {"category": "linear"}),
    ("/v5/execution/list", {"category": "linear"}),
    ("/v5/position/closed-pnl", {"category": "linear"}),
    ("/v5/position/symbol-info", {"category": "linear"}),
    ("/v5/account/transaction-log", {}),
    ("/v5/account/user-setting-config", {}),
    ("/v5/account/query-dcp-info", {}),
    ("/v5/account/info", {}),
    ("/v5/apilimit/query-all", {}),
)


async def trade(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500", orderLinkId="in", takeProfit="66000", stopLoss="62000")
    await moment()
    desk.create(side="Sell", orderType="Market", qty="0.200", orderLinkId="out")
    desk.create(orderLinkId="gone", timeInForce="PostOnly", price="64010")
    desk.create(orderLinkId="open", price="62500", takeProfit="70000", smpType="CancelMaker", tpslMode="Partial")
    desk.create(orderType="Market", price=None, triggerPrice="65000", triggerDirection=1, orderLinkId="stop")
    desk.post("/v5/position/trading-stop", **LINEAR, tpslMode="Full", trailingStop="500", positionIdx=0)
    desk.post("/v5/account/set-limit-px-action", category="linear", modifyEnable=False)
    desk.post("/v5/order/disconnected-cancel-all", product="DERIVATIVES", timeWindow=40)
    desk.post("/v5/position/switch-mode", category="linear", symbol="ETHUSDT", mode=3)
    desk.post("/v5/position/set-leverage", category="linear", symbol="SOLUSDT", buyLeverage="7", sellLeverage="7")
    uid = str(desk.get("/v5/user/query-api")["result"]["userID"])
    desk.post("/v5/apilimit/set", list=[{"uids": uid, "bizType": "DERIVATIVES", "rate": 30}])
    await moment()


def shown(desk: Desk) -> dict[str, Any]:
    answers = {path: desk.get(path, **asked)["result"] for path, asked in SHOWN}
    (position,) = desk.get("/v5/position/list", **LINEAR)["result"]["list"]
    names = ("size", "side", "avgPrice", "takeProfit", "stopLoss", "trailingStop", "curRealisedPnl", "seq", "openTime")
    (wallet,) = desk.get("/v5/account/wallet-balance", accountType="UNIFIED")["result"]["list"]
    return {**answers, "position": {name: position[name] for name in names}, "cash": wallet["totalWalletBalance"]}


def test_a_restart_changes_nothing_that_rest_shows(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    async def first(clock: ManualClock) -> None:
        desk = Desk(clock, store=Store(tmp_path / "state", "bybit"))
        await trade(desk)
        seen.append(shown(desk))
        desk.dialect.close()
        desk.exchange.close()

    async def second(clock: ManualClock) -> None:
        desk = Desk(clock, store=Store(tmp_path / "state", "bybit"))
        seen.append(shown(desk))
        # What the account had chosen and what waited goes on being so.
        assert desk.create(price="65000", orderLinkId="open")["retCode"] == 110121
        assert desk.create(price="62000", orderLinkId="open")["retCode"] == 110072
        desk.quote(Side.BUY, "61900", "1")
        assert len(desk.exchange.open_triggers("main", None)) == 4
        desk.dialect.close()
        desk.exchange.close()

    for number, life in enumerate((first, second)):
        clock = ManualClock((1_790_000_000 + 10 * number) * 10**9)
        clock.run(life(clock))
    before, after = seen
    assert len(before["/v5/order/realtime"]["list"]) == 5
    for name, value in before.items():
        assert after[name] == value, name
