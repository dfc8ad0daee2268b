"""What all tests share: where the payload fixtures are, and a virtual clock."""

from __future__ import annotations

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
