"""Settings from a file and the environment: what is said holds, what is misspelt is refused by name."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from perpwire.config import described
from perpwire.config.example import example
from perpwire.config.loading import Loaded, explained, load
from perpwire.config.secret import Secret
from perpwire.errors import BadInput
from perpwire.notification.rules_file import AlertSettings


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "perpwire.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def loaded(folder: Path, text: str, **environ: str) -> Loaded:
    return load(written(folder, text), environ)


def test_without_a_file_no_venue_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None, {"XDG_CONFIG_HOME": str(tmp_path)})
    assert found.file is None
    assert found.settings.env == "sim"
    assert found.settings.names() == ("binance", "bybit")
    assert found.settings.venue("bybit").symbols == ("BTCUSDT",)


def test_a_file_is_found_here_then_where_the_variable_says_then_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here, named = tmp_path / "home/perpwire", tmp_path / "here", tmp_path / "named"
    for folder, port in ((home, 1), (here, 2), (named, 3)):
        folder.mkdir(parents=True)
        written(folder, f"page.port = {port}")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "home")}
    monkeypatch.chdir(named)
    (named / "perpwire.toml").rename(named / "other.toml")
    assert load(None, environ).settings.page.port == 1
    monkeypatch.chdir(here)
    assert load(None, environ).settings.page.port == 2
    variable = {**environ, "PERPWIRE_CONFIG": str(named / "other.toml")}
    assert load(None, variable).settings.page.port == 3
    assert load(here / "perpwire.toml", variable).settings.page.port == 2


def test_numbers_of_money_are_exact(tmp_path: Path) -> None:
    guards = loaded(
        tmp_path, "[guards]\nmax_order_notional = 0.1\nprice_collar = 0.05000000000000000000001"
    ).settings.guards
    assert guards.max_order_notional == Decimal("0.1")
    assert guards.price_collar == Decimal("0.05000000000000000000001")


def test_a_variable_has_the_last_word_and_says_so(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        'env = "testnet"\n[page]\nport = 1\n[venues.bybit]\nsymbols = ["BTCUSDT"]',
        PERPWIRE_PAGE_PORT="2",
        PERPWIRE_VENUES_BYBIT_SYMBOLS="ETHUSDT, SOLUSDT",
        PERPWIRE_ORDERS_JOURNAL="off",
        PERPWIRE_GUARDS_MAX_ORDER_NOTIONAL="12.5",
    )
    assert found.settings.page.port == 2
    assert found.settings.venues["bybit"].symbols == ("ETHUSDT", "SOLUSDT")
    assert found.settings.orders.journal is False
    assert found.settings.guards.max_order_notional == Decimal("12.5")
    origins = {row.name: row.origin for row in explained(found)}
    assert origins["env"] == "perpwire.toml"
    assert origins["page.port"] == "PERPWIRE_PAGE_PORT"
    assert origins["page.host"] == "default"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("page.prot = 1", "page.prot is not known: did you mean 'port'?"),
        (
            "guards.max_order_notionall = 1",
            "guards.max_order_notionall is not known: did you mean 'max_order_notional'?",
        ),
        ("streams.copys = 2", "streams.copys is not known: did you mean 'copies'?"),
        ("venues.kraken.symbols = []", "venues.kraken is not known: there are binance, bybit"),
        ("page.port = 'x'", "page.port: Expected `int`, got `str`"),
        ("page.port = 70000", "page: port must be from 0 to 65535"),
        ("page = 3", "page: Expected `object`, got `int`"),
        ("page.token = 'short'", "page: token must have 16 characters or more"),
        ("guards.max_orders = 0", "guards: max_orders must be 1 or more, not 0"),
        (
            "venues.bybit.streams = ['x']",
            "venues.bybit.streams[0]: Invalid enum value 'x'; there are 'trades', 'quotes',",
        ),
        ("venues.bybit = 3", "venues.bybit: Expected `object`, got `int`"),
        ("logs.file = 3", "logs.file: Expected a text in quotation marks"),
        ("env = 'production'", "env: Invalid enum value 'production'; there are 'live', 'testnet', 'demo', 'sim'"),
        (
            "venues.bybit.env = 'x'",
            "venues.bybit.env: Invalid enum value 'x'; there are 'live', 'testnet', 'demo', 'sim'",
        ),
        ("env = ", "can't be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        loaded(tmp_path, text)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PERPWIRE_PAGE_PROT", "1", "PERPWIRE_PAGE_PROT sets nothing: did you mean PERPWIRE_PAGE_PORT?"),
        ("PERPWIRE_PAGE_PORT", "x", "PERPWIRE_PAGE_PORT: page.port: Expected `int`"),
        ("PERPWIRE_ORDERS_JOURNAL", "maybe", "PERPWIRE_ORDERS_JOURNAL must be true or false"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(tmp_path: Path, variable: str, value: str, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        loaded(tmp_path, "", **{variable: value})


@pytest.mark.parametrize(
    "text", ["[page]\ntoken = '0123456789abcdef'", "[alerts.sinks.phone]\nurls = ['tgram://TOKEN/CHAT']"]
)
def test_a_file_with_secrets_must_be_closed_to_others(tmp_path: Path, text: str) -> None:
    assert load(written(tmp_path, text), {}).settings
    with pytest.raises(BadInput, match="open to others") as error:
        load(written(tmp_path, text, 0o644), {})
    assert "chmod 600" in error.value.advice
    assert load(written(tmp_path, "env = 'sim'", 0o644), {}).settings.env == "sim"


def test_a_missing_file_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        load(tmp_path / "none.toml", {})


def test_paths_are_the_files_own(tmp_path: Path) -> None:
    found = loaded(tmp_path, "[logs]\nfile = 'perpwire.log'", PERPWIRE_STATE_DIR="/x/y").settings
    assert found.logs.file == tmp_path / "perpwire.log"
    assert found.state_dir == Path("/x/y")


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    found = loaded(tmp_path, "[page]\ntoken = 'canary-canary-canary'\n[alerts]\nurls = ['json://canary-host']")
    shown = f"{found} {found.settings!r} {found.settings.page!r} {explained(found)}"
    assert "canary" not in shown
    assert found.settings.page.token.reveal() == "canary-canary-canary"
    assert (Secret("a"), bool(Secret())) == (Secret("a"), False)


def test_every_setting_is_explained() -> None:
    for setting in (*described.known(), *described.known(AlertSettings, ("alerts",))):
        assert setting.words.endswith("."), setting.name
    assert len({one.variable for one in described.known()} - {None}) == sum(
        one.variable is not None for one in described.known()
    )


def test_the_example_says_what_holds_anyway(tmp_path: Path) -> None:
    plain = load(written(tmp_path, example()), {}).settings
    text = re.sub(
        r"(?m)^# (\[?[\w.]+\]?( = .+)?)$",
        lambda match: match[1] if "=" in match[0] or "[" in match[0] else "",
        example(),
    )
    assert text.count("\ncopies = 1\n") == 1
    uncommented = load(written(tmp_path, text), {}).settings
    for name in plain.__struct_fields__:
        if name != "state_dir":
            assert getattr(plain, name) == getattr(uncommented, name), name
    assert plain.venue("binance").symbols == ("BTCUSDT",)


def test_a_state_folder_that_can_not_be_made_is_told_by_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"state_dir .* can't be made"):
        loaded(tmp_path, "state_dir = 'file/state'").settings.state_file("x")


def test_the_state_folder_is_made_closed(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "state_dir = 'state'").settings
    assert settings.state_file("alerts.jsonl") == tmp_path / "state/alerts.jsonl"
    assert os.stat(tmp_path / "state").st_mode & 0o077 == 0
