"""Every real payload of a call or stream that we have is read into the model without loss of a digit."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from perpwire.http_message import HttpReply
from perpwire.model.account import AccountInfo, Balance, Position
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, MarkPrice, Trade
from perpwire.model.order import Fill, Order, OrderStatus, OrderType, PositionSide, TimeInForce
from perpwire.venues.base import Call
from perpwire.venues.binance_futures.venue import VENUE

pytestmark = pytest.mark.fixtures

RECEIVED_NS = 1_790_000_000_123_456_789


def exactly(number: Decimal | None, text: str | None) -> bool:
    """Same digits, trailing zeros included; None stands for nothing, and where the model says so, for zero."""
    if number is None:
        return not text or Decimal(text) == 0
    return format(number, "f") == text


def payload_of(path: Path) -> Any:
    return json.loads(path.read_text())


def decoded(call: Call[Any], body: Any) -> Any:
    reply = HttpReply(status=200, headers={}, body=json.dumps(body).encode())
    return call.translate(VENUE.decode(call.endpoint, reply))


def rest_and_wsapi(fixtures: Path, rest: str, *methods: str) -> Iterator[Any]:
    """The bodies of a REST call, and the results of the trading API's calls of the same shape."""
    found = sorted((fixtures / "binance" / "rest").glob(f"{rest}.json"))
    found += sorted((fixtures / "binance" / "rest").glob(f"{rest}--*.json"))
    assert found, rest
    yield from (payload_of(path) for path in found)
    for method in methods:
        for path in sorted((fixtures / "binance" / "wsapi").glob(f"{method}.json")):
            yield payload_of(path)["result"]


# --- REST -------------------------------------------------------------------------------------------------------------


def check_order(order: Order, row: dict[str, Any]) -> None:
    assert order.symbol == row["symbol"]
    assert order.order_id == str(row["orderId"])
    assert order.client_order_id == row["clientOrderId"]
    assert order.side.value == row["side"]
    assert order.status.value == row["status"]
    assert order.type.value == row["type"]
    assert order.type is not OrderType.UNKNOWN
    assert order.time_in_force is not TimeInForce.UNKNOWN
    assert exactly(order.price, row["price"])
    assert exactly(order.quantity, row["origQty"])
    assert exactly(order.filled_quantity, row["executedQty"])
    assert exactly(order.average_price, row.get("avgPrice"))
    assert order.reduce_only is row["reduceOnly"]
    assert order.position_side.value == row["positionSide"]
    assert order.created_time_ms == row.get("time")
    assert order.updated_time_ms == row["updateTime"]


def test_order_replies(fixtures: Path) -> None:
    call = VENUE.get_order("BTCUSDT", "1", None)
    bodies = [
        *rest_and_wsapi(fixtures, "POST_fapi_v1_order", "order.place"),
        *rest_and_wsapi(fixtures, "POST_fapi_v1_order_test"),
        *rest_and_wsapi(fixtures, "PUT_fapi_v1_order", "order.modify"),
        *rest_and_wsapi(fixtures, "DELETE_fapi_v1_order", "order.cancel"),
        *rest_and_wsapi(fixtures, "GET_fapi_v1_order", "order.status"),
        *rest_and_wsapi(fixtures, "GET_fapi_v1_openOrder"),
    ]
    assert len(bodies) >= 11
    for body in bodies:
        check_order(decoded(call, body), body)


def test_order_lists(fixtures: Path) -> None:
    waiting = VENUE.open_orders(None)
    assert waiting.follow is not None
    ordinary = waiting.follow(())
    assert ordinary is not None
    for name in ("GET_fapi_v1_openOrders", "GET_fapi_v1_allOrders", "GET_fapi_v1_forceOrders"):
        for body in rest_and_wsapi(fixtures, name):
            orders = decoded(ordinary, body)
            assert len(orders) == len(body)
            for order, row in zip(orders, body, strict=True):
                check_order(order, row)


def test_account_replies(fixtures: Path) -> None:
    bodies = [
        *rest_and_wsapi(fixtures, "GET_fapi_v2_account", "account.status"),
        *rest_and_wsapi(fixtures, "GET_fapi_v3_account", "v2_account.status"),
    ]
    for body in bodies:
        account: AccountInfo = decoded(VENUE.account(), body)
        assert exactly(account.wallet_balance, body["totalWalletBalance"])
        assert exactly(account.unrealized_pnl, body["totalUnrealizedProfit"])
        assert exactly(account.equity, body["totalMarginBalance"])
        assert exactly(account.available_balance, body["availableBalance"])
        assert exactly(account.initial_margin, body["totalInitialMargin"])
        assert exactly(account.maintenance_margin, body["totalMaintMargin"])
        for balance, row in zip(account.balances, body["assets"], strict=True):
            assert balance.asset == row["asset"]
            assert exactly(balance.wallet, row["walletBalance"])
            assert exactly(balance.available, row["availableBalance"])
            assert exactly(balance.unrealized_pnl, row["unrealizedProfit"])
            assert balance.venue_time_ms == row["updateTime"]


