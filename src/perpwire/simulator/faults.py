"""Trouble on order, as data: JSON by /sim/faults or a file (scripts.py), or these structs. docs/faults.md has them all.

A fault starts `after_s` seconds from being added, plus a random part of `jitter_s` drawn from the seed, and comes again
every `every_s` seconds (plus jitter) where that is set. Faults of sockets and of the venue act at that moment; those of
calls and of messages lie in wait from then on for what matches them. faulting.py carries them out.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from perpwire.simulator.venue_clock import check_drift, check_skew

How = Literal["reset", "silence"]
"""How a lost exchange looks to the client: the connection is reset, or nothing ever comes."""

LARGEST_SPAN_S = 1e9
"""Some thirty years: no fault is meant to take longer, and clocks can count no further for ever."""

LARGEST_FALL, LARGEST_RISE = Decimal("-0.9"), Decimal(9)
"""By how much a price may jump at once, as a share of it."""

LARGEST_LAG_S = 30.0
"""So far back it is known what lists would have been."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """Base of all faults; times in seconds, not below 0, `every_s` above it. Text is held to that when it is decoded,
    structs when they are added."""

    after_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    every_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    jitter_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0


def check_times(fault: Fault) -> None:
    """
    Raises:
        ValueError: It has times that never come.
    """
    _check_span("after_s", fault.after_s)
    _check_span("jitter_s", fault.jitter_s)
    _check_span("every_s", fault.every_s)
    if fault.every_s == 0:
        raise ValueError("every_s 0 must be above 0")


def _check_span(name: str, seconds: float | None, least: float = 0.0) -> None:
    if seconds is not None and not (math.isfinite(seconds) and least <= seconds <= LARGEST_SPAN_S):
        raise ValueError(
            f"{name} {seconds:g} must be a finite number, not below {least:g} nor above {LARGEST_SPAN_S:g}"
        )


def _check_quantity(quantity: Decimal | None) -> None:
    if quantity is not None and not (quantity.is_finite() and quantity > 0):
        raise ValueError(f"quantity {quantity} must be a finite number above 0")


# --- sockets ----------------------------------------------------------------------------------------------------------


class SocketFault(Fault, frozen=True, kw_only=True):
    """Something happens to open sockets.

    Attributes:
        route: Only sockets with this text in their path; "" for all.
        connection: Only the socket of this number, as journal and state tell it; 0 for any.
        which: All of them, or one that the seed chooses.
    """

    route: str = ""
    connection: int = 0
    which: Literal["all", "one"] = "all"


class Cut(SocketFault, frozen=True, kw_only=True, tag="cut"):
    """Sockets end: what was sent is delivered, then the connection is closed without a closing handshake."""


class Reset(SocketFault, frozen=True, kw_only=True, tag="reset"):
    """Sockets end with a TCP reset; what a fault held back for them is lost."""


class Close(SocketFault, frozen=True, kw_only=True, tag="close"):
    """Sockets are closed with a closing handshake; any code from 1000 to 4999.

    Codes that no close frame may carry (1005, 1006, 1015) mean the lack of one: then it is a cut.
    """

    code: int = 1001
    reason: str = ""

    def __post_init__(self) -> None:
        if not 1000 <= self.code <= 4999:
            raise ValueError(f"close code {self.code} is not from 1000 to 4999")
        if len(self.reason.encode()) > 123:
            raise ValueError("a close reason has at most 123 bytes")


class Silence(SocketFault, frozen=True, kw_only=True, tag="silence"):
    """Sockets go half-open, or mute.

    Attributes:
        what: "all": nothing is delivered, pings are not answered, nothing is heard, and no end is seen. "data": stream
            messages are not delivered; pings and control messages are answered as ever.
        topic: With "data": only streams whose name matches this pattern, such as "*@depth*".
        seconds: When it is over; None for never.
        then: What happens then: the socket is dropped, or it heals and goes on from there ("data" only).
        also_next: So many sockets of this route that are opened later are hit as well, from their first moment.
    """

    what: Literal["all", "data"] = "all"
    topic: str = "*"
    seconds: float | None = None
    then: Literal["drop", "heal"] = "drop"
    also_next: int = 0

    def __post_init__(self) -> None:
        _check_span("seconds", self.seconds)
        if self.what == "all" and (self.topic != "*" or self.then != "drop"):
            raise ValueError('only a silence of "data" is of topics, and only it can heal')


class Throttle(SocketFault, frozen=True, kw_only=True, tag="throttle"):
    """What is sent leaves at this pace for so many seconds (None: for good); what waits is delivered in order."""

    bytes_per_s: float
    seconds: float | None = None

    def __post_init__(self) -> None:
        _check_span("bytes_per_s", self.bytes_per_s, 1.0)
        _check_span("seconds", self.seconds)


class CloseIdle(Fault, frozen=True, kw_only=True, tag="close_idle"):
    """HTTP connections that are kept alive and idle are closed by the server (over sockets only)."""


# --- the venue --------------------------------------------------------------------------------------------------------


class Refuse(Fault, frozen=True, kw_only=True, tag="refuse"):
    """New connections are refused for so many seconds."""

    seconds: float

    def __post_init__(self) -> None:
        _check_span("seconds", self.seconds)


class Skew(Fault, frozen=True, kw_only=True, tag="skew"):
    """The venue's clock is put this far ahead of the true one (below 0: behind), or so much further than it is.

    Attributes:
        seconds: At most venue_clock.LARGEST_SKEW_S either way.
        is_step: Added to the skew there is, instead of taking its place.
    """

    seconds: float
    is_step: bool = False

    def __post_init__(self) -> None:
        check_skew(self.seconds)


class Drift(Fault, frozen=True, kw_only=True, tag="drift"):
    """The venue's clock gains (below 0: loses) so many microseconds a second from now on."""

    ppm: float

    def __post_init__(self) -> None:
        check_drift(self.ppm)


