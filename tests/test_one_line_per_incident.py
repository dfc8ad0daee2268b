"""An incident is one line of the log, with the name of its kind, and what it tells is logged nowhere else."""

from __future__ import annotations

import ast
import io
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import perpwire
from perpwire import logs
from perpwire.clock import ManualClock
from perpwire.config.settings import VenueSettings
from perpwire.errors import PerpwireError
from perpwire.gateway.following import Following
from perpwire.model.incident import Incident
from perpwire.model.market import Trade
from perpwire.monitoring.observer import Observer
from perpwire.simulator.profiles import profile
from perpwire.testing import World, offline
from perpwire.words.said import event_name

SRC = Path(perpwire.__file__).parent
PLAYED_S = 600.0

OTHER = {
    # What the connecting half of the package logs by itself. No incident tells it: add a line only for such, and make
    # an incident of what somebody should be alerted of.
    "%s: the contracts can't be read at the start: %s",
    "%s can't be read at the start: %s",
    "the account can't be looked at (tries: %d): %s",
    "of a contract that is gone nothing can be read: %s",
    "what the account is set to can't be read yet (tries: %d): %s",
    "%s: the fundings of contracts can't be read: %s",
    "a handler of %s failed on %s",
    "%s: the contracts can't be read anew, the old ones stand: %s",
    "%s: what the key may do can't be asked: %s",
    "%s: what the key may do could not be asked: %s",
    "%s can't be asked for its topics (tries: %d): %s",
    "%s has a successor made: %s",
    "the successor of %s is given up: %s",
    "%s: the dead man's switch is armed for %g s on %s; renewing it every %.1f s uses %s a minute",
    "%s: the countdown of %s may still run: %s",
    "the journal %s can't be brought up to date: %s",
    "the journal %s can't be written: %s",
    "the tap failed (times: %d)",
    "the gate before %s failed",
    "the private stream's key can't be kept alive (tries: %d): %s",
    "%s can't be asked for on %s: %s",
    "%s can't be replaced yet: %s",
    "nothing can be recorded any more: %s",
    "a handler of the book of %s failed",  # of a book that stands alone: none hears of it otherwise
}
LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "log")


def logged(folder: Path) -> Iterator[str]:
    """The first argument of each call of a logger."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("log", "logger", "_log")
            ):
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}"
                yield str(node.args[0].value)


def test_what_the_connecting_half_logs_beside_incidents_is_known_and_is_none() -> None:
    found = [text for part in ("api_connector", "data_processor", "transport") for text in logged(SRC / part)]
    assert set(found) - OTHER == set(), "is it an incident, or one more for the table above?"
    assert OTHER - set(found) == set()


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_under_brutal_faults_each_incident_is_one_line_and_the_observer_counts_as_many(
    venue: str, clock: ManualClock
) -> None:
    stream = io.StringIO()
    told: list[Incident] = []
    observer = Observer(clock)

    async def scene() -> None:
        async with offline(clock=clock, venues=[venue], rate=5.0, seed=3) as world:
            connector = world.connectors[venue]
            connector.on_incident(told.append)
            observer.add(connector)
            end = logs.set_up(level="info", format="json", stream=stream)
            connector.on(Trade, fails_now_and_then())
            wanted = VenueSettings(symbols=("BTCUSDT",), streams=("trades",), books=("BTCUSDT",))
            await Following(connector, wanted, has_key=True, clock=clock, rng=random.Random(1)).run()
            for fault in profile("brutal", venue, 5, PLAYED_S):
                world.simulation.faults[venue].add(fault)
            await trade(world, connector)
            await connector.close()
            end()

    clock.run(scene())
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    of_incidents = [line for line in lines if line["logger"] == "perpwire.incidents"]
    assert Counter((line["event"], line["message"]) for line in of_incidents) == Counter(
        (event_name(type(one)), one.detail) for one in told
    )
    counts = Counter(line["event"] for line in of_incidents)
    assert counts == Counter(observer.snapshot().venues[0].incidents)
    assert {"handler_failed", "connection_lost", "connection_recovered", "balance_insufficient"} <= counts.keys()
    assert len(told) > 30
    # An error that is not foreseen has its traceback, and no other line has that of a handler.
    failed = [line for line in lines if "on purpose" in json.dumps(line)]
    assert {line["event"] for line in failed} == {"handler_failed"}
    assert all("Traceback" in line["error"] for line in failed)
    # What is logged besides has no name of an incident, and none is a line for every try.
    others = Counter(line["message"] for line in lines if line not in of_incidents)
    assert max(others.values(), default=0) < 5


def fails_now_and_then() -> Any:
    seen = 0

    def handler(event: Trade) -> None:
        nonlocal seen
        seen += 1
        if seen % 500 == 0:
            raise ValueError("on purpose")

    return handler


async def trade(world: World, connector: Any) -> None:
    """Orders that can't be paid for, and orders whose answers are lost."""
    for n in range(int(PLAYED_S / 20)):
        await world.clock.sleep(20)
        try:
            await connector.place_order("BTCUSDT", "BUY", "0.01" if n % 2 else "90")
        except PerpwireError:
            continue
