"""VENUE: hosts, and the tables of this folder tied together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from perpwire.credentials import Credentials
from perpwire.errors import APIError, BadInput, Garbled
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.account import AccountInfo, Position
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookSnapshot, Event
from perpwire.model.order import Order, OrderRequest
from perpwire.venues.base import BookRule, Call, Costs, Endpoint, Hosts, Params, Session, Topic, TradeSession, Venue
from perpwire.venues.bybit import (
    endpoints,
    limits,
    replies,
    requests,
    streams,
    trade_session,
    translate,
    translate_account,
    wire,
)
from perpwire.venues.bybit.book_rule import BybitBookRule
from perpwire.venues.bybit.session import BybitSession

T = TypeVar("T")

PATHS = {streams.PUBLIC: "/v5/public/linear", streams.PRIVATE: "/v5/private"}

SETTLE_COIN = "USDT"

CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)


class Bybit(Venue):
    """Bybit v5, category linear, unified account.

    Listings that span symbols (positions and open orders without a symbol) cover the contracts settled in USDT. Ask for
    those settled in USDC by their symbol.
    """

    name = translate.NAME
    environments: Mapping[str, Hosts] = {
        "live": Hosts(rest="https://api.bybit.com", streams="wss://stream.bybit.com", trade="wss://stream.bybit.com"),
        "testnet": Hosts(
            rest="https://api-testnet.bybit.com",
            streams="wss://stream-testnet.bybit.com",
            trade="wss://stream-testnet.bybit.com",
        ),
        # Demo trading has its own private streams and no trade socket; its public data is the live one.
        "demo": Hosts(
            rest="https://api-demo.bybit.com",
            streams="wss://stream.bybit.com",
            private_streams="wss://stream-demo.bybit.com",
        ),
    }
    limits = limits.LIMITS
    recv_window_ms = 5000
    heartbeat_s = 20.0
    private_route = streams.PRIVATE
    topics_per_connection = 500  # well inside session.ARGS_CHARACTERS, with the longest symbols
    request_id_header = "traceid"
    client_id_param = "orderLinkId"

    # --- requests -------------------------------------------------------------------------------------------------

    def encode(
        self, endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int
    ) -> HttpRequest:
        return requests.encode(endpoint, params, credentials, timestamp_ms, self.recv_window_ms)

    def decode(self, endpoint: Endpoint, reply: HttpReply) -> Any:
        return replies.decode(endpoint, reply)

    def reported_usage(self, endpoint: Endpoint, headers: Mapping[str, str]) -> Costs:
        return limits.reported_usage(endpoint.path, headers)

    def server_clock_ms(self, refusal: APIError) -> int | None:
        return replies.server_clock_ms(refusal)

    def reported_limits(self, endpoint: Endpoint, headers: Mapping[str, str]) -> Costs:
        return limits.reported_limits(endpoint.path, headers)

    rows = tuple(row for row in vars(endpoints).values() if isinstance(row, Endpoint))

    def native_costs(self, path: str, weight: int | None) -> Costs:
        return limits.costs(path)

    # --- calls ----------------------------------------------------------------------------------------------------

    def server_time(self) -> Call[int]:
        return _call(endpoints.SERVER_TIME, {}, translate.server_time)

    def instruments(self) -> Call[tuple[Instrument, ...]]:
        """Perpetuals in trading; the venue leaves out those before their launch."""
        return _paged(endpoints.INSTRUMENTS, {"category": "linear", "limit": 1000}, translate.instruments)

    def account(self) -> Call[AccountInfo]:
        return _call(endpoints.ACCOUNT, {"accountType": "UNIFIED"}, translate_account.account)

    def positions(self, symbol: str | None) -> Call[tuple[Position, ...]]:
        """Without a symbol: the open positions settled in USDT."""
        params = {"category": "linear", "limit": 200, **_whose(symbol)}
        return _paged(endpoints.POSITIONS, params, translate.positions)

    def place_order(self, request: OrderRequest) -> Call[Order]:
        """The reply is an acknowledgement: the order comes back as PENDING_NEW, and the private stream or get_order
        tells what becomes of it."""
        params = translate.order_params(request)
        _check_client_order_id(params.get("orderLinkId"))
        expected = translate.order_to_be(params, request)
        return _call(endpoints.PLACE_ORDER, params, partial(translate.acknowledged, expected))

    def amend_order(self, order: Order, price: Decimal | None, quantity: Decimal | None) -> Call[Order]:
        """Acknowledged, then read back: the order as the venue shows it then, which may still be the old one."""
        if price is None and quantity is None:
            raise _bad("amend_order", "NOTHING_TO_AMEND", "neither price nor quantity is given")
        named = _named(order.symbol, order.order_id, order.client_order_id)
        return self._acknowledged(endpoints.AMEND_ORDER, {**named, "price": price, "qty": quantity}, named)

    def cancel_order(
        self, symbol: str, order_id: str | None, client_order_id: str | None, conditional: bool | None = None
    ) -> Call[Order]:
        """Acknowledged, then read back: the order as the venue shows it then, which may still be open."""
        named = _named(symbol, order_id, client_order_id)
        return self._acknowledged(endpoints.CANCEL_ORDER, named, named)

    def _acknowledged(self, endpoint: Endpoint, params: Params, named: Params) -> Call[Order]:
        def no_order(ids: wire.OrderIds) -> Order:
            raise AssertionError(f"{endpoint.name}: an acknowledgement holds no order; Call.then gives it")

        return Call(endpoint, params, no_order, then=lambda ids: self._order_named(named))

    def get_order(
        self, symbol: str, order_id: str | None, client_order_id: str | None, conditional: bool | None = None
    ) -> Call[Order]:
        """Open and just closed orders are asked for first, then the history."""
        return self._order_named(_named(symbol, order_id, client_order_id))

    def _order_named(self, params: Params) -> Call[Order]:
        history = _call(endpoints.ORDER_HISTORY, params, translate.one_order)
        return _call(endpoints.GET_ORDER, params, translate.one_order, otherwise=history)

    def open_orders(self, symbol: str | None) -> Call[tuple[Order, ...]]:
        """Without a symbol: those of contracts settled in USDT."""
        params = {"category": "linear", "openOnly": 0, "limit": 50, **_whose(symbol)}
        return _paged(endpoints.OPEN_ORDERS, params, translate.orders)

    def book_snapshot(self, symbol: str, depth: int) -> Call[BookSnapshot]:
        """Its update_id is of the 1000-level stream's count, not of the one that `topic` names."""
        params = {"category": "linear", "symbol": symbol, "limit": min(max(depth, 1), 1000)}
        return _call(endpoints.BOOK_SNAPSHOT, params, translate.book)

    # --- streams --------------------------------------------------------------------------------------------------

    def topic(self, event: type[Event], symbol: str) -> Topic:
        topic = streams.symbol_topic(event, symbol)
        if topic is None:
            raise _bad("topic", "NO_SUCH_STREAM", f"there is no public stream of {event.__name__}")
        return topic

    def parse_topic(self, name: str) -> Topic:
        topic = streams.parse_topic(name)
        if topic is None:
            raise _bad("topic", "NO_SUCH_STREAM", f"{name!r} is no topic such as publicTrade.BTCUSDT")
        return topic

    def private_topics(self) -> tuple[Topic, ...]:
        return streams.PRIVATE_TOPICS

    def countdown_topics(self) -> tuple[Topic, ...]:
        return (Topic(streams.PRIVATE, "dcp.future"),)

    def stream_url(self, hosts: Hosts, route: str, token: str | None) -> str:
        private = route == streams.PRIVATE and hosts.private_streams is not None
        return f"{hosts.private_streams if private else hosts.streams}{PATHS[route]}"

    def session(self, route: str) -> Session:
        return BybitSession(route)

    def trade_url(self, hosts: Hosts) -> str | None:
        return None if hosts.trade is None else f"{hosts.trade}{trade_session.PATH}"

    def trade_session(self) -> TradeSession:
        return trade_session.BybitTradeSession(self.recv_window_ms)

    @property
    def book_rule(self) -> BookRule:
        return _BOOK_RULE

    def normal_symbol(self, symbol: str) -> str:
        """BTCUSDT, btcusdt, BTC/USDT:USDT; contracts settled in USDC are named BTCPERP, also for BTC/USDC:USDC.

        Raises:
            BadInput: A dated contract (BTC/USDT:USDT-251226): taking it for the perpetual would be wrong.
        """
        pair, _, settle = symbol.upper().partition(":")
        if "-" in settle:
            raise _bad("symbol", "NO_SUCH_SYMBOL", f"{symbol!r} is a dated contract")
        base, slash, quote = pair.partition("/")
        return f"{base}PERP" if slash and quote == "USDC" else base + quote


