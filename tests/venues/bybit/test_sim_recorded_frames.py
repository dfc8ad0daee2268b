"""Frames that were recorded or documented, beside those that the simulator sends: the same keys and JSON types.

Where the two differ, the difference stands in DIFFERENCES with its reason; one that is not there fails the test, and so
does one that is there and no longer true.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from perpwire.clock import ManualClock
from perpwire.model.order import Side
from perpwire.venues.bybit.signing import sign_login

from .desk import KEYS, Desk, FakePeer, Stream, moment

pytestmark = pytest.mark.fixtures

Live = dict[str, list[Any]]
"""Topic, or a name for a control frame -> what the simulator sent."""


# --- what the simulator sends -----------------------------------------------------------------------------------------


@cache
def live() -> Live:
    """The frames of a few seconds with an order of each kind."""
    found: Live = {}

    async def main(desk: Desk) -> None:
        for price in range(63990, 63940, -1):
            desk.quote(Side.BUY, str(price), "0.6")
            desk.quote(Side.SELL, str(128000 - price), "0.6")
        stream = Stream(desk, "/v5/public/linear")
        found["subscribe"] = [stream.say(op="subscribe", args=["tickers.BTCUSDT"], req_id="sub-orderbook-1")]
        stream.subscribe("publicTrade.BTCUSDT", "orderbook.1.BTCUSDT", "orderbook.50.BTCUSDT", "kline.5.BTCUSDT")
        stream.subscribe("allLiquidation.BTCUSDT")
        private = desk.private("order", "execution", "execution.fast", "position", "wallet")
        found["auth"] = [private.peer.read("")[0]]
        found["pong"] = [private.say(op="ping")]
        found["no subscribe"] = [private.say(op="subscribe", args=["invalid.topic.BTCUSDT"])]
        desk.create(orderType="Market", qty="0.500", orderLinkId="link")
        await asyncio.sleep(0.2)
        desk.create(side="Sell", orderType="Market", qty="0.500")
        await asyncio.sleep(0.2)
        stop: dict[str, Any]
        for direction, trigger in ((1, "70000"), (2, "60000")):
            for kind in ("Market", "Limit"):
                stop = {"triggerPrice": trigger, "triggerDirection": direction, "triggerBy": "LastPrice"}
                desk.create(side="Buy" if direction == 1 else "Sell", orderType=kind, **stop)
        for _ in range(2):  # one of them is more than the account can pay for
            desk.create(qty="8")
        await moment()
        desk.exchange.cancel_all("main", None)
        await moment()
        await asyncio.sleep(1)  # the account has ten orders a second
        desk.create(orderLinkId="resting")
        await moment()
        trade(desk)
        desk.create(orderType="Market", qty="9")
        await moment()
        desk.exchange.force_mark("BTCUSDT", Decimal(50000))
        await asyncio.sleep(1)
        for peer in (stream.peer, private.peer):
            for topic, text in peer.frames:
                if topic:
                    found.setdefault(topic, []).append(json.loads(text))

    def trade(desk: Desk) -> None:
        peer = FakePeer()
        socket = desk.dialect.open_socket("/v5/trade", "", peer)
        expires = desk.exchange.now_ms() + 1000

        def say(command: dict[str, Any]) -> Any:
            socket.on_text(json.dumps(command).encode())
            return json.loads(peer.frames[-1][1])

        found["no trade auth"] = [say({"op": "auth", "args": ["nobody", expires, "x"]})]
        say({"op": "auth", "args": [KEYS.api_key, expires, sign_login(KEYS, expires)]})
        order = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "resting"}
        new = {**order, "orderLinkId": "", "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "60000"}
        header = {"X-BAPI-TIMESTAMP": str(desk.exchange.now_ms())}
        for number, (op, args) in enumerate(
            (("order.create", new), ("order.amend", {**order, "price": "62000"}), ("order.cancel", order))
        ):
            found[op] = [say({"reqId": str(number), "header": header, "op": op, "args": [args]})]
            assert found[op][0]["retCode"] == 0

    clock = ManualClock()

    async def run() -> None:
        desk = Desk(clock)
        try:
            await main(desk)
        finally:
            desk.dialect.close()
            desk.exchange.close()

    clock.run(run())
    return found


def frame(name: str, kind: str = "") -> Callable[[], Any]:
    """The first of these frames; `kind` is its type."""
    return lambda: next(one for one in live()[name] if kind in ("", one.get("type")))


def row(name: str, **wanted: Any) -> Callable[[], Any]:
    """A frame with one row, which has these values."""

    def find() -> Any:
        for one in live()[name]:
            for data in one["data"]:
                if wanted.items() <= data.items():
                    return {**one, "data": [data]}
        raise AssertionError(f"no row of {name} has {wanted}")

    return find


# --- which frame stands beside which recording ------------------------------------------------------------------------

FILLED = row("order", orderStatus="Filled", orderLinkId="link")

COUNTERPARTS: dict[str, Callable[[], Any]] = {
    "ws/allLiquidation.json": frame("allLiquidation.BTCUSDT"),
    "ws/kline.json": frame("kline.5.BTCUSDT"),
    "ws/execution--2.json": row("execution", side="Sell"),
    "ws/execution.fast.json": frame("execution.fast"),
    "ws/execution.json": frame("execution.fast"),
    "ws/op_auth.json": frame("auth"),
    "ws/op_pong.json": frame("pong"),
    "ws/op_subscribe.json": frame("subscribe"),
    "ws/order--2.json": row("order", orderStatus="Untriggered", orderType="Market", triggerDirection=1),
    "ws/order--3.json": row("order", orderStatus="Untriggered", orderType="Limit", triggerDirection=2),
    "ws/order--4.json": row("order", orderStatus="Rejected"),
    "ws/order--5.json": row("order", orderStatus="Untriggered", orderType="Limit", triggerDirection=2),
    "ws/order--6.json": row("order", orderStatus="Untriggered", orderType="Market", triggerDirection=2),
    "ws/order.json": FILLED,
    "ws/orderbook_delta--2.json": frame("orderbook.50.BTCUSDT", "delta"),
    "ws/orderbook_delta.json": frame("orderbook.50.BTCUSDT", "delta"),
    "ws/orderbook_snapshot--2.json": frame("orderbook.1.BTCUSDT", "snapshot"),
    "ws/orderbook_snapshot.json": frame("orderbook.1.BTCUSDT", "snapshot"),
    "ws/position--2.json": row("position", side="Buy"),
    "ws/position.json": row("position", side=""),
    "ws/publicTrade--2.json": frame("publicTrade.BTCUSDT"),
    "ws/publicTrade.json": frame("publicTrade.BTCUSDT"),
    "ws/tickers_delta.json": frame("tickers.BTCUSDT", "delta"),
    "ws/tickers_snapshot--2.json": frame("tickers.BTCUSDT", "snapshot"),
    "ws/tickers_snapshot--3.json": frame("tickers.BTCUSDT", "snapshot"),
    "ws/tickers_snapshot.json": frame("tickers.BTCUSDT", "snapshot"),
    "ws/wallet--2.json": frame("wallet"),
    "ws/wallet.json": frame("wallet"),
    "wsapi/order.amend.json": frame("order.amend"),
    "wsapi/order.cancel.json": frame("order.cancel"),
    "wsapi/order.create.json": frame("order.create"),
    "error/op_auth.json": frame("no trade auth"),
    "error/op_subscribe.json": frame("no subscribe"),
}

NOT_SERVED = {
    "ws/liquidation.json": "the topic is gone; allLiquidation took its place (2025-02-20)",
}

# --- differences, and why ---------------------------------------------------------------------------------------------

Reasons = dict[str, str]
NEWER = "the venue added it after the recording"


def newer(*names: str) -> Reasons:
    return {f"+{name}": NEWER for name in names}


CTS = newer("cts")
RPI_TRADES = newer("RPI", "seq")  # 2025-04-01, 2025-08-05
ORDER_FIELDS = (
    *("brokerOrderPrice", "closedPnl", "cumFeeDetail", "extraFees", "isLeverage", "marketUnit", "ocoTriggerBy"),
    *("parentOrderLinkId", "rpiMatchedQty", "rpiTakerAccess", "slippageTolerance", "slippageToleranceType"),
)  # 2025-02-27 to 2026-05-26
ONE_SIDE = ("singleOpenInterest", "singleOpenInterestValue")
BY_MARK = ("totalInitialMarginByMp", "totalMaintenanceMarginByMp", "accountIMRateByMp", "accountMMRateByMp")
IN_TRADE_WORDS = "its source wrote a private stream's login in the trade socket's words, beside `success`"
CUT_DOWN = "its source left out what its parser does not read"

DIFFERENCES: dict[str, Reasons] = {
    "error/op_auth.json": {"-success": IN_TRADE_WORDS},
    "ws/execution--2.json": newer(
        *("createType", "execFeeV2", "execPnl", "extraFees", "feeCurrency", "marketUnit"),
    ),  # 2025-06 to 2025-09
    "ws/execution.json": newer("isMaker"),
    "ws/op_auth.json": dict.fromkeys(("+conn_id", "+ret_msg", "-connId", "-retCode", "-retMsg"), IN_TRADE_WORDS),
    **{f"ws/order--{number}.json": newer(*ORDER_FIELDS) for number in range(2, 7)},
    "ws/order.json": newer(*ORDER_FIELDS, "createType"),
    "ws/orderbook_delta--2.json": CTS,
    "ws/orderbook_delta.json": CTS,
    "ws/orderbook_snapshot--2.json": CTS,
    "ws/orderbook_snapshot.json": CTS,
    "ws/position--2.json": newer("breakEvenPrice", "openTime"),  # 2026-01, 2026-04-21
    "ws/position.json": newer("breakEvenPrice", "openTime", "positionIMByMp", "positionMMByMp"),
    "ws/publicTrade--2.json": RPI_TRADES,
    "ws/publicTrade.json": RPI_TRADES,
    "ws/tickers_snapshot--2.json": newer("fundingCap", "fundingIntervalHour", *ONE_SIDE),  # 2025-10, 2026-06-11
    "ws/tickers_snapshot--3.json": newer("fundingCap", "fundingIntervalHour", *ONE_SIDE),
    "ws/tickers_snapshot.json": newer("fundingCap", *ONE_SIDE),
    "ws/wallet--2.json": {
        **newer(*BY_MARK, "coin.colRes"),
        **{
            f"+{name}": CUT_DOWN
            for name in (
                *("accountType", "totalPerpUPL", "coin.bonus", "coin.collateralSwitch", "coin.cumRealisedPnl"),
                *("coin.locked", "coin.marginCollateral", "coin.spotHedgingQty", "coin.unrealisedPnl", "coin.usdValue"),
            )
        },
        "-totalPerpUpl": "its source spells totalPerpUPL otherwise",
    },
    "ws/wallet.json": newer(*BY_MARK, "coin.colRes", "coin.spotBorrow"),  # 2025-07-03, 2026-05-28
}
PARTS = ("ws/tickers_delta.json",)
"""Frames with what changed only: of these only the types of what both have are compared."""


def shape(value: Any) -> str:
    return {bool: "boolean", int: "integer", float: "number", str: "text", list: "list", dict: "object"}.get(
        type(value), "null"
    )


def differences(recorded: Any, sent: Any, at: str = "") -> set[str]:
    """-name: only recorded; +name: only sent; name: text/integer ... where the types differ."""
    if shape(recorded) != shape(sent):
        return {f"{at.rstrip('.')}: {shape(recorded)}/{shape(sent)}"}
    if isinstance(recorded, dict):
        found = {f"-{at}{name}" for name in recorded.keys() - sent.keys()}
        found |= {f"+{at}{name}" for name in sent.keys() - recorded.keys()}
        for name in recorded.keys() & sent.keys():
            found |= differences(recorded[name], sent[name], f"{at}{name}." if name != "data" else "")
        return found
    if isinstance(recorded, list) and recorded and sent:
        return differences(recorded[0], sent[0], at)
    return set()


@pytest.mark.parametrize("name", sorted(COUNTERPARTS))
def test_a_frame_has_the_keys_and_types_of_the_recorded_one(fixtures: Path, name: str) -> None:
    recorded = json.loads((fixtures / "bybit" / name).read_bytes())
    found = differences(recorded, COUNTERPARTS[name]())
    if name in PARTS:
        found = {one for one in found if not one.startswith(("+", "-"))}
    assert found == set(DIFFERENCES.get(name, {}))


def test_a_ticker_delta_says_nothing_that_the_snapshot_did_not(fixtures: Path) -> None:
    recorded = json.loads((fixtures / "bybit" / "ws" / "tickers_delta.json").read_bytes())
    whole, *parts = live()["tickers.BTCUSDT"]
    assert recorded["data"].keys() <= whole["data"].keys()
    for part in parts:
        assert part["data"].keys() < whole["data"].keys()
        assert part.keys() == recorded.keys()


def test_every_recorded_frame_has_a_counterpart_or_a_reason(fixtures: Path) -> None:
    folder = fixtures / "bybit"
    found = {str(path.relative_to(folder)) for kind in ("ws", "wsapi") for path in (folder / kind).iterdir()}
    found |= {str(path.relative_to(folder)) for path in (folder / "error").glob("op_*")}
    assert found == set(COUNTERPARTS) | set(NOT_SERVED)


def test_a_recorded_book_has_the_shape_of_the_one_that_is_sent(fixtures: Path) -> None:
    for line in (fixtures / "bybit" / "raw" / "xrpusdt-ob500_first20.jsonl").read_bytes().splitlines():
        recorded = json.loads(line)
        sent = frame("orderbook.50.BTCUSDT", recorded["type"])()
        assert differences(recorded, sent) == set()
        assert list(sent) == list(recorded)
        assert list(sent["data"]) == list(recorded["data"])
