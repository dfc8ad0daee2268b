"""Whatever a client sends, the simulator answers in the venue's form and its books stay whole."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings, strategies as st
from tests.sizes import size

from perpwire.clock import ManualClock
from perpwire.simulator.dialect import IncomingRequest

from .desk import KEYS, Desk, moment

PLAUSIBLE = st.sampled_from(
    [
        *("linear", "spot", "BTCUSDT", "ETHUSDT", "Buy", "Sell", "Limit", "Market", "0.010", "1", "64000", "63000.05"),
        *("GTC", "IOC", "FOK", "PostOnly", "RPI", "0", "", "mine", "9" * 40, "9" * 5000, "1e5", "-1", "page_token=7&"),
        *("Order", "USDT", "BTC", "20", "²", "New", "Filled", "Trade", "UNIFIED"),
    ]
)
VALUE = st.one_of(PLAUSIBLE, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4))
JSON = st.one_of(VALUE, st.lists(VALUE, max_size=2), st.dictionaries(st.text(max_size=3), VALUE, max_size=2))
NAMES = (
    *("category", "symbol", "side", "orderType", "qty", "price", "timeInForce", "reduceOnly", "closeOnTrigger"),
    *("positionIdx", "orderLinkId", "orderId", "triggerPrice", "settleCoin", "baseCoin", "buyLeverage", "sellLeverage"),
    *("limit", "cursor", "openOnly", "orderFilter", "orderStatus", "startTime", "endTime", "execType", "coin"),
    *("accountType", "status"),
)
POSTS = tuple(
    f"/v5/{path}"
    for path in ("order/create", "order/amend", "order/cancel", "order/cancel-all", "position/set-leverage")
)
GETS = tuple(
    f"/v5/{path}"
    for path in (
        *("order/realtime", "order/history", "execution/list", "position/list", "account/wallet-balance"),
        *("account/info", "account/fee-rate", "user/query-api", "market/instruments-info", "market/orderbook"),
        *("market/tickers", "market/recent-trade", "market/price-limit", "market/time", "nothing"),
    )
)
LIKELY = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.010",
    "price": "64000",
}
FEW = settings(max_examples=size(60, 30), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(
    st.lists(
        st.tuples(
            st.sampled_from((*POSTS, *GETS)),
            st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_no_call_breaks_it(calls: list[tuple[str, dict[str, Any], bool]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        desk = Desk(clock)
        desk.quotes()
        stream = desk.private("order", "execution", "position", "wallet")
        for path, params, likely in calls:
            asked = {**(LIKELY if likely else {}), **params}
            if path in POSTS:
                reply = desk.send("POST", path, json.dumps(asked))
            else:
                reply = desk.send("GET", path, "&".join(f"{name}={quote(str(one))}" for name, one in asked.items()))
            if reply.status == 200:
                body = json.loads(reply.body)
                assert body.keys() == {"retCode", "retMsg", "result", "retExtInfo", "time"}
            else:
                assert (path, reply.status) == ("/v5/nothing", 404)
            await moment(0.02)
        for topic, text in stream.peer.frames:
            if topic:
                assert stream.client.on_frame(text, 1)
        view = desk.exchange.view("main")
        assert view.equity >= 0
        assert len(desk.exchange.open_orders("main", None)) == len(
            desk.get("/v5/order/realtime", category="linear", settleCoin="USDT", limit=50)["result"]["list"]
        )
        desk.dialect.close()

    clock.run(main())


@FEW
@given(
    st.dictionaries(st.sampled_from(["timestamp", "recv-window", "sign", "api-key"]), PLAUSIBLE), st.text(max_size=8)
)
def test_no_header_and_no_query_breaks_it(headers: dict[str, str], query: str) -> None:
    clock = ManualClock()

    async def main() -> None:
        desk = Desk(clock)
        sent = {
            "x-bapi-api-key": KEYS.api_key,
            "x-bapi-timestamp": str(desk.exchange.now_ms()),
            "x-bapi-sign": "s",
            **{f"x-bapi-{name}": value for name, value in headers.items()},
        }
        reply = desk.dialect.http(
            IncomingRequest(method="GET", path="/v5/account/info", query=query + "\ud800", headers=sent, body=b"")
        )
        assert reply.status in (200, 401)
        desk.dialect.close()

    clock.run(main())
