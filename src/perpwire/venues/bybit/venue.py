"""VENUE: hosts, and the tables of this folder tied together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perpwire.credentials import Credentials
from perpwire.errors import APIError
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.account import AccountInfo, KeyInfo, Position
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookSnapshot, Event
from perpwire.venues.base import BookRule, Call, Costs, Endpoint, Hosts, Params, Session, Topic, TradeSession, Venue
from perpwire.venues.bybit import (
    endpoints,
    key_info,
    limits,
    replies,
    requests,
    streams,
    trade_session,
    translate,
    translate_account,
)
from perpwire.venues.bybit.book_rule import BybitBookRule
from perpwire.venues.bybit.order_calls import BybitOrderCalls
from perpwire.venues.bybit.paging import bad, call, of_symbol_or_all, paged
from perpwire.venues.bybit.session import BybitSession

PATHS = {streams.PUBLIC: "/v5/public/linear", streams.PRIVATE: "/v5/private"}


class Bybit(BybitOrderCalls, Venue):
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
    private_route = streams.PRIVATE
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

    def server_clock_ms(self, refusal: APIError) -> int | None:
        return replies.server_clock_ms(refusal)

    def reported_limits(self, endpoint: Endpoint, headers: Mapping[str, str]) -> Costs:
        return limits.reported_limits(endpoint.path, headers)

    rows = tuple(row for row in vars(endpoints).values() if isinstance(row, Endpoint))

    def native_costs(self, path: str, weight: int | None) -> Costs:
        return limits.costs(path)

    # --- calls ----------------------------------------------------------------------------------------------------

    def server_time(self) -> Call[int]:
        return call(endpoints.SERVER_TIME, {}, translate.server_time)

    def instruments(self) -> Call[tuple[Instrument, ...]]:
        """Perpetuals in trading; the venue leaves out those before their launch."""
        return paged(endpoints.INSTRUMENTS, {"category": "linear", "limit": 1000}, translate.instruments)

    def account(self) -> Call[AccountInfo]:
        return call(endpoints.ACCOUNT, {"accountType": "UNIFIED"}, translate_account.account)

    def key_info(self) -> Call[KeyInfo]:
        return call(endpoints.KEY_INFO, {}, key_info.key_info)

    def positions(self, symbol: str | None) -> Call[tuple[Position, ...]]:
        params = {"category": "linear", "limit": 200}
        return of_symbol_or_all(endpoints.POSITIONS, params, symbol, translate.positions, row_key=_position_key)

    def book_snapshot(self, symbol: str, depth: int) -> Call[BookSnapshot]:
        """Its update_id is of the 1000-level stream's count, not of the one that `topic` names."""
        params = {"category": "linear", "symbol": symbol, "limit": min(max(depth, 1), 1000)}
        return call(endpoints.BOOK_SNAPSHOT, params, translate.book)

    # --- streams --------------------------------------------------------------------------------------------------

    def topic(self, event: type[Event], symbol: str) -> Topic:
        topic = streams.symbol_topic(event, symbol)
        if topic is None:
            raise bad("topic", "NO_SUCH_STREAM", f"there is no public stream of {event.__name__}")
        return topic

    def parse_topic(self, name: str) -> Topic:
        topic = streams.parse_topic(name)
        if topic is None:
            raise bad("topic", "NO_SUCH_STREAM", f"{name!r} is no topic such as publicTrade.BTCUSDT")
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
            raise bad("symbol", "NO_SUCH_SYMBOL", f"{symbol!r} is a dated contract")
        base, slash, quote = pair.partition("/")
        return f"{base}PERP" if slash and quote == "USDC" else base + quote


def _position_key(position: Position) -> tuple[str, str]:
    return position.symbol, position.position_side


_BOOK_RULE = BybitBookRule()


VENUE = Bybit()
