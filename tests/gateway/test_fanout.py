"""`perpwire serve` with Redis: what it hears is read elsewhere, and its page, metrics and health say how that goes."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, expect
from tests.fanout.conftest import RedisServer, redis_server as redis_server
from tests.fanout.hearing import read_until
from tests.gateway.serving import until

from perpwire.config.secret import Secret
from perpwire.config.settings import PageSettings, RedisSettings, Settings, VenueSettings
from perpwire.fanout.producer import Fanout
from perpwire.fanout.reader import read
from perpwire.gateway.gateway import Gateway
from perpwire.model.market import Trade
from perpwire.notification.notifier import Notifier
from perpwire.notification.sinks import CallableSink
from perpwire.testing import offline

pytestmark = pytest.mark.slow

PASSWORD = "canarycanary"


@pytest.mark.asyncio(loop_scope="module")  # the browser's
@pytest.mark.parametrize("lang", ["en", "ko"])
async def test_page_metrics_incidents_and_health_say_how_it_goes_and_the_password_is_in_none(
    redis_server: RedisServer, chromium: Browser, caplog: pytest.LogCaptureFixture, lang: str
) -> None:
    caplog.set_level(logging.DEBUG)
    await redis_server.ask("CONFIG", "SET", "requirepass", PASSWORD)
    said: list[str] = []
    alerts: list[str] = []
    async with offline(venues=("bybit",), rate=20.0) as world, aiohttp.ClientSession() as client:
        settings = Settings(
            page=PageSettings(port=0),
            venues={"bybit": VenueSettings(symbols=("BTCUSDT",))},
            redis=RedisSettings(url=Secret(redis_server.url(PASSWORD))),
        )
        notifier = Notifier([CallableSink(lambda alert: alerts.append(alert.headline()))])
        fanout = Fanout(settings.redis.url.reveal(), rng=random.Random(1))
        connectors = {"bybit": world.connector("bybit")}
        async with Gateway(settings, connectors, notifier=notifier, fanout=fanout, rng=random.Random(1)) as gateway:

            async def get(path: str) -> str:
                async with client.get(gateway.address + path) as answer:
                    said.append(f"{path} {await answer.text()}")
                    return said[-1]

            async def ready() -> bool:
                async with client.get(gateway.address + "/health/ready") as answer:
                    return answer.status == 200

            async def is_up(value: int) -> bool:
                return f"perpwire_fanout_up {value:.1f}" in await get("/metrics")

            await until(ready, "ready")
            async with read(redis_server.url(PASSWORD), kinds=Trade, since="oldest") as reader:
                await read_until(reader, lambda one: isinstance(one, Trade))
            page = await chromium.new_page()
            await page.goto(f"{gateway.address}/?lang={lang}")
            line = page.locator("#fanout")
            await expect(line).to_have_attribute("data-state", "good")
            assert await is_up(1)
            redis_server.kill()
            await expect(line).to_have_attribute("data-state", "bad", timeout=20_000)
            shown = await line.inner_text()
            assert "ConnectionError" in shown or "Error" in shown
            said.append(shown)
            # Once; a slow machine may have been behind before, and have caught up.
            over = await page.locator('[data-kind="fanout_recovered"]').count()
            await expect(page.locator('[data-kind="fanout_failing"]')).to_have_count(over + 1)
            assert await is_up(0)
            assert await ready()
            await get("/api/snapshot")
            await get("/api/incidents")
            await get("/health/ready")
            said.append(await page.content())
            await redis_server.start()
            await redis_server.ask("CONFIG", "SET", "requirepass", PASSWORD)
            await expect(line).to_have_attribute("data-state", "good", timeout=20_000)
            await expect(page.locator('[data-kind="fanout_recovered"]')).to_have_count(over + 1)
            assert not [alert for alert in alerts if "fan-out" in alert]  # it did not last
            await page.close()
    said.append(caplog.text)
    for text in said:
        at = text.find(PASSWORD)
        assert at < 0, text[max(0, at - 200) : at + 60]


def test_a_file_with_a_password_for_redis_must_be_closed_to_others(tmp_path: Path) -> None:
    from perpwire.config.loading import explained, load
    from perpwire.errors import BadInput

    file = tmp_path / "perpwire.toml"
    file.write_text(f'[redis]\nurl = "redis://:{PASSWORD}@127.0.0.1:6379/0"\n')
    file.chmod(0o644)
    with pytest.raises(BadInput, match="open to others"):
        load(file, {})
    file.chmod(0o600)
    loaded = load(file, {})
    assert loaded.settings.redis.url.reveal().endswith(":6379/0")
    assert PASSWORD not in repr(loaded) + repr(explained(loaded)) + repr(loaded.settings.redis)
    by_variable = load(None, {"PERPWIRE_REDIS_URL": "redis://127.0.0.1:1/0", "XDG_CONFIG_HOME": str(tmp_path)})
    assert by_variable.settings.redis.url.reveal() == "redis://127.0.0.1:1/0"
