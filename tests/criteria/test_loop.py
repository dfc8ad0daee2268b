"""LOOP: one connector, whatever loop it runs in; used from another one it says so."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from tests.criteria.tapped import VENUES
from tests.sizes import size

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.errors import BadInput
from perpwire.model.incident import Incident, LoopStalled
from perpwire.threaded import ThreadedExchange
from perpwire.venues import load

SRC = Path(__file__).resolve().parents[2] / "src"

SMOKE = """
import asyncio, threading
from perpwire import BybitConnector, BinanceFuturesConnector
from perpwire.threaded import ThreadedExchange

def ours():
    return {one.name for one in threading.enumerate()} - before

async def smoke(connector):
    async with connector:
        await connector.get_instruments()
        await connector.open_account_stream()
        queue = await connector.watch_book_ticker("BTCUSDT")
        order = await connector.place_order("BTCUSDT", "BUY", "0.01")
        async with asyncio.timeout(20):
            await anext(queue)
        queue.close()
        assert ours() == {"perpwire loop watch"}, ours()
        return order.symbol

def made(exchange):
    return [
        kind(exchange.api_key, exchange.secret_key, url=exchange.urls[venue])
        for kind, venue in ((BinanceFuturesConnector, "binance"), (BybitConnector, "bybit"))
    ]

with ThreadedExchange(rate=20.0) as exchange:
    before = {one.name for one in threading.enumerate()}
    first = made(exchange)  # outside of any loop
    for connector in first:
        {run}
    for connector in first:
        {run}  # a second loop, after it was closed in the first
    for one in threading.enumerate():
        if one.name == "perpwire loop watch":
            one.join(5)
    assert ours() == set(), ours()
print("well")
"""

WAYS = {
    "asyncio.run": 'assert asyncio.run(smoke(connector)) == "BTCUSDT"',
    "runner": 'with asyncio.Runner() as runner: assert runner.run(smoke(connector)) == "BTCUSDT"',
    "uvloop": 'import uvloop; assert uvloop.run(smoke(connector)) == "BTCUSDT"',
    "a loop that goes on": (
        "loop = asyncio.new_event_loop(); "
        'assert loop.run_until_complete(smoke(connector)) == "BTCUSDT"; '
        "loop.run_until_complete(asyncio.sleep(0.3)); loop.close()"
    ),
    "a task beside others": (
        "async def several(): return await asyncio.gather(smoke(connector), asyncio.sleep(0.1))\n"
        '        assert asyncio.run(several())[0] == "BTCUSDT"'
    ),
}

NOTEBOOK = """
from perpwire import BybitConnector, BinanceFuturesConnector
from perpwire.threaded import ThreadedExchange
exchange = ThreadedExchange(rate=20.0)
exchange.__enter__()
{made}
await connector.start()
queue = await connector.watch_book_ticker("BTCUSDT")
price = await anext(queue)
order = await connector.place_order("BTCUSDT", "BUY", "0.01")
await asyncio.sleep(0.2)
queue.close()
await connector.close()
exchange.__exit__(None, None, None)
print("well", price.symbol, order.symbol)
"""

PYTEST = """
import pytest
from perpwire import BybitConnector, BinanceFuturesConnector

@pytest.mark.parametrize("kind", [BinanceFuturesConnector, BybitConnector])
async def test_it(kind, perpwire_exchange):
    venue = "binance" if kind is BinanceFuturesConnector else "bybit"
    exchange = perpwire_exchange
    async with kind(exchange.api_key, exchange.secret_key, url=exchange.urls[venue]) as connector:
        queue = await connector.watch_book_ticker("BTCUSDT")
        assert (await anext(queue)).symbol == "BTCUSDT"
        assert (await connector.place_order("BTCUSDT", "BUY", "0.01")).symbol == "BTCUSDT"