class LagLists(Fault, frozen=True, kw_only=True, tag="lag_lists"):
    """For so long lists of trades, and of candles of the last price, come from a copy that is behind what the streams
    tell: what was traded since is not in them, and the candle that one ends with is an old state.

    Attributes:
        behind_s: So far at most; it is drawn for each call. At most LARGEST_LAG_S.
    """

    seconds: float
    behind_s: float = 3.0

    def __post_init__(self) -> None:
        _check_span("seconds", self.seconds)
        _check_span("behind_s", self.behind_s)
        if self.behind_s > LARGEST_LAG_S:
            raise ValueError(f"behind_s {self.behind_s:g} is above {LARGEST_LAG_S:g}")


class Maintenance(Fault, frozen=True, kw_only=True, tag="maintenance"):
    """For so long calls are answered as the venue does it then, sockets are closed, and none are opened."""

    seconds: float

    def __post_init__(self) -> None:
        _check_span("seconds", self.seconds)


class Restart(Fault, frozen=True, kw_only=True, tag="restart"):
    """The service restarts: a notice where the venue has one, then every socket ends, and none is opened for a while;
    order books number their changes anew.

    Attributes:
        notice_s: From the notice to the end.
        seconds: How long connections are refused.
    """

    notice_s: float = 0.0
    seconds: float = 5.0

    def __post_init__(self) -> None:
        _check_span("notice_s", self.notice_s)
        _check_span("seconds", self.seconds)


class Act(Fault, frozen=True, kw_only=True, tag="act"):
    """What only this venue can do, such as letting a listen key expire; docs/faults.md lists them by venue."""

    do: str
    args: dict[str, str] = msgspec.field(default_factory=dict)


# --- the market, and the account while its owner is away --------------------------------------------------------------


class FillOrder(Fault, frozen=True, kw_only=True, tag="fill_order"):
    """A resting order trades against a stranger, at its own price.

    Attributes:
        account: Whose it is.
        order_id: Which one; 0: the oldest that is open (of `symbol`, where one is named).
        symbol: See order_id.
        quantity: How much of it; None for all that is left.
    """

    account: str = "main"
    order_id: int = 0
    symbol: str = ""
    quantity: Decimal | None = None

    def __post_init__(self) -> None:
        _check_quantity(self.quantity)


class MovePrice(Fault, frozen=True, kw_only=True, tag="move_price"):
    """Book, index and mark price of a symbol jump by this share at once: 0.05 is 5 % up."""

    symbol: str
    share: Decimal

    def __post_init__(self) -> None:
        if not (self.share.is_finite() and LARGEST_FALL <= self.share <= LARGEST_RISE):
            raise ValueError(f"share {self.share} is not from {LARGEST_FALL} to {LARGEST_RISE}")


