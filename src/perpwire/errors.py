"""What can go wrong, and what the caller may do next.

PerpwireError
  APIError                 .venue .call .code .reason .advice .verdict .safe_to_retry .http_status .attempts ...
    NotSent                nothing left this machine: safe to call again
      BadInput             we refused it: the arguments break a rule of the venue (also a ValueError)
      GuardRefused         a guard of the user's own refused it
    OutcomeUnknown         the venue may have acted: look before repeating   .client_order_id
    Garbled                it answered something unreadable                  .raw
    VenueRefused           it answered no; nothing was done
      UnknownOrder         no such order, or it is finished already
      InsufficientBalance  not enough free margin
      OrderRejected        the market refused it: post-only would take, nothing to fill against ...
      DuplicateOrder       an order with this client id exists: the first one counts
      ClockSkewed          the timestamp was outside the venue's window
      RateLimited          too fast                                          .retry_after_s
      Busy                 overloaded or in maintenance: surely not executed, try again later
        Overloaded         refused to protect the system, which is not quite sure: an order is looked for first
      BadRequest           a parameter is wrong
      NoChange             already in the state asked for
      NotAllowed           key, permission, account state or region forbid it
        AuthenticationFailed  unknown key, wrong secret, bad signature
        PositionModeMismatch  the account is in the other position mode
        NotOffered            this venue has no such thing; nothing was sent
      StreamRefused        a subscription is refused
  BookNotInSync            the local book is not proven equal to the venue's: it can't be read now
    BeyondHorizon          what was asked of it lies behind the levels that are known
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, ClassVar, Literal, TypedDict, Unpack


class PerpwireError(Exception):
    """Base of everything perpwire raises on purpose."""


class Verdict(StrEnum):
    """What an error comes down to, for programs that do not care for its exact kind.

    OK: it is so already. REJECTED: the venue said no, nothing was done. THROTTLED: too fast, come back later. AUTH:
    key, secret or signature. CLOCK: the time stamp. UNKNOWN_OUTCOME: it may have been done. VENUE_DOWN: it can't be
    reached, or says that it can't now. CALLER_BUG: the same call will never pass.
    """

    OK = "OK"
    REJECTED = "REJECTED"
    THROTTLED = "THROTTLED"
    AUTH = "AUTH"
    CLOCK = "CLOCK"
    UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"
    VENUE_DOWN = "VENUE_DOWN"
    CALLER_BUG = "CALLER_BUG"


class About(TypedDict, total=False):
    """What every APIError can be told of itself; see there."""

    venue: str
    call: str
    code: int | str | None
    advice: str | None


class APIError(PerpwireError):
    """A call did not give its result.

    Attributes:
        venue: Which venue ("binance", "bybit"), "" where none is concerned.
        call: The call's name, such as "place_order".
        code: The venue's own code (an int), or a word of ours where the venue was not asked, or None.
        reason: What the venue said (or we say), without secrets.
        advice: What to do next.
        after_doubt: An earlier try of the same call may have acted.
        verdict: What it comes down to.
        safe_to_retry: The same call can be made again without doing anything twice, and may pass then.
        http_status: Of the last answer; None where none came, or it came by no HTTP-like road.
        request_id: What the venue calls that request in its own records, for its support; "" where it did not say.
        attempts: How often it was tried; 0 where nothing was.
        elapsed_ms: From the first try to the error, waits included.
        is_listed: The code stands in our table of the venue's codes, or there is none.
    """

    default_advice = "See the reason."
    verdict: ClassVar[Verdict] = Verdict.REJECTED

    def __init__(
        self,
        reason: str,
        *,
        venue: str = "",
        call: str = "",
        code: int | str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.venue = venue
        self.call = call
        self.code = code
        self.advice = advice if advice is not None else self.default_advice
        self.after_doubt = False
        self.safe_to_retry = False
        self.http_status: int | None = None
        self.request_id = ""
        self.attempts = 0
        self.elapsed_ms = 0.0
        self.is_listed = True

    def redact(self, redacted: Callable[[str], str]) -> None:
        """Pass the reason through `redacted`."""
        self.reason = redacted(self.reason)
        self.args = (self.reason,)

    def __str__(self) -> str:
        where = " ".join(part for part in (self.venue, self.call) if part)
        code = "" if self.code is None else f" [{self.code}]"
        return f"{where}{': ' if where else ''}{type(self).__name__}{code} {self.reason} -> {self.advice}"


class NotSent(APIError):
    """Nothing left this machine: calling again is safe."""

    default_advice = "Nothing was sent. Check that the venue can be reached, then call again."
    verdict = Verdict.VENUE_DOWN


class BadInput(NotSent, ValueError):
    """The arguments break a rule that is known beforehand; nothing was sent."""

    default_advice = "Correct the argument and call again."
    verdict = Verdict.CALLER_BUG


class GuardRefused(NotSent):
    """A guard of the user's own refused the order; nothing was sent. `code` names the guard."""

    default_advice = "The order breaks a limit that you set. Change the order, or the guard."
    verdict = Verdict.CALLER_BUG


