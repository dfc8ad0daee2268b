"""Alerts in both languages: headline, sentence, facts by their names, and the time."""

from __future__ import annotations

import re
from datetime import UTC
from zoneinfo import ZoneInfo

import msgspec
from tests.notification.incidents import NOW_NS, no_margin, recovered
from tests.words.incidents import every

from perpwire.notification.alert import Severity
from perpwire.notification.rules import Rules
from perpwire.notification.setting_up import test_alert as alert_of
from perpwire.notification.words import Wording
from perpwire.words import korean

KOREAN = Wording(language="ko", zone=ZoneInfo("Asia/Seoul"))
HANGUL = re.compile(r"[가-힣]")
ALL = Rules(failing_after_attempts=0, pressure_share=0.0, pressure_after_s=0.0, lag_from_s=0.0, stall_from_s=0.0)


def test_every_alert_is_told_in_korean_to_the_last_fact() -> None:
    for one in every():
        alert = ALL.alert(one)
        assert alert is not None
        assert HANGUL.search(KOREAN.headline(alert))
        first, *lines = KOREAN.body(alert).splitlines()
        assert HANGUL.search(first)
        assert len(lines) == len(alert.facts) + 1
        assert all(HANGUL.search(line.partition(":")[0]) for line in lines)
        assert one.why in KOREAN.body(alert)
        assert one.detail not in KOREAN.body(alert)
        assert alert.facts.keys() <= set(korean.FACTS)


def test_an_alert_reads_as_a_korean_trader_would_say_it() -> None:
    alert = Rules().alert(no_margin())
    assert alert is not None
    again = msgspec.structs.replace(alert, repeats=3)
    assert KOREAN.headline(again) == "[긴급] 바이비트: 증거금 부족으로 주문 거부 (3회 추가 발생)"
    assert KOREAN.body(alert).splitlines() == [
        "BTCUSDT 주문이 증거금 부족으로 거부되었습니다. 증거금을 추가하거나 포지션과 미체결 주문을 줄이세요. "
        "사유: “ab not enough for new order”",
        "종목: BTCUSDT",
        "클라이언트 주문 ID: c1",
        "코드: 110007",
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


def test_an_alert_of_the_users_own_is_told_as_it_is() -> None:
    made = msgspec.structs.replace(alert_of(Severity.INFO, NOW_NS), text="", title="Backup", sentence="It is done.")
    assert KOREAN.headline(made) == "[정보] Backup"
    assert KOREAN.body(made).startswith("It is done.\n")
