"""Every alert can be said in Korean: title, sentence, and the names of its facts."""

from __future__ import annotations

import re
import string
from datetime import UTC
from decimal import Decimal
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.notification.incidents import NOW_NS, no_margin, recovered

from perpwire.model.incident import Incident
from perpwire.notification import korean, words
from perpwire.notification.alert import Severity
from perpwire.notification.rules import _NO_FACTS, Rules
from perpwire.notification.rules_file import KINDS
from perpwire.notification.setting_up import test_alert as alert_of
from perpwire.notification.words import Wording

KOREAN = Wording(language="ko", zone=ZoneInfo("Asia/Seoul"))
HANGUL = re.compile(r"[가-힣]")
FULL: dict[Any, Any] = {str: "x", int: 7, float: 70.0, bool: True, Decimal: Decimal(1), tuple: ("x",)}


def made(kind: type[Incident], **said: Any) -> Incident:
    """One of the kind, with every field filled."""
    fields: dict[str, Any] = {"venue": "bybit", "time_ns": NOW_NS, "detail": "It happened."}
    for name, hint in get_type_hints(kind).items():
        kinds = [
            one for one in FULL if hint is one or one in get_args(hint) or getattr(hint, "__origin__", None) is one
        ]
        if name not in fields and kinds:
            fields[name] = FULL[kinds[0]]
    return kind(**{**fields, **said})


def test_every_text_is_there_in_both_languages() -> None:
    assert set(words.TITLES) == set(korean.TEXTS)
    for text in korean.TEXTS.values():
        assert HANGUL.search(text.title)
        assert HANGUL.search(text.sentence)


def test_every_fact_of_every_incident_has_a_korean_name() -> None:
    names = {name for kind in KINDS.values() for name in kind.__struct_fields__} - set(_NO_FACTS)
    assert names - set(korean.FACTS) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_text_names_is_a_fact_of_its_incident(kind: str) -> None:
    alert = Rules().alert(made(KINDS[kind]))
    assert alert is not None
    text = korean.TEXTS[alert.text]
    for template in (text.title, text.sentence, words.TITLES[alert.text]):
        named = {name for _, name, _, _ in string.Formatter().parse(template) if name}
        assert named <= {*alert.facts, "venue", "incident"}
    assert HANGUL.search(KOREAN.headline(alert))
    assert "{" not in KOREAN.headline(alert) + KOREAN.body(alert)


def test_an_alert_reads_as_a_korean_trader_would_say_it() -> None:
    alert = Rules().alert(no_margin())
    assert alert is not None
    again = msgspec.structs.replace(alert, repeats=3)
    assert KOREAN.headline(again) == "[긴급] 바이비트: 증거금 부족으로 주문 거부 (3회 추가 발생)"
    assert KOREAN.body(alert).splitlines() == [
        "주문 가능 잔고가 부족합니다. 증거금을 추가하거나 포지션과 미체결 주문을 줄이세요.",
        "종목: BTCUSDT",
        "클라이언트 주문 ID: c1",
        "코드: 110007",
        "원문: ab not enough for new order",
        "발생 시각: 2026-09-21 23:13:20 KST",
    ]


def test_a_recovery_and_a_problem_that_lasts_say_so() -> None:
    back = Rules().alert(recovered())
    assert back is not None
    assert KOREAN.headline(back) == "[정보] 바이낸스: 연결 복구: binance/public"
    lasting = msgspec.structs.replace(back, resolves=None, severity=Severity.CRITICAL, open_s=900.0)
    assert KOREAN.headline(lasting) == "[긴급] 바이낸스: 연결 복구: binance/public (15분째 미해결)"
    assert Wording().headline(lasting).endswith("(not over after 15 min)")


def test_a_test_alert_says_its_severity_in_both_languages() -> None:
    alert = alert_of(Severity.WARNING, NOW_NS)
    assert Wording(zone=UTC).headline(alert) == "[WARNING] Test alert (warning)"
    assert KOREAN.headline(alert) == "[경고] 알림 테스트 (경고)"
