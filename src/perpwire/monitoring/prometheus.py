"""Metrics for Prometheus, from the Snapshot that all else shows; needs perpwire[metrics].

Names and units follow its conventions: perpwire_ first, base units, _total for what only grows. No symbol is a label,
and every other label has few values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from perpwire.api_connector.histogram import Histogram
from perpwire.errors import BadInput
from perpwire.monitoring.observed import Observed
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.snapshot import Snapshot, VenueSnapshot

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"

BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of every histogram: from what a frame costs us to what a lost answer costs a caller."""


class Row(NamedTuple):
    """One metric.

    Attributes:
        name: Without the _total of a counter.
        labels: Beside venue and connector, which nearly all have.
        help: What it is, with its unit.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    of_connector: bool = True

    @property
    def all_labels(self) -> tuple[str, ...]:
        return ("venue", "connector", *self.labels) if self.of_connector else self.labels

    @property
    def written(self) -> str:
        """As it stands in queries."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


METRICS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("perpwire_up_seconds", "gauge", (), "Seconds since observing began.", of_connector=False),
        Row("perpwire_quality", "gauge", ("bar",), "Value of a quality bar, seconds or share.", of_connector=False),
        Row("perpwire_quality_wanted", "gauge", ("bar",), "What the quality bar asks for.", of_connector=False),
        Row("perpwire_quality_holds", "gauge", ("bar",), "1: the bar holds; 0: it is missed.", of_connector=False),
        Row("perpwire_connector_live", "gauge", ("env",), "1: every stream speaks and every book is in sync."),
        Row("perpwire_account_live", "gauge", (), "1: the account's stream is there and proven."),
        Row("perpwire_live_ratio", "gauge", ("window",), "Share of time in which streams were live and books in sync."),
        Row("perpwire_requests", "counter", ("call",), "Requests by call."),
        Row("perpwire_request_errors", "counter", ("call", "error"), "Requests that failed, by class of error."),
        Row("perpwire_response_seconds", "histogram", ("call",), "From a request to its parsed reply."),
        Row("perpwire_unknown_codes", "counter", (), "Answers with an error code that is not known."),
        Row("perpwire_budget_used", "gauge", ("limit", "scope"), "Units of a rate limit that are spent now."),
        Row("perpwire_budget_limit", "gauge", ("limit", "scope"), "Units that a rate limit has."),
        Row("perpwire_budget_stopped_seconds", "gauge", ("limit", "scope"), "Seconds until it may be spent again."),
        Row("perpwire_banned", "gauge", (), "1: the venue takes no calls from this address."),
        Row("perpwire_connection_state", "gauge", ("connection", "state"), "1 for the state that a connection is in."),
        Row("perpwire_connection_state_seconds", "counter", ("connection", "state"), "Seconds in each state."),
        Row("perpwire_connection_reconnects", "counter", ("connection",), "How often it was lost and is back."),
        Row("perpwire_topics", "gauge", ("connection", "state"), "Topics of a connection in each state."),
        Row("perpwire_events", "counter", (), "Events that streams delivered."),
        Row("perpwire_frames_garbled", "counter", (), "Frames that could not be read."),
        Row("perpwire_handler_latency_seconds", "histogram", ("stream",), "From a frame being readable to its first "
            "handler; stream is the kind of the frame's first event."),
        Row("perpwire_stream_lag_seconds", "histogram", ("stream",), "From the venue making an event to its frame "
            "being readable, the clocks' difference taken out; the newest of each kind, once a second."),
        Row("perpwire_books", "gauge", ("state",), "Local books, by state: in_sync or not."),
        Row("perpwire_gaps", "counter", (), "Holes in what streams say."),
        Row("perpwire_gaps_repaired", "counter", (), "Those that were read back whole."),
        Row("perpwire_outages", "counter", (), "What broke: connections, books, an order's certainty."),
        Row("perpwire_outages_recovered", "counter", (), "What of it came right by itself within a minute."),
        Row("perpwire_outages_open", "gauge", (), "What is broken now."),
        Row("perpwire_incidents", "counter", ("incident",), "Incidents by kind."),
        Row("perpwire_orders_open", "gauge", (), "Open orders of the account."),
        Row("perpwire_orders_in_doubt", "gauge", (), "Orders whose outcome is not known."),
        Row("perpwire_order_events_late", "counter", (), "Events of orders that came when they, or what came after "
            "them, had been told, and were not delivered: the stream is behind the answers, or repeats itself."),
        Row("perpwire_positions_open", "gauge", (), "Positions that are not flat."),
        Row("perpwire_liquidation_distance_ratio", "gauge", (), "The least that a mark price may still move before a "
            "liquidation, as a share of it."),
        Row("perpwire_journal_backlog", "gauge", (), "Lines of the order journal that its database does not have yet."),
        Row("perpwire_queue_waiting", "gauge", ("stream",), "Events that wait in iterators."),
        Row("perpwire_queue_dropped", "counter", ("stream",), "Events that slow iterators lost."),
        Row("perpwire_handler_busy_seconds", "counter", ("handler",), "Seconds in handlers; the busiest twenty."),
        Row("perpwire_handler_failures", "counter", ("handler",), "How often a handler raised; the busiest twenty."),
        Row("perpwire_loop_stalls", "counter", (), "How often the event loop stood still."),
        Row("perpwire_loop_stalled_seconds", "counter", (), "Seconds that it did."),
        Row("perpwire_clock_offset_seconds", "gauge", (), "The venue's clock less this machine's."),
        Row("perpwire_fanout_up", "gauge", (), "1: Redis takes what is heard here.", of_connector=False),
        Row("perpwire_fanout_sent", "counter", (), "Entries that Redis took.", of_connector=False),
        Row("perpwire_fanout_dropped", "counter", ("lane",), "Events that were dropped while Redis did not take them; "
            "each is told by a gap.", of_connector=False),
        Row("perpwire_fanout_waiting", "gauge", (), "Events that wait for Redis.", of_connector=False),
        Row("perpwire_key_expires_timestamp_seconds", "gauge", (), "When the API key expires, Unix time."),
    )
}  # fmt: skip

