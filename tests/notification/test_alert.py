from __future__ import annotations

import pytest
from tests.notification.incidents import alert

from perpwire.notification.alert import Severity


def test_a_headline_names_severity_venue_and_title() -> None:
    assert alert(title="Rate limit hit", venue="bybit").headline() == "[WARNING] bybit: Rate limit hit"
    assert alert(title="Balance low", severity=Severity.CRITICAL).headline() == "[CRITICAL] Balance low"


@pytest.mark.parametrize(
    ("repeats", "resolves", "ending"),
    [
        (1, None, " (1 more time)"),
        (12, None, " (12 more times)"),
        (2, "k", " (after it had happened 2 more times)"),
    ],
)
def test_a_headline_counts_the_repeats(repeats: int, resolves: str | None, ending: str) -> None:
    assert alert(title="T", repeats=repeats, resolves=resolves).headline() == f"[WARNING] T{ending}"


def test_a_body_holds_the_sentence_the_facts_and_the_time_in_utc() -> None:
    body = alert(sentence="It is so.", facts={"symbol": "BTCUSDT", "code": "-2019"}).body()
    assert body == "It is so.\nsymbol: BTCUSDT\ncode: -2019\nat 2026-09-21 14:13:20 UTC"


def test_severities_have_an_order() -> None:
    assert Severity.INFO.rank < Severity.WARNING.rank < Severity.CRITICAL.rank
