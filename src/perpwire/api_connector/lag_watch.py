"""Whether what streams tell is old when it can be read here, and which handler that comes of."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock, Every
from perpwire.model.incident import Incident, StreamLagging
from perpwire.model.market import Event, kind_of

LOOK_S = 1.0

LAG_S = 1.0
"""What is younger when it is readable is not late."""

LOOKS = 4
"""So many in a row, three seconds, in each of which something late has come."""


class LagWatch:
    """Looks once a second at the last event of each connection.

    Args:
        lag_ms: Of an event; None where it does not say when it was made.
    """

    def __init__(
        self,
        venue: str,
        streams: WebSocketManager,
        lag_ms: Callable[[Event], float | None],
        clock: Clock,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._streams = streams
        self._lag_ms = lag_ms
        self._clock = clock
        self._on_incident = on_incident
        self._every = Every(clock, LOOK_S, self._look)
        self._seen: dict[str, Event] = {}
        self._late: dict[str, int] = {}
        """Connection -> looks in a row at which it was late."""
        self._busy: dict[tuple[str, str], float] = {}
        """Handler and kind -> its time when the first connection began to be late."""

    def start(self) -> None:
        self._every.start()

    def stop(self) -> None:
        self._every.stop()

    def _look(self) -> None:
        latest = self._streams.frames.latest
        for connection, event in list(latest.items()):
            if event is self._seen.get(connection):
                continue  # nothing has come: that is no lag, and no proof that it is over
            self._seen[connection] = event
            lag_ms = self._lag_ms(event)
            if lag_ms is None:
                continue
            if lag_ms < LAG_S * 1000:
                self._late.pop(connection, None)
                continue
            if not self._late:
                self._busy = self._times()
            looks = self._late[connection] = self._late.get(connection, 0) + 1
            if looks == LOOKS:
                self._tell(connection, event, lag_ms / 1000)

    def _tell(self, connection: str, event: Event, lag_s: float) -> None:
        taken = {key: busy_s - self._busy.get(key, 0.0) for key, busy_s in self._times().items()}
        (handler, _), busy_s = max(taken.items(), key=lambda one: one[1], default=(("", ""), 0.0))
        waiting = max((queue.waiting for queue in self._streams.queues), default=0)
        kind = kind_of(type(event)).__name__
        self._on_incident(
            StreamLagging(
                venue=self._venue,
                time_ns=self._clock.time_ns(),
                connection=connection,
                kind=kind,
                symbol=event.symbol,
                lag_s=lag_s,
                waiting=waiting,
                handler=handler,
                busy_s=busy_s,
            )
        )

    def _times(self) -> dict[tuple[str, str], float]:
        times: dict[tuple[str, str], float] = {}
        for one in self._streams.handlers:
            key = (one.handler, one.kind)
            times[key] = times.get(key, 0.0) + one.busy_s
        return times
