"""Metrics for OpenTelemetry: the rows of prometheus.METRICS, under the same names, as observable instruments; needs
perpwire[otel].

What carries them away, and how often, is the business of the MeterProvider. Its readers ask from threads of their own,
where the observer may not be read: so the loop writes down a page of measurements now and then, and they read that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from weakref import WeakSet

from perpwire.clock import Clock, Every
from perpwire.errors import BadInput
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.prometheus import BUCKETS_S, METRICS, histograms, values
from perpwire.raised import RAISED

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

log = logging.getLogger("perpwire.monitoring")

_TAKEN: WeakSet[MeterProvider] = WeakSet()

_Page = dict[str, list[tuple[dict[str, str], float]]]


def export(
    observer: Observer, clock: Clock, provider: MeterProvider | None = None, *, every_s: float = 5.0
) -> Callable[[], None]:
    """Give a MeterProvider what an observer sees. To be called in the event loop. Returns a function that ends it.

    OpenTelemetry knows no observable histogram: each histogram is three counters, NAME_bucket (with `le`, the upper
    bound in seconds, as Prometheus has it), NAME_sum and NAME_count.

    Args:
        provider: The global one where none is given. It takes one observer in its life: a second one would be
            ignored.
        every_s: How old a value may get before it is read again.

    Raises:
        BadInput: opentelemetry-api is not installed, `every_s` is not above 0, or the provider has had an observer.
    """
    try:
        from opentelemetry.metrics import Observation, get_meter_provider
    except ImportError:
        raise BadInput(
            "opentelemetry-api is not installed",
            code="NO_OPENTELEMETRY",
            advice="Install it: pip install 'perpwire[otel]'.",
        ) from None
    if not every_s > 0:
        raise BadInput(f"every_s is to be above 0, not {every_s}", code="BAD_INTERVAL")
    provider = provider or get_meter_provider()
    if provider in _TAKEN:
        raise BadInput("this MeterProvider has had an observer already", code="PROVIDER_TAKEN")
    _TAKEN.add(provider)
    written = _Written(observer, clock, every_s)

    def reader(name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: [Observation(value, labels) for labels, value in written.page.get(name, ())]

    meter = provider.get_meter("perpwire")
    for row in METRICS.values():
        unit = "s" if row.name.endswith("_seconds") else ""
        match row.kind:
            case "gauge":
                meter.create_observable_gauge(row.name, [reader(row.name)], unit, row.help)
            case "counter":
                meter.create_observable_counter(row.name, [reader(row.name)], unit, row.help)
            case "histogram":
                for part, of in (("bucket", ""), ("sum", unit), ("count", "")):
                    name = f"{row.name}_{part}"
                    meter.create_observable_counter(name, [reader(name)], of, row.help)
    written.begin()
    return written.end


class _Written:
    """The newest page. It is replaced, never changed, so that any thread may read it."""

    def __init__(self, observer: Observer, clock: Clock, every_s: float) -> None:
        self.page: _Page = {}
        self._observer = observer
        self._every = Every(clock, every_s, self._write)

    def begin(self) -> None:
        self._every.start()
        self._write()

    def _write(self) -> None:
        try:
            page: _Page = {}
            for name, labels, value in _measured(self._observer):
                page.setdefault(name, []).append((labels, value))
            self.page = page
        except RAISED:
            self.page = {}  # rather nothing than what was true a while ago
            log.exception("metrics could not be read")

    def end(self) -> None:
        self._every.stop()
        self.page = {}


def _measured(observer: Observer) -> Iterator[tuple[str, dict[str, str], float]]:
    for name, labels, number in values(observer.snapshot()):
        if number is not None:
            yield name, dict(zip(METRICS[name].all_labels, labels, strict=True)), float(number)
    for one in observer.observed:
        for name, labels, histogram, unit_s in histograms(one):
            named = dict(zip(METRICS[name].all_labels, labels, strict=True))
            for bound in BUCKETS_S:
                yield f"{name}_bucket", {**named, "le": str(bound)}, float(histogram.at_most(bound / unit_s))
            yield f"{name}_bucket", {**named, "le": "+Inf"}, float(histogram.count)
            yield f"{name}_sum", named, histogram.sum * unit_s
            yield f"{name}_count", named, float(histogram.count)
