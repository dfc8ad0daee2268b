"""A venue named "echo", known to perpwire while a test runs."""

from __future__ import annotations

import pytest

from perpwire.venues import VENUES


@pytest.fixture(autouse=True)
def _echo_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VENUES, "echo", "tests.simulator.echo_venue")