_Labels = tuple[str, ...]
_Number = float | int | None


def exposition(observer: Observer) -> bytes:
    """What GET /metrics answers.

    Raises:
        BadInput: prometheus-client is not installed.
    """
    try:
        from prometheus_client.exposition import generate_latest
    except ImportError:
        raise BadInput(
            "prometheus-client is not installed",
            code="NO_PROMETHEUS",
            advice="Install it: pip install 'perpwire[metrics]'.",
        ) from None
    return generate_latest(registry(observer))


def registry(observer: Observer) -> CollectorRegistry:
    """A registry with an observer's metrics alone; to have them beside your own, register Collected(observer) there."""
    from prometheus_client import CollectorRegistry

    made = CollectorRegistry(auto_describe=False)
    made.register(Collected(observer))
    return made


class Collected:
    """A collector for prometheus-client: reads the observer anew each time it is asked."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        families = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        numbers: dict[str, list[tuple[_Labels, float]]] = {}
        for name, labels, number in values(self._observer.snapshot()):
            if number is not None:
                numbers.setdefault(name, []).append((labels, float(number)))
        times: dict[str, list[tuple[_Labels, Histogram, float]]] = {}
        for one in self._observer.observed:
            for name, labels, histogram, unit_s in histograms(one):
                times.setdefault(name, []).append((labels, histogram, unit_s))
        for row in METRICS.values():
            if row.kind == "histogram":
                spread = HistogramMetricFamily(row.name, row.help, labels=row.all_labels)
                for labels, histogram, unit_s in times.get(row.name, ()):
                    spread.add_metric(labels, _buckets(histogram, unit_s), histogram.sum * unit_s)
                yield spread
                continue
            family = families[row.kind](row.name, row.help, labels=row.all_labels)
            for labels, value in numbers.get(row.name, ()):
                family.add_metric(labels, value)
            yield family


def _buckets(histogram: Histogram, unit_s: float) -> list[tuple[str, float]]:
    counts = [(str(bound), float(histogram.at_most(bound / unit_s))) for bound in BUCKETS_S]
    return [*counts, ("+Inf", float(histogram.count))]


# --- what is said -----------------------------------------------------------------------------------------------------


def values(snapshot: Snapshot) -> Iterator[tuple[str, _Labels, _Number]]:
    """Counters and gauges: name, labels in the order of the metric's row, value; None where it was not measured."""
    yield "perpwire_up_seconds", (), snapshot.up_s
    for bar in snapshot.bars:
        yield "perpwire_quality", (bar.name,), bar.value
        yield "perpwire_quality_wanted", (bar.name,), bar.wanted
        yield "perpwire_quality_holds", (bar.name,), bar.holds
    if (fanout := snapshot.fanout) is not None:
        yield "perpwire_fanout_up", (), fanout.is_up
        yield "perpwire_fanout_sent", (), fanout.sent
        for lane, dropped in fanout.dropped.items():
            yield "perpwire_fanout_dropped", (lane,), dropped
        yield "perpwire_fanout_waiting", (), fanout.waiting
    for venue in snapshot.venues:
        for name, labels, number in (*_of_connector(venue), *_of_streams(venue), *_of_account(venue)):
            yield name, (venue.venue, venue.name, *labels), number


