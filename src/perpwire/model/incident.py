"""Facts about ourselves: connections, gaps, orders in trouble. Alerts are made from them (notification/rules.py)."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.market import Event
from perpwire.words.said import facts_of, sentence, text_of


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to us. What is said of it is made of its facts, in each language of perpwire.words.

    Attributes:
        venue: "binance", "bybit", or "" for none.
        time_ns: Unix nanoseconds, our clock.
        why: The reason, in the words of whom it comes from, without secrets: the venue's, the system's or ours; ""
            where there is none to be told.
    """

    venue: str
    time_ns: int
    why: str = ""

    @property
    def detail(self) -> str:
        """One sentence of all facts, in English, without secrets."""
        facts = facts_of(self)
        return sentence(text_of(self, facts), facts)


class ConnectionLost(Incident, frozen=True, kw_only=True):
    """A stream's socket ended without our asking.

    Attributes:
        connection: Such as "binance/public".
        instead: What calls go by meanwhile, where they went by it: "REST".
    """

    connection: str
    instead: str = ""


class ConnectionRecovered(Incident, frozen=True, kw_only=True):
    """The stream is live again: logged in, subscribed, and data flows or may flow.

    Attributes:
        outage_s: Seconds since it was lost.
        attempts: How many tries it took.
    """

    connection: str
    outage_s: float
    attempts: int


class ConnectionFailing(Incident, frozen=True, kw_only=True):
    """A connection can't be made or kept; it goes on being tried. Told at the tries 1, 2, 5, 10, 20, 50 ...

    Attributes:
        attempts: Tries in a row, until now.
        instead: What calls go by meanwhile, where they went by it: "REST".
    """

    connection: str
    attempts: int
    instead: str = ""


class LoginRefused(ConnectionFailing, frozen=True, kw_only=True):
    """The venue refused our key on a socket. It is tried again, but seldom: somebody has to mend the key."""


class AccountUnread(Incident, frozen=True, kw_only=True):
    """The account can't be read: what is known of its positions, balances and orders is not proven, though its stream
    may be there. It goes on being tried, at least every half minute.

    Attributes:
        unread_s: Seconds since it was first tried in vain.
        attempts: How often that was.
    """

    unread_s: float
    attempts: int


class AccountReadAgain(Incident, frozen=True, kw_only=True):
    """The account is read, after AccountUnread.

    Attributes:
        unread_s: Seconds for which it could not be.
    """

    unread_s: float


class SetUpFailing(Incident, frozen=True, kw_only=True):
    """What is to be followed does not stand yet: its first try failed, at the program's start; it goes on being tried.
    Told by `perpwire serve` at the tries 1, 2, 5, 10, 20, 50 ...

    Attributes:
        step: "start" (the venue as a whole: nothing of it is followed), "account", "streams", "candles" or "book".
        symbol: Whose; "" for what is of no contract.
        attempts: Tries in a row, until now.
        is_refused: The key or what is asked for is refused, and will be again, and is tried seldom: somebody has to
            mend it.
    """

    step: str
    symbol: str = ""
    attempts: int
    is_refused: bool = False


class SetUpDone(Incident, frozen=True, kw_only=True):
    """It stands, after SetUpFailing.

    Attributes:
        failing_s: Seconds since it was first tried in vain.
        attempts: How many tries it took.
    """

    step: str
    symbol: str = ""
    failing_s: float
    attempts: int


class StreamStale(Incident, frozen=True, kw_only=True):
    """Topics that should speak are silent, though the socket answers pings; the socket is being replaced.

    Attributes:
        topics: Those that are silent.
        silent_s: Seconds since the last frame of the one that is silent longest.
    """

    connection: str
    topics: tuple[str, ...]
    silent_s: float


class StreamSilent(Incident, frozen=True, kw_only=True):
    """A topic was acknowledged, and no data came within the time in which it must.

    Attributes:
        route: On which it was asked for.
    """

    connection: str
    topic: str
    route: str


class RouteFound(Incident, frozen=True, kw_only=True):
    """A topic that was silent on one route speaks on another: the table of routes is out of date.

    Attributes:
        tried: The silent route. works: The one that speaks.
    """

    topic: str
    tried: str
    works: str


class StreamGap(Incident, frozen=True, kw_only=True):
    """Public events were missed; a Gap was delivered in their place.

    Attributes:
        kind: Name of the kind of event.
        symbol: "" for the whole market.
        repaired: They were read back.
        interval: Of candles.
    """

    kind: str
    symbol: str
    repaired: bool
    interval: str = ""


