"""VENUE: hosts, and the tables of this folder tied together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from perpwire.credentials import Credentials
from perpwire.errors import APIError, BadInput
from perpwire.http_message import HttpReply, HttpRequest
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
    Topic,
    TradeSession,
    Venue,
)
from perpwire.venues.bybit import (
    endpoints,
    feeds,
    limits,
    replies,
    requests,
    topics,
    trade_session,
    translate,
)
from perpwire.venues.bybit.account_calls import BybitAccountCalls
from perpwire.venues.bybit.book_rule import BybitBookRule
from perpwire.venues.bybit.market_calls import BybitMarketCalls
from perpwire.venues.bybit.order_calls import BybitOrderCalls
from perpwire.venues.bybit.paging import bad
from perpwire.venues.bybit.session import BybitSession

PATHS = {
    topics.PUBLIC: "/v5/public/linear",
    topics.STATUS: "/v5/public/misc/status",
    topics.PRIVATE: "/v5/private",
}


class Bybit(BybitMarketCalls, BybitAccountCalls, BybitOrderCalls, Venue):
    """Bybit v5, category linear, unified account.

    Listings that span symbols (positions and open orders without a symbol) ask for the contracts settled in USDT, then
    for those settled in USDC.
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
    private_route = topics.PRIVATE
    connects = (500, 300.0)
    topics_per_connection = 500  # well inside session.ARGS_CHARACTERS, with the longest symbols
    request_id_header = "traceid"
    splits_oversized_closes = True
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

    def login_refusal(self, code: int | None, text: str) -> APIError:
        return super().login_refusal(code, text) if code is None else replies.login_refusal(code, text)

    def server_clock_ms(self, refusal: APIError) -> int | None:
        return replies.server_clock_ms(refusal)

    def reported_limits(self, endpoint: Endpoint, headers: Mapping[str, str]) -> Costs:
        return limits.reported_limits(endpoint.path, headers)

    rows = tuple(row for row in vars(endpoints).values() if isinstance(row, Endpoint))

    services: Mapping[str, Service] = {"/v5/": "rest"}

    def native_costs(self, http: str) -> Costs | Callable[[Params], Costs]:
        return limits.costs(http.split(" ", 1)[1])

    # --- streams --------------------------------------------------------------------------------------------------

    def feed(self, topic: Topic) -> Feed:
        return feeds.feed_of(topic)

    def carries(self, topic: Topic) -> tuple[Said, ...]:
        return topics.said_on(topic.name)

    def canary(self, route: str) -> Topic | None:
        return feeds.canary_of(route)

    def topic(self, event: type[Event], symbol: str, options: StreamOptions = NO_OPTIONS) -> Topic:
        return topics.topic_of(event, symbol, options)

    def parse_topic(self, name: str) -> Topic:
        topic = topics.parse_topic(name)
        if topic is None:
            raise bad("topic", "NO_SUCH_STREAM", f"{name!r} is no topic such as publicTrade.BTCUSDT")
        return topic

    def private_topics(self) -> tuple[Topic, ...]:
        return topics.PRIVATE_TOPICS

    def fast_fill_topics(self) -> tuple[Topic, ...]:
        return (Topic(topics.PRIVATE, "execution.fast.linear"),)

    def countdown_topics(self) -> tuple[Topic, ...]:
        return (Topic(topics.PRIVATE, "dcp.future"),)

    def stream_url(self, hosts: Hosts, route: str, token: str | None) -> str:
        if route not in PATHS:
            raise BadInput(
                f"no route {route!r}; there are {', '.join(PATHS)}", venue=self.name, call="subscribe",
                code="NO_SUCH_ROUTE",
            )  # fmt: skip
        private = route == topics.PRIVATE and hosts.private_streams is not None
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

    def symbol_of_pair(self, base: str, quote: str) -> str:
        """Contracts settled in USDC are named BTCPERP."""
        return f"{base}PERP" if quote == "USDC" else base + quote


_BOOK_RULE = BybitBookRule()


VENUE = Bybit()
