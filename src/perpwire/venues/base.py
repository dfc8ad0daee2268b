"""What a venue folder provides: tables and pure functions, no socket, no sleep, no clock read.

A venue's `venue.py` holds VENUE, an instance of a Venue subclass. The client (api_connector/) knows only this file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

import msgspec

from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.account import AccountInfo, Position
from perpwire.model.instrument import Instrument
from perpwire.model.market import BookDelta, BookSnapshot, Event
from perpwire.model.order import Order, OrderRequest

T = TypeVar("T")

Params = Mapping[str, Any]
"""A request's parameters in the venue's names. None values are left out; Decimal, int, bool, str, list and dict are
written the venue's way, a float by its shortest repr in plain notation."""

Costs = Mapping[str, int]
"""Limit name -> how much of it a request uses."""


class Security(Enum):
    NONE = "none"
    KEY = "key"  # the key goes along, unsigned
    SIGNED = "signed"


class Lane(Enum):
    """Which calls may overtake which while the budget is short."""

    CANCEL = 0
    ORDER = 1
    READ = 2


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One published limit.

    Attributes:
        name: Key in Costs.
        limit: Units per window.
        period_s: Window length.
        scope: "ip": all calls from this address share it; "account": only calls like this one.
        fixed: True for windows that start at multiples of period_s of the venue's clock, False for rolling ones.
        source: Where it is published.
    """

    name: str
    limit: int
    period_s: float
    fixed: bool
    source: str
    scope: Literal["ip", "account"] = "account"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the venue, as its page describes it.

    Attributes:
        name: Ours, such as "place_order"; errors and metrics carry it.
        http: "POST /fapi/v1/order".
        reply: Wire type that a successful body is decoded into.
        costs: What it uses of which limits; a function where that depends on the parameters.
        repeatable: Asking twice is harmless. False for what creates something.
        lane: Its priority while the budget is short.
        source: The venue's page and the date it was read.
    """

    name: str
    http: str
    security: Security
    reply: Any
    costs: Costs | Callable[[Params], Costs]
    source: str
    repeatable: bool = True
    lane: Lane = Lane.READ

    @property
    def method(self) -> str:
        return self.http.split(" ", 1)[0]

    @property
    def path(self) -> str:
        return self.http.split(" ", 1)[1]

    def costs_of(self, params: Params) -> Costs:
        return self.costs(params) if callable(self.costs) else self.costs


