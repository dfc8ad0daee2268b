"""From words and the configuration to where a verb goes: never live by itself, and no key where it does not belong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from perpwire.api_connector.guards import CAUTIOUS
from perpwire.cli.connecting import SIM_KEY, Target, one_target, plan
from perpwire.errors import BadInput


@pytest.fixture(autouse=True)
def _nowhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_without_a_word_it_is_an_embedded_exchange_of_both_venues() -> None:
    made = plan(None, None, None)
    assert made.targets == (Target("binance", "sim", None), Target("bybit", "sim", None))
    assert all(target.is_fleeting for target in made.targets)
    assert made.keys(made.targets[0]) is SIM_KEY
    assert made.guards == CAUTIOUS


def test_the_file_says_where_and_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    path = file(tmp_path, 'env = "testnet"\n[venues.bybit]\nenv = "demo"\n[venues.binance]\n')
    assert plan(None, None, None, path).targets == (Target("bybit", "demo", None), Target("binance", "testnet", None))
    assert plan(["bybit", "bybit"], "live", None, path).targets == (Target("bybit", "live", None),)


def test_the_file_alone_can_make_it_live(tmp_path: Path) -> None:
    assert plan(["bybit"], None, None, file(tmp_path, 'env = "live"\n')).targets[0].env == "live"
    assert plan(["bybit"], "sim", None, file(tmp_path, 'env = "live"\n')).targets[0].env == "sim"


def test_an_address_is_an_embedded_exchange_whatever_the_file_says(tmp_path: Path) -> None:
    live = file(tmp_path, 'env = "live"\n')
    target = plan(["bybit"], None, ["http://127.0.0.1:9"], live).targets[0]
    assert (target.env, target.url, target.is_fleeting) == ("sim", "http://127.0.0.1:9", False)
    with pytest.raises(BadInput, match="BAD_URL") as caught:
        plan(["bybit"], "live", ["http://127.0.0.1:9"])
    assert "one of the two" in caught.value.advice


def test_an_address_of_the_file_counts_where_no_other_environment_is_named(tmp_path: Path) -> None:
    path = file(tmp_path, '[venues.bybit]\nurl = "http://127.0.0.1:9"\nenv = "live"\n')
    assert plan(None, None, None, path).targets == (Target("bybit", "sim", "http://127.0.0.1:9"),)
    assert plan(None, "sim", None, path).targets == (Target("bybit", "sim", "http://127.0.0.1:9"),)
    assert plan(None, "testnet", None, path).targets == (Target("bybit", "testnet", None),)


@pytest.mark.parametrize("text", ["http://127.0.0.1:9", "kraken=http://127.0.0.1:9", "bybit=127.0.0.1:9", "bybit="])
def test_an_address_that_is_of_none_of_the_venues_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="BAD_URL"):
        plan(None, None, [text])


def test_a_venue_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadInput, match="NO_SUCH_VENUE"):
        plan(["kraken"], None, None)


def test_one_venue_is_that_of_the_file_or_must_be_named(tmp_path: Path) -> None:
    assert one_target(plan(None, None, None, file(tmp_path, "[venues.bybit]\n"))).venue == "bybit"
    with pytest.raises(BadInput, match="WHICH_VENUE"):
        one_target(plan(None, None, None))


def test_what_the_file_sets_of_the_guards_holds_and_the_usual_ones_hold_for_the_rest(tmp_path: Path) -> None:
    guards = plan(None, None, None, file(tmp_path, "[guards]\nmax_order_notional = 50\n")).guards
    assert (guards.max_order_notional, guards.price_collar) == (Decimal(50), CAUTIOUS.price_collar)
    assert guards.max_position_notional == CAUTIOUS.max_position_notional


def test_a_key_comes_from_where_the_file_says_and_its_lack_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BYBIT_API_KEY", raising=False)
    made = plan(["bybit"], "live", None)
    assert made.keys_from(made.targets[0]) == "environment"
    with pytest.raises(BadInput, match="BYBIT_API_KEY"):
        made.keys(made.targets[0])
    path = file(tmp_path, '[keys]\nsource = "file"\nfile = "keys.toml"\n')
    assert plan(["bybit"], "live", None, path).keys_from(made.targets[0]) == f"file {tmp_path / 'keys.toml'}"
