"""Should a human hear of it? The one place where an incident becomes an alert, or does not; every threshold is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from perpwire.model.incident import (
    AccountReadAgain,
    AccountUnread,
    BalanceInsufficient,
    BookGap,
    BookRecovered,
    BudgetEased,
    BudgetPressed,
    ChangeUnresolved,
    ClockStepped,
    ConnectionFailing,
    ConnectionLost,
    ConnectionRecovered,
    ConsumerBehind,
    DeadManFailed,
    FanoutFailing,
    FanoutRecovered,
    FillsRecovered,
    FrameGarbled,
    GuardTripped,
    HandlerFailed,
    Incident,
    InstrumentChanged,
    InstrumentEnding,
    KeyWarning,
    LoginRefused,
    LoopStalled,
    MarginCalled,
    ModeChanged,
    OrderDoubtful,
    OrderFailed,
    OrderResolved,
    PositionLiquidated,
    PositionMismatch,
    RateLimitHit,
    RateLimitLifted,
    RouteFound,
    SetUpDone,
    SetUpFailing,
    StreamGap,
    StreamLagging,
    StreamSilent,
    StreamStale,
    SubscriptionRefused,
    TaskFailed,
    UnknownCode,
    UnknownSeen,
)
from perpwire.notification.alert import Alert, Severity
from perpwire.words.said import event_name, facts_of, sentence, text_of, title


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds; each can be set by the user.

    Attributes:
        failing_after_attempts: A connection that can't be made is critical after this many tries in vain, and not
            told before.
        ban_from_s: A rate limit that holds calls back for this many seconds or longer is critical.
        clock_step_ms: A clock that is off by this many milliseconds or more is a warning; below, a note.
        doubt_hold_s: An order of unknown outcome that is known within so many seconds is not told of: an event of the
            account's stream comes sooner.
        book_gap_hold_s: A book that is in sync again within this many seconds is not told of.
        pressure_share: A rate limit of which less than this share is used is not told of: 0.8 is 80 %.
        pressure_after_s: A rate limit that has been used so much for less than this many seconds is not told of.
        lag_from_s: A stream that is behind by fewer seconds is not told of.
        stall_from_s: An event loop that stood still for fewer seconds is not told of.
        fanout_hold_s: A fan-out that goes on within so many seconds is not told of.
    """

    failing_after_attempts: int = 5
    ban_from_s: float = 60.0
    clock_step_ms: float = 1000.0
    doubt_hold_s: float = 3.0
    book_gap_hold_s: float = 10.0
    pressure_share: float = 0.8
    pressure_after_s: float = 30.0
    lag_from_s: float = 1.0
    stall_from_s: float = 0.25
    fanout_hold_s: float = 10.0

    def alert(self, incident: Incident) -> Alert | None:
        """The alert that an incident deserves, or None.

        A kind of incident that has no rule of its own follows that of its base class; in the end it is a warning.
        """
        for kind in type(incident).__mro__:
            rule = _RULES.get(kind)
            if rule is not None:
                return rule(self, incident)
        raise TypeError(f"{type(incident).__name__} is no incident")


def _alert(
    incident: Incident,
    severity: Severity,
    key: str,
    text: str = "",
    *,
    resolves: str | None = None,
    hold_s: float = 0.0,
) -> Alert:
    """`text` names what it says (perpwire.words), where not the incident itself does."""
    facts = facts_of(incident)
    text = text or text_of(incident, facts)
    return Alert(
        severity=severity,
        key=key,
        title=title(text, facts),
        sentence=sentence(text, facts),
        facts={name: fact for name, fact in facts.items() if name not in _OWN},
        venue=incident.venue,
        time_ns=incident.time_ns,
        resolves=resolves,
        hold_s=hold_s,
        kind=event_name(type(incident)),
        text=text,
        why=incident.why,
        can_end=isinstance(incident, _CAN_END) and resolves is None,
    )


def _over(incident: Incident, key: str) -> Alert:
    """What was alerted of under this key is over."""
    return _alert(incident, Severity.INFO, key, resolves=key)


_OWN = ("venue", "why", "incident")
"""Facts that have fields of their own in an alert."""