class UnknownSeen(Incident, frozen=True, kw_only=True):
    """The venue said something that this version does not know; told once for each. Nothing was lost by it.

    Attributes:
        where: Such as "stream event" or "Order.status".
        word: The venue's word.
    """

    where: str
    word: str


class PositionMismatch(Incident, frozen=True, kw_only=True):
    """What our fills add up to is not what the venue says of a position; from now on the venue's word holds.

    Attributes:
        by_fills, by_venue: Net quantity of the symbol's positions, base; negative is short.
    """

    symbol: str
    by_fills: Decimal
    by_venue: Decimal


class LoopStalled(Incident, frozen=True, kw_only=True):
    """The event loop stood still: a handler, or other code of the program, held it.

    Attributes:
        stalled_s: For how long.
        stack: Where it stood, innermost last; "" where that could not be seen.
        where: The innermost line of it.
    """

    stalled_s: float
    stack: str
    where: str = ""


class StreamLagging(Incident, frozen=True, kw_only=True):
    """What a stream tells has been old for some seconds when it could be read here: the venue, the line, or a handler
    here is too slow. Told once, until it has caught up.

    Attributes:
        connection: Such as "binance/public".
        kind, symbol: Of the event that was looked at.
        lag_s: From the venue making it to its being readable here, the clocks' difference taken out.
        waiting: Events in the fullest iterator.
        handler: Which has taken most time meanwhile; "" where there is none.
        busy_s: How much.
    """

    connection: str
    kind: str
    symbol: str
    lag_s: float
    waiting: int
    handler: str
    busy_s: float


class ConsumerBehind(Incident, frozen=True, kw_only=True):
    """An iterator's buffer overflowed.

    Attributes:
        kind: Name of the kind of event.
        waiting: Events that waited.
    """

    kind: str
    waiting: int


class SubscriptionRefused(Incident, frozen=True, kw_only=True):
    """The venue refused a topic; the connection's others go on."""

    connection: str
    topic: str


class BookGap(Incident, frozen=True, kw_only=True):
    """A local book lost its thread and is being built again; it can't be read meanwhile."""

    symbol: str


class BookRecovered(Incident, frozen=True, kw_only=True):
    """A local book is in sync again."""

    symbol: str


class OrderFailed(Incident, frozen=True, kw_only=True):
    """An order was refused, or could not be sent.

    Attributes:
        side, quantity: Of the order, quantity in base.
    """

    symbol: str
    client_order_id: str
    code: int | str | None
    side: str = ""
    quantity: Decimal | None = None


class BalanceInsufficient(OrderFailed, frozen=True, kw_only=True):
    """An order was refused for want of margin."""


class OrderDoubtful(OrderFailed, frozen=True, kw_only=True):
    """An order's outcome is not known yet."""


class RateLimitHit(Incident, frozen=True, kw_only=True):
    """The venue said we are too fast; calls are held back for `retry_after_s` seconds. `call`: which was refused."""

    retry_after_s: float
    call: str = ""


class RateLimitLifted(Incident, frozen=True, kw_only=True):
    """No call is held back any more, after RateLimitHit.

    Attributes:
        held_s: For how long calls were.
    """

    held_s: float


class BudgetPressed(Incident, frozen=True, kw_only=True):
    """Much of a rate limit has been used for some time; calls may soon have to wait. Told again while it lasts.

    Attributes:
        budget: The limit's name.
        share: Of it, the least that was used in all that time: 0.8 is 80 %.
        pressed_s: For how long, seconds.
    """

    budget: str
    share: float
    pressed_s: float


class BudgetEased(Incident, frozen=True, kw_only=True):
    """A rate limit that was nearly used up has room again; `pressed_s`: for how long it had not."""

    budget: str
    pressed_s: float


class MarginCalled(Incident, frozen=True, kw_only=True):
    """The venue says that a position of ours comes near its liquidation.

    Attributes:
        quantity: Base; below 0 short. mark_price: Quote per base.
        unrealized_pnl, maintenance_margin: Of the position, settle asset.
    """

    symbol: str
    position_side: str
    quantity: Decimal
    mark_price: Decimal
    unrealized_pnl: Decimal
    maintenance_margin: Decimal


class PositionLiquidated(Incident, frozen=True, kw_only=True):
    """The venue closes a position of ours, or a part of it, against our will, by an order of its own.

    Attributes:
        order_id: Of that order. side: Its side: SELL closes a long position.
        quantity: It shall close, base.
    """

    symbol: str
    order_id: str
    side: str
    quantity: Decimal


class ClockStepped(Incident, frozen=True, kw_only=True):
    """The venue refused our time stamp; the offset was measured again."""

    offset_ms: float


