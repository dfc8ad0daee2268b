"""Where the command begins: Ctrl-C ends it quietly at any moment, and mistakes of usage are told in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import typer

from perpwire.cli import entry
from perpwire.cli.interrupts import INTERRUPTED
from perpwire.cli.running import MISTAKEN


def code_of(monkeypatch: pytest.MonkeyPatch, raised: BaseException | None) -> Any:
    """What the process ends with where the app raises, or gives, something."""

    def app(**options: Any) -> int:
        if raised is not None:
            raise raised
        return 0

    monkeypatch.setattr("perpwire.cli.main.app", app)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    return ended.value.code


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), typer.Abort()])
def test_ctrl_c_before_anything_runs_and_at_a_question_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException
) -> None:
    assert code_of(monkeypatch, raised) == INTERRUPTED
    assert capsys.readouterr().err == ""


def test_a_mistake_of_usage_is_one_line_with_the_way_to_the_help_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(monkeypatch, typer.BadParameter("no such\nthing [x]")) == MISTAKEN
    assert capsys.readouterr().err == "error: Invalid value: no such thing [x]; see perpwire --help\n"


def test_for_programs_a_mistake_of_usage_is_an_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["perpwire", "account", "--json", "--venue", "nope"])
    assert code_of(monkeypatch, typer.BadParameter("no venue 'nope'")) == MISTAKEN
    assert json.loads(capsys.readouterr().err) == {
        "error": "BadParameter", "reason": "Invalid value: no venue 'nope'", "advice": "see perpwire --help",
    }  # fmt: skip


def test_without_its_extra_the_command_says_what_to_install() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['typer'] = None; from perpwire.cli.entry import main; main()"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert told.stderr == ("error: typer is not installed; the command line needs it: pip install 'perpwire[cli]'\n")


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perpwire.cli.main.app", lambda **_: 1 / 0)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(ZeroDivisionError):
        entry.main()


def test_what_the_verb_ends_with_is_what_the_process_ends_with(monkeypatch: pytest.MonkeyPatch) -> None:
    assert code_of(monkeypatch, None) == 0
