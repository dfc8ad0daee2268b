"""A real Prometheus server scrapes `perpwire serve` and evaluates all that deploy/ asks of it."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.deploy.dashboard import FILE
from tests.deploy.server import RULES, Server, prometheus, until
from tests.gateway.serving import serving

from perpwire.api_connector import loop_watch
from perpwire.errors import UnknownOrder
from perpwire.gateway.gateway import Gateway
from perpwire.monitoring.prometheus import METRICS
from perpwire.simulator.faults import Cut, Refuse
from perpwire.simulator.specs import AccountSpec, KeySpec
from perpwire.testing import World

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus, promtool's package, is not installed"),
]

VENUES = {"binance", "bybit"}
NOBODY = "127.0.0.1:9"  # a port at which nothing answers
NAME = re.compile(r"\bperpwire_\w+")
COMPARED = re.compile(r"^(.*) (?:==|<|>) [^<>=]+$")

NOTHING_NOW = {
    "perpwire_budget_stopped_seconds": "shown only while a limit is stopped, and none is",
    "perpwire_fanout_up": "no Redis is set, as most have none",
    "perpwire_fanout_sent_total": "no Redis is set",
    "perpwire_fanout_waiting": "no Redis is set",
    "perpwire_fanout_dropped_total": "no Redis is set",
    "perpwire_journal_backlog": "these connectors keep no journal: they send no order",
}
"""Metric of a query that has no data here -> why that is right."""


@pytest.fixture(autouse=True)
def _a_busy_machine_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_watch, "STALL_S", 3600.0)


@asynccontextmanager
async def scraped(folder: Path) -> AsyncIterator[tuple[World, Gateway, Server]]:
    """A gateway with something of everything but trouble, and the server that has scraped it."""
    expires_ms = round((time.time() + 5 * 86400) * 1000)
    account = AccountSpec(key=KeySpec(expires_ms=expires_ms))
    async with (
        serving(accounts=(account,)) as (world, gateway),
        prometheus(folder, gateway.address.removeprefix("http://"), NOBODY) as server,
    ):

        async def is_scraped() -> bool:
            live = await server.samples("perpwire_connector_live")
            return {labels["connector"] for labels, value in live if value} == VENUES

        await until(is_scraped, "a scrape with both venues live is in", server)
        yield world, gateway, server
        assert server.log.read_text(errors="replace") == ""  # no warning of what it reads or evaluates


def queries() -> list[str]:
    """All of the dashboard, as Grafana sends them when all connectors are chosen."""
    made = json.loads(FILE.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in made["panels"] for target in panel.get("targets", ())]
    asked += [one["expr"] for one in made["annotations"]["list"]]
    return [one.replace("$connector", "(binance|bybit)").replace("$__rate_interval", "1m") for one in asked]


async def test_every_query_of_the_dashboard_and_of_the_rules_is_answered_with_data(tmp_path: Path) -> None:
    async with scraped(tmp_path) as (world, gateway, server):
        kept = []
        for venue, connector in gateway.connectors.items():
            await world.connectors[venue].place_order("BTCUSDT", "SELL", "0.25")
            await world.connectors[venue].place_order("BTCUSDT", "BUY", "0.05", "LIMIT", price="50000")
            with pytest.raises(UnknownOrder):
                await connector.get_order("BTCUSDT", order_id="1")
            kept.append(await connector.watch_trades("BTCUSDT"))
            world.simulation.faults[venue].add(Cut())

        groups = (await server.ask("rules"))["groups"]
        rules = [rule["query"] for group in groups for rule in group["rules"]]
        assert len(rules) == RULES.read_text(encoding="utf-8").count("- alert:")
        compared = [COMPARED.fullmatch(rule) for rule in rules]
        # What a rule compares must be there also while it holds no trouble.
        asked = [*queries(), *(one[1] for one in compared if one)]
        assert len(asked) == len(queries()) + len(rules) > 40
        for rule in rules:
            await server.samples(rule)
        silent: list[str] = []

        async def all_speak() -> bool:
            silent[:] = [query for query in asked if not await server.samples(query)]
            return {name for query in silent for name in NAME.findall(query)} <= NOTHING_NOW.keys()

        await until(all_speak, silent, server)
        assert {name for query in silent for name in NAME.findall(query)} == NOTHING_NOW.keys()

        # Prometheus has evaluated the rules itself by now, and found nothing wrong with any.
        async def are_evaluated() -> bool:
            said = (await server.ask("rules", type="alert"))["groups"]
            return all(rule["health"] == "ok" for group in said for rule in group["rules"])

        await until(are_evaluated, "rules are evaluated", server)
        # The dashboard's list to choose from.
        chosen = await server.ask("label/connector/values", **{"match[]": "perpwire_connector_live"})
        assert set(chosen) == VENUES


async def test_it_reads_each_metric_as_what_it_is(tmp_path: Path) -> None:
    async with scraped(tmp_path) as (_, gateway, server):
        known = await server.ask("metadata")
        assert {name: [(one["type"], one["help"]) for one in said] for name, said in known.items()
                if name.startswith("perpwire_")} == {
            row.written: [(row.kind, row.help)] for row in METRICS.values()
        }  # fmt: skip
        live = {
            target["labels"]["instance"]: (target["health"], target["lastError"])
            for target in (await server.ask("targets"))["activeTargets"]
        }
        assert live[gateway.address.removeprefix("http://")] == ("up", "")
        [venue] = [one for one in gateway.observer.snapshot().venues if one.name == "binance"]
        for kind, limit in {(one.name, one.limit) for one in venue.budgets}:
            found = await server.samples(f'perpwire_budget_limit{{connector="binance", limit="{kind}"}}')
            assert limit in {value for _, value in found}


async def test_a_connection_that_is_cut_fires_its_alerts_for_that_venue_alone_until_it_is_back(tmp_path: Path) -> None:
    async with scraped(tmp_path) as (world, _, server):
        at_once = {("PerpwireDown", NOBODY), *(("PerpwireKeyExpires", venue) for venue in VENUES)}
        of_binance, of_bybit = (
            {("PerpwireStreamsNotLive", venue), ("PerpwireAccountNotLive", venue)} for venue in sorted(VENUES)
        )

        async def at_rest() -> bool:
            firing = await server.firing()
            downs = {about for name, about in firing if name == "PerpwireDown"}
            return at_once <= firing and downs == {NOBODY} and not firing & (of_binance | of_bybit)

        await until(at_rest, "only what is so from the beginning fires", server)
        world.simulation.faults["binance"].add(Refuse(seconds=10))
        world.simulation.faults["binance"].add(Cut())

        async def fire() -> bool:
            firing = await server.firing()
            assert not firing & of_bybit
            return of_binance <= firing

        await until(fire, "the alerts of the cut venue", server)
        [told] = [
            one["annotations"]["summary"]
            for one in (await server.ask("alerts"))["alerts"]
            if one["labels"]["alertname"] == "PerpwireStreamsNotLive"
        ]
        assert told == "binance: streams are not live"
        await until(at_rest, "it is back", server)
