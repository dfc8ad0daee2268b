"""The contracts' rules, and what a venue says of them elsewhere, which they serve without."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from msgspec.structs import replace

from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.errors import APIError
from perpwire.model.instrument import Instrument
from perpwire.venues.base import Venue

log = logging.getLogger("perpwire.api_connector")

PATIENCE_S = 1.0
"""An order may wait for the rules: what they serve without is not waited for longer."""


async def read_instruments(
    requests: RequestPath, venue: Venue, clock: Clock, last: Mapping[str, Instrument]
) -> tuple[Instrument, ...]:
    """All of them; what can't be had now of the further things is as it was told `last`.

    Raises:
        APIError: The rules can't be read.
    """
    instruments = await requests.run(venue.instruments())
    further = venue.instruments_completed(instruments)
    if further is None:
        return instruments
    try:
        return await in_time(requests.run(further, tries=1), PATIENCE_S, clock)
    except (APIError, TimeoutError) as error:
        log.warning("%s: the fundings of contracts can't be read: %s", venue.name, error)
    return tuple(
        replace(one, funding_interval_s=last[one.symbol].funding_interval_s) if one.symbol in last else one
        for one in instruments
    )