"""

STRICT = ("-X", "dev", "-W", "error")


def _run(*arguments: str, python: str = sys.executable, written: str | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [python, *STRICT, *arguments], env={"PYTHONPATH": str(SRC), "PATH": ""}, input=written,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Error" not in done.stderr, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    assert "never retrieved" not in done.stderr, done.stderr
    return done


def _pythons() -> dict[str, str]:
    """Version -> interpreter, of each that is at hand with what perpwire needs: those named in PERPWIRE_PYTHONS (paths
    with a colon between them), and on the PATH."""
    named = [one for one in os.environ.get("PERPWIRE_PYTHONS", "").split(os.pathsep) if one]
    named += [found for minor in range(11, 15) if (found := shutil.which(f"python3.{minor}"))]
    needs = "import sys, aiohttp, httptools, msgspec, picows, uvloop; print('3.%d' % sys.version_info[1])"
    known: dict[str, str] = {}
    for python in named:
        done = subprocess.run([python, "-c", needs], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            known.setdefault(done.stdout.strip(), python)
    return known


@pytest.mark.slow
@pytest.mark.parametrize("way", list(WAYS)[: size(5, 3)])
def test_loop_1_a_connector_made_outside_of_a_loop_works_in_any_one_after_the_other_and_warns_of_nothing(
    way: str,
) -> None:
    """And makes one thread, that watches over the loop, and is gone with the connector."""
    if way == "uvloop":
        pytest.importorskip("uvloop")
    assert _run("-c", SMOKE.replace("{run}", WAYS[way])).stdout == "well\n"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_loop_1_it_does_so_on_every_python_that_is_at_hand(version: str) -> None:
    python = _pythons().get(version)
    if python is None or version == f"3.{sys.version_info[1]}":
        pytest.skip(f"no other Python {version} with perpwire's dependencies is at hand: name one in PERPWIRE_PYTHONS")
    for way in WAYS.values():
        assert _run("-c", SMOKE.replace("{run}", way), python=python).stdout == "well\n"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["BinanceFuturesConnector", "BybitConnector"])
def test_loop_1_it_works_in_a_loop_that_runs_already_line_by_line_as_in_a_notebook(kind: str) -> None:
    """Python's own shell with `await` at its top does what a notebook's kernel does."""
    venue = "binance" if kind.startswith("Binance") else "bybit"
    made = f'connector = {kind}(exchange.api_key, exchange.secret_key, url=exchange.urls["{venue}"])'
    done = _run("-m", "asyncio", written=NOTEBOOK.replace("{made}", made))
    assert "well BTCUSDT BTCUSDT" in done.stdout


@pytest.mark.slow
def test_loop_1_it_works_under_pytest_asyncio_with_a_loop_for_each_test(tmp_path: Path) -> None:
    pytest.importorskip("pytest_asyncio")
    (tmp_path / "test_smoke.py").write_text(PYTEST)
    done = _run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto",
        "-o", "asyncio_default_fixture_loop_scope=function", str(tmp_path),
    )  # fmt: skip
    assert "2 passed" in done.stdout


@pytest.fixture(scope="module")
def exchange() -> object:
    with ThreadedExchange(rate=20.0) as made:
        yield made


def _connector(exchange: ThreadedExchange, venue: str) -> VenueConnector:
    return VenueConnector(load(venue), exchange.api_key, exchange.secret_key, url=exchange.urls[venue])


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_loop_2_used_from_another_loop_it_names_both_and_sends_nothing(exchange: ThreadedExchange, venue: str) -> None:
    connector = _connector(exchange, venue)
    with asyncio.Runner() as first:
        first.run(connector.start())
        here = first.get_loop()
        for use in _uses(connector):
            with asyncio.Runner() as second, pytest.raises(BadInput) as caught:
                second.run(use())  # type: ignore[arg-type]
            assert caught.value.code == "OTHER_LOOP"
            assert str(caught.value).count("EventLoop") == 2
            assert repr(here) in str(caught.value)
        assert first.run(connector.get_instruments())
        first.run(connector.close())


def _uses(connector: VenueConnector) -> list[Callable[[], object]]:
    return [
        lambda: connector.place_order("BTCUSDT", "BUY", "0.01"),
        lambda: connector.open_book("BTCUSDT"),
        connector.get_open_orders,
        connector.open_account_stream,
        connector.start,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_loop_a_stall_is_told_with_the_line_that_held_the_loop_and_the_watch_ends_with_the_connector(
    exchange: ThreadedExchange, venue: str
) -> None:
    told: list[Incident] = []

    async def main() -> None:
        connector = _connector(exchange, venue)
        connector.on_incident(told.append)
        async with connector:
            await connector.watch_book_ticker("BTCUSDT")
            assert len(_watching()) == 1
            await asyncio.sleep(0.2)
            time.sleep(1.0)  # noqa: ASYNC251 - the culprit
            await asyncio.sleep(0.2)
            assert connector.loop_watch.stalls >= 1
            assert connector.loop_watch.longest_s >= 0.9
            assert all(state.name == "LIVE" for state in connector.states.values())

    asyncio.run(main())
    stalls = [one for one in told if isinstance(one, LoopStalled) and "the culprit" in one.stack]
    assert len(stalls) == 1
    assert stalls[0].stalled_s >= 0.9
    assert "time.sleep(1.0)" in stalls[0].detail
    for thread in _watching():
        thread.join(5)
    assert _watching() == []


def _watching() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "perpwire loop watch"]


def test_loop_the_watch_costs_less_than_a_thousandth_of_a_core() -> None:
    """Twenty beats a second: what one costs, in the loop's thread."""
    from perpwire.api_connector.loop_watch import BEAT_S, LoopWatch
    from perpwire.clock import ManualClock

    clock = ManualClock()
    watch = LoopWatch("binance", clock, lambda _: None)

    async def main() -> float:
        watch.start()
        began = time.process_time()
        for _ in range(2000):
            watch._beat()
            assert watch._timer is not None
            watch._timer.cancel()
        taken = time.process_time() - began
        watch.stop()
        return taken / 2000

    assert Decimal(clock.run(main())) < Decimal(BEAT_S) / 1000
