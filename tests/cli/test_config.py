"""`perpwire config` and `perpwire keys`, as a user types them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.config.test_keys import Ring, in_memory
from typer.testing import CliRunner

from perpwire.cli.main import app
from perpwire.notification.rules_file import AlertSettings, settings_of


def run(*words: str, text: str = "", **environ: str) -> Any:
    return CliRunner().invoke(app, words, input=text, env=environ)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("COLUMNS", "200")


def test_init_writes_an_example_once_and_check_explains_it(tmp_path: Path) -> None:
    assert run("config", "init").exit_code == 0
    assert (tmp_path / "perpwire.toml").stat().st_mode & 0o077 == 0
    again = run("config", "init")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert run("config", "init", "--force").exit_code == 0
    said = run("config", "check")
    assert said.exit_code == 0
    assert "page.port = 8787 (default): TCP port; 0: any free one." in said.stdout.splitlines()
    assert "venues.bybit.symbols = BTCUSDT (perpwire.toml; else -)" in said.stdout


def test_check_as_json_says_where_each_value_comes_from() -> None:
    said = run("config", "check", "--json", PERPWIRE_PAGE_TOKEN="canary-canary-canary")
    rows = {row["name"]: row for row in map(json.loads, said.stdout.splitlines())}
    assert rows["page.token"] | {"words": ""} == {
        "name": "page.token", "value": "***", "origin": "PERPWIRE_PAGE_TOKEN", "words": "",
        "variable": "PERPWIRE_PAGE_TOKEN", "default": "",
    }  # fmt: skip
    assert "canary" not in said.output
    changed = run("config", "check", "--json", "--changed", PERPWIRE_PAGE_PORT="1")
    assert [json.loads(line)["name"] for line in changed.stdout.splitlines()] == ["page.port"]
    said_again = run("config", "check", "--json", "--changed", PERPWIRE_PAGE_PORT="8787", PERPWIRE_PAGE_LANGUAGE="ko")
    assert [json.loads(line)["name"] for line in said_again.stdout.splitlines()] == ["page.language"]


def test_what_is_wrong_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("page.prot = 1")
    said = run("config", "check", "--config", "other.toml")
    assert said.exit_code == 2
    assert said.stdout == ""
    assert "other.toml: page.prot is not known: did you mean 'port'?" in said.stderr
    assert len(said.stderr.splitlines()) == 1
    for verb in (("config", "check"), ("serve",)):
        told = run(*verb, "--config", "other.toml", "--json")
        assert told.exit_code == 2
        assert json.loads(told.stderr)["reason"] == "other.toml: page.prot is not known: did you mean 'port'?"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[alerts.sinks.phone]\nurl = 'json://127.0.0.1/'\nminimun = 'info'", "did you mean 'minimum'?"),
        ("[alerts.severities]\norder_faild = 'off'", "alerts.severities"),
        ("[alerts.sinks.phone]\nurl = 'canary-address'", "alerts.sinks.phone: apprise does not understand its address"),
        ("[alerts.sinks.phone]\nurl_variable = 'ALERTS_PHONE'", "the environment has no ALERTS_PHONE"),
        ("[page]\nhost = '0.0.0.0'", "there is no token (Set PERPWIRE_PAGE_TOKEN"),
    ],
)
def test_check_refuses_what_serve_would_refuse(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "perpwire.toml"
    file.write_text(text)
    file.chmod(0o600)
    said = run("config", "check")
    assert said.exit_code == 2
    assert said.stdout == ""
    assert words in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert "canary" not in said.output


def test_check_takes_what_serve_takes(tmp_path: Path) -> None:
    file = tmp_path / "perpwire.toml"
    file.write_text("[page]\nhost = '0.0.0.0'\n[alerts.sinks.phone]\nurl_variable = 'ALERTS_PHONE'")
    file.chmod(0o600)
    said = run("config", "check", PERPWIRE_PAGE_TOKEN="canary-canary-canary", ALERTS_PHONE="json://127.0.0.1/canary")
    assert said.exit_code == 0
    assert "alerts.sinks.phone.url_variable = ALERTS_PHONE (perpwire.toml; else -)" in said.stdout
    assert "canary" not in said.output


ALERTS = """
[alerts]
language = "ko"
[alerts.sinks.phone]
url = "json://127.0.0.1:9/canary-address"
minimum = "warning"
[alerts.sinks.mail]
url_variable = "ALERTS_MAIL"
[alerts.severities]
order_failed = "critical"
[alerts.quiet_hours]
start = "23:00"
end = "07:00"
[alerts.pacing]
interval_s = 2.5
[alerts.escalation]
after_minutes = 10
to = ["phone", "mail"]
"""


def test_check_explains_every_setting_of_alerts_with_its_default_and_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "perpwire.toml"
    file.write_text(ALERTS)
    file.chmod(0o600)
    said = run("config", "check", "--json", ALERTS_MAIL="json://127.0.0.1:9/canary-mail")
    assert "canary" not in said.output
    rows = {row["name"]: row for row in map(json.loads, said.stdout.splitlines())}
    assert {name: (row["value"], row["default"]) for name, row in rows.items() if row["origin"] == "perpwire.toml"} == {
        "alerts.language": ("ko", "en"),
        "alerts.sinks.phone.url": ("***", ""),
        "alerts.sinks.phone.minimum": ("warning", "info"),
        "alerts.sinks.mail.url_variable": ("ALERTS_MAIL", ""),
        "alerts.severities.order_failed": ("critical", ""),
        "alerts.quiet_hours.start": ("23:00", ""),
        "alerts.quiet_hours.end": ("07:00", ""),
        "alerts.pacing.interval_s": ("2.5", "1.0"),
        "alerts.escalation.after_minutes": ("10", ""),
        "alerts.escalation.to": ("phone, mail", ""),
    }
    assert rows["alerts.sinks.mail.minimum"]["origin"] == "default"
    assert rows["alerts.thresholds.ban_from_s"] == {
        "name": "alerts.thresholds.ban_from_s", "value": "60.0", "origin": "default", "variable": None,
        "default": "60.0", "words": "A rate limit that holds calls back for this many seconds or longer is critical.",
    }  # fmt: skip
    changed = run("config", "check", "--changed", ALERTS_MAIL="json://127.0.0.1:9/canary-mail").stdout
    assert "alerts.pacing.interval_s = 2.5 (perpwire.toml; else 1.0): Least seconds between" in changed
    assert "thresholds" not in changed


def test_check_says_what_alerts_could_be_where_there_are_none() -> None:
    said = run("config", "check").stdout
    for name in ("sinks.NAME.url", "severities", "quiet_hours.start", "escalation.to", "pacing.window_s"):
        assert f"\nalerts.{name} = " in said


def test_the_example_explains_alerts_and_what_it_says_of_them_holds_anyway(tmp_path: Path) -> None:
    assert run("config", "init").exit_code == 0
    text = (tmp_path / "perpwire.toml").read_text()
    assert tomllib.loads(text).get("alerts") is None
    begin, end = text.index("# [alerts]"), text.index("\n[guards]")
    lines = [line[2:] for line in text[begin:end].splitlines() if re.match(r"# (\[|\w+ = \S)", line)]
    said = tomllib.loads("\n".join(lines))["alerts"]
    assert set(said) == set(AlertSettings.__struct_fields__)
    for name in ("sinks", "quiet_hours", "escalation"):  # these are of use only where they are filled in
        del said[name]
    assert settings_of(said) == AlertSettings()


@pytest.fixture
def ring() -> Iterator[Ring]:
    with in_memory() as one:
        yield one


def test_a_key_goes_into_the_keyring_without_being_shown(ring: Ring) -> None:
    said = run("keys", "store", "--venue", "bybit", text="canary-key\ncanary-secret\n")
    assert said.exit_code == 0
    assert "canary" not in said.output
    assert ring.kept == {
        ("perpwire/bybit.testnet", "api_key"): "canary-key",
        ("perpwire/bybit.testnet", "api_secret"): "canary-secret",
    }
    assert run("keys", "forget", "--venue", "bybit").exit_code == 0
    assert ring.kept == {}
    assert run("keys", "forget", "--venue", "bybit").exit_code == 1


def test_an_empty_line_is_no_key(ring: Ring) -> None:
    said = run("keys", "store", "--venue", "bybit", text="canary-key\n\n")
    assert said.exit_code == 1
    assert "nothing was stored" in said.output
    assert ring.kept == {}


def test_a_private_key_goes_into_the_keyring_as_text(ring: Ring, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nx\n")
    said = run("keys", "store", "--venue", "binance", "--env", "live", "--private-key", "key.pem", text="k\n")
    assert said.exit_code == 0
    assert ring.kept["perpwire/binance.live", "api_secret"].startswith("-----BEGIN")


@pytest.mark.parametrize("words", [("--venue", "kraken"), ("--venue", "bybit", "--env", "sim")])
def test_no_such_venue_or_environment(words: tuple[str, ...]) -> None:
    assert run("keys", "store", *words).exit_code == 2
