"""What the simulated venue answers has the keys and the JSON types of what was recorded or documented of the real one.

Every file of a REST call that is served is compared, and every difference that is meant is in a table here, with why.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from tests.venues.binance_futures.simulated import MAIN, Answer, SimulatedVenue

from perpwire.clock import ManualClock
from perpwire.venues.binance_futures.sim import default_specs

pytestmark = pytest.mark.fixtures

CONDITIONAL_APART = "conditional orders are no ordinary orders since 2025-12-09"
NO_PRICES = "acknowledgements tell no prices since 2026-06-30"
OLD_FORMAT = "times are numbers today"

ALGO_FIELDS = frozenset(
    {
        "algoStatus", "algoType", "closePosition", "createTime", "goodTillDate", "icebergQuantity", "orderType",
        "positionSide", "price", "priceMatch", "priceProtect", "quantity", "reduceOnly", "selfTradePreventionMode",
        "side", "symbol", "timeInForce", "triggerPrice", "triggerTime", "updateTime", "workingType",
    }
)  # fmt: skip

MISSING: dict[str, dict[str, str]] = {
    "DELETE_fapi_v1_algoOrder": dict.fromkeys(ALGO_FIELDS, "the answer is algoId, clientAlgoId, code and msg today"),
    "DELETE_fapi_v1_order": {"activatePrice": CONDITIONAL_APART, "priceRate": CONDITIONAL_APART, "cumQuote": NO_PRICES},
    "GET_fapi_v1_allOrders": {"activatePrice": CONDITIONAL_APART, "priceRate": CONDITIONAL_APART},
    "GET_fapi_v1_openAlgoOrders": {"type": "it is orderType in every other recording"},
    "GET_fapi_v1_apiTradingStatus": {"ETHUSDT": "only of symbols that the account traded"},
    "GET_fapi_v1_leverageBracket": {"notionalCoef": "only of accounts with brackets of their own"},
    "GET_fapi_v3_positionRisk": dict.fromkeys(
        ("leverage", "maxNotionalValue", "marginType", "isAutoAddMargin"), "of version 2; in symbolConfig today"
    ),
    "PUT_fapi_v1_order": {"avgPrice": NO_PRICES, "cumBase": NO_PRICES},
    "POST_fapi_v1_order": {
        "activatePrice": CONDITIONAL_APART,
        "priceRate": CONDITIONAL_APART,
        "cumQuote": NO_PRICES,
        "avgPrice": NO_PRICES,
    },
}
for same, like in (
    ("DELETE_fapi_v1_batchOrders", "DELETE_fapi_v1_order"),
    ("GET_fapi_v1_openOrder", "GET_fapi_v1_allOrders"),
    ("GET_fapi_v1_openOrders", "GET_fapi_v1_allOrders"),
    ("GET_fapi_v1_order", "GET_fapi_v1_allOrders"),
    ("POST_fapi_v1_batchOrders", "POST_fapi_v1_order"),
    ("POST_fapi_v1_order_test", "POST_fapi_v1_order"),
    ("PUT_fapi_v1_batchOrders", "PUT_fapi_v1_order"),
):
    MISSING[same] = MISSING[like]
MISSING["POST_fapi_v1_order_test"] = {"cumQuote": NO_PRICES, "avgPrice": NO_PRICES}
MISSING["POST_fapi_v1_order"] = MISSING["POST_fapi_v1_order"] | {"time": "an acknowledgement has updateTime only"}
"""File (less its number) -> key -> why it is not answered."""


def newer(**keys_by_reason: str) -> dict[str, str]:
    return {key: reason.replace("_", " ") for reason, keys in keys_by_reason.items() for key in keys.split()}


ORDER_FIELDS = newer(
    of_both_families_since_2026_08_05="pair cumBase",
    after_the_recording="priceMatch selfTradePreventionMode goodTillDate priceProtect",
)

EXTRA: dict[str, dict[str, str]] = {
    "DELETE_fapi_v1_algoOrder": newer(the_answer_of_today="code msg"),
    "GET_fapi_v1_aggTrades": newer(since_2025_12_31="nq"),
    "GET_fapi_v1_algoOrder": newer(since_2026_08_21="isActivated"),
    "GET_fapi_v1_allAlgoOrders": newer(since_2026_08_21="isActivated"),
    "GET_fapi_v1_allOrders": {key: why for key, why in ORDER_FIELDS.items() if key != "priceProtect"},
    "GET_fapi_v1_commissionRate": newer(since_2025_11_26="rpiCommissionRate"),
    "GET_fapi_v1_exchangeInfo": newer(after_the_recording="maxMoveOrderLimit futuresType"),
    "GET_fapi_v1_forceOrders": ORDER_FIELDS,
    "GET_fapi_v1_fundingInfo": newer(after_the_recording="updateTime"),
    "GET_fapi_v1_fundingRate": newer(since_2026_07_23="rateType", after_the_recording="markPrice"),
    "GET_fapi_v1_historicalTrades": newer(since_2025_11_18="isRPITrade"),
    "GET_fapi_v1_openAlgoOrders": newer(
        left_out_of_that_recording="orderType actualOrderId actualPrice price icebergQuantity tpTriggerPrice tpPrice "
        "slTriggerPrice slPrice tpOrderType selfTradePreventionMode priceMatch closePosition priceProtect triggerTime "
        "goodTillDate",
        after_the_recording="actualQty isActivated",
    ),
    "GET_fapi_v1_orderAmendment": newer(since_2026_07_30="modifyId"),
    "GET_fapi_v1_trades": newer(since_2025_11_18="isRPITrade"),
    "GET_fapi_v1_userTrades": newer(of_both_families_since_2026_08_05="pair baseQty marginAsset"),
    "GET_fapi_v2_account": newer(after_the_recording="feeBurn notional isolatedWallet breakEvenPrice"),
    "GET_fapi_v2_positionRisk": newer(after_the_recording="breakEvenPrice notional isolatedWallet"),
    "GET_fapi_v3_positionRisk": newer(
        that_recording_is_of_version_2="marginAsset initialMargin maintMargin positionInitialMargin "
        "openOrderInitialMargin adl bidNotional askNotional"
    ),
    "GET_futures_data_openInterestHist": newer(since_2025_07_02="CMCCirculatingSupply"),
    "POST_fapi_v1_batchOrders": newer(left_out_of_that_recording="closePosition"),
    "POST_fapi_v1_order": newer(left_out_of_that_recording="cumQty"),
    "PUT_fapi_v1_listenKey": newer(told_since_2024="listenKey"),
    "PUT_fapi_v1_order": newer(since_2026_07_30="modifyId"),
}
"""File (less its number) -> key -> why it is answered though that recording has none."""

OTHER_TYPE: dict[str, dict[str, str]] = {
    "GET_fapi_v1_exchangeInfo": {
        "multiplierDecimal": "a text in all newer recordings",
        "autoAssetExchange": "a text in all newer recordings",
    },
    "GET_fapi_v1_income": {"tranId": "a number today", "tradeId": "a text today"},
    "GET_fapi_v1_symbolConfig": {"isAutoAddMargin": "a boolean in the newer recording"},
} | {
    f"GET_futures_data_{name}": {"timestamp": OLD_FORMAT}
    for name in (
        "globalLongShortAccountRatio",
        "openInterestHist",
        "takerlongshortRatio",
        "topLongShortAccountRatio",
        "topLongShortPositionRatio",
    )
}
"""File (less its number) -> key -> why its JSON type is another."""


def kind(value: Any) -> str:
    """JSON's own types; to JSON, 1 and 1.0 are both numbers."""
    if isinstance(value, bool):
        return "boolean"
    names = {type(None): "null", str: "string", int: "number", float: "number", list: "list", dict: "object"}
    return names[type(value)]


