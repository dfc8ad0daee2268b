"""The tables in docs/configuration.md and docs/alerts.md, made from the code: python -m tests.docs.settings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from perpwire.config import described
from perpwire.config.described import Setting
from perpwire.config.loading import shown
from perpwire.notification.rules_file import KINDS, AlertSettings

DOCS = Path(__file__).parents[2] / "docs"


def settings() -> str:
    # Each venue has the same.
    return table([one for one in described.known() if one.path[0] != "venues" or one.path[1] == "bybit"])


def alert_settings() -> str:
    return table(described.known(AlertSettings, ("alerts",)), has_variables=False)


def table(rows: Sequence[Setting], *, has_variables: bool = True) -> str:
    columns = ["setting", "default", *(["variable"] if has_variables else []), "what it means"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for one in rows:
        default = shown(one, one.default)
        cells = [f"`{one.name}`", f"`{default}`" if default else ""]
        if has_variables:
            cells.append(f"`{one.variable}`" if one.variable else "")
        lines.append(f"| {' | '.join([*cells, one.words])} |")
    return "\n".join(lines)


def kinds() -> str:
    """Every kind of incident, and the first sentence of what its class says of it."""
    lines = ["| kind | what happened |", "|---|---|"]
    for name, kind in KINDS.items():
        said = " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())
        lines.append(f"| `{name}` | {re.split(r'(?<=[.]) ', said)[0]} |")
    return "\n".join(lines)


TABLES: Sequence[tuple[Path, str, Callable[[], str]]] = (
    (DOCS / "configuration.md", "settings", settings),
    (DOCS / "alerts.md", "settings", alert_settings),
    (DOCS / "alerts.md", "kinds", kinds),
)
"""Page, name of its marks, and what stands between them."""


def written(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, rest = page.split(begin, 1)
    return f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}"


if __name__ == "__main__":
    for file, name, make in TABLES:
        file.write_text(written(file.read_text(encoding="utf-8"), name, make()), encoding="utf-8")
