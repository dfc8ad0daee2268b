"""The simulation as the command runs it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import msgspec
import pytest
from tests.simulator.recordings import common

from perpwire.clock import ManualClock
from perpwire.simulator.faults import Answer, Cut
from perpwire.simulator.options import read_accounts, read_faults, setup_options
from perpwire.simulator.serve import serve
from perpwire.simulator.simulation import Setup, build_hosts
from perpwire.simulator.store import Store
from perpwire.venues import VENUES


@pytest.fixture(autouse=True)
def _only_echo(_echo_venue: None) -> Iterator[None]:
    before = dict(VENUES)
    for name in before.keys() - {"echo"}:
        del VENUES[name]
    yield
    VENUES.clear()
    VENUES.update(before)  # in their order


async def test_it_serves_until_cancelled_and_ends_within_two_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "accounts.json").write_text('[{"name": "main", "api_key": "k", "cash": "12.5"}]')
    (tmp_path / "faults.json").write_text('{"echo": [{"kind": "answer", "path": "/echo/time", "status": 429}]}')
    ready: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(
        serve(
            on_ready=ready.put_nowait,
            **setup_options(
                {
                    "venues": ("echo",),
                    "accounts": tmp_path / "accounts.json",
                    "faults": tmp_path / "faults.json",
                    "replay": common().write(tmp_path),
                    "seed": 3,
                    "speed": 2.0,
                }
            ),
        )
    )
    urls = await asyncio.wait_for(ready.get(), 5)
    assert list(urls) == ["echo"]
    async with aiohttp.ClientSession(urls["echo"]) as client:
        state = await (await client.get("/sim/state")).json()
        assert state["accounts"]["main"]["wallet"] == {"USDT": "12.5"}
        assert state["markets"]["BTCUSDT"]["update_id"] == 10  # of the recording
        assert [(await client.get("/echo/time")).status for _ in range(2)] == [429, 200]
        socket = await client.ws_connect("/echo/ws")
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 2
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        await socket.close()
    assert capsys.readouterr().out == ""


def test_accounts_are_read_exactly_and_must_differ(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps([{"name": "a", "api_key": "1", "cash": "0.1"}, {"name": "b", "api_key": "2"}]))
    first, second = read_accounts(path)
    assert (first.cash, second.cash, second.secret_key) == (Decimal("0.1"), Decimal(100000), "sim-secret")
    for text, message in (
        ('[{"name":"a","api_key":"1"},{"name":"a","api_key":"2"}]', "the same name"),
        ('[{"name":"a","api_key":"1"},{"name":"b","api_key":"1"}]', "the same api_key"),
        ("[]", "no account"),
        ("{", "accounts.json"),
        ('[{"cash": "many"}]', "accounts.json"),
        ('[{"cash": "NaN"}]', r"accounts\.json.*cash NaN"),
        ('[{"cash": "Infinity"}]', r"accounts\.json.*cash"),
        ('[{"cash": "-1"}]', r"accounts\.json.*cash"),
        ('[{"cash": "1E+15"}]', r"accounts\.json.*cash"),
        ('[{"cash": "0.000000001"}]', r"accounts\.json.*decimals"),
        ('[{"asset": "BTC"}]', r"accounts\.json.*USDT"),
        ('[{"money": "5"}]', r"accounts\.json.*money"),
        ("[" * 5000, r"accounts\.json"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_accounts(path)


def test_faults_are_read_for_one_venue(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text('[{"kind":"cut","after_s":3},{"kind":"answer","status":500}]')
    assert read_faults(path, "binance") == [Cut(after_s=3), Answer(status=500)]
    path.write_text('{"binnance":[{"kind":"cut"}]}')
    with pytest.raises(ValueError, match=r"faults\.json.*binnance"):
        read_faults(path, "binance")
    path.write_text('[{"kind":"cut","when":3}]')
    with pytest.raises(ValueError, match=r"faults\.json.*when"):
        read_faults(path, "binance")


@pytest.mark.parametrize(
    ("what", "value"),
    [(what, value) for what in ("rate", "latency_s") for value in (float("nan"), float("inf"), -1.0)]
    + [("rate", 100_001.0), ("rate", 1e-300)],
)
def test_a_pace_that_no_market_has_is_refused(what: str, value: float, clock: ManualClock) -> None:
    setup = msgspec.structs.replace(Setup(venues=("echo",)), **{what: value})
    with pytest.raises(ValueError, match=what.removesuffix("_s")):
        build_hosts(setup, clock)


@pytest.mark.slow
async def test_it_ends_when_its_state_cannot_be_saved_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(serve(on_ready=ready.put_nowait, venues=("echo",), state=tmp_path / "state"))
    await asyncio.wait_for(ready.get(), 5)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "_write", full)
    with pytest.raises(OSError, match="state: database or disk is full"):
        await asyncio.wait_for(task, 5)  # the mark price's next second is not saved
