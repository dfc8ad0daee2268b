"""What scenarios of streams look at: when what was heard, when sockets were opened, what a person was told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from perpwire.model.incident import BookGap, BookRecovered, ConnectionLost, ConnectionRecovered, Incident
from perpwire.model.market import AggTrade, BookDelta, BookSnapshot, BookTicker, Event, Kline, MarkPrice, Trade
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.digest import Digest
from perpwire.notification.rules import Rules
from perpwire.scenarios.run import Run

KINDS: tuple[type[Event], ...] = (BookTicker, Trade, BookDelta, BookSnapshot, MarkPrice, Kline)

PUBLIC = {"binance": "/public", "bybit": "/v5/public"}
"""In the path of the sockets with top of book and depth."""

DEPTH = {"binance": "*@depth*", "bybit": "orderbook.50.*"}

PUBLIC_NAME = {"binance": "binance/public", "bybit": "bybit/public"}


class Hearing:
    """Begins to listen when it is made."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        """Name of a kind -> when each event of it was delivered."""
        for kind in KINDS:
            run.connector.on(kind, self._heard(kind.__name__))
        self._incidents_before = len(run.incidents)
        self._journal_before = len(run.host.journal.entries())

    def _heard(self, name: str) -> Callable[[Event], None]:
        times = self.times[name]
        return lambda event: times.append(self._run.now_s)

    def gone(self, symbol: str) -> list[float]:
        """Moments at which the local book of a symbol became unreadable, or readable again."""
        found = self.incidents(BookGap, BookRecovered)
        return [self.at_s(one) for one in found if isinstance(one, BookGap | BookRecovered) and one.symbol == symbol]

    def first(self, kinds: tuple[type[Event], ...], since_s: float) -> float:
        """When any of these kinds was heard first after a moment; infinite: never."""
        times = (time for kind in kinds for time in self.times[kind.__name__] if time > since_s)
        return min(times, default=float("inf"))

    def last(self, kinds: tuple[type[Event], ...], until_s: float) -> float:
        times = (time for kind in kinds for time in self.times[kind.__name__] if time <= until_s)
        return max(times, default=float("-inf"))

    def incidents(self, *kinds: type[Incident]) -> list[Incident]:
        """Those since it was made."""
        return [one for one in self._run.incidents[self._incidents_before :] if isinstance(one, kinds)]

    def at_s(self, incident: Incident) -> float:
        """When it was, in seconds of the run."""
        return self._run.now_s - (self._run.clock.time_ns() - incident.time_ns) / 1e9

    def lost(self, connection: str) -> list[float]:
        found = self.incidents(ConnectionLost)
        return [self.at_s(one) for one in found if isinstance(one, ConnectionLost) and one.connection == connection]

    def recovered(self, connection: str) -> list[float]:
        found = self.incidents(ConnectionRecovered)
        return [
            self.at_s(one) for one in found if isinstance(one, ConnectionRecovered) and one.connection == connection
        ]

    def opened(self, path: str, since_s: float) -> list[tuple[float, int]]:
        """When sockets of a path were opened, and their numbers."""
        entries = self._run.host.journal.entries(kind=("opened",))
        now_ns = self._run.clock.time_ns()
        found = [
            (self._run.now_s - (now_ns - entry.time_ns) / 1e9, entry.connection)
            for entry in entries
            if path in entry.text
        ]
        return [one for one in found if one[0] > since_s]

    def alerts(self) -> list[tuple[float, Alert]]:
        """What a person was told since, and when: of what is wrong, not of its end."""
        digest, rules = Digest(60.0), Rules()
        told = []
        for incident in self.incidents(Incident):
            alert = rules.alert(incident)
            if alert is None:
                continue
            out = digest.note(alert, incident.time_ns)
            if out is not None and out.resolves is None and out.severity is not Severity.INFO:
                told.append((self.at_s(incident), out))
        return told


TOP = (BookTicker,)
DEPTHS = (BookDelta, BookSnapshot)
TRADES = (Trade, AggTrade)
