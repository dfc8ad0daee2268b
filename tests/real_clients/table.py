"""The table of checks in docs/faithfulness.md, made of the tests that pytest finds here.

`python -m tests.real_clients.table` writes it anew; tests/docs/test_faithfulness.py fails while it is out of date.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faithfulness.md"
BEGIN, END = "<!-- checks: written by tests/real_clients/table.py -->", "<!-- end of checks -->"

CLIENTS = {
    # A file's name begins with: the client, its distribution, its venue ("" where a test's case tells).
    "test_ccxt_pro_bybit": ("ccxt.pro", "ccxt", "Bybit"),
    "test_ccxt_pro": ("ccxt.pro", "ccxt", ""),
    "test_ccxt": ("ccxt", "ccxt", ""),
    "test_python_binance": ("python-binance", "python-binance", "Binance"),
    "test_binance_sdk": ("Binance's SDK", "binance-sdk-derivatives-trading-usds-futures", "Binance"),
    "test_pybit": ("pybit", "pybit", "Bybit"),
}

OF_PERPWIRE = "test_same_requests"
"""What is checked there is perpwire, not the embedded exchange."""

NODE = re.compile(r"tests/real_clients/(\w+)\.py::(\w+)(?:\[(.*)\])?$")

Check = tuple[str, str, str, str]
"""Client, its distribution, venue, what is checked."""


def found() -> list[str]:
    """The tests' names, as pytest collects them."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=--import-mode=importlib",
         "-p", "no:cacheprovider", "tests/real_clients"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if "::" in line and OF_PERPWIRE not in line]


def checks(names: list[str]) -> dict[Check, list[str]]:
    """Each check with its cases."""
    table: dict[Check, list[str]] = defaultdict(list)
    for name in names:
        match = NODE.match(name)
        assert match, name
        file, test, case = match.groups()
        client, distribution, venue = next(row for start, row in CLIENTS.items() if file.startswith(start))
        if not venue:
            venue = "Bybit" if "bybit" in (case or test) else "Binance"
            case = re.sub(r"^(?:busy_)?(?:binance|bybit)-?", "", case or "")
        table[client, distribution, venue, test.removeprefix("test_").replace("_", " ")].append(case or "")
    return table


def page_part(names: list[str]) -> str:
    """The tables, in Markdown: how many checks of each client and venue, and each check with its cases."""
    table = checks(names)
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for (client, distribution, venue, _), cases in table.items():
        totals[client, distribution, venue] += len(cases)
    lines = [
        f"{sum(totals.values())} checks. A check that has several cases counts as many.", "",
        "| client | version | venue | checks |", "|---|---|---|---|",
    ]  # fmt: skip
    for (client, distribution, venue), total in totals.items():
        lines.append(f"| {client} | {version(distribution)} | {venue} | {total} |")
    for client, distribution, venue in totals:
        lines += ["", f"### {client} at {venue}", "", "| check | cases | |", "|---|---|---|"]
        for check, cases in table.items():
            if check[:3] == (client, distribution, venue):
                named = ", ".join(f"`{case}`" for case in cases if case)
                lines.append(f"| {check[3]} | {len(cases)} | {named} |")
    return "\n".join(lines)


def written(page: str, part: str) -> str:
    """The page with this part in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{part}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), page_part(found())))
