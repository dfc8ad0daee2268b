"""VENUE: Binance USD-M futures, its tables tied together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import APIError, BadInput
from perpwire.http_message import HttpReply, HttpRequest, described
from perpwire.model.market import Event
from perpwire.venues.base import (
    NO_OPTIONS,
    BookRule,
    Costs,
    Endpoint,
    Feed,
    Hosts,
    Params,
    Said,
    Service,
    Session,
    StreamOptions,
    StreamToken,
    Topic,
    TradeSession,
    Venue,
)
from perpwire.venues.binance_futures import (
    endpoints,
    endpoints_account,
    endpoints_market,
    feeds,
    limits,
    requests,
    stream_names,
    topics,
    trade_session,
)
from perpwire.venues.binance_futures.account_calls import BinanceAccountCalls
from perpwire.venues.binance_futures.book_rule import DiffDepthRule
from perpwire.venues.binance_futures.calling import call, garbled
from perpwire.venues.binance_futures.market_calls import BinanceMarketCalls
from perpwire.venues.binance_futures.native_costs import native_costs
from perpwire.venues.binance_futures.order_calls import BinanceOrderCalls
from perpwire.venues.binance_futures.refusals import by_code, is_success, refusal
from perpwire.venues.binance_futures.session import BinancePrivateSession, BinanceSession
from perpwire.venues.binance_futures.wire import ExchangeInfo

KEEP_ALIVE_S, KEY_LIVES_S = 1800.0, 3540.0
"""A listen key lives for 60 minutes."""


class BinanceFutures(BinanceMarketCalls, BinanceAccountCalls, BinanceOrderCalls, Venue):
    name = "binance"
    environments: Mapping[str, Hosts] = {
        "live": Hosts(
            rest="https://fapi.binance.com",
            streams="wss://fstream.binance.com",
            trade="wss://ws-fapi.binance.com",
            wallet="https://api.binance.com",
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
    socket_life_s = 86_400.0
    """The venue takes 10 messages a second from a socket, and closes it on the next."""

    request_id_header = "x-mbx-uuid"
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
            decode = self._decoders[endpoint.reply] = msgspec.json.Decoder(endpoint.reply, float_hook=Decimal).decode
        try:
            return decode(reply.body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise garbled(endpoint, f"{described(reply)} ({error})", reply.body) from error

    def stated_limits(self, reply: Any) -> Costs:
        return limits.stated_limits(reply.rate_limits) if isinstance(reply, ExchangeInfo) else {}

    def reported_usage(self, endpoint: Endpoint, headers: Mapping[str, str]) -> Costs:
        if endpoint.host != "rest":
            return {}  # another service's
        used = limits.reported_usage(headers)
        if endpoint.http == endpoints_market.BOOK_TICKERS.http:
            return {name: units for name, units in used.items() if name != limits.WEIGHT}
        return used

    rows = endpoints.ROWS
    services: Mapping[str, Service] = {"/fapi/": "rest", "/futures/data/": "rest", "/sapi/": "wallet"}

    def native_costs(self, http: str) -> Costs | Callable[[Params], Costs]:
        return native_costs(http)

    def weighed(self, costs: Costs, weight: int) -> Costs:
        return limits.weighed(costs, weight)

    # --- streams --------------------------------------------------------------------------------------------------

    def feed(self, topic: Topic) -> Feed:
        return feeds.feed_of(topic)

    def carries(self, topic: Topic) -> tuple[Said, ...]:
        return topics.said_on(topic.name)

    def canary(self, route: str) -> Topic | None:
        return feeds.canary_of(route)

    def topic(self, event: type[Event], symbol: str, options: StreamOptions = NO_OPTIONS) -> Topic:
        return stream_names.topic_of(topics.name_of(event, self.normal_symbol(symbol) if symbol else "", options))

    def parse_topic(self, name: str) -> Topic:
        return stream_names.topic_of(name)

    def private_topics(self) -> tuple[Topic, ...]:
        return ()

    def stream_url(self, hosts: Hosts, route: str, token: str | None) -> str:
        if route != stream_names.PRIVATE:
            return f"{hosts.streams}/{route}/stream" if route else f"{hosts.streams}/stream"
        if not token:
            raise BadInput("the private stream needs a listen key", venue=self.name, call="subscribe", code="NO_TOKEN")
        return f"{hosts.private_streams or hosts.streams}/{route}/ws/{token}"

    def session(self, route: str) -> Session:
        return BinancePrivateSession() if route == stream_names.PRIVATE else BinanceSession()

    def trade_url(self, hosts: Hosts) -> str | None:
        return None if hosts.trade is None else f"{hosts.trade}{trade_session.PATH}"

    def trade_session(self) -> TradeSession:
        return trade_session.BinanceTradeSession(self.recv_window_ms)

    def login_refusal(self, code: int | None, text: str) -> APIError:
        return super().login_refusal(code, text) if code is None else by_code(trade_session.LOG_ON, code, text)

    def stream_token(self) -> StreamToken | None:
        return StreamToken(
            create=call(endpoints_account.CREATE_LISTEN_KEY, {}, lambda reply: str(reply.listen_key)),
            keep_alive=call(endpoints_account.KEEP_LISTEN_KEY, {}, lambda reply: None),
            every_s=KEEP_ALIVE_S,
            lives_s=KEY_LIVES_S,
        )

    @property
    def book_rule(self) -> BookRule:
        return self._book_rule


VENUE = BinanceFutures()
