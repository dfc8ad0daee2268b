"""What visitors are told: the observer's snapshot, and what in it is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from perpwire import __version__
from perpwire.clock import Clock
from perpwire.monitoring.observer import Observer
from perpwire.monitoring.snapshot import History, Point, SeenIncident, Snapshot, Span, VenueSnapshot
from perpwire.words.said import LANGUAGES, Language, language_of, reason

TOPICS_NAMED = 3
ACCOUNT = "account"
"""What following.py calls the step of it, too."""


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wanted and is not there.

    Attributes:
        name: Of the connector.
        kind: "step" (it does not stand yet), "connection", "topics", "book" or "account".
        what: Which.
        why: What was said of it; of a connection its state.
        said: `why` in each language: our own words, others' as they are.
    """

    name: str
    kind: str
    what: str
    why: str
    said: dict[Language, str]


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """What is true at one moment. `missing` is empty while all that is wanted is live and in sync."""

    snapshot: Snapshot
    missing: tuple[Missing, ...]


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What has been of one connector; see monitoring.snapshot.History."""

    name: str
    points: tuple[Point, ...]
    minutes: tuple[Point, ...]
    spans: dict[str, tuple[Span, ...]]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What does not change: our version, and the page's language, "" for the browser's own."""

    version: str
    language: str


class Shown:
    """One observer, as visitors see it."""

    def __init__(self, observer: Observer, clock: Clock, *, language: str = "") -> None:
        self._observer = observer
        self._clock = clock
        self.about = About(version=__version__, language=language)

    def now_ns(self) -> int:
        return self._clock.time_ns()

    def now(self) -> Now:
        snapshot = self._observer.snapshot()
        return Now(snapshot=snapshot, missing=tuple(missing(snapshot)))

    def incidents(self, after_id: int, limit: int) -> list[SeenIncident]:
        """The newest ones after that id, oldest first."""
        return self._observer.incidents(after_id, limit)

    def names(self) -> list[str]:
        return [one.name for one in self._observer.observed]

    def history(self, name: str) -> History:
        """
        Raises:
            BadInput: There is no such connector.
        """
        return self._observer.history(name)

    def pasts(self, since_ns: int = 0) -> Iterator[Past]:
        """Of each connector what is newer than that; those of which there is nothing new are left out."""
        for name in self.names():
            history = self._observer.history(name).after(since_ns)
            spans = {
                connection: tuple(one for one in spans if one.since_ns > since_ns)
                for connection, spans in history.spans.items()
            }
            if history.points or history.minutes or any(spans.values()):
                yield Past(name=name, points=history.points, minutes=history.minutes, spans=spans)


def missing(snapshot: Snapshot) -> Iterator[Missing]:
    """What keeps us from being ready."""
    for venue in snapshot.venues:
        yield from _missing(venue)


def _missing(venue: VenueSnapshot) -> Iterator[Missing]:
    def one(kind: str, what: str, why: str) -> Missing:
        is_name = not why or kind in ("connection", "topics")  # of a state, or of topics: no reason
        said = {language: why if is_name else reason(language_of(language), why) for language in LANGUAGES}
        return Missing(name=venue.name, kind=kind, what=what, why=why, said=said)

    for step, why in venue.missing.items():
        yield one("step", step, why or (venue.why_account_not if step == ACCOUNT else ""))
    if not venue.is_up and not venue.missing:
        yield one("step", "start", "")
    for connection in venue.connections:
        if connection.state not in ("live", "idle"):
            yield one("connection", connection.name, connection.state)
        elif connection.not_live:
            silent = len(connection.not_live)
            named = ", ".join(connection.not_live[:TOPICS_NAMED]) + (" ..." if silent > TOPICS_NAMED else "")
            yield one("topics", connection.name, named)
    for book in venue.books:
        if not book.is_in_sync:
            yield one("book", book.symbol, book.why_not)
    if venue.is_account_live is False and ACCOUNT not in venue.missing:
        yield one("account", ACCOUNT, venue.why_account_not)
