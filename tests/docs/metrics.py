"""The table of metrics in docs/metrics.md, made from the code: python -m tests.docs.metrics."""

from __future__ import annotations

from pathlib import Path

from perpwire.monitoring.prometheus import METRICS

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN, END = "<!-- metrics: begin -->", "<!-- metrics: end -->"


def table() -> str:
    lines = ["| metric | kind | labels | what it is |", "|---|---|---|---|"]
    lines += [f"| `{row.written}` | {row.kind} | {', '.join(row.labels)} | {row.help} |" for row in METRICS.values()]
    return "\n".join(lines)


def written(page: str) -> str:
    head, rest = page.split(BEGIN, 1)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
