"""The rules file: what it says is followed, what is wrong with it is said with its place and what is allowed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from tests.notification.incidents import lost, no_margin, recovered

from perpwire.config.loading import load
from perpwire.errors import BadInput
from perpwire.notification.alert import Severity
from perpwire.notification.rules_file import AlertSettings, read, settings_of
from perpwire.notification.setting_up import notifier_from, outlets_from

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "alerts.toml"

ADDRESSES = {
    "ALERTS_PHONE": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "ALERTS_TEAM": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "ALERTS_MAIL": "mailto://user:hunter2hunter2@example.com",
    "ALERTS_ON_CALL": "json://127.0.0.1:1/hook",
}


def of(text: str) -> AlertSettings:
    return settings_of(tomllib.loads(text))


def test_the_example_loads_alone_and_as_a_part_of_the_configuration() -> None:
    settings = read(EXAMPLE)
    assert settings == settings_of(load(EXAMPLE, {}).settings.alerts)
    outlets = {outlet.name: outlet for outlet in outlets_from(settings, environ=ADDRESSES)}
    assert list(outlets) == ["phone", "team", "mail", "on_call"]
    assert outlets["phone"].minimum is Severity.WARNING
    assert outlets["phone"].quiet is not None
    assert outlets["mail"].quiet is None
    assert outlets["on_call"].only_escalated
    escalation = settings.escalates()
    assert escalation is not None
    assert (escalation.after_s, escalation.to) == (900, ("phone", "on_call"))


def test_severities_of_the_file_have_the_last_word_and_recoveries_can_be_left_out() -> None:
    settings = of('recoveries = false\n[severities]\nconnection_lost = "critical"\nbalance_insufficient = "off"')
    alert = settings.alert(lost())
    assert alert is not None
    assert alert.severity is Severity.CRITICAL
    assert settings.alert(no_margin()) is None
    assert settings.alert(recovered()) is None


def test_without_a_sink_there_is_no_notifier() -> None:
    assert notifier_from({}) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("langauge = 'ko'", "alerts.langauge: not known; did you mean 'language'?"),
        ("language = 'fr'", "alerts.language: Invalid enum value 'fr'; allowed are en, ko"),
        ("[thresholds]\nban_from = 3", "alerts.thresholds.ban_from: not known; did you mean 'ban_from_s'?"),
        ("[thresholds]\nban_from_s = -1", "alerts.thresholds.ban_from_s: -1 is not allowed; it must be 0 or more"),
        ("[pacing]\nwindow_s = 'x'", "alerts.pacing.window_s: Expected `float`, got `str`"),
        ("[pacing]\nqueue_limit = 0", "alerts.pacing.queue_limit: 0 is not allowed; it must be 1 or more"),
        (
            "[severities]\norder_fialed = 'off'",
            "alerts.severities.order_fialed: not known; did you mean 'order_failed'?",
        ),
        ("[severities]\norder_failed = 'loud'", "allowed are info, warning, critical, off"),
        ("time_zone = 'Asia/Soul'", "alerts.time_zone: no time zone 'Asia/Soul'"),
        ("[quiet_hours]\nstart = '25:00'\nend = '07:00'", "alerts.quiet_hours.start: '25:00' is no time of day"),
        ("[sinks.a]\nminimum = 'info'", "alerts.sinks.a: it must have a url or a url_variable, and not both"),
        ("[escalation]\nafter_minutes = 5\nto = ['a']", "alerts.escalation.to.a: not known; there are none"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, words: str) -> None:
    with pytest.raises(BadInput) as raised:
        of(text)
    assert words in raised.value.reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sinks.a]\nurl_variable = 'NOWHERE'", "alerts.sinks.a: the environment has no NOWHERE"),
        ("[sinks.a]\nurl = 'canary://hunter2hunter2'", "alerts.sinks.a: apprise does not understand its address"),
        ("[sinks.a]\nurl = 'json://127.0.0.1:1/hunter2hunter2'\napi = 'http://127.0.0.1:2'", "only Telegram"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_it(text: str, words: str) -> None:
    with pytest.raises(BadInput) as raised:
        notifier_from(of(text), environ={})
    assert words in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(of(text))


def test_a_file_with_addresses_must_be_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text("[sinks.a]\nurl = 'json://127.0.0.1:1/hunter2hunter2'")
    file.chmod(0o644)
    with pytest.raises(BadInput, match="open to others"):
        read(file)
    file.chmod(0o600)
    assert list(read(file).sinks) == ["a"]
