"""What all tests share: where the payload fixtures are, and a virtual clock."""

from __future__ import annotations

import gc
import logging
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from zlib import crc32

import pytest
from tests.sizes import FULL

from perpwire.clock import ManualClock

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"


class _Unretrieved(logging.Handler):
    """Hears asyncio say that an exception was lost: a task or future failed, and nobody asked for its end."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "never retrieved" in record.getMessage():
            self.told.append(record.getMessage())


_unretrieved = _Unretrieved()
logging.getLogger("asyncio").addHandler(_unretrieved)


@pytest.fixture(autouse=True)
def _no_exception_is_lost() -> Generator[None, None, None]:
    """CALLB-2, for every test. What is lost is told when it is collected: the test before may be the one at fault."""
    yield
    told, _unretrieved.told = _unretrieved.told, []
    assert told == []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of real payloads; the test is skipped where it is absent."""
    if not FIXTURES.is_dir():
        pytest.skip("payload fixtures are absent")
    return FIXTURES


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI some tests may not be skipped, they fail instead: those that read the payloads, where these are at hand,
    those with real clients, which are always at hand as the lock file has them, those in a browser or with Redis."""
    report = yield
    if not report.skipped or hasattr(report, "wasxfail") or not os.environ.get("CI"):
        return report
    if FIXTURES.is_dir() and _needs_fixtures(item):
        at_hand = "the payload fixtures are"
    elif "real_clients" in item.path.parts:
        at_hand = "the client is"
    elif "chromium" in getattr(item, "fixturenames", ()):
        at_hand = "Chromium is"
    elif "redis_server" in getattr(item, "fixturenames", ()):
        at_hand = "redis-server should be"
    elif any("promtool" in str(mark.kwargs.get("reason")) for mark in item.iter_markers("skipif")):
        at_hand = "promtool should be"
    else:
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"skipped although {at_hand} at hand: {reason}"
    return report


def _needs_fixtures(item: pytest.Item) -> bool:
    uses = "fixtures" in getattr(item, "fixturenames", ())
    is_marked = item.get_closest_marker("fixtures") is not None
    # Parametrized over the payloads, with none found: pytest skips the one empty case itself.
    is_empty = any(mark.name == "skip" and "empty parameter set" in str(mark.kwargs) for mark in item.iter_markers())
    return uses or is_marked or is_empty


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Files with the most slow tests first: none of them is left for one worker at the end.
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
    if not FULL:
        _leave_one_venue(config, items)


def _leave_one_venue(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In part a slow test that plays the same on either venue is played on one, by turns: see tests/sizes.py."""
    venues: dict[str, set[str]] = {}
    for item in items:
        if venue := _venue(item):
            venues.setdefault(item.nodeid.replace(venue, "*"), set()).add(venue)
    left = []
    for item in items:
        of = item.nodeid.replace(_venue(item) or "*", "*")
        there = sorted(venues.get(of, ()))
        if len(there) == 2 and _venue(item) != there[crc32(of.encode()) % 2]:
            left.append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]


def pytest_collection() -> None:
    """What is collected lasts: the garbage collector need not look through ten thousand tests again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()
    gc.collect()
    gc.freeze()


def _venue(item: pytest.Item) -> str | None:
    """Of a slow test that is one of two."""
    where = {"criteria", "api_connector", "e2e", "scenarios", "cli", "test_benchmarks.py"}
    is_long = item.get_closest_marker("slow") and where & set(item.path.parts)
    venue = item.callspec.params.get("venue") if is_long and hasattr(item, "callspec") else None
    return venue if isinstance(venue, str) else None
