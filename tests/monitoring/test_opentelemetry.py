"""What an OpenTelemetry reader collects is what Prometheus is told, from any thread, and nothing once it is ended."""

from __future__ import annotations

import sys
import threading

import pytest
from opentelemetry.metrics import MeterProvider as AnyProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, InMemoryMetricReader, Sum
from prometheus_client.parser import text_string_to_metric_families
from tests.monitoring.observing import observe

from perpwire.clock import ManualClock
from perpwire.errors import APIError, BadInput
from perpwire.model.market import BookTicker, Trade
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.opentelemetry import export
from perpwire.monitoring.prometheus import METRICS, exposition
from perpwire.simulator.faults import Answer
from perpwire.testing import World

VENUES = ["binance", "bybit"]
POSITIONS = {"binance": "/fapi/v3/positionRisk", "bybit": "/v5/position/list"}
CLOCKS = {"perpwire_up_seconds", "perpwire_connection_state_seconds"}
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def provided() -> tuple[MeterProvider, InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    return MeterProvider([reader], shutdown_on_exit=False), reader


def collected(reader: InMemoryMetricReader) -> Values:
    """(name, labels) -> value. Counters are cumulative and only grow, all else are gauges."""
    found: Values = {}
    data = reader.get_metrics_data()
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                row = METRICS.get(metric.name)
                assert isinstance(metric.data, Gauge if row is not None and row.kind == "gauge" else Sum)
                assert not isinstance(metric.data, Sum) or metric.data.is_monotonic
                assert metric.description
                for point in metric.data.data_points:
                    labels = frozenset((name, str(value)) for name, value in (point.attributes or {}).items())
                    assert (metric.name, labels) not in found
                    found[metric.name, labels] = point.value
    return found


def told_to_prometheus(observer: Observer) -> Values:
    """The same of the exposition, without the _total of a counter."""
    return {
        (sample.name.removesuffix("_total"), frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition(observer).decode())
        for sample in family.samples
    }


def steady(values: Values) -> Values:
    """Without what goes on while nothing happens."""
    return {key: value for key, value in values.items() if key[0] not in CLOCKS}


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_reader_collects_just_what_prometheus_is_told(venue: str) -> None:
    provider, reader = provided()

    async def scenario(world: World, observer: Observer) -> None:
        connector = world.connectors[venue]
        await connector.open_account_stream()
        await connector.subscribe((Trade, BookTicker), ["BTCUSDT"])
        await connector.open_book("BTCUSDT")
        await connector.place_order("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="40000")
        world.simulation.faults[venue].add(Answer(status=400, count=None, path=POSITIONS[venue]))
        with pytest.raises(APIError) as failed:
            await connector.get_positions()
        await world.clock.sleep(20)
        end = export(observer, world.clock, provider)
        now, prometheus = collected(reader), told_to_prometheus(observer)
        assert now.keys() == prometheus.keys()
        assert steady(now) == pytest.approx(steady(prometheus))
        base = {("venue", venue), ("connector", venue)}
        assert now["perpwire_requests", frozenset({*base, ("call", "place_order")})] == 1
        assert now["perpwire_response_seconds_count", frozenset({*base, ("call", "place_order")})] == 1
        infinite = frozenset({*base, ("call", "place_order"), ("le", "+Inf")})
        assert now["perpwire_response_seconds_bucket", infinite] == 1
        labels = frozenset({*base, ("call", "positions"), ("error", type(failed.value).__name__)})
        assert now["perpwire_request_errors", labels] >= 1
        assert now["perpwire_orders_open", frozenset(base)] == 1
        assert now["perpwire_events", frozenset(base)] == connector.streams.frames.events_delivered > 100
        end()

    observe(venue, scenario)


def test_values_are_read_anew_every_few_seconds_and_gone_once_it_is_ended() -> None:
    provider, reader = provided()

    async def scenario(world: World, observer: Observer) -> None:
        up = ("perpwire_up_seconds", frozenset[tuple[str, str]]())
        end = export(observer, world.clock, provider, every_s=5.0)
        at_first = collected(reader)[up]
        await world.clock.sleep(4)
        assert collected(reader)[up] == at_first
        await world.clock.sleep(2)
        assert collected(reader)[up] == pytest.approx(at_first + 5.0, abs=0.01)
        end()
        assert collected(reader) == {}
        await world.clock.sleep(20)
        assert collected(reader) == {}

    observe("binance", scenario)


def test_a_connector_that_is_taken_away_is_told_of_no_more() -> None:
    provider, reader = provided()

    async def scenario(world: World, observer: Observer) -> None:
        remove = observer.add(world.connectors["binance"], "second")
        end = export(observer, world.clock, provider)
        assert {
            dict(labels)["connector"] for _, labels in collected(reader) if labels and "bar" not in dict(labels)
        } == {
            "binance",
            "second",
        }
        remove()
        await world.clock.sleep(6)
        assert {dict(labels).get("connector", "") for _, labels in collected(reader)} == {"", "binance"}
        end()

    observe("binance", scenario)


@pytest.mark.slow
def test_a_reader_in_a_thread_of_its_own_never_fails_while_the_loop_is_busy() -> None:
    provider, reader = provided()

    async def scenario(world: World, observer: Observer) -> None:
        connector = world.connectors["binance"]
        end = export(observer, world.clock, provider, every_s=0.01)
        seen: list[float] = []

        def read() -> None:
            while len(seen) < 20:
                found = collected(reader)
                seen.append(sum(value for (name, _), value in found.items() if name == "perpwire_events"))

        reading = threading.Thread(target=read)
        await connector.subscribe((Trade, BookTicker), ["BTCUSDT", "ETHUSDT"])
        reading.start()
        while reading.is_alive():
            await world.clock.sleep(0.1)
        assert len(seen) == 20
        assert seen == sorted(seen)
        end()

    observe("binance", scenario)


def test_a_provider_that_has_an_observer_already_is_refused_as_it_would_ignore_the_second() -> None:
    clock = ManualClock()
    provider, _ = provided()

    async def main() -> None:
        export(Observer(clock), clock, provider)()
        with pytest.raises(BadInput, match="already"):
            export(Observer(clock), clock, provider)

    clock.run(main())


@pytest.mark.parametrize("every_s", [0.0, -1.0, float("nan")])
def test_an_interval_that_is_none_is_refused(every_s: float) -> None:
    clock = ManualClock()
    provider, _ = provided()
    with pytest.raises(BadInput):
        export(Observer(clock), clock, provider, every_s=every_s)


def test_without_opentelemetry_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    with pytest.raises(BadInput, match="not installed") as caught:
        export(Observer(clock), clock)
    assert "perpwire[otel]" in caught.value.advice


def test_a_page_that_cannot_be_read_leaves_nothing_old_and_is_read_again(caplog: pytest.LogCaptureFixture) -> None:
    provider, reader = provided()

    async def scenario(world: World, observer: Observer) -> None:
        broken = True

        class Broken(Observer):
            @property
            def observed(self):  # type: ignore[no-untyped-def]
                if broken:
                    raise RuntimeError("broken")
                return super().observed

        end = export(Broken(world.clock), world.clock, provider)
        assert collected(reader) == {}
        assert "metrics could not be read" in caplog.text
        broken = False
        await world.clock.sleep(6)
        assert collected(reader)
        end()

    observe("binance", scenario)


def test_the_global_provider_is_taken_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, reader = provided()

    def the_global() -> AnyProvider:
        return provider

    monkeypatch.setattr("opentelemetry.metrics.get_meter_provider", the_global)

    async def scenario(world: World, observer: Observer) -> None:
        end = export(observer, world.clock)
        assert collected(reader)
        end()

    observe("binance", scenario)
