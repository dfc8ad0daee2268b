"""What a venue folder provides: tables and pure functions, no socket, no sleep, no clock read.

A venue's `venue.py` holds VENUE, an instance of a Venue subclass. The client (api_connector/) knows only this file, and
what it hands on of endpoint.py and calls.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import APIError, AuthenticationFailed, BadInput
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.market import BookDelta, BookSnapshot, Event
from perpwire.venues.calls import (
    AccountCalls as AccountCalls,
    MarketCalls as MarketCalls,
    OrderCalls as OrderCalls,
)
from perpwire.venues.endpoint import (
    Call as Call,
    Costs as Costs,
    Endpoint as Endpoint,
    Lane as Lane,
    Limit as Limit,
    Params as Params,
    Road as Road,
    Security as Security,
    Service as Service,
)


class Hosts(msgspec.Struct, frozen=True, kw_only=True):
    """Where one environment lives: bases without a trailing slash, such as https://... and wss://...

    `private_streams` is set where the private route lives on another host than the public ones; `trade` where there is
    a trading socket; `wallet` where what an API key may do is asked of another service (Binance) and the environment
    has one. `env` is for messages.
    """

    rest: str
    streams: str
    private_streams: str | None = None
    trade: str | None = None
    wallet: str | None = None
    env: str = "custom"

    def base(self, endpoint: Endpoint) -> str | None:
        """Where the endpoint is served, or None where this environment has nothing for it."""
        return self.wallet if endpoint.host == "wallet" else self.rest


class Topic(msgspec.Struct, frozen=True):
    """One subscription: the venue's own stream name, and the route (kind of socket) it is served on."""

    route: str
    name: str


class Said(NamedTuple):
    """What a topic says, or is asked for.

    Attributes:
        symbol: "" where it is of many.
        interval: Of candles; "" of all else.
    """

    kind: type[Event]
    symbol: str
    interval: str = ""


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What more a subscription may choose. None: the venue's usual.

    Attributes:
        interval: Of candles, in the spelling of model.market.Kline.
        levels: A side, of a partial or local book.
        speed_ms: Between two messages of a book, or of mark prices.
        contract: Kind of contract of a continuous candle, such as PERPETUAL.
        aggregated: Of trades: those of one taker order at one price in one; the usual at Binance.
    """

    interval: str | None = None
    levels: int | None = None
    speed_ms: int | None = None
    contract: str | None = None
    aggregated: bool | None = None

    def __post_init__(self) -> None:
        """
        Raises:
            BadInput: A choice is of another type.
        """
        for name in self.__struct_fields__:
            value, kind = getattr(self, name), _CHOICES[name]
            if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
                raise BadInput(f"{name} {value!r} is no {kind.__name__}", code=f"BAD_{name.upper()}")


_CHOICES: dict[str, type] = {"interval": str, "levels": int, "speed_ms": int, "contract": str, "aggregated": bool}


class StreamKeywords(TypedDict, total=False):
    """The same as keywords of the connector's methods."""

    interval: str | None
    levels: int | None
    speed_ms: int | None
    contract: str | None
    aggregated: bool | None


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of how a topic speaks. An acknowledgement proves nothing; data does.

    Attributes:
        kind: What has the same routes, such as "aggTrade"; see WebSocketManager(routes=...).
        routes: Where it may be served, likeliest first: the first is where it is asked for.
        first_s: Data comes at most so many seconds after the acknowledgement; None: it need not.
        every_s: It is never silent for longer, also in the quietest market; None: it may be.
        is_clockwork: `every_s` is how the venue makes it. Otherwise it is what the venue's market is like, and where
            this topic has been seen to be slower than that, it may be.
        has_rhythm: It comes at a pace of its own, which can be learned; not where what the user does makes it speak.
    """

    kind: str
    routes: tuple[str, ...]
    first_s: float | None = None
    every_s: float | None = None
    is_clockwork: bool = False
    has_rhythm: bool = True


NO_OPTIONS = StreamOptions()


class SnapshotSource(Enum):
    REST = "rest"  # a book starts from a REST snapshot that buffered deltas are joined to
    STREAM = "stream"  # the stream itself begins with a snapshot; subscribing anew brings a fresh one


class Verdict(Enum):
    APPLY = "apply"
    DROP = "drop"  # older than what the book holds
    GAP = "gap"  # something is missing: start again


class BookRule(ABC):
    """The venue's rule for a local book. Pure: it judges, data_processor/book_sync.py acts."""

    source: SnapshotSource

    def depth_of(self, stream: str) -> int | None:
        """Levels a side that a stream covers; what falls beyond is forgotten. None: no bound."""
        return None

    @abstractmethod
    def joins(self, delta: BookDelta, snapshot: BookSnapshot) -> Verdict:
        """May `delta` be the first one applied on top of `snapshot`? GAP: the snapshot is too old, take a new one."""

    @abstractmethod
    def follows(self, delta: BookDelta, last_update_id: int) -> Verdict:
        """May `delta` be applied to a book whose last applied update is `last_update_id`?"""