def differences(recorded: Any, live: Any, key: str = "") -> list[tuple[str, str]]:
    """Kind of difference and key, of everything in which the two differ."""
    if kind(recorded) != kind(live):
        return [("type", key)]
    if isinstance(recorded, dict):
        found = [("missing", name) for name in recorded if name not in live]
        found += [("extra", name) for name in live if name not in recorded]
        for name in recorded.keys() & live.keys():
            found += differences(recorded[name], live[name], name)
        return found
    if isinstance(recorded, list):
        if not recorded:
            return []
        if not live:
            return [("empty", key)]
        if kind(recorded[0]) in ("list", "object"):
            # Each row must be like one of ours.
            return [one for row in recorded for one in min((differences(row, ours, key) for ours in live), key=len)]
        if len(recorded) == len(live):
            return [one for pair in zip(recorded, live, strict=True) for one in differences(*pair, key)]
        return [one for row in recorded for one in differences(row, live[0], key)]
    return []


class World(SimulatedVenue):
    """A venue in which there is something to tell of everything."""

    def __init__(self, clock: ManualClock) -> None:
        bitcoin = default_specs()[0]
        basket = msgspec.structs.replace(bitcoin.instrument, symbol="DEFIUSDT", base="DEFI")
        super().__init__(clock, symbols=(*default_specs(), msgspec.structs.replace(bitcoin, instrument=basket)))
        self.quote(quantity="10")

    # --- ways of asking -------------------------------------------------------------------------------------------

    def get(self, path: str, **params: Any) -> Any:
        return self._ok(self.signed("GET", path, **params))

    def post(self, path: str, **params: Any) -> Any:
        return self._ok(self.signed("POST", path, **params))

    def put(self, path: str, **params: Any) -> Any:
        return self._ok(self.signed("PUT", path, **params))

    def delete(self, path: str, **params: Any) -> Any:
        return self._ok(self.signed("DELETE", path, **params))

    def market_data(self, path: str, **params: Any) -> Any:
        return self._ok(self.raw("GET", path, urlencode(params), key=MAIN.api_key))

    def _ok(self, answer: Answer) -> Any:
        assert answer.status == 200, answer.raw
        return answer.json

    # --- things to tell of ----------------------------------------------------------------------------------------

    def resting(self) -> Any:
        return self._ok(self.place(price="60000"))

    def held(self) -> None:
        self._ok(self.market())

    def conditional(self, **changes: Any) -> Any:
        params = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "TAKE_PROFIT"}
        params |= {"quantity": "0.010", "price": "66000", "triggerPrice": "66000"}
        chosen = {name: value for name, value in (params | changes).items() if value is not None}
        return self.post("/fapi/v1/algoOrder", **chosen)

    def triggered(self) -> Any:
        """A stop order whose market order was filled."""
        self.held()
        made = self.conditional(type="STOP_MARKET", price=None, triggerPrice="63990", workingType="MARK_PRICE")
        self.exchange.force_mark("BTCUSDT", Decimal(63980))
        return made


