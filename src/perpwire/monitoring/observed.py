"""One connector under observation: looked at once a second. reading.py makes a VenueSnapshot of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from perpwire.api_connector.histogram import Histogram
from perpwire.api_connector.ledger import WindowUse
from perpwire.api_connector.lifecycle import State, TopicState
from perpwire.api_connector.stream_connection import StreamConnection
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock
from perpwire.model.incident import FrameGarbled, Incident, PositionMismatch, StreamGap
from perpwire.model.market import Event, MarkPrice
from perpwire.monitoring.bars import Measured
from perpwire.monitoring.outages import Outages
from perpwire.monitoring.past import Past

FINE = (TopicState.LIVE, TopicState.ACKNOWLEDGED)
"""A topic of a quiet contract may say nothing for hours."""

LOOK_S = 1.0

START_S = 30.0
"""What was asked for may take so long until it is right for the first time; it is no trouble before."""


class Observed:
    """See module docstring.

    Args:
        missing: What whoever runs the connector still waits for, and why.
    """

    def __init__(
        self, name: str, connector: VenueConnector, clock: Clock, missing: Callable[[], Mapping[str, str]]
    ) -> None:
        self.name = name
        self.connector = connector
        self._clock = clock
        self.missing = missing
        self._looked_ns = clock.monotonic_ns()
        self._has_looked = False
        self._seen: dict[str, Event] = {}
        """Kind -> the event of it that was looked at last."""
        self._counts_from: dict[tuple[str, str], int] = {}
        """Connection and topic, or book -> from when on it counts."""
        self.marks: dict[str, Decimal] = {}
        """Symbol -> the newest mark price."""
        self._events_before = 0
        self.events_per_s = 0.0
        self.past = Past()
        self.outages = Outages()
        self.lag: dict[str, Histogram] = {}
        self.incidents: dict[str, int] = {}
        self._wrong = 0
        self._off = connector.on(MarkPrice, self._on_mark)

    def end(self) -> None:
        self._off()

    def _on_mark(self, event: MarkPrice) -> None:
        self.marks[event.symbol] = event.mark_price

    # --- what happens ---------------------------------------------------------------------------------------------

    def take(self, incident: Incident, kind: str) -> None:
        """Count one incident of this connector."""
        self.incidents[kind] = self.incidents.get(kind, 0) + 1
        self.outages.take(incident)
        match incident:
            case StreamGap(repaired=False) | FrameGarbled() | PositionMismatch():
                self._wrong += 1

    def look(self) -> None:
        """Each LOOK_S."""
        now_ns = self._clock.monotonic_ns()
        passed_s, self._looked_ns = (now_ns - self._looked_ns) / 1e9, now_ns
        streams, wall_ns = self.connector.streams, self._clock.time_ns()
        self.past.spans.note(self.states(), wall_ns, passed_s)
        good, looked = self._rightness()
        # While the program stood still nobody could look, and nothing came to anybody: it was right in none of these.
        if self._has_looked:
            looked *= max(int(passed_s / LOOK_S), 1)
        self._has_looked = True
        self.past.share.add(good, looked)
        events = streams.frames.events_delivered
        self.events_per_s = (events - self._events_before) / passed_s if passed_s > 0 else 0.0
        self._events_before = events
        lag_s = self._lags()
        budgets = self.budgets()
        response = self.connector.metrics.times()
        for line in (self.past.points, self.past.minutes):
            ended = line.look(
                wall_ns, good=good, looked=looked, lag_s=lag_s, events=events,
                budget_share=max((one.share for one in budgets), default=0.0),
                response=response, latency=streams.frames.latency_ns,
            )  # fmt: skip
            if ended and line is self.past.minutes:
                self.past.share.end_minute()

    def states(self) -> dict[str, str]:
        states = {name: state.value for name, state in self.connector.streams.states.items()}
        trade = self.connector.trade_route
        if trade is not None and trade.state is not State.IDLE:
            states[trade.name] = trade.state.value
        return states

    def connections(self) -> dict[str, StreamConnection]:
        streams = self.connector.streams
        found = {name: streams.connection(name) for name in streams.states}
        return {name: one for name, one in found.items() if one is not None}

    def _rightness(self) -> tuple[int, int]:
        """How many topics are live and books in sync just now, and how many there are; a connection that has no topics,
        as an account's stream at some venues, counts itself. What has just been asked for, and has never been right,
        counts after START_S."""
        right: dict[tuple[str, str], bool] = {}
        for name, connection in self.connections().items():
            is_live = connection.state is State.LIVE
            topics = connection.topic_states
            if not topics and connection.state not in (State.IDLE, State.CLOSED):
                right[name, ""] = is_live
            for topic, state in topics.items():
                right[name, topic] = is_live and state in FINE
        for book in self.connector.local_books:
            right["book", book.symbol] = book.is_in_sync
        now_ns = self._looked_ns
        for key, is_right in right.items():
            if is_right:
                self._counts_from[key] = 0
            else:
                self._counts_from.setdefault(key, now_ns + round(START_S * 1e9))
        for gone in self._counts_from.keys() - right.keys():
            del self._counts_from[gone]
        counted = [is_right for key, is_right in right.items() if self._counts_from[key] <= now_ns]
        return sum(counted), len(counted)

    def _lags(self) -> float | None:
        """The greatest lag of what has come since the last look, in seconds."""
        worst: float | None = None
        for kind, event in self.connector.streams.frames.newest_of_kinds.items():
            if event is self._seen.get(kind):
                continue
            self._seen[kind] = event
            lag_ms = self.connector.lag_ms(event)
            if lag_ms is None:
                continue
            self.lag.setdefault(kind, Histogram()).record(max(0.0, lag_ms / 1000))
            worst = max(lag_ms / 1000, worst or 0.0)
        return worst

    def budgets(self) -> tuple[WindowUse, ...]:
        return tuple(self.connector.ledger.windows(self._clock.monotonic_ns()))

    # --- what is said of it ---------------------------------------------------------------------------------------

    def measured(self) -> Measured:
        frames = self.connector.streams.frames
        return Measured(
            response=self.connector.metrics.times(succeeded=True),
            latency_ns=frames.latency_ns,
            good=self.past.share.good,
            looked=self.past.share.looked,
            recovered=self.outages.recovered,
            not_recovered=self.outages.not_recovered(self._clock.time_ns()),
            events=frames.events_delivered,
            wrong=self._wrong,
        )
