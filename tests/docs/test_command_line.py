"""The command line tells of itself: help pages, the page of the documentation, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import typer
from tests.docs.command_line import PAGE, commands, page

from perpwire.cli.main import app
from perpwire.venues import VENUES

VERBS = dict(commands())


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "out of date: python -m tests.docs.command_line"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_and_every_parameter_of_it_says_what_it_is(name: str) -> None:
    command: Any = VERBS[name]
    assert command.help
    assert command.help.strip().endswith((".", ")"))
    for param in command.params:
        assert param.help, f"{name}: {param.name} has no help"
        assert len(param.help) > 8


def test_the_verbs_of_the_design_are_there() -> None:
    wanted = {
        "demo", "sim", "doctor", "watch", "account", "positions", "orders", "order place", "order amend",
        "order cancel", "order show", "close", "config check",
    }  # fmt: skip
    assert wanted <= set(VERBS)


def test_every_verb_that_prints_takes_json() -> None:
    prints_no_rows = {"sim", "replay"}  # JSON as it is
    without = {name for name, command in VERBS.items() if "--json" not in [o for p in command.params for o in p.opts]}
    assert without - prints_no_rows <= {"config init", "keys store", "keys forget", "serve"}


def test_the_help_page_names_every_exit_code() -> None:
    group: Any = typer.main.get_command(app)
    for words in ("0 done", "1 it failed", "2 mistaken words", "3 what became of an order", "130 interrupted"):
        assert words in group.epilog


def complete(*words: str) -> list[str]:
    """What the shell is offered for the last of `words`."""
    program = "import sys; sys.argv[0] = 'perpwire'; from perpwire.cli.entry import main; main()"
    line = " ".join(("perpwire", *words))
    asked = {"_PERPWIRE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **asked}, capture_output=True, text=True, timeout=30
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("posi",), ["positions"]),
        (("order", "pl"), ["place"]),
        (("watch", "--venue", "b"), list(VENUES)),
        (("account", "--env", "te"), ["testnet"]),
        (("order", "place", "BTCUSDT", "s"), ["sell"]),
        (("order", "place", "BTCUSDT", "B"), ["BUY"]),
        (("order", "place", "BTCUSDT", "sell", "1", "--type", "take"), ["take_profit", "take_profit_market"]),
    ],
)
def test_the_shell_completes_verbs_venues_environments_and_words(words: tuple[str, ...], offered: list[str]) -> None:
    assert complete(*words) == offered
