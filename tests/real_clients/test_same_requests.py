"""For the same intent perpwire sends what other clients send, field by field, or the difference is explained.

Everyone plays the same list of intents, each against an exchange of its own that is the same in all; what leaves is
recorded at a loopback socket, and after each intent the exchanges must stand alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import pytest
from tests.real_clients.clients import KEY, SECRET, STILL, SYMBOL, UNIFIED, binance_client, ccxt_client, pybit_at
from tests.real_clients.wiretap import Request, Wiretap, differences, wiretap

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.order import Order
from perpwire.threaded import ThreadedExchange, VenueDoor
from perpwire.venues import load

pytestmark = pytest.mark.slow

BTC = {"symbol": SYMBOL}
LINEAR = {"category": "linear", "symbol": SYMBOL}
ETH, SOL = "ETHUSDT", "SOLUSDT"

PAUSE_S = 0.12
"""Between two intents: what Bybit has acknowledged is done by then, and its limit of 10 orders a second is kept."""

Do = Callable[[], Awaitable[Any]]


class Played(NamedTuple):
    """What an intent came to: what was written, and how the account stood then."""

    requests: list[Request]
    account: Any


# --- who plays --------------------------------------------------------------------------------------------------------


def ours(connector: VenueConnector) -> dict[str, Do]:
    """Intent -> how it is said to perpwire."""
    orders: dict[str, Order] = {}
    is_binance = connector.venue.name == "binance"

    def place(name: str, side: str, quantity: str | None, kind: str = "MARKET", **options: Any) -> Do:
        async def do() -> None:
            orders[name] = await connector.place_order(SYMBOL, side, quantity, kind, **options)

        return do

    return {
        "leverage": lambda: connector.set_leverage(ETH, 7),
        "isolated margin": lambda: connector.set_margin_mode("ISOLATED", SOL if is_binance else None),
        "cross margin": lambda: connector.set_margin_mode("CROSS", SOL if is_binance else None),
        "hedge mode": lambda: connector.set_position_mode("HEDGE", None if is_binance else ETH),
        "one-way mode": lambda: connector.set_position_mode("ONE_WAY", None if is_binance else ETH),
        "market buy": place("bought", "BUY", "0.05"),
        "reduce-only market sell": place("sold", "SELL", "0.01", reduce_only=True),
        "limit buy": place("limit", "BUY", "0.01", "LIMIT", price="63000"),
        "limit sell": place("ask", "SELL", "0.01", "LIMIT", price="66000"),
        "amend": lambda: connector.amend_order(
            SYMBOL, orders["limit"].order_id, quantity="0.02", price="62900"
        ),
        "cancel": lambda: connector.cancel_order(SYMBOL, orders["limit"].order_id),
        "post-only buy": place("maker", "BUY", "0.01", "LIMIT", price="63000", time_in_force="POST_ONLY"),
        "reduce-only limit sell": place("less", "SELL", "0.01", "LIMIT", price="66100", reduce_only=True),
        "immediate or cancel": place("ioc", "BUY", "0.01", "LIMIT", price="62000", time_in_force="IOC"),
        "fill or kill": place("fok", "BUY", "0.01", "LIMIT", price="65000", time_in_force="FOK"),
        "cancel by client order id": lambda: connector.cancel_order(
            SYMBOL, client_order_id=orders["maker"].client_order_id
        ),
        "cancel all": lambda: connector.cancel_all(SYMBOL),
        "stop market": place("stop", "SELL", "0.01", "STOP_MARKET", trigger_price="62000", reduce_only=True),
        "take profit market": place(
            "profit", "SELL", "0.01", "TAKE_PROFIT_MARKET", trigger_price="66000", reduce_only=True
        ),
        "stop limit": place("stop limit", "SELL", "0.01", "STOP", trigger_price="62000", price="61990"),
        "closing stop": place("close", "SELL", None, "STOP_MARKET", trigger_price="61000", close_position=True),
        "cancel a conditional order": lambda: connector.cancel_order(SYMBOL, orders["stop"].order_id),
    }  # fmt: skip


def of_python_binance(client: Any) -> dict[str, Do]:
    orders: dict[str, Any] = {}

    def place(name: str, **fields: Any) -> Do:
        async def do() -> None:
            orders[name] = await client.futures_create_order(**BTC, **fields)

        return do

    def limit(name: str, side: str, price: str, tif: str = "GTC", **more: Any) -> Do:
        return place(name, side=side, type="LIMIT", quantity="0.01", price=price, timeInForce=tif, **more)

    return {
        "leverage": lambda: client.futures_change_leverage(symbol=ETH, leverage=7),
        "isolated margin": lambda: client.futures_change_margin_type(symbol=SOL, marginType="ISOLATED"),
        "cross margin": lambda: client.futures_change_margin_type(symbol=SOL, marginType="CROSSED"),
        "hedge mode": lambda: client.futures_change_position_mode(dualSidePosition="true"),
        "one-way mode": lambda: client.futures_change_position_mode(dualSidePosition="false"),
        "market buy": place("bought", side="BUY", type="MARKET", quantity="0.05"),
        "reduce-only market sell": place("sold", side="SELL", type="MARKET", quantity="0.01", reduceOnly="true"),
        "limit buy": limit("limit", "BUY", "63000"),
        "limit sell": limit("ask", "SELL", "66000"),
        "amend": lambda: client.futures_modify_order(
            **BTC, orderId=orders["limit"]["orderId"], side="BUY", quantity="0.02", price="62900"
        ),
        "cancel": lambda: client.futures_cancel_order(**BTC, orderId=orders["limit"]["orderId"]),
        "post-only buy": limit("maker", "BUY", "63000", "GTX"),
        "reduce-only limit sell": limit("less", "SELL", "66100", reduceOnly="true"),
        "immediate or cancel": limit("ioc", "BUY", "62000", "IOC"),
        "fill or kill": limit("fok", "BUY", "65000", "FOK"),
        "cancel by client order id": lambda: client.futures_cancel_order(
            **BTC, origClientOrderId=orders["maker"]["clientOrderId"]
        ),
        "cancel all": lambda: client.futures_cancel_all_open_orders(**BTC),
        "stop market": place(
            "stop", side="SELL", type="STOP_MARKET", quantity="0.01", triggerPrice="62000", reduceOnly="true"
        ),
        "take profit market": place(
            "profit", side="SELL", type="TAKE_PROFIT_MARKET", quantity="0.01", triggerPrice="66000", reduceOnly="true"
        ),
        "stop limit": place(
            "stop limit", side="SELL", type="STOP", quantity="0.01", triggerPrice="62000", price="61990",
            timeInForce="GTC",
        ),
        "closing stop": place("close", side="SELL", type="STOP_MARKET", triggerPrice="61000", closePosition="true"),
        "cancel a conditional order": lambda: client.futures_cancel_algo_order(algoId=orders["stop"]["algoId"]),
    }  # fmt: skip


def of_ccxt(client: Any) -> dict[str, Do]:
    orders: dict[str, Any] = {}
    is_binance = client.id != "bybit"
    waiting = {"trigger": True} if is_binance else {}
    below = {} if is_binance else {"triggerDirection": "below"}
    whole: dict[str, Any] = {"closePosition": True} if is_binance else {"closeOnTrigger": True, "qty": "0"}

    def place(name: str, side: str, quantity: float | None, price: float | None = None, **params: Any) -> Do:
        async def do() -> None:
            kind = "market" if price is None else "limit"
            orders[name] = await client.create_order(UNIFIED, kind, side, quantity, price, params)

        return do

    async def cancel_by_client_id() -> None:
        if is_binance:
            wanted = {"clientOrderId": orders["maker"]["clientOrderId"]}
            await client.cancel_order(None, UNIFIED, wanted)
        else:
            await client.cancel_order(None, UNIFIED, {"orderLinkId": orders["maker"]["clientOrderId"]})

    steps = {
        "leverage": lambda: client.set_leverage(7, "ETH/USDT:USDT"),
        "isolated margin": lambda: client.set_margin_mode("isolated", "SOL/USDT:USDT"),
        "cross margin": lambda: client.set_margin_mode("cross", "SOL/USDT:USDT"),
        "hedge mode": lambda: client.set_position_mode(True, None if is_binance else "ETH/USDT:USDT"),
        "one-way mode": lambda: client.set_position_mode(False, None if is_binance else "ETH/USDT:USDT"),
        "market buy": place("bought", "buy", 0.05),
        "reduce-only market sell": place("sold", "sell", 0.01, reduceOnly=True),
        "limit buy": place("limit", "buy", 0.01, 63000),
        "limit sell": place("ask", "sell", 0.01, 66000),
        "amend": lambda: client.edit_order(orders["limit"]["id"], UNIFIED, "limit", "buy", 0.02, 62900),
        "cancel": lambda: client.cancel_order(orders["limit"]["id"], UNIFIED),
        "post-only buy": place("maker", "buy", 0.01, 63000, postOnly=True, clientOrderId="maker-1"),
        "reduce-only limit sell": place("less", "sell", 0.01, 66100, reduceOnly=True),
        "immediate or cancel": place("ioc", "buy", 0.01, 62000, timeInForce="IOC"),
        "fill or kill": place("fok", "buy", 0.01, 65000, timeInForce="FOK"),
        "cancel by client order id": cancel_by_client_id,
        "cancel all": lambda: client.cancel_all_orders(UNIFIED),
        "stop market": place("stop", "sell", 0.01, stopLossPrice=62000, reduceOnly=True),
        "take profit market": place("profit", "sell", 0.01, takeProfitPrice=66000, reduceOnly=True),
        "stop limit": place("stop limit", "sell", 0.01, 61990, triggerPrice=62000, **below),
        "closing stop": place("close", "sell", 0.01, stopLossPrice=61000, **whole),
        "cancel a conditional order": lambda: client.cancel_order(orders["stop"]["id"], UNIFIED, waiting),
    }
    return steps


def of_pybit(client: Any) -> dict[str, Do]:
    orders: dict[str, Any] = {}

    def called(method: str, name: str = "", **fields: Any) -> Do:
        async def do() -> None:
            answer = await asyncio.to_thread(getattr(client, method), **fields)
            orders[name] = answer["result"]

        return do

    def place(name: str, side: str, kind: str = "Market", quantity: str = "0.01", **more: Any) -> Do:
        return called("place_order", name, **LINEAR, side=side, orderType=kind, qty=quantity, **more)

    def named(method: str, key: str, name: str, **fields: Any) -> Do:
        return lambda: called(method, **LINEAR, **{key: orders[name][key]}, **fields)()

    return {
        "leverage": called("set_leverage", category="linear", symbol=ETH, buyLeverage="7", sellLeverage="7"),
        "isolated margin": called("set_margin_mode", setMarginMode="ISOLATED_MARGIN"),
        "cross margin": called("set_margin_mode", setMarginMode="REGULAR_MARGIN"),
        "hedge mode": called("switch_position_mode", category="linear", symbol=ETH, mode=3),
        "one-way mode": called("switch_position_mode", category="linear", symbol=ETH, mode=0),
        "market buy": place("bought", "Buy", quantity="0.05"),
        "reduce-only market sell": place("sold", "Sell", reduceOnly=True),
        "limit buy": place("limit", "Buy", "Limit", price="63000"),
        "limit sell": place("ask", "Sell", "Limit", price="66000"),
        "amend": named("amend_order", "orderId", "limit", qty="0.02", price="62900"),
        "cancel": named("cancel_order", "orderId", "limit"),
        "post-only buy": place("maker", "Buy", "Limit", price="63000", timeInForce="PostOnly", orderLinkId="maker-1"),
        "reduce-only limit sell": place("less", "Sell", "Limit", price="66100", reduceOnly=True),
        "immediate or cancel": place("ioc", "Buy", "Limit", price="62000", timeInForce="IOC"),
        "fill or kill": place("fok", "Buy", "Limit", price="65000", timeInForce="FOK"),
        "cancel by client order id": named("cancel_order", "orderLinkId", "maker"),
        "cancel all": called("cancel_all_orders", **LINEAR),
        "stop market": place("stop", "Sell", triggerPrice="62000", triggerDirection=2, reduceOnly=True),
        "take profit market": place("profit", "Sell", triggerPrice="66000", triggerDirection=1, reduceOnly=True),
        "stop limit": place("sl", "Sell", "Limit", price="61990", triggerPrice="62000", triggerDirection=2),
        "closing stop": place(
            "close", "Sell", quantity="0", triggerPrice="61000", triggerDirection=2, reduceOnly=True,
            closeOnTrigger=True,
        ),
        "cancel a conditional order": named("cancel_order", "orderId", "stop"),
    }  # fmt: skip


INTENTS = (
    "leverage", "isolated margin", "cross margin", "hedge mode", "one-way mode",
    "market buy", "reduce-only market sell", "limit buy", "limit sell", "amend", "cancel", "post-only buy",
    "reduce-only limit sell", "immediate or cancel", "fill or kill", "cancel by client order id", "cancel all",
    "stop market", "take profit market", "stop limit", "closing stop", "cancel a conditional order",
)  # fmt: skip

# --- playing ----------------------------------------------------------------------------------------------------------


async def play(venue: str, client: str) -> dict[str, Played]:
    """All intents in turn against a fresh exchange."""
    with ThreadedExchange(venues=[venue], seed=11, latency_s=0.001, rate=STILL) as exchange:
        door = exchange[venue]
        async with wiretap(venue, door.url) as tap:
            pointed: Any = tap
            if client == "perpwire":
                async with VenueConnector(load(venue), KEY, SECRET, url=tap.url) as connector:
                    return await _played(door, tap, ours(connector))
            if client == "ccxt":
                async with ccxt_client(pointed) as theirs:
                    return await _played(door, tap, of_ccxt(theirs))
            if client == "python-binance":
                async with binance_client(pointed) as theirs:
                    return await _played(door, tap, of_python_binance(theirs))
            with pybit_at(pointed) as unified:
                theirs = unified.HTTP(api_key=KEY, api_secret=SECRET)
                try:
                    return await _played(door, tap, of_pybit(theirs))
                finally:
                    theirs.client.close()


async def _played(door: VenueDoor, tap: Wiretap, steps: Mapping[str, Do]) -> dict[str, Played]:
    done = {}
    for name, do in steps.items():
        seen = len(tap.requests)
        try:
            await do()
        except Exception as error:
            raise AssertionError(f"{name}: {error!r}") from error
        await asyncio.sleep(PAUSE_S)
        writes = [one for one in tap.requests[seen:] if one.method != "GET"]
        done[name] = Played(writes, _account(door))
    return done


def _account(door: VenueDoor) -> Any:
    """What is open, and what is held."""
    orders = sorted(
        (one.side, one.type, one.time_in_force, one.price, one.quantity, one.reduce_only, one.position_side)
        for one in door.exchange.open_orders("main", None)
    )
    triggers = sorted(
        (
            one.intent.side, one.intent.type, one.intent.kind, one.intent.direction, one.intent.trigger_price,
            str(one.intent.price), one.intent.quantity, one.intent.reduce_only, one.intent.close_position,
        )
        for one in door.exchange.open_triggers("main", None)
    )  # fmt: skip
    return orders, triggers, door.exchange.position("main", SYMBOL).quantity


def sent(venue: str, client: str, intent: str, done: Mapping[str, Played]) -> list[Request]:
    """Without what we send on top, where that is explained."""
    extra = MORE.get((venue, intent)) if client == "perpwire" else None
    return [one for one in done[intent].requests if one.call != extra]


PAIRS = [("binance", "python-binance"), ("binance", "ccxt"), ("bybit", "pybit"), ("bybit", "ccxt")]


@pytest.fixture(scope="module")
def played() -> Callable[[str, str], dict[str, Played]]:
    """What a client has done, once for all tests."""
    known: dict[tuple[str, str], dict[str, Played]] = {}

    def of(venue: str, client: str) -> dict[str, Played]:
        if (venue, client) not in known:
            known[venue, client] = asyncio.run(play(venue, client))
        return known[venue, client]

    return of


# --- what differs, and why (docs/decisions.md, "Where requests differ from other clients'") ---------------------------

MORE = {("binance", "cancel all"): "DELETE /fapi/v1/algoOpenOrders"}
"""All orders are also those that wait for a trigger; others leave these open."""

IN_THE_QUERY = "all parameters are in the query, as Binance's own SDK has them, so there is no form"
DEFAULT_WINDOW = "5 s is the venue's own default"
DEFAULT_SAID = "the venue's default, said so that no change of it changes the order"
OWN_ID = "without an id of ours, a lost answer could not be settled"

BOTH_AT_BINANCE = {
    "recvWindow: 5000 | 10000": DEFAULT_WINDOW,
    "only theirs: header content-type=application/x-www-form-urlencoded": IN_THE_QUERY,
    "only ours: workingType=CONTRACT_PRICE": DEFAULT_SAID,
}
BOTH_AT_BYBIT = {
    "only ours: orderLinkId=<id>": OWN_ID,
    "only ours: positionIdx=0": DEFAULT_SAID,
    "only ours: timeInForce=GTC": DEFAULT_SAID,
    "only ours: timeInForce=IOC": DEFAULT_SAID,
    "only ours: triggerBy=LastPrice": DEFAULT_SAID,
}

EXPLAINED: dict[tuple[str, str], dict[str, str]] = {
    ("binance", "python-binance"): {
        **BOTH_AT_BINANCE,
        "only ours: newOrderRespType=RESULT": "a market order's answer then says what it came to",
    },
    ("binance", "ccxt"): {
        **BOTH_AT_BINANCE,
        "only ours: timeInForce=GTC": DEFAULT_SAID,
        "only theirs: newOrderRespType=RESULT": "an order that waits has no fills that its answer could tell",
        "only theirs: symbol=BTCUSDT": "this call has no such parameter: the id says it",
    },
    ("bybit", "pybit"): {
        **BOTH_AT_BYBIT,
        "only theirs: header x-bapi-sign-type=2": "the documents of v5 no longer list it",
    },
    ("bybit", "ccxt"): {**BOTH_AT_BYBIT},
}


@pytest.mark.parametrize("intent", INTENTS)
@pytest.mark.parametrize(("venue", "client"), PAIRS)
def test_the_same_is_sent_but_for_what_is_explained(
    played: Callable[[str, str], dict[str, Played]], venue: str, client: str, intent: str
) -> None:
    mine = sent(venue, "perpwire", intent, played(venue, "perpwire"))
    theirs = sent(venue, client, intent, played(venue, client))
    assert [one.call for one in mine] == [one.call for one in theirs]
    found = set().union(*(differences(*pair) for pair in zip(mine, theirs, strict=True)))
    assert found - set(EXPLAINED[venue, client]) == set()


@pytest.mark.parametrize("intent", INTENTS)
@pytest.mark.parametrize(("venue", "client"), PAIRS)
def test_the_venue_makes_the_same_of_it(
    played: Callable[[str, str], dict[str, Played]], venue: str, client: str, intent: str
) -> None:
    assert played(venue, "perpwire")[intent].account == played(venue, client)[intent].account


@pytest.mark.parametrize(("venue", "client"), PAIRS)
def test_nothing_is_explained_that_does_not_differ(
    played: Callable[[str, str], dict[str, Played]], venue: str, client: str
) -> None:
    found: set[str] = set()
    for intent in INTENTS:
        mine = sent(venue, "perpwire", intent, played(venue, "perpwire"))
        theirs = sent(venue, client, intent, played(venue, client))
        found = found.union(*(differences(*pair) for pair in zip(mine, theirs, strict=True)))
    assert set(EXPLAINED[venue, client]) == found
