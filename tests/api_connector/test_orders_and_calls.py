"""What a connector does when a venue answers badly or not at all: Binance's tables over a scripted HTTP transport."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import (
    APIError,
    BadInput,
    Busy,
    ClockSkewed,
    InsufficientBalance,
    NotSent,
    OutcomeUnknown,
    RateLimited,
)
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.incident import Incident
from perpwire.model.order import OrderStatus
from perpwire.transport.base import TransportFailed
from perpwire.venues import load

Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]] | TransportFailed

LOST = TransportFailed("connection reset", may_have_been_sent=True)
REFUSED = TransportFailed("connection refused", may_have_been_sent=False)

SYMBOL = {
    "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
    "onboardDate": 1569398400000, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
    "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8,
    "quotePrecision": 8, "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC"], "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "100", "maxPrice": "1000000", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "100", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ],
}  # fmt: skip


def order_reply(client_id: str, status: str = "NEW") -> dict[str, Any]:
    return {
        "orderId": 7, "symbol": "BTCUSDT", "status": status, "clientOrderId": client_id, "price": "60000.0",
        "origQty": "0.010", "executedQty": "0.000", "timeInForce": "GTC", "type": "LIMIT", "reduceOnly": False,
        "side": "BUY", "positionSide": "BOTH", "origType": "LIMIT", "updateTime": 1790000000123, "avgPrice": "0.00",
    }  # fmt: skip


class Script:
    """Answers each call of "METHOD /path" with the next of its list; the last one stays."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.params: list[dict[str, str]] = []
        self.skew_ms = 0

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        path, _, query = request.target.partition("?")
        name = f"{request.method} {path}"
        self.asked.append(name)
        self.params.append(dict(parse_qsl(query)))
        await self._clock.sleep(0.01)
        answer = self._next(name)
        if isinstance(answer, TransportFailed):
            raise answer
        body = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
        return HttpReply(status=answer[0], headers=answer[2] if len(answer) == 3 else {}, body=body)

    def _next(self, name: str) -> Answer:
        if name == "GET /fapi/v1/time":
            return (200, {"serverTime": self._clock.time_ns() // 1_000_000 + self.skew_ms})
        if name == "GET /fapi/v1/exchangeInfo":
            return (200, {"timezone": "UTC", "serverTime": 0, "rateLimits": [], "symbols": [SYMBOL]})
        if name == "GET /fapi/v1/fundingInfo":
            return (200, [])
        answers = self.answers[name]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def close(self) -> None:
        pass

    def count(self, name: str) -> int:
        return self.asked.count(name)


class Stage:
    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.script = Script(clock)
        self.incidents: list[Incident] = []
        self.connector = VenueConnector(
            load("binance"),
            "key",
            "secret",
            clock=clock,
            rng=random.Random(3),
            http=self.script,
            check_key=False,
            warm=False,
        )
        self.connector.on_incident(self.incidents.append)

    async def limit_order(self) -> Any:
        return await self.connector.place_order(
            "BTCUSDT", "buy", "0.010", "LIMIT", price="60000", client_order_id="pw-1"
        )

    def kinds(self) -> list[str]:
        return [type(incident).__name__ for incident in self.incidents]


def play(scenario: Callable[[Stage], Coroutine[Any, Any, None]]) -> Stage:
    clock = ManualClock()
    stages: list[Stage] = []

    async def main() -> None:
        stage = Stage(clock)
        stages.append(stage)
        async with stage.connector:
            await scenario(stage)

    clock.run(main())
    return stages[0]


PLACE, GET = "POST /fapi/v1/order", "GET /fapi/v1/order"
ABSENT: Answer = (400, {"code": -2013, "msg": "Order does not exist."})


@pytest.mark.parametrize(
    "lost",
    [
        LOST,
        (503, {"msg": "Unknown error, please check your request or try again later."}),
        (408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}),
        (400, {"code": -1006, "msg": "An unexpected response was received."}),
        (502, b"<html>Bad Gateway</html>"),
        (200, b'{"orderId":7,'),
    ],
    ids=["reset", "503", "-1007", "-1006", "502 html", "cut body"],
)
def test_an_order_whose_answer_is_lost_is_found_by_its_id_and_never_sent_again(lost: Answer) -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {PLACE: [lost], GET: [ABSENT, ABSENT, (200, order_reply("pw-1"))]}
        order = await stage.limit_order()
        assert (order.order_id, order.status) == ("7", OrderStatus.NEW)

    stage = play(scenario)
    assert (stage.script.count(PLACE), stage.script.count(GET)) == (1, 3)
    assert stage.kinds() == ["OrderDoubtful", "OrderResolved"]
    assert stage.script.params[-1]["origClientOrderId"] == "pw-1"


def test_an_order_still_unknown_when_the_venue_must_refuse_it_was_not_placed() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {PLACE: [LOST], GET: [ABSENT]}
        began = stage.clock.monotonic_ns()
        with pytest.raises(NotSent, match="was not placed"):
            await stage.limit_order()
        assert 10 < (stage.clock.monotonic_ns() - began) / 1e9 < 13

    stage = play(scenario)
    assert (stage.script.count(PLACE), stage.script.count(GET)) == (1, 6)
    assert stage.kinds() == ["OrderDoubtful", "OrderResolved"]


def test_an_order_that_can_not_be_asked_for_stays_unknown_and_carries_its_id() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {PLACE: [LOST], GET: [LOST]}
        with pytest.raises(OutcomeUnknown) as caught:
            await stage.limit_order()
        assert caught.value.client_order_id == "pw-1"

    assert play(scenario).script.count(PLACE) == 1


def test_an_order_that_never_left_is_sent_again() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {PLACE: [REFUSED, REFUSED, (200, order_reply("pw-1"))]}
        assert (await stage.limit_order()).status is OrderStatus.NEW

    assert play(scenario).script.count(PLACE) == 3


def test_an_order_that_a_venue_is_too_busy_for_is_not_sent_again_unless_its_caller_wants_that() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {PLACE: [(503, {"msg": "Service Unavailable."})]}
        began = stage.clock.monotonic_ns()
        with pytest.raises(NotSent) as caught:
            await stage.limit_order()
        assert isinstance(caught.value.__cause__, Busy)
        assert (stage.clock.monotonic_ns() - began) / 1e9 < 0.05

    assert play(scenario).script.count(PLACE) == 1


def test_an_order_refused_for_overload_is_looked_for_three_times_before_it_is_said_not_to_exist() -> None:
    async def scenario(stage: Stage) -> None:
        overload = (503, {"code": -1008, "msg": "Request throttled by system-level protection."})
        stage.script.answers = {PLACE: [overload], GET: [ABSENT]}
        began = stage.clock.monotonic_ns()
        with pytest.raises(NotSent) as caught:
            await stage.limit_order()
        assert caught.value.code == -1008
        assert 3 <= (stage.clock.monotonic_ns() - began) / 1e9 < 3.5

    stage = play(scenario)
    assert (stage.script.count(PLACE), stage.script.count(GET)) == (1, 3)
    assert stage.kinds() == ["OrderDoubtful", "OrderResolved"]


def test_a_clock_error_is_cured_by_measuring_anew_and_one_more_try() -> None:
    skewed: Answer = (400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})

    async def scenario(stage: Stage) -> None:
        stage.script.skew_ms = 10_000
        stage.script.answers = {PLACE: [skewed, (200, order_reply("pw-1"))]}
        await stage.limit_order()
        sent = [int(params["timestamp"]) for params in stage.script.params if "timestamp" in params]
        assert 9_900 < sent[1] - sent[0] < 10_200

    stage = play(scenario)
    assert stage.kinds() == ["ClockStepped"]

    async def hopeless(stage: Stage) -> None:
        stage.script.answers = {PLACE: [skewed]}
        with pytest.raises(ClockSkewed):
            await stage.limit_order()

    assert play(hopeless).script.count(PLACE) == 2


