"""A gateway in trouble, with canaries for secrets: they are in nothing that it says, on any of its ways out."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from tests.gateway.serving import until

from perpwire import logs
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import SystemClock
from perpwire.config.secret import Secret
from perpwire.config.settings import PageSettings, Settings, VenueSettings
from perpwire.credentials import Credentials
from perpwire.data_processor.recording import Recorder
from perpwire.errors import APIError
from perpwire.gateway.gateway import Gateway
from perpwire.notification.setting_up import notifier_from
from perpwire.simulator.faults import Answer, Cut, LoseAnswer
from perpwire.simulator.server import running
from perpwire.simulator.specs import AccountSpec
from perpwire.venues import load

KEY = "canarykeycanarykeycanarykeycanary"
SECRET = "canarysecretcanarysecretcanarysec"
TOKEN = "canarytokencanarytoken"
ADDRESS = "json://canaryuser:canarypass@127.0.0.1:9/canarypath"
CANARY = "canary"


def _written(folder: Path) -> tuple[list[Path], list[str]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return files, [path.read_text(encoding="utf-8", errors="replace") for path in files]


@pytest.mark.slow
async def test_a_canary_is_in_nothing_that_a_gateway_says(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log_file = tmp_path / "perpwire.log"
    end_logs = logs.set_up(level="debug", format="json", file=log_file)
    said: list[str] = []
    accounts = [AccountSpec(api_key=KEY, secret_key=SECRET, cash=Decimal(100_000))]
    async with running(accounts=accounts) as exchange:
        venues = tuple(exchange.urls)
        alerts = {"sinks": {"phone": {"url_variable": "PHONE"}}}
        settings = Settings(
            page=PageSettings(port=0, token=Secret(TOKEN)),
            venues={name: VenueSettings(symbols=("BTCUSDT",), books=("BTCUSDT",)) for name in venues},
            alerts=alerts,
            state_dir=tmp_path / "state",
        )
        clock = SystemClock()
        notifier = notifier_from(
            settings.alerts, clock=clock, environ={"PHONE": ADDRESS}, spool=settings.state_file("alerts.jsonl")
        )
        connectors = {
            name: VenueConnector(load(name), credentials=Credentials(KEY, SECRET), url=exchange.urls[name])
            for name in venues
        }
        wrong = VenueConnector(load("bybit"), credentials=Credentials(KEY, SECRET[::-1]), url=exchange.urls["bybit"])
        recorder = Recorder(tmp_path / "recordings", clock=clock, packing="")
        recorder.start()
        async with Gateway(settings, connectors, notifier=notifier) as gateway:
            for connector in connectors.values():
                connector.streams.frames.tap = recorder.tap
                connector.on_incident(recorder.note)
            assert gateway.address

            async def is_live() -> bool:
                return all(one.is_live for one in gateway.observer.snapshot().venues)

            await until(is_live, "live")
            for name, connector in connectors.items():
                for fault in (Answer(status=400, count=1), LoseAnswer(method="POST"), Cut()):
                    exchange.faults[name].add(fault)
                    try:
                        await connector.place_order("BTCUSDT", "BUY", "0.01")
                    except APIError as error:
                        said.append(f"{error!r} {error}")
            with pytest.raises(APIError) as refused:
                async with wrong:
                    await wrong.get_account_info()
            said.append(f"{refused.value!r} {refused.value}")
            await until(is_live, "live again")
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with aiohttp.ClientSession() as client:

                async def is_ready() -> bool:
                    async with client.get(gateway.address + "/health/ready", headers=headers) as answer:
                        return answer.status == 200

                await until(is_ready, "ready again")
                for path in ("/", "/api/snapshot", "/api/incidents", "/health/ready", "/metrics"):
                    for one in (headers, {}):
                        async with client.get(gateway.address + path, headers=one) as answer:
                            said.append(f"{answer.status} {answer.headers} {await answer.text()}")
            assert sum(text.startswith("200") for text in said) >= 5
            assert sum(text.startswith("401") for text in said) >= 3
            said.append(
                repr((gateway, settings, connectors, gateway.observer.snapshot(), gateway.observer.incidents()))
            )
        await recorder.close()
    end_logs()
    files, texts = _written(tmp_path)
    said += texts
    lines = [json.loads(line) for line in texts[files.index(log_file)].splitlines()]
    events = {line["event"] for line in lines}
    assert {"connection_lost", "connection_recovered"} <= events
    assert any(path.name == "alerts.jsonl" for path in files)
    assert len(recorder.files) == 1
    for text in said:
        at = text.find(CANARY)
        assert at < 0, text[max(0, at - 200) : at + 60]
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("perpwire")]
    assert not [text for text in ours if CANARY in text]
