from __future__ import annotations

import pytest
from tests.notification.incidents import NOW_NS, failing, lost, no_margin, recovered

from perpwire.model import incident as incidents
from perpwire.model.incident import (
    BookGap,
    BookRecovered,
    ChangeUnresolved,
    ClockStepped,
    DeadManFailed,
    FillsRecovered,
    FrameGarbled,
    GuardTripped,
    HandlerFailed,
    Incident,
    ModeChanged,
    OrderDoubtful,
    OrderFailed,
    OrderResolved,
    RateLimitHit,
    RateLimitLifted,
    SubscriptionRefused,
    UnknownCode,
)
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.rules import _RULES, Rules

BASE = {"venue": "bybit", "time_ns": NOW_NS, "why": "It happened."}
GAP = BookGap(**BASE, symbol="BTCUSDT")  # type: ignore[arg-type]
BOOK_BACK = BookRecovered(**BASE, symbol="BTCUSDT")  # type: ignore[arg-type]


def told(incident: Incident, rules: Rules | None = None) -> Alert:
    alert = (rules or Rules()).alert(incident)
    assert alert is not None
    return alert


def test_every_kind_of_incident_has_a_rule_of_its_own() -> None:
    kinds = {kind for kind in vars(incidents).values() if isinstance(kind, type) and issubclass(kind, Incident)}
    assert kinds == set(_RULES)


def test_an_order_refused_for_want_of_margin_is_critical_with_all_its_facts() -> None:
    alert = told(no_margin())
    assert alert.severity is Severity.CRITICAL
    assert alert.sentence == ("the order of BTCUSDT was refused for want of margin: ab not enough for new order")
    assert alert.facts == {"symbol": "BTCUSDT", "client_order_id": "c1", "code": "110007"}
    assert (alert.venue, alert.time_ns) == ("bybit", NOW_NS)


def test_want_of_margin_is_one_problem_of_the_venue_whatever_the_symbol() -> None:
    assert told(no_margin("BTCUSDT")).key == told(no_margin("ETHUSDT")).key


def test_a_lost_connection_is_a_warning_and_its_recovery_a_note_that_ends_it() -> None:
    assert told(lost()).severity is Severity.WARNING
    assert told(recovered()).severity is Severity.INFO
    assert told(recovered()).resolves == told(lost()).key
    assert told(recovered("bybit/private")).resolves != told(lost()).key
    assert told(recovered()).facts == {"connection": "binance/public", "outage_s": "2.5", "attempts": "1"}


def test_a_connection_that_can_not_be_made_is_critical_from_the_fifth_attempt_and_ended_by_the_recovery() -> None:
    assert Rules().alert(failing(4)) is None
    assert told(failing(5)).severity is Severity.CRITICAL
    assert told(failing(5)).key == told(recovered()).resolves
    assert told(failing(2), Rules(failing_after_attempts=2)).severity is Severity.CRITICAL


def test_a_failed_order_is_a_warning_and_one_of_unknown_outcome_is_critical_each_by_itself() -> None:
    failed = OrderFailed(**BASE, symbol="BTCUSDT", client_order_id="c1", code=-2010)  # type: ignore[arg-type]
    assert told(failed).severity is Severity.WARNING
    doubtful = [
        told(OrderDoubtful(**BASE, symbol="BTCUSDT", client_order_id=name, code=None))  # type: ignore[arg-type]
        for name in ("c1", "c2")
    ]
    assert [alert.severity for alert in doubtful] == [Severity.CRITICAL] * 2
    assert len({told(failed).key, *(alert.key for alert in doubtful)}) == 3


@pytest.mark.parametrize(
    ("seconds", "severity"), [(2, Severity.WARNING), (59, Severity.WARNING), (60, Severity.CRITICAL)]
)
def test_a_rate_limit_of_a_minute_or_longer_is_critical(seconds: float, severity: Severity) -> None:
    hit = told(RateLimitHit(**BASE, retry_after_s=seconds))  # type: ignore[arg-type]
    assert hit.severity is severity
    assert hit.key == told(RateLimitHit(**BASE, retry_after_s=1)).key  # type: ignore[arg-type]
    assert hit.can_end
    assert told(RateLimitLifted(**BASE, held_s=seconds)).resolves == hit.key  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("offset", "severity"), [(-999, Severity.INFO), (-1000, Severity.WARNING), (4e3, Severity.WARNING)]
)
def test_a_clock_off_by_a_second_or_more_is_a_warning(offset: float, severity: Severity) -> None:
    assert told(ClockStepped(**BASE, offset_ms=offset)).severity is severity  # type: ignore[arg-type]


