"""The tables of docs/command-line.md, read off the commands themselves.

`python -m tests.docs.command_line` writes the page anew; tests/docs/test_command_line.py fails while it is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from perpwire.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "command-line.md"
BEGIN, END = "<!-- verbs: written by tests/docs/command_line.py -->", "<!-- end of verbs -->"

SHARED = ("--venue", "--env", "--url", "--config", "--json", "--yes", "--ask", "--dry-run", "--help")
"""Told once, above the table."""


def commands() -> Iterator[tuple[str, Any]]:
    """Every verb with its name, such as "order place"; groups are not verbs."""
    yield from _below(typer.main.get_command(app), ())


def _below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            yield from _below(one, (*path, name))
    else:
        yield " ".join(path), command


def words(text: str | None) -> str:
    """Without markup, on one line."""
    plain = re.sub(r"\[/?[a-z ]*\](?!\()", "", text or "").replace("\\[", "[")
    return " ".join(plain.split()).replace("|", "\\|")


def option_of(param: Any) -> str:
    if param.param_type_name == "argument":
        name = str(param.metavar or param.name.upper()).strip("[]")
        name = name.replace("|", "\\|")
        return name if param.required else f"[{name}]"
    return ", ".join(param.opts)


def part() -> str:
    """What stands between BEGIN and END."""
    lines = ["| verb | does | beside the shared options |", "|---|---|---|"]
    for name, command in commands():
        own = [
            f"`{option_of(param)}` {words(param.help)}"
            for param in command.params
            if not set(SHARED) & set(param.opts) and not param.hidden
        ]
        lines.append(f"| `perpwire {name}` | {words(command.help)} | {'<br>'.join(own)} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with its tables anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{part()}\n\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
