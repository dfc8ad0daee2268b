"""What one call of a venue is: its row, its cost, its priority, and how its reply is read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from copy import copy
from enum import Enum, IntEnum, StrEnum
from typing import Any, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")

Params = Mapping[str, Any]
"""A request's parameters in the venue's names. None values are left out; Decimal, int, bool, str, list and dict are
written the venue's way, a float by its shortest repr in plain notation."""

Costs = Mapping[str, int]
"""Limit name -> how much of it a request uses."""


Service = Literal["rest", "wallet"]
"""One of an environment's hosts for calls; see base.Hosts."""


class Security(Enum):
    NONE = "none"
    KEY = "key"  # the key goes along, unsigned
    SIGNED = "signed"


class Lane(IntEnum):
    """Which calls may overtake which while the budget is short: the first before the last."""

    CANCEL = 0
    REDUCE = 1  # orders that can only make a position smaller
    ORDER = 2
    ACCOUNT = 3
    MARKET = 4
    HISTORY = 5  # what a public stream missed


class Road(StrEnum):
    """How a call travels. Where the trading socket is not live, or does not serve the call, it goes by REST."""

    REST = "rest"
    WEBSOCKET = "websocket"


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One published limit.

    Attributes:
        name: Key in Costs.
        limit: Units per window.
        period_s: Window length.
        scope: "ip": all calls from this address share it; "account": only calls like this one.
        rest_only: Calls on the trading socket do not draw on it.
        fixed: True for windows that start at multiples of period_s of the venue's clock, False for rolling ones.
        source: Where it is published.
    """

    name: str
    limit: int
    period_s: float
    fixed: bool
    source: str
    scope: Literal["ip", "account"] = "account"
    rest_only: bool = False


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the venue, as its page describes it.

    Attributes:
        name: Ours, such as "place_order"; errors and metrics carry it.
        http: "POST /fapi/v1/order".
        reply: Wire type that a successful body is decoded into.
        costs: What it uses of which limits; a function where that depends on the parameters.
        repeatable: Asking twice is harmless. False for what creates something.
        lane: Its priority while the budget is short; a function where that depends on the parameters. Not stated: that
            of the account for signed calls, of the market for others.
        host: Which of the environment's hosts serves it: "rest", or "wallet" (see Hosts).
        socket_op: What the venue's trading socket calls it, such as "order.place"; None where it does not serve it.
        source: The venue's page and the date it was read.
    """

    name: str
    http: str
    security: Security
    reply: Any
    costs: Costs | Callable[[Params], Costs]
    source: str
    repeatable: bool = True
    lane: Lane | Callable[[Params], Lane] | None = None
    socket_op: str | None = None
    host: Service = "rest"

    @property
    def method(self) -> str:
        return self.http.split(" ", 1)[0]

    @property
    def path(self) -> str:
        return self.http.split(" ", 1)[1]

    def costs_of(self, params: Params) -> Costs:
        return self.costs(params) if callable(self.costs) else self.costs

    def lane_of(self, params: Params) -> Lane:
        if isinstance(self.lane, Lane):
            return self.lane
        if self.lane is not None:
            return self.lane(params)
        return Lane.ACCOUNT if self.security is Security.SIGNED else Lane.MARKET

    @property
    def writes(self) -> bool:
        """It changes something of the account: a lost answer leaves open whether it did."""
        return self.security is Security.SIGNED and self.method != "GET"


class Call(Generic[T]):
    """An endpoint with its parameters, and how its reply becomes what the user gets.

    Attributes:
        translate: Wire reply -> result. May raise UnknownOrder where a reply that says "nothing found" is a success
            for the venue.
        next_page: Wire reply -> the call for the following page, or None at the end. Results of pages are tuples and
            are joined, or handed out one by one (api_connector/history.py).
        row_key: What makes a row of a page the same as one of another page: rows can shift between pages, and come
            once all the same.
        otherwise: Asked where this call ends in UnknownOrder.
        then: Wire reply -> the call whose result is the result: for venues whose reply is a bare acknowledgement.
        follow: Result -> a further call whose result replaces it, or None where it stands.
    """

    __slots__ = ("endpoint", "follow", "next_page", "otherwise", "params", "row_key", "then", "translate")

    def __init__(
        self,
        endpoint: Endpoint,
        params: Params,
        translate: Callable[[Any], T],
        *,
        next_page: Callable[[Any], Call[T] | None] | None = None,
        row_key: Callable[[Any], Hashable] | None = None,
        otherwise: Call[T] | None = None,
        then: Callable[[Any], Call[T]] | None = None,
        follow: Callable[[T], Call[T] | None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.params = params
        self.translate = translate
        self.next_page = next_page
        self.row_key = row_key
        self.otherwise = otherwise
        self.then = then
        self.follow = follow

    def in_lane(self, lane: Lane) -> Call[T]:
        """The same, as urgent as calls of that lane are."""
        other = copy(self)
        other.endpoint = msgspec.structs.replace(self.endpoint, lane=lane)
        return other
