"""Every real reply of the calls about market, account and orders is read without loss of a digit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.venues.binance_futures.test_fixtures import decoded, exactly, rest_and_wsapi

from perpwire.errors import APIError, OrderRejected
from perpwire.model.account import MarginMode, PositionMode
from perpwire.model.market import PriceKind
from perpwire.model.order import Order, OrderRequest, OrderStatus, OrderType, PositionSide, Side
from perpwire.venues.base import Call
from perpwire.venues.binance_futures import market_pages, translate_account, translate_algo, wire_account, wire_algo
from perpwire.venues.binance_futures.order_pages import FillPages
from perpwire.venues.binance_futures.venue import VENUE

pytestmark = pytest.mark.fixtures


def after_the_time(call: Call[Any]) -> Call[Any]:
    """The first page of a call that asks for the venue's time before."""
    assert call.next_page is not None
    page = call.next_page(msgspec.convert({"serverTime": 1_800_000_000_000}, call.endpoint.reply))
    assert page is not None
    return page


def test_conditional_orders(fixtures: Path) -> None:
    rows = [
        *rest_and_wsapi(fixtures, "POST_fapi_v1_algoOrder", "algoOrder.place"),
        *rest_and_wsapi(fixtures, "GET_fapi_v1_algoOrder"),
        *(row for body in rest_and_wsapi(fixtures, "GET_fapi_v1_openAlgoOrders") for row in body),
        *(row for body in rest_and_wsapi(fixtures, "GET_fapi_v1_allAlgoOrders") for row in body),
    ]
    assert len(rows) >= 5
    for row in rows:
        order = translate_algo.algo_order(msgspec.convert(row, wire_algo.AlgoOrder))
        assert order.order_id == f"algo-{row['algoId']}"
        assert order.client_order_id == row["clientAlgoId"]
        assert order.type.value == row.get("orderType", row.get("type"))
        assert order.type is not OrderType.UNKNOWN
        assert exactly(order.quantity, row["quantity"])
        assert exactly(order.trigger_price, row["triggerPrice"])
        assert exactly(order.price, row.get("price"))
        assert order.child_order_id == (row.get("actualOrderId") or None)
        assert order.created_time_ms == row["createTime"]
        expected = {"NEW": OrderStatus.UNTRIGGERED, "FINISHED": OrderStatus.FILLED}[row["algoStatus"]]
        assert order.status is expected


def test_the_acknowledgement_of_a_cancel_names_the_order(fixtures: Path) -> None:
    for row in rest_and_wsapi(fixtures, "DELETE_fapi_v1_algoOrder", "algoOrder.cancel"):
        assert msgspec.convert(row, wire_algo.AlgoCancelled).algo_id == row["algoId"]


def limit_order() -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(1),
        price=Decimal(1),
        client_order_id="a",
    )


def test_each_slot_of_a_batch_is_an_order_or_an_error_with_its_meaning(fixtures: Path) -> None:
    (placed,) = rest_and_wsapi(fixtures, "POST_fapi_v1_batchOrders")
    slots = decoded(VENUE.place_orders([limit_order()] * len(placed)), placed)
    assert [type(slot) for slot in slots] == [Order, OrderRejected]
    assert slots[1].code == placed[1]["code"]
    (cancelled,) = rest_and_wsapi(fixtures, "DELETE_fapi_v1_batchOrders")
    slots = decoded(VENUE.cancel_orders([("BTCUSDT", "1")] * len(cancelled)), cancelled)
    for slot, row in zip(slots, cancelled, strict=True):
        if isinstance(slot, APIError):
            assert slot.code == row["code"]
        else:
            assert (slot.order_id, slot.status.value) == (str(row["orderId"]), row["status"])


def test_fills(fixtures: Path) -> None:
    page = after_the_time(FillPages("BTCUSDT").between(None, None))
    for body in rest_and_wsapi(fixtures, "GET_fapi_v1_userTrades"):
        fills = decoded(page, body)
        for fill, row in zip(fills, body, strict=True):
            assert (fill.trade_id, fill.order_id) == (str(row["id"]), str(row["orderId"]))
            assert exactly(fill.price, row["price"])
            assert exactly(fill.quantity, row["qty"])
            assert exactly(fill.fee, row["commission"])
            assert exactly(fill.realized_pnl, row["realizedPnl"])
            assert (fill.is_maker, fill.side.value, fill.venue_time_ms) == (row["maker"], row["side"], row["time"])


def test_funding_intervals_of_those_that_are_listed_and_of_the_others(fixtures: Path) -> None:
    (rules,) = [one for one in rest_and_wsapi(fixtures, "GET_fapi_v1_exchangeInfo") if one["symbols"]][:1]
    instruments = decoded(VENUE.instruments(), rules)
    (body,) = rest_and_wsapi(fixtures, "GET_fapi_v1_fundingInfo")
    listed = {**body[0], "symbol": instruments[0].symbol, "fundingIntervalHours": 4}
    read = decoded(VENUE.instruments_completed(instruments), [*body, listed])
    assert [one.symbol for one in read] == [one.symbol for one in instruments]
    assert read[0].funding_interval_s == 4 * 3600
    perpetual = [one for one in read[1:] if one.contract_type == "PERPETUAL"]
    assert {one.funding_interval_s for one in perpetual} <= {8 * 3600}
    assert all(one.funding_interval_s is None for one in read if one.contract_type != "PERPETUAL")


