"""What broke, and whether it came right by itself: pairs of incidents, by what they are about."""

from __future__ import annotations

from perpwire.model.incident import (
    BookGap,
    BookRecovered,
    ConnectionLost,
    ConnectionRecovered,
    Incident,
    LoginRefused,
    OrderDoubtful,
    OrderResolved,
    StreamGap,
    StreamStale,
)

PATIENCE_S = 60.0
"""What is broken for longer has not come right by itself, whatever comes of it."""

_KEPT = 10_000


class Outages:
    """Counts them.

    Attributes:
        begun: How many there were.
        recovered: Came right within PATIENCE_S.
        late: Came right, but later; or never, as the user has to act.
        gaps, gaps_repaired: Holes told of, and those of them that were closed.
    """

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self.begun = self.recovered = self.late = 0
        self.gaps = self.gaps_repaired = 0

    def take(self, incident: Incident) -> None:
        at_ns = incident.time_ns
        match incident:
            case StreamGap():
                self.gaps += 1
                self.gaps_repaired += incident.repaired
            case ConnectionLost() | StreamStale():
                self._begin(f"connection {incident.connection}", at_ns)
            case LoginRefused():
                self._fail(f"connection {incident.connection}", at_ns)
            case ConnectionRecovered():
                self._end(f"connection {incident.connection}", at_ns)
            case BookGap():
                self._begin(f"book {incident.symbol}", at_ns)
            case BookRecovered():
                self._end(f"book {incident.symbol}", at_ns)
            case OrderDoubtful():
                self._begin(f"order {incident.client_order_id}", at_ns)
            case OrderResolved():
                if incident.outcome == "UNRESOLVED":
                    self._fail(f"order {incident.client_order_id}", at_ns)
                else:
                    self._end(f"order {incident.client_order_id}", at_ns)

    def open(self) -> int:
        """How many things are broken now."""
        return len(self._open)

    def not_recovered(self, now_ns: int) -> int:
        """Those that were late, and those that are broken for too long by now."""
        return self.late + sum(now_ns - since_ns > PATIENCE_S * 1e9 for since_ns in self._open.values())

    def _begin(self, key: str, at_ns: int) -> None:
        if key in self._open:
            return  # one trouble, told twice
        self.begun += 1
        if len(self._open) < _KEPT:
            self._open[key] = at_ns

    def _end(self, key: str, at_ns: int) -> None:
        since_ns = self._open.pop(key, None)
        if since_ns is None:
            return
        if at_ns - since_ns > PATIENCE_S * 1e9:
            self.late += 1
        else:
            self.recovered += 1

    def _fail(self, key: str, at_ns: int) -> None:
        self._begin(key, at_ns)
        if self._open.pop(key, None) is not None:
            self.late += 1
