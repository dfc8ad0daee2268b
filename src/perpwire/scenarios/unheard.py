"""What nobody could hear, and what is wanted: for the checks of what was heard (trades_heard.py and its neighbours)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from perpwire.model.market import Event
from perpwire.simulator.journal import Entry
from perpwire.venues.base import Said, Topic

if TYPE_CHECKING:
    from perpwire.scenarios.run import Run

TOLD_BY_NS = 30_000_000_000
"""The newest may still be on their way, or behind a hole that is being read back."""


def wanted(run: Run, kind: type[Event]) -> set[Said]:
    """What the connector's streams carry of a kind."""
    carried = (run.connector.venue.carries(Topic("", name)) for _, name in run.connector.streams.topics)
    return {said for one in carried for said in one if issubclass(said.kind, kind)}


def taken(sent: Iterable[Entry]) -> list[Entry]:
    """Messages that a fault took, or put in another place, on a socket that lived on, as no socket does: where a venue
    does not number them, nobody can know."""
    found: list[Entry] = []
    pending: defaultdict[tuple[int, str], list[Entry]] = defaultdict(list)
    for entry in sent:
        where = (entry.connection, entry.topic)
        if entry.topic and entry.done in ("lost", "corrupted", "reordered", "late"):
            pending[where].append(entry)
        if not entry.is_lost and where in pending:
            found += pending.pop(where)
    return found


def is_unreadable(run: Run, entry: Entry) -> bool:
    """What arrived in a message's place can't be read: then it is known that something was lost."""
    if entry.done != "corrupted":
        return False
    session, frame = run.connector.venue.session("public"), entry.altered.encode()
    try:
        if session.on_frame(frame, 1) is None:
            session.on_control(frame)
    except Exception:
        return True
    return False
