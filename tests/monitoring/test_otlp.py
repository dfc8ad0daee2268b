"""What a collector gets over the wire from OpenTelemetry's own exporter is what the snapshot says."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, Metric, NumberDataPoint
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from tests.monitoring.observing import observe

from perpwire.errors import APIError
from perpwire.model.market import BookTicker, Trade
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.opentelemetry import export
from perpwire.monitoring.prometheus import BUCKETS_S, METRICS
from perpwire.simulator.faults import Answer
from perpwire.testing import World

WAIT_S = 20.0
POSITIONS = {"binance": "/fapi/v3/positionRisk", "bybit": "/v5/position/list"}

Request = tuple[str, str, bytes]
"""Path, content type, body."""


@contextmanager
def collector() -> Iterator[tuple[str, queue.Queue[Request]]]:
    """Where a collector takes metrics by OTLP over HTTP, and what it got."""
    got: queue.Queue[Request] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.put((self.path, self.headers["Content-Type"], body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/metrics", got
        server.shutdown()
        serving.join()


def points(metric: Metric) -> Iterator[NumberDataPoint]:
    return iter((metric.gauge if metric.HasField("gauge") else metric.sum).data_points)


def labels(point: NumberDataPoint) -> dict[str, str]:
    return {one.key: one.value.string_value for one in point.attributes}


def value(metrics: dict[str, Metric], name: str, **chosen: str) -> float:
    """Of the one point that has these labels."""
    [found] = [one.as_double for one in points(metrics[name]) if labels(one).items() >= chosen.items()]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_collector_gets_names_units_and_values_of_the_snapshot(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def scenario(world: World, observer: Observer) -> None:
        connector = world.connectors[venue]
        await connector.open_account_stream()
        await connector.subscribe((Trade, BookTicker), ["BTCUSDT"])
        await connector.open_book("BTCUSDT")
        await connector.place_order("BTCUSDT", "SELL", "0.02")
        await connector.place_order("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="40000")
        world.simulation.faults[venue].add(Answer(status=400, count=None, path=POSITIONS[venue]))
        with pytest.raises(APIError):
            await connector.get_positions()
        await world.clock.sleep(20)
        with collector() as (url, got):
            # Virtual time stands still from here on: it is one and the same moment that is sent and looked at.
            reader = PeriodicExportingMetricReader(OTLPMetricExporter(url), export_interval_millis=50)
            provider = MeterProvider([reader], Resource({"service.name": "trading"}), shutdown_on_exit=False)
            export(observer, world.clock, provider)
            while not (said := read(got.get(timeout=WAIT_S))):
                pass  # sent before the first page was written
            provider.shutdown()
        agree(said, observer)

    observe(venue, scenario)


def read(request: Request) -> dict[str, Metric]:
    """Name -> metric."""
    path, content_type, body = request
    assert (path, content_type) == ("/v1/metrics", "application/x-protobuf")
    [of_resource] = ExportMetricsServiceRequest.FromString(body).resource_metrics
    assert labels(of_resource.resource)["service.name"] == "trading"
    [scope] = of_resource.scope_metrics
    assert scope.scope.name == "perpwire"
    return {one.name: one for one in scope.metrics}


def agree(said: dict[str, Metric], observer: Observer) -> None:
    for name, metric in said.items():
        row = METRICS.get(name) or METRICS[name.rpartition("_")[0]]
        assert metric.description == row.help
        assert metric.unit == ("s" if name.endswith(("_seconds", "_seconds_sum")) else "")
        if row.kind == "gauge":
            assert metric.HasField("gauge")
        else:
            assert metric.sum.is_monotonic
            assert metric.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
        wanted = {*row.all_labels, "le"} if name.endswith("_bucket") else set(row.all_labels)
        assert all(set(labels(one)) == wanted for one in points(metric)), name

    [one] = observer.snapshot().venues
    assert value(said, "perpwire_up_seconds") == observer.snapshot().up_s
    for bar in observer.snapshot().bars:
        if bar.value is not None:
            assert value(said, "perpwire_quality", bar=bar.name) == bar.value
    assert value(said, "perpwire_connector_live", env="sim") == one.is_live
    for call in one.calls:
        assert value(said, "perpwire_requests", call=call.name) == call.requests
        assert value(said, "perpwire_response_seconds_count", call=call.name) == call.times.count
        for error, times in call.errors.items():
            assert value(said, "perpwire_request_errors", call=call.name, error=error) == times
    assert sum(point.as_double for point in points(said["perpwire_request_errors"])) >= 1
    for budget in one.budgets:
        assert value(said, "perpwire_budget_used", limit=budget.name, scope=budget.scope) == budget.used
    for connection in one.connections:
        assert value(said, "perpwire_connection_state", connection=connection.name) == 1
        for state, seconds in connection.seconds_in.items():
            assert value(said, "perpwire_connection_state_seconds", connection=connection.name, state=state) == seconds
    assert value(said, "perpwire_events") == one.events > 100
    assert value(said, "perpwire_orders_open") == len(one.orders) == 1
    assert value(said, "perpwire_positions_open") == len(one.positions) == 1
    assert {labels(point)["stream"] for point in points(said["perpwire_handler_latency_seconds_count"])} == set(
        one.latency
    )
    for name, spreads in (("handler_latency", one.latency), ("stream_lag", one.lag)):
        for kind, spread in spreads.items():
            assert value(said, f"perpwire_{name}_seconds_count", stream=kind) == spread.count
            total = value(said, f"perpwire_{name}_seconds_sum", stream=kind)
            assert total == pytest.approx(spread.mean * spread.count)
            buckets = [
                value(said, f"perpwire_{name}_seconds_bucket", stream=kind, le=bound)
                for bound in (*map(str, BUCKETS_S), "+Inf")
            ]
            assert buckets == sorted(buckets)
            assert buckets[-1] == spread.count
