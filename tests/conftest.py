"""What all tests share: where the payload fixtures are, and a virtual clock."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from perpwire.clock import ManualClock

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "fixtures"


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
    """In CI, where the payloads are at hand, a test that reads them may not be skipped: it fails instead."""
    report = yield
    is_skipped = report.skipped and not hasattr(report, "wasxfail")
    if is_skipped and os.environ.get("CI") and FIXTURES.is_dir() and _needs_fixtures(item):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped although the payload fixtures are at hand: {reason}"
    return report


def _needs_fixtures(item: pytest.Item) -> bool:
    uses = "fixtures" in getattr(item, "fixturenames", ())
    is_marked = item.get_closest_marker("fixtures") is not None
    # Parametrized over the payloads, with none found: pytest skips the one empty case itself.
    is_empty = any(mark.name == "skip" and "empty parameter set" in str(mark.kwargs) for mark in item.iter_markers())
    return uses or is_marked or is_empty
