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
    ClockStepped,
    ConnectionFailing,
    ConnectionLost,
    ConnectionRecovered,
    ConsumerBehind,
    DeadManFailed,
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
    ModeChanged,
    OrderDoubtful,
    OrderFailed,
    OrderResolved,
    PositionMismatch,
    RateLimitHit,
    RouteFound,
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
    """

    failing_after_attempts: int = 5
    ban_from_s: float = 60.0
    clock_step_ms: float = 1000.0
    doubt_hold_s: float = 3.0
    book_gap_hold_s: float = 10.0

    def alert(self, incident: Incident) -> Alert | None:
        """The alert that an incident deserves, or None.

        A kind of incident that has no rule of its own follows that of its base class; in the end it is a warning.
        """
        for kind in type(incident).__mro__:
            rule = _RULES.get(kind)
            if rule is not None:
                return rule(self, incident)
        raise TypeError(f"{type(incident).__name__} is no incident")


def _alert(incident: Incident, severity: Severity, key: str, title: str, **more: Any) -> Alert:
    return Alert(
        severity=severity,
        key=key,
        title=title,
        sentence=incident.detail or f"{title}.",
        facts=_facts(incident),
        venue=incident.venue,
        time_ns=incident.time_ns,
        **more,
    )


def _facts(incident: Incident) -> Mapping[str, str]:
    fields = msgspec.structs.asdict(incident)
    fields.pop("event", None)  # long, and told in its own words
    return {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in fields.items()
        if name not in ("venue", "time_ns", "detail") and value is not None and value != ""
    }


def _connection_key(connection: str) -> str:
    return f"connection {connection}"


def _book_key(incident: BookGap | BookRecovered) -> str:
    return f"book {incident.venue} {incident.symbol}"


def _connection_lost(rules: Rules, incident: ConnectionLost) -> Alert:
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.WARNING, key, f"Connection {incident.connection} lost")


def _connection_failing(rules: Rules, incident: ConnectionFailing) -> Alert | None:
    if incident.attempts < rules.failing_after_attempts:
        return None
    # The key of the lost connection: being critical, it is told although the loss was, and one recovery ends both.
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.CRITICAL, key, f"Connection {incident.connection} can't be made")


def _login_refused(rules: Rules, incident: LoginRefused) -> Alert:
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.CRITICAL, key, f"Connection {incident.connection}: the key is refused")


def _connection_recovered(rules: Rules, incident: ConnectionRecovered) -> Alert:
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.INFO, key, f"Connection {incident.connection} recovered", resolves=key)


def _account_unread(rules: Rules, incident: AccountUnread) -> Alert:
    return _alert(incident, Severity.CRITICAL, f"account {incident.venue}", "The account can't be read")


def _account_read_again(rules: Rules, incident: AccountReadAgain) -> Alert:
    key = f"account {incident.venue}"
    return _alert(incident, Severity.INFO, key, "The account is read again", resolves=key)


def _stream_stale(rules: Rules, incident: StreamStale) -> Alert:
    # The key of the lost connection: where all of it is silent, its loss follows, and is the same trouble.
    key = _connection_key(incident.connection)
    return _alert(incident, Severity.WARNING, key, f"Connection {incident.connection} is mute")


def _stream_silent(rules: Rules, incident: StreamSilent) -> Alert:
    key = f"silent {incident.connection}"
    return _alert(incident, Severity.WARNING, key, f"{incident.topic} is acknowledged, without data")


def _route_found(rules: Rules, incident: RouteFound) -> Alert:
    key = f"route {incident.venue} {incident.tried} {incident.works}"
    return _alert(incident, Severity.WARNING, key, f"{incident.topic} has moved to another route")


def _stream_gap(rules: Rules, incident: StreamGap) -> Alert:
    severity = Severity.INFO if incident.repaired else Severity.WARNING
    key = f"gap {incident.venue} {incident.kind}"
    return _alert(incident, severity, key, f"{incident.kind} events were missed")


def _unknown_seen(rules: Rules, incident: UnknownSeen) -> Alert:
    key = f"unknown {incident.venue} {incident.where} {incident.word}"
    return _alert(incident, Severity.WARNING, key, f"{incident.venue} says {incident.word!r}, which is not known")


def _position_mismatch(rules: Rules, incident: PositionMismatch) -> Alert:
    key = f"position {incident.venue} {incident.symbol}"
    return _alert(incident, Severity.WARNING, key, f"Position of {incident.symbol} is not what its fills make")


def _loop_stalled(rules: Rules, incident: LoopStalled) -> Alert:
    return _alert(incident, Severity.WARNING, "loop stalled", "The event loop stood still")


def _stream_lagging(rules: Rules, incident: StreamLagging) -> Alert:
    return _alert(incident, Severity.WARNING, f"lag {incident.connection}", f"{incident.connection} is behind")


def _consumer_behind(rules: Rules, incident: ConsumerBehind) -> Alert:
    return _alert(incident, Severity.WARNING, f"behind {incident.kind}", f"A consumer of {incident.kind} is behind")


def _subscription_refused(rules: Rules, incident: SubscriptionRefused) -> Alert:
    key = f"subscription {incident.connection} {incident.topic}"
    return _alert(incident, Severity.WARNING, key, f"Subscription to {incident.topic} refused")


def _book_gap(rules: Rules, incident: BookGap) -> Alert:
    title = f"Order book of {incident.symbol} out of sync"
    return _alert(incident, Severity.WARNING, _book_key(incident), title, hold_s=rules.book_gap_hold_s)


def _book_recovered(rules: Rules, incident: BookRecovered) -> Alert:
    key = _book_key(incident)
    return _alert(incident, Severity.INFO, key, f"Order book of {incident.symbol} in sync again", resolves=key)


def _order_failed(rules: Rules, incident: OrderFailed) -> Alert:
    key = f"order failed {incident.venue} {incident.symbol} {incident.code}"
    return _alert(incident, Severity.WARNING, key, f"{incident.symbol} order failed")


def _balance_insufficient(rules: Rules, incident: BalanceInsufficient) -> Alert:
    # One key for the venue: the margin that is missing is the same for all its symbols.
    return _alert(incident, Severity.CRITICAL, f"balance {incident.venue}", "Balance insufficient for an order")


def _order_doubtful(rules: Rules, incident: OrderDoubtful) -> Alert:
    title = f"{incident.symbol} order of unknown outcome"
    return _alert(incident, Severity.CRITICAL, _doubt_key(incident), title, hold_s=rules.doubt_hold_s)


def _doubt_key(incident: OrderDoubtful | OrderResolved) -> str:
    return f"order doubtful {incident.venue} {incident.client_order_id}"  # each such order is a matter of its own


def _order_resolved(rules: Rules, incident: OrderResolved) -> Alert:
    if incident.outcome == "UNRESOLVED":
        title = f"{incident.symbol} order is still of unknown outcome"
        return _alert(incident, Severity.CRITICAL, f"order unresolved {incident.client_order_id}", title)
    key = _doubt_key(incident)
    return _alert(incident, Severity.INFO, key, f"{incident.symbol} order {incident.outcome}", resolves=key)


def _mode_changed(rules: Rules, incident: ModeChanged) -> Alert:
    return _alert(incident, Severity.WARNING, f"mode {incident.venue}", f"Position mode is {incident.mode}")


def _unknown_code(rules: Rules, incident: UnknownCode) -> Alert:
    key = f"unknown code {incident.venue} {incident.code}"
    return _alert(incident, Severity.WARNING, key, f"Code {incident.code} of {incident.call} is not known")


def _dead_man_failed(rules: Rules, incident: DeadManFailed) -> Alert:
    key = f"dead man {incident.venue} {incident.symbol}"
    return _alert(incident, Severity.CRITICAL, key, f"Dead man's switch of {incident.symbol} not renewed")


def _guard_tripped(rules: Rules, incident: GuardTripped) -> Alert:
    severity = Severity.CRITICAL if incident.guard == "kill_switch" else Severity.WARNING
    key = f"guard {incident.venue} {incident.guard} {incident.symbol}"
    return _alert(incident, severity, key, f"Guard {incident.guard} refused an order")


def _fills_recovered(rules: Rules, incident: FillsRecovered) -> Alert:
    return _alert(incident, Severity.INFO, f"fills {incident.venue}", f"{incident.count} missed fills read back")


def _rate_limit_hit(rules: Rules, incident: RateLimitHit) -> Alert:
    severity = Severity.CRITICAL if incident.retry_after_s >= rules.ban_from_s else Severity.WARNING
    return _alert(incident, severity, f"rate limit {incident.venue}", "Rate limit hit")


def _clock_stepped(rules: Rules, incident: ClockStepped) -> Alert:
    severity = Severity.WARNING if abs(incident.offset_ms) >= rules.clock_step_ms else Severity.INFO
    return _alert(incident, severity, f"clock {incident.venue}", "Clock offset measured again")


def _instrument_changed(rules: Rules, incident: InstrumentChanged) -> Alert | None:
    """What is listed or changed concerns who has orders in it; the rest is for logs."""
    severity = Severity.WARNING if incident.off_grid else Severity.INFO
    return _alert(incident, severity, f"instrument {incident.symbol}", f"{incident.symbol} {incident.how.lower()}")


def _instrument_ending(rules: Rules, incident: InstrumentEnding) -> Alert:
    return _alert(incident, Severity.WARNING, f"ending {incident.symbol}", f"{incident.symbol} ends within a day")


def _handler_failed(rules: Rules, incident: HandlerFailed) -> Alert:
    key = f"handler {incident.venue} {incident.handler}"
    return _alert(incident, Severity.WARNING, key, f"Handler {incident.handler} failed")


def _task_failed(rules: Rules, incident: TaskFailed) -> Alert:
    return _alert(incident, Severity.CRITICAL, f"task {incident.venue} {incident.task}", f"{incident.task} failed")


def _key_warning(rules: Rules, incident: KeyWarning) -> Alert:
    return _alert(incident, Severity.WARNING, f"key {incident.venue} {incident.what}", f"API key: {incident.what}")


def _frame_garbled(rules: Rules, incident: FrameGarbled) -> Alert:
    return _alert(incident, Severity.WARNING, f"garbled {incident.connection}", f"{incident.connection} unreadable")


def _unforeseen(rules: Rules, incident: Incident) -> Alert:
    name = type(incident).__name__
    return _alert(incident, Severity.WARNING, f"{name} {incident.venue}", name)


_RULES: Mapping[type, Callable[[Rules, Any], Alert | None]] = {
    ConnectionLost: _connection_lost,
    ConnectionFailing: _connection_failing,
    LoginRefused: _login_refused,
    ConnectionRecovered: _connection_recovered,
    AccountUnread: _account_unread,
    AccountReadAgain: _account_read_again,
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
    ModeChanged: _mode_changed,
    UnknownCode: _unknown_code,
    DeadManFailed: _dead_man_failed,
    GuardTripped: _guard_tripped,
    FillsRecovered: _fills_recovered,
    RateLimitHit: _rate_limit_hit,
    ClockStepped: _clock_stepped,
    InstrumentChanged: _instrument_changed,
    InstrumentEnding: _instrument_ending,
    HandlerFailed: _handler_failed,
    TaskFailed: _task_failed,
    KeyWarning: _key_warning,
    FrameGarbled: _frame_garbled,
    Incident: _unforeseen,
}
