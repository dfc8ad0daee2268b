"""Whatever is asked of the simulated venue: an answer in its own shape, and books that still add up."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.venues.binance_futures.simulated import MAIN, OTHER, SimulatedVenue, in_virtual_time, pass_s

from perpwire.model.order import Side
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.rest import rest_rows
from perpwire.venues.binance_futures.sim.signatures import hmac_hex
from perpwire.venues.binance_futures.sim.users import UserStreams
from perpwire.venues.binance_futures.sim.words import SymbolWords

STATUSES = frozenset({200, 400, 401, 404, 418, 429})

NUMBERS = ("0.010", "1", "0", "0.001", "64000", "63999.9", "60000", "68000", "64000.1", "5", "100", "0.0101", "2")
ODD = (
    "", " ", "-1", "1e5", "NaN", "Infinity", "9" * 40, "0." + "1" * 40, "٣", "💥", "BTCUSDT'--", "\x00", "true",
    "null", "[]", "{}", "%", "a" * 500, "0x10", "1,5", "+1", "1.", ".5",
)  # fmt: skip
PLAUSIBLE: dict[str, tuple[str, ...]] = {
    "symbol": ("BTCUSDT", "BTCUSDT", "ETHUSDT", "SOLUSDT", "btcusdt", "NOPE", "测试USDT", "BTCUSD"),
    "pair": ("BTCUSDT", "ETHUSDT", "NOPE"),
    "contractType": ("PERPETUAL", "CURRENT_QUARTER", "ETERNAL"),
    "interval": ("1m", "5m", "1h", "1d", "1w", "1M", "1s", "7m"),
    "period": ("5m", "1h", "1d", "1w"),
    "side": ("BUY", "SELL", "BUY", "SELL", "HOLD"),
    "type": ("LIMIT", "MARKET", "LIMIT", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TRAILING_STOP_MARKET", "1", "2", "ICE"),
    "algoType": ("CONDITIONAL", "VP"),
    "positionSide": ("BOTH", "LONG", "SHORT", "UP"),
    "timeInForce": ("GTC", "IOC", "FOK", "GTX", "GTD", "RPI", "GTE_GTC", "DAY"),
    "quantity": NUMBERS,
    "price": NUMBERS,
    "triggerPrice": ("66000", "62000", "63990", "64010", *NUMBERS),
    "activatePrice": ("66000", "62000", *NUMBERS),
    "callbackRate": ("1", "0.1", "20", "21", "0.01"),
    "amount": ("1", "10", "0.000000001", "100000000"),
    "priceMatch": ("NONE", "QUEUE", "OPPONENT", "QUEUE_5", "OPPONENT_20", "BEST"),
    "workingType": ("CONTRACT_PRICE", "MARK_PRICE", "INDEX"),
    "selfTradePreventionMode": ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "ALL"),
    "newOrderRespType": ("ACK", "RESULT", "FULL"),
    "marginType": ("ISOLATED", "CROSSED", "cross"),
    "incomeType": ("TRANSFER", "COMMISSION", "GIFT"),
    "autoCloseType": ("LIQUIDATION", "ADL", "X"),
    "leverage": ("1", "20", "125", "126", "0"),
    "limit": ("1", "5", "100", "500", "1000", "1500", "1501", "0"),
    "countdownTime": ("0", "1000", "100000", "99999999999"),
    "goodTillDate": ("1", "1790003600000", "9999999999999", "253402300799000"),
}
TRUTHS = ("reduceOnly", "closePosition", "priceProtect", "dualSidePosition", "multiAssetsMargin", "feeBurn")
IDS = ("orderId", "fromId", "algoId", "modifyId")
NAMES = ("newClientOrderId", "origClientOrderId", "clientAlgoId")
TIMES = ("startTime", "endTime")
WANTED: dict[str, tuple[str, ...]] = {
    "/fapi/v1/order": ("symbol", "side", "type", "quantity", "price", "timeInForce"),
    "/fapi/v1/order/test": ("symbol", "side", "type", "quantity", "price", "timeInForce"),
    "/fapi/v1/algoOrder": ("algoType", "symbol", "side", "type", "quantity", "triggerPrice"),
    "/fapi/v1/positionMargin": ("symbol", "amount", "type"),
    "/fapi/v1/leverage": ("symbol", "leverage"),
    "/fapi/v1/marginType": ("symbol", "marginType"),
    "/fapi/v1/positionSide/dual": ("dualSidePosition",),
    "/fapi/v1/multiAssetsMargin": ("multiAssetsMargin",),
    "/fapi/v1/countdownCancelAll": ("symbol", "countdownTime"),
    "/fapi/v1/klines": ("symbol", "interval"),
    "/fapi/v1/markPriceKlines": ("symbol", "interval"),
    "/fapi/v1/premiumIndexKlines": ("symbol", "interval"),
    "/fapi/v1/indexPriceKlines": ("pair", "interval"),
    "/fapi/v1/continuousKlines": ("pair", "contractType", "interval"),
    "/futures/data/basis": ("pair", "contractType", "period"),
    "/futures/data/delivery-price": ("pair",),
    "/futures/data/openInterestHist": ("symbol", "period"),
    "/futures/data/takerlongshortRatio": ("symbol", "period"),
    "/futures/data/globalLongShortAccountRatio": ("symbol", "period"),
    "/futures/data/topLongShortAccountRatio": ("symbol", "period"),
    "/futures/data/topLongShortPositionRatio": ("symbol", "period"),
}
"""What a call can't do without: mostly sent."""
SENSIBLE: dict[str, dict[str, tuple[str, ...]]] = {
    "/fapi/v1/order": {
        "symbol": ("BTCUSDT",),
        "side": ("BUY", "SELL"),
        "type": ("LIMIT",),
        "timeInForce": ("GTC", "GTC", "IOC", "GTX"),
        "quantity": ("0.010", "0.5", "0.003"),
        "price": ("63990", "64010", "64000", "62000", "66000"),
    },
    "/fapi/v1/algoOrder": {
        "algoType": ("CONDITIONAL",),
        "symbol": ("BTCUSDT",),
        "side": ("BUY", "SELL"),
        "type": ("STOP_MARKET", "TAKE_PROFIT_MARKET"),
        "quantity": ("0.010", "0.5"),
        "triggerPrice": ("63990", "64010", "64100", "63900"),
    },
}
SENSIBLE["/fapi/v1/order/test"] = SENSIBLE["/fapi/v1/order"]
OFTEN = (
    ("POST", "/fapi/v1/order"),
    ("POST", "/fapi/v1/order"),
    ("PUT", "/fapi/v1/order"),
    ("DELETE", "/fapi/v1/order"),
    ("GET", "/fapi/v1/order"),
    ("POST", "/fapi/v1/algoOrder"),
    ("DELETE", "/fapi/v1/algoOrder"),
    ("POST", "/fapi/v1/batchOrders"),
)


