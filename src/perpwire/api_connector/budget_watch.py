"""Whether a rate limit is nearly used up for some time, before the venue says no; and when its no is over."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.api_connector.ledger import RateLedger
from perpwire.clock import Clock, Every
from perpwire.model.incident import BudgetEased, BudgetPressed, Incident, RateLimitHit, RateLimitLifted

LOOK_S = 1.0

SHARE = 0.7
"""Of a window; the lowest lanes have to wait at 0.7 to 0.9 (ledger.py)."""

AFTER_S = 10.0
"""What is shorter is a burst, and what the windows are there for. It is told again after each so many seconds."""


class BudgetWatch:
    """Looks once a second at all windows of a ledger. One that is a second long is full whenever a few calls are made
    at once, so it must be so at every look."""

    def __init__(self, venue: str, ledger: RateLedger, clock: Clock, on_incident: Callable[[Incident], None]) -> None:
        self._venue = venue
        self._ledger = ledger
        self._clock = clock
        self._on_incident = on_incident
        self._every = Every(clock, LOOK_S, self._look)
        self._pressed: dict[str, tuple[int, float]] = {}
        """Window -> looks in a row at which it was nearly used up, the least share at these."""
        self._held_since_ns: int | None = None
        """When calls began to be held back, as it was told; monotonic."""

    def start(self) -> None:
        self._every.start()

    def stop(self) -> None:
        self._every.stop()

    def on_incident(self, incident: Incident) -> None:
        """Whoever told that calls are held back is to tell the end of it: others draw on the same windows."""
        if isinstance(incident, RateLimitHit) and self._held_since_ns is None:
            self._held_since_ns = self._clock.monotonic_ns()

    def _look(self) -> None:
        windows = self._ledger.windows(self._clock.monotonic_ns())
        if self._held_since_ns is not None and not any(use.stopped_s for use in windows):
            self._tell_lifted(self._held_since_ns)
            self._held_since_ns = None
        for use in windows:
            looks, least = self._pressed.get(use.name, (0, 1.0))
            if use.share >= SHARE:
                looks, least = looks + 1, min(least, use.share)
                self._pressed[use.name] = looks, least
                if looks * LOOK_S % AFTER_S == 0:
                    self._tell_pressed(use.name, least, looks * LOOK_S)
            elif self._pressed.pop(use.name, None) is not None and looks * LOOK_S >= AFTER_S:
                self._tell_eased(use.name, looks * LOOK_S)

    def _tell_lifted(self, since_ns: int) -> None:
        self._on_incident(
            RateLimitLifted(
                venue=self._venue,
                time_ns=self._clock.time_ns(),
                held_s=(self._clock.monotonic_ns() - since_ns) / 1e9,
            )
        )

    def _tell_pressed(self, budget: str, share: float, pressed_s: float) -> None:
        self._on_incident(
            BudgetPressed(
                venue=self._venue,
                time_ns=self._clock.time_ns(),
                budget=budget,
                share=share,
                pressed_s=pressed_s,
            )
        )

    def _tell_eased(self, budget: str, pressed_s: float) -> None:
        self._on_incident(
            BudgetEased(
                venue=self._venue,
                time_ns=self._clock.time_ns(),
                budget=budget,
                pressed_s=pressed_s,
            )
        )
