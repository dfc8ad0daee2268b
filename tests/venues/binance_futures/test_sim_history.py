"""What the simulated venue remembers: changes of orders, forced ones, income; and what ends orders by itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from tests.venues.binance_futures.simulated import MAIN, OTHER, SimulatedVenue, in_virtual_time, pass_s

from perpwire.clock import ManualClock
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim import default_specs, make_dialect

BTC: dict[str, Any] = {"symbol": "BTCUSDT"}
DAY_S = 86400


@pytest.fixture
def venue(clock: ManualClock) -> Iterator[SimulatedVenue]:
    venue = SimulatedVenue(clock)
    yield venue
    venue.close()


def test_a_clients_id_is_found_by_symbol_though_another_symbol_has_used_it_since(venue: SimulatedVenue) -> None:
    for _ in range(2):
        older = venue.place(price="60000", newClientOrderId="tp").json["orderId"]
        venue.signed("DELETE", "/fapi/v1/order", **BTC, origClientOrderId="tp")
    newer = venue.place(symbol="ETHUSDT", price="2900", quantity="0.1", newClientOrderId="tp").json["orderId"]

    def found(symbol: str) -> Any:
        return venue.signed("GET", "/fapi/v1/order", symbol=symbol, origClientOrderId="tp").json

    assert (found("BTCUSDT")["orderId"], found("ETHUSDT")["orderId"]) == (older, newer)
    assert venue.signed("DELETE", "/fapi/v1/order", **BTC, origClientOrderId="tp").code == -2011
    assert found("SOLUSDT")["code"] == -2013


# --- changes of orders ------------------------------------------------------------------------------------------------


def test_the_changes_of_an_order_are_remembered_newest_first(venue: SimulatedVenue) -> None:
    order_id = venue.place(price="60000", newClientOrderId="me").json["orderId"]

    def amend(price: str, quantity: str = "0.010", **more: Any) -> None:
        params = {"side": "BUY", "orderId": order_id, "price": price, "quantity": quantity} | more
        answer = venue.signed("PUT", "/fapi/v1/order", **BTC, **params)
        assert answer.status == 200, answer.raw

    def rows(**params: Any) -> Any:
        return venue.signed("GET", "/fapi/v1/orderAmendment", **BTC, **params).json

    assert rows(orderId=order_id) == []
    amend("60001")
    venue.clock.advance(1)
    amend("60001", "0.020", modifyId=9)
    first, second = rows(origClientOrderId="me")[::-1]
    assert first == {
        "amendmentId": first["amendmentId"],
        "symbol": "BTCUSDT",
        "pair": "BTCUSDT",
        "orderId": order_id,
        "clientOrderId": "me",
        "time": venue.exchange.now_ms() - 1000,
        "amendment": {
            "price": {"before": "60000.00", "after": "60001.00"},
            "origQty": {"before": "0.010", "after": "0.010"},
            "count": 1,
        },
        "priceMatch": "NONE",
    }
    assert second["amendment"] == {
        "price": {"before": "60001.00", "after": "60001.00"},
        "origQty": {"before": "0.010", "after": "0.020"},
        "count": 2,
        "modifyId": 9,
    }
    assert second["amendmentId"] == first["amendmentId"] + 1
    assert rows(orderId=order_id, limit=1) == [second]
    assert rows(orderId=order_id, endTime=first["time"]) == [first]
    assert rows(orderId=order_id, startTime=second["time"]) == [second]
    assert venue.signed("GET", "/fapi/v1/orderAmendment", **BTC, orderId=5).code == -2013
    assert venue.signed("GET", "/fapi/v1/orderAmendment", **BTC).code == -1102
    assert venue.signed("GET", "/fapi/v1/orderAmendment", **BTC, orderId=order_id, limit=101).code == -1130


def test_a_matched_price_is_shown_as_such(venue: SimulatedVenue) -> None:
    venue.quote()
    made = venue.place(price=None, priceMatch="QUEUE").json
    assert (made["priceMatch"], made["price"]) == ("QUEUE", "63999.90")
    changed = venue.signed(
        "PUT", "/fapi/v1/order", **BTC, side="BUY", orderId=made["orderId"], quantity="0.020", price="60000"
    ).json
    assert changed["priceMatch"] == "NONE"
    read = venue.signed("GET", "/fapi/v1/order", **BTC, orderId=made["orderId"]).json
    assert (read["priceMatch"], read["origQty"]) == ("NONE", "0.020")


def test_a_modification_resets_what_happens_among_ones_own_orders(venue: SimulatedVenue) -> None:
    made = venue.place(side="SELL", price="65000", selfTradePreventionMode="EXPIRE_BOTH").json
    params = {"side": "SELL", "orderId": made["orderId"], "quantity": "0.010", "price": "65001"}
    assert venue.signed("PUT", "/fapi/v1/order", **BTC, **params).json["selfTradePreventionMode"] == "NONE"
    read = venue.signed("GET", "/fapi/v1/order", **BTC, orderId=made["orderId"]).json
    assert read["selfTradePreventionMode"] == "NONE"


def test_a_modification_says_itself_that_little_may_be_left(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market()
    made = venue.place(side="SELL", price="66000", reduceOnly="true").json
    params = {"side": "SELL", "orderId": made["orderId"], "quantity": "0.001", "price": "66000"}
    assert venue.signed("PUT", "/fapi/v1/order", **BTC, **params).code == -5029
    assert venue.signed("PUT", "/fapi/v1/order", **BTC, **params, reduceOnly="true").json["origQty"] == "0.001"


# --- what ends orders by itself ---------------------------------------------------------------------------------------


def test_a_countdown_cancels_a_symbols_orders_unless_it_is_set_anew() -> None:
    async def main(venue: SimulatedVenue) -> None:
        def arm(wait_ms: int) -> Any:
            return venue.signed("POST", "/fapi/v1/countdownCancelAll", **BTC, countdownTime=wait_ms)

        venue.place(price="60000")
        venue.place(symbol="ETHUSDT", price="2900", quantity="1")
        assert arm(2000).json == {"symbol": "BTCUSDT", "countdownTime": "2000"}
        await pass_s(1.5)
        arm(2000)
        await pass_s(1.5)
        assert len(venue.exchange.open_orders("main", "BTCUSDT")) == 1
        await pass_s(1)
        assert [order.symbol for order in venue.exchange.open_orders("main", None)] == ["ETHUSDT"]
        (ended,) = venue.signed("GET", "/fapi/v1/allOrders", **BTC).json
        assert ended["status"] == "CANCELED"
        venue.place(price="60000")
        arm(1000)
        arm(0)
        await pass_s(2)
        assert len(venue.exchange.open_orders("main", "BTCUSDT")) == 1
        assert venue.signed("POST", "/fapi/v1/countdownCancelAll", **BTC).code == -1102
        assert arm(10**12).code == -1130

    in_virtual_time(main)


def test_an_order_may_be_good_till_a_date() -> None:
    async def main(venue: SimulatedVenue) -> None:
        now_ms = venue.exchange.now_ms()
        order: dict[str, Any] = {"price": "60000", "timeInForce": "GTD"}
        assert venue.place(**order).code == -1102
        for date_ms in (1, now_ms + 600_000, 253_402_300_799_000):
            assert venue.place(**order, goodTillDate=date_ms).code == -5040
        made = venue.place(**order, goodTillDate=now_ms + 601_999).json
        assert (made["timeInForce"], made["goodTillDate"]) == ("GTD", (now_ms + 601_999) // 1000 * 1000)
        await pass_s(599)
        assert len(venue.exchange.open_orders("main", None)) == 1
        await pass_s(5)
        read = venue.signed("GET", "/fapi/v1/order", **BTC, orderId=made["orderId"]).json
        assert read["status"] == "EXPIRED"

    in_virtual_time(main)


def test_a_market_order_reaches_only_so_far_from_the_mark_price(venue: SimulatedVenue) -> None:
    venue.quote(quantity="0.010")
    venue.place(account=OTHER, side="SELL", price="67200", quantity="0.010")
    venue.place(account=OTHER, side="SELL", price="67200.10", quantity="1")
    answer = venue.market(quantity="0.500").json
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.020")
    # Now the best price itself is too far away.
    assert venue.market().code == -4131
    assert venue.market(side="SELL").status == 200
    assert venue.market(side="SELL").code == -1112


def test_reduce_only_orders_leave_room_for_what_waits(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market(quantity="0.100")
    assert venue.place(side="SELL", price="66000", quantity="0.080").status == 200
    assert venue.place(side="SELL", price="66000", quantity="0.021", reduceOnly="true").code == -4118
    assert venue.place(side="SELL", price="66000", quantity="0.020", reduceOnly="true").status == 200
    assert venue.place(side="SELL", price="66000", quantity="0.101", reduceOnly="true").code == -2022
    assert venue.place(side="BUY", price="60000", reduceOnly="true").code == -2022


def test_what_an_order_does_not_take_is_refused(venue: SimulatedVenue) -> None:
    surplus: Any
    for surplus in ({"stopPrice": "60000"}, {"activationPrice": "60000"}, {"callbackRate": "1"}):
        assert venue.place(**surplus).code == -1106
    assert venue.place(closePosition="true").code == -4020
    assert venue.place(timeInForce="RPI").code == -4188


def test_an_order_of_all_or_nothing_meets_ones_own_orders_like_any_others(venue: SimulatedVenue) -> None:
    venue.place(side="SELL", price="64000")
    taker = venue.place(price="64000", timeInForce="FOK").json
    assert (taker["status"], taker["selfTradePreventionMode"]) == ("FILLED", "EXPIRE_MAKER")
    assert venue.position() == 0


# --- forced orders ----------------------------------------------------------------------------------------------------


def test_forced_orders_are_told_by_their_kind(venue: SimulatedVenue) -> None:
    venue.quote(quantity="5")
    venue.market(quantity="1")
    venue.exchange.force_liquidation("main", "BTCUSDT")
    rows = venue.signed("GET", "/fapi/v1/forceOrders").json
    assert rows
    for row in rows:
        assert row["clientOrderId"].startswith("autoclose-")
        assert (row["side"], row["status"], row["pair"]) == ("SELL", "FILLED", "BTCUSDT")
        assert Decimal(row["cumQuote"]) > 0
    assert sum(Decimal(row["executedQty"]) for row in rows) == 1
    assert venue.signed("GET", "/fapi/v1/forceOrders", autoCloseType="LIQUIDATION").json == rows
    assert venue.signed("GET", "/fapi/v1/forceOrders", autoCloseType="ADL").json == []
    assert venue.signed("GET", "/fapi/v1/forceOrders", symbol="ETHUSDT").json == []
    assert venue.signed("GET", "/fapi/v1/forceOrders", autoCloseType="X").code == -1130
    incomes = venue.signed("GET", "/fapi/v1/income").json
    assert sum(Decimal(row["income"]) for row in incomes) == venue.exchange.wallet("main")["USDT"] - MAIN.cash
    (fee,) = [row for row in incomes if row["incomeType"] == "INSURANCE_CLEAR"]
    value = sum(Decimal(row["cumQuote"]) for row in rows)
    assert Decimal(fee["income"]) == -(value * Decimal("0.0125")).quantize(Decimal("1E-8"))
    venue.market(quantity="1")
    venue.exchange.force_adl("main", "BTCUSDT")
    (row,) = venue.signed("GET", "/fapi/v1/forceOrders", autoCloseType="ADL").json
    assert row["clientOrderId"] == "adl_autoclose"
    venue.clock.advance(91 * DAY_S)
    assert venue.signed("GET", "/fapi/v1/forceOrders").json == []


# --- income -----------------------------------------------------------------------------------------------------------


def test_income_adds_up_to_the_change_of_the_wallet(venue: SimulatedVenue) -> None:
    venue.quote(quantity="5")
    venue.exchange.deposit("main", "USDT", Decimal(25))
    venue.market(quantity="1")
    venue.clock.advance(1)
    venue.market(side="SELL", quantity="0.5")
    rows = venue.signed("GET", "/fapi/v1/income").json
    assert [row["incomeType"] for row in rows] == ["TRANSFER", "COMMISSION", "REALIZED_PNL", "COMMISSION"]
    assert sum(Decimal(row["income"]) for row in rows) == venue.exchange.wallet("main")["USDT"] - MAIN.cash
    assert (rows[0]["symbol"], rows[0]["income"], rows[0]["tradeId"]) == ("", "25.00000000", "")
    assert rows[2]["income"] == "-0.10000000"
    trades = venue.signed("GET", "/fapi/v1/userTrades", **BTC).json
    assert rows[2]["tradeId"] == rows[3]["tradeId"] == str(trades[1]["id"])
    for name in ("COMMISSION", "TRANSFER"):
        one = venue.signed("GET", "/fapi/v1/income", incomeType=name).json
        assert one == [row for row in rows if row["incomeType"] == name]
        assert len({row["tranId"] for row in one}) == len(one)
    assert venue.signed("GET", "/fapi/v1/income", **BTC).json == rows[1:]
    assert venue.signed("GET", "/fapi/v1/income", limit=2).json == rows[2:]
    assert venue.signed("GET", "/fapi/v1/income", startTime=rows[0]["time"], limit=2).json == rows[:2]
    assert venue.signed("GET", "/fapi/v1/income", startTime=rows[2]["time"]).json == rows[2:]
    assert venue.signed("GET", "/fapi/v1/income", incomeType="GIFT").code == -1130
    assert venue.signed("GET", "/fapi/v1/income", limit=1001).code == -1130
    assert venue.signed("GET", "/fapi/v1/income", startTime=2, endTime=1).code == -1023
    venue.clock.advance(8 * DAY_S)
    assert venue.signed("GET", "/fapi/v1/income").json == []
    assert venue.signed("GET", "/fapi/v1/income", startTime=rows[0]["time"]).json == rows


@pytest.mark.slow
def test_a_funding_is_income() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.quote()
        venue.market(quantity="0.5")
        _, next_ms = venue.exchange.funding("BTCUSDT")
        await pass_s((next_ms - venue.exchange.now_ms()) / 1000 + 2)
        (row,) = venue.signed("GET", "/fapi/v1/income", incomeType="FUNDING_FEE").json
        settled = venue.public("/fapi/v1/fundingRate", **BTC, limit=1).json[0]
        assert settled["fundingTime"] == next_ms
        expected = -Decimal("0.5") * Decimal(settled["markPrice"]) * Decimal(settled["fundingRate"])
        assert abs(Decimal(row["income"]) - expected) < Decimal("0.0001")
        assert (row["info"], row["tradeId"]) == ("FUNDING_FEE", "")

    in_virtual_time(main)


def test_trades_of_an_id_are_asked_for_without_times(venue: SimulatedVenue) -> None:
    assert venue.signed("GET", "/fapi/v1/userTrades", **BTC, fromId=1, startTime=1).code == -1128


def test_orders_are_forgotten_by_their_age(venue: SimulatedVenue) -> None:
    venue.quote()
    filled, kept = venue.market().json["orderId"], venue.place(price="60000").json["orderId"]
    ended = venue.place(price="60000").json["orderId"]
    venue.signed("DELETE", "/fapi/v1/order", **BTC, orderId=ended)

    def code(order_id: int) -> int:
        answer = venue.signed("GET", "/fapi/v1/order", **BTC, orderId=order_id)
        return 0 if answer.status == 200 else answer.code

    assert [code(one) for one in (filled, kept, ended)] == [0, 0, 0]
    venue.clock.advance(3 * DAY_S + 1)
    assert [code(one) for one in (filled, kept, ended)] == [0, 0, -2013]
    venue.clock.advance(88 * DAY_S)
    assert code(filled) == -2013


# --- other keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_an_account_with_a_public_key_signs_with_the_private_one(clock: ManualClock, kind: str) -> None:
    asymmetric = pytest.importorskip("cryptography.hazmat.primitives.asymmetric", reason="the keys extra")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    if kind == "ed25519":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        private: Any = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))

        def sign(text: str) -> bytes:
            return bytes(private.sign(text.encode()))
    else:
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

        def sign(text: str) -> bytes:
            return bytes(private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))

    assert asymmetric
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    account = msgspec.structs.replace(MAIN, public_key=pem.decode())
    venue = SimulatedVenue(clock)
    venue.exchange = Exchange(clock=clock, seed=1, symbols=default_specs(), accounts=(account,), rate=0)
    venue.dialect = make_dialect(venue.exchange, DialectOptions())
    query = urlencode({"timestamp": venue.exchange.now_ms()})
    good = base64.b64encode(sign(query)).decode()

    def ask(signature: str) -> int:
        text = f"{query}&signature={signature}"
        answer = venue.raw("GET", "/fapi/v3/balance", text, key=MAIN.api_key)
        return answer.status if answer.status == 200 else answer.code

    assert ask(quote(good, safe="")) == 200
    assert ask(quote(base64.b64encode(sign(query + "x")).decode(), safe="")) == -1022
    assert ask("x") == -1022
    assert venue.signed("GET", "/fapi/v3/balance").code == -1022


# --- histories to be downloaded ---------------------------------------------------------------------------------------


def test_a_history_is_asked_for_and_fetched_by_its_id(venue: SimulatedVenue) -> None:
    venue.quote()
    venue.market()
    now_ms = venue.exchange.now_ms()
    times: dict[str, Any] = {"startTime": now_ms - 1000, "endTime": now_ms + 1000}
    heads = {"order": "orderId,symbol,status", "trade": "id,symbol,orderId", "income": "symbol,incomeType,income"}
    for kind, head in heads.items():
        venue.clock.advance(60)  # they weigh much
        asked = venue.signed("GET", f"/fapi/v1/{kind}/asyn", **times).json
        number = asked["downloadId"]
        assert isinstance(asked["avgCostTimestampOfLast30d"], int)
        told = venue.signed("GET", f"/fapi/v1/{kind}/asyn/id", downloadId=number).json
        assert (told["status"], told["isExpired"]) == ("completed", None)
        kept, _, packed = told["url"].partition(",")
        assert kept == "data:text/csv;base64"
        lines = base64.b64decode(packed).decode().splitlines()
        assert lines[0].startswith(head)
        assert len(lines) == 2
        assert venue.signed("GET", f"/fapi/v1/{kind}/asyn/id", account=OTHER, downloadId=number).code == -1099
    mistakes: dict[int, dict[str, Any]] = {
        -1102: {},
        -4165: {"startTime": 1, "endTime": now_ms},
        -1023: {"startTime": 2, "endTime": 1},
    }
    for code, params in mistakes.items():
        venue.clock.advance(60)
        assert venue.signed("GET", "/fapi/v1/income/asyn", **params).code == code
    venue.clock.advance(8 * DAY_S)
    over = venue.signed("GET", "/fapi/v1/income/asyn/id", downloadId=number).json
    assert (over["isExpired"], over["url"]) == ("true", "")


def test_so_many_downloads_are_given_in_a_month(venue: SimulatedVenue) -> None:
    now_ms = venue.exchange.now_ms()
    times: dict[str, Any] = {"startTime": now_ms - 1000, "endTime": now_ms}
    for kind, most in (("order", 10), ("trade", 5), ("income", 5)):
        path = f"/fapi/v1/{kind}/asyn"
        for _ in range(most):
            assert venue.signed("GET", path, **times).status == 200
            venue.clock.advance(60)
        full = venue.signed("GET", path, **times)
        assert (full.status, full.code) == (429, -1003)
        assert venue.signed("GET", path, account=OTHER, **times).status == 200
        venue.clock.advance(60)