class Call(Generic[T]):
    """An endpoint with its parameters, and how its reply becomes what the user gets.

    Attributes:
        translate: Wire reply -> result. May raise UnknownOrder where a reply that says "nothing found" is a success
            for the venue.
        next_page: Wire reply -> the call for the following page, or None at the end. Results of pages are tuples and
            are joined.
        otherwise: Asked where this call ends in UnknownOrder.
        then: Wire reply -> the call whose result is the result: for venues whose reply is a bare acknowledgement.
    """

    __slots__ = ("endpoint", "next_page", "otherwise", "params", "then", "translate")

    def __init__(
        self,
        endpoint: Endpoint,
        params: Params,
        translate: Callable[[Any], T],
        *,
        next_page: Callable[[Any], Call[T] | None] | None = None,
        otherwise: Call[T] | None = None,
        then: Callable[[Any], Call[T]] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.params = params
        self.translate = translate
        self.next_page = next_page
        self.otherwise = otherwise
        self.then = then


class Hosts(msgspec.Struct, frozen=True, kw_only=True):
    """Where one environment lives: bases without a trailing slash, such as https://... and wss://...

    `private_streams` is set where the private route lives on another host than the public ones.
    """

    rest: str
    streams: str
    private_streams: str | None = None


class Topic(msgspec.Struct, frozen=True):
    """One subscription: the venue's own stream name, and the route (kind of socket) it is served on."""

    route: str
    name: str


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

    depth: int | None = None
    """Levels a side that the feed covers; what falls beyond is forgotten. None: no bound."""

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
    """What a frame that is no data means. `topics` are the ones it answers for; `text` the venue's words."""

    kind: ControlKind
    topics: tuple[str, ...] = ()
    text: str = ""


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
        """Frames that subscribe; each is answered by a control that names the topics it was for."""

    @abstractmethod
    def unsubscribe(self, topics: Sequence[str]) -> list[bytes]: ...

    @abstractmethod
    def ping(self) -> bytes | None:
        """A text ping to send at each heartbeat, or None where WebSocket ping frames are used."""

    @abstractmethod
    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        """THE HOT PATH: the frame's events, or None where it is no data (see on_control).

        Raises:
            msgspec.DecodeError, ValueError, KeyError: unreadable; the caller counts it and goes on.
        """

    @abstractmethod
    def on_control(self, frame: bytes) -> Control:
        """What a frame means for which on_frame gave None."""


class StreamToken(msgspec.Struct, frozen=True, kw_only=True):
    """A key that must be fetched before a private socket is opened, and kept alive (Binance's listenKey)."""

    create: Call[str]
    keep_alive: Call[Any]
    every_s: float


class Venue(ABC):
    """Everything perpwire knows about one venue. Methods are pure."""

    name: str
    environments: Mapping[str, Hosts]
    """By name: "live", "testnet", "demo". ("sim" is an embedded exchange, whose address the user gives.)"""

    limits: Sequence[Limit]
    recv_window_ms: int = 5000

    heartbeat_s: float = 20.0
    """Seconds between pings of ours on a stream."""

    command_interval_s: float = 0.0
    """Least time between two frames we send on one stream socket."""

    topics_per_connection: int = 1000
    """More than these go on a further socket."""

    private_route: str = "private"

    client_id_param: str = ""
    """The venue's name of the client order id, so that a caller may give it in the venue's own words."""

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

    # --- calls ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def server_time(self) -> Call[int]:
        """Unix milliseconds."""

    @abstractmethod
    def instruments(self) -> Call[tuple[Instrument, ...]]: ...

    @abstractmethod
    def account(self) -> Call[AccountInfo]: ...

    @abstractmethod
    def positions(self, symbol: str | None) -> Call[tuple[Position, ...]]:
        """Open positions only where symbol is None."""

    @abstractmethod
    def place_order(self, request: OrderRequest) -> Call[Order]: ...

    @abstractmethod
    def amend_order(self, order: Order, price: Decimal | None, quantity: Decimal | None) -> Call[Order]:
        """Change price or (total) quantity of a resting limit order."""

    @abstractmethod
    def cancel_order(self, symbol: str, order_id: str | None, client_order_id: str | None) -> Call[Order]: ...

    @abstractmethod
    def get_order(self, symbol: str, order_id: str | None, client_order_id: str | None) -> Call[Order]: ...

    @abstractmethod
    def open_orders(self, symbol: str | None) -> Call[tuple[Order, ...]]: ...

    @abstractmethod
    def book_snapshot(self, symbol: str, depth: int) -> Call[BookSnapshot]: ...

    # --- streams --------------------------------------------------------------------------------------------------

    @abstractmethod
    def topic(self, event: type[Event], symbol: str) -> Topic:
        """The public topic that delivers `event` for `symbol`: Trade, BookTicker, BookDelta or MarkPrice.

        Raises:
            BadInput: The venue has no such stream.
        """

    @abstractmethod
    def parse_topic(self, name: str) -> Topic:
        """A native stream name with its route.

        Raises:
            BadInput: Not a name of this venue's streams.
        """

    @abstractmethod
    def private_topics(self) -> tuple[Topic, ...]:
        """Orders, fills, positions, balances. Empty where opening the private socket is enough."""

    @abstractmethod
    def stream_url(self, hosts: Hosts, route: str, token: str | None) -> str: ...

    @abstractmethod
    def session(self, route: str) -> Session: ...

    def stream_token(self) -> StreamToken | None:
        """The key that the private route needs, or None."""
        return None

    @property
    @abstractmethod
    def book_rule(self) -> BookRule: ...

    def normal_symbol(self, symbol: str) -> str:
        """The venue's own symbol for what a caller wrote: BTCUSDT, btcusdt or BTC/USDT:USDT.

        Raises:
            BadInput: No text, or a dated contract in that notation: taking it for the perpetual would be wrong.
        """
        pair, _, settle = symbol.partition(":")
        if "-" in settle:
            raise BadInput(f"{symbol!r} is a dated contract", venue=self.name, code="UNKNOWN_SYMBOL")
        return pair.replace("/", "").upper()

    def window_ms(self, params: Params) -> int:
        """How long after its time stamp the venue takes a request with these parameters, milliseconds."""
        return self.recv_window_ms
