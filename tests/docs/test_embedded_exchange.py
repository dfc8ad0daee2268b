"""Every block of docs/embedded-exchange.md runs as it stands, against an exchange at the ports that it names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perpwire.cli.main import app
from perpwire.pytest_plugin import ExchangeFactory
from perpwire.simulator.options import read_accounts_and_symbols
from perpwire.threaded import ThreadedExchange

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "embedded-exchange.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PROGRAMS = [block for block in BLOCKS if "def test_" not in block]
TESTS = [block for block in BLOCKS if "def test_" in block]


def title(block: str) -> str:
    """The first word that tells blocks apart."""
    found: list[str] = re.findall(r"^(?:import|from) ([\w.]+)", block, re.MULTILINE)
    return next((name for name in found if name not in ("asyncio", "json", "time")), found[0])


@pytest.fixture(scope="module")
def exchange(perpwire_exchange_factory: ExchangeFactory) -> Iterator[ThreadedExchange]:
    with perpwire_exchange_factory(seed=7) as exchange:
        yield exchange


@pytest.mark.slow
@pytest.mark.parametrize("block", PROGRAMS, ids=[f"{number}-{title(block)}" for number, block in enumerate(PROGRAMS)])
def test_a_program_runs_and_prints(exchange: ThreadedExchange, block: str) -> None:
    for port, url in (("9001", exchange.binance_url), ("9002", exchange.bybit_url)):
        block = block.replace(f"127.0.0.1:{port}", url.removeprefix("http://"))
    done = subprocess.run(
        [sys.executable, "-c", block], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_tests_for_users_pass(tmp_path: Path) -> None:
    (block,) = TESTS
    path = tmp_path / "test_a_bot.py"
    path.write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers", str(path)],
        capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_the_example_of_a_file_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "world.json"
    path.write_text(text)
    accounts, symbols = read_accounts_and_symbols(path)
    assert [one.name for one in accounts] == ["main", "other"]
    assert [one.symbol for one in symbols] == ["DOGEUSDT", "币安人生USDT"]
    fields = set(json.loads(text)["symbols"][1]) | {"symbol", "start_price"}
    assert fields <= {*re.findall(r"`(\w+)`", PAGE), "symbol", "start_price"}


def test_every_flag_of_the_command_is_in_the_table() -> None:
    page = CliRunner().invoke(app, ["sim", "--help"], env={"COLUMNS": "200"}).stdout
    flags = set(re.findall(r"--[a-z][a-z-]+", page)) - {"--help", "--latency-ms"}
    assert len(flags) >= 11
    assert {flag for flag in flags if f"`{flag}" not in PAGE} == set()