class InstrumentChanged(Incident, frozen=True, kw_only=True):
    """The venue has changed a contract while we run.

    Attributes:
        how: "LISTED", "DELISTED" or "CHANGED".
        what: Such as "tick_size 0.10 -> 0.50".
        off_grid: Client order ids of open orders of ours that do not fit any more.
    """

    symbol: str
    how: str
    what: tuple[str, ...] = ()
    off_grid: tuple[str, ...] = ()


class InstrumentEnding(Incident, frozen=True, kw_only=True):
    """A contract that was used here is delivered or taken off the market within a day. `ends_ms`: when, Unix ms."""

    symbol: str
    ends_ms: int


class HandlerFailed(Incident, frozen=True, kw_only=True):
    """A user's handler raised; the others and the stream go on.

    Attributes:
        handler: Its name.
        event: What it was called with; None where that was no event.
        raised: The class of what it raised. on: What it was called with, in a word, such as "Trade".
        stack: Where it was raised, with what the error says.
    """

    handler: str
    event: Event | None = None
    raised: str = ""
    on: str = ""
    stack: str = ""


class TaskFailed(Incident, frozen=True, kw_only=True):
    """Something of ours that goes on in the background failed in a way that was not foreseen.

    Attributes:
        task: Its name.
        renewed: It was begun anew; False: given up.
        stack: Where it failed, with what the error says.
    """

    task: str
    renewed: bool = True
    stack: str = ""


class FrameGarbled(Incident, frozen=True, kw_only=True):
    """A frame could not be read; the stream goes on."""

    connection: str


class ModeChanged(Incident, frozen=True, kw_only=True):
    """The account's position mode turned out to be another one than assumed.

    Attributes:
        mode: ONE_WAY or HEDGE.
        symbol: Whose mode it is; "" where it is the account's.
    """

    mode: str
    symbol: str = ""


class OrderResolved(Incident, frozen=True, kw_only=True):
    """An order whose outcome was not known is known now.

    Attributes:
        outcome: "ACCEPTED", "NOT_PLACED" or "UNRESOLVED".
        after_s: Seconds since it was sent.
        side, quantity: Of the order, quantity in base.
    """

    symbol: str
    client_order_id: str
    outcome: str
    after_s: float
    side: str = ""
    quantity: Decimal | None = None


class ChangeUnresolved(Incident, frozen=True, kw_only=True):
    """Whether open orders were amended or cancelled could not be learnt; nobody goes on asking.

    Attributes:
        change: "AMEND" or "CANCEL".
        orders: Their client order ids, or the venue's where these are not known.
        symbol: Theirs; "" where they may be of several.
    """

    change: str
    orders: tuple[str, ...]
    symbol: str = ""


class UnknownCode(Incident, frozen=True, kw_only=True):
    """The venue used an error code that our table does not have."""

    call: str
    code: int | str


class KeyWarning(Incident, frozen=True, kw_only=True):
    """Something about the API key should be mended, or what it may do could not be asked. The end of a key is told
    when there are 14, 7, 3, 1 and 0 days left.

    Attributes:
        what: "expiry", "expired", "ip" (bound to no address), "trading" (it may not), "withdrawal" (it may), "refused"
            (the venue takes it no more), or "unknown".
        days_left: Whole days to its end, of "expiry" and "expired".
    """

    what: str
    days_left: int | None = None


class DeadManFailed(Incident, frozen=True, kw_only=True):
    """The dead man's switch could not be armed again: it may fire.

    Attributes:
        symbol: Whose orders it cancels; "" for all.
        left_s: Seconds until it fires; None: it has fired.
    """

    symbol: str
    left_s: float | None = None


class GuardTripped(Incident, frozen=True, kw_only=True):
    """A guard of ours refused an order, or the kill switch was thrown.

    Attributes:
        guard: Its name.
        refused: The order, or the call, that was not sent; "" where the kill switch was only thrown.
    """

    guard: str
    symbol: str
    refused: str = ""


class FanoutFailing(Incident, frozen=True, kw_only=True):
    """What is heard here does not get to Redis: it can't be reached, says no, or takes less than comes. It goes on
    being tried. What waits is bounded: past that, events are dropped, and a Gap tells their readers.

    Attributes:
        reason: What it said, or what holds it up.
        waiting: Events that wait.
    """

    reason: str
    waiting: int


class FanoutRecovered(Incident, frozen=True, kw_only=True):
    """Redis takes what is heard here again, after FanoutFailing.

    Attributes:
        failed_s: For how long it did not.
        dropped: Events that were dropped meanwhile.
    """

    failed_s: float
    dropped: int


class FillsRecovered(Incident, frozen=True, kw_only=True):
    """Fills that were missed while the account's stream was away have been read back. `count`: how many."""

    count: int
