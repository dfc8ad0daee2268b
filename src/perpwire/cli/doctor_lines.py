"""The checks of `perpwire doctor` on a screen or a pipe: each on a line as soon as it is done."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.text import Text

from perpwire.cli.checks import Check, Mark
from perpwire.cli.connecting import Target
from perpwire.cli.running import errors

STYLES = {Mark.OK: "green", Mark.WARNING: "yellow", Mark.WRONG: "bold red", Mark.SKIPPED: "dim"}
WIDTH = max(map(len, Mark))
NAME_WIDTH = 18


class Lines:
    """Prints what it is told, under the name of each venue, and a sum at the end."""

    def __init__(self, console: Console, *, is_silent: bool) -> None:
        self._console = console
        self._is_silent = is_silent
        self._target: Target | None = None
        self._marks: Counter[Mark] = Counter()
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if not self._is_silent and self._console.is_terminal and errors.is_terminal:
            self._status = Status("checking", console=errors)
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()
        if kind is None and not self._is_silent:
            counts = ", ".join(f"{self._marks[mark]} {mark}" for mark in Mark if self._marks[mark])
            self._console.print(Text(f"\n{counts}", style="bold"), highlight=False)

    def tell(self, target: Target, address: str, check: Check) -> None:
        self._marks[check.mark] += 1
        if self._is_silent:
            return
        if target != self._target:
            self._target = target
            what = f"{target.venue}, environment {target.env.upper()}: "
            where = "an embedded exchange of this command's own" if target.is_fleeting else address
            self._console.print(Text(f"\n{what}{where}", style="bold"), highlight=False, soft_wrap=True)
        mark = Text(f"{check.mark:<{WIDTH}}", style=STYLES[check.mark])
        line = Text.assemble(mark, "  ", (f"{check.name:<{NAME_WIDTH}}", "bold"), "  ", check.found)
        self._console.print(line, highlight=False, soft_wrap=not self._console.is_terminal)
        if check.mend and check.mark is not Mark.OK:
            mend = Text.assemble(("to mend: ", "italic"), check.mend)
            indent = WIDTH + 2
            if self._console.is_terminal:
                self._console.print(Padding(mend, (0, 0, 0, indent)), highlight=False)
            else:
                self._console.print(Text(" " * indent) + mend, highlight=False, soft_wrap=True)
