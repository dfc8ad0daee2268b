"""A real browser, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from perpwire.api_connector import loop_watch

ARGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _a_busy_machine_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchange, gateway and test share one loop here, and a browser the processor: how long that stands still says
    nothing of ours."""
    monkeypatch.setattr(loop_watch, "STALL_S", 3600.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One for all tests of a module, which share its event loop."""
    # The shell has no windows to draw: it takes less than half of the processor's time.
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("there is no Chromium here")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        await browser.close()