def test_position_replies(fixtures: Path) -> None:
    bodies = [
        *rest_and_wsapi(fixtures, "GET_fapi_v2_positionRisk", "account.position"),
        *rest_and_wsapi(fixtures, "GET_fapi_v3_positionRisk", "v2_account.position"),
    ]
    rows_seen = 0
    for body in bodies:
        positions: tuple[Position, ...] = decoded(VENUE.positions("BTCUSDT"), body)
        for position, row in zip(positions, body, strict=True):
            rows_seen += 1
            assert position.symbol == row["symbol"]
            assert exactly(position.quantity, row["positionAmt"])
            if position.quantity:
                assert exactly(position.entry_price, row["entryPrice"])
            else:
                assert position.entry_price is None
            assert exactly(position.mark_price, row["markPrice"])
            assert exactly(position.unrealized_pnl, row.get("unRealizedProfit", row.get("unrealizedProfit")))
            assert exactly(position.liquidation_price, row["liquidationPrice"])
            assert position.position_side.value == row["positionSide"]
            assert exactly(position.leverage, row.get("leverage"))
            if "marginType" in row:
                assert position.margin_mode == row["marginType"]
            elif position.margin_mode is not None:
                assert (position.margin_mode == "isolated") is bool(float(row["isolatedWallet"]))
        assert decoded(VENUE.positions(None), body) == tuple(one for one in positions if one.quantity)
    assert rows_seen >= 6


def check_instrument(instrument: Instrument, row: dict[str, Any]) -> None:
    rules = {rule["filterType"]: rule for rule in row["filters"]}
    assert instrument.symbol == row["symbol"]
    assert (instrument.base, instrument.quote) == (row["baseAsset"], row["quoteAsset"])
    assert instrument.settle == row["marginAsset"]
    assert instrument.is_trading is (row["status"] == "TRADING")
    assert exactly(instrument.tick_size, rules["PRICE_FILTER"]["tickSize"])
    assert exactly(instrument.min_price, rules["PRICE_FILTER"]["minPrice"])
    assert exactly(instrument.max_price, rules["PRICE_FILTER"]["maxPrice"])
    assert exactly(instrument.quantity_step, rules["LOT_SIZE"]["stepSize"])
    assert exactly(instrument.min_quantity, rules["LOT_SIZE"]["minQty"])
    assert exactly(instrument.max_quantity, rules["LOT_SIZE"]["maxQty"])
    assert exactly(instrument.max_market_quantity, rules["MARKET_LOT_SIZE"]["maxQty"])
    assert exactly(instrument.min_market_quantity, rules["MARKET_LOT_SIZE"]["minQty"])
    assert exactly(instrument.market_quantity_step, rules["MARKET_LOT_SIZE"]["stepSize"])
    assert exactly(instrument.max_buy_price_ratio, rules["PERCENT_PRICE"]["multiplierUp"])
    assert exactly(instrument.min_sell_price_ratio, rules["PERCENT_PRICE"]["multiplierDown"])
    assert instrument.max_open_orders == rules["MAX_NUM_ORDERS"]["limit"]
    assert exactly(instrument.min_notional, rules.get("MIN_NOTIONAL", {}).get("notional"))


def test_exchange_information(fixtures: Path) -> None:
    with gzip.open(fixtures / "binance" / "raw" / "exchangeInfo_2021.json.gz") as file:
        recorded = json.load(file)
    assert len(recorded["symbols"]) == 122
    for body in [recorded, *rest_and_wsapi(fixtures, "GET_fapi_v1_exchangeInfo")]:
        instruments = decoded(VENUE.instruments(), body)
        for instrument, row in zip(instruments, body["symbols"], strict=True):
            check_instrument(instrument, row)


def check_levels(levels: tuple[tuple[Decimal, Decimal], ...], rows: list[list[str]]) -> None:
    assert [[str(price), str(quantity)] for price, quantity in levels] == rows


