"""Who merges the private streams knows what REST says: orders, executions, positions, wallet, after any trading."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.model.order import Side

from .desk import Desk, Stream

D = Decimal
SAME = (
    *("orderStatus", "cumExecQty", "cumExecValue", "cumExecFee", "avgPrice", "qty", "price", "side", "leavesQty"),
    *("timeInForce", "orderType", "rejectReason", "cancelType", "reduceOnly", "createdTime", "updatedTime"),
)
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


class Merged:
    """What a client holds that follows the streams from the beginning."""

    def __init__(self, stream: Stream) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, list[str]] = {}
        self.executions: dict[str, dict[str, Any]] = {}
        self.positions: dict[int, dict[str, Any]] = {}
        self.wallet: Decimal | None = None
        for frame in stream.peer.read():
            topic = frame.get("topic")
            for row in frame["data"] if topic else ():
                if topic == "order":
                    self.orders[row["orderId"]] = row
                    self.statuses.setdefault(row["orderId"], []).append(row["orderStatus"])
                elif topic == "execution":
                    assert row["execId"] not in self.executions
                    self.executions[row["execId"]] = row
                elif topic == "position":
                    self.positions[row["positionIdx"]] = row
                elif topic == "wallet":
                    self.wallet = D(row["coin"][0]["walletBalance"])


class Trader:
    """Random calls: orders of all kinds, amendments, cancels, and somebody on the other side."""

    def __init__(self, desk: Desk, rng: Random, hedged: bool) -> None:
        self._desk = desk
        self._rng = rng
        self._hedged = hedged

    def act(self) -> None:
        draw = self._rng.random()
        if draw < 0.45:
            self._create()
        elif draw < 0.6:
            self._change("/v5/order/cancel")
        elif draw < 0.7:
            self._change("/v5/order/amend", price=str(self._rng.randrange(63000, 65000)))
        elif draw < 0.9:
            side = self._rng.choice((Side.BUY, Side.SELL))
            self._desk.quote(side, str(self._rng.randrange(63800, 64200)), str(self._rng.randrange(1, 300) / D(1000)))
        elif draw < 0.95:
            self._desk.exchange.force_mark("BTCUSDT", D(self._rng.randrange(63700, 64300)))
        elif draw < 0.97:
            self._desk.post("/v5/order/cancel-all", **LINEAR)
        else:
            leverage = str(self._rng.randrange(5, 20))
            self._desk.post("/v5/position/set-leverage", **LINEAR, buyLeverage=leverage, sellLeverage=leverage)

    def _create(self) -> None:
        rng = self._rng
        side = rng.choice(("Buy", "Sell"))
        fields: dict[str, Any] = {
            **LINEAR,
            "side": side,
            "orderType": rng.choice(("Limit", "Limit", "Market")),
            "qty": str(rng.randrange(1, 300) / D(1000)),
            "price": str(rng.randrange(63800, 64200)),
            "timeInForce": rng.choice(("GTC", "GTC", "IOC", "FOK", "PostOnly")),
        }
        if self._hedged:
            fields["positionIdx"] = rng.choice((1, 2))
        if rng.random() < 0.2:
            rises = rng.random() < 0.5
            trigger = str(64350 if rises else 63650) if rng.random() < 0.5 else str(64100 if rises else 63900)
            fields |= {"triggerPrice": trigger, "triggerDirection": 1 if rises else 2, "triggerBy": "MarkPrice"}
        elif rng.random() < 0.2:
            fields |= {"takeProfit": "65000", "stopLoss": "63000"} if side == "Buy" else {"stopLoss": "65000"}
        elif rng.random() < 0.2:
            fields["reduceOnly"] = True
        self._desk.post("/v5/order/create", **fields)

    def _change(self, path: str, **more: str) -> None:
        rows = self._desk.get("/v5/order/realtime", **LINEAR)["result"]["list"]
        if rows:
            self._desk.post(path, **LINEAR, orderId=self._rng.choice(rows)["orderId"], **more)


def pages(desk: Desk, path: str, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        asked = {**LINEAR, **params, **({"cursor": cursor} if cursor else {})}
        result = desk.get(path, **asked)["result"]
        rows += result["list"]
        cursor = result["nextPageCursor"]
        if not cursor or not result["list"]:
            return rows


@pytest.mark.slow
@pytest.mark.parametrize("hedged", [False, True], ids=["one-way", "hedge"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_merged_streams_are_what_rest_shows(seed: int, hedged: bool) -> None:
    clock, rng = ManualClock(), Random(seed)

    async def main() -> None:
        desk = Desk(clock)
        desk.quote(Side.BUY, "63990", "5")
        desk.quote(Side.SELL, "64010", "5")
        if hedged:
            assert desk.post("/v5/position/switch-mode", **LINEAR, mode=3)["retCode"] == 0
        stream = desk.private("order", "execution", "position", "wallet")
        trader = Trader(desk, rng, hedged)
        for _ in range(300):
            trader.act()
            await asyncio.sleep(rng.choice((0.05, 0.11, 0.2)))
        await asyncio.sleep(1.5)
        merged = Merged(stream)
        known = {row["orderId"]: row for row in pages(desk, "/v5/order/history", limit=50)}
        known |= {row["orderId"]: row for row in pages(desk, "/v5/order/realtime", limit=50)}
        await asyncio.sleep(1)
        assert len(known) > 80
        assert merged.orders.keys() == known.keys()
        for order_id, row in known.items():
            told = merged.orders[order_id]
            # How much a stop of the whole position would close is a matter of the moment.
            names = SAME if row["stopOrderType"] in ("", "Stop") else (*SAME[:5], "price", "side")
            assert {name: told[name] for name in names} == {name: row[name] for name in names}, merged.statuses[
                order_id
            ]
            if "Filled" in merged.statuses[order_id]:
                assert set(merged.statuses[order_id][merged.statuses[order_id].index("Filled") :]) == {"Filled"}
        executions = pages(desk, "/v5/execution/list", limit=100)
        assert merged.executions.keys() == {row["execId"] for row in executions}
        for row in executions:
            told = merged.executions[row["execId"]]
            assert all(told[name] == row[name] for name in ("execQty", "execPrice", "execFee", "closedSize", "seq"))
        by_order: dict[str, Decimal] = {}
        for row in merged.executions.values():
            by_order[row["orderId"]] = by_order.get(row["orderId"], D(0)) + D(row["execQty"])
        assert by_order == {key: D(row["cumExecQty"]) for key, row in merged.orders.items() if D(row["cumExecQty"])}
        for row in desk.get("/v5/position/list", **LINEAR)["result"]["list"]:
            told = merged.positions[row["positionIdx"]]
            assert (told["side"], told["size"]) == (row["side"], row["size"])
            assert D(told["entryPrice"]) == D(row["avgPrice"] or "0")
            assert (told["cumRealisedPnl"], told["leverage"]) == (row["cumRealisedPnl"], row["leverage"])
        assert merged.wallet == desk.exchange.wallet("main")["USDT"]
        assert stream.peer.accounts == {"", "main"}
        desk.dialect.close()
        desk.exchange.close()

    clock.run(main())