def test_candles(fixtures: Path) -> None:
    names = {
        PriceKind.LAST: "GET_fapi_v1_klines",
        PriceKind.MARK: "GET_fapi_v1_markPriceKlines",
        PriceKind.INDEX: "GET_fapi_v1_indexPriceKlines",
        PriceKind.PREMIUM: "GET_fapi_v1_premiumIndexKlines",
    }
    for kind, name in names.items():
        page = market_pages.KlinePages("BTCUSDT", "1m", kind, 1_800_000_000_000).between(None, None)
        for body in rest_and_wsapi(fixtures, name):
            for candle, row in zip(decoded(page, body), body, strict=True):
                assert (candle.open_time_ms, candle.close_time_ms, candle.is_closed) == (row[0], row[6], True)
                for number, text in zip((candle.open, candle.high, candle.low, candle.close), row[1:5], strict=True):
                    assert format(number, "f") == text
                assert exactly(candle.volume, row[5] if kind is PriceKind.LAST else None)
                assert exactly(candle.taker_buy_volume, row[9] if kind is PriceKind.LAST else None)
                assert exactly(candle.taker_buy_quote_volume, row[10] if kind is PriceKind.LAST else None)


NUMBERS: list[tuple[Call[Any], str, dict[str, str]]] = [
    (
        VENUE.tickers("BTCUSDT"),
        "GET_fapi_v1_ticker_24hr",
        {
            "last_price": "lastPrice",
            "quote_volume": "quoteVolume",
            "price_change": "priceChange",
            "price_change_percent": "priceChangePercent",
            "average_price": "weightedAvgPrice",
            "last_quantity": "lastQty",
        },
    ),
    (
        VENUE.book_tickers("BTCUSDT"),
        "GET_fapi_v1_ticker_bookTicker",
        {"bid_price": "bidPrice", "ask_quantity": "askQty"},
    ),
    (
        VENUE.mark_prices("BTCUSDT"),
        "GET_fapi_v1_premiumIndex",
        {"mark_price": "markPrice", "funding_rate": "lastFundingRate", "settle_price": "estimatedSettlePrice"},
    ),
    (VENUE.open_interest("BTCUSDT"), "GET_fapi_v1_openInterest", {"quantity": "openInterest"}),
    (
        VENUE.open_interest_history("BTCUSDT", "5m", None, None),
        "GET_futures_data_openInterestHist",
        {"quantity": "sumOpenInterest", "notional": "sumOpenInterestValue"},
    ),
    (
        VENUE.funding_rates("BTCUSDT", None, None),
        "GET_fapi_v1_fundingRate",
        {"rate": "fundingRate", "mark_price": "markPrice"},
    ),
    (VENUE.recent_trades("BTCUSDT", 10), "GET_fapi_v1_trades", {"price": "price", "quantity": "qty"}),
    (VENUE.trades("BTCUSDT", None, None), "GET_fapi_v1_aggTrades", {"quantity": "q", "quantity_without_rpi": "nq"}),
    (
        VENUE.fee_rates("BTCUSDT"),
        "GET_fapi_v1_commissionRate",
        {"maker": "makerCommissionRate", "taker": "takerCommissionRate"},
    ),
]


@pytest.mark.parametrize(("call", "name", "fields"), NUMBERS, ids=[name for _, name, _ in NUMBERS])
def test_numbers_are_read_as_they_are_written(
    fixtures: Path, call: Call[Any], name: str, fields: dict[str, str]
) -> None:
    for body in rest_and_wsapi(fixtures, name):
        found = decoded(call, body)
        results = found if isinstance(found, tuple) else (found,)
        rows = body if isinstance(body, list) else [body]
        for one, row in zip(results, rows, strict=True):
            for ours, theirs in fields.items():
                assert exactly(getattr(one, ours), row.get(theirs)), (ours, row)


def test_settings_brackets_and_income(fixtures: Path) -> None:
    for body in rest_and_wsapi(fixtures, "GET_fapi_v1_symbolConfig"):
        settings = decoded(VENUE.symbol_settings(body[0]["symbol"]), body)
        assert (settings.leverage, settings.margin_mode) == (Decimal(body[0]["leverage"]), MarginMode.CROSS)
    (dual,) = rest_and_wsapi(fixtures, "GET_fapi_v1_positionSide_dual")
    assert decoded(VENUE.position_mode(None), dual) is PositionMode.HEDGE
    (brackets,) = rest_and_wsapi(fixtures, "GET_fapi_v1_leverageBracket")
    (only,) = decoded(VENUE.brackets("ETHUSDT"), brackets)
    # The coefficient of 1.5 makes the account's own brackets that much wider.
    assert (only.notional_cap, only.maintenance_rate, only.max_leverage) == (15000, Decimal("0.0065"), 75)
    for body in rest_and_wsapi(fixtures, "GET_fapi_v1_income"):
        for row in body:
            income = translate_account.income(msgspec.convert(row, wire_account.Income))
            assert (income.income_id, income.venue_kind) == (str(row["tranId"]), row["incomeType"])
            assert exactly(income.amount, row["income"])
    (armed,) = rest_and_wsapi(fixtures, "POST_fapi_v1_countdownCancelAll")
    assert decoded(VENUE.arm_countdown("BTCUSDT", 100), armed).seconds == 100
    for name, call in (
        ("POST_fapi_v1_marginType", VENUE.set_margin_mode("BTCUSDT", MarginMode.CROSS)),
        ("POST_fapi_v1_positionSide_dual", VENUE.set_position_mode(None, PositionMode.HEDGE)),
        ("POST_fapi_v1_positionMargin", VENUE.adjust_margin("BTCUSDT", Decimal(100), PositionSide.BOTH)),
    ):
        (body,) = rest_and_wsapi(fixtures, name)
        assert decoded(call, body).changed
