"""Signals at every stage of a command: it ends soon, with the exit code of its help page, and without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
import typer

from perpwire.cli.interrupts import INTERRUPTED, raising
from perpwire.cli.running import run

SWALLOWED = """
import os, signal, sys

def hook(event, args):
    if event == "import" and args[0] == module:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(10): pass
        except BaseException:
            pass  # as callbacks of weak references, hasattr() in C and some modules do

module = sys.argv.pop(1)
sys.addaudithook(hook)
from perpwire.cli.entry import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("module", ["typer", "perpwire.cli.connecting", "perpwire.cli.watch"])
def test_ctrl_c_while_something_is_imported_is_not_lost_in_it(module: str) -> None:
    words = [sys.executable, "-c", SWALLOWED, module, "watch", "BTCUSDT", "--seconds", "0.1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "")


def code_of(work: Callable[[], None], ended_by_signal: int = INTERRUPTED) -> int:
    """What `run` ends with where `work` is done in the event loop, before it waits for ever."""

    async def main() -> None:
        work()
        await asyncio.Event().wait()

    with pytest.raises(typer.Exit) as ended:
        run(main(), ended_by_signal=ended_by_signal)
    return ended.value.exit_code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_loop_runs_cancels_what_runs(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    assert code_of(lambda: os.kill(os.getpid(), number)) == INTERRUPTED
    assert code_of(lambda: os.kill(os.getpid(), number), ended_by_signal=0) == 0
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_sigterm_does_not_interrupt_what_is_being_closed_and_a_second_ctrl_c_does() -> None:
    closed: list[str] = []

    async def main(second: signal.Signals) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), second)
            await asyncio.sleep(0.05)
            closed.append(second.name)

    for second in (signal.SIGTERM, signal.SIGINT):
        with pytest.raises(typer.Exit) as ended:
            run(main(second))
        assert ended.value.exit_code == INTERRUPTED
    assert closed == ["SIGTERM"]


def test_where_there_is_something_to_put_in_order_ctrl_c_is_an_exception_of_python() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), raising():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
