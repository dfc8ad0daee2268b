"""A real browser, where there is one."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
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


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium here")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        await browser.close()