BTC = {"symbol": "BTCUSDT"}
TIMED = {"symbol": "BTCUSDT", "period": "1h", "limit": 3}
PAIR = {"pair": "BTCUSDT", "contractType": "PERPETUAL"}
CHANGE = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.020", "price": "60001"}
ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "price": "60000",
}

TRAILING = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "TRAILING_STOP_MARKET",
    "quantity": "0.010",
    "callbackRate": "1",
}


def batch(*orders: dict[str, Any]) -> dict[str, str]:
    return {"batchOrders": json.dumps(orders)}


def amended(world: World) -> Any:
    order = world.resting()
    return world.put("/fapi/v1/order", **CHANGE, orderId=order["orderId"], modifyId=7)


def amendments(world: World) -> Any:
    order = amended(world)
    return world.get("/fapi/v1/orderAmendment", **BTC, orderId=order["orderId"])


def amended_batch(world: World) -> Any:
    order = world.resting()
    return world.put("/fapi/v1/batchOrders", **batch(CHANGE | {"orderId": order["orderId"]}, CHANGE | {"orderId": 5}))


def cancelled_batch(world: World) -> Any:
    order = world.resting()
    return world.delete("/fapi/v1/batchOrders", **BTC, orderIdList=f"[{order['orderId']},5]")


def forced_orders(world: World) -> Any:
    world.held()
    world.exchange.force_liquidation("main", "BTCUSDT")
    return world.get("/fapi/v1/forceOrders")


