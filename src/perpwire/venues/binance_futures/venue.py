"""VENUE: Binance USD-M futures, its tables tied together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import BadInput, Garbled
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.account import AccountInfo, Position
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, MarkPrice, Trade
from perpwire.model.order import Order, OrderRequest
from perpwire.venues.base import (
    BookRule,
    Call,
    Costs,
    Endpoint,
    Hosts,
    Params,
    Session,
    StreamToken,
    Topic,
    TradeSession,
    Venue,
)
from perpwire.venues.binance_futures import endpoints, limits, requests, streams, trade_session, translate
from perpwire.venues.binance_futures.book_rule import DiffDepthRule
from perpwire.venues.binance_futures.refusals import is_success, refusal
from perpwire.venues.binance_futures.session import BinanceSession

T = TypeVar("T")

KEEP_ALIVE_S = 1800.0
"""A listen key lives for 60 minutes."""

_STREAM_SUFFIXES: dict[type[Event], str] = {
    Trade: "@aggTrade",
    BookTicker: "@bookTicker",
    BookDelta: "@depth@100ms",
    MarkPrice: "@markPrice@1s",
}


class BinanceFutures(Venue):
    name = "binance"
    environments: Mapping[str, Hosts] = {
        "live": Hosts(
            rest="https://fapi.binance.com", streams="wss://fstream.binance.com", trade="wss://ws-fapi.binance.com"
        ),
        # Demo trading took the testnet's place in 2025-11; the old hosts still answer.
        "demo": Hosts(
            rest="https://demo-fapi.binance.com",
            streams="wss://demo-fstream.binance.com",
            trade="wss://testnet.binancefuture.com",
        ),
        "testnet": Hosts(
            rest="https://testnet.binancefuture.com",
            streams="wss://fstream.binancefuture.com",
            trade="wss://testnet.binancefuture.com",
        ),
    }
    limits = limits.LIMITS
    command_interval_s = 0.12
    """The venue takes 10 messages a second from a socket, and closes it on the next."""

    client_id_param = "newClientOrderId"

    def __init__(self) -> None:
        self._decoders: dict[Any, Callable[[bytes], Any]] = {}
        self._book_rule = DiffDepthRule()

    # --- requests -------------------------------------------------------------------------------------------------

    def encode(
        self, endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int
    ) -> HttpRequest:
        return requests.encode(endpoint, params, credentials, timestamp_ms, self.recv_window_ms)

    def window_ms(self, params: Params) -> int:
        given = params.get("recvWindow")
        if given is None:
            return self.recv_window_ms
        if not str(given).isdecimal():
            raise BadInput(f"recvWindow {given!r} is no number", venue=self.name, code="BAD_PARAMETER")
        return int(given)

    def decode(self, endpoint: Endpoint, reply: HttpReply) -> Any:
        if not is_success(reply):
            raise refusal(endpoint, reply)
        decode = self._decoders.get(endpoint.reply)
        if decode is None:
            decode = self._decoders[endpoint.reply] = msgspec.json.Decoder(endpoint.reply).decode
        try:
            return decode(reply.body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self._garbled(endpoint, error, reply.body) from error

    def reported_usage(self, endpoint: Endpoint, headers: Mapping[str, str]) -> Costs:
        return limits.reported_usage(headers)

    def _garbled(self, endpoint: Endpoint, error: Exception, raw: bytes) -> Garbled:
        return Garbled(f"the answer could not be read: {error}", venue=self.name, call=endpoint.name, raw=raw)

    rows = tuple(row for row in vars(endpoints).values() if isinstance(row, Endpoint))

    def native_costs(self, path: str, weight: int | None) -> Costs:
        return limits.weight(1 if weight is None else weight)

    # --- calls ----------------------------------------------------------------------------------------------------

    def _call(self, endpoint: Endpoint, params: Params, translated: Callable[[Any], T]) -> Call[T]:
        """A call whose answer is Garbled, too, where it can be decoded but makes no sense."""

        def translate_it(reply: Any) -> T:
            try:
                return translated(reply)
            except ValueError as error:
                raise self._garbled(endpoint, error, msgspec.json.encode(reply)) from error

        return Call(endpoint, params, translate_it)

    def server_time(self) -> Call[int]:
        return self._call(endpoints.SERVER_TIME, {}, lambda reply: int(reply.server_time))

    def instruments(self) -> Call[tuple[Instrument, ...]]:
        return self._call(endpoints.INSTRUMENTS, {}, translate.instruments)

    def account(self) -> Call[AccountInfo]:
        return self._call(endpoints.ACCOUNT, {}, translate.account)

    def positions(self, symbol: str | None) -> Call[tuple[Position, ...]]:
        if symbol is None:
            return self._call(endpoints.POSITIONS, {}, translate.open_positions)
        return self._call(endpoints.POSITIONS, {"symbol": symbol}, translate.positions)

    def place_order(self, request: OrderRequest) -> Call[Order]:
        return self._call(endpoints.PLACE_ORDER, translate.order_params(request), translate.order)

    def amend_order(self, order: Order, price: Decimal | None, quantity: Decimal | None) -> Call[Order]:
        return self._call(endpoints.AMEND_ORDER, translate.amend_params(order, price, quantity), translate.order)

    def cancel_order(self, symbol: str, order_id: str | None, client_order_id: str | None) -> Call[Order]:
        params = {"symbol": symbol, **translate.order_key("cancel_order", order_id, client_order_id)}
        return self._call(endpoints.CANCEL_ORDER, params, translate.order)

    def get_order(self, symbol: str, order_id: str | None, client_order_id: str | None) -> Call[Order]:
        params = {"symbol": symbol, **translate.order_key("get_order", order_id, client_order_id)}
        return self._call(endpoints.GET_ORDER, params, translate.order)

    def open_orders(self, symbol: str | None) -> Call[tuple[Order, ...]]:
        return self._call(endpoints.OPEN_ORDERS, {"symbol": symbol}, translate.orders)

    def book_snapshot(self, symbol: str, depth: int) -> Call[BookSnapshot]:
        limit = next((levels for levels in endpoints.DEPTHS if levels >= depth), None)
        if depth < 1 or limit is None:
            reason = f"depth {depth} is not from 1 to {endpoints.DEPTHS[-1]}"
            raise BadInput(reason, venue=self.name, call=endpoints.BOOK_SNAPSHOT.name, code="BAD_DEPTH")
        params = {"symbol": symbol, "limit": limit}
        return self._call(endpoints.BOOK_SNAPSHOT, params, partial(translate.book_snapshot, symbol))

    # --- streams --------------------------------------------------------------------------------------------------

    def topic(self, event: type[Event], symbol: str) -> Topic:
        suffix = _STREAM_SUFFIXES.get(event)
        if suffix is None:
            known = ", ".join(kind.__name__ for kind in _STREAM_SUFFIXES)
            raise BadInput(
                f"no public stream delivers {event.__name__}; there are {known}",
                venue=self.name,
                call="subscribe",
                code="BAD_TOPIC",
            )
        return streams.topic_of(self.normal_symbol(symbol).lower() + suffix)

    def parse_topic(self, name: str) -> Topic:
        return streams.topic_of(name)

    def private_topics(self) -> tuple[Topic, ...]:
        return ()

    def stream_url(self, hosts: Hosts, route: str, token: str | None) -> str:
        if route != streams.PRIVATE:
            return f"{hosts.streams}/{route}/stream"
        if not token:
            raise BadInput("the private stream needs a listen key", venue=self.name, call="subscribe", code="NO_TOKEN")
        return f"{hosts.private_streams or hosts.streams}/{route}/ws/{token}"

    def session(self, route: str) -> Session:
        return BinanceSession()

    def trade_url(self, hosts: Hosts) -> str | None:
        return None if hosts.trade is None else f"{hosts.trade}{trade_session.PATH}"

    def trade_session(self) -> TradeSession:
        return trade_session.BinanceTradeSession(self.recv_window_ms)

    def stream_token(self) -> StreamToken | None:
        return StreamToken(
            create=self._call(endpoints.CREATE_LISTEN_KEY, {}, lambda reply: str(reply.listen_key)),
            keep_alive=self._call(endpoints.KEEP_LISTEN_KEY, {}, lambda reply: None),
            every_s=KEEP_ALIVE_S,
        )

    @property
    def book_rule(self) -> BookRule:
        return self._book_rule


VENUE = BinanceFutures()