class Liquidate(Fault, frozen=True, kw_only=True, tag="liquidate"):
    """An account's position is liquidated, as if its margin had run out. `side` is BOTH, LONG or SHORT."""

    symbol: str
    account: str = "main"
    side: Literal["BOTH", "LONG", "SHORT"] = "BOTH"


class Deleverage(Fault, frozen=True, kw_only=True, tag="deleverage"):
    """An account's position is reduced by auto-deleveraging; all of it where no quantity is given."""

    symbol: str
    account: str = "main"
    side: Literal["BOTH", "LONG", "SHORT"] = "BOTH"
    quantity: Decimal | None = None

    def __post_init__(self) -> None:
        _check_quantity(self.quantity)


# --- calls ------------------------------------------------------------------------------------------------------------


class Waiting(Fault, frozen=True, kw_only=True):
    """Base of what lies in wait.

    Attributes:
        contains: Only what has this text in it: a call's query or body, a message's text.
        nth: It begins with the nth that matches.
        count: How many it hits, from there on; None for no end.
        probability: Chance that one that matches is hit; those spared don't count.
        for_s: It is over after so many seconds; None for never.
    """

    contains: str = ""
    nth: int = 1
    count: int | None = 1
    probability: float = 1.0
    for_s: float | None = None

    def __post_init__(self) -> None:
        if self.nth < 1:
            raise ValueError(f"nth {self.nth} is below 1")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count {self.count} is below 1")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability {self.probability:g} is not from 0 to 1")
        _check_span("for_s", self.for_s)


class CallFault(Waiting, frozen=True, kw_only=True):
    """Something befalls HTTP calls that match.

    Attributes:
        method: Such as POST; "" for any. "WS" means the opening of a WebSocket (answer, delay and lose_request).
        path: Such as /fapi/v1/order, or a pattern such as /v5/order/*; "" for any.
    """

    method: str = ""
    path: str = ""


class Answer(CallFault, frozen=True, kw_only=True, tag="answer"):
    """The call is answered with something else.

    Attributes:
        status: From 100 to 599; or else `canned` names one of the venue's own replies (docs/faults.md).
        headers: Of one line each.
        executed: The call is carried out all the same, and only its answer is this.
    """

    status: int = 0
    body: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    canned: str = ""
    executed: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.canned:
            if self.status or self.body or self.headers:
                raise ValueError("an answer is canned, or it has a status, a body and headers of its own")
        elif not 100 <= self.status <= 599:
            raise ValueError(f"status {self.status} is not from 100 to 599")
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"header {name!r}: {value!r} can't be sent")


class Delay(CallFault, frozen=True, kw_only=True, tag="delay"):
    """The call takes longer: the request on its way in (executed late), or the answer on its way out. An answer that is
    a snapshot is stale by so much when it arrives."""

    seconds: float
    where: Literal["request", "answer"] = "answer"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_span("seconds", self.seconds)


class LoseAnswer(CallFault, frozen=True, kw_only=True, tag="lose_answer"):
    """The call is executed; its answer never arrives."""

    how: How = "reset"


class LoseRequest(CallFault, frozen=True, kw_only=True, tag="lose_request"):
    """The call is never executed, and no answer comes."""

    how: How = "reset"


class TruncateAnswer(CallFault, frozen=True, kw_only=True, tag="truncate_answer"):
    """The call is executed; of the answer's body only this share arrives.

    Attributes:
        keep: From 0 (nothing) to below 1.
        how: "body": a whole HTTP answer with a short body. "connection": the connection is reset in the middle of it.
    """

    keep: float = 0.5
    how: Literal["body", "connection"] = "body"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.keep < 1:
            raise ValueError(f"keep {self.keep:g} is not from 0 to below 1")


class StaleAnswer(CallFault, frozen=True, kw_only=True, tag="stale_answer"):
    """A call without a key gets an old answer, as from a cache that was not told.

    Attributes:
        query: The answer to this query of `path` is taken down when the fault starts, and given from then on to every
            call that matches. "": the answer to the last call with the same path and query before the fault started;
            calls that were not made before are spared.
    """

    query: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.query and (not self.path or any(sign in self.path for sign in "*?[")):
            raise ValueError("a query to take down needs a path without patterns")


# --- messages ---------------------------------------------------------------------------------------------------------


