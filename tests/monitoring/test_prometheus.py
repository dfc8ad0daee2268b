"""What Prometheus is told: by its conventions, readable by its own tools, and what the exchange's journal says."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families
from tests.monitoring.observing import observe

from perpwire.api_connector.histogram import Histogram
from perpwire.errors import APIError
from perpwire.model.market import BookTicker, MarkPrice, Trade
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.prometheus import BUCKETS_S, CONTENT_TYPE, METRICS, exposition, histograms, values
from perpwire.monitoring.snapshot import FanoutSnapshot
from perpwire.simulator.faults import Answer, Cut
from perpwire.testing import World

VENUES = ["binance", "bybit"]
FANOUT = FanoutSnapshot(
    is_up=True, why_not="", since_s=1.0, sent=5, dropped={"market": 2}, refused=0, waiting=3, room=100
)


def samples(observer: Observer) -> dict[str, dict[tuple[str, ...], float]]:
    """Written name -> values of the labels but venue and connector -> value."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(exposition(observer).decode()):
        for sample in family.samples:
            labels = tuple(value for name, value in sample.labels.items() if name not in ("venue", "connector"))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


async def busy(world: World, venue: str) -> None:
    connector = world.connectors[venue]
    await connector.open_account_stream()
    await connector.subscribe((Trade, BookTicker, MarkPrice), ["BTCUSDT"])
    await connector.open_book("BTCUSDT")
    await connector.place_order("BTCUSDT", "SELL", "0.02")
    await connector.place_order("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="40000")
    await world.clock.sleep(20)
    world.simulation.faults[venue].add(Cut())
    await world.clock.sleep(20)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_figures_are_those_of_the_snapshot_and_of_the_journal(venue: str) -> None:
    async def scenario(world: World, observer: Observer) -> None:
        await busy(world, venue)
        connector = world.connectors[venue]
        said, one = samples(observer), observer.snapshot().venues[0]
        assert said["perpwire_events_total"][()] == connector.streams.frames.events_delivered == one.events
        assert said["perpwire_order_events_late_total"][()] == 0
        (order,) = connector.account_state.open_orders
        connector.account_state.orders.hear(order)
        assert samples(observer)["perpwire_order_events_late_total"][()] == 1
        opened = [entry for entry in world.simulation.journal[venue].entries() if entry.kind == "opened"]
        assert sum(said["perpwire_connection_reconnects_total"].values()) == len(one.connections) == len(opened) / 2
        assert said["perpwire_requests_total"][("place_order",)] == 2
        assert said["perpwire_response_seconds_count"][("place_order",)] == 2
        assert said["perpwire_response_seconds_bucket"][("place_order", "+Inf")] == 2
        assert said["perpwire_positions_open"][()] == said["perpwire_orders_open"][()] == 1
        assert said["perpwire_connector_live"][("sim",)] == said["perpwire_account_live"][()] == 1
        assert said["perpwire_books"] == {("in_sync",): 1, ("not_in_sync",): 0}
        assert said["perpwire_incidents_total"][("connection_lost",)] == len(one.connections)
        assert said["perpwire_outages_total"] == said["perpwire_outages_recovered_total"]
        assert 0.5 < said["perpwire_live_ratio"][("all",)] < 1
        assert said["perpwire_quality_holds"][("recovery",)] == 1
        assert {"AggTrade" if venue == "binance" else "Trade", "BookTicker", "MarkPrice", "Order"} <= one.latency.keys()
        for kind in one.latency:
            buckets = [said["perpwire_handler_latency_seconds_bucket"][str(bound), kind] for bound in BUCKETS_S]
            assert 0 < buckets[-1] == said["perpwire_handler_latency_seconds_count"][(kind,)] == one.latency[kind].count
            assert buckets == sorted(buckets)
        assert said["perpwire_stream_lag_seconds_count"][("BookTicker",)] > 3
        states = said["perpwire_connection_state_seconds_total"]
        assert all(states[connection, "live"] > 30 for connection in {name for name, _ in states})
        rooms = [room for room in (each.liquidation_share for each in one.positions) if room is not None]
        assert list(said.get("perpwire_liquidation_distance_ratio", {}).values()) == rooms

    observe(venue, scenario)


def test_every_metric_that_is_said_has_a_row_and_its_labels_and_the_other_way_round() -> None:
    said: set[str] = set()

    async def scenario(world: World, observer: Observer) -> None:
        queue = await world.bybit.watch_trades("BTCUSDT")
        await busy(world, "bybit")
        observer.fanout = lambda: FANOUT
        world.simulation.faults["bybit"].add(Answer(status=400))
        with pytest.raises(APIError):
            await world.bybit.get_account_info()
        for name, labels, _ in values(observer.snapshot()):
            assert len(labels) == len(METRICS[name].all_labels), name
            said.add(name)
        for name, labels, _, _ in histograms(observer.observed[0]):
            assert len(labels) == len(METRICS[name].all_labels), name
            said.add(name)
        queue.close()

    observe("bybit", scenario)
    assert said == METRICS.keys()


def test_names_follow_the_conventions() -> None:
    for row in METRICS.values():
        assert re.fullmatch(r"perpwire_[a-z_]+", row.name)
        assert not row.name.endswith("_total")
        assert row.help.endswith(".")
        assert not {"symbol", "le", "quantile"} & set(row.all_labels)
        if row.kind == "histogram":
            assert row.name.endswith("_seconds")
        for wrong in ("_ms", "_millis", "_percent", "_minutes"):
            assert wrong not in row.name
    assert CONTENT_TYPE == CONTENT_TYPE_LATEST


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_exposition() -> None:
    texts: list[str] = []

    async def scenario(world: World, observer: Observer) -> None:
        await busy(world, "bybit")
        texts.append(exposition(observer).decode())

    observe("bybit", scenario)
    done = subprocess.run(["promtool", "check", "metrics"], input=texts[0], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_buckets_are_counted_in_seconds_whatever_the_histogram_counts_in() -> None:
    from perpwire.monitoring.prometheus import _buckets

    times = Histogram()
    for value_ns in (50_000, 3_000_000, 70_000_000, 20_000_000_000):
        times.record(value_ns)
    counted = dict(_buckets(times, 1e-9))
    assert (counted["0.0001"], counted["0.005"], counted["0.1"], counted["10.0"], counted["+Inf"]) == (1, 2, 3, 3, 4)
