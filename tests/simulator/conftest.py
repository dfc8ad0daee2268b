"""A venue named "echo", known to perpwire while a test runs; and both event loops for what has real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from perpwire.venues import VENUES

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """The server runs on uvloop in the commands and on asyncio's own loop elsewhere."""
    factories: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in ("test_server", "test_server_faults"):
        uvloop = pytest.importorskip("uvloop")
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(autouse=True)
def _echo_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VENUES, "echo", "tests.simulator.echo_venue")