def test_depth_replies(fixtures: Path) -> None:
    bodies = list(rest_and_wsapi(fixtures, "GET_fapi_v1_depth", "depth"))
    with gzip.open(fixtures / "binance" / "raw" / "cryptofeed_2021_depth_snapshots.txt.gz", "rt") as file:
        bodies += [json.loads(line.partition(": ")[2]) for line in file]
    assert len(bodies) == 4
    for body in bodies:
        book: BookSnapshot = decoded(VENUE.book_snapshot("BTCUSDT", 1000), body)
        assert book.symbol == "BTCUSDT"
        assert book.update_id == body["lastUpdateId"]
        assert book.venue_time_ms == body["T"]
        check_levels(book.bids, body["bids"])
        check_levels(book.asks, body["asks"])


def test_time_and_listen_key_replies(fixtures: Path) -> None:
    for body in rest_and_wsapi(fixtures, "GET_fapi_v1_time"):
        assert decoded(VENUE.server_time(), body) == body["serverTime"]
    token = VENUE.stream_token()
    assert token is not None
    for body in rest_and_wsapi(fixtures, "POST_fapi_v1_listenKey", "userDataStream.start"):
        assert decoded(token.create, body) == body["listenKey"]
    for body in rest_and_wsapi(fixtures, "PUT_fapi_v1_listenKey", "userDataStream.ping"):
        assert decoded(token.keep_alive, body) is None


# --- streams ----------------------------------------------------------------------------------------------------------


def events_of(frame: bytes) -> list[Event]:
    events = VENUE.session("public").on_frame(frame, RECEIVED_NS)
    assert events is not None
    for event in events:
        assert event.venue == "binance"
        assert event.received_ns == RECEIVED_NS
    return list(events)


def check_trade(event: Event, data: dict[str, Any]) -> None:
    assert isinstance(event, Trade)
    assert event.trade_id == data["a" if data["e"] == "aggTrade" else "t"]
    assert exactly(event.price, data["p"])
    assert exactly(event.quantity, data["q"])
    assert event.buyer_is_maker is data["m"]
    assert event.taker_is_buyer is not data["m"]
    assert event.venue_time_ms == data["T"]


def check_book_ticker(event: Event, data: dict[str, Any]) -> None:
    assert isinstance(event, BookTicker)
    assert event.update_id == data["u"]
    assert exactly(event.bid_price, data["b"])
    assert exactly(event.bid_quantity, data["B"])
    assert exactly(event.ask_price, data["a"])
    assert exactly(event.ask_quantity, data["A"])
    assert event.venue_time_ms == data["T"]


def check_depth(event: Event, data: dict[str, Any]) -> None:
    assert isinstance(event, BookDelta)
    assert (event.first_update_id, event.update_id) == (data["U"], data["u"])
    assert event.previous_update_id == data["pu"]
    check_levels(event.bids, data["b"])
    check_levels(event.asks, data["a"])
    assert event.venue_time_ms == data["T"]


def check_mark_price(event: Event, data: dict[str, Any]) -> None:
    assert isinstance(event, MarkPrice)
    assert exactly(event.mark_price, data["p"])
    assert exactly(event.index_price, data.get("i"))
    assert exactly(event.funding_rate, data["r"])
    assert event.next_funding_time_ms == (data["T"] or None)
    assert event.venue_time_ms == data["E"]


CHECKS: dict[str, Callable[[Event, dict[str, Any]], None]] = {
    "aggTrade": check_trade,
    "trade": check_trade,
    "bookTicker": check_book_ticker,
    "depthUpdate": check_depth,
    "markPriceUpdate": check_mark_price,
}


