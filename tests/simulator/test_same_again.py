"""The same seed gives the same journal, byte for byte, with every fault there is and the connectors' part in it."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from perpwire.clock import ManualClock
from perpwire.errors import PerpwireError
from perpwire.model.market import BookTicker, MarkPrice, Trade
from perpwire.simulator.profiles import profile
from perpwire.testing import offline

VENUES = ("binance", "bybit")


def journal(seed: int, minutes: float) -> str:
    """What both venues' journals say of some minutes of trading under the profile `brutal`, as text."""
    clock = ManualClock()

    async def main() -> str:
        # Ten minutes of the schedule in each, so that much happens.
        faults = {
            venue: [
                msgspec.structs.replace(fault, after_s=fault.after_s / 10, every_s=None)
                for fault in profile("brutal", venue, seed, minutes * 600)
            ]
            for venue in VENUES
        }
        async with offline(clock=clock, seed=seed, rate=5.0, journal_capacity=10**7, faults=faults) as world:
            orders = 0
            while clock.monotonic_ns() < minutes * 60e9:
                for connector in world.connectors.values():
                    orders += 1
                    try:
                        await connector.open_account_stream()
                        await connector.subscribe((Trade, BookTicker, MarkPrice), ("BTCUSDT", "ETHUSDT"))
                        await connector.open_book("BTCUSDT")
                        side = "BUY" if orders % 4 < 2 else "SELL"
                        await connector.place_order("BTCUSDT", side, "0.01")
                    except PerpwireError as error:
                        world.simulation.journal["binance"].line("fault", f"the caller is told: {error}")
                await clock.sleep(7)
            lines = [str(entry) for venue in VENUES for entry in world.simulation.journal[venue].entries()]
        return "\n".join(lines)

    return clock.run(main())


@pytest.mark.slow
def test_the_same_seed_gives_the_same_journal_and_another_seed_another() -> None:
    first = journal(5, 1)
    assert "befalls" in first
    assert "done='lost'" in first
    assert first == journal(5, 1)
    assert first != journal(6, 1)


@pytest.mark.slow
def test_the_order_of_hashes_does_not_matter() -> None:
    script = (
        "import hashlib; from tests.simulator.test_same_again import journal; "
        "print(hashlib.sha256(journal(11, 2).encode()).hexdigest())"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    told = set()
    for hash_seed in ("0", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, cwd=root, env=environment
        )
        assert run.returncode == 0, run.stderr
        told.add(run.stdout.strip())
    assert len(told) == 1