ControlKind = Literal[
    "logged_in", "login_refused", "subscribed", "refused", "unsubscribed", "pong", "token_expired", "closing", "other"
]


class Control(msgspec.Struct, frozen=True):
    """What a frame that is no data means.

    Attributes:
        topics: The ones it answers for.
        text, code: The venue's words, and its number where it gives one.
        again: Of a refused request, those that were not at fault, and were not taken either: ask for them anew.
    """

    kind: ControlKind
    topics: tuple[str, ...] = ()
    text: str = ""
    code: int | None = None
    again: tuple[str, ...] = ()


class Session(ABC):
    """One opened socket's conversation, without I/O: frames out as bytes, frames in through `on_frame`.

    Made anew for each connection, so that nothing of the last one survives (ids, merged tickers).
    """

    needs_login: bool = False
    """True where data comes only after a `logged_in` control."""

    @abstractmethod
    def login(self, credentials: Credentials, now_ms: int) -> bytes | None:
        """The login frame, or None where the route has none."""

    @abstractmethod
    def subscribe(self, topics: Sequence[str]) -> list[bytes]:
        """Frames that subscribe; each is answered by a control that names the topics it was for. A refusal of several
        topics means that one of them is at fault."""

    @abstractmethod
    def unsubscribe(self, topics: Sequence[str]) -> list[bytes]: ...

    @abstractmethod
    def ping(self) -> bytes | None:
        """A text ping to send at each heartbeat, or None where WebSocket ping frames are used."""

    @abstractmethod
    def question(self) -> bytes:
        """Something harmless that the service behind the socket answers itself, by a `pong` control. A WebSocket ping
        would be answered by whatever stands before it."""

    @abstractmethod
    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        """THE HOT PATH: the frame's events, or None where it is no data (see on_control).

        Raises:
            msgspec.DecodeError, ValueError, KeyError: unreadable; the caller counts it and goes on.
        """

    @abstractmethod
    def on_control(self, frame: bytes) -> Control:
        """What a frame means for which on_frame gave None."""

    @abstractmethod
    def heard_ns(self, topic: str) -> int:
        """Arrival (as given to on_frame) of the last data frame of a topic on this socket; 0: there was none."""

    @abstractmethod
    def ignore(self, topic: str) -> None:
        """Note when a topic is heard, and make no events of it."""

    @abstractmethod
    def heed(self, topic: str) -> None:
        """Ignore it no longer; it is subscribed anew."""

    def topic_of(self, frame: bytes) -> str:
        """The topic that a data frame is of; "" where it names none, or one that differs between sockets."""
        return ""

    def break_off(self, topic: str, unread: bytes) -> bool:
        """Told of a frame of this topic, or of one that may be, which can't be read. True: what follows builds on what
        it said. Then nothing is made of the topic until it is told whole, for which it has to be subscribed anew."""
        return False


class StreamToken(msgspec.Struct, frozen=True, kw_only=True):
    """A key that must be fetched before a private socket is opened, and kept alive (Binance's listenKey).

    Attributes:
        every_s: How often to keep it alive, seconds.
        lives_s: Without that it lives so long for sure.
    """

    create: Call[str]
    keep_alive: Call[Any]
    every_s: float
    lives_s: float


class TradeReply(NamedTuple):
    """An answer on the trading socket, in the shape that REST gives it, so that both are read by one decoder.

    Attributes:
        is_last: The venue takes no more requests on this socket, but still answers those under way: use another.
    """

    request_id: str
    reply: HttpReply
    is_last: bool = False


