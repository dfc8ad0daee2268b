"""A walk through everything that the simulated venue pushes and answers on sockets, to have one of each."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec
from tests.venues.binance_futures.simulated import MAIN, OTHER, FakePeer, SimulatedVenue, in_virtual_time, pass_s

from perpwire.model.order import PositionSide
from perpwire.venues.binance_futures.sim import default_specs
from perpwire.venues.binance_futures.sim.signatures import hmac_hex

BEFORE_FUNDING_NS = 1_790_006_400_000_000_000 - 90_000_000_000

PUBLIC = (
    "btcusdt@bookTicker",
    "!bookTicker",
    "btcusdt@depth",
    "btcusdt@depth@100ms",
    "btcusdt@depth@500ms",
    "btcusdt@depth5",
    "btcusdt@depth10@100ms",
    "btcusdt@depth20@500ms",
    "btcusdt@rpiDepth@500ms",
    "btcusdt@trade",
)
MARKET = (
    "btcusdt@aggTrade",
    "btcusdt@markPrice",
    "btcusdt@markPrice@1s",
    "!markPrice@arr",
    "!markPrice@arr@1s",
    "btcusdt@kline_1m",
    "btcusdt_perpetual@continuousKline_1m",
    "btcusdt@ticker",
    "!ticker@arr",
    "btcusdt@miniTicker",
    "!miniTicker@arr",
    "btcusdt@forceOrder",
    "!forceOrder@arr",
    "defiusdt@compositeIndex",
    "!contractInfo",
    "btcusd@assetIndex",
    "!assetIndex@arr",
    "tradingSession",
)

Frames = dict[str, list[Any]]
"""Stream's name, or kind of private event, or method -> what came."""


def tour() -> tuple[Frames, Frames, Frames]:
    """Public streams, private events, and answers of the trading socket."""
    public: Frames = defaultdict(list)
    private: Frames = defaultdict(list)
    answers: Frames = {}
    basket = msgspec.structs.replace(
        default_specs()[0],
        instrument=msgspec.structs.replace(default_specs()[0].instrument, symbol="DEFIUSDT", base="DEFI"),
    )

    async def main(venue: SimulatedVenue) -> None:
        peers = [
            venue.socket("/public/stream", "streams=" + "/".join(PUBLIC)),
            venue.socket("/market/stream", "streams=" + "/".join(MARKET)),
        ]
        own = venue.socket(f"/private/ws/{venue.listen_key()}")
        await _trade(venue)
        await _conditional_orders(venue)
        await pass_s(90)  # past the funding
        await _settings(venue)
        await _forced(venue)
        answers.update(_asked(venue))
        late = venue.socket(f"/private/ws/{venue.listen_key()}")
        venue.exchange.close()  # the market rests; the listen key runs out
        await pass_s(3700)
        for peer in peers:
            for frame in peer.data:
                public[frame["stream"]].append(frame["data"])
        for event in own.data + late.data:
            private[event["e"]].append(event)

    in_virtual_time(main, start_ns=BEFORE_FUNDING_NS, symbols=(*default_specs(), basket))
    return public, private, answers


async def _trade(venue: SimulatedVenue) -> None:
    venue.quote(quantity="5")
    venue.market(quantity="0.05")
    order = venue.place(price="63990", newClientOrderId="amended").json
    for modify_id in (None, 7):
        params = {"symbol": "BTCUSDT", "side": "BUY", "orderId": order["orderId"], "quantity": "0.02"}
        params |= {"price": "63980"} if modify_id is None else {"price": "63970", "modifyId": modify_id}
        venue.signed("PUT", "/fapi/v1/order", **params)
    venue.place(account=OTHER, side="SELL", price="63970", quantity="0.01")
    venue.market(side="SELL", quantity="0.01")
    venue.signed("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    venue.place(timeInForce="IOC", price="60000")
    await pass_s(0.001)


def _algo(venue: SimulatedVenue, **params: Any) -> Any:
    order = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01"} | params
    answer = venue.signed("POST", "/fapi/v1/algoOrder", **order)
    assert answer.status == 200, answer.json
    return answer.json


async def _conditional_orders(venue: SimulatedVenue) -> None:
    placed = _algo(venue, type="TAKE_PROFIT", triggerPrice="70000", price="70000", timeInForce="GTC")
    venue.signed("DELETE", "/fapi/v1/algoOrder", algoId=placed["algoId"])
    _algo(venue, type="TRAILING_STOP_MARKET", callbackRate="1", activatePrice="65000")
    _algo(venue, type="STOP_MARKET", triggerPrice="63500")
    _algo(venue, type="STOP_MARKET", side="BUY", triggerPrice="64500", quantity="100")
    venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=1)
    for bid, ask, side in (("64500", "64600", "SELL"), ("63400", "63500", "SELL")):
        venue.signed("DELETE", "/fapi/v1/allOpenOrders", account=OTHER, symbol="BTCUSDT")
        venue.quote(bid=bid, ask=ask, quantity="3")
        venue.market(side=side, quantity="0.002")
        await pass_s(0.5)
    venue.signed("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")


