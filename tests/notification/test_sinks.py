from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.notification.incidents import alert, lost, no_margin, recovered
from tests.notification.receivers import Port

from perpwire.clock import SystemClock
from perpwire.errors import BadInput
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.delivery import Pacing
from perpwire.notification.notifier import Notifier
from perpwire.notification.sinks import AppriseSink, CallableSink, LogSink, Sink, SinkFailed

SECRET = "hunter2-token"
FAST = Pacing(interval_s=0, first_retry_s=0.02, greatest_retry_s=0.05)


class Webhook:
    """A real receiver on a loopback port that stays the same through its outages."""

    def __init__(self) -> None:
        self._port = Port()
        self.port = self._port.number
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/{SECRET}"

    async def handle(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        if self.status == 200:
            self.received.append(await request.json())
        return web.Response(status=self.status)

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port.free()).start()
        try:
            yield
        finally:
            await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - counts have no event to wait for
            await asyncio.sleep(0.01)


async def test_the_log_sink_writes_one_record_at_the_level_of_the_severity(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for severity in Severity:
        await LogSink().deliver(alert(severity=severity, facts={"symbol": "BTCUSDT"}))
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.WARNING, logging.CRITICAL]
    assert caplog.messages[0] == "[INFO] k It happened.; symbol: BTCUSDT; at 2026-09-21 14:13:20 UTC"


async def test_plain_functions_and_coroutine_functions_are_sinks() -> None:
    heard: list[str] = []

    def plain(told: Alert) -> None:
        heard.append(f"plain {told.key}")

    async def slow(told: Alert) -> None:
        heard.append(f"slow {told.key}")

    for sink in (CallableSink(plain), CallableSink(slow, name="pager")):
        await sink.deliver(alert())
    assert heard == ["plain k", "slow k"]
    assert [CallableSink(plain).name, CallableSink(slow, name="pager").name] == ["plain", "pager"]


@pytest.mark.slow
async def test_alerts_reach_a_real_webhook_through_an_outage_of_it() -> None:
    webhook = Webhook()
    async with Notifier([AppriseSink(webhook.url)], SystemClock(), pacing=FAST) as notifier:
        async with webhook.up():
            notifier.on_incident(lost())
            await until(lambda: len(webhook.received) >= 1)
        notifier.on_incident(no_margin())
        notifier.on_incident(recovered())
        await until(lambda: notifier.stats().sinks[0].failed_attempts >= 2)
        async with webhook.up():
            webhook.status = 503
            await until(lambda: len(webhook.paths) >= 3)
            webhook.status = 200
            await until(lambda: len(webhook.received) >= 3)
    assert {sent["title"]: sent["type"] for sent in webhook.received} == {
        "[WARNING] binance: Connection binance/public lost": "warning",
        "[CRITICAL] bybit: Balance insufficient for an order": "failure",
        "[INFO] binance: Connection binance/public recovered": "success",
    }
    assert len(webhook.received) == 3
    assert any("symbol: BTCUSDT" in sent["message"] for sent in webhook.received)
    assert set(webhook.paths) == {f"/{SECRET}"}
    stats = notifier.stats().sinks[0]
    assert (stats.delivered, stats.dropped, stats.refused) == (3, 0, 0)


async def test_a_service_that_fails_does_not_make_another_hear_twice() -> None:
    working, broken = Webhook(), Webhook()
    sink = AppriseSink([working.url, broken.url])
    async with working.up(), Notifier([sink], SystemClock(), pacing=FAST) as notifier:
        notifier.on_incident(lost())
        await until(lambda: notifier.stats().sinks[1].failed_attempts >= 3)
        async with broken.up():
            await until(lambda: len(broken.received) >= 1)
    assert (len(working.received), len(broken.received)) == (1, 1)


async def test_used_by_itself_it_delivers_to_all_and_names_those_that_failed() -> None:
    working, broken = Webhook(), Webhook()
    async with working.up():
        await AppriseSink(working.url).deliver(alert())
        with pytest.raises(SinkFailed, match=r"not delivered to apprise 1 \(JSON\)$"):
            await AppriseSink([broken.url, working.url]).deliver(alert())
    assert len(working.received) == 2


async def test_addresses_show_in_no_log_repr_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    webhook = Webhook()
    sink = AppriseSink(webhook.url)
    shown = [repr(sink), str(sink), sink.name, repr(vars(sink)), *(repr(vars(target)) for target in sink.targets())]
    async with webhook.up():
        await sink.deliver(alert())
    with pytest.raises(SinkFailed) as failure:
        await sink.deliver(alert())
    async with Notifier([sink], SystemClock(), pacing=FAST) as notifier:
        notifier.on_incident(lost())
        await notifier.close(within_s=0.1)
    error: BaseException | None = failure.value
    while error is not None:
        shown.append(repr(error))
        error = error.__context__
    assert "SinkFailed" in caplog.text
    for text in [*shown, caplog.text]:
        assert SECRET not in text


async def test_what_others_log_about_their_own_requests_is_not_dropped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    AppriseSink("json://127.0.0.1:9/x")
    logging.getLogger("urllib3.connectionpool").debug("someone else's request")
    assert "someone else's request" in caplog.text


@pytest.mark.parametrize("url", [f"nonsense://{SECRET}", SECRET, "", f"tgram://{SECRET}"])
def test_an_address_that_apprise_does_not_understand_is_refused_without_showing_it(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    with pytest.raises(BadInput) as refusal:
        AppriseSink(["json://127.0.0.1:9", url])
    assert "address 2" in str(refusal.value)
    assert SECRET not in str(refusal.value) + caplog.text


def test_no_address_at_all_is_refused() -> None:
    with pytest.raises(BadInput):
        AppriseSink([])


def test_without_apprise_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(BadInput, match=r"pip install 'perpwire\[alerts\]'"):
        AppriseSink("json://127.0.0.1:9")


def test_a_plain_sink_is_its_own_target() -> None:
    sink: Sink = LogSink()
    assert sink.targets() == (sink,)