class OutcomeUnknown(APIError):
    """The venue may or may not have acted. Never repeat an order on it; ask for it by its client order id.

    Attributes:
        client_order_id: The id to ask for, where the call was about an order.
        resolution: Where an order was placed: the search for it, which goes on. `await error.resolution` gives the
            order, or raises NotSent where it was not placed, or OutcomeUnknown when the connector is closed.
    """

    default_advice = "Do not repeat it. Ask get_order(client_order_id=...) or read positions first."
    verdict = Verdict.UNKNOWN_OUTCOME

    def __init__(self, reason: str, *, client_order_id: str | None = None, **about: Unpack[About]) -> None:
        super().__init__(reason, **about)
        self.client_order_id = client_order_id
        self.resolution: Awaitable[Any] | None = None


class Garbled(APIError):
    """The venue answered something that can't be read. `.raw` holds the first 2,000 bytes."""

    default_advice = "The answer could not be read; treat an order call as of unknown outcome."
    verdict = Verdict.UNKNOWN_OUTCOME

    def __init__(self, reason: str, *, raw: bytes = b"", **about: Unpack[About]) -> None:
        super().__init__(reason, **about)
        self.raw = raw[:2000]

    def redact(self, redacted: Callable[[str], str]) -> None:
        super().redact(redacted)
        self.raw = redacted(self.raw.decode("latin-1")).encode("latin-1")


class VenueRefused(APIError):
    """The venue answered no; nothing was done."""

    default_advice = "The venue refused; nothing was done."


class UnknownOrder(VenueRefused):
    """No such order, or it is finished already."""

    default_advice = "The order is not open. Read it with get_order or the order history before acting."


class InsufficientBalance(VenueRefused):
    """Not enough free margin for the order."""

    default_advice = "Reduce the size, lower the open orders, or add margin."


class OrderRejected(VenueRefused):
    """The market refused a well-formed order (post-only would take, fill-or-kill can't fill ...)."""

    default_advice = "Nothing rests and nothing was filled. Re-price and place a new order."


class DuplicateOrder(VenueRefused):
    """An order with this client order id exists already: the first one counts."""

    default_advice = "Ask get_order(client_order_id=...): the first order with this id is the live one."


class ClockSkewed(VenueRefused):
    """The request's time stamp was outside the venue's window."""

    default_advice = (
        "The clock offset is measured again and the call repeated by itself; if it persists, sync the system clock."
    )
    verdict = Verdict.CLOCK


class RateLimited(VenueRefused):
    """Too many requests, or too many orders.

    Attributes:
        retry_after_s: Seconds until the venue takes calls again, as far as it said.
        holds: Which calls are held back for so long: "all"; "address", those that draw on the limits of the IP address;
            "account", those that draw on the same limits of the account as this call.
        until_ms: The end of a ban as the venue states it, Unix milliseconds of its clock; None where it does not.
    """

    default_advice = "Wait retry_after_s; calls made meanwhile are held back by the ledger."
    verdict = Verdict.THROTTLED

    def __init__(
        self,
        reason: str,
        *,
        retry_after_s: float = 1.0,
        holds: Literal["all", "address", "account"] = "all",
        until_ms: int | None = None,
        **about: Unpack[About],
    ) -> None:
        super().__init__(reason, **about)
        self.retry_after_s = retry_after_s
        self.holds = holds
        self.until_ms = until_ms


class Busy(VenueRefused):
    """Overload or maintenance: surely not executed."""

    default_advice = "The venue is overloaded or in maintenance; try again with growing pauses."
    verdict = Verdict.VENUE_DOWN


class Overloaded(Busy):
    """Refused to protect the system. Orders that were refused so have been seen to be placed all the same, so that
    place_order looks for the order before it says that there is none."""

    verdict = Verdict.THROTTLED


class BadRequest(VenueRefused):
    """A parameter is wrong; the same request will never pass."""

    default_advice = "Correct the parameter named in the reason."
    verdict = Verdict.CALLER_BUG


class UnknownSymbol(BadRequest):
    """The venue has no such contract, or has it no more."""

    default_advice = "Correct the symbol; get_instruments lists those that there are now."


class NoChange(VenueRefused):
    """Already in the state asked for."""

    default_advice = "Nothing to do: it is so already."
    verdict = Verdict.OK


class NotAllowed(VenueRefused):
    """Key, permission, account state, symbol state or region forbid it."""

    default_advice = "Check the key's permissions, the account's mode and the symbol's state."


class PositionModeMismatch(NotAllowed):
    """The account is in the other position mode than the order assumes."""

    default_advice = (
        "Nothing was placed. Read the position mode; BOTH is for one-way mode, LONG and SHORT for hedge mode."
    )


class NotOffered(NotAllowed):
    """The venue has no such call; nothing was sent."""

    default_advice = "Use what this venue has instead; the connector's docstrings say where venues differ."
    verdict = Verdict.CALLER_BUG


class AuthenticationFailed(NotAllowed):
    """Unknown key, wrong secret, bad signature, or a key for another environment."""

    default_advice = "Check key and secret, and that they belong to this environment (live, testnet, demo, sim)."
    verdict = Verdict.AUTH


class BookNotInSync(PerpwireError):
    """The local order book is not proven equal to the venue's, so it can't be read now."""


class BeyondHorizon(BookNotInSync):
    """What was asked of a local book lies behind the last level up to which all are known. The book itself goes on."""


class StreamRefused(VenueRefused):
    """The venue refused a subscription on a stream."""

    default_advice = "Check the stream's name and symbol; the connection's other streams go on."