class TradeSession(ABC):
    """One opened trading socket's conversation, without I/O. Made anew for each connection."""

    needs_login: bool = False
    """True where requests are taken only after a `logged_in` control."""

    lifetime_s: float | None = None
    """The venue ends a socket when it is so old; None: it does not."""

    opening_costs: Costs = MappingProxyType({})
    """What connecting and logging in use of the venue's limits."""

    @abstractmethod
    def login(self, credentials: Credentials, now_ms: int) -> bytes | None:
        """The login frame, answered by `logged_in` or `login_refused`; None where each request is signed by itself.

        Raises:
            BadInput: The credentials can't sign.
        """

    @abstractmethod
    def ping(self) -> bytes | None:
        """A text ping to send at each heartbeat, or None where WebSocket ping frames are used."""

    @abstractmethod
    def request(
        self, endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int, request_id: str
    ) -> bytes:
        """The final bytes of one request.

        Raises:
            BadInput: A parameter can't be written, or a signed call has no credentials.
        """

    @abstractmethod
    def on_frame(self, frame: bytes) -> TradeReply | Control:
        """What a frame is: the answer to a request, or about the socket itself.

        Raises:
            msgspec.DecodeError, ValueError, KeyError: unreadable; the caller counts it and goes on.
        """


class Venue(MarketCalls, AccountCalls, OrderCalls, ABC):
    """Everything perpwire knows about one venue. Methods are pure."""

    environments: Mapping[str, Hosts]
    """By name: "live", "testnet", "demo". ("sim" is an embedded exchange, whose address the user gives.)"""

    limits: Sequence[Limit]
    recv_window_ms: int = 5000

    request_id_header: str = ""
    """The reply header (lower case) by which the venue knows the request in its own records."""

    heartbeat_s: float = 20.0
    """Seconds between pings of ours on a stream."""

    commands_per_s: int = 4
    """Most frames that we send on one stream socket within a second, pings and the answers to the venue's included."""

    topics_per_connection: int = 1000
    """More than these go on a further socket."""

    connects: tuple[int, float] = (300, 300.0)
    """Most sockets that one address may open within so many seconds."""

    socket_life_s: float | None = None
    """The venue ends a socket when it is so old; None: it does not."""

    private_route: str = "private"

    client_id_param: str = ""
    """The venue's name of the client order id, so that a caller may give it in the venue's own words."""

    rows: Sequence[Endpoint] = ()
    """The table of calls."""

    services: Mapping[str, Service] = MappingProxyType({})
    """How paths of calls that we can reach begin -> which of the environment's hosts serves them. What begins otherwise
    is another product's, or nobody's."""

    # --- requests -------------------------------------------------------------------------------------------------

    @abstractmethod
    def encode(
        self, endpoint: Endpoint, params: Params, credentials: Credentials | None, timestamp_ms: int
    ) -> HttpRequest:
        """The final bytes: encoded once, signed, and sent as they are.

        Raises:
            BadInput: A parameter can't be written, or a signed call has no credentials.
        """

    @abstractmethod
    def decode(self, endpoint: Endpoint, reply: HttpReply) -> Any:
        """The typed wire reply.

        Raises:
            VenueRefused and its kinds, OutcomeUnknown, Garbled: by the venue's code and status.
        """

    @abstractmethod
    def reported_usage(self, endpoint: Endpoint, headers: Mapping[str, str]) -> Costs:
        """Limit name -> how much of its current window is used, as far as the headers tell."""

    def stated_limits(self, reply: Any) -> Costs:
        """Limit name -> how much its window takes, as far as a decoded reply is about that."""
        return {}

    def reported_limits(self, endpoint: Endpoint, headers: Mapping[str, str]) -> Costs:
        """Limit name -> how much its window takes, as far as the headers tell: an account may have more than published,
        or less."""
        return {}

    def native_endpoint(self, method: str, path: str, reply: Any, signed: bool | None, weight: int | None) -> Endpoint:
        """A row for a call in the venue's own words: as the table has it, but for the reply; or else made up.

        Args:
            signed: None: as the table has it, or else signed.
            weight: What it costs, where the venue counts so; None: as the table has it, or else the least.

        Raises:
            BadInput: The path is of no service that we know where to find.
        """
        http = f"{method} {path}"
        row = next((row for row in self.rows if row.http == http), None)
        if row is None:
            row = Endpoint(
                name=http,
                http=http,
                security=Security.SIGNED,
                reply=reply,
                costs=self.native_costs(http),
                host=self._service(path),
                source="the caller",
            )
        security = row.security if signed is None else Security.SIGNED if signed else Security.NONE
        costs = row.costs if weight is None else partial(self._weighed, row, weight)
        return msgspec.structs.replace(
            row, name=http, reply=reply, security=security, costs=costs, repeatable=method == "GET"
        )

    def _service(self, path: str) -> Service:
        for begin, service in self.services.items():
            if path.startswith(begin):
                return service
        raise BadInput(
            f"{path} is of no service that is known here: paths begin with {', '.join(self.services)}",
            venue=self.name,
            call="call",
            code="UNKNOWN_PATH",
            advice="Other products (spot, coin-margined, options ...) live at other hosts: use a client for them.",
        )

    def _weighed(self, row: Endpoint, weight: int, params: Params) -> Costs:
        return self.weighed(row.costs_of(params), weight)

    @abstractmethod
    def native_costs(self, http: str) -> Costs | Callable[[Params], Costs]:
        """What a call that is not in the table uses; `http` is method and path."""

    def weighed(self, costs: Costs, weight: int) -> Costs:
        """`costs` with the weight that the caller knows; the same where the venue does not count so."""
        return costs

    # --- streams --------------------------------------------------------------------------------------------------

    @abstractmethod
    def topic(self, event: type[Event], symbol: str, options: StreamOptions = NO_OPTIONS) -> Topic:
        """The public topic that delivers `event` for `symbol`; "" is every symbol, where the venue has such a stream.

        Raises:
            BadInput: There is no such symbol, interval, depth or speed.
            NotOffered: The venue has no such stream.
        """

    @abstractmethod
    def feed(self, topic: Topic) -> Feed:
        """How a topic speaks."""

    @abstractmethod
    def carries(self, topic: Topic) -> tuple[Said, ...]:
        """What a public topic says; () of one that is not known, and of private ones."""

    @abstractmethod
    def canary(self, route: str) -> Topic | None:
        """A topic that always speaks on a route, so that its silence means something; None where there is none."""

    @abstractmethod
    def parse_topic(self, name: str) -> Topic:
        """A native stream name with its route.

        Raises:
            BadInput: Not a name of this venue's streams.
        """

    @abstractmethod
    def private_topics(self) -> tuple[Topic, ...]:
        """Orders, fills, positions, balances. Empty where opening the private socket is enough."""

    def countdown_topics(self) -> tuple[Topic, ...]:
        """Private topics that must be subscribed for the dead man's switch to watch us; see arm_countdown."""
        return ()

    def fast_fill_topics(self) -> tuple[Topic, ...]:
        """Private topics that bring FastFill; () where they come by themselves."""
        return ()

    @abstractmethod
    def stream_url(self, hosts: Hosts, route: str, token: str | None) -> str: ...

    @abstractmethod
    def session(self, route: str) -> Session: ...

    def trade_url(self, hosts: Hosts) -> str | None:
        """Where the trading socket is, or None where the venue or the environment has none."""
        return None

    def trade_session(self) -> TradeSession:
        """Only where trade_url gives one."""
        raise NotImplementedError

    def login_refusal(self, code: int | None, text: str) -> APIError:
        """Why a socket's login was refused, by the venue's code for it, where it gave one."""
        return AuthenticationFailed(
            text, venue=self.name, call="log in", code="LOGIN_REFUSED" if code is None else code
        )

    def server_clock_ms(self, refusal: APIError) -> int | None:
        """The venue's time as a refusal for the clock states it, Unix milliseconds; None where it does not."""
        return None

    def stream_token(self) -> StreamToken | None:
        """The key that the private route needs, or None."""
        return None

    @property
    @abstractmethod
    def book_rule(self) -> BookRule: ...

    def normal_symbol(self, symbol: str) -> str:
        """The venue's own symbol for what a caller wrote: BTCUSDT, btcusdt or BTC/USDT:USDT.

        Raises:
            BadInput: No symbol; or, in that notation, a contract that is not linear, or dated: to take it for the
                perpetual would be wrong.
        """
        if type(symbol) is str and symbol.isalnum():
            return symbol.upper()
        if not isinstance(symbol, str):
            raise self._no_symbol(symbol, "is no symbol")
        pair, colon, settle = symbol.upper().partition(":")
        base, slash, quote = pair.partition("/")
        if "-" in settle:
            raise self._no_symbol(symbol, "is a dated contract")
        if colon and settle != quote:
            raise self._no_symbol(symbol, "is no linear contract: those are settled in what they are quoted in")
        name = self.symbol_of_pair(base, quote) if slash else pair
        if not name.replace("_", "").replace("-", "").isalnum():
            raise self._no_symbol(symbol, "is no symbol")
        return name

    def symbol_of_pair(self, base: str, quote: str) -> str:
        """The venue's symbol for the perpetual contract of two assets."""
        return base + quote

    def _no_symbol(self, symbol: object, why: str) -> BadInput:
        return BadInput(f"{symbol!r} {why}", venue=self.name, code="UNKNOWN_SYMBOL")

    def window_ms(self, params: Params) -> int:
        """How long after its time stamp the venue takes a request with these parameters, milliseconds."""
        return self.recv_window_ms