def algo_order(world: World) -> Any:
    return world.get("/fapi/v1/algoOrder", algoId=world.triggered()["algoId"])


def algo_orders(world: World) -> Any:
    world.triggered()
    return world.get("/fapi/v1/allAlgoOrders", **BTC)


def open_algo_orders(world: World) -> Any:
    world.conditional()
    return world.get("/fapi/v1/openAlgoOrders")


def hedged(world: World) -> None:
    world.post("/fapi/v1/positionSide/dual", dualSidePosition="true")


def quantiles(world: World) -> Any:
    one_way = world.get("/fapi/v1/adlQuantile", **BTC)
    hedged(world)
    return one_way + world.get("/fapi/v1/adlQuantile", **BTC)


def isolated(world: World) -> Any:
    world.post("/fapi/v1/marginType", **BTC, marginType="ISOLATED")
    world.held()
    return world.post("/fapi/v1/positionMargin", **BTC, amount="100", type=1)


def margin_history(world: World) -> Any:
    isolated(world)
    return world.get("/fapi/v1/positionMargin/history", **BTC)


def incomes(world: World) -> Any:
    world.exchange.deposit("main", "USDT", Decimal(5))
    world.held()
    return world.get("/fapi/v1/income")


def reading(method: Callable[[World], None] | None, path: str, **params: Any) -> Callable[[World], Any]:
    """A signed GET, once something has happened."""

    def read(world: World) -> Any:
        if method is not None:
            method(world)
        return world.get(path, **params)

    return read


def public(path: str, **params: Any) -> Callable[[World], Any]:
    return lambda world: world.market_data(path, **params)


def agg_trades(world: World) -> Any:
    world.held()
    world.clock.advance(1)
    return world.market_data("/fapi/v1/aggTrades", **BTC)


def with_id(world: World) -> int:
    return int(world.resting()["orderId"])


def trades(path: str) -> Callable[[World], Any]:
    def read(world: World) -> Any:
        world.held()
        return world.market_data(path, **BTC)

    return read


def kept_listen_key(world: World, method: str) -> Any:
    world.listen_key()
    return world.raw(method, "/fapi/v1/listenKey", key=MAIN.api_key).json


