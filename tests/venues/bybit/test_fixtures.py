"""Payloads that were really sent, or that the venue's pages show: nothing of them is lost or altered."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from perpwire.http_message import HttpReply
from perpwire.model.account import Balance, Position
from perpwire.model.market import (
    BookDelta,
    BookSnapshot,
    BookTicker,
    Event,
    MarkPrice,
    OpenInterest,
    Ticker,
    Trade,
    Unknown,
)
from perpwire.model.order import FastFill, Fill, Order
from perpwire.venues.base import Endpoint, Verdict
from perpwire.venues.bybit import endpoints, translate, translate_account, translate_market, translate_orders
from perpwire.venues.bybit.venue import VENUE

pytestmark = pytest.mark.fixtures

# Wire name -> how the model shows it. Numbers are compared as text, so trailing zeros count. Fields of the wire that
# are not named here have no place in the model (markPrice of an execution, riskId of a position ...).
Fields = dict[str, Callable[[Any], Any]]

ORDER: Fields = {
    "price": lambda order: order.price,
    "qty": lambda order: order.quantity,
    "cumExecQty": lambda order: order.filled_quantity,
    "avgPrice": lambda order: order.average_price,
    "orderId": lambda order: order.order_id,
    "orderLinkId": lambda order: order.client_order_id,
    "symbol": lambda order: order.symbol,
    "createdTime": lambda order: order.created_time_ms,
    "updatedTime": lambda order: order.updated_time_ms,
    "reduceOnly": lambda order: order.reduce_only,
}
EXECUTION: Fields = {
    "execId": lambda fill: fill.trade_id,
    "orderId": lambda fill: fill.order_id,
    "orderLinkId": lambda fill: fill.client_order_id,
    "symbol": lambda fill: fill.symbol,
    "execPrice": lambda fill: fill.price,
    "execQty": lambda fill: fill.quantity,
    "execFee": lambda fill: fill.fee,
    "feeCurrency": lambda fill: fill.fee_asset,
    "execTime": lambda fill: fill.venue_time_ms,
    "isMaker": lambda fill: fill.is_maker,
}
FAST: Fields = {name: EXECUTION[name] for name in EXECUTION if name not in ("execFee", "feeCurrency")}
POSITION: Fields = {
    "symbol": lambda position: position.symbol,
    "size": lambda position: abs(position.quantity),
    "entryPrice": lambda position: position.entry_price,
    "avgPrice": lambda position: position.entry_price,
    "markPrice": lambda position: position.mark_price,
    "liqPrice": lambda position: position.liquidation_price,
    "leverage": lambda position: position.leverage,
    "unrealisedPnl": lambda position: position.unrealized_pnl,
    "updatedTime": lambda position: position.venue_time_ms,
}
COIN: Fields = {
    "coin": lambda balance: balance.asset,
    "walletBalance": lambda balance: balance.wallet,
    "unrealisedPnl": lambda balance: balance.unrealized_pnl,
}
TRADE: Fields = {
    "T": lambda trade: trade.venue_time_ms,
    "s": lambda trade: trade.symbol,
    "v": lambda trade: trade.quantity,
    "p": lambda trade: trade.price,
    "i": lambda trade: trade.trade_id,
}
MARK: Fields = {
    "symbol": lambda mark: mark.symbol,
    "markPrice": lambda mark: mark.mark_price,
    "indexPrice": lambda mark: mark.index_price,
    "fundingRate": lambda mark: mark.funding_rate,
    "nextFundingTime": lambda mark: mark.next_funding_time_ms,
}

NOT_STATED = ("", None, "0", "0.00")


def assert_nothing_lost(row: dict[str, Any], event: Any, fields: Fields) -> None:
    for name in fields.keys() & row.keys():
        said, shown = row[name], fields[name](event)
        if shown is None:
            market_price = name == "price" and row["orderType"] == "Market"
            assert said in NOT_STATED or market_price, name
        elif isinstance(shown, Decimal):
            assert str(shown) == (said or "0"), name
        else:
            assert str(shown) == str(said), name


def frames(fixtures: Path, pattern: str) -> list[bytes]:
    found = sorted((fixtures / "bybit" / "ws").glob(pattern))
    assert found
    return [path.read_bytes() for path in found]


def decoded(frame: bytes) -> tuple[dict[str, Any], list[Event]]:
    events = VENUE.session("private").on_frame(frame, 1)
    assert events is not None
    return json.loads(frame), list(events)


@pytest.mark.parametrize(
    ("pattern", "kind", "fields"),
    [
        ("order.json", Order, ORDER),
        ("order--*.json", Order, ORDER),
        ("execution--*.json", Fill, EXECUTION),
        ("execution.json", FastFill, FAST),
        ("execution.fast.json", FastFill, FAST),
        ("position*.json", Position, POSITION),
        ("publicTrade*.json", Trade, TRADE),
    ],
)
def test_rows_of_stream_frames(fixtures: Path, pattern: str, kind: type[Event], fields: Fields) -> None:
    for frame in frames(fixtures, pattern):
        said, events = decoded(frame)
        rows = [row for row in said["data"] if row.get("category", "linear") == "linear"]
        foreign = {row["category"] for row in said["data"]} if len(rows) < len(said["data"]) else set()
        assert len(events) == len(rows) + len(foreign - {"linear"})
        for event in events[len(rows) :]:
            assert isinstance(event, Unknown)
            assert json.loads(event.raw) == said
        for row, event in zip(rows, events, strict=False):
            assert isinstance(event, kind)
            assert event.received_ns == 1
            assert_nothing_lost(row, event, fields)


def test_sides_and_signs_of_stream_frames(fixtures: Path) -> None:
    patterns = (
        ("order.json", "side"),
        ("order--*.json", "side"),
        ("execution--*.json", "side"),
        ("publicTrade*.json", "S"),
    )
    for pattern, name in patterns:
        for frame in frames(fixtures, pattern):
            said, events = decoded(frame)
            for row, event in zip(said["data"], events, strict=True):
                if isinstance(event, Trade):
                    assert event.taker_is_buyer is (row[name] == "Buy")
                elif isinstance(event, Order | Fill):
                    assert event.side == row[name].upper()
    for frame in frames(fixtures, "position*.json"):
        said, events = decoded(frame)
        for row, event in zip(said["data"], events, strict=True):
            assert isinstance(event, Position)
            assert (event.quantity < 0) is (row["side"] == "Sell")


def test_wallet_frames(fixtures: Path) -> None:
    for frame in frames(fixtures, "wallet*.json"):
        said, events = decoded(frame)
        for row, event in zip(said["data"][0]["coin"], events, strict=True):
            assert type(event) is Balance
            assert event.venue_time_ms == said["creationTime"]
            assert_nothing_lost(row, event, COIN)


def test_ticker_frames(fixtures: Path) -> None:
    for frame in frames(fixtures, "tickers_snapshot*.json"):
        said, (event, day, interest) = decoded(frame)
        assert type(event) is MarkPrice
        assert event.venue_time_ms == day.venue_time_ms == interest.venue_time_ms == said["ts"]
        assert_nothing_lost(said["data"], event, MARK)
        assert isinstance(day, Ticker)
        assert isinstance(interest, OpenInterest)
        assert [str(day.last_price), str(day.quote_volume), str(interest.quantity)] == [
            said["data"][name] for name in ("lastPrice", "turnover24h", "openInterest")
        ]


def test_a_recorded_ticker_delta_builds_on_its_recorded_snapshot(fixtures: Path) -> None:
    session = VENUE.session("public")
    folder = fixtures / "bybit" / "ws"
    before, *_ = session.on_frame((folder / "tickers_snapshot--2.json").read_bytes(), 1) or ()
    delta = (folder / "tickers_delta.json").read_bytes()
    after, *_ = session.on_frame(delta, 2) or ()
    assert isinstance(before, MarkPrice)
    assert isinstance(after, MarkPrice)
    assert str(after.funding_rate) == json.loads(delta)["data"]["fundingRate"]
    assert (after.mark_price, after.index_price) == (before.mark_price, before.index_price)


def test_best_price_frames(fixtures: Path) -> None:
    for frame in frames(fixtures, "orderbook_snapshot*.json") + frames(fixtures, "orderbook_delta--2.json"):
        said, (event,) = decoded(frame)
        assert type(event) is BookTicker
        bid = next(level for level in said["data"]["b"] if level[1] != "0")
        ask = next(level for level in said["data"]["a"] if level[1] != "0")
        assert [str(event.bid_price), str(event.bid_quantity)] == bid
        assert [str(event.ask_price), str(event.ask_quantity)] == ask
        assert event.update_id == said["data"]["u"]


def test_a_recorded_best_price_delta_builds_on_its_recorded_snapshot(fixtures: Path) -> None:
    session = VENUE.session("public")
    folder = fixtures / "bybit" / "ws"
    session.on_frame((folder / "orderbook_snapshot--2.json").read_bytes(), 1)
    (event,) = session.on_frame((folder / "orderbook_delta.json").read_bytes(), 2) or ()
    assert isinstance(event, BookTicker)
    assert (str(event.bid_price), str(event.bid_quantity)) == ("28552.00", "0.012")
    assert (str(event.ask_price), str(event.ask_quantity)) == ("28552.10", "25.433")


def test_a_topic_that_is_gone_is_unknown_and_handed_on_whole(fixtures: Path) -> None:
    for frame in frames(fixtures, "liquidation*.json"):
        (event,) = decoded(frame)[1]
        assert isinstance(event, Unknown)
        assert (event.name, event.raw.encode()) == ("liquidation", frame)


def test_a_recorded_book_is_followed_without_a_gap_to_the_last_level(fixtures: Path) -> None:
    name = "bybit/raw/xrpusdt-ob500_first20.jsonl"
    expected = json.loads((fixtures / "expected.json").read_text())[name]["per_message"]
    session, sides, last = VENUE.session("public"), ({}, {}), 0  # type: tuple[Any, tuple[dict[Any, Any], ...], int]
    lines = (fixtures / name).read_bytes().splitlines()
    for line, counted in zip(lines, expected, strict=True):
        said = json.loads(line)
        (event,) = session.on_frame(line, 1)
        assert isinstance(event, BookSnapshot | BookDelta)
        assert [[str(text) for text in level] for level in event.bids] == said["data"]["b"]
        assert [[str(text) for text in level] for level in event.asks] == said["data"]["a"]
        assert (event.update_id, event.venue_time_ms) == (counted["u"], counted["cts"])
        if isinstance(event, BookDelta):
            assert VENUE.book_rule.follows(event, last) is Verdict.APPLY
        last = event.update_id
        for side, levels in zip(sides, (event.bids, event.asks), strict=True):
            side.update(levels)
            for price in [price for price, size in side.items() if not size]:
                del side[price]
        assert [len(side) for side in sides] == counted["levels"]
        assert [str(max(sides[0])), str(min(sides[1]))] == counted["best"]


def reply(fixtures: Path, endpoint: Endpoint, name: str) -> tuple[dict[str, Any], Any]:
    body = (fixtures / "bybit" / "rest" / f"{name}.json").read_bytes()
    return json.loads(body)["result"], VENUE.decode(endpoint, HttpReply(status=200, headers={}, body=body))


@pytest.mark.parametrize("suffix", ["", "--2"])
@pytest.mark.parametrize(
    ("endpoint", "name"),
    [(endpoints.OPEN_ORDERS, "GET_v5_order_realtime"), (endpoints.PAST_ORDER, "GET_v5_order_history")],
)
def test_order_listings(fixtures: Path, endpoint: Endpoint, name: str, suffix: str) -> None:
    said, page = reply(fixtures, endpoint, name + suffix)
    for row, order in zip(said["list"], translate_orders.orders(page), strict=True):
        assert_nothing_lost(row, order, ORDER)
    call = VENUE.open_orders("X")
    assert call.next_page is not None
    following = call.next_page(page)
    if said["nextPageCursor"]:
        assert following is not None
        target = VENUE.encode(endpoints.SERVER_TIME, following.params, None, 0).target
        assert target.endswith(f"&cursor={said['nextPageCursor']}")
    else:
        assert following is None


def test_execution_listings(fixtures: Path) -> None:
    said, page = reply(fixtures, endpoints.FILLS, "GET_v5_execution_list")
    for row, execution in zip(said["list"], page.result.rows, strict=True):
        fill = translate_orders.fill(execution)
        # Where the venue leaves the fee's asset empty it is the settle coin.
        assert fill is None or fill.fee_asset in (row["feeCurrency"] or "USDT", row["feeCurrency"] or "USDC")
        assert_nothing_lost({name: value for name, value in row.items() if name != "feeCurrency"}, fill, EXECUTION)


@pytest.mark.parametrize("suffix", ["", "--2"])
def test_position_listings(fixtures: Path, suffix: str) -> None:
    said, page = reply(fixtures, endpoints.POSITIONS, f"GET_v5_position_list{suffix}")
    for row, position in zip(said["list"], translate_account.positions(page), strict=True):
        assert_nothing_lost(row, position, POSITION)


@pytest.mark.parametrize("suffix", ["", "--2"])
def test_wallets(fixtures: Path, suffix: str) -> None:
    said, wallets = reply(fixtures, endpoints.ACCOUNT, f"GET_v5_account_wallet_balance{suffix}")
    account, stated = translate_account.account(wallets), said["list"][0]
    for row, balance in zip(stated["coin"], account.balances, strict=True):
        assert_nothing_lost(row, balance, COIN)
    assert str(account.wallet_balance) == stated["totalWalletBalance"]
    assert str(account.equity) == stated["totalEquity"]
    assert str(account.unrealized_pnl) == stated["totalPerpUPL"]
    assert str(account.available_balance) == stated["totalAvailableBalance"]
    assert str(account.initial_margin) == stated["totalInitialMargin"]
    assert str(account.maintenance_margin) == stated["totalMaintenanceMargin"]


@pytest.mark.parametrize("suffix", ["", "--2"])
def test_instruments(fixtures: Path, suffix: str) -> None:
    said, page = reply(fixtures, endpoints.INSTRUMENTS, f"GET_v5_market_instruments_info{suffix}")
    for row, instrument in zip(said["list"], translate_market.instruments(page), strict=True):
        assert instrument.symbol == row["symbol"]
        assert (instrument.base, instrument.quote, instrument.settle) == (
            row["baseCoin"],
            row["quoteCoin"],
            row["settleCoin"],
        )
        prices, lots = row["priceFilter"], row["lotSizeFilter"]
        assert str(instrument.tick_size) == prices["tickSize"]
        assert (str(instrument.min_price), str(instrument.max_price)) == (prices["minPrice"], prices["maxPrice"])
        assert str(instrument.quantity_step) == lots["qtyStep"]
        assert str(instrument.min_quantity) == lots["minOrderQty"]
        assert str(instrument.max_quantity) == lots["maxOrderQty"]
        assert str(instrument.max_market_quantity) == lots["maxMktOrderQty"]
        assert str(instrument.min_notional) == lots["minNotionalValue"]
        assert instrument.funding_interval_s == row["fundingInterval"] * 60


def test_book_time_and_acknowledgements(fixtures: Path) -> None:
    said, book = reply(fixtures, endpoints.BOOK_SNAPSHOT, "GET_v5_market_orderbook")
    snapshot = translate_market.book(book)
    assert [[str(text) for text in level] for level in snapshot.bids] == said["b"]
    assert [[str(text) for text in level] for level in snapshot.asks] == said["a"]
    assert (snapshot.update_id, snapshot.venue_time_ms) == (said["u"], said["ts"])
    said, time = reply(fixtures, endpoints.SERVER_TIME, "GET_v5_market_time")
    assert translate_market.server_time(time) == int(said["timeNano"]) // 10**6
    for endpoint, name in (
        (endpoints.PLACE_ORDER, "POST_v5_order_create"),
        (endpoints.AMEND_ORDER, "POST_v5_order_amend"),
        (endpoints.CANCEL_ORDER, "POST_v5_order_cancel"),
    ):
        said, ids = reply(fixtures, endpoint, name)
        assert (ids.orderId, ids.orderLinkId) == (said["orderId"], said["orderLinkId"])


def test_numbers_in_scientific_notation(fixtures: Path) -> None:
    for text in json.loads((fixtures / "bybit" / "quirk" / "numbers_in_scientific_notation.json").read_text()):
        assert translate.number(text) == Decimal(text)
