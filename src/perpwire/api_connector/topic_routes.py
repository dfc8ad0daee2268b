"""On which route a topic is asked for: as was found out, or as the user says, or else as the venue's table says."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from perpwire.errors import BadInput
from perpwire.venues import VENUES
from perpwire.venues.base import Topic, Venue

Routes = Mapping[str, Mapping[str, str]]
"""Venue name -> kind of stream, or whole name of one, or "*" for all -> route."""


class TopicRoutes:
    """See module docstring; one per manager.

    Raises:
        BadInput: `of_user` names a venue that there is not.
    """

    def __init__(self, of_user: Routes) -> None:
        for name in of_user:
            if name not in VENUES:
                raise BadInput(f"routes: no venue {name!r}; there are {', '.join(VENUES)}", code="NO_SUCH_VENUE")
        self._of_user = {venue: dict(routes) for venue, routes in of_user.items()}
        self._found: dict[tuple[str, str], str] = {}

    def routed(self, venue: Venue, topic: Topic) -> Topic:
        """The topic with the route to ask for it on."""
        kind = venue.feed(topic).kind
        found = self._found.get((venue.name, kind))
        if found is not None:
            return msgspec.structs.replace(topic, route=found)
        own = self._of_user.get(venue.name, {})
        for key in (topic.name, kind, "*"):
            if key in own:
                return msgspec.structs.replace(topic, route=own[key])
        return topic

    def others(self, venue: Venue, topic: Topic) -> list[str]:
        """Routes on which a topic may be served too, likeliest first."""
        return [route for route in venue.feed(topic).routes if route != topic.route]

    def found(self, venue: Venue, topic: Topic) -> None:
        """It speaks on the route that it has here: from now on its kind is asked for there."""
        self._found[venue.name, venue.feed(topic).kind] = topic.route