def _of_connector(venue: VenueSnapshot) -> Iterator[tuple[str, _Labels, _Number]]:
    yield "perpwire_connector_live", (venue.env,), venue.is_live
    for window, share in venue.live_share.items():
        yield "perpwire_live_ratio", (window,), share
    for call in venue.calls:
        yield "perpwire_requests", (call.name,), call.requests
        for error, times in call.errors.items():
            yield "perpwire_request_errors", (call.name, error), times
    yield "perpwire_unknown_codes", (), sum(venue.unknown_codes.values())
    for budget in venue.budgets:
        labels = (budget.name, budget.scope)
        yield "perpwire_budget_used", labels, budget.used
        yield "perpwire_budget_limit", labels, budget.limit
        yield "perpwire_budget_stopped_seconds", labels, budget.stopped_s
    yield "perpwire_banned", (), venue.banned_until_ms is not None
    yield "perpwire_clock_offset_seconds", (), venue.clock_offset_ms / 1000
    for kind, times in venue.incidents.items():
        yield "perpwire_incidents", (kind,), times
    yield "perpwire_outages", (), venue.outages
    yield "perpwire_outages_recovered", (), venue.recovered
    yield "perpwire_outages_open", (), venue.open_outages
    yield "perpwire_loop_stalls", (), venue.loop_stalls
    yield "perpwire_loop_stalled_seconds", (), venue.loop_stalled_s
    for handler, busy_s, failed in _handlers(venue):
        yield "perpwire_handler_busy_seconds", (handler,), busy_s
        yield "perpwire_handler_failures", (handler,), failed


def _of_streams(venue: VenueSnapshot) -> Iterator[tuple[str, _Labels, _Number]]:
    for one in venue.connections:
        yield "perpwire_connection_state", (one.name, one.state), 1
        for state, seconds in one.seconds_in.items():
            yield "perpwire_connection_state_seconds", (one.name, state), seconds
        yield "perpwire_connection_reconnects", (one.name,), one.reconnects
        for state, topics in one.topics.items():
            yield "perpwire_topics", (one.name, state), topics
    yield "perpwire_events", (), venue.events
    yield "perpwire_frames_garbled", (), venue.frames_garbled
    in_sync = sum(book.is_in_sync for book in venue.books)
    yield "perpwire_books", ("in_sync",), in_sync
    yield "perpwire_books", ("not_in_sync",), len(venue.books) - in_sync
    yield "perpwire_gaps", (), venue.gaps
    yield "perpwire_gaps_repaired", (), venue.gaps_repaired
    waiting: dict[str, int] = {}
    dropped: dict[str, int] = {}
    for consumer in venue.consumers:
        waiting[consumer.kind] = waiting.get(consumer.kind, 0) + consumer.waiting
        dropped[consumer.kind] = dropped.get(consumer.kind, 0) + consumer.dropped
    for kind in waiting:
        yield "perpwire_queue_waiting", (kind,), waiting[kind]
        yield "perpwire_queue_dropped", (kind,), dropped[kind]


def _of_account(venue: VenueSnapshot) -> Iterator[tuple[str, _Labels, _Number]]:
    yield "perpwire_account_live", (), venue.is_account_live
    yield "perpwire_orders_open", (), len(venue.orders)
    yield "perpwire_orders_in_doubt", (), len(venue.doubts)
    yield "perpwire_order_events_late", (), venue.late_orders
    yield "perpwire_positions_open", (), len(venue.positions)
    rooms = [one.liquidation_share for one in venue.positions if one.liquidation_share is not None]
    yield "perpwire_liquidation_distance_ratio", (), min(rooms, default=None)
    yield "perpwire_journal_backlog", (), venue.journal_backlog
    expires_ms = venue.key_expires_ms
    yield "perpwire_key_expires_timestamp_seconds", (), None if expires_ms is None else expires_ms / 1000


def _handlers(venue: VenueSnapshot) -> Iterator[tuple[str, float, int]]:
    """By name: one handler may hear of many kinds."""
    busy: dict[str, float] = {}
    failed: dict[str, int] = {}
    for one in venue.handlers:
        busy[one.handler] = busy.get(one.handler, 0.0) + one.busy_s
        failed[one.handler] = failed.get(one.handler, 0) + one.failed
    return ((name, busy[name], failed[name]) for name in busy)


def histograms(one: Observed) -> Iterator[tuple[str, _Labels, Histogram, float]]:
    """Name, labels, values, and how many seconds one of their units has."""
    base = (one.connector.venue.name, one.name)
    for call, times, _ in one.connector.metrics.calls():
        yield "perpwire_response_seconds", (*base, call), times, 1.0
    for kind, latency_ns in one.connector.streams.frames.latency_of_kinds.items():
        yield "perpwire_handler_latency_seconds", (*base, kind), latency_ns, 1e-9
    for kind, lag in one.lag.items():
        yield "perpwire_stream_lag_seconds", (*base, kind), lag, 1.0