class Asker:
    """Makes up requests: mostly sensible ones, so that they get somewhere, and then something odd about them."""

    def __init__(self, venue: SimulatedVenue, random: Random) -> None:
        self._venue = venue
        self._random = random
        exchange: Exchange = venue.exchange
        words = {spec.instrument.symbol: SymbolWords(spec) for spec in exchange.specs()}
        rows = rest_rows(exchange, Listing(words), {}, UserStreams(exchange, words))
        self._calls = sorted(rows)
        self._changing = [call for call in self._calls if call[0] != "GET"]

    def _value(self, name: str) -> str:
        random = self._random
        if random.random() < 0.04:
            return random.choice(ODD)
        if name in PLAUSIBLE:
            return random.choice(PLAUSIBLE[name])
        if name in TRUTHS:
            return random.choice(("true", "false", "true", "false", "maybe"))
        if name in IDS:
            orders = self._venue.exchange.orders("main", None)
            return str(random.choice(orders).order_id) if orders and random.random() < 0.8 else str(random.randrange(9))
        if name in TIMES:
            return str(
                self._venue.exchange.now_ms() - random.choice((0, 1000, 60_000, 86_400_000, 8 * 86_400_000, -5000))
            )
        return random.choice(("a", "b", "c", "d" * 36, "d" * 37, "ü"))  # a client's id

    def _params(self, path: str) -> dict[str, str]:
        random = self._random
        wanted = WANTED.get(path, ("symbol",))
        names = [name for name in wanted if random.random() < 0.95]
        others = [*PLAUSIBLE, *TRUTHS, *IDS, *NAMES, *TIMES]
        names += random.sample(others, random.choice((0, 0, 1, 1, 2, 3, 6)))
        params = {name: self._value(name) for name in dict.fromkeys(names)}
        if path in SENSIBLE and random.random() < 0.8:
            params = {name: random.choice(values) for name, values in SENSIBLE[path].items()}
            if self._venue.exchange.is_hedge("main", "BTCUSDT") and random.random() < 0.9:
                params["positionSide"] = random.choice(("LONG", "SHORT"))
            if random.random() < 0.3:
                name = random.choice(others)
                params[name] = self._value(name)
        if params.get("type") == "MARKET" and random.random() < 0.8:
            params.pop("price", None)
            params.pop("timeInForce", None)
        if path.endswith("batchOrders") and random.random() < 0.9:
            items: Any = [self._params("/fapi/v1/order") for _ in range(random.choice((1, 2, 3, 5, 6)))]
            params["batchOrders"] = json.dumps(items if random.random() < 0.95 else random.choice((items[0], 5, None)))
            ids: Any = [self._value("orderId") for _ in range(3)]
            params["orderIdList"] = json.dumps(ids) if random.random() < 0.5 else f"[{','.join(ids)}]"
        return params

    def ask(self) -> tuple[int, Any, str]:
        """One request: status, body, and what it was."""
        random = self._random
        method, path = random.choice(random.choice((OFTEN, self._calls, self._changing)))
        if random.random() < 0.01:
            method, path = random.choice((("PATCH", path), (method, path + "x"), (method, "/"), ("", "")))
        params = self._params(path)
        if path == "/fapi/v1/order" and method != "POST" and random.random() < 0.9:
            params["orderId"] = self._value("orderId")
        params |= {
            "timestamp": str(
                self._venue.exchange.now_ms() - random.choice((0, 0, 0, 0, 9000)) * (random.random() < 0.05)
            )
        }
        encode = random.choice((urlencode, urlencode, lambda rows: urlencode(rows, quote_via=quote), _raw))
        cut = random.choice((0, len(params), random.randrange(len(params) + 1)))
        rows = list(params.items())
        query, body = encode(dict(rows[:cut])), encode(dict(rows[cut:]))
        if random.random() < 0.02:
            body += random.choice(("&symbol=BTCUSDT&symbol=X", "&&&", "=", "%ff%fe", "&a", "\x00"))
        signature = hmac_hex((query + body).encode("utf-8", "surrogatepass"), MAIN.secret_key)
        if random.random() < 0.02:
            signature = random.choice(("", "x" * 64, signature[:-1], "%zz"))
        if body or not query:
            body += f"&signature={signature}" if body else f"signature={signature}"
        else:
            query += f"&signature={signature}"
        key = random.choice((MAIN.api_key,) * 40 + ("nobody", "", "ü", None))
        answer = self._venue.raw(method, path, query, body, key=key, peer=str(random.randrange(10**9)))
        return answer.status, answer.json, f"{method} {path} {query} {body}"