ASKED: dict[str, Callable[[World], Any]] = {
    "DELETE_fapi_v1_algoOpenOrders": lambda world: world.delete("/fapi/v1/algoOpenOrders", **BTC),
    "DELETE_fapi_v1_algoOrder": lambda world: world.delete("/fapi/v1/algoOrder", algoId=world.conditional()["algoId"]),
    "DELETE_fapi_v1_allOpenOrders": lambda world: world.delete("/fapi/v1/allOpenOrders", **BTC),
    "DELETE_fapi_v1_batchOrders": cancelled_batch,
    "DELETE_fapi_v1_listenKey": lambda world: kept_listen_key(world, "DELETE"),
    "DELETE_fapi_v1_order": lambda world: world.delete("/fapi/v1/order", **BTC, orderId=with_id(world)),
    "GET_fapi_v1_accountConfig": reading(None, "/fapi/v1/accountConfig"),
    "GET_fapi_v1_adlQuantile": quantiles,
    "GET_fapi_v1_aggTrades": agg_trades,
    "GET_fapi_v1_algoOrder": algo_order,
    "GET_fapi_v1_allAlgoOrders": algo_orders,
    "GET_fapi_v1_allOrders": reading(World.held, "/fapi/v1/allOrders"),
    "GET_fapi_v1_apiTradingStatus": reading(World.held, "/fapi/v1/apiTradingStatus"),
    "GET_fapi_v1_assetIndex": public("/fapi/v1/assetIndex"),
    "GET_fapi_v1_commissionRate": reading(None, "/fapi/v1/commissionRate", **BTC),
    "GET_fapi_v1_constituents": public("/fapi/v1/constituents", **BTC),
    "GET_fapi_v1_continuousKlines": public("/fapi/v1/continuousKlines", **PAIR, interval="1m"),
    "GET_fapi_v1_depth": public("/fapi/v1/depth", **BTC),
    "GET_fapi_v1_exchangeInfo": public("/fapi/v1/exchangeInfo"),
    "GET_fapi_v1_feeBurn": reading(None, "/fapi/v1/feeBurn"),
    "GET_fapi_v1_forceOrders": forced_orders,
    "GET_fapi_v1_fundingInfo": public("/fapi/v1/fundingInfo"),
    "GET_fapi_v1_fundingRate": public("/fapi/v1/fundingRate", **BTC),
    "GET_fapi_v1_historicalTrades": trades("/fapi/v1/historicalTrades"),
    "GET_fapi_v1_income": incomes,
    "GET_fapi_v1_indexInfo": public("/fapi/v1/indexInfo"),
    "GET_fapi_v1_indexPriceKlines": public("/fapi/v1/indexPriceKlines", pair="BTCUSDT", interval="1m"),
    "GET_fapi_v1_insuranceBalance": public("/fapi/v1/insuranceBalance", **BTC),
    "GET_fapi_v1_klines": public("/fapi/v1/klines", **BTC, interval="1m"),
    "GET_fapi_v1_leverageBracket": reading(None, "/fapi/v1/leverageBracket"),
    "GET_fapi_v1_markPriceKlines": public("/fapi/v1/markPriceKlines", **BTC, interval="1m"),
    "GET_fapi_v1_multiAssetsMargin": reading(None, "/fapi/v1/multiAssetsMargin"),
    "GET_fapi_v1_openAlgoOrders": open_algo_orders,
    "GET_fapi_v1_openInterest": public("/fapi/v1/openInterest", **BTC),
    "GET_fapi_v1_openOrder": lambda world: world.get("/fapi/v1/openOrder", **BTC, orderId=with_id(world)),
    "GET_fapi_v1_openOrders": reading(World.resting, "/fapi/v1/openOrders"),
    "GET_fapi_v1_order": lambda world: world.get("/fapi/v1/order", **BTC, orderId=with_id(world)),
    "GET_fapi_v1_orderAmendment": amendments,
    "GET_fapi_v1_positionMargin_history": margin_history,
    "GET_fapi_v1_positionSide_dual": reading(None, "/fapi/v1/positionSide/dual"),
    "GET_fapi_v1_premiumIndex": public("/fapi/v1/premiumIndex", **BTC),
    "GET_fapi_v1_premiumIndexKlines": public("/fapi/v1/premiumIndexKlines", **BTC, interval="1m"),
    "GET_fapi_v1_rateLimit_order": reading(None, "/fapi/v1/rateLimit/order"),
    "GET_fapi_v1_symbolAdlRisk": public("/fapi/v1/symbolAdlRisk", **BTC),
    "GET_fapi_v1_symbolConfig": reading(None, "/fapi/v1/symbolConfig"),
    "GET_fapi_v1_ticker_24hr": public("/fapi/v1/ticker/24hr", **BTC),
    "GET_fapi_v1_ticker_bookTicker": public("/fapi/v1/ticker/bookTicker", **BTC),
    "GET_fapi_v1_ticker_price": public("/fapi/v1/ticker/price", **BTC),
    "GET_fapi_v1_time": public("/fapi/v1/time"),
    "GET_fapi_v1_trades": trades("/fapi/v1/trades"),
    "GET_fapi_v1_userTrades": reading(World.held, "/fapi/v1/userTrades", **BTC),
    "GET_fapi_v2_account": reading(World.held, "/fapi/v2/account"),
    "GET_fapi_v2_balance": reading(None, "/fapi/v2/balance"),
    "GET_fapi_v2_positionRisk": reading(World.held, "/fapi/v2/positionRisk"),
    "GET_fapi_v2_ticker_price": public("/fapi/v2/ticker/price", **BTC),
    "GET_fapi_v3_account": reading(World.held, "/fapi/v3/account"),
    "GET_fapi_v3_balance": reading(None, "/fapi/v3/balance"),
    "GET_fapi_v3_positionRisk": reading(World.held, "/fapi/v3/positionRisk"),
    "GET_futures_data_basis": public("/futures/data/basis", **PAIR, period="1h"),
    "GET_futures_data_delivery_price": public("/futures/data/delivery-price", pair="BTCUSDT"),
    "GET_futures_data_globalLongShortAccountRatio": public("/futures/data/globalLongShortAccountRatio", **TIMED),
    "GET_futures_data_openInterestHist": public("/futures/data/openInterestHist", **TIMED),
    "GET_futures_data_takerlongshortRatio": public("/futures/data/takerlongshortRatio", **TIMED),
    "GET_futures_data_topLongShortAccountRatio": public("/futures/data/topLongShortAccountRatio", **TIMED),
    "GET_futures_data_topLongShortPositionRatio": public("/futures/data/topLongShortPositionRatio", **TIMED),
    "POST_fapi_v1_algoOrder": lambda world: world.conditional(),
    "POST_fapi_v1_batchOrders": lambda world: world.post(
        "/fapi/v1/batchOrders", **batch(ORDER, ORDER | {"price": "1"})
    ),
    "POST_fapi_v1_countdownCancelAll": lambda world: world.post(
        "/fapi/v1/countdownCancelAll", **BTC, countdownTime=100000
    ),
    "POST_fapi_v1_feeBurn": lambda world: world.post("/fapi/v1/feeBurn", feeBurn="true"),
    "POST_fapi_v1_leverage": lambda world: world.post("/fapi/v1/leverage", **BTC, leverage=21),
    "POST_fapi_v1_listenKey": lambda world: {"listenKey": world.listen_key()},
    "POST_fapi_v1_marginType": lambda world: world.post("/fapi/v1/marginType", **BTC, marginType="ISOLATED"),
    "POST_fapi_v1_multiAssetsMargin": lambda world: world.post("/fapi/v1/multiAssetsMargin", multiAssetsMargin="true"),
    "POST_fapi_v1_order": World.resting,
    "POST_fapi_v1_order_test": lambda world: world.post("/fapi/v1/order/test", **TRAILING),
    "POST_fapi_v1_positionMargin": isolated,
    "POST_fapi_v1_positionSide_dual": lambda world: world.post("/fapi/v1/positionSide/dual", dualSidePosition="true"),
    "PUT_fapi_v1_batchOrders": amended_batch,
    "PUT_fapi_v1_listenKey": lambda world: kept_listen_key(world, "PUT"),
    "PUT_fapi_v1_order": amended,
}
"""File (less its number) -> the same call of the simulated venue, with something to tell."""