def test_a_book_gap_is_held_back_and_ended_by_the_books_recovery() -> None:
    assert told(GAP).hold_s == 10
    assert told(GAP, Rules(book_gap_hold_s=0)).hold_s == 0
    assert told(BOOK_BACK).resolves == told(GAP).key


def test_troubles_of_different_origin_never_share_a_key() -> None:
    alerts = [
        told(lost()),
        told(GAP),
        told(no_margin()),
        told(SubscriptionRefused(**BASE, connection="bybit/public", topic="orderbook.50.X")),  # type: ignore[arg-type]
        told(HandlerFailed(**BASE, handler="strategy.on_trade")),  # type: ignore[arg-type]
        told(FrameGarbled(**BASE, connection="binance/public")),  # type: ignore[arg-type]
        told(RateLimitHit(**BASE, retry_after_s=1)),  # type: ignore[arg-type]
        told(ClockStepped(**BASE, offset_ms=1)),  # type: ignore[arg-type]
    ]
    assert len({alert.key for alert in alerts}) == len(alerts)
    assert {alert.resolves for alert in alerts} == {None}


def test_a_change_of_unknown_outcome_is_critical_each_by_itself() -> None:
    alerts = [
        told(ChangeUnresolved(**BASE, change=change, orders=(name,), symbol="BTCUSDT"))  # type: ignore[arg-type]
        for change in ("AMEND", "CANCEL")
        for name in ("c1", "c2")
    ]
    assert {one.severity for one in alerts} == {Severity.CRITICAL}
    assert len({one.key for one in alerts}) == 4


def test_a_kind_without_a_rule_is_told_as_a_warning_rather_than_not_at_all() -> None:
    class DiskFull(Incident, frozen=True, kw_only=True):
        free_bytes: int

    alert = told(DiskFull(venue="", time_ns=NOW_NS, why="", free_bytes=3))
    assert (alert.severity, alert.title, alert.sentence) == (Severity.WARNING, "DiskFull", "DiskFull")
    assert alert.facts == {"free_bytes": "3"}


def doubtful(client_order_id: str = "c1") -> OrderDoubtful:
    return OrderDoubtful(**BASE, symbol="BTCUSDT", client_order_id=client_order_id, code=503)  # type: ignore[arg-type]


def resolved(outcome: str, client_order_id: str = "c1") -> OrderResolved:
    return OrderResolved(
        **BASE,  # type: ignore[arg-type]
        symbol="BTCUSDT", client_order_id=client_order_id, outcome=outcome, after_s=0.4,
    )  # fmt: skip


@pytest.mark.parametrize("outcome", ["ACCEPTED", "NOT_PLACED"])
def test_a_doubt_is_held_back_for_a_moment_and_ended_by_its_own_resolution(outcome: str) -> None:
    assert told(doubtful()).severity is Severity.CRITICAL
    assert 0 < told(doubtful()).hold_s <= 5
    assert told(resolved(outcome)).resolves == told(doubtful()).key
    assert told(resolved(outcome, "c2")).resolves != told(doubtful()).key


def test_an_order_that_stays_in_doubt_is_critical_and_ends_nothing() -> None:
    alert = told(resolved("UNRESOLVED"))
    assert (alert.severity, alert.resolves) == (Severity.CRITICAL, None)


def test_brakes_that_act_or_fail_are_critical_and_a_refused_order_is_a_warning() -> None:
    guard = {"symbol": "BTCUSDT", **BASE}
    assert told(GuardTripped(guard="kill_switch", **guard)).severity is Severity.CRITICAL  # type: ignore[arg-type]
    assert told(GuardTripped(guard="price_collar", **guard)).severity is Severity.WARNING  # type: ignore[arg-type]
    assert told(DeadManFailed(**guard)).severity is Severity.CRITICAL  # type: ignore[arg-type]


def test_what_was_mended_by_itself_is_a_note_and_what_was_not_foreseen_a_warning() -> None:
    assert told(FillsRecovered(count=3, **BASE)).severity is Severity.INFO  # type: ignore[arg-type]
    assert told(ModeChanged(mode="HEDGE", **BASE)).severity is Severity.WARNING  # type: ignore[arg-type]
    codes = [told(UnknownCode(call="place_order", code=code, **BASE)).key for code in (1, 2)]  # type: ignore[arg-type]
    assert codes[0] != codes[1]
