"""What is said of incidents: both languages say the same, all of it, and nothing is said of what is not known."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.words.incidents import KINDS, NOW_NS, every, made

import perpwire
from perpwire.errors import APIError, AuthenticationFailed
from perpwire.model.incident import (
    AccountReadAgain,
    AccountUnread,
    BalanceInsufficient,
    BudgetPressed,
    ConnectionLost,
    DeadManFailed,
    FanoutFailing,
    Incident,
    InstrumentEnding,
    KeyWarning,
    OrderDoubtful,
    StreamStale,
)
from perpwire.transport.certificates import failure_words
from perpwire.words import english, korean
from perpwire.words.said import (
    LANGUAGES,
    VARIANTS,
    event_name,
    facts_of,
    filled,
    language_of,
    named,
    reason,
    sentence,
    text_of,
    title,
)

SRC = Path(perpwire.__file__).parent
HANGUL = re.compile(r"[가-힣]")
OF_RULES = {"banned", "clock_skewed", "test", "unforeseen"}
"""Texts that are chosen by thresholds, or are of no incident."""


def said(incident: Incident, language: str = "en") -> str:
    facts = facts_of(incident)
    return sentence(text_of(incident, facts), facts, language)  # type: ignore[arg-type]


def test_every_kind_of_incident_is_said_in_every_language_and_nothing_is_left_over() -> None:
    variants = {text for _, by_value in VARIANTS.values() for text in by_value.values()}
    for language in LANGUAGES:
        assert set(language_of(language).TEXTS) == set(KINDS) | variants | OF_RULES
    for text in korean.TEXTS.values():
        assert HANGUL.search(text.title)
        assert HANGUL.search(text.sentence)
    for text in english.TEXTS.values():
        assert not HANGUL.search(text.title + text.sentence)


@pytest.mark.parametrize("text", sorted(english.TEXTS))
def test_the_facts_of_a_text_are_the_same_in_both_languages(text: str) -> None:
    ours, theirs = english.TEXTS[text], korean.TEXTS[text]
    assert named(ours.title) == named(theirs.title)
    assert named(ours.sentence) - {"why"} == named(theirs.sentence) - {"why"}  # which is added where it is not named
    known = {name for one in every() for name in facts_of(one)} | {"severity"}
    assert named(ours.title + ours.sentence) <= known


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_an_incident_states_or_not_its_texts_are_whole(language: str) -> None:
    for one in every():
        facts = facts_of(one)
        text = text_of(one, facts)
        for words in (title(text, facts, language), said(one, language)):  # type: ignore[arg-type]
            assert words
            assert not re.search(r"[{}\[\]]|\s\s|\(\)|\s[,.:;]|^\s|\s$", words), words
        if one.why:
            assert one.why in said(one, language)


def test_both_languages_say_the_same_figures_of_the_same_incident() -> None:
    for one in every():
        figures = [sorted(re.findall(r"<\w+>|\d+", said(one, language))) for language in LANGUAGES]
        assert figures[0] == figures[1], said(one)


def test_a_clause_is_said_only_of_what_is_known() -> None:
    assert filled("lost[: {why}]", {"why": "1006"}) == "lost: 1006"
    assert filled("lost[: {why}]", {}) == "lost"
    assert filled("[{symbol}|the account] is in {mode}", {"mode": "HEDGE"}) == "the account is in HEDGE"
    assert filled("{why}", {"why": "[{symbol}]", "symbol": "X"}) == "[{symbol}]"  # what is said is no template


def test_a_line_of_the_log_can_stand_alone() -> None:
    lost = ConnectionLost(
        venue="binance", time_ns=NOW_NS, why="closed (1006)", connection="binance/trade", instead="REST"
    )
    assert lost.detail == "binance/trade was lost; calls go by REST meanwhile: closed (1006)"
    base = {"venue": "bybit", "time_ns": NOW_NS, "symbol": "BTCUSDT", "client_order_id": "c1", "code": 110007}
    order = BalanceInsufficient(**base, why="no money", side="BUY", quantity=Decimal("0.010"))  # type: ignore[arg-type]
    assert order.detail == "the order BUY 0.010 BTCUSDT was refused for want of margin: no money"
    gone = DeadManFailed(venue="binance", time_ns=NOW_NS, symbol="BTCUSDT", why="no answer in time")
    assert gone.detail == "the dead man's switch of BTCUSDT has fired, as it could not be renewed: no answer in time"
    soon = KeyWarning(venue="bybit", time_ns=NOW_NS, what="expiry", days_left=3)
    assert soon.detail == "the key expires in 3 days"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_account_that_is_refused_at_the_first_try_is_not_said_to_be_unread_for_no_time(language: str) -> None:
    base = {"venue": "bybit", "time_ns": NOW_NS, "unread_s": 0.0004}
    told = [AccountUnread(**base, attempts=1), AccountReadAgain(**base)]  # type: ignore[arg-type]
    for text in (said(one, language) for one in told):
        assert not re.search(r"\b0\b|0초|\s\s|^\s", text), text
    for one in told:
        assert "12" in said(msgspec.structs.replace(one, unread_s=12.0), language)


def test_korean_reads_as_a_trader_would_say_it_and_quotes_the_venue() -> None:
    base = {"venue": "bybit", "time_ns": NOW_NS, "symbol": "BTCUSDT", "client_order_id": "c1", "code": 110007}
    order = OrderDoubtful(**base, why="no answer in time", side="SELL", quantity=Decimal(2))  # type: ignore[arg-type]
    assert said(order, "ko") == (
        "BTCUSDT 매도 2 주문(c1)이 접수되었는지 아직 알 수 없어 조회 중입니다. 같은 주문을 다시 내지 마세요. "
        "사유: 제시간에 응답이 없음"
    )
    refused = BalanceInsufficient(**base, why="ab not enough for new order")  # type: ignore[arg-type]
    assert said(refused, "ko").endswith("사유: “ab not enough for new order”")


def test_reasons_of_ours_are_said_in_korean_and_all_of_them_are_given_somewhere() -> None:
    def why(text: str) -> str:
        return reason(korean, text)

    assert why("closed by the server (1008: too many)") == "거래소가 연결을 닫음(“1008: too many”)"
    assert why("the topic was mute; they can't be read back: no (503)") == (
        "스트림에 데이터가 없음, 다시 조회하지 못함(“no (503)”)"
    )
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted(SRC.rglob("*.py")) if path.parent.name != "words"
    )
    for ours, theirs in korean.REASONS.items():
        assert HANGUL.search(theirs)
        assert named(ours) == named(theirs)
        for fixed in re.split(r"{\w+}", ours):
            # Longer ones are written in two lines of source.
            assert fixed.strip(" :,;()")[:30] in source, ours


def test_a_reason_within_a_reason_is_said_in_korean_too() -> None:
    def why(text: str) -> str:
        return reason(korean, text)

    refused = AuthenticationFailed("Invalid API-key.", venue="binance", call="get_account_info", code=-2015)
    assert why(str(refused)) == (
        "binance get_account_info 오류(AuthenticationFailed -2015): “Invalid API-key.” → 키와 시크릿이 맞는지, "
        "이 환경(live, testnet, demo, sim)의 것인지 확인하세요."
    )
    lost = "the answer was lost (https://api.bybit.com: no answer within 10 s), and the connector was closed"
    assert why(lost) == "응답을 받지 못함(https://api.bybit.com 연결: 10초 안에 응답이 없음), 커넥터가 종료됨"
    untrusted = ssl.SSLCertVerificationError()
    untrusted.verify_message = "self-signed certificate"
    for own in (None, ssl.create_default_context()):
        words = why(failure_words(untrusted, own))
        assert "“self-signed certificate”" in words
        assert not re.search("Trusted|authorities|network|listening", words), words


def test_what_to_do_about_an_error_is_said_in_korean() -> None:
    def kinds(of: type[APIError]) -> Iterator[type[APIError]]:
        yield of
        for kind in of.__subclasses__():
            yield from kinds(kind)

    for kind in kinds(APIError):
        assert HANGUL.search(reason(korean, kind.default_advice)), kind.default_advice


def test_why_redis_takes_nothing_is_said_in_korean_and_its_own_words_are_quoted() -> None:
    failing = FanoutFailing(venue="", time_ns=NOW_NS, reason="redis at 10.0.0.7:6379 takes less than comes", waiting=7)
    assert "(redis at 10.0.0.7:6379가 들어오는 만큼 받지 못함)" in said(failing, "ko")
    assert "(“OOM”)" in said(msgspec.structs.replace(failing, reason="OOM"), "ko")


def test_figures_are_as_exact_as_a_reader_needs_them() -> None:
    assert facts_of(BudgetPressed(venue="", time_ns=1, budget="b", share=0.8, pressed_s=90.04))["share"] == "80%"
    for seconds, words in ((0.12345, "0.123"), (2.0, "2"), (12.345, "12.3"), (512.6, "513"), (100.0, "100")):
        assert facts_of(made(KINDS["loop_stalled"], stalled_s=seconds))["stalled_s"] == words
    ending = InstrumentEnding(venue="bybit", time_ns=1, symbol="X", ends_ms=1_790_000_000_000)
    assert "2026-09-21 14:13:20 UTC" in said(ending)
    many = StreamStale(venue="", time_ns=1, connection="c", topics=tuple(f"t{n}" for n in range(200)), silent_s=9.0)
    assert "of t0, t1, t2, t3, t4 (+195)" in said(many)


def test_a_kind_of_the_users_own_is_said_by_its_base_class_or_by_its_name() -> None:
    class Cut(ConnectionLost, frozen=True, kw_only=True):
        """A loss with a name of its own."""

    class DiskFull(Incident, frozen=True, kw_only=True):
        """No incident of ours."""

    assert event_name(Cut) == "cut"
    assert said(Cut(venue="", time_ns=1, connection="c")) == "c was lost"
    assert DiskFull(venue="", time_ns=1, why="0 bytes left").detail == "DiskFull: 0 bytes left"
    assert said(DiskFull(venue="", time_ns=1), "ko") == "분류되지 않은 사건입니다: DiskFull."
