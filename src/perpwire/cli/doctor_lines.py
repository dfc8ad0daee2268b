"""The checks of `perpwire doctor` on a screen or a pipe: each on a line as soon as it is done."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from perpwire.cli.checks import Check, Mark
from perpwire.cli.connecting import Target
from perpwire.cli.running import errors

STYLES = {Mark.OK: "green", Mark.WARNING: "yellow", Mark.WRONG: "bold red", Mark.SKIPPED: "dim"}
WIDTH = max(map(len, Mark))
NAME_WIDTH = 18
LEAST_BESIDE = 40
"""Columns of a terminal that must be left for what is told of a check, for it to stand beside its name."""


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
        head = Text.assemble(mark, "  ", (f"{check.name:<{NAME_WIDTH}}", "bold"))
        mends = check.mend and check.mark is not Mark.OK
        told = [Text(check.found), *([Text.assemble(("to mend: ", "italic"), check.mend)] if mends else [])]
        if self._console.is_terminal:
            self._console.print(self._folded(head, told), highlight=False)
            return
        self._console.print(Text("  ").join([head, told[0]]), highlight=False, soft_wrap=True)
        for text in told[1:]:
            self._console.print(Text(" " * (WIDTH + 2)) + text, highlight=False, soft_wrap=True)

    def _folded(self, head: Text, told: list[Text]) -> RenderableType:
        """What is told stands beside the head, and its further lines below it; on a narrow terminal under the head."""
        if self._console.width < head.cell_len + LEAST_BESIDE:
            return Group(head, *(Padding(text, (0, 0, 0, 2)) for text in told))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_row(head, Group(*told))
        return grid
