"""Observer: looks after any number of connectors, and says what is true of them, and has been."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from perpwire import logs
from perpwire.api_connector.handlers import Handlers
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock, Every
from perpwire.errors import BadInput
from perpwire.model.incident import Incident
from perpwire.monitoring.bars import bars
from perpwire.monitoring.observed import LOOK_S, Observed
from perpwire.monitoring.reading import snapshot_of
from perpwire.monitoring.snapshot import FanoutSnapshot, History, SeenIncident, Snapshot, Words
from perpwire.raised import RAISED
from perpwire.words.said import LANGUAGES, UNSAID, facts_of, sentence, text_of, title

log = logging.getLogger("perpwire.monitoring")

_SEVERITIES = {logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "critical"}
_FACT = 500
"""Characters of one fact; a stack is long."""


def _nothing() -> Mapping[str, str]:
    return {}


class Observer:
    """See module docstring. Bounded memory; one look a second; nothing is added to what a frame costs.

    Args:
        incidents_kept: How many are remembered one by one; all are counted.
    """

    def __init__(self, clock: Clock, *, incidents_kept: int = 1000) -> None:
        self._clock = clock
        self._observed: dict[str, Observed] = {}
        self._incidents: deque[SeenIncident] = deque(maxlen=incidents_kept)
        self._on_incident: Handlers[[SeenIncident]] = Handlers("incidents")
        self.fanout: Callable[[], FanoutSnapshot] | None = None
        """Says how the fan-out goes, where there is one."""
        self._last_id = 0
        self._every = Every(clock, LOOK_S, self._look)
        self._began_ns = clock.monotonic_ns()

    # --- whom -----------------------------------------------------------------------------------------------------

    def add(
        self, connector: VenueConnector, name: str = "", *, missing: Callable[[], Mapping[str, str]] = _nothing
    ) -> Callable[[], None]:
        """Observe a connector, started or not. Returns a function that ends it.

        Args:
            name: What it is called; the venue's name where none is given.
            missing: Says what is wanted of it and does not stand yet, and why.

        Raises:
            BadInput: There is one of that name.
        """
        name = name or connector.venue.name
        if name in self._observed:
            raise BadInput(f"{name!r} is observed already", code="NAME_TAKEN", advice="Give this connector a name.")
        one = self._observed[name] = Observed(name, connector, self._clock, missing)

        def take(incident: Incident) -> None:
            if self._observed.get(name) is one:
                one.take(incident, logs.event_name(type(incident)))
                self.tell(incident, one.name)

        connector.on_incident(take)

        def remove() -> None:
            if self._observed.get(name) is one:
                del self._observed[name]
                one.end()

        return remove

    @property
    def observed(self) -> tuple[Observed, ...]:
        """For exporters that need more than a Snapshot has: histograms."""
        return tuple(self._observed.values())

    # --- when -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Look once a second from now on."""
        self._every.start()

    def close(self) -> None:
        self._every.stop()

    def _look(self) -> None:
        for one in tuple(self._observed.values()):
            try:
                one.look()
            except RAISED:
                log.exception("%s could not be looked at", one.name)

    # --- what -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        now_ns = self._clock.time_ns()
        return Snapshot(
            time_ns=now_ns,
            up_s=(self._clock.monotonic_ns() - self._began_ns) / 1e9,
            venues=tuple(snapshot_of(one, now_ns) for one in self._observed.values()),
            bars=bars([one.measured() for one in self._observed.values()]),
            fanout=None if self.fanout is None else self.fanout(),
        )

    def history(self, name: str) -> History:
        """
        Raises:
            BadInput: No connector of that name.
        """
        one = self._observed.get(name)
        if one is None:
            raise BadInput(f"{name!r} is not observed; there are {', '.join(self._observed)}", code="NO_SUCH_CONNECTOR")
        return one.past.history(self._clock.time_ns())

    @property
    def last_id(self) -> int:
        """Of the newest incident; 0: there was none."""
        return self._last_id

    def incidents(self, after_id: int = 0, limit: int = 100) -> list[SeenIncident]:
        """The newest ones after that id, oldest first; what is forgotten is left out."""
        newer = [one for one in self._incidents if one.id > after_id]
        return newer[max(len(newer) - limit, 0) :]

    def on_incident(self, handler: Callable[[SeenIncident], None]) -> Callable[[], None]:
        """Returns a function that ends it."""
        return self._on_incident.add(handler)

    def tell(self, incident: Incident, name: str = "") -> None:
        """Remember an incident: of the connector of that name, or of none."""
        self._last_id += 1
        facts = facts_of(incident)
        text = text_of(incident, facts)
        seen = SeenIncident(
            id=self._last_id,
            time_ns=incident.time_ns,
            name=name,
            venue=incident.venue,
            kind=logs.event_name(type(incident)),
            severity=_SEVERITIES[logs.level_of(text)],
            detail=sentence(text, facts),
            facts={
                fact: str(value)[:_FACT]
                for fact, value in msgspec.structs.asdict(incident).items()
                if fact not in ("venue", *UNSAID) and value not in (None, "")
            },
            said={
                language: Words(title=title(text, facts, language), sentence=sentence(text, facts, language))
                for language in LANGUAGES
            },
        )
        self._incidents.append(seen)
        self._on_incident.tell(seen)