async def _settings(venue: SimulatedVenue) -> None:
    venue.exchange.deposit("main", "USDT", Decimal(100))
    for value in ("true", "false"):
        venue.signed("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin=value)
    venue.signed("POST", "/fapi/v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
    venue.exchange.set_trading("ETHUSDT", False)
    venue.exchange.set_trading("ETHUSDT", True)
    await pass_s(0.001)


async def _forced(venue: SimulatedVenue) -> None:
    venue.exchange.force_adl("main", "BTCUSDT", PositionSide.BOTH, Decimal("0.004"))
    venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
    venue.signed("DELETE", "/fapi/v1/allOpenOrders", account=OTHER, symbol="BTCUSDT")
    venue.quote(quantity="12")
    assert venue.market(quantity="10").status == 200
    for price in range(54800, 53800, -20):
        venue.exchange.force_mark("BTCUSDT", Decimal(price))
        await pass_s(1)
    venue.exchange.force_mark("BTCUSDT", None)
    await pass_s(5)


def signed(venue: SimulatedVenue, params: dict[str, Any]) -> dict[str, Any]:
    """A trading socket's parameters with key, time stamp and signature; all values are texts."""
    params = {"apiKey": MAIN.api_key, "timestamp": str(venue.exchange.now_ms())} | params
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return params | {"signature": hmac_hex(text.encode(), MAIN.secret_key)}


def _asked(venue: SimulatedVenue) -> Frames:
    """One good answer of each method, of a socket of its own."""
    peer = venue.socket("/ws-fapi/v1")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    order |= {"price": "61000", "newClientOrderId": "w1"}
    known = {"symbol": "BTCUSDT", "origClientOrderId": "w1"}
    conditional = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "BUY", "type": "TAKE_PROFIT"}
    conditional |= {"triggerPrice": "50000", "price": "50000", "timeInForce": "GTC", "clientAlgoId": "wa"}
    calls: tuple[tuple[str, dict[str, str]], ...] = (
        ("order.place", order),
        ("order.modify", known | {"side": "BUY", "quantity": "0.02", "price": "61001"}),
        ("order.status", known),
        ("order.cancel", known),
        ("algoOrder.place", conditional | {"quantity": "0.01"}),
        ("algoOrder.cancel", {"clientAlgoId": "wa"}),
        ("account.status", {}),
        ("v2/account.status", {}),
        ("account.balance", {}),
        ("v2/account.balance", {}),
        ("account.position", {"symbol": "BTCUSDT"}),
        ("v2/account.position", {}),
        ("depth", {"symbol": "BTCUSDT", "limit": "5"}),
        ("ticker.price", {"symbol": "BTCUSDT"}),
        ("ticker.book", {"symbol": "BTCUSDT"}),
        ("userDataStream.start", {}),
        ("userDataStream.ping", {}),
        ("userDataStream.stop", {}),
        ("session.status", {}),
    )
    return {method: [_answer(venue, peer, method, params)] for method, params in calls}


def _answer(venue: SimulatedVenue, peer: FakePeer, method: str, params: dict[str, str]) -> Any:
    (reply,) = peer.say({"id": method, "method": method, "params": signed(venue, params)})
    assert reply["status"] == 200, json.dumps(reply)
    return reply
