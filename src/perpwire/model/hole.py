"""Events that had to be dropped one after the other, and the Gap that stands in their place."""

from __future__ import annotations

from perpwire.model.market import Event, Gap, kind_of


class Hole:
    """
    Args:
        first: The first that was dropped; it may be a Gap.
        kind: Name of the kind of event that the Gap is of; that of `first` where none is given.
    """

    __slots__ = ("_first", "_is_of_one", "_last", "count", "kind")

    def __init__(self, first: Event, kind: str = "") -> None:
        self.kind = kind or (first.kind if isinstance(first, Gap) else kind_of(type(first)).__name__)
        self._first = self._last = first
        self._is_of_one = True
        self.count = 1

    def add(self, event: Event) -> None:
        self._is_of_one = self._is_of_one and event.symbol == self._first.symbol
        self._last = event
        self.count += 1

    def as_gap(self, why: str) -> Gap:
        first, last = _number(self._first), _number(self._last)
        is_counted = self._is_of_one and first is not None and last is not None
        return Gap(
            venue=self._first.venue,
            symbol=self._first.symbol if self._is_of_one else "",
            kind=self.kind,
            since_ns=self._first.since_ns if isinstance(self._first, Gap) else _at_ns(self._first),
            until_ns=self._last.until_ns if isinstance(self._last, Gap) else _at_ns(self._last),
            first_missing=first if is_counted else None,
            last_missing=last if is_counted else None,
            why=why,
        )


def _at_ns(event: Event) -> int:
    """Its arrival; of what was read back, when the venue made it."""
    return event.received_ns or event.venue_time_ms * 1_000_000


def _number(event: Event) -> int | None:
    number = getattr(event, "trade_id", None)
    number = getattr(event, "update_id", None) if number is None else number
    return number if isinstance(number, int) else None