def test_a_rate_limit_holds_back_every_call_for_as_long_as_the_venue_says() -> None:
    slow: Answer = (429, {"code": -1003, "msg": "Too many requests."}, {"retry-after": "7"})

    async def scenario(stage: Stage) -> None:
        stage.script.answers = {GET: [slow, (200, order_reply("a"))]}
        for nothing_open in ("GET /fapi/v1/openOrders", "GET /fapi/v1/openAlgoOrders"):
            stage.script.answers[nothing_open] = [(200, [])]
        began = stage.clock.monotonic_ns()
        await stage.connector.get_order("BTCUSDT", 7)
        assert (stage.clock.monotonic_ns() - began) / 1e9 > 7
        stage.script.answers[GET] = [slow]
        with pytest.raises(RateLimited):
            await stage.connector.get_order("BTCUSDT", 7)
        began = stage.clock.monotonic_ns()
        await stage.connector.get_open_orders()
        assert (stage.clock.monotonic_ns() - began) / 1e9 > 6.9

    assert "RateLimitHit" in play(scenario).kinds()


def test_a_ban_is_told_at_once_and_nothing_more_is_sent() -> None:
    ban: Answer = (418, {"code": -1003, "msg": "Way too many requests; IP banned until 1790000300000."})

    async def scenario(stage: Stage) -> None:
        stage.script.answers = {GET: [ban]}
        with pytest.raises(RateLimited) as caught:
            await stage.connector.get_order("BTCUSDT", 7)
        assert caught.value.retry_after_s >= 120

    assert play(scenario).script.count(GET) == 1