def _raw(rows: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in rows.items())


def check_shape(status: int, body: Any, asked: str) -> None:
    assert status in STATUSES, asked
    if status == 200:
        return
    assert body.keys() == {"code", "msg"}, asked
    assert isinstance(body["code"], int), asked
    assert body["code"] < 0, asked
    assert body["msg"], asked


def check_books(exchange: Exchange) -> None:
    """Positions are the sums of their fills, cash is the sum of what was booked, and no book is crossed."""
    for spec in (MAIN, OTHER):
        held: Counter[tuple[str, str]] = Counter()
        for order, fill in exchange.fills(spec.name, None):
            signed = fill.quantity if order.side is Side.BUY else -fill.quantity
            held[order.symbol, order.position_side.value] += signed  # type: ignore[assignment]
        for position in exchange.positions(spec.name):
            assert held.pop((position.symbol, position.side.value)) == position.quantity
        assert not any(held.values())
        booked = sum((one.change for one in exchange.bookings(spec.name)), Decimal(0))
        assert exchange.wallet(spec.name)["USDT"] == spec.cash + booked
        for order in exchange.open_orders(spec.name, None):
            assert 0 <= order.filled_quantity < order.quantity
            assert not order.status.is_final
    for one in exchange.specs():
        bids, asks, _, _ = exchange.book(one.instrument.symbol, 1)
        assert not bids or not asks or bids[0][0] < asks[0][0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_made_up_requests(seed: int) -> None:
    seen: Counter[int] = Counter()

    async def main(venue: SimulatedVenue) -> None:
        venue.quote(quantity="5")
        asker = Asker(venue, Random(f"requests/{seed}"))
        shocks = Random(f"shocks/{seed}")
        for number in range(1500):
            status, body, asked = asker.ask()
            check_shape(status, body, asked)
            seen[body["code"] if status != 200 and isinstance(body, dict) else 200] += 1
            await pass_s(0.05)
            if number % 100 == 0:
                check_books(venue.exchange)
                venue.quote(quantity="1")
            if number % 250 == 0:
                # Some are liquidated, some conditional orders trigger.
                share = Decimal(shocks.randint(-40, 40)) / 1000
                venue.exchange.force_mark("BTCUSDT", venue.exchange.index_price("BTCUSDT") * (1 + share))
        check_books(venue.exchange)

    in_virtual_time(main)
    # It got somewhere, and into many different corners.
    assert seen[200] > 300
    assert len(seen) > 30