_BOOK_RULE = BybitBookRule()


def _call(
    endpoint: Endpoint,
    params: Params,
    translate_reply: Callable[[Any], T],
    *,
    next_page: Callable[[Any], Call[T] | None] | None = None,
    otherwise: Call[T] | None = None,
) -> Call[T]:
    def translated(reply: Any) -> T:
        try:
            return translate_reply(reply)
        except APIError:
            raise
        except ValueError as error:
            raise Garbled(str(error), venue=translate.NAME, call=endpoint.name) from error

    return Call(endpoint, params, translated, next_page=next_page, otherwise=otherwise)


def _paged(endpoint: Endpoint, params: Params, translate_page: Callable[[Any], tuple[T, ...]]) -> Call[tuple[T, ...]]:
    def next_page(page: wire.Page[Any]) -> Call[tuple[T, ...]] | None:
        # A token can come with the last page too; the page after it is empty then.
        if not page.nextPageCursor or not page.rows:
            return None
        return _paged(endpoint, {**params, "cursor": page.nextPageCursor}, translate_page)

    return _call(endpoint, params, translate_page, next_page=next_page)


def _whose(symbol: str | None) -> Params:
    return {"settleCoin": SETTLE_COIN} if symbol is None else {"symbol": symbol}


def _named(symbol: str, order_id: str | None, client_order_id: str | None) -> Params:
    """The parameters that say which order; the venue's id wins where both are known."""
    if order_id:
        return {"category": "linear", "symbol": symbol, "orderId": order_id}
    if client_order_id:
        return {"category": "linear", "symbol": symbol, "orderLinkId": client_order_id}
    raise _bad("order", "NO_ORDER_ID", "neither order_id nor client_order_id is given")


def _check_client_order_id(text: Any) -> None:
    if text is not None and not CLIENT_ORDER_ID.fullmatch(str(text)):
        raise _bad(
            "place_order",
            "BAD_CLIENT_ORDER_ID",
            f"client order id {text!r} must have 1 to 36 of the characters A-Z, a-z, 0-9, _ and -",
        )


def _bad(call: str, code: str, reason: str) -> BadInput:
    return BadInput(reason, venue=translate.NAME, call=call, code=code)


VENUE = Bybit()