class MessageFault(Waiting, frozen=True, kw_only=True):
    """Something befalls WebSocket messages that match.

    Attributes:
        route: Only on sockets with this text in their path; "" for all.
        connection: Only on the socket of this number, as journal and state tell it; 0 for any.
        topic: Streams whose name matches this pattern, as the journal names them; "" for control messages. What
            clients say has no topic.
        of: Messages of public streams, of an account, or any.
    """

    route: str = ""
    connection: int = 0
    topic: str = "*"
    of: Literal["any", "public", "private"] = "any"


class DropMessage(MessageFault, frozen=True, kw_only=True, tag="drop_message"):
    """A message is lost; the next one arrives. Of a book's changes that is a sequence gap.

    Attributes:
        direction: "out": to the client; "in": from it.
    """

    direction: Literal["out", "in"] = "out"


class DelayMessage(MessageFault, frozen=True, kw_only=True, tag="delay_message"):
    """A message is late, and so is everything behind it on its socket, unless `overtaken`."""

    seconds: float
    overtaken: bool = False
    direction: Literal["out", "in"] = "out"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_span("seconds", self.seconds)


class DuplicateMessage(MessageFault, frozen=True, kw_only=True, tag="duplicate_message"):
    """A message arrives `times` times in all; the copies `after_each_s` seconds apart."""

    times: int = 2
    after_each_s: float = 0.0
    direction: Literal["out", "in"] = "out"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.times <= 100:
            raise ValueError(f"times {self.times} is not from 2 to 100")
        _check_span("after_each_s", self.after_each_s)


class ReorderMessage(MessageFault, frozen=True, kw_only=True, tag="reorder_message"):
    """A message lets the next `behind` on its socket pass, or goes after `at_most_s` if there are none."""

    behind: int = 1
    at_most_s: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.behind < 1:
            raise ValueError(f"behind {self.behind} is below 1")
        _check_span("at_most_s", self.at_most_s)


class CorruptMessage(MessageFault, frozen=True, kw_only=True, tag="corrupt_message"):
    """A message arrives with other text.

    Attributes:
        how: "cut": its second half is missing. "garble": some of its bytes are others. "text": it is `text`.
            "replace": what it has of `contains` is `text` instead, such as an enum value that nobody knows.
    """

    how: Literal["cut", "garble", "text", "replace"] = "cut"
    text: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.how == "replace" and not self.contains:
            raise ValueError("what is to be replaced has to be in `contains`")


class SplitMessage(MessageFault, frozen=True, kw_only=True, tag="split_message"):
    """A message comes in pieces, `pause_s` apart: several WebSocket frames, or one in several TCP segments."""

    pieces: int = 3
    how: Literal["frames", "segments"] = "frames"
    pause_s: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.pieces <= 1000:
            raise ValueError(f"pieces {self.pieces} is not from 2 to 1000")
        _check_span("pause_s", self.pause_s)


class BreakMessage(MessageFault, frozen=True, kw_only=True, tag="break_message"):
    """The connection is reset in the middle of a message."""


class AnswerMessage(MessageFault, frozen=True, kw_only=True, tag="answer_message"):
    """What a client asks on a socket is answered with one of the venue's canned replies.

    Attributes:
        executed: It is carried out all the same, and its own answer is dropped.
    """

    canned: str
    executed: bool = False


AnySocketFault = Cut | Reset | Close | Silence | Throttle
AnyCallFault = Answer | Delay | LoseAnswer | LoseRequest | TruncateAnswer | StaleAnswer
AnyMessageFault = (
    DropMessage
    | DelayMessage
    | DuplicateMessage
    | ReorderMessage
    | CorruptMessage
    | SplitMessage
    | BreakMessage
    | AnswerMessage
)
AnyVenueFault = (
    CloseIdle
    | Refuse
    | LagLists
    | Skew
    | Drift
    | Maintenance
    | Restart
    | Act
    | FillOrder
    | MovePrice
    | Liquidate
    | Deleverage
)
AnyFault = AnySocketFault | AnyVenueFault | AnyCallFault | AnyMessageFault


def name_of(fault: Fault) -> str:
    """Its word in JSON."""
    return str(type(fault).__struct_config__.tag)


_one: msgspec.json.Decoder[AnyFault] = msgspec.json.Decoder(AnyFault)


def read_fault(text: bytes) -> AnyFault:
    """
    Raises:
        msgspec.DecodeError: Not a fault; the message says where.
    """
    return _one.decode(text)