_CAN_END = (ConnectionLost, ConnectionFailing, BookGap, OrderDoubtful, RateLimitHit, BudgetPressed, AccountUnread,
            SetUpFailing, FanoutFailing)  # fmt: skip
"""What is told to be over, when it is."""


def _connection_key(connection: str) -> str:
    return f"connection {connection}"


def _book_key(incident: BookGap | BookRecovered) -> str:
    return f"book {incident.venue} {incident.symbol}"


def _connection_lost(rules: Rules, incident: ConnectionLost) -> Alert:
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.WARNING, key)


def _connection_failing(rules: Rules, incident: ConnectionFailing) -> Alert | None:
    if incident.attempts < rules.failing_after_attempts:
        return None
    # The key of the lost connection: being critical, it is told although the loss was, and one recovery ends both.
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.CRITICAL, key)


def _login_refused(rules: Rules, incident: LoginRefused) -> Alert:
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.CRITICAL, key)


def _connection_recovered(rules: Rules, incident: ConnectionRecovered) -> Alert:
    return _over(incident, _connection_key(incident.connection))


def _account_unread(rules: Rules, incident: AccountUnread) -> Alert:
    return _alert(incident, Severity.CRITICAL, f"account {incident.venue}")


def _account_read_again(rules: Rules, incident: AccountReadAgain) -> Alert:
    return _over(incident, f"account {incident.venue}")


def _set_up_failing(rules: Rules, incident: SetUpFailing) -> Alert | None:
    """As of a connection that can't be made; what is refused again, once more in case it was for the clock, is no
    matter of patience."""
    if incident.attempts < (2 if incident.is_refused else rules.failing_after_attempts):
        return None
    return _alert(incident, Severity.CRITICAL, _set_up_key(incident))


def _set_up_done(rules: Rules, incident: SetUpDone) -> Alert:
    return _over(incident, _set_up_key(incident))


def _set_up_key(incident: SetUpFailing | SetUpDone) -> str:
    return f"set-up {incident.venue} {incident.step} {incident.symbol}"


def _stream_stale(rules: Rules, incident: StreamStale) -> Alert:
    # The key of the lost connection: where all of it is silent, its loss follows, and is the same trouble.
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.WARNING, key)


def _stream_silent(rules: Rules, incident: StreamSilent) -> Alert:
    key = f"silent {incident.connection}"
    return _alert(incident, Severity.WARNING, key)


def _route_found(rules: Rules, incident: RouteFound) -> Alert:
    key = f"route {incident.venue} {incident.tried} {incident.works}"
    return _alert(incident, Severity.WARNING, key)


def _stream_gap(rules: Rules, incident: StreamGap) -> Alert:
    severity = Severity.INFO if incident.repaired else Severity.WARNING
    key = f"gap {incident.venue} {incident.kind}"
    return _alert(incident, severity, key)


def _unknown_seen(rules: Rules, incident: UnknownSeen) -> Alert:
    key = f"unknown {incident.venue} {incident.where} {incident.word}"
    return _alert(incident, Severity.WARNING, key)


def _position_mismatch(rules: Rules, incident: PositionMismatch) -> Alert:
    key = f"position {incident.venue} {incident.symbol}"
    return _alert(incident, Severity.WARNING, key)


def _loop_stalled(rules: Rules, incident: LoopStalled) -> Alert | None:
    if incident.stalled_s < rules.stall_from_s:
        return None
    return _alert(incident, Severity.WARNING, "loop stalled")


def _stream_lagging(rules: Rules, incident: StreamLagging) -> Alert | None:
    if incident.lag_s < rules.lag_from_s:
        return None
    return _alert(incident, Severity.WARNING, f"lag {incident.connection}")


def _consumer_behind(rules: Rules, incident: ConsumerBehind) -> Alert:
    return _alert(incident, Severity.WARNING, f"behind {incident.kind}")


def _subscription_refused(rules: Rules, incident: SubscriptionRefused) -> Alert:
    key = f"subscription {incident.connection} {incident.topic}"
    return _alert(incident, Severity.WARNING, key)


def _book_gap(rules: Rules, incident: BookGap) -> Alert:
    return _alert(incident, Severity.WARNING, _book_key(incident), hold_s=rules.book_gap_hold_s)


