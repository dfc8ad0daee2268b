"""Who uses which topic. A topic stays on its socket for as long as it has a holder, and each holder gives back its own.

A holder is whatever asked for it: the user's `subscribe` of a kind and symbol, the user's `connect` by name, an
iterator, a local book. To ask for what one holds already changes nothing, and neither does to give back what one does
not hold: so nobody can take away what another still uses.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from perpwire.venues.base import Topic

BY_NAME = "by name"
"""The user, who names native streams."""

ACCOUNT = "account"
"""The account's stream, which holds its topics for as long as it is open."""


class Use(NamedTuple):
    """What one holder asks for."""

    holder: Hashable
    topic: Topic


class _Coming(NamedTuple):
    """Holds in the holder's place while the subscription is on its way, as another of the same holder may be, too."""

    claim: Claim
    holder: Hashable


class Claim:
    """One subscription on its way; see TopicUses.claim."""

    def __init__(self, venue: str, uses: Iterable[Use]) -> None:
        self.venue = venue
        self.uses = list(uses)


class TopicUses:
    """See module docstring; one per manager."""

    def __init__(self) -> None:
        self._holders: dict[tuple[str, str], dict[Hashable, None]] = {}
        """Venue name and topic -> who holds it; never empty."""

    def is_held(self, venue: str, topic: Topic) -> bool:
        """Whether anybody uses it, or is about to."""
        return (venue, topic.name) in self._holders

    def is_held_by(self, venue: str, topic: Topic, holder: Hashable) -> bool:
        """Whether this one uses it, or is about to."""
        holders = self._holders.get((venue, topic.name), ())
        return any(one == holder or (isinstance(one, _Coming) and one.holder == holder) for one in holders)

    def claim(self, venue: str, uses: Iterable[Use]) -> Claim:
        """Hold them while they are being subscribed; to be settled, or dropped."""
        claim = Claim(venue, uses)
        for use in claim.uses:
            self._holders.setdefault((venue, use.topic.name), {})[_Coming(claim, use.holder)] = None
        return claim

    def settle(self, claim: Claim, failed: Iterable[Topic] = ()) -> list[Topic]:
        """Its holders hold what it was for, but what has failed, or was given back meanwhile. Gives what nobody holds
        any more."""
        lost = {topic.name for topic in failed}
        for use in claim.uses:
            holders = self._holders.get((claim.venue, use.topic.name), {})
            if use.topic.name not in lost and _Coming(claim, use.holder) in holders:
                holders[use.holder] = None
        return self._without(claim.venue, [Use(_Coming(claim, use.holder), use.topic) for use in claim.uses])

    def give_back(self, venue: str, uses: Iterable[Use]) -> list[Topic]:
        """Gives what nobody holds any more by that."""
        gone: list[Use] = []
        for use in uses:
            gone.append(use)
            holders = self._holders.get((venue, use.topic.name), ())
            coming = [one for one in holders if isinstance(one, _Coming) and one.holder == use.holder]
            gone += [Use(one, use.topic) for one in coming]
        return self._without(venue, gone)

    def drop(self, venue: str, topic: Topic) -> list[Topic]:
        """The venue has refused it: nobody holds it any more, but who is still waiting for the answer. Gives as
        `give_back`."""
        holders = self._holders.get((venue, topic.name), ())
        return self._without(venue, [Use(one, topic) for one in holders if not isinstance(one, _Coming)])

    def clear(self) -> None:
        """Nobody holds anything any more."""
        self._holders.clear()

    def _without(self, venue: str, uses: Iterable[Use]) -> list[Topic]:
        unwanted: list[Topic] = []
        for holder, topic in uses:
            key = (venue, topic.name)
            holders = self._holders.get(key)
            if holders is None or holder not in holders:
                continue
            del holders[holder]
            if not holders:
                del self._holders[key]
                unwanted.append(topic)
        return unwanted
