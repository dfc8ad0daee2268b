"""Every example and every Python block of the READMEs runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
READMES = ["README.md", "README.ko.md"]

SAID = {
    "guards": ("not sent: MAX_ORDER_NOTIONAL", "1 order cancelled", "open positions: ()"),
    "history": ("['FILLED', 'FILLED', 'FILLED'] and more", "2400 candles"),
    "journal_and_restart": ("in doubt: ['pw-", "it was placed: pw-", "not placed: () still unknown: ()"),
    "lost_answer": ("OrderDoubtful", "OrderResolved", "placed: FILLED 0.01"),
    "many_orders": ("0.01 at", "0.00001 BadInput QUANTITY_OFF_STEP", "CANCELED", "2 more cancelled, 0 left"),
    "own_call": ("BTCUSDT long 0.", "-4028"),
    "protect_a_position": ("binance FILLED", "algo-", "bybit FILLED", "STOP_MARKET UNTRIGGERED 63360"),
    "stream_two_venues": ("binance", "bybit"),
    "trade_offline": ("filled 0.01", "FILLED"),
}
"""What a program prints, among other things."""


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_is_short(path: Path) -> None:
    is_program = "__main__" in path.read_text()
    printed = run(str(path)) if is_program else run("-m", "pytest", "-p", "no:cacheprovider", str(path))
    assert is_program or "1 passed" in printed or "100%" in printed
    assert [said for said in SAID.get(path.stem, ()) if said not in printed] == []
    assert len(path.read_text().splitlines()) <= 40


def test_of_every_program_it_is_known_what_it_prints() -> None:
    assert {path.stem for path in EXAMPLES if "def test_" not in path.read_text()} == set(SAID)


@pytest.mark.slow
@pytest.mark.parametrize("name", READMES)
def test_the_readmes_code_trades(name: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    printed = run("-c", code)
    assert "0.01" in printed
    assert "FILLED" in printed


def test_both_readmes_say_the_same_commands_and_code() -> None:
    def commands(name: str) -> list[str]:
        text = (ROOT / name).read_text()
        return re.findall(r"^(?:perpwire \w+|make \w+)", text, re.MULTILINE)

    assert commands("README.md") == commands("README.ko.md")
    assert len(commands("README.md")) == 12