def _book_recovered(rules: Rules, incident: BookRecovered) -> Alert:
    return _over(incident, _book_key(incident))


def _order_failed(rules: Rules, incident: OrderFailed) -> Alert:
    key = f"order failed {incident.venue} {incident.symbol} {incident.code}"
    return _alert(incident, Severity.WARNING, key)


def _balance_insufficient(rules: Rules, incident: BalanceInsufficient) -> Alert:
    # One key for the venue: the margin that is missing is the same for all its symbols.
    return _alert(incident, Severity.CRITICAL, f"balance {incident.venue}")


def _order_doubtful(rules: Rules, incident: OrderDoubtful) -> Alert:
    return _alert(incident, Severity.CRITICAL, _doubt_key(incident), hold_s=rules.doubt_hold_s)


def _doubt_key(incident: OrderDoubtful | OrderResolved) -> str:
    return f"order doubtful {incident.venue} {incident.client_order_id}"  # each such order is a matter of its own


def _order_resolved(rules: Rules, incident: OrderResolved) -> Alert:
    if incident.outcome == "UNRESOLVED":
        key = f"order unresolved {incident.client_order_id}"
        return _alert(incident, Severity.CRITICAL, key)
    return _over(incident, _doubt_key(incident))


def _change_unresolved(rules: Rules, incident: ChangeUnresolved) -> Alert:
    orders = " ".join(incident.orders)
    return _alert(incident, Severity.CRITICAL, f"change {incident.change} {incident.venue} {incident.symbol} {orders}")


def _mode_changed(rules: Rules, incident: ModeChanged) -> Alert:
    return _alert(incident, Severity.WARNING, f"mode {incident.venue}")


def _unknown_code(rules: Rules, incident: UnknownCode) -> Alert:
    key = f"unknown code {incident.venue} {incident.code}"
    return _alert(incident, Severity.WARNING, key)


def _dead_man_failed(rules: Rules, incident: DeadManFailed) -> Alert:
    key = f"dead man {incident.venue} {incident.symbol}"
    return _alert(incident, Severity.CRITICAL, key)


def _guard_tripped(rules: Rules, incident: GuardTripped) -> Alert:
    severity = Severity.CRITICAL if incident.guard == "kill_switch" else Severity.WARNING
    key = f"guard {incident.venue} {incident.guard} {incident.symbol}"
    return _alert(incident, severity, key)


def _fanout_failing(rules: Rules, incident: FanoutFailing) -> Alert:
    return _alert(incident, Severity.WARNING, "fanout", hold_s=rules.fanout_hold_s)


def _fanout_recovered(rules: Rules, incident: FanoutRecovered) -> Alert:
    return _over(incident, "fanout")


def _fills_recovered(rules: Rules, incident: FillsRecovered) -> Alert:
    return _alert(incident, Severity.INFO, f"fills {incident.venue}")


def _rate_limit_hit(rules: Rules, incident: RateLimitHit) -> Alert:
    if incident.retry_after_s >= rules.ban_from_s:
        return _alert(incident, Severity.CRITICAL, _held_key(incident), "banned")
    return _alert(incident, Severity.WARNING, _held_key(incident))


def _rate_limit_lifted(rules: Rules, incident: RateLimitLifted) -> Alert:
    return _over(incident, _held_key(incident))


def _held_key(incident: RateLimitHit | RateLimitLifted) -> str:
    return f"rate limit {incident.venue}"


def _budget_pressed(rules: Rules, incident: BudgetPressed) -> Alert | None:
    if incident.share < rules.pressure_share or incident.pressed_s < rules.pressure_after_s:
        return None
    return _alert(incident, Severity.WARNING, _budget_key(incident))


def _budget_eased(rules: Rules, incident: BudgetEased) -> Alert:
    return _over(incident, _budget_key(incident))


def _budget_key(incident: BudgetPressed | BudgetEased) -> str:
    return f"budget {incident.venue} {incident.budget}"


def _margin_called(rules: Rules, incident: MarginCalled) -> Alert:
    key = f"margin call {incident.venue} {incident.symbol} {incident.position_side}"
    return _alert(incident, Severity.CRITICAL, key)