def stem_of(path: Path) -> str:
    return path.stem.partition("--")[0]


def answered(stem: str) -> Any:
    """What a new world answers."""
    clock = ManualClock()

    async def ask() -> Any:
        world = World(clock)
        try:
            return ASKED[stem](world)
        finally:
            world.close()

    return clock.run(ask())


TABLES = {"missing": MISSING, "extra": EXTRA, "type": OTHER_TYPE}


def recorded_answers(fixtures: Path) -> list[Path]:
    paths = sorted((fixtures / "binance" / "rest").glob("*.json"))
    assert len(paths) >= 90
    return paths


@pytest.mark.slow
def test_every_recorded_answer_of_a_call_that_is_served_is_like_ours(fixtures: Path) -> None:
    answers = {stem: answered(stem) for stem in sorted({stem_of(path) for path in recorded_answers(fixtures)})}
    found: list[str] = []
    met: set[tuple[str, str, str]] = set()
    for path in recorded_answers(fixtures):
        stem = stem_of(path)
        for what, key in differences(json.loads(path.read_text()), answers[stem]):
            met.add((what, stem, key))
            if key not in TABLES.get(what, {}).get(stem, {}):
                found.append(f"{path.name}: {what} {key}")
    assert not found, "\n".join(found)
    stated = {(what, stem, key) for what, table in TABLES.items() for stem, keys in table.items() for key in keys}
    assert stated - met == set(), "stated, but no difference"
