"""The table of settings in docs/configuration.md, made from the code: python -m tests.docs.settings."""

from __future__ import annotations

from pathlib import Path

from perpwire.config import described
from perpwire.config.loading import shown

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"


def table() -> str:
    lines = ["| setting | default | variable | what it means |", "|---|---|---|---|"]
    for one in described.known():
        if one.path[0] == "venues" and one.path[1] != "bybit":
            continue  # each venue has the same
        default = shown(one, one.default)
        variable = f"`{one.variable}`" if one.variable else ""
        lines.append(f"| `{one.name}` | {f'`{default}`' if default else ''} | {variable} | {one.words} |")
    return "\n".join(lines)


def written(page: str) -> str:
    head, rest = page.split(BEGIN, 1)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
