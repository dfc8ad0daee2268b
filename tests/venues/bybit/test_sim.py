"""The simulator's REST side: what is answered, acknowledged and refused, in the venue's own words."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from perpwire.errors import UnknownOrder
from perpwire.model.order import OrderRequest, OrderStatus, OrderType, Side
from perpwire.simulator.dialect import SocketRefused
from perpwire.venues.bybit.venue import VENUE

from .desk import Desk, FakePeer, at_desk, moment

D = Decimal


def refused(answer: Any) -> tuple[int, str]:
    assert answer["result"] == {}
    return answer["retCode"], answer["retMsg"]


# --- market -----------------------------------------------------------------------------------------------------------


@at_desk
async def test_the_time_is_the_exchanges(desk: Desk) -> None:
    assert desk.call(VENUE.server_time()) == desk.exchange.now_ms()
    body = desk.get("/v5/market/time")
    assert (body["retCode"], body["retMsg"], body["retExtInfo"]) == (0, "OK", {})
    assert body["time"] == desk.exchange.now_ms()


@at_desk
async def test_instruments_come_back_as_the_exchange_has_them(desk: Desk) -> None:
    listed = tuple(
        msgspec.structs.replace(
            one, status="", launch_time_ms=None, delivery_time_ms=None, max_leverage=None, leverage_step=None
        )
        for one in desk.call(VENUE.instruments())
    )
    assert listed == tuple(spec.instrument for spec in desk.exchange.specs())
    first = desk.get("/v5/market/instruments-info", category="linear", limit=2)["result"]
    assert [row["symbol"] for row in first["list"]] == ["BTCUSDT", "ETHUSDT"]
    cursor = first["nextPageCursor"]
    last = desk.get("/v5/market/instruments-info", category="linear", limit=2, cursor=cursor)["result"]
    assert ([row["symbol"] for row in last["list"]], last["nextPageCursor"]) == (["SOLUSDT"], "")
    assert (last["list"][0]["priceFilter"]["tickSize"], last["list"][0]["priceScale"]) == ("0.010", "3")
    assert first["list"][0]["launchTime"] == str(desk.exchange.listed_ms("BTCUSDT"))
    for nothing in ({"category": "inverse"}, {"category": "linear", "status": "PreLaunch"}):
        assert desk.get("/v5/market/instruments-info", **nothing)["result"]["list"] == []


@at_desk
async def test_the_book_is_best_first_with_the_count_of_the_thousand_level_stream(desk: Desk) -> None:
    desk.quotes()
    desk.quote(Side.BUY, "63980", "1.5")
    book = desk.call(VENUE.book_snapshot("BTCUSDT", 50))
    assert [(str(price), str(size)) for price, size in book.bids] == [("63990.00", "10.000"), ("63980.00", "1.500")]
    assert [(str(price), str(size)) for price, size in book.asks] == [("64010.00", "10.000")]
    stream = desk.public("orderbook.1000.BTCUSDT")
    assert stream.events()[0].update_id == book.update_id
    desk.quote(Side.BUY, "63970")
    assert desk.call(VENUE.book_snapshot("BTCUSDT", 50)).update_id == book.update_id + 1
    assert stream.events()[-1].update_id == book.update_id + 1


@at_desk
async def test_tickers_and_recent_trades(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.5")
    await moment()
    (row,) = desk.get("/v5/market/tickers", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert (row["lastPrice"], row["bid1Price"], row["ask1Size"]) == ("64010.00", "63990.00", "9.500")
    day = desk.exchange.day("BTCUSDT")
    assert (D(row["volume24h"]), D(row["highPrice24h"]), D(row["prevPrice24h"])) == (day.volume, day.high, day.open)
    assert row["price24hPcnt"][:6] == str(D("64010") / day.open - 1)[:6]
    assert D(row["openInterest"]) == 2 * D(row["singleOpenInterest"]) > 1
    assert row["basis"] == row["curPreListingPhase"] == ""
    assert len(desk.get("/v5/market/tickers", category="linear")["result"]["list"]) == 3
    (trade,) = desk.get("/v5/market/recent-trade", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert (trade["price"], trade["size"], trade["side"]) == ("64010.00", "0.500", "Buy")
    assert desk.get("/v5/market/price-limit", symbol="BTCUSDT")["result"]["buyLmt"] == "64640.00"


# --- orders -----------------------------------------------------------------------------------------------------------


@at_desk
async def test_an_order_is_acknowledged_first_and_rests_a_moment_later(desk: Desk) -> None:
    ids = desk.create(orderLinkId="mine-1")["result"]
    assert ids["orderLinkId"] == "mine-1"
    assert desk.get("/v5/order/realtime", category="linear", orderId=ids["orderId"])["result"]["list"] == []
    await moment()
    row = desk.order(ids["orderId"])
    assert (row["orderStatus"], row["price"], row["qty"], row["leavesQty"]) == ("New", "63000", "0.01", "0.01")
    assert (row["orderLinkId"], row["avgPrice"], row["cumExecQty"]) == ("mine-1", "", "0")
    assert (row["timeInForce"], row["orderType"], row["side"]) == ("GTC", "Limit", "Buy")
    by_link = desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", orderLinkId="mine-1")
    assert by_link["result"]["list"] == [row]


@at_desk
async def test_the_clients_calls_work_from_placing_to_the_end(desk: Desk) -> None:
    placed = desk.call(
        VENUE.place_order(
            OrderRequest(
                symbol="BTCUSDT",
                side=Side.BUY,
                type=OrderType.LIMIT,
                quantity=D("0.01"),
                price=D(63000),
                client_order_id="mine-1",
            )
        )
    )
    assert placed.status is OrderStatus.PENDING_NEW
    await moment()
    order = desk.call(VENUE.get_order("BTCUSDT", None, "mine-1"))
    assert (order.order_id, order.status, order.price) == (placed.order_id, OrderStatus.NEW, D(63000))
    assert desk.call(VENUE.open_orders("BTCUSDT")) == desk.call(VENUE.open_orders(None)) == (order,)
    desk.call(VENUE.amend_order(order, D(62000), D("0.02")))
    await moment()
    amended = desk.call(VENUE.get_order("BTCUSDT", order.order_id, None))
    assert (amended.price, amended.quantity, amended.status) == (D(62000), D("0.02"), OrderStatus.NEW)
    at_once = desk.call(VENUE.cancel_order("BTCUSDT", order.order_id, None))
    assert at_once.status is OrderStatus.NEW  # what the venue says before its engine has done it
    await moment()
    ended = desk.call(VENUE.get_order("BTCUSDT", order.order_id, None))
    assert (ended.status, ended.reason) == (OrderStatus.CANCELED, "EC_PerCancelRequest")
    assert desk.call(VENUE.open_orders(None)) == ()
    with pytest.raises(UnknownOrder):
        desk.call(VENUE.cancel_order("BTCUSDT", order.order_id, None))


@at_desk
async def test_a_market_order_shows_its_protective_price_and_fills(desk: Desk) -> None:
    desk.quotes()
    ids = desk.create(orderType="Market", qty="0.500")["result"]
    await moment()
    row = desk.order(ids["orderId"])
    assert (row["orderStatus"], row["orderType"], row["timeInForce"]) == ("Filled", "Market", "IOC")
    assert row["price"] == "64640"  # mark x 1.01
    assert (row["avgPrice"], row["cumExecQty"], row["cumExecValue"], row["leavesQty"]) == (
        "64010",
        "0.5",
        "32005",
        "0",
    )
    assert row["cumFeeDetail"] == {"USDT": "17.60275"}
    (position,) = desk.call(VENUE.positions(None))
    assert (position.quantity, position.entry_price) == (D("0.5"), D(64010))


@at_desk
async def test_a_market_order_ends_at_its_protective_price(desk: Desk) -> None:
    desk.quote(Side.SELL, "64010", "0.100")
    desk.quote(Side.SELL, "64650", "10")  # beyond mark x 1.01
    ids = desk.create(orderType="Market", qty="0.500")["result"]
    await moment()
    row = desk.order(ids["orderId"])
    assert (row["orderStatus"], row["cumExecQty"], row["rejectReason"]) == (
        "Cancelled",
        "0.1",
        "EC_NoImmediateQtyToFill",
    )
    assert refused(desk.create(orderType="Market"))[0] == 110118  # nothing is left within its reach


@at_desk
async def test_a_post_only_order_that_would_take_is_accepted_and_then_cancelled(desk: Desk) -> None:
    desk.quotes()
    ids = desk.create(timeInForce="PostOnly", price="64010")["result"]
    await moment()
    row = desk.order(ids["orderId"])
    assert (row["orderStatus"], row["rejectReason"]) == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")


@pytest.mark.parametrize(("words", "reason"), [("IOC", "EC_NoImmediateQtyToFill"), ("FOK", "EC_CancelForNoFullFill")])
def test_orders_that_can_not_fill_at_once_are_cancelled(words: str, reason: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        ids = desk.create(timeInForce=words, price="64000")["result"]
        await moment()
        row = desk.order(ids["orderId"])
        assert (row["orderStatus"], row["rejectReason"], row["timeInForce"]) == ("Cancelled", reason, words)

    at_desk(trial)()


@at_desk
async def test_a_price_beyond_the_limit_is_silently_made_the_limit(desk: Desk) -> None:
    bought = desk.create(price="66000", qty="0.100")["result"]
    sold = desk.create(side="Sell", price="65000", qty="0.100", timeInForce="PostOnly")["result"]
    await moment()
    assert desk.order(bought["orderId"])["price"] == "64640"
    assert desk.order(sold["orderId"])["price"] == "65000"  # a limit binds only on the side that would take


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"category": "spot"}, 10001, "params error: category invalid"),
        ({"symbol": "NOPEUSDT"}, 10001, "params error: symbol invalid"),
        ({"side": "buy"}, 10001, "params error: side invalid"),
        ({"orderType": "limit"}, 10001, "params error: orderType invalid"),
        ({"timeInForce": "GTX"}, 10001, "params error: timeInForce invalid"),
        ({"timeInForce": "RPI"}, 110119, "RPI orders"),
        ({"qty": "abc"}, 10001, "params error: qty err"),
        ({"qty": 0.01}, 10001, "params error: qty err"),
        ({"qty": "1e-2"}, 10001, "params error: qty err"),
        ({"qty": "-1"}, 10001, "params error: qty err"),
        ({"qty": "0.0105"}, 10001, "params error: qty err"),
        ({"qty": "0.0001"}, 10001, "The number of contracts exceeds minimum limit allowed"),
        ({"qty": "0"}, 10001, "params error: qty err"),
        ({"qty": "1191"}, 10001, "order_qty:119100000000 > max_qty:119000000000"),
        ({"qty": "501", "orderType": "Market"}, 10001, "The number of contracts exceeds maximum limit allowed"),
        ({"price": "63000.05"}, 10001, "params error: price err"),
        ({"price": None}, 10001, "params error: price err"),
        ({"price": "2000000"}, 110003, "Order price is out of permissible range"),
        ({"price": "100", "qty": "0.010"}, 110094, "Order does not meet minimum order value 5USDT"),
        ({"positionIdx": 1}, 10001, "position idx not match position mode"),
        ({"qty": "100"}, 110007, "ab not enough for new order"),
        ({"reduceOnly": True}, 110017, "current position is zero, cannot fix reduce-only order qty"),
        ({"reduceOnly": "true"}, 10001, "params error: reduceOnly invalid"),
        ({"orderLinkId": "x" * 37}, 10001, "params error: orderLinkId invalid"),
        ({"orderLinkId": "a b"}, 10001, "params error: orderLinkId invalid"),
        ({"smpType": "cancelmaker"}, 10001, "params error: smpType invalid"),
        ({"smpType": 0}, 10001, "params error: smpType invalid"),
        ({"smpType": ["None"]}, 10001, "params error: smpType invalid"),
    ],
)
def test_what_is_wrong_with_an_order_is_said_at_once(changes: dict[str, Any], code: int, words: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        got_code, got_words = refused(desk.create(**changes))
        assert (got_code, words in got_words) == (code, True), got_words
        await moment()
        assert desk.exchange.orders("main", None) == []

    at_desk(trial)()


@pytest.mark.parametrize(
    ("smp_type", "statuses"),
    [
        ("CancelTaker", ["New", "Cancelled"]),
        ("CancelMaker", ["Cancelled", "New"]),
        ("CancelBoth", ["Cancelled", "Cancelled"]),
        ("None", ["Filled", "Filled"]),
        ("", ["Filled", "Filled"]),
    ],
)
def test_the_takers_word_decides_what_ends_when_an_account_meets_itself(smp_type: str, statuses: list[str]) -> None:
    async def trial(desk: Desk) -> None:
        resting = desk.create(side="Sell", price="64000", smpType="CancelBoth")["result"]["orderId"]
        await moment()
        taking = desk.create(price="64000", smpType=smp_type)["result"]["orderId"]
        await moment()
        rows = [desk.order(resting), desk.order(taking)]
        assert [row["orderStatus"] for row in rows] == statuses
        assert rows[1]["smpType"] == (smp_type or "None")
        # Each that it ended names the order that it met.
        met = {resting: taking, taking: resting}
        assert [row["smpOrderId"] for row in rows] == [
            met[row["orderId"]] if row["cancelType"] == "CancelBySmp" else "" for row in rows
        ]
        for row in rows:
            if row["orderStatus"] == "Cancelled":
                assert (row["cancelType"], row["rejectReason"]) == ("CancelBySmp", "EC_StopBySelfMatch")

    at_desk(trial)()


@at_desk
async def test_an_order_is_found_by_its_id_after_its_cancel(desk: Desk) -> None:
    ids = desk.create(orderLinkId="mine")["result"]
    await moment()
    named = {"category": "linear", "symbol": "BTCUSDT", "orderId": ids["orderId"]}
    assert desk.post("/v5/order/cancel", **named)["retCode"] == 0
    assert desk.order(ids["orderId"])["orderStatus"] == "New"  # acknowledged, not yet done
    await moment()
    for name, value in ids.items():
        for more in ({}, {"openOnly": 0}, {"symbol": "BTCUSDT"}):
            page = desk.get("/v5/order/realtime", category="linear", **{name: value}, **more)["result"]["list"]
            assert [(row["orderId"], row["orderStatus"]) for row in page] == [(ids["orderId"], "Cancelled")]


@at_desk
async def test_a_client_id_is_good_for_one_order_ever(desk: Desk) -> None:
    desk.create(orderLinkId="once")
    assert refused(desk.create(orderLinkId="once"))[0] == 110072  # not matched yet
    await moment()
    assert refused(desk.create(orderLinkId="once"))[0] == 110072
    desk.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderLinkId="once")
    await moment()
    assert refused(desk.create(orderLinkId="once"))[0] == 110072


@at_desk
async def test_an_order_that_fits_no_more_when_it_is_matched_is_rejected(desk: Desk) -> None:
    ids = [desk.create(qty="10")["result"]["orderId"] for _ in range(2)]  # each needs most of the margin
    await moment()
    assert [desk.order(one)["orderStatus"] for one in ids] == ["New", "Rejected"]
    history = desk.get("/v5/order/history", category="linear", orderId=ids[1])["result"]["list"]
    assert [row["orderStatus"] for row in history] == ["Rejected"]


@at_desk
async def test_reduce_only_orders_close_and_never_open(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500")
    await moment()
    code, words = refused(desk.create(reduceOnly=True))
    assert (code, words) == (110017, "reduce-only order has same side with current position")
    ids = desk.create(side="Sell", orderType="Market", qty="0.800", reduceOnly=True)["result"]
    await moment()
    assert desk.order(ids["orderId"])["qty"] == "0.5"  # cut to what can be closed
    assert desk.call(VENUE.positions(None)) == ()


@at_desk
async def test_quantity_zero_closes_the_whole_position(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.700")
    await moment()
    desk.create(side="Sell", orderType="Market", qty="0", reduceOnly=True, closeOnTrigger=True)
    await moment()
    assert desk.exchange.positions("main") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"price": "63000", "qty": "0.010"}, 10001),  # as it is already
        ({"price": "1.05"}, 10001),
        ({"qty": "0.0105"}, 10001),
        ({"qty": "0"}, 10001),
        ({"orderId": "6b1f0c2e-5d3a-4f70-0000-000000000001"}, 110001),
        ({"orderId": "nonsense"}, 110001),
        ({"orderId": None}, 10001),
        ({"symbol": "ETHUSDT", "price": "1"}, 110001),
    ],
)
def test_what_is_wrong_with_an_amendment_is_said_at_once(changes: dict[str, Any], code: int) -> None:
    async def trial(desk: Desk) -> None:
        order_id = desk.create()["result"]["orderId"]
        await moment()
        fields = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id, **changes}
        assert refused(desk.post("/v5/order/amend", **fields))[0] == code

    at_desk(trial)()


@at_desk
async def test_an_amendment_to_what_is_filled_already_is_refused(desk: Desk) -> None:
    desk.quote(Side.SELL, "64010", "0.300")
    order_id = desk.create(qty="0.500", price="64010")["result"]["orderId"]
    await moment()
    fields = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id, "qty": "0.300"}
    assert refused(desk.post("/v5/order/amend", **fields))[0] == 110064
    assert desk.post("/v5/order/amend", **{**fields, "qty": "0.400"})["retCode"] == 0
    await moment()
    row = desk.order(order_id)
    assert (row["qty"], row["leavesQty"], row["orderStatus"]) == ("0.4", "0.1", "PartiallyFilled")


@at_desk
async def test_cancel_all_by_symbol_or_coin(desk: Desk) -> None:
    for symbol, price in (("BTCUSDT", "60000"), ("ETHUSDT", "2900"), ("BTCUSDT", "61000")):
        desk.create(symbol=symbol, price=price, qty="0.1")
    await moment()
    assert refused(desk.post("/v5/order/cancel-all", category="linear"))[0] == 10001
    answer = desk.post("/v5/order/cancel-all", category="linear", symbol="BTCUSDT")["result"]
    assert (len(answer["list"]), answer["success"]) == (2, "1")
    await moment()
    assert [order.symbol for order in desk.call(VENUE.open_orders(None))] == ["ETHUSDT"]
    desk.post("/v5/order/cancel-all", category="linear", settleCoin="USDT")
    await moment()
    assert desk.call(VENUE.open_orders(None)) == ()


@at_desk
async def test_open_closed_and_past_orders_in_pages_newest_first(desk: Desk) -> None:
    for number in range(7):
        desk.create(orderLinkId=f"n{number}", price=str(60000 + number))
    await moment(1.5)
    first = desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", limit=3)["result"]
    assert [row["orderLinkId"] for row in first["list"]] == ["n6", "n5", "n4"]
    assert "%3D" in first["nextPageCursor"]  # percent-encoded already
    desk.create(orderLinkId="later")
    await moment()
    second = desk.get(
        "/v5/order/realtime", category="linear", symbol="BTCUSDT", limit=3, cursor=first["nextPageCursor"]
    )["result"]
    assert [row["orderLinkId"] for row in second["list"]] == ["n3", "n2", "n1"]
    twice = first["nextPageCursor"].replace("%", "%25")
    again = desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", limit=3, cursor=twice)["result"]
    assert again == second
    assert len(desk.call(VENUE.open_orders("BTCUSDT"))) == 8
    assert refused(desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", cursor="x"))[0] == 10001
    assert refused(desk.get("/v5/order/realtime", category="linear"))[0] == 10001
    desk.post("/v5/order/cancel-all", category="linear", symbol="BTCUSDT")
    await moment()
    closed = desk.get("/v5/order/realtime", category="linear", symbol="BTCUSDT", openOnly=1)["result"]["list"]
    assert [row["orderStatus"] for row in closed] == ["Cancelled"] * 8
    past = desk.get("/v5/order/history", category="linear", limit=50)["result"]["list"]
    assert [row["orderId"] for row in past] == [row["orderId"] for row in closed]
    assert refused(desk.get("/v5/order/history", category="linear", orderStatus="New"))[0] == 181017


@at_desk
async def test_the_history_forgets_unfilled_orders_after_a_day_and_bounds_its_times(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="0.500", orderLinkId="filled")
    desk.create(orderLinkId="cancelled")
    await moment()
    desk.post("/v5/order/cancel-all", category="linear", symbol="BTCUSDT")
    await moment()
    ids = {row["orderLinkId"] for row in desk.get("/v5/order/history", category="linear")["result"]["list"]}
    assert ids == {"filled", "cancelled"}
    await moment(25 * 3600)
    rows = desk.get("/v5/order/history", category="linear")["result"]["list"]
    assert [row["orderLinkId"] for row in rows] == ["filled"]
    week_ms, now_ms = 7 * 24 * 3600 * 1000, desk.exchange.now_ms()
    too_long = desk.get("/v5/order/history", category="linear", startTime=now_ms - week_ms - 1, endTime=now_ms)
    assert refused(too_long)[0] == 10001
    await moment(7 * 24 * 3600)
    assert desk.get("/v5/order/history", category="linear")["result"]["list"] == []


@at_desk
async def test_executions_are_listed_with_what_they_cost(desk: Desk) -> None:
    desk.quotes()
    order_id = desk.create(orderType="Market", qty="0.500", orderLinkId="mine")["result"]["orderId"]
    await moment()
    (row,) = desk.get("/v5/execution/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert (row["execPrice"], row["execQty"], row["execValue"]) == ("64010", "0.5", "32005")
    assert (row["execFee"], row["feeRate"], row["feeCurrency"]) == ("17.60275", "0.00055", "USDT")
    assert (row["isMaker"], row["orderId"], row["leavesQty"], row["closedSize"]) == (False, order_id, "0", "0")
    for found in ({"orderLinkId": "mine"}, {"orderId": order_id}, {"execType": "Trade", "settleCoin": "USDT"}):
        assert desk.get("/v5/execution/list", category="linear", **found)["result"]["list"] == [row]
    for other in ({"execType": "Funding"}, {"symbol": "ETHUSDT"}, {"orderLinkId": "other"}):
        assert desk.get("/v5/execution/list", category="linear", **other)["result"]["list"] == []


# --- positions and the account ----------------------------------------------------------------------------------------


@at_desk
async def test_a_flat_position_is_listed_by_symbol_only(desk: Desk) -> None:
    (row,) = desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert (row["side"], row["size"], row["avgPrice"], row["seq"], row["positionIdx"]) == ("", "0", "", -1, 0)
    assert desk.get("/v5/position/list", category="linear", settleCoin="USDT")["result"]["list"] == []
    assert refused(desk.get("/v5/position/list", category="linear"))[0] == 10001
    (flat,) = desk.call(VENUE.positions("BTCUSDT"))
    assert (flat.quantity, flat.entry_price) == (0, None)


@at_desk
async def test_a_positions_figures_follow_the_published_formulas(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="1")
    await moment()
    (row,) = desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    entry, mark, leverage, fee_rate = D(64010), D(64000), D(10), D("0.00055")
    closing_fee = entry * (1 - 1 / leverage) * fee_rate
    assert (row["side"], row["size"], row["avgPrice"], row["positionValue"]) == ("Buy", "1", "64010", "64010")
    assert D(row["unrealisedPnl"]) == mark - entry
    assert D(row["positionIM"]) == (mark / leverage + closing_fee).quantize(D("1E-8"))
    assert D(row["positionMM"]) == mark * D("0.0033") + closing_fee
    assert D(row["curRealisedPnl"]) == -entry * fee_rate
    assert row["riskLimitValue"] == "300000"
    assert row["liqPrice"] == ""  # far more equity than the position can lose
    even = (entry + entry * fee_rate) / (1 - fee_rate)
    assert abs(D(row["breakEvenPrice"]) - even) < D("1E-8")


@at_desk
async def test_the_wallet_adds_up(desk: Desk) -> None:
    desk.quotes()
    desk.create(orderType="Market", qty="1")
    desk.create(price="60000", qty="0.500")
    await moment()
    account = desk.call(VENUE.account())
    fee = D("35.2055")
    assert account.wallet_balance == D(100000) - fee
    assert account.unrealized_pnl == -10
    assert account.equity == account.wallet_balance - 10
    (wallet,) = desk.get("/v5/account/wallet-balance", accountType="UNIFIED")["result"]["list"]
    (coin,) = wallet["coin"]
    # 0.5 at the worse of limit and mark: a tenth of the value, the fee to open, and the fee to close it bankrupt.
    assert D(coin["totalOrderIM"]) == D(32000) / 10 + D(32000) * D("0.00055") * (1 + D("0.9"))
    assert account.initial_margin == D(coin["totalOrderIM"]) + D(coin["totalPositionIM"])
    assert account.available_balance == account.equity - account.initial_margin
    assert (coin["coin"], coin["availableToWithdraw"]) == ("USDT", "")
    assert wallet["accountIMRate"] == str(account.initial_margin / account.equity)[:6]
    asked = desk.get("/v5/account/wallet-balance", accountType="UNIFIED", coin="BTC,USDT,DOGE")["result"]["list"][0]
    assert [(one["coin"], D(one["equity"]) > 0) for one in asked["coin"]] == [("USDT", True), ("BTC", False)]
    assert refused(desk.get("/v5/account/wallet-balance", accountType="CONTRACT"))[0] == 10001


@at_desk
async def test_leverage_can_be_set_and_read_back(desk: Desk) -> None:
    def set_to(buy: str, sell: str) -> int:
        answer = desk.post(
            "/v5/position/set-leverage", category="linear", symbol="BTCUSDT", buyLeverage=buy, sellLeverage=sell
        )
        code: int = answer["retCode"]
        return code

    assert set_to("20", "20") == 0
    (row,) = desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert row["leverage"] == "20"
    assert set_to("20", "20.0") == 110043
    assert set_to("20", "10") == 10001
    assert set_to("101", "101") == 110013
    assert set_to("0.5", "0.5") == 10001


@at_desk
async def test_account_key_and_fees(desk: Desk) -> None:
    info = desk.get("/v5/account/info")["result"]
    assert (info["unifiedMarginStatus"], info["marginMode"]) == (5, "REGULAR_MARGIN")
    key = desk.get("/v5/user/query-api")["result"]
    assert (key["uta"], key["readOnly"], key["permissions"]["ContractTrade"]) == (1, 0, ["Order", "Position"])
    (fee,) = desk.get("/v5/account/fee-rate", category="linear", symbol="BTCUSDT")["result"]["list"]
    assert fee == {"symbol": "BTCUSDT", "takerFeeRate": "0.00055", "makerFeeRate": "0.0002"}


# --- the door ---------------------------------------------------------------------------------------------------------


@at_desk
async def test_strangers_paths_methods_and_sockets_are_refused_in_the_venues_manner(desk: Desk) -> None:
    unknown = desk.send("GET", "/v5/market/nothing")
    assert (unknown.status, json.loads(unknown.body)["retCode"]) == (404, 10017)
    assert desk.send("GET", "/v5/order/create").status == 400
    assert desk.send("GET", "/v5/position/list", "category=linear&symbol=BTCUSDT", keys=None).status == 401
    for path in ("/v5/trading", "/v5/public", "/v5/public/margin", "/"):
        with pytest.raises(SocketRefused) as caught:
            desk.dialect.open_socket(path, "", FakePeer())
        assert caught.value.status == 404


@pytest.mark.parametrize("body", ["", "[]", "{", "1", '{"category":'])
def test_a_body_that_is_no_object_is_a_parameter_error(body: str) -> None:
    async def trial(desk: Desk) -> None:
        assert refused(json.loads(desk.send("POST", "/v5/order/create", body).body))[0] == 10001

    at_desk(trial)()