def _position_liquidated(rules: Rules, incident: PositionLiquidated) -> Alert:
    return _alert(incident, Severity.CRITICAL, f"liquidated {incident.venue} {incident.symbol}")


def _clock_stepped(rules: Rules, incident: ClockStepped) -> Alert:
    if abs(incident.offset_ms) >= rules.clock_step_ms:
        return _alert(incident, Severity.WARNING, f"clock {incident.venue}", "clock_skewed")
    return _alert(incident, Severity.INFO, f"clock {incident.venue}")


def _instrument_changed(rules: Rules, incident: InstrumentChanged) -> Alert | None:
    """What is listed or changed concerns who has orders in it; the rest is for logs."""
    severity = Severity.WARNING if incident.off_grid else Severity.INFO
    return _alert(incident, severity, f"instrument {incident.symbol}")


def _instrument_ending(rules: Rules, incident: InstrumentEnding) -> Alert:
    return _alert(incident, Severity.WARNING, f"ending {incident.symbol}")


def _handler_failed(rules: Rules, incident: HandlerFailed) -> Alert:
    key = f"handler {incident.venue} {incident.handler}"
    return _alert(incident, Severity.WARNING, key)


def _task_failed(rules: Rules, incident: TaskFailed) -> Alert:
    return _alert(incident, Severity.CRITICAL, f"task {incident.venue} {incident.task}")


def _key_warning(rules: Rules, incident: KeyWarning) -> Alert:
    is_urgent = incident.what == "refused" or (incident.days_left is not None and incident.days_left <= 1)
    return _alert(
        incident, Severity.CRITICAL if is_urgent else Severity.WARNING, f"key {incident.venue} {incident.what}"
    )


def _frame_garbled(rules: Rules, incident: FrameGarbled) -> Alert:
    return _alert(incident, Severity.WARNING, f"garbled {incident.connection}")


def _unforeseen(rules: Rules, incident: Incident) -> Alert:
    return _alert(incident, Severity.WARNING, f"{type(incident).__name__} {incident.venue}")


_RULES: Mapping[type, Callable[[Rules, Any], Alert | None]] = {
    ConnectionLost: _connection_lost,
    ConnectionFailing: _connection_failing,
    LoginRefused: _login_refused,
    ConnectionRecovered: _connection_recovered,
    AccountUnread: _account_unread,
    AccountReadAgain: _account_read_again,
    SetUpFailing: _set_up_failing,
    SetUpDone: _set_up_done,
    StreamStale: _stream_stale,
    StreamSilent: _stream_silent,
    RouteFound: _route_found,
    StreamGap: _stream_gap,
    UnknownSeen: _unknown_seen,
    PositionMismatch: _position_mismatch,
    LoopStalled: _loop_stalled,
    StreamLagging: _stream_lagging,
    ConsumerBehind: _consumer_behind,
    SubscriptionRefused: _subscription_refused,
    BookGap: _book_gap,
    BookRecovered: _book_recovered,
    OrderFailed: _order_failed,
    BalanceInsufficient: _balance_insufficient,
    OrderDoubtful: _order_doubtful,
    OrderResolved: _order_resolved,
    ChangeUnresolved: _change_unresolved,
    ModeChanged: _mode_changed,
    UnknownCode: _unknown_code,
    DeadManFailed: _dead_man_failed,
    GuardTripped: _guard_tripped,
    FanoutFailing: _fanout_failing,
    FanoutRecovered: _fanout_recovered,
    FillsRecovered: _fills_recovered,
    RateLimitHit: _rate_limit_hit,
    RateLimitLifted: _rate_limit_lifted,
    BudgetPressed: _budget_pressed,
    BudgetEased: _budget_eased,
    ClockStepped: _clock_stepped,
    MarginCalled: _margin_called,
    PositionLiquidated: _position_liquidated,
    InstrumentChanged: _instrument_changed,
    InstrumentEnding: _instrument_ending,
    HandlerFailed: _handler_failed,
    TaskFailed: _task_failed,
    KeyWarning: _key_warning,
    FrameGarbled: _frame_garbled,
    Incident: _unforeseen,
}
