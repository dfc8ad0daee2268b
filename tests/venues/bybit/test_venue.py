"""The calls: what they ask, how pages and acknowledgements go on, where things live."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.errors import BadInput, Garbled, UnknownOrder
from perpwire.http_message import HttpReply
from perpwire.model.order import Order, OrderRequest, OrderStatus, OrderType, Side
from perpwire.venues.base import Call
from perpwire.venues.bybit import endpoints, wire
from perpwire.venues.bybit.venue import VENUE


def order_row(**changes: Any) -> wire.OrderRow:
    fields: dict[str, Any] = {
        "orderId": "id-1",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderType": "Limit",
        "orderStatus": "New",
        "qty": "1",
        "price": "5",
    }
    return wire.OrderRow(**{**fields, **changes})


def an_order(**changes: Any) -> Order:
    asked = OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(1),
        price=Decimal(5),
        client_order_id="c-1",
        **changes,
    )
    return VENUE.place_order(asked).translate(wire.OrderIds("id-1", "c-1"))


def test_the_venues_time_is_in_milliseconds() -> None:
    call = VENUE.server_time()
    assert call.endpoint.path == "/v5/market/time"
    assert call.translate(wire.ServerTime("1688639403", "1688639403423213947")) == 1688639403423


def test_listings_go_on_until_the_token_is_empty_or_the_page_is() -> None:
    call = VENUE.open_orders("BTCUSDT")
    assert call.params == {"category": "linear", "openOnly": 0, "limit": 50, "symbol": "BTCUSDT"}
    assert call.next_page is not None
    following = call.next_page(wire.Page([order_row()], "tok%3D1%26"))
    assert following is not None
    assert following.params == {**call.params, "cursor": "tok%3D1%26"}
    for last in (wire.Page([order_row()], ""), wire.Page([order_row()], None), wire.Page([], "tok"), wire.Page(None)):
        assert following.next_page is not None
        assert following.next_page(last) is None


def test_without_a_symbol_listings_go_on_from_what_is_settled_in_usdt_to_what_is_in_usdc() -> None:
    for call in (VENUE.positions(None), VENUE.open_orders(None)):
        assert call.params["settleCoin"] == "USDT"
        assert call.next_page is not None
        second = call.next_page(wire.Page([order_row()], "more"))
        assert second is not None
        assert second.next_page is not None
        assert (second.params["settleCoin"], second.params["cursor"]) == ("USDT", "more")
        third = second.next_page(wire.Page([], ""))
        assert third is not None
        assert third.next_page is not None
        assert third.params["settleCoin"] == "USDC"
        assert "cursor" not in third.params
        assert third.next_page(wire.Page([], "")) is None
    assert "settleCoin" not in VENUE.positions("BTCUSDT").params
    assert VENUE.positions(None).params["limit"] == 200


def test_instruments_are_asked_in_pages_of_a_thousand() -> None:
    assert VENUE.instruments().params == {"category": "linear", "limit": 1000}


def test_an_order_is_pending_once_it_is_acknowledged() -> None:
    order = an_order()
    assert (order.status, order.order_id, order.client_order_id) == (OrderStatus.PENDING_NEW, "id-1", "c-1")


@pytest.mark.parametrize("text", ["x" * 37, "with space", "ä", "a.b", "a\n"])
def test_a_client_order_id_that_the_venue_would_refuse_is_not_sent(text: str) -> None:
    with pytest.raises(BadInput, match="36 of the characters"):
        an_order(venue_params={"orderLinkId": text})


def test_an_order_is_looked_for_among_the_open_ones_then_in_the_history() -> None:
    call = VENUE.get_order("BTCUSDT", None, "c-1")
    assert call.endpoint is endpoints.GET_ORDER
    assert call.params == {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "c-1"}
    assert call.otherwise is not None
    assert call.otherwise.endpoint is endpoints.PAST_ORDER
    assert call.otherwise.params == call.params
    for asked in (call, call.otherwise):
        with pytest.raises(UnknownOrder) as caught:
            asked.translate(wire.Page([]))
        assert (caught.value.code, caught.value.call) == (110001, "get_order")
        assert asked.translate(wire.Page([order_row()])).order_id == "id-1"


def test_the_venues_id_wins_and_one_id_is_needed() -> None:
    assert "orderLinkId" not in VENUE.get_order("BTCUSDT", "id-1", "c-1").params
    for ask in (VENUE.get_order, VENUE.cancel_order):
        with pytest.raises(BadInput, match="neither"):
            ask("BTCUSDT", None, None)


def test_cancel_and_amend_are_acknowledged_then_read_back() -> None:
    cancel = VENUE.cancel_order("BTCUSDT", "id-1", None)
    amend = VENUE.amend_order(an_order(), Decimal(6), None)
    assert cancel.params == {"category": "linear", "symbol": "BTCUSDT", "orderId": "id-1"}
    assert amend.params == {**cancel.params, "price": Decimal(6), "qty": None}
    for call in (cancel, amend):
        assert call.then is not None
        read = call.then(wire.OrderIds("id-1", ""))
        assert (read.endpoint, read.params) == (endpoints.GET_ORDER, cancel.params)
        assert read.otherwise is not None
    with pytest.raises(BadInput, match="neither price nor quantity"):
        VENUE.amend_order(an_order(), None, None)


def test_an_answer_that_can_be_decoded_but_not_understood_is_garbled() -> None:
    call: Call[Any] = VENUE.open_orders("BTCUSDT")
    with pytest.raises(Garbled, match="'Dreaming'") as caught:
        call.translate(wire.Page([order_row(side="Dreaming")]))
    assert caught.value.call == "open_orders"


def test_a_book_snapshot_is_best_first_with_the_time_of_its_matching() -> None:
    body = b'{"retCode":0,"result":{"s":"X","b":[["1.10","2"]],"a":[["1.2","3"]],"ts":5,"u":9,"seq":1,"cts":4}}'
    reply = VENUE.decode(endpoints.BOOK_SNAPSHOT, HttpReply(status=200, headers={}, body=body))
    book = VENUE.book_snapshot("X", 5).translate(reply)
    assert (str(book.bids[0][0]), book.update_id, book.venue_time_ms) == ("1.10", 9, 4)


@pytest.mark.parametrize(
    ("env", "public", "private", "rest"),
    [
        ("live", "wss://stream.bybit.com", "wss://stream.bybit.com", "https://api.bybit.com"),
        (
            "testnet",
            "wss://stream-testnet.bybit.com",
            "wss://stream-testnet.bybit.com",
            "https://api-testnet.bybit.com",
        ),
        ("demo", "wss://stream.bybit.com", "wss://stream-demo.bybit.com", "https://api-demo.bybit.com"),
    ],
)
def test_where_each_environment_lives(env: str, public: str, private: str, rest: str) -> None:
    hosts = VENUE.environments[env]
    assert hosts.rest == rest
    assert VENUE.stream_url(hosts, "public", None) == f"{public}/v5/public/linear"
    assert VENUE.stream_url(hosts, "private", None) == f"{private}/v5/private"


def test_private_topics_are_those_of_linear_contracts() -> None:
    assert [topic.name for topic in VENUE.private_topics()] == [
        "order.linear",
        "execution.linear",
        "position.linear",
        "wallet",
    ]
    assert VENUE.stream_token() is None


@pytest.mark.parametrize(
    ("written", "symbol"),
    [
        ("BTCUSDT", "BTCUSDT"),
        ("btcusdt", "BTCUSDT"),
        ("BTC/USDT:USDT", "BTCUSDT"),
        ("btc/usdt", "BTCUSDT"),
        ("BTC/USDC:USDC", "BTCPERP"),
        ("BTCPERP", "BTCPERP"),
        ("币安人生/USDT:USDT", "币安人生USDT"),
    ],
)
def test_symbols_as_callers_write_them(written: str, symbol: str) -> None:
    assert VENUE.normal_symbol(written) == symbol


def test_a_dated_contract_is_not_taken_for_the_perpetual() -> None:
    with pytest.raises(BadInput, match="dated"):
        VENUE.normal_symbol("BTC/USDT:USDT-261225")
