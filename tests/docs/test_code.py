"""Python of the pages that are not programs of their own runs as it stands, with an exchange behind it."""

from __future__ import annotations

import re
import textwrap
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import perpwire
from perpwire import BinanceFuturesConnector, BybitConnector
from perpwire.simulator.server import running

ROOT = Path(__file__).resolve().parents[2]


def blocks(name: str) -> list[str]:
    found: list[str] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / name).read_text(encoding="utf-8"), re.DOTALL)
    return found


async def run(code: str, **names: Any) -> None:
    """With every public name at hand."""
    public = {name: getattr(perpwire, name) for name in perpwire.__all__}
    space: dict[str, Any] = {**public, "Path": Path, **names}
    exec(f"async def block():\n{textwrap.indent(code, '    ')}", space)
    await space["block"]()


@pytest.mark.slow
async def test_both_ways_to_choose_a_road_are_as_the_page_says() -> None:
    (code,) = blocks("roads.md")
    placed = []

    class Connector(BinanceFuturesConnector):
        async def place_order(self, *arguments: Any, **options: Any) -> Any:
            placed.append(await super().place_order(*arguments, **options))
            return placed[-1]

    async with running(venues=["binance"]) as exchange:

        def connector(key: str, secret: str, **options: Any) -> BinanceFuturesConnector:
            return Connector(key, secret, url=exchange.urls["binance"], **options)

        await run(code, BinanceFuturesConnector=connector, key="sim-key", secret="sim-secret")
    assert [order.status for order in placed] == ["FILLED"]


@pytest.mark.slow
async def test_the_guards_of_the_page_refuse_what_it_says() -> None:
    (code,) = blocks("brakes.md")
    refused = []

    def told(incident: perpwire.Incident) -> None:
        if isinstance(incident, perpwire.GuardTripped):
            refused.append(incident.guard)

    async with running(venues=["bybit"]) as exchange:

        def connector(key: str, secret: str, **options: Any) -> BybitConnector:
            made = BybitConnector(key, secret, url=exchange.urls["bybit"], **options)
            made.on_incident(told)
            return made

        await run(code, BybitConnector=connector, Decimal=Decimal, key="sim-key", secret="sim-secret")
    assert refused == ["max_order_notional"]


def test_the_ways_to_give_a_key_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("keys-and-hosts.md")
    keys = tmp_path / "keys.toml"
    keys.write_text('[bybit.live]\napi_key = "k"\napi_secret = "s"\n')
    keys.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BINANCE_TESTNET_API_KEY", "k")
    monkeypatch.setenv("BINANCE_TESTNET_API_SECRET", "s")
    lines = [line for line in code.splitlines() if "ed25519.pem" not in line]
    assert len(lines) == 4
    space = {"Credentials": perpwire.Credentials, "BinanceFuturesConnector": BinanceFuturesConnector}
    for line in lines:
        eval(line.partition("#")[0].replace("credentials=...", 'credentials=Credentials("k", "s")'), space)
