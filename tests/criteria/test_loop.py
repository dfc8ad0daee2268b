"""LOOP: one connector, whatever loop it runs in; used from another one it says so."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from tests.criteria.tapped import VENUES

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.errors import BadInput
from perpwire.model.incident import Incident, LoopStalled
from perpwire.threaded import ThreadedExchange
from perpwire.venues import load

SRC = Path(__file__).resolve().parents[2] / "src"

SMOKE = """
import asyncio
from perpwire import BybitConnector, BinanceFuturesConnector
from perpwire.threaded import ThreadedExchange

async def smoke(connector):
    async with connector:
        await connector.get_instruments()
        await connector.open_account_stream()
        queue = await connector.watch_book_ticker("BTCUSDT")
        order = await connector.place_order("BTCUSDT", "BUY", "0.01")
        async with asyncio.timeout(20):
            await anext(queue)
        queue.close()
        return order.symbol

def made(exchange):
    return [
        kind(exchange.api_key, exchange.secret_key, url=exchange.urls[venue])
        for kind, venue in ((BinanceFuturesConnector, "binance"), (BybitConnector, "bybit"))
    ]

with ThreadedExchange(rate=20.0) as exchange:
    first = made(exchange)  # outside of any loop
    for connector in first:
        {run}
    for connector in first:
        {run}  # a second loop, after it was closed in the first
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
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_loop_1_a_connector_made_outside_of_a_loop_works_in_any_one_after_the_other_and_warns_of_nothing(
    way: str,
) -> None:
    if way == "uvloop":
        pytest.importorskip("uvloop")
    program = SMOKE.replace("{run}", WAYS[way])
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program], env={"PYTHONPATH": str(SRC), "PATH": ""},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr
    assert "Error" not in done.stderr
    assert "never retrieved" not in done.stderr


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
            time.sleep(0.5)  # noqa: ASYNC251 - the culprit
            await asyncio.sleep(0.2)
            assert connector.loop_watch.stalls >= 1
            assert connector.loop_watch.longest_s >= 0.4
            assert all(state.name == "LIVE" for state in connector.states.values())

    asyncio.run(main())
    stalls = [one for one in told if isinstance(one, LoopStalled) and "the culprit" in one.stack]
    assert len(stalls) == 1
    assert stalls[0].stalled_s >= 0.4
    assert "time.sleep(0.5)" in stalls[0].detail
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
