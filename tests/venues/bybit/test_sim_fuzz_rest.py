"""Thousands of seeded requests over every path: never a crash, always the venue's shape, and the books stay whole."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from perpwire.clock import ManualClock
from perpwire.model.order import PositionSide, Side
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.dialect import BybitDialect

from .desk import MAKER, Desk, moment

ENVELOPE = {"retCode", "retMsg", "result", "retExtInfo", "time"}
SYMBOLS = (*("BTCUSDT",) * 15, "ETHUSDT", "SOLUSDT", "NOPE")
PRICES = ("63500", "63900", "63990", "64000", "64010", "64100", "64500", "3000", "150", "0", "0.1", "64000.05")
QUANTITIES = ("0.001", "0.010", "0.100", "0.5", "1", "2", "0", "1190", "5000", "0.0005")
ODD: tuple[Any, ...] = (
    "",
    None,
    True,
    False,
    0,
    1,
    2,
    -1,
    10**30,
    1.5,
    "²",
    "x" * 40,
    [],
    {},
    ["a"],
    {"a": 1},
    "1e3",
    "-1",
)

CHOICES: dict[str, tuple[Any, ...]] = {
    "category": ("linear",) * 50 + ("spot", "inverse", "option", "x"),
    "symbol": SYMBOLS,
    "side": ("Buy", "Sell"),
    "orderType": ("Limit", "Market"),
    "qty": QUANTITIES,
    "price": PRICES,
    "timeInForce": ("GTC", "IOC", "FOK", "PostOnly", "RPI"),
    "reduceOnly": (True, False),
    "closeOnTrigger": (True, False),
    "positionIdx": (*(0,) * 8, 1, 2, "0"),
    "orderLinkId": tuple(f"n{number}" for number in range(12)),
    "triggerPrice": PRICES,
    "triggerDirection": (1, 2),
    "triggerBy": ("LastPrice", "MarkPrice", "IndexPrice"),
    "takeProfit": ("65000", "63000", "0"),
    "stopLoss": ("65000", "63000", "0"),
    "tpTriggerBy": ("LastPrice", "MarkPrice"),
    "tpslMode": ("Full", "Partial"),
    "tpOrderType": ("Market", "Limit"),
    "tpLimitPrice": PRICES,
    "slLimitPrice": PRICES,
    "tpSize": QUANTITIES,
    "slSize": QUANTITIES,
    "trailingStop": ("50", "300", "0"),
    "activePrice": ("64500", "63500"),
    "smpType": ("None", "CancelMaker", "CancelTaker", "CancelBoth"),
    "slippageToleranceType": ("TickSize", "Percent"),
    "slippageTolerance": ("1", "100", "0.5"),
    "bboSideType": ("Queue", "Counterparty"),
    "bboLevel": ("1", "5"),
    "settleCoin": ("USDT", "USDC"),
    "baseCoin": ("BTC", "ETH"),
    "coin": ("USDT", "BTC"),
    "coinName": ("USDT", "USDT,BTC"),
    "accountType": ("UNIFIED", "SPOT"),
    "limit": (1, 5, 20, 5000),
    "cursor": ("page_token%3D3%26", "page_token%3D9999999999999999999%26"),
    "openOnly": (0, 1),
    "orderFilter": ("Order", "StopOrder", "OpenOrder", "tpslOrder"),
    "stopOrderType": ("Stop",),
    "orderStatus": ("New", "Filled", "Cancelled", "Deactivated"),
    "execType": ("Trade", "Funding", "AdlTrade"),
    "startTime": (1, 1_790_000_000_000),
    "endTime": (1_790_000_100_000, 1_999_000_000_000),
    "start": (1_789_999_000_000,),
    "end": (1_790_000_000_000,),
    "interval": ("1", "5", "60", "D", "W", "M", "7"),
    "intervalTime": ("5min", "1h", "1d"),
    "period": ("5min", "4h"),
    "buyLeverage": ("1", "5", "20", "50", "100"),
    "sellLeverage": ("1", "5", "20", "50", "100"),
    "mode": (0, 3),
    "margin": ("10", "-10", "1000000"),
    "autoAddMargin": (0, 1),
    "setMarginMode": ("ISOLATED_MARGIN", "REGULAR_MARGIN", "PORTFOLIO_MARGIN"),
    "modifyEnable": (True, False),
    "deltaEnable": ("0", "1"),
    "timeWindow": (3, 40, 500),
    "product": ("DERIVATIVES", "SPOT"),
    "riskId": (1, 2, 99),
    "tpSlMode": ("Full", "Partial"),
    "agree": (True,),
    "categoryV2": (1, 2),
    "locale": ("en-US",),
    "productType": ("contract",),
    "indexName": ("BTCUSDT",),
    "type": ("TRADE", "SETTLEMENT"),
    "currency": ("USDT",),
    "uids": ("1", "2,3"),
    "utaDemoApplyMoney": ([{"coin": "USDT", "amountStr": "100"}], [{"coin": "BTC", "amountStr": "1"}], [1]),
}
ORDER = ("category", "symbol", "side", "orderType", "qty", "price")
USUAL: dict[str, tuple[str, ...]] = {
    "/v5/order/create": (*ORDER, "positionIdx"),
    "/v5/order/pre-check": ORDER,
    "/v5/order/amend": ("category", "symbol", "orderId", "price"),
    "/v5/order/cancel": ("category", "symbol", "orderId"),
    "/v5/order/cancel-all": ("category", "symbol"),
    "/v5/position/trading-stop": ("category", "symbol", "tpslMode", "positionIdx", "takeProfit"),
    "/v5/position/set-leverage": ("category", "symbol", "buyLeverage", "sellLeverage"),
    "/v5/position/switch-mode": ("category", "symbol", "mode"),
    "/v5/position/add-margin": ("category", "symbol", "margin"),
    "/v5/account/set-margin-mode": ("setMarginMode",),
    "/v5/account/wallet-balance": ("accountType",),
}
BATCHES = ("/v5/order/create-batch", "/v5/order/amend-batch", "/v5/order/cancel-batch")
FAVOURITES = (
    "/v5/order/create",
    "/v5/order/create",
    "/v5/order/amend",
    "/v5/order/cancel",
    "/v5/position/trading-stop",
)


class Fuzzer:
    """Makes requests, mostly sensible ones."""

    def __init__(self, seed: int, desk: Desk) -> None:
        self.rng = Random(seed)
        self.desk = desk
        dialect = desk.dialect
        assert isinstance(dialect, BybitDialect)
        rest = dialect._rest
        self.methods = {path: rest.method_of(path) for path in (*rest.public, *rest.private, *BATCHES)}
        self.paths = tuple(self.methods)

    def value(self, name: str) -> Any:
        if self.rng.random() < 0.02:
            return self.rng.choice(ODD)
        if name == "orderId":
            orders = self.desk.get("/v5/order/realtime", category="linear", settleCoin="USDT", limit=50)
            rows = orders["result"]["list"] if orders["retCode"] == 0 else []
            return self.rng.choice([row["orderId"] for row in rows] or ["nonsense"])
        return self.rng.choice(CHOICES[name])

    def asked(self, path: str) -> dict[str, Any]:
        names = list(USUAL.get(path, ("category", "symbol")))
        names += self.rng.sample(list(CHOICES), self.rng.choice((0, 0, 1, 2, 6)))
        return {name: self.value(name) for name in names if self.rng.random() > 0.03}

    def request(self) -> tuple[str, dict[str, Any]]:
        path = self.rng.choice(FAVOURITES) if self.rng.random() < 0.5 else self.rng.choice(self.paths)
        if path in BATCHES:
            single = path.removesuffix("-batch")
            items: Any = [self.asked(single) for _ in range(self.rng.randrange(4))]
            return path, {"category": "linear", "request": self.rng.choice((items, items, items, items, 5, [None], {}))}
        return path, self.asked(path)

    def send(self, path: str, asked: dict[str, Any]) -> Any:
        if self.methods[path] == "POST":
            return self.desk.send("POST", path, json.dumps(asked))
        query = "&".join(f"{name}={quote(str(value))}" for name, value in asked.items())
        return self.desk.send("GET", path, query)


def check_books(exchange: Exchange, *, is_alone: bool) -> None:
    """What must hold whatever was asked; `is_alone`: the accounts trade with each other and nobody else."""
    for spec in exchange.specs():
        symbol = spec.instrument.symbol
        bids, asks, _, _ = exchange.book(symbol, 5)
        assert not (bids and asks) or bids[0][0] < asks[0][0]
        total = sum(
            (
                exchange.position(one.name, symbol, side).quantity
                for one in exchange.account_specs()
                for side in PositionSide
            ),
            Decimal(0),
        )
        assert total == 0 or not is_alone  # every contract has two sides
        if exchange.is_hedge("main", symbol):
            assert exchange.position("main", symbol, PositionSide.LONG).quantity >= 0
            assert exchange.position("main", symbol, PositionSide.SHORT).quantity <= 0
    changes = sum((one.change for one in exchange.bookings("main")), Decimal(0))
    assert exchange.wallet("main")["USDT"] == 100000 + changes
    filled = sum(
        (
            (fill.quantity if order.side is Side.BUY else -fill.quantity)
            for order, fill in exchange.fills("main", "BTCUSDT")
        ),
        Decimal(0),
    )
    held = sum((exchange.position("main", "BTCUSDT", side).quantity for side in PositionSide), Decimal(0))
    assert filled == held
    for order in exchange.open_orders("main", None):
        assert 0 < order.remaining <= order.quantity


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "rate"), [*((seed, 0.0) for seed in range(4)), *((seed, 25.0) for seed in range(4, 7))]
)
def test_thousands_of_requests_break_nothing(seed: int, rate: float) -> None:
    clock = ManualClock()

    async def main() -> None:
        desk = Desk(clock, rate)
        desk.exchange.start()
        stream = desk.private("order", "execution", "position", "wallet")
        fuzzer = Fuzzer(seed, desk)
        taken = 0
        for number in range(600):
            if number % 20 == 0:
                desk.exchange.cancel_all(MAKER, None)
                desk.quote(Side.BUY, str(63990 + fuzzer.rng.randrange(-60, 60)), "2")
                desk.quote(Side.SELL, str(64010 + fuzzer.rng.randrange(60, 120)), "2")
            path, asked = fuzzer.request()
            reply = fuzzer.send(path, asked)
            assert reply.status == 200, (path, asked, reply)
            body = json.loads(reply.body)
            assert body.keys() == ENVELOPE
            assert isinstance(body["retCode"], int)
            assert isinstance(body["retMsg"], str)
            if path in BATCHES and body["retCode"] == 0:
                assert len(body["result"]["list"]) == len(body["retExtInfo"]["list"]) == len(asked["request"])
            taken += body["retCode"] == 0
            await moment(fuzzer.rng.choice((0.0, 0.001, 0.05, 0.2)))
            if number % 50 == 0:
                check_books(desk.exchange, is_alone=not rate)
        await moment(1)
        check_books(desk.exchange, is_alone=not rate)
        assert taken > 100  # it was not all refused
        for topic, text in stream.peer.frames:
            if topic:
                assert stream.client.on_frame(text, 1)
        desk.dialect.close()
        desk.exchange.close()

    clock.run(main())