def frames(fixtures: Path, name: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each recorded frame as it stands and packed tight, with its payload."""
    paths = sorted((fixtures / "binance" / "ws").glob(f"{name}*.json"))
    assert paths, name
    for path in paths:
        content = payload_of(path)
        for frame in (path.read_bytes(), json.dumps(content, separators=(",", ":")).encode()):
            yield frame, content.get("data", content)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_market_frames(fixtures: Path, name: str) -> None:
    for frame, data in frames(fixtures, name):
        events = events_of(frame)
        if data.get("X", "MARKET") != "MARKET":
            assert events == []
            continue
        (event,) = events
        assert event.symbol == data["s"]
        CHECKS[name](event, data)


def test_order_frames(fixtures: Path) -> None:
    fills = 0
    for frame, data in frames(fixtures, "ORDER_TRADE_UPDATE"):
        order, *rest = events_of(frame)
        row = data["o"]
        assert isinstance(order, Order)
        assert (order.symbol, order.order_id, order.client_order_id) == (row["s"], str(row["i"]), row["c"])
        assert (order.side.value, order.type.value, order.status.value) == (row["S"], row["o"], row["X"])
        assert order.time_in_force is not TimeInForce.UNKNOWN
        assert exactly(order.price, row["p"])
        assert exactly(order.quantity, row["q"])
        assert exactly(order.filled_quantity, row["z"])
        assert exactly(order.average_price, row["ap"])
        assert order.reduce_only is row["R"]
        assert order.position_side.value == row["ps"]
        assert (order.venue_time_ms, order.updated_time_ms) == (data["T"], row["T"])
        assert bool(rest) is (row["x"] in ("TRADE", "CALCULATED"))
        for fill in rest:
            fills += 1
            assert isinstance(fill, Fill)
            assert (fill.trade_id, fill.order_id) == (str(row["t"]), str(row["i"]))
            assert (fill.client_order_id, fill.side.value) == (row["c"], row["S"])
            assert exactly(fill.price, row["L"])
            assert exactly(fill.quantity, row["l"])
            assert exactly(fill.fee, row.get("n"))
            assert fill.fee_asset == (row.get("N") or "")
            assert exactly(fill.realized_pnl, row["rp"])
            assert fill.is_maker is row["m"]
            assert fill.position_side is PositionSide(row["ps"])
    assert fills >= 4


def test_account_frames(fixtures: Path) -> None:
    for frame, data in frames(fixtures, "ACCOUNT_UPDATE"):
        events = events_of(frame)
        balances = [event for event in events if isinstance(event, Balance)]
        positions = [event for event in events if isinstance(event, Position)]
        for balance, row in zip(balances, data["a"]["B"], strict=True):
            assert balance.asset == row["a"]
            assert exactly(balance.wallet, row["wb"])
            assert balance.available is None
        for position, row in zip(positions, data["a"]["P"], strict=True):
            assert (position.symbol, position.position_side.value) == (row["s"], row["ps"])
            assert exactly(position.quantity, row["pa"])
            assert exactly(position.entry_price, row["ep"])
            assert exactly(position.unrealized_pnl, row["up"])
            assert position.margin_mode == row["mt"]
        assert all(event.venue_time_ms == data["T"] for event in events)


# --- recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_recording_of_150_seconds_is_read_without_a_loss(fixtures: Path) -> None:
    path = fixtures / "binance" / "raw" / "btcusdt_20240808_first150s.txt.gz"
    expected = payload_of(fixtures / "expected.json")["binance/raw/btcusdt_20240808_first150s.txt.gz"]
    session = VENUE.session("public")
    counts = {"depthUpdate": 0, "bookTicker": 0, "trade": 0}
    snapshots = 0
    with gzip.open(path) as file:
        for line in file:
            frame = line.partition(b" ")[2].rstrip(b"\n")
            if not frame.startswith(b'{"stream"'):
                snapshots += 1
                continue
            events = session.on_frame(frame, RECEIVED_NS)
            assert events
            data = json.loads(frame)["data"]
            counts[data["e"]] += 1
            CHECKS[data["e"]](events[0], data)
    assert counts == {kind: expected["events"][kind] for kind in counts}
    assert snapshots == 1


def test_the_recording_of_2021_is_read_without_a_loss(fixtures: Path) -> None:
    session = VENUE.session("public")
    kinds: dict[str, int] = {}
    with gzip.open(fixtures / "binance" / "raw" / "cryptofeed_2021_frames.txt.gz") as file:
        for line in file:
            frame = line.partition(b": ")[2].rstrip(b"\n")
            events = session.on_frame(frame, RECEIVED_NS)
            content = json.loads(frame)
            data = content.get("data", content)
            if "e" not in data:
                assert events is None  # the reply to SUBSCRIBE
                continue
            kinds[data["e"]] = kinds.get(data["e"], 0) + 1
            assert events
            if data["e"] != "kline":
                CHECKS[data["e"]](events[0], data)
    assert set(kinds) == {"aggTrade", "depthUpdate", "bookTicker", "kline"}


def test_order_states_of_the_recordings_are_all_known(fixtures: Path) -> None:
    """The model's states cover the venue's, so that none of them is read as another."""
    for frame, data in frames(fixtures, "ORDER_TRADE_UPDATE"):
        (order, *_) = events_of(frame)
        assert isinstance(order, Order)
        assert order.status in OrderStatus
        assert order.status.value == data["o"]["X"]
