"""What the account is set to: changes that the venue does not say are told as events all the same.

While the stream is there they are seen by its positions, else when the account is read.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable

from msgspec.structs import replace

from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.retry import is_told
from perpwire.data_processor.account_settings import (
    KnownSettings,
    setting_of,
    settings_of_position,
    settings_of_reading,
)
from perpwire.errors import APIError, NotOffered
from perpwire.model.account import AccountEvent, Position
from perpwire.model.market import Event
from perpwire.venues.base import Venue

log = logging.getLogger("perpwire.api_connector")


class SettingsKeeper:
    """One for the account's stream."""

    def __init__(self, venue: Venue, requests: RequestPath, frames: FramePath) -> None:
        self._venue = venue
        self._requests = requests
        self._frames = frames
        self._known = KnownSettings()
        self._is_due = True
        """They are to be read."""
        self._failures = 0

    def on_event(self, event: AccountEvent) -> None:
        self._known.on_event(event)

    def on_position(self, position: Position) -> None:
        """Of the stream, or delivered after a reading, which has told then what it shows of settings."""
        if position.received_ns:
            for event in self._known.changed(self._of(position)):
                self._frames.deliver(event)

    def told_by(self, event: Event) -> list[Hashable]:
        """The settings that it tells of."""
        if isinstance(event, AccountEvent):
            told = [event]
        elif isinstance(event, Position):
            told = self._of(event)
        else:
            return []
        return [setting[0] for one in told if (setting := setting_of(one)) is not None]

    def _of(self, position: Position) -> list[AccountEvent]:
        return settings_of_position(position, mode_by_symbol=self._venue.position_mode_by_symbol)

    def read_next_time(self) -> None:
        """Something may have been missed."""
        self._is_due = True

    async def read(self, events: Iterable[Event]) -> list[AccountEvent]:
        """What was found to be set otherwise than it was known, `recovered`: by the positions among `events`, which
        were just read, and by asking where that is due. What can't be asked now is asked the next time."""
        heard = [told for event in events if isinstance(event, Position) for told in self._of(event)]
        if self._is_due:
            try:
                read = await self._requests.run(self._venue.account_settings())
            except NotOffered:
                self._is_due = False
            except APIError as error:
                self._failures += 1
                if is_told(self._failures):
                    log.warning("what the account is set to can't be read yet (tries: %d): %s", self._failures, error)
            else:
                self._is_due, self._failures = False, 0
                heard += settings_of_reading(self._venue.name, read)
        return [replace(event, recovered=True) for event in self._known.changed(heard)]
