"""A question at the terminal: its answer, what is shown of it, a Ctrl-C in the worst moment, the end of the input."""

from __future__ import annotations

import pytest
from tests.cli.terminal import CTRL_C, Terminal

pytestmark = pytest.mark.slow

END_OF_INPUT = "\x04"

ASKING = """
import sys
from perpwire.cli.questions import ask, unseen
try:
    if sys.argv[1:] == ["hidden"]:
        with unseen():
            said = [ask("Well? ", hidden=True), ask("And? ", hidden=True)]
    else:
        said = [ask("Well? ")]
    print("answers:", sorted("".join(said)))
except BaseException as error:
    print(type(error).__name__)
"""

IN_ANOTHER_THREAD = """
import signal, sys, threading
asked = threading.Event()
class Screen:
    def write(self, text): pass
    def flush(self): asked.set()
sys.stderr = Screen()
def interrupt():
    asked.wait()
    signal.raise_signal(signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
"""
"""The kernel gives the signal to a thread that does not ask: what waits for the terminal is not interrupted by it, as
little as by one that came just before it began to wait."""


def asking(*arguments: str, before: str = "") -> Terminal:
    return Terminal(*arguments, program=("-c", before + ASKING))


def test_an_answer_is_shown_while_it_is_typed() -> None:
    with asking() as terminal:
        terminal.until("Well? ")
        terminal.type("cab\r")
        assert terminal.finish() == 0
        assert terminal.text == "Well? cab\nanswers: ['a', 'b', 'c']\n"


def test_a_secret_is_not_shown_also_where_two_are_pasted_at_once() -> None:
    with asking("hidden") as terminal:
        terminal.until("Well? ")
        terminal.type("cab\rfed\r")
        assert terminal.finish() == 0
        assert terminal.text.replace("\n", "") == "Well? And? answers: ['a', 'b', 'c', 'd', 'e', 'f']"


@pytest.mark.parametrize("key", [CTRL_C, END_OF_INPUT])
@pytest.mark.parametrize("how", ["plain", "hidden"])
def test_ctrl_c_and_the_end_of_the_input_abort(key: str, how: str) -> None:
    with asking(how) as terminal:
        terminal.until("Well? ")
        terminal.type(key)
        assert terminal.finish() == 0
        assert terminal.text.replace("^C", "") == "Well? \nAbort\n"


def test_a_ctrl_c_that_interrupts_no_wait_is_not_lost() -> None:
    with asking(before=IN_ANOTHER_THREAD) as terminal:
        assert terminal.finish() == 0
        assert "Abort" in terminal.text