def test_reads_are_repeated_after_anything_that_may_pass() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {GET: [LOST, (500, b"<html>"), (200, order_reply("a"))]}
        await stage.connector.get_order("BTCUSDT", 7)

    assert play(scenario).script.count(GET) == 3


def test_insufficient_margin_is_its_own_error_and_incident() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {PLACE: [(400, {"code": -2019, "msg": "Margin is insufficient."})]}
        with pytest.raises(InsufficientBalance) as caught:
            await stage.limit_order()
        assert (caught.value.code, caught.value.venue, caught.value.call) == (-2019, "binance", "place_order")

    stage = play(scenario)
    assert stage.kinds() == ["BalanceInsufficient"]
    assert stage.script.count(PLACE) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"symbol": "BTCUSD"}, "UNKNOWN_SYMBOL"),
        ({"quantity": 0}, "QUANTITY_NOT_POSITIVE"),
        ({"quantity": "0.0101"}, "QUANTITY_OFF_STEP"),
        ({"quantity": "many"}, "NOT_A_NUMBER"),
        ({"price": "60000.05"}, "PRICE_OFF_TICK"),
        ({"price": None}, "BAD_PRICE"),
        ({"price": "9000", "quantity": "0.010"}, "NOTIONAL_TOO_SMALL"),
        ({"side": "long"}, "BAD_SIDE"),
        ({"order_type": "ICEBERG"}, "BAD_ORDER_TYPE"),
        ({"order_type": "LIQUIDATION"}, "BAD_ORDER_TYPE"),
        ({"time_in_force": "XYZ"}, "BAD_TIME_IN_FORCE"),
        ({"order_type": "MARKET"}, "BAD_PRICE"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(arguments: dict[str, Any], code: str) -> None:
    good: dict[str, Any] = {
        "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "order_type": "LIMIT", "price": "60000",
    }  # fmt: skip

    async def scenario(stage: Stage) -> None:
        with pytest.raises(BadInput) as caught:
            await stage.connector.place_order(**{**good, **arguments})
        assert caught.value.code == code
        assert caught.value.advice

    stage = play(scenario)
    assert stage.script.count(PLACE) == 0
    assert stage.incidents == []


def test_rounding_is_done_only_when_asked_for() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {PLACE: [(200, order_reply("x"))]}
        await stage.connector.place_order("BTC/USDT:USDT", "SELL", 0.01099, "LIMIT", price=60000.07, round="down")

    sent = play(scenario).script.params[-1]
    assert (sent["symbol"], sent["quantity"], sent["price"], sent["side"]) == ("BTCUSDT", "0.010", "60000.00", "SELL")


def test_extra_keyword_arguments_reach_the_venue_and_its_own_id_name_is_ours() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {
            PLACE: [LOST],
            GET: [(200, order_reply("mine"))],
        }
        await stage.connector.place_order(
            "BTCUSDT", "BUY", Decimal("0.01"), newClientOrderId="mine", selfTradePreventionMode="EXPIRE_BOTH"
        )

    stage = play(scenario)
    placed = stage.script.params[stage.script.asked.index(PLACE)]
    assert (placed["newClientOrderId"], placed["selfTradePreventionMode"]) == ("mine", "EXPIRE_BOTH")
    assert stage.script.params[-1]["origClientOrderId"] == "mine"


def test_a_venue_that_can_not_be_reached_is_an_error_at_once() -> None:
    clock = ManualClock()

    async def main() -> None:
        stage = Stage(clock)

        async def refuse(base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
            raise REFUSED

        stage.script.exchange = refuse  # type: ignore[method-assign]
        with pytest.raises(NotSent) as caught:
            await stage.connector.start()
        assert (caught.value.venue, caught.value.code) == ("binance", "TRANSPORT")
        assert "fapi.binance.com" in caught.value.reason

    clock.run(main())


def test_a_connector_that_is_not_started_says_so() -> None:
    clock = ManualClock()

    async def main() -> None:
        with pytest.raises(BadInput, match="not started"):
            await Stage(clock).connector.get_account_info()

    clock.run(main())


def test_every_request_is_counted_with_its_outcome() -> None:
    async def scenario(stage: Stage) -> None:
        stage.script.answers = {GET: [ABSENT]}
        with pytest.raises(APIError):
            await stage.connector.get_order("BTCUSDT", 7)
        stats = stage.connector.metrics.get_stats()
        assert stats["total_requests"] == 4  # three of the clock
        assert stats["error_rate"] == 0.25
        assert stats["min_response_time"] == pytest.approx(0.01, rel=0.01)

    play(scenario)


def test_an_order_that_shows_late_after_an_acknowledged_cancel_is_asked_for_again() -> None:
    """Bybit acknowledges a cancel before its lists show it."""
    clock = ManualClock()
    acknowledged = {"retCode": 0, "retMsg": "OK", "result": {"orderId": "o1", "orderLinkId": "pw-1"}, "time": 1}
    nothing = {"retCode": 0, "retMsg": "OK", "result": {"list": [], "nextPageCursor": ""}, "time": 1}
    order = {
        "orderId": "o1", "orderLinkId": "pw-1", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit",
        "timeInForce": "GTC", "price": "60000", "qty": "0.01", "cumExecQty": "0", "avgPrice": "",
        "orderStatus": "Cancelled", "reduceOnly": False, "positionIdx": 0, "createdTime": "1", "updatedTime": "2",
    }  # fmt: skip
    found = {"retCode": 0, "retMsg": "OK", "result": {"list": [order], "nextPageCursor": ""}, "time": 1}

    async def main() -> None:
        script = Script(clock)
        script.answers = {
            "GET /v5/market/time": [
                (200, {"retCode": 0, "result": {"timeSecond": "1790000000", "timeNano": "1790000000000000000"}})
            ],
            "POST /v5/order/cancel": [(200, acknowledged)],
            "GET /v5/order/realtime": [(200, nothing), (200, nothing), (200, found)],
            "GET /v5/order/history": [(200, nothing)],
        }
        async with VenueConnector(
            load("bybit"), "key", "secret", clock=clock, http=script, check_key=False, warm=False
        ) as connector:
            cancelled = await connector.cancel_order("BTCUSDT", "o1")
            assert cancelled.status is OrderStatus.CANCELED
            script.answers["GET /v5/order/realtime"] = [(200, nothing)]
            with pytest.raises(OutcomeUnknown, match="cancel_order was acknowledged"):
                await connector.cancel_order("BTCUSDT", "o2")
        assert script.count("POST /v5/order/cancel") == 2

    clock.run(main())
